"""An action is planned, started, perhaps blocked, and ends once: carried out or abandoned."""

from typing import Any

import pytest
from msgspec import structs

from domain.actions import (
    AbandonAction,
    ActionAbandoned,
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    BlockAction,
    ExpensePaid,
    ImplementAction,
    MilestoneReached,
    PayExpense,
    ReachMilestone,
    StartAction,
)
from domain.commands import Command
from domain.vocabulary import ResearchEvent
from tests.story import given, on
from tests.study_in_the_field import ready

started = ActionStarted(action="a-1", cycle="c-1")
blocked = ActionBlocked(action="a-1", barrier="No room before May", needs="A hall", cycle="c-1")
implemented = ActionImplemented(
    action="a-1", what_was_done="Opened on four Saturdays.", participants=("p-1",), cycle="c-1"
)
abandoned = ActionAbandoned(action="a-1", because="The hall was sold", cycle="c-1")
milestone = MilestoneReached(action="a-1", milestone="First Saturday", cycle="c-1")
expense = ExpensePaid(
    action="a-1", amount=12_000, currency="GBP", purpose="Hire of the hall", cycle="c-1"
)
steps: list[tuple[type[Command[Any]], Any]] = [
    (StartAction, started),
    (BlockAction, blocked),
    (ImplementAction, implemented),
    (AbandonAction, abandoned),
    (ReachMilestone, milestone),
    (PayExpense, expense),
]
each_step = pytest.mark.parametrize(("command", "event"), steps)


@each_step
def test_each_step_follows_the_plan_and_belongs_to_its_cycle(
    command: type[Command[Any]], event: Any
) -> None:
    given(*ready).when(command, structs.replace(event, cycle=None)).then(event)


@each_step
def test_nothing_is_done_about_what_was_not_planned(
    command: type[Command[Any]], event: Any
) -> None:
    other = structs.replace(event, action="a-9")
    given(*ready).when(command, other).then_refused("action_unknown")
    story = given(*ready[:4], on("2026-06-01", ready[4]), *ready[5:])
    story.when(command, event, at="2026-05-01").then_refused("action_unknown")


@each_step
def test_a_viewer_logs_no_actions(command: type[Command[Any]], event: Any) -> None:
    given(*ready).when(command, event, by="vic").then_refused("role_insufficient")


@each_step
@pytest.mark.parametrize("end", [implemented, abandoned], ids=lambda end: end.TOPIC)
def test_nothing_but_bills_comes_after_the_end(
    command: type[Command[Any]], event: Any, end: ResearchEvent
) -> None:
    story = given(*ready, end).when(command, event)
    if command is PayExpense:
        story.then(expense)
    else:
        state = "implemented" if end is implemented else "abandoned"
        story.then_refused(f"action_{state}")


def test_a_blocked_action_starts_again() -> None:
    given(*ready, started, blocked).when(StartAction, started).then(started)
    given(*ready, started, blocked, started).when(BlockAction, blocked).then(blocked)


def test_what_is_started_does_not_start_and_what_is_blocked_is_not_blocked_again() -> None:
    given(*ready, started).when(StartAction, started).then_refused("action_started")
    given(*ready, started, blocked).when(BlockAction, blocked).then_refused("action_blocked")


def test_a_blocked_action_may_be_abandoned_or_done_after_all() -> None:
    given(*ready, blocked).when(AbandonAction, abandoned).then(abandoned)
    given(*ready, blocked).when(ImplementAction, implemented).then(implemented)


def test_a_start_logged_late_comes_before_the_end() -> None:
    story = given(*ready, on("2026-06-01", implemented))
    story.when(StartAction, started, at="2026-03-01").then(started)


def test_an_action_ends_once_however_late_that_is_logged() -> None:
    story = given(*ready, on("2026-06-01", implemented))
    story.when(AbandonAction, abandoned, at="2026-03-01").then_refused("action_implemented")
    story = given(*ready, on("2026-06-01", implemented), on("2026-03-01", started))
    story.when(ImplementAction, implemented).then_refused("action_implemented")


def test_an_end_recorded_meanwhile_is_noticed() -> None:
    story = given(*ready).meanwhile(abandoned)
    story.when(ImplementAction, implemented).then_refused("action_abandoned")


def test_those_an_action_was_carried_out_with_are_known() -> None:
    others = structs.replace(implemented, participants=("p-9",), stakeholders=("housing",))
    given(*ready).when(ImplementAction, others).then_refused(
        "participant_unknown", "stakeholder_unknown"
    )
