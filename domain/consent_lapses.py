"""How consent that was given ceases to stand without being taken back, and comes to stand again."""

from enum import StrEnum
from typing import Annotated, ClassVar

from domain.consent import ConsultedAs
from domain.consent_states import ConsentState
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
