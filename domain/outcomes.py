"""Outcomes: what was measured, harvested and told of the change, and the harm that was done."""

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
from domain.people import StakeholderEngaged, enrolled
from domain.permissions import Permission
from domain.planning import ActionPlanned
from domain.vocabulary import (
    ActionId,
    CycleId,
    GroupId,
    HarmId,
    HeldKind,
    IndicatorId,
    OutcomeId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    StakeholderId,
    StoryId,
    Text,
    Title,
)

Measured = Annotated[float, Meta(ge=-1e15, le=1e15)]
Unit = Annotated[str, Meta(min_length=1, max_length=60)]
Actions = Annotated[tuple[ActionId, ...], Meta(max_length=50)]


class ChangeIn(StrEnum):
    """In what an outcome shows (Wilson-Grau, Outcome Harvesting, 2018, defines it by these)."""

    BEHAVIOUR = "behaviour"
    RELATIONSHIPS = "relationships"
    ACTIONS = "actions"
    POLICIES = "policies"
    PRACTICES = "practices"


class HarmSeverity(StrEnum):
    """How bad harm was; a serious adverse event is reported to the committee besides."""

    MINOR = "minor"
    MODERATE = "moderate"
    SERIOUS = "serious"


class IndicatorMeasured(ResearchEvent):
    """An indicator had this value at that time; the first measurement is its baseline."""

    PHASE: ClassVar = Phase.OBSERVE

    indicator: IndicatorId
    cycle: CycleId
    value: Measured
    unit: Unit  # "people", "%", "hours a week"
    action: ActionId | None = None  # what it is to tell us about
    group: GroupId | None = None  # whom it was measured among, if not everyone
    method: Annotated[Text | None, Personal("actor")] = None


class OutcomeHarvested(ResearchEvent):
    """Somebody changed what they do, and the study may have contributed to it.

    The fields are those of outcome harvesting (Wilson-Grau, 2018): what changed in whom,
    its significance, the contribution to it, and who substantiates that.
    """

    PHASE: ClassVar = Phase.OBSERVE
    HELD: ClassVar = HeldKind.OUTCOME

    outcome: OutcomeId
    cycle: CycleId
    title: Title  # names what changed, not who
    who_changed: Annotated[Text, Personal("participants")]
    what: Annotated[Text, Personal("participants")]  # before and now, when and where
    intended: bool
    change_in: ChangeIn | None = None
    harmful: bool = False  # a change for the worse is an outcome too
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # who changed
    stakeholders: Annotated[tuple[StakeholderId, ...], Meta(max_length=50)] = ()
    actions: Actions = ()  # that contributed to it
    significance: Annotated[Text | None, Personal("participants")] = None
    contribution: Annotated[Text | None, Personal("participants")] = None
    substantiated_by: Annotated[Text | None, Personal("participants")] = None


class StoryCollected(ResearchEvent):
    """Participants told a story of change; releasing words from it needs another permission."""

    PHASE: ClassVar = Phase.OBSERVE
    HELD: ClassVar = HeldKind.STORY
    NEEDS: ClassVar = (Permission.INTERVIEW,)

    story: StoryId
    cycle: CycleId
    title: Title  # names the change, not who told it
    participants: Annotated[tuple[ParticipantId, ...], Meta(min_length=1, max_length=50)]
    text: Annotated[Text, Personal("participants")]
    domain_of_change: Title | None = None
    actions: Actions = ()  # that the story tells of


class RippleLinked(ResearchEvent):
    """One thing led to another: an edge in a ripple map, from an action or outcome to another.

    After Ripple Effects Mapping (Chazdon et al., 2017).
    """

    PHASE: ClassVar = Phase.OBSERVE

    cycle: CycleId
    from_action: ActionId | None = None  # one of the two ...
    from_outcome: OutcomeId | None = None
    to_action: ActionId | None = None  # ... and one of these two
    to_outcome: OutcomeId | None = None
    how: Annotated[Text | None, Personal("actor")] = None


class HarmReported(ResearchEvent):
    """The research hurt somebody, or could have."""

    PHASE: ClassVar = Phase.OBSERVE

    harm: HarmId
    what: Annotated[Text, Personal("participants")]
    severity: HarmSeverity
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # to whom
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    cycle: CycleId | None = None
    action: ActionId | None = None  # that it came of
    told: Annotated[Text | None, Personal("participants")] = None  # who was told, and when


class MeasureIndicator(Command[IndicatorMeasured]):
    """Record the value that an indicator had."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        yield cycle_is_open(self.event.cycle, self.occasion.occurred_at)
        if self.event.action is not None:
            yield known("action", self.event.action, ActionPlanned)


class HarvestOutcome(Command[OutcomeHarvested]):
    """Record a change in what people do, and what the study had to do with it."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("outcome", event.outcome, OutcomeHarvested)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from enrolled(event.participants)
        yield from all_known("stakeholder", event.stakeholders, StakeholderEngaged, "stakeholders")
        yield from all_known("action", event.actions, ActionPlanned, "actions")


class CollectStory(Capture[StoryCollected]):
    """Record a story that participants told; it needs their consent to be interviewed."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.INTERVIEW

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("story", event.story, StoryCollected)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from self.covered(event.participants)
        yield from all_known("action", event.actions, ActionPlanned, "actions")


class LinkRipple(Command[RippleLinked]):
    """Record that an action or outcome led to another."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        event = self.event
        ends = {
            "from": (event.from_action, event.from_outcome),
            "to": (event.to_action, event.to_outcome),
        }
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        for end, (action, outcome) in ends.items():
            yield Sensible(
                (action is None) != (outcome is None),
                "end_needed",
                f"Say which action or which outcome the ripple goes {end}; one of the two.",
                f"{end}Outcome",
            )
            if action is not None:
                yield known("action", action, ActionPlanned, f"{end}Action")
            if outcome is not None:
                yield known("outcome", outcome, OutcomeHarvested, f"{end}Outcome")
        yield Sensible(
            ends["from"] != ends["to"] or ends["from"] == (None, None),
            "same_ends",
            "Nothing leads to itself; name two different ends.",
            "toOutcome",
        )


class ReportHarm(Command[HarmReported]):
    """Report that the research hurt somebody, or could have; nothing needs to stand for that."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("harm", event.harm, HarmReported)
        yield from enrolled(event.participants)
        if event.cycle is not None:
            yield known("cycle", event.cycle, CycleOpened)
        if event.action is not None:
            yield known("action", event.action, ActionPlanned)
