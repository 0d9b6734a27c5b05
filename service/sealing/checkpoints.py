"""Checkpoints, the heads of a study's tree that are signed, and proofs that stand alone.

<origin>                        C2SP tlog-checkpoint: the text of a signed note
<size>
<base64 of the root>

c2sp.org/tlog-proof@v1          C2SP tlog-proof: a receipt of one leaf
extra <base64>                  if there is something
index <index>
<base64 of a hash>              the proof of inclusion, zero or more

<a signed checkpoint>
"""

import re
from collections.abc import Iterable
from typing import NamedTuple, Self

from msgspec import Struct

from service.sealing.merkle_tree import HASH_BYTES, leaf_hash, require_included
from service.sealing.signed_notes import (
    KeyKind,
    Note,
    Signed,
    VerifierKey,
    from_base64,
    to_base64,
    verified,
)

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
PROOF_HASHES = 63  # no proof has more

NUMBER = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)  # without leading zeros


class MalformedCheckpoint(Exception):
    """A note whose text is no checkpoint."""


class MalformedProof(Exception):
    """Text that is no `.tlog-proof`."""


class OtherOrigin(Exception):
    """A checkpoint or a proof is of another log than the one asked about."""


class Checkpoint(NamedTuple):
    """A tree's head: of which log, how many leaves, and their root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()  # further lines, which no one here writes

    @property
    def text(self) -> str:
        """What is signed."""
        lines = [self.origin, str(self.size), to_base64(self.root), *self.extensions]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `MalformedCheckpoint`."""
        *lines, end = text.split("\n")
        if end or len(lines) < 3 or not all(lines):
            raise MalformedCheckpoint("A checkpoint has a line each for origin, size and root.")
        origin, size, encoded, *extensions = lines
        try:
            root = from_base64(encoded)
        except ValueError:
            root = b""
        if not NUMBER.fullmatch(size) or len(root) != HASH_BYTES:
            raise MalformedCheckpoint(f"No size and root: {size!r}, {encoded!r}.")
        return cls(origin, int(size), root, tuple(extensions))


class TlogProof(Struct, frozen=True):
    """The proof that a leaf is in a log: where, by which hashes, under which signed head."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes = b""  # vouched for by nobody

    def __str__(self) -> str:
        extra = [f"extra {to_base64(self.extra)}"] if self.extra else []
        lines = [PROOF_HEADER, *extra, f"index {self.index}", *map(to_base64, self.hashes), ""]
        return "".join(f"{line}\n" for line in lines) + str(self.checkpoint)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises `MalformedProof`, or `MalformedNote` for its checkpoint. Nothing is verified."""
        head, blank, note = raw.partition(b"\n\n")
        try:
            header, *lines = head.decode("ascii").split("\n")
            extra = from_base64(lines.pop(0)[6:]) if lines[0].startswith("extra ") else b""
            index, *encoded = lines
            hashes = [from_base64(each) for each in encoded]
        except (ValueError, IndexError):
            raise MalformedProof("The proof's lines are not those of a .tlog-proof.") from None
        if not blank or header != PROOF_HEADER:
            raise MalformedProof(f"A .tlog-proof begins with the line {PROOF_HEADER}.")
        word, _, number = index.partition(" ")
        if word != "index" or not NUMBER.fullmatch(number):
            raise MalformedProof(f"{index!r} does not say the leaf's index.")
        if len(hashes) > PROOF_HASHES or any(len(each) != HASH_BYTES for each in hashes):
            raise MalformedProof(f"A proof is of up to {PROOF_HASHES} hashes of 32 bytes.")
        return cls(int(number), tuple(hashes), Note.parse(note), extra)


class Head(NamedTuple):
    """A checkpoint that its log signed, and who else signed it."""

    checkpoint: Checkpoint
    by: tuple[Signed, ...]

    @property
    def cosignatures(self) -> list[Signed]:
        return [each for each in self.by if each.key.kind is KeyKind.WITNESS]


def require_head(note: Note, origin: str, keys: Iterable[VerifierKey]) -> Head:
    """The checkpoint of a note, signed by its log and by those of the witnesses that did.

    `keys` are the log's (those named for the origin count as its own) and the witnesses'. Raises
    `NotSigned`, `BadSignature`, `MalformedCheckpoint` and `OtherOrigin`.
    """
    known = list(keys)
    logs = [key for key in known if key.kind is KeyKind.LOG and key.name == origin]
    verified(note, logs)  # a witness's word does not stand for the log's
    by = verified(note, known)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != origin:
        raise OtherOrigin(f"The checkpoint is of {checkpoint.origin!r}, not of {origin!r}.")
    return Head(checkpoint, tuple(by))


def require_proven(proof: TlogProof, leaf: bytes, origin: str, keys: Iterable[VerifierKey]) -> Head:
    """The head under which this leaf is in the log of that origin, as the proof shows.

    Raises `NotIncluded`, and what `require_head` raises.
    """
    head = require_head(proof.checkpoint, origin, keys)
    size, root = head.checkpoint.size, head.checkpoint.root
    require_included(leaf_hash(leaf), proof.index, size, proof.hashes, root)
    return head
