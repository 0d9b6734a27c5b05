"""Readings: who looked at identifiable data, on record like everything else (question 18)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.vocabulary import (
    Count,
    MemberId,
    ParticipantId,
    Phase,
    ResearchEvent,
)


class Reading(StrEnum):
    """What was read."""

    CONSENT_DETAILS = "consent_details"  # who consented to what, with names and notes
    PERSONAL_FIELDS = "personal_fields"  # names, contacts, texts about or by people
    AUDIT = "audit"  # the answers to the twenty questions, and the audit trail
    EXPORT = "export"  # a copy of the record taken out


class IdentifiableDataRead(ResearchEvent):
    """A member read identifiable data; reads of a few seconds are put on record together."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    reader: MemberId
    reading: Reading
    first_at: datetime
    last_at: datetime
    reads: Count
    # those whose data was read; none named: of everybody
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()
