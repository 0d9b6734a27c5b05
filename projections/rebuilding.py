"""A register is written anew from the record while its old rows serve, then takes their place."""

from collections.abc import Callable

from asyncpg import Connection

from projections.batches import ALONE, BATCH, REACHED, Register, from_its_beginning, take_in
from projections.entries import corrections_of, head_of

AT_ONCE = 2_000  # events in one transaction

PROGRESS = """
create table if not exists progress (
    register text not null,
    study text not null,
    position bigint not null default 0,
    stopped_at bigint,  -- the event it could not take in
    error text,
    primary key (study, register)
)
"""
BEHIND = """
select h.study from record.study_head h
left join (
    select study, min(position) as position, count(*) as registers
    from progress where register = any ($1) group by study
) p on p.study = h.study
where h.position > case when p.registers = cardinality($1) then p.position else 0 end
order by h.study
"""
MINE = "select pg_try_advisory_lock(hashtextextended('parcycle rebuild ' || $1, 0))"
NOT_MINE = "select pg_advisory_unlock(hashtextextended('parcycle rebuild ' || $1, 0))"
IN_ALL = "select coalesce(sum(position), 0)::bigint from record.study_head"


class RebuildUnderWay(Exception):
    """Somebody else is rebuilding the register; wait until they are done."""


async def rebuild(
    live: Connection,
    shadow: Connection,
    register: Register,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write a register anew from the record while the old rows serve, then swap them at once.

    `live` and `shadow` are connections whose schema is the serving one and the one for rebuilding.
    Calls `progress(events done, events in all)`. Returns the number of events read. Raises
    `Stopped` at an event that cannot be taken in, and `RebuildUnderWay`; the old rows then go on
    serving.
    """
    if not await shadow.fetchval(MINE, register.name):
        raise RebuildUnderWay(f"{register.name} is being rebuilt already; wait until that is done.")
    try:
        return await _rebuild(live, shadow, register, progress)
    finally:
        if not shadow.is_closed():
            await shadow.execute(NOT_MINE, register.name)


async def _rebuild(
    live: Connection,
    shadow: Connection,
    register: Register,
    progress: Callable[[int, int], None],
) -> int:
    await shadow.execute(PROGRESS)
    await make_anew(shadow, register)
    done, before = 0, -BATCH
    while done - before >= BATCH:  # others go on recording meanwhile
        before, done = done, await _catch_up(live, shadow, register, done, progress)
    for table in register.tables:
        await shadow.execute(f"analyze {table}")  # else its first questions have poor plans
    serving, rebuilt = await _schema(live), await _schema(shadow)
    async with shadow.transaction():
        await shadow.execute(ALONE, register.name)  # followers wait; what is left is short
        done = await _catch_up(live, shadow, register, done, progress)
        await _drop(shadow, register, serving)
        for table in register.tables:
            await shadow.execute(f"alter table {rebuilt}.{table} set schema {serving}")
        await shadow.execute(f"delete from {serving}.progress where register = $1", register.name)
        await shadow.execute(
            f"insert into {serving}.progress select * from {rebuilt}.progress where register = $1",
            register.name,
        )
        await shadow.execute("delete from progress where register = $1", register.name)
    return done


async def _catch_up(
    live: Connection,
    shadow: Connection,
    register: Register,
    done: int,
    progress: Callable[[int, int], None],
) -> int:
    """Take in what stands on record; return how many events have been read by now."""
    total = await live.fetchval(IN_ALL)
    for row in await shadow.fetch(BEHIND, [register.name]):
        study = row["study"]
        head = await head_of(shadow, study)
        at = await shadow.fetchval(REACHED, register.name, study) or 0
        known = None if at else await corrections_of(shadow, study, head)
        while at < head:
            async with shadow.transaction():
                await shadow.execute("set local synchronous_commit = off")  # the swap is not
                taken = await take_in(
                    shadow, [register], study, through=head, limit=AT_ONCE, known=known
                )
                for _ in taken.changed:
                    await from_its_beginning(shadow, register, study, head)
            reached = await shadow.fetchval(REACHED, register.name, study)
            done, at = done + reached - at, reached
            progress(done, max(total, done))
    return done


async def make_anew(db: Connection, register: Register) -> None:
    """Make a register's tables, empty, in the connection's schema; those that are there go."""
    await _drop(db, register, await _schema(db))
    await db.execute("delete from progress where register = $1", register.name)
    await db.execute(register.ddl)
    await db.execute(f"comment on table {register.tables[0]} is '{register.shape}'")


async def _drop(db: Connection, register: Register, schema: str) -> None:
    for table in register.tables:
        await db.execute(f"drop table if exists {schema}.{table} cascade")


async def _schema(db: Connection) -> str:
    return str(await db.fetchval("select current_schema()"))
