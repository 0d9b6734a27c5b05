"""Where the record is kept: the PostgreSQL that `DATABASE_URL` names, or one we bring along."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from service.embedded_postgres import embedded_postgres
from service.migrate_schema import (
    ERASER_ROLE,
    OWNER_ROLE,
    SERVICE_ROLE,
    create_roles,
    migrate,
    pending,
)
from service.settings import Settings

DATABASE = "parcycle"
OLDEST = 15  # of the versions of PostgreSQL that the record is tested on
MAY_CHANGE_EVENTS = "select has_table_privilege('record.event', 'update, delete, truncate')"


@dataclass(frozen=True)
class Store:
    """The database as the service uses it, and as its owner migrates it and the eraser erases.

    The last two are None where they are not known.
    """

    settings: Settings
    service_url: str
    owner_url: str | None
    eraser_url: str | None
    embedded: bool = False


@contextmanager
def store(settings: Settings) -> Iterator[Store]:
    """The store while it is in use; an embedded one is made, started and migrated as needed."""
    if settings.database_url:
        yield Store(
            settings, settings.database_url, settings.owner_database_url,
            settings.eraser_database_url,
        )  # fmt: skip
        return
    with embedded_postgres(settings.home) as server:
        owner = _as(server, OWNER_ROLE)
        asyncio.run(_prepare(server, owner))
        service, eraser = _as(server, SERVICE_ROLE), _as(server, ERASER_ROLE)
        yield Store(settings, service, owner, eraser, embedded=True)


async def _prepare(server: str, owner: str) -> None:
    await create_roles(server)
    db = await asyncpg.connect(server)
    try:
        if not await db.fetchval("select true from pg_database where datname = $1", DATABASE):
            # Another process may make it at the same time.
            with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await db.execute(f"create database {DATABASE} owner {OWNER_ROLE}")
    finally:
        await db.close()
    await migrate(owner)


def _as(server: str, role: str) -> str:
    parts = urlsplit(server)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}@{host}", path=f"/{DATABASE}"))


class Unusable(Exception):
    """The database cannot be used as it is: says why, and what to do."""


async def reach(url: str) -> None:
    """Raises `Unusable` if the database does not let us in."""
    try:
        db = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as fault:
        if isinstance(fault, ValueError):
            raise Unusable(
                "The database's URL cannot be read; write it as in postgresql://role:password@host/"
                "database, with anything but letters and digits percent-encoded in each part."
            ) from fault
        parts = urlsplit(url)
        where = f"{parts.path.strip('/')} at {parts.netloc.rpartition('@')[2]}"
        raise Unusable(
            f"Cannot use the database {where} as {parts.username}: {_why(fault)}. See that it "
            "runs, and that its URL is right."
        ) from fault
    version = db.get_server_version().major
    await db.close()
    if version < OLDEST:
        raise Unusable(f"PostgreSQL {version} is too old; use {OLDEST} to 18.")


async def check(url: str) -> None:
    """Raises `Unusable` unless the database lets us in, with a record that we can but add to."""
    await reach(url)
    db = await asyncpg.connect(url)
    try:
        if await db.fetchval("select to_regnamespace('record')") is None:
            raise Unusable("The database holds no record yet; run `parcycle migrate` first.")
        if await db.fetchval(MAY_CHANGE_EVENTS):
            raise Unusable(
                f"The role {urlsplit(url).username} may change or delete what is on record; let "
                f"DATABASE_URL name {SERVICE_ROLE}, which may not (deploy/create_roles.sql)."
            )
    finally:
        await db.close()
    try:
        behind = await pending(url)
    except asyncpg.InsufficientPrivilegeError:  # what migrates lets everybody read the versions
        behind = ["a version"]
    if behind:
        raise Unusable(
            f"The database's schema is of an earlier version, without {', '.join(behind)}; "
            "run `parcycle migrate` first."
        )


def _why(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "it does not answer"
    return (getattr(fault, "strerror", None) or str(fault) or type(fault).__name__).rstrip(".")
