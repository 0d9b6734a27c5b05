"""The fields of a form, made from what a command asks for: its types, comments and docstrings.

There is no second list of commands or fields: what `service/graphql_types.py` reads for GraphQL is
read here for people.
"""

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct

from domain.commands import Command
from domain.vocabulary import Identifies, Personal, marked, parts_of
from service.graphql_types import comments_on, fields_given, first_line
from service.proposals import GivenOccasion

MOST = 1_000_000_000  # a number's bound beyond it is no help to anybody
SHORT = 300  # characters: a longer text gets a field of several lines
NEW = re.compile(r'\bnew\("(\w+)"|\b(\w+)_is_new\(')
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
ABOUT_THE_OCCASION = ("phase", "on_behalf_of", "reason", "caused_by")


@dataclass(frozen=True)
class FormField:
    """One thing that a form asks for.

    `kind` is how it is asked: line, text, identifier, number, date, moment, choice, yes_no, tick,
    json; several at once by lines, numbers, ticks (of choices) or identifiers; a `group` of parts,
    or `rows` of them.
    """

    name: str  # as the command has it
    label: str
    help: str
    kind: str
    required: bool
    default: str = ""  # what stands in a fresh form
    of: str = ""  # identifier: of what kind
    new: bool = False  # identifier: not on record yet
    personal: bool = False
    choices: tuple[tuple[str, str], ...] = ()  # value and words
    parts: tuple["FormField", ...] = ()
    least: int = 0  # of a list: how many at least
    longest: int | None = None  # characters, or entries of a list
    lowest: float | None = None  # of a number
    highest: float | None = None
    whole: bool = True  # of a number: no fractions


def fields_of(command: type[Command[Any]]) -> tuple[FormField, ...]:
    """What the command's form asks for, in the order of its event: what must be given first."""
    return _sorted(_fields(command.EVENT, new_in(command)))


@cache
def occasion_fields() -> dict[str, FormField]:
    """What any form asks of the occasion, by name."""
    return {
        each.name: each
        for each in _fields(GivenOccasion, ())
        if each.name in ("occurred_at", *ABOUT_THE_OCCASION)
    }


def title_of(command: type[Command[Any]]) -> str:
    """The command in words: `HoldFocusGroup` is "Hold focus group"."""
    return WORDS.sub(" ", command.__name__).capitalize()


@cache
def new_in(command: type[Command[Any]]) -> tuple[str, ...]:
    """The kinds of identifier that the command requires to be new, by its own conditions."""
    found = NEW.findall(inspect.getsource(command.requires))
    return tuple(kind or other for kind, other in found)


def _sorted(fields: Iterable[FormField]) -> tuple[FormField, ...]:
    every = list(fields)
    return (*(f for f in every if f.required), *(f for f in every if not f.required))


def _fields(shape: type[Struct], new: tuple[str, ...]) -> Iterable[FormField]:
    comments = comments_on(shape)
    for name, (hint, default) in fields_given(shape).items():
        yield _field(name, hint, default, comments.get(name, ""), new)


def _field(
    name: str, hint: Any, default: Any, comment: str, new: tuple[str, ...] = ()
) -> FormField:
    of, metas = _bare(hint)
    optional = isinstance(None, of) if isinstance(of, UnionType) else type(None) in get_args(of)
    if optional and get_origin(of) in (Union, UnionType):
        of, more = _bare(next(each for each in get_args(of) if each is not type(None)))
        metas += more
    named = next((part.kind for part in parts_of(hint) if isinstance(part, Identifies)), "")
    kind, more_about = _asked_as(of, metas, named, default, optional=optional)
    said = " ".join(_said(hint, comment, named))
    return FormField(
        name=name,
        label=_label(name),
        help=(said or more_about.pop("help", "")).replace(" .", " …"),
        kind=kind,
        required=default is NODEFAULT,
        default=_shown(default),
        of=named,
        new=kind == "identifier" and name == named and named in new,
        personal=marked(hint, Personal) is not None,
        **{key: value for key, value in more_about.items() if key != "help"},
    )


def _said(hint: Any, comment: str, named: str) -> Iterable[str]:
    """What helps to fill it in: the words on it, and how it is written."""
    marks = list(_marks(hint))
    yield from ([mark for mark in marks if isinstance(mark, str)] or ([comment] if comment else []))
    for meta in (mark for mark in marks if isinstance(mark, Meta)):
        if meta.description and not named:
            yield meta.description
        elif meta.ge is not None and meta.le is not None and meta.le <= MOST:
            yield f"From {meta.ge:,} to {meta.le:,}."


def _marks(hint: Any) -> Iterable[Any]:
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
        yield from _marks(hint.__origin__)
    else:
        for part in get_args(hint):
            yield from _marks(part)


def _bare(hint: Any) -> tuple[Any, list[Meta]]:
    """The annotation without its marks, and its bounds."""
    if get_origin(hint) is Annotated:
        inner, metas = _bare(hint.__origin__)
        return inner, [*(m for m in hint.__metadata__ if isinstance(m, Meta)), *metas]
    return hint, []


def _asked_as(
    of: Any, metas: list[Meta], named: str, default: Any, *, optional: bool
) -> tuple[str, dict[str, Any]]:
    """How a value of this type is asked for, and what there is to say of it."""
    bounds = _bounds(metas)
    if get_origin(of) in (list, tuple):
        part, part_metas = _bare(get_args(of)[0])
        sized = {
            "least": next((m.min_length for m in metas if m.min_length), 0),
            "longest": next((m.max_length for m in metas if m.max_length), None),
        }
        if isinstance(part, type) and issubclass(part, Struct):
            parts = _sorted(_fields(part, ()))
            return "rows", {"parts": parts, "help": first_line(part), **sized}
        if isinstance(part, type) and issubclass(part, Enum):
            return "ticks", {"choices": _choices(part), "help": first_line(part), **sized}
        if part is int:
            return "numbers", {**_bounds(part_metas), **sized}
        coded = named or any(m.pattern for m in part_metas)
        return ("identifiers" if coded else "lines"), sized
    if isinstance(of, type) and issubclass(of, Struct):
        return "group", {"parts": _sorted(_fields(of, ())), "help": first_line(of)}
    if isinstance(of, type) and issubclass(of, Enum):
        return "choice", {"choices": _choices(of), "help": first_line(of)}
    if of is bool:
        return ("tick" if default is False and not optional else "yes_no"), {}
    if of in (int, float):
        return "number", {**bounds, "whole": of is int}
    if of is date:
        return "date", {}
    if of is datetime:
        return "moment", {}
    if get_origin(of) is dict:
        return "json", {}
    if named or any(m.pattern for m in metas):
        return "identifier", {}
    longest = bounds["longest"]
    return ("line" if longest and longest <= SHORT else "text"), {"longest": longest}


def _bounds(metas: list[Meta]) -> dict[str, Any]:
    return {
        "longest": next((m.max_length for m in metas if m.max_length is not None), None),
        "lowest": next((m.ge for m in metas if m.ge is not None), None),
        "highest": next((m.le for m in metas if m.le is not None), None),
    }


def _choices(of: type[Enum]) -> tuple[tuple[str, str], ...]:
    return tuple((str(each.value), _label(str(each.value))) for each in of)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _shown(default: Any) -> str:
    """A default as it stands in a field."""
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, bool) or default in (None, NODEFAULT, ()):
        return str(default).lower() if isinstance(default, bool) else ""
    return str(default) if isinstance(default, (int, float, str)) else ""
