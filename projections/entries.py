"""The record as a reader sees it: a study's entries in order, with what was corrected since.

Where an event has a personal text, its entry holds a reference to it: `12/notes`, the position and
the field; `40/personal_standing/notes` for what a correction says of a field. So does every
register, and only the service, which has the keys, can show the text.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import timedelta, timezone
from functools import cache

import msgspec
from asyncpg import Connection, Record

from domain import older_events
from domain.corrections import Corrected, corrected
from domain.vocabulary import (
    Entry,
    Envelope,
    ResearchEvent,
)

READ = """
select e.position, e.event_id, e.type, e.schema, e.actor, e.occurred_at, e.recorded_at,
    e.command_id, e.envelope, e.payload, e.sealed
from record.event e
where e.study = $1 and e.position > $2 and e.position <= $3
    and ($4::text[] is null or e.type = any ($4))
order by e.position limit $5
"""
READ_AT = """
select e.position, e.event_id, e.type, e.schema, e.actor, e.occurred_at, e.recorded_at,
    e.command_id, e.envelope, e.payload, e.sealed
from record.event e where e.study = $1 and e.position = any ($2) order by e.position
"""
# A filter for a page: what mentions a tag, by its `tag_hash`; the study is the first argument.
ABOUT = """
position in (select t.position from record.event_tag t where t.hash = record.hash_in($1, {}))
"""
HEAD = "select position from record.study_head where study = $1"

Corrections = dict[int, list[Corrected]]  # by the position of what they correct

_envelope = msgspec.json.Decoder(Envelope)


class Unreadable(Exception):
    """An event on record that this release cannot understand; says which, and why."""

    def __init__(self, study: str, position: int, cause: Exception) -> None:
        super().__init__(f"Event {position} of {study}: {cause}")
        self.position = position


async def head_of(db: Connection, study: str) -> int:
    """The position of the study's last event; 0 if there is none."""
    return await db.fetchval(HEAD, study) or 0


async def entries(
    db: Connection,
    study: str,
    after: int,
    through: int,
    *,
    types: Collection[str] | None = None,
    limit: int | None = 500,
) -> list[Entry]:
    """A study's entries after one position and up to another, in order, at most `limit`.

    Raises `Unreadable` at the first one that this release cannot understand.
    """
    return _read(study, await db.fetch(READ, study, after, through, types, limit))


async def entries_at(db: Connection, study: str, positions: Collection[int]) -> list[Entry]:
    """A study's entries at these positions, in order. Raises `Unreadable` as `entries` does."""
    return _read(study, await db.fetch(READ_AT, study, positions))


def _read(study: str, rows: Iterable[Record]) -> list[Entry]:
    found = []
    for row in rows:
        try:
            found.append(_entry(study, row))
        except Exception as fault:  # whatever it is, it is this event's: the others can be read
            raise Unreadable(study, row["position"], fault) from fault
    return found


async def corrections_of(db: Connection, study: str, through: int) -> Corrections:
    """What has been corrected in a study, as far as that position."""
    types = [Corrected.TOPIC]
    return corrections_in(await entries(db, study, 0, through, types=types, limit=None))


def corrections_in(found: Iterable[Entry]) -> Corrections:
    """What these entries correct."""
    corrections: Corrections = defaultdict(list)
    for entry in found:
        if isinstance(entry.event, Corrected):
            corrections[entry.event.corrects].append(entry.event)
    return corrections


def as_corrected(entry: Entry, corrections: Corrections) -> Entry:
    """The entry as it stands after its corrections; the record keeps it as it was written."""
    event = entry.event
    for correction in corrections.get(entry.position, ()):
        event = corrected(event, correction)
    return entry if event is entry.event else msgspec.structs.replace(entry, event=event)


NAMED_AT_MOST = 6  # of one kind, in a sentence


def in_words(event: ResearchEvent) -> str:
    """What happened in one sentence, with what the event mentions; nothing personal is in it."""
    kinds: dict[str, list[str]] = {}
    for tag in event.tags:
        kind, _, identifier = tag.partition(":")
        kinds.setdefault(kind, []).append(identifier)
    named = "; ".join(f"{kind} {_listed(each)}" for kind, each in kinds.items())
    meaning = _meaning(type(event))
    return f"{meaning} ({named})." if named else f"{meaning}."


def _listed(identifiers: list[str]) -> str:
    more = len(identifiers) - NAMED_AT_MOST
    listed = ", ".join(identifiers[:NAMED_AT_MOST])
    return f"{listed} and {more:,} more" if more > 0 else listed


@cache
def _meaning(event_type: type[ResearchEvent]) -> str:
    """The first sentence of the event's docstring."""
    return (event_type.__doc__ or event_type.TOPIC).partition("\n\n")[0].strip().rstrip(".")


def _entry(study: str, row: Record) -> Entry:
    envelope, position = _envelope.decode(row["envelope"]), row["position"]
    paths = row["sealed"] or ()
    references = {path: b'"%d/%b"' % (position, path.encode()) for path in paths}
    reason = references.pop("reason", None)
    standing = references.pop("personal_standing", None)
    event = older_events.read_recorded(row["type"], row["schema"], row["payload"], references)
    if standing is not None and isinstance(event, Corrected):
        event = _with_each_field(event, position)
    return Entry(
        position=position,
        occurred_at=row["occurred_at"].astimezone(_place(envelope.offset)),
        actor=row["actor"],
        event=event,
        study=study,
        event_id=row["event_id"],
        recorded_at=row["recorded_at"],
        envelope=envelope,
        command_id=row["command_id"],
        reason=None if reason is None else f"{position}/reason",
    )


def _with_each_field(event: Corrected, position: int) -> Corrected:
    """The correction with a reference for each personal field that it corrects."""
    fields = [name for name in event.fields if name not in event.standing]
    references = {name: f"{position}/personal_standing/{name}" for name in fields}
    return msgspec.structs.replace(event, personal_standing=references)


@cache
def _place(offset: int) -> timezone:
    """The clock of a place so many minutes east of UTC."""
    return timezone(timedelta(minutes=offset))
