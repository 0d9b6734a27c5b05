"""What the committee is told, what its audits find, and who looked at identifiable data."""

from datetime import UTC, date, datetime

import pytest
from msgspec import structs

from domain.ethics import (
    ApplicationSubmitted,
    ApprovalReinstated,
    ApprovalSuspended,
    ConditionDischarged,
    DischargeCondition,
    GiveOpinion,
    Outcome,
    ReinstateApproval,
    SubmitApplication,
    SuspendApproval,
)
from domain.membership import MemberJoined, Role
from domain.oversight import (
    AnswerFinding,
    AuditOpened,
    DeclareStudyEnd,
    FileReport,
    FindingAnswered,
    FindingRaised,
    OpenAudit,
    RaiseFinding,
    ReportFiled,
    ReportKind,
    Severity,
    StudyEndDeclared,
)
from domain.readings import IdentifiableDataRead, Reading, RecordReading
from domain.safety import AdverseEventReported
from tests.story import given, on
from tests.study_in_the_field import opinion, pat, vic

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
eva = MemberJoined(member="eva", role=Role.ETHICS_REVIEWER)
ben = MemberJoined(member="ben", role=Role.RESEARCHER)
applied = ApplicationSubmitted(application="app-1", committee="REC")
conditional = structs.replace(
    opinion,
    outcome=Outcome.FAVOURABLE_WITH_CONDITIONS,
    conditions=("Large print.", "A first aider."),
)
discharged = ConditionDischarged(opinion="rec-1", number=2)
harmed = AdverseEventReported(
    adverse_event="ae-1", serious=True, related=True, unexpected=True, aware_at=NOON
)
report = ReportFiled(report="r-1", kind=ReportKind.ADVERSE_EVENT, about=("adverse_event:ae-1",))
ended = StudyEndDeclared(opinion="rec-1", ended_on=date(2026, 11, 23))
audit = AuditOpened(audit="au-1", committee="REC")
finding = FindingRaised(
    audit="au-1", audit_finding="af-1", severity=Severity.ATTENTION, question=4, positions=(7,)
)
answer = FindingAnswered(audit_finding="af-1", accepted=True, answer="It is dated now.")
read = IdentifiableDataRead(
    reader="ben", reading=Reading.CONSENT_DETAILS, first_at=NOON, last_at=NOON, reads=3
)


# Applications and conditions ----------------------------------------------------------------------


def test_an_application_is_submitted_once_and_the_opinion_answers_it() -> None:
    given().when(SubmitApplication, applied).then(applied)
    given(applied).when(SubmitApplication, applied).then_refused("application_exists")
    answering = structs.replace(opinion, application="app-1")
    given(applied).when(GiveOpinion, answering).then(answering)
    given().when(GiveOpinion, answering).then_refused("application_unknown")


def test_a_condition_is_discharged_once_and_only_if_there_is_one_of_that_number() -> None:
    given(conditional, eva).when(DischargeCondition, discharged, by="eva").then(discharged)
    story = given(conditional, discharged).when(DischargeCondition, discharged)
    story.then_refused("condition_discharged")
    third = structs.replace(discharged, number=3)
    given(conditional).when(DischargeCondition, third).then_refused("condition_unknown")
    given().when(DischargeCondition, discharged).then_refused("opinion_unknown")
    first = structs.replace(discharged, number=1)
    given(conditional, discharged).when(DischargeCondition, first).then(first)


def test_a_researcher_discharges_no_condition() -> None:
    story = given(conditional, ben).when(DischargeCondition, discharged, by="ben")
    story.then_refused("role_insufficient")


def test_approval_is_suspended_and_reinstated_in_turn() -> None:
    suspended = ApprovalSuspended(opinion="rec-1")
    reinstated = ApprovalReinstated(opinion="rec-1")
    given(opinion, eva).when(SuspendApproval, suspended, by="eva").then(suspended)
    given().when(SuspendApproval, suspended).then_refused("opinion_unknown")
    given(opinion, suspended).when(SuspendApproval, suspended).then_refused("approval_suspended")
    given(opinion).when(ReinstateApproval, reinstated).then_refused("approval_not_suspended")
    given(opinion, suspended).when(ReinstateApproval, reinstated).then(reinstated)
    given(opinion, suspended, reinstated).when(SuspendApproval, suspended).then(suspended)


# Reports ------------------------------------------------------------------------------------------


def test_a_report_is_about_something_on_record() -> None:
    given(harmed).when(FileReport, report).then(report)
    story = given().when(FileReport, report).then_refused("subject_unknown")
    assert story.refused is not None
    assert story.refused.reasons[0].path == "about.0"
    given(harmed, report).when(FileReport, report).then_refused("report_exists")


def test_another_report_does_not_make_its_subject_known() -> None:
    again = structs.replace(report, report="r-2")
    given(report).when(FileReport, again).then_refused("subject_unknown")


@pytest.mark.parametrize("kind", ReportKind)
def test_a_report_that_stops_a_clock_names_what_it_is_about(kind: ReportKind) -> None:
    general = ReportFiled(report="r-1", kind=kind)
    story = given().when(FileReport, general)
    if kind in (ReportKind.PROGRESS, ReportKind.FINAL, ReportKind.OTHER):
        story.then(general)
    else:
        story.then_refused("about_missing")


def test_the_studys_end_is_declared_once_when_it_has_come() -> None:
    given(opinion).when(DeclareStudyEnd, ended).then(ended)
    given(opinion, ended).when(DeclareStudyEnd, ended).then_refused("end_declared")
    given().when(DeclareStudyEnd, ended).then_refused("opinion_unknown")
    ahead = structs.replace(ended, ended_on=date(2026, 11, 24))
    given(opinion).when(DeclareStudyEnd, ahead).then_refused("end_in_the_future")
    renewed = structs.replace(opinion, opinion="rec-2")
    under_it = structs.replace(ended, opinion="rec-2")
    given(opinion, ended, renewed).when(DeclareStudyEnd, under_it).then(under_it)


# Audits -------------------------------------------------------------------------------------------


def test_the_committee_audits_and_the_lead_answers() -> None:
    given(eva).when(OpenAudit, audit, by="eva").then(audit)
    given(eva, audit).when(RaiseFinding, finding, by="eva").then(finding)
    given(eva, audit, finding).when(AnswerFinding, answer).then(answer)


def test_nobody_audits_themselves() -> None:
    given().when(OpenAudit, audit).then_refused("role_insufficient")
    given(eva, audit).when(RaiseFinding, finding).then_refused("role_insufficient")
    story = given(eva, audit, finding).when(AnswerFinding, answer, by="eva")
    story.then_refused("role_insufficient")


def test_a_finding_belongs_to_an_audit_and_an_answer_to_a_finding() -> None:
    given(eva).when(RaiseFinding, finding, by="eva").then_refused("audit_unknown")
    story = given(eva, audit, finding).when(RaiseFinding, finding, by="eva")
    story.then_refused("audit_finding_exists")
    given(eva, audit).when(AnswerFinding, answer).then_refused("audit_finding_unknown")
    more = structs.replace(answer, accepted=False)
    given(eva, audit, finding, answer).when(AnswerFinding, more).then(more)


# Readings -----------------------------------------------------------------------------------------


def test_what_somebody_read_is_recorded_in_their_own_name() -> None:
    given(ben).when(RecordReading, read, by="ben").then(read)
    given(ben).when(RecordReading, read, by="ana").then_refused("reader_differs")
    strangers = structs.replace(read, reader="zoe")
    given(ben).when(RecordReading, strangers, by="zoe").then_refused("study_unknown")


def test_even_those_who_may_not_read_such_data_are_on_record_if_they_did() -> None:
    for member in (vic, pat):
        their_own = structs.replace(read, reader=member.member)
        given(on("2026-01-02", member)).when(RecordReading, their_own, by=member.member).then(
            their_own
        )
