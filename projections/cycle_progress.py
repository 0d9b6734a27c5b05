"""Cycle progress: how far each cycle has come, phase by phase, and what it still owes."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.actions import (
    STATES,
    ActionAbandoned,
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
)
from domain.ballots import BallotCast
from domain.corrections import Corrected
from domain.cycles import CycleClosed, CycleOpened, Edge
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade
from domain.outcomes import StoryCollected
from domain.planning import ActionPlanned
from domain.reflections import ReflectionRecorded
from domain.vocabulary import Entry, Personal, Phase, ResearchEvent
from domain.workshops import WorkshopHeld
from projections.paging import Page, Window, during, one, page
from projections.writing import Writes

TABLES = """
create table cycle_line (
    study text not null, position bigint not null, cycle text not null, title text not null,
    question text not null, parent_cycles text[] not null, edges text[] not null,
    opened_at timestamptz not null, closed_at timestamptz, summary text,
    primary key (study, position)
);
create unique index on cycle_line (study, cycle);
create table cycle_activity (
    study text not null, cycle text not null, phase text not null, type text not null,
    events int not null, turning_points int not null, first_at timestamptz not null,
    last_at timestamptz not null,
    primary key (study, cycle, phase, type)
) with (fillfactor = 50);
create table cycle_attendance (
    study text not null, cycle text not null, participant text not null,
    primary key (study, cycle, participant)
);
create table cycle_undertaking (
    study text not null, action text not null, cycle text not null, due date,
    state text not null, since timestamptz not null,
    primary key (study, action)
);
create index on cycle_undertaking (study, cycle);
create table cycle_workshops (
    study text not null, cycle text not null, phase text not null, week int not null,
    groups text[] not null, technique text not null, workshops int not null,
    attendances int not null,
    primary key (study, cycle, phase, week, groups, technique)
);
"""

OPENED = "insert into cycle_line values ($1, $2, $3, $4, $5, $6, $7, $8)"
CLOSED = """
update cycle_line set closed_at = least(closed_at, $3), summary = coalesce($4, summary)
where study = $1 and cycle = $2
"""
COUNTED = """
insert into cycle_activity as c values ($1, $2, $3, $4, 1, $6, $5, $5)
on conflict (study, cycle, phase, type) do update set
    events = c.events + 1, turning_points = c.turning_points + excluded.turning_points,
    first_at = least(c.first_at, excluded.first_at), last_at = greatest(c.last_at, excluded.last_at)
"""
CAME = """
insert into cycle_attendance select $1, $2, unnest($3::text[]) on conflict do nothing
"""
PLANNED = "insert into cycle_undertaking values ($1, $2, $3, $4, $5, $6)"
MOVED = """
update cycle_undertaking set state = $3, since = $4
where study = $1 and action = $2 and since <= $4
"""
WORKSHOP = """
insert into cycle_workshops as w values ($1, $2, $3, $4, $5, $6, 1, $7)
on conflict (study, cycle, phase, week, groups, technique) do update set
    workshops = w.workshops + 1, attendances = w.attendances + excluded.attendances
"""

# Closing without learning carried is a warning, not an error (design of the spiral).
CYCLES = """(
select c.*, n.*, a.*,
    array(
        select row(p.cycle, p.edge) from unnest(c.parent_cycles, c.edges) p (cycle, edge)
    ) parents,
    array(
        select row(p.phase, sum(p.events)::int, min(p.first_at), max(p.last_at))
        from cycle_activity p where p.study = c.study and p.cycle = c.cycle
        group by p.phase order by min(p.first_at), p.phase
    ) phases,
    (
        select count(*)::int from cycle_attendance t where t.study = c.study and t.cycle = c.cycle
    ) people,
    array(
        select row(w.week, sum(w.workshops)::int, sum(w.attendances)::int)
        from cycle_workshops w where w.study = c.study and w.cycle = c.cycle and w.week > 0
        group by w.week order by w.week
    ) workshops_by_week,
    array(
        select row(g, sum(w.workshops)::int, sum(w.attendances)::int)
        from cycle_workshops w, unnest(w.groups) g where w.study = c.study and w.cycle = c.cycle
        group by g order by g
    ) workshops_by_group,
    array(
        select row(w.technique, w.phase, sum(w.workshops)::int, sum(w.attendances)::int)
        from cycle_workshops w where w.study = c.study and w.cycle = c.cycle and w.technique <> ''
        group by w.technique, w.phase order by min(w.week), w.technique, w.phase
    ) workshops_by_technique,
    array(
        select row(w.code, w.message) from (values
            (c.closed_at is not null and n.learning_carried = 0, 'closed_without_learning',
             'It was closed with no learning carried; say what is kept, changed or dropped.'),
            (a.actions_overdue > 0, 'actions_overdue',
             'Actions past their due date are open: ' || a.actions_overdue || '.'),
            (c.closed_at is not null and a.actions_open > 0, 'closed_with_open_actions',
             'It was closed while actions are open: ' || a.actions_open || '.'),
            (n.done > 0 and n.reflections = 0, 'no_reflection_yet',
             'People acted or observed, but no reflection is on record yet.')
        ) w (stands, code, message) where w.stands
    ) warnings
from cycle_line c
cross join lateral (
    select
        coalesce(sum(events) filter (where type = 'WorkshopHeld'), 0)::int workshops,
        coalesce(sum(events) filter (where type = 'InterviewHeld'), 0)::int interviews,
        coalesce(sum(events) filter (where type = 'FocusGroupHeld'), 0)::int focus_groups,
        coalesce(sum(events) filter (where type = 'ObservationMade'), 0)::int observations,
        coalesce(sum(events) filter (where type = 'BallotCast'), 0)::int ballots_cast,
        coalesce(sum(events) filter (where type = 'PriorityAdopted'), 0)::int priorities_adopted,
        coalesce(sum(events) filter (where type = 'ReflectionRecorded'), 0)::int reflections,
        coalesce(sum(events) filter (where type = 'LearningCarried'), 0)::int learning_carried,
        coalesce(sum(turning_points), 0)::int turning_points,
        coalesce(sum(events) filter (where phase in ('act', 'observe')), 0) done
    from cycle_activity e where e.study = c.study and e.cycle = c.cycle
) n
cross join lateral (
    select
        count(*) filter (where state in ('planned', 'started', 'blocked'))::int actions_open,
        count(*) filter (where state = 'implemented')::int actions_done,
        count(*) filter (where state = 'abandoned')::int actions_abandoned,
        count(*) filter (
            where state in ('planned', 'started', 'blocked')
            and due < (now() at time zone 'utc')::date
        )::int actions_overdue
    from cycle_undertaking u where u.study = c.study and u.cycle = c.cycle
) a
) cycle_shown"""


@dataclass(frozen=True)
class ParentCycle:
    """An earlier cycle that a cycle follows from."""

    cycle: Annotated[str, "The earlier cycle."]
    edge: Annotated[Edge, "How this one follows from it."]


@dataclass(frozen=True)
class PhaseActivity:
    """What happened in one phase of a cycle."""

    phase: Annotated[Phase, "The phase that the events are logged under."]
    events: Annotated[int, "How many there are."]
    first_at: Annotated[datetime, "When the first of them happened."]
    last_at: Annotated[datetime, "When the last of them happened."]


@dataclass(frozen=True)
class WorkshopsInWeek:
    """The workshops held in one week of a cycle."""

    week: Annotated[int, "The week of the cycle."]
    workshops: Annotated[int, "How many were held."]
    attendances: Annotated[int, "How many participants came, added up over the workshops."]


@dataclass(frozen=True)
class WorkshopsOfGroup:
    """The workshops at which one group met; where groups met together, each counts it."""

    group: Annotated[str, "The group."]
    workshops: Annotated[int, "How many were held."]
    attendances: Annotated[int, "How many came, added up over the workshops, from every group."]


@dataclass(frozen=True)
class WorkshopsUsing:
    """The workshops that used one technique, by the phase they are logged under."""

    technique: Annotated[str, "The participatory technique."]
    phase: Annotated[Phase, "The phase."]
    workshops: Annotated[int, "How many were held."]
    attendances: Annotated[int, "How many participants came, added up over the workshops."]


@dataclass(frozen=True)
class CycleWarning:
    """Something a cycle still owes; nothing is refused because of it."""

    code: Annotated[str, "Stable, for programs: closed_without_learning, actions_overdue ..."]
    message: Annotated[str, "In words."]


@dataclass(frozen=True)
class Cycle:
    """A turn of the spiral, and how far it has come."""

    NODE: ClassVar[tuple[str, str]] = (CYCLES, "cycle")

    study: str
    position: Annotated[int, "Where its opening stands in the study's record."]
    cycle: Annotated[str, "Its identifier."]
    title: Annotated[str, "What it is called."]
    question: Annotated[str, "What it asks."]
    parents: Annotated[list[ParentCycle], "The earlier cycles that it follows from."]
    opened_at: Annotated[datetime, "When it was opened."]
    closed_at: Annotated[datetime | None, "When it was closed; null while it is open."]
    summary: Annotated[str | None, Personal("actor"), "What was said of it at its close."]
    phases: Annotated[list[PhaseActivity], "What happened in each phase, the earliest first."]
    workshops: Annotated[int, "How many workshops were held."]
    interviews: Annotated[int, "How many interviews were held."]
    focus_groups: Annotated[int, "How many focus groups were held."]
    observations: Annotated[int, "How many observations were made."]
    people: Annotated[
        int,
        "How many participants took part: came, were interviewed or observed, voted, told a "
        "story or reflected.",
    ]
    ballots_cast: Annotated[int, "How many ballot papers were cast."]
    priorities_adopted: Annotated[int, "How many priorities were adopted."]
    actions_open: Annotated[int, "Actions planned and neither implemented nor abandoned."]
    actions_overdue: Annotated[int, "Open actions past their due date today (UTC)."]
    actions_done: Annotated[int, "Actions implemented."]
    actions_abandoned: Annotated[int, "Actions given up."]
    reflections: Annotated[int, "How many reflections are on record."]
    turning_points: Annotated[int, "Reflections after which the study took another direction."]
    learning_carried: Annotated[int, "How many things were learned and kept, changed or dropped."]
    workshops_by_week: Annotated[list[WorkshopsInWeek], "Workshops of each week, where said."]
    workshops_by_group: Annotated[list[WorkshopsOfGroup], "Workshops of each group."]
    workshops_by_technique: Annotated[list[WorkshopsUsing], "Workshops of each technique."]
    warnings: Annotated[list[CycleWarning], "What it still owes."]

    def __post_init__(self) -> None:
        row = vars(self)  # nested rows come as plain tuples
        row["parents"] = [ParentCycle(name, Edge(edge)) for name, edge in row["parents"]]
        row["phases"] = [PhaseActivity(Phase(name), *rest) for name, *rest in row["phases"]]
        row["workshops_by_week"] = [WorkshopsInWeek(*each) for each in row["workshops_by_week"]]
        row["workshops_by_group"] = [WorkshopsOfGroup(*each) for each in row["workshops_by_group"]]
        row["workshops_by_technique"] = [
            WorkshopsUsing(technique, Phase(phase), *rest)
            for technique, phase, *rest in row["workshops_by_technique"]
        ]
        row["warnings"] = [CycleWarning(*each) for each in row["warnings"]]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Nothing is recorded that this register does not count: see `counted`."""


@project.register
def counted(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    if entry.cycle is not None:
        turning_points = isinstance(event, ReflectionRecorded) and event.turning_point
        write(
            COUNTED, entry.study, entry.cycle, entry.envelope.phase, entry.type,
            entry.occurred_at, int(turning_points),
        )  # fmt: skip


@project.register
def corrected(event: Corrected, entry: Entry, write: Writes) -> None:
    """What was corrected shows corrected; a correction itself is not research."""


@project.register
def cycle_opened(event: CycleOpened, entry: Entry, write: Writes) -> None:
    parents = [parent.cycle for parent in event.parents]
    edges = [parent.edge for parent in event.parents]
    write(
        OPENED, entry.study, entry.position, event.cycle, event.title, event.question, parents,
        edges, entry.occurred_at,
    )  # fmt: skip
    counted(event, entry, write)


@project.register
def cycle_closed(event: CycleClosed, entry: Entry, write: Writes) -> None:
    write(CLOSED, entry.study, event.cycle, entry.occurred_at, event.summary)
    counted(event, entry, write)


@project.register
def people_came(
    event: InterviewHeld
    | FocusGroupHeld
    | ObservationMade
    | StoryCollected
    | ReflectionRecorded
    | WorkshopHeld,
    entry: Entry,
    write: Writes,
) -> None:
    if event.participants:
        write(CAME, entry.study, event.cycle, event.participants)
    counted(event, entry, write)


@project.register
def workshop_held(event: WorkshopHeld, entry: Entry, write: Writes) -> None:
    write(
        WORKSHOP, entry.study, event.cycle, entry.envelope.phase, event.week or 0,
        sorted(event.groups), event.technique or "", len(event.participants),
    )  # fmt: skip
    people_came(event, entry, write)


@project.register
def ballot_cast(event: BallotCast, entry: Entry, write: Writes) -> None:
    if event.participant is not None and event.cycle is not None:
        write(CAME, entry.study, event.cycle, [event.participant])
    counted(event, entry, write)


@project.register
def action_planned(event: ActionPlanned, entry: Entry, write: Writes) -> None:
    write(
        PLANNED, entry.study, event.action, event.cycle, event.due, STATES[type(event)],
        entry.occurred_at,
    )  # fmt: skip
    counted(event, entry, write)


@project.register
def action_moved(
    event: ActionStarted | ActionBlocked | ActionImplemented | ActionAbandoned,
    entry: Entry,
    write: Writes,
) -> None:
    write(MOVED, entry.study, event.action, STATES[type(event)], entry.occurred_at)
    counted(event, entry, write)


async def cycles(
    db: Connection,
    study: str,
    window: Window,
    *,
    open: Annotated[bool | None, "Open ones, or closed ones."] = None,
    parent: Annotated[str | None, "Those that follow from this cycle."] = None,
    since: Annotated[date | None, "Opened on this day or later (UTC)."] = None,
    until: Annotated[date | None, "Opened on this day or earlier (UTC)."] = None,
) -> Page[Cycle]:
    """The cycles of the study and how far each has come, in the order they were recorded."""
    filters = {
        "study =": study, "(closed_at is null) =": open, "parent_cycles @>": parent and [parent],
        **during(since, until, "opened_at"),
    }  # fmt: skip
    return await page(db, Cycle, CYCLES, filters, window)


async def cycle(
    db: Connection, study: str, cycle: Annotated[str, "The cycle's identifier."]
) -> Cycle | None:
    """One cycle and how far it has come; null if there is none of that identifier."""
    return await one(db, Cycle, CYCLES, {"study =": study, "cycle =": cycle})
