"""Registers count every event exactly once, whoever is killed; one at fault stops alone."""

import asyncio
import multiprocessing
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

import asyncpg
import msgspec
import pytest

from domain.cycles import CycleOpened
from domain.vocabulary import Entry, ResearchEvent
from projections import following
from projections.following import (
    Following,
    Register,
    Stopped,
    follow,
    position_of,
    registers,
    stopped_registers,
)
from projections.writing import Writes
from service.database import open_pool
from service.recorder import Recorder
from tests.conftest import Database
from tests.recording import draft
from tests.registers import STUDY, a_moment, caught_up, record, recording, register_pool
from tests.rich_history import rich_history

COUNTED = "create table counted (study text, position bigint, type text, value int);"
COUNTER = "create table counter (study text primary key, n int check (n <> 13));"
INSERTED = "insert into counted values ($1, $2, $3, $4)"
INCREASED = """
insert into counter as c values ($1, 1) on conflict (study) do update set n = c.n + 1
"""


def count(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    write(INSERTED, entry.study, entry.position, entry.type, 0)


def counting(
    project: Callable[[Any, Entry, Writes], None] = count,
    name: str = "counted",
    types: Iterable[str] | None = None,
) -> Register:
    """A register that writes a line an event, into a table with no key to catch a second one."""
    wanted = None if types is None else frozenset(types)
    return Register(name, "", COUNTED + COUNTER, ("counted", "counter"), wanted, project)


@asynccontextmanager
async def studied(
    database: Database, events: int = 0
) -> AsyncIterator[tuple[Recorder, asyncpg.Pool]]:
    """A record with so many events, and connections to the registers' tables."""
    async with recording(database) as recorder, register_pool(database) as pool:
        await pool.execute(COUNTED + COUNTER)
        if events:
            await record(recorder, *rich_history(events, corrections=False))
        yield recorder, pool


async def positions(pool: asyncpg.Pool) -> list[int]:
    rows = await pool.fetch("select position from counted where study = $1", STUDY)
    return sorted(row["position"] for row in rows)


def follow_until_killed(url: str) -> None:
    async def run() -> None:
        pool = await open_pool(url, 2, search_path="register")
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                await follow(pool, [counting(), registers()["activity_feed"]], a_moment)

    asyncio.run(run())


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_every_event_counts_once_though_followers_are_killed(database: Database) -> None:
    async def story() -> None:
        chance, spawn = random.Random(7), multiprocessing.get_context("spawn")
        url = database.service_url
        async with studied(database) as (recorder, pool):
            history = rich_history(1_000_000, corrections=False)
            killing = True

            async def append() -> int:
                last = 0
                while killing:
                    last = await record(recorder, *islice(history, 50))
                    await asyncio.sleep(0.02)
                return last

            appending = asyncio.create_task(append())
            processes = [spawn.Process(target=follow_until_killed, args=(url,)) for _ in range(5)]
            processes[0].start()
            for killed, other in pairwise(processes):
                other.start()
                await caught_up(pool, "counted", await position_of(pool, "counted", STUDY) + 500)
                await asyncio.sleep(chance.uniform(0, 0.2))
                killed.kill()
            killing = False
            last = await appending
            await caught_up(pool, "counted", last)
            await caught_up(pool, "activity_feed", last)
            processes[-1].kill()
            for process in processes:
                process.join()
                process.close()
            assert await positions(pool) == list(range(1, last + 1))
            assert await pool.fetchval("select count(*) from feed_line") == last

    run(story())


def test_several_followers_of_the_same_register_count_each_event_once(database: Database) -> None:
    async def story() -> None:
        async with studied(database) as (recorder, pool):
            tasks = [asyncio.create_task(follow(pool, [counting()], a_moment)) for _ in range(4)]
            history = list(rich_history(2_000, corrections=False))
            for start in range(0, len(history), 40):
                await record(recorder, *history[start : start + 40])
            await caught_up(pool, "counted", len(history))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await positions(pool) == list(range(1, len(history) + 1))

    run(story())


def test_a_projection_that_raises_stops_there_alone_and_goes_on_once_mended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TRY_AGAIN", 0.0)
    broken = {"since": 100}

    def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
        if entry.position == broken["since"]:
            raise KeyError("a fault of ours")
        count(event, entry, write)

    async def story() -> None:
        async with studied(database, 1_500) as (_, pool):
            faults: list[Stopped] = []
            among = [counting(project), *registers().values()]
            follower = Following(pool, among, faults.append, lambda batch: None)
            for _ in range(8):
                await follower.go_on()
            assert {(each.register, each.position) for each in faults} == {("counted", 100)}
            assert isinstance(faults[0].cause, KeyError)
            ((register, study, at, error),) = await stopped_registers(pool)
            assert (register, study, at) == ("counted", STUDY, 100)
            assert error.startswith("KeyError in project, test_following.py:")  # not its words
            assert await positions(pool) == list(range(1, 100))
            for name in registers():
                assert await position_of(pool, name, STUDY) == 1_500, name
            broken.clear()
            broken["since"] = 0
            while await follower.go_on():
                pass
            assert await stopped_registers(pool) == []
            assert await positions(pool) == list(range(1, 1_501))

    run(story())


def test_it_is_tried_again_only_a_little_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "TRY_AGAIN", 600)

    def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
        raise KeyError

    async def story() -> None:
        async with studied(database, 5) as (_, pool):
            faults: list[Stopped] = []
            follower = Following(pool, [counting(project)], faults.append, lambda batch: None)
            for _ in range(3):
                assert not await follower.go_on()
            assert len(faults) == 1

    run(story())


def count_up(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    count(event, entry, write)
    write(INCREASED, entry.study)


def send_words_for_a_number(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    write(INSERTED, entry.study, entry.position, "", "ten" if entry.position == 13 else 10)


@pytest.mark.parametrize("project", [count_up, send_words_for_a_number])
def test_what_the_database_refuses_is_put_down_to_its_event(
    database: Database, project: Callable[[Any, Entry, Writes], None]
) -> None:
    async def story() -> None:
        async with studied(database, 40) as (_, pool):
            faults: list[Stopped] = []
            among = [counting(project), registers()["activity_feed"]]
            follower = Following(pool, among, faults.append, lambda batch: None)
            await follower.go_on()
            ((register, _, at, error),) = await stopped_registers(pool)
            assert (register, at, faults[0].position) == ("counted", 13, 13)
            assert "ten" not in error
            assert await positions(pool) == list(range(1, 13))
            assert await position_of(pool, "activity_feed", STUDY) == 40

    run(story())


async def only_who_reads_everything_stops_at(position: int, pool: asyncpg.Pool) -> None:
    among = [counting(), counting(count, "cycles", ["CycleOpened"])]
    follower = Following(pool, among, lambda stopped: None, lambda batch: None)
    while await follower.go_on():
        pass
    ((register, _, at, error),) = await stopped_registers(pool)
    assert (register, at) == ("counted", position)
    assert error.startswith("Unreadable in _read, entries.py:")


def test_an_event_of_a_later_release_stops_only_those_that_read_it(database: Database) -> None:
    envelope = b'{"role":"viewer","phase":"act","channel":"api"}'
    unknown = draft("FutureEvent", "cycle:c-1", envelope=envelope)

    async def story() -> None:
        async with studied(database, 20) as (recorder, pool):
            await recorder.append(STUDY, [unknown])
            await record(recorder, CycleOpened(cycle="c-9", title="Later", question="And now?"))
            await only_who_reads_everything_stops_at(21, pool)
            assert await position_of(pool, "cycles", STUDY) == 22

    run(story())


def test_an_event_that_cannot_be_read_at_all_stops_only_those_that_read_it(
    database: Database,
) -> None:
    """The first moment of the calendar goes on record as -infinity, and has no time zone."""
    envelope = b'{"role":"viewer","phase":"act","channel":"api"}'
    never = msgspec.structs.replace(
        draft("ConcernStated", payload=b'{"concern":"c","title":"t"}', envelope=envelope),
        occurred_at=datetime.min.replace(tzinfo=UTC),
    )

    async def story() -> None:
        async with studied(database, 20) as (recorder, pool):
            await recorder.append(STUDY, [never])
            await only_who_reads_everything_stops_at(21, pool)
            assert await position_of(pool, "cycles", STUDY) == 21

    run(story())


def test_a_lost_connection_is_told_and_nothing_is_lost(database: Database) -> None:
    async def story() -> None:
        async with studied(database, 3_000) as (_, pool):
            gone = 0
            cutting = asyncio.create_task(cut_connections(database))
            while True:
                try:
                    if await position_of(pool, "counted", STUDY) == 3_000 and cutting.done():
                        break
                    async with asyncio.timeout(0.5):
                        await follow(pool, [counting(), *registers().values()], a_moment)
                except TimeoutError:
                    continue
                except (OSError, asyncpg.PostgresError):
                    gone += 1
            assert gone > 0
            assert await stopped_registers(pool) == []
            assert await positions(pool) == list(range(1, 3_001))

    run(story())


CUT = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
"""


async def cut_connections(database: Database) -> None:
    """End every connection of the service a few times, whatever it is doing."""
    db = await asyncpg.connect(database.service_url)
    for _ in range(5):
        await asyncio.sleep(0.1)
        await db.execute(CUT)
    await db.close()
