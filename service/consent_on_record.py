"""A participant's consent as an export takes it: what was done about it, and where it stands.

It is read from the record itself rather than from a register, so that it lacks nothing and lags
behind nothing. Personal fields are left out from the start: an export names pseudonyms alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Connection
from msgspec import structs

from domain.consent import ConsentGiven
from domain.consent_states import (
    ConsentState,
    Standing,
    touches,
    turn_of,
    turning_types,
    utc_day,
)
from domain.modifications import ModificationDecided
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import Entry, ResearchEvent, tag_hash, without_personal_fields
from projections.entries import entries
from service.appends import type_tag

# Positions of a participant's enrolment, and of what may have turned a permission of theirs.
TURNING = """
select t.position from record.event_tag t
join record.event e on e.study = $1 and e.position = t.position
where t.hash = record.hash_in($1, $2) and e.type = any ($3)
union
select t.position from record.event_tag t where t.hash = record.hash_in($1, $4)
order by position
"""


@dataclass(frozen=True)
class Act:
    """What turned some permissions of a participant, and into which state."""

    entry: Entry  # without its personal fields
    permissions: tuple[Permission, ...]  # those that it turned
    state: ConsentState  # into which it turned them
    renews: bool  # whether all of them had been given before

    @property
    def event(self) -> ResearchEvent:
        return self.entry.event

    @property
    def form(self) -> ConsentGiven | None:
        """The form, if a form was signed or spoken."""
        return self.event if isinstance(self.event, ConsentGiven) else None


@dataclass(frozen=True)
class Held:
    """Where a permission stands, and by what."""

    state: ConsentState
    decided_by: Act  # what turned it last
    rests_on: Act  # the consent that took effect last; if there is none, what turned it last


@dataclass(frozen=True)
class ConsentOnRecord:
    """One participant's consent at a moment, as far as the record knew at another."""

    study: str
    participant: str
    enrolment: UUID | None  # the event that made them a participant; it names the consent record
    at: datetime
    as_known_at: datetime
    acts: tuple[Act, ...]  # in the order in which they count
    held: dict[Permission, Held]  # of every permission that was ever asked, given or taken back


def consent_on_record(
    study: str,
    participant: str,
    found: Iterable[Entry],
    at: datetime,
    as_known_at: datetime,
) -> ConsentOnRecord:
    """What these entries say of one participant's consent; they may say other things besides."""
    found = list(found)
    told = [
        entry
        for entry in found
        if entry.occurred_at <= at
        and entry.recorded_at <= as_known_at
        and touches(entry.event)
        and getattr(entry.event, "participant", participant) == participant
    ]
    standing = dict.fromkeys(Permission, Standing())
    acts: dict[int, Act] = {}
    for entry in sorted(told, key=lambda entry: (entry.occurred_at, entry.position)):
        before = dict(standing)
        turned = []
        for permission in dict.fromkeys(touches(entry.event)):
            standing[permission] = before[permission].after(turn_of(entry))
            if standing[permission] is not before[permission]:
                turned.append(permission)
        if turned:
            acts[entry.position] = Act(
                structs.replace(entry, event=without_personal_fields(entry.event), reason=None),
                tuple(turned),
                standing[turned[0]].state,
                all(before[permission].form is not None for permission in turned),
            )
    held = {}
    for permission, reached in standing.items():
        stands = reached.on(utc_day(at))
        if stands.decided_by is not None:
            decided_by = acts[stands.decided_by.position]
            asked_anew = stands.state is ConsentState.REQUESTED
            by_form = acts[stands.form.position] if stands.form and not asked_anew else None
            held[permission] = Held(stands.state, decided_by, by_form or decided_by)
    enrolment = next((e.event_id for e in found if enrols(e.event, participant)), None)
    return ConsentOnRecord(
        study, participant, enrolment, at, as_known_at, tuple(acts.values()), held
    )


def enrols(event: ResearchEvent, participant: str) -> bool:
    return isinstance(event, ParticipantEnrolled) and event.participant == participant


async def read_consent(
    db: Connection, study: str, participant: str, at: datetime, as_known_at: datetime
) -> ConsentOnRecord:
    """A participant's consent out of the record; nothing in it if they were never asked."""
    positions = await db.fetch(
        TURNING,
        study,
        tag_hash(f"participant:{participant}"),
        [ParticipantEnrolled.TOPIC, *(each.TOPIC for each in turning_types())],
        tag_hash(type_tag(ModificationDecided.TOPIC)),
    )
    found = []
    for row in positions:
        found += await entries(db, study, row["position"] - 1, row["position"])
    return consent_on_record(study, participant, found, at, as_known_at)
