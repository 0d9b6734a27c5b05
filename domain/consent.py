"""Consent: asked for and given, declined or withdrawn, permission by permission."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, known
from domain.consent_states import ConsentState
from domain.documents import DocumentFormat, Language, Sha256, Version
from domain.ethics import Activity
from domain.gates import ApprovalStands
from domain.membership import Duty
from domain.people import ParticipantEnrolled
from domain.permissions import Permission, Permissions
from domain.vocabulary import (
    Count,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    Text,
    Title,
)
from domain.withdrawal import ConsentWithdrawn


class Method(StrEnum):
    """How consent was expressed."""

    WRITTEN = "written"
    VERBAL_RECORDED = "verbal_recorded"
    VERBAL_WITNESSED = "verbal_witnessed"
    E_SIGN = "e_sign"


class Capacity(StrEnum):
    """Whether somebody could decide for themselves (Mental Capacity Act 2005 ss. 2-3)."""

    HAS_CAPACITY = "has_capacity"
    LACKS_CAPACITY = "lacks_capacity"
    CHILD = "child"  # too young to consent alone


class ConsultedAs(StrEnum):
    """In which role somebody else was asked: a consultee (MCA 2005 s. 32) or for a child."""

    PERSONAL_CONSULTEE = "personal_consultee"
    NOMINATED_CONSULTEE = "nominated_consultee"
    PARENT = "parent"
    GUARDIAN = "guardian"


class DatedBy(StrEnum):
    """Who wrote the date beside the signature."""

    PARTICIPANT = "participant"
    CONSULTEE = "consultee"
    OTHER = "other"


class LawfulBasis(StrEnum):
    """The basis of processing (GDPR art. 6(1)); consent to take part is another matter."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTERESTS = "vital_interests"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTERESTS = "legitimate_interests"


class SpecialCategoryBasis(StrEnum):
    """What allows processing special categories of data (GDPR art. 9(2))."""

    EXPLICIT_CONSENT = "explicit_consent"
    RESEARCH = "research"
    HEALTH_CARE = "health_care"
    PUBLIC_HEALTH = "public_health"
    MADE_PUBLIC = "made_public"


class ConsentRequested(ResearchEvent):
    """A participant was asked for these permissions, and given the information to read."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = {
        ConsentState.NOT_ASKED: ConsentState.REQUESTED,
        ConsentState.DECLINED: ConsentState.REQUESTED,
    }

    participant: ParticipantId
    permissions: Permissions
    form_version: Version
    form_sha256: Sha256 | None = None
    information_sheet_version: Version | None = None
    information_sheet_sha256: Sha256 | None = None
    language: Language | None = None
    document_format: DocumentFormat | None = None
    note: Annotated[Text | None, Personal("participant")] = None


class ConsentGiven(ResearchEvent):
    """A participant agreed to these permissions, on this version of the form."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    SCHEMA: ClassVar = 2
    TURNS: ClassVar = {  # from withdrawn only by a fresh form: see domain/consent_states.py
        state: ConsentState.GIVEN
        for state in ConsentState
        if state not in (ConsentState.WITHDRAWN, ConsentState.SUSPENDED)
    }

    participant: ParticipantId
    permissions: Permissions
    form_version: Version
    form_sha256: Sha256 | None = None
    information_sheet_version: Version | None = None
    information_sheet_sha256: Sha256 | None = None
    language: Language | None = None  # of form and sheet
    document_format: DocumentFormat | None = None
    method: Method = Method.WRITTEN
    signed_on: date | None = None  # as it stands on the form; None: the form is not dated
    dated_by: DatedBy = DatedBy.PARTICIPANT
    taken_by: MemberId | None = None  # None: by whoever recorded it
    minutes_to_read: Count | None = None  # between information and signature
    withdraw_by: date | None = None  # until when what was given can still be taken out
    valid_until: date | None = None  # the last day on which it stands
    capacity: Capacity = Capacity.HAS_CAPACITY
    consulted_as: ConsultedAs | None = None
    assent: bool | None = None  # of somebody who cannot consent alone
    interpreted: bool = False
    lawful_basis: LawfulBasis | None = None
    special_category_basis: SpecialCategoryBasis | None = None
    witness: Annotated[Title | None, Personal("participant")] = None
    interpreter: Annotated[Title | None, Personal("participant")] = None
    consultee: Annotated[Title | None, Personal("participant")] = None
    capacity_note: Annotated[Text | None, Personal("participant")] = None
    note: Annotated[Text | None, Personal("participant")] = None


class ConsentDeclined(ResearchEvent):
    """A participant was asked and said no to these permissions."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    TURNS: ClassVar = {
        state: ConsentState.DECLINED
        for state in ConsentState
        if state is not ConsentState.WITHDRAWN
    }

    participant: ParticipantId
    permissions: Permissions
    form_version: Version
    note: Annotated[Text | None, Personal("participant")] = None


class ConsentStands(Stands):
    """The participant's permission stands at that moment, as far as the record knows now."""

    def __init__(
        self, participant: str, permission: Permission, at: datetime, path: str = "participants"
    ) -> None:
        what = permission.value.replace("_", " ")
        super().__init__(
            "participant",
            participant,
            {ConsentGiven: True, ConsentDeclined: False, ConsentWithdrawn: False},
            at=at,
            only=lambda event: permission in getattr(event, "permissions", ()),
            code="consent_missing",
            message=f"{participant} had not given consent to {what} by {at:%d %B %Y at %H:%M}; "
            "ask for it before going on, and log what was done without it as a deviation.",
            path=path,
        )
        self._what, self._day = what, at.date()

    def holds(self) -> bool:
        last = self.decided_by
        if last is None:
            return False
        match last.event:
            case ConsentGiven(valid_until=until) if until is not None and until < self._day:
                self.code = "consent_expired"
                self.message = (
                    f"{self.subject}'s consent to {self._what} ran out on {until:%d %B %Y}; "
                    "ask for it again."
                )
                return False
            case ConsentWithdrawn():
                self.code = "consent_withdrawn"
                self.message = (
                    f"{self.subject} withdrew consent to {self._what} on "
                    f"{last.occurred_at:%d %B %Y}; take them off, and log what was done "
                    "without consent as a deviation."
                )
            case ConsentDeclined():
                self.code = "consent_declined"
                self.message = f"{self.subject} said no to {self._what}; take them off."
        return super().holds()


class GrantConsent(Command[ConsentGiven]):
    """Record that a participant agreed to one or more permissions."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        at = self.occasion.occurred_at
        self.opinion = ApprovalStands(Activity.RECRUITMENT, at)
        yield known("participant", self.event.participant, ParticipantEnrolled)
        yield self.opinion
        yield Sensible(
            self.event.valid_until is None or self.event.valid_until >= at.date(),
            "dates_reversed",
            "validUntil is before the day consent was given; correct one of the two.",
            "validUntil",
        )

    def approval(self) -> int | None:
        return self.opinion.decided_by.position if self.opinion.decided_by else None


class DeclineConsent(Command[ConsentDeclined]):
    """Record that a participant was asked and said no."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
