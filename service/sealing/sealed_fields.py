"""Sealed fields: personal data encrypted under the keys of those it is about, so it can be erased.

    blob = 01 || key version (16 bits) || nonce (12 bytes) || AES-256-GCM(salt || padded data)

Numbers are big-endian. The field's identity (origin, event, path, subjects, key version) is the
associated data, so that a blob moved or swapped does not open; and it goes into the derivation of
the key, so that every field has a key of its own. The data are padded to blocks of 64 bytes (ISO/
IEC 7816-4), so that a length tells little: "yes" and "no" look alike.

Names can be searched for by a blind index: tokens made under a key of the study, which tell nothing
to somebody without that key.
"""

import hashlib
import hmac
import os
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.sealing.leaves import SALT_BYTES, SealedField, commitment

FORMAT = b"\x01"
KEY_VERSION = 1  # how a field's key is derived from its subjects' keys
HEADER_BYTES = 3  # the format and the key version
NONCE_BYTES = 12
TAG_BYTES = 16
BLOCK_BYTES = 64
TOKEN_BYTES = 16


class Altered(Exception):
    """A blob is not, byte for byte, what was sealed for this field of this event."""


class KeyGone(Exception):
    """A subject of the field has no key any more, so the field cannot be opened, ever."""


class Opened(NamedTuple):
    """What a blob holds: the data, and the salt by which anybody can check its commitment."""

    salt: bytes
    data: bytes


def seal(
    keys: Mapping[str, bytes],
    *,
    origin: str,
    event_id: UUID,
    path: str,
    subjects: Iterable[str],
    data: bytes,
) -> SealedField:
    """Seal a field for its subjects; `keys` has the key of each, 32 bytes.

    Raises `KeyGone` if one of them has none.
    """
    of = tuple(sorted(set(subjects)))
    identity = _identity(origin, event_id, path, of)
    cipher = _cipher(keys, of, identity)
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header = FORMAT + KEY_VERSION.to_bytes(2, "big")
    blob = header + nonce + cipher.encrypt(nonce, salt + _padded(data), identity)
    return SealedField(
        path=path,
        subjects=of,
        key_version=KEY_VERSION,
        blob=blob,
        digest=hashlib.sha256(blob).digest(),
        commitment=commitment(salt, event_id, path, data),
    )


def open_sealed(
    keys: Mapping[str, bytes],
    *,
    origin: str,
    event_id: UUID,
    path: str,
    subjects: Iterable[str],
    blob: bytes,
) -> Opened:
    """What was sealed. Raises `KeyGone` if a subject has no key, else `Altered`."""
    of = tuple(sorted(set(subjects)))
    identity = _identity(origin, event_id, path, of)
    cipher = _cipher(keys, of, identity)
    altered = Altered(
        f"{path} of event {event_id} does not open: its ciphertext was altered, moved or cut, or "
        "its subjects' keys are not those it was sealed under."
    )
    inside = len(blob) - HEADER_BYTES - NONCE_BYTES - TAG_BYTES - SALT_BYTES
    if inside < BLOCK_BYTES or inside % BLOCK_BYTES:
        raise altered
    if blob[:HEADER_BYTES] != FORMAT + KEY_VERSION.to_bytes(2, "big"):
        raise altered
    nonce = blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
    try:
        plain = cipher.decrypt(nonce, blob[HEADER_BYTES + NONCE_BYTES :], identity)
    except InvalidTag:
        raise altered from None
    data, mark, rest = plain[SALT_BYTES:].rpartition(b"\x80")
    if not mark or rest.strip(b"\x00") or len(rest) >= BLOCK_BYTES:
        raise altered
    return Opened(plain[:SALT_BYTES], data)


def name_tokens(key: bytes, name: str) -> list[bytes]:
    """The blind index of a name: the token of the whole, then one of each of its words.

    A name is found by the whole, or by whichever of its words are known. Case, accents' encoding,
    punctuation and spaces do not matter (Unicode NFKC, then case folding). Equal names of a study
    have equal tokens: delete a person's with their other data.
    """
    words = _words(name)
    forms = dict.fromkeys([" ".join(words), *words])
    return [_token(key, form) for form in forms if form]


def _token(key: bytes, form: str) -> bytes:
    said = b"par-name/1\x00" + form.encode()
    return hmac.digest(key, said, "sha256")[:TOKEN_BYTES]


def _words(name: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    # Letters, their marks and digits make words; \w would part many scripts at their vowel signs.
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in folded).split()


def _identity(origin: str, event_id: UUID, path: str, subjects: tuple[str, ...]) -> bytes:
    """Which field of which event, and whose; each text with its length before it."""
    texts = [text.encode() for text in (origin, path, *subjects)]
    return b"".join((
        b"par-sealed/1\x00", KEY_VERSION.to_bytes(2, "big"), event_id.bytes,
        *(len(text).to_bytes(4, "big") + text for text in texts),
    ))  # fmt: skip


def _cipher(keys: Mapping[str, bytes], subjects: tuple[str, ...], identity: bytes) -> AESGCM:
    """AES under the field's key (HKDF, RFC 5869), which needs the key of every subject."""
    if not subjects:
        raise ValueError("A sealed field has at least one subject.")
    try:
        material = b"".join([keys[subject] for subject in subjects])
    except KeyError as missing:
        raise KeyGone(f"{missing.args[0]} has no key.") from None
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=identity).derive(material))


def _padded(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK_BYTES)
