"""The record when processes and servers are killed: what was acknowledged stands, once."""

import asyncio
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.commands import Refused
from service.appends import Appended, RecordUnavailable, Repeated
from service.embedded_postgres import embedded_postgres
from service.recorder import Recorder
from service.research_record import Recorded, ResearchRecord
from tests.conftest import Database, store_of
from tests.own_server import kill_server, migrated, own_home
from tests.recording import (
    NOON,
    STUDY,
    beginning,
    draft,
    events_of,
    in_a_loop,
    recorders,
    withdrawal,
    workshop,
)

processes = multiprocessing.get_context("spawn")
ROUNDS = 40  # of a withdrawal racing a workshop


@pytest.fixture
def home() -> Iterator[Path]:
    with own_home() as folder:
        yield folder


def test_a_server_that_is_killed_in_the_middle_of_batches_loses_and_doubles_nothing(
    home: Path,
) -> None:
    """Two processes' worth of writers go on while the server is killed three times."""
    acknowledged: dict[UUID, int] = {}

    async def write_one(recorder: Recorder) -> None:
        command = uuid4()
        try:
            answer = await recorder.append("s", [draft("Noted", "a:1", command=command)])
            acknowledged[command] = answer.position
        except Repeated:  # it was committed as the connection was lost
            acknowledged[command] = 0

    async def write_on(recorder: Recorder, over: asyncio.Event) -> None:
        while not over.is_set():
            await write_one(recorder)

    async def go(url: str) -> None:
        over = asyncio.Event()
        async with recorders(url, 2) as both:
            writers = [asyncio.create_task(write_on(both[n % 2], over)) for n in range(40)]
            for _ in range(3):
                await asyncio.sleep(0.3 + random.random() * 0.5)
                kill_server(home)
                async with asyncio.timeout(60):
                    await write_one(both[0])
            over.set()
            await asyncio.gather(*writers)

    with embedded_postgres(home) as server:
        url = asyncio.run(migrated(server)).service_url
        asyncio.run(go(url))
        events = asyncio.run(events_of(url, "s"))
    on_record = {event["command_id"]: event["position"] for event in events}
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    assert on_record.keys() == acknowledged.keys()
    assert len(on_record) == len(events)
    for command, position in acknowledged.items():
        assert position in (0, on_record[command])


def test_without_a_database_an_append_waits_for_its_bound_and_not_longer(home: Path) -> None:
    async def go() -> None:
        with embedded_postgres(home) as server:
            url = (await migrated(server)).service_url
            recorder = Recorder(url, unavailable_after=0.5)
            await recorder.start()
            await recorder.append("s", [draft()])
        clock = asyncio.get_running_loop().time
        began = clock()
        lost = [recorder.append("s", [draft(command=uuid4())]) for _ in range(3)]
        for each in [*lost, recorder.read("s", [([], [])])]:
            with pytest.raises(RecordUnavailable):
                await each
        assert 0.5 <= clock() - began < 5
        with embedded_postgres(home):
            appended = await recorder.append("s", [draft(command=uuid4())])
            assert appended.position == 2
            assert len(await events_of(url, "s")) == 2
            await recorder.stop()

    asyncio.run(go())


def test_with_the_database_away_it_stops_at_once(home: Path) -> None:
    async def go() -> None:
        with embedded_postgres(home) as server:
            recorder = Recorder((await migrated(server)).service_url)
            await recorder.start()
            await recorder.append("s", [draft()])
        waiting = recorder.append("s", [draft(command=uuid4())])
        async with asyncio.timeout(5):
            await recorder.stop()
        with pytest.raises(RecordUnavailable):
            await waiting

    asyncio.run(go())


@in_a_loop
async def test_a_connection_lost_as_it_commits_is_settled_by_the_command_id(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did commit, and only the answer was lost; what is of no command is not sent again."""
    async with recorders(database.service_url) as [recorder]:
        await recorder.append("s", [draft()])
        fetch, lost = asyncpg.Connection.fetch, 0

        async def fetch_and_lose(self: Any, *args: Any, **options: Any) -> Any:
            nonlocal lost
            rows = await fetch(self, *args, **options)
            if lost == 0 and "record.append" in str(args[0]):
                lost += 1
                raise ConnectionResetError
            return rows

        monkeypatch.setattr(asyncpg.Connection, "fetch", fetch_and_lose)
        answers = await asyncio.gather(
            recorder.append("s", [draft(command=uuid4())]),
            recorder.append("s", [draft()]),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [Repeated, RecordUnavailable]
        assert isinstance(await recorder.append("s", [draft()]), Appended)
    assert len(await events_of(database.service_url, "s")) == 4


def test_killed_between_commit_and_answer_the_retry_gets_the_first_answer(
    database: Database,
) -> None:
    command = uuid4()
    held = workshop("w-1", "p-1", command_id=command)

    async def begin() -> int:
        async with ResearchRecord(database.store) as record:
            return len(await record.submit_all(beginning("p-1")))

    async def again() -> Recorded:
        async with ResearchRecord(database.store) as record:
            return await record.submit(held)

    stood = asyncio.run(begin())
    service = processes.Process(target=hold_and_die, args=(database.service_url, command))
    service.start()
    service.join(60)
    assert service.exitcode == -signal.SIGKILL
    events = asyncio.run(events_of(database.service_url, STUDY))
    assert len(events) == stood + 1
    answer = asyncio.run(again())
    assert (answer.position, answer.event_id) == (stood + 1, events[-1]["event_id"])
    assert len(asyncio.run(events_of(database.service_url, STUDY))) == stood + 1


def hold_and_die(url: str, command: UUID) -> None:
    """A service that is killed when its commit is durable, and before anybody is told."""

    async def serve() -> None:
        async with ResearchRecord(store_of(url)) as record:
            record.recorder.on_append(lambda: os.kill(os.getpid(), signal.SIGKILL))
            await record.submit(workshop("w-1", "p-1", command_id=command))

    asyncio.run(serve())


def test_no_capture_comes_after_a_withdrawal_that_it_did_not_see(database: Database) -> None:
    """A workshop in one process races the withdrawal in another, time and again."""
    everyone = [f"p-{n}" for n in range(ROUNDS)]

    async def begin() -> None:
        async with ResearchRecord(database.store) as record:
            for answer in await record.submit_all(beginning(*everyone)):
                assert isinstance(answer, Recorded)

    asyncio.run(begin())
    start = processes.Barrier(2)
    facilitator = processes.Process(
        target=hold_workshops, args=(database.service_url, everyone, start)
    )
    facilitator.start()
    withdraw_all(database.service_url, everyone, start)
    facilitator.join(60)
    assert facilitator.exitcode == 0
    events = asyncio.run(events_of(database.service_url, STUDY))
    withdrawn = {e["tags"][0]: e for e in events if e["type"] == "ConsentWithdrawn"}
    assert len(withdrawn) == ROUNDS, "a withdrawal never fails"
    for event in events:
        if event["type"] == "WorkshopHeld":
            [participant] = [tag for tag in event["tags"] if tag.startswith("participant:")]
            assert event["position"] < withdrawn[participant]["position"]
            assert event["occurred_at"] > withdrawn[participant]["occurred_at"]


def hold_workshops(url: str, participants: list[str], start: Barrier) -> None:
    async def hold() -> None:
        async with ResearchRecord(store_of(url)) as record:
            for n, participant in enumerate(participants):
                start.wait(60)
                await asyncio.sleep(random.random() * 0.004)
                after = NOON + timedelta(minutes=1)
                [answer] = await record.submit_all([workshop(f"w-{n}", participant, at=after)])
                if isinstance(answer, Refused):
                    assert [r.code for r in answer.reasons] == ["consent_withdrawn"]

    asyncio.run(hold())


def withdraw_all(url: str, participants: list[str], start: Barrier) -> None:
    async def withdraw() -> None:
        async with ResearchRecord(store_of(url)) as record:
            for participant in participants:
                start.wait(60)
                await asyncio.sleep(random.random() * 0.004)
                await record.submit(withdrawal(participant))

    asyncio.run(withdraw())
