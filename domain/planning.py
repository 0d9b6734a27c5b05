"""Action planning: who will do what about a priority, with what the community has, and why."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from domain.ballots import BallotOpened
from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, all_known, known, new
from domain.cycles import cycle_is_open
from domain.membership import Duty, MemberJoined, MemberLeft, StudyOpened
from domain.people import ParticipantEnrolled, StakeholderEngaged, enrolled
from domain.priorities import PriorityStands
from domain.reconnaissance import AssetMapped
from domain.vocabulary import (
    ActionId,
    AssetId,
    BallotId,
    CycleId,
    GroupId,
    HeldKind,
    IndicatorId,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    PriorityId,
    ResearchEvent,
    StakeholderId,
    Text,
    Title,
)


class ActionOwner(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Who answers for an action: one of the three."""

    member: MemberId | None = None
    participant: ParticipantId | None = None
    stakeholder: StakeholderId | None = None


class PlannedIndicator(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """By what it will be seen that an action works; actions may share an indicator."""

    indicator: IndicatorId
    title: Title  # what is measured: "people who know a neighbour by name"
    unit: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    baseline: float | None = None  # its value before the action
    target: float | None = None


class Ratification(StrEnum):
    """How a plan was agreed."""

    CONSENSUS = "consensus"
    CONSENT = "consent"  # nobody objects: sociocracy
    MAJORITY = "majority"
    STEERING_GROUP = "steering_group"
    ASSEMBLY = "assembly"


class ActionPlanned(ResearchEvent):
    """People decided to do something, and who answers for it."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    action: ActionId
    cycle: CycleId
    title: Title
    owner: ActionOwner
    priority: PriorityId | None = None  # what it is for
    assets: Annotated[tuple[AssetId, ...], Meta(max_length=100)] = ()  # what it builds on
    if_then_because: Text | None = None  # theory of change: if we ..., then ..., because ...
    indicators: Annotated[tuple[PlannedIndicator, ...], Meta(max_length=50)] = ()
    due: date | None = None
    note: Annotated[Text | None, Personal("actor")] = None


class PlanRatified(ResearchEvent):
    """A cycle's plan was agreed by those whose plan it is."""

    PHASE: ClassVar = Phase.PLAN
    HELD: ClassVar = HeldKind.CONTRIBUTION

    cycle: CycleId
    actions: Annotated[tuple[ActionId, ...], Meta(min_length=1, max_length=200)]
    how: Ratification
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # who agreed
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    ballot: BallotId | None = None  # by which they agreed
    note: Annotated[Text | None, Personal("participants")] = None


class PlanAction(Command[ActionPlanned]):
    """Plan something to be done in a cycle."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        event = self.event
        indicators = [each.indicator for each in event.indicators]
        yield new("action", event.action, ActionPlanned)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from self._owned(event.owner)
        if event.priority is not None:
            yield PriorityStands(event.priority)
        yield from all_known("asset", event.assets, AssetMapped, "assets")
        yield Sensible(
            len(set(indicators)) == len(indicators),
            "indicator_twice",
            "An indicator is named twice; name each once.",
            "indicators",
        )

    def _owned(self, owner: ActionOwner) -> Iterable[Condition]:
        """Exactly one owner, and on record."""
        named = [each for each in (owner.member, owner.participant, owner.stakeholder) if each]
        yield Sensible(
            len(named) == 1,
            "owner_needed",
            "Name one owner: a member, a participant or a stakeholder.",
            "owner",
        )
        if owner.member is not None:
            yield Stands(
                "member",
                owner.member,
                {StudyOpened: True, MemberJoined: True, MemberLeft: False},
                code="member_unknown",
                message=f"{owner.member} has no role in this study; check the identifier.",
                path="owner.member",
            )
        if owner.participant is not None:
            path = "owner.participant"
            yield known("participant", owner.participant, ParticipantEnrolled, path)
        if owner.stakeholder is not None:
            path = "owner.stakeholder"
            yield known("stakeholder", owner.stakeholder, StakeholderEngaged, path)


class RatifyPlan(Command[PlanRatified]):
    """Record that a cycle's plan was agreed."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        for n, action in enumerate(event.actions):
            yield Stands(
                "action",
                action,
                {ActionPlanned: True},
                only=lambda planned: getattr(planned, "cycle", None) == event.cycle,
                code="action_unknown",
                message=f"No action {action} is planned in cycle {event.cycle}; plan it first, "
                "or check the identifier.",
                path=f"actions.{n}",
            )
        yield Sensible(
            len(set(event.actions)) == len(event.actions),
            "action_twice",
            "An action is named twice; name each once.",
            "actions",
        )
        yield from enrolled(event.participants)
        if event.ballot is not None:
            yield known("ballot", event.ballot, BallotOpened)
