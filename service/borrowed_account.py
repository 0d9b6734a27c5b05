"""The account PostgreSQL's programs run as: our own or, since they refuse root, a borrowed one."""

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message says why and what to do."""


class _RunAs(TypedDict, total=False):
    """The arguments of `subprocess.run` that make a program run as another account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """Who runs the programs. `borrowed`: we are root, and this is an unprivileged account."""

    name: str
    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def for_data(cls, data: Path) -> Self:
        """Our own account; for root the account that owns the data, else `postgres` or `nobody`.

        Raises EmbeddedPostgresError where root finds no account to borrow.
        """
        if os.geteuid() != 0:
            return cls(str(os.geteuid()), os.geteuid(), os.getegid(), borrowed=False)
        with suppress(FileNotFoundError):
            owner = data.stat()
            if owner.st_uid != 0:
                return cls(_name_of(owner.st_uid), owner.st_uid, owner.st_gid, borrowed=True)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(name, entry.pw_uid, entry.pw_gid, borrowed=True)
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this machine has neither an account 'postgres' "
            "nor 'nobody' to run it as. Run as an ordinary user, or set DATABASE_URL to a "
            "PostgreSQL server of yours."
        )

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, out of reach of our PG* variables and of Ctrl-C.

        Raises EmbeddedPostgresError if it cannot be run at all; its exit code is the caller's.
        """
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        run_as = _RunAs()
        if self.borrowed:
            run_as = _RunAs(user=self.uid, group=self.gid, extra_groups=[])
        try:
            return subprocess.run(
                command,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                cwd="/",
                env=environment | {"LC_ALL": "C"},
                start_new_session=True,
                **run_as,
            )
        except OSError as error:
            raise EmbeddedPostgresError(
                f"Cannot run {command[0]} as the account '{self.name}': {error}. Run as another "
                "user, or set DATABASE_URL to a PostgreSQL server of yours."
            ) from error

    def can_run(self, program: Path) -> bool:
        """Whether the program is there, open to this account, and made for this machine."""
        try:
            return self.run(program, "--version").returncode == 0
        except EmbeddedPostgresError:
            return False

    def give(self, path: Path) -> None:
        """Make this account the owner of what we have just made."""
        if self.borrowed:
            os.chown(path, self.uid, self.gid)

    def let_through(self, *folders: Path) -> None:
        """Let a borrowed account pass through folders of ours which are root's alone."""
        for folder in folders if self.borrowed else ():
            found = folder.stat()
            if found.st_uid == 0 and found.st_mode & 0o077 == 0:
                os.chown(folder, 0, self.gid)
                folder.chmod(0o710)

    def require_way_to(self, folder: Path) -> None:
        """Raise EmbeddedPostgresError, naming the closed folder, if this account cannot pass."""
        if not self.borrowed:
            return
        way = [str(step) for step in reversed([folder, *folder.parents])]
        first_closed = 'for step; do [ -x "$step" ] || { printf %s "$step"; exit 1; }; done'
        walk = self.run("/bin/sh", "-c", first_closed, "sh", *way)
        if walk.returncode != 0:
            raise EmbeddedPostgresError(
                f"PostgreSQL refuses to run as root, and the account '{self.name}' that it would "
                f"run as may not pass through {walk.stdout} to {folder}. Keep the data in a folder "
                "open to all accounts (such as /var/lib/parcycle), or run as an ordinary user, or "
                "set DATABASE_URL to a PostgreSQL server of yours."
            )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
