"""Requests to cosign a log of 700 leaves, as it is and as if one had been altered."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.sealing.checkpoints import Checkpoint
from service.sealing.cosigning import Request
from service.sealing.merkle_tree import consistency_proof, leaf_hash, read, root_of
from service.sealing.signed_notes import KeyKind, Note, SigningKey, signed
from service.sealing.tiles import HashesInTiles, extended
from tests.sealed_study import LOG, ORIGIN

TRUE = [leaf_hash(b"%d" % n) for n in range(700)]
REWRITTEN = [*TRUE[:50], leaf_hash(b"another"), *TRUE[51:]]
STRANGER = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\3" * 32))


@cache
def head(size: int, *, rewritten: bool = False, by: SigningKey = LOG) -> Note:
    hashes = REWRITTEN if rewritten else TRUE
    text = Checkpoint(by.name, size, root_of(hashes[:size])).text
    return Note(text, (signed(text, by),))


@cache
def proof(old: int, size: int, *, rewritten: bool = False) -> tuple[bytes, ...]:
    if not 0 < old < size:
        return ()
    tiles = extended({}, 0, REWRITTEN if rewritten else TRUE)
    return tuple(read(consistency_proof(old, size), HashesInTiles(tiles)))


def request(old: int, size: int, *, rewritten: bool = False, by: SigningKey = LOG) -> bytes:
    note = head(size, rewritten=rewritten, by=by)
    return str(Request(old, proof(old, size, rewritten=rewritten), note)).encode()
