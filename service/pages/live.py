"""Live: what happens in a study, told to every open page of it over one stream each.

A stream is server-sent events. Each has its position as its id, so that a browser that was cut off,
or whose server was started again, goes on where it was: nothing is left out, nothing comes twice.
However many pages of a study are open, this process asks the database once for each change.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from asyncpg import Pool
from graphql import GraphQLError
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.response import Stream

from domain.membership import Duty
from domain.readings import IdentifiableDataRead
from projections.activity_feed import ActivityLine, activity_feed
from projections.batches import Batch
from projections.following import borrowed, position_of
from projections.paging import Window
from service.asking import Asker
from service.pages.visits import AWAY

log = structlog.get_logger(__name__)

KEPT = 500  # lines of a study in memory: who is further behind asks the database for themselves
AT_ONCE = 500  # lines asked for in one go
POLL = 2.0  # seconds: another process may have taken in what this one was not told of
HEARTBEAT = 15.0  # seconds: shorter than the patience of most proxies
AGAIN = 1_000  # milliseconds after which a browser that was cut off comes back
MEMBERSHIP = {"MemberJoined", "MemberLeft"}
HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx is to pass on each event as it comes
    "x-content-type-options": "nosniff",
}


@dataclass
class Followed:
    """A study, followed for the pages that show it."""

    study: str
    position: int
    lines: deque[ActivityLine] = field(default_factory=lambda: deque(maxlen=KEPT))
    pages: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    following: asyncio.Task[None] | None = None
    began: int = 0  # lines after this position are kept, or those of them that came last

    def after(self, position: int) -> list[ActivityLine] | None:
        """The lines after a position; None if not all of them are kept any more."""
        oldest = self.lines[0].position - 1 if len(self.lines) == KEPT else self.began
        if position < oldest:
            return None
        return [each for each in self.lines if each.position > position]


class LiveStudies:
    """The studies of which pages are open."""

    def __init__(self, registers: Pool) -> None:
        self._registers = registers
        self._followed: dict[str, Followed] = {}

    def taken_in(self, batch: Batch) -> None:
        """Registers of this process have taken in what was recorded in a study."""
        if followed := self._followed.get(batch.study):
            followed.woken.set()

    async def stop(self) -> None:
        tasks = [each.following for each in self._followed.values() if each.following]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def lines(
        self, study: str, after: int, now: int
    ) -> AsyncGenerator[list[ActivityLine], None]:
        """What happens after a position, some lines at a time; none when all is quiet.

        `now` is where the study stands: what came before is asked for by itself.
        """
        async with self._following(study, now) as followed:
            while True:
                changed = followed.changed
                found = followed.after(after)
                if found is None:
                    found = await self._asked(study, after)
                if not found:
                    try:
                        async with asyncio.timeout(HEARTBEAT):
                            await changed.wait()
                    except TimeoutError:
                        yield []
                    continue
                after = found[-1].position
                yield found

    @asynccontextmanager
    async def _following(self, study: str, now: int) -> AsyncIterator[Followed]:
        followed = self._followed.get(study)
        if followed is None:
            followed = self._followed[study] = Followed(study, now, began=now)
            followed.following = asyncio.create_task(self._follow(followed), name=f"live {study}")
        followed.pages += 1
        try:
            yield followed
        finally:
            followed.pages -= 1
            if not followed.pages and followed.following:
                followed.following.cancel()
                del self._followed[study]

    async def _follow(self, followed: Followed) -> None:
        while True:
            followed.woken.clear()
            try:
                found = await self._asked(followed.study, followed.position)
            except Exception as lost:  # the database is away, or worse: pages go on in any case
                log.warning("live_waits", study=followed.study, error=type(lost).__name__)
                found = []
            if found:
                followed.lines.extend(found)
                followed.position = found[-1].position
                followed.changed.set()
                followed.changed = asyncio.Event()
            if len(found) < AT_ONCE:
                try:
                    async with asyncio.timeout(POLL):
                        await followed.woken.wait()
                except TimeoutError:
                    pass

    async def _asked(self, study: str, after: int) -> list[ActivityLine]:
        """The next lines after a position, the oldest first: one query."""
        async with borrowed(self._registers) as db:
            page = await activity_feed(db, study, Window(last=AT_ONCE, before=after))
        return page.rows[::-1]


@get("/s/{study:str}/live", include_in_schema=False)
async def live(request: Request[Any, Any, Any]) -> Response[Any]:
    """The stream of a study after a position: the `Last-Event-ID`, or `after` of the address."""
    study = str(request.path_params["study"])
    asker: Asker = await request.app.state.asker(request)
    try:
        await asker.require(study, Duty.READ)
    except GraphQLError as fault:
        raise NotFoundException(fault.message) from None
    now = await position_of(asker.registers, "activity_feed", study)
    asked = str(request.headers.get("last-event-id") or request.query_params.get("after") or "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else now
    studies: LiveStudies = request.app.state.service.live
    return Stream(
        told(asker, study, studies.lines(study, after, now)),
        status_code=200, media_type="text/event-stream", headers=HEADERS,
    )  # fmt: skip


async def told(
    asker: Asker, study: str, lines: AsyncGenerator[list[ActivityLine], None]
) -> AsyncGenerator[str, None]:
    """The lines as server-sent events, until the role that they are shown to ends."""
    yield f"retry: {AGAIN}\n\n"
    try:
        async for found in lines:
            if any(line.type in MEMBERSHIP for line in found):
                try:
                    await asker.require(study, Duty.READ)
                except GraphQLError:
                    return
            yield "".join(map(event_of, found)) or ": still here\n\n"
    except AWAY as lost:  # the page comes back by itself, and goes on where it was
        log.warning("live_ends", study=study, error=type(lost).__name__)
    finally:
        await lines.aclose()


def event_of(line: ActivityLine) -> str:
    """One line as a server-sent event; of who read what, the position alone: it is no news."""
    if line.type == IdentifiableDataRead.TOPIC:
        return f"id: {line.position}\nevent: passed\ndata: {{}}\n\n"
    said = {
        "position": line.position, "type": line.type, "phase": line.phase, "cycle": line.cycle,
        "at": line.occurred_at, "line": line.line, "role": line.role,
    }  # fmt: skip
    return f"id: {line.position}\nevent: line\ndata: {msgspec.json.encode(said).decode()}\n\n"
