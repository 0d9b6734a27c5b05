"""Consent is given permission by permission; withdrawing is one call that cannot fail."""

from datetime import date

from msgspec import structs

from domain.consent import ConsentDeclined, ConsentGiven, DeclineConsent, GrantConsent
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.withdrawal import ConsentWithdrawn, WithdrawConsent
from tests.story import given, on
from tests.study_in_the_field import cycle, opinion, pat, vic

patient = ParticipantEnrolled(participant="p-1")
other = ParticipantEnrolled(participant="p-2")
consent = ConsentGiven(participant="p-1", permissions=(Permission.INTERVIEW,), form_version="1")
declined = ConsentDeclined(participant="p-1", permissions=(Permission.INTERVIEW,), form_version="1")
withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.INTERVIEW,))
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.HOME
)
ready = [opinion, cycle, patient, other, pat, vic]


def test_consent_is_granted_under_approval() -> None:
    story = given(*ready).when(GrantConsent, consent)
    story.then(consent)
    assert story.command is not None
    assert story.command.approval() == 2


def test_consent_is_granted_by_who_takes_part_only() -> None:
    given(opinion).when(GrantConsent, consent).then_refused("participant_unknown")


def test_consent_that_ends_before_it_begins_is_refused() -> None:
    ended = structs.replace(consent, valid_until=date(2026, 1, 1))
    given(*ready).when(GrantConsent, ended).then_refused("dates_reversed")


def test_a_viewer_takes_no_consent() -> None:
    given(*ready).when(GrantConsent, consent, by="vic").then_refused("role_insufficient")
    given(*ready).when(DeclineConsent, declined, by="vic").then_refused("role_insufficient")


def test_saying_no_is_recorded_and_counts() -> None:
    given(*ready).when(DeclineConsent, declined).then(declined)
    given(*ready, declined).when(HoldInterview, interview).then_refused("consent_declined")
    given(opinion).when(DeclineConsent, declined).then_refused("participant_unknown")


def test_participants_withdraw_for_themselves() -> None:
    given(*ready, consent).when(WithdrawConsent, withdrawn, by="pat").then(withdrawn)


def test_anyone_in_the_study_passes_a_withdrawal_on_but_participants_only_their_own() -> None:
    given(*ready, consent).when(WithdrawConsent, withdrawn, by="vic").then(withdrawn)
    others = structs.replace(withdrawn, participant="p-2")
    given(*ready).when(WithdrawConsent, others, by="pat").then_refused("not_your_own")


def test_withdrawing_needs_neither_approval_nor_an_earlier_consent() -> None:
    given(patient).when(WithdrawConsent, withdrawn).then(withdrawn)
    given(patient, withdrawn).when(WithdrawConsent, withdrawn).then(withdrawn)
    given().when(WithdrawConsent, withdrawn).then_refused("participant_unknown")


def test_consent_withdrawn_comes_back_by_a_fresh_form() -> None:
    given(*ready, consent, withdrawn).when(HoldInterview, interview).then_refused(
        "consent_withdrawn"
    )
    fresh = structs.replace(consent, form_version="2")
    given(*ready, consent, withdrawn, fresh).when(HoldInterview, interview).then(interview)


def test_each_permission_is_withdrawn_by_itself() -> None:
    photo = ConsentWithdrawn(participant="p-1", permissions=(Permission.PHOTO,))
    given(*ready, consent, photo).when(HoldInterview, interview).then(interview)


def test_consent_runs_out_after_its_last_day() -> None:
    until_may = structs.replace(consent, valid_until=date(2026, 5, 31))
    story = given(*ready, until_may)
    story.when(HoldInterview, interview, at="2026-05-31").then(interview)
    story = given(*ready, until_may)
    story.when(HoldInterview, interview, at="2026-06-01").then_refused("consent_expired")


def test_consent_given_afterwards_does_not_make_it_good() -> None:
    story = given(*ready, on("2026-06-01", consent))
    story.when(HoldInterview, interview, at="2026-05-31").then_refused("consent_missing")


def test_a_withdrawal_recorded_late_counts_from_when_it_was_said() -> None:
    story = given(*ready, consent, on("2026-03-01", withdrawn))
    story.when(HoldInterview, interview, at="2026-03-02").then_refused("consent_withdrawn")


def test_an_older_withdrawal_found_late_does_not_undo_a_later_consent() -> None:
    story = given(*ready, on("2026-06-01", consent), on("2026-05-01", withdrawn))
    story.when(HoldInterview, interview, at="2026-07-01").then(interview)
