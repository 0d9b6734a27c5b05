"""The safety register: adverse events, urgent measures, deviations, complaints, safeguarding."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.ethics import Activity
from domain.membership import Duty
from domain.oversight import ReportFiled, ReportKind
from domain.permissions import Permission
from domain.safety import (
    AdverseEventReported,
    ComplaintReceived,
    DeviationKind,
    DeviationReported,
    SafeguardingRaised,
    UrgentSafetyMeasureTaken,
)
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, page
from projections.writing import Writes

READ_BY = Duty.AUDIT

TABLES = """
create table adverse_event_line (
    study text not null, position bigint not null, adverse_event text not null,
    serious bool not null, related bool not null, unexpected bool not null,
    aware_at timestamptz not null, participants text[] not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, what text,
    primary key (study, position)
);
create table measure_line (
    study text not null, position bigint not null, measure text not null,
    participants text[] not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, what text,
    primary key (study, position)
);
create table deviation_line (
    study text not null, position bigint not null, deviation text not null, kind text not null,
    serious bool not null, aware_at timestamptz not null, participants text[] not null,
    permissions text[] not null, activity text, cycle text, occurred_at timestamptz not null,
    recorded_at timestamptz not null, what text, remedy text,
    primary key (study, position)
);
create table complaint_line (
    study text not null, position bigint not null, complaint text not null,
    participants text[] not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, what text,
    primary key (study, position)
);
create table safeguarding_line (
    study text not null, position bigint not null, safeguarding text not null,
    participants text[] not null, referred_to text, occurred_at timestamptz not null,
    recorded_at timestamptz not null, what text,
    primary key (study, position)
);
create table safety_report (
    study text not null, about text not null, kind text not null, position bigint not null,
    occurred_at timestamptz not null,
    primary key (study, about, kind, position)
);
"""

HAPPENED = "insert into adverse_event_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
TAKEN = "insert into measure_line values ($1, $2, $3, $4, $5, $6, $7)"
DEVIATED = """
insert into deviation_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
COMPLAINED = "insert into complaint_line values ($1, $2, $3, $4, $5, $6, $7)"
RAISED = "insert into safeguarding_line values ($1, $2, $3, $4, $5, $6, $7, $8)"
REPORTED = "insert into safety_report values ($1, $2, $3, $4, $5) on conflict do nothing"

WITH_REPORT = """(
select l.*, r.occurred_at as reported_at, r.position as reported_by from {table} l
left join lateral (
    select * from safety_report r
    where r.study = l.study and r.about = '{tag}:' || l.{tag} and r.kind = '{kind}'
    order by r.occurred_at, r.position limit 1
) r on true
) {tag}_shown"""
ADVERSE_EVENTS = WITH_REPORT.format(
    table="adverse_event_line", tag="adverse_event", kind=ReportKind.ADVERSE_EVENT.value
)
MEASURES = WITH_REPORT.format(
    table="measure_line", tag="measure", kind=ReportKind.URGENT_SAFETY_MEASURE.value
)
DEVIATIONS = WITH_REPORT.format(
    table="deviation_line", tag="deviation", kind=ReportKind.DEVIATION.value
)


@dataclass(frozen=True)
class AdverseEvent:
    """Somebody came to harm, or might have, and how it was assessed."""

    NODE: ClassVar[tuple[str, str]] = (ADVERSE_EVENTS, "adverse_event")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    adverse_event: Annotated[str, "Its identifier."]
    serious: Annotated[bool, "Whether it was serious."]
    related: Annotated[bool, "Whether it came of the research."]
    unexpected: Annotated[bool, "Whether it is not among the risks the committee was told of."]
    aware_at: Annotated[datetime, "When the team learned of it; the clock runs from then."]
    participants: Annotated[list[str], "To whom, by pseudonym."]
    occurred_at: Annotated[datetime, "When it happened."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    what: Annotated[str | None, Personal("participants"), "What happened."]
    reported_at: Annotated[datetime | None, "When it was first reported to the committee."]
    reported_by: Annotated[int | None, "That report, by its position."]


@dataclass(frozen=True)
class UrgentSafetyMeasure:
    """Something was changed at once, before approval, to protect people from harm."""

    NODE: ClassVar[tuple[str, str]] = (MEASURES, "measure")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    measure: Annotated[str, "Its identifier."]
    participants: Annotated[list[str], "Whom it protects, by pseudonym."]
    occurred_at: Annotated[datetime, "When it was taken; the clock runs from then."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    what: Annotated[str | None, Personal("participants"), "What was changed, and why."]
    reported_at: Annotated[datetime | None, "When the committee was first told in writing."]
    reported_by: Annotated[int | None, "That report, by its position."]


@dataclass(frozen=True)
class Deviation:
    """What was done otherwise than consent, approval or protocol allow."""

    NODE: ClassVar[tuple[str, str]] = (DEVIATIONS, "deviation")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    deviation: Annotated[str, "Its identifier."]
    kind: Annotated[DeviationKind, "From what it departs."]
    serious: Annotated[bool, "Whether it is likely to affect people or what the study is worth."]
    aware_at: Annotated[datetime, "When the team learned of it; the clock runs from then."]
    participants: Annotated[list[str], "Whom it concerns, by pseudonym."]
    permissions: Annotated[list[Permission], "The permissions that were lacking."]
    activity: Annotated[Activity | None, "The activity."]
    cycle: Annotated[str | None, "The cycle it belongs to."]
    occurred_at: Annotated[datetime, "When it happened."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    what: Annotated[str | None, Personal("participants"), "What was done."]
    remedy: Annotated[str | None, Personal("participants"), "What is done about it."]
    reported_at: Annotated[datetime | None, "When it was first reported to the committee."]
    reported_by: Annotated[int | None, "That report, by its position."]


@dataclass(frozen=True)
class Complaint:
    """Somebody complained of the research or of those who do it."""

    NODE: ClassVar[tuple[str, str]] = ("complaint_line", "complaint")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    complaint: Annotated[str, "Its identifier."]
    participants: Annotated[list[str], "Who complained, by pseudonym, if participants did."]
    occurred_at: Annotated[datetime, "When."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    what: Annotated[str | None, Personal("participants"), "Of what."]


@dataclass(frozen=True)
class SafeguardingConcern:
    """Somebody may be at risk of abuse or neglect, and those responsible were told."""

    NODE: ClassVar[tuple[str, str]] = ("safeguarding_line", "safeguarding")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    safeguarding: Annotated[str, "Its identifier."]
    participants: Annotated[list[str], "Who may be at risk, by pseudonym."]
    referred_to: Annotated[str | None, "The service or office that was told."]
    occurred_at: Annotated[datetime, "When."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    what: Annotated[str | None, Personal("participants"), "What was seen or said."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def adverse_event_reported(event: AdverseEventReported, entry: Entry, write: Writes) -> None:
    write(
        HAPPENED, entry.study, entry.position, event.adverse_event, event.serious, event.related,
        event.unexpected, event.aware_at, event.participants, entry.occurred_at,
        entry.recorded_at, event.what,
    )  # fmt: skip


@project.register
def measure_taken(event: UrgentSafetyMeasureTaken, entry: Entry, write: Writes) -> None:
    write(
        TAKEN, entry.study, entry.position, event.measure, event.participants, entry.occurred_at,
        entry.recorded_at, event.what,
    )  # fmt: skip


@project.register
def deviation_reported(event: DeviationReported, entry: Entry, write: Writes) -> None:
    write(
        DEVIATED, entry.study, entry.position, event.deviation, event.kind, event.serious,
        event.aware_at, event.participants, event.permissions, event.activity, event.cycle,
        entry.occurred_at, entry.recorded_at, event.what, event.remedy,
    )  # fmt: skip


@project.register
def complaint_received(event: ComplaintReceived, entry: Entry, write: Writes) -> None:
    write(
        COMPLAINED, entry.study, entry.position, event.complaint, event.participants,
        entry.occurred_at, entry.recorded_at, event.what,
    )  # fmt: skip


@project.register
def safeguarding_raised(event: SafeguardingRaised, entry: Entry, write: Writes) -> None:
    write(
        RAISED, entry.study, entry.position, event.safeguarding, event.participants,
        event.referred_to, entry.occurred_at, entry.recorded_at, event.what,
    )  # fmt: skip


@project.register
def report_filed(event: ReportFiled, entry: Entry, write: Writes) -> None:
    for about in event.about:
        write(REPORTED, entry.study, about, event.kind, entry.position, entry.occurred_at)


async def adverse_events(
    db: Connection,
    study: str,
    window: Window,
    *,
    serious: Annotated[bool | None, "Serious, or not."] = None,
    reportable: Annotated[
        bool | None, "Serious, related and unexpected, so that a clock runs; or not."
    ] = None,
    reported: Annotated[bool | None, "Reported to the committee, or not."] = None,
    participant: Annotated[str | None, "That happened to this participant."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[AdverseEvent]:
    """Adverse events, in the order they were recorded."""
    filters = {
        **narrowed(study, participant, since, until), "serious =": serious,
        "(serious and related and unexpected) =": reportable,
        "(reported_at is not null) =": reported,
    }  # fmt: skip
    return await page(db, AdverseEvent, ADVERSE_EVENTS, filters, window)


async def urgent_safety_measures(
    db: Connection,
    study: str,
    window: Window,
    *,
    reported: Annotated[bool | None, "Reported to the committee in writing, or not."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[UrgentSafetyMeasure]:
    """Urgent safety measures, in the order they were recorded."""
    filters = {
        **narrowed(study, None, since, until), "(reported_at is not null) =": reported,
    }  # fmt: skip
    return await page(db, UrgentSafetyMeasure, MEASURES, filters, window)


async def deviations(
    db: Connection,
    study: str,
    window: Window,
    *,
    kind: Annotated[DeviationKind | None, "Of this kind."] = None,
    serious: Annotated[bool | None, "Serious, or not."] = None,
    reported: Annotated[bool | None, "Reported to the committee, or not."] = None,
    participant: Annotated[str | None, "That concern this participant."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[Deviation]:
    """What was done otherwise than allowed, in the order it was recorded."""
    filters = {
        **narrowed(study, participant, since, until), "kind =": kind, "serious =": serious,
        "(reported_at is not null) =": reported,
    }  # fmt: skip
    return await page(db, Deviation, DEVIATIONS, filters, window)


async def complaints(
    db: Connection,
    study: str,
    window: Window,
    *,
    participant: Annotated[str | None, "Of this participant."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[Complaint]:
    """Complaints, in the order they were recorded."""
    filters = narrowed(study, participant, since, until)
    return await page(db, Complaint, "complaint_line", filters, window)


async def safeguarding_concerns(
    db: Connection,
    study: str,
    window: Window,
    *,
    participant: Annotated[str | None, "About this participant."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[SafeguardingConcern]:
    """Safeguarding concerns, in the order they were recorded."""
    filters = narrowed(study, participant, since, until)
    return await page(db, SafeguardingConcern, "safeguarding_line", filters, window)


def narrowed(
    study: str, participant: str | None, since: date | None, until: date | None
) -> dict[str, object]:
    """The filters that all lists here share."""
    named: Iterable[str] | None = participant and [participant]
    return {"study =": study, "participants @>": named, **during(since, until)}
