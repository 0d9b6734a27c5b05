"""The service as it runs: followed live, waited for, cut off, faulty in part, and stopped."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from domain.vocabulary import Entry
from projections.following import registers
from projections.writing import Writes
from service.bell import CHANNEL, Bell
from service.embedded_postgres import embedded_postgres
from service.graphql_types import global_id
from service.settings import Settings
from service.store import store
from tests.conftest import Database
from tests.own_server import kill_server, migrated, own_home
from tests.processes import ROOT, parcycle, service_process, started
from tests.recording import events_of, in_a_loop
from tests.serving import Person, Service, prepare, serving, whole_cycle

PREPARED = 7  # events
PATIENCE = 60  # seconds, on a machine that is busy with other tests
EVENTS = 'subscription($after: Int) { events(study: "maize", after: $after) { position type } }'
PROGRESS = """subscription {
    cycleProgress(study: "maize", cycle: "c-1") { workshops actionsOpen closedAt }
}"""


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        prepare(running.as_("ana"))
        yield running


def enrol(person: Person, number: int) -> int:
    return person.record("enrolParticipant", "2026-02-01T10:00Z", participant=f"n-{number}")


def hold(person: Person, name: str) -> int:
    return person.record("holdWorkshop", "2026-02-10T10:00Z", workshop=name, cycle="c-1",
                         participants=["p-1"])  # fmt: skip


def types_on_record(database: Database) -> list[str]:
    return [each["type"] for each in asyncio.run(events_of(database.service_url, "maize"))]


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up, "it did not come to hold"
        time.sleep(0.05)


def test_a_subscription_goes_on_where_it_was_cut_off(service: Service) -> None:
    """However often it is, while others record: nothing is left out and nothing comes twice."""
    head, heard = PREPARED + 60, [0]
    with ThreadPoolExecutor(3) as others:
        for writer in range(3):
            person = service.as_("ana")
            others.submit(
                lambda n, who: [enrol(who, 20 * n + i) for i in range(20)], writer, person
            )
        while heard[-1] < head:
            breaks_after = random.randint(1, 12)
            with closing(service.as_("ana").follow(EVENTS, after=heard[-1])) as events:
                for event in events:
                    heard.append(event["events"]["position"])
                    breaks_after -= 1
                    if not breaks_after or heard[-1] == head:
                        break
    assert heard == list(range(head + 1))


def test_progress_is_told_again_whenever_it_has_changed(service: Service) -> None:
    ana = service.as_("ana")
    with closing(service.as_("ana").follow(PROGRESS)) as progress:
        told = (each["cycleProgress"] for each in progress)
        assert next(told) == {"workshops": 0, "actionsOpen": 0, "closedAt": None}
        hold(ana, "w-1")
        assert next(told)["workshops"] == 1
        ana.record("planAction", "2026-02-11T10:00Z", action="well", cycle="c-1", title="A well",
                   owner={"member": "ana"})  # fmt: skip
        assert next(told) == {"workshops": 1, "actionsOpen": 1, "closedAt": None}
        enrol(ana, 1)  # changes nothing of the cycle, and nothing is told
        ana.record("closeCycle", "2026-02-12T10:00Z", cycle="c-1")
        assert next(told)["closedAt"] == "2026-02-12T10:00:00+00:00"


WORKSHOPS = """query($at: Int) {
    study(id: "maize", atLeast: $at) { workshops { nodes { workshop } } }
}"""


BESIDE_OTHERS = """query($at: Int) {
    study(id: "maize", atLeast: $at) { workshops { nodes { workshop } } }
    a: study(id: "maize") { title } b: study(id: "maize") { title } c: study(id: "maize") { title }
}"""
NODE = global_id("Workshop", "maize", "w-1")
A_NODE = f'query($at: Int) {{ node(id: "{NODE}", atLeast: $at) {{ id }} }}'


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (WORKSHOPS, {"study": {"workshops": {"nodes": [{"workshop": "w-1"}]}}}),
        (A_NODE, {"node": {"id": NODE}}),
    ],
    ids=["in a list", "by itself"],
)
def test_what_is_not_there_yet_is_waited_for(
    service: Service, query: str, answer: dict[str, Any]
) -> None:
    ana, ben = service.as_("ana"), service.as_("ana")
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(ben.ask, query, at=PREPARED + 1)
        time.sleep(0.3)
        assert not asked.done()
        hold(ana, "w-1")
        assert asked.result(PATIENCE) == answer


def test_what_does_not_come_is_not_waited_for_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = service.as_("ana")
    ana.ask(WORKSHOPS, at=PREPARED)
    monkeypatch.setattr("service.asking.WAIT_AT_MOST", 0.2)
    answer = ana.post(WORKSHOPS, at=999).json()
    assert answer["data"] == {"study": None}
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "NOT_THERE_YET"
    assert f"has reached position {PREPARED} of maize, not 999" in error["message"]


def test_a_register_at_fault_stops_alone_says_where_and_goes_on_once_mended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = registers()["workshop_register"], True

    def project(event: Any, entry: Entry, write: Writes) -> None:
        if broken and entry.type == "WorkshopHeld" and event.workshop == "w-2":
            raise KeyError("Ana Pereira, 0151 496 0000")
        whole.project(event, entry, write)

    monkeypatch.setitem(registers(), whole.name, replace(whole, project=project))
    monkeypatch.setattr("projections.following.TRY_AGAIN", 0.1)
    monkeypatch.setattr("service.asking.WAIT_AT_MOST", PATIENCE)
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        assert ana.http.get("/health/ready").status_code == 200
        first, last = hold(ana, "w-1"), [hold(ana, f"w-{n}") for n in (2, 3)][-1]
        until(lambda: ana.http.get("/health/ready").status_code == 503)
        state = ana.http.get("/health/ready").json()
        assert state["stopped"] == [
            {"register": "workshop_register", "study": "maize", "position": first + 1}
        ]
        cycle = 'query($at: Int) { cycle(study: "maize", id: "c-1", atLeast: $at) { workshops } }'
        assert ana.ask(cycle, at=last) == {"cycle": {"workshops": 3}}  # the others went on
        assert ana.ask(WORKSHOPS, at=first)["study"]["workshops"]["nodes"] == [{"workshop": "w-1"}]
        with monkeypatch.context() as impatient:
            impatient.setattr("service.asking.WAIT_AT_MOST", 0.2)
            behind = [ana.post(each, at=last).json() for each in (WORKSHOPS, *[BESIDE_OTHERS] * 4)]
        for answer in behind:
            (error,) = answer["errors"]
            assert error["message"].startswith(f"workshop_register has reached position {first} ")

        broken = False
        until(lambda: ana.http.get("/health/ready").status_code == 200)
        nodes = ana.ask(WORKSHOPS, at=last)["study"]["workshops"]["nodes"]
        assert sorted(node["workshop"] for node in nodes) == ["w-1", "w-2", "w-3"]


def test_the_database_goes_and_comes_back_and_nothing_is_lost() -> None:
    """Commands wait or are told UNAVAILABLE, and are sent again; the registers and feeds go on."""
    acknowledged: dict[str, int] = {}
    over = False

    def enrol_on(person: Person, writer: int) -> None:
        number = 0
        while not over:
            number += 1
            command = {"participant": f"n-{writer}-{number}", "commandId": str(uuid4())}
            while command["participant"] not in acknowledged:
                given = {"study": "maize", "occurredAt": "2026-02-01T10:00Z", **command}
                answer = person.post(ENROL, i=given).json()
                if "errors" in answer:
                    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
                    continue
                acknowledged[command["participant"]] = answer["data"]["answer"]["position"]

    with own_home() as home, embedded_postgres(home) as server:
        database = asyncio.run(migrated(server))
        with serving(database) as service:
            ana = service.as_("ana")
            prepare(ana)
            with ThreadPoolExecutor(4) as others:
                writing = [others.submit(enrol_on, service.as_("ana"), n) for n in range(4)]
                try:
                    for _ in range(2):
                        time.sleep(0.5)
                        before = len(acknowledged)
                        kill_server(home)
                        until(lambda: len(acknowledged) > before + 8)  # noqa: B023 (called at once)
                finally:
                    over = True
            for each in writing:
                each.result()
            last = max(acknowledged.values())
            until(lambda: ana.http.get("/health/ready").status_code == 200)
            assert ana.http.get("/health/ready").json()["stopped"] == []
            query = """query($at: Int) {
                study(id: "maize", atLeast: $at) { participants { totalCount } } }"""
            count = ana.ask(query, at=last)["study"]["participants"]["totalCount"]
            assert count == len(acknowledged) + 2
            with closing(ana.follow(EVENTS, after=PREPARED)) as events:
                heard = [next(events)["events"]["position"] for _ in acknowledged]
        on_record = types_on_record(database)
    assert sorted(acknowledged.values()) == heard == list(range(PREPARED + 1, last + 1))
    assert set(on_record[last:]) == {"IdentifiableDataRead"}  # that ana followed the record


ENROL = """mutation($i: EnrolParticipantInput!) { answer: enrolParticipant(input: $i) {
    ... on Recorded { position } ... on Refused { reasons { code } } } }"""


@in_a_loop
async def test_the_bell_is_heard_again_after_its_connection_was_lost(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.bell.POLL", 60)
    monkeypatch.setattr("service.bell.AGAIN", 0.05)
    owner = await asyncpg.connect(database.owner_url)
    bell = Bell()
    await bell.start(database.service_url)
    try:
        with bell.listening() as rung:
            for _ in range(2):
                async with asyncio.timeout(10):
                    await rung()  # it is listening
                    await owner.execute(f"notify {CHANNEL}")
                    await rung()
                    await owner.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where datname = current_database()"  # other tests listen in theirs
                        f" and query ilike 'listen%{CHANNEL}%'"
                    )
    finally:
        await bell.stop()
        await owner.close()


def test_what_one_process_records_is_heard_from_another(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told at once: here nobody looks of their own accord for as long as the test lasts."""
    monkeypatch.setattr("service.bell.POLL", 600)
    with serving(database) as here:
        prepare(here.as_("ana"))
        with (
            service_process(database, tmp_path, here.issuer) as (there, _),
            closing(here.as_("ana").follow(EVENTS, after=PREPARED - 1)) as events,
        ):
            assert next(events)["events"]["position"] == PREPARED
            ana = there.as_("ana")
            for n in range(5):
                position, heard = enrol(ana, n), PREPARED
                while heard < position:  # that ana follows the record is an event besides
                    heard = next(events)["events"]["position"]
                assert heard == position


def test_the_service_stops_in_order_when_it_is_told_to(database: Database, tmp_path: Path) -> None:
    with service_process(database, tmp_path) as (service, running):
        ana = service.as_("ana")
        prepare(ana)
        last = whole_cycle(ana)
        with closing(ana.follow(EVENTS, after=0)) as events:
            assert next(events)["events"]["position"] == 1
            assert running.stop(signal.SIGTERM, within=PATIENCE) in (0, 143)
    kept = types_on_record(database)
    assert kept[last - 1] == "CycleClosed"
    assert set(kept[last:]) == {"IdentifiableDataRead"}  # what was only noted is put on record


TOLD_TO_STOP_AS_IT_STARTS = """
import asyncio, signal
from contextlib import asynccontextmanager
from litestar import Litestar
from service.serving import listening, serve

@asynccontextmanager
async def lifespan(app):
    signal.raise_signal(signal.SIGINT)
    yield
    print("let go of everything")

async def say(at):
    print("serves")

asyncio.run(serve(Litestar([], lifespan=[lifespan]), listening("127.0.0.1", 0), say))
"""


def test_the_service_stops_in_order_while_it_still_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOLD_TO_STOP_AS_IT_STARTS],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stdout == "let go of everything\n"
    assert done.returncode == -signal.SIGINT


def test_the_demo_stops_its_database_when_it_is_told_to() -> None:
    with own_home() as home:
        home.chmod(0o755)  # as root, the server runs as another account
        with started("demo", "--port", 0, PARCYCLE_HOME=str(home)) as running:
            running.said("/sign-in/")
            assert list(home.glob("**/postmaster.pid"))
            assert running.stop(signal.SIGTERM, within=PATIENCE) in (0, 143)
        assert not list(home.glob("**/postmaster.pid"))  # the server's last act


def test_a_demo_of_an_earlier_version_is_told_how_to_begin_anew() -> None:
    with own_home() as home:
        home.chmod(0o755)
        demo = home / "demo"
        with store(Settings(home=demo, DATABASE_URL=None)) as kept:
            asyncio.run(as_of_an_earlier_version(kept.owner_url))
        done = parcycle("demo", "--port", 0, PARCYCLE_HOME=str(home))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"The demo's study is made up: remove {demo}, and it is made anew."
    )


async def as_of_an_earlier_version(owner_url: str | None) -> None:
    owner = await asyncpg.connect(owner_url)
    await owner.execute("delete from schema_migrations")
    await owner.close()
