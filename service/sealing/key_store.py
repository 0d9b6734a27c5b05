"""Where the keys of data subjects are: the key store and the keyring that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.sealing.key_encryption import Keyring, KeysUnusable
from service.sealing.keys_in_a_file import KeysInAFile
from service.sealing.keys_in_postgres import KeysInPostgres
from service.sealing.subject_keys import KeyTable, SubjectKeys
from service.settings import Settings


@asynccontextmanager
async def subject_keys(settings: Settings) -> AsyncIterator[SubjectKeys]:
    """The keys of data subjects while they are in use. Raises `KeysUnusable`."""
    async with key_table(settings) as table:
        keyring = await keyring_for(table, settings, may_make=settings.key_store_url is None)
        yield SubjectKeys(table, keyring)


@asynccontextmanager
async def key_table(settings: Settings) -> AsyncIterator[KeyTable]:
    """Where the wrapped keys are kept. Raises `KeysUnusable`."""
    if settings.key_store_url:
        async with KeysInPostgres(settings.key_store_url) as table:
            yield table
    else:
        async with KeysInAFile(_folder(settings) / "subject_keys.sqlite") as table:
            yield table


async def keyring_for(table: KeyTable, settings: Settings, *, may_make: bool) -> Keyring:
    """The keyring, with every key that the table needs; a first one is made only if it may be.

    Raises `KeysUnusable`.
    """
    file = settings.keyring or _folder(settings) / "keyring"
    needed = {key_id for _, key_id in await table.tally() if key_id}
    if may_make and not needed:
        keyring = Keyring.make(file)
    elif not needed and not file.exists():
        raise KeysUnusable(
            f"There is no keyring {file}. Set PARCYCLE_KEYRING to where it is; for a new key "
            "store, make one with `parcycle keys rotate`, and keep a copy apart from its backups."
        )
    else:
        keyring = Keyring(file)
    if missing := needed.difference(keyring.ids()):
        raise KeysUnusable(
            f"The keyring {file} does not hold {', '.join(sorted(missing))}, which wraps keys in "
            "the key store. Bring back the keyring that belongs to it."
        )
    return keyring


def _folder(settings: Settings) -> Path:
    return settings.home / "keys"
