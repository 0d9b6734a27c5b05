"""A PostgreSQL of a test's own, which it may kill; whoever uses it starts it again."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.migrate_schema import OWNER_ROLE, SERVICE_ROLE, create_roles, migrate
from tests.conftest import Database, create_database, url_of


@contextmanager
def own_home() -> Iterator[Path]:
    """The folder of a server of one's own."""
    folder = Path(tempfile.mkdtemp(prefix="parcycle-test-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def kill_server(home: Path) -> None:
    postmaster = (home / "postgresql" / "data" / "postmaster.pid").read_text().splitlines()[0]
    os.kill(int(postmaster), signal.SIGKILL)


async def migrated(server: str) -> Database:
    """A new record on a server."""
    await create_roles(server)
    await create_database(server, "record", "template1")
    database = Database(
        owner_url=url_of(server, "record", OWNER_ROLE),
        service_url=url_of(server, "record", SERVICE_ROLE),
    )
    await migrate(database.owner_url)
    return database
