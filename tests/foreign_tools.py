"""Other people's programs, installed once into a cache outside the repository, for tests to run.

The cache is PARCYCLE_NODE_MODULES, or parcycle/ in the user's cache. Where a program cannot be had
the tests that need it are skipped and say so; with CI=true they fail instead.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(what: str, why: str) -> NoReturn:
    message = f"{what} not tried: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def installed_once(name: str, of: bytes, install: Callable[[Path], None]) -> Path:
    """The folder that `install` filled, for this content of what is to be installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parcycle"
    folder = Path(os.environ.get("PARCYCLE_NODE_MODULES") or cache)
    home = folder / f"{name}-{sha256(of).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers wait for the one that installs
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            install(home)
            (home / "complete").touch()
    return home


def node_modules(name: str, package: Path, what: str) -> Path:
    """The packages of a package.json, with exact versions, by npm."""
    if missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]:
        unavailable(what, f"{' and '.join(missing)} not found; install Node.js 20 or newer")
    content = package.read_bytes()

    def install(home: Path) -> None:
        (home / "package.json").write_bytes(content)
        command = "npm install --ignore-scripts --no-package-lock --no-audit --no-fund"
        installed = subprocess.run(command.split(), cwd=home, capture_output=True, text=True)
        if installed.returncode:
            unavailable(what, f"npm could not install them: {installed.stderr.strip()[-600:]}")

    return installed_once(name, content, install) / "node_modules"
