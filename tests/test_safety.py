"""What goes wrong is put on record by whoever saw it, openly, and never turned away."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from domain.commands import Command, Refused, read_given
from domain.ethics import Activity, Outcome
from domain.membership import MemberJoined, Role
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.safety import (
    AdverseEventReported,
    ComplaintReceived,
    DeviationKind,
    DeviationReported,
    RaiseSafeguarding,
    ReceiveComplaint,
    ReportAdverseEvent,
    ReportDeviation,
    SafeguardingRaised,
    TakeUrgentSafetyMeasure,
    UrgentSafetyMeasureTaken,
)
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from tests.story import given
from tests.study_in_the_field import agreed, opinion, pat, vic

AWARE = datetime(2026, 11, 23, 12, tzinfo=UTC)
person = ParticipantEnrolled(participant="p-1")
fell = AdverseEventReported(
    adverse_event="ae-1", serious=True, related=True, unexpected=True, aware_at=AWARE,
    participants=("p-1",), what="A fall on the stairs.",
)  # fmt: skip
closed = UrgentSafetyMeasureTaken(measure="usm-1", what="The stairs are closed.")
unasked = DeviationReported(
    deviation="d-1", kind=DeviationKind.WITHOUT_CONSENT, serious=True, aware_at=AWARE,
    participants=("p-1",), permissions=(Permission.PHOTO,), activity=Activity.RECORDING,
)  # fmt: skip
complaint = ComplaintReceived(complaint="co-1", participants=("p-1",), what="Nobody called back.")
worry = SafeguardingRaised(safeguarding="sg-1", participants=("p-1",), referred_to="Social care")

each_kind = pytest.mark.parametrize(
    ("command", "event"),
    [
        (ReportAdverseEvent, fell),
        (TakeUrgentSafetyMeasure, closed),
        (ReportDeviation, unasked),
        (ReceiveComplaint, complaint),
        (RaiseSafeguarding, worry),
    ],
    ids=["adverse event", "urgent safety measure", "deviation", "complaint", "safeguarding"],
)


@each_kind
def test_it_is_recorded_once_with_no_approval_and_no_consent(
    command: type[Command[Any]], event: ResearchEvent
) -> None:
    given(person).when(command, event).then(event)
    (exists,) = given(person, event).when(command, event).refused.reasons  # type: ignore[union-attr]
    assert exists.code.endswith("_exists")


@each_kind
@pytest.mark.parametrize(
    "role", [each for each in Role if each not in (Role.VIEWER, Role.PARTICIPANT)]
)
def test_anybody_of_the_team_reports_it(
    command: type[Command[Any]], event: ResearchEvent, role: Role
) -> None:
    reporter = MemberJoined(member="rep", role=role)
    given(person, reporter).when(command, event, by="rep").then(event)


@pytest.mark.parametrize(
    ("command", "event"), [(ReportAdverseEvent, fell), (ReportDeviation, unasked)]
)
def test_who_only_reads_the_study_reports_nothing(
    command: type[Command[Any]], event: ResearchEvent
) -> None:
    given(person, vic).when(command, event, by="vic").then_refused("role_insufficient")


def test_a_deviation_is_never_turned_away_for_what_it_is_about() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.PHOTO,))
    refused = structs.replace(opinion, outcome=Outcome.UNFAVOURABLE)
    given(opinion, *agreed("p-1"), withdrawn).when(ReportDeviation, unasked).then(unasked)
    given(refused).when(ReportDeviation, unasked).then(unasked)  # nor was p-1 ever enrolled


def test_a_complaint_is_made_by_participants_for_themselves_or_without_a_name() -> None:
    given(person, pat).when(ReceiveComplaint, complaint, by="pat").then(complaint)
    unnamed = structs.replace(complaint, participants=())
    given(person, pat).when(ReceiveComplaint, unnamed, by="pat").then(unnamed)
    of_another = structs.replace(complaint, participants=("p-2",))
    other = ParticipantEnrolled(participant="p-2")
    given(person, other, pat).when(ReceiveComplaint, of_another, by="pat").then_refused(
        "not_your_own"
    )


def test_harm_is_of_people_who_are_on_record() -> None:
    given().when(ReportAdverseEvent, fell).then_refused("participant_unknown")


@pytest.mark.parametrize(
    ("command", "event"), [(ReportAdverseEvent, fell), (ReportDeviation, unasked)]
)
def test_the_team_learned_of_it_after_it_happened_and_before_now(
    command: type[Command[Any]], event: Any
) -> None:
    before = structs.replace(event, aware_at=datetime(2026, 2, 28, tzinfo=UTC))
    given(person).when(command, before, at="2026-03-01").then_refused("aware_too_early")
    ahead = structs.replace(event, aware_at=datetime(2026, 12, 24, tzinfo=UTC))
    given(person).when(command, ahead).then_refused("aware_in_the_future")


def test_when_the_team_learned_of_it_is_said_with_its_offset() -> None:
    sent = {"adverse_event": "ae-1", "serious": True, "related": True, "unexpected": False}
    with pytest.raises(Refused, match="timezone"):
        read_given(AdverseEventReported, {**sent, "aware_at": "2026-03-01T10:00:00"})
