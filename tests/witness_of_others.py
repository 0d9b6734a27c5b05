"""A witness that other people wrote (`aics-witness`, from PyPI), run as a process of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.sealing.signed_notes import VerifierKey
from tests.foreign_tools import installed_once, unavailable

WHAT = "The witness of other people is"
REQUIREMENTS = Path(__file__).parent / "verifiers" / "witness-requirements.txt"
NAME = "ethics.example.org/committee"


def newer_python() -> str:
    """A Python that the witness runs on."""
    versions = [f"python3.{minor}" for minor in range(12, 20)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    others = sorted(str(each) for each in pyenv.glob("3.*/bin/python3"))
    check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"
    for python in (sys.executable, *versions, *others):
        if shutil.which(python) is not None:
            tried = subprocess.run([python, "-c", check], capture_output=True)
            if tried.returncode == 0:
                return python
    unavailable(WHAT, "it needs Python 3.12 or newer; install one")


def witness_programs() -> Path:
    """The folder of its programs, installed once."""

    def install(home: Path) -> None:
        made = subprocess.run(
            [newer_python(), "-m", "venv", home / "venv"], capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr
        python = home / "venv" / "bin" / "python"
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS],
            capture_output=True,
            text=True,
        )
        if installed.returncode:
            unavailable(WHAT, f"pip could not install it: {installed.stderr.strip()[-600:]}")

    return installed_once("witness", REQUIREMENTS.read_bytes(), install) / "venv" / "bin"


class WitnessOfOthers:
    """A witness with a key and a memory of its own, in a folder, that knows these logs."""

    def __init__(
        self, folder: Path, programs: Path, logs: Mapping[str, Sequence[VerifierKey]]
    ) -> None:
        folder.mkdir()
        self._program = programs / "aics-witness"
        self._config = ["--config", str(folder / "witness.json")]
        self._address = "127.0.0.1:0"
        made = self._run("init", "--name", NAME, "--listen", self._address)
        self.key = VerifierKey.parse(made)
        for origin, keys in logs.items():
            for key in keys:
                self._run("add-log", "--origin", origin, "--vkey", str(key))

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address while it runs; the same whenever it is started again."""
        process = subprocess.Popen(
            [self._program, "serve", *self._config, "--listen", self._address],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"listening on http://(\S+)", line):
                    self._address = found[1]
                    yield f"http://{self._address}"
                    break
            else:
                pytest.fail(f"the witness did not start: {process.wait()}")
        finally:
            process.terminate()
            process.communicate(timeout=30)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, *arguments, *self._config], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
