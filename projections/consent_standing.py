"""Where permissions stand: of whom, for what, at any moment, as the record knew it at any other.

Bitemporal: `occurred_at` is when something was said, `recorded_at` when the record learned it. The
states and what turns them are the domain's (domain/consent_states.py): rows here feed its one fold.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
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
from domain.consent_states import FORM, ConsentState, Turn, standing_at, touches, turns
from domain.membership import Duty
from domain.modifications import ModificationDecided
from domain.permissions import Permission
from domain.readings import Reading
from domain.vocabulary import Entry, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from projections.writing import Writes

READ_BY = Duty.AUDIT
READING = Reading.CONSENT_DETAILS

# consent_turn: whatever may turn a permission. Participant '': everybody's, as a modification does;
# permission '': all that the participant gave, as a suspension does.
# consent_standing: where each permission stands when all is told, to be counted. It follows the
# plain table of turns; where that does not do (something recorded out of its order, or a form after
# a withdrawal) it is `in_doubt`, and whoever counts asks the fold. Rows with '' say when the last
# turn was that concerned them all.
TABLES = """
create table consent_turn (
    study text not null, participant text not null, permission text not null,
    position bigint not null, act text not null, occurred_at timestamptz not null,
    recorded_at timestamptz not null, signed_on date, valid_until date,
    primary key (study, participant, permission, position)
);
create table consent_standing (
    study text not null, participant text not null, permission text not null, state text not null,
    valid_until date, last_at timestamptz not null, in_doubt bool not null,
    primary key (study, participant, permission)
) with (fillfactor = 80);
create index on consent_standing (study) where in_doubt;
"""

TURNED = "insert into consent_turn values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
# $5 and $6: the states that it turns, and into which; $7: whether it is a form, until $8.
STOOD = """
insert into consent_standing as s
select $1::text, $2::text, p,
    coalesce(($6::text[])[array_position($5::text[], 'not_asked')], 'not_asked'), $8::date,
    $4::timestamptz, exists (
        select from consent_standing w
        where w.study = $1 and w.last_at > $4
            and (w.participant, w.permission) in (($2::text, ''), ('', p))
    )
from unnest($3::text[]) p
on conflict (study, participant, permission) do update set
    state = coalesce(($6::text[])[array_position($5::text[], s.state)], s.state),
    valid_until = case when $7 and s.state = any ($5) then $8 else s.valid_until end,
    last_at = greatest(s.last_at, $4),
    in_doubt = s.in_doubt or s.last_at > $4 or ($7 and s.state = 'withdrawn')
"""
ALL_STOOD = """
update consent_standing s set
    state = coalesce(($5::text[])[array_position($4::text[], s.state)], s.state),
    last_at = greatest(s.last_at, $3), in_doubt = s.in_doubt or s.last_at > $3
where s.study = $1 and {} and s.participant <> '' and s.permission <> ''
"""
ALL_OF_PARTICIPANT = ALL_STOOD.format("s.participant = $2")
ALL_OF_PERMISSION = ALL_STOOD.format("s.permission = $2")
CONCERNED_ALL = """
insert into consent_standing as s values ($1, $2, $3, 'not_asked', null, $4, false)
on conflict (study, participant, permission) do update set last_at = greatest(s.last_at, $4)
"""
TURNS_OF = """
select occurred_at, position, act, signed_on, valid_until, recorded_at from consent_turn
where study = $1
    and (participant, permission) in (($2::text, $3::text), ($2::text, ''), ('', $3::text))
    and occurred_at <= $4 and recorded_at <= $5
"""
SUMMARY = """
select permission, count(*)::int as participants,
    case when state = 'given' and valid_until < $2 then 'expired' else state end as state
from consent_standing
where study = $1 and not in_doubt and participant <> '' and permission <> '' group by 1, 3
"""
IN_DOUBT = """
select s.participant, s.permission, t.occurred_at, t.position, t.act, t.signed_on, t.valid_until
from consent_standing s
join consent_turn t on t.study = s.study and t.participant = any (array[s.participant, ''])
    and t.permission = any (array[s.permission, ''])
where s.study = $1 and s.in_doubt and t.occurred_at <= $2
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
def turns_permissions(
    event: ConsentRequested
    | ConsentGiven
    | ConsentDeclined
    | ConsentWithdrawn
    | ConsentExpired
    | ConsentInvalidated
    | ReconsentRequired,
    entry: Entry,
    write: Writes,
) -> None:
    permissions = list(dict.fromkeys(touches(event)))
    turned(event.participant, permissions, entry, write)
    until = event.valid_until if isinstance(event, ConsentGiven) else None
    write(
        STOOD, entry.study, event.participant, permissions, entry.occurred_at,
        *from_and_to(entry.type), entry.type == FORM, until,
    )  # fmt: skip


@project.register(ConsentSuspended)
@project.register(ConsentResumed)
def turns_all_of_theirs(
    event: ConsentSuspended | ConsentResumed, entry: Entry, write: Writes
) -> None:
    who, at = event.participant, entry.occurred_at
    turned(who, [""], entry, write)
    write(ALL_OF_PARTICIPANT, entry.study, who, at, *from_and_to(entry.type))
    write(CONCERNED_ALL, entry.study, who, "", at)


@project.register
def turns_everybodys(event: ModificationDecided, entry: Entry, write: Writes) -> None:
    permissions = list(dict.fromkeys(touches(event)))
    turned("", permissions, entry, write)
    for each in permissions:
        write(ALL_OF_PERMISSION, entry.study, each, entry.occurred_at, *from_and_to(entry.type))
        write(CONCERNED_ALL, entry.study, "", each, entry.occurred_at)


def turned(participant: str, permissions: Iterable[str], entry: Entry, write: Writes) -> None:
    signed_on, until = (getattr(entry.event, name, None) for name in ("signed_on", "valid_until"))
    for each in permissions:
        write(
            TURNED, entry.study, participant, each, entry.position, entry.type, entry.occurred_at,
            entry.recorded_at, signed_on, until,
        )  # fmt: skip


def from_and_to(act: str) -> tuple[list[ConsentState], list[ConsentState]]:
    return list(turns()[act].keys()), list(turns()[act].values())


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
    now = datetime.now(UTC)
    found = Counter[tuple[str, str]]()
    for row in await db.fetch(SUMMARY, study, now.date()):
        found[row["permission"], row["state"]] += row["participants"]
    in_doubt = defaultdict[tuple[str, str], list[Turn]](list)
    for row in await db.fetch(IN_DOUBT, study, now):
        in_doubt[row["participant"], row["permission"]].append(turn_in(row))
    found.update(
        (permission, standing_at(each, now).state) for (_, permission), each in in_doubt.items()
    )
    return [
        ConsentCount(Permission(permission), ConsentState(state), count)
        for (permission, state), count in sorted(found.items())
        if state != ConsentState.NOT_ASKED
    ]


def turn_in(row: Record) -> Turn:
    return Turn(
        row["occurred_at"], row["position"], row["act"], row["signed_on"], row["valid_until"]
    )
