"""Consent: asked for and given, declined or withdrawn, permission by permission."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, known
from domain.ethics import Activity, ApprovalStands
from domain.membership import Duty
from domain.people import ParticipantEnrolled
from domain.vocabulary import ParticipantId, Personal, Phase, ResearchEvent, Text, Title


class Permission(StrEnum):
    """What a participant may allow; each is granted and withdrawn by itself."""

    INTERVIEW = "interview"
    FOCUS_GROUP = "focus_group"
    WORKSHOP = "workshop"
    OBSERVATION = "observation"
    AUDIO = "audio"
    VIDEO = "video"
    PHOTO = "photo"
    MACHINE_TRANSCRIPTION = "machine_transcription"
    QUOTE_ANONYMOUS = "quote_anonymous"
    QUOTE_NAMED = "quote_named"
    PHOTO_PUBLISHED = "photo_published"
    CREDIT_BY_NAME = "credit_by_name"
    SHARE_WITH_PARTNER = "share_with_partner"
    ARCHIVE = "archive"
    REUSE = "reuse"
    RECONTACT = "recontact"
    RECEIVE_FINDINGS = "receive_findings"


class Method(StrEnum):
    """How consent was expressed."""

    WRITTEN = "written"
    VERBAL_RECORDED = "verbal_recorded"
    VERBAL_WITNESSED = "verbal_witnessed"
    E_SIGN = "e_sign"


class WithdrawalScope(StrEnum):
    """How far a withdrawal reaches."""

    NO_FURTHER_CONTACT = "no_further_contact"
    NO_FURTHER_ACCESS = "no_further_access"
    NO_FURTHER_USE = "no_further_use"


Permissions = Annotated[tuple[Permission, ...], Meta(min_length=1, max_length=len(Permission))]
Version = Annotated[str, Meta(min_length=1, max_length=60)]


class ConsentGiven(ResearchEvent):
    """A participant agreed to these permissions, on this version of the form."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    permissions: Permissions
    form_version: Version
    information_sheet_version: Version | None = None
    method: Method = Method.WRITTEN
    valid_until: date | None = None  # the last day on which it stands
    witness: Annotated[Title | None, Personal("participant")] = None
    note: Annotated[Text | None, Personal("participant")] = None


class ConsentDeclined(ResearchEvent):
    """A participant was asked and said no to these permissions."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    permissions: Permissions
    form_version: Version
    note: Annotated[Text | None, Personal("participant")] = None


class ConsentWithdrawn(ResearchEvent):
    """A participant took these permissions back."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    permissions: Permissions
    scope: WithdrawalScope = WithdrawalScope.NO_FURTHER_ACCESS
    words: Annotated[Text | None, Personal("participant")] = None  # in the participant's words


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


class WithdrawConsent(Command[ConsentWithdrawn]):
    """Take permissions back; it is never refused to somebody who is in the study."""

    DUTY = Duty.WITHDRAW

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
        yield self.own_only(self.event.participant, "participant")
