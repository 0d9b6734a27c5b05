"""Workshops: where participants and researchers plan, act and reflect together."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.captures import Capture
from domain.conditions import Condition, new
from domain.cycles import cycle_is_open
from domain.ethics import Activity
from domain.membership import Duty
from domain.payments import Payments, paid_among
from domain.permissions import Permission
from domain.vocabulary import (
    CycleId,
    GroupId,
    HeldKind,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    SiteId,
    Text,
    Title,
    WorkshopId,
)


class WorkshopHeld(ResearchEvent):
    """A workshop took place in an open cycle, among people whose consent stood."""

    PHASE: ClassVar = Phase.ACT
    SCHEMA: ClassVar = 2
    HELD: ClassVar = HeldKind.WORKSHOP
    NEEDS: ClassVar = (Permission.WORKSHOP,)

    workshop: WorkshopId
    cycle: CycleId
    participants: Annotated[tuple[ParticipantId, ...], Meta(min_length=1, max_length=500)]
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    facilitators: Annotated[tuple[MemberId, ...], Meta(max_length=50)] = ()
    topic: Title | None = None
    focus: Title | None = None
    technique: Title | None = None  # ranking and voting, problem tree, photovoice ...
    week: Annotated[int, Meta(ge=1, le=1000)] | None = None  # of the cycle
    payments: Payments = ()
    site: SiteId | None = None  # where; it is one of those approved, if the opinion names any
    # who worked with whom in small groups, and in which role: facilitator, scribe, timekeeper
    small_groups: Annotated[Text | None, Personal("participants")] = None
    adjustments: Annotated[Text | None, Personal("participants")] = None  # made for access
    notes: Annotated[Text | None, Personal("participants")] = None


class HoldWorkshop(Capture[WorkshopHeld]):
    """Record a workshop that took place."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.WORKSHOP
    HELD_BY = "facilitators"

    def requires(self) -> Iterable[Condition]:
        yield new("workshop", self.event.workshop, WorkshopHeld)
        yield cycle_is_open(self.event.cycle, self.occasion.occurred_at)
        yield from self.covered(self.event.participants)
        yield paid_among(self.event.payments, self.event.participants)
