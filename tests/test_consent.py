"""Consent is asked for and given permission by permission, under approval, on a complete form."""

from datetime import date

from msgspec import structs

from domain.capacity import Capacity, ConsultedAs
from domain.conditions import Reason
from domain.consent import (
    ConsentDeclined,
    ConsentGiven,
    ConsentRequested,
    DeclineConsent,
    GrantConsent,
    Method,
    RequestConsent,
)
from domain.consent_lapses import ConsentResumed, ConsentSuspended
from domain.documents import Document, DocumentKind
from domain.ethics import ApprovalSuspended
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from tests.story import Happened, Story, given, on
from tests.study_in_the_field import cycle, opinion, pat, vic

patient = ParticipantEnrolled(participant="p-1")
other = ParticipantEnrolled(participant="p-2")
consent = ConsentGiven(participant="p-1", permissions=(Permission.INTERVIEW,), form_version="1")
declined = ConsentDeclined(participant="p-1", permissions=(Permission.INTERVIEW,), form_version="1")
withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.INTERVIEW,))
requested = ConsentRequested(
    participant="p-1", permissions=(Permission.INTERVIEW,), form_version="1"
)
suspended = ConsentSuspended(participant="p-1")
resumed = ConsentResumed(participant="p-1")
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.HOME
)
ready: list[ResearchEvent] = [opinion, cycle, patient, other, pat, vic]


def only_reason(story: Story) -> Reason:
    assert story.refused is not None
    (reason,) = story.refused.reasons
    return reason


def test_consent_is_granted_under_approval() -> None:
    story = given(*ready).when(GrantConsent, consent)
    story.then(consent)
    assert story.command is not None
    assert story.command.approval() == 2


def test_consent_is_granted_by_who_takes_part_only() -> None:
    given(opinion).when(GrantConsent, consent).then_refused("participant_unknown")


def test_consent_that_ends_before_it_begins_is_refused() -> None:
    for field in ("valid_until", "withdraw_by"):
        ended = structs.replace(consent, **{field: date(2026, 5, 31)})
        story = given(*ready).when(GrantConsent, ended, at="2026-06-01")
        story.then_refused("dates_reversed")
        given(*ready).when(GrantConsent, ended, at="2026-05-31").then(ended)
        signed_after = structs.replace(ended, signed_on=date(2026, 6, 1))
        story = given(*ready).when(GrantConsent, signed_after, at="2026-05-31")
        story.then_refused("dates_reversed")


def test_a_form_is_not_signed_in_the_future() -> None:
    today = structs.replace(consent, signed_on=date(2026, 11, 23))
    given(*ready).when(GrantConsent, today).then(today)
    tomorrow = structs.replace(consent, signed_on=date(2026, 11, 24))
    given(*ready).when(GrantConsent, tomorrow).then_refused("signed_in_the_future")


def test_where_it_is_tomorrow_already_a_form_may_say_so() -> None:
    tomorrow = structs.replace(consent, signed_on=date(2026, 11, 24))
    in_tonga = "2026-11-24T00:30:00+13:00"  # still 23 November, half past eleven, in UTC
    given(*ready).when(GrantConsent, tomorrow, at=in_tonga).then(tomorrow)


def test_who_lacks_capacity_is_consulted_for_by_a_consultee() -> None:
    lacks = structs.replace(consent, capacity=Capacity.LACKS_CAPACITY)
    given(*ready).when(GrantConsent, lacks).then_refused("consultee_missing")
    parent = structs.replace(lacks, consulted_as=ConsultedAs.PARENT)
    given(*ready).when(GrantConsent, parent).then_refused("consultee_missing")
    for role in (ConsultedAs.PERSONAL_CONSULTEE, ConsultedAs.NOMINATED_CONSULTEE):
        consulted = structs.replace(lacks, consulted_as=role)
        given(*ready).when(GrantConsent, consulted).then(consulted)


def test_a_child_agrees_with_a_parent_or_guardian() -> None:
    child = structs.replace(consent, capacity=Capacity.CHILD)
    given(*ready).when(GrantConsent, child).then_refused("consultee_missing")
    consultee = structs.replace(child, consulted_as=ConsultedAs.PERSONAL_CONSULTEE)
    given(*ready).when(GrantConsent, consultee).then_refused("consultee_missing")
    for role in (ConsultedAs.PARENT, ConsultedAs.GUARDIAN):
        agreed = structs.replace(child, consulted_as=role, assent=True)
        given(*ready).when(GrantConsent, agreed).then(agreed)


def test_a_witnessed_word_needs_its_witness() -> None:
    alone = structs.replace(consent, method=Method.VERBAL_WITNESSED)
    given(*ready).when(GrantConsent, alone).then_refused("witness_missing")
    witnessed = structs.replace(alone, witness="Wilma")
    given(*ready).when(GrantConsent, witnessed).then(witnessed)


def test_whoever_names_an_interpreter_says_that_it_was_interpreted() -> None:
    named = structs.replace(consent, interpreter="Ines")
    given(*ready).when(GrantConsent, named).then_refused("interpreted_unsaid")
    for said in (
        structs.replace(named, interpreted=True),
        structs.replace(consent, interpreted=True),  # whose name is not kept
    ):
        given(*ready).when(GrantConsent, said).then(said)


def test_every_reason_is_given_at_once() -> None:
    worst = structs.replace(
        consent, method=Method.VERBAL_WITNESSED, capacity=Capacity.CHILD, interpreter="Ines",
        signed_on=date(2026, 11, 30), valid_until=date(2026, 1, 1),
    )  # fmt: skip
    story = given(patient, consent, on("2026-03-01", withdrawn), suspended)
    story.when(GrantConsent, worst, at="2026-11-01").then_refused(
        "approval_missing", "consent_suspended", "signed_in_the_future", "dates_reversed",
        "consultee_missing", "witness_missing", "interpreted_unsaid",
    )  # fmt: skip


def test_asking_for_consent_is_on_record_and_is_no_consent() -> None:
    given(*ready).when(RequestConsent, requested).then(requested)
    story = given(*ready, requested).when(HoldInterview, interview)
    reason = only_reason(story.then_refused("consent_requested"))
    assert reason.decided_by == 8
    given(*ready).when(RequestConsent, requested, by="vic").then_refused("role_insufficient")


def test_nobody_is_asked_before_the_committee_agreed() -> None:
    given(patient).when(RequestConsent, requested).then_refused("approval_missing")
    given(opinion).when(RequestConsent, requested).then_refused("participant_unknown")
    stopped = ApprovalSuspended(opinion="rec-1")
    given(*ready, stopped).when(RequestConsent, requested).then_refused("approval_suspended")
    given(*ready, stopped).when(GrantConsent, consent).then_refused("approval_suspended")
    given(*ready, stopped).when(DeclineConsent, declined).then(declined)


def test_consent_is_taken_by_those_the_committee_approved_on_the_forms_it_approved() -> None:
    strict = structs.replace(
        opinion, personnel=("bea",),
        documents=(
            Document(kind=DocumentKind.CONSENT_FORM, version="2", sha256="a" * 64),
            Document(kind=DocumentKind.INFORMATION_SHEET, version="4"),
        ),
    )  # fmt: skip
    wrong = structs.replace(consent, form_version="1", information_sheet_version="3")
    given(strict, patient).when(GrantConsent, wrong).then_refused(
        "person_not_approved", "form_not_approved", "sheet_not_approved"
    )
    given(strict, patient).when(RequestConsent, requested).then_refused(
        "person_not_approved", "form_not_approved"
    )
    right = structs.replace(
        consent, form_version="2", information_sheet_version="4", taken_by="bea"
    )
    given(strict, patient).when(GrantConsent, right).then(right)
    another_file = structs.replace(right, form_sha256="b" * 64)
    given(strict, patient).when(GrantConsent, another_file).then_refused("form_not_approved")


def test_while_consent_is_suspended_none_is_given() -> None:
    story = given(*ready, consent, suspended).when(GrantConsent, consent)
    reason = only_reason(story.then_refused("consent_suspended"))
    assert "resumeConsent" in reason.message
    more = structs.replace(consent, permissions=(Permission.PHOTO,))  # never asked before
    given(*ready, consent, suspended).when(GrantConsent, more).then_refused("consent_suspended")
    given(*ready, consent, suspended, resumed).when(GrantConsent, more).then(more)


def test_a_viewer_takes_no_consent() -> None:
    given(*ready).when(GrantConsent, consent, by="vic").then_refused("role_insufficient")
    given(*ready).when(DeclineConsent, declined, by="vic").then_refused("role_insufficient")


def test_saying_no_is_recorded_and_counts() -> None:
    given(*ready).when(DeclineConsent, declined).then(declined)
    given(*ready, declined).when(HoldInterview, interview).then_refused("consent_declined")
    given(opinion).when(DeclineConsent, declined).then_refused("participant_unknown")


def test_consent_withdrawn_comes_back_by_a_fresh_form_alone() -> None:
    taken_back: list[ResearchEvent | Happened] = [*ready, consent, on("2026-03-01", withdrawn)]
    given(*taken_back).when(HoldInterview, interview).then_refused("consent_withdrawn")
    undated = consent
    older = structs.replace(consent, signed_on=date(2026, 2, 28))
    fresh = structs.replace(consent, signed_on=date(2026, 3, 1))
    for form in (undated, older):
        story = given(*taken_back).when(GrantConsent, form, at="2026-05-01")
        reason = only_reason(story.then_refused("fresh_form_needed"))
        assert (reason.decided_by, reason.path) == (9, "permissions.0")
        assert "01 March 2026" in reason.message
    given(*taken_back).when(GrantConsent, fresh, at="2026-05-01").then(fresh)
    given(*taken_back, on("2026-05-01", fresh)).when(HoldInterview, interview).then(interview)


def test_a_form_for_some_permissions_withdrawn_and_some_not_names_those_it_fails_for() -> None:
    both = structs.replace(consent, permissions=(Permission.PHOTO, Permission.INTERVIEW))
    story = given(*ready, consent, on("2026-03-01", withdrawn)).when(GrantConsent, both)
    reason = only_reason(story.then_refused("fresh_form_needed"))
    assert reason.path == "permissions.1"


def test_a_form_found_late_from_before_the_withdrawal_is_recorded_and_changes_nothing_since() -> (
    None
):
    earlier: list[ResearchEvent | Happened] = [*ready, on("2026-03-01", withdrawn)]
    given(*earlier).when(GrantConsent, consent, at="2026-02-01").then(consent)
    story = given(*earlier, on("2026-02-01", consent))
    story.when(HoldInterview, interview, at="2026-03-02").then_refused("consent_withdrawn")


def test_a_withdrawal_that_comes_while_consent_is_written_down_is_noticed() -> None:
    late = on("2026-03-01", withdrawn)
    given(*ready).meanwhile(late).when(GrantConsent, consent).then_refused("fresh_form_needed")


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


def test_an_older_withdrawal_found_late_undoes_a_later_consent_only_if_that_is_undated() -> None:
    in_may = on("2026-05-01", withdrawn)
    dated = on("2026-06-01", structs.replace(consent, signed_on=date(2026, 6, 1)))
    story = given(*ready, dated, in_may).when(HoldInterview, interview, at="2026-07-01")
    story.then(interview)
    undated = on("2026-06-01", consent)
    story = given(*ready, undated, in_may).when(HoldInterview, interview, at="2026-07-01")
    story.then_refused("consent_withdrawn")
