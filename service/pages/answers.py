"""Answers of registers that visits share: fifty open pages that are loaded anew ask once.

An answer stays for as long as its register has taken in nothing more, a minute at most: some tell
of the present moment. One that took long stays a little longer in a busy study: `REUSED` times what
it cost, ten seconds at most, unless the visitor asked for a position (`at_least`). Who may see it
is decided before, for each visitor by themselves; nothing personal is kept, as registers hold
references to personal texts.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

KEPT = 512  # answers
REUSED, AT_MOST = 40, 10.0  # times what it cost; seconds
MINUTE = 60.0  # seconds


@dataclass
class Kept:
    """An answer, asked for once however many wait for it."""

    position: int
    asked: asyncio.Task[Any]
    at: float
    cost: float = 0.0  # seconds

    def serves(self, position: int, exact: bool) -> bool:
        if self.asked.done() and (self.asked.cancelled() or self.asked.exception()):
            return False
        age = monotonic() - self.at
        if self.position >= position:
            return age < MINUTE
        return not exact and age < min(AT_MOST, REUSED * self.cost)


class Answers:
    """The answers of one process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()

    async def of(
        self,
        key: tuple[object, ...],
        position: int,
        ask: Callable[[], Awaitable[Any]],
        *,
        exact: bool = False,
    ) -> Any:
        """The answer to `key` as of a position of its register, or later; else `ask` for it."""
        kept = self._kept.get(key)
        if kept is None or not kept.serves(position, exact):
            kept = Kept(position, asyncio.create_task(self._timed(key, ask)), monotonic())
            self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return await asyncio.shield(kept.asked)  # one visitor's going away is not the others'

    async def _timed(self, key: tuple[object, ...], ask: Callable[[], Awaitable[Any]]) -> Any:
        began = monotonic()
        answer = await ask()
        if kept := self._kept.get(key):
            kept.cost = monotonic() - began
        return answer
