"""What the progress page costs in a large study: `python -m tests.bench.pages`.

A study of 100,000 events, forty groups and twenty-four cycles that fork and merge stands on record.
One service process answers: how long a page takes it and how much is sent, first to a program, then
to a real Chromium with an empty cache (first contentful paint); then, with fifty pages open, how
often the database is asked for what is new while others record.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import uvicorn

from domain.actions import ActionImplemented, ActionStarted
from domain.ballots import (
    BallotCast,
    BallotClosed,
    BallotMethod,
    BallotOpened,
    BallotOption,
    Choice,
    Electorate,
    OptionTally,
    ResultDeclared,
)
from domain.consent import ConsentGiven
from domain.cycles import CycleClosed, CycleOpened, Edge, Parent
from domain.fieldwork import InterviewHeld, ObservationMade, PlaceKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.planning import ActionOwner, ActionPlanned
from domain.priorities import PriorityAdopted, PriorityProposed
from domain.reflections import ReflectionRecorded, Voice
from domain.workshops import WorkshopHeld
from projections.following import borrowed, make_tables, registers
from service import logs
from service.application import application
from service.database import open_pool
from service.identity import DemoIssuer
from service.store import Store
from tests.bench.audit import Line, stage
from tests.bench.mutation import MUTATION
from tests.bench.stage import durable_server, record
from tests.browsing import chromium, debug
from tests.registers import STUDY, follow_all
from tests.story import opened

BEGAN = datetime(2023, 1, 2, 9, tzinfo=UTC)
LENGTH = timedelta(days=1_300)
EVENTS, PARTICIPANTS, GROUPS, CYCLES, PAGES = 100_000, 2_000, 40, 24, 50
PAINTED = """
const entries = performance.getEntriesByName('first-contentful-paint')
return [entries[0].startTime, performance.getEntriesByType('resource').concat(
    performance.getEntriesByType('navigation')).reduce((n, e) => n + e.transferSize, 0)]
"""


def history(events: int, chance: random.Random) -> Iterator[Line]:
    """People propose, vote, act, are interviewed and reflect, in cycle after cycle."""
    people = [f"P-{n:04}" for n in range(PARTICIPANTS)]

    def line(share: float, event: Any, by: str = "ana") -> Line:
        at = BEGAN + LENGTH * min(1.0, max(0.0, share))
        return at, at + timedelta(hours=2), by, event

    yield BEGAN - timedelta(days=9), BEGAN - timedelta(days=9), "ana", opened
    for n, person in enumerate(people):
        yield line(0, ParticipantEnrolled(participant=person, group=f"g-{n % GROUPS}"))
        yield line(0.001, ConsentGiven(
            participant=person, permissions=(Permission.WORKSHOP, Permission.INTERVIEW),
            form_version="1", signed_on=BEGAN.date()))  # fmt: skip
    per_cycle = (events - 2 * PARTICIPANTS) // CYCLES
    for n in range(CYCLES):
        begins, ends = n / CYCLES * 0.9 + 0.02, (n + 1.6) / CYCLES * 0.9 + 0.02
        name = f"c-{n}"
        before = chance.sample(range(max(0, n - 3), n), min(n, chance.choice((1, 1, 1, 2))))
        parents = tuple(Parent(cycle=f"c-{b}", edge=Edge.CARRIES_QUESTION) for b in before)
        yield line(
            begins, CycleOpened(cycle=name, title=f"Turn {n}", question="?", parents=parents)
        )
        yield from planning(name, begins, chance, people, line)
        for k in range(per_cycle - 60):
            share = begins + (ends - begins) * (0.1 + 0.9 * k / per_cycle)
            yield line(share, something(name, f"{n}-{k}", chance, people))
        if n < CYCLES - 2:
            yield line(ends, CycleClosed(cycle=name))


def planning(
    cycle: str, share: float, chance: random.Random, people: list[str], line: Any
) -> Iterator[Line]:
    names = [f"{cycle}-p{n}" for n in range(5)]
    for name in names:
        yield line(share, PriorityProposed(priority=name, cycle=cycle, title=f"Wish {name}"))
    options = tuple(BallotOption(option=p, title=f"Wish {p}", priority=p) for p in names)
    yield line(share, BallotOpened(
        ballot=f"b-{cycle}", cycle=cycle, title="What first?", method=BallotMethod.APPROVAL,
        options=options, electorate=Electorate.PUBLIC))  # fmt: skip
    for voter in chance.sample(people, 30):
        yield line(share + 0.001, BallotCast(
            ballot=f"b-{cycle}", voter=voter, participant=voter, cycle=cycle,
            choices=(Choice(option=chance.choice(names)),)))  # fmt: skip
    yield line(share + 0.002, BallotClosed(ballot=f"b-{cycle}", cycle=cycle))
    tally = tuple(OptionTally(option=p, votes=6, score=6) for p in names)
    yield line(share + 0.002, ResultDeclared(
        ballot=f"b-{cycle}", cycle=cycle, papers=30, tally=tally, winners=(names[0],)))  # fmt: skip
    yield line(share + 0.003, PriorityAdopted(
        priority=names[0], cycle=cycle, ballot=f"b-{cycle}", chosen_by_vote=True))  # fmt: skip
    for n in range(10):
        yield line(share + 0.004, ActionPlanned(
            action=f"a-{cycle}-{n}", cycle=cycle, title=f"Do {n}", priority=names[0],
            owner=ActionOwner(member="ana"), due=date(2027, 1, 1)))  # fmt: skip


def something(cycle: str, number: str, chance: random.Random, people: list[str]) -> Any:
    who = tuple(chance.sample(people, 3))
    what = chance.random()
    if what < 0.2:
        return WorkshopHeld(workshop=f"w-{number}", cycle=cycle, participants=who)
    if what < 0.4:
        return InterviewHeld(session=f"s-{number}", cycle=cycle, participants=who[:1], minutes=60,
                             place=PlaceKind.HOME)  # fmt: skip
    if what < 0.6:
        return ObservationMade(session=f"s-{number}", cycle=cycle, participants=who, minutes=60,
                               place=PlaceKind.HOME)  # fmt: skip
    if what < 0.7:
        return ReflectionRecorded(
            reflection=f"r-{number}", cycle=cycle, voice=Voice.TOGETHER, what="So.",
            title=f"Reflection {number}", participants=who, turning_point=chance.random() < 0.01,
        )  # fmt: skip
    action = f"a-{cycle}-{chance.randrange(10)}"
    if what < 0.95:
        return ActionStarted(action=action, cycle=cycle)
    return ActionImplemented(action=action, cycle=cycle, what_was_done="It.", participants=who)


async def follow(url: str) -> None:
    """Let every register that the page asks take the record in."""
    async with await open_pool(url, 4, search_path="register") as pool:
        async with borrowed(pool) as db:
            await make_tables(db)
        await follow_all(pool, registers().values())
        async with borrowed(pool) as db:
            for register in registers().values():
                await db.execute(f"analyze {', '.join(register.tables)}")  # as autovacuum does


def serve(kept: Store, issuer: DemoIssuer, port: int) -> None:
    uvicorn.run(application(kept, issuer.identity), port=port, log_level="error", access_log=False)


def until_quiet(address: str, token: str, events: int) -> None:
    """Wait until the service answers, and has sealed what is on record."""
    headers = {"authorization": f"Bearer {token}"}
    give_up = time.monotonic() + 900
    with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
        while time.monotonic() < give_up:
            try:
                if f"Sealed up to event <code>#{events}</code>" in http.get(f"/s/{STUDY}").text:
                    return
            except httpx.TransportError:
                pass
            time.sleep(1)
    raise SystemExit("the record was not sealed")


def told(what: str, figure: float, goal: float, unit: str) -> None:
    met = "met" if figure < goal else "NOT MET"
    print(f"{what}: {figure:.1f} {unit} (goal below {goal:g} {unit}: {met})", flush=True)


def processor_time(process: int) -> float:
    """Milliseconds that a process has had of a processor, whatever else was running."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK")


def measure(address: str, token: str, times: int, process: int) -> None:
    headers = {"authorization": f"Bearer {token}", "accept-encoding": "gzip"}
    taken: dict[bool, list[float]] = {False: [], True: []}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
        for n in range(times):
            on = (BEGAN + LENGTH * random.random()).date() if n % 4 == 3 else None
            began = time.perf_counter()
            page = http.get(f"/s/{STUDY}", params={"on": str(on)} if on else {})
            taken[on is not None].append((time.perf_counter() - began) * 1e3)
            assert page.status_code == 200, page.text
        before = processor_time(process)
        for _ in range(times):
            page = http.get(f"/s/{STUDY}")
        each = (processor_time(process) - before) / times
    print(f"of today: {each:.1f} ms of a processor in the service for each page")
    sent = int(page.headers["content-length"])
    print(f"the page alone: {sent / 1e3:.0f} kB packed, {len(page.text) / 1e3:.0f} kB unpacked")
    for past, figures in taken.items():
        what = "as of a past day, each another" if past else "of today"
        print(f"{what}: p50 {statistics.median(figures):.1f} ms")
        told(f"progress page {what}, p95", statistics.quantiles(figures, n=20)[-1], 50, "ms")


def painted(address: str, token: str, times: int) -> None:
    """With the fonts, the stylesheet and the scripts, by browsers that never came before."""
    paints, sizes = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as home, chromium(Path(home)) as browser:
            browser.get(f"{address}/sign-in")
            cookie = {"name": "parcycle_session", "value": token, "path": "/", "httpOnly": True}
            browser.add_cookie(cookie | {"sameSite": "Strict"})
            debug(browser, "Network.clearBrowserCache")
            browser.get(f"{address}/s/{STUDY}")
            time.sleep(2)
            paint, size = browser.execute_script(PAINTED)
            paints.append(paint)
            sizes.append(size / 1e3)
    told("first contentful paint, median", statistics.median(paints), 1_000, "ms")
    told("transferred, at most", max(sizes), 300, "kB")


async def open_pages(address: str, token: str, database_url: str, changes: int) -> None:
    """Fifty streams; the queries are counted by PostgreSQL itself, as it logs them to us."""
    headers = {"authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=PAGES + 2)
    ready = asyncio.Semaphore(0)
    lines = [0] * PAGES

    async def page(http: httpx.AsyncClient, place: int) -> None:
        async with http.stream("GET", f"/s/{STUDY}/live") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("retry"):
                    ready.release()
                lines[place] += line.startswith("id: ")

    db = await asyncpg.connect(database_url)
    reads = (
        "select coalesce(sum(seq_scan) + sum(idx_scan), 0)::int from pg_stat_user_tables"
        " where relname = 'feed_line'"
    )
    async with httpx.AsyncClient(
        base_url=address, headers=headers, timeout=600, limits=limits
    ) as http:
        pages = [asyncio.create_task(page(http, n)) for n in range(PAGES)]
        for _ in range(PAGES):
            await ready.acquire()
        await asyncio.sleep(3)
        before, began = await db.fetchval(reads), time.monotonic()
        for n in range(changes):
            given = {"study": STUDY, "commandId": str(uuid4()), "concern": f"x-{uuid4().hex[:8]}",
                     "title": "Damp", "occurredAt": datetime.now(UTC).isoformat()}  # fmt: skip
            asked_for = {"query": MUTATION, "variables": {"i": given}}
            answer = await http.post("/graphql", json=asked_for)
            assert "position" in answer.text, (n, answer.text)
            await asyncio.sleep(1)
        await asyncio.sleep(3)
        seconds = time.monotonic() - began
        asked = await db.fetchval(reads) - before
        for each in pages:
            each.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
    await db.close()
    print(f"{PAGES} open pages, {changes} changes in {seconds:.0f} s: each was told {set(lines)}"
          f" lines, by {asked} reads of the feed in all, the poll's among them")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--browsers", type=int, default=3)
    parser.add_argument("--port", type=int, default=8479)
    given = parser.parse_args()
    logs.configure("json", "warning")
    issuer = DemoIssuer("parcycle")
    lines = list(history(given.events, random.Random(1)))
    with durable_server() as server, record(server, 0, "bench_pages") as database:
        asyncio.run(stage(database, lines))
        asyncio.run(follow(database.service_url))
        service = multiprocessing.get_context("fork").Process(
            target=serve, args=(database.store, issuer, given.port)
        )
        service.start()
        address, token = f"http://127.0.0.1:{given.port}", issuer.token("ana")
        try:
            until_quiet(address, token, len(lines))
            measure(address, token, given.times, service.pid or 0)
            painted(address, token, given.browsers)
            asyncio.run(open_pages(address, token, database.owner_url, 10))
        finally:
            service.terminate()
            service.join()


if __name__ == "__main__":
    main()
