"""How fast the registers follow, and are rebuilt, and in how much memory.

`taskset -c 0 python -m tests.bench.following --events 200000` follows with all registers, in one
process; `--rebuild` rebuilds one register from records of growing length, each in a process of its
own, and prints the largest memory that it had (resident set).
"""

import argparse
import asyncio
import cProfile
import inspect
import multiprocessing
import os
import pstats
import resource
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from importlib import import_module
from pathlib import Path

from asyncpg import Pool

from projections.audit_trail import audit_trail
from projections.entries import head_of
from projections.following import Following, borrowed, make_tables, rebuild, registers
from projections.paging import Window
from service.database import connect, open_pool
from tests.bench.stage import durable_server, record
from tests.conftest import Database
from tests.registers import STUDY, recording
from tests.registers import record as append
from tests.rich_history import rich_history
from tests.story import opened


async def stage(database: Database, events: int) -> None:
    """Append a history with every kind of event, 20,000 at a time."""
    async with recording(database) as recorder:
        await append(recorder, opened)
        history = rich_history(events - 1, corrections=False)
        while chunk := [each for _, each in zip(range(20_000), history, strict=False)]:
            await append(recorder, *chunk)


async def follow_all(url: str) -> tuple[float, float, float]:
    """Follow with every register from the beginning.

    Returns seconds: in all, of this process's CPU, and of the CPU of the server's processes for it.
    """
    pool = await open_pool(url, 4, search_path="register")
    async with pool:
        async with borrowed(pool) as db:
            await make_tables(db)
        following = Following(pool, list(registers().values()), print, lambda batch: None)
        served, cpu, begun = await server_cpu(pool), time.process_time(), time.perf_counter()
        while await following.go_on():
            pass
        seconds, own = time.perf_counter() - begun, time.process_time() - cpu
        return seconds, own, await server_cpu(pool) - served


async def server_cpu(pool: Pool) -> float:
    """Seconds of CPU of the server's processes for this database, where it runs on this machine.

    Those of connections that have ended meanwhile are counted too, with all that the server ended.
    """
    rows = await pool.fetch("select pid from pg_stat_activity where datname = current_database()")
    seconds, server = 0.0, set[int]()
    for row in rows:
        parent, own, _ = cpu_of(row["pid"])
        seconds, server = seconds + own, server | {parent}
    return seconds + sum(cpu_of(pid)[2] for pid in server)


def cpu_of(pid: int) -> tuple[int, float, float]:
    """A process's parent, and seconds of CPU: its own, and of its children that ended (proc(5))."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0, 0.0, 0.0
    parent, *ticks = [int(stat.read_text().rpartition(")")[2].split()[n]) for n in PPID_AND_TIMES]
    user, system, ended_user, ended_system = (each / os.sysconf("SC_CLK_TCK") for each in ticks)
    return parent, user + system, ended_user + ended_system


PPID_AND_TIMES = (1, 11, 12, 13, 14)


async def queries(url: str) -> None:
    """Print what the first and the last page of every question costs, and a few filters."""
    db = await connect(url, search_path="register")
    head = await head_of(db, STUDY)
    for register in registers().values():  # as autovacuum does a minute later
        await db.execute(f"analyze {', '.join(register.tables)}")
    asked: list[tuple[str, Callable[[], Awaitable[object]]]] = []
    for name in registers():
        module = import_module(f"projections.{name}")
        for word, ask in inspect.getmembers(module, inspect.iscoroutinefunction):
            if ask.__module__ == module.__name__ and "window" in inspect.signature(ask).parameters:
                asked.append((word, partial(ask, db, STUDY, Window())))
                asked.append((f"{word}, last", partial(ask, db, STUDY, Window(last=50))))
    trail = partial(audit_trail, db, STUDY)
    asked += [
        ("audit_trail of a participant", partial(trail, Window(), participant="P-07.900")),
        ("audit_trail of a group", partial(trail, Window(), group="allotment")),
        ("audit_trail of a type", partial(trail, Window(), type="StorySelected")),
        ("audit_trail of a cycle", partial(trail, Window(), cycle="c-2.900")),
        ("audit_trail of a day", partial(trail, Window(), since=date(2026, 8, 1))),
        ("audit_trail in the middle", partial(trail, Window(after=head // 2))),
    ]
    costs = []
    for word, once in asked:
        times = []
        for _ in range(7):
            begun = time.perf_counter()
            await once()
            times.append(time.perf_counter() - begun)
        costs.append((statistics.median(times) * 1e3, word))
    print(f"questions: median {statistics.median(cost for cost, _ in costs):.1f} ms; the slowest:")
    for cost, word in sorted(costs, reverse=True)[:8]:
        print(f"  {cost:7.1f} ms  {word}")
    await db.close()


async def rebuild_one(url: str, name: str) -> float:
    """Rebuild one register; return the seconds it took."""
    live = await connect(url, search_path="register")
    shadow = await connect(url, search_path="register_rebuilt")
    await make_tables(live)
    begun = time.perf_counter()
    await rebuild(live, shadow, registers()[name])
    seconds = time.perf_counter() - begun
    await live.close()
    await shadow.close()
    return seconds


def measured_rebuild(url: str, name: str, events: int) -> None:
    seconds = asyncio.run(rebuild_one(url, name))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"rebuild {name}: {events:,} events, {events / seconds:,.0f}/s, {megabytes:.0f} MB RSS")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--rebuild", nargs="*", type=int, metavar="EVENTS", default=[])
    arguments.add_argument("--register", default="audit_trail")
    arguments.add_argument("--profile", action="store_true")
    given = arguments.parse_args()
    with durable_server() as server:
        if not given.rebuild:
            with record(server, 0, "bench_following") as database:
                asyncio.run(stage(database, given.events))
                profile = cProfile.Profile()
                if given.profile:
                    profile.enable()
                seconds, own, served = asyncio.run(follow_all(database.service_url))
                profile.disable()
                print(
                    f"follow: {len(registers())} registers, {given.events:,} events: "
                    f"{given.events / seconds:,.0f}/s on cores {sorted(os.sched_getaffinity(0))}; "
                    f"CPU an event: {own / given.events * 1e6:.0f} us here, "
                    f"{served / given.events * 1e6:.0f} us in the server; "
                    f"{given.events / (own + served):,.0f}/s of one core for both"
                )
                asyncio.run(queries(database.service_url))
                if given.profile:
                    pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        for events in given.rebuild:
            with record(server, 0, "bench_following") as database:
                asyncio.run(stage(database, events))
                process = multiprocessing.get_context("spawn").Process(
                    target=measured_rebuild, args=(database.service_url, given.register, events)
                )
                process.start()
                process.join()


if __name__ == "__main__":
    main()
