"""The action log: what was planned, who answers for it, how far it is, and what came of it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated, Any, ClassVar

from asyncpg import Connection

from domain.actions import (
    STATES,
    ActionAbandoned,
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    ActionState,
    ExpensePaid,
    MilestoneReached,
)
from domain.outcomes import IndicatorMeasured, OutcomeHarvested, RippleLinked
from domain.planning import ActionPlanned, PlanRatified, Ratification
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, one, page
from projections.writing import Writes

Moved = ActionStarted | ActionBlocked | ActionImplemented | ActionAbandoned

TABLES = """
create table action_line (
    study text not null, position bigint not null, action text not null, cycle text not null,
    title text not null, owner_member text, owner_participant text, owner_stakeholder text,
    priority text, assets text[] not null, if_then_because text, due date, note text,
    planned_at timestamptz not null, state text not null, state_since timestamptz not null,
    started_at timestamptz, ended_at timestamptz, barrier text, ratified_at timestamptz,
    ratified_by text, ballot text,
    primary key (study, position)
);
create unique index on action_line (study, action);
create index on action_line (study, cycle, position);
create index on action_line (study, priority, position);
create table action_step (
    study text not null, position bigint not null, action text not null, step text not null,
    occurred_at timestamptz not null, title text, needs text, amount bigint, currency text,
    participants text[] not null, groups text[] not null, stakeholders text[] not null, note text,
    primary key (study, position)
);
create index on action_step (study, action, position);
create table action_spending (
    study text not null, action text not null, currency text not null, expenses int not null,
    amount bigint not null,
    primary key (study, action, currency)
);
create table action_indicator (
    study text not null, action text not null, indicator text not null, place int not null,
    title text, unit text, baseline double precision, target double precision,
    primary key (study, action, indicator)
);
create table indicator_latest (
    study text not null, indicator text not null, readings int not null, value double precision,
    unit text, measured_at timestamptz,
    primary key (study, indicator)
);
create table action_outcome (
    study text not null, action text not null, outcome text not null, position bigint not null,
    primary key (study, action, outcome)
);
"""

PLANNED = """
insert into action_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $14)
"""
# What happened counts in the order it happened, however late it was logged.
MOVED = """
update action_line set
    started_at = case when $3 = 'started' then least(started_at, $4) else started_at end,
    ended_at = case when $3 in ('implemented', 'abandoned') then $4 else ended_at end,
    barrier = case when state_since <= $4 then $5 else barrier end,
    state = case when state_since <= $4 then $3 else state end,
    state_since = greatest(state_since, $4)
where study = $1 and action = $2
"""
RATIFIED = """
update action_line set ratified_at = $3, ratified_by = $4, ballot = $5
where study = $1 and action = any ($2)
"""
STEPPED = """
insert into action_step values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
SPENT = """
insert into action_spending as s values ($1, $2, $3, 1, $4)
on conflict (study, action, currency) do update set
    expenses = s.expenses + 1, amount = s.amount + excluded.amount
"""
INDICATOR = """
insert into action_indicator values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing
"""
# A reading among one group does not tell of everybody: it counts, but is not the latest value.
MEASURED = """
insert into indicator_latest as l values ($1, $2, 1, $3, $4, $5)
on conflict (study, indicator) do update set readings = l.readings + 1,
    value = case when l.measured_at > $5 or $5 is null then l.value else $3 end,
    unit = case when l.measured_at > $5 or $5 is null then l.unit else $4 end,
    measured_at = greatest(l.measured_at, $5)
"""
LED_TO = """
insert into action_outcome select $1, unnest($2::text[]), $3, $4 on conflict do nothing
"""

ACTIONS = """(
select a.*,
    array(
        select s.title from action_step s
        where s.study = a.study and s.action = a.action and s.step = 'milestone'
        order by s.occurred_at, s.position
    ) milestones,
    a.ended_at is null and coalesce(a.due < (now() at time zone 'utc')::date, false) overdue,
    array(
        select row(s.currency, s.expenses, s.amount) from action_spending s
        where s.study = a.study and s.action = a.action order by s.currency
    ) spending,
    array(
        select row(i.indicator, i.title, coalesce(i.unit, l.unit), i.baseline, i.target,
            coalesce(l.readings, 0), l.value, l.measured_at)
        from action_indicator i
        left join indicator_latest l on l.study = i.study and l.indicator = i.indicator
        where i.study = a.study and i.action = a.action order by i.place, i.indicator
    ) indicators,
    array(
        select o.outcome from action_outcome o
        where o.study = a.study and o.action = a.action order by o.position, o.outcome
    ) outcomes
from action_line a
) action_shown"""


class ActionStep(StrEnum):
    """Something that happened to an action."""

    PLANNED = "planned"
    STARTED = "started"
    BLOCKED = "blocked"
    MILESTONE = "milestone"
    EXPENSE = "expense"
    IMPLEMENTED = "implemented"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class Spending:
    """What was spent on an action in one currency."""

    currency: Annotated[str, "An ISO 4217 code."]
    expenses: Annotated[int, "How many expenses were paid."]
    amount: Annotated[int, "Their sum in the currency's smallest unit: pence, cents."]


@dataclass(frozen=True)
class ActionIndicator:
    """By what it is seen whether an action works, and its latest value among everybody."""

    indicator: Annotated[str, "Its identifier; actions may share an indicator."]
    title: Annotated[str | None, "What is measured; null if it was not planned with the action."]
    unit: Annotated[str | None, "In what."]
    baseline: Annotated[float | None, "Its value before the action, as planned."]
    target: Annotated[float | None, "The value to be reached."]
    readings: Annotated[int, "How often it was measured, for whichever action."]
    latest: Annotated[float | None, "Its latest value; null until it is measured."]
    measured_at: Annotated[datetime | None, "When that was measured."]


@dataclass(frozen=True)
class Action:
    """Something planned to be done in a cycle, and what became of it."""

    NODE: ClassVar[tuple[str, str]] = (ACTIONS, "action")

    study: str
    position: Annotated[int, "Where its planning stands in the study's record."]
    action: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was planned in."]
    title: Annotated[str, "What it is called."]
    owner_member: Annotated[str | None, "Who answers for it, if a member."]
    owner_participant: Annotated[str | None, "Who answers for it, if a participant: a pseudonym."]
    owner_stakeholder: Annotated[str | None, "Who answers for it, if a stakeholder."]
    priority: Annotated[str | None, "The priority it is for."]
    assets: Annotated[list[str], "The community's assets that it builds on."]
    if_then_because: Annotated[str | None, "Its theory of change."]
    due: Annotated[date | None, "When it is to be done."]
    overdue: Annotated[bool, "Whether it is open and past its due date today (UTC)."]
    note: Annotated[str | None, Personal("actor"), "A note to the plan."]
    planned_at: Annotated[datetime, "When it was planned."]
    state: Annotated[ActionState, "Where it is in its life."]
    state_since: Annotated[datetime, "Since when."]
    started_at: Annotated[datetime | None, "When it was first begun."]
    ended_at: Annotated[datetime | None, "When it was implemented or abandoned."]
    barrier: Annotated[str | None, "What stands in its way, while it is blocked."]
    ratified_at: Annotated[datetime | None, "When the plan it is part of was agreed."]
    ratified_by: Annotated[Ratification | None, "How the plan was agreed."]
    ballot: Annotated[str | None, "The ballot by which the plan was agreed."]
    milestones: Annotated[list[str], "The steps on its way that were reached, in that order."]
    spending: Annotated[list[Spending], "What was spent on it, by currency."]
    indicators: Annotated[list[ActionIndicator], "By what it is seen whether it works."]
    outcomes: Annotated[list[str], "The outcomes that it contributed or led to."]

    def __post_init__(self) -> None:
        row = vars(self)  # nested rows come as plain tuples
        row["spending"] = [Spending(*each) for each in row["spending"]]
        row["indicators"] = [ActionIndicator(*each) for each in row["indicators"]]


@dataclass(frozen=True)
class ActionHistory:
    """A step in the life of an action."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    action: Annotated[str, "The action."]
    step: Annotated[ActionStep, "What kind of step."]
    occurred_at: Annotated[datetime, "When it happened."]
    title: Annotated[
        str | None,
        "The milestone, the barrier, the purpose of the expense, or why it was given up.",
    ]
    needs: Annotated[str | None, "What would clear the barrier."]
    amount: Annotated[int | None, "The expense, in the currency's smallest unit."]
    currency: Annotated[str | None, "Its currency: an ISO 4217 code."]
    participants: Annotated[list[str], "The participants with whom, by pseudonym."]
    groups: Annotated[list[str], "The groups with whom."]
    stakeholders: Annotated[list[str], "The stakeholders with whom."]
    note: Annotated[str | None, Personal("participants"), "What was said or done, in words."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def action_planned(event: ActionPlanned, entry: Entry, write: Writes) -> None:
    owner = event.owner
    write(
        PLANNED, entry.study, entry.position, event.action, event.cycle, event.title, owner.member,
        owner.participant, owner.stakeholder, event.priority, event.assets, event.if_then_because,
        event.due, event.note, entry.occurred_at, ActionState.PLANNED,
    )  # fmt: skip
    for place, each in enumerate(event.indicators):
        write(
            INDICATOR, entry.study, event.action, each.indicator, place, each.title, each.unit,
            each.baseline, each.target,
        )  # fmt: skip
    step(ActionStep.PLANNED, event.action, entry, write, note=event.note)


@project.register
def plan_ratified(event: PlanRatified, entry: Entry, write: Writes) -> None:
    write(RATIFIED, entry.study, event.actions, entry.occurred_at, event.how, event.ballot)


@project.register
def action_started(event: ActionStarted, entry: Entry, write: Writes) -> None:
    moved(event, entry, write, note=event.note)


@project.register
def action_blocked(event: ActionBlocked, entry: Entry, write: Writes) -> None:
    moved(event, entry, write, title=event.barrier, needs=event.needs, note=event.why)


@project.register
def action_implemented(event: ActionImplemented, entry: Entry, write: Writes) -> None:
    moved(
        event, entry, write, note=event.what_was_done, participants=event.participants,
        groups=event.groups, stakeholders=event.stakeholders,
    )  # fmt: skip


@project.register
def action_abandoned(event: ActionAbandoned, entry: Entry, write: Writes) -> None:
    moved(event, entry, write, title=event.because, note=event.why)


@project.register
def milestone_reached(event: MilestoneReached, entry: Entry, write: Writes) -> None:
    step(ActionStep.MILESTONE, event.action, entry, write, title=event.milestone, note=event.note)


@project.register
def expense_paid(event: ExpensePaid, entry: Entry, write: Writes) -> None:
    write(SPENT, entry.study, event.action, event.currency, event.amount)
    step(
        ActionStep.EXPENSE, event.action, entry, write, title=event.purpose, amount=event.amount,
        currency=event.currency, note=event.note,
    )  # fmt: skip


@project.register
def indicator_measured(event: IndicatorMeasured, entry: Entry, write: Writes) -> None:
    everybody = event.group is None
    write(
        MEASURED, entry.study, event.indicator, event.value if everybody else None,
        event.unit if everybody else None, entry.occurred_at if everybody else None,
    )  # fmt: skip
    if event.action is not None:  # it may be one that was not planned
        write(INDICATOR, entry.study, event.action, event.indicator, 1000, None, None, None, None)


@project.register
def outcome_harvested(event: OutcomeHarvested, entry: Entry, write: Writes) -> None:
    if event.actions:
        write(LED_TO, entry.study, event.actions, event.outcome, entry.position)


@project.register
def ripple_linked(event: RippleLinked, entry: Entry, write: Writes) -> None:
    if event.from_action is not None and event.to_outcome is not None:
        write(LED_TO, entry.study, [event.from_action], event.to_outcome, entry.position)


def moved(event: Moved, entry: Entry, write: Writes, **said: Any) -> None:
    """The action is in another state, and its history a line longer."""
    state = STATES[type(event)]
    barrier = said.get("title") if state is ActionState.BLOCKED else None
    write(MOVED, entry.study, event.action, state, entry.occurred_at, barrier)
    step(ActionStep(state), event.action, entry, write, **said)


def step(
    kind: ActionStep,
    action: str,
    entry: Entry,
    write: Writes,
    *,
    title: str | None = None,
    needs: str | None = None,
    amount: int | None = None,
    currency: str | None = None,
    participants: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    stakeholders: tuple[str, ...] = (),
    note: str | None = None,
) -> None:
    """A line of the action's history."""
    write(
        STEPPED, entry.study, entry.position, action, kind, entry.occurred_at, title, needs, amount,
        currency, participants, groups, stakeholders, note,
    )  # fmt: skip


async def actions(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Planned in this cycle."] = None,
    state: Annotated[ActionState | None, "In this state."] = None,
    overdue: Annotated[bool | None, "Open and past their due date, or not."] = None,
    priority: Annotated[str | None, "For this priority."] = None,
    member: Annotated[str | None, "That this member answers for."] = None,
    participant: Annotated[str | None, "That this participant answers for."] = None,
    stakeholder: Annotated[str | None, "That this stakeholder answers for."] = None,
    asset: Annotated[str | None, "That build on this asset."] = None,
    due_since: Annotated[date | None, "Due on this day or later (UTC)."] = None,
    due_until: Annotated[date | None, "Due on this day or earlier (UTC)."] = None,
) -> Page[Action]:
    """The actions planned and what became of them, in the order they were recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "state =": state, "overdue =": overdue,
        "priority =": priority, "owner_member =": member, "owner_participant =": participant,
        "owner_stakeholder =": stakeholder, "assets @>": asset and [asset],
        "due >=": due_since, "due <=": due_until,
    }  # fmt: skip
    return await page(db, Action, ACTIONS, filters, window)


async def action(
    db: Connection, study: str, action: Annotated[str, "The action's identifier."]
) -> Action | None:
    """One action and what became of it; null if there is none of that identifier."""
    return await one(db, Action, ACTIONS, {"study =": study, "action =": action})


async def action_history(
    db: Connection,
    study: str,
    window: Window,
    *,
    action: Annotated[str | None, "Of this action."] = None,
    step: Annotated[ActionStep | None, "Steps of this kind."] = None,
    since: Annotated[date | None, "On this day or later (UTC)."] = None,
    until: Annotated[date | None, "On this day or earlier (UTC)."] = None,
) -> Page[ActionHistory]:
    """What happened to actions, step by step, in the order it was recorded."""
    filters = {
        "study =": study, "action =": action, "step =": step,
        **during(since, until),
    }  # fmt: skip
    return await page(db, ActionHistory, "action_step", filters, window)
