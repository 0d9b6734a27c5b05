"""The research record: decides commands against it, and appends what they decide."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import groupby
from typing import Any, Self, cast
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import msgspec
import structlog
from eventsourcing.dcb.domain import Selector
from msgspec import Struct

from domain.commands import Command, Occasion, Refused
from domain.conditions import Reason
from domain.erased_subjects import SubjectErased
from domain.erasure import EraseSubject
from domain.membership import Duty, RoleHeld
from domain.vocabulary import ERASED, Heard, ResearchEvent
from service.appends import Conflict, Draft, Repeated
from service.database import ALWAYS_BY_INDEX, open_pool
from service.drafts import Decided, draft, names_too_much
from service.erasing import CannotErase, Erasures
from service.hearing import Hearing
from service.personal_texts import PersonalTexts
from service.recorder import Recorder
from service.remembered_boundaries import Boundary, RememberedBoundaries, heard_of, item_of
from service.sealing import subject_keys as keys
from service.sealing.key_store import subject_keys
from service.store import Store

log = structlog.get_logger(__name__)

ATTEMPTS = 12  # looks at the record before a command is given up as crowded out

ANSWERED = """
select command_id, command_digest, position, event_id, recorded_at, sealed from record.event
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
    """Every study's record, in one database, with the keys to what is personal in it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.recorder = Recorder(store.service_url)
        self._boundaries = RememberedBoundaries(self.recorder)
        # A lock lives as long as somebody holds it or waits for it.
        self._turns: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._to_end: set[asyncio.Task[Answer]] = set()
        self._open = AsyncExitStack()
        self.pool: asyncpg.Pool
        self.texts: PersonalTexts
        self._erasures: Erasures

    async def __aenter__(self) -> Self:
        """Raises `KeysUnusable`, and `StillHasKey` if somebody who was erased has a key again."""
        async with AsyncExitStack() as stack:
            url = self.store.service_url
            self.pool = await open_pool(url, 8, **ALWAYS_BY_INDEX)
            stack.push_async_callback(self.pool.close)
            held = await stack.enter_async_context(subject_keys(self.store.settings))
            self.texts = PersonalTexts(self.store.settings.name, held, self.pool)
            self._erasures = Erasures(self.store.eraser_url, held, self.pool)
            await self._erasures.finish()
            stack.push_async_callback(self.recorder.stop)  # also of one that started in part
            await self.recorder.start()
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._to_end, return_exceptions=True)
        await self._open.aclose()

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
        when that stands. Sent again, a command gets its first answer. An erasure is decided by
        itself, and carried out before it is answered.

        Raises `Crowded`, `CannotErase` and `KeysUnusable`.
        """
        answers: list[Answer] = []
        for is_erasure, together in groupby(proposals, lambda p: p.command is EraseSubject):
            if is_erasure:
                answers += [await self._to_its_end(self._erase(each)) for each in together]
            else:
                answers += await self._submit(list(together))
        return answers

    async def _erase(self, proposal: Proposal) -> Answer:
        study = proposal.occasion.study
        foreseen = await self._foreseen(proposal)
        if isinstance(foreseen, Refused):  # nobody's keys are touched
            first = await self._first_answers(study, {0: proposal})
            if first or any(reason.code == "subject_erased" for reason in foreseen.reasons):
                await self._erasures.settle(study)  # it may have been left half-way
            return first.get(0, foreseen)
        async with self._erasures.of(study, foreseen.subjects):
            (answer,) = await self._submit([proposal])
            return answer

    async def _foreseen(self, proposal: Proposal) -> SubjectErased | Refused:
        """What the erasure will be as the record stands."""
        command = proposal.command(proposal.event, proposal.occasion)
        for heard in await self.heard(proposal.occasion.study, command.consistency_boundary()):
            command.hear(heard)
        try:
            command.execute()
        except Refused as refused:
            return refused
        (decided,) = command.collect_events()
        return cast(SubjectErased, decided.decision)

    async def _submit(self, proposals: Sequence[Proposal]) -> list[Answer]:
        study = proposals[0].occasion.study
        answers: dict[int, Answer] = {}
        for attempt in range(ATTEMPTS):
            try:
                await self._decide_all(study, proposals, answers)
                return [answers[n] for n in range(len(proposals))]
            except keys.SubjectErased:  # the event that says so is on its way to the record
                await self._wait_for_erasure(study, attempt)
        raise Crowded(f"Somebody is being erased from {study}; send it again.")

    async def _decide_all(
        self, study: str, proposals: Sequence[Proposal], answers: dict[int, Answer]
    ) -> None:
        """Decide those that have no answer yet. Raises `Crowded` and `SubjectErased`."""
        for attempt in range(ATTEMPTS):
            pending = {n: p for n, p in enumerate(proposals) if n not in answers}
            try:
                while pending:
                    answers |= await self._attempt(study, _once_each(pending))
                    pending = {n: p for n, p in pending.items() if n not in answers}
                return
            except Conflict:  # someone else recorded first: look again, decide again
                await asyncio.sleep(random.random() * 0.002 * attempt)
            except Repeated:
                answers |= await self._first_answers(study, pending)
        raise Crowded(f"Others kept recording on the same matter in {study}; send it again.")

    async def _wait_for_erasure(self, study: str, attempt: int) -> None:
        try:
            await self._erasures.settle(study)
        except CannotErase:  # another process can, and does
            await asyncio.sleep(0.05 * attempt)

    async def _to_its_end(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Do what must not stop half-way, also when nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._to_end.add(task)
        task.add_done_callback(self._to_end.discard)
        return await asyncio.shield(task)

    async def heard(self, study: str, selectors: Iterable[Selector]) -> list[Heard]:
        """What stands on record that any of the selectors asks for, in order."""
        rows, _ = await self.recorder.read(study, [item_of(selector) for selector in selectors])
        return [heard_of(row) for row in rows]

    async def role_held(self, study: str, member: str, duty: Duty) -> RoleHeld:
        """The role that a member has in a study as it stands now, to be asked for this duty."""
        held = RoleHeld(member, duty)
        for each in await self.heard(study, held.selectors()):
            held.hear(each)
        return held

    async def _attempt(self, study: str, proposals: dict[int, Proposal]) -> dict[int, Answer]:
        """Decide, and append. Raises `Conflict` or `Repeated`: nothing was done."""
        commands = _commands(proposals)
        asked = {n: command.consistency_boundary() for n, command in commands.items()}
        boundary = [(commands[n], selector) for n, own in asked.items() for selector in own]
        items = list(dict.fromkeys(item_of(s) for _, s in boundary))  # many ask for the same
        alone = len(commands) == 1  # of many, one that is refused would have them decided twice
        async with self._in_turn({(study, *s.tags) for c, s in boundary if c.EVENT in s.types}):
            if alone and (remembered := self._boundaries.recall(study, items)):
                refused, decided = _decide(commands, asked, remembered)
                if not refused:  # nobody is, without a look at the record
                    try:
                        return await self._append(study, decided, remembered)
                    except (Conflict, keys.SubjectErased):
                        pass  # more stands on record than is remembered
                commands = _commands(proposals)
            looked = await self._boundaries.look(study, items, remember=alone)
            refused, decided = _decide(commands, asked, looked)
            answers: dict[int, Answer] = {**refused}
            if refused:  # unless it is only that the command has been recorded before
                answers |= await self._first_answers(study, {n: proposals[n] for n in refused})
            if decided:
                answers |= await self._append(study, decided, looked)
            return answers

    async def _append(
        self, study: str, decided: dict[int, list[Decided]], boundary: Boundary
    ) -> dict[int, Answer]:
        """Raises `Conflict` and `Repeated`, and what `_drafts` raises."""
        drafts = await self._drafts(study, [each for made in decided.values() for each in made])
        appended = await self.recorder.append(
            study, drafts, boundary.items, boundary.afters, read_by=boundary.connection
        )
        self._boundaries.add(boundary, drafts, appended.position)
        log.debug(
            "recorded",
            study=study,
            through=appended.position,
            events=len(drafts),
            commands=[type(made[-1].command).__name__ for made in decided.values()],
        )
        answers: dict[int, Answer] = {}
        position = appended.position - len(drafts)
        for n, made in decided.items():
            position += len(made)
            answers[n] = Recorded(
                study=study,
                position=position,
                event_id=made[-1].event_id,
                recorded_at=appended.recorded_at,
            )
        return answers

    async def _drafts(self, study: str, decided: Sequence[Decided]) -> list[Draft]:
        """Raises `SubjectErased`, of a subject that is just being erased, and `KeysUnusable`."""
        sealed = await self.texts.seal(study, [(each.event_id, each.parts) for each in decided])
        origin = self.texts.origin(study)
        return [draft(origin, *each) for each in zip(decided, sealed, strict=True)]

    async def _first_answers(self, study: str, proposals: dict[int, Proposal]) -> dict[int, Answer]:
        """The answers of commands that are on record already."""
        ids = [proposal.occasion.command_id for proposal in proposals.values()]
        rows = {r["command_id"]: r for r in await self.pool.fetch(ANSWERED, study, ids)}
        answers: dict[int, Answer] = {}
        for n, proposal in proposals.items():
            row = rows.get(proposal.occasion.command_id)
            if row is None:
                continue
            if row["command_digest"] == _digest(proposal) and await self._says(row, proposal):
                answers[n] = Recorded(
                    study=study,
                    position=row["position"],
                    event_id=row["event_id"],
                    recorded_at=row["recorded_at"],
                )
            else:
                answers[n] = Refused([ALTERED])
        return answers

    async def _says(self, row: asyncpg.Record, proposal: Proposal) -> bool:
        """Whether the event on record has the personal texts that were sent, as far as it has any.

        No hash of them stands on record: it could be guessed at, also after their erasure.
        """
        occasion = proposal.occasion
        sent = proposal.event.parted()[1]
        if occasion.reason is not None:
            sent["reason"] = occasion.reason
        paths = row["sealed"] or ()
        references = {path: f"{row['position']}/{path}" for path in paths}
        texts = await self.texts.opened(occasion.study, references.values())
        said = {path: texts[reference] for path, reference in references.items()}
        return (
            all(
                said.get(path, ERASED) in (ERASED, msgspec.to_builtins(text))
                for path, text in sent.items()
            )
            and sent.keys() >= said.keys()
        )

    @asynccontextmanager
    async def _in_turn(self, turns: Iterable[tuple[str, ...]]) -> AsyncIterator[None]:
        """Commands that would only make one another decide again go one after the other."""
        held: list[asyncio.Lock] = []
        try:
            for turn in sorted(turns):
                lock = self._turns.setdefault(turn, asyncio.Lock())
                await lock.acquire()
                held.append(lock)
            yield
        finally:
            for lock in held:
                lock.release()


def _commands(proposals: dict[int, Proposal]) -> dict[int, Command[Any]]:
    return {n: p.command(p.event, p.occasion) for n, p in proposals.items()}


def _decide(
    commands: dict[int, Command[Any]], asked: dict[int, list[Selector]], boundary: Boundary
) -> tuple[dict[int, Refused], dict[int, list[Decided]]]:
    """Which are refused, and what the others decide: as many of them as can be told by now."""
    alone = len(commands) == 1  # so all of the boundary is its own
    hearing, head = Hearing(() if alone else boundary.heard), boundary.head
    refused: dict[int, Refused] = {}
    decided: dict[int, list[Decided]] = {}
    count = 0
    for n, command in commands.items():
        own = boundary.heard if alone else hearing.of(asked[n])
        for each in own:
            command.hear(each)
        refusal: Refused | None = None
        cited: list[int | None] = []
        try:
            command.execute()
            cause = command.occasion.caused_by
            if cause is not None and cause > head + count:
                raise Refused([_no_cause(command.occasion.study, cause)])
            cited = [command.approval(), *command.consents(), cause]
        except Refused as fault:
            refusal, cited = fault, [reason.decided_by for reason in fault.reasons]
        if any(position is not None and position > head for position in cited):
            break  # others may come between: an event's position is known once it is on record
        events = [] if refusal else command.collect_events()
        made = [Decided.of(command, tagged, _digest(command)) for tagged in events]
        if any(map(names_too_much, made)):
            refusal = Refused([TOO_MUCH])
        if refusal:
            refused[n] = refusal
            continue
        decided[n] = made
        for each_made in made:
            count += 1
            hearing.add(
                Heard(
                    position=head + count,
                    occurred_at=command.occasion.occurred_at,
                    actor=command.occasion.actor,
                    event=each_made.event,
                )
            )
    return refused, decided


ALTERED = Reason(
    code="command_altered",
    message="This commandId was used for another command; give every new command a new id.",
    path="commandId",
)


TOO_MUCH = Reason(
    code="names_too_much",
    message="It names more than one event can hold; record it in several, with fewer in each.",
)


def _no_cause(study: str, position: int) -> Reason:
    return Reason(
        code="cause_unknown",
        message=f"No event stands at position {position} of {study}; name one that is on record.",
        path="causedBy",
    )


def _digest(asks: Proposal | Command[Any]) -> bytes:
    """What a command asked for, whoever carried it, but for personal texts: see `_says`."""
    o, (public, _) = asks.occasion, asks.event.parted()
    command = asks.command if isinstance(asks, Proposal) else type(asks)
    asked = [
        command.__name__, o.study, o.actor, o.occurred_at, o.phase, o.on_behalf_of,
        o.caused_by, public,
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(asked)).digest()


def _once_each(pending: dict[int, Proposal]) -> dict[int, Proposal]:
    """A command sent twice in one batch is decided once; the other finds its answer later."""
    first: dict[UUID, int] = {}
    for n, proposal in pending.items():
        first.setdefault(proposal.occasion.command_id, n)
    return {n: pending[n] for n in first.values()}
