"""Consent: asked for and given, declined or withdrawn, permission by permission."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from domain.capacity import MAY_BE_CONSULTED
from domain.capacity import Capacity as Capacity
from domain.capacity import ConsultedAs as ConsultedAs
from domain.commands import Command, E
from domain.conditions import Condition, Sensible, known
from domain.consent_gates import FreshIfWithdrawn
from domain.consent_lapses import NotSuspended
from domain.consent_states import ConsentState, utc_day
from domain.documents import DocumentFormat, DocumentKind, Language, Sha256, Version
from domain.ethics import Activity
from domain.gates import ActorApproved, ApprovalStands, FormApproved, PersonApproved, approved
from domain.membership import Duty
from domain.people import ParticipantEnrolled
from domain.permissions import Permissions
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


class Method(StrEnum):
    """How consent was expressed."""

    WRITTEN = "written"
    VERBAL_RECORDED = "verbal_recorded"
    VERBAL_WITNESSED = "verbal_witnessed"
    E_SIGN = "e_sign"


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


class ConsentStep(Command[E]):
    """A step towards somebody's consent: they are enrolled, and the committee approved the way."""

    DUTY = Duty.TAKE_CONSENT

    opinion: ApprovalStands

    def approved_way(
        self,
        participant: ParticipantId,
        taken_by: MemberId | None,
        form: tuple[str, str | None],
        sheet: tuple[str | None, str | None],
    ) -> Iterable[Condition]:
        """Recruitment, whoever asks, form and information sheet (version, sha256) are approved."""
        self.opinion = ApprovalStands(Activity.RECRUITMENT, self.occasion.occurred_at)
        yield known("participant", participant, ParticipantEnrolled)
        yield from approved(self.opinion)
        if taken_by is None:
            yield ActorApproved(self.opinion, self.role_held, "takenBy")
        else:
            yield PersonApproved(self.opinion, taken_by, "takenBy")
        yield FormApproved(self.opinion, DocumentKind.CONSENT_FORM, *form)
        yield FormApproved(self.opinion, DocumentKind.INFORMATION_SHEET, *sheet)

    def approval(self) -> int | None:
        return self.opinion.decided_by.position if self.opinion.decided_by else None


class RequestConsent(ConsentStep[ConsentRequested]):
    """Record that a participant was asked for permissions, and what they were given to read."""

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield from self.approved_way(
            event.participant,
            None,
            (event.form_version, event.form_sha256),
            (event.information_sheet_version, event.information_sheet_sha256),
        )


class GrantConsent(ConsentStep[ConsentGiven]):
    """Record that a participant agreed to one or more permissions.

    What was withdrawn comes back only by a form signed since; while consent is suspended, resume
    it first. Somebody who cannot consent alone needs a consultee, a child a parent or guardian.
    """

    def requires(self) -> Iterable[Condition]:
        event, at = self.event, self.occasion.occurred_at
        yield from self.approved_way(
            event.participant,
            event.taken_by,
            (event.form_version, event.form_sha256),
            (event.information_sheet_version, event.information_sheet_sha256),
        )
        yield NotSuspended(event.participant, at)
        for n, permission in enumerate(event.permissions):
            path = f"permissions.{n}"
            yield FreshIfWithdrawn(event.participant, permission, at, event.signed_on, path)
        yield from self.dates_in_order()
        yield from complete(event)

    def dates_in_order(self) -> Iterable[Condition]:
        """Signed by today, and neither over nor irrevocable before it was given and signed."""
        event, at = self.event, self.occasion.occurred_at
        today = max(utc_day(self.occasion.asked_at), at.date())  # it may be tomorrow at the place
        yield Sensible(
            event.signed_on is None or event.signed_on <= today,
            "signed_in_the_future",
            f"signedOn lies in the future; give the date on the form, not after {today:%d %B %Y}.",
            "signedOn",
        )
        begins = max(utc_day(at), event.signed_on or date.min)
        for last, path in ((event.valid_until, "validUntil"), (event.withdraw_by, "withdrawBy")):
            yield Sensible(
                last is None or last >= begins,
                "dates_reversed",
                f"{path} is before {begins:%d %B %Y}, the day consent was given or signed; "
                "correct one of the two.",
                path,
            )


def complete(event: ConsentGiven) -> Iterable[Condition]:
    """Everybody who had to be asked or to be there for such a consent is named."""
    consulted = MAY_BE_CONSULTED.get(event.capacity)
    yield Sensible(
        consulted is None or event.consulted_as in consulted,
        "consultee_missing",
        "A child, or somebody who lacks capacity, does not consent alone; say in consultedAs who "
        f"was asked: {' or '.join(consulted or ())}.",
        "consultedAs",
    )
    yield Sensible(
        event.method is not Method.VERBAL_WITNESSED or event.witness is not None,
        "witness_missing",
        "Consent by word of mouth before a witness needs one; name the witness.",
        "witness",
    )
    yield Sensible(
        event.interpreter is None or event.interpreted,
        "interpreted_unsaid",
        "An interpreter is named; say that it was interpreted, or take the name out.",
        "interpreted",
    )


class DeclineConsent(Command[ConsentDeclined]):
    """Record that a participant was asked and said no."""

    DUTY = Duty.TAKE_CONSENT

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
