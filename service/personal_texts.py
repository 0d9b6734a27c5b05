"""Personal texts: sealed under their subjects' keys at the append, and opened for who may read.

Where registers and entries show a personal text they hold a reference to it, `12/notes`: the
position of its event and the field. Nothing but the record's sealed parts holds the text itself.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from asyncpg import Pool, Record
from msgspec import structs

from domain.corrections import Corrected
from domain.membership import Role, may_read
from domain.vocabulary import (
    ERASED,
    Entry,
    Personal,
    ResearchEvent,
    event_types,
    personal_fields,
    subjects,
)
from projections.following import borrowed
from service.sealing.leaves import SealedField
from service.sealing.sealed_fields import KeyGone, name_tokens, open_sealed, seal
from service.sealing.subject_keys import SubjectKeys

NAMES = "names"  # whose key makes the blind index of a study's names: the study's own
REFERENCE = re.compile(r"(\d+)/([a-z_]+)(?:/([a-z_]+))?")  # the last: a field of a correction

SEALED = """
select found.*
from unnest($2::bigint[], $3::text[]) as asked (position, path)
cross join lateral (
    select p.position, p.path, p.subjects, p.blob, (
        select e.event_id from record.event e
        where e.study = $1 and e.position = asked.position limit 1
    )
    from record.sealed_part p
    where p.study = $1 and p.position = asked.position and p.path = asked.path
    offset 0  -- so that no plan, of a small record, reads all parts instead
) found
"""
NAMED = """
select position from record.sealed_word where study = $1 and word = any ($2)
group by position, path having count(*) = $3 order by position
"""


class Part(NamedTuple):
    """A personal field about to be sealed."""

    path: str
    subjects: tuple[str, ...]
    data: bytes  # JSON
    names: tuple[str, ...] = ()  # by which it can be found


class Sealed(NamedTuple):
    """The personal fields of an event as they go on record."""

    fields: Sequence[SealedField]
    words: Sequence[tuple[str, bytes]]  # of the blind index, each with its field's path


class PersonalTexts:
    """Seals and opens the personal texts of every study."""

    def __init__(self, name: str, keys: SubjectKeys, pool: Pool) -> None:
        self._name, self._keys, self._pool = name, keys, pool

    def origin(self, study: str) -> str:
        """The name of the study's log (C2SP tlog-checkpoint)."""
        return f"{self._name}/parcycle/{study}"

    async def seal(self, study: str, events: Sequence[tuple[UUID, Sequence[Part]]]) -> list[Sealed]:
        """Seal the parts of each of these events.

        Raises `SubjectErased` for a subject that is erased or just being erased, `KeysUnusable`.
        """
        of = {subject for _, parts in events for part in parts for subject in part.subjects}
        if any(part.names for _, parts in events for part in parts):
            of.add(NAMES)
        keys: Mapping[str, bytes] = {}
        if of:
            keys = self._keys.cached(study, of) or (await self._keys.make({study: of}))[study]
        origin = self.origin(study)
        return [
            Sealed(
                [
                    seal(
                        keys, origin=origin, event_id=event_id, path=part.path,
                        subjects=part.subjects, data=part.data,
                    )
                    for part in parts
                ],
                [
                    (part.path, word)
                    for part in parts
                    for name in part.names
                    for word in name_tokens(keys[NAMES], name)
                ],
            )
            for event_id, parts in events
        ]  # fmt: skip

    async def opened(self, study: str, references: Collection[str]) -> dict[str, Any]:
        """What each reference of a study leads to; `ERASED` where that is gone.

        Raises `Altered` and `KeysUnusable`.
        """
        asked = {reference: _parsed(reference) for reference in references}
        wanted = sorted({(position, path) for position, path, _ in asked.values()})
        if not wanted:
            return {}
        positions, paths = zip(*wanted, strict=True)
        async with borrowed(self._pool) as db:
            rows = await db.fetch(SEALED, study, positions, paths)
        found = await self._open(study, rows)
        return {
            reference: _field(found.get((position, path), ERASED), field)
            for reference, (position, path, field) in asked.items()
        }

    async def in_place(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries with their personal texts in the places of the references to them."""
        told = list(entries)
        references: dict[str, set[str]] = defaultdict(set)
        for entry in told:
            references[entry.study].update(references_in(entry))
        texts = {study: await self.opened(study, each) for study, each in references.items()}
        return [_with_texts(entry, texts[entry.study]) for entry in told]

    async def keys(self, study: str, subjects: Collection[str]) -> Mapping[str, bytes]:
        """The keys that there are of these subjects, for opening. Raises `KeysUnusable`."""
        cached = self._keys.cached(study, subjects)
        return (await self._keys.find({study: subjects}))[study] if cached is None else cached

    async def named(self, study: str, name: str) -> list[int]:
        """The positions of events with a name of all these words, in any order."""
        keys = (await self._keys.find({study: [NAMES]}))[study]
        tokens = name_tokens(keys[NAMES], name) if NAMES in keys else []
        words = tokens[1:] if len(tokens) > 1 else tokens
        if not words:
            return []
        async with borrowed(self._pool) as db:
            return [row["position"] for row in await db.fetch(NAMED, study, words, len(words))]

    async def _open(self, study: str, rows: Sequence[Record]) -> dict[tuple[int, str], Any]:
        of = {subject for row in rows for subject in row["subjects"]}
        keys = await self.keys(study, of)
        origin = self.origin(study)
        found = {}
        for row in rows:
            try:
                text = open_sealed(
                    keys, origin=origin, event_id=row["event_id"], path=row["path"],
                    subjects=row["subjects"], blob=row["blob"],
                )  # fmt: skip
            except KeyGone:  # the erasure is under way
                continue
            found[row["position"], row["path"]] = msgspec.json.decode(text.data)
        return found


def parts_of(
    event: ResearchEvent, personal: Mapping[str, bytes], actor: str, reason: str | None
) -> list[Part]:
    """The personal fields, as `write_recorded` gives them, and the reason given with the event."""
    parts = [
        Part(name, subjects(event, name, actor), data, tuple(names_in(event, name, data)))
        for name, data in personal.items()
    ]
    if reason is not None:
        parts.append(Part("reason", (f"member:{actor}",), msgspec.json.encode(reason)))
    return parts


def names_in(event: ResearchEvent, field: str, data: bytes) -> Iterable[str]:
    """The names to search for in a personal field; a correction's values are those of others."""
    if isinstance(event, Corrected) and field == "personal_standing":
        of = next((t for t in event_types() if event.event_type == t.TOPIC), type(event))
        searched = {name for name, mark in personal_fields(of).items() if mark.searched}
        values = msgspec.json.decode(data)
        return [text for name, text in values.items() if name in searched and text]
    return [msgspec.json.decode(data)] if personal_fields(type(event))[field].searched else []


@cache
def opens(role: Role | None, event_type: str, path: str) -> bool:
    """Whether that sealed field of an event of that type is shown to somebody in this role."""
    marks = next((personal_fields(t) for t in event_types() if event_type == t.TOPIC), {})
    return may_read(role, marks.get(path, Personal("actor")))  # the reason has no mark of its own


def references_in(entry: Entry) -> list[str]:
    """The references to personal texts that an entry holds."""
    found: list[str] = []
    for value in entry.event.parted()[1].values():
        found += value.values() if isinstance(value, dict) else [value]
    return found if entry.reason is None else [*found, entry.reason]


def _with_texts(entry: Entry, texts: Mapping[str, Any]) -> Entry:
    personal = entry.event.parted()[1]
    if not personal and entry.reason is None:
        return entry
    values = {
        name: {field: texts[each] for field, each in value.items()}
        if isinstance(value, dict)
        else texts[value]
        for name, value in personal.items()
    }
    reason = None if entry.reason is None else texts[entry.reason]
    return structs.replace(entry, event=structs.replace(entry.event, **values), reason=reason)


def _parsed(reference: str) -> tuple[int, str, str | None]:
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(f"{reference!r} is no reference to a personal text.")
    return int(found[1]), found[2], found[3]


def _field(text: Any, name: str | None) -> Any:
    """The text, or of a correction's personal values that of one field."""
    return text if name is None or text == ERASED else text[name]
