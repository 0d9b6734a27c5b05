"""What the record's benchmarks stand on: a durable server, a record of a million events, rounds.

The million are of one study. Each has three tags: an action's (ten events each), a participant's
(fifty each) and a group's (twenty thousand each).
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from domain.vocabulary import tag_hash
from service.appends import type_tag
from service.embedded_postgres import embedded_postgres
from service.migrate_schema import OWNER_ROLE, SERVICE_ROLE, create_roles, migrate
from tests.conftest import RUN_HOME, Database, create_database, drop_database, url_of

STUDY = "bench"
TYPE = "ActionStarted"
EVENTS = 1_000_000
ROUNDS = 5
PARTICIPANTS, GROUPS, PER_ACTION = 20_000, 50, 10
Side = Callable[[], Awaitable[float]]


def tags_of(number: int) -> list[str]:
    """The tags of the record's event of that number, from 0."""
    return [
        f"action:a-{number // PER_ACTION}",
        f"participant:p-{number % PARTICIPANTS}",
        f"group:g-{number % GROUPS}",
    ]


@contextmanager
def durable_server() -> Iterator[str]:
    """The superuser's URL of a server with fsync on: DATABASE_URL's, or an embedded one."""
    if external := os.environ.get("DATABASE_URL"):
        yield external
        return
    home = Path(tempfile.mkdtemp(prefix="parcycle-bench-"))
    try:
        with embedded_postgres(home) as url:
            yield url
    finally:
        shutil.rmtree(home)


@contextmanager
def record(server: str, events: int = EVENTS, name: str = "bench_record") -> Iterator[Database]:
    """A database with a record of so many events, removed at the end."""
    os.environ[RUN_HOME] = tempfile.mkdtemp(prefix="parcycle-bench-")  # for the keys
    asyncio.run(_make_record(server, name, events))
    yield Database(
        owner_url=url_of(server, name, OWNER_ROLE), service_url=url_of(server, name, SERVICE_ROLE)
    )
    asyncio.run(drop_database(server, name))
    shutil.rmtree(os.environ.pop(RUN_HOME))


async def _make_record(server: str, name: str, events: int) -> None:
    await create_roles(server)
    await drop_database(server, name)
    await create_database(server, name, "template1")
    await migrate(url_of(server, name, OWNER_ROLE))
    db = await asyncpg.connect(url_of(server, name, OWNER_ROLE))
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        if (value := await db.fetchval(f"show {setting}")) != "on":
            raise SystemExit(f"{setting} is {value}: the figures would mean nothing. Switch it on.")
    for start in range(0, events, 20_000):
        numbers = range(start, min(start + 20_000, events))
        await db.execute(
            "insert into record.event select $1, n, gen_random_uuid(), $2, 1, 'ana', now(),"
            " now(), gen_random_uuid(), sha256(n::text::bytea), array[a, p, g], $3, $4, null,"
            " sha256('salt'), $9"
            " from unnest($5::int[], $6::text[], $7::text[], $8::text[]) as t (n, a, p, g)",
            STUDY, TYPE, ENVELOPE, PAYLOAD, [n + 1 for n in numbers],
            *zip(*(tags_of(n) for n in numbers), strict=True), LEAF,
        )  # fmt: skip
        tagged = [(tag_hash(tag), n + 1) for n in numbers for tag in (*tags_of(n), type_tag(TYPE))]
        await db.execute(
            "insert into record.event_tag"
            " select $1, record.hash_in($1, tag), n"
            " from unnest($2::bigint[], $3::bigint[]) as t (tag, n)",
            STUDY,
            *zip(*sorted(tagged), strict=True),
        )
    await db.execute("insert into record.study_head values ($1, $2, now())", STUDY, events)
    await db.execute("vacuum analyze")
    await db.close()


LEAF = b"x" * 420  # as long as those of such events are
ENVELOPE = b'{"role":"researcher","phase":"act","channel":"api","offset":60}'
PAYLOAD = b'{"action":"a-1","cycle":"c-1","summary":"' + b"x" * 120 + b'"}'


async def rate(seconds: float, callers: int, once: Callable[[int], Awaitable[object]]) -> float:
    """How many calls a second so many tasks complete."""
    clock = time.perf_counter
    began = clock()
    done = 0

    async def call(number: int) -> None:
        nonlocal done
        while clock() - began < seconds:
            await once(number)
            done += 1

    await asyncio.gather(*(call(number) for number in range(callers)))
    return done / (clock() - began)


def compare(
    title: str, rounds: Sequence[dict[str, float]], ours: str, goals: dict[str, float]
) -> None:
    """Print the median of each side, and of each round's ratio of ours to it, with its goal."""
    print(f"\n{title}")
    for side in rounds[0]:
        line = f"  {side:<44}{statistics.median(each[side] for each in rounds):>12,.1f}/s"
        if side != ours:
            ratio = statistics.median(each[ours] / each[side] for each in rounds)
            line += f"   ours is {ratio:6.2f} times"
            if side in goals:
                line += f" (goal {goals[side]:g}: {'met' if ratio >= goals[side] else 'NOT MET'})"
        print(line, flush=True)
