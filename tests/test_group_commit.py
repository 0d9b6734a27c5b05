"""Group commit: many requests in one transaction, each of them answered by itself.

By one writer, whose batches hold whatever waits; of several, see test_writers.py.
"""

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from msgspec import structs

from service.appends import Appended, Conflict, Draft, Items, RecordUnavailable
from service.writer import BATCH, NO_CONNECTION, WORTH_HALVING
from tests.conftest import Database
from tests.recording import EVERYTHING, draft, events_of, held, in_a_loop, recorders, somebody_waits

FREE = "select study from record.study_head order by study for update skip locked"


@in_a_loop
async def test_a_request_that_meets_its_own_batch_is_decided_after_it(database: Database) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        for n in range(10):
            study, items = f"s-{n}", [(["Planned"], ["action:a"])]
            answers = await asyncio.gather(
                *(recorder.append(study, [draft("Planned", "action:a")], items) for _ in range(3)),
                recorder.append(study, [draft("Planned", "action:b")], items),
                recorder.append(study, [draft("Planned", "action:c")], EVERYTHING),
                return_exceptions=True,
            )
            assert [type(answer) for answer in answers] == [Appended] + [Conflict] * 4
            assert len(await events_of(database.service_url, study)) == 1


@in_a_loop
async def test_where_many_wait_half_of_them_is_written_while_the_others_are_answered(
    database: Database,
) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        for number, transactions in ((WORTH_HALVING - 1, 1), (2 * WORTH_HALVING, 2)):
            appends = [recorder.append(f"{number}", [draft()]) for _ in range(number)]
            answers = await asyncio.gather(*appends)
            assert [answer.position for answer in answers] == list(range(1, number + 1))
            assert len({answer.recorded_at for answer in answers}) == transactions


@in_a_loop
async def test_a_study_with_much_to_record_does_not_keep_another_waiting(
    database: Database,
) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        many = [recorder.append("much", [draft()]) for _ in range(3 * BATCH)]
        little = await recorder.append("little", [draft()])
        answers = await asyncio.gather(*many)
    assert sum(answer.recorded_at > little.recorded_at for answer in answers) > BATCH


@in_a_loop
async def test_a_command_is_recorded_once_also_within_a_batch(database: Database) -> None:
    command = uuid4()
    async with recorders(database.service_url, 2, writers=1) as both:
        appends = [both[n % 2].append("s", [draft(command=command)]) for n in range(6)]
        answers = await asyncio.gather(*appends, return_exceptions=True)
        elsewhere = await both[0].append("another", [draft(command=command)])
    assert sorted(type(answer).__name__ for answer in answers) == ["Appended"] + ["Repeated"] * 5
    assert elsewhere.position == 1


@pytest.mark.parametrize(
    ("faulty", "items", "error"),
    [
        (structs.replace(draft(), actor="an\0a"), (), asyncpg.PostgresError),  # PostgreSQL refuses
        (structs.replace(draft(), actor="\udc80"), (), asyncpg.DataError),  # we cannot even send it
        (draft(), [([], ["tag:\udc80"])], UnicodeEncodeError),
    ],
    ids=["NUL", "lone surrogate", "lone surrogate in a condition"],
)
@in_a_loop
async def test_a_request_that_is_at_fault_fails_alone(
    database: Database, faulty: Draft, items: Items, error: type[Exception]
) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        requests: list[tuple[list[Draft], Items]] = [([draft()], ()) for _ in range(20)]
        requests[7] = [draft(), faulty], items
        appends = [recorder.append("s", events, wanted) for events, wanted in requests]
        answers = await asyncio.gather(*appends, return_exceptions=True)
    failed = answers.pop(7)
    assert isinstance(failed, error)
    assert [answer.position for answer in answers if isinstance(answer, Appended)] == list(
        range(1, 20)
    )


@in_a_loop
async def test_what_waits_when_it_stops_is_appended_and_nothing_after(database: Database) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        appends = [recorder.append("s", [draft()]) for _ in range(700)]
        await recorder.stop()
        assert {append.result().position for append in appends} == set(range(1, 701))
        with pytest.raises(RecordUnavailable):
            recorder.append("s", [draft()])
    assert len(await events_of(database.service_url, "s")) == 700


@in_a_loop
async def test_a_caller_that_left_neither_stops_the_others_nor_is_missed(
    database: Database,
) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        appends = [recorder.append("s", [draft()]) for _ in range(3)]
        appends[1].cancel()
        assert (await appends[0], await appends[2])[1].position == 2


@in_a_loop
async def test_what_rests_on_what_another_connection_read_conflicts_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorders(database.service_url, writers=1) as [recorder]:
        appends = [
            recorder.append("s", [draft()], read_by=read_by)
            for read_by in (object(), recorder.connection("s"), NO_CONNECTION, None, object())
        ]
        writer = recorder._writer("s")
        connection = writer._connection

        async def left_meanwhile() -> asyncpg.Connection:
            appends[-1].cancel()
            return await connection()

        monkeypatch.setattr(writer, "_connection", left_meanwhile)
        answers = await asyncio.gather(*appends[:-1], return_exceptions=True)
        assert [type(each) for each in answers] == [Conflict, Appended, Conflict, Appended]
        assert len(await events_of(database.service_url, "s")) == 2


@in_a_loop
async def test_heads_are_locked_in_the_order_of_their_index_wherever_they_stand(
    database: Database,
) -> None:
    """So that none waits for another that waits for it: they were made in the opposite order."""
    names = [f"s-{n}" for n in range(1, 10)]
    async with recorders(database.service_url, writers=1) as [recorder]:
        for study in reversed(names):
            await recorder.append(study, [draft()])
        async with held(database, "s-5") as owner:
            waiting = asyncio.gather(*(recorder.append(study, [draft()]) for study in names))
            await somebody_waits(owner)
            free = await owner.fetch(FREE)
        await waiting
    assert [row["study"] for row in free] == ["s-5", "s-6", "s-7", "s-8", "s-9"]  # s-5 is its own


@in_a_loop
async def test_a_batch_with_a_study_that_has_no_head_is_refused_whole(database: Database) -> None:
    """As when an older backup was put in place under a running service."""
    async with recorders(database.service_url, writers=1) as [recorder]:
        await recorder.append("gone", [draft()])
        owner = await asyncpg.connect(database.owner_url)
        await owner.execute("truncate record.study_head, record.event, record.event_tag")
        await owner.close()
        there, gone = await asyncio.gather(
            recorder.append("there", [draft()]),
            recorder.append("gone", [draft()]),
            return_exceptions=True,
        )
    assert isinstance(there, Appended)
    assert there.position == 1
    assert isinstance(gone, asyncpg.NoDataFoundError)


@in_a_loop
async def test_a_refused_batch_leaves_no_gap(database: Database) -> None:
    """The head moves before the conditions are looked at, and back when one is not met."""
    async with recorders(database.service_url, writers=1) as [recorder]:
        first = await recorder.append("s", [draft("Planned", "action:a")])
        command = uuid4()
        await recorder.append("s", [draft(command=command)])
        answers = await asyncio.gather(
            recorder.append("s", [draft()] * 3, [(["Planned"], ["action:a"])]),
            recorder.append("other", [draft()] * 2),
            recorder.append("s", [draft(command=command)]),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Conflict", "Appended", "Repeated"]
        last = await recorder.append("s", [draft()])
        assert (first.position, last.position) == (1, 3)
        assert (await recorder.read("s", EVERYTHING))[1] == 3
        assert (await recorder.read("other", EVERYTHING))[1] == 2
