"""A sealer that is killed at any step leaves a tree that continues, and no contradiction."""

import asyncio
import multiprocessing
from pathlib import Path

import asyncpg

from service.sealing.checkpoints import Checkpoint, require_head
from service.sealing.log_keys import LogKeys
from service.sealing.merkle_tree import leaf_hash, root_of
from service.sealing.signed_notes import Note
from tests.conftest import Database
from tests.killed_sealer import KILLED, seal_until
from tests.recording import STUDY, events_of, in_a_loop, recorders
from tests.test_sealer import ORIGIN, append, sealers

EVENTS = 90  # appended before each kill: so that tiles fill at some of them


def killed(step: int, url: str, folder: Path) -> bool:
    """Whether a sealer that is killed at that step came so far."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed_sealer"])
    process = context.Process(target=seal_until, args=(step, url, folder))
    process.start()
    process.join(timeout=120)
    assert process.exitcode in (0, KILLED)
    return process.exitcode == KILLED


@in_a_loop
async def test_a_sealer_that_is_killed_at_any_step_leaves_a_tree_that_continues(
    database: Database, tmp_path: Path
) -> None:
    step = 0
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await append(recorder, 1)
        await sealer.seal_all()
        more = True
        while more:
            step += 1
            await append(recorder, EVENTS)
            more = await asyncio.to_thread(killed, step, database.service_url, tmp_path)
            await check(database, tmp_path)
            if step % 2:  # else two are killed in a row, with more events between them
                await sealer.seal_all()
                assert sealer.refusals == {}
                assert await check(database, tmp_path) == 1 + step * EVENTS
        await sealer.seal_all()
    assert step > 20
    assert await check(database, tmp_path) == 1 + step * EVENTS


async def check(database: Database, folder: Path) -> int:
    """Whatever is signed and shown is of the record and remembered; gives how much is sealed."""
    hashes = [leaf_hash(event["leaf"]) for event in await events_of(database.service_url, STUDY)]
    keys = LogKeys(folder)
    db = await asyncpg.connect(database.service_url)
    try:
        rows = await db.fetch("select size, root, note from record.checkpoint order by size")
    finally:
        await db.close()
    for size, root, note in rows:
        head = require_head(Note.parse(note.encode()), ORIGIN, keys.verifiers(ORIGIN))
        assert head.checkpoint == Checkpoint(ORIGIN, size, root)
        assert root == root_of(hashes[:size])
    last = keys.last_signed(ORIGIN)
    assert last.root == root_of(hashes[: last.size])
    assert last.size >= rows[-1]["size"]
    return int(rows[-1]["size"])
