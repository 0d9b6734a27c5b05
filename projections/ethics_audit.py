"""Ethics audit: the committee's twenty questions, answered as of any moment, as known at any other.

Live, like every register: findings are kept as rectangles of both times (`audit_settling`), so one
indexed query answers them all.
"""

from datetime import UTC, date, datetime
from functools import singledispatch
from typing import Annotated, NamedTuple

from asyncpg import Connection, Record

from domain.approval import APPROVING, approval_at
from domain.membership import Duty
from domain.older_events import write_recorded
from domain.oversight import Severity
from domain.people import ParticipantEnrolled
from domain.readings import Reading
from domain.vocabulary import Entry, ResearchEvent
from projections.audit_acts import acts
from projections.audit_answers import (
    QUESTIONS,
    Attention,
    AttentionKind,
    AuditAnswer,
    AuditClock,
    AuditFinding,
    AuditVerdict,
    EthicsAudit,
    ProvingEvent,
)
from projections.audit_facts import STUDY, after, bears_on, day_of, in_the_field
from projections.audit_settling import heard_in, settle
from projections.writing import Writes

__all__ = ["attention", "ethics_audit", "settle"]

READ_BY = Duty.AUDIT
READING = Reading.AUDIT
AS_RECORDED = True  # what it rests on cannot be corrected; corrections are findings of their own

# audit_fact: events on which later answers rest, by what they bear on. audit_act: events asked
# about again when something comes to light. audit_examined: since when a question has something to
# examine. audit_finding: at_ is the field's time, known_ the record's; both ends open to the right.
TABLES = """
create table audit_fact (
    study text not null, subject text not null, position bigint not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null, actor text not null,
    type text not null, schema smallint not null, payload bytea not null,
    primary key (study, subject, position)
);
create table audit_act (
    study text not null, who text not null, occurred_at timestamptz not null,
    position bigint not null,
    primary key (study, who, occurred_at, position)
);
create table audit_enrolment (
    study text not null, occurred_at timestamptz not null, position bigint not null,
    recorded_at timestamptz not null, participant text not null,
    primary key (study, occurred_at, position)
);
create table audit_finding (
    study text not null, unit text not null, question smallint not null, severity text not null,
    code text not null, message text not null, subject text not null, positions bigint[] not null,
    at_from timestamptz not null, at_to timestamptz not null, known_from timestamptz not null,
    known_to timestamptz not null, due date
);
create index on audit_finding (study, question, severity desc, at_from, unit);
create index on audit_finding (study, unit) where known_to = 'infinity';
create index on audit_finding (study, question, subject) where known_to = 'infinity';
create table audit_examined (
    study text not null, question smallint not null, at_from timestamptz not null,
    known_from timestamptz not null,
    primary key (study, question, at_from)
);
create table audit_read (
    study text primary key, position bigint not null, recorded_at timestamptz not null
);
"""

FACT = "insert into audit_fact values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
ACT = "insert into audit_act values ($1, $2, $3, $4)"
ENROLLED = "insert into audit_enrolment values ($1, $2, $3, $4, $5)"

STANDS = "at_from <= $2 and at_to > $2 and known_from <= $3 and known_to > $3"
COUNTS = f"""
select question, count(*) filter (where severity = 'breach')::int as breaches,
    count(*)::int as count
from audit_finding where study = $1 and question > 0 and {STANDS} group by question
"""
SHOWN = f"""
select f.* from unnest($4::smallint[]) as q (question) cross join lateral (
    select question, severity, code, message, subject, positions, due from audit_finding
    where study = $1 and question = q.question and {STANDS}
    order by severity desc, at_from, unit, subject, message limit $5
) f
"""
NEXT_DUE = f"""
select distinct on (question) question, due, subject from audit_finding
where study = $1 and question > 0 and severity = 'attention' and due is not null and {STANDS}
order by question, due, subject
"""
EXAMINED = """
select distinct question from audit_examined
where study = $1 and at_from <= $2 and known_from <= $3
"""
RULED = f"""
select subject, position, occurred_at, actor, type, schema, payload from audit_fact
where study = $1 and subject = '{STUDY}' and type = any ($4)
    and occurred_at <= $2 and recorded_at <= $3
order by position
"""
ENROLMENTS = """
select count(*)::int from audit_enrolment
where study = $1 and occurred_at <= $2 and recorded_at <= $3
"""
BEYOND = """
select participant, position from audit_enrolment
where study = $1 and occurred_at <= $2 and recorded_at <= $3
order by occurred_at, position offset $4 limit $5
"""
EVENT_IDS = "select position, event_id from record.event where study = $1 and position = any ($2)"
RECORD = """
select coalesce(h.position, 0) as head, p.stopped_at,
    coalesce((select max(position) from record.event where study = $1), 0) as last,
    coalesce((select position from audit_read where study = $1), 0) as reached,
    coalesce((select max(size) from record.checkpoint where study = $1), 0) as sealed,
    k.size as cosigned, k.by
from (select 1) one
left join lateral (
    select size, string_agg(witness, ' and ' order by witness) as by from record.cosignature
    where study = $1 group by size order by size desc limit 1
) k on true
left join record.study_head h on h.study = $1
left join progress p on p.study = $1 and p.register = 'ethics_audit'
"""
ASKS = f"""
select question, code, severity, message, subject, positions, due from audit_finding
where study = $1 and {STANDS} and (
    question = 0 or question in (10, 16) or question = 15 and code not like '%\\_late'
    or question = 13 and severity = 'attention'
)
order by due nulls last, at_from, unit, subject, message limit $4
"""


class Shown(NamedTuple):
    """A finding as the query brings it."""

    severity: str
    code: str
    message: str
    subject: str
    positions: list[int]
    due: date | None


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Every event is read: see below."""


@project.register
def anything(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Keep what later answers rest on; `settle` finds what the questions ask for."""
    study, position, at = entry.study, entry.position, entry.occurred_at
    if bearing := bears_on(event):
        payload, _ = write_recorded(event)
        for subject in dict.fromkeys(bearing):
            write(
                FACT, study, subject, position, at, entry.recorded_at, entry.actor, entry.type,
                event.SCHEMA, payload,
            )  # fmt: skip
    for who in acts(event):
        write(ACT, study, who, at, position)
    if isinstance(event, ParticipantEnrolled):
        write(ENROLLED, study, at, position, entry.recorded_at, event.participant)


async def ethics_audit(
    db: Connection,
    study: str,
    *,
    at: Annotated[
        datetime | None, "As of this moment in the field's time; now if left out."
    ] = None,
    as_known_at: Annotated[datetime | None, "As the record knew it at this moment; now."] = None,
    first: Annotated[int, "How many findings of each question are shown at most."] = 100,
) -> EthicsAudit:
    """The ethics committee's twenty questions, each with its verdict, findings and proof."""
    now = datetime.now(UTC)
    at, known, most = at or now, as_known_at or now, max(0, min(first, 1_000))
    then = (study, at, known)
    counted = {row["question"]: row for row in await db.fetch(COUNTS, *then)}
    found: dict[int, list[Shown]] = {number: [] for number in range(1, 21)}
    for row in await db.fetch(SHOWN, *then, list(counted), most) if counted else ():
        found[row["question"]].append(Shown(*list(row)[1:]))
    due = {row["question"]: row for row in await db.fetch(NEXT_DUE, *then)}
    examined = {row["question"] for row in await db.fetch(EXAMINED, *then)}
    found[7], beyond, numbers = await _beyond_the_maximum(db, study, at, known, most)
    (record,) = await db.fetch(RECORD, study)
    amiss = _amiss(record)
    found[20] = [*amiss, *found[20]][:most]
    ids = await _event_ids(db, study, [row for rows in found.values() for row in rows])
    notes = {
        7: numbers,
        8: "Every withdrawal, with its scope and its report: withdrawals.",
        10: "Every item held of who withdrew, with what was decided and the proof: dispositions.",
        12: "The state of one permission at a moment, as known at another: consentState.",
        18: 'Every reading, by whom and of whom: auditTrail(type: "IdentifiableDataRead").',
        20: _how_far_it_can_be_told(record),
    }
    answers = {}
    for number, (name, words) in enumerate(QUESTIONS.items(), 1):
        counts = counted.get(number)
        count, breaches = (counts["count"], counts["breaches"]) if counts else (0, 0)
        more = {7: beyond, 20: len(amiss)}.get(number, 0)
        count, breaches = count + more, breaches + more
        if breaches:
            verdict = AuditVerdict.BREACH
        elif count:
            verdict = AuditVerdict.ATTENTION
        elif number == 20 or number in examined:
            verdict = AuditVerdict.CLEAR
        else:
            verdict = AuditVerdict.NOT_APPLICABLE
        clock = due.get(number)
        answers[name] = AuditAnswer(
            question=number,
            words=words,
            verdict=verdict,
            count=count,
            findings=[_finding(row, ids) for row in found[number]],
            clock=AuditClock(clock["due"], (clock["due"] - day_of(at)).days, clock["subject"])
            if clock
            else None,
            note=notes.get(number),
        )
    return EthicsAudit(at=at, as_known_at=known, position=record["reached"], **answers)


async def attention(
    db: Connection,
    study: str,
    *,
    at: Annotated[datetime | None, "At this moment, by all that is known; now if left out."] = None,
    first: Annotated[int, "How many are shown at most, those due first before others."] = 100,
) -> list[Attention]:
    """What has to be done, or is about to run out, for the study to keep its word to people."""
    now = datetime.now(UTC)
    at, most = at or now, max(0, min(first, 1_000))
    return [
        Attention(
            kind=_kind(row),
            subject=row["subject"],
            due=row["due"],
            overdue=row["due"] is not None and at >= after(row["due"]),
            message=row["message"],
            positions=sorted(row["positions"]),
        )
        for row in await db.fetch(ASKS, study, at, now, most)
    ]


KINDS = {
    10: AttentionKind.DISPOSITION_OPEN,
    13: AttentionKind.RECONSENT_OUTSTANDING,
    15: AttentionKind.CLOCK_RUNNING,
    16: AttentionKind.CONDITION_UNDISCHARGED,
}


def _kind(row: Record) -> AttentionKind:
    return KINDS.get(row["question"]) or AttentionKind(row["code"])


async def _beyond_the_maximum(
    db: Connection, study: str, at: datetime, known: datetime, most: int
) -> tuple[list[Shown], int, str]:
    """Question 7: those enrolled beyond the number that was approved then; how many; in words."""
    types = [each.TOPIC for each in APPROVING]
    rows = await db.fetch(RULED, study, at, known, types)
    ruled = sorted((heard_in(row) for row in rows), key=in_the_field)
    approval = approval_at(ruled, at)
    enrolled = await db.fetchval(ENROLMENTS, study, at, known)
    if approval is None or not approval.favourable or approval.max_participants is None:
        return [], 0, f"{enrolled} are enrolled; no maximum is approved."
    maximum = approval.max_participants
    numbers = f"{enrolled} are enrolled, of at most {maximum} approved."
    if enrolled <= maximum:
        return [], 0, numbers
    raised = [
        heard.position
        for heard in ruled
        if heard.position in approval.modified_by
        and getattr(heard.event, "max_participants", None) is not None
    ]
    rests_on = (approval.position, *raised[-1:])
    rows = await db.fetch(BEYOND, study, at, known, maximum, most)
    found = [
        Shown(
            Severity.BREACH.value,
            "participants_exceeded",
            f"{row['participant']} was enrolled as number {n}; {approval.opinion} approves "
            f"{maximum}.",
            f"participant:{row['participant']}",
            [*rests_on, row["position"]],
            None,
        )
        for n, row in enumerate(rows, maximum + 1)
    ]
    return found, enrolled - maximum, numbers


def _amiss(record: Record) -> list[Shown]:
    """Question 20: what is wrong with the record now, whatever moment is asked about."""
    last, head, reached = record["last"], record["head"], record["reached"]
    sealed, stopped = record["sealed"], record["stopped_at"]
    found = []
    if last != head:
        message = f"The record's last event is {last}, its head says {head}."
        found.append(("head_differs", message, last))
    if reached > last:
        message = f"Events after {last} are gone; {reached} had been read."
        found.append(("events_removed", message, last))
    if sealed > last:
        message = f"Events after {last} are gone; {sealed} had been sealed."
        found.append(("sealed_events_removed", message, last))
    if stopped is not None:
        found.append(("event_unreadable", f"Event {stopped} cannot be read.", stopped))
    return [
        Shown(Severity.BREACH.value, code, message, f"event:{position}", [position], None)
        for code, message, position in found
    ]


def _how_far_it_can_be_told(record: Record) -> str:
    """Question 20: what was looked at here, and what tells whether it was changed since."""
    read = (
        f"Read up to event {record['reached']} of {record['head']}: positions, the order of "
        "recording and readability."
    )
    if not record["sealed"]:
        return f"{read} Nothing is sealed yet, so nothing shows whether an event was changed since."
    cosigned = (
        f"cosigned up to {record['cosigned']} by {record['by']}"
        if record["cosigned"]
        else "cosigned by nobody yet"
    )
    return (
        f"{read} Sealed up to event {record['sealed']}, {cosigned}: checkpoint. Whether these are "
        "the events that were sealed, unaltered, the evidence bundle shows to who checks it with "
        "verify.py: evidenceBundle."
    )


async def _event_ids(db: Connection, study: str, rows: list[Shown]) -> dict[int, str]:
    if not (positions := sorted({position for row in rows for position in row.positions})):
        return {}
    found = await db.fetch(EVENT_IDS, study, positions)
    return {row["position"]: str(row["event_id"]) for row in found}


def _finding(row: Shown, ids: dict[int, str]) -> AuditFinding:
    events = [ProvingEvent(each, ids[each]) for each in sorted(row.positions) if each in ids]
    return AuditFinding(Severity(row.severity), row.code, row.message, row.subject, events, row.due)
