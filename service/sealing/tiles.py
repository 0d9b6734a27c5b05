"""Tiles: a tree's hashes in pieces of 256, and its leaves in bundles of as many: C2SP tlog-tiles.

A tile of level 0 has leaf hashes; each hash of a tile above is the root of a full tile below. Tiles
at the right edge are partial until they are full, and never change then. What lies between the
levels of tiles is hashed anew when it is asked for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from service.sealing.leaves import LEAF_BYTES
from service.sealing.merkle_tree import (
    HASH_BYTES,
    Subtree,
    complete_subtrees,
    level_above,
)

WIDTH = 256
HEIGHT = 8  # levels of the tree in a level of tiles
LEVELS = 64  # that a path can name

PATHS = re.compile(
    r"tile/(?P<level>[0-9]{1,2}|entries)/(?P<number>(x[0-9]{3}/){0,6}[0-9]{3})"
    r"(\.p/(?P<width>[0-9]{1,3}))?",
    re.ASCII,
)


class NoSuchPath(Exception):
    """A path that names no tile and no bundle."""


class UnfitBundle(Exception):
    """Bytes that are not whole entries with their lengths."""


class Tile(NamedTuple):
    """`width` hashes of a level, from its hash number * 256 on."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        return f"tile/{self.level}/{_number_and_width(self.number, self.width)}"


class EntryBundle(NamedTuple):
    """`width` leaves, from leaf number * 256 on."""

    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        return f"tile/entries/{_number_and_width(self.number, self.width)}"


# The hashes of tiles that were read, by level and number. A tile may have more than asked for.
TileBytes = Mapping[tuple[int, int], bytes]


def named_by(path: str) -> Tile | EntryBundle:
    """What a path names, without a `/` before it. Raises `NoSuchPath`: each thing has one path."""
    found = PATHS.fullmatch(path)
    if found is None:
        raise NoSuchPath(f"{path!r} is not the path of a tile.")
    number = int(found["number"].replace("x", "").replace("/", ""))
    width = int(found["width"] or WIDTH)
    named = (
        EntryBundle(number, width)
        if found["level"] == "entries"
        else Tile(int(found["level"]), number, width)
    )
    level = named.level if isinstance(named, Tile) else 0
    if level >= LEVELS or not 0 < width <= WIDTH or named.path != path:
        raise NoSuchPath(f"{path!r} is not the path of a tile.")
    return named


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles of a tree, level by level."""
    return tiles_changed(0, size)


def tiles_changed(old: int, size: int) -> Iterator[Tile]:
    """The tiles that the tree of `size` has and that of `old`, an earlier one, has not."""
    level = 0
    while size:
        for number, width in _pieces(old, size):
            yield Tile(level, number, width)
        old, size, level = old >> HEIGHT, size >> HEIGHT, level + 1


def bundles_of(size: int) -> Iterator[EntryBundle]:
    """All bundles of entries of a tree."""
    return (EntryBundle(*piece) for piece in _pieces(0, size))


def exists(named: Tile | EntryBundle, size: int) -> bool:
    """Whether the tree of a size, or an earlier one, has it."""
    level = named.level if isinstance(named, Tile) else 0
    return named.number * WIDTH + named.width <= size >> HEIGHT * level


def extended(
    edge: TileBytes, size: int, leaf_hashes: Iterable[bytes]
) -> dict[tuple[int, int], bytes]:
    """The tiles that come about or grow when leaves are appended to a tree of `size`.

    `edge` has at least the tree's partial tiles. A tile that was partial is given whole.
    """
    grown: dict[tuple[int, int], bytes] = {}
    hashes = list(leaf_hashes)
    level = 0
    while hashes:
        number, width = divmod(size, WIDTH)
        before = edge[level, number][: width * HASH_BYTES] if width else b""
        run = before + b"".join(hashes)
        hashes = []
        step = WIDTH * HASH_BYTES
        for at in range(0, len(run), step):
            tile = run[at : at + step]
            grown[level, number + at // step] = tile
            if len(tile) == step:
                hashes.append(_root(tile))
        size, level = size >> HEIGHT, level + 1
    return grown


def tiles_needed(runs: Iterable[range]) -> set[tuple[int, int]]:
    """The tiles, by level and number, from which the hashes of runs of leaves can be read."""
    subtrees = (subtree for run in runs for subtree in complete_subtrees(run))
    return {_place(subtree)[:2] for subtree in subtrees}


def edge_of(size: int) -> set[tuple[int, int]]:
    """The partial tiles, by level and number, of a tree of a size."""
    edge = set()
    level = 0
    while size:
        if size % WIDTH:
            edge.add((level, size // WIDTH))
        size, level = size >> HEIGHT, level + 1
    return edge


class HashesInTiles:
    """The hashes of complete subtrees, out of tiles that were read: for `merkle_tree.read`."""

    def __init__(self, tiles: TileBytes) -> None:
        self._tiles = tiles
        self._levels: dict[tuple[int, int, int], bytes] = {}

    def __call__(self, subtree: Subtree) -> bytes:
        """Raises `KeyError` for a tile, and `IndexError` for a hash, that was not read."""
        level, number, height, within = _place(subtree)
        row = self._row(level, number, height)
        hash_ = row[within * HASH_BYTES : (within + 1) * HASH_BYTES]
        if len(hash_) < HASH_BYTES:
            raise IndexError(f"Tile {number} of level {level} does not reach to {subtree}.")
        return hash_

    def _row(self, level: int, number: int, height: int) -> bytes:
        """The hashes of a tile that many levels up from its own; each row is made once."""
        place = level, number, height
        if place not in self._levels:
            self._levels[place] = (
                level_above(self._row(level, number, height - 1))
                if height
                else self._tiles[level, number]
            )
        return self._levels[place]


def split(tile: bytes) -> list[bytes]:
    """A tile's hashes."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def bundle(leaves: Iterable[bytes]) -> bytes:
    """Leaves as an entry bundle: each with its length before it, in 16 bits, big-endian."""
    parts = []
    for leaf in leaves:
        if len(leaf) > LEAF_BYTES:
            raise UnfitBundle(f"An entry has at most {LEAF_BYTES:,} bytes, not {len(leaf):,}.")
        parts += [len(leaf).to_bytes(2, "big"), leaf]
    return b"".join(parts)


def leaves_in(bundled: bytes) -> list[bytes]:
    """The leaves of an entry bundle. Raises `UnfitBundle`."""
    leaves: list[bytes] = []
    at = 0
    while at < len(bundled):
        start = at + 2
        at = start + int.from_bytes(bundled[at:start], "big")
        if start > len(bundled) or at > len(bundled):
            raise UnfitBundle(f"The bundle is cut off in entry {len(leaves)}.")
        leaves.append(bundled[start:at])
    return leaves


def _root(full: bytes) -> bytes:
    """The root of a full tile."""
    row = full
    for _ in range(HEIGHT):
        row = level_above(row)
    return row


def _number_and_width(number: int, width: int) -> str:
    """A number in elements of three digits, all but the last with an x; and a partial width."""
    elements = [f"{number % 1000:03}"]
    while number := number // 1000:
        elements.append(f"x{number % 1000:03}")
    path = "/".join(reversed(elements))
    return path if width == WIDTH else f"{path}.p/{width}"


def _pieces(old: int, size: int) -> Sequence[tuple[int, int]]:
    """Number and width of the pieces of 256 that `size` things make and `old` of them did not."""
    if old == size:
        return []
    return [
        (number, min(WIDTH, size - number * WIDTH))
        for number in range(old // WIDTH, -(-size // WIDTH))
    ]


def _place(subtree: Subtree) -> tuple[int, int, int, int]:
    """Where its hash is: the tile's level and number, how far up in the tile, and how far along."""
    level, height = divmod(subtree.level, HEIGHT)
    number, within = divmod(subtree.number, WIDTH >> height)
    return level, number, height, within
