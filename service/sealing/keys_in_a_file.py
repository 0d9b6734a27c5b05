"""The key store in a file (SQLite), for a study that has no database server of its own.

A destroyed key must not linger in the file. So freed bytes are overwritten with zeros
(secure_delete), and there is no write-ahead log, which keeps older pages. The rollback journal
holds the page as it was before: it is emptied at the commit (TRUNCATE), and that is synced to the
disk, as the mere deletion of a journal would not be; else a power cut could bring the key back.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from service.sealing.key_encryption import KeysUnusable, Wrapped, require_private
from service.sealing.subject_keys import KeptKey, KeyState, WrappedKey

R = TypeVar("R")
BUSY_SECONDS = 30  # how long a process waits for another's write

TABLE = """
create table if not exists subject_key (
    study text not null,
    subject text not null,
    state text not null check (state in ('live', 'erasing', 'erased')),
    key_id text,
    wrapped blob,
    primary key (study, subject),
    check ((key_id is null) = (wrapped is null)),
    check (state = 'erasing' or (state = 'live') = (wrapped is not null))
) without rowid
"""
FIND = "select * from subject_key where study = ? and subject = ?"
ADD = "insert into subject_key values (?, ?, 'live', ?, ?) on conflict do nothing"
BEGIN_ERASURE = """
insert into subject_key (study, subject, state) values (?, ?, 'erasing')
on conflict (study, subject) do update set state = 'erasing' where state = 'live'
"""
NEVER_MADE = """
delete from subject_key where study = ? and subject = ? and state = 'erasing' and wrapped is null
"""
TAKE_BACK = """
update subject_key set state = 'live' where study = ? and subject = ? and state = 'erasing'
"""
DESTROY = """
insert into subject_key (study, subject, state) values (?, ?, 'erased')
on conflict (study, subject) do update set state = 'erased', key_id = null, wrapped = null
"""
STATES = "select subject, state from subject_key where study = ? order by subject"
ERASING = "select study, subject from subject_key where state = 'erasing' order by 1, 2"
TALLY = "select state, key_id, count(*) from subject_key group by state, key_id"
WRAPPED = """
select study, subject, key_id, wrapped from subject_key
where (study, subject) > (?, ?) and key_id <> ?
order by study, subject limit ?
"""
REWRAP = """
update subject_key set key_id = ?, wrapped = ?
where study = ? and subject = ? and key_id = ? and wrapped = ?
"""


class KeysInAFile:
    """A `KeyTable` in a file of mode 0600, made if it is not there."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="subject-keys")
        self._db: sqlite3.Connection

    async def __aenter__(self) -> "KeysInAFile":
        """Raises `KeysUnusable`."""
        try:
            await self._run(self._open)
        except KeysUnusable:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run(lambda: self._db.close())
        self._thread.shutdown()

    async def find(self, pairs: Collection[tuple[str, str]]) -> list[KeptKey]:
        return await self._run(lambda: self._find(pairs))

    async def add(self, keys: Sequence[WrappedKey]) -> list[KeptKey]:
        def add() -> list[KeptKey]:
            with self._writing():
                rows = [(study, subject, *wrapped) for study, subject, wrapped in keys]
                self._db.executemany(ADD, rows)
            return self._find([(each.study, each.subject) for each in keys])

        return await self._run(add)

    async def begin_erasure(self, study: str, subject: str) -> None:
        await self._write(BEGIN_ERASURE, study=study, subject=subject)

    async def take_back(self, study: str, subject: str) -> None:
        await self._write(NEVER_MADE, TAKE_BACK, study=study, subject=subject)

    async def destroy(self, study: str, subject: str) -> None:
        await self._write(DESTROY, study=study, subject=subject)

    async def states(self, study: str) -> dict[str, KeyState]:
        rows = await self._run(lambda: self._db.execute(STATES, (study,)).fetchall())
        return {subject: KeyState(state) for subject, state in rows}

    async def erasing(self) -> list[tuple[str, str]]:
        return await self._run(lambda: self._db.execute(ERASING).fetchall())

    async def tally(self) -> dict[tuple[KeyState, str | None], int]:
        rows = await self._run(lambda: self._db.execute(TALLY).fetchall())
        return {(KeyState(state), key_id): n for state, key_id, n in rows}

    async def wrapped(
        self, after: tuple[str, str], limit: int, *, but_by: str = ""
    ) -> list[WrappedKey]:
        args = (*after, but_by, limit)
        rows = await self._run(lambda: self._db.execute(WRAPPED, args).fetchall())
        return [WrappedKey(study, subject, Wrapped(*by)) for study, subject, *by in rows]

    async def rewrap(self, keys: Sequence[tuple[WrappedKey, Wrapped]]) -> None:
        def rewrap() -> None:
            with self._writing():
                rows = [(*new, old.study, old.subject, *old.wrapped) for old, new in keys]
                self._db.executemany(REWRAP, rows)

        await self._run(rewrap)

    def _open(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
        require_private(self._file, self._file.stat())
        self._db = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            for pragma in ("secure_delete = on", "journal_mode = truncate", "synchronous = full"):
                self._db.execute(f"pragma {pragma}")
            with self._writing():
                self._db.execute(TABLE)
        except sqlite3.Error:
            self._db.close()
            raise

    def _find(self, pairs: Collection[tuple[str, str]]) -> list[KeptKey]:
        return [_kept(row) for pair in pairs for row in self._db.execute(FIND, pair)]

    async def _write(self, *statements: str, study: str, subject: str) -> None:
        def write() -> None:
            with self._writing():
                for statement in statements:
                    self._db.execute(statement, (study, subject))

        await self._run(write)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that waits its turn at the beginning, so that it cannot fail later on."""
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            self._db.execute("rollback")
            raise

    async def _run(self, work: Callable[[], R]) -> R:
        """Do some work in the thread that has the connection, whoever still waits for it."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise KeysUnusable(
                f"The key store {self._file} cannot be used: {error}. See that the disk is there "
                "and has room, and that this account may write to it."
            ) from error


def _kept(row: tuple[str, str, str, str | None, bytes | None]) -> KeptKey:
    study, subject, state, key_id, data = row
    wrapped = None if key_id is None or data is None else Wrapped(key_id, data)
    return KeptKey(study, subject, KeyState(state), wrapped)
