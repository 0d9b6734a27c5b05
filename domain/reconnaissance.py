"""Reconnaissance: what people are concerned about, and what the community already has."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, known, new
from domain.cycles import cycle_is_open
from domain.membership import Duty
from domain.people import StakeholderEngaged, enrolled
from domain.vocabulary import (
    AssetId,
    ConcernId,
    CycleId,
    GroupId,
    HeldKind,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    StakeholderId,
    Text,
    Title,
)


class AssetKind(StrEnum):
    """The six kinds of community assets of asset-based community development (ABCD).

    After Kretzmann and McKnight, Building Communities from the Inside Out (1993), and the ABCD
    Institute: individuals' gifts, associations, institutions, places (land and buildings),
    exchange (the local economy) and stories (culture and heritage).
    """

    INDIVIDUALS = "individuals"
    ASSOCIATIONS = "associations"
    INSTITUTIONS = "institutions"
    PLACES = "places"
    EXCHANGE = "exchange"
    STORIES = "stories"


class ConcernStated(ResearchEvent):
    """People said what troubles them, or what they want to be otherwise."""

    PHASE: ClassVar = Phase.RECONNAISSANCE
    DECISIVE: ClassVar = True
    HELD: ClassVar = HeldKind.CONCERN

    concern: ConcernId
    title: Title
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # whose it is
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    cycle: CycleId | None = None  # if one was under way already
    words: Annotated[Text | None, Personal("participants")] = None  # as they said it


class AssetMapped(ResearchEvent):
    """Something that the community already has, and can build on, was put on its map."""

    PHASE: ClassVar = Phase.RECONNAISSANCE
    DECISIVE: ClassVar = True
    HELD: ClassVar = HeldKind.ASSET

    asset: AssetId
    kind: AssetKind
    title: Title  # a person's gift is named by the gift, not by the person
    offered_by: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()
    stakeholder: StakeholderId | None = None  # the organisation that offers it
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    cycle: CycleId | None = None  # if one was under way already
    description: Annotated[Text | None, Personal("offered_by")] = None


class StateConcern(Command[ConcernStated]):
    """Record what people are concerned about."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("concern", event.concern, ConcernStated)
        yield from enrolled(event.participants)
        for n, participant in enumerate(event.participants):
            yield self.own_only(participant, f"participants.{n}")
        if event.cycle is not None:
            yield cycle_is_open(event.cycle, self.occasion.occurred_at)


class MapAsset(Command[AssetMapped]):
    """Put something that the community already has on its map."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("asset", event.asset, AssetMapped)
        yield from enrolled(event.offered_by, "offeredBy")
        for n, participant in enumerate(event.offered_by):
            yield self.own_only(participant, f"offeredBy.{n}")
        if event.stakeholder is not None:
            yield known("stakeholder", event.stakeholder, StakeholderEngaged)
        if event.cycle is not None:
            yield cycle_is_open(event.cycle, self.occasion.occurred_at)
