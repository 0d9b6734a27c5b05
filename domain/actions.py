"""Actions under way: started, blocked, carried out or abandoned, with milestones and expenses."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, structs

from domain.commands import Command
from domain.conditions import Condition, Stands, all_known
from domain.cycles import cycle_of
from domain.membership import Duty
from domain.payments import Amount, Currency
from domain.people import StakeholderEngaged, enrolled
from domain.planning import ActionPlanned
from domain.vocabulary import (
    ActionId,
    CycleId,
    Derived,
    GroupId,
    Heard,
    HeldKind,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    StakeholderId,
    Text,
    Title,
)


class ActionState(StrEnum):
    """Where an action is in its life."""

    PLANNED = "planned"
    STARTED = "started"
    BLOCKED = "blocked"
    IMPLEMENTED = "implemented"
    ABANDONED = "abandoned"


class ActionStarted(ResearchEvent):
    """People began to carry out an action, or took it up again after it was blocked."""

    PHASE: ClassVar = Phase.ACT

    action: ActionId
    note: Annotated[Text | None, Personal("actor")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the planned action


class ActionBlocked(ResearchEvent):
    """Something stands in the way of an action."""

    PHASE: ClassVar = Phase.ACT

    action: ActionId
    barrier: Title  # what stands in the way: "No room before May"
    needs: Title | None = None  # what would clear it
    why: Annotated[Text | None, Personal("actor")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the planned action


class ActionImplemented(ResearchEvent):
    """An action was carried out."""

    PHASE: ClassVar = Phase.ACT
    HELD: ClassVar = HeldKind.CONTRIBUTION

    action: ActionId
    what_was_done: Annotated[Text, Personal("participants")]
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # with whom
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    stakeholders: Annotated[tuple[StakeholderId, ...], Meta(max_length=50)] = ()
    cycle: Annotated[CycleId | None, Derived()] = None  # of the planned action


class ActionAbandoned(ResearchEvent):
    """People gave an action up."""

    PHASE: ClassVar = Phase.ACT

    action: ActionId
    because: Title  # in short, for everyone: "The landlord sold the hall"
    why: Annotated[Text | None, Personal("actor")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the planned action


class MilestoneReached(ResearchEvent):
    """A step on the way of an action was reached."""

    PHASE: ClassVar = Phase.ACT

    action: ActionId
    milestone: Title
    note: Annotated[Text | None, Personal("actor")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the planned action


class ExpensePaid(ResearchEvent):
    """Money was spent on an action; what people were paid for coming stands with the session."""

    PHASE: ClassVar = Phase.ACT

    action: ActionId
    amount: Amount
    currency: Currency
    purpose: Title  # what it was for: "Hire of the hall"
    note: Annotated[Text | None, Personal("actor")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the planned action


STATES: dict[type[ResearchEvent], ActionState] = {
    ActionPlanned: ActionState.PLANNED,
    ActionStarted: ActionState.STARTED,
    ActionBlocked: ActionState.BLOCKED,
    ActionImplemented: ActionState.IMPLEMENTED,
    ActionAbandoned: ActionState.ABANDONED,
}
UNENDED = (ActionState.PLANNED, ActionState.STARTED, ActionState.BLOCKED)


class ActionIs(Stands):
    """The action was in one of these states then; what `ends` it is recorded once at any time."""

    def __init__(
        self, action: ActionId, at: datetime, *states: ActionState, ends: bool = False
    ) -> None:
        super().__init__(
            "action",
            action,
            {event: state in states for event, state in STATES.items()},
            at=at,
            code="action_unknown",
            message=f"No action {action} had been planned by {at:%d %B %Y}; plan it first, or "
            "check the identifier and occurredAt.",
        )
        self.ends = ends
        self.ended = False

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case ActionImplemented(action=self.subject) | ActionAbandoned(action=self.subject) if (
                self.ends
            ):
                self.decided_by, self.ended = heard, True
            case _ if not self.ended:
                super().hear(heard)

    def holds(self) -> bool:
        if self.decided_by is None:
            return False
        state = STATES[type(self.decided_by.event)]
        self.code = f"action_{state.value}"
        self.message = (
            f"Action {self.subject} has been {state.value} since "
            f"{self.decided_by.occurred_at:%d %B %Y}; check the identifier and occurredAt."
        )
        return super().holds()


class StartAction(Command[ActionStarted]):
    """Record that people began to carry out an action, or took it up again."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        self.action = ActionIs(
            self.event.action, self.occasion.occurred_at, ActionState.PLANNED, ActionState.BLOCKED
        )
        yield self.action

    def decide(self) -> ActionStarted:
        return structs.replace(self.event, cycle=cycle_of(self.action))


class BlockAction(Command[ActionBlocked]):
    """Record what stands in the way of an action, and what would clear it."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        self.action = ActionIs(
            self.event.action, self.occasion.occurred_at, ActionState.PLANNED, ActionState.STARTED
        )
        yield self.action

    def decide(self) -> ActionBlocked:
        return structs.replace(self.event, cycle=cycle_of(self.action))


class ImplementAction(Command[ActionImplemented]):
    """Record that an action was carried out, what was done, and with whom."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.action = ActionIs(event.action, self.occasion.occurred_at, *UNENDED, ends=True)
        yield self.action
        yield from enrolled(event.participants)
        yield from all_known("stakeholder", event.stakeholders, StakeholderEngaged, "stakeholders")

    def decide(self) -> ActionImplemented:
        return structs.replace(self.event, cycle=cycle_of(self.action))


class AbandonAction(Command[ActionAbandoned]):
    """Record that people gave an action up, and why."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        self.action = ActionIs(self.event.action, self.occasion.occurred_at, *UNENDED, ends=True)
        yield self.action

    def decide(self) -> ActionAbandoned:
        return structs.replace(self.event, cycle=cycle_of(self.action))


class ReachMilestone(Command[MilestoneReached]):
    """Record that a step on the way of an action was reached."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        self.action = ActionIs(self.event.action, self.occasion.occurred_at, *UNENDED)
        yield self.action

    def decide(self) -> MilestoneReached:
        return structs.replace(self.event, cycle=cycle_of(self.action))


class PayExpense(Command[ExpensePaid]):
    """Record money spent on an action; bills may come after it ended."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        self.action = ActionIs(self.event.action, self.occasion.occurred_at, *ActionState)
        yield self.action

    def decide(self) -> ExpensePaid:
        return structs.replace(self.event, cycle=cycle_of(self.action))
