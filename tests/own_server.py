"""A PostgreSQL of a test's own, which it may kill; whoever uses it starts it again."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """Kill the server and all its sessions, and return when they are dead.

    A session that outlives its postmaster goes on answering while it is busy, so what is answered
    after this was answered by the next server, which then is there to stay.
    """
    postmaster = int((home / "postgresql/data/postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGSTOP)  # so that it starts no session meanwhile
    sessions = [pid for pid, parent, _ in processes() if parent == postmaster]
    for pid in (postmaster, *sessions):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    killed = {postmaster, *sessions}
    while any(pid in killed and not state.startswith("Z") for pid, _, state in processes()):
        time.sleep(0.01)


def processes() -> list[tuple[int, int, str]]:
    """Each process of this machine: its number, its parent's, its state."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    lines = (line.split() for line in listed.stdout.splitlines())
    return [(int(pid), int(parent), state) for pid, parent, state in lines]


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
