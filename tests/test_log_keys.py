"""The log's keys: made once, private, rotated; and the memory of what they signed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from service.sealing.key_encryption import KeysUnusable
from service.sealing.log_keys import LogKeys, Overtaken, TreeHead
from service.sealing.signed_notes import Note, signed, verified

ORIGIN = "record.example.org/parcycle/maize"
TODAY = datetime.now(UTC).date()


def head(size: int, root: int = 0) -> TreeHead:
    return TreeHead(size, bytes([root]) * 32)


def test_a_key_is_made_once_and_is_for_this_account_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first = LogKeys(folder).verifiers(ORIGIN)
    assert LogKeys(folder).verifiers(ORIGIN) == first
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "log_keys": 0o600, "last_signed.sqlite": 0o600,
    }  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o700
    [line] = [line for line in (folder / "log_keys").read_text().splitlines() if line[0] != "#"]
    assert line.startswith(f"private {TODAY} - ")


def test_processes_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: LogKeys(tmp_path).verifiers(ORIGIN), range(24)))
    assert made == [made[0]] * 24
    assert len(made[0]) == 1


def test_one_key_signs_for_each_study_under_its_own_name(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)
    maize, water = keys.signers(ORIGIN)[0], keys.signers("record.example.org/parcycle/water")[0]
    assert maize.verifier.public == water.verifier.public
    assert maize.verifier.id != water.verifier.id
    note = Note("text\n", (signed("text\n", maize),))
    assert [each.key for each in verified(note, keys.verifiers(ORIGIN))] == [maize.verifier]


def test_an_older_key_signs_beside_a_new_one_for_a_while_and_stays_listed(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)
    [first] = keys.verifiers(ORIGIN)
    keys.rotate(timedelta(days=30))
    second, still = [signer.verifier for signer in keys.signers(ORIGIN)]
    assert still == first != second
    assert keys.verifiers(ORIGIN) == [second, first]
    assert [key.until for key in keys.listed()] == [TODAY + timedelta(days=30), None]
    keys.rotate(timedelta(0))  # at once, as where a key may have been stolen
    third, still = [signer.verifier for signer in keys.signers(ORIGIN)]
    assert still == first  # its time was set before
    assert keys.verifiers(ORIGIN) == [third, second, first]
    assert [key.private is None for key in keys.listed()] == [False, True, False]
    assert [signer.verifier for signer in LogKeys(tmp_path).signers(ORIGIN)] == [third, first]


def test_the_private_half_of_a_key_whose_time_is_over_is_destroyed(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)
    keys.rotate(timedelta(days=1))
    before = keys.verifiers(ORIGIN)
    text = keys.file.read_text().replace(str(TODAY + timedelta(days=1)), str(TODAY))
    private = next(line.split()[-1] for line in text.splitlines() if line.startswith("private"))
    keys.file.write_text(text)
    assert len(keys.signers(ORIGIN)) == 1
    again = LogKeys(tmp_path)
    assert again.verifiers(ORIGIN) == before
    assert private not in again.file.read_text()


def test_what_was_signed_last_is_remembered_and_nothing_smaller_after_it(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)
    assert keys.last_signed(ORIGIN).size == 0
    keys.remember(ORIGIN, head(7))
    keys.remember(ORIGIN, head(7))
    keys.remember("another", head(3))
    for overtaken in (head(6), head(7, 1)):
        with pytest.raises(Overtaken):
            keys.remember(ORIGIN, overtaken)
    keys.remember(ORIGIN, head(8))
    again = LogKeys(tmp_path)
    assert again.last_signed(ORIGIN) == head(8)
    assert again.all_last_signed() == {ORIGIN: head(8), "another": head(3)}


def test_the_largest_that_many_processes_signed_is_remembered(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)

    def sign(size: int) -> bool:
        try:
            keys.remember(ORIGIN, head(size))
        except Overtaken:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(sign, [*range(1, 60), *range(30, 0, -1)]))
    assert keys.last_signed(ORIGIN) == head(59)
    assert done[58]


def test_keys_that_are_damaged_or_open_to_others_are_refused(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)
    keys.file.chmod(0o640)
    with pytest.raises(KeysUnusable, match="chmod 600"):
        LogKeys(tmp_path)
    keys.file.chmod(0o600)
    whole = keys.file.read_text()
    for damaged in (
        "", whole.replace("private", "secret"), whole[:-9], f"{whole}more\n",
        whole.replace(str(TODAY), "yesterday"), whole.replace("private", "public"),
    ):  # fmt: skip
        keys.file.write_text(damaged)
        with pytest.raises(KeysUnusable, match=r"log_keys"):
            LogKeys(tmp_path)
    keys.file.write_text(whole)
    assert len(LogKeys(tmp_path).verifiers(ORIGIN)) == 1


def test_a_key_without_its_memory_and_a_memory_without_its_key_are_refused(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path)
    keys.remember(ORIGIN, head(7))
    memory = tmp_path / "last_signed.sqlite"
    kept, key = memory.read_bytes(), keys.file.read_text()
    memory.unlink()
    with pytest.raises(KeysUnusable, match="what was signed last"):
        keys.remember(ORIGIN, head(8))
    with pytest.raises(KeysUnusable, match="what was signed last"):
        LogKeys(tmp_path)
    assert not memory.exists()
    memory.write_bytes(kept)
    memory.chmod(0o600)
    keys.file.unlink()
    with pytest.raises(KeysUnusable, match="it has signed"):
        LogKeys(tmp_path)
    assert not keys.file.exists()
    keys.file.write_text(key)
    keys.file.chmod(0o600)
    assert LogKeys(tmp_path).last_signed(ORIGIN) == head(7)


def test_a_first_start_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """The memory is made before the key, and holds nothing yet."""
    (tmp_path / "last_signed.sqlite").touch(mode=0o600)
    (tmp_path / "log_keys.partly").write_text("private 2026-")
    assert len(LogKeys(tmp_path).signers(ORIGIN)) == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["last_signed.sqlite", "log_keys"]


def test_an_empty_memory_can_be_given_by_hand(tmp_path: Path) -> None:
    """As the message says, by somebody who knows that the database is the latest."""
    keys = LogKeys(tmp_path)
    memory = tmp_path / "last_signed.sqlite"
    memory.unlink()
    memory.touch(mode=0o600)
    assert LogKeys(tmp_path).verifiers(ORIGIN) == keys.verifiers(ORIGIN)
    assert isinstance(keys.listed()[0].since, date)
