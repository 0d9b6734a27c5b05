"""The key store in PostgreSQL: a database and a role of its own, apart from the record's backups.

A destroyed key must not linger in the table. PostgreSQL keeps older versions of a row until it
needs their room, so the table is written anew without them, and its old file removed, in the same
transaction that destroys a key. The server's write-ahead log still holds the wrapped key for a
while: do not archive it, or rotate the key-encryption key and remove the old one, which makes
every copy of what it wrapped unreadable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from service.database import UNREACHABLE, open_pool
from service.sealing.key_encryption import KeysUnusable, Wrapped
from service.sealing.subject_keys import KeptKey, KeyState, WrappedKey

R = TypeVar("R")
CONNECTIONS = 4
SECONDS = 30  # what takes longer, for want of a lock or of a server, is given up
MAKING_LOCK = 0x5041525F6B657973  # "PAR_keys", an advisory lock of the key store's database

TABLE = """
create table if not exists subject_key (
    study text not null,
    subject text not null,
    state text not null check (state in ('live', 'erasing', 'erased')),
    key_id text,
    wrapped bytea,
    primary key (study, subject),
    check ((key_id is null) = (wrapped is null)),
    check (state = 'erasing' or (state = 'live') = (wrapped is not null))
)
"""
# ANALYZE, which autovacuum does by itself, would copy wrapped keys into pg_statistic.
NO_SAMPLES = "alter table subject_key alter column wrapped set statistics 0"
LOCK = "lock table subject_key in access exclusive mode"
FIND = """
select kept.* from unnest($1::text[], $2::text[]) as asked (study, subject)
join subject_key kept using (study, subject)
"""
ADD = """
insert into subject_key
select study, subject, 'live', key_id, wrapped
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
    as new (study, subject, key_id, wrapped)
order by study, subject
on conflict do nothing
"""
BEGIN_ERASURE = """
insert into subject_key as kept (study, subject, state) values ($1, $2, 'erasing')
on conflict (study, subject) do update set state = 'erasing' where kept.state = 'live'
"""
NEVER_MADE = """
delete from subject_key
where study = $1 and subject = $2 and state = 'erasing' and wrapped is null
"""
TAKE_BACK = """
update subject_key set state = 'live' where study = $1 and subject = $2 and state = 'erasing'
"""
DESTROY = """
insert into subject_key as kept (study, subject, state) values ($1, $2, 'erased')
on conflict (study, subject) do update set state = 'erased', key_id = null, wrapped = null
where kept.state <> 'erased'
returning true
"""
# Rows that are visible to nobody any more are not in the copy; VACUUM FULL would keep those that a
# transaction elsewhere in the database might still want to see.
WRITE_ANEW = """
create temporary table kept on commit drop as table subject_key;
truncate subject_key;
insert into subject_key table kept;
"""
STATES = "select subject, state from subject_key where study = $1 order by subject"
ERASING = "select study, subject from subject_key where state = 'erasing' order by 1, 2"
TALLY = "select state, key_id, count(*) from subject_key group by state, key_id"
WRAPPED = """
select study, subject, key_id, wrapped from subject_key
where (study, subject) > ($1, $2) and key_id <> $4 order by study, subject limit $3
"""
REWRAP = """
update subject_key set key_id = $1, wrapped = $2
where study = $3 and subject = $4 and key_id = $5 and wrapped = $6
"""


class KeysInPostgres:
    """A `KeyTable` in a database whose URL names the role that owns it; the table is made there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool

    async def __aenter__(self) -> "KeysInPostgres":
        """Raises `KeysUnusable`."""
        try:
            async with asyncio.timeout(SECONDS):
                self._pool = await open_pool(self._url, CONNECTIONS)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _unusable(error) from error
        try:
            await self._run(_make_table)
        except KeysUnusable:
            await self._pool.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def find(self, pairs: Collection[tuple[str, str]]) -> list[KeptKey]:
        studies, subjects = zip(*pairs, strict=True)
        return [_kept(row) for row in await self._fetch(FIND, studies, subjects)]

    async def add(self, keys: Sequence[WrappedKey]) -> list[KeptKey]:
        rows = [(study, subject, *wrapped) for study, subject, wrapped in keys]
        await self._execute((ADD, *zip(*rows, strict=True)))
        return await self.find([(each.study, each.subject) for each in keys])

    async def begin_erasure(self, study: str, subject: str) -> None:
        await self._execute((BEGIN_ERASURE, study, subject))

    async def take_back(self, study: str, subject: str) -> None:
        await self._execute((NEVER_MADE, study, subject), (TAKE_BACK, study, subject))

    async def destroy(self, study: str, subject: str) -> None:
        async def destroy(db: PoolConnectionProxy) -> None:
            await db.execute(LOCK)
            if await db.fetchval(DESTROY, study, subject):
                await db.execute(WRITE_ANEW)

        await self._run(destroy)

    async def states(self, study: str) -> dict[str, KeyState]:
        rows = await self._fetch(STATES, study)
        return {row["subject"]: KeyState(row["state"]) for row in rows}

    async def erasing(self) -> list[tuple[str, str]]:
        return [(row["study"], row["subject"]) for row in await self._fetch(ERASING)]

    async def tally(self) -> dict[tuple[KeyState, str | None], int]:
        rows = await self._fetch(TALLY)
        return {(KeyState(row["state"]), row["key_id"]): row["count"] for row in rows}

    async def wrapped(
        self, after: tuple[str, str], limit: int, *, but_by: str = ""
    ) -> list[WrappedKey]:
        rows = await self._fetch(WRAPPED, *after, limit, but_by)
        return [WrappedKey(study, subject, Wrapped(*by)) for study, subject, *by in rows]

    async def rewrap(self, keys: Sequence[tuple[WrappedKey, Wrapped]]) -> None:
        rows = [(*new, old.study, old.subject, *old.wrapped) for old, new in keys]
        await self._run(lambda db: db.executemany(REWRAP, rows))

    async def _fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        return await self._run(lambda db: db.fetch(sql, *args))

    async def _execute(self, *statements: tuple[Any, ...]) -> None:
        async def execute(db: PoolConnectionProxy) -> None:
            for sql, *args in statements:
                await db.execute(sql, *args)

        await self._run(execute)

    async def _run(self, work: Callable[[PoolConnectionProxy], Awaitable[R]]) -> R:
        """Do some work in a transaction, as soon as there is a server. All of it may be repeated:
        done a second time, it changes nothing.
        """
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    try:
                        async with self._pool.acquire() as db, db.transaction():
                            return await work(db)
                    except UNREACHABLE:
                        await asyncio.sleep(0.1)
        except (TimeoutError, asyncpg.PostgresError) as error:
            raise _unusable(error) from error


async def _make_table(db: PoolConnectionProxy) -> None:
    await db.execute("select pg_advisory_xact_lock($1)", MAKING_LOCK)
    await db.execute(TABLE)
    await db.execute(NO_SAMPLES)


def _kept(row: asyncpg.Record) -> KeptKey:
    study, subject, state, key_id, data = row
    return KeptKey(study, subject, KeyState(state), None if data is None else Wrapped(key_id, data))


def _unusable(error: Exception) -> KeysUnusable:
    why = "it does not answer" if isinstance(error, TimeoutError) else str(error).rstrip(".")
    return KeysUnusable(
        f"The key store cannot be used: {why}. See that its PostgreSQL runs, and that "
        "PARCYCLE_KEY_STORE_URL is right."
    )
