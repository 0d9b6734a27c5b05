"""Stories of erasure: who may, of whom, what is listed, and what is refused ever after."""

import pytest
from msgspec import structs

from domain.consent import ConsentGiven
from domain.corrections import Correct, Corrected
from domain.erased_subjects import ErasureGround, SubjectErased
from domain.erasure import EraseSubject
from domain.membership import MAY, Duty, MemberJoined, MemberLeft, Role
from domain.people import (
    EngageStakeholder,
    ParticipantEnrolled,
    PowerLevel,
    PowerRated,
    PowerScale,
    RatePower,
    StakeholderEngaged,
    StakeholderKind,
)
from domain.permissions import Permission
from domain.receipts import ReceiptIssued
from domain.sharing import (
    Access,
    ArchiveDeposited,
    Author,
    AuthorshipAgreed,
    CreditRole,
    QuotationReleased,
)
from domain.studies import JoinMember
from domain.vocabulary import ResearchEvent
from domain.withdrawal import (
    ConsentWithdrawn,
    ErasureRequested,
    RequestErasure,
    WithdrawByCode,
    WithdrawConsent,
)
from domain.workshops import HoldWorkshop, WorkshopHeld
from tests.story import given
from tests.study_in_the_field import cycle, opinion

GROUND = ErasureGround.CONSENT_WITHDRAWN
CODE = "c" * 64
MAY_ALL = tuple(Permission)

sol = MemberJoined(member="sol", role=Role.DATA_STEWARD)
bo = MemberJoined(member="bo", role=Role.RESEARCHER)
gone = MemberLeft(member="bo")
p_1 = ParticipantEnrolled(participant="p-1")
p_2 = ParticipantEnrolled(participant="p-2")
pat = MemberJoined(member="pat", role=Role.PARTICIPANT, participant="p-1")
farm = StakeholderEngaged(
    stakeholder="farm", kind=StakeholderKind.INDIVIDUAL, title="A farmer", contact_name="Fay"
)
ask = done = SubjectErased(ground=GROUND, participant="p-1")
people = (opinion, cycle, sol, p_1, p_2)
agreed = [
    ConsentGiven(participant=each, permissions=MAY_ALL, form_version="1") for each in ("p-1", "p-2")
]
workshop = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1", "p-2"), notes="Both.")


def test_a_data_steward_erases_a_participant() -> None:
    given(*people).when(EraseSubject, ask, by="sol").then(done)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.DATA_STEWARD, Role.PARTICIPANT}))
def test_nobody_else_may(role: Role) -> None:
    other = MemberJoined(member="cy", role=role)
    story = given(*people, other).when(EraseSubject, ask, by="cy")
    story.then_refused("role_insufficient")


def test_a_participant_asks_and_does_not_do_it() -> None:
    given(*people, pat).when(EraseSubject, ask, by="pat").then_refused("role_insufficient")
    asked = ErasureRequested(participant="p-1", ground=GROUND)
    given(*people, pat).when(RequestErasure, asked, by="pat").then(asked)
    assert MAY[Duty.ERASE] == {Role.DATA_STEWARD}


def test_a_stranger_does_not_learn_who_is_in_the_study() -> None:
    given(*people).when(EraseSubject, ask, by="nobody").then_refused("study_unknown")


def test_somebody_unknown_cannot_be_erased() -> None:
    nobody = SubjectErased(ground=GROUND, participant="p-9")
    given(*people).when(EraseSubject, nobody, by="sol").then_refused("participant_unknown")
    nothing = SubjectErased(ground=GROUND, stakeholder="farm")
    given(*people).when(EraseSubject, nothing, by="sol").then_refused("stakeholder_unknown")


def test_a_stakeholder_can_be_erased() -> None:
    of_farm = SubjectErased(ground=ErasureGround.OBJECTION, stakeholder="farm")
    given(*people, farm).when(EraseSubject, of_farm, by="sol").then(of_farm)


def test_a_member_can_be_erased_who_has_left() -> None:
    of_bo = SubjectErased(ground=ErasureGround.NO_LONGER_NEEDED, member="bo")
    given(*people, bo, gone).when(EraseSubject, of_bo, by="sol").then(of_bo)
    for history in ((), (bo,), (bo, gone, bo)):
        story = given(*people, *history).when(EraseSubject, of_bo, by="sol")
        story.then_refused("member_not_left")
    of_ana = SubjectErased(ground=ErasureGround.NO_LONGER_NEEDED, member="ana")  # who leads
    given(*people).when(EraseSubject, of_ana, by="sol").then_refused("member_not_left")


def test_one_person_is_named() -> None:
    nobody = SubjectErased(ground=GROUND)
    two = SubjectErased(ground=GROUND, participant="p-1", stakeholder="farm")
    for unclear in (nobody, two):
        story = given(*people, farm).when(EraseSubject, unclear, by="sol")
        story.then_refused("subject_unclear")


def test_nobody_is_erased_twice() -> None:
    story = given(*people, done).when(EraseSubject, ask, by="sol").then_refused("subject_erased")
    assert story.refused is not None
    assert story.refused.reasons[0].decided_by == len(story.told)


def test_of_two_who_erase_at_once_one_comes_first() -> None:
    story = given(*people).meanwhile(done).when(EraseSubject, ask, by="sol")
    story.then_refused("subject_erased")


def test_a_participants_accounts_are_erased_with_them() -> None:
    again = structs.replace(pat, member="pat-2")
    with_accounts = structs.replace(ask, members=("pat", "pat-2"))
    given(*people, pat, again).when(EraseSubject, ask, by="sol").then(with_accounts)
    assert with_accounts.subjects == ("member:pat", "member:pat-2", "participant:p-1")
    of_p_2 = structs.replace(ask, participant="p-2")
    given(*people, pat).when(EraseSubject, of_p_2, by="sol").then(of_p_2)


def test_an_account_that_came_meanwhile_is_erased_too() -> None:
    story = given(*people).meanwhile(pat).when(EraseSubject, ask, by="sol")
    story.then(structs.replace(ask, members=("pat",)))


def test_a_steward_does_not_erase_themselves() -> None:
    once = MemberJoined(member="sol", role=Role.PARTICIPANT, participant="p-1")
    story = given(opinion, cycle, p_1, once, sol).when(EraseSubject, ask, by="sol")
    story.then_refused("own_erasure")


def test_what_went_out_before_is_listed() -> None:
    def quoted(quotation: str, of: str) -> QuotationReleased:
        return QuotationReleased(
            quotation=quotation, participant=of, permission=Permission.QUOTE_ANONYMOUS,
            words="It rained.", where="A brief",
        )  # fmt: skip

    credited = AuthorshipAgreed(
        work="A brief", authors=(Author(participant="p-1", roles=(CreditRole.RESOURCES,)),)
    )
    deposited = ArchiveDeposited(
        repository="An archive", what="Transcripts", access=Access.OPEN, participants=("p-1", "p-2")
    )
    history = [quoted("q-1", "p-1"), quoted("q-2", "p-2"), credited, deposited]
    story = given(*people, *history).when(EraseSubject, ask, by="sol")
    third, fourth = len(story.told) - 2, len(story.told) - 1
    listed = ("quotation:q-1", f"event:{third}", f"event:{fourth}")
    story.then(structs.replace(ask, out_of_reach=listed))


def refused_for(path: str, *history: ResearchEvent, command: type, event: ResearchEvent, by: str,
                **occasion: str) -> None:  # fmt: skip
    story = given(*people, *history).when(command, event, by=by, **occasion)
    story.then_refused("subject_erased")
    assert story.refused is not None
    (reason,) = story.refused.reasons
    assert reason.path == path
    assert "is erased from this study" in reason.message


def test_a_text_about_them_is_refused_and_the_event_without_it_is_not() -> None:
    refused_for("notes", *agreed, done, command=HoldWorkshop, event=workshop, by="ana")
    silent = structs.replace(workshop, notes=None)
    given(*people, *agreed, done).when(HoldWorkshop, silent).then(silent)
    alone = structs.replace(workshop, participants=("p-2",))
    given(*people, *agreed, done).when(HoldWorkshop, alone).then(alone)


def test_a_text_is_refused_though_they_were_erased_only_meanwhile() -> None:
    story = given(*people, *agreed).meanwhile(done).when(HoldWorkshop, workshop)
    story.then_refused("subject_erased")


def test_an_account_of_theirs_has_no_name_any_more() -> None:
    named = structs.replace(pat, name="Wren Alder")
    refused_for("name", done, command=JoinMember, event=named, by="ana")
    given(*people, done).when(JoinMember, pat).then(pat)
    given(*people, structs.replace(ask, participant="p-2")).when(JoinMember, named).then(named)


def test_a_correction_of_a_text_about_them_is_refused() -> None:
    def correction(**standing: str) -> Corrected:
        return Corrected(
            corrects=len(people) + len(agreed) + 2, event_type="WorkshopHeld",
            subject="workshop:w-1", why="A slip.", standing=standing,
        )  # fmt: skip

    history = (*agreed, workshop, done)
    refused_for(
        "personal_standing", *history, command=Correct, event=correction(notes="Both!"), by="ana"
    )
    story = given(*people, *history).when(Correct, correction(topic="Water"))
    assert story.refused is None  # of what is public


def test_a_reason_is_refused_of_a_member_who_is_erased() -> None:
    erased = structs.replace(ask, members=("pat",))
    rated = PowerRated(
        cycle="c-1", scale=PowerScale.IAP2, level=PowerLevel.CONSULT, rater_role=Role.PARTICIPANT
    )
    refused_for(
        "reason", pat, erased, command=RatePower, event=rated, by="pat", reason="I was there."
    )
    given(*people, pat, erased).when(RatePower, rated, by="pat").then(rated)


def test_every_text_that_is_refused_is_named_at_once() -> None:
    both = structs.replace(workshop, adjustments="A ramp.")
    story = given(*people, *agreed, done).when(HoldWorkshop, both)
    story.then_refused("subject_erased", "subject_erased")
    assert story.refused is not None
    assert {reason.path for reason in story.refused.reasons} == {"notes", "adjustments"}


def test_a_stakeholder_of_the_same_name_is_somebody_else() -> None:
    other = StakeholderEngaged(
        stakeholder="p-1", kind=StakeholderKind.OTHER, title="Another", note="Not the participant."
    )
    given(*people, done).when(EngageStakeholder, other).then(other)


def test_withdrawal_is_recorded_all_the_same_and_their_words_are_dropped() -> None:
    said = ConsentWithdrawn(participant="p-1", words="Never again.", permissions=MAY_ALL)
    kept = structs.replace(said, words=None)
    erased = structs.replace(ask, members=("pat",))
    given(*people, pat, *agreed, done).when(WithdrawConsent, said).then(kept)
    story = given(*people, pat, *agreed, erased)
    story.when(WithdrawConsent, said, by="pat", reason="Late.").then(kept)
    assert story.command is not None
    assert story.command.occasion.reason is None
    story = given(*people, pat, *agreed).meanwhile(erased)
    story.when(WithdrawConsent, said, by="pat", reason="Late.").then(kept)


def test_withdrawal_by_code_is_recorded_all_the_same_and_keeps_no_reason() -> None:
    receipt = ReceiptIssued(participant="p-1", consent=7, withdrawal_code_sha256=CODE)
    said = ConsentWithdrawn(participant="p-1", words="No.", code_sha256=CODE, permissions=MAY_ALL)
    kept = structs.replace(said, words=None)
    for history, expected in (((), said), ((done,), kept)):
        story = given(*people, *agreed, receipt, *history)
        story.when(WithdrawByCode, said, by="p-1", reason="Late.").then(expected)
        assert story.command is not None
        assert story.command.occasion.reason is None


def test_those_who_are_not_erased_are_heard_as_before() -> None:
    of_p_2 = structs.replace(ask, participant="p-2")
    said = ConsentWithdrawn(participant="p-1", words="Not now.", permissions=MAY_ALL)
    given(*people, *agreed, of_p_2).when(WithdrawConsent, said, reason="Late.").then(said)
