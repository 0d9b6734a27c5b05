"""Drafts: what a command decided, with its envelope and its leaf, as it is about to be appended."""

from datetime import UTC
from os import urandom
from time import time_ns
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from asyncpg.pgproto.pgproto import UUID as QuickUUID  # as a text in a tenth of the time
from eventsourcing.dcb.domain import Tagged

from domain.commands import Command
from domain.erased_subjects import SubjectErased
from domain.older_events import write_recorded
from domain.vocabulary import Envelope, ResearchEvent
from service.appends import Draft
from service.personal_texts import Part, Sealed, parts_of
from service.sealing.leaves import (
    LEAF_BYTES,
    SALT_BYTES,
    commitment,
    leaf_around_time,
    public_part,
)


class Decided(NamedTuple):
    """What a command decided, about to be appended."""

    event_id: UUID
    command: Command[Any]
    event: ResearchEvent
    tags: list[str]
    payload: bytes
    parts: list[Part]
    command_digest: bytes  # of what the command asked for

    @classmethod
    def of(
        cls, command: Command[Any], tagged: Tagged[ResearchEvent], command_digest: bytes
    ) -> "Decided":
        occasion, event = command.occasion, tagged.decision
        payload, personal = write_recorded(event)
        parts = parts_of(event, personal, occasion.actor, occasion.reason)
        return cls(uuid7(), command, event, tagged.tags, payload, parts, command_digest)


def uuid7() -> UUID:
    """A new event id that sorts by time (RFC 9562, 5.7)."""
    random_bits = int.from_bytes(urandom(10), "big")
    value = (time_ns() // 1_000_000 << 80) | random_bits
    value = value & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x7000 << 64 | 0x8000 << 48
    return QuickUUID(value.to_bytes(16, "big"))


def names_too_much(decided: Decided) -> bool:
    """Whether the leaf might be too long: each line with what else stands in it, at most."""
    named = sum(len(tag) + 12 for tag in decided.tags)
    sealed = sum(len(p.path) + sum(len(s) + 1 for s in p.subjects) + 160 for p in decided.parts)
    return 1_000 + named + sealed > LEAF_BYTES


def draft(origin: str, decided: Decided, sealed: Sealed) -> Draft:
    event_id, command, event, tags, payload, _, command_digest = decided
    occasion = command.occasion
    role = command.role_held.role
    offset = occasion.occurred_at.utcoffset()
    envelope = msgspec.json.encode(
        Envelope(
            role=role.value if role else "",
            phase=occasion.phase or event.PHASE,
            channel=occasion.channel,
            offset=int(offset.total_seconds() // 60) if offset else 0,
            on_behalf_of=occasion.on_behalf_of,
            caused_by=occasion.caused_by,
            approval=command.approval(),
            consents=command.consents(),
            request_id=occasion.request_id,
        )
    )
    salt = urandom(SALT_BYTES)
    return Draft(
        event_id=event_id,
        type=event.TOPIC,
        schema=event.SCHEMA,
        actor=occasion.actor,
        occurred_at=occasion.occurred_at.astimezone(UTC),
        tags=tags,
        envelope=envelope,
        payload=payload,
        salt=salt,
        leaf=leaf_around_time(
            origin=origin,
            event_id=event_id,
            type_=event.TOPIC,
            schema=event.SCHEMA,
            occurred_at=occasion.occurred_at,
            actor=occasion.actor,
            tags=tags,
            public=commitment(salt, event_id, "pub", public_part(envelope, payload)),
            sealed=sealed.fields,
            erased=event.subjects if isinstance(event, SubjectErased) else (),
        ),
        sealed=sealed.fields,
        words=sealed.words,
        command_id=occasion.command_id,
        command_digest=command_digest,
    )
