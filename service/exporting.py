"""Export: a study as the commands that made it, one a line, which import reads into an empty study.

What a command works out from the record (`Derived`) is left out: it is worked out again, the same,
from the same events in the same order. Of the envelope, everything is kept but the request's id and
when it was recorded. Personal data are there, so the file is to be kept as the study's record is;
where a text is erased, `[erased]` stands.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from asyncpg import Connection

from domain.commands import Command, all_commands, command_types, given_fields
from domain.corrections import Corrected
from domain.vocabulary import Entry, ResearchEvent, in_camel_case
from domain.withdrawal import ConsentWithdrawn, WithdrawByCode
from projections.entries import entries, head_of
from service.personal_texts import PersonalTexts
from service.proposals import verb


class NothingToExport(Exception):
    """The study has no record here."""


async def export_study(
    db: Connection,
    texts: PersonalTexts,
    study: str,
    write_line: Callable[[str], object],
    progress: Callable[[int, int], object] = lambda done, total: None,
    *,
    before: int | None = None,
) -> int:
    """Write every event of a study as it stands now, in order; return how many there were.

    With `before`, those before that position. A line is given without its end.
    Raises `NothingToExport`.
    """
    head = await head_of(db, study) if before is None else before - 1
    if head == 0:
        raise NothingToExport(
            f"Nothing of a study {study} is on record here; check the identifier."
        )
    position = 0
    while position < head:
        for entry in await texts.in_place(await entries(db, study, position, head)):
            write_line(command_line(entry))
            position = entry.position
        progress(position, head)
    return head


def command_line(entry: Entry) -> str:
    """The command that records the event again, on the same occasion."""
    event, envelope = entry.event, entry.envelope
    command = _command_of(event)
    content = {
        name: value
        for name, value in msgspec.to_builtins(event).items()
        if not command.OFFERED or name in given_fields(type(event))
    }
    if isinstance(event, Corrected):  # on record, its personal values are kept apart
        values = event.standing | (event.personal_standing or {})
        content["standing"] = {name: values[name] for name in event.fields if name in values}
    occasion = {
        "study": entry.study,
        "commandId": entry.command_id,
        "occurredAt": entry.occurred_at.isoformat(),
        "phase": None if envelope.phase is event.PHASE else envelope.phase,
        "channel": envelope.channel,
        "onBehalfOf": envelope.on_behalf_of,
        "reason": entry.reason,
        "causedBy": envelope.caused_by,
    }
    line = {
        "command": verb(command),
        "actor": entry.actor,
        "input": {name: value for name, value in occasion.items() if value is not None}
        | _in_files_names(content),
    }
    return msgspec.json.encode(line).decode()


def _command_of(event: ResearchEvent) -> type[Command[Any]]:
    """The command that asks for the event."""
    if isinstance(event, ConsentWithdrawn) and event.code_sha256 is not None:
        return WithdrawByCode
    return _commands()[type(event)]


@cache
def _commands() -> dict[type[ResearchEvent], type[Command[Any]]]:
    return {command.EVENT: command for command in [*all_commands(), *command_types()]}


def _in_files_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {in_camel_case(name): _in_files_names(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_in_files_names(part) for part in value]
    return value
