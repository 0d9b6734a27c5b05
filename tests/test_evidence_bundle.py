"""Bundles hold what their format says, and are made and checked in streams."""

import asyncio
import hashlib
import io
import tracemalloc
import zipfile
from collections.abc import AsyncIterator

import pytest

from service.sealing import verify
from service.sealing.checkpoints import Checkpoint, MalformedCheckpoint
from service.sealing.evidence_bundle import OpenPart, Row, evidence_bundle
from service.sealing.merkle_tree import RightEdge, leaf_hash
from service.sealing.signed_notes import MalformedNote, Note, signed
from tests.bench.verify import row
from tests.sealed_study import LOG, NO_WITNESS, ORIGIN, bundled, sealed_study

STUDY = sealed_study(600, 200)


def test_what_is_in_a_bundle() -> None:
    with zipfile.ZipFile(io.BytesIO(STUDY.bundle())) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    events = io.BytesIO(held.pop("events"))
    for each in STUDY.rows:
        length, *parts = events.readline().decode().removesuffix("\n").split(" ")
        assert events.read(int(length)) == each.leaf
        public = OpenPart("pub", each.salt, each.envelope + b"\n" + each.payload)
        for part in (public, *each.parts):
            path, salt, size, *parts = parts
            if isinstance(part, OpenPart):
                expected, content = part.salt.hex(), part.data
            else:
                expected, content = "sealed", part.blob
            assert (path, salt, events.read(int(size))) == (part.path, expected, content)
        assert parts == []
    assert events.read() == b""
    assert held == {
        "checkpoint": STUDY.checkpoints[600],
        f"checkpoints/{200:020}": STUDY.checkpoints[200],
        f"checkpoints/{400:020}": STUDY.checkpoints[400],
    }


def test_the_same_record_makes_the_same_bundle() -> None:
    assert STUDY.bundle() == STUDY.bundle()
    raw = STUDY.bundle()
    assert raw[-64:] == hashlib.sha256(raw[:-64]).hexdigest().encode()


def test_what_is_beyond_the_checkpoint_is_left_out_and_what_is_missing_leaves_its_place() -> None:
    rows, tiles = STUDY.rows, STUDY.tiles
    till_400 = bundled(STUDY.checkpoints[400], [STUDY.checkpoints[200]], rows, tiles)
    assert verify.Bundle(NO_WITNESS, io.BytesIO(till_400)).size == 400
    holes = [each for each in rows if each.position not in (1, 256, 257, 600)]
    found = verify.Bundle(
        NO_WITNESS, io.BytesIO(bundled(STUDY.checkpoints[600], [], holes, tiles))
    ).found
    assert found["DELETED"] == ["event 1", "event 256", "event 257"]
    assert found["TRUNCATED"] == ["events 600 to 600"]


def test_the_hash_that_was_sealed_is_given_where_it_is_not_the_events() -> None:
    rows, tiles = [*STUDY.rows], [*STUDY.tiles]
    edited = rows[299].leaf.replace(b"\nana\n", b"\neva\n")
    rows[299] = rows[299]._replace(leaf=edited)
    del rows[9]
    made = bundled(STUDY.checkpoints[600], [], rows, tiles)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        events = archive.read("events")
    for was, here in ((STUDY.rows[299].leaf, edited), (STUDY.rows[9].leaf, b"")):
        assert b"%d %b" % (len(here), leaf_hash(was).hex().encode()) in events
    assert events.count(leaf_hash(STUDY.rows[0].leaf).hex().encode()) == 0


@pytest.mark.parametrize(
    ("checkpoint", "why"),
    [(b"?", MalformedNote), ("a\n\n— b AAAAAAA=\n".encode(), MalformedCheckpoint)],
)
def test_what_is_no_checkpoint_makes_no_bundle(checkpoint: bytes, why: type[Exception]) -> None:
    with pytest.raises(why):
        bundled(checkpoint, [], [], [])


def test_a_bundle_is_made_in_streams() -> None:
    """Ten times the record takes next to no more memory: the zip's directory, 40 bytes an event."""
    small, large = (peak_of_making(events) for events in (2_000, 20_000))
    assert large - small < 18_000 * 60, (small, large)
    assert large < 6_000_000


def test_a_bundle_is_checked_in_streams() -> None:
    """It takes the hashes of the leaves, of ids and of ciphertexts, and not what they are of."""
    small, large = (peak_of_checking(events) for events in (2_000, 20_000))
    assert large - small < 18_000 * 600, (small, large)


def peak_of_making(events: int) -> int:
    """Bytes, at most, while a bundle is made of rows that nobody else keeps."""
    checkpoint, tiles = sealed(events)
    return asyncio.run(_made(checkpoint, tiles, events, io.BytesIO(), trace=True))


def peak_of_checking(events: int) -> int:
    checkpoint, tiles = sealed(events)
    out = io.BytesIO()
    asyncio.run(_made(checkpoint, tiles, events, out, trace=False))
    tracemalloc.start()
    try:
        assert verify.Bundle(NO_WITNESS, out).found == {}
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def _made(
    checkpoint: bytes, tiles: list[bytes], events: int, out: io.BytesIO, *, trace: bool
) -> int:
    async def rows() -> AsyncIterator[Row]:
        for position in range(1, events + 1):
            yield row(position)

    async def seals() -> AsyncIterator[bytes]:
        for tile in tiles:
            yield tile

    if trace:
        tracemalloc.start()
    try:
        async for piece in evidence_bundle(checkpoint, [], rows(), seals()):
            if not trace:
                out.write(piece)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sealed(events: int) -> tuple[bytes, list[bytes]]:
    edge, tiles, run = RightEdge(), list[bytes](), list[bytes]()
    for position in range(1, events + 1):
        run.append(leaf_hash(row(position).leaf))
        edge.append(run[-1])
        if len(run) == 256 or position == events:
            tiles.append(b"".join(run))
            run.clear()
    text = Checkpoint(ORIGIN, events, edge.root()).text
    return str(Note(text, (signed(text, LOG),))).encode(), tiles
