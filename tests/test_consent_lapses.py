"""Consent runs out, is found invalid, has to be asked for again, is suspended and resumed."""

from datetime import date

import pytest
from msgspec import structs

from domain.capacity import ConsultedAs
from domain.consent import ConsentGiven
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    ExpireConsent,
    InvalidateConsent,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
    RequireReconsent,
    ResumeConsent,
    SuspendConsent,
)
from domain.ethics import Outcome
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.modifications import ModificationDecided, ModificationKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from tests.story import given, on
from tests.study_in_the_field import cycle, opinion, pat, vic

INTERVIEW = (Permission.INTERVIEW,)

patient = ParticipantEnrolled(participant="p-1")
consent = ConsentGiven(participant="p-1", permissions=INTERVIEW, form_version="1")
until_may = structs.replace(consent, valid_until=date(2026, 5, 31))
withdrawn = ConsentWithdrawn(participant="p-1", permissions=INTERVIEW)
expired = ConsentExpired(participant="p-1", permissions=INTERVIEW)
invalidated = ConsentInvalidated(
    participant="p-1", permissions=INTERVIEW, because=InvalidBecause.NOT_FREE
)
asked_again = ReconsentRequired(
    participant="p-1", permissions=INTERVIEW, because=ReconsentBecause.CAME_OF_AGE
)
suspended = ConsentSuspended(participant="p-1")
resumed = ConsentResumed(participant="p-1")
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.HOME
)
modified = ModificationDecided(
    modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE, reconsent=INTERVIEW,
)  # fmt: skip
ready: list[ResearchEvent] = [opinion, cycle, patient, pat, vic]


def test_consent_is_said_to_have_expired_once_its_last_day_is_over() -> None:
    given(*ready, until_may).when(ExpireConsent, expired, at="2026-06-01").then(expired)


def test_consent_does_not_expire_early_nor_without_a_last_day() -> None:
    for form, last in ((until_may, "2026-05-31"), (consent, "2026-11-01")):
        story = given(*ready, form).when(ExpireConsent, expired, at=last)
        story.then_refused("consent_not_expired")


def test_consent_that_was_renewed_has_not_expired() -> None:
    renewed = structs.replace(consent, valid_until=date(2026, 12, 31))
    story = given(*ready, until_may, on("2026-05-20", renewed))
    story.when(ExpireConsent, expired, at="2026-06-01").then_refused("consent_not_expired")


def test_what_was_not_given_does_not_expire() -> None:
    given(*ready).when(ExpireConsent, expired).then_refused("consent_not_given")
    story = given(*ready, until_may, on("2026-03-01", withdrawn))
    story.when(ExpireConsent, expired, at="2026-06-01").then_refused("consent_not_given")


def test_consent_also_runs_out_while_it_is_suspended_or_to_be_asked_again() -> None:
    for lapse in (suspended, asked_again):
        story = given(*ready, until_may, lapse)
        story.when(ExpireConsent, expired, at="2026-06-01").then(expired)


def test_after_expiry_is_recorded_the_gate_says_when_it_ran_out() -> None:
    story = given(*ready, until_may, on("2026-06-10", expired)).when(HoldInterview, interview)
    story.then_refused("consent_expired")
    assert story.refused is not None
    assert "31 May 2026" in story.refused.reasons[0].message
    assert story.refused.reasons[0].decided_by == 8


def test_consent_found_not_to_be_one_covers_nothing_any_more() -> None:
    given(*ready, consent).when(InvalidateConsent, invalidated).then(invalidated)
    story = given(*ready, consent, invalidated).when(HoldInterview, interview)
    story.then_refused("consent_invalidated")
    given(*ready, consent, invalidated, consent).when(HoldInterview, interview).then(interview)


def test_there_is_nothing_to_invalidate_where_nothing_was_given() -> None:
    for before in ([], [withdrawn]):
        story = given(*ready, *before).when(InvalidateConsent, invalidated)
        story.then_refused("consent_not_given")


def test_consent_is_found_invalid_though_it_was_withdrawn_since() -> None:
    story = given(*ready, consent, on("2026-06-01", withdrawn))
    story.when(InvalidateConsent, invalidated, at="2026-05-01").then(invalidated)


def test_somebody_is_to_be_asked_again() -> None:
    given(*ready, consent).when(RequireReconsent, asked_again).then(asked_again)
    story = given(*ready, consent, asked_again).when(HoldInterview, interview)
    story.then_refused("reconsent_required")
    given(*ready, consent, asked_again, consent).when(HoldInterview, interview).then(interview)
    given(*ready).when(RequireReconsent, asked_again).then_refused("consent_not_given")


def test_the_modification_for_which_somebody_is_asked_again_is_on_record() -> None:
    named = structs.replace(asked_again, modification="mod-1")
    given(*ready, consent).when(RequireReconsent, named).then_refused("modification_unknown")
    elsewhere = structs.replace(modified, reconsent=())
    given(*ready, consent, elsewhere).when(RequireReconsent, named).then(named)


def test_a_favourable_modification_asks_everybody_again_for_what_it_names() -> None:
    story = given(*ready, consent, modified).when(HoldInterview, interview)
    story.then_refused("reconsent_required")
    assert story.refused is not None
    assert story.refused.reasons[0].decided_by == 8
    given(*ready, consent, modified, consent).when(HoldInterview, interview).then(interview)
    refused = structs.replace(modified, outcome=Outcome.UNFAVOURABLE)
    given(*ready, consent, refused).when(HoldInterview, interview).then(interview)


def test_what_was_captured_before_the_modification_stays_covered() -> None:
    story = given(*ready, consent, on("2026-06-01", modified))
    story.when(HoldInterview, interview, at="2026-05-31").then(interview)


def test_who_loses_capacity_is_not_interviewed_until_it_is_affirmed() -> None:
    given(*ready, consent).when(SuspendConsent, suspended).then(suspended)
    story = given(*ready, consent, suspended).when(HoldInterview, interview)
    story.then_refused("consent_suspended")
    affirmed = structs.replace(resumed, affirmed_by=ConsultedAs.PERSONAL_CONSULTEE)
    for again in (resumed, affirmed):
        given(*ready, consent, suspended).when(ResumeConsent, again).then(again)
        given(*ready, consent, suspended, again).when(HoldInterview, interview).then(interview)


def test_only_what_is_suspended_is_resumed() -> None:
    for before in ([], [suspended, resumed]):
        story = given(*ready, consent, *before).when(ResumeConsent, resumed)
        story.then_refused("consent_not_suspended")


def test_a_consultee_who_affirms_says_in_which_role() -> None:
    named = structs.replace(resumed, consultee="Carla")
    story = given(*ready, consent, suspended).when(ResumeConsent, named)
    story.then_refused("consultee_unclear")
    told = structs.replace(named, affirmed_by=ConsultedAs.NOMINATED_CONSULTEE)
    given(*ready, consent, suspended).when(ResumeConsent, told).then(told)


def test_what_was_withdrawn_while_suspended_is_not_resumed() -> None:
    story = given(*ready, consent, suspended, withdrawn, resumed)
    story.when(HoldInterview, interview).then_refused("consent_withdrawn")


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (ExpireConsent, expired),
        (InvalidateConsent, invalidated),
        (RequireReconsent, asked_again),
        (SuspendConsent, suspended),
        (ResumeConsent, resumed),
    ],
)
def test_these_are_recorded_by_who_may_take_consent_of_who_takes_part(
    command: type, event: ResearchEvent
) -> None:
    for stranger_to_it in ("vic", "pat"):
        story = given(*ready, consent).when(command, event, by=stranger_to_it)
        assert story.refused is not None
        assert story.refused.reasons[0].code == "role_insufficient"
    story = given(opinion).when(command, event)
    assert story.refused is not None
    assert story.refused.reasons[0].code == "participant_unknown"
