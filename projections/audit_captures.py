"""What the audit asks of a capture, and of an enrolment: questions 1, 5, 6, 9, 11 and 13.

Consent and approval must have stood when it happened; what is learned of them later counts, from
the moment it was on record.
"""

from collections.abc import Callable, Iterable

from domain.approval import Approval
from domain.consent import ConsentGiven
from domain.consent_states import FORM, ConsentState, Standing
from domain.ethics import Activity
from domain.oversight import Severity
from domain.permissions import Permission
from domain.vocabulary import Heard
from projections.audit_facts import (
    CAPTURES,
    FOREVER,
    Facts,
    Found,
    day_of,
    words_of,
)

Refusal = tuple[str, Callable[[Approval], bool], str]


def in_capture(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """What the twenty questions find in a capture."""
    activity, held_by = CAPTURES[type(heard.event)]
    yield from unapproved(heard, activity, facts, known)
    named = getattr(heard.event, held_by) if held_by else ()
    yield from off_the_list(heard, named or (heard.actor,), "captured", facts, known)
    permissions = heard.event.permissions_needed
    for participant in dict.fromkeys(getattr(heard.event, "participants", ())):
        stood = [
            (permission, facts.standing(participant, permission, heard.occurred_at, known))
            for permission in permissions
        ]
        if all(standing.state is ConsentState.GIVEN for _, standing in stood):
            continue
        yield from _without_any_consent(heard, participant, permissions, facts, known)
        yield from _in_state(heard, participant, stood, 9, ConsentState.WITHDRAWN)
        yield from _in_state(heard, participant, stood, 13, ConsentState.RECONSENT_REQUIRED)
    for payment in getattr(heard.event, "payments", ()):
        yield from _paid(heard, payment.participant, permissions, facts, known)


def unapproved(heard: Heard, activity: Activity, facts: Facts, known: int) -> Iterable[Found]:
    """Question 5: the first reason for which the approval did not cover it."""
    at, event = heard.occurred_at, heard.event
    approval = facts.approval(at, known)
    what, day = activity.value.replace("_", " "), words_of(at)
    if approval is None:
        code, message = "approval_missing", f"no opinion had been given by {day}"
    elif not approval.favourable:
        code, message = "approval_refused", f"opinion {approval.opinion} is unfavourable"
    elif activity not in approval.activities:
        code, message = "activity_not_approved", f"{approval.opinion} does not cover {what}"
    elif not approval.in_force_on(day_of(at)):
        code, message = "approval_not_in_force", f"{approval.opinion} is not in force on {day}"
    elif approval.suspended:
        code, message = "approval_suspended", f"{approval.opinion} was suspended on {day}"
    elif "site" in event.__struct_fields__ and not approval.approves_site(
        site := getattr(event, "site", None)
    ):
        code = "site_missing" if site is None else "site_not_approved"
        message = f"{approval.opinion} approves certain sites, not {site or 'an unnamed one'}"
    else:
        return
    rests_on = (
        () if approval is None else (approval.suspended_by or 0, approval.position)
    )  # the suspension counts while it lasts
    positions = sorted({heard.position, *(p for p in rests_on if p)})
    message = f"{type(event).TOPIC} of {day} without approval: {message}."
    yield Found(5, Severity.BREACH, code, message, subject_of(heard), tuple(positions), at)


def off_the_list(
    heard: Heard, people: Iterable[str], did: str, facts: Facts, known: int
) -> Iterable[Found]:
    """Question 6: those who did it are on the approved list, if there is one."""
    approval = facts.favourable(heard.occurred_at, known)
    if approval is None or not approval.personnel:
        return
    for member in dict.fromkeys(people):
        if not approval.approves_person(member):
            yield Found(
                6,
                Severity.BREACH,
                "person_not_approved",
                f"{member}, who {did} ({type(heard.event).TOPIC}) on "
                f"{words_of(heard.occurred_at)}, is not on the list of {approval.opinion}.",
                f"member:{member}",
                tuple(sorted({approval.position, heard.position})),
                heard.occurred_at,
            )


def _without_any_consent(
    heard: Heard,
    participant: str,
    permissions: tuple[Permission, ...],
    facts: Facts,
    known: int,
) -> Iterable[Found]:
    """Question 1: consent that is dated after the procedure, or was never given at all."""
    at, later, lacking = heard.occurred_at, [], []
    for permission in permissions:
        turns, _ = facts.timeline(participant, permission, known)
        first = next((turn for turn in turns if turn.act == FORM), None)
        if first is None or first.occurred_at > at:
            lacking.append(permission)
            later.append(first)
    if not lacking:
        return
    what = " and ".join(permission.value.replace("_", " ") for permission in lacking)
    given = [turn for turn in later if turn is not None]
    since = max((turn.occurred_at for turn in given), default=at)
    until = since if len(given) == len(lacking) else FOREVER
    subject, day = f"participant:{participant}", words_of(at)
    yield Found(
        1,
        Severity.BREACH,
        "consent_never_given",
        f"{participant} took part on {day} without ever having consented to {what}.",
        subject,
        (heard.position,),
        at,
        until,
    )
    if until is not FOREVER:
        yield Found(
            1,
            Severity.BREACH,
            "consent_after_procedure",
            f"{participant} took part on {day}; consent to {what} is of {words_of(since)}.",
            subject,
            tuple(sorted({heard.position, *(turn.position for turn in given)})),
            until,
        )


def _in_state(
    heard: Heard,
    participant: str,
    stood: list[tuple[Permission, Standing]],
    question: int,
    state: ConsentState,
) -> Iterable[Found]:
    """Questions 9 and 13: a permission stood like that when they took part."""
    those = [(permission, each) for permission, each in stood if each.state is state]
    if not those:
        return
    code, how = {
        ConsentState.WITHDRAWN: ("captured_after_withdrawal", "had withdrawn"),
        ConsentState.RECONSENT_REQUIRED: ("captured_without_reconsent", "had to be asked anew for"),
    }[state]
    what = " and ".join(permission.value.replace("_", " ") for permission, _ in those)
    decisive = {each.decided_by.position for _, each in those if each.decided_by}
    yield Found(
        question,
        Severity.BREACH,
        code,
        f"{participant} {how} {what}, and took part on {words_of(heard.occurred_at)}.",
        f"participant:{participant}",
        tuple(sorted({heard.position, *decisive})),
        heard.occurred_at,
    )


def _paid(
    heard: Heard,
    participant: str,
    permissions: tuple[Permission, ...],
    facts: Facts,
    known: int,
) -> Iterable[Found]:
    """Question 11: whoever was paid had consented."""
    at = heard.occurred_at
    stood = [facts.standing(participant, permission, at, known) for permission in permissions]
    lacking = [standing for standing in stood if standing.state is not ConsentState.GIVEN]
    if lacking:
        decisive = {each.decided_by.position for each in lacking if each.decided_by}
        state = lacking[0].state.value.replace("_", " ")
        yield Found(
            11,
            Severity.BREACH,
            "paid_without_consent",
            f"{participant} was paid for taking part on {words_of(at)}; consent was: {state}.",
            f"participant:{participant}",
            tuple(sorted({heard.position, *decisive})),
            at,
        )


def subject_of(heard: Heard) -> str:
    """What an event is about, as a tag."""
    return next(iter(heard.event.tags), f"event:{heard.position}")


def taken_by(heard: Heard) -> str:
    """Who took a consent: whoever is named, or else who recorded it."""
    event = heard.event
    return (isinstance(event, ConsentGiven) and event.taken_by) or heard.actor
