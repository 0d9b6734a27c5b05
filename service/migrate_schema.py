"""Forward-only SQL migrations: the files, and the table of those applied, are dbmate's.

A file is `<version>_<what it does>.sql`, its version all digits, and holds SQL after a line
`-- migrate:up`, up to a line `-- migrate:down`, if there is one; what follows that is never run.
Files are applied in the order of their versions, each in a transaction together with its row in
`schema_migrations`. A single statement that PostgreSQL refuses to run in a transaction (CREATE
INDEX CONCURRENTLY) goes into a file of its own under `-- migrate:up transaction:false`, written so
that it can be run again (IF NOT EXISTS).

Source: https://github.com/amacneil/dbmate, section Creating Migrations.
"""

import asyncio
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"
OWNER_ROLE = "parcycle_owner"
SERVICE_ROLE = "parcycle_service"
ERASER_ROLE = "parcycle_eraser"
MIGRATION_LOCK = 0x5041525F6D696772  # "PAR_migr", an advisory lock of the migrated database
LOCK_POLL_SECONDS = 0.1

UP = re.compile(r"^--\s*migrate:up\b(?P<options>.*)$", re.MULTILINE)
DOWN = re.compile(r"^--\s*migrate:down\b", re.MULTILINE)


class MigrationError(RuntimeError):
    """A migration cannot be read or applied; the message names the file and says why."""


async def migrate(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply the migrations not yet applied, as the role in the URL; return their file names.

    Others that migrate the same database meanwhile wait. Raises MigrationError for the first that
    fails: those before it stay applied, and of that one nothing, unless it is `transaction:false`.
    """
    migrations = _read(folder)
    db = await asyncpg.connect(url)
    try:
        await _wait_for_lock(db)
        await db.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(255) PRIMARY KEY);"
            "GRANT SELECT ON schema_migrations TO PUBLIC"  # so that a service can tell it is behind
        )
        applied = await _applied(db)
        to_apply = [each for each in migrations if each.version not in applied]
        for migration in to_apply:
            await migration.apply(db)
        return [migration.file.name for migration in to_apply]
    finally:
        await db.close()


async def pending(url: str, folder: Path = MIGRATIONS) -> list[str]:
    """The file names of the migrations not yet applied; changes nothing, needs SELECT only."""
    migrations = _read(folder)
    db = await asyncpg.connect(url)
    try:
        exists = await db.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
        applied = await _applied(db) if exists else set()
    finally:
        await db.close()
    return [each.file.name for each in migrations if each.version not in applied]


async def create_roles(superuser_url: str, *, password: str | None = None) -> None:
    """Create the roles of the owner of the schema, of the service and of its eraser, if missing.

    The owner is a member of the service's role, so that it can give the service what it owns.
    Roles belong to the whole server. On a managed one an administrator creates them; this is for
    the embedded server, which needs no password. Attributes of a role that exists stay as they are.
    """
    db = await asyncpg.connect(superuser_url)
    try:
        async with db.transaction():
            # An advisory lock would hold back others of this database only, and not of the server.
            await db.execute("LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE")
            present = {row["rolname"] for row in await db.fetch("SELECT rolname FROM pg_roles")}
            for role in {OWNER_ROLE, SERVICE_ROLE, ERASER_ROLE} - present:
                sql = "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)"
                await db.execute(await db.fetchval(sql, role, password))
            await db.execute(f"GRANT {SERVICE_ROLE} TO {OWNER_ROLE}")
    finally:
        await db.close()


@dataclass(frozen=True)
class _Migration:
    file: Path
    version: str
    statements: str
    in_transaction: bool

    @classmethod
    def read(cls, file: Path) -> Self:
        """The migration of a file, with its lines where they are, so that errors can tell them."""
        version = re.match(r"(\d+)_", file.name)
        if not version:
            raise MigrationError(
                f"{file}: a migration's file name begins with its version, as in "
                "20261123093000_what_it_does.sql. Rename the file."
            )
        text = file.read_text(encoding="utf-8")
        up, down = UP.search(text), DOWN.search(text)
        if not up or (down and down.start() < up.start()):
            raise MigrationError(
                f"{file}: no line `-- migrate:up` comes before the SQL. Add one, or the SQL is "
                "never run."
            )
        before = text[: up.start()]
        if any(line.strip() and not line.lstrip().startswith("--") for line in before.splitlines()):
            raise MigrationError(f"{file}: SQL before the line `-- migrate:up` would never be run.")
        end = down.start() if down else len(text)
        return cls(
            file=file,
            version=version[1],
            statements="\n" * text.count("\n", 0, up.end()) + text[up.end() : end],
            in_transaction="transaction:false" not in up["options"].split(),
        )

    async def apply(self, db: asyncpg.Connection) -> None:
        """Run the migration and note its version; with a transaction, both or neither."""
        try:
            if self.in_transaction:
                async with db.transaction():
                    await self._run(db)
            else:
                await self._run(db)
        except asyncpg.PostgresError as error:
            raise MigrationError(self._explanation(error)) from error

    async def _run(self, db: asyncpg.Connection) -> None:
        await db.execute(self.statements)
        await db.execute("INSERT INTO schema_migrations (version) VALUES ($1)", self.version)

    def _explanation(self, error: asyncpg.PostgresError) -> str:
        position: str | None = getattr(error, "position", None)
        line = self.statements.count("\n", 0, int(position) - 1) + 1 if position else None
        outcome = (
            "Nothing of this file was applied: correct it and migrate again."
            if self.in_transaction
            else "It runs without a transaction, as transaction:false says, so it must be a single "
            "statement, and what it did before it failed stands: look, then migrate again."
        )
        where = f"{self.file}, line {line}" if line else f"{self.file}"
        return f"{where}: {error}\n{outcome}"


def _read(folder: Path) -> list[_Migration]:
    """The folder's migrations by version, each checked before any is applied."""
    if not folder.is_dir():
        raise MigrationError(f"{folder}: there is no such folder of migrations.")
    migrations = sorted(
        (_Migration.read(file) for file in folder.glob("*.sql")), key=lambda each: each.file.name
    )
    for one, next_one in pairwise(migrations):
        if one.version == next_one.version:
            raise MigrationError(
                f"{one.file} and {next_one.file} have the same version, so one of them would never "
                "be run. Give the later one a later version."
            )
    return migrations


async def _wait_for_lock(db: asyncpg.Connection) -> None:
    """Take the lock of migrations, which the end of the connection gives back.

    It asks again and again rather than wait inside the query: a waiting query holds a snapshot, and
    a CREATE INDEX CONCURRENTLY of whoever has the lock would wait for that for ever.
    """
    while True:
        if await db.fetchval("SELECT pg_try_advisory_lock($1)", MIGRATION_LOCK):
            return
        await asyncio.sleep(LOCK_POLL_SECONDS)


async def _applied(db: asyncpg.Connection) -> set[str]:
    return {row["version"] for row in await db.fetch("SELECT version FROM schema_migrations")}
