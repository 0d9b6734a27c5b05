"""Puts events on a real record, lets every register follow, and gives a connection for queries."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from asyncpg import Connection, Pool

from domain.older_events import write_recorded
from domain.vocabulary import Channel, Entry, Envelope, ResearchEvent
from projections.following import Register, advance, borrowed, make_tables, position_of, registers
from projections.writing import Writes
from service.appends import Draft
from service.database import connect, open_pool
from service.drafts import uuid7
from service.personal_texts import parts_of
from service.recorder import Recorder
from tests.conftest import Database
from tests.recording import draft
from tests.story import NEW_YEAR, Happened, on, opened

STUDY = "maize"


@dataclass
class Logged(Happened):
    """An event with its reason and what is written on its envelope, where a test cares for them."""

    reason: str | None = None
    envelope: dict[str, Any] = field(default_factory=dict)


def logged(
    day: str, event: ResearchEvent, by: str = "ana", reason: str | None = None, **envelope: Any
) -> Logged:
    """As `on`, with the envelope's fields: `approval=2, consents=(5, 7), phase=Phase.PLAN`."""
    happened = on(day, event, by)
    return Logged(event, happened.at, by, reason, envelope)


@asynccontextmanager
async def followed(
    database: Database, *happened: ResearchEvent | Happened, study: str = STUDY
) -> AsyncIterator[Connection]:
    """A connection that sees the rows of all registers after these events.

    As in `given`, `ana` opened the study on new year's day (position 1), and the rest happened
    since, a day apart where no day is said.
    """
    async with recording(database) as recorder, register_pool(database) as pool:
        await record(recorder, opened, *happened, study=study)
        await follow_all(pool)
    db = await connect(database.service_url, search_path="register")
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def recording(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database.service_url)
    await recorder.start()
    try:
        yield recorder
    finally:
        await recorder.stop()


@asynccontextmanager
async def register_pool(database: Database, size: int = 4) -> AsyncIterator[Pool]:
    """Connections that see the registers' tables, which are made if they are not there."""
    pool = await open_pool(database.service_url, size, search_path="register")
    async with pool:
        async with borrowed(pool) as db:
            await make_tables(db)
        yield pool


async def record(
    recorder: Recorder, *happened: ResearchEvent | Happened, study: str = STUDY
) -> int:
    """Append events as they are, without deciding anything; return the last one's position."""
    drafts = list(_drafts(happened))
    for start in range(0, len(drafts), 500):
        appended = await recorder.append(study, drafts[start : start + 500])
    return appended.position


async def follow_all(pool: Pool, among: Iterable[Register] | None = None) -> None:
    """Let the registers take in all that stands on record."""
    heads = await pool.fetch("select study, position from record.study_head")
    for register in registers().values() if among is None else among:
        for study, head in heads:
            position = await position_of(pool, register.name, study)
            while position < head:
                position = await advance(pool, register, study)


def entry(
    event: ResearchEvent,
    *,
    position: int,
    at: datetime,
    recorded_at: datetime,
    by: str = "ana",
    study: str = STUDY,
) -> Entry:
    """An event as a register is told of it, recorded when the test says."""
    envelope = Envelope(role="lead_researcher", phase=event.PHASE, channel=Channel.API)
    return Entry(
        position=position, occurred_at=at, actor=by, event=event, study=study, event_id=uuid7(),
        recorded_at=recorded_at, envelope=envelope,
    )  # fmt: skip


async def write_rows(db: Connection, name: str, *told: Entry) -> None:
    """Let one register write its rows for these entries, without a record behind them."""
    register = registers()[name]
    writes = Writes(frozenset(register.tables))
    for each in told:
        register.project(each.event, each, writes)
    await writes.flush(db)
    if register.settle is not None:
        await register.settle(db, told)


async def caught_up(pool: Pool, name: str, position: int) -> None:
    """Wait until a follower has brought a register there."""
    async with asyncio.timeout(300):  # on a machine that is busy with other tests
        while await position_of(pool, name, STUDY) < position:
            await a_moment()


async def a_moment() -> None:
    await asyncio.sleep(0.02)


def _drafts(happened: Iterable[ResearchEvent | Happened]) -> Iterator[Draft]:
    for n, each in enumerate(happened):
        told = each if isinstance(each, Happened) else Happened(each, NEW_YEAR + timedelta(days=n))
        logged = told if isinstance(told, Logged) else Logged(told.event, told.at, told.by)
        event = logged.event
        offset = logged.at.utcoffset()
        envelope: dict[str, Any] = {
            "role": "lead_researcher",
            "phase": event.PHASE,
            "channel": Channel.API,
            "offset": int(offset.total_seconds() // 60) if offset else 0,
        } | logged.envelope
        payload, personal = write_recorded(event)
        yield draft(
            event.TOPIC,
            *event.tags,
            schema=event.SCHEMA,
            actor=told.by,
            at=told.at,
            envelope=msgspec.json.encode(Envelope(**envelope)),
            payload=payload,
            personal=parts_of(event, personal, told.by, logged.reason),
        )
