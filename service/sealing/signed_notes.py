"""Signed notes: text that keys have signed, and how keys are named: C2SP signed-note.

    <text, of lines>

    — <key name> <base64 of the key's id and its signature>        one or more

Two kinds of Ed25519 keys sign here: a log's own, over the text; and a witness's, whose cosignature
(C2SP tlog-cosignature, cosignature/v1) says too when it was made. A signature by a key that is not
known is passed over; one that is by a known key and wrong refuses the whole note.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NOTE_BYTES = 1_000_000  # no note is longer
SIGNATURES = 100  # no note has more; C2SP: at least 16
KEY_ID_BYTES = 4
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
TIME_BYTES = 8
LATEST = 2**63 - 1  # of a cosignature's time, in seconds since 1970

LINE = re.compile("— ([^ ]+) ([A-Za-z0-9+/]+={0,2})")


class MalformedNote(Exception):
    """Text that is no signed note."""


class MalformedKey(Exception):
    """Text that is no key of a kind that is known here, or a name that no key can have."""


class NotSigned(Exception):
    """None of the keys that count has signed the note."""


class BadSignature(Exception):
    """A signature says it is by a known key, and is not that key's over this note."""


class KeyKind(IntEnum):
    """What a key signs, by C2SP's byte for it."""

    LOG = 1
    WITNESS = 4


class VerifierKey(NamedTuple):
    """A key by which signatures are verified. As text: `name+id+base64 of kind and public key`."""

    name: str
    kind: KeyKind
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of a hash: it tells keys apart and proves nothing."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `MalformedKey`."""
        malformed = MalformedKey(f"{text!r} is no key: it would look like name+1a2b3c4d+base64.")
        name, plus, rest = text.partition("+")
        id_, second_plus, encoded = rest.partition("+")
        try:
            material = from_base64(encoded)
        except ValueError:
            raise malformed from None
        if not plus or not second_plus or len(material) != 1 + PUBLIC_BYTES:
            raise malformed
        if material[0] not in set(KeyKind):
            raise MalformedKey(f"{text!r} is a key of a kind ({material[0]}) not known here.")
        require_key_name(name)
        key = cls(name, KeyKind(material[0]), material[1:])
        if key.id.hex() != id_:
            raise MalformedKey(f"{text!r} is altered: a key of that name and kind is {key}.")
        return key


class SigningKey(NamedTuple):
    """A key that signs notes under a name."""

    name: str
    kind: KeyKind
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self.kind, self.private.public_key().public_bytes_raw())


class Signature(NamedTuple):
    """A line of signature: by which key it says it is, and the bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {to_base64(self.key_id + self.signature)}\n"


class Signed(NamedTuple):
    """What was verified: the key, and, of a witness, when it cosigned (seconds since 1970)."""

    key: VerifierKey
    line: Signature
    at: int | None


class Note(NamedTuple):
    """A text, with its last line feed, and the signatures under it, verified or not."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Raises `MalformedNote`. Nothing is verified yet: do not use the text before."""
        if len(raw) > NOTE_BYTES:
            raise MalformedNote(f"A note has at most {NOTE_BYTES:,} bytes, not {len(raw):,}.")
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise MalformedNote("A note is text in UTF-8, and this is not.") from None
        require_note_text(whole)
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not text or not lines:
            raise MalformedNote("A note is text, a blank line and lines of signatures.")
        return cls(f"{text}\n", tuple(signature_lines(lines)))


def signed(text: str, key: SigningKey, at: int | None = None) -> Signature:
    """Sign a note's text; a witness's key signs with the time, in seconds since 1970."""
    require_note_text(text)
    require_key_name(key.name)
    if (key.kind is KeyKind.WITNESS) != (at is not None):
        raise ValueError("A cosignature has a time, and another signature has none.")
    signature = key.private.sign(_what_is_signed(text, at))
    if at is not None:
        signature = at.to_bytes(TIME_BYTES, "big") + signature
    return Signature(key.name, key.verifier.id, signature)


def verified(note: Note, keys: Iterable[VerifierKey]) -> list[Signed]:
    """Which of these keys signed, in the note's order.

    Raises `NotSigned` if none of them did, and `BadSignature` if a signature of one is wrong.
    """
    known = {(key.name, key.id): key for key in keys}
    found: dict[VerifierKey, Signed] = {}
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is not None:
            at = _require_signed(note.text, line, key)
            found.setdefault(key, Signed(key, line, at))
    if not found:
        names = ", ".join(sorted({key.name for key in known.values()})) or "nobody"
        raise NotSigned(f"Not signed by a key that counts here (of {names}).")
    return list(found.values())


def signature_lines(text: str) -> list[Signature]:
    """The lines of signatures, each with its line feed: a note's, or a witness's answer.

    Raises `MalformedNote`.
    """
    *lines, end = text.split("\n")
    if end or not 0 < len(lines) <= SIGNATURES:
        raise MalformedNote(f"There are 1 to {SIGNATURES} lines of signatures, with a line feed.")
    return [_signature(line) for line in lines]


def require_note_text(text: str) -> None:
    """Raises `MalformedNote`: a text is of lines, without control characters in them."""
    if not text.endswith("\n"):
        raise MalformedNote("A note ends with a line feed.")
    if any(character < " " and character != "\n" for character in text):
        raise MalformedNote("A note has no control characters but line feeds.")


def require_key_name(name: str) -> None:
    """Raises `MalformedKey`: a name is of something, without spaces and plus signs."""
    if not name or "+" in name or any(each.isspace() or each < " " for each in name):
        raise MalformedKey(f"{name!r} names no key: it has to be without spaces and '+'.")


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Raises `ValueError` but for the one way in which bytes are written (RFC 4648, section 4)."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text!r} is not base64.") from error
    if to_base64(data) != text:
        raise ValueError(f"{text!r} is base64 written in another way than it should be.")
    return data


def _signature(line: str) -> Signature:
    malformed = MalformedNote(f"{line!r} is no signature: it would look like '— name base64'.")
    found = LINE.fullmatch(line)
    if found is None:
        raise malformed
    try:
        require_key_name(found[1])
        data = from_base64(found[2])
    except (MalformedKey, ValueError):
        raise malformed from None
    if len(data) <= KEY_ID_BYTES:
        raise malformed
    return Signature(found[1], data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _require_signed(text: str, line: Signature, key: VerifierKey) -> int | None:
    """When it was cosigned, if that is said. Raises `BadSignature`."""
    at, signature = None, line.signature
    if key.kind is KeyKind.WITNESS:
        at, signature = int.from_bytes(signature[:TIME_BYTES], "big"), signature[TIME_BYTES:]
    wrong = BadSignature(f"The signature by {key.name} (key {key.id.hex()}) is not over this note.")
    if len(signature) != SIGNATURE_BYTES or (at is not None and at > LATEST):
        raise wrong
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, _what_is_signed(text, at))
    except (InvalidSignature, ValueError):
        raise wrong from None
    return at


def _what_is_signed(text: str, at: int | None) -> bytes:
    cosigned = "" if at is None else f"cosignature/v1\ntime {at}\n"
    return f"{cosigned}{text}".encode()
