"""An erasure comes to its end: killed at any step, in a race, or after a backup is restored."""

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from joserfc.jwk import KeySet

from service.erasing import StillHasKey, erase_again
from service.identity import DemoIssuer
from service.research_record import ResearchRecord
from service.sealing.key_encryption import Keyring
from service.sealing.subject_keys import KeyState
from tests.conftest import Database
from tests.erased_study import (
    ERASED,
    assert_nothing_is_left,
    erasure,
    record_all,
    rows,
    someone,
    states,
    told,
)
from tests.key_places import Place
from tests.processes import ROOT, parcycle, started
from tests.recording import STUDY, in_a_loop

# Erases participants, each in a process that is killed just before it changes anything for the nth
# time. It is forked, so that what is imported is so once.
KILLED_BEFORE = """
import asyncio, os, signal, sys
from uuid import UUID
import asyncpg
from service import logs
from service.research_record import ResearchRecord
from service.sealing.keys_in_a_file import KeysInAFile
from service.writer import Writer
from tests.conftest import store_of
from tests.erased_study import erasure

STEPS = [
    (KeysInAFile, "begin_erasure"), (KeysInAFile, "destroy"), (KeysInAFile, "take_back"),
    (Writer, "_send"), (asyncpg.Connection, "execute"),
]
steps = []

def step(name, nth):
    steps.append(name)
    if len(steps) == nth:
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(of, name, nth):
    change = getattr(of, name)
    async def changed(self, *args, **kwargs):
        if name != "execute" or args[0].strip().lower().startswith(("delete", "commit")):
            step(name, nth)
        return await change(self, *args, **kwargs)
    setattr(of, name, changed)

async def erase(participant, command_id, nth):
    async with ResearchRecord(store_of(sys.argv[1])) as record:
        for of, name in STEPS:
            stepping(of, name, nth)
        await record.submit(erasure(participant, command_id=UUID(command_id)))
        step("answered", nth)

logs.configure("json", "error")
for line in sys.stdin:
    participant, command_id, nth = line.split()
    if not (child := os.fork()):
        asyncio.run(erase(participant, command_id, int(nth)))
        print(*steps, flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
# Records workshops and corrections about p-1 until that is refused; says what was answered.
RACING = """
import asyncio, json, sys
from domain.commands import Refused
from service import logs
from service.research_record import Crowded, ResearchRecord
from tests.conftest import store_of
from tests.erased_study import racing

async def race(url, name):
    recorded, refused = [], []
    async with ResearchRecord(store_of(url)) as record:
        print("ready", flush=True)
        sys.stdin.readline()
        n = 0
        while len(refused) < 3:
            n += 1
            try:
                (answer,) = await record.submit_all([racing(f"{name}-{n}", n)])
            except Crowded:
                continue
            if isinstance(answer, Refused):
                refused.append([reason.code for reason in answer.reasons])
            else:
                recorded.append(answer.position)
    print(json.dumps([recorded, refused]))

logs.configure("json", "error")
asyncio.run(race(*sys.argv[1:]))
"""
RACERS = 8
MOST_STEPS = 20
HEAD = len(told())  # each command records one event


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ask(process: subprocess.Popen[str], line: str) -> str:
    """What the process says to a line."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@in_a_loop
async def test_killed_at_any_step_it_is_finished_or_undone_at_the_next_start(
    database: Database,
) -> None:
    async with ResearchRecord(database.store) as record:
        await record_all(record, told())
        await record_all(record, [each for n in range(1, MOST_STEPS) for each in someone(n)])
    outcomes, said = [], ""
    with python(KILLED_BEFORE, database.service_url) as eraser:
        for nth in range(1, MOST_STEPS):
            who, command_id = f"k-{nth}", uuid4()
            subjects = [f"member:acc-{nth}", f"participant:{who}"]
            said = await asyncio.to_thread(ask, eraser, f"{who} {command_id} {nth}")
            events = (await rows(database))["event"]
            on_record = events[-1]["type"] == "SubjectErased" and subjects[1] in events[-1]["tags"]
            async with ResearchRecord(database.store) as record:  # the next start
                if on_record:
                    await assert_nothing_is_left(database, subjects)
                else:
                    now = await states(database)
                    assert [now[each] for each in subjects] == [KeyState.LIVE] * 2
                answer = await record.submit(erasure(who, command_id=command_id))
                await assert_nothing_is_left(database, subjects)
                assert await record.submit(erasure(who, command_id=command_id)) == answer
            outcomes.append(on_record)
            if said != str(-signal.SIGKILL):
                break
    aside = ["begin_erasure"] * 2
    gone = ["execute"] * 3  # two deletions and a commit; a commit alone is of what was only read
    assert said.split() == [
        "execute", *aside, "_send", "execute", *aside, *gone, "destroy", "destroy", "answered",
    ]  # fmt: skip
    assert outcomes == [False] * 4 + [True] * 10


@in_a_loop
async def test_what_eight_processes_record_about_somebody_comes_before_or_is_refused(
    database: Database,
) -> None:
    async with ResearchRecord(database.store) as record:
        await record_all(record, told())
        racers = [python(RACING, database.service_url, f"r{n}") for n in range(RACERS)]
        for racer in racers:
            assert await asyncio.to_thread(ask, racer, "go") == "ready"
        async with asyncio.timeout(60):
            while len((await rows(database))["event"]) < HEAD + 5 * RACERS:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        position = (await record.submit(erasure())).position
        await assert_nothing_is_left(database)  # as soon as it is answered
        answers = [
            json.loads((await asyncio.to_thread(r.communicate, timeout=120))[0]) for r in racers
        ]
    await assert_nothing_is_left(database)
    recorded = sorted(each for positions, _ in answers for each in positions)
    events = (await rows(database))["event"]
    assert recorded == [n for n in range(HEAD + 1, len(events) + 1) if n != position]
    assert {code for _, refused in answers for codes in refused for code in codes} == {
        "subject_erased"
    }
    assert len({each["event_id"] for each in events}) == len(events)
    # Whatever came before them was sealed for them, and is gone; whatever is kept is of others.
    sealed = {(p["position"], p["path"]) for p in (await rows(database))["sealed_part"]}
    about = [e for e in events[HEAD : position - 1] if "participant:p-1" in e["tags"]]
    assert about
    assert not {(e["position"], "notes") for e in about} & sealed


@pytest.fixture
def backed_up(database: Database, tmp_path: Path) -> Path:
    """A backup of the key store from before somebody was erased."""
    backup = tmp_path / "backup.sqlite"

    async def erase() -> None:
        async with ResearchRecord(database.store) as record:
            await record_all(record, told())
        shutil.copyfile(key_store(database), backup)
        async with ResearchRecord(database.store) as record:
            await record_all(record, [erasure()])

    asyncio.run(erase())
    return backup


def key_store(database: Database) -> Path:
    return database.store.settings.home / "keys" / "subject_keys.sqlite"


def test_nothing_is_served_while_a_restored_backup_has_keys_of_those_erased(
    database: Database, backed_up: Path, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.json"
    issuer = DemoIssuer("parcycle").identity.keys_from
    assert isinstance(issuer, KeySet)
    trusted.write_text(json.dumps(issuer.as_dict(private=False)))
    given = {
        "DATABASE_URL": database.service_url, "PARCYCLE_TOKEN_KEYS": str(trusted),
        "PARCYCLE_TOKEN_ISSUER": "https://issuer.example",
    }  # fmt: skip
    shutil.copyfile(backed_up, key_store(database))
    for command in (("serve", "--port", 0), ("export", STUDY, tmp_path / "out", "--member", "ana")):
        refused = parcycle(*command, **given)
        assert refused.returncode == 1
        for subject in ERASED:
            assert subject in refused.stderr
        assert "Run `parcycle erase` to destroy it again" in refused.stderr
    assert not (tmp_path / "out").exists()

    erased = parcycle("erase", **given)
    assert erased.returncode == 0, erased.stderr
    assert erased.stdout == "2 erased on record: no key and no sealed field of theirs is left.\n"
    asyncio.run(assert_nothing_is_left(database))
    assert asyncio.run(states(database))["participant:p-2"] is KeyState.LIVE
    with started("serve", "--port", 0, **given) as serving:
        serving.said("/graphql")
    assert parcycle("erase", **given).stdout == erased.stdout  # done again, it does nothing


@in_a_loop
async def test_a_backup_from_the_midst_of_an_erasure_or_without_the_key_is_mended_by_itself(
    database: Database,
) -> None:
    async with ResearchRecord(database.store) as record:
        await record_all(record, told())
        await record_all(record, [erasure()])
    for statement in (
        "update subject_key set state = 'erasing' where subject in (?, ?)",
        "delete from subject_key where subject in (?, ?)",
    ):
        with closing(sqlite3.connect(key_store(database))) as file:
            assert file.execute(statement, ERASED).rowcount == 2
            file.commit()
        assert ERASED[0] not in [k for k, v in (await states(database)).items() if v == "erased"]
        async with ResearchRecord(database.store):
            await assert_nothing_is_left(database)


@in_a_loop
async def test_one_of_two_keys_that_was_brought_back_is_named(
    database: Database, backed_up: Path
) -> None:
    with closing(sqlite3.connect(key_store(database))) as file:
        file.execute("attach database ? as backup", (str(backed_up),))
        file.execute("delete from subject_key where subject = ?", ERASED[:1])
        file.execute(
            "insert into subject_key select * from backup.subject_key where subject = ?", ERASED[:1]
        )
        file.commit()
    with pytest.raises(StillHasKey, match=f"^{ERASED[0]} of {STUDY} is erased, and yet has a key"):
        await ResearchRecord(database.store).__aenter__()


@in_a_loop
async def test_with_the_keys_in_postgresql_they_are_destroyed_there(
    database: Database, empty_database: str, tmp_path: Path
) -> None:
    keys = Place(tmp_path, empty_database)
    Keyring.make(keys.keyring)
    store = replace(database.store, settings=keys.settings)
    async with keys.table() as table:
        async with ResearchRecord(store) as record:
            await record_all(record, told())
            kept = await table.wrapped(("", ""), 100)
            await record_all(record, [erasure()])
            now = await table.states(STUDY)
            assert [now[subject] for subject in ERASED] == [KeyState.ERASED] * 2
            left = {each.subject for each in await table.wrapped(("", ""), 100)}
            assert left == {each.subject for each in kept} - {*ERASED}
        db = await asyncpg.connect(empty_database)  # somebody brings a key back
        await db.execute(
            "update subject_key set state = 'live', key_id = $1, wrapped = $2 where subject = $3",
            *kept[0].wrapped, ERASED[1],
        )  # fmt: skip
        await db.close()
        with pytest.raises(StillHasKey, match=f"^{ERASED[1]} of {STUDY}"):
            await ResearchRecord(store).__aenter__()
        assert await erase_again(store) == len(ERASED)
        assert (await table.states(STUDY))[ERASED[1]] is KeyState.ERASED
        async with ResearchRecord(store):
            pass
