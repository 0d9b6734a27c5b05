"""A writer: appends to some of the studies, many requests in one round trip and one commit.

It takes what waits for it (group commit); nothing waits for a timer. Where many wait, and no other
writer keeps PostgreSQL busy meanwhile, it takes half of them: while PostgreSQL writes these, the
others' callers are answered and ask again. Every append takes its study's row lock first, so
positions have no gaps and a follower that has read up to N has missed nothing before it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self
from uuid import UUID

import asyncpg
import structlog

from service.append_rows import arguments
from service.appends import Appended, Conflict, RecordUnavailable, Repeated, Request
from service.database import UNREACHABLE, ask, connect_by_index
from service.recent_appends import RecentAppends

log = structlog.get_logger(__name__)

BATCH = 512  # requests taken into one transaction at most
WORTH_HALVING = 32  # requests; of fewer, two transactions cost more than one that all wait for
NO_CONNECTION = object()

APPEND = """select heads, recorded, moved, conflicts, repeats
    from record.append($1, $2, $3, $4, $5, $6, $7, $8)"""


class Writer:
    """Appends by one connection, to studies to which no other writer of its process appends."""

    def __init__(
        self, url: str, unavailable_after: float, writers: Sequence[Self], wake: Callable[[], None]
    ) -> None:
        """`writers` are all of the process, and `wake` is called after every commit."""
        self._url, self._unavailable_after = url, unavailable_after
        self._writers, self._wake = writers, wake
        self._waiting: dict[str, deque[Request]] = {}  # of each study, whose turn it is first
        self._writing = 0  # requests that PostgreSQL has
        self._answering = 0  # requests just recorded, whose callers may ask again at once
        self._something_waits = asyncio.Event()
        self._known: set[str] = set()
        self._recent = RecentAppends()
        self._stopping = False
        self._db: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._db = await self._connect()
        self._task = asyncio.create_task(self._write(), name="writer")

    async def stop(self) -> None:
        """Append what still waits, then let go of the database."""
        self._stopping = True
        self._something_waits.set()
        if self._task is not None:
            await self._task
        if self._db is not None:
            await self._db.close()

    @property
    def connection(self) -> object:
        """By which it appends; of none, something that none ever is."""
        return NO_CONNECTION if self._db is None or self._db.is_closed() else self._db

    def append(self, request: Request) -> None:
        """Answer the request when it is told whether it is on record."""
        self._waiting.setdefault(request.study, deque()).append(request)
        self._something_waits.set()

    async def _write(self) -> None:
        while self._waiting or not self._stopping:
            await self._something_waits.wait()
            batch = self._take()
            if not self._waiting and not self._stopping:
                self._something_waits.clear()
            await self._settle(batch)

    def _number_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _alone(self, many: int) -> bool:
        """Whether PostgreSQL would idle while the callers of so many requests go on."""
        return 2 * sum(each._writing for each in self._writers if each is not self) < many

    def _take(self) -> list[Request]:
        """What waits, but for what could meet an event of this very batch: that is for the next."""
        many = self._number_waiting() + self._answering
        halved = many >= WORTH_HALVING and self._alone(many)
        most = min(BATCH, (many + 1) // 2 if halved else many)
        batch: list[Request] = []
        # Study by study, so that a batch moves few heads; what is left of one waits for the others.
        for study in list(self._waiting):
            if len(batch) == most:
                break
            waiting = self._waiting.pop(study)
            later: deque[Request] = deque()
            seen: set[str | UUID | None] = set()
            while waiting and len(batch) < most:
                request = waiting.popleft()
                if request.answer.cancelled():
                    continue
                if seen and request.meets(seen):
                    later.append(request)
                    continue
                batch.append(request)
                request.leaves(seen)
            if later := later + waiting:
                self._waiting[study] = later
        self._answering = 0
        return batch

    async def _settle(self, batch: list[Request]) -> None:
        """Append a batch; what conflicts or repeats is answered, and the rest sent again."""
        clock = asyncio.get_running_loop().time
        gone_since: float | None = None
        while batch := [request for request in batch if not request.answer.done()]:
            try:
                if await self._send(batch):
                    return
                gone_since = None
            except Exception as error:
                if not isinstance(error, UNREACHABLE):
                    if len(batch) > 1:  # one of them is at fault, and only that one is to fail
                        half = len(batch) // 2
                        await self._settle(batch[:half])
                        await self._settle(batch[half:])
                    else:
                        batch[0].fail(error)
                    return
                # The commit may have happened or not: the command ids tell when it is back.
                log.warning("database_lost", error=type(error).__name__, requests=len(batch))
                self._forget_connection()
                gone_since = gone_since or clock()
                given_up = self._stopping or clock() - gone_since > self._unavailable_after
                for request in batch:
                    if given_up or not request.repeatable:
                        request.fail(RecordUnavailable(str(error)))
                if not given_up:
                    await asyncio.sleep(0.1)

    async def _send(self, batch: list[Request]) -> bool:
        """Whether all of them are on record now; else nothing is, and some have their answers."""
        db = await self._connection()
        if outlived := [each for each in batch if each.read_by not in (None, db)]:
            for request in outlived:
                request.fail(Conflict())
            return False
        studies = sorted({request.study for request in batch})
        if unknown := [study for study in studies if study not in self._known]:
            # In order, and in a transaction of its own: two writers that make the same heads in
            # another order, or while holding locks, could wait for one another.
            await db.execute(
                "insert into record.study_head (study) select unnest($1::text[])"
                " on conflict do nothing",
                unknown,
            )
            self._known.update(unknown)
        args, lasts = arguments(batch, studies, self._recent)
        soon = asyncio.get_running_loop().call_soon
        soon(self._recent.foresee, batch)  # what is soon runs while PostgreSQL writes
        self._writing = len(batch)
        try:
            (row,) = await ask(db, self._unavailable_after, APPEND, *args)
        finally:
            self._writing = 0
        moved, conflicts, repeats = (
            set(row[each] or ()) for each in ("moved", "conflicts", "repeats")
        )
        if not moved and not conflicts and not repeats:
            for study, count, before in zip(studies, args[1], row["heads"], strict=True):
                self._recent.confirm(study, before, before + count)
            if self._waiting and self._alone(self._number_waiting() + len(batch)):
                self._answering += len(batch)  # while PostgreSQL writes what waits
                soon(self._answer, batch, lasts, row)
            else:
                self._answer(batch, lasts, row)
                await asyncio.sleep(0)  # what they ask for next is taken with what waits
            return True
        self._recent.forget(*(studies[n - 1] for n in moved))
        for number, request in enumerate(batch):
            if number in repeats:
                request.fail(Repeated())
            elif number in conflicts:
                request.fail(Conflict())
        return False

    def _answer(
        self, batch: list[Request], lasts: list[tuple[int, int]], row: asyncpg.Record
    ) -> None:
        heads, recorded = row["heads"], row["recorded"]
        for request, (n, ordinal) in zip(batch, lasts, strict=True):
            if not request.answer.done():
                request.answer.set_result(Appended(heads[n] + ordinal, recorded[n]))
        self._wake()

    async def _connection(self) -> asyncpg.Connection:
        if self._db is None or self._db.is_closed():
            self._forget_connection()
            self._db = await self._connect()
        return self._db

    async def _connect(self) -> asyncpg.Connection:
        # record.append locks the heads of several studies by one statement: by any other scan than
        # one of their index, two writers could wait for one another.
        return await connect_by_index(self._url, self._unavailable_after)

    def _forget_connection(self) -> None:
        self._known.clear()  # what comes back may be an older backup
        self._recent.forget_all()
        if self._db is not None:
            self._db.terminate()
            self._db = None
