"""Withdrawal is one call that is never refused; what becomes of what is held is decided after."""

from datetime import date, timedelta

import pytest
from msgspec import structs

from domain.commands import Refused, command_types, given_fields, read_given
from domain.consent import ConsentDeclined, ConsentGiven, ConsentRequested
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.erased_subjects import ErasureGround
from domain.ethics import ApprovalSuspended
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.membership import MemberJoined, Role
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.priorities import DissentRecorded
from domain.receipts import ReceiptIssued
from domain.recordings import (
    MediaCaptured,
    MediaKind,
    MemberCheckSent,
    SendMemberCheck,
    Transcriber,
    TranscriptMade,
)
from domain.vocabulary import ResearchEvent
from domain.withdrawal import (
    CompleteDisposition,
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
    ErasureRequested,
    PlanDisposition,
    RequestErasure,
    WithdrawalScope,
    WithdrawByCode,
    WithdrawConsent,
)
from tests.story import TODAY, Happened, given, on
from tests.study_in_the_field import cycle, opinion, pat, vic

INTERVIEW = (Permission.INTERVIEW,)
CODE, ANOTHER = "c" * 64, "d" * 64

patient = ParticipantEnrolled(participant="p-1")
other = ParticipantEnrolled(participant="p-2")
consent = ConsentGiven(participant="p-1", permissions=INTERVIEW, form_version="1")
withdrawn = ConsentWithdrawn(participant="p-1", permissions=INTERVIEW)
everything = ConsentWithdrawn(participant="p-1")
named = ConsentWithdrawn(participant="p-1", permissions=tuple(Permission))
receipt = ReceiptIssued(participant="p-1", consent=4, withdrawal_code_sha256=CODE)
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.HOME
)
ready: list[ResearchEvent] = [opinion, cycle, patient, other, pat, vic]

STATES: dict[str, list[ResearchEvent]] = {
    "not_asked": [],
    "requested": [ConsentRequested(participant="p-1", permissions=INTERVIEW, form_version="1")],
    "given": [consent],
    "declined": [ConsentDeclined(participant="p-1", permissions=INTERVIEW, form_version="1")],
    "withdrawn": [consent, withdrawn],
    "expired": [consent, ConsentExpired(participant="p-1", permissions=INTERVIEW)],
    "invalidated": [
        consent,
        ConsentInvalidated(
            participant="p-1", permissions=INTERVIEW, because=InvalidBecause.WRONG_FORM
        ),
    ],
    "reconsent_required": [
        consent,
        ReconsentRequired(participant="p-1", permissions=INTERVIEW, because=ReconsentBecause.OTHER),
    ],
    "suspended": [consent, ConsentSuspended(participant="p-1")],
}


@pytest.mark.parametrize("before", STATES.values(), ids=STATES)
def test_consent_is_withdrawn_from_every_state(before: list[ResearchEvent]) -> None:
    for by in ("ana", "vic", "pat"):
        given(*ready, *before).when(WithdrawConsent, withdrawn, by=by).then(withdrawn)
    by_code = structs.replace(withdrawn, code_sha256=CODE)
    story = given(*ready, *before, receipt)
    story.when(WithdrawByCode, by_code, by="p-1").then(by_code)
    after = given(*ready, *before, withdrawn).when(HoldInterview, interview)
    after.then_refused("consent_withdrawn")


def test_withdrawing_needs_neither_approval_nor_an_earlier_consent() -> None:
    given(patient).when(WithdrawConsent, withdrawn).then(withdrawn)
    stopped = [*ready, consent, ApprovalSuspended(opinion="rec-1")]
    given(*stopped).when(WithdrawConsent, withdrawn).then(withdrawn)


def test_withdrawing_twice_is_two_events_and_no_fault() -> None:
    given(patient, withdrawn).when(WithdrawConsent, withdrawn).then(withdrawn)


def test_only_who_was_never_enrolled_has_nothing_to_withdraw() -> None:
    given().when(WithdrawConsent, withdrawn).then_refused("participant_unknown")


def test_a_withdrawal_that_names_nothing_takes_everything_back() -> None:
    given(*ready, consent).when(WithdrawConsent, everything).then(named)
    assert named.permissions[:2] == (Permission.INTERVIEW, Permission.FOCUS_GROUP), "in their order"
    scope = structs.replace(everything, scope=WithdrawalScope.NO_FURTHER_USE, words="Enough.")
    expected = structs.replace(scope, permissions=tuple(Permission))
    given(*ready, consent).when(WithdrawConsent, scope).then(expected)


def test_participants_withdraw_for_themselves() -> None:
    given(*ready, consent).when(WithdrawConsent, withdrawn, by="pat").then(withdrawn)


def test_anyone_in_the_study_passes_a_withdrawal_on_but_participants_only_their_own() -> None:
    given(*ready, consent).when(WithdrawConsent, withdrawn, by="vic").then(withdrawn)
    others = structs.replace(withdrawn, participant="p-2")
    given(*ready).when(WithdrawConsent, others, by="pat").then_refused("not_your_own")
    given(*ready).when(WithdrawConsent, withdrawn, by="eve").then_refused("study_unknown")


def test_a_clock_that_runs_ahead_is_no_reason_to_refuse_a_withdrawal() -> None:
    story = given(*ready, consent).when(WithdrawConsent, withdrawn, at="2026-11-24T09:00+02:00")
    story.then(withdrawn)
    assert story.command is not None
    assert story.command.occasion.occurred_at == TODAY, "it counts from now"
    assert story.command.occasion.occurred_at.utcoffset() == timedelta(hours=2)
    a_minute_ahead = "2026-11-23T12:01+00:00"
    story = given(*ready, consent).when(WithdrawConsent, withdrawn, at=a_minute_ahead)
    assert story.command is not None
    assert story.command.occasion.occurred_at == TODAY + timedelta(minutes=1)


def test_a_withdrawal_that_comes_while_an_interview_is_written_down_is_noticed() -> None:
    story = given(*ready, consent).meanwhile(named).when(HoldInterview, interview)
    story.then_refused("consent_withdrawn")


def test_the_code_on_the_receipt_withdraws_without_an_account() -> None:
    by_code = structs.replace(everything, code_sha256=CODE)
    story = given(*ready, consent, receipt).when(WithdrawByCode, by_code, by="p-1")
    story.then(structs.replace(named, code_sha256=CODE))
    assert story.command is not None
    assert story.command.role_held.role is Role.PARTICIPANT
    again = given(*ready, consent, receipt, named).when(WithdrawByCode, by_code, by="p-1")
    again.then(structs.replace(named, code_sha256=CODE))


def test_a_member_who_has_the_participants_pseudonym_does_not_stand_in_its_way() -> None:
    namesake = MemberJoined(member="p-1", role=Role.VIEWER)
    by_code = structs.replace(withdrawn, code_sha256=CODE)
    story = given(*ready, namesake, consent, receipt).when(WithdrawByCode, by_code, by="p-1")
    story.then(by_code)
    wrong = structs.replace(by_code, code_sha256=ANOTHER)
    story = given(*ready, namesake, receipt).when(WithdrawByCode, wrong, by="p-1")
    story.then_refused("code_unknown")


NO_CODE = [
    structs.replace(withdrawn, code_sha256=ANOTHER),
    withdrawn,  # none at all
    structs.replace(withdrawn, participant="p-2", code_sha256=CODE),  # another's
    structs.replace(withdrawn, participant="p-9", code_sha256=CODE),  # of nobody
]


@pytest.mark.parametrize("event", NO_CODE)
@pytest.mark.parametrize("by", ["p-1", "p-2", "p-9", "ana", "pat"])
def test_whatever_is_wrong_with_a_code_the_refusal_says_the_same(
    event: ConsentWithdrawn, by: str
) -> None:
    without_code = structs.replace(receipt, withdrawal_code_sha256=None)
    answers = []
    for history in ([*ready, consent, receipt, without_code], []):
        story = given(*history).when(WithdrawByCode, event, by=by)
        assert story.refused is not None
        answers += story.refused.reasons
    assert {reason.code for reason in answers} == {"code_unknown"}
    assert len(set(answers)) == 1
    assert answers[0].decided_by is None
    assert "study" not in answers[0].message.replace("study team", "")


def test_who_has_a_code_withdraws_for_nobody_else() -> None:
    others = structs.replace(withdrawn, participant="p-2", code_sha256=CODE)
    story = given(*ready, consent, receipt).when(WithdrawByCode, others, by="p-1")
    story.then_refused("code_unknown")


def test_the_code_is_no_field_of_what_members_send() -> None:
    assert "code_sha256" not in given_fields(ConsentWithdrawn)
    with pytest.raises(Refused) as refusal:
        read_given(ConsentWithdrawn, {"participant": "p-1", "code_sha256": CODE})
    assert [reason.code for reason in refusal.value.reasons] == ["field_unknown"]
    assert read_given(ConsentWithdrawn, {"participant": "p-1"}) == everything


def test_withdrawal_by_code_is_not_among_the_commands_offered_to_members() -> None:
    offered = command_types()
    assert WithdrawConsent in offered
    assert WithdrawByCode not in offered


# what is held: media m-1 and transcript t-1 of p-1
media = MediaCaptured(
    media="m-1", cycle="c-1", kind=MediaKind.AUDIO, sha256="0" * 64, participants=("p-1",)
)
transcript = TranscriptMade(
    transcript="t-1", media="m-1", kind=MediaKind.AUDIO, participants=("p-1",),
    made_by=Transcriber.PERSON, sha256="1" * 64,
)  # fmt: skip
gone = on("2026-03-01", withdrawn)
held: list[ResearchEvent | Happened] = [*ready, consent, media, transcript, gone]
erase = DispositionPlanned(
    participant="p-1", item="media:m-1", disposition=Disposition.ERASE, due=date(2026, 4, 1)
)
erased = DispositionCompleted(participant="p-1", item="media:m-1", proof_sha256="e" * 64)


def test_what_becomes_of_what_is_held_is_planned_and_done() -> None:
    given(*held).when(PlanDisposition, erase).then(erase)
    given(*held, erase).when(CompleteDisposition, erased).then(erased)
    kept = structs.replace(
        erase, item="transcript:t-1", disposition=Disposition.RETAIN_PSEUDONYMISED
    )
    given(*held, erase).when(PlanDisposition, kept).then(kept)


def test_nothing_is_disposed_of_before_somebody_withdrew() -> None:
    unasked: list[ResearchEvent | Happened] = [*ready, consent, media]
    given(*unasked).when(PlanDisposition, erase).then_refused("not_withdrawn")
    story = given(*unasked, gone).when(PlanDisposition, erase, at="2026-02-28")
    story.then_refused("not_withdrawn")


def test_it_is_not_due_before_the_withdrawal() -> None:
    early = structs.replace(erase, due=date(2026, 2, 28))
    given(*held).when(PlanDisposition, early).then_refused("due_before_withdrawal")
    same_day = structs.replace(erase, due=date(2026, 3, 1))
    given(*held, on("2026-06-01", withdrawn)).when(PlanDisposition, same_day).then(same_day)


def test_only_what_is_on_record_and_holds_something_of_them_is_disposed_of() -> None:
    for item in ("media:m-2", "transcript:m-1", "nothing:m-1"):
        story = given(*held).when(PlanDisposition, structs.replace(erase, item=item))
        story.then_refused("item_unknown")
    photo = structs.replace(media, media="m-2", kind=MediaKind.PHOTO, participants=("p-2",))
    of_another = structs.replace(erase, item="media:m-2")
    given(*held, photo).when(PlanDisposition, of_another).then_refused("not_in_item")


def test_what_has_no_name_of_its_own_is_disposed_of_by_its_place_on_record() -> None:
    dissent = DissentRecorded(cycle="c-1", words="Not this.", participants=("p-1",))
    history = [*held, dissent]
    place = len(history) + 1  # the study was opened first
    theirs = structs.replace(erase, item=f"event:{place}")
    given(*history).when(PlanDisposition, theirs).then(theirs)
    for other in (place - 1, place + 1):  # a withdrawal, and nothing
        elsewhere = structs.replace(erase, item=f"event:{other}")
        given(*history).when(PlanDisposition, elsewhere).then_refused("not_in_item")


def test_a_plan_may_be_replaced_until_it_is_done_and_made_anew_afterwards() -> None:
    later = structs.replace(erase, due=date(2026, 5, 1))
    given(*held, erase).when(PlanDisposition, later).then(later)
    quarantined = structs.replace(erase, disposition=Disposition.QUARANTINE)
    given(*held, quarantined, erased).when(PlanDisposition, later).then(later)


def test_only_what_was_planned_is_done_and_only_once() -> None:
    given(*held).when(CompleteDisposition, erased).then_refused("disposition_not_planned")
    elsewhere = structs.replace(erase, item="transcript:t-1")
    story = given(*held, elsewhere).when(CompleteDisposition, erased)
    story.then_refused("disposition_not_planned")
    story = given(*held, erase, erased).when(CompleteDisposition, erased)
    story.then_refused("disposition_completed")
    given(*held, erase, erased, erase).when(CompleteDisposition, erased).then(erased)


def test_two_people_in_one_recording_are_disposed_of_one_by_one() -> None:
    both = structs.replace(media, participants=("p-1", "p-2"))
    also_gone = on("2026-03-02", structs.replace(withdrawn, participant="p-2"))
    history: list[ResearchEvent | Happened] = [*ready, both, gone, also_gone]
    theirs = structs.replace(erase, participant="p-2")
    done = structs.replace(erased, participant="p-2")
    given(*history, erase, theirs, done).when(CompleteDisposition, erased).then(erased)


def test_data_stewards_dispose_and_facilitators_do_not() -> None:
    sam = MemberJoined(member="sam", role=Role.DATA_STEWARD)
    fay = MemberJoined(member="fay", role=Role.FACILITATOR)
    given(*held, sam).when(PlanDisposition, erase, by="sam").then(erase)
    given(*held, erase, sam).when(CompleteDisposition, erased, by="sam").then(erased)
    given(*held, fay).when(PlanDisposition, erase, by="fay").then_refused("role_insufficient")


def test_participants_ask_for_erasure_of_their_own_data() -> None:
    asked = ErasureRequested(participant="p-1", ground=ErasureGround.CONSENT_WITHDRAWN)
    for by in ("pat", "ana", "vic"):
        given(*ready).when(RequestErasure, asked, by=by).then(asked)
    others = structs.replace(asked, participant="p-2")
    given(*ready).when(RequestErasure, others, by="pat").then_refused("not_your_own")
    given(pat).when(RequestErasure, asked).then_refused("participant_unknown")


check = MemberCheckSent(transcript="t-1", participant="p-1")  # of a transcript of no cycle


def test_who_withdrew_everything_is_not_contacted_again() -> None:
    on_record = [*ready, consent, media, transcript]
    given(*on_record).when(SendMemberCheck, check).then(structs.replace(check))
    for leaving in (
        named,
        ConsentWithdrawn(participant="p-1", permissions=(Permission.RECONTACT,)),
    ):
        story = given(*on_record, leaving).when(SendMemberCheck, check)
        story.then_refused("contact_withdrawn")
