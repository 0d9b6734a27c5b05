"""What is held of participants: one rule for whoever asks what becomes of it when they withdraw.

An event whose class says by `HELD` what it keeps is an item held of every participant it names:
what they said, made or did for the research, or was recorded of them. Not held in this sense is the
record of how the study was conducted (who takes part, consent, safety, contact, votes that were
counted): it stands whatever they take back. What only rests on an item (a finding, its publication,
a plan) holds nothing of theirs itself: it is touched by a withdrawal, and owes no disposition.
"""

from functools import cache

from domain.vocabulary import (
    HeldKind,
    ParticipantId,
    ResearchEvent,
    event_types,
    identifying_fields,
)

# These have no identifier of their own, and are called by their place on record: event:12.
NAMELESS = frozenset({HeldKind.CONTRIBUTION, HeldKind.DEPOSIT})


def item_of(event: ResearchEvent, position: int) -> str | None:
    """What the item is called that the event holds, as a tag; none if it holds nothing of anybody.

    Its identifier is the first thing that the event names.
    """
    kind = type(event).HELD
    if kind is None:
        return None
    if kind in NAMELESS:
        return f"event:{position}"
    name, tag = identifying_fields(type(event))[0]
    return f"{tag}:{getattr(event, name)}"


def held_of(event: ResearchEvent) -> tuple[ParticipantId, ...]:
    """Whose data it holds, each once: the participants whom it names, if it holds anything."""
    if type(event).HELD is None:
        return ()
    named: list[ParticipantId] = []
    for field in _fields_of_participants(type(event)):
        value = getattr(event, field)
        named += value if isinstance(value, tuple) else [] if value is None else [value]
    return tuple(dict.fromkeys(named))


@cache
def holding_types() -> tuple[type[ResearchEvent], ...]:
    """The kinds of event that hold something of participants."""
    return tuple(each for each in event_types() if each.HELD is not None)


@cache
def nameless_types() -> list[type[ResearchEvent]]:
    """Those of them whose item has no identifier of its own."""
    return [each for each in holding_types() if each.HELD in NAMELESS]


@cache
def _fields_of_participants(shape: type[ResearchEvent]) -> tuple[str, ...]:
    return tuple(name for name, kind in identifying_fields(shape) if kind == "participant")
