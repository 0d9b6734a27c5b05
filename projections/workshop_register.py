"""The workshop register: which workshops each cycle held, how, and how many people came."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.vocabulary import Entry, Personal, ResearchEvent
from domain.workshops import WorkshopHeld
from projections.paging import Page, Window, page
from projections.writing import Writes

TABLES = """
create table workshop (
    study text not null, position bigint not null, workshop text not null, cycle text not null,
    phase text not null, occurred_at timestamptz not null, week int, groups text[] not null,
    topic text, focus text, technique text, people int not null, participants text[] not null,
    facilitators text[] not null, adjustments text, notes text,
    primary key (study, position)
);
create unique index on workshop (study, workshop);
create index on workshop (study, cycle, position);
"""

HELD = """
insert into workshop values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""


@dataclass(frozen=True)
class Workshop:
    """A workshop that took place."""

    NODE: ClassVar[tuple[str, str]] = ("workshop", "workshop")

    study: Annotated[str, "The study it belongs to."]
    position: Annotated[int, "Where it stands in the study's record."]
    workshop: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was held in."]
    phase: Annotated[str, "The phase it was logged under."]
    occurred_at: Annotated[datetime, "When it was held."]
    week: Annotated[int | None, "The week of the cycle."]
    groups: Annotated[list[str], "The groups that met."]
    topic: Annotated[str | None, "What it was about."]
    focus: Annotated[str | None, "What it was to bring."]
    technique: Annotated[str | None, "The participatory technique used."]
    people: Annotated[int, "How many participants came."]
    participants: Annotated[list[str], "Their pseudonyms."]
    facilitators: Annotated[list[str], "The members who facilitated."]
    adjustments: Annotated[str | None, Personal("participants"), "What was done for access."]
    notes: Annotated[str | None, Personal("participants"), "Notes taken."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def workshop_held(event: WorkshopHeld, entry: Entry, write: Writes) -> None:
    write(
        HELD, entry.study, entry.position, event.workshop, event.cycle, entry.envelope.phase,
        entry.occurred_at, event.week, event.groups, event.topic, event.focus, event.technique,
        len(event.participants), event.participants, event.facilitators, event.adjustments,
        event.notes,
    )  # fmt: skip


async def workshops(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Held in this cycle."] = None,
    phase: Annotated[str | None, "Logged under this phase."] = None,
    group: Annotated[str | None, "This group met."] = None,
    participant: Annotated[str | None, "This participant came."] = None,
    technique: Annotated[str | None, "Used this technique."] = None,
    since: Annotated[date | None, "Held on this day or later."] = None,
    until: Annotated[date | None, "Held on this day or earlier."] = None,
) -> Page[Workshop]:
    """The workshops held, in the order they were recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "phase =": phase, "technique =": technique,
        "groups @>": group and [group], "participants @>": participant and [participant],
        "occurred_at::date >=": since, "occurred_at::date <=": until,
    }  # fmt: skip
    return await page(db, Workshop, "workshop", filters, window)
