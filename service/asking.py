"""Who is asking, and what they may see: the role comes from each study's own record."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any

from asyncpg import Pool
from graphql import GraphQLError
from strawberry.dataloader import DataLoader

from domain.membership import MAY, Duty, Role, may_read
from domain.readings import Reading
from domain.vocabulary import Personal
from projections.following import position_of
from service.bell import Bell
from service.readings import Readings
from service.research_record import ResearchRecord
from service.sealing.seal import Seal
from service.withdrawal_by_code import Withdrawals

WAIT_AT_MOST = 10.0  # seconds for a register to reach `atLeast`


@dataclass
class Asker:
    """A member with a valid token, during one request or one operation of a connection.

    A stranger, who may only withdraw by a code, is nobody's member: "".
    """

    member: str
    record: ResearchRecord
    registers: Pool  # connections that see the registers' tables
    bell: Bell
    readings: Readings
    withdrawals: Withdrawals
    seal: Seal
    address: str = ""  # from where they ask
    roles: dict[str, Role | None] = field(default_factory=dict)
    at_least: dict[str, int] = field(default_factory=dict)
    read: dict[tuple[str, Reading, bool], set[str]] = field(default_factory=dict)

    @cached_property
    def texts(self) -> DataLoader[tuple[str, str], Any]:
        """Opens personal texts: what one operation shows, together; nothing opened is kept."""
        return DataLoader(self._opened, cache=False)

    async def _opened(self, asked: list[tuple[str, str]]) -> list[Any]:
        """The personal texts that these references lead to, each with its study."""
        references: dict[str, set[str]] = defaultdict(set)
        for study, reference in asked:
            references[study].add(reference)
        texts = {
            study: await self.record.texts.opened(study, each) for study, each in references.items()
        }
        return [texts[study][reference] for study, reference in asked]

    async def role_in(self, study: str) -> Role | None:
        """Their role in a study as it stands on record now; None for a study not to be known of."""
        role = (await self.record.role_held(study, self.member, Duty.READ)).role
        self.roles[study] = role
        return role

    async def require(self, study: str, duty: Duty) -> None:
        """Raise unless their role in the study, as it stands now, may do this."""
        if await self.role_in(study) is None:
            raise GraphQLError(
                f"No study {study}, or you have no role in it; check the identifier.",
                extensions={"code": "STUDY_UNKNOWN"},
            )
        self.allow(study, duty)

    def allow(self, study: str, duty: Duty) -> None:
        """Raise unless their role in a study that was looked up before may do this."""
        role = self.roles[study]
        if role is None or role not in MAY[duty]:
            others = ", ".join(sorted(each.value for each in MAY[duty]))
            raise GraphQLError(
                f"A {role.value if role else 'stranger'} may not {duty.value}; "
                f"ask one of: {others}.",
                extensions={"code": "ROLE_INSUFFICIENT"},
            )

    def sees_personal_data(self, study: str) -> bool:
        """Whether personal data of a study that was looked up before may be shown."""
        return self.roles.get(study) in MAY[Duty.READ_PERSONAL]

    def sees(self, study: str, *texts: Personal) -> bool:
        """Whether all personal texts of that study may be shown that are marked like these."""
        role = self.roles.get(study)
        return all(may_read(role, each) for each in texts)

    def has_read(self, study: str, reading: Reading, participants: Iterable[str] = ()) -> None:
        """Note that they are shown identifiable data of these participants; none named: of anybody.

        However many fields show it, an operation is one read: a subscription counts as it begins.
        """
        named = set(participants)
        key = (study, reading, bool(named))
        known = self.read.get(key)
        if known is None:
            self.read[key] = named
            self.readings.note(study, self.member, reading, named, new=True)
        elif not named <= known:
            known |= named
            self.readings.note(study, self.member, reading, named, new=False)

    def wants(self, study: str, at_least: int | None) -> None:
        """Note that what is read of a study must be at this position, or after it.

        A request's fields are answered side by side: the latest position asked for is for all.
        """
        self.at_least[study] = max(self.at_least.get(study, 0), at_least or 0)

    async def wait_for(self, register: str, study: str) -> None:
        """Wait until a register has reached the position asked for (`atLeast`), or raise."""
        wanted = self.at_least.get(study, 0)
        give_up = monotonic() + WAIT_AT_MOST
        while wanted and (reached := await position_of(self.registers, register, study)) < wanted:
            if monotonic() > give_up:
                raise GraphQLError(
                    f"{register} has reached position {reached} of {study}, not {wanted}, within "
                    f"{WAIT_AT_MOST:.0f} seconds; ask again, or ask for less.",
                    extensions={"code": "NOT_THERE_YET"},
                )
            await asyncio.sleep(0.01)
