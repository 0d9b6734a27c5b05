"""Receipts: what a participant takes home, to show what they agreed to and to take it back."""

from typing import Annotated, ClassVar

from msgspec import Meta

from domain.documents import Language, Sha256
from domain.vocabulary import Identifies, ParticipantId, Phase, ResearchEvent

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
