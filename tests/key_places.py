"""Where the keys of a test's data subjects are: in a file, or in a database of its own."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from service.sealing.key_encryption import Keyring
from service.sealing.key_store import key_table, subject_keys
from service.sealing.subject_keys import KeyTable, SubjectKeys
from service.settings import Settings

STUDY = "maize"
PEOPLE = [f"participant:P-{n:02}" for n in range(8)]


@dataclass(frozen=True)
class Place:
    """Where a test's keys are: what the settings say of it."""

    home: Path
    url: str | None

    @property
    def settings(self) -> Settings:
        return Settings(home=self.home, key_store_url=self.url)

    @property
    def said(self) -> dict[str, str]:
        """The same settings for a process of its own."""
        home = {"PARCYCLE_HOME": str(self.home)}
        return home | ({"PARCYCLE_KEY_STORE_URL": self.url} if self.url else {})

    def table(self) -> AbstractAsyncContextManager[KeyTable]:
        return key_table(self.settings)

    def keys(self) -> AbstractAsyncContextManager[SubjectKeys]:
        return subject_keys(self.settings)

    @property
    def keyring(self) -> Path:
        return self.home / "keys" / "keyring"


def place_of(request: pytest.FixtureRequest, folder: Path) -> Place:
    """The place of a test that runs in a file and in PostgreSQL; its keyring has one key."""
    url = request.getfixturevalue("empty_database") if request.param == "postgres" else None
    place = Place(folder, url)
    Keyring.make(place.keyring)
    return place


def as_administrator(server: str, database: str) -> str:
    """The URL of a test's own database, as the server's superuser."""
    return urlunsplit(urlsplit(server)._replace(path=urlsplit(database).path))
