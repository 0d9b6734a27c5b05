"""What the audit asks of uses of what people gave, of contact with them, and of who read about
them: questions 6, 9, 14 and 18.
"""

from collections.abc import Iterable

from domain.consent import ConsentGiven
from domain.consent_states import ConsentState
from domain.membership import MAY, Duty, Role
from domain.oversight import Severity
from domain.permissions import Permission
from domain.readings import IdentifiableDataRead
from domain.recordings import MemberCheckSent
from domain.sharing import (
    ArchiveDeposited,
    AuthorshipAgreed,
    FedBackToParticipants,
    QuotationReleased,
)
from domain.vocabulary import Heard
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from projections.audit_captures import off_the_list
from projections.audit_facts import Facts, Found, in_the_field, words_of

RELEASES = (QuotationReleased, AuthorshipAgreed, ArchiveDeposited)
CONTACTS = (MemberCheckSent, FedBackToParticipants)
BY_OFFICE = (Role.ETHICS_REVIEWER, Role.DATA_STEWARD)  # they read without being on the list


def in_release(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Questions 9 and 14: something of a participant left the study."""
    event, at = heard.event, heard.occurred_at
    for participant, permission in released(heard):
        stood = facts.standing(participant, permission, at, known)
        what, subject = permission.value.replace("_", " "), f"participant:{participant}"
        decided = (stood.decided_by.position,) if stood.decided_by else ()
        if stood.state is not ConsentState.GIVEN:
            yield Found(
                14,
                Severity.BREACH,
                "released_without_consent",
                f"{type(event).TOPIC} of {words_of(at)} needs {participant}'s consent to {what}, "
                f"which was: {stood.state.value.replace('_', ' ')}.",
                subject,
                tuple(sorted({*decided, heard.position})),
                at,
            )
        if isinstance(event, AuthorshipAgreed):
            continue
        barred = decided[0] if decided and stood.state is ConsentState.WITHDRAWN else None
        barred = barred or use_is_barred_by(participant, heard, facts, known)
        if barred is not None:
            yield Found(
                9,
                Severity.BREACH,
                "used_after_withdrawal",
                f"{participant} had withdrawn, and was part of {type(event).TOPIC} on "
                f"{words_of(at)}.",
                subject,
                tuple(sorted((barred, heard.position))),
                at,
            )


def in_contact(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Question 9: somebody was contacted who had asked not to be."""
    for participant in contacted(heard):
        barred = contact_is_barred_by(participant, heard, facts, known)
        if barred is not None:
            yield Found(
                9,
                Severity.BREACH,
                "contacted_after_withdrawal",
                f"{participant} had asked not to be contacted, and was: {type(heard.event).TOPIC} "
                f"of {words_of(heard.occurred_at)}.",
                f"participant:{participant}",
                tuple(sorted((barred, heard.position))),
                heard.occurred_at,
            )


def in_reading(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Questions 6 and 18: who read identifiable data was approved to, and had a role."""
    event, at = heard.event, heard.occurred_at
    if not isinstance(event, IdentifiableDataRead):
        return
    role = facts.role(event.reader, at, known)
    if role not in BY_OFFICE:
        yield from off_the_list(heard, (event.reader,), "read data", facts, known)
    if role is None or not (role in MAY[Duty.READ_PERSONAL] or role in MAY[Duty.AUDIT]):
        yield Found(
            18,
            Severity.BREACH,
            "read_without_role",
            f"{event.reader}, who {f'is a {role.value}' if role else 'has no role'}, read "
            f"{event.reading.value.replace('_', ' ')} on {words_of(at)} ({event.reads} reads).",
            f"member:{event.reader}",
            (heard.position,),
            at,
        )


def released(heard: Heard) -> list[tuple[str, Permission]]:
    """Of whom something was released, and by which permission."""
    match heard.event:
        case QuotationReleased(participant=participant, permission=permission):
            return [(participant, permission)]
        case AuthorshipAgreed(authors=authors):
            names = [author.participant for author in authors if author.participant is not None]
            return [(name, Permission.CREDIT_BY_NAME) for name in names]
        case ArchiveDeposited(participants=participants):
            return [(name, Permission.ARCHIVE) for name in dict.fromkeys(participants)]
    return []


def contacted(heard: Heard) -> tuple[str, ...]:
    """Who was contacted."""
    match heard.event:
        case MemberCheckSent(participant=participant):
            return (participant,)
        case FedBackToParticipants(participants=participants):
            return tuple(dict.fromkeys(participants))
    return ()


def use_is_barred_by(participant: str, heard: Heard, facts: Facts, known: int) -> int | None:
    """The withdrawal from any further use that still stood then, by its position."""
    at = heard.occurred_at
    for turn in sorted(facts.turns(participant, known), key=in_the_field, reverse=True):
        event = turn.event
        if (
            isinstance(event, ConsentWithdrawn)
            and event.scope is WithdrawalScope.NO_FURTHER_USE
            and turn.occurred_at <= at
            and any(
                facts.standing(participant, each, at, known).state is ConsentState.WITHDRAWN
                for each in event.permissions or Permission
            )
        ):
            return turn.position
    return None


def contact_is_barred_by(participant: str, heard: Heard, facts: Facts, known: int) -> int | None:
    """The withdrawal that barred contact then: of recontact, or of any contact with no consent to
    anything since (as `domain.recordings.may_be_contacted` has it).
    """
    at = heard.occurred_at
    stood = facts.standing(participant, Permission.RECONTACT, at, known)
    if stood.state is ConsentState.WITHDRAWN and stood.decided_by:
        return stood.decided_by.position
    said = [
        turn
        for turn in facts.turns(participant, known)
        if turn.occurred_at <= at
        and (
            isinstance(turn.event, ConsentGiven)
            or (
                isinstance(turn.event, ConsentWithdrawn)
                and turn.event.scope is WithdrawalScope.NO_FURTHER_CONTACT
            )
        )
    ]
    last = max(said, key=in_the_field, default=None)
    return last.position if last and isinstance(last.event, ConsentWithdrawn) else None
