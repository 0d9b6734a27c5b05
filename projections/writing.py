"""What a register writes for a batch of events: gathered first, then sent in few round trips."""

import re
from functools import cache
from typing import Any, ClassVar

from asyncpg import Connection

COPY_FROM = 5  # rows of a plain insert, which COPY takes in faster than fewer are worth
PLAIN_INSERT = re.compile(r"\s*insert into (\w+) values \(([\s$,\d]+)\)\s*")
COLUMNS = """
select array_agg(attname::text order by attnum) from pg_attribute
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
"""


class Writes:
    """Statements with their arguments, kept in an order that changes nothing of the outcome.

    The same statement runs once for many rows. It may join its last run as long as nothing queued
    since touches a table that it touches too, so each table sees its writes in the events' order.
    """

    _columns: ClassVar[dict[str, list[str]]] = {}  # of each table, once it was filled by COPY

    def __init__(self, tables: frozenset[str]) -> None:
        self._tables = tables
        self._runs: list[tuple[str, list[tuple[Any, ...]]]] = []
        self._run_of: dict[str, int] = {}
        self._last_touch = dict.fromkeys(tables, -1)
        self._touched: dict[str, list[str]] = {}

    def __call__(self, statement: str, *args: Any) -> None:
        """Queue one statement for one row."""
        touched = self._touched.get(statement)
        if touched is None:
            words = set(re.findall(r"\w+", statement))
            touched = self._touched[statement] = sorted(words & self._tables)
        run = self._run_of.get(statement, -1)
        if run < 0 or any(self._last_touch[table] > run for table in touched):
            run = self._run_of[statement] = len(self._runs)
            self._runs.append((statement, []))
            for table in touched:
                self._last_touch[table] = run
        self._runs[run][1].append(args)

    async def flush(self, db: Connection) -> None:
        """Send everything, in the caller's transaction."""
        for statement, rows in self._runs:
            table = _table_filled_by(statement)
            if table is None or len(rows) < COPY_FROM:
                await db.executemany(statement, rows)
            else:
                if table not in self._columns:
                    self._columns[table] = await db.fetchval(COLUMNS, table)
                columns = self._columns[table][: len(rows[0])]
                await db.copy_records_to_table(table, records=rows, columns=columns)
        self._runs.clear()
        self._run_of.clear()
        self._last_touch = dict.fromkeys(self._tables, -1)


@cache
def _table_filled_by(statement: str) -> str | None:
    """The table into which the statement inserts its arguments as they come, if that is all."""
    plain = PLAIN_INSERT.fullmatch(statement)
    if plain is None:
        return None
    numbers = [int(number) for number in re.findall(r"\d+", plain[2])]
    return plain[1] if numbers == list(range(1, len(numbers) + 1)) else None
