"""Registers take in a batch of events: their rows and their position in one transaction.

Registers that stand at one position take in a batch together, so that it is read once. One that
cannot take in an event stops just before it, alone, and says on record where and why.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any, cast

from asyncpg import Connection, InterfaceError, InternalClientError, Pool
from asyncpg.exceptions import (
    InsufficientResourcesError,
    LockNotAvailableError,
    OperatorInterventionError,
    PostgresConnectionError,
    ReadOnlySQLTransactionError,
    TransactionRollbackError,
)

from domain.corrections import Corrected
from domain.vocabulary import Entry
from projections.entries import (
    Corrections,
    Unreadable,
    as_corrected,
    corrections_in,
    corrections_of,
    entries,
    head_of,
)
from projections.writing import Writes

BATCH = 1_000  # events in one transaction
WINDOW = 20_000  # positions looked through in one transaction for events of the registers' types

# Not an event's fault: the same may go well a moment later.
PASSING = (
    PostgresConnectionError, OperatorInterventionError, InsufficientResourcesError,
    ReadOnlySQLTransactionError, TransactionRollbackError, LockNotAvailableError,
)  # fmt: skip

BEGUN = """
insert into progress (register, study) select unnest($1::text[]), $2 on conflict do nothing
"""
# A register that another process is at is left to it.
TAKEN = """
select register, position from progress where study = $2 and register = any ($1)
order by register for update skip locked
"""
MOVED = """
update progress set position = $3, stopped_at = null, error = null
where register = any ($1) and study = $2
"""
STOPPED = """
insert into progress (register, study, stopped_at, error) values ($1, $2, $3, $4)
on conflict (study, register) do update set stopped_at = $3, error = $4
"""
REACHED = "select position from progress where register = $1 and study = $2"
# Followers share it; a rebuild takes it alone for the moment of the swap. What a crash may take
# back, rows and position together, is followed once more: no need to wait for the disk.
SHARED = """
select set_config('synchronous_commit', 'off', true),
    pg_advisory_xact_lock_shared(hashtextextended('parcycle register ' || register, 0))
from unnest($1::text[]) register
"""
ALONE = "select pg_advisory_xact_lock(hashtextextended('parcycle register ' || $1, 0))"


@dataclass(frozen=True)
class Register:
    """A read model: what it writes, and for which events."""

    name: str
    title: str
    ddl: str
    tables: tuple[str, ...]
    types: frozenset[str] | None  # None: every type
    project: Callable[[Any, Entry, Writes], None]
    as_recorded: bool = False  # it shows what was recorded first, and corrections beside it
    # after a batch's writes, in their transaction: work out what rests on several events
    settle: Callable[[Connection, Sequence[Entry]], Awaitable[None]] | None = None

    @property
    def shape(self) -> str:
        """What its tables are told apart by from those of another release."""
        return hashlib.sha256(self.ddl.encode()).hexdigest()

    def reads(self, event_type: str) -> bool:
        return self.types is None or event_type in self.types

    def is_changed_by(self, entry: Entry, position: int) -> bool:
        """Whether the entry corrects what this register has taken in by that position."""
        event = entry.event
        return (
            isinstance(event, Corrected)
            and event.corrects <= position
            and self.reads(event.event_type)
            and not self.as_recorded
        )


class Stopped(Exception):
    """A register could not take in an event; it stands just before it until that is mended."""

    def __init__(self, register: str, study: str, position: int, cause: BaseException) -> None:
        self.register, self.study, self.position, self.cause = register, study, position, cause
        super().__init__(f"{register} stopped at event {position} of {study}: {self.fault}")

    @property
    def fault(self) -> str:
        """What was at fault and where; not in the error's own words, which may be personal data."""
        frames = extract_tb(self.cause.__traceback__)
        ours = [frame for frame in frames if "asyncpg" not in frame.filename]
        at = "".join(f" in {f.name}, {Path(f.filename).name}:{f.lineno}" for f in ours[-1:])
        named = (getattr(self.cause, f"{what}_name", None) for what in ("table", "constraint"))
        of = "".join(f" of {name}" for name in named if name)
        return f"{type(self.cause).__name__}{of}{at}"


@dataclass(frozen=True)
class Batch:
    """Events that registers have taken in together, up to a position."""

    study: str
    position: int
    registers: Sequence[Register]
    entries: Sequence[Entry]


@dataclass
class Taken:
    """What became of the next events."""

    batches: Sequence[Batch] = ()
    changed: Sequence[Register] = ()  # the next event changes rows that these have written
    stopped: Sequence[Stopped] = ()

    @property
    def moved(self) -> bool:
        return bool(self.batches)


async def take_in_batch(
    pool: Pool, among: Sequence[Register], study: str, *, through: int | None = None
) -> Taken:
    """Let registers that stand at one position take in a batch; one at fault stops alone."""
    names = [register.name for register in among]
    try:
        async with borrowed(pool) as db, db.transaction():
            await db.execute(SHARED, names)
            return await take_in(db, among, study, through=through)
    except Stopped:
        if len(among) == 1:
            return await _up_to_the_fault(pool, among[0], study)
    each = [await take_in_batch(pool, [register], study, through=through) for register in among]
    return Taken(
        batches=[batch for one in each for batch in one.batches],
        changed=[register for one in each for register in one.changed],
        stopped=[stopped for one in each for stopped in one.stopped],
    )


async def _up_to_the_fault(pool: Pool, register: Register, study: str) -> Taken:
    """Take in single events until one cannot be, and say on record which it is."""
    batches: list[Batch] = []
    async with borrowed(pool) as db, db.transaction():
        await db.execute(SHARED, [register.name])
        for _ in range(BATCH):
            try:
                async with db.transaction():
                    one = await take_in(db, [register], study, limit=1)
            except Stopped as stopped:
                await _say_stopped(db, stopped)
                return Taken(batches, stopped=[stopped])
            if not one.moved:
                return Taken(batches, changed=one.changed)
            batches += one.batches
    return Taken(batches)


async def take_in(
    db: Connection,
    among: Sequence[Register],
    study: str,
    *,
    through: int | None = None,
    limit: int = BATCH,
    known: Corrections | None = None,
) -> Taken:
    """Write the rows of the next events, and the position, in the caller's transaction.

    Those of the registers that stand furthest back take part. `known` are corrections that stand
    later in the record, when it is read from its beginning. Raises `Stopped`, which names the event
    at fault if it is the only one (`limit`).
    """
    at = await _positions(db, [register.name for register in among], study)
    if not at:
        return Taken()  # another process is at it
    position = min(at.values())
    group = [register for register in among if at.get(register.name) == position]
    further = [p for p in at.values() if p > position]
    stop = min(
        [*further, await head_of(db, study), position + WINDOW, through or position + WINDOW]
    )
    if stop <= position:
        return Taken()
    types = None if any(r.types is None for r in group) else _union(group)
    try:
        found = await entries(db, study, position, stop, types=types, limit=limit)
    except Unreadable as fault:
        raise Stopped(group[0].name, study, fault.position, fault) from fault
    if len(found) == limit:
        stop = found[-1].position
    changed: list[Register] = []
    if known is None and found:
        changed = [r for r in group if r.is_changed_by(found[0], position)]
        group = [r for r in group if r not in changed]
        for n, entry in enumerate(found):
            if isinstance(entry.event, Corrected) and any(
                register.is_changed_by(entry, position) for register in group
            ):
                found, stop = found[:n], entry.position - 1
                break
    standing: Sequence[Entry] | None = None
    for register in group:
        if standing is None and not register.as_recorded:
            standing = _standing(register, study, found, known)
        shown = found if standing is None or register.as_recorded else standing
        await _write(db, register, study, shown)
    if group:
        await db.execute(MOVED, [register.name for register in group], study, stop)
    return Taken([Batch(study, stop, group, found)] if group else (), changed)


def _standing(
    register: Register, study: str, found: Sequence[Entry], known: Corrections | None
) -> list[Entry]:
    """The entries as they stand after their corrections. Raises `Stopped`."""
    corrections = corrections_in(found) if known is None else known
    if not corrections:
        return list(found)
    standing = []
    for entry in found:
        try:
            standing.append(as_corrected(entry, corrections))
        except Exception as fault:  # a correction that does not fit what it corrects
            raise Stopped(register.name, study, entry.position, fault) from fault
    return standing


async def _write(db: Connection, register: Register, study: str, found: Sequence[Entry]) -> None:
    """Write a register's rows for these entries. Raises `Stopped`."""
    writes = Writes(frozenset(register.tables))
    reads, position = register.types, 0
    try:
        for entry in found:
            position = entry.position
            if reads is None or entry.type in reads:
                register.project(entry.event, entry, writes)
        await writes.flush(db)
        if register.settle is not None and found:
            await register.settle(db, found)
    except (OSError, *PASSING):
        raise
    except Exception as fault:
        if isinstance(fault, InterfaceError) and not isinstance(fault, ValueError):
            raise  # the connection is gone; a ValueError is asyncpg's refusal to send a value
        raise Stopped(register.name, study, position, fault) from fault


async def write_anew(pool: Pool, register: Register, study: str) -> None:
    """Rows already written are corrected by the next event: write this study's again.

    Goes on to the record's end, for what is corrected there too. Raises `Stopped` at the next
    event, if it is not to be.
    """
    async with borrowed(pool) as db:
        try:
            async with db.transaction():
                return await from_its_beginning(db, register, study)
        except Stopped:
            pass
        async with db.transaction():  # it may be that only a later event is at fault
            next_one = await _next_correction(db, register, study)
            try:
                async with db.transaction():
                    await from_its_beginning(db, register, study, next_one)
            except Stopped as fault:
                stopped = Stopped(register.name, study, next_one, fault.cause)
                await _say_stopped(db, stopped)
            else:
                return
    raise stopped


async def from_its_beginning(
    db: Connection, register: Register, study: str, through: int | None = None
) -> None:
    """Write a study's rows anew in the caller's transaction, up to a position or to the end.

    Raises `Stopped`.
    """
    await db.execute(SHARED, [register.name])
    if not await _positions(db, [register.name], study):
        return  # another process is at it
    for table in register.tables:
        await db.execute(f"delete from {table} where study = $1", study)
    await db.execute(MOVED, [register.name], study, 0)
    through = through or await head_of(db, study)
    try:
        known = await corrections_of(db, study, through)
    except Unreadable as fault:
        raise Stopped(register.name, study, fault.position, fault) from fault
    while (await take_in(db, [register], study, through=through, known=known)).moved:
        pass


async def _next_correction(db: Connection, register: Register, study: str) -> int:
    """The position of the next event that changes what the register has written."""
    position = at = await db.fetchval(REACHED, register.name, study)
    while True:
        head, types = await head_of(db, study), [Corrected.TOPIC]
        (entry,) = await entries(db, study, at, head, types=types, limit=1)
        at = entry.position
        if register.is_changed_by(entry, position):
            return at


async def _positions(db: Connection, names: Sequence[str], study: str) -> dict[str, int]:
    """Where the registers stand; they are ours until the transaction ends."""
    rows = await db.fetch(TAKEN, names, study)
    if len(rows) < len(names):
        await db.execute(BEGUN, names, study)
        rows = await db.fetch(TAKEN, names, study)
    return {row["register"]: row["position"] for row in rows}


async def _say_stopped(db: Connection, stopped: Stopped) -> None:
    await db.execute(STOPPED, stopped.register, stopped.study, stopped.position, stopped.fault)


def _union(group: Iterable[Register]) -> list[str]:
    """All types that the registers read, and corrections."""
    return sorted({Corrected.TOPIC}.union(*(register.types or () for register in group)))


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of the pool, for as long as the block lasts."""
    try:
        async with pool.acquire() as db:
            yield cast(Connection, db)  # the pool's proxy stands for it in every way
    except (InterfaceError, InternalClientError) as lost:
        # It went away in the middle, or the pool has not noticed yet that it did.
        raise ConnectionError(str(lost)) from lost
