"""Files with keys in them: for this account alone, and whole or not there at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write the file whole or not at all, with mode 0600, so that it stands when the power fails.

    Whoever writes it from several processes takes turns by a lock. Raises OSError.
    """
    partly = file.with_name(f"{file.name}.partly")
    partly.unlink(missing_ok=True)
    _write(partly, text)
    partly.replace(file)
    sync_folder(file.parent)


def make_private(file: Path, text: str) -> None:
    """The same for a file that is not there yet. Raises FileExistsError if it is, and OSError."""
    partly = file.with_name(f"{file.name}.{os.getpid()}.partly")
    _write(partly, text)
    try:
        file.hardlink_to(partly)  # unlike a renaming, it never replaces a file
    finally:
        partly.unlink()
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder stand when the power fails. Raises OSError."""
    with opened(folder) as descriptor:
        os.fsync(descriptor)


def _write(file: Path, text: str) -> None:
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(out, "w", encoding="utf-8") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(out)


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A folder's descriptor, to lock or to sync."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
