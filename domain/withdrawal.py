"""Withdrawal: taking permissions back, and what becomes of what is held."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta, structs

from domain.commands import CLOCKS_MAY_DIFFER_BY, Command, Occasion
from domain.conditions import Condition, Stands, known
from domain.consent_states import ConsentState, utc_day
from domain.documents import Sha256
from domain.erased_subjects import ErasureGround
from domain.held_items import item_of, nameless_types
from domain.membership import Duty, Role, RoleHeld
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.receipts import ReceiptIssued
from domain.vocabulary import (
    Derived,
    Heard,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    Tag,
    Text,
)


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


class ConsentWithdrawn(ResearchEvent):
    """A participant took these permissions back."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True
    SCHEMA: ClassVar = 2
    TURNS: ClassVar = dict.fromkeys(ConsentState, ConsentState.WITHDRAWN)

    participant: ParticipantId
    # left out, it is all of them; on record each is named
    permissions: Annotated[tuple[Permission, ...], Meta(max_length=len(Permission))] = ()
    scope: WithdrawalScope = WithdrawalScope.NO_FURTHER_ACCESS
    # of the withdrawal code, if the participant used it: see WithdrawByCode
    code_sha256: Annotated[Sha256 | None, Derived()] = None
    words: Annotated[Text | None, Personal("participant")] = None  # in the participant's words


class DispositionPlanned(ResearchEvent):
    """It was decided what becomes of something held of a participant who withdrew, by when."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    participant: ParticipantId
    item: Tag  # what is held: media:m-1, quotation:q-1, event:12 for what has no name of its own
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
    """Take permissions back, or all of them; it is never refused to somebody who is in the study.

    Whoever withdraws says how far it reaches; what becomes of what is held is decided afterwards.
    """

    DUTY = Duty.WITHDRAW

    def __init__(self, event: ConsentWithdrawn, occasion: Occasion) -> None:
        super().__init__(event, not_ahead(occasion))

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
        yield self.own_only(self.event.participant, "participant")

    def decide(self) -> ConsentWithdrawn:
        """All permissions by name: a later release may know more than the participant did.

        Somebody who is erased takes back what they gave, but their words are not kept.
        """
        event, erased = self.event, self.erased.erased
        if f"participant:{event.participant}" in erased:
            event = structs.replace(event, words=None)
        if f"member:{self.occasion.actor}" in erased:
            self.occasion = structs.replace(self.occasion, reason=None)
        return structs.replace(event, permissions=event.permissions or tuple(Permission))


def not_ahead(occasion: Occasion) -> Occasion:
    """Now, if it would happen in the future: a clock that runs ahead is no reason to refuse."""
    if occasion.occurred_at <= occasion.asked_at + CLOCKS_MAY_DIFFER_BY:
        return occasion
    now = occasion.asked_at.astimezone(occasion.occurred_at.tzinfo)
    return structs.replace(occasion, occurred_at=now)


class HasCode(RoleHeld):
    """The code stands on a receipt of that participant, who then speaks for themselves."""

    def __init__(self, participant: ParticipantId, duty: Duty, code_sha256: str | None) -> None:
        super().__init__(participant, duty)
        self.code_sha256 = code_sha256

    def selectors(self) -> list[Selector]:
        return [Selector(types=[ReceiptIssued], tags=[f"participant:{self.member}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case ReceiptIssued(participant=self.member, withdrawal_code_sha256=str(code)) if (
                code == self.code_sha256
            ):
                self.role, self.participant = Role.PARTICIPANT, self.member
                self.decided_by = heard

    def holds(self) -> bool:
        self.code, self.path = "code_unknown", "code"  # whatever is wrong: nothing is given away
        self.message = (
            "This code is not known here; check it on your receipt, or ask anyone in the study "
            "team to withdraw for you."
        )
        return self.role is not None


class WithdrawByCode(WithdrawConsent):
    """Take permissions back with the code on a receipt: no account, nobody's leave.

    The actor is the participant's own pseudonym. It has its own door, outside the commands that are
    offered to members: `code_sha256` is what lets somebody in.
    """

    OFFERED = False

    def __init__(self, event: ConsentWithdrawn, occasion: Occasion) -> None:
        # A reason is sealed as the data of the member who gives it; what a participant has to say
        # is sealed as their own, in `words`.
        super().__init__(event, structs.replace(occasion, reason=None))

    def asked_by(self) -> RoleHeld:
        own = self.event.participant == self.occasion.actor
        return HasCode(self.occasion.actor, self.DUTY, self.event.code_sha256 if own else None)


class HasWithdrawn(Condition):
    """The participant withdrew something by then; what is planned is due no earlier than that."""

    def __init__(self, participant: ParticipantId, at: datetime, due: date) -> None:
        super().__init__("", "")
        self.participant, self.at, self.due = participant, at, due

    def selectors(self) -> list[Selector]:
        return [Selector(types=[ConsentWithdrawn], tags=[f"participant:{self.participant}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case ConsentWithdrawn(participant=self.participant) if heard.occurred_at <= self.at:
                first = self.decided_by
                if first is None or heard.occurred_at < first.occurred_at:
                    self.decided_by = heard

    def holds(self) -> bool:
        if self.decided_by is None:
            self.code, self.path = "not_withdrawn", "participant"
            self.message = (
                f"{self.participant} had withdrawn nothing by {self.at:%d %B %Y}; record the "
                "withdrawal first, or check the participant and occurredAt."
            )
            return False
        withdrawn_on = utc_day(self.decided_by.occurred_at)
        self.code, self.path = "due_before_withdrawal", "due"
        self.message = (
            f"It is due before {self.participant} withdrew on {withdrawn_on:%d %B %Y}; "
            "give a later day."
        )
        return self.due >= withdrawn_on


class HeldOf(Condition):
    """What is held is on record, and the participant is in it.

    What has no name of its own is called by its place on record: event:12.
    """

    def __init__(self, item: Tag, participant: ParticipantId) -> None:
        super().__init__("", "", "item")
        self.item, self.participant = item, participant
        self.kind, _, self.name = item.partition(":")
        self.by_place = self.kind == "event"
        self.on_record = self.by_place  # of these only theirs are heard

    def selectors(self) -> list[Selector]:
        if self.by_place:
            return [Selector(types=nameless_types(), tags=[f"participant:{self.participant}"])]
        return [Selector(types=[], tags=[self.item])]  # whatever tells of it

    def hear(self, heard: Heard) -> None:
        if self.by_place:
            if item_of(heard.event, heard.position) == self.item:
                self.decided_by = heard
            return
        if getattr(heard.event, self.kind, None) != self.name:
            return  # it only mentions it, as a plan or a report does
        self.on_record = True
        if f"participant:{self.participant}" in heard.event.tags:
            self.decided_by = heard

    def holds(self) -> bool:
        if self.on_record:
            self.code = "not_in_item"
            self.message = f"{self.participant} is not named in {self.item}; check both."
        else:
            self.code = "item_unknown"
            self.message = (
                f"No {self.item} is on record in this study; give the kind and identifier of what "
                "is held, such as media:m-1."
            )
        return self.decided_by is not None


class DispositionIsOpen(Stands):
    """It was planned what becomes of the item, and not done yet."""

    def __init__(self, item: Tag, participant: ParticipantId, at: datetime) -> None:
        super().__init__(
            "participant",
            participant,
            {DispositionPlanned: True, DispositionCompleted: False},
            at=at,
            only=lambda event: getattr(event, "item", None) == item,
            code="disposition_not_planned",
            message=f"Nothing had been decided about {item} of {participant} by {at:%d %B %Y}; "
            "record it with planDisposition first, or check both.",
            path="item",
        )
        self.item = item

    def holds(self) -> bool:
        if self.decided_by and isinstance(self.decided_by.event, DispositionCompleted):
            self.code = "disposition_completed"
            self.message = (
                f"What was decided about {self.item} of {self.subject} was done on "
                f"{self.decided_by.occurred_at:%d %B %Y} already."
            )
        return super().holds()


class PlanDisposition(Command[DispositionPlanned]):
    """Decide what becomes of something held of a participant who withdrew, and by when."""

    DUTY = Duty.DISPOSE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield known("participant", event.participant, ParticipantEnrolled)
        yield HasWithdrawn(event.participant, self.occasion.occurred_at, event.due)
        yield HeldOf(event.item, event.participant)


class CompleteDisposition(Command[DispositionCompleted]):
    """Record that what was decided about something held has been done, with what proves it."""

    DUTY = Duty.DISPOSE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield known("participant", event.participant, ParticipantEnrolled)
        yield DispositionIsOpen(event.item, event.participant, self.occasion.occurred_at)


class RequestErasure(Command[ErasureRequested]):
    """Record that a participant asked that everything held of them is erased."""

    DUTY = Duty.WITHDRAW

    def requires(self) -> Iterable[Condition]:
        yield known("participant", self.event.participant, ParticipantEnrolled)
        yield self.own_only(self.event.participant, "participant")
