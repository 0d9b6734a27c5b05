"""What the audit asks of consents, and of where people's permissions stand: questions 2, 3, 4, 6,
12, 13 and 19.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from domain.consent import (
    Capacity,
    ConsentGiven,
    ConsultedAs,
    DatedBy,
    Method,
)
from domain.consent_lapses import ConsentSuspended, ReconsentRequired
from domain.consent_states import ConsentState, Standing, Turn, touches
from domain.documents import Document, DocumentKind
from domain.ethics import OpinionGiven
from domain.oversight import Severity
from domain.permissions import Permission
from domain.vocabulary import Heard
from projections.audit_captures import off_the_list, taken_by
from projections.audit_facts import (
    FOREVER,
    Facts,
    Found,
    after,
    day_of,
    utc,
    words_of,
)

DATED = (Method.WRITTEN, Method.E_SIGN)  # consent that leaves a signature, and so a date
FOR_A_CHILD = (ConsultedAs.PARENT, ConsultedAs.GUARDIAN)
BREACH, ATTENTION = Severity.BREACH, Severity.ATTENTION


def in_consent(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """What the twenty questions find in a consent."""
    yield from before_approval(heard, facts, known)
    yield from _forms(heard, facts, known)
    yield from _incomplete(heard)
    yield from off_the_list(heard, (taken_by(heard),), "took consent", facts, known)
    yield from _capacity(heard, facts, known)


def before_approval(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Question 2: somebody was asked, or consented, before there was a favourable opinion."""
    at, kind = heard.occurred_at, type(heard.event).TOPIC
    subject = f"participant:{getattr(heard.event, 'participant', '')}"
    first = next(iter(facts.opinions(known)), None)
    given_at = first.occurred_at if first else FOREVER
    if given_at > at:
        message = f"{kind} of {words_of(at)}, when no favourable opinion had been given."
        code = "consent_without_approval"
        yield Found(2, BREACH, code, message, subject, (heard.position,), at, given_at)
    if first is None or not isinstance(first.event, OpinionGiven):
        return
    starts = utc(first.event.valid_from)
    if at < max(given_at, starts):
        message = (
            f"{kind} of {words_of(at)}, before {first.event.opinion}, the first favourable opinion "
            f"(of {words_of(given_at)}, in force from {words_of(starts)})."
        )
        positions = tuple(sorted((heard.position, first.position)))
        code = "consent_before_approval"
        yield Found(2, BREACH, code, message, subject, positions, max(at, given_at))


def _forms(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Question 3: form and sheet are of a version that was approved on that day."""
    event = heard.event
    approval = facts.favourable(heard.occurred_at, known)
    if approval is None or not isinstance(event, ConsentGiven):
        return
    used = (
        (DocumentKind.CONSENT_FORM, "form", event.form_version, event.form_sha256),
        (
            DocumentKind.INFORMATION_SHEET,
            "sheet",
            event.information_sheet_version,
            event.information_sheet_sha256,
        ),
    )
    wrong = [
        (name, kind, version)
        for kind, name, version, sha256 in used
        if version is not None and not approval.approves_document(kind, version, sha256)
    ]
    if wrong:
        what = " and ".join(f"{kind.value.replace('_', ' ')} {v}" for _, kind, v in wrong)
        renewed = [
            each.position
            for each in facts.rulings(known)
            if each.position in approval.modified_by
            and any(document.kind is wrong[0][1] for document in documents_of(each))
        ]
        positions = {approval.position, *renewed[-1:], heard.position}
        yield Found(
            3,
            BREACH,
            f"{wrong[0][0]}_not_approved",
            f"{event.participant} consented on {words_of(heard.occurred_at)} by {what}, "
            f"which {approval.opinion} did not approve.",
            f"participant:{event.participant}",
            tuple(sorted(positions)),
            heard.occurred_at,
        )


def documents_of(heard: Heard) -> tuple[Document, ...]:
    """The versions that a ruling approves."""
    return getattr(heard.event, "documents", ())


def _incomplete(heard: Heard) -> Iterable[Found]:
    """Question 4: what is wrong with the consent in itself."""
    event = heard.event
    if not isinstance(event, ConsentGiven):
        return
    faults: list[tuple[Severity, str, str]] = []
    if event.signed_on is None and event.method in DATED:
        faults.append((BREACH, "consent_undated", "is not dated"))
    if event.dated_by is DatedBy.OTHER:
        faults.append((BREACH, "consent_dated_by_another", "was dated by somebody else"))
    if event.information_sheet_version is None:
        faults.append((BREACH, "sheet_missing", "names no information sheet"))
    if event.method is Method.VERBAL_WITNESSED and event.witness is None:
        faults.append((BREACH, "witness_missing", "was given before a witness, but names none"))
    if event.capacity is Capacity.LACKS_CAPACITY and event.consulted_as is None:
        faults.append((BREACH, "consultee_missing", "names no consultee"))
    if event.capacity is Capacity.CHILD and event.consulted_as not in FOR_A_CHILD:
        faults.append((BREACH, "parent_missing", "is a child's, without parent or guardian"))
    if event.signed_on is not None and event.signed_on != day_of(heard.occurred_at):
        signed, day = words_of(event.signed_on), words_of(heard.occurred_at)
        faults.append((ATTENTION, "consent_back_dated", f"was signed {signed}, given {day}"))
    if faults:
        severity, code, _ = faults[0]  # breaches come first
        said = ", ".join(words for _, _, words in faults)
        yield Found(
            4,
            severity,
            code,
            f"{event.participant}'s consent of {words_of(heard.occurred_at)} {said}.",
            f"participant:{event.participant}",
            (heard.position,),
            heard.occurred_at,
        )


def _capacity(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Question 19: consent of somebody who could not give it alone, or not in the language."""
    event = heard.event
    if not isinstance(event, ConsentGiven):
        return
    alone = event.capacity is Capacity.HAS_CAPACITY
    if alone and not event.interpreted and event.consulted_as is None:
        return
    approval = facts.favourable(heard.occurred_at, known)
    severity, code, said = ATTENTION, "consent_not_alone", ""
    positions = [heard.position]
    if not alone and event.assent is None:
        severity, code, said = BREACH, "assent_missing", "; their assent is not recorded"
    if event.capacity is Capacity.LACKS_CAPACITY and approval and not approval.recognised_for_mca:
        positions = sorted((heard.position, approval.position))
        said += f"; {approval.opinion} is not by a committee recognised for the MCA 2005"
        if severity is not BREACH:
            severity, code = BREACH, "not_recognised_for_mca"
    how = [event.capacity.value] if not alone else []
    how += [event.consulted_as.value] if event.consulted_as else []
    how += ["interpreted"] if event.interpreted else []
    yield Found(
        19,
        severity,
        code,
        f"{event.participant}'s consent of {words_of(heard.occurred_at)}: "
        f"{', '.join(how).replace('_', ' ')}{said}.",
        f"participant:{event.participant}",
        tuple(positions),
        heard.occurred_at,
    )


def changed_answer(heard: Heard, facts: Facts) -> Iterable[Found]:
    """Question 12: a late entry says otherwise than was known the moment before it was recorded."""
    at, participant = heard.occurred_at, getattr(heard.event, "participant", "")
    changed, before = [], set()
    for permission in touches(heard.event):
        was = facts.standing(participant, permission, at, heard.position - 1)
        now = facts.standing(participant, permission, at, heard.position)
        if was.state is not now.state:
            changed.append((permission, was.state, now.state))
            before |= {was.decided_by.position} if was.decided_by else set()
    if changed:
        permission, was_state, now_state = changed[0]
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        yield Found(
            12,
            ATTENTION,
            "state_changed_late",
            f"{participant}'s {permission.value.replace('_', ' ')}{more} on {words_of(at)} was "
            f"known as {was_state.value.replace('_', ' ')}; a late entry made it "
            f"{now_state.value.replace('_', ' ')}.",
            f"participant:{participant}",
            tuple(sorted({*before, heard.position})),
            at,
        )


def of_person(participant: str, facts: Facts, known: int) -> Iterable[Found]:
    """Questions 13 and 19, and consents that run out: where a participant's permissions stand."""
    if not facts.reconsents(known) and not any(
        isinstance(heard.event, ReconsentRequired | ConsentSuspended)
        or getattr(heard.event, "valid_until", None) is not None
        for heard in facts.turns(participant, known)
    ):
        return
    subject = f"participant:{participant}"
    suspended: list[Stretch] = []
    running_out: dict[tuple[Turn, date, datetime, datetime], list[Permission]] = {}
    for permission in Permission:
        for each in _stretches(participant, permission, facts, known):
            form = each.standing.form
            if each.standing.state is ConsentState.RECONSENT_REQUIRED:
                message = f"{participant} has to be asked anew for {_spoken(permission)}."
                code, proof = "reconsent_outstanding", (each.decided_by,)
                yield Found(13, ATTENTION, code, message, subject, proof, each.since, each.until)
            elif each.standing.state is ConsentState.SUSPENDED:
                suspended.append(each)
            elif each.standing.state is ConsentState.GIVEN and form and form.valid_until:
                key = (form, form.valid_until, each.since, each.until)
                running_out.setdefault(key, []).append(permission)
    yield from _suspended(participant, suspended)
    for (form, due, since, until), permissions in running_out.items():
        notice = facts.pack(form.occurred_at, known).consent_expiry_notice
        begins = max(since, utc(due - timedelta(days=notice)))
        ends = min(until, after(due))
        if begins < ends:
            what = ", ".join(map(_spoken, permissions))
            message = f"{participant}'s consent to {what} runs out; ask for it again."
            code, proof = "consent_expiring", (form.position,)
            yield Found(0, ATTENTION, code, message, subject, proof, begins, ends, due)


class Stretch(NamedTuple):
    """A permission stood like this from one moment until another."""

    standing: Standing
    since: datetime
    until: datetime

    @property
    def decided_by(self) -> int:
        return self.standing.decided_by.position if self.standing.decided_by else 0


def _stretches(
    participant: str, permission: Permission, facts: Facts, known: int
) -> Iterable[Stretch]:
    turns, stood = facts.timeline(participant, permission, known)
    since, last = FOREVER, stood[0]
    for turn, standing in zip(turns, stood[1:], strict=True):
        if standing is not last:
            if since < turn.occurred_at:
                yield Stretch(last, since, turn.occurred_at)
            since, last = turn.occurred_at, standing
    if turns and since < FOREVER:
        yield Stretch(last, since, FOREVER)


def _suspended(participant: str, suspended: list[Stretch]) -> Iterable[Found]:
    """Question 19: from when until when anything that they allowed was suspended."""
    merged: list[Stretch] = []
    for each in sorted(suspended, key=lambda stretch: (stretch.since, stretch.until)):
        if merged and each.since <= merged[-1].until:
            merged[-1] = merged[-1]._replace(until=max(merged[-1].until, each.until))
        else:
            merged.append(each)
    for each in merged:
        yield Found(
            19,
            ATTENTION,
            "consent_suspended",
            f"What {participant} allowed is suspended since {words_of(each.since)}.",
            f"participant:{participant}",
            (each.decided_by,),
            each.since,
            each.until,
        )


def _spoken(permission: Permission) -> str:
    return permission.value.replace("_", " ")
