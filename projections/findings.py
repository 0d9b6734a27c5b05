"""Findings: what the study found, the evidence, who agreed, and with whom it was shared."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.findings import FindingContested, FindingDrafted, FindingValidated
from domain.sharing import Accessibility, Audience, FindingsShared, Format, Outlet
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, page
from projections.writing import Writes

TABLES = """
create table finding_line (
    study text not null, position bigint not null, finding text not null, cycle text not null,
    occurred_at timestamptz not null, title text not null, text text,
    workshops text[] not null, sessions text[] not null, transcripts text[] not null,
    stories text[] not null, outcomes text[] not null, indicators text[] not null,
    reflections text[] not null, validations int not null default 0,
    contests int not null default 0, times_shared int not null default 0,
    primary key (study, position)
);
create unique index on finding_line (study, finding);
create index on finding_line (study, cycle, position);
create table finding_response (
    study text not null, position bigint not null, finding text not null, cycle text,
    occurred_at timestamptz not null, stance text not null, participants text[] not null,
    groups text[] not null, workshop text, words text,
    primary key (study, position)
);
create index on finding_response (study, finding, position);
create table sharing_line (
    study text not null, position bigint not null, cycle text, occurred_at timestamptz not null,
    title text not null, findings text[] not null, audience text not null, outlet text not null,
    format text not null, accessible_as text[] not null, link text, people_reached int,
    primary key (study, position)
);
"""

DRAFTED = """
insert into finding_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
RESPONDED = "insert into finding_response values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
RESPONSE_COUNTED = """
update finding_line set validations = validations + $3, contests = contests + $4
where study = $1 and finding = $2
"""
SHARED = "insert into sharing_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
SHARING_COUNTED = """
update finding_line set times_shared = times_shared + 1
where study = $1 and finding = any ($2)
"""


FINDINGS = """(
select *, case
    when validations > 0 and contests > 0 then 'disputed'
    when validations > 0 then 'validated'
    when contests > 0 then 'contested'
    else 'drafted'
end as state from finding_line
) finding_shown"""


class Stance(StrEnum):
    """How people answered to a finding."""

    VALIDATED = "validated"
    CONTESTED = "contested"


class FindingState(StrEnum):
    """Where a finding stands with those it concerns.

    `disputed`: some found it right and others did not.
    """

    DRAFTED = "drafted"
    VALIDATED = "validated"
    CONTESTED = "contested"
    DISPUTED = "disputed"


@dataclass(frozen=True)
class Finding:
    """What the study found, the evidence for it, and how people answered to it."""

    NODE: ClassVar[tuple[str, str]] = (FINDINGS, "finding")

    study: str
    position: Annotated[int, "Where its drafting stands in the study's record."]
    finding: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was found in."]
    occurred_at: Annotated[datetime, "When it was drafted."]
    title: Annotated[str, "The finding, in short."]
    text: Annotated[str | None, Personal("actor"), "The finding in full."]
    workshops: Annotated[list[str], "Evidence: workshops."]
    sessions: Annotated[list[str], "Evidence: interviews, focus groups and observations."]
    transcripts: Annotated[list[str], "Evidence: transcripts."]
    stories: Annotated[list[str], "Evidence: stories."]
    outcomes: Annotated[list[str], "Evidence: outcomes."]
    indicators: Annotated[list[str], "Evidence: indicators."]
    reflections: Annotated[list[str], "Evidence: reflections."]
    validations: Annotated[int, "How often people found it right."]
    contests: Annotated[int, "How often people found it wrong."]
    times_shared: Annotated[int, "How often it was shared."]
    state: Annotated[FindingState, "Where it stands with those it concerns."]


@dataclass(frozen=True)
class FindingResponse:
    """What people said to a finding: that it is right, or that it is not."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    finding: Annotated[str, "The finding."]
    cycle: Annotated[str | None, "The cycle of the finding."]
    occurred_at: Annotated[datetime, "When they said so."]
    stance: Annotated[Stance, "Whether they validated or contested it."]
    participants: Annotated[list[str], "Who, by pseudonym."]
    groups: Annotated[list[str], "Which groups."]
    workshop: Annotated[str | None, "The workshop in which they said so."]
    words: Annotated[str | None, Personal("participants"), "What they said."]


@dataclass(frozen=True)
class Sharing:
    """Findings passed on to an audience."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    cycle: Annotated[str | None, "The cycle it belongs to."]
    occurred_at: Annotated[datetime, "When they were shared."]
    title: Annotated[str, "What they were shared as."]
    findings: Annotated[list[str], "The findings."]
    audience: Annotated[Audience, "With whom."]
    outlet: Annotated[Outlet, "By which way."]
    format: Annotated[Format, "Made into what."]
    accessible_as: Annotated[list[Accessibility], "The forms that let more people take it in."]
    link: Annotated[str | None, "Where it can be found."]
    people_reached: Annotated[int | None, "How many people it reached."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def finding_drafted(event: FindingDrafted, entry: Entry, write: Writes) -> None:
    write(
        DRAFTED, entry.study, entry.position, event.finding, event.cycle, entry.occurred_at,
        event.title, event.text, event.workshops, event.sessions, event.transcripts,
        event.stories, event.outcomes, event.indicators, event.reflections,
    )  # fmt: skip


@project.register
def finding_validated(event: FindingValidated, entry: Entry, write: Writes) -> None:
    responded(event, entry, write, Stance.VALIDATED, event.comments)


@project.register
def finding_contested(event: FindingContested, entry: Entry, write: Writes) -> None:
    responded(event, entry, write, Stance.CONTESTED, event.why)


def responded(
    event: FindingValidated | FindingContested,
    entry: Entry,
    write: Writes,
    stance: Stance,
    words: str | None,
) -> None:
    write(
        RESPONDED, entry.study, entry.position, event.finding, event.cycle, entry.occurred_at,
        stance, event.participants, event.groups, event.workshop, words,
    )  # fmt: skip
    right = stance is Stance.VALIDATED
    write(RESPONSE_COUNTED, entry.study, event.finding, int(right), int(not right))


@project.register
def findings_shared(event: FindingsShared, entry: Entry, write: Writes) -> None:
    write(
        SHARED, entry.study, entry.position, event.cycle, entry.occurred_at, event.title,
        event.findings, event.audience, event.outlet, event.format, event.accessible_as,
        event.link, event.people_reached,
    )  # fmt: skip
    write(SHARING_COUNTED, entry.study, event.findings)


async def findings(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Found in this cycle."] = None,
    state: Annotated[FindingState | None, "Standing like this with those they concern."] = None,
    shared: Annotated[bool | None, "Shared already, or not."] = None,
    since: Annotated[date | None, "Drafted on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Drafted on this day (UTC) or earlier."] = None,
) -> Page[Finding]:
    """What was found, in the order it was drafted."""
    filters = {
        "study =": study, "cycle =": cycle, "state =": state, "(times_shared > 0) =": shared,
        **during(since, until),
    }  # fmt: skip
    return await page(db, Finding, FINDINGS, filters, window)


async def finding_responses(
    db: Connection,
    study: str,
    window: Window,
    *,
    finding: Annotated[str | None, "To this finding."] = None,
    stance: Annotated[Stance | None, "Validating it, or contesting it."] = None,
    participant: Annotated[str | None, "Of this participant."] = None,
    group: Annotated[str | None, "Of this group."] = None,
) -> Page[FindingResponse]:
    """What people said to findings, in the order it was recorded."""
    filters = {
        "study =": study, "finding =": finding, "stance =": stance,
        "participants @>": participant and [participant], "groups @>": group and [group],
    }  # fmt: skip
    return await page(db, FindingResponse, "finding_response", filters, window)


async def sharing(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Belonging to this cycle."] = None,
    finding: Annotated[str | None, "Of this finding."] = None,
    audience: Annotated[Audience | None, "With this audience."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[Sharing]:
    """How findings were passed on, in the order it was recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "findings @>": finding and [finding],
        "audience =": audience, **during(since, until),
    }  # fmt: skip
    return await page(db, Sharing, "sharing_line", filters, window)
