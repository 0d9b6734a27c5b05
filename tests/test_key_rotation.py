"""The keys of data subjects are wrapped anew while others use them, and never half for good."""

import asyncio
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import asyncpg
import pytest

from service.sealing.key_commands import rotation
from service.sealing.key_encryption import Keyring, KeysUnusable, Wrapped
from service.sealing.key_store import keyring_for
from service.sealing.subject_keys import (
    BATCH,
    KeyState,
    KeyTable,
    SubjectKeys,
    WrappedKey,
)  # fmt: skip
from tests.key_places import PEOPLE, STUDY, Place, place_of
from tests.processes import ROOT, environment, parcycle, started
from tests.recording import in_a_loop

MANY = [f"participant:M-{n:04}" for n in range(2 * BATCH + 100)]


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path)


def silently(done: int, total: int) -> None:
    """No progress bar."""


async def wrapped_by(table: KeyTable) -> dict[str, int]:
    """How many keys each key-encryption key wraps."""
    found: dict[str, int] = {}
    for (_, key_id), number in (await table.tally()).items():
        if key_id is not None:
            found[key_id] = found.get(key_id, 0) + number
    return found


@in_a_loop
async def test_a_rotation_changes_what_wraps_the_keys_and_not_the_keys(place: Place) -> None:
    ana, ben, eve = PEOPLE[:3]
    async with place.keys() as keys, place.table() as table:
        made = await keys.make({STUDY: MANY, "wells": [ana, ben, eve]})
        await keys.begin_erasure("wells", ben)
        await keys.destroy("wells", eve)
        said: list[tuple[int, int]] = []
        keyring = Keyring(place.keyring)
        (old,) = keyring.ids()
        done = await rotation(table, keyring, lambda *each: said.append(each))
        assert keyring.ids() == [old, done.newest]
        assert (done.added, done.rewrapped, done.unneeded) == (True, len(MANY) + 2, [old])
        assert said == [(BATCH, done.rewrapped), (2 * BATCH, done.rewrapped), (1102, 1102)]
        assert await wrapped_by(table) == {done.newest: len(MANY) + 2}
        assert await keys.states("wells") == {
            ana: KeyState.LIVE, ben: KeyState.ERASING, eve: KeyState.ERASED,
        }  # fmt: skip
        await keys.take_back("wells", ben)
    async with place.keys() as later:
        del made["wells"][eve]
        assert await later.find({STUDY: MANY, "wells": [ana, ben, eve]}) == made


@in_a_loop
async def test_others_seal_and_erase_while_another_process_rotates(place: Place) -> None:
    async with place.keys() as keys:
        made = (await keys.make({STUDY: MANY}))[STUDY]
    rotating = asyncio.create_task(asyncio.to_thread(parcycle, "keys", "rotate", **place.said))
    rounds = 0
    while not rotating.done():
        # Each time as a process that has just started, with nothing in memory.
        async with place.keys() as keys:
            rounds += 1
            new = await keys.make({STUDY: [f"member:new-{rounds}", f"member:more-{rounds}"]})
            gone = MANY[-rounds]
            await keys.begin_erasure(STUDY, gone)
            await keys.destroy(STUDY, gone)
            del made[gone]
            assert (await keys.find({STUDY: made}))[STUDY] == made
            made |= new[STUDY]
    done = await rotating
    assert (done.returncode, done.stdout.count("Wrapped anew")) == (0, 1), done.stderr
    assert rounds > 1
    async with place.keys() as keys, place.table() as table:
        assert (await keys.find({STUDY: [*MANY, *made]}))[STUDY] == made
        assert await keys.damaged(silently) == []
        assert await wrapped_by(table) == {Keyring(place.keyring).ids()[-1]: len(made)}


class SlowToWrap:
    """Wraps with the key that is the newest now, and answers when it is let."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def key_id(self) -> str:
        return await self._keyring.key_id()

    async def wrap(self, key: bytes, study: str, subject: str) -> Wrapped:
        wrapped = await self._keyring.wrap(key, study, subject)
        self.asked.set()
        await self.answers.wait()
        return wrapped

    async def unwrap(self, wrapped: Wrapped, study: str, subject: str) -> bytes:
        return await self._keyring.unwrap(wrapped, study, subject)


@in_a_loop
async def test_a_key_that_is_on_its_way_during_a_whole_rotation_is_not_passed_by(
    place: Place,
) -> None:
    async with place.table() as table, place.table() as theirs:
        slow = SlowToWrap(await keyring_for(theirs, place.settings, may_make=False))
        making = asyncio.create_task(SubjectKeys(theirs, slow).make({STUDY: PEOPLE}))
        await slow.asked.wait()
        async with place.keys() as others:
            await others.make({"wells": PEOPLE})
        done = await rotation(table, Keyring(place.keyring), silently, remove_old=True)
        slow.answers.set()
        made = await making
        assert await wrapped_by(table) == {done.newest: 2 * len(PEOPLE)}
    async with place.keys() as later:
        assert await later.find({STUDY: PEOPLE}) == made


class Cut(BaseException):
    """What ends a rotation in its midst."""


@in_a_loop
async def test_a_rotation_that_was_cut_off_goes_on_where_it_was(place: Place) -> None:
    async with place.keys() as keys, place.table() as table:
        made = await keys.make({STUDY: MANY})

        def cut(done: int, total: int) -> None:
            raise Cut

        with pytest.raises(Cut):
            await rotation(table, Keyring(place.keyring), cut)
        old, new = Keyring(place.keyring).ids()
        assert await wrapped_by(table) == {new: BATCH, old: len(MANY) - BATCH}
        async with place.keys() as meanwhile:
            assert await meanwhile.find({STUDY: MANY}) == made
        done = await rotation(table, Keyring(place.keyring), silently)
        assert (done.newest, done.added, done.rewrapped) == (new, False, len(MANY) - BATCH)
        assert await wrapped_by(table) == {new: len(MANY)}
        assert (await rotation(table, Keyring(place.keyring), silently)).added


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@in_a_loop
async def test_a_command_that_is_killed_can_be_run_again(
    how: signal.Signals, tmp_path: Path, empty_database: str
) -> None:
    place = Place(tmp_path, empty_database)
    Keyring.make(place.keyring)
    async with place.keys() as keys, place.table() as table:
        made = await keys.make({STUDY: MANY})
        other = await asyncpg.connect(empty_database)
        async with other.transaction():
            # It comes to the last key last, and waits there.
            await other.execute("select from subject_key where subject = $1 for update", max(MANY))
            with started("keys", "rotate", **place.said) as rotating:
                while len(found := await wrapped_by(table)) < 2:
                    assert rotating.process.poll() is None
                    await asyncio.sleep(0.01)
                status = await asyncio.to_thread(rotating.stop, how, 30)
        await other.close()
        assert status == {signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}[how]
        old, new = Keyring(place.keyring).ids()
        assert found[old] < len(MANY)
        done = await asyncio.to_thread(parcycle, "keys", "rotate", **place.said)
        assert (done.returncode, f"{new} wraps all keys." in done.stdout) == (0, True)
        assert await wrapped_by(table) == {new: len(MANY)}
        assert Keyring(place.keyring).ids() == [old, new]
        async with place.keys() as later:
            assert await later.find({STUDY: MANY}) == made


def test_only_one_rotates_at_a_time(place: Place) -> None:
    with Keyring(place.keyring).rotating():
        done = parcycle("keys", "rotate", **place.said)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Another process is rotating the keys of {place.keyring}. Wait" in done.stderr


@in_a_loop
async def test_old_keys_are_removed_when_asked_and_open_no_backup_any_more(tmp_path: Path) -> None:
    place = Place(tmp_path / "now", None)
    async with place.keys() as keys:
        made = await keys.make({STUDY: PEOPLE})
        backup = Place(tmp_path / "backup", None)
        shutil.copytree(place.home, backup.home)
        await keys.destroy(STUDY, PEOPLE[0])
    first = await asyncio.to_thread(parcycle, "keys", "rotate", **place.said)
    old, new = Keyring(place.keyring).ids()
    assert f"Nothing in the key store needs {old} any more; `parcycle keys rotate --remo" in (
        first.stdout
    )
    then = await asyncio.to_thread(parcycle, "keys", "rotate", "--remove-old", **place.said)
    assert f"Removed from the keyring: {old}." in then.stdout
    assert f"Copy {place.keyring} to where its copy is kept" in then.stdout
    assert Keyring(place.keyring).ids() == [new]
    async with place.keys() as later:
        del made[STUDY][PEOPLE[0]]
        assert await later.find({STUDY: PEOPLE}) == made
    backup.keyring.unlink()
    shutil.copy(place.keyring, backup.keyring)
    with pytest.raises(KeysUnusable, match=f"does not hold {old}, which wraps keys"):
        await backup.keys().__aenter__()


def test_the_first_rotation_of_a_new_store_makes_its_keyring(
    tmp_path: Path, empty_database: str
) -> None:
    place = Place(tmp_path, empty_database)
    early = parcycle("keys", "check", **place.said)
    assert (early.returncode, "make one with `parcycle keys rotate`" in early.stderr) == (1, True)
    for keys in (1, 1):
        assert parcycle("keys", "rotate", **place.said).returncode == 0
        assert len(Keyring(place.keyring).ids()) == keys
    assert parcycle("keys", "check", **place.said).returncode == 0


@in_a_loop
async def test_a_check_counts_the_keys_and_names_each_that_is_damaged(place: Place) -> None:
    ana, ben, eve = PEOPLE[:3]
    async with place.keys() as keys, place.table() as table:
        await keys.make({STUDY: PEOPLE})
        await keys.begin_erasure(STUDY, ben)
        await keys.destroy(STUDY, eve)
        (key_id,) = Keyring(place.keyring).ids()
        sound = await asyncio.to_thread(parcycle, "keys", "check", **place.said)
        assert (sound.returncode, sound.stdout.split("\n")) == (0, [
            "    live         6", " erasing         1", "  erased         1",
            f"Wrapped by {key_id}: 7.", "",
        ])  # fmt: skip
        (found,) = await table.find([(STUDY, ana)])
        assert found.wrapped is not None
        altered = Wrapped(key_id, found.wrapped.data[:-1] + bytes([found.wrapped.data[-1] ^ 1]))
        await table.rewrap([(WrappedKey(STUDY, ana, found.wrapped), altered)])
    damaged = await asyncio.to_thread(parcycle, "keys", "check", **place.said)
    assert damaged.returncode == 1
    assert f"The key of {ana} in maize was altered in the key store" in damaged.stderr
    assert "Damaged keys: 1." in damaged.stderr


def test_a_terminal_shows_how_far_it_is(place: Place) -> None:
    async def fill() -> None:
        async with place.keys() as keys:
            await keys.make({STUDY: MANY})

    asyncio.run(fill())
    status, shown = in_a_terminal("keys", "rotate", **place.said)
    assert status == 0
    lines = as_shown(shown)
    assert [line for line in lines if "1100/1100" in line] == [
        line for line in lines if line.startswith("keys wrapped anew")
    ]
    assert "Wrapped anew: 1,100." in lines
    status, shown = in_a_terminal("keys", "check", **place.said)
    assert status == 0
    assert sum("1100/1100" in line for line in as_shown(shown)) == 1
    assert "    live     1,100" in as_shown(shown)


def in_a_terminal(*arguments: str, **settings: str) -> tuple[int, str]:
    """Run a command in a terminal of 80 columns; gives its exit status and what it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    around = {k: v for k, v in environment(settings).items() if k not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "service", *arguments], cwd=ROOT, env=around | {"TERM": "xterm"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        written = b""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                written += os.read(ours, 65_536)
            except OSError:  # the last one to have the terminal has closed it
                break
        os.close(ours)
        return process.wait(30), written.decode()


def as_shown(written: str) -> list[str]:
    """The lines as they stand at the end: what was drawn over, and colours, left out."""
    lines: list[str] = []
    for line in written.replace("\r\n", "\n").split("\n"):
        lines.append(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line.rpartition("\r")[2]))
    return lines
