"""Recorders on a test's own database, and events and commands made up for them."""

import asyncio
import functools
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from os import urandom
from typing import Any, ParamSpec
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.commands import Command, Occasion
from domain.consent import ConsentGiven, GrantConsent
from domain.cycles import CycleOpened, OpenCycle
from domain.ethics import Activity, GiveOpinion, OpinionGiven, Outcome
from domain.membership import StudyOpened
from domain.people import EnrolParticipant, ParticipantEnrolled
from domain.permissions import Permission
from domain.studies import OpenStudy
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn, WithdrawConsent
from domain.workshops import HoldWorkshop, WorkshopHeld
from service import append_rows, appends, boundary_reads
from service.appends import Draft, Items
from service.drafts import uuid7
from service.personal_texts import Part
from service.recorder import Recorder
from service.research_record import Proposal
from service.sealing.leaves import (
    PUBLIC,
    SALT_BYTES,
    commitment,
    leaf_around_time,
    public_part,
)
from service.sealing.sealed_fields import seal
from tests.conftest import Database

P = ParamSpec("P")
STUDY = "maize"
HOLD = "select from record.study_head where study = $1 for update"
EVERYTHING: Items = [([], [])]
WAITS = """
select true from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
"""
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test, with its fixtures, in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def draft(
    type_: str = "Noted",
    *tags: str,
    payload: bytes = b"{}",
    command: UUID | None = None,
    personal: Sequence[Part] = (),
    actor: str = "ana",
    at: datetime = NOON,
    schema: int = 1,
    envelope: bytes = b"{}",
    study: str = STUDY,
) -> Draft:
    """An event that might be appended; of a command, if that is named."""
    event_id, salt = uuid7(), urandom(SALT_BYTES)
    origin = f"localhost/parcycle/{study}"
    sealed = [
        seal(
            {subject: key_of(subject) for subject in part.subjects},
            origin=origin,
            event_id=event_id,
            path=part.path,
            subjects=part.subjects,
            data=part.data,
        )
        for part in personal
    ]
    leaf = leaf_around_time(
        origin=origin,
        event_id=event_id,
        type_=type_,
        schema=schema,
        occurred_at=at,
        actor=actor,
        tags=tags,
        public=commitment(salt, event_id, PUBLIC, public_part(envelope, payload)),
        sealed=sealed,
    )
    return Draft(
        event_id=event_id, type=type_, schema=schema, actor=actor, occurred_at=at.astimezone(UTC),
        tags=tags, envelope=envelope, payload=payload, salt=salt, leaf=leaf, sealed=sealed,
        command_id=command, command_digest=command.bytes if command else None,
    )  # fmt: skip


def give_every_tag_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the hashes of all tags collided."""
    for module in (appends, append_rows, boundary_reads):
        monkeypatch.setattr(module, "tag_hash", lambda tag: 7)


def key_of(subject: str) -> bytes:
    """The key of a subject of whom no key store knows."""
    return hashlib.sha256(subject.encode()).digest()


@asynccontextmanager
async def recorders(
    url: str, number: int = 1, *, writers: int = 2, unavailable_after: float = 30.0
) -> AsyncIterator[list[Recorder]]:
    """So many recorders on one database: to it, each is a process of its own."""
    async with AsyncExitStack() as stack:
        started = []
        for _ in range(number):
            recorder = Recorder(url, writers=writers, unavailable_after=unavailable_after)
            await recorder.start()
            stack.push_async_callback(recorder.stop)
            started.append(recorder)
        yield started


async def events_of(url: str, study: str) -> list[asyncpg.Record]:
    """Everything on record of a study, in order."""
    db = await asyncpg.connect(url)
    try:
        return await db.fetch(
            "select * from record.event where study = $1 order by position", study
        )
    finally:
        await db.close()


async def somebody_waits(db: asyncpg.Connection) -> None:
    """Returns when a connection to this database waits for a lock."""
    while not await db.fetchval(WAITS):  # noqa: ASYNC110 (PostgreSQL offers no event)
        await asyncio.sleep(0.01)


@asynccontextmanager
async def held(database: Database, study: str) -> AsyncIterator[asyncpg.Connection]:
    """A study that somebody holds for so long, and who."""
    owner = await asyncpg.connect(database.owner_url)
    async with owner.transaction():
        await owner.execute(HOLD, study)
        yield owner
    await owner.close()


async def as_owner(database: Database, *statements: str) -> None:
    """As the database's administrator, who may do anything in it."""
    db = await asyncpg.connect(database.owner_url)
    try:
        for statement in statements:
            await db.execute(statement)
    finally:
        await db.close()


def proposal(
    command: type[Command[Any]],
    event: ResearchEvent,
    *,
    at: datetime = NOON,
    by: str = "ana",
    command_id: UUID | None = None,
    **occasion: Any,
) -> Proposal:
    """What somebody sent: a new command, unless its id is given."""
    return Proposal(
        command=command,
        event=event,
        occasion=Occasion(
            study=occasion.pop("study", STUDY), command_id=command_id or uuid4(), actor=by,
            occurred_at=at, asked_at=NOON + timedelta(days=1), **occasion,
        ),
    )  # fmt: skip


def beginning(*participants: str) -> list[Proposal]:
    """A study with an open cycle, approval, and these participants' consent to workshops."""
    may = tuple(Activity)
    opening: list[tuple[type[Command[Any]], ResearchEvent]] = [
        (OpenStudy, StudyOpened(title="Maize", question="What keeps us well?", setting="Here")),
        (
            GiveOpinion,
            OpinionGiven(
                opinion="rec-1", committee="REC", outcome=Outcome.FAVOURABLE, activities=may,
                valid_from=date(2026, 1, 1), valid_to=date(2027, 1, 1),
            ),
        ),
        (OpenCycle, CycleOpened(cycle="c-1", title="First", question="What matters here?")),
    ]  # fmt: skip
    for each in participants:
        workshop = (Permission.WORKSHOP,)
        opening.append((EnrolParticipant, ParticipantEnrolled(participant=each, group="A")))
        given = ConsentGiven(participant=each, permissions=workshop, form_version="1")
        opening.append((GrantConsent, given))
    return [proposal(command, event, at=NOON - timedelta(days=9)) for command, event in opening]


def workshop(name: str, *participants: str, **occasion: Any) -> Proposal:
    held = WorkshopHeld(workshop=name, cycle="c-1", participants=participants)
    return proposal(HoldWorkshop, held, **occasion)


def withdrawal(participant: str, **occasion: Any) -> Proposal:
    withdrawn = ConsentWithdrawn(participant=participant, permissions=(Permission.WORKSHOP,))
    return proposal(WithdrawConsent, withdrawn, **occasion)
