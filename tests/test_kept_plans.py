"""PostgreSQL's plans are made once and kept: those of an empty record must do for a large one."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionProxy

from service.append_rows import arguments
from service.appends import Draft, Items, Request
from service.boundary_reads import sought
from service.database import ALWAYS_BY_INDEX, connect
from service.personal_texts import SEALED, Part
from service.recent_appends import RecentAppends
from service.recorder import Recorder
from service.research_record import ANSWERED, ResearchRecord
from service.writer import APPEND
from tests.conftest import Database
from tests.recording import draft, in_a_loop, recorders

TAGS = ["cycle:1", "cycle:2", "action:a", "action:b", "participant:p"]
WHERE = [
    "event", "event_pkey", "event_command", "event_tag", "event_tag_by_hash", "sealed_part",
    "sealed_part_pkey", "study_head",
]  # fmt: skip
SEEN = "select sum(pg_stat_get_xact_tuples_returned(name::regclass)) from unnest($1::text[]) name"
MANY = 2_000  # events that are there when a plan of an empty record is used
COMMAND = uuid4()
RARE: Items = [(["Planned"], ["action:new", TAGS[0]]), ([], [TAGS[0], "action:new", TAGS[1]])]


@pytest.mark.parametrize("items", [RARE, [([], ["action:new"])]], ids=["a boundary", "one tag"])
@in_a_loop
async def test_what_a_read_asks_for_is_found_by_its_own_index(
    database: Database, items: Items
) -> None:
    sql, *args = sought(items)
    db = await connect(database.service_url, **ALWAYS_BY_INDEX)  # as the recorder reads
    async with recorders(database.service_url) as [recorder]:
        seen = await rows_seen_as_it_grows(recorder, db, sql, "s", 0, *args)
    assert seen <= 5 * 8  # eight of each tag are looked at
    await db.close()


@pytest.mark.parametrize(
    ("sql", "asked"),
    [(SEALED, ([7, 900], ["note", "note"])), (ANSWERED, ([COMMAND, uuid4()],))],
    ids=["personal texts", "commands"],
)
@in_a_loop
async def test_what_the_research_record_asks_for_is_found_by_its_own_index(
    database: Database, sql: str, asked: tuple[Any, ...]
) -> None:
    async with ResearchRecord(database.store) as record, record.pool.acquire() as db:
        assert await rows_seen_as_it_grows(record.recorder, db, sql, "s", *asked) <= 8


@pytest.mark.parametrize("of_command", [False, True], ids=["of no command", "of a command"])
@in_a_loop
async def test_what_an_append_asks_for_is_found_by_its_own_index(
    database: Database, of_command: bool
) -> None:
    items: Items = [(["Planned"], ["action:new"]), (["Nothing"], []), ([], ["action:new", TAGS[0]])]
    async with recorders(database.service_url) as [recorder]:
        db = await connect(database.service_url, **ALWAYS_BY_INDEX)

        async def by_an_append() -> int:
            answer = asyncio.get_running_loop().create_future()
            event = draft("Planned", "action:new", command=uuid4() if of_command else None)
            batch = [Request("s", [event], items, [0, 0, 0], answer)]
            return await rows_seen(db, APPEND, *arguments(batch, ["s"], RecentAppends())[0])

        await recorder.append("s", [draft("Planned", *TAGS[:2])])
        await by_an_append()
        await recorder.append("s", some_drafts())
        assert await by_an_append() <= 8
        await db.close()


def some_drafts() -> Sequence[Draft]:
    dice = random.Random(3)
    note = [Part("note", ("participant:p",), b"!")]
    return [
        draft(
            dice.choice(["Planned", "Started"]),
            *dice.sample(TAGS, 2),
            personal=note,
            command=COMMAND if n == MANY else uuid4(),
        )
        for n in range(1, MANY + 1)
    ]


async def rows_seen_as_it_grows(
    recorder: Recorder, db: asyncpg.Connection | PoolConnectionProxy, sql: str, *args: Any
) -> int:
    """By plans of an empty record, and of one event, once there are many."""
    await rows_seen(db, sql, *args)
    await recorder.append("s", [draft("Planned", *TAGS[:2])])
    await rows_seen(db, sql, *args)
    await recorder.append("s", some_drafts())
    return await rows_seen(db, sql, *args)


async def rows_seen(db: asyncpg.Connection | PoolConnectionProxy, sql: str, *args: Any) -> int:
    """How many rows of tables and indexes PostgreSQL reads for this, which is then taken back."""
    transaction = db.transaction()
    await transaction.start()
    before = await db.fetchval(SEEN, [f"record.{name}" for name in WHERE])
    await db.fetch(sql, *args)
    after = await db.fetchval(SEEN, [f"record.{name}" for name in WHERE])
    await transaction.rollback()
    return int(after - before)
