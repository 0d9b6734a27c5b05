"""Receipts: what a participant takes home, to show what they agreed to and to take it back."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, known
from domain.consent import ConsentGiven
from domain.documents import Language, Sha256
from domain.membership import Duty
from domain.people import ParticipantEnrolled
from domain.vocabulary import Heard, Identifies, ParticipantId, Phase, ResearchEvent

# A tag, so that whoever has the code finds its receipt in the record with one look.
WithdrawalCode = Annotated[
    Sha256, Identifies("withdrawal_code"), "SHA-256 of the code that withdraws without an account."
]


class ReceiptIssued(ResearchEvent):
    """A participant was given a receipt (ISO/IEC TS 27560:2023) of a consent."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    consent: Annotated[int, Meta(ge=1)]  # position of the consent it is of
    receipt_sha256: Sha256 | None = None  # of the receipt as it was handed over
    withdrawal_code_sha256: WithdrawalCode | None = None
    language: Language | None = None


class ConsentAt(Condition):
    """A consent of that participant stands at that position of the record."""

    def __init__(self, participant: ParticipantId, position: int) -> None:
        super().__init__(
            "consent_unknown",
            f"No consent of {participant} is on record at position {position}; give the position "
            "that was answered when the consent was recorded.",
            "consent",
        )
        self.participant, self.position = participant, position

    def selectors(self) -> list[Selector]:
        return [Selector(types=[ConsentGiven], tags=[f"participant:{self.participant}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case ConsentGiven(participant=self.participant) if heard.position == self.position:
                self.decided_by = heard

    def holds(self) -> bool:
        return self.decided_by is not None


class IssueReceipt(Command[ReceiptIssued]):
    """Record that a participant was given a receipt of a consent, perhaps with a withdrawal code.

    The code itself stays with the participant; the record holds its SHA-256 alone.
    """

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
        yield ConsentAt(self.event.participant, self.event.consent)
