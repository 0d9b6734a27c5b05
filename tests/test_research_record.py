"""The research record: every command is decided once, whoever sends it and however often."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from domain.ballots import BallotCast, BallotMethod, BallotOpened, BallotOption, Choice, Electorate
from domain.commands import Refused
from domain.cycles import CycleOpened, OpenCycle
from domain.membership import MemberJoined, Role
from domain.people import EnrolParticipant, ParticipantEnrolled
from domain.studies import JoinMember
from domain.voting import CastBallot, OpenBallot
from domain.workshops import HoldWorkshop, WorkshopHeld
from service.appends import Appended, Items
from service.research_record import Answer, Crowded, Proposal, Recorded, ResearchRecord
from tests.conftest import Database
from tests.recording import (
    STUDY,
    beginning,
    draft,
    events_of,
    give_every_tag_one_hash,
    in_a_loop,
    proposal,
    recorders,
    withdrawal,
    workshop,
)


def codes(answer: Answer) -> list[str]:
    assert isinstance(answer, Refused), answer
    return [reason.code for reason in answer.reasons]


async def begin(record: ResearchRecord, *participants: str) -> int:
    """Begin the study; return how many events it then has."""
    answers = await record.submit_all(beginning(*participants))
    assert all(isinstance(answer, Recorded) for answer in answers), answers
    return len(answers)


@in_a_loop
async def test_a_command_sent_again_gets_its_first_answer_also_after_a_restart(
    database: Database,
) -> None:
    held = workshop("w-1", "p-1")
    async with ResearchRecord(database.store) as record:
        stood = await begin(record, "p-1")
        first = await record.submit(held)
        assert first.position == stood + 1
        await record.submit(withdrawal("p-1"))
        assert await record.submit(held) == first
    async with ResearchRecord(database.store) as another:
        assert await another.submit(held) == first
    assert len(await events_of(database.service_url, STUDY)) == stood + 2


@pytest.mark.parametrize("name", ["w-1", "w-2"], ids=["refused anyway", "allowed otherwise"])
@in_a_loop
async def test_the_same_id_with_other_content_is_refused(database: Database, name: str) -> None:
    command = uuid4()
    async with ResearchRecord(database.store) as record:
        stood = await begin(record, "p-1", "p-2")
        await record.submit(workshop("w-1", "p-1", command_id=command))
        [altered] = await record.submit_all([workshop(name, "p-2", command_id=command)])
        assert codes(altered) == ["command_altered"]
    assert len(await events_of(database.service_url, STUDY)) == stood + 1


@in_a_loop
async def test_copies_that_race_from_two_processes_get_one_answer(database: Database) -> None:
    async with (
        ResearchRecord(database.store) as one,
        ResearchRecord(database.store) as other,
    ):
        stood = await begin(one, "p-1")
        for n in range(25):
            held = workshop(f"w-{n}", "p-1")
            copies = (one.submit(held), other.submit(held), one.submit(held), other.submit(held))
            assert len({msgspec.json.encode(each) for each in await asyncio.gather(*copies)}) == 1
    assert len(await events_of(database.service_url, STUDY)) == stood + 25


@in_a_loop
async def test_two_clients_that_vote_the_same_ballot_at_once_cast_one_paper(
    database: Database,
) -> None:
    opened = BallotOpened(
        ballot="b-1", cycle="c-1", title="What first?", method=BallotMethod.APPROVAL,
        options=(BallotOption(option="a", title="A"), BallotOption(option="b", title="B")),
        electorate=Electorate.PUBLIC,
    )  # fmt: skip

    def paper(voter: int, option: str) -> Proposal:
        choices = (Choice(option=option),)
        return proposal(CastBallot, BallotCast(ballot="b-1", voter=f"v-{voter}", choices=choices))

    async with (
        ResearchRecord(database.store) as one,
        ResearchRecord(database.store) as other,
    ):
        stood = await begin(one)
        await one.submit(proposal(OpenBallot, opened))
        votes = [(one, paper(n, "a")) for n in range(30)] + [
            (other, paper(n, "b")) for n in range(30)
        ]
        answers = await asyncio.gather(*(record.submit_all([vote]) for record, vote in votes))
    for n in range(30):
        [a], [b] = answers[n], answers[n + 30]
        assert codes(b if isinstance(a, Recorded) else a) == ["already_voted"]
    assert len(await events_of(database.service_url, STUDY)) == stood + 1 + 30


@in_a_loop
async def test_a_batch_is_answered_command_by_command_and_later_ones_hear_earlier_ones(
    database: Database,
) -> None:
    twice = workshop("w-1", "p-1")
    batch = [
        twice,
        workshop("w-1", "p-2"),  # there is one of that name by now
        twice,
        workshop("w-1", "p-2", command_id=twice.occasion.command_id),
        withdrawal("p-2"),
        workshop("w-2", "p-2"),
        workshop("w-3", "p-1"),
    ]
    async with ResearchRecord(database.store) as record:
        stood = await begin(record, "p-1", "p-2")
        answers = await record.submit_all(batch)
        first, exists, again, altered, withdrawn, unconsented, last = answers
        assert first == again
        assert codes(exists) == ["workshop_exists"]
        assert codes(altered) == ["command_altered"]
        assert codes(unconsented) == ["consent_withdrawn"]
        positions = [each.position for each in answers if isinstance(each, Recorded)]
        assert positions == [stood + 1, stood + 1, stood + 2, stood + 3]
        repeated = await record.submit_all([*batch, workshop("w-4", "p-1")])
        assert [each for each in repeated if isinstance(each, Recorded)][:4] == [
            first, again, withdrawn, last,
        ]  # fmt: skip
    events = await events_of(database.service_url, STUDY)
    assert [event["type"] for event in events[stood:]] == [
        "WorkshopHeld", "ConsentWithdrawn", "WorkshopHeld", "WorkshopHeld",
    ]  # fmt: skip


@in_a_loop
async def test_personal_data_are_in_no_table_in_clear(database: Database) -> None:
    marker = "Zebedee"
    sent = [
        proposal(
            EnrolParticipant,
            ParticipantEnrolled(participant="p-1", group="A", name=marker, contact=marker),
            reason=f"met {marker} late",
        ),
        proposal(JoinMember, MemberJoined(member="bo", role=Role.RESEARCHER, name=f"{marker} Bo")),
    ]
    async with ResearchRecord(database.store) as record:
        await begin(record, "p-2")
        held = WorkshopHeld(
            workshop="w-1", cycle="c-1", participants=("p-2",), notes=marker, adjustments=marker
        )
        sent.append(proposal(HoldWorkshop, held, reason=marker))
        for answer in await record.submit_all(sent):
            assert isinstance(answer, Recorded), answer
    db = await asyncpg.connect(database.owner_url)
    try:
        tables = await db.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        )
        bytea = marker.encode().hex()
        holding = []
        for table in tables:
            rows = await db.fetch(f"select t::text as row from {table['name']} t")
            if any(marker in row["row"] or bytea in row["row"] for row in rows):
                holding.append(table["name"])
        parts = await db.fetch("select path, subjects from record.sealed_part order by 1, 2")
    finally:
        await db.close()
    assert holding == []
    assert [(part["path"], *part["subjects"]) for part in parts] == [
        ("adjustments", "participant:p-2"),
        ("contact", "participant:p-1"),
        ("name", "member:bo"),
        ("name", "participant:p-1"),
        ("notes", "participant:p-2"),
        ("reason", "member:ana"),
        ("reason", "member:ana"),
    ]


@in_a_loop
async def test_no_content_is_sampled_for_the_planner(database: Database) -> None:
    """What was sampled of what is sealed would outlive it; and nothing plans by the rest."""
    async with ResearchRecord(database.store) as record:
        await begin(record, *(f"p-{n}" for n in range(50)))
        named = ParticipantEnrolled(participant="p-x", name="Zebedee", contact="Zebedee")
        await record.submit(proposal(EnrolParticipant, named))
    db = await asyncpg.connect(database.owner_url)
    try:
        await db.execute("analyze")
        sampled = await db.fetch(
            "select tablename, attname from pg_stats where schemaname = 'record'"
        )
    finally:
        await db.close()
    columns = {tuple(each) for each in sampled}
    assert {("sealed_part", "path"), ("event", "type")} <= columns
    assert columns & {("sealed_part", "blob"), ("sealed_word", "word")} == set()
    assert columns & {("event", name) for name in ("envelope", "payload", "tags", "leaf")} == set()


@in_a_loop
async def test_a_command_that_is_always_overtaken_is_given_up_with_a_clear_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        ResearchRecord(database.store) as record,
        recorders(database.service_url) as [other],
    ):
        stood = await begin(record, "p-1")
        read, looks = record.recorder.read, 0

        async def read_and_be_overtaken(
            study: str, items: Items, after: int = 0
        ) -> tuple[list[asyncpg.Record], int]:
            nonlocal looks
            looks += 1
            found = await read(study, items, after)
            withdrawn = draft("ConsentWithdrawn", "participant:p-1", payload=b"{}")
            await other.append(study, [withdrawn])
            return [row for row in found[0] if row["payload"] != b"{}"], found[1]

        monkeypatch.setattr(record.recorder, "read", read_and_be_overtaken)
        with pytest.raises(Crowded, match="send it again"):
            await record.submit(workshop("w-1", "p-1"))
    events = await events_of(database.service_url, STUDY)
    assert "WorkshopHeld" not in [event["type"] for event in events]
    assert len(events) == stood + looks


@in_a_loop
async def test_commands_make_progress_although_all_tags_have_one_hash(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_every_tag_one_hash(monkeypatch)
    async with (
        ResearchRecord(database.store) as one,
        ResearchRecord(database.store) as other,
    ):
        await begin(one, "p-1")
        answers = await asyncio.gather(
            *(
                (one, other)[n % 2].submit(
                    proposal(OpenCycle, CycleOpened(cycle=f"c-{n}", title="Next", question="?"))
                )
                for n in range(2, 10)
            ),
            return_exceptions=True,
        )
        again = await one.submit_all([workshop("w-1", "p-1"), workshop("w-1", "p-1")])
    assert {type(answer) for answer in answers} <= {Recorded, Crowded}
    assert any(isinstance(answer, Recorded) for answer in answers)
    assert isinstance(again[0], Recorded)
    assert codes(again[1]) == ["workshop_exists"]


@in_a_loop
async def test_what_relies_on_an_earlier_command_of_its_batch_cites_where_that_stands(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's event comes between, just before the batch is appended."""
    async with (
        ResearchRecord(database.store) as record,
        recorders(database.service_url) as [other],
    ):
        opening = beginning("p-1")
        await record.submit_all(opening[:3])
        append = record.recorder.append

        def append_after_another(*args: Any, **options: Any) -> Any:
            async def go() -> Appended:
                await other.append(STUDY, [draft("Unrelated")])
                return await append(*args, **options)

            return go()

        monkeypatch.setattr(record.recorder, "append", append_after_another)
        held = workshop("w-1", "p-1")
        [*_, consent, first, again] = await record.submit_all(
            [*opening[3:], held, workshop("w-1", "p-1")]
        )
    assert isinstance(consent, Recorded)
    assert isinstance(first, Recorded)
    events = await events_of(database.service_url, STUDY)
    envelope = msgspec.json.decode(events[first.position - 1]["envelope"])
    assert envelope["consents"] == [consent.position]
    assert codes(again) == ["workshop_exists"]
    assert isinstance(again, Refused)
    assert again.reasons[0].decided_by == first.position
