"""The keys by which checkpoints are signed, and what was signed last: both outside the database.

Whoever has the database alone can neither sign a checkpoint nor make this service forget that it
signed one. One key signs for every study, each time under the study's origin as its name, and the
origin is the first line of what is signed.

Rotation is decided by people, since committees have to be told of a new key: it adds a key, and the
older ones go on signing beside it for a while, until every policy and witness knows the new one.
Then their private halves are destroyed. Their public halves stay listed: what they signed is to be
verified for ever.
"""

import base64
import binascii
import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct, structs

from service.sealing.key_encryption import KeysUnusable, require_private
from service.sealing.merkle_tree import EMPTY_ROOT
from service.sealing.private_files import opened, write_private
from service.sealing.signed_notes import KeyKind, SigningKey, VerifierKey

OVERLAP = timedelta(days=90)  # how long an older key signs beside a new one
KEY_BYTES = 32
BUSY_SECONDS = 30  # how long a process waits for another's write
ABOUT = """\
# Keys by which parcycle signs checkpoints, oldest first: private or public, from when, until when,
# the key. Keep a copy apart from the database. Who has this file can sign for the log.
"""
TABLE = """
create table if not exists last_signed (
    origin text primary key,
    size integer not null,
    root blob not null
) without rowid
"""
LAST = "select size, root from last_signed where origin = ?"
SIGNED = """
insert into last_signed values (?, ?, ?)
on conflict (origin) do update set size = excluded.size, root = excluded.root
"""


class Overtaken(Exception):
    """Another process has signed a larger tree of this log meanwhile, or another of this size."""


class TreeHead(NamedTuple):
    """How many leaves a log's tree has, and their root."""

    size: int
    root: bytes


NOTHING = TreeHead(0, EMPTY_ROOT)


class LogKey(Struct, frozen=True):
    """A key of the log; `private` is gone once it signs no more."""

    public: bytes
    since: date
    until: date | None  # the first day on which it signs no more
    private: bytes | None


class LogKeys:
    """The log's keys, and the memory of what they signed, in a folder."""

    def __init__(self, folder: Path) -> None:
        """The keys in a folder, with a first one made if there is none. Raises `KeysUnusable`."""
        self.file = folder / "log_keys"
        self._memory = folder / "last_signed.sqlite"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            if self.file.exists():
                self._retire()
            else:
                self._begin()
        require_private(self._memory, self._memory.stat())
        with self._remembering() as db:
            db.execute(TABLE)

    def _begin(self) -> None:
        """Make a first key, and the memory before it: a key without a memory is refused."""
        if self._memory.exists():
            with self._remembering() as db:
                db.execute(TABLE)
            if self.all_last_signed():
                raise KeysUnusable(
                    f"{self.file} is gone, and {self._memory} tells that it has signed. Bring it "
                    "back from where you keep its copy."
                )
        self._memory.touch(mode=0o600)
        self._write([_new_key(_today())])

    def _retire(self) -> None:
        """Destroy the private halves of keys that sign no more."""
        if not self._memory.exists():
            raise KeysUnusable(
                f"{self._memory} is gone, which tells what was signed last. Bring it back; or, "
                "once you know that the database is the latest, make an empty file of that name, "
                "with mode 0600."
            )
        keys, today = self.listed(), _today()
        retired = [
            structs.replace(key, private=None) if key.until and key.until <= today else key
            for key in keys
        ]
        if retired != keys:
            self._write(retired)

    def listed(self) -> list[LogKey]:
        """Every key there has been, oldest first. Raises `KeysUnusable`."""
        try:
            require_private(self.file, self.file.stat())
            text = self.file.read_text(encoding="utf-8")
        except OSError as error:
            raise KeysUnusable(f"{self.file} cannot be read: {error.strerror}.") from error
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        keys = [_parsed(self.file, line) for line in lines]
        if not keys or keys[-1].private is None:
            raise KeysUnusable(f"{self.file} holds no key that signs. Bring back its copy.")
        return keys

    def signers(self, origin: str) -> list[SigningKey]:
        """The keys that sign a log's checkpoints now, the newest first."""
        today = _today()
        return [
            SigningKey(origin, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(key.private))
            for key in reversed(self.listed())
            if key.private is not None and (key.until is None or key.until > today)
        ]

    def verifiers(self, origin: str) -> list[VerifierKey]:
        """The keys that have ever signed a log's checkpoints, the newest first."""
        return [VerifierKey(origin, KeyKind.LOG, key.public) for key in reversed(self.listed())]

    def rotate(self, overlap: timedelta = OVERLAP) -> None:
        """Add a key, which signs from now on. The others sign beside it until the overlap ends.

        Without an overlap they sign no more, as is right where a key may have been stolen.
        """
        today = _today()
        with self._alone():
            older = [
                structs.replace(key, until=key.until or today + overlap) for key in self.listed()
            ]
            self._write([*older, _new_key(today)])
            self._retire()

    def last_signed(self, origin: str) -> TreeHead:
        """The last head of a log that was signed; of nothing if none was."""
        with self._remembering() as db:
            found = db.execute(LAST, (origin,)).fetchone()
        return TreeHead(*found) if found else NOTHING

    def all_last_signed(self) -> dict[str, TreeHead]:
        """The last head signed of each log, by its origin."""
        with self._remembering() as db:
            rows = db.execute("select origin, size, root from last_signed").fetchall()
        return {origin: TreeHead(size, root) for origin, size, root in rows}

    def remember(self, origin: str, head: TreeHead) -> None:
        """Remember, durably, that this is being signed. Raises `Overtaken` and `KeysUnusable`.

        It comes before the checkpoint is shown to anybody, so that no head is forgotten that was.
        """
        with self._remembering() as db:
            found = db.execute(LAST, (origin,)).fetchone()
            last = TreeHead(*found) if found else NOTHING
            if last.size > head.size or (last.size == head.size and last.root != head.root):
                raise Overtaken(f"{origin}: {last.size} leaves were signed meanwhile.")
            db.execute(SIGNED, (origin, *head))

    @contextmanager
    def _remembering(self) -> Iterator[sqlite3.Connection]:
        """A transaction of the memory that is durable when the block ends."""
        try:
            # Made once with the keys: opened "rw", it is not made again where it was lost.
            where = f"{self._memory.absolute().as_uri()}?mode=rw"
            with closing(
                sqlite3.connect(where, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            ) as db:
                db.execute("pragma synchronous = full")
                db.execute("begin immediate")
                yield db
                db.execute("commit")
        except sqlite3.Error as error:
            raise KeysUnusable(
                f"{self._memory}, which tells what was signed last, cannot be used: {error}."
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with opened(self.file.parent) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield

    def _write(self, keys: list[LogKey]) -> None:
        write_private(self.file, ABOUT + "".join(map(_line, keys)))


def _today() -> date:
    return datetime.now(UTC).date()


def _new_key(today: date) -> LogKey:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return LogKey(public, today, None, private.private_bytes_raw())


def _line(key: LogKey) -> str:
    half = "public" if key.private is None else "private"
    encoded = base64.b64encode(key.private or key.public).decode()
    return f"{half} {key.since} {key.until or '-'} {encoded}\n"


def _parsed(file: Path, line: str) -> LogKey:
    try:
        half, since, until, encoded = line.split(" ")
        key = base64.b64decode(encoded, validate=True)
        begins = date.fromisoformat(since)
        ends = None if until == "-" else date.fromisoformat(until)
        if half not in ("private", "public") or len(key) != KEY_BYTES:
            raise ValueError
    except (ValueError, binascii.Error):
        raise KeysUnusable(
            f"{file} is damaged: a line of it is no key. Bring back its copy."
        ) from None
    if half == "public":
        return LogKey(key, begins, ends, None)
    public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    return LogKey(public, begins, ends, key)
