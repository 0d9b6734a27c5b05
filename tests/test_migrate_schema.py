"""Migrations are applied once, in order, whole or not at all, and a failing one is named."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from service.migrate_schema import (
    ERASER_ROLE,
    MIGRATIONS,
    OWNER_ROLE,
    SERVICE_ROLE,
    MigrationError,
    create_roles,
    migrate,
    pending,
)
from tests.conftest import Database


def write(folder: Path, name: str, up: str, options: str = "") -> str:
    down = "-- migrate:down\nSELECT no_such_function();\n"
    (folder / name).write_text(f"-- migrate:up{options}\n{up}\n\n{down}", encoding="utf-8")
    return name


async def query(url: str, sql: str) -> list[object]:
    db = await asyncpg.connect(url)
    try:
        return [row[0] for row in await db.fetch(sql)]
    finally:
        await db.close()


async def tables(url: str) -> list[object]:
    return await query(url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")


def test_each_is_applied_once_in_the_order_of_versions(empty_database: str, tmp_path: Path) -> None:
    async def story() -> None:
        second = write(tmp_path, "20260102_b.sql", "INSERT INTO site VALUES ('Bootle')")
        first = write(tmp_path, "20260101_a.sql", "CREATE TABLE site (name text);")
        (tmp_path / "README.md").write_text("not a migration")
        assert await pending(empty_database, tmp_path) == [first, second]
        assert await tables(empty_database) == []
        assert await migrate(empty_database, tmp_path) == [first, second]
        assert await migrate(empty_database, tmp_path) == []
        third = write(tmp_path, "20260103_c.sql", "INSERT INTO site VALUES ('Toxteth')")
        assert await pending(empty_database, tmp_path) == [third]
        assert await migrate(empty_database, tmp_path) == [third]
        assert await query(empty_database, "SELECT name FROM site") == ["Bootle", "Toxteth"]

    asyncio.run(story())


def test_what_dbmate_has_applied_is_not_applied_again(empty_database: str, tmp_path: Path) -> None:
    async def story() -> None:
        db = await asyncpg.connect(empty_database)
        await db.execute("CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY)")
        await db.execute("INSERT INTO schema_migrations VALUES ('20260101')")
        await db.close()
        write(tmp_path, "20260101_a.sql", "SELECT no_such_function()")
        assert await migrate(empty_database, tmp_path) == []

    asyncio.run(story())


def test_racing_migrators_apply_each_once(empty_database: str, tmp_path: Path) -> None:
    async def story() -> None:
        names = [
            write(tmp_path, "1_a.sql", "CREATE TABLE site (name text)"),
            write(tmp_path, "2_b.sql", "SELECT pg_sleep(0.3); INSERT INTO site VALUES ('Bootle')"),
            write(
                tmp_path,
                "3_c.sql",
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS site_name ON site (name)",
                " transaction:false",
            ),
        ]
        migrators = (migrate(empty_database, tmp_path) for _ in range(4))
        async with asyncio.timeout(30):
            applied = await asyncio.gather(*migrators)
        assert sorted(applied) == [[], [], [], names]
        assert await query(empty_database, "SELECT name FROM site") == ["Bootle"]
        assert await query(
            empty_database,
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'site_name'::regclass",
        ) == [True]

    asyncio.run(story())


def test_a_failing_one_is_named_with_its_line_and_leaves_nothing(
    empty_database: str, tmp_path: Path
) -> None:
    async def story() -> None:
        write(tmp_path, "1_a.sql", "CREATE TABLE site (name text)")
        bad = write(tmp_path, "2_b.sql", "CREATE TABLE two (n int);\n\nSELECT colour FROM site;")
        never = write(tmp_path, "3_c.sql", "CREATE TABLE three (n int)")
        with pytest.raises(MigrationError, match=r'2_b.sql, line 4: column "colour"') as caught:
            await migrate(empty_database, tmp_path)
        assert "Nothing of this file was applied" in str(caught.value)
        assert sorted(map(str, await tables(empty_database))) == ["schema_migrations", "site"]
        assert await pending(empty_database, tmp_path) == [bad, never]
        write(tmp_path, bad, "CREATE TABLE two (n int);")
        assert await migrate(empty_database, tmp_path) == [bad, never]

    asyncio.run(story())


def test_one_statement_can_run_without_a_transaction(empty_database: str, tmp_path: Path) -> None:
    async def story() -> None:
        concurrently = "CREATE INDEX CONCURRENTLY IF NOT EXISTS site_name ON site (name);"
        write(tmp_path, "1_a.sql", "CREATE TABLE site (name text)")
        name = write(tmp_path, "2_b.sql", concurrently)
        with pytest.raises(MigrationError, match=r"2_b.sql.*cannot run inside a transaction"):
            await migrate(empty_database, tmp_path)
        write(tmp_path, name, concurrently + "SELECT 1;", " transaction:false")
        with pytest.raises(MigrationError, match="must be a single statement"):
            await migrate(empty_database, tmp_path)
        write(tmp_path, name, concurrently, " transaction:false")
        assert await migrate(empty_database, tmp_path) == [name]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("sites.sql", "-- migrate:up\nSELECT 1", "begins with its version"),
        ("1_a.sql", "SELECT 1", "no line `-- migrate:up`"),
        ("1_a.sql", "-- migrate:down\n-- migrate:up\nSELECT 1", "no line `-- migrate:up`"),
        ("1_a.sql", "SELECT 1;\n-- migrate:up\nSELECT 2", "would never be run"),
        ("2_b.sql", "-- migrate:up\nSELECT 1", "have the same version"),
    ],
)
def test_a_file_of_which_something_would_never_run_is_refused_before_any_runs(
    empty_database: str, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    write(tmp_path, "0_first.sql", "CREATE TABLE site (name text)")
    write(tmp_path, "2_a.sql", "SELECT 1")
    (tmp_path / name).write_text(text)
    with pytest.raises(MigrationError, match=rf"(?s){name}.*{reason}"):
        asyncio.run(migrate(empty_database, tmp_path))
    assert asyncio.run(tables(empty_database)) == []


def test_a_folder_that_is_not_there_is_named(empty_database: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match=r"nowhere: there is no such folder"):
        asyncio.run(migrate(empty_database, tmp_path / "nowhere"))


def test_roles_can_be_made_by_several_at_once(postgres_server: str) -> None:
    async def story() -> None:
        await asyncio.gather(*(create_roles(postgres_server) for _ in range(5)))
        ordinary = (
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'parcycle\\__%' AND rolcanlogin "
            "AND NOT (rolsuper OR rolcreaterole OR rolcreatedb) ORDER BY 1"
        )
        assert await query(postgres_server, ordinary) == [ERASER_ROLE, OWNER_ROLE, SERVICE_ROLE]

    asyncio.run(story())


def test_the_schema_is_migrated_whole_and_owned_by_the_owner(database: Database) -> None:
    async def story() -> None:
        assert await pending(database.owner_url) == []
        versions = await query(database.owner_url, "SELECT version FROM schema_migrations")
        assert len(versions) == len(list(MIGRATIONS.glob("*.sql")))
        assert await query(database.owner_url, "SELECT current_user::text") == [OWNER_ROLE]
        assert await query(database.service_url, "SELECT current_user::text") == [SERVICE_ROLE]

    asyncio.run(story())
