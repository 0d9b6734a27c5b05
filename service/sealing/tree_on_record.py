"""A study's tree as it is on record: its checkpoints, tiles, leaves, and proofs read from them.

Tiles are in `record.tile`, but for the last of level 0 while it is partial: that one is hashed from
its leaves.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from asyncpg import Connection

from service.sealing.checkpoints import TlogProof
from service.sealing.merkle_tree import (
    HASH_BYTES,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    read,
)
from service.sealing.signed_notes import Note, Signature, signature_lines
from service.sealing.tiles import (
    WIDTH,
    EntryBundle,
    HashesInTiles,
    Tile,
    bundle,
    exists,
    tiles_needed,
)

LATEST = """
select size, root, note, signed_at from record.checkpoint
where study = $1 and size >= $2 order by size desc limit 1
"""
LATEST_COSIGNED = """
select c.size, c.root, c.note, c.signed_at
from record.cosignature k join record.checkpoint c on c.study = k.study and c.size = k.size
where k.study = $1 and k.size >= $2 order by k.size desc limit 1
"""
COSIGNATURES = """
select line, cosigned_at from record.cosignature where study = $1 and size = $2 order by witness
"""
TILES = """
select t.level, t.number, t.hashes
from unnest($2::smallint[], $3::bigint[]) as asked (level, number)
join record.tile t on t.study = $1 and t.level = asked.level and t.number = asked.number
"""
LEAVES = """
select leaf from record.event where study = $1 and position > $2 and position <= $3
order by position
"""


class TreeDamaged(Exception):
    """The tiles or leaves on record are not those that were sealed."""


class Cosigned(NamedTuple):
    """What a witness says of a checkpoint."""

    line: Signature
    at: datetime


class Sealed(NamedTuple):
    """A checkpoint on record: the log's own note, and what witnesses said of it."""

    size: int
    root: bytes
    note: str
    signed_at: datetime
    cosignatures: tuple[Cosigned, ...] = ()

    @property
    def cosigned(self) -> Note:
        """The note with all its signatures."""
        own = Note.parse(self.note.encode())
        return Note(own.text, (*own.signatures, *(each.line for each in self.cosignatures)))


async def latest(db: Connection, study: str, *, at_least: int = 0) -> Sealed | None:
    """The latest checkpoint, if it has that many leaves."""
    return await _with_cosignatures(db, study, LATEST, at_least)


async def best_for(db: Connection, study: str, position: int) -> Sealed | None:
    """The latest checkpoint over a position that a witness cosigned; else the latest over it."""
    found = await _with_cosignatures(db, study, LATEST_COSIGNED, position)
    return found or await latest(db, study, at_least=position)


async def _with_cosignatures(db: Connection, study: str, sql: str, at_least: int) -> Sealed | None:
    row = await db.fetchrow(sql, study, at_least)
    if row is None:
        return None
    by = await db.fetch(COSIGNATURES, study, row["size"])
    cosignatures = [
        Cosigned(line, each["cosigned_at"]) for each in by for line in signature_lines(each["line"])
    ]
    return Sealed(row["size"], row["root"], row["note"], row["signed_at"], tuple(cosignatures))


async def hashes_for(db: Connection, study: str, runs: Iterable[range]) -> HashesInTiles:
    """What the tree hashes of these runs of sealed leaves are read from. Raises `TreeDamaged`."""
    needed = tiles_needed(runs)
    tiles = await kept_tiles(db, study, needed)
    for level, number in needed - tiles.keys():
        if level:
            raise TreeDamaged(f"Tile {number} of level {level} of {study} is not on record.")
        leaves = await leaves_between(db, study, number * WIDTH, (number + 1) * WIDTH)
        tiles[level, number] = b"".join(map(leaf_hash, leaves))
    return HashesInTiles(tiles)


async def kept_tiles(
    db: Connection, study: str, places: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """Those of these tiles, by level and number, that are kept."""
    asked = list(places)
    if not asked:
        return {}
    levels, numbers = zip(*asked, strict=True)
    rows = await db.fetch(TILES, study, levels, numbers)
    return {(row["level"], row["number"]): row["hashes"] for row in rows}


async def leaves_between(db: Connection, study: str, after: int, through: int) -> list[bytes]:
    """The leaves after a position and up to another, in order."""
    return [row["leaf"] for row in await db.fetch(LEAVES, study, after, through)]


async def tree_hashes(db: Connection, study: str, runs: Sequence[range]) -> list[bytes]:
    """The tree hash of each run of sealed leaves. Raises `TreeDamaged`."""
    hashes = await hashes_for(db, study, runs)
    try:
        return read(runs, hashes)
    except (KeyError, IndexError):
        raise TreeDamaged(f"Tiles or leaves of {study} that were sealed are gone.") from None


async def root_at(db: Connection, study: str, size: int) -> bytes:
    """The root of the tree as it was at a size. Raises `TreeDamaged`."""
    (root,) = await tree_hashes(db, study, [range(size)])
    return root


async def inclusion(db: Connection, study: str, position: int, size: int) -> list[bytes]:
    """The proof that the event at a position is in the tree of a size. Raises `TreeDamaged`."""
    return await tree_hashes(db, study, inclusion_proof(position - 1, size))


async def consistency(db: Connection, study: str, old: int, size: int) -> list[bytes]:
    """The proof that the tree of `size` extends that of `old`. Raises `TreeDamaged`."""
    return await tree_hashes(db, study, consistency_proof(old, size)) if old else []


async def receipt(db: Connection, study: str, position: int) -> TlogProof | None:
    """The proof, to be kept, that the event at a position is on record; None until it is sealed.

    It carries the event's leaf. Raises `TreeDamaged`.
    """
    sealed = await best_for(db, study, position)
    if sealed is None or position < 1:
        return None
    leaves = await leaves_between(db, study, position - 1, position)
    if not leaves:
        raise TreeDamaged(f"Event {position} of {study} was sealed and is gone.")
    hashes = await inclusion(db, study, position, sealed.size)
    return TlogProof(position - 1, tuple(hashes), sealed.cosigned, extra=leaves[0])


async def tile(db: Connection, study: str, asked: Tile) -> bytes | None:
    """A tile, if the latest checkpoint's tree has it or once had. Raises `TreeDamaged`."""
    if not exists(asked, await _sealed_size(db, study)):
        return None
    run = range(asked.number * WIDTH, asked.number * WIDTH + asked.width)
    place = asked.level, asked.number
    tiles = await kept_tiles(db, study, [place])
    if place not in tiles and asked.level == 0:
        tiles[place] = b"".join(
            map(leaf_hash, await leaves_between(db, study, run.start, run.stop))
        )
    hashes = tiles.get(place, b"")[: asked.width * HASH_BYTES]
    if len(hashes) != asked.width * HASH_BYTES:
        raise TreeDamaged(f"{asked.path} of {study} is not whole on record.")
    return hashes


async def entry_bundle(db: Connection, study: str, asked: EntryBundle) -> bytes | None:
    """A bundle of leaves, if the latest checkpoint's tree has them. Raises `TreeDamaged`."""
    if not exists(asked, await _sealed_size(db, study)):
        return None
    after = asked.number * WIDTH
    leaves = await leaves_between(db, study, after, after + asked.width)
    if len(leaves) != asked.width:
        raise TreeDamaged(f"{asked.path} of {study} is not whole on record.")
    return bundle(leaves)


async def _sealed_size(db: Connection, study: str) -> int:
    row = await db.fetchrow(LATEST, study, 0)
    return row["size"] if row else 0
