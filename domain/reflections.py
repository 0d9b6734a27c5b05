"""Reflection: what a turn of the spiral taught, what was assumed, and what is carried on."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.captures import Capture
from domain.commands import Command
from domain.conditions import Condition, Sensible, all_known, known, new
from domain.cycles import CycleOpened, cycle_is_open
from domain.ethics import Activity
from domain.membership import Duty
from domain.outcomes import StoryCollected
from domain.permissions import Permission
from domain.planning import ActionPlanned
from domain.priorities import PriorityProposed
from domain.vocabulary import (
    ActionId,
    CycleId,
    HeldKind,
    ParticipantId,
    Personal,
    Phase,
    PriorityId,
    ReflectionId,
    ResearchEvent,
    StoryId,
    Text,
    Title,
    WorkshopId,
)
from domain.workshops import WorkshopHeld


class Voice(StrEnum):
    """Whose voice a reflection is; it shows whose are missing."""

    PARTICIPANTS = "participants"
    CO_RESEARCHERS = "co_researchers"
    RESEARCHERS = "researchers"
    STAKEHOLDERS = "stakeholders"
    TOGETHER = "together"  # one text that all agreed on


class Verdict(StrEnum):
    """What became of an assumption when it was tested."""

    HELD = "held"
    DID_NOT_HOLD = "did_not_hold"
    UNCLEAR = "unclear"


class Carrying(StrEnum):
    """What the next turn does with something learned."""

    KEEP = "keep"
    CHANGE = "change"
    DROP = "drop"


class ReflectionRecorded(ResearchEvent):
    """Somebody thought over what had happened: what, so what, now what.

    The three questions are Borton's (Reach, Touch and Teach, 1970), as Driscoll's cycle of
    structured reflection (1994) uses them.
    """

    PHASE: ClassVar = Phase.REFLECT
    HELD: ClassVar = HeldKind.REFLECTION
    NEEDS: ClassVar = (Permission.WORKSHOP,)

    reflection: ReflectionId
    cycle: CycleId
    voice: Voice
    what: Annotated[Text, Personal("participants")]
    so_what: Annotated[Text | None, Personal("participants")] = None
    now_what: Annotated[Text | None, Personal("participants")] = None
    title: Title | None = None
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # whose words
    workshop: WorkshopId | None = None  # where they were said
    turning_point: bool = False  # the study took another direction
    actions_changed: Annotated[tuple[ActionId, ...], Meta(max_length=50)] = ()
    priorities_changed: Annotated[tuple[PriorityId, ...], Meta(max_length=50)] = ()


class StorySelected(ResearchEvent):
    """A story was chosen as showing the most significant change, and it was said why.

    The choosing and its reasons are the method of Davies and Dart, The Most Significant Change
    Technique (2005).
    """

    PHASE: ClassVar = Phase.REFLECT

    story: StoryId
    cycle: CycleId
    why: Annotated[Text, Personal("actor")]
    selected_by: Title | None = None  # which panel: "community researchers", "steering group"
    domain_of_change: Title | None = None


class AssumptionTested(ResearchEvent):
    """Something the plans rested on was held against what happened."""

    PHASE: ClassVar = Phase.REFLECT

    cycle: CycleId
    assumption: Title
    verdict: Verdict
    action: ActionId | None = None  # whose if-then-because it comes from
    evidence: Annotated[Text | None, Personal("actor")] = None


class LearningCarried(ResearchEvent):
    """Something learned in a cycle is kept, changed or dropped from here on."""

    PHASE: ClassVar = Phase.REFLECT

    cycle: CycleId  # where it was learned
    learning: Title
    carrying: Carrying
    to_cycle: CycleId | None = None  # where it is taken up, if that cycle is open already
    why: Annotated[Text | None, Personal("actor")] = None


class RecordReflection(Capture[ReflectionRecorded]):
    """Record what people made of what happened.

    Naming the participants whose words they are needs their consent to workshops, where people
    reflect together.
    """

    DUTY = Duty.DELIBERATE
    ACTIVITY = Activity.WORKSHOP

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("reflection", event.reflection, ReflectionRecorded)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        if event.workshop is not None:
            yield known("workshop", event.workshop, WorkshopHeld)
        if event.participants:
            yield from self.covered(event.participants)
        for n, participant in enumerate(event.participants):
            yield self.own_only(participant, f"participants.{n}")
        yield from all_known("action", event.actions_changed, ActionPlanned, "actionsChanged")
        yield from all_known(
            "priority", event.priorities_changed, PriorityProposed, "prioritiesChanged"
        )


class SelectStory(Command[StorySelected]):
    """Record which story was chosen as the most significant change, and why."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        yield known("story", self.event.story, StoryCollected)
        yield cycle_is_open(self.event.cycle, self.occasion.occurred_at)


class AssessAssumption(Command[AssumptionTested]):
    """Record whether something the plans rested on held."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        yield cycle_is_open(self.event.cycle, self.occasion.occurred_at)
        if self.event.action is not None:
            yield known("action", self.event.action, ActionPlanned)


class CarryLearning(Command[LearningCarried]):
    """Record what a cycle taught, and whether it is kept, changed or dropped."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield known("cycle", event.cycle, CycleOpened)
        if event.to_cycle is not None:
            yield known("cycle", event.to_cycle, CycleOpened, "toCycle")
        yield Sensible(
            event.to_cycle != event.cycle,
            "same_cycle",
            "Learning is carried to another cycle; name that one, or none yet.",
            "toCycle",
        )
