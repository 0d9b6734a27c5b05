"""Evidence bundles: one zip in which a study's whole sealed record can be checked without us.

    events                  event by event: a line, and as many bytes as it says
                              <bytes of the leaf> <parts>       as it was sealed
                              <bytes of the leaf> <hash in hex> <parts>
                                                                another was sealed: its hash
                            <parts> is what of the event's content the asker is given, each as
                              <path> <salt in hex> <bytes>      it is open
                              <path> sealed <bytes>             it is encrypted
                            after the line come the leaf as it was sealed, and the parts
    checkpoint              the newest, with its cosignatures: it says how many events there are
    checkpoints/<size>      earlier cosigned ones, sizes in 20 digits, zero or more

An event that is not in the database any more has an empty leaf, so that the others stay in their
places. A part that was erased is left out: a later leaf says so. What can be computed from the
leaves (the tree, proofs) is left out too, so that nothing in a bundle goes unchecked. The file's
last 64 bytes, in the zip's comment, are the SHA-256 of all bytes before them: no bit of it can
change unnoticed. `verify.py` checks it all; deploy/verifying.md explains it.

Bundles are written as a stream: neither the record nor the zip is ever in memory.
"""

import hashlib
import zipfile
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import NamedTuple

from service.sealing.checkpoints import Checkpoint
from service.sealing.leaves import PUBLIC, public_part
from service.sealing.merkle_tree import HASH_BYTES, leaf_hash
from service.sealing.signed_notes import Note
from service.sealing.tiles import WIDTH, bundles_of

MARK = b"par-bundle/1 sha256:"
DIGEST_BYTES = 64  # in hex
QUICK = 1  # zlib's level: most of a bundle is hashes, which do not get shorter


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
    costs whoever verifies some 10 ms. Raises `MalformedNote` and `MalformedCheckpoint`.
    """
    size = _size(checkpoint)
    sent = _Sent()
    digest = hashlib.sha256()
    reading, tiles = aiter(rows), aiter(sealed)
    row = await anext(reading, None)
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED, compresslevel=QUICK) as archive:
        archive.comment = MARK + bytes(DIGEST_BYTES)
        with archive.open("events", "w", force_zip64=True) as events:
            for place in bundles_of(size):
                first = place.number * WIDTH + 1
                hashes = await anext(tiles, b"")
                for n in range(place.width):
                    found = row if row is not None and row.position == first + n else None
                    events.write(_event(found, hashes[n * HASH_BYTES : (n + 1) * HASH_BYTES]))
                    if found is not None:
                        row = await anext(reading, None)
                piece = sent.taken()
                digest.update(piece)
                yield piece
        archive.writestr(zipfile.ZipInfo("checkpoint"), checkpoint)
        for note in earlier:
            archive.writestr(zipfile.ZipInfo(f"checkpoints/{_size(note):020}"), note)
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


def _event(row: Row | None, sealed_by: bytes) -> bytes:
    """An event with its leaf; a hash that was tampered with may be short."""
    if row is None:
        return _line(b"", sealed_by)
    public = OpenPart(PUBLIC, row.salt, public_part(row.envelope, row.payload))
    said, contents = list[str](), [row.leaf]
    for part in (public, *row.parts):
        if isinstance(part, OpenPart):
            said += [part.path, part.salt.hex(), str(len(part.data))]
            contents.append(part.data)
        else:
            said += [part.path, "sealed", str(len(part.blob))]
            contents.append(part.blob)
    return _line(row.leaf, sealed_by, *said) + b"".join(contents)


def _line(leaf: bytes, sealed_by: bytes, *parts: str) -> bytes:
    """What stands before an event; the hash that was sealed only where it is another."""
    other = [] if sealed_by == leaf_hash(leaf) else [sealed_by.ljust(HASH_BYTES, b"\0").hex()]
    return f"{' '.join([str(len(leaf)), *other, *parts])}\n".encode()


def _size(checkpoint: bytes) -> int:
    return Checkpoint.parse(Note.parse(checkpoint).text).size
