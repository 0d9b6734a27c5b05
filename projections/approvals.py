"""Approvals: applications, opinions and what changed them, and what stood approved at any moment.

Bitemporal: `occurred_at` is when something was decided, `recorded_at` when the record learned it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import singledispatch
from typing import Annotated, Any, ClassVar

import msgspec
from asyncpg import Connection

from domain.approval import approval_at
from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApplicationSubmitted,
    ApprovalReinstated,
    ApprovalSuspended,
    ConditionDischarged,
    OpinionGiven,
    Outcome,
)
from domain.modifications import ModificationDecided, ModificationKind, ModificationSubmitted
from domain.older_events import read_recorded, write_recorded
from domain.permissions import Permission
from domain.vocabulary import (
    CORRESPONDENCE,
    Entry,
    Heard,
    ResearchEvent,
)
from projections.paging import Page, Window, during, page
from projections.writing import Writes

# approval_turn: what makes an approval what it is, and what discharges its conditions, as it stands
# on record, for the domain's fold (domain/approval.py).
TABLES = """
create table application_line (
    study text not null, position bigint not null, application text not null,
    committee text not null, documents text not null, activities text[] not null,
    personnel text[] not null, sites text[] not null, max_participants int,
    occurred_at timestamptz not null, recorded_at timestamptz not null, note text,
    primary key (study, position)
);
create table approval_line (
    study text not null, position bigint not null, opinion text not null, committee text not null,
    outcome text not null, activities text[] not null, valid_from date not null,
    valid_to date not null, max_participants int, condition_texts text[] not null, application text,
    personnel text[] not null, sites text[] not null, documents text not null,
    recognised_for_mca bool not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, note text,
    primary key (study, position)
);
create index on approval_line (study, opinion);
create table modification_line (
    study text not null, position bigint not null, modification text not null,
    opinion text not null, kind text not null, outcome text, activities text[] not null,
    personnel text[] not null, sites text[] not null, documents text not null,
    max_participants int, valid_to date, reconsent text[] not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null, note text,
    primary key (study, position)
);
create table suspension_line (
    study text not null, position bigint not null, opinion text not null, suspended bool not null,
    occurred_at timestamptz not null, recorded_at timestamptz not null, why text,
    primary key (study, position)
);
create table discharge_line (
    study text not null, position bigint not null, opinion text not null, number int not null,
    document text, occurred_at timestamptz not null, recorded_at timestamptz not null,
    primary key (study, position)
);
create table approval_turn (
    study text not null, position bigint not null, type text not null, schema smallint not null,
    actor text not null, occurred_at timestamptz not null, recorded_at timestamptz not null,
    payload bytea not null,
    primary key (study, position)
);
"""

APPLIED = """
insert into application_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
GIVEN = """
insert into approval_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16, $17, $18)
"""
MODIFIED = """
insert into modification_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $15, $16)
"""
SUSPENDED = "insert into suspension_line values ($1, $2, $3, $4, $5, $6, $7)"
DISCHARGED = "insert into discharge_line values ($1, $2, $3, $4, $5, $6, $7)"
TURNED = "insert into approval_turn values ($1, $2, $3, $4, $5, $6, $7, $8)"
TURNS = """
select position, type, schema, actor, occurred_at, payload from approval_turn
where study = $1 and occurred_at <= $2 and recorded_at <= $3
"""

# Of each condition, the first discharge that counts.
OPINIONS = """(
select a.*, array(
    select row(c.number::int, c.text, d.position, d.occurred_at, d.document)
    from unnest(a.condition_texts) with ordinality c (text, number)
    left join lateral (
        select * from discharge_line d
        where d.study = a.study and d.opinion = a.opinion and d.number = c.number
        order by d.occurred_at, d.position limit 1
    ) d on true
    order by c.number
) conditions
from approval_line a
) opinion_shown"""
DISCHARGES = """
select distinct on (number) number, position, occurred_at, document from discharge_line
where study = $1 and opinion = $2 and occurred_at <= $3 and recorded_at <= $4
order by number, occurred_at, position
"""


@dataclass(frozen=True)
class ReviewedDocument:
    """A version of a document that was put before the committee."""

    kind: Annotated[DocumentKind, "What it is for."]
    version: Annotated[str, "Its version."]
    sha256: Annotated[str | None, "Its SHA-256."] = None
    language: Annotated[str | None, "Its language (BCP 47)."] = None


@dataclass(frozen=True)
class ApprovalCondition:
    """A condition of an opinion, and whether it has been met."""

    number: Annotated[int, "Its number in the opinion, counted from 1."]
    text: Annotated[str, "What has to be done."]
    discharged_by: Annotated[int | None, "The discharge, by its position; null while it is open."]
    discharged_at: Annotated[datetime | None, "When the committee was satisfied."]
    document: Annotated[ReviewedDocument | None, "The document that shows it."]

    def __post_init__(self) -> None:
        _read_documents(self)


@dataclass(frozen=True)
class Application:
    """An application for ethical review, as it was sent to the committee."""

    NODE: ClassVar[tuple[str, str]] = ("application_line", "application")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    application: Annotated[str, "Its identifier."]
    committee: Annotated[str, "The committee it was sent to."]
    documents: Annotated[list[ReviewedDocument], "The documents sent with it."]
    activities: Annotated[list[Activity], "What approval was asked for."]
    personnel: Annotated[list[str], "Who would do research with people."]
    sites: Annotated[list[str], "Where research would take place."]
    max_participants: Annotated[int | None, "How many participants at most."]
    occurred_at: Annotated[datetime, "When it was sent."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    note: Annotated[str | None, CORRESPONDENCE, "A note."]

    def __post_init__(self) -> None:
        _read_documents(self)


@dataclass(frozen=True)
class Approval:
    """An opinion of a research ethics committee, as it was given."""

    NODE: ClassVar[tuple[str, str]] = (OPINIONS, "opinion")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    opinion: Annotated[str, "Its identifier."]
    committee: Annotated[str, "The committee that gave it."]
    outcome: Annotated[Outcome, "What the committee decided."]
    activities: Annotated[list[Activity], "What it approves."]
    valid_from: Annotated[date, "The first day on which it is in force."]
    valid_to: Annotated[date, "The last day on which it is in force."]
    max_participants: Annotated[int | None, "How many participants it approves at most."]
    application: Annotated[str | None, "The application that it answers."]
    personnel: Annotated[list[str], "Who may do research with people; none named: any member."]
    sites: Annotated[list[str], "Where research may take place; none named: anywhere."]
    documents: Annotated[
        list[ReviewedDocument], "The versions approved; none of a kind named: any of that kind."
    ]
    recognised_for_mca: Annotated[
        bool, "Whether people who lack capacity may take part (Mental Capacity Act 2005 s. 30)."
    ]
    occurred_at: Annotated[datetime, "When it was given."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    note: Annotated[str | None, CORRESPONDENCE, "A note."]
    conditions: Annotated[list[ApprovalCondition], "The conditions it makes."]

    def __post_init__(self) -> None:
        _read_documents(self)
        vars(self)["conditions"] = [ApprovalCondition(*each) for each in vars(self)["conditions"]]


@dataclass(frozen=True)
class Modification:
    """A change to what was approved, as it was submitted or as it was decided."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    modification: Annotated[str, "Its identifier: the same when submitted and when decided."]
    opinion: Annotated[str, "The opinion it changes."]
    kind: Annotated[ModificationKind, "How much it changes."]
    outcome: Annotated[Outcome | None, "What the committee decided; null: it was submitted."]
    activities: Annotated[list[Activity], "Approved besides."]
    personnel: Annotated[list[str], "Approved besides."]
    sites: Annotated[list[str], "Approved besides."]
    documents: Annotated[
        list[ReviewedDocument], "Submitted, or approved: earlier versions of their kinds cease."
    ]
    max_participants: Annotated[int | None, "Instead of what stood; null: as it was."]
    valid_to: Annotated[date | None, "Instead of what stood; null: as it was."]
    reconsent: Annotated[list[Permission], "The permissions to be asked for again."]
    occurred_at: Annotated[datetime, "When it was submitted or decided."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    note: Annotated[str | None, CORRESPONDENCE, "A note."]

    def __post_init__(self) -> None:
        _read_documents(self)


@dataclass(frozen=True)
class Suspension:
    """The committee or the sponsor stopped what was approved, or allowed it again."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    opinion: Annotated[str, "The opinion."]
    suspended: Annotated[bool, "Suspended; false: reinstated."]
    occurred_at: Annotated[datetime, "When that was."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    why: Annotated[str | None, CORRESPONDENCE, "Why."]


@dataclass(frozen=True)
class ApprovalStanding:
    """What was approved at a moment, with all modifications, as far as was known at another."""

    study: str
    at: Annotated[datetime, "The moment asked about."]
    as_known_at: Annotated[datetime, "As the record knew it at this moment."]
    opinion: Annotated[str, "The opinion that counts."]
    position: Annotated[int, "Where that stands in the study's record."]
    outcome: Annotated[Outcome, "What the committee decided."]
    in_force: Annotated[
        bool, "Whether it is favourable, not suspended, and within its dates on that day (UTC)."
    ]
    suspended_by: Annotated[int | None, "The suspension, by its position, while it lasts."]
    modified_by: Annotated[list[int], "The favourable modifications in it, by their positions."]
    activities: Annotated[list[Activity], "What is approved."]
    personnel: Annotated[list[str], "Who may do research with people; none named: any member."]
    sites: Annotated[list[str], "Where research may take place; none named: anywhere."]
    documents: Annotated[
        list[ReviewedDocument], "The versions approved; none of a kind named: any of that kind."
    ]
    max_participants: Annotated[int | None, "How many participants are approved at most."]
    valid_from: Annotated[date, "The first day on which it is in force."]
    valid_to: Annotated[date, "The last day on which it is in force."]
    recognised_for_mca: Annotated[
        bool, "Whether people who lack capacity may take part (Mental Capacity Act 2005 s. 30)."
    ]
    conditions: Annotated[list[ApprovalCondition], "The conditions, discharged or not."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def application_submitted(event: ApplicationSubmitted, entry: Entry, write: Writes) -> None:
    write(
        APPLIED, entry.study, entry.position, event.application, event.committee,
        _as_text(event.documents), event.activities, event.personnel, event.sites,
        event.max_participants, entry.occurred_at, entry.recorded_at, event.note,
    )  # fmt: skip


@project.register
def opinion_given(event: OpinionGiven, entry: Entry, write: Writes) -> None:
    write(
        GIVEN, entry.study, entry.position, event.opinion, event.committee, event.outcome,
        event.activities, event.valid_from, event.valid_to, event.max_participants,
        event.conditions, event.application, event.personnel, event.sites,
        _as_text(event.documents), event.recognised_for_mca, entry.occurred_at, entry.recorded_at,
        event.note,
    )  # fmt: skip
    turned(event, entry, write)


@project.register
def modification_submitted(event: ModificationSubmitted, entry: Entry, write: Writes) -> None:
    write(
        MODIFIED, entry.study, entry.position, event.modification, event.opinion, event.kind, None,
        (), (), (), _as_text(event.documents), None, None, (), entry.occurred_at,
        entry.recorded_at, event.note,
    )  # fmt: skip


@project.register
def modification_decided(event: ModificationDecided, entry: Entry, write: Writes) -> None:
    write(
        MODIFIED, entry.study, entry.position, event.modification, event.opinion, event.kind,
        event.outcome, event.activities, event.personnel, event.sites, _as_text(event.documents),
        event.max_participants, event.valid_to, event.reconsent, entry.occurred_at,
        entry.recorded_at, event.note,
    )  # fmt: skip
    turned(event, entry, write)


@project.register(ApprovalSuspended)
@project.register(ApprovalReinstated)
def suspended_or_not(
    event: ApprovalSuspended | ApprovalReinstated, entry: Entry, write: Writes
) -> None:
    write(
        SUSPENDED, entry.study, entry.position, event.opinion,
        isinstance(event, ApprovalSuspended), entry.occurred_at, entry.recorded_at, event.why,
    )  # fmt: skip
    turned(event, entry, write)


@project.register
def condition_discharged(event: ConditionDischarged, entry: Entry, write: Writes) -> None:
    write(
        DISCHARGED, entry.study, entry.position, event.opinion, event.number,
        _as_text(event.document), entry.occurred_at, entry.recorded_at,
    )  # fmt: skip


def turned(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    public, _ = write_recorded(event)
    write(
        TURNED, entry.study, entry.position, entry.type, type(event).SCHEMA, entry.actor,
        entry.occurred_at, entry.recorded_at, public,
    )  # fmt: skip


async def applications(
    db: Connection,
    study: str,
    window: Window,
    *,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[Application]:
    """Every application for ethical review, in the order it was recorded."""
    filters = {"study =": study, "recorded_at <=": as_known_at}
    return await page(db, Application, "application_line", filters, window)


async def approvals(
    db: Connection,
    study: str,
    window: Window,
    *,
    outcome: Annotated[Outcome | None, "With this outcome."] = None,
    activity: Annotated[Activity | None, "Naming this activity."] = None,
    on: Annotated[date | None, "In force on this day by its own dates."] = None,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[Approval]:
    """Every opinion of the ethics committee as it was given, in the order it was recorded."""
    filters = {
        "study =": study, "outcome =": outcome, "activities @>": activity and [activity],
        "valid_from <=": on, "valid_to >=": on, "recorded_at <=": as_known_at,
    }  # fmt: skip
    return await page(db, Approval, OPINIONS, filters, window)


async def modifications(
    db: Connection,
    study: str,
    window: Window,
    *,
    modification: Annotated[str | None, "This one."] = None,
    opinion: Annotated[str | None, "Changing this opinion."] = None,
    kind: Annotated[ModificationKind | None, "Of this kind."] = None,
    outcome: Annotated[Outcome | None, "Decided like this."] = None,
    decided: Annotated[bool | None, "As they were decided, or as they were submitted."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[Modification]:
    """Every modification as it was submitted and as it was decided, in the order recorded."""
    filters = {
        "study =": study, "modification =": modification, "opinion =": opinion, "kind =": kind,
        "outcome =": outcome, "(outcome is not null) =": decided, **during(since, until),
        "recorded_at <=": as_known_at,
    }  # fmt: skip
    return await page(db, Modification, "modification_line", filters, window)


async def suspensions(
    db: Connection,
    study: str,
    window: Window,
    *,
    opinion: Annotated[str | None, "Of this opinion."] = None,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[Suspension]:
    """How approval was suspended and reinstated, in the order it was recorded."""
    filters = {"study =": study, "opinion =": opinion, "recorded_at <=": as_known_at}
    return await page(db, Suspension, "suspension_line", filters, window)


async def approval_standing(
    db: Connection,
    study: str,
    *,
    at: Annotated[datetime | None, "At this moment; now if left out."] = None,
    as_known_at: Annotated[datetime | None, "As the record knew it at this moment; now."] = None,
) -> ApprovalStanding | None:
    """What is approved: the latest opinion by then with what changed it, as far as was known.

    Null if no opinion had been given.
    """
    now = datetime.now(UTC)
    at, as_known_at = at or now, as_known_at or now
    told = [
        Heard(
            position=row["position"], occurred_at=row["occurred_at"], actor=row["actor"],
            event=read_recorded(row["type"], row["schema"], row["payload"], {}),
        )
        for row in await db.fetch(TURNS, study, at, as_known_at)
    ]  # fmt: skip
    approval = approval_at(told, at)
    if approval is None:
        return None
    discharged = {
        row["number"]: (row["position"], row["occurred_at"], row["document"])
        for row in await db.fetch(DISCHARGES, study, approval.opinion, at, as_known_at)
    }
    return ApprovalStanding(
        study=study,
        at=at,
        as_known_at=as_known_at,
        opinion=approval.opinion,
        position=approval.position,
        outcome=approval.outcome,
        in_force=approval.favourable
        and not approval.suspended
        and approval.in_force_on(at.astimezone(UTC).date()),
        suspended_by=approval.suspended_by,
        modified_by=list(approval.modified_by),
        activities=list(approval.activities),
        personnel=list(approval.personnel),
        sites=list(approval.sites),
        documents=msgspec.convert(approval.documents, list[ReviewedDocument], from_attributes=True),
        max_participants=approval.max_participants,
        valid_from=approval.valid_from,
        valid_to=approval.valid_to,
        recognised_for_mca=approval.recognised_for_mca,
        conditions=[
            ApprovalCondition(number, text, *discharged.get(number, (None, None, None)))
            for number, text in enumerate(approval.conditions, 1)
        ],
    )


def _as_text(documents: tuple[Document, ...] | Document | None) -> str | None:
    return None if documents is None else msgspec.json.encode(documents).decode()


def _read_documents(row: Any) -> None:
    """Documents come from their columns as the text of their JSON."""
    values = vars(row)
    for name, shape in (("documents", list[ReviewedDocument]), ("document", ReviewedDocument)):
        if isinstance(values.get(name), str):
            values[name] = msgspec.json.decode(values[name], type=shape)
