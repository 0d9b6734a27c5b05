"""A register written anew holds the same rows, and serves the old ones until it is whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

import asyncpg
import pytest

from projections.following import Register, Stopped, follow, make_tables, rebuild, registers
from projections.rebuilding import RebuildUnderWay
from service.database import connect
from tests.conftest import Database
from tests.registers import STUDY, follow_all, record, recording, register_pool
from tests.rich_history import rich_history
from tests.story import opened

Rows = dict[str, list[tuple[object, ...]]]


@asynccontextmanager
async def rebuilding(
    database: Database,
) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """Connections for `rebuild`: one that sees what serves, one that sees what is being made."""
    live = await connect(database.service_url, search_path="register")
    shadow = await connect(database.service_url, search_path="register_rebuilt")
    try:
        yield live, shadow
    finally:
        await live.close()
        await shadow.close()


async def rows_of(db: asyncpg.Connection, register: Register) -> Rows:
    tables = [*register.tables, "progress"]
    return {
        table: sorted((tuple(row) for row in await db.fetch(f"select * from {table}")), key=repr)
        for table in tables
    }


def test_rows_written_live_equal_rows_written_anew(database: Database) -> None:
    """Every register, over every kind of event, with corrections, in batches small and large."""

    async def story() -> None:
        async with (
            recording(database) as recorder,
            register_pool(database) as pool,
            rebuilding(database) as (live, shadow),
        ):
            studies = {STUDY: rich_history(400), "beans": rich_history(300, seed=2)}
            for study in studies:
                await record(recorder, opened, study=study)
            for size in (1, 2, 3, 60, 200, 134):
                for study, history in studies.items():
                    if some := list(islice(history, size)):
                        await record(recorder, *some, study=study)
                await follow_all(pool)
            for name, register in registers().items():
                before = await rows_of(live, register)
                await rebuild(live, shadow, register)
                assert await rows_of(live, register) == before, name

    asyncio.run(story())


def test_every_table_gets_rows_from_the_made_up_history(database: Database) -> None:
    """Else the test above would prove less than it says."""

    async def story() -> None:
        async with recording(database) as recorder, register_pool(database) as pool:
            await record(recorder, opened, *rich_history(150))
            await follow_all(pool)
            for register in registers().values():
                for table in register.tables:
                    assert await pool.fetchval(f"select count(*) from {table}"), table

    asyncio.run(story())


def test_old_rows_serve_until_the_swap(database: Database) -> None:
    register = registers()["audit_trail"]

    async def story() -> None:
        async with (
            recording(database) as recorder,
            register_pool(database) as pool,
            rebuilding(database) as (live, shadow),
        ):
            await record(recorder, opened, *rich_history(5_000, corrections=False))
            await follow_all(pool, [register])
            seen, told = set[int](), list[tuple[int, int]]()

            async def read() -> None:
                while True:
                    seen.add(await pool.fetchval("select count(*) from audit_line"))
                    await asyncio.sleep(0.005)

            reading = asyncio.create_task(read())
            done = await rebuild(live, shadow, register, lambda *at: told.append(at))
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            assert seen == {5_001}
            assert done == 5_001
            assert told == [(2_000, 5_001), (4_000, 5_001), (5_001, 5_001)]

    asyncio.run(story())


def test_a_rebuild_while_others_record_and_follow_loses_nothing(database: Database) -> None:
    register = registers()["audit_trail"]

    async def story() -> None:
        async with (
            recording(database) as recorder,
            register_pool(database, size=6) as pool,
            rebuilding(database) as (live, shadow),
        ):
            history = rich_history(1_000_000)
            await record(recorder, opened, *islice(history, 2_000))
            going_on = True

            async def append() -> int:
                last = 0
                while going_on:
                    last = await record(recorder, *islice(history, 20))
                    await asyncio.sleep(0.01)
                return last

            async def a_moment() -> None:
                await asyncio.sleep(0.01)

            appending = asyncio.create_task(append())
            among = [register, registers()["consent_history"], registers()["reflections"]]
            following = [asyncio.create_task(follow(pool, among, a_moment)) for _ in range(2)]
            for _ in range(3):
                await rebuild(live, shadow, register)
                await rebuild(live, shadow, registers()["reflections"])
            going_on = False
            last = await appending
            await follow_all(pool, among)
            for task in following:
                assert not task.done(), task
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            found = await pool.fetch("select position from audit_line order by position")
            assert [row["position"] for row in found] == list(range(1, last + 1))
            for each in among:
                before = await rows_of(live, each)
                await rebuild(live, shadow, each)
                assert await rows_of(live, each) == before, each.name

    asyncio.run(story())


def test_a_rebuild_that_fails_leaves_the_old_rows_and_can_be_made_again(
    database: Database,
) -> None:
    register = registers()["activity_feed"]

    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    async def story() -> None:
        async with (
            recording(database) as recorder,
            register_pool(database) as pool,
            rebuilding(database) as (live, shadow),
        ):
            await record(recorder, opened, *rich_history(50))
            await follow_all(pool)
            before = await rows_of(live, register)
            faulty = Register(**(vars(register) | {"project": broken}))
            with pytest.raises(Stopped, match="activity_feed stopped at event"):
                await rebuild(live, shadow, faulty)
            assert await rows_of(live, register) == before
            await rebuild(live, shadow, register)
            assert await rows_of(live, register) == before

    asyncio.run(story())


def test_tables_of_another_release_are_made_anew_and_followed_from_the_beginning(
    database: Database,
) -> None:
    register, other = registers()["activity_feed"], registers()["action_log"]

    async def story() -> None:
        async with (
            recording(database) as recorder,
            register_pool(database) as pool,
            rebuilding(database) as (live, shadow),
        ):
            await record(recorder, opened, *islice(rich_history(60), 60))
            await follow_all(pool)
            whole = await rows_of(live, register), await rows_of(live, other)
            reached = await live.fetch("select * from progress order by register")
            await make_tables(live)  # a second start of the same release
            assert await live.fetch("select * from progress order by register") == reached
            await live.execute("alter table feed_line rename column line to told")
            await live.execute("comment on table feed_line is 'an earlier release'")
            await make_tables(live)
            assert await live.fetchval("select count(*) from feed_line") == 0
            gone = [row for row in reached if row["register"] != "activity_feed"]
            assert await live.fetch("select * from progress order by register") == gone
            await follow_all(pool)
            assert (await rows_of(live, register), await rows_of(live, other)) == whole
            await rebuild(live, shadow, register)
            await make_tables(live)  # a rebuild leaves tables of this release
            assert (await rows_of(live, register), await rows_of(live, other)) == whole

    asyncio.run(story())


def test_only_one_at_a_time_rebuilds_a_register(database: Database) -> None:
    register = registers()["activity_feed"]

    async def story() -> None:
        async with rebuilding(database) as (live, shadow), rebuilding(database) as (also, other):
            await make_tables(live)
            await other.execute(
                "select pg_advisory_lock(hashtextextended('parcycle rebuild activity_feed', 0))"
            )
            with pytest.raises(RebuildUnderWay, match="being rebuilt already"):
                await rebuild(live, shadow, register)
            await other.execute("select pg_advisory_unlock_all()")
            assert await rebuild(also, other, register) == 0

    asyncio.run(story())
