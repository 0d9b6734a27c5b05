"""A real PostgreSQL for the tests: one server a run, shared by its workers; one database a test."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings

from service.embedded_postgres import embedded_postgres
from service.migrate_schema import (
    ERASER_ROLE,
    MIGRATIONS,
    OWNER_ROLE,
    SERVICE_ROLE,
    create_roles,
    migrate,
)
from service.settings import Settings
from service.store import Store

settings.register_profile("parcycle", deadline=None, database=None)  # nothing is left behind
settings.load_profile("parcycle")

RUN_HOME = "PARCYCLE_TEST_RUN_HOME"  # set by the process the run began in; its workers inherit it
TEMPLATE_LOCK = 0x5041525F74657374  # "PAR_test"


@dataclass(frozen=True)
class Database:
    """A test's own migrated database: as the role that owns it, and as the service uses it."""

    owner_url: str
    service_url: str

    @property
    def store(self) -> Store:
        """What the service works on: the database, with keys in a folder of its own."""
        return store_of(self.service_url)


def store_of(service_url: str) -> Store:
    """The database by its URL alone, as another process knows it."""
    name = urlsplit(service_url).path.strip("/")
    eraser, owner = (url_of(service_url, name, role) for role in (ERASER_ROLE, OWNER_ROLE))
    return Store(Settings(home=home_of(service_url)), service_url, owner, eraser)


def home_of(service_url: str) -> Path:
    """The folder of the database's keys; the run's end removes it with the others."""
    parts = urlsplit(service_url)
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}{parts.query}"
    return Path(os.environ[RUN_HOME]) / hashlib.sha256(place.encode()).hexdigest()[:16]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[RUN_HOME] = tempfile.mkdtemp(prefix="parcycle-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run made, also what workers that were killed could not."""
    if hasattr(config, "workerinput"):
        return
    home = Path(os.environ.pop(RUN_HOME))
    if external := os.environ.get("DATABASE_URL"):
        asyncio.run(drop_database(external, template_name(home)))
    elif (home / "postgresql-test" / "data" / "postmaster.pid").exists():
        with embedded_postgres(home, durable=False):
            pass  # the last to leave stops the server
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A superuser's URL of the run's server, or of the one that DATABASE_URL names."""
    if external := os.environ.get("DATABASE_URL"):
        yield external
        return
    with embedded_postgres(Path(os.environ[RUN_HOME]), durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    """The name of a migrated database, made once a run, that every test's own is copied from."""
    name = template_name(Path(os.environ[RUN_HOME]))
    asyncio.run(make_template(postgres_server, name))
    return name


@pytest.fixture
def database(postgres_server: str, migrated_template: str) -> Iterator[Database]:
    """A database of this test alone, migrated and empty."""
    name = f"test_{uuid4().hex}"
    asyncio.run(create_database(postgres_server, name, migrated_template))
    yield Database(
        owner_url=url_of(postgres_server, name, OWNER_ROLE),
        service_url=url_of(postgres_server, name, SERVICE_ROLE),
    )
    asyncio.run(drop_database(postgres_server, name))


@pytest.fixture
def empty_database(postgres_server: str) -> Iterator[str]:
    """The owner's URL of a database of this test alone, with nothing in it: not migrated."""
    name = f"test_{uuid4().hex}"
    asyncio.run(create_roles(postgres_server, password=urlsplit(postgres_server).password))
    asyncio.run(create_database(postgres_server, name, "template1"))
    yield url_of(postgres_server, name, OWNER_ROLE)
    asyncio.run(drop_database(postgres_server, name))


def url_of(server: str, database: str, role: str) -> str:
    """The server's URL with another database and role, and the same password, if it has one."""
    parts = urlsplit(server)
    credentials, _, host = parts.netloc.rpartition("@")
    _, colon, password = credentials.partition(":")
    return urlunsplit(parts._replace(netloc=f"{role}{colon}{password}@{host}", path=f"/{database}"))


def template_name(home: Path) -> str:
    """Of this run, and of the migrations as they are: a change to them makes another template."""
    digest = hashlib.sha256(home.name.encode())
    for file in sorted(MIGRATIONS.glob("*.sql")):
        digest.update(file.read_bytes())
    return f"parcycle_template_{digest.hexdigest()[:16]}"


async def make_template(server: str, name: str) -> None:
    """Make the template unless another worker has; it gets its name when it is whole."""
    db = await asyncpg.connect(server)
    try:
        await db.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        if await db.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return
        await create_roles(server, password=urlsplit(server).password)
        unfinished = f"{name}_unfinished"
        await drop_database(server, unfinished)
        await create_database(server, unfinished, "template1")
        await migrate(url_of(server, unfinished, OWNER_ROLE))
        await db.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    finally:
        await db.close()


async def create_database(server: str, name: str, template: str) -> None:
    db = await asyncpg.connect(server)
    try:
        await db.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER_ROLE}")
    finally:
        await db.close()


async def drop_database(server: str, name: str) -> None:
    db = await asyncpg.connect(server)
    try:
        await db.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await db.close()
