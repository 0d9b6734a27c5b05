"""Pages walked from either end are the whole list, each row once and in order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.paging import Page, Window, during, one, page
from tests.conftest import Database

TABLE = """
create temp table line (
    study text, position bigint, mood text, moods text[], occurred_at timestamptz,
    primary key (study, position)
)
"""


class Mood(StrEnum):
    GLAD = "glad"
    SAD = "sad"


@dataclass(frozen=True)
class Line:
    study: str
    position: int
    mood: Mood | None
    moods: list[Mood]
    occurred_at: datetime


Fetch = Callable[[Window], Awaitable[Page[Line]]]
positions = st.lists(st.integers(1, 40), unique=True, max_size=15).map(sorted)


async def fill(db: asyncpg.Connection, places: list[int]) -> None:
    await db.execute("truncate line")
    at = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    rows = [("maize", n, ("glad", "sad", None)[n % 3], ["sad"] * (n % 3), at) for n in places]
    await db.executemany("insert into line values ($1, $2, $3, $4, $5)", rows)
    await db.execute("insert into line values ('beans', 7, 'glad', '{}', now())")


async def forwards(fetch: Fetch, size: int) -> list[int]:
    walked: list[int] = []
    after = None
    while True:
        found = await fetch(Window(first=size, after=after))
        assert found.has_previous == (after is not None)
        walked += [row.position for row in found.rows]
        if not found.has_next:
            return walked
        after = walked[-1]


async def backwards(fetch: Fetch, size: int) -> list[int]:
    walked: list[int] = []
    before = None
    while True:
        found = await fetch(Window(last=size, before=before))
        assert found.has_next == (before is not None)
        walked = [row.position for row in found.rows] + walked
        if not found.has_previous:
            return walked
        before = walked[0]


def test_pages_walked_from_either_end_are_the_whole_list(database: Database) -> None:
    with asyncio.Runner() as runner:
        db = runner.run(asyncpg.connect(database.service_url))
        runner.run(db.execute(TABLE))

        async def walk(places: list[int], size: int, newest_first: bool, mood: str | None) -> None:
            await fill(db, places)
            filters = {"study =": "maize", "mood =": mood}

            async def fetch(window: Window) -> Page[Line]:
                return await page(db, Line, "line", filters, window, newest_first=newest_first)

            expected = [n for n in places if mood is None or ("glad", "sad", None)[n % 3] == mood]
            if newest_first:
                expected.reverse()
            assert await forwards(fetch, size) == expected
            assert await backwards(fetch, size) == expected
            whole = await fetch(Window(first=100))
            assert await db.fetchval(whole.count[0], *whole.count[1]) == len(expected)

        @settings(max_examples=100)
        @given(positions, st.integers(1, 6), st.booleans(), st.sampled_from(["glad", None]))
        def walked(places: list[int], size: int, newest_first: bool, mood: str | None) -> None:
            runner.run(walk(places, size, newest_first, mood))

        walked()
        runner.run(db.close())


def read(database: Database, places: list[int], window: Window, **filters: object) -> Page[Line]:
    async def fetch() -> Page[Line]:
        db = await asyncpg.connect(database.service_url)
        await db.execute(TABLE)
        await fill(db, places)
        given = {"study =": "maize"} | dict(filters)
        found = await page(db, Line, "line", given, window)
        assert await one(db, Line, "line", given) == (found.rows[0] if found.rows else None)
        await db.close()
        return found

    return asyncio.run(fetch())


def test_rows_hold_enums_where_their_dataclass_says_so(database: Database) -> None:
    rows = read(database, [3, 4, 5], Window()).rows
    assert [row.mood for row in rows] == [Mood.GLAD, Mood.SAD, None]
    assert rows[2].moods == [Mood.SAD, Mood.SAD]
    assert type(rows[2].moods[0]) is Mood


def test_nothing_said_gives_fifty(database: Database) -> None:
    found = read(database, list(range(1, 61)), Window())
    assert (len(found.rows), found.has_next) == (50, True)


def test_none_asked_for_gives_none_and_says_that_there_are_some(database: Database) -> None:
    async def fetch() -> Page[Line]:
        db = await asyncpg.connect(database.service_url)
        await db.execute(TABLE)
        await fill(db, [1, 2])
        found = await page(db, Line, "line", {"study =": "maize"}, Window(first=0))
        await db.close()
        return found

    found = asyncio.run(fetch())
    assert (found.rows, found.has_next) == ([], True)


def test_a_day_begins_and_ends_at_midnight_utc(database: Database) -> None:
    day = date(2026, 3, 1)
    assert read(database, [1], Window(), **during(day, day)).rows
    assert not read(database, [1], Window(), **during(date(2026, 3, 2), None)).rows
    assert not read(database, [1], Window(), **during(None, date(2026, 2, 28))).rows
