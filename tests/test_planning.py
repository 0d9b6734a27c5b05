"""Actions are planned on what the community has, with an owner, and the plan is agreed."""

from datetime import date

from msgspec import structs

from domain.ballots import BallotMethod, BallotOpened, BallotOption, Electorate
from domain.cycles import CycleClosed, CycleOpened
from domain.membership import MemberJoined, MemberLeft, Role
from domain.people import ParticipantEnrolled, StakeholderEngaged, StakeholderKind
from domain.planning import (
    ActionOwner,
    ActionPlanned,
    PlanAction,
    PlannedIndicator,
    PlanRatified,
    Ratification,
    RatifyPlan,
)
from domain.priorities import PrioritiesMerged, PriorityProposed
from domain.reconnaissance import AssetKind, AssetMapped
from domain.vocabulary import ResearchEvent
from tests.story import given

ready: list[ResearchEvent] = [
    ParticipantEnrolled(participant="p-1"),
    StakeholderEngaged(
        stakeholder="library", kind=StakeholderKind.LOCAL_AUTHORITY, title="The library"
    ),
    AssetMapped(asset="a-1", kind=AssetKind.PLACES, title="The empty shop"),
    CycleOpened(cycle="c-1", title="First turn", question="What matters here?"),
    PriorityProposed(priority="cafe", cycle="c-1", title="A café"),
]
opening = ActionPlanned(
    action="act-1",
    cycle="c-1",
    title="Open the café on Mondays",
    owner=ActionOwner(participant="p-1"),
    priority="cafe",
    assets=("a-1",),
    if_then_because="If we cook together, then fewer eat alone, because it starts talk.",
    indicators=(PlannedIndicator(indicator="i-1", title="Guests a week", baseline=0, target=30),),
    due=date(2027, 3, 1),
)
by_the_library = structs.replace(opening, action="act-2", owner=ActionOwner(stakeholder="library"))
ballot = BallotOpened(
    ballot="b-1",
    cycle="c-1",
    title="Is this our plan?",
    method=BallotMethod.APPROVAL,
    options=(BallotOption(option="yes", title="Yes"), BallotOption(option="no", title="No")),
    electorate=Electorate.PUBLIC,
)
ratified = PlanRatified(
    cycle="c-1",
    actions=("act-1",),
    how=Ratification.MAJORITY,
    participants=("p-1",),
    ballot="b-1",
)


def test_an_action_is_planned() -> None:
    given(*ready).when(PlanAction, opening).then(opening)


def test_a_stakeholder_or_a_member_may_own_an_action() -> None:
    given(*ready).when(PlanAction, by_the_library).then(by_the_library)
    anas = structs.replace(opening, owner=ActionOwner(member="ana"))
    given(*ready).when(PlanAction, anas).then(anas)


def test_an_action_has_one_owner() -> None:
    nobodys = structs.replace(opening, owner=ActionOwner())
    given(*ready).when(PlanAction, nobodys).then_refused("owner_needed")
    two = structs.replace(opening, owner=ActionOwner(member="ana", participant="p-1"))
    given(*ready).when(PlanAction, two).then_refused("owner_needed")


def test_an_owner_is_somebody_in_the_study() -> None:
    given(*ready[2:]).when(PlanAction, opening).then_refused("participant_unknown")
    given(*ready[2:]).when(PlanAction, by_the_library).then_refused("stakeholder_unknown")
    bens = structs.replace(opening, owner=ActionOwner(member="ben"))
    given(*ready).when(PlanAction, bens).then_refused("member_unknown")
    left = [MemberJoined(member="ben", role=Role.RESEARCHER), MemberLeft(member="ben")]
    given(*ready, *left).when(PlanAction, bens).then_refused("member_unknown")


def test_an_action_is_planned_once() -> None:
    given(*ready, opening).when(PlanAction, opening).then_refused("action_exists")


def test_an_action_builds_on_what_is_on_record() -> None:
    given(ready[0]).when(PlanAction, opening).then_refused(
        "cycle_not_open", "priority_unknown", "asset_unknown"
    )


def test_an_action_serves_a_priority_that_stands() -> None:
    kitchen = PriorityProposed(priority="kitchen", cycle="c-1", title="A shared kitchen")
    merged = PrioritiesMerged(priority="kitchen", cycle="c-1", merged=("cafe",))
    story = given(*ready, kitchen, merged).when(PlanAction, opening)
    story.then_refused("priority_merged")


def test_an_indicator_is_named_once() -> None:
    twice = structs.replace(opening, indicators=opening.indicators * 2)
    given(*ready).when(PlanAction, twice).then_refused("indicator_twice")


def test_a_plan_is_ratified() -> None:
    given(*ready, opening, ballot).when(RatifyPlan, ratified).then(ratified)


def test_a_plan_is_of_actions_in_its_own_cycle() -> None:
    given(*ready, ballot).when(RatifyPlan, ratified).then_refused("action_unknown")
    elsewhere = CycleOpened(cycle="c-2", title="Second turn", question="And now?")
    moved = structs.replace(ratified, cycle="c-2")
    story = given(*ready, opening, ballot, elsewhere).when(RatifyPlan, moved)
    story.then_refused("action_unknown")


def test_a_plan_names_each_action_once() -> None:
    twice = structs.replace(ratified, actions=("act-1", "act-1"))
    given(*ready, opening, ballot).when(RatifyPlan, twice).then_refused("action_twice")


def test_a_plan_is_ratified_in_an_open_cycle_by_people_and_ballots_on_record() -> None:
    history = [*ready[1:], opening, CycleClosed(cycle="c-1")]
    given(*history).when(RatifyPlan, ratified).then_refused(
        "cycle_not_open", "participant_unknown", "ballot_unknown"
    )
