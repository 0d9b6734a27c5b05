"""The spiral: how the cycles follow from one another, and how much happened in them, day by day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import singledispatch
from typing import Annotated

from asyncpg import Connection

from domain.corrections import Corrected
from domain.cycles import CycleClosed, CycleOpened, Edge
from domain.people import ParticipantEnrolled
from domain.readings import IdentifiableDataRead
from domain.reflections import ReflectionRecorded
from domain.vocabulary import Entry, Phase, ResearchEvent
from projections.paging import rows_of
from projections.writing import Writes

PARTS_AT_MOST = 60  # of one phase: more cannot be told apart on a picture

TABLES = """
create table spiral_turn (
    study text not null, position bigint not null, cycle text not null, title text not null,
    parent_cycles text[] not null, edges text[] not null, opened_at timestamptz not null,
    closed_at timestamptz,
    primary key (study, position)
);
create unique index on spiral_turn (study, cycle);
create table spiral_day (  -- cycle '': outside every cycle
    study text not null, cycle text not null, phase text not null, day date not null,
    events int not null, turning_points int not null, enrolled int not null,
    primary key (study, cycle, phase, day)
) with (fillfactor = 50);
"""

OPENED = "insert into spiral_turn values ($1, $2, $3, $4, $5, $6, $7)"
CLOSED = """
update spiral_turn set closed_at = least(closed_at, $3) where study = $1 and cycle = $2
"""
COUNTED = """
insert into spiral_day as d values ($1, $2, $3, $4, 1, $5, $6)
on conflict (study, cycle, phase, day) do update set events = d.events + 1,
    turning_points = d.turning_points + excluded.turning_points,
    enrolled = d.enrolled + excluded.enrolled
"""

TURNS = """
select t.cycle, t.position, t.title, t.opened_at,
    case when t.closed_at < $2 then t.closed_at end closed_at,
    array(
        select row(p.cycle, p.edge) from unnest(t.parent_cycles, t.edges) p (cycle, edge)
    ) parents
from spiral_turn t where t.study = $1 and t.opened_at < $2
order by t.opened_at desc, t.position desc limit $3
"""
PARTS = """
select nullif(cycle, '') cycle, phase, min(day) since, max(day) until, sum(events)::int events,
    sum(turning_points)::int turning_points
from (
    select *, (day - min(day) over phase) * $3::int
        / (max(day) over phase - min(day) over phase + 1) part
    from spiral_day where study = $1 and day <= $2
    window phase as (partition by cycle, phase)
) d
group by d.cycle, phase, part order by d.cycle, phase, part
"""
SO_FAR = """
select coalesce(sum(events), 0)::int events, coalesce(sum(enrolled), 0)::int enrolled,
    min(day) first_day, max(day) last_day
from spiral_day where study = $1 and day <= $2
"""


@dataclass(frozen=True)
class TurnParent:
    """An earlier turn that a turn of the spiral follows from."""

    cycle: Annotated[str, "The earlier cycle."]
    edge: Annotated[Edge, "How this one follows from it."]


@dataclass(frozen=True)
class Turn:
    """A turn of the spiral: a cycle, and what it follows from."""

    cycle: Annotated[str, "Its identifier."]
    position: Annotated[int, "Where its opening stands in the study's record."]
    title: Annotated[str, "What it is called."]
    opened_at: Annotated[datetime, "When it was opened."]
    closed_at: Annotated[datetime | None, "When it was closed; null if it was open by then."]
    parents: Annotated[list[TurnParent], "The earlier cycles that it follows from."]

    def __post_init__(self) -> None:
        row = vars(self)  # nested rows come as plain tuples
        row["parents"] = [TurnParent(name, Edge(edge)) for name, edge in row["parents"]]


@dataclass(frozen=True)
class SpiralPart:
    """A stretch of days in one phase, and how much happened in it."""

    cycle: Annotated[str | None, "The cycle; null for what belongs to none."]
    phase: Annotated[Phase, "The phase that the events are logged under."]
    since: Annotated[date, "The first day (UTC) on which something happened."]
    until: Annotated[date, "The last day (UTC) on which something happened."]
    events: Annotated[int, "How many events happened then."]
    turning_points: Annotated[int, "How many of them are turning points of the study."]


@dataclass(frozen=True)
class StudySoFar:
    """How much a study has come to."""

    events: Annotated[int, "Research actions on record; who read what is not counted."]
    enrolled: Annotated[int, "How many participants were enrolled."]
    first_day: Annotated[date | None, "The first day (UTC) on which something happened."]
    last_day: Annotated[date | None, "The last day (UTC) on which something happened."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Everything counts but what is registered below."""


@project.register
def counted(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    turning_point = isinstance(event, ReflectionRecorded) and event.turning_point
    write(
        COUNTED, entry.study, entry.cycle or "", entry.envelope.phase,
        entry.occurred_at.astimezone(UTC).date(), int(turning_point),
        int(isinstance(event, ParticipantEnrolled)),
    )  # fmt: skip


@project.register
def not_research(event: Corrected | IdentifiableDataRead, entry: Entry, write: Writes) -> None:
    """What was corrected shows corrected; who read what is the audit's, and no research."""


@project.register
def cycle_opened(event: CycleOpened, entry: Entry, write: Writes) -> None:
    write(
        OPENED, entry.study, entry.position, event.cycle, event.title,
        [parent.cycle for parent in event.parents], [parent.edge for parent in event.parents],
        entry.occurred_at,
    )  # fmt: skip
    counted(event, entry, write)


@project.register
def cycle_closed(event: CycleClosed, entry: Entry, write: Writes) -> None:
    write(CLOSED, entry.study, event.cycle, entry.occurred_at)
    counted(event, entry, write)


async def turns(
    db: Connection,
    study: str,
    *,
    until: Annotated[date | None, "Opened on this day (UTC) or earlier."] = None,
    last: Annotated[int, "How many at most: those opened last."] = 500,
) -> list[Turn]:
    """The turns of the spiral and what each follows from, in the order they were opened."""
    end = datetime.max.replace(tzinfo=UTC)
    if until is not None and until < date.max:
        end = datetime.combine(until + timedelta(days=1), time(), UTC)
    rows = await db.fetch(TURNS, study, end, max(0, last))
    return rows_of(Turn, reversed(rows))


async def spiral(
    db: Connection,
    study: str,
    *,
    parts: Annotated[int, "Into how many stretches the days of a phase are divided: 1 to 60."] = 12,
    until: Annotated[date | None, "What happened on this day (UTC) or earlier."] = None,
) -> list[SpiralPart]:
    """How much happened in each phase of each cycle, stretch by stretch; empty ones left out."""
    size = min(max(1, parts), PARTS_AT_MOST)
    return rows_of(SpiralPart, await db.fetch(PARTS, study, until or date.max, size))


async def study_so_far(
    db: Connection,
    study: str,
    *,
    until: Annotated[date | None, "What happened on this day (UTC) or earlier."] = None,
) -> StudySoFar:
    """How much the study has come to."""
    return rows_of(StudySoFar, await db.fetch(SO_FAR, study, until or date.max))[0]
