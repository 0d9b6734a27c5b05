"""Files of commands: one JSON object a line (JSONL), as GraphQL takes and `export` writes them.

`{"command": "holdWorkshop", "actor": "ana", "input": {"study": "maize", "commandId": ...}}`:
`input` is the mutation's; `actor` is the member who did it, if it was not whoever imports the file.
"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import msgspec

from domain.conditions import Reason
from domain.vocabulary import MemberId
from service.numbered_lines import Checked, CommandIds, Rejected, checked, decoded, fault, rejected
from service.proposals import commands_in_files, in_snake_case

NAMES = ("command", "actor", "input")


def command_lines(lines: Iterable[bytes], study: str | None, member: str) -> Iterator[Checked]:
    """Every line as a proposal, or rejected; `study` stands in place of what the lines say."""
    ids = CommandIds("jsonl")
    for line in decoded(lines):
        if isinstance(line, Rejected):
            yield line
        elif line[1].strip():
            yield _read(*line, study, member, ids)


def _read(number: int, text: str, study: str | None, member: str, ids: CommandIds) -> Checked:
    try:
        sent = msgspec.json.decode(text)
        given = in_snake_case(sent["input"]) if _complete(sent) else None
    except (msgspec.DecodeError, RecursionError) as error:
        return fault(number, "not_json", f"The line is not JSON that can be read: {error}.")
    if given is None:
        return _incomplete(number, sent)
    verb, actor = sent["command"], sent.get("actor", member)
    try:
        msgspec.convert(actor, MemberId)
    except msgspec.ValidationError:
        message = "actor: It must be a member's identifier, as in the study's record."
        return rejected(number, verb, [Reason(code="field_invalid", message=message, path="actor")])
    if study is not None:
        given["study"] = study
    id_made = given.get("command_id") is None
    if id_made:
        content = msgspec.json.encode([sent.get("actor"), verb, given], order="deterministic")
        given["command_id"] = ids.made(str(given.get("study")), content.decode())
    return checked(number, verb, commands_in_files()[verb], given, actor, id_made=id_made)


def _complete(sent: Any) -> bool:
    """Whether a line says what it must in order to be looked at closely."""
    return (
        isinstance(sent, dict)
        and not sent.keys() - NAMES
        and isinstance(sent.get("command"), str)
        and sent["command"] in commands_in_files()
        and isinstance(sent.get("input"), dict)
    )


def _incomplete(number: int, sent: Any) -> Rejected:
    """Everything that keeps a line from being looked at closely."""
    if not isinstance(sent, dict):
        message = 'Write an object: {"command": "holdWorkshop", "input": {...}}.'
        return fault(number, "not_an_object", message)
    verb = sent.get("command")
    reasons = [
        Reason(code="field_unknown", path=name, message=f"There is no field {name}; remove it.")
        for name in sent.keys() - NAMES
    ]
    if not isinstance(verb, str):
        message = "command: Say which, such as holdWorkshop."
        reasons.append(Reason(code="command_unknown", path="command", message=message))
    elif verb not in commands_in_files():
        near = "".join(
            f", or did you mean {name}" for name in get_close_matches(verb, commands_in_files(), 1)
        )
        message = f"There is no command {verb}; see `parcycle events`{near}."
        reasons.append(Reason(code="command_unknown", path="command", message=message))
    if not isinstance(sent.get("input"), dict):
        message = "input: Give an object with the command's fields."
        reasons.append(Reason(code="field_missing", path="input", message=message))
    return rejected(number, verb if isinstance(verb, str) else "", reasons)
