"""A sealer in a process of its own, which ends itself at its nth step, as by kill -9.

A step is each statement that it sends to the database, and each head that it remembers outside,
just before and just after.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg

from service.bell import Bell
from service.sealing.log_keys import LogKeys, TreeHead
from service.sealing.sealer import Sealer

KILLED = 137


class Steps:
    """Counts, and ends the process at the step it is to be killed at."""

    last = 0
    taken = 0

    @classmethod
    def take(cls) -> None:
        cls.taken += 1
        if cls.taken == cls.last:
            os._exit(KILLED)


class Stepping(asyncpg.Connection):
    """A connection whose statements are steps, those that begin and commit among them."""

    async def execute(self, *args: Any, **more: Any) -> Any:
        Steps.take()
        answer = await super().execute(*args, **more)
        Steps.take()
        return answer

    async def fetch(self, *args: Any, **more: Any) -> Any:
        Steps.take()
        answer = await super().fetch(*args, **more)
        Steps.take()
        return answer

    async def fetchrow(self, *args: Any, **more: Any) -> Any:
        Steps.take()
        answer = await super().fetchrow(*args, **more)
        Steps.take()
        return answer

    async def fetchval(self, *args: Any, **more: Any) -> Any:
        Steps.take()
        answer = await super().fetchval(*args, **more)
        Steps.take()
        return answer


class SteppingKeys(LogKeys):
    def remember(self, origin: str, head: TreeHead) -> None:
        Steps.take()
        super().remember(origin, head)
        Steps.take()


def seal_until(step: int, url: str, folder: Path) -> None:
    """Seal what waits, and end at that step; with success if there are not so many."""
    Steps.last = step
    asyncio.run(_seal(url, folder))
    os._exit(0)


async def _seal(url: str, folder: Path) -> None:
    pool = await asyncpg.create_pool(
        url, min_size=1, max_size=2, connection_class=Stepping, reset=_nothing
    )
    sealer = Sealer(pool, Bell(), SteppingKeys(folder), lambda study: f"localhost/parcycle/{study}")
    await sealer.seal_all()
    if sealer.refusals:
        os._exit(1)


async def _nothing(_: object) -> None:
    """Connections are given back as the service gives them back: as they are."""
