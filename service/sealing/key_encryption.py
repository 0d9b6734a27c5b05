"""Key-encryption keys: what the keys of data subjects are wrapped by before they are stored.

`KeyEncryption` is what a key management service or Vault's transit engine offers; `Keyring` is the
same from a file. The newest key of a keyring wraps; older ones still unwrap what they wrapped.
"""

import base64
import binascii
import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.sealing.private_files import opened, write_private

KEY_BYTES = 32
NONCE_BYTES = 12
ABOUT_KEYRINGS = """\
# Key-encryption keys of parcycle, oldest first; the last one wraps. Keep a copy of this file, apart
# from every backup of the keys it wraps: without it they are lost, with it they can be read.
"""


class KeysUnusable(Exception):
    """The keys of data subjects cannot be used as they are: says why, and what to do."""


class Wrapped(NamedTuple):
    """A key as it is stored: encrypted, and by which key-encryption key."""

    key_id: str
    data: bytes


class KeyEncryption(Protocol):
    """Wraps keys of data subjects. A wrapped key unwraps for its own study and subject only."""

    async def key_id(self) -> str:
        """The id of the key that wraps now."""

    async def wrap(self, key: bytes, study: str, subject: str) -> Wrapped:
        """Wrap a key. Raises `KeysUnusable`."""

    async def unwrap(self, wrapped: Wrapped, study: str, subject: str) -> bytes:
        """The key. Raises `KeysUnusable` if it was altered, or its wrapping key is not there."""


class Keyring:
    """Key-encryption keys in a file: a line each, its id and the key in base64.

    A key's id is a hash of it, so that a damaged line is noticed. The file is replaced as a whole,
    and read again when it was, so that all processes that use it learn of a new key at once.
    """

    def __init__(self, file: Path) -> None:
        """The keyring of an existing file. Raises `KeysUnusable`."""
        self.file = file
        self._read_from: tuple[int, int] | None = None
        self._keys: dict[str, bytes] = {}
        # What was read from the key store just before a rotation ended has still to be unwrapped.
        self._known: dict[str, bytes] = {}
        self.ids()

    @classmethod
    def make(cls, file: Path) -> "Keyring":
        """The keyring of this file, made with one new key if there is no such file."""
        if file.exists():
            return cls(file)  # without the lock, which a rotation holds for long
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with opened(file.parent) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not file.exists():
                _write(file, dict([_new_key()]))
        return cls(file)

    @contextmanager
    def rotating(self) -> Iterator[None]:
        """Rotate alone: only then may keys be added and removed. Raises `KeysUnusable`."""
        with opened(self.file.parent) as folder:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise KeysUnusable(
                    f"Another process is rotating the keys of {self.file}. Wait until it is done."
                ) from None
            yield

    def ids(self) -> list[str]:
        """The ids of its keys, oldest first. Raises `KeysUnusable`."""
        return list(self._read())

    def add(self) -> str:
        """Add a new key, which wraps from now on; gives its id."""
        key_id, key = _new_key()
        _write(self.file, self._read() | {key_id: key})
        return key_id

    def remove(self, ids: Collection[str]) -> None:
        """Remove these keys. What they wrapped, here and in any backup, is unreadable for ever.

        A process that has read them forgets them only when it ends.
        """
        kept = {key_id: key for key_id, key in self._read().items() if key_id not in ids}
        _write(self.file, kept)

    async def key_id(self) -> str:
        return self.ids()[-1]

    async def wrap(self, key: bytes, study: str, subject: str) -> Wrapped:
        key_id, by = list(self._read().items())[-1]
        nonce = os.urandom(NONCE_BYTES)
        about = _about(key_id, study, subject)
        return Wrapped(key_id, nonce + AESGCM(by).encrypt(nonce, key, about))

    async def unwrap(self, wrapped: Wrapped, study: str, subject: str) -> bytes:
        key_id, data = wrapped
        self._read()
        by = self._known.get(key_id)
        if by is None:
            raise KeysUnusable(
                f"The key of {subject} in {study} is wrapped by {key_id}, which is not in "
                f"{self.file}. Bring back the keyring that holds it."
            )
        try:
            about = _about(key_id, study, subject)
            return AESGCM(by).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], about)
        except (InvalidTag, ValueError):
            raise KeysUnusable(
                f"The key of {subject} in {study} was altered in the key store, or is another's. "
                "Bring it back from a backup of the key store."
            ) from None

    def _read(self) -> dict[str, bytes]:
        """The keys by their ids, oldest first, as the file holds them now."""
        try:
            with self.file.open("rb") as file:
                found = os.fstat(file.fileno())
                if (found.st_ino, found.st_mtime_ns) != self._read_from:
                    require_private(self.file, found)
                    self._keys = _parsed(self.file, file.read())
                    self._known |= self._keys
                    self._read_from = (found.st_ino, found.st_mtime_ns)
        except OSError as error:
            raise KeysUnusable(
                f"The keyring {self.file} cannot be read: {error.strerror}. Set PARCYCLE_KEYRING "
                "to where it is, or bring it back from where you keep its copy."
            ) from error
        return self._keys


def require_private(file: Path, found: os.stat_result) -> None:
    """Raises `KeysUnusable` if the file is open to other accounts."""
    if found.st_mode & 0o077:
        raise KeysUnusable(
            f"{file} holds keys and is open to others (mode {found.st_mode & 0o777:04o}). Think "
            f"who may have read it, then run: chmod 600 {file}"
        )


def _new_key() -> tuple[str, bytes]:
    key = os.urandom(KEY_BYTES)
    return _id_of(key), key


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"par-kek/1\x00" + key).hexdigest()[:16]


def _about(key_id: str, study: str, subject: str) -> bytes:
    """The associated data: each text with its length before it."""
    texts = [text.encode() for text in (key_id, study, subject)]
    return b"par-wrap/1\x00" + b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def _parsed(file: Path, content: bytes) -> dict[str, bytes]:
    keys = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            said, encoded = line.decode("ascii").split()
            key = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            said, key = "", b""
        if len(key) != KEY_BYTES or said != _id_of(key):
            raise KeysUnusable(
                f"{file}, line {number}: this is no key-encryption key, or it is damaged. Bring "
                "the keyring back from where you keep its copy."
            )
        keys[said] = key
    if not keys:
        raise KeysUnusable(f"The keyring {file} holds no key. Bring back its copy.")
    return keys


def _write(file: Path, keys: dict[str, bytes]) -> None:
    lines = [f"{key_id} {base64.b64encode(key).decode()}\n" for key_id, key in keys.items()]
    write_private(file, ABOUT_KEYRINGS + "".join(lines))
