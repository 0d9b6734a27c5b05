"""Safety: what went wrong or might have, and what was done about it at once."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.ethics import Activity
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
    aware_at: datetime  # when the team learned of it; the clock runs from then
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
    aware_at: datetime  # when the team learned of it; the clock of a serious one runs from then
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
