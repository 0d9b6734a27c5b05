"""Withdrawal by a code: a participant takes consent back with no account and nobody's leave (§5).

The code stands on their receipt: `<study>.<five groups of Crockford's base32>`. Whoever has it may
withdraw and do nothing else; the record holds its SHA-256 alone. The receipt is found in the record
itself, by the hash as a tag, so it is found also while the registers stand still.
"""

import asyncio
import hashlib
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from time import monotonic
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
from asyncpg import PostgresError
from eventsourcing.dcb.domain import Selector
from msgspec import Meta, Struct
from structlog.contextvars import get_contextvars

from domain.commands import Occasion, Refused, read_given
from domain.consent import ConsentGiven
from domain.permissions import Permission
from domain.receipts import ReceiptIssued
from domain.vocabulary import Channel, Heard, Text, is_blank
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope, WithdrawByCode
from service.appends import RecordUnavailable
from service.database import UNREACHABLE
from service.research_record import Crowded, Proposal, ResearchRecord
from service.what_is_held import Mine, what_is_held

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no I, L, O or U
GROUPS, GROUP = 5, 4  # of 5 bits each: 100 random bits
MISREAD = str.maketrans("ILO", "110")
COMMAND_IDS = UUID("0d2a2c0e-6f0b-5a3c-8c1e-5d7c7f1b9a42")  # a namespace for uuid5 (RFC 9562, 5.5)
PATIENCE = 25.0  # seconds in which a withdrawal is tried again before somebody is asked to
NOT_NOW = (Crowded, RecordUnavailable, PostgresError, *UNREACHABLE)
TRIES_A_MINUTE = 120  # for each address: a community hall has one for everybody in it

STUDIES = "select study from record.study_head where lower(study) = lower($1) order by study"
ON_RECORD = """
select position from record.event
where study = $1 and command_id = $2 and command_digest is not null
"""


TakenBack = Annotated[
    tuple[Permission, ...],
    Meta(max_length=len(Permission)),
    "What is taken back; left out: everything.",
]


class Asked(Struct, frozen=True, kw_only=True):
    """What a participant asks with their code."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]  # as it stands on the receipt
    permissions: TakenBack = ()
    scope: WithdrawalScope = WithdrawalScope.NO_FURTHER_ACCESS  # how far it reaches
    words: Text | None = None  # anything they want to say


class Known(Struct, frozen=True, kw_only=True):
    """What a participant gives to see what is theirs."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]  # as it stands on the receipt


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawal by code as it stands on record."""

    study: Annotated[str, "The study in whose record it stands."]
    position: Annotated[int, "Where it stands."]
    at: Annotated[datetime, "From when on it counts."]
    permissions: Annotated[list[Permission], "What was taken back."]
    scope: Annotated[WithdrawalScope, "How far it reaches."]
    everything: Annotated[bool, "Whether everything was taken back."]


class NotWithdrawn(Exception):
    """Nothing was taken back; says why in plain words, and what to do. `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


CODE_UNKNOWN = (
    "This code is not known here. Type it as it stands on your receipt, with the name of the study "
    "before the dot. If it still does not work, anyone in the study team can withdraw for you."
)
TOO_MANY = (
    "There were too many tries from your connection just now. Wait a minute and send it again."
)
NOT_NOW_SAID = (
    "We could not write your withdrawal down just now, and are sorry. Send it again in a few "
    "minutes: it counts once, however often you send it."
)

NOT_SHOWN = (
    "We could not look it up just now, and are sorry. Try again in a few minutes. To withdraw you "
    "need not wait for it."
)


def read_asked(given: dict[str, Any]) -> Asked:
    """What is asked; words that say nothing keep nobody from withdrawing. Raises `Refused`."""
    words = given.get("words")
    if isinstance(words, str) and is_blank(words):
        given = {name: value for name, value in given.items() if name != "words"}
    return read_given(Asked, given)


def new_code(study: str) -> str:
    """A new code for a participant of the study; it is shown once and kept nowhere."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
    return f"{study}.{'-'.join(groups)}"


def code_sha256(code: str) -> str:
    """What the record holds of a code that `new_code` made."""
    study, secret = read_code(code)
    return _digest(study, secret)


def read_code(typed: str) -> tuple[str, str]:
    """The study and the secret of a code, however it was typed: hyphens, spaces and case aside.

    Raises `NotWithdrawn` for what cannot be a code.
    """
    text = "".join(unicodedata.normalize("NFKC", typed).split())
    study, _, secret = text.rpartition(".")
    letters = (each for each in secret.upper() if unicodedata.category(each) != "Pd")
    secret = "".join(letters).translate(MISREAD)
    if not study or len(secret) != GROUPS * GROUP or not set(secret) <= set(ALPHABET):
        raise NotWithdrawn("code_unknown", CODE_UNKNOWN)
    return study, secret


def _digest(study: str, secret: str) -> str:
    return hashlib.sha256(f"{study}.{secret}".encode()).hexdigest()


class Tries:
    """How often an address has tried in this minute: a guess is hopeless, but costs a look."""

    def __init__(self) -> None:
        self._until = 0.0
        self._counted: dict[str, int] = {}

    def count(self, address: str) -> None:
        """Raises `NotWithdrawn` once it is too many."""
        if monotonic() > self._until:
            self._until = monotonic() + 60
            self._counted.clear()
        whose = _household(address)
        tried = self._counted[whose] = self._counted.get(whose, 0) + 1
        if tried > TRIES_A_MINUTE:
            raise NotWithdrawn("too_many_tries", TOO_MANY)


def _household(address: str) -> str:
    """The address, of IPv6 its /64: that is what one connection is given."""
    try:
        version = ip_address(address).version
    except ValueError:
        return address
    return str(ip_network(f"{address}/64", strict=False)) if version == 6 else address


class Withdrawals:
    """Takes withdrawals by code, and puts them on record."""

    def __init__(self, record: ResearchRecord) -> None:
        self._record = record
        self._tries = Tries()

    async def withdraw(self, asked: Asked, address: str) -> Withdrawn:
        """Put it on record; asked again, the same is answered. Raises `NotWithdrawn`.

        It is tried again, for a while, for as long as the record cannot be written.
        """
        self._tries.count(address)
        study, secret = read_code(asked.code)
        give_up = monotonic() + PATIENCE
        while True:
            try:
                return await self._withdraw(study, secret, asked)
            except NOT_NOW:
                if monotonic() > give_up:
                    raise NotWithdrawn("unavailable", NOT_NOW_SAID) from None
                await asyncio.sleep(0.2)

    async def show(self, asked: Known, address: str) -> Mine:
        """What the code's participant agreed to and what is held of them. Raises `NotWithdrawn`."""
        self._tries.count(address)
        study, secret = read_code(asked.code)
        try:
            study, receipt = await self._receipt(study, secret)
            return await what_is_held(self._record, study, receipt.participant)
        except NOT_NOW:
            raise NotWithdrawn("unavailable", NOT_SHOWN) from None

    async def _withdraw(self, typed: str, secret: str, asked: Asked) -> Withdrawn:
        study, receipt = await self._receipt(typed, secret)
        about = [f"participant:{receipt.participant}"]
        given = await self._record.heard(study, [Selector(types=[ConsentGiven], tags=about)])
        proposal = _proposal(study, secret, receipt, asked, given)
        position = await self._position(proposal)
        if position is None:
            try:
                position = (await self._record.submit(proposal)).position
            except Refused as refused:
                position = await self._position(proposal)  # pressed twice at once
                if position is None:
                    raise NotWithdrawn(refused.reasons[0].code, str(refused)) from None
        selector = Selector(types=[ConsentWithdrawn], tags=about)
        for each in await self._record.heard(study, [selector]):
            if each.position == position and isinstance(each.event, ConsentWithdrawn):
                taken, scope = list(each.event.permissions), each.event.scope
                return Withdrawn(
                    study, position, each.occurred_at, taken, scope, not asked.permissions
                )
        raise RecordUnavailable("what was recorded cannot be read")

    async def _receipt(self, typed: str, secret: str) -> tuple[str, ReceiptIssued]:
        """The receipt with this code, and its study; the same looks whether there is one or not."""
        found = [row["study"] for row in await self._record.pool.fetch(STUDIES, typed)]
        for study in found or [typed]:
            tag = f"withdrawal_code:{_digest(study, secret)}"
            selector = Selector(types=[ReceiptIssued], tags=[tag])
            for each in await self._record.heard(study, [selector]):
                if isinstance(each.event, ReceiptIssued):
                    return study, each.event
        raise NotWithdrawn("code_unknown", CODE_UNKNOWN)

    async def _position(self, proposal: Proposal) -> int | None:
        occasion = proposal.occasion
        found: int | None = await self._record.pool.fetchval(
            ON_RECORD, occasion.study, occasion.command_id
        )
        return found


def _proposal(
    study: str, secret: str, receipt: ReceiptIssued, asked: Asked, given: list[Heard]
) -> Proposal:
    now = datetime.now(UTC)
    # A clock may differ from ours: consent that was given a minute ahead is taken back as well.
    occurred_at = max([now, *(each.occurred_at for each in given)])
    event = ConsentWithdrawn(
        participant=receipt.participant,
        permissions=tuple(dict.fromkeys(asked.permissions)),
        scope=asked.scope,
        code_sha256=_digest(study, secret),
        words=asked.words,
    )
    # Made of what is asked and of the consent that it takes back: pressed twice, it is one
    # withdrawal; after consent was given again, it is another. The secret keeps it from telling
    # anything of their words.
    last = given[-1].position if given else 0
    content = msgspec.json.encode(
        [secret, last, sorted(event.permissions), asked.scope, asked.words]
    )
    occasion = Occasion(
        study=study, command_id=uuid5(COMMAND_IDS, content.decode()), actor=receipt.participant,
        occurred_at=occurred_at, asked_at=now, channel=Channel.API,
        request_id=get_contextvars().get("request_id"),
    )  # fmt: skip
    return Proposal(command=WithdrawByCode, event=event, occasion=occasion)
