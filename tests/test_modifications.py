"""Changes to what was approved are asked for first, and decided once."""

import pytest
from msgspec import structs

from domain.ethics import Activity, Outcome
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.membership import MemberJoined, Role
from domain.modifications import (
    DecideModification,
    ModificationDecided,
    ModificationKind,
    ModificationSubmitted,
    SubmitModification,
)
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from tests.story import Happened, given, on
from tests.study_in_the_field import agreed, cycle, opinion

committee = MemberJoined(member="eva", role=Role.ETHICS_REVIEWER)
community = MemberJoined(member="cor", role=Role.CO_RESEARCHER)
submitted = ModificationSubmitted(
    modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL
)
decided = ModificationDecided(
    modification="mod-1",
    opinion="rec-1",
    kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE,
    activities=(Activity.INTERVIEW,),
)
workshops_only = structs.replace(opinion, activities=(Activity.RECRUITMENT, Activity.WORKSHOP))
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.ONLINE
)


def test_a_modification_is_submitted_once_and_of_an_opinion_that_is_on_record() -> None:
    given(opinion).when(SubmitModification, submitted).then(submitted)
    given().when(SubmitModification, submitted).then_refused("opinion_unknown")
    given(opinion, submitted).when(SubmitModification, submitted).then_refused(
        "modification_exists"
    )
    given(opinion, community).when(SubmitModification, submitted, by="cor").then_refused(
        "role_insufficient"
    )


def test_the_committee_decides_on_what_was_submitted_once() -> None:
    given(opinion, committee, submitted).when(DecideModification, decided, by="eva").then(decided)
    given(opinion).when(DecideModification, decided).then_refused("modification_unknown")
    story = given(opinion, submitted, decided).when(DecideModification, decided)
    story.then_refused("modification_decided")


def test_a_decision_names_the_opinion_that_was_to_be_modified() -> None:
    other = structs.replace(opinion, opinion="rec-2")
    of_another = structs.replace(decided, opinion="rec-2")
    story = given(opinion, other, submitted).when(DecideModification, of_another)
    story.then_refused("modification_unknown")


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_favourable_decision_changes_what_is_approved(outcome: Outcome) -> None:
    decision = on("2026-06-01", structs.replace(decided, outcome=outcome))
    story = given(workshops_only, cycle, *agreed("p-1"), submitted, decision)
    story.when(HoldInterview, interview, at="2026-06-02")
    if outcome is Outcome.UNFAVOURABLE:
        story.then_refused("activity_not_approved")
    else:
        story.then(interview)


def test_what_was_done_before_the_decision_stays_unapproved() -> None:
    story = given(workshops_only, cycle, *agreed("p-1"), submitted, on("2026-06-01", decided))
    story.when(HoldInterview, interview, at="2026-05-31").then_refused("activity_not_approved")


def test_whoever_has_to_be_asked_again_is_not_captured_until_they_agree() -> None:
    again = structs.replace(decided, reconsent=(Permission.INTERVIEW,))
    enrolled, consent = agreed("p-1")
    history: list[ResearchEvent | Happened] = [opinion, cycle, enrolled, consent, submitted]
    history.append(on("2026-06-01", again))
    given(*history).when(HoldInterview, interview).then_refused("reconsent_required")
    given(*history).when(HoldInterview, interview, at="2026-05-31").then(interview)
    asked_again = on("2026-06-05", consent)
    given(*history, asked_again).when(HoldInterview, interview).then(interview)
