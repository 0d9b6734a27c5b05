"""Pages of a register's rows: in the order of the record, from a cursor on, filtered.

A cursor is a position of the record, so it stays valid whatever is recorded later (GraphQL Cursor
Connections specification).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from asyncpg import Connection, Record

R = TypeVar("R")

PAGE = 50  # rows, where nothing is said


@dataclass(frozen=True)
class Window:
    """Which part of a list is asked for; positions are exclusive."""

    first: int | None = None
    after: int | None = None
    last: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows of a list, and what lies around them."""

    rows: list[R]
    has_previous: bool
    has_next: bool
    count: tuple[str, tuple[Any, ...]]  # the query that counts the whole list


async def page(
    db: Connection,
    row_type: type[R],
    table: str,
    filters: Mapping[str, Any],
    window: Window,
    *,
    newest_first: bool = False,
) -> Page[R]:
    """The rows of a table that has a `position`, as dataclasses of its columns.

    `filters` are conditions such as `"cycle ="` or `"groups @>"` with their values, which go to
    their end or where `{}` stands; one whose value is None does not count.
    """
    shape: Any = row_type  # mypy does not take a type variable's type for hashable
    where, args = _where(filters)
    count = (f"select count(*) from {table} where {where}", tuple(args))
    backwards = window.last is not None
    size = next((n for n in (window.last, window.first) if n is not None), PAGE)
    on, back = ("<", ">") if newest_first else (">", "<")
    for bound, sign in ((window.after, on), (window.before, back)):
        if bound is not None:
            args.append(bound)
            where += f" and position {sign} ${len(args)}"
    order = "desc" if backwards != newest_first else "asc"
    found = await db.fetch(
        f"select {_columns(shape)} from {table} where {where}"
        f" order by position {order} limit {size + 1}",
        *args,
    )
    rows = rows_of(row_type, found[:size])
    more = len(found) > size
    if backwards:
        rows.reverse()
    return Page(
        rows=rows,
        has_previous=more if backwards else window.after is not None,
        has_next=window.before is not None if backwards else more,
        count=count,
    )


async def one(
    db: Connection, row_type: type[R], table: str, filters: Mapping[str, Any]
) -> R | None:
    """The one row that the filters name, if there is one."""
    found = await page(db, row_type, table, filters, Window(first=1))
    return found.rows[0] if found.rows else None


def rows_of(row_type: type[R], found: Iterable[Record]) -> list[R]:
    """Records as dataclasses; what a dataclass says is an enum, or a list of one, becomes that."""
    shape: Any = row_type
    enums = _enums(shape)
    if not enums:
        return [row_type(**record) for record in found]
    rows = []
    for record in found:
        values = dict(record)
        for name, (of, many) in enums.items():
            value = values[name]
            if value is not None:
                values[name] = [of(each) for each in value] if many else of(value)
        rows.append(row_type(**values))
    return rows


def during(
    since: date | None, until: date | None, column: str = "occurred_at"
) -> dict[str, datetime | None]:
    """Filters for a moment on or between two days (UTC), both included."""

    def midnight(day: date | None) -> datetime | None:
        return None if day is None else datetime.combine(day, time(), UTC)

    # The calendar's last day has no next one, and excludes nothing.
    after = None if until in (None, date.max) else until + timedelta(days=1)
    return {f"{column} >=": midnight(since), f"{column} <": midnight(after)}


def _where(filters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    given = [(condition, value) for condition, value in filters.items() if value is not None]
    where = " and ".join(
        condition.replace("{}", f"${n}") if "{}" in condition else f"{condition} ${n}"
        for n, (condition, _) in enumerate(given, 1)
    )
    return where or "true", [value for _, value in given]


@cache
def _columns(row_type: type[Any]) -> str:
    return ", ".join(field.name for field in fields(row_type))


@cache
def _enums(row_type: type[Any]) -> dict[str, tuple[type[Enum], bool]]:
    """The fields that hold an enum, each with whether it is a list of them."""
    hints = get_type_hints(row_type, include_extras=True)
    found = {}
    for field in fields(row_type):
        hint, many = hints[field.name], False
        while not isinstance(hint, type) or get_origin(hint) is not None:
            many = many or get_origin(hint) is list
            if get_origin(hint) not in (Annotated, Union, UnionType, list):
                break
            hint = get_args(hint)[0]
        if isinstance(hint, type) and issubclass(hint, Enum):
            found[field.name] = (hint, many)
    return found
