"""What was sent with a form, read as the command takes it; and what is wrong with it, in words."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strawberry.utils.str_converters import to_snake_case

from domain.conditions import Reason
from domain.vocabulary import in_camel_case
from service.pages.log_fields import FormField

OFFSET = re.compile(r"\A([+-])(\d{1,2})(?::?(\d{2}))?\Z")
MINUTE = re.compile(r"\A\d{4}-\d{2}-\d{2}T\d{2}:\d{2}\Z")
APART = re.compile(r"[\s,;]+")
FORGOTTEN = re.compile(r"missing required field `(\w+)`")
WRITE = {
    "number": "Write a number{bounds}.",
    "numbers": "Write whole numbers{bounds}, with commas between them.",
    "date": "Choose a day.",
    "moment": "Choose the day and the time, and the offset from UTC at that place: +01:00.",
    "choice": "Choose one of those offered.",
    "ticks": "Choose among those offered.",
    "yes_no": "Choose yes or no.",
    "json": 'Write it as JSON, such as {{"topic": "Water"}}.',
}


class Sent:
    """The names and values of a form, as a browser sends them."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if isinstance(value, str):
                self._values.setdefault(name, []).append(value.replace("\r\n", "\n"))

    def one(self, name: str) -> str:
        """The value of a name, without spaces around it; "" if there is none."""
        return self._values.get(name, [""])[0].strip()

    def every(self, name: str) -> list[str]:
        """All values of a name, as of boxes that were ticked."""
        return self._values.get(name, [])

    def shown(self, name: str, otherwise: str) -> str:
        """What stands in a field: what was sent for it, or what stands in a fresh one."""
        return self._values.get(name, [otherwise])[0]

    def rows(self, path: str) -> list[int]:
        """The numbers of the rows that were sent under a path."""
        found = {
            int(number)
            for name in self._values
            if name.startswith(f"{path}.")
            and (number := name.removeprefix(f"{path}.").partition(".")[0]).isascii()
            and number.isdigit()
            and len(number) < 5
        }
        return sorted(found)


@dataclass
class Read:
    """What a form says, in the command's names, and which rows of it were filled in."""

    given: dict[str, Any]
    rows: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field, or with the whole if `path` is ""."""

    path: str
    label: str
    message: str
    code: str


def read_form(fields: Iterable[FormField], sent: Sent) -> Read:
    """What was filled in; what was left empty is left out."""
    read = Read({})
    read.given = _read(fields, sent, "", read.rows)
    return read


def _read(
    fields: Iterable[FormField], sent: Sent, before: str, rows: dict[str, list[int]]
) -> dict[str, Any]:
    given = {}
    for each in fields:
        value = _value(each, sent, before + each.name, rows)
        may_be_empty = each.required and each.kind in ("group", "rows") and not each.least
        if value not in ("", None, [], {}) or may_be_empty:
            given[each.name] = value
    return given


def _value(each: FormField, sent: Sent, path: str, rows: dict[str, list[int]]) -> Any:
    match each.kind:
        case "group":
            part = _read(each.parts, sent, f"{path}.", rows)
            return part if each.required or not _blank(part, each.parts) else {}
        case "rows":
            found = {n: _read(each.parts, sent, f"{path}.{n}.", rows) for n in sent.rows(path)}
            filled = {n: part for n, part in found.items() if not _blank(part, each.parts)}
            rows[path] = list(filled)
            return list(filled.values())
        case "ticks":
            return sent.every(path)
        case "identifiers":
            by_hand = APART.split(sent.one(f"{path}.others"))
            return [v for v in dict.fromkeys([*sent.every(path), *by_hand]) if v]
        case "lines":
            return [line.strip() for line in sent.one(path).splitlines() if line.strip()]
        case "numbers":
            return [value for value in APART.split(sent.one(path)) if value]
        case "moment":
            return moment(sent.one(path), sent.one("offset"))
        case "json":
            return _json(sent.one(path))
        case _:
            return sent.one(path)


def _blank(part: Mapping[str, Any], fields: Sequence[FormField]) -> bool:
    """Whether nothing was filled in but what stood there before."""
    usual = {each.name: each.default for each in fields}
    return all(value == usual[name] for name, value in part.items())


def moment(local: str, offset: str) -> str:
    """A day and time at a place, with the place's offset: RFC 3339, if both can be read."""
    if not MINUTE.match(local):
        return local
    if offset.upper() in ("Z", "UTC"):
        return f"{local}:00Z"
    if (found := OFFSET.match(offset.replace("\N{MINUS SIGN}", "-"))) is None:
        return f"{local} {offset}".strip()  # refused, with the words for a moment
    sign, hours, minutes = found.groups()
    return f"{local}:00{sign}{hours:0>2}:{minutes or '00'}"


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else ""
    except ValueError:
        return text


def faults_of(
    reasons: Iterable[Reason], fields: Iterable[FormField], read: Read
) -> tuple[Fault, ...]:
    """Every reason at the field that it concerns, in words for who filled it in."""
    every = list(fields)
    return tuple(_fault(reason, every, read.rows) for reason in reasons)


def _fault(reason: Reason, fields: Sequence[FormField], rows: dict[str, list[int]]) -> Fault:
    parts = [to_snake_case(part) for part in reason.path.split(".") if part]
    missing = reason.code == "field_missing"
    if reason.code == "field_invalid" and (found := FORGOTTEN.search(reason.message)):
        parts, missing = [*parts, to_snake_case(found[1])], True
    path, each = _place(parts, fields, rows)
    message = reason.message.replace("occurredAt", "when it happened")
    if each is None:
        return Fault("", "", message, reason.code)
    if missing:
        message = f"{each.label} is missing: fill it in."
    elif reason.code == "field_invalid":
        message = _in_words(each, reason)
    return Fault(path, each.label, message, reason.code)


def _place(
    parts: Sequence[str], fields: Sequence[FormField], rows: dict[str, list[int]]
) -> tuple[str, FormField | None]:
    """The field of the form that a reason's path leads to, and the path that it has there."""
    path, found, within = "", None, fields
    for part in parts:
        if found is not None and found.kind == "rows" and part.isdigit():
            kept = rows.get(path, [])
            path = f"{path}.{kept[int(part)] if int(part) < len(kept) else part}"
            continue
        inner = next((each for each in within if each.name == part), None)
        if inner is None:
            break
        path, found, within = f"{path}.{part}".strip("."), inner, inner.parts
    return path, found


def _in_words(each: FormField, reason: Reason) -> str:
    said = reason.message.removeprefix(f"{in_camel_case(reason.path)}: ")
    if each.kind == "json" and "." in reason.path:  # it is JSON, and a value in it is wrong
        return reason.message
    if words := WRITE.get(each.kind):
        low, high = each.lowest, each.highest
        bounds = f" from {low:,} to {high:,}" if low is not None and high is not None else ""
        return words.format(bounds=bounds)
    if "length <=" in said and each.longest:
        return f"That is too long: {each.longest:,} at most."
    if "length >=" in said:
        return f"{each.label}: choose or write {max(each.least, 1)} at least."
    return f"{each.label}: {said[0].lower()}{said[1:]}"
