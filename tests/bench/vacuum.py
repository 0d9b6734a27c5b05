"""VACUUM and ANALYZE while appending, against appending alone: `python -m tests.bench.vacuum`.

Sixteen callers append to a record of a million events; told is the worst append of each round, with
and without VACUUM (ANALYZE) of the record's tables going on all the while.
"""

import argparse
import asyncio
import statistics
import time

import asyncpg
import uvloop

from service.recorder import Recorder
from tests.bench.append import event, new_tags
from tests.bench.stage import EVENTS, ROUNDS, STUDY, TYPE, durable_server, rate, record
from tests.conftest import Database

GOAL = 20.0  # milliseconds added at most


async def worst_append(recorder: Recorder, seconds: float) -> float:
    """In milliseconds."""
    worst = 0.0

    async def append(_: int) -> None:
        nonlocal worst
        tags = new_tags()
        began = time.perf_counter()
        await recorder.append(STUDY, [event(tags, True)], [([TYPE], tags[:2])], EVENTS)
        worst = max(worst, time.perf_counter() - began)

    await rate(seconds, 16, append)
    return worst * 1000


async def with_vacuum(database: Database, recorder: Recorder, seconds: float) -> tuple[float, int]:
    """The worst append, and how often VACUUM went through all tables meanwhile."""
    db = await asyncpg.connect(database.owner_url)
    times = 0

    async def vacuum() -> None:
        nonlocal times
        while True:
            for table in ("event", "event_tag", "study_head"):
                await db.execute(f"vacuum (analyze) record.{table}")
            times += 1

    going_on = asyncio.create_task(vacuum())
    worst = await worst_append(recorder, seconds)
    going_on.cancel()
    await asyncio.wait([going_on])
    db.terminate()
    return worst, times


async def measure(database: Database, seconds: float) -> None:
    recorder = Recorder(database.service_url)
    await recorder.start()
    await worst_append(recorder, 1)
    pairs = []
    for _ in range(ROUNDS):
        alone = await worst_append(recorder, seconds)
        vacuumed, times = await with_vacuum(database, recorder, seconds)
        pairs.append((alone, vacuumed))
        print(
            f"  worst append {alone:7.1f} ms alone, {vacuumed:7.1f} ms with VACUUM ({times} times)"
        )
    added = statistics.median(vacuumed - alone for alone, vacuumed in pairs)
    met = "met" if added <= GOAL else "NOT MET"
    print(f"added, the median: {added:.1f} ms (goal at most {GOAL:g}: {met})")
    await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each side in each round")
    asked = parser.parse_args()
    with durable_server() as server, record(server) as database:
        uvloop.run(measure(database, asked.seconds))


if __name__ == "__main__":
    main()
