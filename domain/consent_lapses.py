"""How consent that was given ceases to stand without being taken back, and comes to stand again."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from domain.capacity import ConsultedAs
from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, known
from domain.consent_gates import StateIs, TimeIsOver
from domain.consent_states import ConsentState
from domain.membership import Duty
from domain.modifications import ModificationDecided
from domain.people import ParticipantEnrolled
from domain.permissions import Permissions
from domain.vocabulary import (
    ModificationId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    Text,
    Title,
)


class InvalidBecause(StrEnum):
    """Why a consent turned out not to be one."""

    NOT_INFORMED = "not_informed"
    NOT_FREE = "not_free"
    NO_CAPACITY = "no_capacity"
    WRONG_FORM = "wrong_form"
    WRONG_PERSON = "wrong_person"
    FORM_LOST = "form_lost"
    OTHER = "other"


class ReconsentBecause(StrEnum):
    """Why somebody has to be asked again."""

    MODIFICATION = "modification"
    NEW_INFORMATION = "new_information"
    CAME_OF_AGE = "came_of_age"
    CAPACITY_REGAINED = "capacity_regained"
    OTHER = "other"


class ConsentExpired(ResearchEvent):
    """The time for which a participant had given these permissions was found to be over."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = {
        ConsentState.GIVEN: ConsentState.EXPIRED,
        ConsentState.RECONSENT_REQUIRED: ConsentState.EXPIRED,
        ConsentState.SUSPENDED: ConsentState.EXPIRED,
    }

    participant: ParticipantId
    permissions: Permissions


class ConsentInvalidated(ResearchEvent):
    """What was recorded as consent was found not to be one."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = dict.fromkeys(
        (
            ConsentState.GIVEN,
            ConsentState.EXPIRED,
            ConsentState.RECONSENT_REQUIRED,
            ConsentState.SUSPENDED,
        ),
        ConsentState.INVALIDATED,
    )

    participant: ParticipantId
    permissions: Permissions
    because: InvalidBecause
    why: Annotated[Text | None, Personal("participant")] = None


class ReconsentRequired(ResearchEvent):
    """A participant has to be asked again before anything new is captured of them."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = {
        ConsentState.GIVEN: ConsentState.RECONSENT_REQUIRED,
        ConsentState.SUSPENDED: ConsentState.RECONSENT_REQUIRED,
    }

    participant: ParticipantId
    permissions: Permissions
    because: ReconsentBecause
    modification: ModificationId | None = None
    why: Annotated[Text | None, Personal("participant")] = None


class ConsentSuspended(ResearchEvent):
    """A participant lost the capacity to decide: whatever they had allowed is suspended."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = {ConsentState.GIVEN: ConsentState.SUSPENDED}

    participant: ParticipantId
    why: Annotated[Text | None, Personal("participant")] = None


class ConsentResumed(ResearchEvent):
    """What was suspended stands again: the participant, or a consultee, affirmed it."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = {ConsentState.SUSPENDED: ConsentState.GIVEN}

    participant: ParticipantId
    affirmed_by: ConsultedAs | None = None  # None: the participant
    consultee: Annotated[Title | None, Personal("participant")] = None
    why: Annotated[Text | None, Personal("participant")] = None


class NotSuspended(Stands):
    """Whatever the participant allowed is not suspended at that moment."""

    def __init__(self, participant: ParticipantId, at: datetime) -> None:
        super().__init__(
            "participant",
            participant,
            {ConsentSuspended: False, ConsentResumed: True},
            at=at,
            otherwise=True,
            code="consent_suspended",
            message=f"{participant}'s consent is suspended, as they cannot decide for themselves; "
            "when they can, or a consultee affirms it, record that with resumeConsent first.",
        )


class ExpireConsent(Command[ConsentExpired]):
    """Record that the time for which permissions were given is over.

    Nobody has to: from the day after its last one, consent reads expired by itself.
    """

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        event, at = self.event, self.occasion.occurred_at
        yield known("participant", event.participant, ParticipantEnrolled)
        among = frozenset({*ConsentExpired.TURNS, ConsentState.EXPIRED})
        for n, permission in enumerate(event.permissions):
            yield TimeIsOver(event.participant, permission, at, f"permissions.{n}", among=among)


class InvalidateConsent(Command[ConsentInvalidated]):
    """Record that what was taken for consent was found not to be one."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        event, at = self.event, self.occasion.occurred_at
        yield known("participant", event.participant, ParticipantEnrolled)
        among = frozenset(ConsentInvalidated.TURNS)
        for n, permission in enumerate(event.permissions):
            yield StateIs(event.participant, permission, at, f"permissions.{n}", among=among)


class RequireReconsent(Command[ReconsentRequired]):
    """Record that a participant has to be asked again before anything new is captured of them."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        event, at = self.event, self.occasion.occurred_at
        yield known("participant", event.participant, ParticipantEnrolled)
        if event.modification is not None:
            yield known("modification", event.modification, ModificationDecided)
        among = frozenset(ReconsentRequired.TURNS)
        for n, permission in enumerate(event.permissions):
            yield StateIs(event.participant, permission, at, f"permissions.{n}", among=among)


class SuspendConsent(Command[ConsentSuspended]):
    """Record that a participant lost the capacity to decide; all that they gave is suspended."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)


class ResumeConsent(Command[ConsentResumed]):
    """Record that a participant, or a consultee, affirmed what had been suspended."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield known("participant", event.participant, ParticipantEnrolled)
        yield Stands(
            "participant",
            event.participant,
            {ConsentSuspended: True, ConsentResumed: False},
            at=self.occasion.occurred_at,
            code="consent_not_suspended",
            message=f"{event.participant}'s consent was not suspended then; there is nothing to "
            "resume. Check the participant and occurredAt.",
        )
        yield Sensible(
            event.consultee is None or event.affirmed_by is not None,
            "consultee_unclear",
            "A consultee is named; say in affirmedBy in which role they affirmed it.",
            "affirmedBy",
        )
