"""The outcome register: what changed, as it was harvested, and what was measured."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.outcomes import ChangeIn, IndicatorMeasured, OutcomeHarvested, RippleLinked
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, page
from projections.writing import Writes

TABLES = """
create table outcome_line (
    study text not null, position bigint not null, outcome text not null, cycle text not null,
    title text not null, intended boolean not null, harmful boolean not null, change_in text,
    actions text[] not null, participants text[] not null, stakeholders text[] not null,
    harvested_at timestamptz not null, who_changed text not null, what text not null,
    significance text, contribution text, substantiated_by text,
    primary key (study, position)
);
create unique index on outcome_line (study, outcome);
create index on outcome_line (study, cycle, position);
create table indicator_reading (
    study text not null, position bigint not null, indicator text not null, cycle text not null,
    action text, among text, value double precision not null, unit text not null,
    measured_at timestamptz not null, method text,
    primary key (study, position)
);
create index on indicator_reading (study, indicator, position);
create index on indicator_reading (study, action, position);
create index on indicator_reading (study, cycle, position);
"""

HARVESTED = """
insert into outcome_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $16, $17)
"""
LED_TO = """
update outcome_line set actions = array_append(actions, $3)
where study = $1 and outcome = $2 and not actions @> array[$3]
"""
MEASURED = "insert into indicator_reading values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


@dataclass(frozen=True)
class HarvestedOutcome:
    """Somebody changed what they do, and the study may have contributed to it."""

    NODE: ClassVar[tuple[str, str]] = ("outcome_line", "outcome")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    outcome: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was harvested in."]
    title: Annotated[str, "What changed."]
    intended: Annotated[bool, "Whether it was meant to happen."]
    harmful: Annotated[bool, "Whether it is a change for the worse."]
    change_in: Annotated[ChangeIn | None, "In what it shows."]
    actions: Annotated[list[str], "The actions that contributed to it, or led to it."]
    participants: Annotated[list[str], "The participants who changed, by pseudonym."]
    stakeholders: Annotated[list[str], "The stakeholders who changed."]
    harvested_at: Annotated[datetime, "When it was harvested."]
    who_changed: Annotated[str | None, Personal("participants"), "Who changed."]
    what: Annotated[str | None, Personal("participants"), "What they do now, and did before."]
    significance: Annotated[str | None, Personal("participants"), "Why it matters."]
    contribution: Annotated[str | None, Personal("participants"), "What the study did for it."]
    substantiated_by: Annotated[str | None, Personal("participants"), "Who confirms it."]


@dataclass(frozen=True)
class IndicatorReading:
    """The value that an indicator had at some time."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    indicator: Annotated[str, "The indicator."]
    cycle: Annotated[str, "The cycle it was measured in."]
    action: Annotated[str | None, "The action it is to tell about."]
    among: Annotated[str | None, "The group it was measured among; null for everybody."]
    value: Annotated[float, "Its value."]
    unit: Annotated[str, "In what."]
    measured_at: Annotated[datetime, "When it was measured."]
    method: Annotated[str | None, Personal("actor"), "How it was measured."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def outcome_harvested(event: OutcomeHarvested, entry: Entry, write: Writes) -> None:
    write(
        HARVESTED, entry.study, entry.position, event.outcome, event.cycle, event.title,
        event.intended, event.harmful, event.change_in, event.actions, event.participants,
        event.stakeholders, entry.occurred_at, event.who_changed, event.what, event.significance,
        event.contribution, event.substantiated_by,
    )  # fmt: skip


@project.register
def ripple_linked(event: RippleLinked, entry: Entry, write: Writes) -> None:
    if event.from_action is not None and event.to_outcome is not None:
        write(LED_TO, entry.study, event.to_outcome, event.from_action)


@project.register
def indicator_measured(event: IndicatorMeasured, entry: Entry, write: Writes) -> None:
    write(
        MEASURED, entry.study, entry.position, event.indicator, event.cycle, event.action,
        event.group, event.value, event.unit, entry.occurred_at, event.method,
    )  # fmt: skip


async def outcomes(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Harvested in this cycle."] = None,
    action: Annotated[str | None, "To which this action contributed, or led."] = None,
    participant: Annotated[str | None, "In this participant."] = None,
    change_in: Annotated[ChangeIn | None, "That show in this."] = None,
    harmful: Annotated[bool | None, "For the worse, or not."] = None,
    since: Annotated[date | None, "Harvested on this day or later (UTC)."] = None,
    until: Annotated[date | None, "Harvested on this day or earlier (UTC)."] = None,
) -> Page[HarvestedOutcome]:
    """The outcomes harvested, in the order they were recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "actions @>": action and [action],
        "participants @>": participant and [participant], "change_in =": change_in,
        "harmful =": harmful, **during(since, until, "harvested_at"),
    }  # fmt: skip
    return await page(db, HarvestedOutcome, "outcome_line", filters, window)


async def indicator_readings(
    db: Connection,
    study: str,
    window: Window,
    *,
    indicator: Annotated[str | None, "Of this indicator."] = None,
    cycle: Annotated[str | None, "Measured in this cycle."] = None,
    action: Annotated[str | None, "To tell about this action."] = None,
    group: Annotated[str | None, "Measured among this group."] = None,
    since: Annotated[date | None, "Measured on this day or later (UTC)."] = None,
    until: Annotated[date | None, "Measured on this day or earlier (UTC)."] = None,
) -> Page[IndicatorReading]:
    """What was measured, in the order it was recorded."""
    filters = {
        "study =": study, "indicator =": indicator, "cycle =": cycle, "action =": action,
        "among =": group, **during(since, until, "measured_at"),
    }  # fmt: skip
    return await page(db, IndicatorReading, "indicator_reading", filters, window)
