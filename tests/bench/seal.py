"""What the seal costs, at a record of a million events: `python -m tests.bench.seal`.

How fast a long record is sealed for the first time; proofs, from the database, at a random event
and size; how long after its commit an event is sealed, while events come all the time; and appends
with a sealer beside them against appends without, in turn, with the log that PostgreSQL writes.
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
from urllib.parse import urlsplit

import asyncpg
import uvloop

from service.bell import Bell
from service.database import open_pool
from service.recorder import Recorder
from service.sealing.log_keys import LogKeys
from service.sealing.merkle_tree import leaf_hash, require_included
from service.sealing.sealer import Sealer
from service.sealing.tree_on_record import consistency, inclusion, latest, leaves_between
from tests.bench.append import ours
from tests.bench.stage import EVENTS, ROUNDS, STUDY, compare, durable_server, record
from tests.conftest import Database, url_of

ON, OFF = "with a sealer", "without"
CALLERS = 16
PROOFS = 2_000
PACED = 200  # events a second while the lag is measured
GOALS = {"lag": 2.0, "inclusion": 0.001, "appends": 0.95, "log": 1.05}

LAG = """
select extract(epoch from min(c.signed_at) - e.recorded_at)::float8 as lag
from record.event e join record.checkpoint c on c.study = e.study and c.size >= e.position
where e.study = $1 and e.position > $2
group by e.position, e.recorded_at
"""
LAST = "select position from record.study_head where study = $1"
WRITTEN = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


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


async def appends(
    server: str, database: Database, recorder: Recorder, bell: Bell, folder: Path, seconds: float
) -> None:
    """Appends a second, and bytes of PostgreSQL's log for each, with a sealer and without."""
    name = urlsplit(database.service_url).path.strip("/")
    db = await asyncpg.connect(url_of(server, name, urlsplit(server).username or ""))
    rounds, written = [], []

    async def side() -> tuple[float, float]:
        before = await db.fetchval(WRITTEN)
        rate = await ours(recorder, seconds, CALLERS, of_command=True)
        return rate, float(await db.fetchval(WRITTEN) - before) / (rate * seconds)

    for number in range(ROUNDS):
        got: dict[str, tuple[float, float]] = {}
        for name in (ON, OFF) if number % 2 else (OFF, ON):
            await db.execute("checkpoint")  # so that each side writes whole pages alike
            if name == ON:
                async with sealing(database, folder, bell):
                    await sealed_at_last(db, await db.fetchval(LAST, STUDY))  # the other side's
                    got[name] = await side()
            else:
                got[name] = await side()
        rounds.append({name: got[name][0] for name in (ON, OFF)})
        written.append(got[ON][1] / got[OFF][1])
    await db.close()
    compare(f"{CALLERS} callers append", rounds, ON, {OFF: GOALS["appends"]})
    more = statistics.median(written)
    met = "met" if more <= GOALS["log"] else "NOT MET"
    print(f"  PostgreSQL's log for each event: {more:.3f} times (goal {GOALS['log']:g}: {met})")


async def measure(server: str, database: Database, events: int, seconds: float) -> None:
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
            await lag(db, recorder, 10 * seconds)
        await appends(server, database, recorder, bell, folder, seconds)
    await db.close()
    await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="of the record")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each side in each round")
    asked = parser.parse_args()
    with durable_server() as server, record(server, asked.events) as database:
        uvloop.run(measure(server, database, asked.events, asked.seconds))


if __name__ == "__main__":
    main()
