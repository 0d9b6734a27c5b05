"""The tree is RFC 6962's: its roots and proofs are the published ones, and altered ones refused."""

import hashlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sealing.merkle_tree import (
    EMPTY_ROOT,
    Inconsistent,
    NotIncluded,
    RightEdge,
    complete_subtrees,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    read,
    require_consistent,
    require_included,
    root_of,
    subtree_consistency_proof,
)
from tests.published_trees import (
    CT_LEAVES,
    CT_ROOTS,
    defined_path,
    defined_proof,
    defined_root,
    stored,
)

BYTES = [bytes([n]) for n in range(130)]  # the leaves of the published rolling digests


trees = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_certificate_transparency(size: int) -> None:
    leaves = CT_LEAVES[:size]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    edge = RightEdge()
    for hash_ in hashes:
        edge.append(hash_)
    assert root_of(hashes) == edge.root() == CT_ROOTS[size]
    assert read([range(size)], stored(leaves)) == [CT_ROOTS[size]]


def parts(end: int) -> Iterator[range]:
    """The subtrees that end there, of draft-ietf-plants-merkle-tree-certs, 4.1; one is empty."""
    for start in range(end + 1):
        step = 1
        while step < end - start:
            step *= 2
        if start == end or start % step == 0:
            yield range(start, end)


def digest_of(lines: Iterator[str]) -> str:
    rolling = hashlib.sha256()
    for line in lines:
        rolling.update(f"{line}\n".encode())
    return rolling.hexdigest()


def said(hashes: list[bytes]) -> str:
    return "".join(f" {each.hex()}" for each in hashes)


def test_the_published_digest_of_all_trees_up_to_130_leaves() -> None:
    kept = stored(BYTES)
    assert digest_of(
        f"[{part.start}, {part.stop}){said(read([part], kept))}"
        for end in range(131)
        for part in parts(end)
    ) == "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81"  # fmt: skip


def test_the_published_digest_of_all_inclusion_proofs_in_them() -> None:
    kept = stored(BYTES)

    def proof(index: int, part: range) -> list[bytes]:
        runs = inclusion_proof(index - part.start, len(part))
        moved = [range(part.start + run.start, part.start + run.stop) for run in runs]
        return read(moved, kept)

    assert digest_of(
        f"{index} [{part.start}, {part.stop}){said(proof(index, part))}"
        for end in range(131)
        for part in parts(end)
        for index in part
    ) == "ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f"  # fmt: skip


def test_the_published_digest_of_all_consistency_proofs_of_them() -> None:
    kept = stored(BYTES)

    def proof(part: range, size: int) -> list[bytes]:
        return read(subtree_consistency_proof(part, size), kept) if part else []

    assert digest_of(
        f"[{part.start}, {part.stop}) {size}{said(proof(part, size))}"
        for size in range(131)
        for end in range(size + 1)
        for part in parts(end)
    ) == "10fa99b37bf9bf9ffa26b412fbd98bd75363256d0b75d61bc4538b9c9c5a0a74"  # fmt: skip


@given(trees, st.data())
def test_a_leaf_of_any_tree_is_proven_as_the_rfc_defines_it(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = read(inclusion_proof(index, len(leaves)), stored(leaves))
    assert proof == defined_path(index, leaves)
    require_included(leaf_hash(leaves[index]), index, len(leaves), proof, defined_root(leaves))


@given(trees, st.data())
def test_a_tree_extends_each_earlier_one_as_the_rfc_defines_it(
    leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    proof = read(consistency_proof(old, len(leaves)), stored(leaves))
    assert proof == defined_proof(old, leaves)
    before, now = defined_root(leaves[:old]), defined_root(leaves)
    require_consistent(old, before, len(leaves), now, proof)


@given(trees, st.data())
def test_a_tree_grows_from_its_right_edge_alone(leaves: list[bytes], data: st.DataObject) -> None:
    known = data.draw(st.integers(0, len(leaves)))
    kept = stored(leaves)
    edge = RightEdge(known, [kept(subtree) for subtree in complete_subtrees(range(known))])
    assert edge.root() == defined_root(leaves[:known])
    for leaf in leaves[known:]:
        edge.append(leaf_hash(leaf))
    assert (edge.size, edge.root()) == (len(leaves), defined_root(leaves))
    assert len(edge.hashes) == len(leaves).bit_count()


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=2, max_size=24), st.data())
def test_an_altered_inclusion_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = read(inclusion_proof(index, size), stored(leaves))
    hash_, root = leaf_hash(leaves[index]), defined_root(leaves)
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    bad = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
    elsewhere = data.draw(st.integers(-1, size).filter(lambda other: other != index))
    for wrong in (
        (flipped(hash_, bit), index, size, proof, root),
        (hash_, index, size, bad, root),
        (hash_, index, size, proof, flipped(root, bit)),
        (hash_, index, size, proof[:-1], root),
        (hash_, index, size, [*proof, proof[at]], root),
        (hash_, index, size, [*proof[:at], proof[at][:-1], *proof[at + 1 :]], root),
        (hash_, -1, size, proof, root),
        (hash_, size, size, proof, root),
    ):
        with pytest.raises(NotIncluded):
            require_included(*wrong)
    if len(set(leaves)) == size:  # else its equal may well be there
        with pytest.raises(NotIncluded):
            require_included(hash_, elsewhere, size, proof, root)


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=2, max_size=24), st.data())
def test_an_altered_consistency_is_refused(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    old = data.draw(st.integers(1, size - 1))
    proof = read(consistency_proof(old, size), stored(leaves))
    before, now = defined_root(leaves[:old]), defined_root(leaves)
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    bad = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
    for wrong in (
        (old, flipped(before, bit), size, now, proof),
        (old, before, size, flipped(now, bit), proof),
        (old, before, size, now, bad),
        (old, before, size, now, proof[:-1]),
        (old, before, size, now, [*proof, proof[at]]),
        (old, before, size, now, []),
        (old, before, size, now, [*proof[:at], proof[at] + b"\0", *proof[at + 1 :]]),
        (old, before, old, now, proof),
        (size, now, old, before, proof),
        (0, EMPTY_ROOT, size, now, proof),
    ):
        with pytest.raises(Inconsistent):
            require_consistent(*wrong)


@given(trees, st.data())
def test_a_history_that_was_rewritten_has_no_proof(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """Whatever proof the rewriter makes of the tree as it is now."""
    old = data.draw(st.integers(1, len(leaves)))
    at = data.draw(st.integers(0, old - 1))
    rewritten = [*leaves[:at], leaves[at] + b"!", *leaves[at + 1 :]]
    proof = read(consistency_proof(old, len(leaves)), stored(rewritten))
    with pytest.raises(Inconsistent):
        require_consistent(
            old, defined_root(leaves[:old]), len(leaves), defined_root(rewritten), proof
        )


def test_every_tree_extends_the_empty_one_and_itself_and_nothing_else_does_without_proof() -> None:
    require_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    require_consistent(0, EMPTY_ROOT, 8, CT_ROOTS[8], [])
    require_consistent(8, CT_ROOTS[8], 8, CT_ROOTS[8], [])
    wrong: tuple[int, bytes, int, bytes, list[bytes]]
    for wrong in (
        (0, CT_ROOTS[1], 8, CT_ROOTS[8], []),
        (0, EMPTY_ROOT, 0, CT_ROOTS[1], []),
        (8, CT_ROOTS[7], 8, CT_ROOTS[8], []),
        (4, CT_ROOTS[4], 8, CT_ROOTS[8], []),
        (-1, CT_ROOTS[4], 8, CT_ROOTS[8], []),
    ):
        with pytest.raises(Inconsistent):
            require_consistent(*wrong)


@given(st.integers(1, 2**63 - 1), st.data())
def test_a_proof_is_short_and_of_few_subtrees_at_any_size(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    deep = (size - 1).bit_length()
    included, consistent = inclusion_proof(index, size), consistency_proof(old, size)
    assert len(included) <= deep
    assert len(consistent) <= deep + 1
    asked = sum(len(list(complete_subtrees(run))) for run in included)
    assert asked <= 2 * deep  # all but the last run are complete themselves
    for run in (*included, *consistent):
        whole = list(complete_subtrees(run))
        assert run.start == whole[0].number << whole[0].level
        assert run.stop == whole[-1].number + 1 << whole[-1].level


@pytest.mark.parametrize(
    ("plan", "of"),
    [
        (inclusion_proof, (8, 8)), (inclusion_proof, (-1, 8)), (inclusion_proof, (0, 0)),
        (consistency_proof, (0, 8)), (consistency_proof, (9, 8)),
        (subtree_consistency_proof, (range(4, 4), 8)), (RightEdge, (3, [bytes(32)])),
    ],
)  # fmt: skip
def test_what_no_tree_has_is_not_planned(
    plan: Callable[..., object], of: tuple[object, ...]
) -> None:
    with pytest.raises(ValueError, match=r"leaves"):
        plan(*of)


def flipped(given: bytes, bit: int) -> bytes:
    """With one bit changed."""
    number = int.from_bytes(given, "big") ^ 1 << bit % (8 * len(given))
    return number.to_bytes(len(given), "big")
