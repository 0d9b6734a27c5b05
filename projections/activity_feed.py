"""The activity feed: what happened lately, a short line an event, for everyone in the study.

A line names no person: neither participants nor members.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, singledispatch
from typing import Annotated

from asyncpg import Connection

from domain.vocabulary import Entry, Phase, ResearchEvent, identifying_fields, personal_fields
from projections.paging import Page, Window, during, page
from projections.writing import Writes

TABLES = """
create table feed_line (
    study text not null, position bigint not null, type text not null, phase text not null,
    cycle text, occurred_at timestamptz not null, recorded_at timestamptz not null,
    role text not null, line text not null,
    primary key (study, position)
);
create index on feed_line (study, cycle, position);
create index on feed_line (study, type, position);
"""

HAPPENED = "insert into feed_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"

# The public fields that say in a few words what an event is about; the first one there counts.
LABELS = (
    "title", "topic", "learning", "assumption", "milestone", "barrier", "purpose", "work", "what",
    "event_type",
)  # fmt: skip
PEOPLE = {"participant", "member", "stakeholder", "study"}


@dataclass(frozen=True)
class ActivityLine:
    """Something that happened in the study, in a line."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    type: Annotated[str, "What kind of event it is, such as WorkshopHeld."]
    phase: Annotated[Phase, "The phase it is filed under."]
    cycle: Annotated[str | None, "The cycle it belongs to."]
    occurred_at: Annotated[datetime, "When it happened."]
    recorded_at: Annotated[datetime, "When it was recorded."]
    role: Annotated[str, "The role of whoever recorded it."]
    line: Annotated[str, "What happened, in a line."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Every event has its line."""


@project.register
def happened(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    write(
        HAPPENED, entry.study, entry.position, entry.type, entry.envelope.phase, entry.cycle,
        entry.occurred_at, entry.recorded_at, entry.envelope.role, in_a_line(event),
    )  # fmt: skip


def in_a_line(event: ResearchEvent) -> str:
    """What happened, what it is called and which it is: "Workshop held: Storing maize (w-1)"."""
    words, labels, key = _shape(type(event))
    label = next((said for name in labels if (said := getattr(event, name))), None)
    identifier = getattr(event, key) if key else None
    return "".join((words, f": {label}" if label else "", f" ({identifier})" if identifier else ""))


@cache
def _shape(event_type: type[ResearchEvent]) -> tuple[str, tuple[str, ...], str | None]:
    """The type in words, the public fields that may label it, and the field that names it."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event_type.TOPIC).capitalize()
    personal, given = personal_fields(event_type), set(event_type.__struct_fields__)
    labels = tuple(name for name in LABELS if name in given and name not in personal)
    named = (
        name for name, kind in identifying_fields(event_type) if name == kind and kind not in PEOPLE
    )
    return words, labels, next(named, None)


async def activity_feed(
    db: Connection,
    study: str,
    window: Window,
    *,
    phase: Annotated[Phase | None, "Filed under this phase."] = None,
    cycle: Annotated[str | None, "Belonging to this cycle."] = None,
    type: Annotated[str | None, "Of this kind, such as WorkshopHeld."] = None,
    since: Annotated[date | None, "Happened on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Happened on this day (UTC) or earlier."] = None,
) -> Page[ActivityLine]:
    """What happened in the study, what was recorded last first."""
    filters = {
        "study =": study, "phase =": phase, "cycle =": cycle, "type =": type,
        **during(since, until),
    }  # fmt: skip
    return await page(db, ActivityLine, "feed_line", filters, window, newest_first=True)
