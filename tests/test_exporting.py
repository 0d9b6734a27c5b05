"""Export: a study becomes a file that import reads into an empty study to the same registers."""

import gc
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asyncpg import Connection

from domain.commands import given_fields
from domain.older_events import read_recorded
from domain.people import ParticipantEnrolled
from domain.vocabulary import Channel, Entry, Envelope
from projections.following import borrowed, registers
from service.command_files import command_lines
from service.exporting import NothingToExport, command_line, export_study
from service.numbered_lines import Numbered
from service.proposals import commands
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.files import all_followed, bring_in
from tests.recording import in_a_loop
from tests.registers import record, recording
from tests.told_study import told

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))

# What is not the same in a study that was imported: whose record it is, which events, when it was
# recorded (and so known), by which request; and what follows from these.
ANEW = {"study", "event_id", "recorded_at", "lateness", "request_id", "known_from", "known_to"}
ELSEWHERE = "copied-elsewhere"


async def exported(database: Database, study: str) -> list[str]:
    lines: list[str] = []
    async with ResearchRecord(database.store) as parcycle, borrowed(parcycle.pool) as db:
        await export_study(db, parcycle.texts, study, lines.append)
    return lines


def test_the_told_study_uses_every_command() -> None:
    assert {json.loads(line)["command"] for line in told()} == commands().keys()


@in_a_loop
async def test_an_exported_study_is_read_into_an_empty_one_to_the_same_registers(
    database: Database, tmp_path: Path
) -> None:
    text = "\n".join(told())
    async with ResearchRecord(database.store) as parcycle:
        first = await bring_in(parcycle, tmp_path / "told.jsonl", text)
        assert (first.recorded, [str(each) for each in first.refused]) == (len(told()), [])
        lines = await exported(database, "maize")
        assert len(lines) == len(told())
        second = await bring_in(
            parcycle, tmp_path / "maize.jsonl", "\n".join(lines), study=ELSEWHERE
        )
        assert (second.recorded, [str(each) for each in second.refused]) == (len(lines), [])
        same = await bring_in(parcycle, tmp_path / "maize.jsonl")
        assert (same.recorded, same.repeated, same.refused) == (0, len(lines), [])
    assert [
        line.replace(ELSEWHERE, "maize") for line in await exported(database, ELSEWHERE)
    ] == lines
    async with all_followed(database) as db:
        for register in registers().values():
            for table in register.tables:
                rows = await rows_of(db, table, "maize")
                assert rows, f"the told study should have something for {table} to show"
                assert await rows_of(db, table, ELSEWHERE) == rows, table


async def rows_of(db: Connection, table: str, study: str) -> list[dict[str, Any]]:
    found = await db.fetch(f"select * from {table} where study = $1", study)
    rows = [{k: _as_maize(v) for k, v in row.items()} for row in found]
    return sorted(({k: row[k] for k in row.keys() - ANEW} for row in rows), key=_by_columns)


def _as_maize(value: Any) -> Any:
    match value:
        case str():
            return value.replace(ELSEWHERE, "maize")
        case bytes():
            return value.replace(ELSEWHERE.encode(), b"maize")
    return value


def _by_columns(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_event_is_asked_for_again_as_it_was(path: Path) -> None:
    """Every field of every kind of event is kept, but for what is worked out from the record."""
    name, schema, _ = path.name.split(".")
    event = read_recorded(name, int(schema), path.read_bytes(), {})
    at = datetime.fromisoformat("2026-03-05T10:15:30.123456+05:30")
    entry = Entry(
        position=7, occurred_at=at, actor="bo", event=event, study="maize", event_id=uuid4(),
        recorded_at=datetime(2026, 3, 6, tzinfo=UTC), command_id=uuid4(), reason="Late.",
        envelope=Envelope(role="researcher", phase=event.PHASE, channel=Channel.API, offset=330),
    )  # fmt: skip
    (line,) = command_lines([command_line(entry).encode()], None, "ana")
    assert isinstance(line, Numbered), line
    asked, occasion = line.proposal.event, line.proposal.occasion
    given = [field for field in given_fields(type(event)) if field != "standing"]
    assert {f: getattr(asked, f) for f in given} == {f: getattr(event, f) for f in given}
    assert (occasion.study, occasion.actor, occasion.reason) == ("maize", "bo", "Late.")
    assert (occasion.command_id, occasion.channel) == (entry.command_id, Channel.API)
    assert occasion.occurred_at.isoformat() == at.isoformat()


@in_a_loop
async def test_a_study_that_is_not_there_cannot_be_exported(database: Database) -> None:
    with pytest.raises(NothingToExport, match="study rice"):
        await exported(database, "rice")


@in_a_loop
async def test_memory_does_not_grow_with_the_study(database: Database) -> None:
    async with recording(database) as recorder:
        await record(recorder, *people(0, 1_000), study="small")
        await record(recorder, *people(0, 8_000), study="large")
    peaks = {}
    told: list[tuple[int, int]] = []

    def tell(*done: int) -> None:  # what nobody holds any more is not to count, whenever it goes
        gc.collect()
        told.append((done[0], done[1]))

    async with ResearchRecord(database.store) as parcycle, borrowed(parcycle.pool) as db:
        for study in ("small", "large"):
            tracemalloc.start()
            count = await export_study(db, parcycle.texts, study, lambda line: None, tell)
            peaks[study] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert count == 8_000
    assert told[-1] == (8_000, 8_000)
    assert peaks["large"] < 1.2 * peaks["small"]


def people(first: int, last: int) -> list[ParticipantEnrolled]:
    return [
        ParticipantEnrolled(participant=f"p-{n}", name=f"Person {n}") for n in range(first, last)
    ]
