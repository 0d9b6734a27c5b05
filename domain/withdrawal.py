"""Withdrawal: taking permissions back, and what becomes of what is held."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, known
from domain.consent_states import ConsentState
from domain.documents import Sha256
from domain.membership import Duty
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import ParticipantId, Personal, Phase, ResearchEvent, Tag, Text


class WithdrawalScope(StrEnum):
    """How far a withdrawal reaches; each reaches further than the one before."""

    NO_FURTHER_CONTACT = "no_further_contact"
    NO_FURTHER_ACCESS = "no_further_access"
    NO_FURTHER_USE = "no_further_use"


class Disposition(StrEnum):
    """What becomes of something held of a participant who withdrew."""

    RETAIN_IDENTIFIABLE = "retain_identifiable"
    RETAIN_PSEUDONYMISED = "retain_pseudonymised"
    ANONYMISE = "anonymise"
    QUARANTINE = "quarantine"
    ERASE = "erase"
    INFEASIBLE_PUBLISHED = "infeasible_published"
    INFEASIBLE_ANONYMISED = "infeasible_anonymised"
    INFEASIBLE_GROUP_TRANSCRIPT = "infeasible_group_transcript"


class ErasureGround(StrEnum):
    """Why somebody may ask for erasure (GDPR art. 17(1)(a)-(e))."""

    NO_LONGER_NEEDED = "no_longer_needed"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    LEGAL_OBLIGATION = "legal_obligation"


class ConsentWithdrawn(ResearchEvent):
    """A participant took these permissions back."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    SCHEMA: ClassVar = 2
    TURNS: ClassVar = dict.fromkeys(ConsentState, ConsentState.WITHDRAWN)

    participant: ParticipantId
    # on record always those it is about; left out of the command: all of them
    permissions: Annotated[tuple[Permission, ...], Meta(max_length=len(Permission))] = ()
    scope: WithdrawalScope = WithdrawalScope.NO_FURTHER_ACCESS
    code_sha256: Sha256 | None = None  # of the withdrawal code, if the participant used it
    words: Annotated[Text | None, Personal("participant")] = None  # in the participant's words


class DispositionPlanned(ResearchEvent):
    """It was decided what becomes of something held of a participant who withdrew, by when."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    item: Tag  # what is held: media:m-1, transcript:t-1, quotation:q-1 ...
    disposition: Disposition
    due: date  # the last day on which it is in time
    why: Annotated[Text | None, Personal("participant")] = None

    @property
    def tags(self) -> list[str]:
        return list(dict.fromkeys([*super().tags, self.item]))


class DispositionCompleted(ResearchEvent):
    """What was decided about something held has been done; the proof is named by its hash."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    item: Tag
    proof_sha256: Sha256 | None = None  # of the log, certificate or message that shows it
    proof: Annotated[Text | None, Personal("participant")] = None  # what shows it, in words

    @property
    def tags(self) -> list[str]:
        return list(dict.fromkeys([*super().tags, self.item]))


class ErasureRequested(ResearchEvent):
    """A participant asked that everything held of them is erased."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    ground: ErasureGround
    words: Annotated[Text | None, Personal("participant")] = None


class WithdrawConsent(Command[ConsentWithdrawn]):
    """Take permissions back; it is never refused to somebody who is in the study."""

    DUTY = Duty.WITHDRAW

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
        yield self.own_only(self.event.participant, "participant")
