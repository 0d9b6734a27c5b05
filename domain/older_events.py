"""Events as they are written on record, and read back, whichever release wrote them.

An event goes on record in parts: its public payload, which reads by itself, and each personal text
apart from it, so that it can be sealed and erased. What an earlier release wrote stays as it is;
`UPCASTS` says how to understand it today.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import structs

from domain.vocabulary import (
    ResearchEvent,
    annotations_of,
    event_types,
    personal_fields,
)


def _only_fields_added(fields: dict[str, Any]) -> dict[str, Any]:
    """The next schema has more fields, and what is not there holds its default."""
    return fields


# (type, schema) -> the same event's fields as the next schema has them; each step is made once,
# when a class changes shape and raises its SCHEMA, and is kept for ever. A step sees the personal
# fields beside the public ones, but cannot count on them: they may be erased or withheld.
UPCASTS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("ConsentGiven", 1): _only_fields_added,
    ("ConsentWithdrawn", 1): _only_fields_added,
    ("FocusGroupHeld", 1): _only_fields_added,
    ("InterviewHeld", 1): _only_fields_added,
    ("ObservationMade", 1): _only_fields_added,
    ("OpinionGiven", 1): _only_fields_added,
    ("WorkshopHeld", 1): _only_fields_added,
}


class Unreadable(ValueError):
    """What stands on record cannot be understood by this release; says what and what to do."""


def write_recorded(event: ResearchEvent) -> tuple[bytes, dict[str, bytes]]:
    """The event's public payload, and its personal fields one by one, as JSON.

    Personal fields that hold their default are left out.
    """
    public, personal = event.parted()
    encode = msgspec.json.encode
    return encode(public), {name: encode(value) for name, value in personal.items()}


def read_recorded(
    type: str, schema: int, payload: bytes, personal: Mapping[str, bytes]
) -> ResearchEvent:
    """The event of that type and schema, with those personal fields that may be shown.

    Personal fields that are not given hold their default, or `WITHHELD`. Raises `Unreadable`.
    """
    event_type = _type_named(type)
    try:
        if schema != event_type.SCHEMA:
            return _brought_up_to_date(event_type, schema, payload, personal)
        event = _decoder(event_type).decode(payload)
        if personal:
            parts = {name: _part(event_type, name).decode(personal[name]) for name in personal}
            event = structs.replace(event, **parts)
        return event
    except msgspec.DecodeError as fault:  # also when a value is not valid
        raise Unreadable(f"A recorded {type} (schema {schema}) cannot be read: {fault}.") from fault


def _brought_up_to_date(
    event_type: type[ResearchEvent], schema: int, payload: bytes, personal: Mapping[str, bytes]
) -> ResearchEvent:
    name = event_type.TOPIC
    if not 1 <= schema < event_type.SCHEMA:
        raise Unreadable(
            f"A recorded {name} has schema {schema}; this release knows 1 to {event_type.SCHEMA}: "
            "run the release that wrote it, or a later one."
        )
    fields = msgspec.json.decode(payload, type=dict[str, Any])
    fields |= {field: msgspec.json.decode(part) for field, part in personal.items()}
    for step in range(schema, event_type.SCHEMA):
        if (name, step) not in UPCASTS:
            raise Unreadable(
                f"Nothing in UPCASTS brings a {name} of schema {step} to schema {step + 1}; "
                "add that step to domain/older_events.py."
            )
        fields = UPCASTS[name, step](fields)
    if unknown := fields.keys() - annotations_of(event_type).keys():
        raise Unreadable(
            f"A recorded {name} (schema {schema}) has fields that {name} has no more: "
            f"{', '.join(sorted(unknown))}; let its step in UPCASTS say what becomes of them."
        )
    return msgspec.convert(fields, event_type)


@cache
def _types() -> dict[str, type[ResearchEvent]]:
    return {each.TOPIC: each for each in event_types()}


def _type_named(name: str) -> type[ResearchEvent]:
    try:
        return _types()[name]
    except KeyError:
        raise Unreadable(
            f"This release knows no event of type {name}: run the release that wrote it, "
            "or a later one."
        ) from None


@cache
def _decoder(event_type: type[ResearchEvent]) -> msgspec.json.Decoder[ResearchEvent]:
    return msgspec.json.Decoder(event_type)


@cache
def _part(event_type: type[ResearchEvent], name: str) -> msgspec.json.Decoder[Any]:
    """How one personal field of the event is decoded."""
    if name not in personal_fields(event_type):
        raise Unreadable(
            f"A recorded {event_type.TOPIC} has a personal part {name!r}, which {event_type.TOPIC} "
            "does not have; if the field was renamed, raise SCHEMA and add a step to UPCASTS."
        )
    return msgspec.json.Decoder(annotations_of(event_type)[name])
