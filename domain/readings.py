"""Readings: who looked at identifiable data, on record like everything else (question 18)."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, Sensible
from domain.membership import Duty
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


class RecordReading(Command[IdentifiableDataRead]):
    """Record what a member read, in the member's own name; the service does so by itself."""

    DUTY = Duty.READ
    OFFERED = False

    def requires(self) -> Iterable[Condition]:
        yield Sensible(
            self.event.reader == self.occasion.actor,
            "reader_differs",
            f"What {self.event.reader} read is recorded in their own name, not by "
            f"{self.occasion.actor}.",
            "reader",
        )
