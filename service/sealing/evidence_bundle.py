"""Evidence bundles: one zip in which a study's whole sealed record can be checked without us.

    tile/entries/000        256 leaves, each with its length before it (16 bits, big-endian)
    tile/0/000              the 256 hashes under which they were sealed
    parts/000               what of their contents the asker is given, a line a part:
                              <position> <path> <salt in hex> <data in base64>    it is open
                              <position> <path> sealed <ciphertext in base64>     it is encrypted
    ...                     and so on: tile/entries/001 ... x001/000; a last, partial one of W
                            events is 001.p/W (C2SP tlog-tiles)
    checkpoint              the newest, with its cosignatures: it says how many events there are
    checkpoints/<size>      earlier cosigned ones, sizes in 20 digits, zero or more

An event that is not in the database any more has an empty leaf, so that the others stay in their
places. A part that was erased is left out: a later leaf says so. What can be computed from the
leaves (the tiles above, proofs) is left out too, so that nothing in a bundle goes unchecked. The
zip's comment is `par-bundle/1 sha256:` and the SHA-256 of all bytes before the digest itself: no
bit of the file can change unnoticed. `verify.py` checks it all; deploy/verifying.md explains it.

Bundles are written as a stream: neither the record nor the zip is ever in memory.
"""

import hashlib
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import NamedTuple

from service.sealing.checkpoints import Checkpoint
from service.sealing.leaves import PUBLIC, public_part
from service.sealing.merkle_tree import HASH_BYTES
from service.sealing.signed_notes import Note
from service.sealing.tiles import WIDTH, EntryBundle, Tile, bundle, bundles_of

MARK = b"par-bundle/1 sha256:"
DIGEST_BYTES = 64  # in hex
QUICK = 1  # zlib's level: most of a bundle is hashes, which do not get shorter
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # every file's time: the same record makes the same bundle


class OpenPart(NamedTuple):
    """A sealed field that was opened for the asker."""

    path: str
    salt: bytes
    data: bytes


class SealedPart(NamedTuple):
    """A sealed field that the asker may not read: its ciphertext."""

    path: str
    blob: bytes


class Row(NamedTuple):
    """An event as the database has it: its leaf, and what the leaf commits to."""

    position: int
    leaf: bytes
    salt: bytes  # of the public part
    envelope: bytes
    payload: bytes
    parts: tuple[OpenPart | SealedPart, ...] = ()


async def evidence_bundle(
    checkpoint: bytes,
    earlier: Iterable[bytes],
    rows: AsyncIterable[Row],
    sealed: AsyncIterable[bytes],
) -> AsyncIterator[bytes]:
    """The bundle of a study up to a checkpoint, piece by piece.

    `rows` come in order of position, from 1 on; `sealed` gives the tiles of level 0 in their order,
    as the sealer wrote them. Both may have more than the checkpoint covers, but not at once: read
    them in one snapshot. `earlier` are cosigned checkpoints before it, a few hundred at most: each
    costs whoever verifies some 20 ms. Raises `MalformedNote` and `MalformedCheckpoint`.
    """
    size = _size(checkpoint)
    sent = _Sent()
    digest = hashlib.sha256()
    reading, tiles = aiter(rows), aiter(sealed)
    row = await anext(reading, None)
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED, compresslevel=QUICK) as archive:
        archive.comment = MARK + bytes(DIGEST_BYTES)
        for place in bundles_of(size):
            first = place.number * WIDTH + 1
            found: dict[int, Row] = {}
            while row is not None and row.position < first + place.width:
                found[row.position] = row
                row = await anext(reading, None)
            for path, content in _pieces(place, found, await anext(tiles, b"")):
                _write(archive, path, content)
            piece = sent.taken()
            digest.update(piece)
            yield piece
        _write(archive, "checkpoint", checkpoint)
        for note in earlier:
            _write(archive, f"checkpoints/{_size(note):020}", note)
    end = sent.taken()[:-DIGEST_BYTES]
    digest.update(end)
    yield end + digest.hexdigest().encode()


class _Sent:
    """What a zip is written to: it cannot be sought in, and forgets what was taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """There is nothing behind it."""

    def close(self) -> None:
        """There is nothing to close."""

    def taken(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)


def _pieces(
    place: EntryBundle, found: dict[int, Row], sealed: bytes
) -> Iterator[tuple[str, bytes]]:
    """The three files of up to 256 events."""
    positions = range(place.number * WIDTH + 1, place.number * WIDTH + 1 + place.width)
    there = [found.get(position) for position in positions]
    yield place.path, bundle(b"" if row is None else row.leaf for row in there)
    tile = Tile(0, place.number, place.width)
    length = place.width * HASH_BYTES
    yield tile.path, sealed[:length].ljust(length, b"\0")  # one that was tampered with may be short
    path = tile.path.replace("tile/0", "parts", 1)
    yield path, b"".join(line for row in there if row is not None for line in _lines(row))


def _lines(row: Row) -> Iterator[bytes]:
    public = OpenPart(PUBLIC, row.salt, public_part(row.envelope, row.payload))
    for part in (public, *row.parts):
        if isinstance(part, OpenPart):
            salt, data = part.salt.hex(), part.data
        else:
            salt, data = "sealed", part.blob
        yield b"%d %b %b %b\n" % (row.position, part.path.encode(), salt.encode(), b64encode(data))


def _write(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    info = zipfile.ZipInfo(path, LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content, compresslevel=QUICK)


def _size(checkpoint: bytes) -> int:
    return Checkpoint.parse(Note.parse(checkpoint).text).size
