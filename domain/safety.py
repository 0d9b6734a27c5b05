"""Safety: what went wrong or might have, and what was done about it at once."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.commands import CLOCKS_MAY_DIFFER_BY, Command, Occasion
from domain.conditions import Condition, Sensible, known, new
from domain.cycles import CycleOpened
from domain.ethics import Activity
from domain.membership import Duty
from domain.people import enrolled
from domain.permissions import Permission
from domain.vocabulary import (
    AdverseEventId,
    ComplaintId,
    CycleId,
    DeviationId,
    MeasureId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    SafeguardingId,
    Text,
    Title,
)

Moment = Annotated[datetime, Meta(tz=True)]
Participants = Annotated[tuple[ParticipantId, ...], Meta(max_length=500)]


class DeviationKind(StrEnum):
    """From what a deviation departs."""

    WITHOUT_CONSENT = "without_consent"
    AFTER_WITHDRAWAL = "after_withdrawal"
    WITHOUT_APPROVAL = "without_approval"
    OUTSIDE_PROTOCOL = "outside_protocol"
    DATA_BREACH = "data_breach"
    OTHER = "other"


class AdverseEventReported(ResearchEvent):
    """Somebody came to harm, or might have: it was assessed, and the clock runs if it is grave."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    adverse_event: AdverseEventId
    serious: bool
    related: bool  # to the research
    unexpected: bool  # not among the risks that the committee was told of
    aware_at: Moment  # when the team learned of it; the clock runs from then
    participants: Participants = ()
    what: Annotated[Text | None, Personal("participants")] = None


class UrgentSafetyMeasureTaken(ResearchEvent):
    """Something was changed at once, before approval, to protect people from harm."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    measure: MeasureId
    participants: Participants = ()
    what: Annotated[Text | None, Personal("participants")] = None


class DeviationReported(ResearchEvent):
    """What was done otherwise than consent, approval or protocol allow, put on record openly."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    deviation: DeviationId
    kind: DeviationKind
    serious: bool  # likely to affect people's safety, rights or dignity, or what the study is worth
    aware_at: Moment  # when the team learned of it; the clock of a serious one runs from then
    participants: Participants = ()
    permissions: Annotated[tuple[Permission, ...], Meta(max_length=len(Permission))] = ()  # lacking
    activity: Activity | None = None
    cycle: CycleId | None = None
    what: Annotated[Text | None, Personal("participants")] = None
    remedy: Annotated[Text | None, Personal("participants")] = None


class ComplaintReceived(ResearchEvent):
    """Somebody complained of the research or of those who do it."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    complaint: ComplaintId
    participants: Participants = ()  # who complained, if they are participants
    what: Annotated[Text | None, Personal("participants")] = None


class SafeguardingRaised(ResearchEvent):
    """Somebody may be at risk of abuse or neglect, and those responsible were told."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    safeguarding: SafeguardingId
    participants: Participants = ()
    referred_to: Title | None = None  # a service or office, not a person
    what: Annotated[Text | None, Personal("participants")] = None


def known_in_time(aware_at: datetime, occasion: Occasion) -> Iterable[Condition]:
    """The team learned of it when or after it happened, and has learned of it by now."""
    yield Sensible(
        aware_at <= occasion.asked_at + CLOCKS_MAY_DIFFER_BY,
        "aware_in_the_future",
        f"awareAt {aware_at.isoformat()} is in the future; say when the team learned of it.",
        "awareAt",
    )
    yield Sensible(
        aware_at >= occasion.occurred_at,
        "aware_too_early",
        f"awareAt is before {occasion.occurred_at.astimezone(UTC):%d %B %Y at %H:%M} (UTC), when "
        "it happened; correct one of the two.",
        "awareAt",
    )


class ReportAdverseEvent(Command[AdverseEventReported]):
    """Record that somebody came to harm, or might have; the policy's clock runs from `awareAt`."""

    DUTY = Duty.REPORT_SAFETY

    def requires(self) -> Iterable[Condition]:
        yield new("adverse_event", self.event.adverse_event, AdverseEventReported, "adverseEvent")
        yield from enrolled(self.event.participants)
        yield from known_in_time(self.event.aware_at, self.occasion)


class TakeUrgentSafetyMeasure(Command[UrgentSafetyMeasureTaken]):
    """Record what was changed at once, before approval, to protect people from harm."""

    DUTY = Duty.REPORT_SAFETY

    def requires(self) -> Iterable[Condition]:
        yield new("measure", self.event.measure, UrgentSafetyMeasureTaken)
        yield from enrolled(self.event.participants)


class ReportDeviation(Command[DeviationReported]):
    """Record what was done otherwise than consent, approval or protocol allow.

    It asks for none of them: what was done is put on record all the same. Nor need those it names
    be enrolled, as that may be what went wrong.
    """

    DUTY = Duty.REPORT_SAFETY

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("deviation", event.deviation, DeviationReported)
        yield Sensible(
            len(set(event.participants)) == len(event.participants),
            "participant_twice",
            "A participant is named twice; name each once.",
            "participants",
        )
        if event.cycle is not None:
            yield known("cycle", event.cycle, CycleOpened)
        yield from known_in_time(event.aware_at, self.occasion)


class ReceiveComplaint(Command[ComplaintReceived]):
    """Record a complaint; participants may make one for themselves, by name or without."""

    DUTY = Duty.COMPLAIN

    def requires(self) -> Iterable[Condition]:
        yield new("complaint", self.event.complaint, ComplaintReceived)
        yield from enrolled(self.event.participants)
        for n, participant in enumerate(self.event.participants):
            yield self.own_only(participant, f"participants.{n}")


class RaiseSafeguarding(Command[SafeguardingRaised]):
    """Record that somebody may be at risk, and which service was told."""

    DUTY = Duty.REPORT_SAFETY

    def requires(self) -> Iterable[Condition]:
        yield new("safeguarding", self.event.safeguarding, SafeguardingRaised)
        yield from enrolled(self.event.participants)
