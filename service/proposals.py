"""What was sent becomes a proposal: one reading for GraphQL and files, every fault at once."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache, lru_cache
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct
from strawberry.utils.str_converters import to_snake_case
from structlog.contextvars import get_contextvars

from domain.commands import Command, Occasion, Refused, all_commands, command_types, read_given
from domain.conditions import Reason
from domain.vocabulary import (
    Channel,
    MemberId,
    Phase,
    StudyId,
    Text,
    annotations_of,
    in_camel_case,
    may_hold,
)
from service.research_record import Proposal

FIRST_YEAR, LAST_YEAR = 1900, 2999

python_name = lru_cache(1_000)(to_snake_case)


class GivenOccasion(Struct, frozen=True, kw_only=True):
    """What the sender of any command says of the occasion."""

    study: StudyId  # in whose record it belongs
    command_id: UUID  # made by you, new for each command: sent again, it is answered, not repeated
    occurred_at: Annotated[datetime, Meta(tz=True)]  # when it happened, with the offset from UTC
    phase: Phase | None = None  # the phase to file it under, if not its usual one
    channel: Channel | None = None  # how it reached you: api unless you say so
    on_behalf_of: MemberId | None = None  # the member on whose word you record it
    reason: Text | None = None  # why it is so, or so late; it is sealed as yours: name nobody else
    caused_by: Annotated[int, Meta(ge=1)] | None = None  # position of the event that led to it


def verb(command: type[Command[Any]]) -> str:
    """The command's name in GraphQL and in files: `HoldWorkshop` is `holdWorkshop`."""
    return command.__name__[0].lower() + command.__name__[1:]


@cache
def commands() -> dict[str, type[Command[Any]]]:
    """Every command offered to members, by its verb."""
    return {verb(command): command for command in command_types()}


@cache
def commands_in_files() -> dict[str, type[Command[Any]]]:
    """Every command, by its verb: a file may bring what came in by a door of its own."""
    return {verb(command): command for command in all_commands()}


def proposal(
    command: type[Command[Any]], sent: dict[str, Any], member: str, default: Channel
) -> Proposal:
    """The command as a proposal; `sent` has Python's names. Raises `Refused` with every fault."""
    occasion: GivenOccasion | None = None
    event = None
    faults: list[Reason] = []
    about = {
        name: sent[name] for name in GivenOccasion.__struct_fields__ if sent.get(name) is not None
    }
    content = {
        name: in_snake_case(value)  # `standing`, as JSON, comes in the names that clients know
        for name, value in sent.items()
        if name not in GivenOccasion.__struct_fields__
    }
    try:
        occasion = read_given(GivenOccasion, about)
    except Refused as refused:
        faults += refused.reasons
    try:
        event = read_given(command.EVENT, content, derived=not command.OFFERED)
    except Refused as refused:
        faults += refused.reasons
    faults += out_of_time(occasion)
    faults += out_of_time(event)
    if faults or occasion is None or event is None:
        raise Refused(faults)
    return Proposal(
        command=command,
        event=event,
        occasion=Occasion(
            study=occasion.study,
            command_id=occasion.command_id,
            actor=member,
            occurred_at=occasion.occurred_at,
            asked_at=datetime.now(UTC),
            channel=occasion.channel or default,
            phase=occasion.phase,
            on_behalf_of=occasion.on_behalf_of,
            reason=occasion.reason,
            caused_by=occasion.caused_by,
            request_id=get_contextvars().get("request_id"),
        ),
    )


def out_of_time(value: Any, path: str = "") -> Iterable[Reason]:
    """A reason for each day or moment that no study can mean, anywhere within the value.

    Years at the ends of the calendar are slips of the pen or stand for "for ever", and to reckon
    with them goes over those ends.
    """
    if isinstance(value, Struct):
        for name in _fields_of_time(type(value)):
            yield from out_of_time(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for n, part in enumerate(value):
            yield from out_of_time(part, f"{path}.{n}")
    elif isinstance(value, date) and not FIRST_YEAR <= value.year <= LAST_YEAR:
        yield Reason(
            code="field_invalid",
            message=f"{in_camel_case(path)}: The year must be from {FIRST_YEAR} to {LAST_YEAR}, "
            f"not {value.year}; where there is no end, leave it out.",
            path=path,
        )


@cache
def _fields_of_time(shape: type[Struct]) -> list[str]:
    """The fields in which a day or a moment may stand."""
    return [name for name, hint in annotations_of(shape).items() if may_hold(hint, date, Struct)]


def in_snake_case(value: Any) -> Any:
    """What is said in clients' names, in Python's names; of an enumeration, the value alone."""
    if isinstance(value, dict):
        return {python_name(name): in_snake_case(part) for name, part in value.items()}
    if isinstance(value, list):
        return [in_snake_case(part) for part in value]
    return value.value if isinstance(value, Enum) else value
