"""Trees of published vectors, and the tree as RFC 6962, 2.1, defines it, to compare with."""

import hashlib
from collections.abc import Sequence

from service.sealing.merkle_tree import Hashes, Subtree, leaf_hash

# certificate-transparency's reference leaves, and the roots of the trees of the first 0 to 8.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
CT_ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    n = len(leaves)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = defined_split(n)
    left, right = defined_root(leaves[:k]), defined_root(leaves[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def defined_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    n = len(leaves)
    if n == 1:
        return []
    k = defined_split(n)
    if m < k:
        return [*defined_path(m, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined_root(leaves[:k])]


def defined_proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF of RFC 6962, 2.1.2."""
    return _subproof(m, leaves, True)


def _subproof(m: int, leaves: Sequence[bytes], b: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if b else [defined_root(leaves)]
    k = defined_split(n)
    if m <= k:
        return [*_subproof(m, leaves[:k], b), defined_root(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], False), defined_root(leaves[:k])]


def defined_split(n: int) -> int:
    """The largest power of two less than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def stored(leaves: Sequence[bytes]) -> Hashes:
    """The hashes of a tree's complete subtrees, as somebody keeps them who keeps them all."""
    kept = {Subtree(0, number): leaf_hash(leaf) for number, leaf in enumerate(leaves)}
    level = 1
    while len(leaves) >> level:
        for number in range(len(leaves) >> level):
            below = leaves[number << level : number + 1 << level]
            kept[Subtree(level, number)] = defined_root(below)
        level += 1
    return kept.__getitem__
