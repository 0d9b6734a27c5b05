"""Consent history: who agreed to what, declined and took it back; when, and since when it is known.

Bitemporal: `occurred_at` is when a participant said so, `recorded_at` when the record learned it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated, Any

from asyncpg import Connection

from domain.consent import ConsentDeclined, ConsentGiven, Method
from domain.membership import Duty
from domain.permissions import Permission
from domain.vocabulary import Entry, Personal, ResearchEvent
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from projections.paging import Page, Window, during, page, rows_of
from projections.writing import Writes

READ_BY = Duty.AUDIT

# consent_act: a form or a word, as it was recorded. consent_turn: what it did to each permission.
# consent_standing: what counts last in the field's time, for counting.
TABLES = """
create table consent_act (
    study text not null, position bigint not null, participant text not null,
    permissions text[] not null, act text not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, recorded_by text not null, form_version text,
    information_sheet_version text, method text, valid_until date, scope text, witness text,
    words text,
    primary key (study, position)
);
create index on consent_act (study, participant, position);
create table consent_turn (
    study text not null, participant text not null, permission text not null,
    position bigint not null, act text not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, valid_until date,
    primary key (study, participant, permission, position)
);
create table consent_standing (
    study text not null, participant text not null, permission text not null, act text not null,
    occurred_at timestamptz not null, valid_until date,
    primary key (study, participant, permission)
);
create index on consent_standing (study, permission, act, valid_until);
"""

ACTED = """
insert into consent_act values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
TURNED = """
insert into consent_turn select $1, $2, unnest($3::text[]), $4, $5, $6, $7, $8
"""
STOOD = """
insert into consent_standing as s select $1, $2, unnest($3::text[]), $4, $5, $6
on conflict (study, participant, permission) do update set act = excluded.act,
    occurred_at = excluded.occurred_at, valid_until = excluded.valid_until
where excluded.occurred_at >= s.occurred_at
"""
AS_KNOWN = """
select position, act as state, occurred_at as since, recorded_at, valid_until from consent_turn
where study = $1 and participant = $2 and permission = $3
    and occurred_at <= $4 and recorded_at <= $5
order by occurred_at desc, position desc limit 1
"""
SUMMARY = """
select permission, count(*)::int as participants,
    case when act = 'given' and valid_until < $2 then 'expired' else act end as state
from consent_standing where study = $1
group by permission, state order by permission, state
"""


class ConsentActKind(StrEnum):
    """What a participant said."""

    GIVEN = "given"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class ConsentState(StrEnum):
    """Where a permission stands.

    `expired`: it was given until a day that is over. Withdrawn comes back only by a fresh form.
    """

    NOT_ASKED = "not_asked"
    GIVEN = "given"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True)
class ConsentAct:
    """A participant gave, declined or took back permissions."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    participant: Annotated[str, "Who, by pseudonym."]
    permissions: Annotated[list[Permission], "The permissions it is about."]
    act: Annotated[ConsentActKind, "Whether they were given, declined or withdrawn."]
    occurred_at: Annotated[datetime, "When the participant said so."]
    recorded_at: Annotated[datetime, "When that was recorded."]
    recorded_by: Annotated[str, "The member who recorded it."]
    form_version: Annotated[str | None, "The version of the consent form."]
    information_sheet_version: Annotated[str | None, "The version of the information sheet."]
    method: Annotated[Method | None, "How consent was expressed."]
    valid_until: Annotated[date | None, "The last day on which it stands."]
    scope: Annotated[WithdrawalScope | None, "How far a withdrawal reaches."]
    witness: Annotated[str | None, Personal("participant"), "Who witnessed it."]
    words: Annotated[str | None, Personal("participant"), "A note, or the participant's words."]


@dataclass(frozen=True)
class ConsentStanding:
    """Where a participant's permission stood at a moment, as far as the record knew at another."""

    study: str
    participant: Annotated[str, "Whose, by pseudonym."]
    permission: Annotated[Permission, "Which permission."]
    state: Annotated[ConsentState, "Where it stood."]
    at: Annotated[datetime, "The moment asked about."]
    as_known_at: Annotated[datetime, "As the record knew it at this moment."]
    position: Annotated[int | None, "The event that decided it, by its position."]
    since: Annotated[datetime | None, "When the participant said so."]
    recorded_at: Annotated[datetime | None, "When that was recorded."]
    valid_until: Annotated[date | None, "The last day on which it stands."]


@dataclass(frozen=True)
class ConsentCount:
    """How many participants' permission stands like this now."""

    permission: Annotated[Permission, "Which permission."]
    state: Annotated[ConsentState, "Where it stands; nobody is counted who was never asked."]
    participants: Annotated[int, "How many participants."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def consent_given(event: ConsentGiven, entry: Entry, write: Writes) -> None:
    write(
        ACTED, *said(event, entry, ConsentActKind.GIVEN, write, event.valid_until),
        event.form_version, event.information_sheet_version, event.method, event.valid_until,
        None, event.witness, event.note,
    )  # fmt: skip


@project.register
def consent_declined(event: ConsentDeclined, entry: Entry, write: Writes) -> None:
    write(
        ACTED, *said(event, entry, ConsentActKind.DECLINED, write), event.form_version, None, None,
        None, None, None, event.note,
    )  # fmt: skip


@project.register
def consent_withdrawn(event: ConsentWithdrawn, entry: Entry, write: Writes) -> None:
    write(
        ACTED, *said(event, entry, ConsentActKind.WITHDRAWN, write), None, None, None, None,
        event.scope, None, event.words,
    )  # fmt: skip


def said(
    event: ConsentGiven | ConsentDeclined | ConsentWithdrawn,
    entry: Entry,
    act: ConsentActKind,
    write: Writes,
    valid_until: date | None = None,
) -> tuple[object, ...]:
    """Count it for each permission, named once or twice; return the columns that all acts have."""
    permissions = list(dict.fromkeys(event.permissions))
    study, position, who, at = entry.study, entry.position, event.participant, entry.occurred_at
    write(TURNED, study, who, permissions, position, act, at, entry.recorded_at, valid_until)
    write(STOOD, study, who, permissions, act, at, valid_until)
    return study, position, who, permissions, act, at, entry.recorded_at, entry.actor


async def consent_history(
    db: Connection,
    study: str,
    window: Window,
    *,
    participant: Annotated[str | None, "Of this participant."] = None,
    permission: Annotated[Permission | None, "About this permission."] = None,
    act: Annotated[ConsentActKind | None, "Given, declined or withdrawn."] = None,
    since: Annotated[date | None, "Said on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Said on this day (UTC) or earlier."] = None,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[ConsentAct]:
    """Everything participants said about permissions, in the order it was recorded."""
    filters = {
        "study =": study, "participant =": participant,
        "permissions @>": permission and [permission], "act =": act, **during(since, until),
        "recorded_at <=": as_known_at,
    }  # fmt: skip
    return await page(db, ConsentAct, "consent_act", filters, window)


async def consent_state(
    db: Connection,
    study: str,
    participant: Annotated[str, "Whose permission, by pseudonym."],
    permission: Annotated[Permission, "Which permission."],
    *,
    at: Annotated[datetime | None, "At this moment; now if left out."] = None,
    as_known_at: Annotated[datetime | None, "As the record knew it at this moment; now."] = None,
) -> ConsentStanding:
    """Where a participant's permission stands: what they said last by then, as far as was known.

    What was recorded later does not count, however early it happened.
    """
    now = datetime.now(UTC)
    at, as_known_at = at or now, as_known_at or now
    asked: dict[str, Any] = {"study": study, "participant": participant, "permission": permission}
    found = await db.fetchrow(AS_KNOWN, *asked.values(), at, as_known_at)
    if found is None:
        nothing = dict.fromkeys(("position", "since", "recorded_at", "valid_until"))
        last: dict[str, Any] = {"state": ConsentState.NOT_ASKED, **nothing}
    else:
        last = dict(found)
        last["state"] = ConsentState(last["state"])
        until = last["valid_until"]
        if last["state"] is ConsentState.GIVEN and until is not None and until < at.date():
            last["state"] = ConsentState.EXPIRED
    return ConsentStanding(**asked, at=at, as_known_at=as_known_at, **last)


async def consent_summary(db: Connection, study: str) -> list[ConsentCount]:
    """How many participants' permissions stand how, today (UTC)."""
    return rows_of(ConsentCount, await db.fetch(SUMMARY, study, datetime.now(UTC).date()))
