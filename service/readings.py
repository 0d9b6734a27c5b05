"""Readings: who looked at identifiable data, put on record within seconds (question 18).

A read is noted in memory, which costs it next to nothing, and never waits for the record. What one
member read of one kind is one event, however often they looked. The memory is bounded by what it
holds: for each member who reads a study, the pseudonyms of its participants, once for each kind.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from asyncpg import PostgresError

from domain.commands import Occasion, Refused
from domain.membership import Duty, Role
from domain.readings import IdentifiableDataRead, Reading, RecordReading
from domain.vocabulary import Channel
from projections.paging import Page
from service.appends import RecordUnavailable
from service.database import UNREACHABLE
from service.research_record import Crowded, Proposal, Recorded, ResearchRecord

log = structlog.get_logger(__name__)

WITHIN = 2.0  # seconds until what was read is put on record
AGAIN = 60.0  # seconds until the same is, when the same member reads on: a page that polls, say
AT_STOP = 10.0  # seconds that the record is given when the service stops
NAMED_AT_MOST = 500  # participants in one event
NOT_NOW = (Crowded, RecordUnavailable, PostgresError, *UNREACHABLE)
# The fields of registers' rows and of events that hold participants' pseudonyms.
PARTICIPANTS = ("participant", "participants", "proposed_by", "offered_by")

Key = tuple[str, str, Reading, bool]  # study, reader, what, and whether participants are named


@dataclass
class Noted:
    """What a member read since it was last put on record."""

    first_at: datetime
    last_at: datetime
    reads: int = 0
    participants: set[str] = field(default_factory=set)


class Readings:
    """Notes reads as they happen and puts them on record in the background."""

    def __init__(self, record: ResearchRecord) -> None:
        self._record = record
        self._noted: dict[Key, Noted] = {}
        self._told: dict[Key, tuple[float, set[str]]] = {}  # until when that is recent, of whom
        self._unsent: list[Proposal] = []

    def note(
        self, study: str, reader: str, reading: Reading, participants: set[str], *, new: bool
    ) -> None:
        """Note a read of these participants' data; none named: of anybody's.

        `new` says that it is another read, not more of one that has been noted.
        """
        now = datetime.now(UTC)
        key = (study, reader, reading, bool(participants))
        noted = self._noted.get(key)
        if noted is None:
            noted = self._noted[key] = Noted(now, now)
        noted.last_at = now
        noted.reads += new
        noted.participants |= participants

    def start(self) -> None:
        """Begin to put on record what is noted."""
        self._recording = asyncio.create_task(self._record_for_ever(), name="readings")

    async def stop(self) -> None:
        """Put everything on record, unless the database is away."""
        self._recording.cancel()
        await asyncio.gather(self._recording, return_exceptions=True)
        try:
            async with asyncio.timeout(AT_STOP):
                await self.record_due(everything=True)
        except TimeoutError:
            pass
        if lost := len(self._unsent) + len(self._noted):
            log.error("readings_lost", readings=lost)

    async def record_due(self, *, everything: bool = False) -> None:
        """Put on record what is new, or has waited long enough; what cannot be is kept."""
        if not self._unsent:  # else the database was away: what is noted goes on being gathered
            self._unsent = self._due(everything)
        self._unsent.sort(key=_study_of)
        for _, together in groupby(list(self._unsent), _study_of):
            batch = list(together)
            try:
                answers = await self._record.submit_all(batch)
            except NOT_NOW as fault:
                log.warning("readings_wait", error=type(fault).__name__, readings=len(batch))
                return
            for proposal, answer in zip(batch, answers, strict=True):
                self._unsent.remove(proposal)
                if isinstance(answer, Refused):
                    log.error(
                        "reading_refused",
                        study=proposal.occasion.study,
                        reader=proposal.occasion.actor,
                        codes=[reason.code for reason in answer.reasons],
                    )

    async def _record_for_ever(self) -> None:
        while True:
            await asyncio.sleep(WITHIN)
            try:
                await self.record_due()
            except Exception as fault:  # a fault in one reading must not end the noting of others
                log.error("readings_failed", error=type(fault).__name__)

    def _due(self, everything: bool) -> list[Proposal]:
        now = monotonic()
        self._told = {key: told for key, told in self._told.items() if told[0] > now}
        due: list[Proposal] = []
        for key, noted in list(self._noted.items()):
            recent, known = self._told.get(key, (0.0, set()))
            if recent and noted.participants <= known and not everything:
                continue
            del self._noted[key]
            self._told[key] = (recent or now + AGAIN, known | noted.participants)
            due += _proposals(key, noted)
        return due


def _proposals(key: Key, noted: Noted) -> Iterable[Proposal]:
    study, reader, reading, _ = key
    named = sorted(noted.participants)
    for begin in range(0, len(named) or 1, NAMED_AT_MOST):
        event = IdentifiableDataRead(
            reader=reader, reading=reading, first_at=noted.first_at, last_at=noted.last_at,
            reads=noted.reads, participants=tuple(named[begin : begin + NAMED_AT_MOST]),
        )  # fmt: skip
        yield _proposal(study, event, Channel.API)


def _proposal(study: str, event: IdentifiableDataRead, channel: Channel) -> Proposal:
    occasion = Occasion(
        study=study, command_id=uuid4(), actor=event.reader, occurred_at=event.last_at,
        asked_at=datetime.now(UTC), channel=channel,
    )  # fmt: skip
    return Proposal(command=RecordReading, event=event, occasion=occasion)


def _study_of(proposal: Proposal) -> str:
    return proposal.occasion.study


async def record_export(
    record: ResearchRecord, study: str, reader: str, duty: Duty, *participants: str
) -> tuple[Role, Recorded]:
    """Put on record that a member takes out a copy: of these participants' consent, or of all.

    Returns their role with it. Raises `Refused`, also if their role may not do what the copy lets
    them.
    """
    held = await record.role_held(study, reader, duty)
    if not held.holds() or held.role is None:
        raise Refused([held.reason()])
    now = datetime.now(UTC)
    event = IdentifiableDataRead(
        reader=reader, reading=Reading.EXPORT, first_at=now, last_at=now, reads=1,
        participants=participants,
    )  # fmt: skip
    return held.role, await record.submit(_proposal(study, event, Channel.CLI))


def participants_in(shown: Any) -> set[str]:
    """The participants whom an answer of a register names: a page, rows, or one row."""
    if isinstance(shown, Page):
        return participants_in(shown.rows)
    if isinstance(shown, list):
        return {each for row in shown for each in participants_in(row)}
    if getattr(shown, "position", 0) is None:  # nothing is on record of what was asked
        return set()
    found = {each for name in PARTICIPANTS for each in pseudonyms(getattr(shown, name, None))}
    return found | tagged(getattr(shown, "tags", ()))


def tagged(tags: Iterable[str]) -> set[str]:
    """The participants among what something mentions."""
    prefix = "participant:"
    return {tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)}


def pseudonyms(value: Any) -> Iterable[str]:
    """What a field of participants holds: none, one or some; a number of them names nobody."""
    if value is None or isinstance(value, int):
        return ()
    return (value,) if isinstance(value, str) else value
