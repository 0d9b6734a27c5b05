"""The recorder: conditional appends to PostgreSQL, many in one transaction, and reads by tags.

One writer a process takes what waits and appends it in one round trip and one commit (group
commit); nothing waits for a timer. Where many wait it takes half of them: while PostgreSQL writes
these, the others' callers are answered and ask again. Every append takes its study's row lock
first, so positions have no gaps and a follower that has read up to N has missed nothing before it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from service.append_rows import arguments
from service.appends import Appended, Draft, Items, Request, asks_for
from service.boundary_reads import sought
from service.database import connect
from service.recent_appends import RecentAppends

log = structlog.get_logger(__name__)

BATCH = 512  # requests taken into one transaction at most
WORTH_HALVING = 32  # requests; of fewer, two transactions cost more than one that all wait for
UNAVAILABLE_AFTER = 30.0  # seconds without a database before an append is given up
NO_CONNECTION = object()

# A plan is made once and kept: one made while tables were small must not scan them once they are
# large.
ALWAYS_BY_INDEX = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",  # before PostgreSQL 18 a switched-off plan looks dear enough to be compiled
}
# record.append locks the heads of several studies by one statement: by any other scan than one of
# their index, two writers could wait for one another.
ALWAYS_IN_ORDER = ALWAYS_BY_INDEX | {"enable_bitmapscan": "off"}
# Not a request's fault, so it is tried again on a new connection.
UNREACHABLE = (
    OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,  # what asyncpg can say when a server dies in the midst of a query
)  # fmt: skip

APPEND = """select heads, recorded, moved, conflicts, repeats
    from record.append($1, $2, $3, $4, $5, $6, $7, $8)"""


class Conflict(Exception):
    """An event that meets the condition stands after the position: look again, decide again."""


class Repeated(Exception):
    """A command of the append is on record already: look its answer up."""


class RecordUnavailable(Exception):
    """The database cannot be reached; whether the events are on record is not known.

    Send the command again with the same id: if it was recorded, it gets that answer.
    """


class Recorder:
    """Appends to and reads from the record of every study in one database."""

    def __init__(
        self, url: str, *, readers: int = 8, unavailable_after: float = UNAVAILABLE_AFTER
    ) -> None:
        self._url, self._unavailable_after = url, unavailable_after
        self._waiting: dict[str, deque[Request]] = {}  # of each study, whose turn it is first
        self._answering = 0  # requests just recorded, whose callers may ask again at once
        self._something_waits = asyncio.Event()
        self._known: set[str] = set()
        self._recent = RecentAppends()
        self._on_append: list[Callable[[], None]] = []
        self._stopping = False
        self._db: asyncpg.Connection | None = None
        self._reading = asyncio.Semaphore(readers)
        self._idle: list[asyncpg.Connection] = []  # readers; asyncpg's pool costs a third of a read

    async def start(self) -> None:
        self._idle.append(await connect(self._url, **ALWAYS_BY_INDEX))
        self._db = await self._connect(ALWAYS_IN_ORDER)
        self._writer = asyncio.create_task(self._write(), name="recorder")

    async def stop(self) -> None:
        """Append what still waits, then let go of the database; nothing can be appended after."""
        self._stopping = True
        self._something_waits.set()
        await self._writer
        for db in [*self._idle, *([self._db] if self._db else [])]:
            await db.close()

    @property
    def connection(self) -> object:
        """By which it appends; of none, something that none ever is.

        As long as it is the same, what was read stands.
        """
        return NO_CONNECTION if self._db is None or self._db.is_closed() else self._db

    def on_append(self, wake: Callable[[], None]) -> None:
        """Call this, with nothing, after every commit of this process: followers then look."""
        self._on_append.append(wake)

    def append(
        self,
        study: str,
        events: Sequence[Draft],
        items: Items = (),
        after: int | Sequence[int] = 0,
        *,
        read_by: object = None,
    ) -> "asyncio.Future[Appended]":
        """Append these unless an event that matches one of the items stands after the position.

        Or after the item's own position, where there is one for each. `read_by` is the `connection`
        as of which it was read on what they rest: by another, they conflict, since what comes back
        after a connection was lost may be without it.

        The future raises `Conflict`, `Repeated` or `RecordUnavailable`, or what the database says
        against the events. It is done only when the commit is durable. An item with neither types
        nor tags matches every event. Events of no command are not sent again when the connection
        is lost, since nothing could tell that they are on record already.
        """
        if self._stopping:
            raise RecordUnavailable("the recorder has stopped")
        answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        afters = [after] * len(items) if isinstance(after, int) else after
        request = Request(study, events, items, afters, answer, read_by)
        self._waiting.setdefault(study, deque()).append(request)
        self._something_waits.set()
        return answer

    async def read(
        self, study: str, items: Items, after: int = 0
    ) -> tuple[list[asyncpg.Record], int]:
        """What matches any of the items after a position, in order; and the head at that moment.

        Waits while the database is away. Raises `RecordUnavailable`.
        """
        sql, *asked_for = sought(items)
        rows = await self._patiently(sql, study, after, *asked_for)
        head, found = 0, []
        for row in rows:
            if (type_ := row["type"]) is None:
                head = row["position"]
                continue
            tags = row["tags"]
            if any(asks_for(item, type_, tags) for item in items):
                found.append(row)
        found.sort(key=itemgetter("position"))
        return found, head

    async def _patiently(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """The rows, as soon as there is a database to ask."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._unavailable_after
        while True:
            try:
                return await self._read(sql, *args)
            except UNREACHABLE as error:
                if self._stopping or clock() > until:
                    raise RecordUnavailable(str(error)) from error
                await asyncio.sleep(0.1)

    async def _read(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        async with self._reading:
            db = self._idle.pop() if self._idle else None
            if db is None or db.is_closed():
                db = await self._connect(ALWAYS_BY_INDEX)
            try:
                rows = await self._ask(db, sql, *args)
            except BaseException:  # also of a caller that left: its query may still be running
                db.terminate()
                raise
            self._idle.append(db)
            return rows

    async def _ask(self, db: asyncpg.Connection, sql: str, *args: Any) -> list[asyncpg.Record]:
        """The rows; a server that says nothing is left. (asyncpg's timeout costs far more time.)"""
        silent = asyncio.get_running_loop().call_later(self._unavailable_after, db.terminate)
        try:
            return await db.fetch(sql, *args)
        finally:
            silent.cancel()

    async def _connect(self, settings: Mapping[str, str]) -> asyncpg.Connection:
        async with asyncio.timeout(self._unavailable_after):
            return await connect(self._url, **settings)

    async def _write(self) -> None:
        while self._waiting or not self._stopping:
            await self._something_waits.wait()
            batch = self._take()
            if not self._waiting and not self._stopping:
                self._something_waits.clear()
            await self._settle(batch)

    def _take(self) -> list[Request]:
        """What waits, but for what could meet an event of this very batch: that is for the next."""
        many = sum(map(len, self._waiting.values())) + self._answering
        most = min(BATCH, (many + 1) // 2 if many >= WORTH_HALVING else many)
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
        (row,) = await self._ask(db, APPEND, *args)
        moved, conflicts, repeats = (
            set(row[each] or ()) for each in ("moved", "conflicts", "repeats")
        )
        if not moved and not conflicts and not repeats:
            for study, count, before in zip(studies, args[1], row["heads"], strict=True):
                self._recent.confirm(study, before, before + count)
            if self._waiting:  # it is sent first, and written while these callers go on
                self._answering += len(batch)
                soon(self._answer, batch, lasts, row)
            else:
                self._answer(batch, lasts, row)
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
        for wake in self._on_append:
            wake()

    async def _connection(self) -> asyncpg.Connection:
        if self._db is None or self._db.is_closed():
            self._forget_connection()
            self._db = await self._connect(ALWAYS_IN_ORDER)
        return self._db

    def _forget_connection(self) -> None:
        self._known.clear()  # what comes back may be an older backup
        self._recent.forget_all()
        if self._db is not None:
            self._db.terminate()
            self._db = None
