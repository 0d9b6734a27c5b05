"""The terminal: what every command says things with, and the store it works on."""

import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from io import TextIOWrapper
from pathlib import Path
from tempfile import mkstemp
from typing import Any, BinaryIO, TextIO

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.sealing.private_files import sync_folder
from service.settings import Settings
from service.store import Store, check, store

console = Console()
errors = Console(stderr=True)


class Failure(Exception):
    """What the person at the terminal is told; the exit status is 1."""


def with_store(work: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    """Do some work on the store."""
    with store(Settings()) as kept:
        run(check(kept.service_url))
        run(work(kept))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return uvloop.run(work)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on the terminal; gives what to call with how much is done, and of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=errors) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """The same as `new_binary_file`, for text in UTF-8."""
    with new_binary_file(path) as out:
        writing = TextIOWrapper(out, "utf-8", newline="\n")
        yield writing
        writing.flush()
        writing.detach()


@contextmanager
def new_binary_file(path: Path) -> Iterator[BinaryIO]:
    """A file of ours alone (0600) that takes its name only when it is whole and on the disk.

    What it is called until then is nobody else's, so two may be written for one name at once.
    """
    out, partly = mkstemp(".partly", f"{path.name}.", path.parent)
    try:
        with os.fdopen(out, "wb") as writing:
            yield writing
            writing.flush()
            os.fsync(out)
        Path(partly).replace(path)
    finally:
        Path(partly).unlink(missing_ok=True)
    sync_folder(path.parent)


def moment(said: str) -> datetime:
    """A moment with its offset from UTC, or the last one of a day in UTC. Raises `Failure`."""
    try:
        day = date.fromisoformat(said) if len(said) == 10 else None
        found = (
            datetime.fromisoformat(said) if day is None else datetime.combine(day, time.max, UTC)
        )
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise Failure(f"{said}: write a day as 2026-05-31, a moment as 2026-05-31T18:30+01:00.")
    return found
