"""The priority board: what was proposed, merged and adopted, and who dissented."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.priorities import DissentRecorded, PrioritiesMerged, PriorityAdopted, PriorityProposed
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, page
from projections.writing import Writes

TABLES = """
create table priority_line (
    study text not null, position bigint not null, priority text not null, cycle text not null,
    title text not null, description text, proposed_by text[] not null, concerns text[] not null,
    proposed_at timestamptz not null, merged_into text, merged_at timestamptz,
    primary key (study, position)
);
create unique index on priority_line (study, priority);
create index on priority_line (study, cycle, position);
create table priority_adoption (
    study text not null, position bigint not null, priority text not null, cycle text not null,
    adopted_at timestamptz not null, ballot text, chosen_by_vote boolean not null,
    override_reason text,
    primary key (study, position)
);
create index on priority_adoption (study, priority, position);
create table dissent_line (
    study text not null, position bigint not null, cycle text not null, priority text, ballot text,
    participants text[] not null, occurred_at timestamptz not null, words text not null,
    primary key (study, position)
);
create index on dissent_line (study, priority);
"""

PROPOSED = "insert into priority_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
MERGED = """
update priority_line set merged_into = $3, merged_at = $4 where study = $1 and priority = any ($2)
"""
ADOPTED = "insert into priority_adoption values ($1, $2, $3, $4, $5, $6, $7, $8)"
DISSENTED = "insert into dissent_line values ($1, $2, $3, $4, $5, $6, $7, $8)"

PRIORITIES = """(
select p.*,
    case when p.merged_into is not null then 'merged'
        when exists (
            select from priority_adoption a where a.study = p.study and a.priority = p.priority
        ) then 'adopted' else 'proposed' end state,
    array(
        select row(a.cycle, a.adopted_at, a.ballot, a.chosen_by_vote, a.override_reason)
        from priority_adoption a where a.study = p.study and a.priority = p.priority
        order by a.position
    ) adoptions,
    (
        select count(*)::int from dissent_line d
        where d.study = p.study and d.priority = p.priority
    ) dissents
from priority_line p
) priority_shown"""


class PriorityState(StrEnum):
    """What became of a proposal."""

    PROPOSED = "proposed"
    MERGED = "merged"
    ADOPTED = "adopted"


@dataclass(frozen=True)
class PriorityAdoption:
    """A cycle made a priority one that it works on."""

    cycle: Annotated[str, "The cycle that adopted it."]
    adopted_at: Annotated[datetime, "When."]
    ballot: Annotated[str | None, "The ballot that chose it, or whose choice was set aside."]
    chosen_by_vote: Annotated[bool, "Whether it won a place in that ballot."]
    override_reason: Annotated[str | None, "Why it was adopted, if no vote chose it."]


@dataclass(frozen=True)
class Priority:
    """Something proposed as what a cycle should be about, and what became of it."""

    NODE: ClassVar[tuple[str, str]] = (PRIORITIES, "priority")

    study: str
    position: Annotated[int, "Where its proposal stands in the study's record."]
    priority: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was proposed in."]
    title: Annotated[str, "What it is called."]
    state: Annotated[PriorityState, "What became of it."]
    description: Annotated[str | None, Personal("proposed_by"), "What was said for it."]
    proposed_by: Annotated[list[str], "The participants who proposed it, by pseudonym."]
    concerns: Annotated[list[str], "The concerns that it answers."]
    proposed_at: Annotated[datetime, "When it was proposed."]
    merged_into: Annotated[str | None, "The priority that stands for it since they were merged."]
    merged_at: Annotated[datetime | None, "When they were merged."]
    adoptions: Annotated[list[PriorityAdoption], "The cycles that adopted it."]
    dissents: Annotated[int, "How often somebody dissented from it."]

    def __post_init__(self) -> None:
        row = vars(self)  # nested rows come as plain tuples
        row["adoptions"] = [PriorityAdoption(*each) for each in row["adoptions"]]


@dataclass(frozen=True)
class Dissent:
    """Somebody did not go along with what a cycle decided."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    cycle: Annotated[str, "The cycle that decided."]
    priority: Annotated[str | None, "The priority they dissent from."]
    ballot: Annotated[str | None, "The ballot they dissent from."]
    participants: Annotated[list[str], "Whose dissent it is, by pseudonym."]
    occurred_at: Annotated[datetime, "When they said so."]
    words: Annotated[str | None, Personal("participants"), "What they said."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def priority_proposed(event: PriorityProposed, entry: Entry, write: Writes) -> None:
    write(
        PROPOSED, entry.study, entry.position, event.priority, event.cycle, event.title,
        event.description, event.proposed_by, event.concerns, entry.occurred_at,
    )  # fmt: skip


@project.register
def priorities_merged(event: PrioritiesMerged, entry: Entry, write: Writes) -> None:
    write(MERGED, entry.study, event.merged, event.priority, entry.occurred_at)


@project.register
def priority_adopted(event: PriorityAdopted, entry: Entry, write: Writes) -> None:
    write(
        ADOPTED, entry.study, entry.position, event.priority, event.cycle, entry.occurred_at,
        event.ballot, event.chosen_by_vote, event.override_reason,
    )  # fmt: skip


@project.register
def dissent_recorded(event: DissentRecorded, entry: Entry, write: Writes) -> None:
    write(
        DISSENTED, entry.study, entry.position, event.cycle, event.priority, event.ballot,
        event.participants, entry.occurred_at, event.words,
    )  # fmt: skip


async def priorities(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Proposed in this cycle."] = None,
    state: Annotated[PriorityState | None, "What became of it."] = None,
    participant: Annotated[str | None, "Proposed by this participant."] = None,
    since: Annotated[date | None, "Proposed on this day or later (UTC)."] = None,
    until: Annotated[date | None, "Proposed on this day or earlier (UTC)."] = None,
) -> Page[Priority]:
    """The priorities proposed and what became of them, in the order they were recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "state =": state,
        "proposed_by @>": participant and [participant],
        **during(since, until, "proposed_at"),
    }  # fmt: skip
    return await page(db, Priority, PRIORITIES, filters, window)


async def dissents(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "From what this cycle decided."] = None,
    priority: Annotated[str | None, "From this priority."] = None,
    ballot: Annotated[str | None, "From this ballot."] = None,
    participant: Annotated[str | None, "Of this participant."] = None,
) -> Page[Dissent]:
    """Who did not go along with what was decided, in the order it was recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "priority =": priority, "ballot =": ballot,
        "participants @>": participant and [participant],
    }  # fmt: skip
    return await page(db, Dissent, "dissent_line", filters, window)
