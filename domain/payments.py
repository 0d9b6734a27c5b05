"""Payments: what taking part cost people, and what was paid for it."""

from typing import Annotated

from msgspec import Meta, Struct

from domain.conditions import Condition, Sensible
from domain.vocabulary import ParticipantId

Amount = Annotated[int, Meta(ge=1, le=100_000_000)]  # in the currency's smallest unit: pence
Currency = Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z", description="An ISO 4217 code: GBP.")]


class Payment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a participant was paid for coming: their time, fares or childcare."""

    participant: ParticipantId
    amount: Amount
    currency: Currency


Payments = Annotated[tuple[Payment, ...], Meta(max_length=500)]


def paid_among(payments: tuple[Payment, ...], participants: tuple[str, ...]) -> Condition:
    """Only who took part was paid for it: so every payment is to somebody who consented."""
    strangers = sorted({payment.participant for payment in payments} - set(participants))
    return Sensible(
        not strangers,
        "payee_absent",
        f"{', '.join(strangers)} did not take part, but is paid; add them to the participants, "
        "or take the payment off.",
        "payments",
    )
