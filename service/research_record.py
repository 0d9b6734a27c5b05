"""The research record: decides commands against it, and appends what they decide."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from os import urandom
from time import time_ns
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import msgspec
import structlog
from eventsourcing.dcb.domain import Selector
from msgspec import Struct

from domain.commands import Command, Occasion, Refused
from domain.conditions import Reason
from domain.older_events import read_recorded, write_recorded
from domain.vocabulary import Envelope, Heard, ResearchEvent, subjects
from service.database import open_pool
from service.recorder import Conflict, Draft, Recorder, Repeated

log = structlog.get_logger(__name__)

ATTEMPTS = 12  # looks at the record before a command is given up as crowded out

ANSWERED = """
select command_id, command_digest, position, event_id, recorded_at from record.event
where study = $1 and command_id = any ($2::uuid[]) and command_digest is not null
"""


class Proposal(Struct, frozen=True, kw_only=True):
    """A command that somebody sent: what should be recorded, and on which occasion."""

    command: type[Command[Any]]
    event: ResearchEvent
    occasion: Occasion


class Recorded(Struct, frozen=True, kw_only=True):
    """The event is on record; the same answer is given when the command is sent again."""

    study: str
    position: int
    event_id: UUID
    recorded_at: datetime


class Crowded(Exception):
    """Others kept recording on the same matter; nothing was recorded, so send it again."""


Answer = Recorded | Refused


class ResearchRecord:
    """Every study's record, in one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.recorder = Recorder(url)
        # A lock lives as long as somebody holds it or waits for it.
        self._turns: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self.pool: asyncpg.Pool

    async def __aenter__(self) -> "ResearchRecord":
        self.pool = await open_pool(self._url, 8, plan_cache_mode="force_generic_plan")
        await self.recorder.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.recorder.stop()
        await self.pool.close()

    async def submit(self, proposal: Proposal) -> Recorded:
        """Record what one command decides. Raises `Refused`, with every reason, or `Crowded`."""
        (answer,) = await self.submit_all([proposal])
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def submit_all(self, proposals: Sequence[Proposal]) -> list[Answer]:
        """Record what commands of one study decide, in their order; each is answered by itself.

        A later command hears what earlier ones decided. They are appended in one transaction, but
        for a command that cites an event of an earlier one (a consent it relies on): it is decided
        when that stands. Sent again, a command gets its first answer.
        """
        answers: dict[int, Answer] = {}
        study = proposals[0].occasion.study
        async with self._in_turn(study, [p.command(p.event, p.occasion) for p in proposals]):
            for attempt in range(ATTEMPTS):
                pending = {n: p for n, p in enumerate(proposals) if n not in answers}
                try:
                    while pending:
                        answers |= await self._attempt(study, _once_each(pending))
                        pending = {n: p for n, p in pending.items() if n not in answers}
                    return [answers[n] for n in range(len(proposals))]
                except Conflict:  # someone else recorded first: look again, decide again
                    await asyncio.sleep(random.random() * 0.002 * attempt)
                except Repeated:
                    answers |= await self._first_answers(study, pending)
        raise Crowded(f"Others kept recording on the same matter in {study}; send it again.")

    async def heard(self, study: str, selectors: Iterable[Selector]) -> list[Heard]:
        """What stands on record that any of the selectors asks for, in order."""
        rows, _ = await self.recorder.read(study, [_item(selector) for selector in selectors])
        return [_heard(row) for row in rows]

    async def _attempt(self, study: str, proposals: dict[int, Proposal]) -> dict[int, Answer]:
        """Look at the record, decide, append. Raises `Conflict` or `Repeated`: nothing was done."""
        commands = {n: p.command(p.event, p.occasion) for n, p in proposals.items()}
        selectors = [s for each in commands.values() for s in each.consistency_boundary()]
        items = [_item(selector) for selector in selectors]
        rows, head = await self.recorder.read(study, items)
        heard = [_heard(row) for row in rows]
        answers: dict[int, Answer] = {}
        drafts: list[Draft] = []
        lasts: list[tuple[int, UUID, int]] = []
        for n, command in commands.items():
            for each in heard:
                command.hear(each)
            refused: Refused | None = None
            cited: list[int | None] = []
            try:
                command.execute()
                cited = [command.approval(), *command.consents()]
            except Refused as refusal:
                refused, cited = refusal, [reason.decided_by for reason in refusal.reasons]
            if any(position is not None and position > head for position in cited):
                break  # others may come between: an event's position is known once it is on record
            if refused:
                answers[n] = refused
                continue
            for tagged in command.collect_events():
                draft = _draft(command, tagged.decision, proposals[n])
                drafts.append(draft)
                heard.append(
                    Heard(
                        position=head + len(drafts),
                        occurred_at=command.occasion.occurred_at,
                        actor=command.occasion.actor,
                        event=tagged.decision,
                    )
                )
            lasts.append((n, draft.event_id, len(drafts)))
        if answers:  # refused, unless it is only that the command has been recorded before
            answers |= await self._first_answers(study, {n: proposals[n] for n in answers})
        if drafts:
            appended = await self.recorder.append(study, drafts, items, head)
            for n, event_id, ordinal in lasts:
                answers[n] = Recorded(
                    study=study,
                    position=appended.position - len(drafts) + ordinal,
                    event_id=event_id,
                    recorded_at=appended.recorded_at,
                )
            log.debug(
                "recorded",
                study=study,
                through=appended.position,
                events=len(drafts),
                commands=[proposals[n].command.__name__ for n, _, _ in lasts],
            )
        return answers

    async def _first_answers(self, study: str, proposals: dict[int, Proposal]) -> dict[int, Answer]:
        """The answers of commands that are on record already."""
        ids = [proposal.occasion.command_id for proposal in proposals.values()]
        rows = {r["command_id"]: r for r in await self.pool.fetch(ANSWERED, study, ids)}
        answers: dict[int, Answer] = {}
        for n, proposal in proposals.items():
            row = rows.get(proposal.occasion.command_id)
            if row is None:
                continue
            if row["command_digest"] == digest(proposal):
                answers[n] = Recorded(
                    study=study,
                    position=row["position"],
                    event_id=row["event_id"],
                    recorded_at=row["recorded_at"],
                )
            else:
                answers[n] = Refused([ALTERED])
        return answers

    @asynccontextmanager
    async def _in_turn(self, study: str, commands: Iterable[Command[Any]]) -> AsyncIterator[None]:
        """Commands that would only make one another decide again go one after the other."""
        keys = {
            (study, *selector.tags)
            for command in commands
            for selector in command.consistency_boundary()
            if command.EVENT in selector.types
        }
        async with AsyncExitStack() as turns:
            for key in sorted(keys):
                lock = self._turns.setdefault(key, asyncio.Lock())
                await turns.enter_async_context(lock)
            yield


ALTERED = Reason(
    code="command_altered",
    message="This commandId was used for another command; give every new command a new id.",
    path="commandId",
)


def digest(proposal: Proposal) -> bytes:
    """What a command asked for, whoever carried it: the same command has the same digest."""
    o = proposal.occasion
    asked = [
        proposal.command.__name__, o.study, o.actor, o.occurred_at, o.phase, o.on_behalf_of,
        o.reason, o.caused_by, proposal.event,
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(asked)).digest()


def uuid7() -> UUID:
    """A new event id that sorts by time (RFC 9562, 5.7)."""
    random_bits = int.from_bytes(urandom(10), "big")
    value = (time_ns() // 1_000_000 << 80) | random_bits
    return UUID(int=value & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x7000 << 64 | 0x8000 << 48)


def _once_each(pending: dict[int, Proposal]) -> dict[int, Proposal]:
    """A command sent twice in one batch is decided once; the other finds its answer later."""
    first: dict[UUID, int] = {}
    for n, proposal in pending.items():
        first.setdefault(proposal.occasion.command_id, n)
    return {n: pending[n] for n in first.values()}


def _item(selector: Selector) -> tuple[list[str], Sequence[str]]:
    return [type_.__name__ for type_ in selector.types], selector.tags


def _heard(row: asyncpg.Record) -> Heard:
    return Heard(
        position=row["position"],
        occurred_at=row["occurred_at"],
        actor=row["actor"],
        event=read_recorded(row["type"], row["schema"], row["payload"], {}),
    )


def _draft(command: Command[Any], event: ResearchEvent, proposal: Proposal) -> Draft:
    occasion = command.occasion
    role = command.role_held.role
    offset = occasion.occurred_at.utcoffset()
    payload, personal = write_recorded(event)
    parts = [(path, subjects(event, path, occasion.actor), data) for path, data in personal.items()]
    if occasion.reason is not None:
        own = (f"member:{occasion.actor}",)
        parts.append(("reason", own, msgspec.json.encode(occasion.reason)))
    envelope = Envelope(
        role=role.value if role else "",
        phase=occasion.phase or event.PHASE,
        channel=occasion.channel,
        offset=int(offset.total_seconds() // 60) if offset else 0,
        on_behalf_of=occasion.on_behalf_of,
        caused_by=occasion.caused_by,
        approval=command.approval(),
        consents=command.consents(),
        request_id=occasion.request_id,
    )
    return Draft(
        event_id=uuid7(),
        type=event.TOPIC,
        schema=event.SCHEMA,
        actor=occasion.actor,
        occurred_at=occasion.occurred_at.astimezone(UTC),
        tags=event.tags,
        envelope=msgspec.json.encode(envelope),
        payload=payload,
        personal=parts,
        command_id=occasion.command_id,
        command_digest=digest(proposal),
    )
