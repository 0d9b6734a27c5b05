"""Cycles of plan, act, observe and reflect: opened, spawned from one another, and closed."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, all_known, new
from domain.membership import Duty
from domain.vocabulary import CycleId, Personal, Phase, ResearchEvent, Text, Title


class Edge(StrEnum):
    """How a cycle follows from an earlier one."""

    SPAWNED_FROM = "spawned_from"
    CARRIES_QUESTION = "carries_question"
    CONTINUES_ACTION = "continues_action"
    TESTS_ASSUMPTION = "tests_assumption"
    CONTESTS_FINDING = "contests_finding"


class Parent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An earlier cycle that this one follows from, and how."""

    cycle: CycleId
    edge: Edge = Edge.SPAWNED_FROM


class CycleOpened(ResearchEvent):
    """A cycle began, from none or several earlier ones: the spiral is a graph."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    cycle: CycleId
    title: Title
    question: Text
    parents: Annotated[tuple[Parent, ...], Meta(max_length=20)] = ()


class CycleClosed(ResearchEvent):
    """A cycle ended; nothing that happens later belongs to it."""

    PHASE: ClassVar = Phase.REFLECT
    DECISIVE: ClassVar = True

    cycle: CycleId
    summary: Annotated[Text | None, Personal("actor")] = None


def cycle_is_open(cycle: CycleId, at: datetime) -> Stands:
    return Stands(
        "cycle",
        cycle,
        {CycleOpened: True, CycleClosed: False},
        at=at,
        code="cycle_not_open",
        message=f"Cycle {cycle} was not open on {at:%d %B %Y at %H:%M}; "
        "check the cycle and occurredAt, or open a new cycle.",
    )


def cycle_of(condition: Condition) -> CycleId | None:
    """The cycle of the event that decided the condition, for what follows from that event."""
    return getattr(condition.decided_by.event, "cycle", None) if condition.decided_by else None


class OpenCycle(Command[CycleOpened]):
    """Begin a cycle of plan, act, observe and reflect."""

    DUTY = Duty.LEAD

    def requires(self) -> Iterable[Condition]:
        parents = [parent.cycle for parent in self.event.parents]
        yield new("cycle", self.event.cycle, CycleOpened)
        yield from all_known("cycle", parents, CycleOpened, "parents")
        yield Sensible(
            len(set(parents)) == len(parents),
            "parent_twice",
            "A parent cycle is named twice; name each once.",
            "parents",
        )


class CloseCycle(Command[CycleClosed]):
    """End a cycle; carry its learning into the next one first."""

    DUTY = Duty.LEAD

    def requires(self) -> Iterable[Condition]:
        yield cycle_is_open(self.event.cycle, self.occasion.occurred_at)
