"""What can be asked: a study, its registers, and any node by its identifier.

The fields of a study are the query functions of the registers: their names, arguments and words are
taken from there. A function that takes a `Window` becomes a connection.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any, cast, get_args, get_type_hints

import strawberry
from graphql import GraphQLError
from strawberry.relay import from_base64
from strawberry.tools import create_type
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from domain.membership import Duty
from domain.readings import Reading
from projections.cycle_progress import cycle as cycle_of
from projections.entries import entries_at
from projections.following import borrowed, registers
from projections.paging import Page, Window, one
from projections.study_register import Study, studies_of
from projections.study_register import study as study_of
from service.asking import Asker
from service.consent_exports import consent_record
from service.graphql_events import CycleShown, EventShown, event_at, shown
from service.graphql_seal import Sealing
from service.graphql_types import (
    Node,
    PageInfo,
    described,
    first_line,
    object_type,
    output,
    spoken,
)
from service.readings import participants_in, tagged

PAGE = {
    "first": (int | None, "How many at most, from the start; 50 if first and last are left out."),
    "after": (str | None, "Only what comes after this cursor."),
    "last": (int | None, "How many at most, from the end."),
    "before": (str | None, "Only what comes before this cursor."),
}


@dataclass(frozen=True)
class Question:
    """A query function of a register."""

    register: str
    duty: Duty
    reading: Reading | None  # what asking it is a reading of
    ask: Callable[..., Awaitable[Any]]

    @property
    def name(self) -> str:
        return self.ask.__name__


def questions() -> Iterable[Question]:
    """Every query function of every register that is asked about one study."""
    for name in registers():
        module: ModuleType = import_module(f"projections.{name}")
        for function in vars(module).values():
            if (
                inspect.iscoroutinefunction(function)
                and function.__module__ == module.__name__
                and not function.__name__.startswith("_")
                and list(inspect.signature(function).parameters)[:2] == ["db", "study"]
                and function not in (study_of,)
            ):
                duty = getattr(module, "READ_BY", Duty.READ)
                yield Question(name, duty, getattr(module, "READING", None), function)


def field_of(question: Question) -> StrawberryField:
    """The field of `Study` that asks the question."""
    hints = get_type_hints(question.ask, include_extras=True)
    parameters = list(inspect.signature(question.ask).parameters.values())[2:]
    paged = any(parameter.name == "window" for parameter in parameters)
    returns = hints["return"]
    shown = connection_type(get_args(returns)[0]) if paged else output(returns)

    async def resolve(root: Any, info: Info[Asker, None], **given: Any) -> Any:
        asker = info.context
        asker.allow(root.study, question.duty)
        await asker.wait_for(question.register, root.study)
        async with borrowed(asker.registers) as db:
            if paged:
                given["window"] = window_of({name: given.pop(name, None) for name in PAGE})
            answer = await question.ask(db, root.study, **given)
        note_reading(asker, root.study, question.reading, answer)
        return connection(shown, answer) if paged else answer

    arguments = [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=parameter.default,
            annotation=Annotated[
                output(hints[parameter.name]),
                strawberry.argument(
                    description=described(hints[parameter.name], spoken(parameter.name))
                ),
            ],
        )
        for parameter in parameters
        if parameter.name != "window"
    ]
    if paged:
        arguments += [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[of, strawberry.argument(description=words)],
            )
            for name, (of, words) in PAGE.items()
        ]
    return as_field(question.name, resolve, arguments, shown, first_line(question.ask))


def note_reading(asker: Asker, study: str, reading: Reading | None, answer: Any) -> None:
    """Note what an answer shows: consent details of those it names, or the audit of anybody."""
    if reading is not None:
        named = participants_in(answer)
        if named or reading is Reading.AUDIT:
            asker.has_read(study, reading, named)


def as_field(
    name: str,
    resolve: Callable[..., Any],
    arguments: list[inspect.Parameter],
    returns: Any,
    description: str,
) -> StrawberryField:
    """A field with a resolver whose signature is made up from these arguments."""
    base = [
        inspect.Parameter("root", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Any),
        inspect.Parameter("info", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Info),
    ]
    resolve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*base, *arguments], return_annotation=returns
    )
    resolve.__annotations__ = {p.name: p.annotation for p in [*base, *arguments]}
    resolve.__annotations__["return"] = returns
    field: StrawberryField = strawberry.field(resolver=resolve, description=description)
    field.python_name = name
    return field


def a_position(said: str) -> bool:
    """Whether it is a number that a position can be: less than 64 bits."""
    return said.isascii() and said.isdigit() and len(said) < 19


def window_of(given: dict[str, Any]) -> Window:
    """The window asked for. Raises a GraphQLError for a cursor or a size that is none."""
    for name in ("first", "last"):
        if given[name] is not None and given[name] < 0:
            raise GraphQLError(f"{name} must not be negative, as {given[name]} is.")
    if given["first"] is not None and given["last"] is not None:
        raise GraphQLError("Give first or last, not both.")
    cursors = {}
    for name in ("after", "before"):
        cursor = given[name]
        if cursor is not None and not a_position(cursor):
            raise GraphQLError(f"{name}: {cursor!r} is no cursor; take one from an edge.")
        cursors[name] = None if cursor is None else int(cursor)
    return Window(given["first"], cursors["after"], given["last"], cursors["before"])


_connections: dict[type[Any], type[Any]] = {}


def connection_type(row: type[Any]) -> type[Any]:
    """The Relay connection of a row's object type."""
    if row in _connections:
        return _connections[row]
    node, name = output(row), row.__name__
    edge = create_type(
        f"{name}Edge",
        [
            _plain("cursor", str, "Where it stands in the list: go on after it, or before it."),
            _plain("node", node, f"The {name} itself."),
        ],
        description=f"A {name} at its place in a list.",
    )

    async def total_count(root: Any, info: Info[Asker, None]) -> int:
        query, args = root.count
        return int(await info.context.registers.fetchval(query, *args))

    made = create_type(
        f"{name}Connection",
        [
            _plain("edges", list[edge], "The page's items, each with its cursor."),  # type: ignore[valid-type]
            _plain("nodes", list[node], "The page's items alone."),  # type: ignore[valid-type]
            _plain("page_info", PageInfo, "What lies around the page."),
            as_field("total_count", total_count, [], int, "How many there are on all pages."),
        ],
        description=f"A list of {name}, a page at a time (Relay Cursor Connections).",
    )
    _connections[row] = made
    return made


def _plain(name: str, of: Any, description: str) -> StrawberryField:
    field: StrawberryField = strawberry.field(description=description)
    field.python_name = name
    field.type_annotation = strawberry.annotation.StrawberryAnnotation(of)
    return field


@dataclass
class Connected:
    """A page as its connection's fields find it."""

    edges: list[Any]
    nodes: list[Any]
    page_info: PageInfo
    count: tuple[str, tuple[Any, ...]]


@dataclass
class Placed:
    """A row with its cursor."""

    cursor: str
    node: Any


def connection(shown: type[Any], page: Page[Any]) -> Connected:
    edges = [Placed(str(row.position), row) for row in page.rows]
    return Connected(
        edges=edges,
        nodes=page.rows,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        count=page.count,
    )


async def study_for(asker: Asker, study: str, at_least: int | None) -> Study | None:
    """A study in which the asker has a role; None for one that they cannot know of."""
    if await asker.role_in(study) is None:
        return None
    asker.allow(study, Duty.READ)
    asker.wants(study, at_least)
    await asker.wait_for("study_register", study)
    async with borrowed(asker.registers) as db:
        return await study_of(db, study)


async def node_for(asker: Asker, id_: str, at_least: int | None) -> Any:
    """The node with that global identifier; None if there is none that the asker may see."""
    try:
        kind, rest = from_base64(id_)
        study, _, key = rest.partition("/")
    except ValueError:
        raise GraphQLError(f"{id_!r} is no global identifier; take one from an `id`.") from None
    if await asker.role_in(study) is None:
        return None
    if kind == "Event":
        asker.allow(study, Duty.AUDIT)
        event = await event_at(asker, study, int(key)) if a_position(key) else None
        if event is not None:
            asker.has_read(study, Reading.AUDIT, tagged(event.tags))
        return event
    for register in registers():
        module = import_module(f"projections.{register}")
        row = getattr(module, kind, None)
        if row is not None and (node := getattr(row, "NODE", None)):
            asker.allow(study, getattr(module, "READ_BY", Duty.READ))
            asker.wants(study, at_least)
            await asker.wait_for(register, study)
            table, column = node
            async with borrowed(asker.registers) as db:
                found = await one(db, row, table, {"study =": study, f"{column}::text =": key})
            note_reading(asker, study, getattr(module, "READING", None), found)
            return found
    return None


def study_type() -> type[Any]:
    """`Study`, with a field for every question to a register, for exports, and for names."""
    export = Question("consent_history", Duty.AUDIT, Reading.EXPORT, consent_record)
    fields = [(q.name, field_of(q)) for q in (*questions(), export)]
    return object_type(Study, *fields, ("named", named()))


def named() -> StrawberryField:
    """Finds people by their names, which are sealed: by the blind index of the record."""

    async def resolve(root: Any, info: Info[Asker, None], name: str) -> Any:
        asker, study = info.context, root.study
        asker.allow(study, Duty.READ_PERSONAL)
        positions = await asker.record.texts.named(study, name)
        async with borrowed(asker.registers) as db:
            found = await entries_at(db, study, positions)
        tags = {tag for entry in found for tag in entry.event.tags}
        asker.has_read(study, Reading.PERSONAL_FIELDS, tagged(tags))
        return await shown(found, asker)

    argument = inspect.Parameter(
        "name",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[
            str,
            strawberry.argument(
                description="A name, or some of its words, in any order; case does not matter."
            ),
        ],
    )
    words = "The events that give somebody this name, for those who may read personal data."
    return as_field("named", resolve, [argument], list[EventShown], words)


def query_type() -> type[Any]:
    """The root type of everything that can be asked."""
    shown: Any = study_type()

    @strawberry.type(description="What can be read: nothing of a study in which you have no role.")
    class Query(Sealing):
        @strawberry.field(description="The studies in which you have a role, oldest first.")
        async def studies(self, info: Info[Asker, None]) -> list[shown]:
            asker = info.context
            async with borrowed(asker.registers) as db:
                found = await studies_of(db, asker.member)
            return [each for each in found if await asker.role_in(each.study) is not None]

        @strawberry.field(description="A study in which you have a role; null for any other.")
        async def study(
            self,
            info: Info[Asker, None],
            id: Annotated[strawberry.ID, strawberry.argument(description="The study.")],
            at_least: Annotated[
                int | None,
                strawberry.argument(
                    description="Wait until this position is in what you read: give the one your "
                    "mutation returned to read your own writes."
                ),
            ] = None,
        ) -> shown | None:
            return await study_for(info.context, id, at_least)

        @strawberry.field(description="A cycle of a study in which you have a role.")
        async def cycle(
            self,
            info: Info[Asker, None],
            study: Annotated[strawberry.ID, strawberry.argument(description="Its study.")],
            id: Annotated[strawberry.ID, strawberry.argument(description="The cycle.")],
            at_least: Annotated[
                int | None,
                strawberry.argument(description="Wait until this position is in what you read."),
            ] = None,
        ) -> CycleShown | None:
            asker = info.context
            if await study_for(asker, study, at_least) is None:
                return None
            await asker.wait_for("cycle_progress", study)
            async with borrowed(asker.registers) as db:
                return await cycle_of(db, study, id)

        @strawberry.field(description="Anything that has a global identifier.")
        async def node(
            self,
            info: Info[Asker, None],
            id: Annotated[strawberry.ID, strawberry.argument(description="The identifier.")],
            at_least: Annotated[
                int | None,
                strawberry.argument(
                    description="Wait until this position of its study is in what you read."
                ),
            ] = None,
        ) -> Node | None:
            return cast(Node | None, await node_for(info.context, id, at_least))

    return Query
