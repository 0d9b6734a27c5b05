"""`parcycle seal`, as a person at a terminal sees it."""

import asyncio
from pathlib import Path

import pytest

from service.sealing.log_keys import LogKeys, TreeHead
from service.sealing.signed_notes import VerifierKey
from tests.conftest import Database
from tests.processes import parcycle
from tests.recording import STUDY, as_owner, recorders
from tests.test_sealer import ORIGIN, append, sealers

COSIGNED = f"""
insert into record.cosignature values
    ('{STUDY}', 'ethics.example.org/committee', 250, 'a line', '2026-11-26T10:30Z')
"""


@pytest.fixture
def home(database: Database, tmp_path: Path) -> Path:
    """The folder of a service that has sealed a study twice."""

    async def seal() -> None:
        async with (
            recorders(database.service_url) as [recorder],
            sealers(database, tmp_path / "keys") as [sealer],
        ):
            for events in (250, 50):
                await append(recorder, events)
                await sealer.seal_all()
            await append(recorder, 2)
        await as_owner(database, COSIGNED)

    asyncio.run(seal())
    return tmp_path


def at(database: Database, home: Path) -> dict[str, str]:
    return {"DATABASE_URL": database.service_url, "PARCYCLE_HOME": str(home)}


def test_the_latest_checkpoints_are_shown_and_who_cosigned_them(
    database: Database, home: Path
) -> None:
    done = parcycle("seal", "show", STUDY, **at(database, home))
    assert done.returncode == 0, done.stderr
    first, *table = [line.rstrip() for line in done.stdout.splitlines() if line.strip()]
    assert first == f"{ORIGIN}: 302 events, 300 of them sealed."
    assert table[0].split() == ["events", "signed", "cosigned", "by"]
    assert table[2].split()[0] == "300"
    assert table[2].endswith("nobody")
    assert table[3].split()[0] == "250"
    assert table[3].endswith("ethics.example.org/committee, 2026-11-26 10:30")
    latest = parcycle("seal", "show", STUDY, "--checkpoints", 1, **at(database, home))
    assert "nobody" in latest.stdout
    assert "committee" not in latest.stdout


def test_a_record_of_less_than_was_sealed_is_told(database: Database, home: Path) -> None:
    LogKeys(home / "keys").remember(ORIGIN, TreeHead(1_000, bytes(32)))
    done = parcycle("seal", "show", STUDY, **at(database, home))
    assert done.returncode == 1
    assert "1,000 events were sealed, and 302 are there. Bring back" in done.stderr


def test_a_study_that_is_not_there_is_told(database: Database, tmp_path: Path) -> None:
    done = parcycle("seal", "show", "nowhere", **at(database, tmp_path))
    assert (done.returncode, "no study nowhere" in done.stderr) == (1, True)
    assert not (tmp_path / "keys").exists()


def test_the_keys_are_printed_for_a_policy_and_a_new_one_comes_first(tmp_path: Path) -> None:
    def listed() -> list[VerifierKey]:
        done = parcycle("seal", "keys", STUDY, PARCYCLE_HOME=str(tmp_path))
        assert done.returncode == 0, done.stderr
        return [VerifierKey.parse(line) for line in done.stdout.splitlines()]

    [first] = listed()
    assert first.name == ORIGIN
    done = parcycle("seal", "rotate", PARCYCLE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Older keys sign beside it until 20" in done.stdout
    second, still = listed()
    assert still == first
    done = parcycle("seal", "rotate", "--overlap-days", "0", PARCYCLE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert listed()[1:] == [second, first]
    assert [key.private is None for key in LogKeys(tmp_path / "keys").listed()] == [
        False, True, False,
    ]  # fmt: skip
    wrong = parcycle("seal", "rotate", "--overlap-days=-1", PARCYCLE_HOME=str(tmp_path))
    assert (wrong.returncode, "from 0 on" in wrong.stderr) == (1, True)
    assert len(listed()) == 3
