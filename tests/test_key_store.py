"""The key store and the keyring are where the settings say, closed to others; faults are told."""

import asyncio
import os
import subprocess
from pathlib import Path

import asyncpg
import pytest

from service.embedded_postgres import embedded_postgres
from service.sealing.key_encryption import Keyring, KeysUnusable
from service.sealing.keys_in_a_file import KeysInAFile
from service.sealing.keys_in_postgres import KeysInPostgres
from tests.conftest import url_of
from tests.key_places import PEOPLE, STUDY, Place, place_of
from tests.own_server import migrated, own_home
from tests.processes import ROOT, parcycle, postgres_program
from tests.recording import in_a_loop


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path)


@in_a_loop
async def test_files_of_keys_are_closed_to_others_and_refused_when_they_are_not(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path, None)
    async with place.keys() as keys:
        await keys.make({STUDY: PEOPLE})
    folder = tmp_path / "keys"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = {
        file.name: file.stat().st_mode & 0o777 for file in folder.iterdir() if file.stat().st_size
    }
    assert files == {"keyring": 0o600, "subject_keys.sqlite": 0o600}
    for name in files:
        for mode in (0o640, 0o604, 0o660):
            (folder / name).chmod(mode)
            with pytest.raises(KeysUnusable, match=f"{name} holds keys .*mode {mode:04o}.*chmod"):
                await place.keys().__aenter__()
        (folder / name).chmod(0o600)


@in_a_loop
async def test_a_keyring_that_is_lost_is_asked_for_and_not_made_anew(place: Place) -> None:
    async with place.keys() as keys:
        made = await keys.make({STUDY: PEOPLE})
    copy = place.keyring.rename(place.home / "copy")
    with pytest.raises(KeysUnusable, match=f"{place.keyring} cannot be read: No such file"):
        await place.keys().__aenter__()
    Keyring.make(place.keyring)
    with pytest.raises(KeysUnusable, match="Bring back the keyring that belongs to it"):
        await place.keys().__aenter__()
    copy.rename(place.keyring)
    async with place.keys() as keys:
        assert await keys.find({STUDY: PEOPLE}) == made


@in_a_loop
async def test_the_first_keyring_is_made_by_itself_for_the_embedded_store_alone(
    tmp_path: Path, empty_database: str
) -> None:
    with pytest.raises(KeysUnusable, match=r"There is no keyring .* `parcycle keys rotate`"):
        await Place(tmp_path, empty_database).keys().__aenter__()
    async with Place(tmp_path, None).keys():
        pass
    assert len(Keyring(tmp_path / "keys" / "keyring").ids()) == 1


@in_a_loop
async def test_a_store_that_cannot_be_used_says_why_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "subject_keys.sqlite"
    file.write_text("these are not keys, and no database either" * 100)
    file.chmod(0o600)
    with pytest.raises(KeysUnusable, match=f"{file} cannot be used: file is not a database"):
        await KeysInAFile(file).__aenter__()
    nobody = f"postgresql://parcycle_keys@/parcycle_keys?host={tmp_path}"
    with pytest.raises(KeysUnusable, match="See that its PostgreSQL runs"):
        await KeysInPostgres(nobody).__aenter__()


def test_the_script_makes_a_database_for_keys_that_the_records_roles_cannot_enter(
    tmp_path: Path,
) -> None:
    with own_home() as home, embedded_postgres(home, durable=False) as server:
        asyncio.run(migrated(server))
        script = ROOT / "deploy" / "create_key_store.sql"
        subprocess.run(
            [postgres_program("psql"), "-X", "--quiet", "-f", script, server],
            env=os.environ | {"KEYS_PASSWORD": "it's a secret"}, check=True,
        )  # fmt: skip
        place = Place(tmp_path, url_of(server, "parcycle_keys", "parcycle_keys"))
        assert parcycle("keys", "rotate", **place.said).returncode == 0

        async def use() -> None:
            async with place.keys() as keys:
                made = await keys.make({STUDY: PEOPLE})
                await keys.destroy(STUDY, PEOPLE[0])
                del made[STUDY][PEOPLE[0]]
            async with place.keys() as keys:
                assert await keys.find({STUDY: PEOPLE}) == made
            for role in ("parcycle_service", "parcycle_owner"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                    await asyncpg.connect(url_of(server, "parcycle_keys", role))
            keeper = await asyncpg.connect(url_of(server, "record", "parcycle_keys"))
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="schema record"):
                await keeper.fetch("select from record.event")
            await keeper.close()
            administrator = await asyncpg.connect(server)
            hashed = await administrator.fetchval(
                "select rolpassword from pg_authid where rolname = 'parcycle_keys'"
            )
            await administrator.close()
            assert hashed.startswith("SCRAM-SHA-256$")

        asyncio.run(use())
