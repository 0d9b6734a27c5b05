"""The study register: each study, its people and their roles, and what the community brings."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.membership import MemberJoined, MemberLeft, Role, StudyOpened
from domain.people import (
    GroundRulesAgreed,
    PowerLevel,
    PowerRated,
    PowerScale,
    StakeholderEngaged,
    StakeholderKind,
)
from domain.reconnaissance import AssetKind, AssetMapped, ConcernStated
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, one, page, rows_of
from projections.writing import Writes

TABLES = """
create table study_line (
    study text not null, position bigint not null, title text not null, question text not null,
    setting text not null, made_up bool not null, opened_at timestamptz not null,
    lead text not null,
    primary key (study)
);
create table member_line (
    study text not null, position bigint not null, member text not null, role text not null,
    participant text, name text, approved_personnel bool not null, joined_at timestamptz not null,
    left_at timestamptz,
    primary key (study, member)
);
create index on member_line (member);
create table ground_rules (
    study text not null, position bigint not null, agreed_at timestamptz not null,
    rules text[] not null, participants text[] not null, groups text[] not null, note text,
    primary key (study, position)
);
create table stakeholder_line (
    study text not null, position bigint not null, stakeholder text not null, kind text not null,
    title text not null, interest text, engaged_at timestamptz not null, contact_name text,
    contact text, note text,
    primary key (study, position)
);
create unique index on stakeholder_line (study, stakeholder);
create table power_rating (
    study text not null, position bigint not null, cycle text not null, scale text not null,
    level text not null, rater_role text not null, participant text, rated_at timestamptz not null,
    comment text,
    primary key (study, position)
);
create index on power_rating (study, cycle, position);
create table concern_line (
    study text not null, position bigint not null, concern text not null, title text not null,
    participants text[] not null, groups text[] not null, cycle text,
    stated_at timestamptz not null, words text,
    primary key (study, position)
);
create unique index on concern_line (study, concern);
create table asset_line (
    study text not null, position bigint not null, asset text not null, kind text not null,
    title text not null, offered_by text[] not null, stakeholder text, groups text[] not null,
    cycle text, mapped_at timestamptz not null, description text,
    primary key (study, position)
);
create unique index on asset_line (study, asset);
"""

OPENED = "insert into study_line values ($1, $2, $3, $4, $5, $6, $7, $8)"
# The role is what was recorded last, as it is for conditions (domain/membership.py).
JOINED = """
insert into member_line as m values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (study, member) do update set role = excluded.role,
    participant = excluded.participant, name = coalesce(excluded.name, m.name),
    approved_personnel = excluded.approved_personnel, joined_at = excluded.joined_at,
    left_at = null
"""
LEFT = "update member_line set left_at = $3 where study = $1 and member = $2"
AGREED = "insert into ground_rules values ($1, $2, $3, $4, $5, $6, $7)"
ENGAGED = "insert into stakeholder_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
RATED = "insert into power_rating values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
STATED = "insert into concern_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
MAPPED = "insert into asset_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"

STUDIES_OF = """
select s.* from study_line s join member_line m on m.study = s.study
where m.member = $1 and m.left_at is null order by s.opened_at, s.study
"""
RULES_IN_FORCE = """
select * from ground_rules where study = $1 order by agreed_at desc, position desc limit 1
"""


@dataclass(frozen=True)
class Study:
    """A participatory action research study."""

    NODE: ClassVar[tuple[str, str]] = ("study_line", "study")

    study: Annotated[str, "Its identifier."]
    position: Annotated[int, "Where its opening stands in its record."]
    title: Annotated[str, "What it is called."]
    question: Annotated[str, "What the community and the researchers set out to find."]
    setting: Annotated[str, "The place and the people."]
    made_up: Annotated[bool, "A demonstration: its people, dates and numbers are invented."]
    opened_at: Annotated[datetime, "When it began."]
    lead: Annotated[str, "The lead researcher who opened it."]


@dataclass(frozen=True)
class Member:
    """Somebody with a role in a study."""

    NODE: ClassVar[tuple[str, str]] = ("member_line", "member")

    study: str
    position: Annotated[int, "Where it stands in the record that they first joined."]
    member: Annotated[str, "Their pseudonym."]
    role: Annotated[Role, "What they are in the study; their last role if they left."]
    participant: Annotated[str | None, "Which participant they are, for that role."]
    name: Annotated[str | None, Personal("member"), "What they are called."]
    approved_personnel: Annotated[bool, "Named on the ethics application."]
    joined_at: Annotated[datetime, "When they took up the role."]
    left_at: Annotated[datetime | None, "When they left, if they did."]


@dataclass(frozen=True)
class GroundRules:
    """How people agreed to work together."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    agreed_at: Annotated[datetime, "When they were agreed."]
    rules: Annotated[list[str], "The rules."]
    participants: Annotated[list[str], "The participants who agreed, by pseudonym."]
    groups: Annotated[list[str], "Their groups."]
    note: Annotated[str | None, Personal("participants"), "What was said about them."]


@dataclass(frozen=True)
class Stakeholder:
    """Somebody with a stake in the question, mostly an organisation."""

    NODE: ClassVar[tuple[str, str]] = ("stakeholder_line", "stakeholder")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    stakeholder: Annotated[str, "Its identifier."]
    kind: Annotated[StakeholderKind, "What it is to the community."]
    title: Annotated[str, "What it is called in public."]
    interest: Annotated[str | None, "What is at stake for it."]
    engaged_at: Annotated[datetime, "When it was brought into the study."]
    contact_name: Annotated[str | None, Personal("stakeholder"), "Whom to ask for."]
    contact: Annotated[str | None, Personal("stakeholder"), "How to reach them."]
    note: Annotated[str | None, Personal("stakeholder"), "A note."]


@dataclass(frozen=True)
class PowerRating:
    """How far somebody finds that people share in a cycle's decisions."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    cycle: Annotated[str, "The cycle that was rated."]
    scale: Annotated[PowerScale, "The scale that was used."]
    level: Annotated[PowerLevel, "The level on it."]
    rater_role: Annotated[Role, "In whose position it was rated."]
    participant: Annotated[str | None, "The participant who rated, by pseudonym."]
    rated_at: Annotated[datetime, "When."]
    comment: Annotated[str | None, Personal("participant"), "What they said to it."]


@dataclass(frozen=True)
class Concern:
    """Something that troubles people, or that they want to be otherwise."""

    NODE: ClassVar[tuple[str, str]] = ("concern_line", "concern")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    concern: Annotated[str, "Its identifier."]
    title: Annotated[str, "What it is, in short."]
    participants: Annotated[list[str], "Whose it is, by pseudonym."]
    groups: Annotated[list[str], "The groups whose it is."]
    cycle: Annotated[str | None, "The cycle that was under way."]
    stated_at: Annotated[datetime, "When it was said."]
    words: Annotated[str | None, Personal("participants"), "As they said it."]


@dataclass(frozen=True)
class Asset:
    """Something that the community already has, and can build on."""

    NODE: ClassVar[tuple[str, str]] = ("asset_line", "asset")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    asset: Annotated[str, "Its identifier."]
    kind: Annotated[AssetKind, "Which of the six kinds of community assets."]
    title: Annotated[str, "What it is."]
    offered_by: Annotated[list[str], "The participants who offer it, by pseudonym."]
    stakeholder: Annotated[str | None, "The organisation that offers it."]
    groups: Annotated[list[str], "The groups it belongs to."]
    cycle: Annotated[str | None, "The cycle that was under way."]
    mapped_at: Annotated[datetime, "When it was put on the map."]
    description: Annotated[str | None, Personal("offered_by"), "More about it."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def study_opened(event: StudyOpened, entry: Entry, write: Writes) -> None:
    at, lead = entry.occurred_at, event.member
    write(
        OPENED, entry.study, entry.position, event.title, event.question, event.setting,
        event.made_up, at, lead,
    )  # fmt: skip
    write(JOINED, entry.study, entry.position, lead, Role.LEAD_RESEARCHER, None, None, False, at)


@project.register
def member_joined(event: MemberJoined, entry: Entry, write: Writes) -> None:
    write(
        JOINED, entry.study, entry.position, event.member, event.role, event.participant,
        event.name, event.approved_personnel, entry.occurred_at,
    )  # fmt: skip


@project.register
def member_left(event: MemberLeft, entry: Entry, write: Writes) -> None:
    write(LEFT, entry.study, event.member, entry.occurred_at)


@project.register
def ground_rules_agreed(event: GroundRulesAgreed, entry: Entry, write: Writes) -> None:
    write(
        AGREED, entry.study, entry.position, entry.occurred_at, event.rules, event.participants,
        event.groups, event.note,
    )  # fmt: skip


@project.register
def stakeholder_engaged(event: StakeholderEngaged, entry: Entry, write: Writes) -> None:
    write(
        ENGAGED, entry.study, entry.position, event.stakeholder, event.kind, event.title,
        event.interest, entry.occurred_at, event.contact_name, event.contact, event.note,
    )  # fmt: skip


@project.register
def power_rated(event: PowerRated, entry: Entry, write: Writes) -> None:
    write(
        RATED, entry.study, entry.position, event.cycle, event.scale, event.level,
        event.rater_role, event.participant, entry.occurred_at, event.comment,
    )  # fmt: skip


@project.register
def concern_stated(event: ConcernStated, entry: Entry, write: Writes) -> None:
    write(
        STATED, entry.study, entry.position, event.concern, event.title, event.participants,
        event.groups, event.cycle, entry.occurred_at, event.words,
    )  # fmt: skip


@project.register
def asset_mapped(event: AssetMapped, entry: Entry, write: Writes) -> None:
    write(
        MAPPED, entry.study, entry.position, event.asset, event.kind, event.title,
        event.offered_by, event.stakeholder, event.groups, event.cycle, entry.occurred_at,
        event.description,
    )  # fmt: skip


async def studies_of(db: Connection, member: str) -> list[Study]:
    """The studies in which a member has a role, oldest first."""
    return rows_of(Study, await db.fetch(STUDIES_OF, member))


async def study(db: Connection, study: str) -> Study | None:
    """A study, if it is there."""
    return await one(db, Study, "study_line", {"study =": study})


async def members(
    db: Connection,
    study: str,
    window: Window,
    *,
    role: Annotated[Role | None, "With this role."] = None,
    present: Annotated[bool | None, "Still in the study, or not."] = None,
) -> Page[Member]:
    """Everyone who has or had a role in the study, in the order in which they first joined."""
    filters = {"study =": study, "role =": role, "(left_at is null) =": present}
    return await page(db, Member, "member_line", filters, window)


async def ground_rules(db: Connection, study: str) -> GroundRules | None:
    """The ground rules in force: those agreed last."""
    found = rows_of(GroundRules, await db.fetch(RULES_IN_FORCE, study))
    return found[0] if found else None


async def ground_rules_history(db: Connection, study: str, window: Window) -> Page[GroundRules]:
    """All ground rules that were ever agreed, in the order they were recorded."""
    return await page(db, GroundRules, "ground_rules", {"study =": study}, window)


async def stakeholders(
    db: Connection,
    study: str,
    window: Window,
    *,
    kind: Annotated[StakeholderKind | None, "Of this kind."] = None,
) -> Page[Stakeholder]:
    """The stakeholders engaged, in the order they were recorded."""
    return await page(
        db, Stakeholder, "stakeholder_line", {"study =": study, "kind =": kind}, window
    )


async def power_ratings(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Of this cycle."] = None,
    scale: Annotated[PowerScale | None, "On this scale."] = None,
    rater_role: Annotated[Role | None, "Rated by somebody in this role."] = None,
    participant: Annotated[str | None, "Rated by this participant."] = None,
    since: Annotated[date | None, "Rated on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Rated on this day (UTC) or earlier."] = None,
) -> Page[PowerRating]:
    """How far people share in decisions, as they rated it, in the order of the record."""
    filters = {
        "study =": study, "cycle =": cycle, "scale =": scale, "rater_role =": rater_role,
        "participant =": participant, **during(since, until, "rated_at"),
    }  # fmt: skip
    return await page(db, PowerRating, "power_rating", filters, window)


async def concerns(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Stated in this cycle."] = None,
    participant: Annotated[str | None, "Of this participant."] = None,
    group: Annotated[str | None, "Of this group."] = None,
    since: Annotated[date | None, "Stated on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Stated on this day (UTC) or earlier."] = None,
) -> Page[Concern]:
    """What people are concerned about, in the order it was recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "participants @>": participant and [participant],
        "groups @>": group and [group], **during(since, until, "stated_at"),
    }  # fmt: skip
    return await page(db, Concern, "concern_line", filters, window)


async def assets(
    db: Connection,
    study: str,
    window: Window,
    *,
    kind: Annotated[AssetKind | None, "Of this kind."] = None,
    cycle: Annotated[str | None, "Mapped in this cycle."] = None,
    participant: Annotated[str | None, "Offered by this participant."] = None,
    stakeholder: Annotated[str | None, "Offered by this stakeholder."] = None,
    group: Annotated[str | None, "Of this group."] = None,
) -> Page[Asset]:
    """What the community already has, in the order it was put on the map."""
    filters = {
        "study =": study, "kind =": kind, "cycle =": cycle, "stakeholder =": stakeholder,
        "offered_by @>": participant and [participant], "groups @>": group and [group],
    }  # fmt: skip
    return await page(db, Asset, "asset_line", filters, window)
