"""Registers follow the record: each in order, in batches, counting every event exactly once.

A register is a module here with `TABLES` (its DDL), `project` (a singledispatch function that turns
an event into writes) and its queries. Its rows and its position are written in one transaction. It
reads the types of event that `project` is registered for; `ResearchEvent` itself stands for all.
Registers that stand at the same position take in a batch together, so that it is read once.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from itertools import zip_longest
from pkgutil import iter_modules
from time import monotonic

from asyncpg import Connection, Pool, PostgresError

import projections
from domain.vocabulary import ResearchEvent
from projections.batches import (
    ALONE,
    REACHED,
    Batch,
    Register,
    Stopped,
    borrowed,
    take_in_batch,
    write_anew,
)
from projections.rebuilding import BEHIND, PROGRESS, make_anew, rebuild

__all__ = [
    "Batch",
    "Register",
    "Stopped",
    "advance",
    "borrowed",
    "follow",
    "make_tables",
    "position_of",
    "rebuild",
    "registers",
    "stopped_registers",
]

TRY_AGAIN = 5.0  # seconds until an event at which a register stopped is tried again
POSITIONS = "select register, position from progress where study = $1"
SHAPE = "select obj_description(to_regclass($1), 'pg_class')"  # null also where there is no table
STOPPED_ALL = """
select register, study, stopped_at, error from progress
where stopped_at is not null order by register, study
"""


@cache
def registers() -> dict[str, Register]:
    """Every register, by name: each module here that has `TABLES` and `project`."""
    found = {}
    for each in iter_modules(projections.__path__):
        module = import_module(f"projections.{each.name}")
        if not hasattr(module, "TABLES"):
            continue
        reads = [t for t in module.project.registry if t is not object]
        every = ResearchEvent in reads
        found[each.name] = Register(
            name=each.name,
            title=(module.__doc__ or "").partition("\n")[0],
            ddl=module.TABLES,
            tables=tuple(re.findall(r"create table (\w+)", module.TABLES)),
            types=None if every else frozenset(t.__name__ for t in reads),
            project=module.project,
            as_recorded=getattr(module, "AS_RECORDED", False),
            settle=getattr(module, "settle", None),
        )
    return found


async def make_tables(db: Connection) -> None:
    """Make the tables of every register that has none yet, in the connection's schema.

    Where they are those of another release, they are made anew and the record is followed again.
    """
    async with db.transaction():
        await db.execute(ALONE, "")  # two processes may start at once
        await db.execute(PROGRESS)
        for register in registers().values():
            if await db.fetchval(SHAPE, register.tables[0]) != register.shape:
                await db.execute(ALONE, register.name)
                await make_anew(db, register)


async def follow(
    pool: Pool,
    among: Register | Iterable[Register],
    wait: Callable[[], Awaitable[None]],
    stopped: Callable[[Stopped], None] = lambda stopped: None,
    taken_in: Callable[[Batch], None] = lambda batch: None,
) -> None:
    """Follow every study for ever: take in what is there, then `wait` until there may be more.

    Calls `stopped` each time a register stops, and `taken_in` after the commit of each batch.

    Raises OSError or PostgresError when the database is away; follow again when it is back.
    """
    those = [among] if isinstance(among, Register) else list(among)
    following = Following(pool, those, stopped, taken_in)
    try:
        while True:
            if not await following.go_on():
                await wait()
    finally:
        await following.leave()


async def advance(pool: Pool, register: Register, study: str) -> int:
    """Let one register take in one batch of a study; return its position. Raises `Stopped`."""
    taken = await take_in_batch(pool, [register], study)
    for stopped in taken.stopped:
        raise stopped
    for each in taken.changed:
        await write_anew(pool, each, study)
    return await position_of(pool, register.name, study)


@dataclass
class Following:
    """What a follower keeps in mind between batches."""

    pool: Pool
    among: Sequence[Register]
    on_stopped: Callable[[Stopped], None]
    on_taken_in: Callable[[Batch], None]
    again_at: dict[tuple[str, str], float] = field(default_factory=dict)
    anew: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)

    async def go_on(self) -> bool:
        """Take in a batch of each study that has more; whether there was anything to take in."""
        names = [register.name for register in self.among]
        async with borrowed(self.pool) as db:
            studies = [row["study"] for row in await db.fetch(BEHIND, names)]
        moved, lost = False, None
        for study in studies:
            try:
                moved = await self._go_on_with(study) or moved
            except (OSError, PostgresError) as fault:
                lost = fault  # it may be one study's alone: the others have their turn
        if lost is not None:
            raise lost
        return moved

    async def _go_on_with(self, study: str) -> bool:
        moved = False
        async with borrowed(self.pool) as db:
            at = {row["register"]: row["position"] for row in await db.fetch(POSITIONS, study)}
        groups: dict[int, list[Register]] = defaultdict(list)
        for register in self.among:
            if self._is_free(register.name, study):
                groups[at.get(register.name, 0)].append(register)
        starts = sorted(groups)
        for start, join in zip_longest(starts, starts[1:]):
            taken = await take_in_batch(self.pool, groups[start], study, through=join)
            moved = moved or taken.moved
            for batch in taken.batches:
                self.on_taken_in(batch)
            for stopped in taken.stopped:
                self._stop(stopped)
            for register in taken.changed:  # it may take long, and the others go on
                task = asyncio.create_task(self._anew(register, study))
                self.anew[register.name, study] = task
        return moved

    async def leave(self) -> None:
        for task in self.anew.values():
            task.cancel()
        await asyncio.gather(*self.anew.values(), return_exceptions=True)

    def _is_free(self, register: str, study: str) -> bool:
        """Neither stopped a moment ago nor being written anew; raises what doing that raised."""
        task = self.anew.get((register, study))
        if task is not None and task.done():
            self.anew.pop((register, study)).result()
            task = None
        return task is None and self.again_at.get((register, study), 0) <= monotonic()

    def _stop(self, stopped: Stopped) -> None:
        self.again_at[stopped.register, stopped.study] = monotonic() + TRY_AGAIN
        self.on_stopped(stopped)

    async def _anew(self, register: Register, study: str) -> None:
        try:
            await write_anew(self.pool, register, study)
        except Stopped as stopped:
            self._stop(stopped)


async def position_of(pool: Pool, register: str, study: str) -> int:
    """How far a register has followed a study."""
    async with borrowed(pool) as db:
        return await db.fetchval(REACHED, register, study) or 0


async def stopped_registers(pool: Pool) -> Sequence[tuple[str, str, int, str]]:
    """What has stopped: register, study, the position of the event at fault, and the error."""
    async with borrowed(pool) as db:
        return [tuple(row) for row in await db.fetch(STOPPED_ALL)]
