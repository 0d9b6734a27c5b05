"""Approvals: every opinion of the ethics committee, when given and when recorded."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.ethics import Activity, OpinionGiven, Outcome
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, page, rows_of
from projections.writing import Writes

TABLES = """
create table approval_line (
    study text not null, position bigint not null, opinion text not null, committee text not null,
    outcome text not null, activities text[] not null, valid_from date not null,
    valid_to date not null, max_participants int, conditions text[] not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null, note text,
    primary key (study, position)
);
create unique index on approval_line (study, opinion);
"""

GIVEN = """
insert into approval_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
LATEST = """
select * from approval_line where study = $1 and occurred_at <= $2 and recorded_at <= $3
order by occurred_at desc, position desc limit 1
"""


@dataclass(frozen=True)
class Approval:
    """An opinion of a research ethics committee."""

    NODE: ClassVar[tuple[str, str]] = ("approval_line", "opinion")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    opinion: Annotated[str, "Its identifier."]
    committee: Annotated[str, "The committee that gave it."]
    outcome: Annotated[Outcome, "What the committee decided."]
    activities: Annotated[list[Activity], "What it approves."]
    valid_from: Annotated[date, "The first day on which it is in force."]
    valid_to: Annotated[date, "The last day on which it is in force."]
    max_participants: Annotated[int | None, "How many participants it approves at most."]
    conditions: Annotated[list[str], "The conditions it makes."]
    occurred_at: Annotated[datetime, "When it was given."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    note: Annotated[str | None, Personal("actor"), "A note."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def opinion_given(event: OpinionGiven, entry: Entry, write: Writes) -> None:
    write(
        GIVEN, entry.study, entry.position, event.opinion, event.committee, event.outcome,
        event.activities, event.valid_from, event.valid_to, event.max_participants,
        event.conditions, entry.occurred_at, entry.recorded_at, event.note,
    )  # fmt: skip


async def approvals(
    db: Connection,
    study: str,
    window: Window,
    *,
    outcome: Annotated[Outcome | None, "With this outcome."] = None,
    activity: Annotated[Activity | None, "Naming this activity."] = None,
    on: Annotated[date | None, "In force on this day by its dates."] = None,
) -> Page[Approval]:
    """Every opinion of the ethics committee, in the order it was recorded."""
    filters = {
        "study =": study, "outcome =": outcome, "activities @>": activity and [activity],
        "valid_from <=": on, "valid_to >=": on,
    }  # fmt: skip
    return await page(db, Approval, "approval_line", filters, window)


async def approval_standing(
    db: Connection,
    study: str,
    *,
    at: Annotated[datetime | None, "At this moment; now if left out."] = None,
    as_known_at: Annotated[datetime | None, "As the record knew it at this moment; now."] = None,
) -> Approval | None:
    """The opinion that counts at a moment: the latest given by then.

    Whether it allows an activity is said by its outcome, activities and dates.
    """
    now = datetime.now(UTC)
    found = await db.fetch(LATEST, study, at or now, as_known_at or now)
    rows = rows_of(Approval, found)
    return rows[0] if rows else None
