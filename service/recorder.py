"""The recorder: conditional appends to PostgreSQL, and reads by tags.

Each study is written by one of the process's writers (service/writer.py), so that the studies of
one are written while those of another wait for their commit, or for a lock.
"""

import asyncio
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import asyncpg

from service.appends import Appended, Draft, Items, RecordUnavailable, Request, asks_for
from service.boundary_reads import sought
from service.database import UNREACHABLE, ask, connect_by_index
from service.writer import Writer

UNAVAILABLE_AFTER = 30.0  # seconds without a database before an append is given up


class Recorder:
    """Appends to and reads from the record of every study in one database."""

    def __init__(
        self,
        url: str,
        *,
        readers: int = 8,
        writers: int = 2,  # with more, each has too little to write at once
        unavailable_after: float = UNAVAILABLE_AFTER,
    ) -> None:
        self._url, self._unavailable_after = url, unavailable_after
        self._writers: list[Writer] = []
        for _ in range(writers):
            self._writers.append(Writer(url, unavailable_after, self._writers, self._wake))
        self._writer_of: dict[str, Writer] = {}
        self._on_append: list[Callable[[], None]] = []
        self._stopping = False
        self._reading = asyncio.Semaphore(readers)
        self._idle: list[asyncpg.Connection] = []  # readers; asyncpg's pool costs a third of a read

    async def start(self) -> None:
        self._idle.append(await connect_by_index(self._url, self._unavailable_after))
        for writer in self._writers:
            await writer.start()

    async def stop(self) -> None:
        """Append what still waits, then let go of the database; nothing can be appended after."""
        self._stopping = True
        await asyncio.gather(*(writer.stop() for writer in self._writers))
        for db in self._idle:
            await db.close()

    def connection(self, study: str) -> object:
        """By which it appends to a study; of none, something that none ever is.

        As long as it is the same, what was read of the study stands.
        """
        return self._writer(study).connection

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
        writer = self._writer_of.setdefault(study, self._writer(study))
        writer.append(Request(study, events, items, afters, answer, read_by))
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
                db = await connect_by_index(self._url, self._unavailable_after)
            try:
                rows = await ask(db, self._unavailable_after, sql, *args)
            except BaseException:  # also of a caller that left: its query may still be running
                db.terminate()
                raise
            self._idle.append(db)
            return rows

    def _writer(self, study: str) -> Writer:
        """Its own since the first append to it; until then the one whose turn it would be."""
        return (
            self._writer_of.get(study) or self._writers[len(self._writer_of) % len(self._writers)]
        )

    def _wake(self) -> None:
        for wake in self._on_append:
            wake()
