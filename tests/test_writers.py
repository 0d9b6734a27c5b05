"""The writers of a process: each has its studies, and none keeps another waiting."""

import asyncio
import random

import asyncpg

from service.appends import Appended, Conflict
from service.recorder import Recorder
from service.writer import WORTH_HALVING
from tests.conftest import Database
from tests.recording import draft, events_of, held, in_a_loop, recorders, somebody_waits

END = "select pg_terminate_backend($1, 5000)"


@in_a_loop
async def test_a_study_that_somebody_holds_keeps_only_its_own_writer_waiting(
    database: Database,
) -> None:
    async with recorders(database.service_url) as [recorder]:
        await two_studies(recorder)
        async with held(database, "a") as owner:
            waiting = recorder.append("a", [draft()])
            await somebody_waits(owner)
            assert (await recorder.append("b", [draft()])).position == 2
            assert not waiting.done()
        assert (await waiting).position == 2


@in_a_loop
async def test_what_waits_is_written_whole_while_another_writer_keeps_postgresql_busy(
    database: Database,
) -> None:
    """There is no need of halves then: something is written while the answered go on."""
    async with recorders(database.service_url) as [recorder]:
        await two_studies(recorder)
        for by_the_other, transactions in ((WORTH_HALVING, 1), (WORTH_HALVING // 2 - 1, 2)):
            async with held(database, "a") as owner:
                waiting = [recorder.append("a", [draft()]) for _ in range(by_the_other)]
                await somebody_waits(owner)
                appends = [recorder.append("b", [draft()]) for _ in range(WORTH_HALVING)]
                answers = await asyncio.gather(*appends)
            assert len({answer.recorded_at for answer in answers}) == transactions
            await asyncio.gather(*waiting)


@in_a_loop
async def test_a_connection_that_is_lost_is_that_of_its_own_studies(database: Database) -> None:
    db = await asyncpg.connect(database.service_url)
    async with recorders(database.service_url) as [recorder]:
        await two_studies(recorder)
        read_by = {study: recorder.connection(study) for study in "ab"}
        lost = read_by["a"]
        assert isinstance(lost, asyncpg.Connection)
        await db.execute(END, lost.get_server_pid())
        appends = [recorder.append(study, [draft()], read_by=read_by[study]) for study in "ab"]
        answers = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Conflict, Appended]
        assert recorder.connection("b") is read_by["b"]
        again = await recorder.append("a", [draft()], read_by=recorder.connection("a"))
        assert again.position == 2
    await db.close()


@in_a_loop
async def test_what_waits_for_any_of_them_is_appended_before_it_stops(database: Database) -> None:
    async with recorders(database.service_url) as [recorder]:
        appends = [recorder.append(f"s-{n % 5}", [draft()]) for n in range(700)]
        await recorder.stop()
        assert sorted(each.result().position for each in appends) == sorted([*range(1, 141)] * 5)


@in_a_loop
async def test_processes_that_write_many_studies_at_once_never_lock_one_another_out(
    database: Database,
) -> None:
    async def write(recorder: Recorder, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(25):
            studies = [f"s-{n}" for n in dice.sample(range(12), 6)]  # in any order
            await asyncio.gather(*(recorder.append(study, [draft()]) for study in studies))

    async with recorders(database.service_url, 3) as three:
        async with asyncio.timeout(60):
            await asyncio.gather(*(write(three[n % 3], n) for n in range(12)))
    found = [len(await events_of(database.service_url, f"s-{n}")) for n in range(12)]
    assert sum(found) == 12 * 25 * 6


async def two_studies(recorder: Recorder) -> None:
    """Each has an event, and a writer of its own."""
    for study in "ab":
        await recorder.append(study, [draft()])
