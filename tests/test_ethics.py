"""No research without the committee's favourable opinion, in force and covering what is done."""

from datetime import date

import pytest
from msgspec import structs

from domain.consent import GrantConsent
from domain.ethics import Activity, GiveOpinion, OpinionGiven, Outcome
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.membership import MemberJoined, Role
from tests.story import given, on
from tests.study_in_the_field import agreed, cycle, opinion

committee = MemberJoined(member="eva", role=Role.ETHICS_REVIEWER)
researcher = MemberJoined(member="ben", role=Role.RESEARCHER)
refused = OpinionGiven(
    opinion="rec-2",
    committee="University research ethics committee",
    outcome=Outcome.UNFAVOURABLE,
    activities=(),
    valid_from=date(2026, 6, 1),
    valid_to=date(2026, 12, 31),
)
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.ONLINE
)


def test_an_opinion_is_recorded_by_the_committee_or_the_lead() -> None:
    given(committee).when(GiveOpinion, opinion, by="eva").then(opinion)
    given().when(GiveOpinion, refused).then(refused)
    given(researcher).when(GiveOpinion, opinion, by="ben").then_refused("role_insufficient")


def test_an_opinion_is_recorded_once() -> None:
    given(opinion).when(GiveOpinion, opinion).then_refused("opinion_exists")


def test_an_opinion_has_dates_in_order_and_says_what_it_approves() -> None:
    backwards = structs.replace(opinion, valid_to=date(2025, 1, 1))
    given().when(GiveOpinion, backwards).then_refused("dates_reversed")
    empty = structs.replace(opinion, activities=())
    given().when(GiveOpinion, empty).then_refused("activities_missing")


def test_an_opinion_with_conditions_approves_too() -> None:
    with_conditions = structs.replace(opinion, outcome=Outcome.FAVOURABLE_WITH_CONDITIONS)
    given(with_conditions, cycle, *agreed("p-1")).when(HoldInterview, interview).then(interview)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (structs.replace(opinion, outcome=Outcome.UNFAVOURABLE), "approval_refused"),
        (structs.replace(opinion, activities=(Activity.RECRUITMENT,)), "activity_not_approved"),
        (structs.replace(opinion, valid_to=date(2026, 6, 30)), "approval_not_in_force"),
        (structs.replace(opinion, valid_from=date(2026, 12, 1)), "approval_not_in_force"),
    ],
    ids=["unfavourable", "other activities", "run out", "not yet"],
)
def test_an_opinion_that_does_not_cover_what_was_done(changed: OpinionGiven, code: str) -> None:
    given(changed, cycle, *agreed("p-1")).when(HoldInterview, interview).then_refused(code)


def test_approval_is_in_force_on_its_first_and_last_day() -> None:
    story = given(on("2026-01-01", opinion), on("2026-01-01", cycle), *agreed("p-1"))
    story.when(HoldInterview, interview, at="2026-12-31").then_refused("occurred_in_the_future")
    short = structs.replace(opinion, valid_from=date(2026, 3, 1), valid_to=date(2026, 3, 2))
    for day in ("2026-03-01", "2026-03-02"):
        story = given(short, cycle, *agreed("p-1"))
        story.when(HoldInterview, interview, at=day).then(interview)


def test_a_later_opinion_replaces_an_earlier_one() -> None:
    story = given(opinion, cycle, *agreed("p-1"), on("2026-06-01", refused))
    story.when(HoldInterview, interview).then_refused("approval_refused")
    story = given(opinion, cycle, *agreed("p-1"), on("2026-06-01", refused))
    story.when(HoldInterview, interview, at="2026-05-01").then(interview)


def test_an_opinion_given_afterwards_approves_nothing_done_before() -> None:
    story = given(cycle, *agreed("p-1"), on("2026-06-01", opinion))
    story.when(HoldInterview, interview, at="2026-05-01").then_refused("approval_missing")


def test_an_opinion_replaced_meanwhile_is_noticed() -> None:
    story = given(opinion, cycle, *agreed("p-1")).meanwhile(on("2026-06-01", refused))
    story.when(HoldInterview, interview).then_refused("approval_refused")


def test_no_consent_is_taken_before_approval() -> None:
    enrolled, given_consent = agreed("p-1")
    given(enrolled).when(GrantConsent, given_consent).then_refused("approval_missing")
