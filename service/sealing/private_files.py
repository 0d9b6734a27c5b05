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
    out = os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(out, "w", encoding="utf-8") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(out)
    partly.replace(file)
    with opened(file.parent) as folder:
        os.fsync(folder)


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A folder's descriptor, to lock or to sync."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
