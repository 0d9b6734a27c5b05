"""A signing key in a file: one line, readable by its owner alone, made once.

    PRIVATE+KEY+<name>+<id>+<base64 of kind and seed>

It is the form in which Go's `sumdb/note` writes keys; who can read the file can sign.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.sealing.key_encryption import require_private
from service.sealing.private_files import make_private
from service.sealing.signed_notes import (
    KeyKind,
    SigningKey,
    from_base64,
    require_key_name,
    to_base64,
)

PREFIX = "PRIVATE+KEY+"
SEED_BYTES = 32


class NoSigningKey(Exception):
    """The file holds no signing key of the kind that is needed."""


def make_signing_key(file: Path, name: str, kind: KeyKind) -> SigningKey:
    """Make a key in a new file of mode 0600, durably. Raises FileExistsError, `MalformedKey`."""
    require_key_name(name)
    key = SigningKey(name, kind, Ed25519PrivateKey.generate())
    seed = key.private.private_bytes_raw()
    line = f"{PREFIX}{name}+{key.verifier.id.hex()}+{to_base64(bytes([kind]) + seed)}\n"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private(file, line)
    return key


def signing_key(file: Path, kind: KeyKind) -> SigningKey:
    """The key in a file. Raises `NoSigningKey`, and `KeysUnusable` if others may read the file."""
    no_key = NoSigningKey(f"{file} holds no {kind.name.lower()}'s key.")
    try:
        with file.open(encoding="utf-8") as opened:
            require_private(file, os.fstat(opened.fileno()))
            line = opened.read().strip()
    except FileNotFoundError:
        raise NoSigningKey(f"There is no key file {file}.") from None
    except UnicodeDecodeError:
        raise no_key from None
    name, _, rest = line.removeprefix(PREFIX).partition("+")
    id_, _, encoded = rest.partition("+")
    try:
        material = from_base64(encoded)
    except ValueError:
        raise no_key from None
    if not line.startswith(PREFIX) or len(material) != 1 + SEED_BYTES or material[0] != kind:
        raise no_key
    key = SigningKey(name, kind, Ed25519PrivateKey.from_private_bytes(material[1:]))
    if key.verifier.id.hex() != id_:
        raise NoSigningKey(f"{file} was altered: its key is not {name}'s {id_}.")
    return key
