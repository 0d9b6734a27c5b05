"""Gathered writes leave the same rows as the statements one by one, in whatever order they come."""

import asyncio
from collections.abc import Sequence

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.writing import Writes
from tests.conftest import Database

TABLES = """
create temp table line (key int not null, place int not null, words text[] default '{"none"}');
create temp table tally (key int primary key, n int not null, last int not null);
create temp table note (key int not null, place int not null, of_line bigint);
"""
NAMES = frozenset({"line", "tally", "note"})

ADD = "insert into line values ($1, $2)"
ADD_WORDS = "insert into line values ($1, $2, array[$1::int::text, 'more'])"
COUNT = """
insert into tally as t values ($1, 1, $2)
on conflict (key) do update set n = t.n + 1, last = excluded.last
"""
CHANGE = "update line set place = place + $2 where key = $1"
TAKE_AWAY = "delete from tally where key = $1 and last < $2"
LOOK_ACROSS = "insert into note select $1, $2, count(*) from line where key = $1"
MOVE = """
update tally set last = last + (select coalesce(max(place), 0) from note) where key = $1 and n > $2
"""
STATEMENTS = (ADD, ADD_WORDS, COUNT, CHANGE, TAKE_AWAY, LOOK_ACROSS, MOVE)

written = st.lists(
    st.tuples(st.sampled_from(STATEMENTS), st.integers(0, 3), st.integers(0, 9)), max_size=60
)
Written = list[tuple[str, int, int]]


async def rows(db: asyncpg.Connection) -> list[list[tuple[object, ...]]]:
    """All rows of all tables, then none of them."""
    found = [
        [tuple(row) for row in await db.fetch(f"select * from {name}")] for name in sorted(NAMES)
    ]
    await db.execute("truncate line, tally, note")
    return [sorted(each, key=repr) for each in found]


def test_gathered_writes_do_what_the_statements_do_one_by_one(database: Database) -> None:
    with asyncio.Runner() as runner:
        db = runner.run(asyncpg.connect(database.service_url))
        runner.run(db.execute(TABLES))

        async def compare(statements: Written) -> None:
            for statement, *args in statements:
                await db.execute(statement, *args)
            expected = await rows(db)
            write = Writes(NAMES)
            for statement, *args in statements:
                write(statement, *args)
            await write.flush(db)
            assert await rows(db) == expected

        @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
        @given(written)
        def compared(statements: Written) -> None:
            runner.run(compare(statements))

        compared()
        runner.run(db.close())


class Counted:
    """Stands for a connection, and counts the round trips."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    async def executemany(self, statement: str, rows: Sequence[object]) -> None:
        self.sent.append((statement, len(rows)))


def test_statements_of_different_tables_do_not_disturb_one_another() -> None:
    write, counted = Writes(NAMES), Counted()
    for n in range(4):
        write(ADD, n, n)
        write(COUNT, n, n)
    asyncio.run(write.flush(counted))  # type: ignore[arg-type]  # what it needs of one
    assert counted.sent == [(ADD, 4), (COUNT, 4)]


def test_what_was_flushed_is_not_sent_again() -> None:
    write, counted = Writes(NAMES), Counted()
    write(ADD, 1, 1)
    for _ in range(2):
        asyncio.run(write.flush(counted))  # type: ignore[arg-type]  # what it needs of one
    assert counted.sent == [(ADD, 1)]
