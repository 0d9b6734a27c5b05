"""Cosigning: a witness vouches for a checkpoint only if it extends the last one it vouched for.

A request is C2SP tlog-witness's, the same whether it comes over HTTP to a witness that is a service
or as a file to a committee that meets once a month:

    old <size of the checkpoint that was cosigned last, or 0>
    <base64 of a hash>              the proof of consistency, zero or more

    <the log's signed checkpoint>

A witness sees a study's origin, its number of events and a root hash, and nothing else. What it
cosigned last, a service keeps in a database (witness.py), and a committee in a small file: the
cosigned checkpoint itself.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from service.sealing.checkpoints import NUMBER, Checkpoint, MalformedCheckpoint, require_head
from service.sealing.merkle_tree import EMPTY_ROOT, HASH_BYTES, require_consistent
from service.sealing.private_files import write_private
from service.sealing.signed_notes import (
    BadSignature,
    KeyKind,
    MalformedNote,
    Note,
    NotSigned,
    Signature,
    SigningKey,
    VerifierKey,
    from_base64,
    signed,
    to_base64,
    verified,
)

PROOF_HASHES = 63  # no request has more


class MalformedRequest(Exception):
    """Text that is no request to cosign a checkpoint."""


class UnknownLog(Exception):
    """A checkpoint of a log that this witness does not watch."""


class OtherThanHeld(Exception):
    """The request starts from another size than that of the checkpoint that was cosigned last."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The checkpoint cosigned last has {size} leaves.")
        self.size = size


class Contradiction(Exception):
    """The log has signed another root for as many leaves: a second history."""

    def __init__(self, size: int) -> None:
        super().__init__(f"The log signed two roots for {size} leaves: two histories.")
        self.size = size


class UnfitState(Exception):
    """The file of what was cosigned last is not one, or is another cosigner's."""


class Request(NamedTuple):
    """To cosign a checkpoint, given the proof that it extends the one of `old` leaves."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        lines = [f"old {self.old}", *map(to_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines) + str(self.note)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises `MalformedRequest`. Nothing is verified yet."""
        head, blank, note = raw.partition(b"\n\n")
        try:
            first, *encoded = head.decode("ascii").split("\n")
            proof = tuple(from_base64(line) for line in encoded)
            checkpoint = Note.parse(note)
            size = Checkpoint.parse(checkpoint.text).size
        except (ValueError, MalformedNote, MalformedCheckpoint) as fault:
            raise MalformedRequest(f"The request cannot be read: {fault}") from None
        word, _, old = first.partition(" ")
        if not blank or word != "old" or not NUMBER.fullmatch(old):
            raise MalformedRequest("A request begins with the line `old` and a size.")
        if len(proof) > PROOF_HASHES or any(len(each) != HASH_BYTES for each in proof):
            raise MalformedRequest(f"A proof is of up to {PROOF_HASHES} hashes of 32 bytes.")
        if int(old) > size:
            raise MalformedRequest(f"A checkpoint of {size} leaves does not extend one of {old}.")
        return cls(int(old), proof, checkpoint)


def require_signed(request: Request, logs: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint, signed by a log that is watched.

    Raises `UnknownLog`, and `NotSigned` or `BadSignature` (of `signed_notes`).
    """
    checkpoint = Checkpoint.parse(request.note.text)
    keys = [key for key in logs if key.name == checkpoint.origin]
    if not keys:
        raise UnknownLog(f"No key of {checkpoint.origin} is known here.")
    return require_head(request.note, checkpoint.origin, keys).checkpoint


def require_extends(request: Request, checkpoint: Checkpoint, held: Checkpoint | None) -> None:
    """Check that the checkpoint extends the one that was cosigned last, if there was one.

    Raises `OtherThanHeld`, `Contradiction`, and `Inconsistent` (of `merkle_tree`).
    """
    size, root = (0, EMPTY_ROOT) if held is None else (held.size, held.root)
    if request.old != size:
        raise OtherThanHeld(size)
    if checkpoint.size == size and checkpoint.root != root:
        raise Contradiction(size)
    require_consistent(size, root, checkpoint.size, checkpoint.root, request.proof)


def cosignature(note: Note, key: SigningKey, now: float | None = None) -> Signature:
    """The witness's line: as of now, no larger tree of this log than the note's is known to it."""
    return signed(note.text, key, int(time.time() if now is None else now))


def by_its_log(note: Note, logs: Iterable[VerifierKey]) -> Note:
    """The note with the log's own signatures alone: a stranger's lines are not passed on."""
    origin = Checkpoint.parse(note.text).origin
    ids = {key.id for key in logs if key.name == origin and key.kind is KeyKind.LOG}
    lines = [line for line in note.signatures if line.name == origin and line.key_id in ids]
    return Note(note.text, tuple(lines))


def cosign_offline(raw: bytes, logs: Sequence[VerifierKey], key: SigningKey, state: Path) -> Note:
    """The request's checkpoint, cosigned; it is kept in `state` before it is given.

    A request for what was cosigned last gives it again. Raises what `Request.parse`,
    `require_signed` and `require_extends` do, and `UnfitState`.
    """
    request = Request.parse(raw)
    checkpoint = require_signed(request, logs)
    with _locked(state):
        last = _last(state, key)
        held = None if last is None else Checkpoint.parse(last.text)
        if held is not None and held.origin != checkpoint.origin:
            raise UnfitState(
                f"{state} is of {held.origin}, and the request of {checkpoint.origin}."
            )
        if last is not None and held == checkpoint:
            return last
        require_extends(request, checkpoint, held)
        ours = by_its_log(request.note, logs)
        cosigned = Note(ours.text, (*ours.signatures, cosignature(ours, key)))
        write_private(state, str(cosigned))
    return cosigned


def _last(state: Path, key: SigningKey) -> Note | None:
    if not state.exists():
        return None
    try:
        note = Note.parse(state.read_bytes())
        verified(note, [key.verifier])
    except (MalformedNote, NotSigned, BadSignature) as fault:
        raise UnfitState(f"{state} is not what {key.name} cosigned last: {fault}") from None
    return note


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Nobody else cosigns by this state meanwhile."""
    lock = os.open(state.with_name(f"{state.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
