"""Tiles and bundles have the paths and contents that C2SP tlog-tiles says, at every size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sealing.leaves import LEAF_BYTES
from service.sealing.merkle_tree import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    read,
    root_of,
)
from service.sealing.tiles import (
    EntryBundle,
    HashesInTiles,
    NoSuchPath,
    Tile,
    UnfitBundle,
    bundle,
    bundles_of,
    edge_of,
    exists,
    extended,
    leaves_in,
    named_by,
    split,
    tiles_changed,
    tiles_needed,
    tiles_of,
)

LEAVES = [b"%d" % n for n in range(70_000)]  # the tree of the specification's example
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
TILES = extended({}, 0, HASHES)


sizes = st.integers(0, 70_000) | st.integers(0, 273).map(lambda full: full * 256)


def at_size(size: int) -> dict[tuple[int, int], bytes]:
    """The tiles of the tree as it was at a size: the first hashes of those of now."""
    return {
        (level, number): TILES[level, number][: width * 32]
        for level, number, width in tiles_of(size)
    }


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("tile/0/x001/x234/067", Tile(0, 1_234_067)),
        ("tile/1/000.p/17", Tile(1, 0, 17)),
        ("tile/63/999.p/255", Tile(63, 999, 255)),
        ("tile/entries/000", EntryBundle(0)),
        ("tile/entries/x273/000.p/112", EntryBundle(273_000, 112)),
    ],
)
def test_the_published_paths(path: str, named: Tile | EntryBundle) -> None:
    assert named.path == path
    assert named_by(path) == named


@given(st.integers(0, 63) | st.none(), st.integers(0, 2**55), st.integers(1, 256))
def test_each_tile_has_one_path(level: int | None, number: int, width: int) -> None:
    named = EntryBundle(number, width) if level is None else Tile(level, number, width)
    assert named_by(named.path) == named


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/00/000", "tile/64/000", "tile/-1/000",
        "tile/0/001/000", "tile/0/x000/001", "tile/0/x001", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/017", "tile/0/000.p/", "tile/0/000.p", "/tile/0/000", "tile/0/000/",
        "tile/0/000\n", "tile/0/\u0660\u0660\u0660", "tile/entries", "tile/data/000",
        "tile/0/X001/000", "tile/0/x001/../000", "tile//000",
    ],
)  # fmt: skip
def test_other_paths_name_nothing(path: str) -> None:
    with pytest.raises(NoSuchPath):
        named_by(path)


def test_the_specifications_example() -> None:
    """70,000 leaves: 273 full tiles and one of 112; one full and one of 17; one of 1."""
    assert list(tiles_of(70_000)) == [
        *(Tile(0, number) for number in range(273)), Tile(0, 273, 112),
        Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1),
    ]  # fmt: skip
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(bundles_of(512)) == [EntryBundle(0), EntryBundle(1)]
    assert list(bundles_of(257)) == [EntryBundle(0), EntryBundle(1, 1)]


def test_the_tiles_of_a_tree_have_the_hashes_that_the_specification_defines() -> None:
    assert {(tile.level, tile.number): tile.width for tile in tiles_of(70_000)} == {
        place: len(hashes) // 32 for place, hashes in TILES.items()
    }
    for (level, number), hashes in TILES.items():
        width = 256**level
        for i, hash_ in enumerate(split(hashes)):
            start = (number * 256 + i) * width
            assert hash_ == root_of(HASHES[start : start + width])


@given(sizes, sizes)
def test_what_changes_from_one_size_to_another_is_what_the_one_has_and_the_other_has_not(
    one: int, other: int
) -> None:
    old, size = sorted((one, other))
    changed = list(tiles_changed(old, size))
    assert len(set(changed)) == len(changed)
    assert set(changed) == set(tiles_of(size)) - set(tiles_of(old))
    assert all(exists(tile, size) for tile in changed)
    assert not any(exists(tile, old) for tile in changed)


@settings(max_examples=25)
@given(sizes, sizes)
def test_a_tree_is_extended_from_the_partial_tiles_of_its_edge_alone(one: int, other: int) -> None:
    old, size = sorted((one, other))
    before = at_size(old)
    edge = {place: before[place] for place in edge_of(old)}
    grown = extended(edge, old, HASHES[old:size])
    assert before | grown == at_size(size)
    assert {(*place, len(hashes) // 32) for place, hashes in grown.items()} == {
        tuple(tile) for tile in tiles_changed(old, size)
    }


def test_a_tile_that_grew_meanwhile_still_extends_the_smaller_tree() -> None:
    """As after a crash between two transactions, or where a reader sees a later tile."""
    edge = {place: TILES[place] for place in edge_of(69_900)}
    grown = extended(edge, 69_900, HASHES[69_900:69_950])
    assert grown[0, 273] == TILES[0, 273][: (69_950 - 273 * 256) * 32]


@settings(max_examples=25)
@given(st.integers(1, 70_000), st.data())
def test_roots_and_proofs_are_read_from_the_few_tiles_they_need(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    for runs in ([range(size)], inclusion_proof(index, size), consistency_proof(old, size)):
        needed = tiles_needed(runs)
        assert len(needed) <= 9
        assert read(runs, HashesInTiles({place: TILES[place] for place in needed})) == [
            root_of(HASHES[run.start : run.stop]) for run in runs
        ]


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_a_bundle_gives_back_its_leaves(leaves: list[bytes]) -> None:
    assert leaves_in(bundle(leaves)) == leaves


def test_a_bundle_is_each_leaf_after_its_length() -> None:
    assert (
        bundle([b"", b"ab", b"x" * 258]) == b"\x00\x00" + b"\x00\x02ab" + b"\x01\x02" + b"x" * 258
    )
    assert leaves_in(bundle([b"x" * LEAF_BYTES])) == [b"x" * LEAF_BYTES]
    with pytest.raises(UnfitBundle, match="65,536"):
        bundle([b"x" * (LEAF_BYTES + 1)])


@pytest.mark.parametrize("cut", [b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01a\x00", b"\xff\xff"])
def test_a_bundle_that_is_cut_off_is_refused(cut: bytes) -> None:
    with pytest.raises(UnfitBundle, match="cut off in entry"):
        leaves_in(cut)
