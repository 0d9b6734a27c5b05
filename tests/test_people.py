"""People come in under pseudonyms, agree how to work together, and say who holds the power."""

from domain.cycles import CycleOpened
from domain.membership import MemberJoined, Role
from domain.people import (
    LEVELS,
    AgreeGroundRules,
    EngageStakeholder,
    EnrolParticipant,
    GroundRulesAgreed,
    ParticipantEnrolled,
    PowerLevel,
    PowerRated,
    PowerScale,
    RatePower,
    StakeholderEngaged,
    StakeholderKind,
)
from domain.vocabulary import ResearchEvent
from tests.story import given
from tests.study_in_the_field import opinion

joy = ParticipantEnrolled(participant="p-1", group="A", name="Joy")
ben = ParticipantEnrolled(participant="p-2", group="B")
joys_account = MemberJoined(member="joy", role=Role.PARTICIPANT, participant="p-1")
cycle = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
housing = StakeholderEngaged(
    stakeholder="housing",
    kind=StakeholderKind.CHARITY,
    title="The housing association",
    interest="Owns the empty shop",
)
rules = GroundRulesAgreed(rules=("One at a time",), participants=("p-1", "p-2"))
rated = PowerRated(
    cycle="c-1",
    scale=PowerScale.ARNSTEIN,
    level=PowerLevel.PARTNERSHIP,
    rater_role=Role.PARTICIPANT,
    participant="p-1",
)
ready: list[ResearchEvent] = [joy, ben, joys_account, cycle]


def test_somebody_is_enrolled_once() -> None:
    given(opinion).when(EnrolParticipant, joy).then(joy)
    given(opinion, joy).when(EnrolParticipant, joy).then_refused("participant_exists")


def test_a_stakeholder_is_engaged_once() -> None:
    given().when(EngageStakeholder, housing).then(housing)
    given(housing).when(EngageStakeholder, housing).then_refused("stakeholder_exists")


def test_participants_recruit_nobody() -> None:
    given(*ready).when(EngageStakeholder, housing, by="joy").then_refused("role_insufficient")


def test_ground_rules_are_agreed_and_agreed_anew() -> None:
    given(*ready).when(AgreeGroundRules, rules).then(rules)
    given(*ready, rules).when(AgreeGroundRules, rules).then(rules)


def test_ground_rules_are_agreed_by_people_of_the_study() -> None:
    given(joy).when(AgreeGroundRules, rules).then_refused("participant_unknown")
    twice = GroundRulesAgreed(rules=("One at a time",), participants=("p-1", "p-1"))
    given(joy).when(AgreeGroundRules, twice).then_refused("participant_twice")


def test_a_participant_rates_their_power_for_themselves() -> None:
    given(*ready).when(RatePower, rated, by="joy").then(rated)
    bens = PowerRated(
        cycle="c-1",
        scale=PowerScale.IAP2,
        level=PowerLevel.INFORM,
        rater_role=Role.PARTICIPANT,
        participant="p-2",
    )
    given(*ready).when(RatePower, bens).then(bens)
    given(*ready).when(RatePower, bens, by="joy").then_refused("not_your_own")


def test_a_participant_does_not_rate_as_a_researcher() -> None:
    claimed = PowerRated(
        cycle="c-1",
        scale=PowerScale.IAP2,
        level=PowerLevel.EMPOWER,
        rater_role=Role.LEAD_RESEARCHER,
    )
    given(*ready).when(RatePower, claimed).then(claimed)
    given(*ready).when(RatePower, claimed, by="joy").then_refused("not_your_role")


def test_a_level_belongs_to_its_scale() -> None:
    assert [len(levels) for levels in LEVELS.values()] == [5, 8]
    mixed = PowerRated(
        cycle="c-1",
        scale=PowerScale.IAP2,
        level=PowerLevel.CITIZEN_CONTROL,
        rater_role=Role.FACILITATOR,
        participant="p-1",
    )
    given(*ready).when(RatePower, mixed).then_refused("level_off_scale", "participant_unexpected")


def test_power_is_rated_in_a_cycle_and_by_people_on_record() -> None:
    given().when(RatePower, rated).then_refused("cycle_unknown", "participant_unknown")
