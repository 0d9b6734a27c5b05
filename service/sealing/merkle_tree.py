"""The Merkle tree over a study's leaves, its proofs and their checks: RFC 6962, 2.1, with SHA-256.

Whatever a proof consists of is the tree hash of a run of neighbouring leaves. So a proof is first
planned, as those runs (`range`s of leaf indices), and then read: a run is made of complete
subtrees, few of them, and whoever keeps the tree gives their hashes. At a million leaves a proof
has twenty hashes or so.

Proofs are checked by other algorithms than they are made by (RFC 9162, 2.1.3.2 and 2.1.4.2), from
nothing but sizes and hashes. Indices count from 0, sizes are numbers of leaves, hashes 32 bytes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


class NotIncluded(Exception):
    """A proof does not show that the leaf is at that place in the tree of that root."""


class Inconsistent(Exception):
    """A proof does not show that the later tree begins with all of the earlier one, unaltered."""


class Subtree(NamedTuple):
    """The complete subtree over the 2**level leaves from number * 2**level on."""

    level: int
    number: int


# Gives the hash of a complete subtree; it is asked only for those within the tree.
Hashes = Callable[[Subtree], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def level_above(level: bytes) -> bytes:
    """The hashes of a level's nodes, all in a row, to those of their parents; an odd last is left.

    Faster than `node_hash` for each of them.
    """
    sha256, pair = hashlib.sha256, 2 * HASH_BYTES
    whole = len(level) - len(level) % pair
    return b"".join(
        [sha256(b"\x01" + level[at : at + pair]).digest() for at in range(0, whole, pair)]
    )


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree with these leaf hashes. A last odd one of a level goes up as it is."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [node_hash(left, right) for left, right in pairs] + odd
    return level[0]


class RightEdge:
    """All that has to be kept of a tree to append to it: its complete subtrees, largest first.

    At most 63 hashes, whatever the size. `hashes` are those of `complete_subtrees(range(size))`.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self._size = size
        self._hashes = list(hashes)
        if len(self._hashes) != size.bit_count():
            raise ValueError(f"The right edge of {size} leaves has {size.bit_count()} hashes.")

    @property
    def size(self) -> int:
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(self._hashes)

    def append(self, hash_: bytes) -> None:
        """The next leaf's hash. Two complete subtrees of one size are joined to the next larger."""
        full = self._size
        while full & 1:
            hash_ = node_hash(self._hashes.pop(), hash_)
            full >>= 1
        self._hashes.append(hash_)
        self._size += 1

    def root(self) -> bytes:
        return joined(self._hashes)


def joined(hashes: Sequence[bytes]) -> bytes:
    """The tree hash of a run, from those of the complete subtrees that it is made of."""
    if not hashes:
        return EMPTY_ROOT
    *others, root = hashes
    for left in reversed(others):
        root = node_hash(left, root)
    return root


def complete_subtrees(run: range) -> Iterator[Subtree]:
    """The complete subtrees that a run of leaves is made of, from left to right.

    The run begins where a subtree of its size can: at a multiple of the smallest power of two that
    is not less than its length. All runs of proofs do.
    """
    start = run.start
    for level in reversed(range(len(run).bit_length())):
        if len(run) >> level & 1:
            yield Subtree(level, start >> level)
            start += 1 << level


def read(runs: Iterable[range], hashes: Hashes) -> list[bytes]:
    """The tree hashes of runs of leaves, in order: a planned proof, or roots."""
    return [joined([hashes(subtree) for subtree in complete_subtrees(run)]) for run in runs]


def inclusion_proof(index: int, size: int) -> list[range]:
    """The runs that make the proof that a leaf is in the tree of a size: RFC 6962, 2.1.1.

    The leaf's sibling is first, the root's child last.
    """
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    runs = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_part(end - start)
        if index < middle:
            runs.append(range(middle, end))
            end = middle
        else:
            runs.append(range(start, middle))
            start = middle
    return runs[::-1]


def consistency_proof(old: int, size: int) -> list[range]:
    """The runs that prove that the tree of `size` begins with that of `old`: RFC 6962, 2.1.2.

    Both are at least 1: nothing has to be proven of an empty tree.
    """
    if not 0 < old <= size:
        raise ValueError(f"There is no proof from {old} leaves to {size}.")
    return subtree_consistency_proof(range(old), size)


def subtree_consistency_proof(part: range, size: int) -> list[range]:
    """The runs that prove that the tree has this part: draft-ietf-plants-merkle-tree-certs, 4.4.

    For a part from leaf 0 on it is RFC 6962's consistency proof.
    """
    if not 0 <= part.start < part.stop <= size:
        raise ValueError(f"There is no proof of {part} in {size} leaves.")
    runs = []
    start, end = 0, size
    known = True  # whether the part's own hash, which the verifier has, is what is come down to
    while (part.start, part.stop) != (start, end):
        middle = start + _left_part(end - start)
        if part.stop <= middle:
            runs.append(range(middle, end))
            end = middle
        else:
            runs.append(range(start, middle))
            if part.start < middle:  # the part goes on from the left, of which it has all
                part, known = range(middle, part.stop), False
            start = middle
    if not known:
        runs.append(range(start, end))
    return runs[::-1]


def require_included(
    hash_: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf of this hash is at `index` in the tree. Raises `NotIncluded`."""
    refused = NotIncluded(
        f"The proof does not lead from leaf {index} to the root of a tree of {size} leaves."
    )
    if not 0 <= index < size or not _are_hashes([hash_, *proof, root]):
        raise refused
    node, last = index, size - 1
    reached = hash_
    for sibling in proof:
        if last == 0:
            raise refused
        if node & 1 or node == last:
            reached = node_hash(sibling, reached)
            node, last = _up_to_where_odd(node, last)
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    if last or reached != root:
        raise refused


def require_consistent(
    old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `size` and `root` extends that of `old`. Raises `Inconsistent`.

    Every tree extends the empty one; its proof is empty then, as for a tree and itself.
    """
    refused = Inconsistent(
        f"The proof does not show that a tree of {size} leaves extends one of {old}."
    )
    if not 0 <= old <= size or not _are_hashes([old_root, root, *proof]):
        raise refused
    if old in (0, size):
        if proof or (old == size and old_root != root) or (old == 0 and old_root != EMPTY_ROOT):
            raise refused
        return
    # A complete old tree is itself where the proof begins, so the proof leaves it out.
    begun = [old_root, *proof] if old & (old - 1) == 0 else proof
    if not begun or not proof:
        raise refused
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    earlier = later = begun[0]
    for sibling in begun[1:]:
        if last == 0:
            raise refused
        if node & 1 or node == last:
            earlier, later = node_hash(sibling, earlier), node_hash(sibling, later)
            node, last = _up_to_where_odd(node, last)
        else:
            later = node_hash(later, sibling)
        node, last = node >> 1, last >> 1
    if last or earlier != old_root or later != root:
        raise refused


def _left_part(size: int) -> int:
    """The largest power of two less than a size: so many leaves are left of the root."""
    return 1 << (size - 1).bit_length() - 1


def _up_to_where_odd(node: int, last: int) -> tuple[int, int]:
    """Up the right edge past the levels at which it has no sibling."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def _are_hashes(given: Iterable[bytes]) -> bool:
    return all(len(each) == HASH_BYTES for each in given)
