"""The bell that wakes followers when something was recorded, here or in another process.

`NOTIFY` is never inside an append's transaction (it takes a lock of the whole database until the
commit): one empty notification follows a little later, for however many commits there were. A poll
finds what a lost notification did not tell.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import asyncpg
import structlog

from service.database import connect

log = structlog.get_logger(__name__)

CHANNEL = "parcycle"
POLL = 0.5  # seconds
AGAIN = 0.5  # seconds until another connection is tried
DEBOUNCE = 0.02  # seconds between a commit and the notification of other processes


class Bell:
    """Rings in this process at once, in the others a moment later."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._to_tell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def ring(self) -> None:
        """Something was recorded by this process."""
        self._wake()
        self._to_tell.set()

    @contextmanager
    def listening(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """Gives what to await until it has rung since last time, or the poll is due."""
        event = asyncio.Event()
        self._listeners.add(event)

        async def rung() -> None:
            # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with the ring.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await event.wait()
            event.clear()

        try:
            yield rung
        finally:
            self._listeners.discard(event)

    async def start(self, url: str) -> None:
        """Hear other processes, and tell them."""
        self._tasks = [asyncio.create_task(self._exchange(url), name="bell")]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self) -> None:
        for event in self._listeners:
            event.set()

    async def _exchange(self, url: str) -> None:
        while True:
            try:
                db = await connect(url)
                try:
                    db.add_termination_listener(self._lost)
                    await db.add_listener(CHANNEL, self._heard)
                    self._wake()  # for what was not heard meanwhile
                    while True:
                        await self._to_tell.wait()
                        await asyncio.sleep(DEBOUNCE)
                        self._to_tell.clear()
                        await db.execute(f"notify {CHANNEL}")
                finally:
                    with suppress(asyncpg.InterfaceError, OSError):
                        await db.close(timeout=1)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as lost:
                log.warning("bell_lost", error=type(lost).__name__)
                await asyncio.sleep(AGAIN)

    def _heard(self, *_: object) -> None:
        self._wake()

    def _lost(self, *_: object) -> None:
        self._to_tell.set()  # there is nothing to tell it by, so another connection is made
