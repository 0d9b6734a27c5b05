"""What is approved at a moment: the latest opinion, its modifications, suspensions and terms.

The gates at the append are told as stories; the fold beneath them as a property, by an oracle that
shares no code with it.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import structs

from domain.approval import Approval, approval_at
from domain.consent import ConsentGiven, ConsentRequested, GrantConsent, RequestConsent
from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApprovalReinstated,
    ApprovalSuspended,
    OpinionGiven,
    Outcome,
)
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.membership import MemberJoined, Role
from domain.modifications import ModificationDecided, ModificationKind
from domain.people import EnrolParticipant, ParticipantEnrolled
from domain.permissions import Permission
from domain.reflections import RecordReflection, ReflectionRecorded, Voice
from domain.vocabulary import Heard, ResearchEvent
from domain.workshops import HoldWorkshop, WorkshopHeld
from tests.story import given, on
from tests.study_in_the_field import agreed, cycle, opinion, pat

FORM, SHEET = DocumentKind.CONSENT_FORM, DocumentKind.INFORMATION_SHEET
ben = MemberJoined(member="ben", role=Role.RESEARCHER)
suspended = ApprovalSuspended(opinion="rec-1", why="A complaint is looked into.")
reinstated = ApprovalReinstated(opinion="rec-1")
modified = ModificationDecided(
    modification="mod-1",
    opinion="rec-1",
    kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE,
)
newcomer = ParticipantEnrolled(participant="p-9")
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.HOME
)
workshop = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",))


def approving(**terms: Any) -> OpinionGiven:
    """The opinion with other terms."""
    return structs.replace(opinion, **terms)


# Recruitment --------------------------------------------------------------------------------------


def test_nobody_is_enrolled_before_the_committee_approves_recruitment() -> None:
    given().when(EnrolParticipant, newcomer).then_refused("approval_missing")
    given(opinion).when(EnrolParticipant, newcomer).then(newcomer)
    given(approving(activities=(Activity.INTERVIEW,))).when(
        EnrolParticipant, newcomer
    ).then_refused("activity_not_approved")


def test_nobody_is_enrolled_outside_the_opinions_dates() -> None:
    until_march = approving(valid_to=date(2026, 3, 31))
    given(until_march).when(EnrolParticipant, newcomer, at="2026-03-31").then(newcomer)
    story = given(until_march).when(EnrolParticipant, newcomer, at="2026-04-01")
    story.then_refused("approval_not_in_force")


def test_no_more_are_enrolled_than_were_approved() -> None:
    for_two = approving(max_participants=2)
    one, two = ParticipantEnrolled(participant="p-1"), ParticipantEnrolled(participant="p-2")
    given(for_two, one).when(EnrolParticipant, two).then(two)
    story = given(for_two, one, two).when(EnrolParticipant, newcomer)
    story.then_refused("participants_exceeded")
    assert story.refused is not None
    assert story.refused.reasons[0].decided_by == 2
    assert "2 participants" in story.refused.reasons[0].message


def test_two_who_enrol_the_last_place_at_once_do_not_both_get_it() -> None:
    for_one = approving(max_participants=1)
    story = given(for_one).meanwhile(ParticipantEnrolled(participant="p-1"))
    story.when(EnrolParticipant, newcomer).then_refused("participants_exceeded")


def test_a_modification_raises_the_number() -> None:
    for_one = approving(max_participants=1)
    more = structs.replace(modified, max_participants=2)
    story = given(for_one, ParticipantEnrolled(participant="p-1"), on("2026-06-01", more))
    story.when(EnrolParticipant, newcomer, at="2026-06-02").then(newcomer)


def test_somebody_enrolled_late_does_not_push_later_people_beyond_the_number() -> None:
    full = [on("2026-02-01", ParticipantEnrolled(participant=p)) for p in ("p-1", "p-2")]
    story = given(approving(max_participants=2), *full)
    story.when(EnrolParticipant, newcomer, at="2026-01-15").then_refused("participants_exceeded")
    raised = on("2026-01-20", structs.replace(modified, max_participants=3))
    story = given(approving(max_participants=2), raised, *full)
    story.when(EnrolParticipant, newcomer, at="2026-01-15").then(newcomer)


# People, sites, documents -------------------------------------------------------------------------


def test_nobody_off_the_list_enrols_takes_consent_or_captures() -> None:
    anas = approving(personnel=("ana",))
    enrolled, consent = agreed("p-1")
    given(anas, ben).when(EnrolParticipant, newcomer, by="ben").then_refused("person_not_approved")
    given(anas, ben, enrolled).when(GrantConsent, consent, by="ben").then_refused(
        "person_not_approved"
    )
    story = given(anas, ben, cycle, enrolled, consent)
    story.when(HoldInterview, interview, by="ben").then_refused("person_not_approved")


def test_who_is_named_counts_not_who_typed_it_in() -> None:
    anas = approving(personnel=("ana",))
    enrolled, consent = agreed("p-1")
    assert isinstance(consent, ConsentGiven)
    by_ana = structs.replace(consent, taken_by="ana")
    given(anas, ben, enrolled).when(GrantConsent, by_ana, by="ben").then(by_ana)
    held = structs.replace(interview, interviewers=("ana",))
    given(anas, ben, cycle, enrolled, consent).when(HoldInterview, held, by="ben").then(held)
    both = structs.replace(interview, interviewers=("ana", "ben", "zoe"))
    story = given(anas, ben, cycle, enrolled, consent).when(HoldInterview, both)
    story.then_refused("person_not_approved", "person_not_approved")
    assert story.refused is not None
    assert [r.path for r in story.refused.reasons] == ["interviewers.1", "interviewers.2"]


def test_a_modification_adds_people_and_sites() -> None:
    anas = approving(personnel=("ana",), sites=("hall",))
    wider = structs.replace(modified, personnel=("ben",), sites=("library",))
    held = structs.replace(workshop, facilitators=("ana", "ben"), site="library")
    story = given(anas, cycle, *agreed("p-1"), on("2026-06-01", wider))
    story.when(HoldWorkshop, held, at="2026-06-02").then(held)
    story = given(anas, cycle, *agreed("p-1"), on("2026-06-01", wider))
    story.when(HoldWorkshop, held, at="2026-05-31").then_refused(
        "person_not_approved", "site_not_approved"
    )


def test_a_modification_restricts_nothing_that_was_unrestricted() -> None:
    wider = structs.replace(modified, personnel=("ben",), sites=("library",))
    story = given(opinion, cycle, *agreed("p-1"), on("2026-06-01", wider))
    story.when(HoldInterview, interview).then(interview)


def test_participants_speak_for_themselves_and_need_not_be_on_the_list() -> None:
    reflection = ReflectionRecorded(
        reflection="r-1", cycle="c-1", voice=Voice.PARTICIPANTS, what="Soup.", participants=("p-1",)
    )
    story = given(approving(personnel=("ana",)), cycle, *agreed("p-1"), pat)
    story.when(RecordReflection, reflection, by="pat").then(reflection)


def test_where_sites_are_approved_the_site_is_said() -> None:
    at_the_hall = approving(sites=("hall",))
    story = given(at_the_hall, cycle, *agreed("p-1")).when(HoldWorkshop, workshop)
    story.then_refused("site_missing")
    elsewhere = structs.replace(workshop, site="pub")
    story = given(at_the_hall, cycle, *agreed("p-1")).when(HoldWorkshop, elsewhere)
    story.then_refused("site_not_approved")
    there = structs.replace(workshop, site="hall")
    given(at_the_hall, cycle, *agreed("p-1")).when(HoldWorkshop, there).then(there)


def test_consent_is_taken_on_an_approved_form_and_sheet_only() -> None:
    form = Document(kind=FORM, version="2.0", sha256="a" * 64)
    sheet = Document(kind=SHEET, version="3.0")
    with_documents = approving(documents=(form, sheet))
    enrolled, consent = agreed("p-1", Permission.INTERVIEW)
    assert isinstance(consent, ConsentGiven)
    given(with_documents, enrolled).when(GrantConsent, consent).then_refused("form_not_approved")
    other_file = structs.replace(consent, form_version="2.0", form_sha256="b" * 64)
    given(with_documents, enrolled).when(GrantConsent, other_file).then_refused("form_not_approved")
    old_sheet = structs.replace(
        consent, form_version="2.0", form_sha256="a" * 64, information_sheet_version="1.0"
    )
    given(with_documents, enrolled).when(GrantConsent, old_sheet).then_refused("sheet_not_approved")
    right = structs.replace(old_sheet, information_sheet_version="3.0")
    given(with_documents, enrolled).when(GrantConsent, right).then(right)
    asked = ConsentRequested(
        participant="p-1",
        permissions=(Permission.INTERVIEW,),
        form_version="1.0",
        information_sheet_version="1.0",
    )
    given(with_documents, enrolled).when(RequestConsent, asked).then_refused(
        "form_not_approved", "sheet_not_approved"
    )


def test_a_new_version_of_a_form_ends_the_old_one_on_the_day_of_the_decision() -> None:
    first = approving(
        documents=(Document(kind=FORM, version="1"), Document(kind=SHEET, version="1"))
    )
    second = structs.replace(modified, documents=(Document(kind=FORM, version="2"),))
    enrolled, consent = agreed("p-1", Permission.INTERVIEW)
    assert isinstance(consent, ConsentGiven)
    old = structs.replace(consent, information_sheet_version="1")
    new = structs.replace(old, form_version="2")
    for form, at, allowed in (
        (old, "2026-05-31", True),
        (new, "2026-05-31", False),
        (old, "2026-06-02", False),
        (new, "2026-06-02", True),
    ):
        story = given(first, enrolled, on("2026-06-01", second)).when(GrantConsent, form, at=at)
        if allowed:
            story.then(form)
        else:
            story.then_refused("form_not_approved")


# Suspension ---------------------------------------------------------------------------------------


def test_nothing_is_done_while_approval_is_suspended() -> None:
    paused = [on("2026-03-01", suspended), on("2026-04-01", reinstated)]
    ready = [opinion, cycle, *agreed("p-1")]
    given(*ready, *paused).when(HoldInterview, interview, at="2026-02-28").then(interview)
    story = given(*ready, *paused).when(HoldInterview, interview, at="2026-03-15")
    story.then_refused("approval_suspended")
    assert story.refused is not None
    assert story.refused.reasons[0].decided_by == 6  # the suspension
    given(*ready, *paused).when(HoldInterview, interview, at="2026-04-02").then(interview)
    given(opinion, *paused[:1]).when(EnrolParticipant, newcomer).then_refused("approval_suspended")


def test_a_suspension_that_arrives_meanwhile_is_noticed() -> None:
    story = given(opinion, cycle, *agreed("p-1")).meanwhile(on("2026-11-20", suspended))
    story.when(HoldInterview, interview).then_refused("approval_suspended")


def test_a_suspension_of_an_earlier_opinion_does_not_touch_a_later_one() -> None:
    second = approving(opinion="rec-2")
    story = given(
        opinion, cycle, *agreed("p-1"), on("2026-05-01", second), on("2026-06-01", suspended)
    )
    story.when(HoldInterview, interview).then(interview)


def test_every_reason_is_said_at_once() -> None:
    narrow = approving(
        activities=(Activity.WORKSHOP,),
        valid_to=date(2026, 2, 1),
        personnel=("zoe",),
        sites=("hall",),
    )
    story = given(
        narrow, cycle, ParticipantEnrolled(participant="p-1"), on("2026-01-20", suspended)
    )
    story.when(HoldInterview, interview).then_refused(
        "activity_not_approved",
        "approval_not_in_force",
        "approval_suspended",
        "person_not_approved",
        "site_missing",
        "consent_missing",
    )
    assert story.refused is not None
    for reason in story.refused.reasons:
        assert reason.path
        assert "reportDeviation" in reason.message or reason.code == "site_missing"
    assert [r.decided_by for r in story.refused.reasons] == [2, 2, 5, 2, 2, None]


def test_days_are_counted_in_utc() -> None:
    until = approving(valid_to=date(2026, 6, 30))
    story = given(until, cycle, *agreed("p-1"))
    story.when(HoldInterview, interview, at="2026-07-01T00:30:00+02:00").then(interview)


# The fold -----------------------------------------------------------------------------------------

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
opinions = st.builds(
    OpinionGiven,
    opinion=st.sampled_from(["a", "b"]),
    committee=st.just("REC"),
    outcome=st.sampled_from(Outcome),
    activities=st.just((Activity.WORKSHOP,)),
    valid_from=st.just(date(2026, 1, 1)),
    valid_to=st.just(date(2026, 12, 31)),
    personnel=st.sampled_from([(), ("ana",)]),
    documents=st.sampled_from(
        [(), (Document(kind=FORM, version="1"),), (Document(kind=SHEET, version="1"),)]
    ),
    max_participants=st.sampled_from([None, 5]),
)
changes = st.builds(
    ModificationDecided,
    modification=st.just("m"),
    opinion=st.sampled_from(["a", "b"]),
    kind=st.sampled_from(ModificationKind),
    outcome=st.sampled_from(Outcome),
    personnel=st.sampled_from([(), ("ben",)]),
    documents=st.sampled_from([(), (Document(kind=FORM, version="2"),)]),
    max_participants=st.sampled_from([None, 9]),
)
pauses = st.builds(ApprovalSuspended, opinion=st.sampled_from(["a", "b"]))
resumptions = st.builds(ApprovalReinstated, opinion=st.sampled_from(["a", "b"]))
histories = st.lists(
    st.tuples(st.one_of(opinions, changes, pauses, resumptions), st.integers(0, 6)), max_size=12
)


def by_hand(told: list[Heard], at: datetime) -> tuple[object, ...] | None:
    """The oracle: find the opinion, then look through what came after it, term by term."""
    by_then = [h for h in told if h.occurred_at <= at]
    by_then.sort(key=lambda h: h.position)
    by_then.sort(key=lambda h: h.occurred_at)
    last = max((n for n, h in enumerate(by_then) if type(h.event) is OpinionGiven), default=None)
    if last is None:
        return None
    given_then: Any = by_then[last].event
    after: list[Any] = [
        h.event
        for h in by_then[last + 1 :]
        if getattr(h.event, "opinion", "") == given_then.opinion
    ]
    accepted = [
        e for e in after if type(e) is ModificationDecided and e.outcome is not Outcome.UNFAVOURABLE
    ]
    switches = [type(e) for e in after if type(e) in (ApprovalSuspended, ApprovalReinstated)]
    people = set(given_then.personnel)
    numbers = given_then.max_participants
    forms = {d.version for d in given_then.documents if d.kind is FORM}
    for each in accepted:
        people |= set(each.personnel) if given_then.personnel else set()
        numbers = numbers if each.max_participants is None else each.max_participants
        forms = {d.version for d in each.documents} or forms
    sheets = {d.version for d in given_then.documents if d.kind is SHEET}
    stopped = switches[-1:] == [ApprovalSuspended]
    return (given_then.opinion, given_then.outcome, people, numbers, forms, sheets, stopped)


def seen(approval: Approval | None) -> tuple[object, ...] | None:
    if approval is None:
        return None
    forms, sheets = ({d.version for d in approval.versions(kind)} for kind in (FORM, SHEET))
    return (
        approval.opinion,
        approval.outcome,
        set(approval.personnel),
        approval.max_participants,
        forms,
        sheets,
        approval.suspended,
    )


@for_all(histories, st.integers(0, 6), st.randoms())
def test_the_approval_in_force_is_what_an_auditor_works_out_by_hand(
    history: list[tuple[ResearchEvent, int]], day: int, shuffled: Any
) -> None:
    told = [
        Heard(position=n, occurred_at=BEGAN + timedelta(days=d), actor="ana", event=event)
        for n, (event, d) in enumerate(history, start=1)
    ]
    at = BEGAN + timedelta(days=day)
    expected = by_hand(told, at)
    shuffled.shuffle(told)
    assert seen(approval_at(told, at)) == expected


@pytest.mark.parametrize(
    ("version", "sha256", "approved"),
    [("1", None, True), ("1", "a" * 64, True), ("1", "b" * 64, False), ("2", "a" * 64, False)],
)
def test_a_document_is_known_by_version_and_hash(
    version: str, sha256: str | None, approved: bool
) -> None:
    told = Heard(
        position=1,
        occurred_at=BEGAN,
        actor="ana",
        event=approving(documents=(Document(kind=FORM, version="1", sha256="a" * 64),)),
    )
    approval = approval_at([told])
    assert approval is not None
    assert approval.approves_document(FORM, version, sha256) is approved
    assert approval.approves_document(SHEET, version, sha256)
