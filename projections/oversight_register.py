"""The oversight register: reports, the study's end, policy packs, and audits."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.membership import Duty
from domain.oversight import (
    AuditOpened,
    FindingAnswered,
    FindingRaised,
    ReportFiled,
    ReportKind,
    Severity,
    StudyEndDeclared,
)
from domain.policy_packs import PolicyAdopted
from domain.vocabulary import (
    CORRESPONDENCE,
    Entry,
    ResearchEvent,
)
from projections.paging import Page, Window, during, page
from projections.writing import Writes

READ_BY = Duty.AUDIT

TABLES = """
create table report_line (
    study text not null, position bigint not null, report text not null, kind text not null,
    about text[] not null, sha256 text, occurred_at timestamptz not null,
    recorded_at timestamptz not null, note text,
    primary key (study, position)
);
create table study_end_line (
    study text not null, position bigint not null, opinion text not null, ended_on date not null,
    early bool not null, occurred_at timestamptz not null, recorded_at timestamptz not null,
    why text,
    primary key (study, position)
);
create table policy_line (
    study text not null, position bigint not null, pack text not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null,
    primary key (study, position)
);
create table visit_line (
    study text not null, position bigint not null, audit text not null, committee text not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null, note text,
    primary key (study, position)
);
create table visit_finding_line (
    study text not null, position bigint not null, audit_finding text not null,
    audit text not null, severity text not null, question int, positions bigint[] not null,
    answer_by date, occurred_at timestamptz not null, recorded_at timestamptz not null, what text,
    primary key (study, position)
);
create index on visit_finding_line (study, audit);
create table visit_answer_line (
    study text not null, position bigint not null, audit_finding text not null,
    accepted bool not null, answer text, occurred_at timestamptz not null,
    primary key (study, position)
);
create index on visit_answer_line (study, audit_finding);
"""

FILED = "insert into report_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
ENDED = "insert into study_end_line values ($1, $2, $3, $4, $5, $6, $7, $8)"
ADOPTED = "insert into policy_line values ($1, $2, $3, $4, $5)"
OPENED = "insert into visit_line values ($1, $2, $3, $4, $5, $6, $7)"
RAISED = """
insert into visit_finding_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
ANSWERED = "insert into visit_answer_line values ($1, $2, $3, $4, $5, $6)"

AUDITS = """(
select a.*, c.findings, c.unanswered from visit_line a
cross join lateral (
    select count(*)::int as findings, (count(*) filter (where not exists (
        select from visit_answer_line w
        where w.study = f.study and w.audit_finding = f.audit_finding
    )))::int as unanswered
    from visit_finding_line f where f.study = a.study and f.audit = a.audit
) c
) audit_shown"""
# Of several answers the last one given counts.
AUDIT_FINDINGS = """(
select f.*, w.accepted, w.answer, w.occurred_at as answered_at, w.position as answered_by,
    coalesce(f.answer_by < coalesce(
        (w.occurred_at at time zone 'utc')::date, (now() at time zone 'utc')::date
    ), false) as late
from visit_finding_line f
left join lateral (
    select * from visit_answer_line w
    where w.study = f.study and w.audit_finding = f.audit_finding
    order by w.occurred_at desc, w.position desc limit 1
) w on true
) audit_finding_shown"""


@dataclass(frozen=True)
class Report:
    """A report that was sent to the committee."""

    NODE: ClassVar[tuple[str, str]] = ("report_line", "report")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    report: Annotated[str, "Its identifier."]
    kind: Annotated[ReportKind, "What kind of report."]
    about: Annotated[list[str], "What it reports: adverse_event:ae-1, participant:P-1 ..."]
    sha256: Annotated[str | None, "The SHA-256 of the report."]
    occurred_at: Annotated[datetime, "When it was sent."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    note: Annotated[str | None, CORRESPONDENCE, "A note."]


@dataclass(frozen=True)
class StudyEnd:
    """The committee was told that the study has ended."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    opinion: Annotated[str, "The opinion under which the study was done."]
    ended_on: Annotated[date, "The day it ended; the clocks run from then."]
    early: Annotated[bool, "Before what the protocol had planned."]
    occurred_at: Annotated[datetime, "When the committee was told."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    why: Annotated[str | None, CORRESPONDENCE, "Why it ended."]


@dataclass(frozen=True)
class PolicyChoice:
    """From then on the study went by this policy pack."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    pack: Annotated[str, "The policy pack."]
    occurred_at: Annotated[datetime, "From when on."]
    recorded_at: Annotated[datetime, "When that was recorded."]


@dataclass(frozen=True)
class MonitoringVisit:
    """A monitoring visit or an audit of the study by the committee."""

    NODE: ClassVar[tuple[str, str]] = (AUDITS, "audit")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    audit: Annotated[str, "Its identifier."]
    committee: Annotated[str, "The committee."]
    occurred_at: Annotated[datetime, "When it began."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    note: Annotated[str | None, CORRESPONDENCE, "A note."]
    findings: Annotated[int, "How many findings it raised."]
    unanswered: Annotated[int, "How many of them have no answer yet."]


@dataclass(frozen=True)
class VisitFinding:
    """Something that an audit found and the study has to answer, with its answer."""

    NODE: ClassVar[tuple[str, str]] = (AUDIT_FINDINGS, "audit_finding")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    audit_finding: Annotated[str, "Its identifier."]
    audit: Annotated[str, "The audit that raised it."]
    severity: Annotated[Severity, "How grave it is."]
    question: Annotated[int | None, "Which of the committee's twenty questions it answers."]
    positions: Annotated[list[int], "The events that prove it, by their positions."]
    answer_by: Annotated[date | None, "The last day for an answer."]
    occurred_at: Annotated[datetime, "When it was raised."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    what: Annotated[str | None, CORRESPONDENCE, "What was found."]
    accepted: Annotated[bool | None, "Whether the study accepts it; null: it has not answered."]
    answer: Annotated[str | None, CORRESPONDENCE, "What the study answered."]
    answered_at: Annotated[datetime | None, "When it answered last."]
    answered_by: Annotated[int | None, "That answer, by its position."]
    late: Annotated[bool, "Whether the answer came, or is still missing, after that day (UTC)."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def report_filed(event: ReportFiled, entry: Entry, write: Writes) -> None:
    write(
        FILED, entry.study, entry.position, event.report, event.kind, event.about, event.sha256,
        entry.occurred_at, entry.recorded_at, event.note,
    )  # fmt: skip


@project.register
def study_end_declared(event: StudyEndDeclared, entry: Entry, write: Writes) -> None:
    write(
        ENDED, entry.study, entry.position, event.opinion, event.ended_on, event.early,
        entry.occurred_at, entry.recorded_at, event.why,
    )  # fmt: skip


@project.register
def policy_adopted(event: PolicyAdopted, entry: Entry, write: Writes) -> None:
    write(ADOPTED, entry.study, entry.position, event.pack, entry.occurred_at, entry.recorded_at)


@project.register
def audit_opened(event: AuditOpened, entry: Entry, write: Writes) -> None:
    write(
        OPENED, entry.study, entry.position, event.audit, event.committee, entry.occurred_at,
        entry.recorded_at, event.note,
    )  # fmt: skip


@project.register
def finding_raised(event: FindingRaised, entry: Entry, write: Writes) -> None:
    write(
        RAISED, entry.study, entry.position, event.audit_finding, event.audit, event.severity,
        event.question, event.positions, event.answer_by, entry.occurred_at, entry.recorded_at,
        event.what,
    )  # fmt: skip


@project.register
def finding_answered(event: FindingAnswered, entry: Entry, write: Writes) -> None:
    write(
        ANSWERED, entry.study, entry.position, event.audit_finding, event.accepted, event.answer,
        entry.occurred_at,
    )  # fmt: skip


async def reports(
    db: Connection,
    study: str,
    window: Window,
    *,
    kind: Annotated[ReportKind | None, "Of this kind."] = None,
    about: Annotated[str | None, "About this: adverse_event:ae-1, participant:P-1 ..."] = None,
    since: Annotated[date | None, "Sent on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Sent on this day (UTC) or earlier."] = None,
) -> Page[Report]:
    """Reports to the committee, in the order they were recorded."""
    filters = {
        "study =": study, "kind =": kind, "about @>": about and [about], **during(since, until),
    }  # fmt: skip
    return await page(db, Report, "report_line", filters, window)


async def study_ends(db: Connection, study: str, window: Window) -> Page[StudyEnd]:
    """Declarations that the study has ended, in the order they were recorded."""
    return await page(db, StudyEnd, "study_end_line", {"study =": study}, window)


async def policies(db: Connection, study: str, window: Window) -> Page[PolicyChoice]:
    """The policy packs that the study has gone by, in the order they were recorded."""
    return await page(db, PolicyChoice, "policy_line", {"study =": study}, window)


async def audits(db: Connection, study: str, window: Window) -> Page[MonitoringVisit]:
    """The committee's visits and audits, in the order they were recorded."""
    return await page(db, MonitoringVisit, AUDITS, {"study =": study}, window)


async def audit_findings(
    db: Connection,
    study: str,
    window: Window,
    *,
    audit: Annotated[str | None, "Of this audit."] = None,
    severity: Annotated[Severity | None, "So grave."] = None,
    answered: Annotated[bool | None, "Answered, or not."] = None,
    late: Annotated[bool | None, "Answered late or overdue, or not."] = None,
) -> Page[VisitFinding]:
    """What audits found, and what the study answered, in the order it was recorded."""
    filters = {
        "study =": study, "audit =": audit, "severity =": severity,
        "(answered_at is not null) =": answered, "late =": late,
    }  # fmt: skip
    return await page(db, VisitFinding, AUDIT_FINDINGS, filters, window)
