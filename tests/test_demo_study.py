"""The demo study loads like any other study, and shows a newcomer all there is to see."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import pytest

from domain.ballots import BallotOpened
from domain.commands import given_fields, read_given
from domain.consent import ConsentDeclined
from domain.cycles import CycleClosed, CycleOpened, Edge
from domain.fieldwork import FocusGroupHeld
from domain.membership import MemberJoined, MemberLeft, Role, StudyOpened
from domain.people import ParticipantEnrolled
from domain.priorities import PriorityAdopted
from domain.vocabulary import Phase, ResearchEvent, event_types
from domain.withdrawal import ConsentWithdrawn
from domain.workshops import WorkshopHeld
from service.demo.telling import london
from service.demo_study import MEMBERS, STUDY, DemoRefused, demo_proposals, load_demo
from service.research_record import Proposal, ResearchRecord
from tests.conftest import Database
from tests.recording import events_of, in_a_loop

E = TypeVar("E", bound=ResearchEvent)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# What the demo study does without: the service itself records who reads, and its end is not near.
NOT_TOLD = {"IdentifiableDataRead", "StudyEndDeclared"}


@pytest.fixture(scope="module")
def told() -> list[Proposal]:
    return demo_proposals(NOW)


@in_a_loop
async def test_it_loads_with_nothing_refused_and_a_second_start_adds_nothing(
    database: Database,
) -> None:
    reports: list[tuple[int, int]] = []
    async with ResearchRecord(database.store) as record:
        loaded = await load_demo(record, lambda done, of: reports.append((done, of)))
        first = await events_of(database.service_url, STUDY)
        again = await load_demo(record, lambda done, of: None)
        second = await events_of(database.service_url, STUDY)
    assert loaded == again == len(first)
    assert 300 <= loaded <= 520
    assert [row["event_id"] for row in first] == [row["event_id"] for row in second]
    assert reports[-1] == (loaded, loaded)
    chosen = {
        payload["priority"]: payload.get("chosen_by_vote", False)
        for row in first
        if row["type"] == "PriorityAdopted"
        for payload in [msgspec.json.decode(row["payload"])]
    }
    assert chosen.pop("quiet-room") is False  # adopted in spite of the vote, with the reason
    assert len(chosen) == 6
    assert all(chosen.values())
    corrections = [row for row in first if row["type"] == "Corrected"]
    for row in corrections:
        said = msgspec.json.decode(row["payload"])
        assert first[said["corrects"] - 1]["type"] == said["event_type"]


@in_a_loop
async def test_a_start_that_was_interrupted_is_completed_by_the_next(database: Database) -> None:
    async with ResearchRecord(database.store) as record:
        await record.submit_all(demo_proposals(datetime.now(UTC))[:70])
        loaded = await load_demo(record, lambda done, of: None)
    assert len(await events_of(database.service_url, STUDY)) == loaded


@in_a_loop
async def test_another_study_in_its_place_is_refused_with_the_reason(database: Database) -> None:
    first, *_ = demo_proposals(datetime.now(UTC))
    assert isinstance(first.event, StudyOpened)
    other = msgspec.structs.replace(
        first, event=msgspec.structs.replace(first.event, title="Somebody else's")
    )
    async with ResearchRecord(database.store) as record:
        await record.submit(other)
        with pytest.raises(DemoRefused, match=r"StudyOpened by ada on 03 September 2024.*empty"):
            await load_demo(record, lambda done, of: None)


def test_it_is_the_same_each_time(told: list[Proposal]) -> None:
    again = demo_proposals(NOW + timedelta(days=1))
    ids = [proposal.occasion.command_id for proposal in told]
    assert [proposal.occasion.command_id for proposal in again] == ids
    assert [proposal.event for proposal in again] == [proposal.event for proposal in told]
    assert len(set(ids)) == len(ids)


def test_what_has_not_happened_yet_is_left_out(told: list[Proposal]) -> None:
    spring = datetime(2025, 4, 1, tzinfo=UTC)
    earlier = demo_proposals(spring)
    assert [p.event for p in earlier] == [p.event for p in told[: len(earlier)]]
    assert all(p.occasion.occurred_at <= spring for p in earlier)


def test_every_event_could_have_been_sent_by_a_client(told: list[Proposal]) -> None:
    for proposal in told:
        fields = given_fields(type(proposal.event))
        sent = msgspec.to_builtins(proposal.event)
        given = {name: value for name, value in sent.items() if name in fields}
        assert read_given(type(proposal.event), given) == proposal.event


def test_it_shows_everything_that_can_be_on_record(told: list[Proposal]) -> None:
    types = Counter(proposal.event.TOPIC for proposal in told)
    ours = {each.TOPIC for each in event_types() if each.__module__.startswith("domain.")}
    assert ours - types.keys() == NOT_TOLD
    phases = {proposal.occasion.phase or proposal.event.PHASE for proposal in told}
    assert phases == set(Phase)


def test_it_has_three_cycles_of_which_the_third_follows_from_both_others(
    told: list[Proposal],
) -> None:
    opened = events(told, CycleOpened)
    assert [cycle.cycle for cycle in opened] == ["evenings", "waiting", "co-op"]
    assert [p.edge for p in opened[1].parents] == [Edge.SPAWNED_FROM]
    assert {p.cycle for p in opened[2].parents} == {"evenings", "waiting"}
    assert [cycle.cycle for cycle in events(told, CycleClosed)] == ["evenings", "waiting"]
    assert {ballot.method.value for ballot in events(told, BallotOpened)} == {
        "approval", "cumulative", "ranking",
    }  # fmt: skip
    assert [p.priority for p in events(told, PriorityAdopted) if p.override_reason] == [
        "quiet-room"
    ]


def test_its_members_hold_the_roles_they_are_presented_in(told: list[Proposal]) -> None:
    held = {"ada": Role.LEAD_RESEARCHER}
    held |= {joined.member: joined.role for joined in events(told, MemberJoined)}
    for left in events(told, MemberLeft):
        del held[left.member]
    assert {member: role for member, role, _ in MEMBERS} == held
    assert MEMBERS[0][0] == "ada"
    assert set(held.values()) == set(Role)
    recorders = {proposal.occasion.actor for proposal in told}
    assert recorders >= held.keys() - {"vera"}  # a viewer only reads


def test_its_people_are_made_up_and_say_so(told: list[Proposal]) -> None:
    (study,) = events(told, StudyOpened)
    assert study.made_up
    assert "invented" in study.setting
    enrolled = events(told, ParticipantEnrolled)
    assert 30 <= len(enrolled) <= 40
    assert len({each.group for each in enrolled}) == 5
    assert all((each.name or "").endswith(" Makebelieve") for each in enrolled)
    assert len(events(told, ConsentDeclined)) > 5
    assert len(events(told, ConsentWithdrawn)) > 3
    text = re.sub(r'"[0-9a-f]{64}"', "", "\n".join(as_json(p.event) for p in told))
    assert not re.search(r"\S@\S", text), "an e-mail address"
    assert not re.search(r"\+?\d(?:[ ()-]?\d){7,}", re.sub(r"\d{4}-\d\d-\d\d", "", text))


def test_its_days_are_those_of_people_with_work_and_children(told: list[Proposal]) -> None:
    gatherings = [p for p in told if isinstance(p.event, WorkshopHeld | FocusGroupHeld)]
    assert all(p.occasion.occurred_at.weekday() < 5 for p in gatherings)
    evening = [p for p in gatherings if p.occasion.occurred_at.hour >= 17]
    assert len(evening) > len(gatherings) / 2
    late = [p for p in told if p.occasion.reason and isinstance(p.event, WorkshopHeld)]
    assert late, "at least one workshop is entered late, and says why"


def test_the_clocks_go_back_at_the_end_of_october() -> None:
    offsets = {
        when: london(when).utcoffset() == timedelta(hours=1)
        for when in ("2025-03-30 00:59", "2025-03-30 02:00", "2025-10-26 00:30", "2025-10-26 02:00")
    }
    assert list(offsets.values()) == [False, True, True, False]


def events(told: list[Proposal], kind: type[E]) -> list[E]:
    return [proposal.event for proposal in told if isinstance(proposal.event, kind)]


def as_json(event: ResearchEvent) -> str:
    return msgspec.json.encode(event).decode()
