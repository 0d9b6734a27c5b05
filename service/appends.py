"""Appends: what is to go on record unless something else stands there, in rows for the database."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.vocabulary import tag_hash
from service.sealing.leaves import LeafAroundTime, SealedField

SEPARATOR = "\x1f"
Items = Sequence[tuple[Sequence[str], Sequence[str]]]  # (types, tags): any of these, all of those


class Draft(Struct, frozen=True, kw_only=True):
    """An event to be appended; the study's lock decides its position and `recorded_at`."""

    event_id: UUID
    type: str
    schema: int
    actor: str
    occurred_at: datetime
    tags: Sequence[str]
    envelope: bytes
    payload: bytes
    salt: bytes  # of the commitment to envelope and payload
    leaf: LeafAroundTime
    sealed: Sequence[SealedField] = ()
    words: Sequence[tuple[str, bytes]] = ()  # (path, token) of the blind index of names
    command_id: UUID | None = None
    command_digest: bytes | None = None  # on the last event of a command: what it asked for


class Appended(Struct, frozen=True):
    """Where the last event of an append stands, and when it was recorded."""

    position: int
    recorded_at: datetime


class Request(Struct):
    """An append that waits for the writer."""

    study: str
    events: Sequence[Draft]
    items: Items
    after: Sequence[int]  # for each item
    answer: "asyncio.Future[Appended]"

    @property
    def repeatable(self) -> bool:
        """Whether its command tells, if it is sent again, that it is on record already."""
        return any(event.command_digest is not None for event in self.events)

    def meets(self, seen: set[str | UUID | None]) -> bool:
        """Whether what it may not stand after, or its own command, is among what others leave."""
        if any(event.command_digest and event.command_id in seen for event in self.events):
            return True
        return any(
            seen.issuperset(tags) and (not types or any(type_tag(type_) in seen for type_ in types))
            for types, tags in self.items
        )

    def leaves(self, seen: set[str | UUID | None]) -> None:
        """Note what others of its batch may meet: its tags, types and command."""
        for event in self.events:
            seen.add(event.command_id)
            seen.add(type_tag(event.type))
            seen.update(event.tags)


def type_tag(type_: str) -> str:
    """A type as a tag, which none has besides: the events of a type are found by it."""
    return f"t:{type_}"


def asks_for(item: tuple[Sequence[str], Sequence[str]], type_: str, tags: Sequence[str]) -> bool:
    """Whether an event of this type, with these tags, matches an item."""
    types, wanted = item
    return (not types or type_ in types) and all(tag in tags for tag in wanted)


def arguments(
    batch: Iterable[Request], studies: Sequence[str]
) -> tuple[list[Sequence[Any]], list[tuple[int, int]]]:
    """What record.append takes, and where each request's last event will stand.

    Tuples for composite types: asyncpg looks at every element of an array several times over, but
    at the fields of a composite only once.
    """
    number = {study: n for n, study in enumerate(studies, 1)}
    counts = [0] * len(studies)
    conditions: list[tuple[Any, ...]] = []
    drafts: list[tuple[Any, ...]] = []
    parts: list[tuple[Any, ...]] = []
    words: list[tuple[Any, ...]] = []
    lasts = []
    for r, request in enumerate(batch):
        n = number[request.study]
        for (types, tags), after in zip(request.items, request.after, strict=True):
            if tags:
                first, *rest = map(tag_hash, tags)
                others = "{" + ",".join(map(str, rest)) + "}" if rest else None
                conditions.append((r, n, after, first, others, ",".join(types) or None))
            elif types:
                firsts = [tag_hash(type_tag(type_)) for type_ in types]
                conditions += [(r, n, after, first, None, None) for first in firsts]
            else:
                conditions.append((r, n, after, None, None, None))
        for e in request.events:
            counts[n - 1] += 1
            ordinal = counts[n - 1]
            hashes = {tag_hash(tag) for tag in (type_tag(e.type), *e.tags)}
            drafts.append((
                r, n, ordinal, e.event_id, e.type, e.schema, e.actor, e.occurred_at, e.command_id,
                e.command_digest, SEPARATOR.join(e.tags), hashes, e.envelope, e.payload,
                SEPARATOR.join([field.path for field in e.sealed]) if e.sealed else None,
                e.salt, *e.leaf,
            ))  # fmt: skip
            for field in e.sealed:
                subjects = SEPARATOR.join(field.subjects)
                parts.append((n, ordinal, field.path, subjects, field.blob))
            words += [(n, ordinal, path, word) for path, word in e.words]
        lasts.append((n - 1, counts[n - 1]))
    return [studies, counts, conditions, drafts, parts, words], lasts
