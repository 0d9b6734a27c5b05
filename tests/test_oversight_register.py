"""Oversight: what went wrong, what the committee was told of it, and what its audits found."""

import asyncio
from datetime import UTC, date, datetime

from domain.documents import Document, DocumentKind
from domain.ethics import Activity, ApplicationSubmitted
from domain.oversight import (
    AuditOpened,
    FindingAnswered,
    FindingRaised,
    ReportFiled,
    ReportKind,
    Severity,
    StudyEndDeclared,
)
from domain.permissions import Permission
from domain.policy_packs import PolicyAdopted
from domain.safety import (
    AdverseEventReported,
    ComplaintReceived,
    DeviationKind,
    DeviationReported,
    SafeguardingRaised,
    UrgentSafetyMeasureTaken,
)
from projections.approvals import applications
from projections.oversight_register import audit_findings, audits, policies, reports, study_ends
from projections.paging import Window
from projections.safety_register import (
    adverse_events,
    complaints,
    deviations,
    safeguarding_concerns,
    urgent_safety_measures,
)
from tests.conftest import Database
from tests.registers import STUDY, followed
from tests.story import on

AWARE = datetime(2026, 3, 2, 12, tzinfo=UTC)


def adverse(name: str, *, serious: bool) -> AdverseEventReported:
    return AdverseEventReported(
        adverse_event=name, serious=serious, related=True, unexpected=True, aware_at=AWARE,
        participants=("p-1",), what="A fall.",
    )  # fmt: skip


def report(name: str, kind: ReportKind, *about: str) -> ReportFiled:
    return ReportFiled(report=name, kind=kind, about=about)


def test_what_went_wrong_is_listed_with_the_first_report_of_it_to_the_committee(
    database: Database,
) -> None:
    history = (
        on("2026-03-01", adverse("ae-1", serious=True)),  # 2
        on("2026-03-02", adverse("ae-2", serious=False)),
        on("2026-03-04", UrgentSafetyMeasureTaken(measure="m-1", participants=("p-1",))),
        on("2026-03-05", DeviationReported(
            deviation="d-1", kind=DeviationKind.AFTER_WITHDRAWAL, serious=True, aware_at=AWARE,
            participants=("p-2",), permissions=(Permission.AUDIO,), activity=Activity.RECORDING,
            remedy="The file was erased.",
        )),
        on("2026-03-07", report("r-2", ReportKind.ADVERSE_EVENT, "adverse_event:ae-1")),  # 6
        on("2026-03-06", report("r-1", ReportKind.ADVERSE_EVENT, "adverse_event:ae-1")),
        on("2026-03-06", report("r-3", ReportKind.PROGRESS, "deviation:d-1", "measure:m-1")),
        on("2026-03-07", report("r-4", ReportKind.URGENT_SAFETY_MEASURE, "measure:m-1")),
    )  # fmt: skip

    async def story() -> None:
        async with followed(database, *history) as db:
            first, second = (await adverse_events(db, STUDY, Window())).rows
            assert (first.adverse_event, first.what, first.aware_at) == ("ae-1", "2/what", AWARE)
            assert first.reported_by == 7, "the report sent first, though recorded second"
            assert second.reported_at is None
            (only,) = (await adverse_events(db, STUDY, Window(), reportable=True)).rows
            assert only.adverse_event == "ae-1"
            (measure,) = (await urgent_safety_measures(db, STUDY, Window())).rows
            assert measure.reported_by == 9, "a progress report is no notice of it"
            (deviation,) = (await deviations(db, STUDY, Window(), reported=False)).rows
            assert (deviation.kind, deviation.permissions, deviation.activity) == (
                DeviationKind.AFTER_WITHDRAWAL, [Permission.AUDIO], Activity.RECORDING,
            )  # fmt: skip
            assert deviation.remedy == "5/remedy"
            assert (await deviations(db, STUDY, Window(), participant="p-1")).rows == []

    asyncio.run(story())


def test_complaints_and_safeguarding_concerns_are_listed(database: Database) -> None:
    history = (
        on("2026-03-01", ComplaintReceived(complaint="k-1", what="The hall was locked.")),
        on("2026-03-02", SafeguardingRaised(
            safeguarding="s-1", participants=("p-1",), referred_to="Adult social care",
        )),
    )  # fmt: skip

    async def story() -> None:
        async with followed(database, *history) as db:
            (complaint,) = (await complaints(db, STUDY, Window())).rows
            assert (complaint.complaint, complaint.what) == ("k-1", "2/what")
            found = (await safeguarding_concerns(db, STUDY, Window(), participant="p-1")).rows
            assert [each.referred_to for each in found] == ["Adult social care"]

    asyncio.run(story())


def test_the_committee_sees_applications_reports_policies_and_the_studys_end(
    database: Database,
) -> None:
    protocol = Document(kind=DocumentKind.PROTOCOL, version="1.2", sha256="a" * 64)
    history = (
        on("2026-01-02", ApplicationSubmitted(
            application="app-1", committee="REC", documents=(protocol,), personnel=("ana",),
            activities=(Activity.INTERVIEW,),
        )),
        on("2026-01-03", PolicyAdopted(pack="university-2026")),
        on("2026-06-01", report("r-1", ReportKind.PROGRESS)),
        on("2026-09-01", StudyEndDeclared(
            opinion="rec-1", ended_on=date(2026, 8, 31), early=True, why="The money is gone.",
        )),
    )  # fmt: skip

    async def story() -> None:
        async with followed(database, *history) as db:
            (application,) = (await applications(db, STUDY, Window())).rows
            (sent,) = application.documents
            assert (sent.kind, sent.version) == (DocumentKind.PROTOCOL, "1.2")
            assert application.activities == [Activity.INTERVIEW]
            (policy,) = (await policies(db, STUDY, Window())).rows
            assert policy.pack == "university-2026"
            assert (await reports(db, STUDY, Window(), kind=ReportKind.FINAL)).rows == []
            (progress,) = (await reports(db, STUDY, Window())).rows
            assert progress.report == "r-1"
            (end,) = (await study_ends(db, STUDY, Window())).rows
            assert (end.ended_on, end.early) == (date(2026, 8, 31), True)

    asyncio.run(story())


def test_what_an_audit_found_waits_for_the_last_answer_given(database: Database) -> None:
    def raised(name: str, answer_by: date | None = None) -> FindingRaised:
        return FindingRaised(
            audit="audit-1", audit_finding=name, severity=Severity.BREACH, question=9,
            positions=(3, 5), answer_by=answer_by, what="Two captures.",
        )  # fmt: skip

    history = (
        on("2026-03-01", AuditOpened(audit="audit-1", committee="REC")),
        on("2026-03-01", raised("f-1", date(2026, 3, 20))),
        on("2026-03-01", raised("f-2", date(2026, 3, 20))),
        on("2026-03-02", raised("f-3")),
        on("2026-03-21", FindingAnswered(audit_finding="f-1", accepted=True, answer="Mended.")),
        on("2026-03-10", FindingAnswered(audit_finding="f-1", accepted=False)),
    )

    async def story() -> None:
        async with followed(database, *history) as db:
            (audit,) = (await audits(db, STUDY, Window())).rows
            assert (audit.findings, audit.unanswered) == (3, 2)
            first, second, third = (await audit_findings(db, STUDY, Window())).rows
            assert (first.accepted, first.answer, first.answered_by) == (True, "6/answer", 6)
            assert (first.late, second.late, third.late) == (True, True, False)
            assert first.positions == [3, 5]
            page = await audit_findings(db, STUDY, Window(), answered=False)
            assert [each.audit_finding for each in page.rows] == ["f-2", "f-3"]

    asyncio.run(story())
