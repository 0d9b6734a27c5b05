"""Withdrawals: who took what back, what is held of them, and what becomes of each thing by when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated

from asyncpg import Connection

from domain.consent import ConsentGiven
from domain.consent_states import touches
from domain.cycles import CycleClosed
from domain.findings import FindingDrafted
from domain.held_items import held_of, holding_types, item_of
from domain.membership import Duty
from domain.oversight import ReportFiled, ReportKind
from domain.permissions import Permission
from domain.planning import ActionPlanned
from domain.policy_packs import PolicyAdopted, policy_pack, policy_packs
from domain.priorities import PrioritiesMerged
from domain.readings import Reading
from domain.sharing import ArchiveDeposited, FindingsShared
from domain.vocabulary import Entry, HeldKind, Personal, ResearchEvent
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
    WithdrawalScope,
)
from projections.paging import Page, Window, during, page
from projections.writing import Writes

READ_BY = Duty.AUDIT
READING = Reading.CONSENT_DETAILS

# held_item: everything held of a participant (`owed`: a disposition, once they withdraw), or that
# only rests on it, of whoever might withdraw one day; `place` counts them, since one event may hold
# data of many people; `permissions` are those it needed. consent_again: each permission as it was
# given, by a form signed on that day. disposition_term: the days within which the policy pack wants
# it decided what becomes of what is held.
TABLES = """
create table withdrawal_line (
    study text not null, position bigint not null, participant text not null,
    permissions text[] not null, scope text not null, by_code bool not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null, recorded_by text not null,
    words text,
    primary key (study, position)
);
create index on withdrawal_line (study, participant, occurred_at, position);
create table withdrawal_report (
    study text not null, participant text not null, position bigint not null, report text not null,
    occurred_at timestamptz not null,
    primary key (study, participant, position)
);
create table consent_again (
    study text not null, participant text not null, position bigint not null,
    permissions text[] not null, signed_on date, occurred_at timestamptz not null,
    primary key (study, participant, position)
);
create table held_item (
    study text not null, place int not null, participant text not null, item text not null,
    kind text not null, position bigint not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, cycle text, permissions text[] not null,
    owed bool not null,
    primary key (study, participant, item)
);
create index on held_item (study, place);
create index on held_item (study, item);
create table closed_cycle (
    study text not null, cycle text not null, position bigint not null,
    primary key (study, cycle, position)
);
create table disposition_step (
    study text not null, position bigint not null, participant text not null, item text not null,
    occurred_at timestamptz not null, disposition text, due date, why text, proof_sha256 text,
    proof text,
    primary key (study, position)
);
create index on disposition_step (study, participant, item);
create table disposition_term (
    study text not null, position bigint not null, occurred_at timestamptz not null,
    days int not null,
    primary key (study, position)
);
"""

WITHDREW = "insert into withdrawal_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
REPORTED = "insert into withdrawal_report values ($1, $2, $3, $4, $5) on conflict do nothing"
GAVE = "insert into consent_again values ($1, $2, $3, $4, $5, $6)"
# Something named by a disposition only is of kind 'other' until it is known what it is.
HELD = """
insert into held_item as h
select $1::text, p.n + coalesce((select max(place) from held_item where study = $1), 0), p.name,
    $3::text, $4::text, $5::bigint, $6::timestamptz, $7::timestamptz, $8::text, $9::text[],
    $10::bool
from ({}) p
on conflict (study, participant, item) do update set kind = excluded.kind,
    position = excluded.position, occurred_at = excluded.occurred_at,
    recorded_at = excluded.recorded_at, cycle = excluded.cycle,
    permissions = excluded.permissions, owed = excluded.owed
where h.kind = 'other'
"""
NAMES = HELD.format("""
    select name, row_number() over (order by min(n)) n
    from unnest($2::text[]) with ordinality each (name, n) group by name
""")
RESTS_ON = HELD.format("""
    select participant as name, row_number() over (order by min(place)) n
    from held_item where study = $1 and item = any ($2::text[]) group by participant
""")
CLOSED = "insert into closed_cycle values ($1, $2, $3)"
STEPPED = "insert into disposition_step values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
ADOPTED = "insert into disposition_term values ($1, $2, $3, $4)"

# The withdrawal that opens an item's disposition is the one in force when the item came to be (of
# what it needed, and they had not consented to that anew), or else the first one since; as
# `audit_clocks.opening` has it for question 10. Where none is owed, what was decided all the same
# is open from then on. A plan that rests on an item is touched while its cycle is open.
DISPOSITIONS = f"""(
select h.study, h.place, h.place as position, h.participant, h.item, h.kind,
    h.position as item_position, h.occurred_at, h.recorded_at, h.cycle, w.position as withdrawal,
    w.occurred_at as withdrawn_at, s.state,
    case when s.state <> 'touched' then coalesce(d.due, w.due) end as due, d.disposition,
    s.state in ('open', 'planned')
        and coalesce(d.due, w.due) < (now() at time zone 'utc')::date as overdue,
    d.position as planned_by, d.occurred_at as planned_at, d.why, c.position as completed_by,
    c.occurred_at as completed_at, c.proof_sha256, c.proof
from (select distinct study, participant from withdrawal_line) p
join held_item h on h.study = p.study and h.participant = p.participant
left join lateral (
    select min(s.occurred_at) as at from disposition_step s
    where s.study = h.study and s.participant = h.participant and s.item = h.item
) first_step on not h.owed
cross join lateral (select coalesce(first_step.at, h.occurred_at) as at) since
join lateral (
    select w.position, w.occurred_at, (w.occurred_at at time zone 'utc')::date + coalesce(
        (select t.days from disposition_term t
            where t.study = w.study and t.occurred_at <= w.occurred_at
            order by t.occurred_at desc, t.position desc limit 1),
        {policy_pack().disposition}
    ) as due
    from withdrawal_line w
    where w.study = p.study and w.participant = p.participant and (
        w.occurred_at >= since.at or first_step.at is not null
        or not h.owed and not exists (
            select from consent_again g where g.study = h.study and g.participant = h.participant
                and g.occurred_at > w.occurred_at and g.occurred_at <= since.at
        )
        or exists (
            select from unnest(h.permissions) needed
            where needed = any (w.permissions) and not exists (
                select from consent_again g
                where g.study = h.study and g.participant = h.participant
                    and g.occurred_at > w.occurred_at and g.occurred_at <= since.at
                    and needed = any (g.permissions)
                    and g.signed_on >= (w.occurred_at at time zone 'utc')::date
            )
        )
    )
    order by w.occurred_at >= since.at,
        abs(extract(epoch from w.occurred_at - since.at)),
        case when w.occurred_at >= since.at then w.position else -w.position end
    limit 1
) w on true
left join lateral (
    select * from disposition_step s where s.study = h.study and s.participant = h.participant
        and s.item = h.item and s.disposition is not null
    order by s.occurred_at desc, s.position desc limit 1
) d on true
left join lateral (
    select * from disposition_step s where s.study = h.study and s.participant = h.participant
        and s.item = h.item and s.disposition is null
        and (d.position is null or (s.occurred_at, s.position) > (d.occurred_at, d.position))
    order by s.occurred_at, s.position limit 1
) c on true
cross join lateral (
    select case
        when not h.owed and first_step.at is null then 'touched'
        when c.position is not null then 'completed' when d.position is null then 'open'
        when d.disposition like 'infeasible%' then 'infeasible'
        when d.disposition like 'retain%' then 'retained' else 'planned'
    end as state
) s
where s.state <> 'touched' or h.kind not in ('priority', 'action') or not exists (
    select from closed_cycle c where c.study = h.study and c.cycle = h.cycle
)
) disposition_shown"""
WITHDRAWALS = f"""(
select w.*, r.report, r.occurred_at as reported_at, i.items, i.outstanding
from withdrawal_line w
left join lateral (
    select * from withdrawal_report r where r.study = w.study and r.participant = w.participant
        and r.occurred_at >= w.occurred_at
    order by r.occurred_at, r.position limit 1
) r on true
cross join lateral (
    select (count(*) filter (where state <> 'touched'))::int as items,
        (count(*) filter (where state in ('open', 'planned')))::int as outstanding
    from {DISPOSITIONS}
    where study = w.study and participant = w.participant and withdrawal = w.position
) i
) withdrawal_shown"""


class DispositionState(StrEnum):
    """How far it is with what is held of somebody who withdrew.

    `open`: nothing is decided. `retained`, `infeasible`: it stays as it is, for the reason given.
    `touched`: it holds nothing of theirs itself, but rests on what does; no disposition is owed.
    """

    OPEN = "open"
    PLANNED = "planned"
    COMPLETED = "completed"
    RETAINED = "retained"
    INFEASIBLE = "infeasible"
    TOUCHED = "touched"


@dataclass(frozen=True)
class Withdrawal:
    """A participant took permissions back; what that touches is in `dispositions`."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    participant: Annotated[str, "Who, by pseudonym."]
    permissions: Annotated[list[Permission], "What they took back."]
    scope: Annotated[WithdrawalScope, "How far it reaches."]
    by_code: Annotated[bool, "By themselves, with the withdrawal code on their receipt."]
    occurred_at: Annotated[datetime, "When they said so."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    recorded_by: Annotated[str, "Who recorded it."]
    words: Annotated[str | None, Personal("participant"), "In their words."]
    report: Annotated[str | None, "The report that told the committee of it, if one has."]
    reported_at: Annotated[datetime | None, "When that was sent."]
    items: Annotated[int, "Things held whose disposition it opened."]
    outstanding: Annotated[int, "Those of them that are not settled yet."]


@dataclass(frozen=True)
class HeldItem:
    """Something held of a participant who withdrew, and what becomes of it."""

    study: str
    place: Annotated[int, "Its place in this list."]
    participant: Annotated[str, "Whose data it holds, by pseudonym."]
    item: Annotated[str, "What it is: media:m-1, or event:12 for what has no name of its own."]
    kind: Annotated[HeldKind, "What kind of thing."]
    item_position: Annotated[int, "Where it stands in the study's record."]
    occurred_at: Annotated[datetime, "When it came to be."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    cycle: Annotated[str | None, "The cycle it belongs to."]
    withdrawal: Annotated[int, "The withdrawal that opened its disposition, by its position."]
    withdrawn_at: Annotated[datetime, "When that was."]
    state: Annotated[DispositionState, "How far it is."]
    disposition: Annotated[Disposition | None, "What was decided; null while it is open."]
    due: Annotated[
        date | None,
        "The last day in time: of doing it, or of deciding by the policy pack while it is open; "
        "null where nothing is owed.",
    ]
    overdue: Annotated[bool, "Whether that day is over (UTC) and it is not settled."]
    planned_by: Annotated[int | None, "The decision, by its position."]
    planned_at: Annotated[datetime | None, "When it was decided."]
    why: Annotated[str | None, Personal("participant"), "Why."]
    completed_by: Annotated[int | None, "What says that it is done, by its position."]
    completed_at: Annotated[datetime | None, "When it was done."]
    proof_sha256: Annotated[str | None, "The SHA-256 of what proves it."]
    proof: Annotated[str | None, Personal("participant"), "What proves it."]

    @property
    def position(self) -> int:
        """Of the list's cursors: one event may hold data of several people."""
        return self.place


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def consent_withdrawn(event: ConsentWithdrawn, entry: Entry, write: Writes) -> None:
    write(
        WITHDREW, entry.study, entry.position, event.participant,
        list(dict.fromkeys(touches(event))), event.scope, event.code_sha256 is not None,
        entry.occurred_at, entry.recorded_at, entry.actor, event.words,
    )  # fmt: skip


@project.register
def consent_given(event: ConsentGiven, entry: Entry, write: Writes) -> None:
    write(
        GAVE, entry.study, event.participant, entry.position, event.permissions, event.signed_on,
        entry.occurred_at,
    )  # fmt: skip


@project.register
def report_filed(event: ReportFiled, entry: Entry, write: Writes) -> None:
    if event.kind is ReportKind.WITHDRAWALS:
        for tag in event.about:
            kind, _, name = tag.partition(":")
            if kind == "participant":
                write(REPORTED, entry.study, name, entry.position, event.report, entry.occurred_at)


@project.register
def policy_adopted(event: PolicyAdopted, entry: Entry, write: Writes) -> None:
    pack = policy_packs().get(event.pack) or policy_pack()
    write(ADOPTED, entry.study, entry.position, entry.occurred_at, pack.disposition)


@project.register
def cycle_closed(event: CycleClosed, entry: Entry, write: Writes) -> None:
    write(CLOSED, entry.study, event.cycle, entry.position)


@project.register
def disposition_planned(event: DispositionPlanned, entry: Entry, write: Writes) -> None:
    named([event.participant], event.item, HeldKind.OTHER, entry, write)
    write(
        STEPPED, entry.study, entry.position, event.participant, event.item, entry.occurred_at,
        event.disposition, event.due, event.why, None, None,
    )  # fmt: skip


@project.register
def disposition_completed(event: DispositionCompleted, entry: Entry, write: Writes) -> None:
    named([event.participant], event.item, HeldKind.OTHER, entry, write)
    write(
        STEPPED, entry.study, entry.position, event.participant, event.item, entry.occurred_at,
        None, None, None, event.proof_sha256, event.proof,
    )  # fmt: skip


def holds(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    item, kind = item_of(event, entry.position), type(event).HELD
    if item and kind:
        named(held_of(event), item, kind, entry, write, event.permissions_needed, owed=True)


for each in holding_types():
    project.register(each, holds)


@project.register
def finding_drafted(event: FindingDrafted, entry: Entry, write: Writes) -> None:
    evidence = [
        *(f"workshop:{each}" for each in event.workshops),
        *(f"session:{each}" for each in event.sessions),
        *(f"transcript:{each}" for each in event.transcripts),
        *(f"story:{each}" for each in event.stories),
        *(f"outcome:{each}" for each in event.outcomes),
        *(f"reflection:{each}" for each in event.reflections),
    ]
    rests_on(evidence, f"finding:{event.finding}", HeldKind.FINDING, entry, write)


@project.register
def findings_shared(event: FindingsShared, entry: Entry, write: Writes) -> None:
    findings = [f"finding:{each}" for each in event.findings]
    rests_on(findings, f"event:{entry.position}", HeldKind.PUBLICATION, entry, write)


@project.register
def archive_deposited(event: ArchiveDeposited, entry: Entry, write: Writes) -> None:
    holds(event, entry, write)
    findings = [f"finding:{each}" for each in event.findings]
    rests_on(findings, f"event:{entry.position}", HeldKind.DEPOSIT, entry, write)


@project.register
def priorities_merged(event: PrioritiesMerged, entry: Entry, write: Writes) -> None:
    merged = [f"priority:{each}" for each in event.merged]
    rests_on(merged, f"priority:{event.priority}", HeldKind.PRIORITY, entry, write)


@project.register
def action_planned(event: ActionPlanned, entry: Entry, write: Writes) -> None:
    item = f"action:{event.action}"
    if event.owner.participant is not None:
        named([event.owner.participant], item, HeldKind.ACTION, entry, write)
    if event.priority is not None:
        rests_on([f"priority:{event.priority}"], item, HeldKind.ACTION, entry, write)


def named(
    participants: Iterable[str],
    item: str,
    kind: HeldKind,
    entry: Entry,
    write: Writes,
    needed: Iterable[str] = (),
    *,
    owed: bool = False,
) -> None:
    """It names these participants."""
    if names := list(participants):
        known_by = _known_by(entry)
        write(NAMES, entry.study, names, item, kind, *known_by, list(needed), owed)


def rests_on(items: list[str], item: str, kind: HeldKind, entry: Entry, write: Writes) -> None:
    """It concerns whoever those other items name; they are on record before it."""
    if items:
        write(RESTS_ON, entry.study, items, item, kind, *_known_by(entry), [], False)


def _known_by(entry: Entry) -> tuple[object, ...]:
    return entry.position, entry.occurred_at, entry.recorded_at, entry.cycle


async def withdrawals(
    db: Connection,
    study: str,
    window: Window,
    *,
    participant: Annotated[str | None, "Of this participant."] = None,
    permission: Annotated[Permission | None, "Of this permission."] = None,
    scope: Annotated[WithdrawalScope | None, "Reaching so far."] = None,
    by_code: Annotated[bool | None, "By the participant's own code, or not."] = None,
    reported: Annotated[bool | None, "Reported to the committee, or not."] = None,
    since: Annotated[date | None, "Said on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Said on this day (UTC) or earlier."] = None,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[Withdrawal]:
    """Every withdrawal, in the order it was recorded."""
    filters = {
        "study =": study, "participant =": participant,
        "permissions @>": permission and [permission], "scope =": scope, "by_code =": by_code,
        "(report is not null) =": reported, **during(since, until), "recorded_at <=": as_known_at,
    }  # fmt: skip
    return await page(db, Withdrawal, WITHDRAWALS, filters, window)


async def dispositions(
    db: Connection,
    study: str,
    window: Window,
    *,
    participant: Annotated[str | None, "Of this participant."] = None,
    withdrawal: Annotated[int | None, "Opened by the withdrawal at this position."] = None,
    kind: Annotated[HeldKind | None, "Of this kind."] = None,
    state: Annotated[DispositionState | None, "So far settled."] = None,
    due_before: Annotated[date | None, "Due before this day, and not settled yet."] = None,
) -> Page[HeldItem]:
    """Everything held of participants who withdrew, and what becomes of it.

    A withdrawal opens all that is held by then, and later what needed the same permissions, until
    the participant consents to them anew. Findings, publications and (while their cycle is open)
    plans that rest on it are there too, as touched. What is open or planned is what question 10 of
    the ethics audit finds.
    """
    filters = {
        "study =": study, "participant =": participant, "withdrawal =": withdrawal,
        "kind =": kind, "state =": state,
        "state in ('open', 'planned') and due <": due_before,
    }  # fmt: skip
    return await page(db, HeldItem, DISPOSITIONS, filters, window)
