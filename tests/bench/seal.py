"""What the seal costs, at a record of a million events: `python -m tests.bench.seal`.

How fast a long record is sealed for the first time; proofs, from the database, at a random event
and size; how long after its commit an event is sealed, while events come all the time. And what
appends cost with a sealer beside them and without, at a fixed rate, in short turns: how long each
takes, and how much PostgreSQL writes to its log, but for the leaf, which stands in the event's row.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import uvloop

from service import logs
from service.bell import Bell
from service.database import open_pool
from service.recorder import Recorder
from service.sealing.log_keys import LogKeys
from service.sealing.merkle_tree import leaf_hash, require_included
from service.sealing.sealer import Sealer
from service.sealing.tree_on_record import consistency, inclusion, latest, leaves_between
from tests.bench.append import event, new_tags, ours
from tests.bench.stage import EVENTS, STUDY, durable_server, record
from tests.conftest import Database, url_of

ON, OFF = "with a sealer", "without"
CALLERS = 16
PROOFS = 2_000
PACED = 200  # events a second while lag and appends are measured
GOALS = {"lag": 2.0, "inclusion": 0.001, "appends": 1.05, "log": 1.05}

LAG = """
select extract(epoch from min(c.signed_at) - e.recorded_at)::float8 as lag
from record.event e join record.checkpoint c on c.study = e.study and c.size >= e.position
where e.study = $1 and e.position > $2
group by e.position, e.recorded_at
"""
LAST = "select position from record.study_head where study = $1"
NOW = "select pg_current_wal_insert_lsn()::text"
LEAVES = """
select sum(length(leaf))::bigint from record.event where study = $1 and position > $2
"""
# Bytes of PostgreSQL's log between two moments: all, and what the seal's own tables came to, their
# indexes and what is kept beside them included. Without whole pages: how many there are is chance.
WRITTEN = """
with own as (
    select oid from pg_class
    where oid in ('record.tile'::regclass, 'record.checkpoint'::regclass)
    union
    select reltoastrelid from pg_class where oid = 'record.tile'::regclass
), files as (
    select pg_relation_filenode(oid) as file from own
    union
    select pg_relation_filenode(indexrelid) from pg_index where indrelid in (select oid from own)
), records as (
    select max(record_length) - sum(block_fpi_length) as record_length, min(relfilenode) as file
    from pg_get_wal_block_info($1::text::pg_lsn, $2::text::pg_lsn) group by start_lsn
)
select
    (select sum(record_size) from pg_get_wal_stats($1::text::pg_lsn, $2::text::pg_lsn))::float8,
    (select coalesce(sum(record_length), 0) from records
        where file in (select file from files))::float8
"""


@asynccontextmanager
async def sealing(database: Database, folder: Path, bell: Bell) -> AsyncIterator[Sealer]:
    """A sealer that seals as the service's does."""
    pool = await open_pool(database.service_url, 4, plan_cache_mode="force_generic_plan")
    sealer = Sealer(pool, bell, LogKeys(folder), lambda study: f"localhost/parcycle/{study}")
    running = asyncio.create_task(sealer.run())
    try:
        yield sealer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await pool.close()
        assert sealer.refusals == {}, sealer.refusals


async def sealed_at_last(db: asyncpg.Connection, events: int) -> float:
    """Seconds until so many events are sealed."""
    began = time.perf_counter()
    while (sealed := await latest(db, STUDY)) is None or sealed.size < events:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return time.perf_counter() - began


async def timed(times: int, once: Callable[[], Awaitable[object]]) -> list[float]:
    """The seconds that each took, sorted."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await once()
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def tell(what: str, seconds: list[float], *, median: float = 0, p99: float = 0) -> None:
    """Print the median and the 99th percentile, each with its goal, if it has one."""
    found = statistics.median(seconds), seconds[int(len(seconds) * 0.99)]
    line = f"  {what:<20}"
    for name, value, goal in zip(("median", "p99"), found, (median, p99), strict=True):
        line += f"   {name} {value * 1_000:9.3f} ms"
        if goal:
            line += f" (goal {goal * 1_000:g} ms: {'met' if value < goal else 'NOT MET'})"
    print(line, flush=True)


async def proofs(db: asyncpg.Connection, size: int) -> None:
    sealed = await latest(db, STUDY)
    assert sealed is not None
    for position in (1, size // 2, size):
        (leaf,) = await leaves_between(db, STUDY, position - 1, position)
        proof = await inclusion(db, STUDY, position, sealed.size)
        require_included(leaf_hash(leaf), position - 1, sealed.size, proof, sealed.root)
    print(f"\nProofs at {sealed.size:,} events, read from the database")
    anywhere = random.Random(1)
    included = await timed(
        PROOFS, lambda: inclusion(db, STUDY, anywhere.randint(1, size), sealed.size)
    )
    tell("of inclusion", included, median=GOALS["inclusion"])
    grown = await timed(
        PROOFS, lambda: consistency(db, STUDY, anywhere.randint(1, size), sealed.size)
    )
    tell("of consistency", grown)


async def lag(db: asyncpg.Connection, recorder: Recorder, seconds: float) -> None:
    """How long after it was recorded an event is sealed."""
    before = await db.fetchval(LAST, STUDY)
    pause = CALLERS / PACED
    clock = time.perf_counter
    until = clock() + seconds

    async def keep_recording() -> None:
        while clock() < until:
            await ours(recorder, 0.0001, 1)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    await asyncio.gather(*(keep_recording() for _ in range(CALLERS)))
    await sealed_at_last(db, await db.fetchval(LAST, STUDY))
    lags = sorted(row["lag"] for row in await db.fetch(LAG, STUDY, before))
    print(f"\nFrom the record to the seal, {len(lags) / seconds:.0f} events a second")
    tell("an event waits", lags, p99=GOALS["lag"])


async def paced(recorder: Recorder, seconds: float) -> list[float]:
    """Append at a fixed rate, whatever the appends before take; the seconds that each took."""
    clock = time.perf_counter
    taken: list[float] = []

    async def append() -> None:
        began = clock()
        await recorder.append(STUDY, [event(new_tags(), True)])
        taken.append(clock() - began)

    began = clock()
    async with asyncio.TaskGroup() as running:
        for n in range(round(PACED * seconds)):
            await asyncio.sleep(began + n / PACED - clock())
            running.create_task(append())
    return taken


class Turn(NamedTuple):
    """What a turn came to."""

    median: float  # seconds of an append
    p99: float
    written: float  # bytes of PostgreSQL's log for an event, but for its leaf
    own: float  # and of these, the seal's


async def appends(
    server: str,
    database: Database,
    recorder: Recorder,
    bell: Bell,
    folder: Path,
    turns: int,
    seconds: float,
) -> None:
    """Appends with a sealer and without, in turn, at a fixed rate."""
    name = urlsplit(database.service_url).path.strip("/")
    db = await asyncpg.connect(url_of(server, name, urlsplit(server).username or ""))
    await db.execute("create extension pg_walinspect")

    async def turn(sealed: bool) -> Turn:
        before, last = await db.fetchval(NOW), await db.fetchval(LAST, STUDY)
        taken = sorted(await paced(recorder, seconds))
        if sealed:
            await sealed_at_last(db, await db.fetchval(LAST, STUDY))
        (row,) = await db.fetch(WRITTEN, before, await db.fetchval(NOW))
        events, p99 = len(taken), taken[int(len(taken) * 0.99)]
        written = row[0] - await db.fetchval(LEAVES, STUDY, last)
        return Turn(statistics.median(taken), p99, written / events, row[1] / events)

    got: dict[str, list[Turn]] = {ON: [], OFF: []}
    await paced(recorder, seconds)
    for number in range(turns):
        for side in (ON, OFF) if number % 2 else (OFF, ON):
            if side == ON:
                async with sealing(database, folder, bell):
                    await sealed_at_last(db, await db.fetchval(LAST, STUDY))  # the other side's
                    got[side].append(await turn(True))
            else:
                got[side].append(await turn(False))
    await db.close()
    print(f"\nAppends, {PACED} a second, {turns} turns of {seconds:g} s each")
    for side, found in got.items():
        median, p99, written, own = (statistics.median(each) for each in zip(*found, strict=True))
        print(
            f"  {side:<14}   median {median * 1_000:7.3f} ms   p99 {p99 * 1_000:8.3f} ms   "
            f"PostgreSQL's log besides the leaf {written:6,.0f} bytes, the seal's {own:4,.0f}"
        )
    pairs = zip(got[ON], got[OFF], strict=True)
    told("an append's median", [on.median / off.median for on, off in pairs], GOALS["appends"])
    shares = [each.written / (each.written - each.own) for each in got[ON]]
    told("PostgreSQL's log", shares, GOALS["log"])


def told(what: str, ratios: list[float], goal: float) -> None:
    """Print the median of what a sealer makes of it in each turn, the quartiles, and the goal."""
    low, ratio, high = statistics.quantiles(ratios)
    met = "met" if ratio <= goal else "NOT MET"
    print(
        f"  {what:<20}   {ratio:.3f} times with a sealer (goal {goal:g}: {met})"
        f"   half of the turns: {low:.3f} to {high:.3f}",
        flush=True,
    )


async def measure(server: str, database: Database, events: int, turns: int, seconds: float) -> None:
    recorder, bell = Recorder(database.service_url), Bell()
    recorder.on_append(bell.ring)
    await recorder.start()
    db = await asyncpg.connect(database.service_url)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "keys"
        async with sealing(database, folder, bell):
            taken = await sealed_at_last(db, events)
            print(f"A record of {events:,} events is sealed: {events / taken:,.0f} events a second")
            await proofs(db, events)
            await lag(db, recorder, 20)
        await appends(server, database, recorder, bell, folder, turns, seconds)
    await db.close()
    await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="of the record")
    parser.add_argument("--turns", type=int, default=20, help="of appends, each side")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a turn")
    asked = parser.parse_args()
    logs.configure("json", "warning")
    with durable_server() as server, record(server, asked.events) as database:
        uvloop.run(measure(server, database, asked.events, asked.turns, asked.seconds))


if __name__ == "__main__":
    main()
