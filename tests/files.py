"""Files made up or shared for the tests of import, and what becomes of them."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Connection

from service.database import connect
from service.importing import Imported, import_file, read_file
from service.numbered_lines import Rejected, Unsaid
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.registers import follow_all, register_pool

SHARED_DATA = Path(
    os.environ.get("PARCYCLE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data")
)


def needs_shared(folder: str) -> pytest.MarkDecorator:
    """For tests that read real data which are not part of the repository."""
    where = SHARED_DATA / folder
    return pytest.mark.skipif(
        not where.is_dir(),
        reason=f"no real data: {where} is absent; set PARCYCLE_SHARED_DATA to the folder with it",
    )


def line(command: str, at: str, actor: str | None = None, **input: Any) -> str:
    """A command as a line of a file."""
    sent: dict[str, Any] = {"command": command, "input": {"occurredAt": at, **input}}
    if actor is not None:
        sent["actor"] = actor
    return json.dumps(sent, ensure_ascii=False)


async def bring_in(
    record: ResearchRecord,
    path: Path,
    text: str | None = None,
    *,
    study: str = "maize",
    member: str = "ana",
    unsaid: Unsaid | None = None,
) -> Imported:
    """Import a file, of that text if it is given; it must have no faults."""
    if text is not None:
        written(path, text)
    read = await read_file(record, path, study=study, member=member, unsaid=unsaid)
    assert not read.faults, "\n".join(map(str, read.faults))
    return await import_file(record, read)


def written(path: Path, text: str) -> Path:
    """The file, with that text."""
    path.write_text(text, encoding="utf-8")
    return path


def codes(rejected: list[Rejected]) -> list[tuple[int, list[str]]]:
    """Each line's number with the codes of its reasons."""
    return [(each.line, [reason.code for reason in each.reasons]) for each in rejected]


@asynccontextmanager
async def all_followed(database: Database) -> AsyncIterator[Connection]:
    """A connection that sees every register's rows of all that is on record by now."""
    async with register_pool(database) as pool:
        await follow_all(pool)
    db = await connect(database.service_url, search_path="register")
    try:
        yield db
    finally:
        await db.close()
