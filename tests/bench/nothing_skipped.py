"""Followers by position miss nothing while writers die: `python -m tests.bench.nothing_skipped`.

Eight writers in two processes append one to twenty events at a time; every so often one of the
processes is killed and another takes its place. Four followers ask again and again for what comes
after the last position they saw. In the end each has to have seen the whole record, once, in
order. Then the same with the unconditional appends of `eventsourcing.dcb.postgres_tt`, whose
positions come from a sequence: it loses some, which shows that the harness can tell.
"""

import argparse
import asyncio
import multiprocessing
import random
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.process import BaseProcess
from threading import Thread
from uuid import uuid4

import asyncpg
from eventsourcing.dcb.api import DCBEvent
from msgspec import Struct

from service.migrate_schema import OWNER_ROLE
from service.recorder import Recorder
from tests.bench.peers import PostgresTT
from tests.bench.stage import EVENTS, PAYLOAD, TYPE, durable_server, record, tags_of
from tests.conftest import create_database, drop_database, url_of
from tests.recording import draft

PROCESSES, WRITERS, FOLLOWERS = 2, 4, 4  # writers: of each process
AT_ONCE = 1000  # events a follower asks for
STUDY = "followed"
CONNECTIONS = """
select count(*) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend'
"""
processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Followed:
    """A store that is written to by processes of their own, and followed by position."""

    write: Callable[[str], None]
    after: str  # SQL: so many positions after one
    head: str


class Outcome(Struct, frozen=True):
    """What the followers saw, all together, of how many events; and how many processes died."""

    events: int
    killed: int
    missed: int
    doubled: int
    out_of_order: int
    gaps: int  # positions that no event stands on: harmless with a sequence, and not with us
    seconds: float


def write_ours(url: str) -> None:
    async def write(recorder: Recorder) -> None:
        while True:
            number = random.randint(1, 20)
            events = [draft(TYPE, *tags_of(n), payload=PAYLOAD) for n in range(number - 1)]
            await recorder.append(STUDY, [*events, draft(TYPE, command=uuid4())])

    async def write_all() -> None:
        recorder = Recorder(url)
        await recorder.start()
        await asyncio.gather(*(write(recorder) for _ in range(WRITERS)))

    asyncio.run(write_all())


def write_theirs(url: str) -> None:
    store = PostgresTT(url, events=0)

    def write() -> None:
        while True:
            number = random.randint(1, 20)
            store.recorder.append([DCBEvent(TYPE, PAYLOAD, tags_of(n)) for n in range(number)])

    threads = [Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


OURS = Followed(
    write_ours,
    f"select position from record.event where study = '{STUDY}' and position > $1"
    f" order by position limit {AT_ONCE}",
    f"select position from record.study_head where study = '{STUDY}'",
)
THEIRS = Followed(
    write_theirs,
    f"select id from dcb_events_tt_main where id > $1 order by id limit {AT_ONCE}",
    "select max(id) from dcb_events_tt_main",
)


async def follow(followed: Followed, url: str, last: "asyncio.Future[int]") -> "array[int]":
    """Every position seen, in the order in which it was."""
    db = await asyncpg.connect(url)
    ask = await db.prepare(followed.after)
    seen = array("q")
    while not (last.done() and seen and seen[-1] >= last.result()):
        rows = await ask.fetch(seen[-1] if seen else 0)
        seen.extend(row[0] for row in rows)
        if not rows:
            await asyncio.sleep(0.001)
    await db.close()
    return seen


async def run(
    followed: Followed, writer_url: str, url: str, events: int, kill_every: float = 1.5
) -> Outcome:
    """Write about so many events, killing writers all the while; compare with what was seen."""
    began = time.perf_counter()
    last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    followers = [asyncio.create_task(follow(followed, url, last)) for _ in range(FOLLOWERS)]

    def start() -> BaseProcess:
        process = processes.Process(target=followed.write, args=(writer_url,), daemon=True)
        process.start()
        return process

    writers = [start() for _ in range(PROCESSES)]
    db = await asyncpg.connect(url)
    killed, head, kill_at = 0, 0, events // 10
    while head < events:
        await asyncio.sleep(kill_every * random.random())
        head = await db.fetchval(followed.head) or 0
        if head > kill_at:
            victim = random.randrange(PROCESSES)
            writers[victim].kill()
            writers[victim].join()
            killed += 1
            writers[victim] = start()
            kill_at = head + events // 50
    for process in writers:
        process.kill()
        process.join()
    for _ in range(600):  # a commit that is under way is brought to its end
        if await db.fetchval(CONNECTIONS) <= FOLLOWERS + 1:
            break
        await asyncio.sleep(0.05)
    last.set_result(await db.fetchval(followed.head))
    seen = await asyncio.gather(*followers)
    await db.close()
    return await _compared(followed, url, seen, killed, time.perf_counter() - began)


async def _compared(
    followed: Followed, url: str, seen: "list[array[int]]", killed: int, seconds: float
) -> Outcome:
    """What the followers saw against what stands on record."""
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    db = await asyncpg.connect(url)
    done.set_result(await db.fetchval(followed.head))
    await db.close()
    stands = set(await follow(followed, url, done))
    return Outcome(
        events=len(stands),
        killed=killed,
        missed=sum(len(stands - set(each)) for each in seen),
        doubled=sum(len(each) - len(set(each)) for each in seen),
        out_of_order=sum(later <= one for each in seen for one, later in pairwise(each)),
        gaps=max(stands) - len(stands),
        seconds=round(seconds, 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    events = parser.parse_args().events
    with durable_server() as server:
        with record(server, events=0) as database:
            outcome = asyncio.run(run(OURS, database.service_url, database.owner_url, events))
            print("ours:       ", outcome, flush=True)
        name = "bench_followed_tt"
        asyncio.run(drop_database(server, name))
        asyncio.run(create_database(server, name, "template1"))
        url = url_of(server, name, OWNER_ROLE)
        PostgresTT(url, events=0).close()
        print("postgres_tt:", asyncio.run(run(THEIRS, url, url, events)))
        asyncio.run(drop_database(server, name))


if __name__ == "__main__":
    main()
