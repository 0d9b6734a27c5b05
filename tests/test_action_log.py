"""The action log: states in the order things happened, money, milestones, indicators, outcomes."""

from datetime import UTC, date, datetime
from typing import Any

from domain.actions import (
    ActionAbandoned,
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    ActionState,
    ExpensePaid,
    MilestoneReached,
)
from domain.outcomes import IndicatorMeasured, OutcomeHarvested, RippleLinked
from domain.planning import ActionOwner, ActionPlanned, PlannedIndicator, PlanRatified, Ratification
from projections.action_log import (
    Action,
    ActionIndicator,
    ActionStep,
    Spending,
    action,
    action_history,
    actions,
)
from projections.paging import Window
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed
from tests.story import on

hall = ActionPlanned(
    action="a-1", cycle="c-1", title="Open the hall", owner=ActionOwner(participant="p-1"),
    priority="space", assets=("keys",), due=date(2026, 3, 1), note="Ask the council.",
    indicators=(PlannedIndicator(indicator="visits", title="People who come", target=40.0),),
)  # fmt: skip
well = ActionPlanned(
    action="a-2", cycle="c-2", title="Dig a well", owner=ActionOwner(stakeholder="s-1"),
    due=date(2999, 1, 1),
)  # fmt: skip


async def told(database: Database, *history: Any) -> Action:
    """The hall's line, after these events."""
    async with followed(database, on("2026-02-01", hall), *history) as db:
        found = await action(db, "maize", "a-1")
        assert found is not None
        return found


@in_a_loop
async def test_a_planned_action_shows_who_answers_for_it_and_when_it_is_due(
    database: Database,
) -> None:
    found = await told(
        database,
        on(
            "2026-02-05",
            PlanRatified(cycle="c-1", actions=("a-1",), how=Ratification.CONSENSUS, ballot="b-1"),
        ),
    )
    assert (found.owner_participant, found.owner_member, found.due) == (
        "p-1", None, date(2026, 3, 1),
    )  # fmt: skip
    assert (found.state, found.overdue) == (ActionState.PLANNED, True)
    assert (found.ratified_by, found.ballot) == (Ratification.CONSENSUS, "b-1")


@in_a_loop
async def test_what_was_logged_late_does_not_undo_what_happened_since(database: Database) -> None:
    found = await told(
        database,
        on("2026-03-10", ActionBlocked(action="a-1", barrier="No keys", cycle="c-1")),
        on("2026-03-05", ActionStarted(action="a-1", cycle="c-1")),
    )
    assert (found.state, found.barrier) == (ActionState.BLOCKED, "No keys")
    assert found.started_at == datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert found.state_since == datetime(2026, 3, 10, 9, tzinfo=UTC)


@in_a_loop
async def test_an_action_that_ended_is_not_overdue(database: Database) -> None:
    found = await told(
        database,
        on("2026-03-10", ActionBlocked(action="a-1", barrier="No keys")),
        on("2026-03-20", ActionImplemented(action="a-1", what_was_done="It is open.")),
    )
    assert (found.state, found.overdue, found.barrier) == (ActionState.IMPLEMENTED, False, None)
    assert found.ended_at == datetime(2026, 3, 20, 9, tzinfo=UTC)


@in_a_loop
async def test_money_milestones_indicators_and_outcomes_stand_with_the_action(
    database: Database,
) -> None:
    harvested = OutcomeHarvested(
        outcome="o-1", cycle="c-1", title="Doors open", who_changed="The council",
        what="It lends its keys.", intended=True, actions=("a-1",),
    )  # fmt: skip
    measured = IndicatorMeasured(indicator="visits", cycle="c-1", value=12, unit="people")
    among = IndicatorMeasured(indicator="visits", cycle="c-1", value=3, unit="people", group="A")
    unplanned = IndicatorMeasured(
        indicator="noise", cycle="c-1", value=1, unit="complaints", action="a-1"
    )
    found = await told(
        database,
        ExpensePaid(action="a-1", amount=5000, currency="GBP", purpose="Hire"),
        ExpensePaid(action="a-1", amount=250, currency="GBP", purpose="Tea"),
        ExpensePaid(action="a-1", amount=900, currency="EUR", purpose="Paint"),
        on("2026-03-02", MilestoneReached(action="a-1", milestone="Painted")),
        on("2026-03-01", MilestoneReached(action="a-1", milestone="Keys lent")),
        on("2026-04-02", measured),
        on(
            "2026-04-01", IndicatorMeasured(indicator="visits", cycle="c-1", value=7, unit="people")
        ),
        on("2026-04-03", among),
        on("2026-04-04", unplanned),
        harvested,
        RippleLinked(cycle="c-1", from_action="a-1", to_outcome="o-2"),
        RippleLinked(cycle="c-1", from_action="a-1", to_outcome="o-1"),
    )
    assert found.spending == [Spending("EUR", 1, 900), Spending("GBP", 2, 5250)]
    assert found.milestones == ["Keys lent", "Painted"]
    assert found.indicators == [
        ActionIndicator(
            "visits", "People who come", "people", None, 40.0, 3, 12.0,
            datetime(2026, 4, 2, 9, tzinfo=UTC),
        ),
        ActionIndicator(
            "noise", None, "complaints", None, None, 1, 1.0, datetime(2026, 4, 4, 9, tzinfo=UTC)
        ),
    ]  # fmt: skip
    assert found.outcomes == ["o-1", "o-2"]


@in_a_loop
async def test_the_history_of_an_action_is_told_step_by_step(database: Database) -> None:
    history = (
        on("2026-02-01", hall),
        on("2026-02-02", ActionStarted(action="a-1", note="With four people.")),
        on("2026-02-03", ActionBlocked(action="a-1", barrier="No keys", needs="A second set")),
        on("2026-02-04", ExpensePaid(action="a-1", amount=500, currency="GBP", purpose="Keys")),
        on("2026-02-05", MilestoneReached(action="a-1", milestone="Keys cut")),
        on("2026-02-06", ActionAbandoned(action="a-1", because="The hall was sold")),
        on("2026-02-07", well),
    )
    async with followed(database, *history) as db:

        async def found(**filters: Any) -> list[tuple[ActionStep, str | None]]:
            page = await action_history(db, "maize", Window(), **filters)
            return [(row.step, row.title or row.note) for row in page.rows]

        assert await found(action="a-1") == [
            (ActionStep.PLANNED, "2/note"),
            (ActionStep.STARTED, "3/note"),
            (ActionStep.BLOCKED, "No keys"),
            (ActionStep.EXPENSE, "Keys"),
            (ActionStep.MILESTONE, "Keys cut"),
            (ActionStep.ABANDONED, "The hall was sold"),
        ]
        assert await found(step=ActionStep.EXPENSE) == [(ActionStep.EXPENSE, "Keys")]
        assert await found(since=date(2026, 2, 7)) == [(ActionStep.PLANNED, None)]


@in_a_loop
async def test_actions_are_found_by_what_is_known_of_them(database: Database) -> None:
    history = (on("2026-02-01", hall), on("2026-02-02", well))
    async with followed(database, *history, on("2026-02-03", ActionStarted(action="a-2"))) as db:

        async def found(**filters: Any) -> list[str]:
            return [row.action for row in (await actions(db, "maize", Window(), **filters)).rows]

        assert await found() == ["a-1", "a-2"]
        assert await found(cycle="c-1") == ["a-1"]
        assert await found(state=ActionState.STARTED) == ["a-2"]
        assert await found(overdue=True) == ["a-1"]
        assert await found(overdue=False) == ["a-2"]
        assert await found(priority="space", asset="keys", participant="p-1") == ["a-1"]
        assert await found(stakeholder="s-1") == ["a-2"]
        assert await found(due_since=date(2026, 3, 1), due_until=date(2026, 3, 1)) == ["a-1"]
