"""Appends: what is to go on record unless something else stands there."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

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
    marks: tuple[str, ...] = ()  # by which it is found: its type's tag, and its tags
    row: tuple[Any, ...] = ()  # as record.append takes it, but for its place: see append_rows.py

    def __post_init__(self) -> None:  # made now, while PostgreSQL writes others
        marks = (type_tag(self.type), *self.tags)
        paths = SEPARATOR.join([field.path for field in self.sealed]) if self.sealed else None
        row = (
            self.event_id, self.type, self.schema, self.actor, self.occurred_at, self.command_id,
            self.command_digest, SEPARATOR.join(self.tags), hashes_in_text(marks),
            self.envelope, self.payload, paths, self.salt, *self.leaf,
        )  # fmt: skip
        structs.force_setattr(self, "marks", marks)
        structs.force_setattr(self, "row", row)


class Appended(Struct, frozen=True):
    """Where the last event of an append stands, and when it was recorded."""

    position: int
    recorded_at: datetime


class Conflict(Exception):
    """An event that meets the condition stands after the position: look again, decide again."""


class Repeated(Exception):
    """A command of the append is on record already: look its answer up."""


class RecordUnavailable(Exception):
    """The database cannot be reached; whether the events are on record is not known.

    Send the command again with the same id: if it was recorded, it gets that answer.
    """


class Request(Struct):
    """An append that waits for the writer."""

    study: str
    events: Sequence[Draft]
    items: Items
    after: Sequence[int]  # for each item
    answer: "asyncio.Future[Appended]"
    read_by: object = None  # the connection as of which it was read on what it rests, if on any

    @property
    def repeatable(self) -> bool:
        """Whether its command tells, if it is sent again, that it is on record already."""
        return any(event.command_digest is not None for event in self.events)

    def fail(self, fault: Exception) -> None:
        """Answer with this, unless it is answered or its caller has left."""
        if not self.answer.done():
            self.answer.set_exception(fault)

    def meets(self, seen: set[str | UUID | None]) -> bool:
        """Whether what it may not stand after, or its own command, is among what others leave."""
        for event in self.events:
            if event.command_digest and event.command_id in seen:
                return True
        for types, tags in self.items:
            if seen.issuperset(tags) and (not types or not seen.isdisjoint(map(type_tag, types))):
                return True
        return False

    def leaves(self, seen: set[str | UUID | None]) -> None:
        """Note what others of its batch may meet: its tags, types and command."""
        for event in self.events:
            seen.add(event.command_id)
            seen.update(event.marks)


def type_tag(type_: str) -> str:
    """A type as a tag, which none has besides: the events of a type are found by it."""
    return f"t:{type_}"


def asks_for(item: tuple[Sequence[str], Sequence[str]], type_: str, tags: Sequence[str]) -> bool:
    """Whether an event of this type, with these tags, matches an item."""
    types, wanted = item
    return (not types or type_ in types) and all(tag in tags for tag in wanted)


def hashes_in_text(tags: Iterable[str]) -> str:
    """As PostgreSQL reads an array: asyncpg looks at each element of one, but not into a text."""
    return "{" + ",".join(map(str, {*map(tag_hash, tags)})) + "}"
