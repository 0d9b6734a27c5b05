"""Recorders on a test's own database, and events and commands made up for them."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, ParamSpec
from uuid import UUID, uuid4

import asyncpg

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
from service.recorder import Draft, Recorder
from service.research_record import Proposal

P = ParamSpec("P")
STUDY = "maize"
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
    personal: Sequence[tuple[str, Sequence[str], bytes]] = (),
    actor: str = "ana",
) -> Draft:
    """An event that might be appended; of a command, if that is named."""
    return Draft(
        event_id=uuid4(), type=type_, schema=1, actor=actor, occurred_at=NOON, tags=tags,
        envelope=b"{}", payload=payload, personal=personal, command_id=command,
        command_digest=command.bytes if command else None,
    )  # fmt: skip


@asynccontextmanager
async def recorders(
    url: str, number: int = 1, *, unavailable_after: float = 30.0
) -> AsyncIterator[list[Recorder]]:
    """So many recorders on one database: to it, each is a process of its own."""
    async with AsyncExitStack() as stack:
        started = []
        for _ in range(number):
            recorder = Recorder(url, unavailable_after=unavailable_after)
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
