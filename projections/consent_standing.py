"""Where permissions stand: of whom, for what, at any moment, as the record knew it at any other.

Bitemporal: `occurred_at` is when something was said, `recorded_at` when the record learned it. The
states and what turns them are the domain's (domain/consent_states.py): rows here feed its one fold.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import singledispatch
from typing import Annotated

from asyncpg import Connection, Record

from domain.consent import ConsentDeclined, ConsentGiven, ConsentRequested
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    ReconsentRequired,
)
from domain.consent_states import ConsentState, Turn, standing_at, standings, touches, turns
from domain.membership import Duty
from domain.modifications import ModificationDecided
from domain.permissions import Permission
from domain.readings import Reading
from domain.vocabulary import Entry, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from projections.paging import rows_of
from projections.writing import Writes

READ_BY = Duty.AUDIT
READING = Reading.CONSENT_DETAILS

# consent_turn: whatever may turn a permission. Participant '': everybody's, as a modification does;
# permission '': all that the participant gave, as a suspension does.
# consent_standing: where each permission stands when all is told, to be counted.
TABLES = """
create table consent_turn (
    study text not null, participant text not null, permission text not null,
    position bigint not null, act text not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, signed_on date, valid_until date,
    primary key (study, participant, permission, position)
);
create table consent_standing (
    study text not null, participant text not null, permission text not null, state text not null,
    valid_until date,
    primary key (study, participant, permission)
) with (fillfactor = 80);
"""

TURNED = "insert into consent_turn values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
TURNS_OF = """
select occurred_at, position, act, signed_on, valid_until, recorded_at from consent_turn
where study = $1
    and (participant, permission) in (($2::text, $3::text), ($2::text, ''), ('', $3::text))
    and occurred_at <= $4 and recorded_at <= $5
"""
TURNS_OF_TOUCHED = """
with touched (participant, permission) as (select distinct * from unnest($2::text[], $3::text[])),
concerned as (
    select * from touched where participant <> '' and permission <> ''
    union select t.participant, t.permission from touched
    join consent_turn t on t.study = $1 and t.participant = touched.participant
    where touched.permission = '' and t.permission <> ''
    union select t.participant, t.permission from touched
    join consent_turn t on t.study = $1 and t.permission = touched.permission
    where touched.participant = '' and t.participant <> ''
)
select c.participant, c.permission, t.occurred_at, t.position, t.act, t.signed_on, t.valid_until
from concerned c
join consent_turn t on t.study = $1 and t.participant = any (array[c.participant, ''])
    and t.permission = any (array[c.permission, ''])
"""
STOOD = """
insert into consent_standing
select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::date[])
on conflict (study, participant, permission) do update set state = excluded.state,
    valid_until = excluded.valid_until
"""
SUMMARY = """
select permission, count(*)::int as participants,
    case when state = 'given' and valid_until < $2 then 'expired' else state end as state
from consent_standing where study = $1 and state <> 'not_asked' group by 1, 3 order by 1, 3
"""

STANDINGS = """
select participant, permission, valid_until,
    case when state = 'given' and valid_until < $3 then 'expired' else state end as state
from consent_standing where study = $1 and participant = any ($2) and state <> 'not_asked'
order by participant, permission
"""


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
    since: Annotated[
        datetime | None,
        "Since when: when that happened, or the end of the last day of what ran out.",
    ]
    recorded_at: Annotated[datetime | None, "When the deciding event was recorded."]
    consent: Annotated[int | None, "The consent that last took effect, by its position."]
    valid_until: Annotated[date | None, "The last day for which that was given."]


@dataclass(frozen=True)
class ConsentCount:
    """How many participants' permission stands like this now."""

    permission: Annotated[Permission, "Which permission."]
    state: Annotated[ConsentState, "Where it stands; nobody is counted who was never asked."]
    participants: Annotated[int, "How many participants."]


@dataclass(frozen=True)
class ParticipantPermission:
    """Where a participant's permission stands today."""

    participant: Annotated[str, "Whose, by pseudonym."]
    permission: Annotated[Permission, "Which permission."]
    state: Annotated[ConsentState, "Where it stands; what was never asked is left out."]
    valid_until: Annotated[date | None, "The last day for which the consent in effect was given."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register(ConsentRequested)
@project.register(ConsentGiven)
@project.register(ConsentDeclined)
@project.register(ConsentWithdrawn)
@project.register(ConsentExpired)
@project.register(ConsentInvalidated)
@project.register(ReconsentRequired)
@project.register(ConsentSuspended)
@project.register(ConsentResumed)
@project.register(ModificationDecided)
def turned(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    form = event if isinstance(event, ConsentGiven) else None
    signed_on, until = (form.signed_on, form.valid_until) if form else (None, None)
    for participant, permission in concerned_by(event):
        write(
            TURNED, entry.study, participant, permission, entry.position, entry.type,
            entry.occurred_at, entry.recorded_at, signed_on, until,
        )  # fmt: skip


def concerned_by(event: ResearchEvent) -> list[tuple[str, str]]:
    """Whose permission for what an event may turn; '' stands for everybody, and for everything."""
    if isinstance(event, ConsentSuspended | ConsentResumed):
        return [(event.participant, "")]
    who = getattr(event, "participant", "")
    return [(who, permission) for permission in dict.fromkeys(touches(event))]


async def settle(db: Connection, found: Sequence[Entry]) -> None:
    """Work out anew where those permissions stand that these entries may have turned."""
    touched = {of for entry in found if entry.type in turns() for of in concerned_by(entry.event)}
    if not touched:
        return
    study = found[0].study
    told = defaultdict[tuple[str, str], list[Turn]](list)
    for row in await db.fetch(TURNS_OF_TOUCHED, study, *zip(*touched, strict=True)):
        told[row["participant"], row["permission"]].append(turn_in(row))
    rows = []
    for (participant, permission), their_turns in sorted(told.items()):
        standing = standings(their_turns)[-1]
        until = standing.form.valid_until if standing.form else None
        rows.append((participant, permission, standing.state, until))
    if rows:
        await db.execute(STOOD, study, *zip(*rows, strict=True))


async def consent_state(
    db: Connection,
    study: str,
    participant: Annotated[str, "Whose permission, by pseudonym."],
    permission: Annotated[Permission, "Which permission."],
    *,
    at: Annotated[datetime | None, "At this moment; now if left out."] = None,
    as_known_at: Annotated[datetime | None, "As the record knew it at this moment; now."] = None,
) -> ConsentStanding:
    """Where a participant's permission stands: by what had happened by then, as far as was known.

    What was recorded later does not count, however early it happened. Days end at midnight UTC.
    """
    now = datetime.now(UTC)
    at, as_known_at = at or now, as_known_at or now
    rows = await db.fetch(TURNS_OF, study, participant, permission, at, as_known_at)
    standing = standing_at(map(turn_in, rows), at)
    decided_by, form = standing.decided_by, standing.form
    until = form.valid_until if form else None
    since = decided_by.occurred_at if decided_by else None
    if until is not None and standing.state is ConsentState.EXPIRED and decided_by == form:
        since = datetime.combine(until + timedelta(days=1), time(), UTC)
    return ConsentStanding(
        study=study,
        participant=participant,
        permission=permission,
        state=standing.state,
        at=at,
        as_known_at=as_known_at,
        position=decided_by.position if decided_by else None,
        since=since,
        recorded_at=next(
            (row["recorded_at"] for row in rows if decided_by and row["position"] == decided_by[1]),
            None,
        ),
        consent=form.position if form else None,
        valid_until=until,
    )


async def consent_summary(db: Connection, study: str) -> list[ConsentCount]:
    """How many participants' permissions stand how, today (UTC)."""
    return rows_of(ConsentCount, await db.fetch(SUMMARY, study, datetime.now(UTC).date()))


async def consent_standings(
    db: Connection,
    study: str,
    participants: Annotated[list[str], "Of these participants; the first two hundred count."],
) -> list[ParticipantPermission]:
    """Where the permissions of some participants stand, today (UTC)."""
    asked = participants[:200]
    rows = await db.fetch(STANDINGS, study, asked, datetime.now(UTC).date())
    return rows_of(ParticipantPermission, rows)


def turn_in(row: Record) -> Turn:
    return Turn(
        row["occurred_at"], row["position"], row["act"], row["signed_on"], row["valid_until"]
    )
