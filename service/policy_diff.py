"""Policy diff: a study under another policy pack; which clocks, days and verdicts would differ.

The record is told again to the audit's own questions, once by the packs that the study adopted and
once by the other pack alone. Only what a pack decides is asked: clocks, dispositions, conditions,
late entries and consents that run out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from asyncpg import Connection
from msgspec import structs

from domain.corrections import Corrected
from domain.ethics import OpinionGiven
from domain.held_items import held_of, item_of
from domain.oversight import Severity
from domain.policy_packs import PolicyPack
from domain.vocabulary import Entry, Heard
from domain.withdrawal import DispositionCompleted, DispositionPlanned
from projections.audit_acts import TURNING, people_in
from projections.audit_answers import QUESTIONS, AuditVerdict
from projections.audit_clocks import of_conditions, of_item, of_safety
from projections.audit_consents import changed_answer, of_person
from projections.audit_facts import (
    CAPTURES,
    CLOCKED,
    STUDY,
    Facts,
    Found,
    bears_on,
    by_subject,
)
from projections.audit_settling import of_the_study
from projections.entries import entries, head_of

BY_A_PACK = (10, 12, 15, 16, 17)  # the questions whose answers rest on a pack
HOW = ("_overdue", "_due", "_late")  # how a clock's finding ends, by what became of it
NOT_ASKED = "not asked"


class Under(Facts):
    """The facts of a study as if it had gone by one pack from the beginning."""

    def __init__(self, told: dict[str, list[Heard]], pack: PolicyPack) -> None:
        super().__init__(told)
        self._pack = pack

    def pack(self, at: datetime, known: int) -> PolicyPack:
        return self._pack


@dataclass(frozen=True)
class Clock:
    """How something that has to be done stands under a pack."""

    due: date | None
    stands: str  # running, overdue, late, met; attention, breach, over; or not asked


@dataclass(frozen=True)
class Difference:
    """Something that a pack decides, and another decides differently."""

    question: int  # 0: it asks for attention, though none of the twenty asks for it
    what: str  # the clock: final_report, disposition_unplanned
    subject: str
    position: int  # the event that set it going
    now: Clock
    then: Clock


@dataclass(frozen=True)
class PolicyDiff:
    """What would differ under another pack."""

    study: str
    at: datetime
    now: PolicyPack  # as it stands at that moment
    then: PolicyPack
    terms: list[tuple[str, object, object]]  # the pack's own: name, now, then
    verdicts: list[tuple[int, str, AuditVerdict, AuditVerdict]]  # of each question: now, then
    differences: list[Difference]


async def policy_diff(db: Connection, study: str, then: PolicyPack, at: datetime) -> PolicyDiff:
    """The study as it stands at a moment, by its own pack and by another."""
    head = await head_of(db, study)
    told: list[Entry] = []
    while (reached := told[-1].position if told else 0) < head:
        told += await entries(db, study, reached, head)
    return compare(study, told, then, at)


def compare(study: str, told: Sequence[Entry], then: PolicyPack, at: datetime) -> PolicyDiff:
    """As above, of these entries: the study's whole record."""
    bearing = by_subject((subject, each) for each in told for subject in bears_on(each.event))
    own, other = Facts(bearing), Under(bearing, then)
    now = own.pack(at, told[-1].position if told else 0)
    found_now, found_then = (list(_findings(told, facts)) for facts in (own, other))
    clocks_now, clocks_then = _clocks(found_now, at), _clocks(found_then, at)
    nothing = Clock(None, NOT_ASKED)
    differences = [
        Difference(*key, clocks_now.get(key, nothing), clocks_then.get(key, nothing))
        for key in sorted(clocks_now.keys() | clocks_then.keys())
        if clocks_now.get(key) != clocks_then.get(key)
    ]
    verdicts = [
        (number, words, _verdict(number, found_now, at), _verdict(number, found_then, at))
        for number, words in enumerate(QUESTIONS.values(), 1)
        if number in BY_A_PACK
    ]
    terms = [
        (name, getattr(now, name), getattr(then, name))
        for name in PolicyPack.__struct_fields__
        if name not in ("name", "title", "source", "modification")
        and getattr(now, name) != getattr(then, name)
    ]
    words = zip(*(structs.asdict(pack.modification).items() for pack in (now, then)), strict=True)
    terms += [(f"the word for {a[0]}".replace("_", " "), a[1], b[1]) for a, b in words if a != b]
    return PolicyDiff(study, at, now, then, terms, verdicts, differences)


def _findings(told: Sequence[Entry], facts: Facts) -> Iterable[Found]:
    """Everything that a pack decides, over all of the field's time."""
    known = told[-1].position if told else 0
    people: dict[str, dict[str, list[Heard]]] = {}  # what is held of each, by item
    for entry in told:
        kind, event = type(entry.event), entry.event
        if kind in CLOCKED:
            subject = f"{CLOCKED[kind]}:{getattr(event, CLOCKED[kind])}"
            yield from of_safety(subject, facts, known)
        if isinstance(event, OpinionGiven):
            since = entry.occurred_at
            captures = [e for e in told if type(e.event) in CAPTURES and e.occurred_at >= since]
            yield from of_conditions(event.opinion, captures, facts, known)
        for tag in people_in(event):
            people.setdefault(tag.partition(":")[2], {})
        if item := item_of(event, entry.position):
            for name in held_of(event):
                people.setdefault(name, {}).setdefault(item, []).append(entry)
        if isinstance(event, DispositionPlanned | DispositionCompleted):
            people.setdefault(event.participant, {}).setdefault(event.item, [])
        yield from _late(entry, facts)
    yield from of_the_study(STUDY, facts, known)
    for name, items in people.items():
        yield from of_person(name, facts, known)
        for item, held in items.items():
            yield from of_item(name, item, held, facts, known)


def _late(entry: Entry, facts: Facts) -> Iterable[Found]:
    """Questions 12 and 17: what is called a late entry; a correction is one under any pack."""
    pack = facts.pack(entry.recorded_at, entry.position)
    if isinstance(entry.event, Corrected):
        return
    if entry.recorded_at - entry.occurred_at > timedelta(days=pack.late_after_days):
        if type(entry.event) in TURNING:
            yield from changed_answer(entry, facts)
        yield Found(
            17, Severity.ATTENTION, "entry_late", "", f"event:{entry.position}",
            (entry.position,), entry.occurred_at,
        )  # fmt: skip


def _clocks(found: Iterable[Found], at: datetime) -> dict[tuple[int, str, str, int], Clock]:
    """Each clock that had begun by then: when it is due, and what became of it."""
    clocks: dict[tuple[int, str, str, int], Clock] = {}
    for each in sorted(found, key=lambda each: each.at_from):
        if each.question not in (0, *BY_A_PACK) or each.at_from > at:
            continue
        stem, how = each.code, ""
        for end in HOW:
            if each.code.endswith(end):
                stem, how = each.code.removesuffix(end), end[1:]
                break
        key = (each.question, stem, each.subject, min(each.positions))
        if each.at_to <= at:
            stands = "met" if how == "due" else "over"
        elif how == "due" or (not how and each.severity is Severity.ATTENTION):
            stands = "running" if each.due else "attention"
        else:
            stands = how or "breach"
        clocks[key] = Clock(each.due, stands)
    return clocks


def _verdict(question: int, found: Iterable[Found], at: datetime) -> AuditVerdict:
    severities = {
        each.severity
        for each in found
        if each.question == question and each.at_from <= at < each.at_to
    }
    if Severity.BREACH in severities:
        return AuditVerdict.BREACH
    return AuditVerdict.ATTENTION if severities else AuditVerdict.CLEAR
