"""GraphQL types made from the project's own: rows become objects, events' fields become inputs.

Names, descriptions and nullability come from the Python types and their docstrings, so that there
is no second list to keep.
"""

import inspect
import re
import types
from collections.abc import Callable, Iterable
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import strawberry
from graphql import GraphQLResolveInfo
from msgspec import NODEFAULT, Meta, Struct, structs
from strawberry import UNSET
from strawberry.relay import to_base64
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from domain.readings import Reading
from domain.vocabulary import Derived, Identifies, Personal, annotations_of, marked
from service.asking import Asker
from service.readings import PARTICIPANTS, pseudonyms


@strawberry.interface(description="Something with an identifier that is unique in the service.")
class Node:
    id: strawberry.ID = strawberry.field(description="Its global identifier: ask `node` for it.")


@strawberry.type(description="Where a page stands in its list (Relay Cursor Connections).")
class PageInfo:
    has_next_page: bool = strawberry.field(description="There is more after this page.")
    has_previous_page: bool = strawberry.field(description="There is more before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge.")


def object_type(row: type[Any], *more: tuple[str, StrawberryField]) -> type[Any]:
    """The GraphQL object for a row dataclass; `more` fields are resolved from the row."""
    if row not in _objects:
        _objects[row] = _object_type(row, more)
    return _objects[row]


_objects: dict[type[Any], type[Any]] = {}


def _object_type(row: type[Any], more: tuple[tuple[str, StrawberryField], ...]) -> type[Any]:
    hints = get_type_hints(row, include_extras=True)
    namespace: dict[str, Any] = {"__annotations__": {}, "__doc__": row.__doc__}
    bases: tuple[type[Any], ...] = ()
    if node := getattr(row, "NODE", None):
        bases = (Node,)
        key = node[1]
        namespace["id"] = strawberry.field(
            resolver=_resolver(
                lambda root, info: global_id(row.__name__, root.study, getattr(root, key)),
                strawberry.ID,
            ),
            description="Its global identifier: ask `node` for it.",
        )
    for field in dataclass_fields(row):
        hint = hints[field.name]
        of, description = output(hint), described(hint, spoken(field.name))
        if mark := marked(hint, Personal):
            namespace[field.name] = strawberry.field(
                resolver=_resolver(_personal(field.name, mark), of | None),
                description=description,
            )
        else:
            namespace["__annotations__"][field.name] = of
            namespace[field.name] = strawberry.field(description=description)
    namespace |= dict(more)
    namespace["is_type_of"] = classmethod(lambda cls, it, info: isinstance(it, (row, cls)))
    made = types.new_class(row.__name__, bases, exec_body=lambda body: body.update(namespace))
    return strawberry.type(made, description=first_line(row))


def global_id(kind: str, study: str, key: object) -> str:
    return to_base64(kind, f"{study}/{key}")


def _personal(name: str, mark: Personal) -> Callable[..., Any]:
    """Shows a personal field to those who may see it, and notes that they did."""

    async def shown(root: Any, info: strawberry.Info) -> Any:
        return await personal_text(info.context, root, name, mark)

    return shown


async def personal_text(asker: Asker, row: Any, name: str, mark: Personal) -> Any:
    """A personal field of a register's row, if they may see it; that they did is noted."""
    reference = getattr(row, name)
    if reference is None or not asker.sees(row.study, mark):
        return None
    # A text of a member's own may be about anybody: then nobody is named.
    about = pseudonyms(getattr(row, mark.of, None)) if mark.of in PARTICIPANTS else ()
    asker.has_read(row.study, Reading.PERSONAL_FIELDS, about)
    return await asker.texts.load((row.study, reference))


def _resolver(function: Callable[..., Any], returns: Any) -> Callable[..., Any]:
    """The function with the signature strawberry reads its types from."""

    def resolve(root: Any, info: strawberry.Info) -> Any:
        return function(root, info)

    resolve.__annotations__ = {"root": Any, "info": strawberry.Info, "return": returns}
    return resolve


def output(hint: Any) -> Any:
    """The GraphQL output type of a Python annotation."""
    if get_origin(hint) is Annotated:
        if marked(hint, Identifies) is not None:
            return strawberry.ID
        return output(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        (of,) = (each for each in get_args(hint) if each is not type(None))
        return output(of) | None
    if get_origin(hint) in (list, tuple):
        return list[output(get_args(hint)[0])]  # type: ignore[misc]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return enum(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return hint if hasattr(hint, "__strawberry_definition__") else object_type(hint)
    return hint


@cache
def enum(of: type[Enum]) -> Any:
    return strawberry.enum(of, description=first_line(of))


def input_type(
    name: str, description: str, shown: dict[str, tuple[Any, Any]], comments: dict[str, str]
) -> type[Any]:
    """A GraphQL input of these fields, each with its annotation and its default (or NODEFAULT)."""
    namespace: dict[str, Any] = {"__annotations__": {}}
    required = [field for field, (_, default) in shown.items() if default is NODEFAULT]
    for field in [*required, *(each for each in shown if each not in required)]:
        hint, default = shown[field]
        of, words = given(hint), described(hint, comments.get(field) or spoken(field))
        if default is NODEFAULT:
            namespace[field] = strawberry.field(description=words)
        else:  # left out is not the same as null: the domain's own default then counts
            of = of | None
            namespace[field] = strawberry.field(description=words, default=UNSET)
        namespace["__annotations__"][field] = of
    return strawberry.input(type(name, (), namespace), description=description)


def fields_given(shape: type[Struct]) -> dict[str, tuple[Any, Any]]:
    """What a sender gives of a shape: the annotation and default of each field."""
    defaults = {field.name: field for field in structs.fields(shape)}
    return {
        name: (hint, NODEFAULT if defaults[name].required else defaults[name].default)
        for name, hint in annotations_of(shape).items()
        if marked(hint, Derived) is None
    }


def given(hint: Any) -> Any:
    """The GraphQL input type of a Python annotation."""
    if get_origin(hint) is Annotated:
        if marked(hint, Identifies) is not None and get_args(hint)[0] is str:
            return strawberry.ID
        return given(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        parts = [each for each in get_args(hint) if each is not type(None)]
        return given(parts[0]) | None if len(parts) == 1 else JSON
    if get_origin(hint) in (list, tuple):
        return list[given(get_args(hint)[0])]  # type: ignore[misc]
    if get_origin(hint) is dict or hint is Any:
        return JSON
    if isinstance(hint, type) and issubclass(hint, Enum):
        return enum(hint)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _nested_input(hint)
    return hint


@cache
def _nested_input(shape: type[Struct]) -> type[Any]:
    return input_type(
        f"{shape.__name__}Input", first_line(shape), fields_given(shape), comments_on(shape)
    )


def take_input_as_sent(schema: strawberry.Schema) -> None:
    """Let mutations have their input as it was sent, by clients' names.

    strawberry would make objects of it, only for us to take apart again: a twentieth of the time.
    """
    mutations: Any = schema._schema.mutation_type
    for field in mutations.fields.values():
        definition = field.extensions["strawberry-definition"]
        field.resolve = _given_as_sent(definition.base_resolver.wrapped_func)


def _given_as_sent(resolver: Callable[..., Any]) -> Callable[..., Any]:
    def resolve(_: None, info: GraphQLResolveInfo, **given: Any) -> Any:
        return resolver(info, *given.values())

    return resolve


def described(hint: Any, otherwise: str) -> str:
    """The words on an annotation, and its bounds; `otherwise` stands where no words do."""
    words = list(_descriptions(hint))
    if not any(isinstance(mark, str) for mark in getattr(hint, "__metadata__", ())):
        words.insert(0, otherwise)
    return " ".join(words)


def spoken(name: str) -> str:
    """A field's name as a sentence: `valid_until` is "Valid until."."""
    return name.replace("_", " ").capitalize() + "."


BESIDE = re.compile(r"^    (\w+): .*?  # (.+(?:\n {5,}# .+)*)", re.MULTILINE)
ABOVE = re.compile(r"^    # (.+(?:\n    # .+)*)\n    (\w+): ", re.MULTILINE)


@cache
def comments_on(shape: type[Any]) -> dict[str, str]:
    """What is said beside or above the fields in the source: their help wherever offered."""
    found = {}
    source = inspect.getsource(shape)
    comments = BESIDE.findall(source) + [(name, words) for words, name in ABOVE.findall(source)]
    for name, words in comments:
        said = re.sub(r"\n *# ", " ", words).rstrip(".")
        found[name] = said[0].upper() + said[1:] + "."
    return found


def _descriptions(hint: Any) -> Iterable[str]:
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        yield from _descriptions(inner)
        if marked(hint, Identifies) is not None:  # a refusal says what identifiers look like
            marks = [mark for mark in marks if not isinstance(mark, Meta)]
        for mark in marks:
            if isinstance(mark, str):
                yield mark
            elif isinstance(mark, Identifies):
                yield f"Identifies a {mark.kind}."
            elif isinstance(mark, Personal):
                also = " Ethics reviewers read it, too." if mark.correspondence else ""
                yield f"Personal data.{also}"
            elif isinstance(mark, Meta):
                yield from _bounds(mark)
    elif get_origin(hint) is not None:
        for part in get_args(hint)[:1]:
            yield from _descriptions(part)


def _bounds(meta: Meta) -> Iterable[str]:
    if meta.description:
        yield meta.description
        return
    if meta.max_length is not None:
        least = f"{meta.min_length} to " if meta.min_length else "At most "
        yield f"{least}{meta.max_length:,} long."
    if meta.ge is not None and meta.le is not None:
        yield f"From {meta.ge:,} to {meta.le:,}."
    if meta.pattern is not None:
        yield f"Matches {meta.pattern}"


def first_line(thing: Any) -> str:
    """The docstring of a type, as its description."""
    return inspect.cleandoc(thing.__doc__ or "")
