"""The sealer: a tree over what was committed, signed; and never over a record that was changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from service.bell import Bell
from service.database import open_pool
from service.recorder import Recorder
from service.sealing import sealer as sealer_module
from service.sealing.checkpoints import require_head, require_proven
from service.sealing.log_keys import LogKeys
from service.sealing.merkle_tree import leaf_hash, require_consistent, require_included, root_of
from service.sealing.sealer import Sealer
from service.sealing.tiles import EntryBundle, Tile, leaves_in, tiles_of
from service.sealing.tree_on_record import (
    Sealed,
    TreeDamaged,
    consistency,
    entry_bundle,
    inclusion,
    kept_tiles,
    latest,
    receipt,
    root_at,
    tile,
)
from tests.conftest import Database
from tests.published_trees import defined_root
from tests.recording import STUDY, as_owner, draft, events_of, in_a_loop, recorders

ORIGIN = f"localhost/parcycle/{STUDY}"


def origin(study: str) -> str:
    return f"localhost/parcycle/{study}"


@asynccontextmanager
async def sealers(database: Database, folder: Path, number: int = 1) -> AsyncIterator[list[Sealer]]:
    """So many sealers of one database, with the log's keys in a folder."""
    pool = await open_pool(database.service_url, 4)
    try:
        yield [Sealer(pool, Bell(), LogKeys(folder), origin) for _ in range(number)]
    finally:
        await pool.close()


async def append(recorder: Recorder, events: int, study: str = STUDY) -> None:
    await recorder.append(study, [draft(study=study) for _ in range(events)])


async def sealed_in(database: Database, study: str = STUDY) -> Sealed:
    db = await asyncpg.connect(database.service_url)
    try:
        found = await latest(db, study)
    finally:
        await db.close()
    assert found is not None
    return found


async def leaves_of(database: Database, study: str = STUDY) -> list[bytes]:
    return [event["leaf"] for event in await events_of(database.service_url, study)]


@in_a_loop
async def test_the_tree_is_over_every_committed_event_and_signed(
    database: Database, tmp_path: Path
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        for events in (1, 254, 1, 1, 600, 3):
            await append(recorder, events)
            await sealer.seal_all()
            sealed = await sealed_in(database)
            hashes = [leaf_hash(leaf) for leaf in await leaves_of(database)]
            assert (sealed.size, sealed.root) == (len(hashes), root_of(hashes))
            head = require_head(sealed.cosigned, ORIGIN, LogKeys(tmp_path).verifiers(ORIGIN))
            assert head.checkpoint.root == sealed.root
        await sealer.seal_all()
        assert sealer.refusals == {}
    assert LogKeys(tmp_path).last_signed(ORIGIN) == (860, sealed.root)


@in_a_loop
async def test_each_study_has_a_tree_of_its_own(database: Database, tmp_path: Path) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        for number in range(1, 8):
            await append(recorder, number, f"s-{number}")
        await sealer.seal_all()
    for number in range(1, 8):
        sealed = await sealed_in(database, f"s-{number}")
        assert sealed.size == number
        assert sealed.root == defined_root(await leaves_of(database, f"s-{number}"))
        assert sealed.note.startswith(f"localhost/parcycle/s-{number}\n{number}\n")


@in_a_loop
async def test_a_long_record_is_sealed_in_parts_and_proven_from_its_tiles(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer_module, "AT_ONCE", 1_000)
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await append(recorder, 2_600)
        await sealer.seal_all()
    leaves = await leaves_of(database)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    db = await asyncpg.connect(database.service_url)
    try:
        rows = await db.fetch("select size, root from record.checkpoint order by size")
        assert [row["size"] for row in rows] == [1_000, 2_000, 2_600]
        for size, root in rows:
            assert root == root_of(hashes[:size]) == await root_at(db, STUDY, size)
            for position in {1, 256, 257, size}:
                proof = await inclusion(db, STUDY, position, size)
                require_included(hashes[position - 1], position - 1, size, proof, root)
            for old, earlier in rows:
                if old <= size:
                    proof = await consistency(db, STUDY, old, size)
                    require_consistent(old, earlier, size, root, proof)
        for each in tiles_of(2_600):
            found = await tile(db, STUDY, each)
            width = 256**each.level
            start = each.number * 256 * width
            assert found == b"".join(
                root_of(hashes[start + n * width : start + (n + 1) * width])
                for n in range(each.width)
            )
        assert await tile(db, STUDY, Tile(0, 10, 41)) is None
        assert await tile(db, STUDY, Tile(0, 10)) is None
        assert await tile(db, STUDY, Tile(2, 0, 1)) is None
        assert await entry_bundle(db, STUDY, EntryBundle(11)) is None
        bundled = await entry_bundle(db, STUDY, EntryBundle(10, 40))
        assert bundled is not None
        assert leaves_in(bundled) == leaves[2_560:]
        # The last tile of leaves is not kept while it is partial: it would be written each second.
        assert (0, 10) not in await kept_tiles(db, STUDY, [(0, 10), (0, 9), (1, 0)])
    finally:
        await db.close()


@in_a_loop
async def test_a_receipt_proves_its_event_by_itself(database: Database, tmp_path: Path) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await append(recorder, 300)
        await sealer.seal_all()
        await append(recorder, 1)
    leaves = await leaves_of(database)
    keys = LogKeys(tmp_path).verifiers(ORIGIN)
    db = await asyncpg.connect(database.service_url)
    try:
        for position in (1, 256, 300):
            proof = await receipt(db, STUDY, position)
            assert proof is not None
            assert proof.extra == leaves[position - 1]
            assert require_proven(proof, proof.extra, ORIGIN, keys).checkpoint.size == 300
        assert await receipt(db, STUDY, 301) is None
        assert await receipt(db, STUDY, 0) is None
        assert await receipt(db, "another", 1) is None
    finally:
        await db.close()


@in_a_loop
async def test_several_processes_seal_one_record_to_one_tree(
    database: Database, tmp_path: Path
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path, 3) as together,
    ):
        recording = asyncio.create_task(asyncio.wait_for(_record_for_a_while(recorder), timeout=60))
        while not recording.done():
            await asyncio.gather(*(sealer.seal_all() for sealer in together))
        await recording
        await together[0].seal_all()
        assert [sealer.refusals for sealer in together] == [{}, {}, {}]
    hashes = [leaf_hash(leaf) for leaf in await leaves_of(database)]
    db = await asyncpg.connect(database.service_url)
    try:
        rows = await db.fetch("select size, root from record.checkpoint order by size")
    finally:
        await db.close()
    assert len(rows) > 3
    assert rows[-1]["size"] == len(hashes) == 900
    assert [row["root"] for row in rows] == [root_of(hashes[: row["size"]]) for row in rows]


async def _record_for_a_while(recorder: Recorder) -> None:
    for _ in range(300):
        await append(recorder, 3)


@in_a_loop
async def test_it_seals_by_itself_when_something_is_recorded(
    database: Database, tmp_path: Path
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        running = asyncio.create_task(sealer.run())
        try:
            await append(recorder, 5)
            async with asyncio.timeout(30):
                while LogKeys(tmp_path).last_signed(ORIGIN).size < 5:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # as another process sees it: no event tells
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


# What an administrator of the database may do to it, and what the sealer then says.

EDITED = f"update record.event set leaf = leaf || 'x' where study = '{STUDY}' and position = 290"
SHORTENED = f"""
delete from record.event where study = '{STUDY}' and position > 280;
delete from record.event_tag where study = '{STUDY}' and position > 280;
delete from record.checkpoint where study = '{STUDY}' and size > 250;
update record.study_head set position = 280 where study = '{STUDY}'
"""
FORGOTTEN = """
delete from record.event; delete from record.event_tag;
delete from record.checkpoint; delete from record.tile; delete from record.study_head
"""
GAP = f"delete from record.event where study = '{STUDY}' and position = 270"
UNSEALED = "delete from record.checkpoint; delete from record.tile"
UNTILED = "delete from record.tile where level = 1"
EDITED_LONG_AGO = (
    f"{UNSEALED}; update record.event set leaf = leaf || 'x' "
    f"where study = '{STUDY}' and position = 3"
)


async def _sealed_twice(database: Database, recorder: Recorder, sealer: Sealer) -> None:
    for events in (250, 50):
        await append(recorder, events)
        await sealer.seal_all()


@pytest.mark.parametrize(
    ("tampering", "refusal", "says"),
    [
        (EDITED, "RecordRewritten", "its first 300 events are not those that were sealed"),
        (SHORTENED, "RecordShortened", "has 281 events, and 300 were sealed"),
        (FORGOTTEN, "RecordShortened", "has 1 events, and 300 were sealed"),
        (GAP, "RecordShortened", "of events 257 to 301 some are gone"),
        (UNTILED, "RecordRewritten", "tiles .* are gone"),
        (EDITED_LONG_AGO, "RecordRewritten", "first 300 events are not those that were sealed"),
    ],
)
def test_a_record_that_was_changed_is_not_signed(
    database: Database, tmp_path: Path, tampering: str, refusal: str, says: str
) -> None:
    asyncio.run(_not_signed(database, tmp_path, tampering, refusal, says))


async def _not_signed(
    database: Database, folder: Path, tampering: str, refusal: str, says: str
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, folder) as [sealer],
    ):
        await _sealed_twice(database, recorder, sealer)
        before = LogKeys(folder).last_signed(ORIGIN)
        await as_owner(database, *tampering.split(";"))
        async with recorders(database.service_url) as [another]:
            await append(another, 1)
        await sealer.seal_all()
        found = sealer.refusals[STUDY]
        assert type(found).__name__ == refusal
        assert found.args
        with pytest.raises(type(found), match=says):
            raise found
        assert LogKeys(folder).last_signed(ORIGIN) == before


@in_a_loop
async def test_a_restored_backup_is_noticed_before_anything_is_recorded(
    database: Database, tmp_path: Path
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await _sealed_twice(database, recorder, sealer)
        await as_owner(database, *SHORTENED.split(";"))
        await sealer.look_for_shortened()
        assert type(sealer.refusals[STUDY]).__name__ == "RecordShortened"


@in_a_loop
async def test_it_goes_on_once_the_true_database_is_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer_module, "LOOK_AGAIN", 0.0)
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await _sealed_twice(database, recorder, sealer)
        await as_owner(database, EDITED)
        await append(recorder, 1)
        await sealer.seal_all()
        assert STUDY in sealer.refusals
        undone = "substr(leaf, 1, length(leaf) - 1)"
        await as_owner(
            database,
            f"update record.event set leaf = {undone} where study = '{STUDY}' and position = 290",
        )
        await sealer.seal_all()
        assert sealer.refusals == {}
    assert LogKeys(tmp_path).last_signed(ORIGIN).size == 301


@in_a_loop
async def test_checkpoints_and_tiles_that_were_lost_are_made_again_of_the_same_record(
    database: Database, tmp_path: Path
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await _sealed_twice(database, recorder, sealer)
        before = LogKeys(tmp_path).last_signed(ORIGIN)
        await as_owner(database, *UNSEALED.split(";"))
        await sealer.seal_all()
        assert sealer.refusals == {}
    sealed = await sealed_in(database)
    assert (sealed.size, sealed.root) == before


@in_a_loop
async def test_what_is_missing_of_a_sealed_tree_is_told_and_not_made_up(
    database: Database, tmp_path: Path
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await _sealed_twice(database, recorder, sealer)
    await as_owner(database, GAP, UNTILED)
    db = await asyncpg.connect(database.service_url)
    try:
        asking: list[Callable[[], object]] = [
            lambda: tile(db, STUDY, Tile(0, 1, 44)),
            lambda: tile(db, STUDY, Tile(1, 0, 1)),
            lambda: entry_bundle(db, STUDY, EntryBundle(1, 44)),
            lambda: receipt(db, STUDY, 270),
            lambda: inclusion(db, STUDY, 300, 300),
        ]
        for ask in asking:
            with pytest.raises(TreeDamaged):
                await ask()  # type: ignore[misc]
    finally:
        await db.close()
