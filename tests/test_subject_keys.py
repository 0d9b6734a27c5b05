"""Every data subject has one key, for all processes, until it is destroyed; then none, for ever."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.sealing import keys_in_postgres, subject_keys
from service.sealing.key_encryption import Keyring, KeysUnusable, Wrapped
from service.sealing.key_store import keyring_for
from service.sealing.subject_keys import KeyState, KeyTable, SubjectErased, SubjectKeys
from tests.key_places import PEOPLE, STUDY, Place, as_administrator, place_of
from tests.processes import ROOT, environment
from tests.recording import in_a_loop

ANOTHER_PROCESS = """
import asyncio, json, sys
from service.sealing.key_store import subject_keys
from service.settings import Settings

async def make(asked):
    async with subject_keys(Settings()) as keys:
        print("ready", flush=True)
        sys.stdin.readline()
        made = await keys.make(asked)
    print(json.dumps({s: {p: key.hex() for p, key in of.items()} for s, of in made.items()}))

asyncio.run(make(json.loads(sys.argv[1])))
"""


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path)


@in_a_loop
async def test_a_key_is_made_once_and_found_again(place: Place) -> None:
    async with place.keys() as ours, place.keys() as theirs:
        made = await ours.make({STUDY: PEOPLE[:2], "wells": PEOPLE[:1]})
        assert [len(key) for of in made.values() for key in of.values()] == [32] * 3
        assert len({key for of in made.values() for key in of.values()}) == 3
        more = await theirs.make({STUDY: PEOPLE[:3]})
        assert {person: more[STUDY][person] for person in PEOPLE[:2]} == made[STUDY]
        assert await ours.find({STUDY: PEOPLE, "reeds": PEOPLE}) == {**more, "reeds": {}}
    async with place.keys() as later:
        assert await later.find({STUDY: PEOPLE}) == more


@in_a_loop
async def test_in_memory_they_are_had_without_waiting(place: Place) -> None:
    async with place.keys() as keys:
        assert keys.cached(STUDY, PEOPLE[:2]) is None
        made = await keys.make({STUDY: PEOPLE[:2]})
        assert keys.cached(STUDY, PEOPLE[:2]) == made[STUDY]
        assert keys.cached(STUDY, PEOPLE[:3]) is None  # all or nothing
        assert keys.cached("wells", PEOPLE[:1]) is None
        await keys.begin_erasure(STUDY, PEOPLE[0])
        assert keys.cached(STUDY, PEOPLE[:1]) is None
        assert keys.cached(STUDY, PEOPLE[1:2]) == {PEOPLE[1]: made[STUDY][PEOPLE[1]]}


@in_a_loop
async def test_memory_forgets_after_five_minutes_and_holds_only_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(subject_keys, "monotonic", lambda: now)
    monkeypatch.setattr(subject_keys, "CACHED", 3)
    async with Place(tmp_path, None).keys() as keys:
        for person in PEOPLE[:4]:
            await keys.make({STUDY: [person]})
        held = [person for person in PEOPLE if keys.cached(STUDY, [person])]
        assert held == PEOPLE[1:4]
        now += 299
        assert keys.cached(STUDY, PEOPLE[1:4]) is not None
        now += 1
        assert keys.cached(STUDY, PEOPLE[3:4]) is None
        await keys.make({STUDY: PEOPLE[3:4]})
        assert keys.cached(STUDY, PEOPLE[3:4]) is not None


@in_a_loop
async def test_an_erased_subject_has_no_key_ever_again(place: Place) -> None:
    ana, ben, new = PEOPLE[:3]
    async with place.keys() as keys, place.keys() as elsewhere:
        made = await keys.make({STUDY: [ana, ben]})
        for person in (ana, new):
            for _ in range(2):
                await keys.begin_erasure(STUDY, person)
        assert await keys.states(STUDY) == {
            ana: KeyState.ERASING, ben: KeyState.LIVE, new: KeyState.ERASING,
        }  # fmt: skip
        for person in (ana, new):
            with pytest.raises(SubjectErased, match=f"{person} of maize"):
                await elsewhere.make({STUDY: [ben, person]})
        assert await elsewhere.find({STUDY: [ana, ben, new]}) == {STUDY: {ben: made[STUDY][ben]}}
        for person in (ana, new):
            for _ in range(2):
                await keys.destroy(STUDY, person)
            await keys.begin_erasure(STUDY, person)
            await keys.take_back(STUDY, person)
            with pytest.raises(SubjectErased):
                await elsewhere.make({STUDY: [person]})
        assert await keys.find({STUDY: [ana, ben, new]}) == {STUDY: {ben: made[STUDY][ben]}}
        assert await keys.states("wells") == {}


@in_a_loop
async def test_an_erasure_that_was_refused_is_taken_back(place: Place) -> None:
    ana, new = PEOPLE[:2]
    async with place.keys() as keys:
        made = await keys.make({STUDY: [ana]})
        for person in (ana, new):
            await keys.begin_erasure(STUDY, person)
            await keys.take_back(STUDY, person)
        assert await keys.states(STUDY) == {ana: KeyState.LIVE}
        assert await keys.find({STUDY: [ana, new]}) == made
        assert set(await keys.make({STUDY: [new]})) == {STUDY}


@in_a_loop
async def test_nothing_is_made_when_one_of_those_asked_for_is_erased(place: Place) -> None:
    async with place.keys() as keys:
        await keys.destroy(STUDY, PEOPLE[0])
        with pytest.raises(SubjectErased):
            await keys.make({STUDY: PEOPLE})
        assert await keys.states(STUDY) == {PEOPLE[0]: KeyState.ERASED}


studies = count()
acts = st.tuples(
    st.sampled_from(["make", "begin_erasure", "take_back", "destroy"]), st.sampled_from(PEOPLE[:3])
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(history=st.lists(acts, max_size=12))
def test_whatever_is_done_the_store_is_as_a_simple_model_says(
    place: Place, history: Sequence[tuple[str, str]]
) -> None:
    study = f"study-{next(studies)}"

    async def story() -> None:
        live: dict[str, bytes | None] = {}  # None: never made
        erasing, erased = set[str](), set[str]()
        async with place.keys() as keys:
            for act, person in history:
                if act == "make":
                    try:
                        made = (await keys.make({study: [person]}))[study][person]
                    except SubjectErased:
                        assert person in erasing | erased
                    else:
                        assert person not in erasing | erased
                        assert live.setdefault(person, made) == made
                    continue
                await getattr(keys, act)(study, person)
                if act == "destroy":
                    live.pop(person, None)
                    erased.add(person)
                elif act == "begin_erasure":
                    erasing.add(person)
                else:
                    erasing.discard(person)
                erasing -= erased
            states = await keys.states(study)
            found = (await keys.find({study: PEOPLE}))[study]
        assert {p for p, s in states.items() if s is KeyState.ERASED} == erased
        assert {p for p, s in states.items() if s is KeyState.ERASING} == erasing
        assert found == {p: key for p, key in live.items() if p not in erasing}
        assert {p for p, s in states.items() if s is KeyState.LIVE} == set(found)

    asyncio.run(story())


def test_two_processes_that_make_the_same_keys_at_once_get_the_same(place: Place) -> None:
    asked = {STUDY: PEOPLE + [f"participant:Q-{n}" for n in range(200)], "wells": PEOPLE}
    with ExitStack() as both:
        processes = [both.enter_context(another_process(place, asked)) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        one, other = (process.communicate(timeout=60)[0] for process in processes)
    assert json.loads(one) == json.loads(other)
    assert len({key for of in json.loads(one).values() for key in of.values()}) == 216


def another_process(place: Place, asked: dict[str, list[str]]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, json.dumps(asked)],
        cwd=ROOT, env=environment(place.said), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


@in_a_loop
async def test_a_destroyed_key_lingers_in_no_file_of_the_store(tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    async with place.keys() as keys, place.table() as table:
        wrapped = await wrapped_keys(keys, table)
        gone = await destroy_some(keys, wrapped)
        for content in map(Path.read_bytes, files_under(tmp_path)):
            assert [person for person in gone if wrapped[person].data in content] == []
        content = (tmp_path / "keys" / "subject_keys.sqlite").read_bytes()
        assert all(wrapped[person].data in content for person in wrapped.keys() - gone)


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@in_a_loop
async def test_a_destroyed_key_lingers_in_no_file_of_the_database_either(
    tmp_path: Path, postgres_server: str, empty_database: str
) -> None:
    place = Place(tmp_path, empty_database)
    Keyring.make(place.keyring)
    administrator = await asyncpg.connect(as_administrator(postgres_server, empty_database))
    try:
        async with place.keys() as keys, place.table() as table:
            wrapped = await wrapped_keys(keys, table)
            await administrator.execute("analyze")  # as autovacuum does, sooner or later
            before = await files_of(administrator)
            assert all(each.data in before for each in wrapped.values())
            # Somebody's transaction could still see the old rows, if it looked.
            async with administrator.transaction(isolation="repeatable_read"):
                await administrator.fetchval("select count(*) from pg_class")
                gone = await destroy_some(keys, wrapped)
            after = await files_of(administrator)
            assert [person for person in gone if wrapped[person].data in after] == []
            assert all(wrapped[person].data in after for person in wrapped.keys() - gone)
    finally:
        await administrator.close()


async def files_of(administrator: asyncpg.Connection) -> bytes:
    """Every file of the database, byte for byte, as they are on the disk."""
    await administrator.execute("checkpoint")
    found = await administrator.fetchval(
        "select string_agg(pg_read_binary_file(folder || file, 0, 1 << 28, true), '') "
        "from (select 'base/' || oid || '/' from pg_database where datname = current_database()) "
        "as of_database (folder), pg_ls_dir(folder) as file"
    )
    assert isinstance(found, bytes)
    return found


async def wrapped_keys(keys: SubjectKeys, table: KeyTable) -> dict[str, Wrapped]:
    """Many subjects, each with its key as it is stored."""
    people = [f"participant:{random.randrange(10**12)}" for _ in range(600)]
    await keys.make({STUDY: people})
    kept = await table.find([(STUDY, person) for person in people])
    return {each.subject: each.wrapped for each in kept if each.wrapped}


async def destroy_some(keys: SubjectKeys, wrapped: dict[str, Wrapped]) -> set[str]:
    """Destroy some, while others are made."""
    gone = set(random.sample(sorted(wrapped), 40))
    for n, person in enumerate(sorted(gone)):
        await keys.begin_erasure(STUDY, person)
        await keys.destroy(STUDY, person)
        if n % 4 == 0:
            await keys.make({STUDY: [f"member:new-{n}-{i}" for i in range(5)]})
    return gone


@in_a_loop
async def test_a_wrapped_key_put_in_anothers_place_is_noticed(place: Place) -> None:
    ana, ben = PEOPLE[:2]
    async with place.keys() as keys, place.table() as table:
        await keys.make({STUDY: [ana, ben]})
        one, other = await table.find([(STUDY, ana), (STUDY, ben)])
        assert one.wrapped is not None
        assert other.wrapped is not None
        old = subject_keys.WrappedKey(STUDY, other.subject, other.wrapped)
        await table.rewrap([(old, one.wrapped)])
    async with place.keys() as keys:
        with pytest.raises(KeysUnusable, match=f"{other.subject} in maize was altered"):
            await keys.find({STUDY: [ana, ben]})
        assert await keys.damaged(lambda done, total: None) == [
            f"The key of {other.subject} in maize was altered in the key store, or is another's. "
            "Bring it back from a backup of the key store."
        ]


class SlowService:
    """A key management service that answers when it is let."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def key_id(self) -> str:
        return await self._keyring.key_id()

    async def wrap(self, key: bytes, study: str, subject: str) -> Wrapped:
        return await self._keyring.wrap(key, study, subject)

    async def unwrap(self, wrapped: Wrapped, study: str, subject: str) -> bytes:
        self.asked.set()
        await self.answers.wait()
        return await self._keyring.unwrap(wrapped, study, subject)


@in_a_loop
async def test_what_was_asked_for_before_an_erasure_is_not_remembered_after_it(
    place: Place,
) -> None:
    async with place.keys() as before, place.table() as table:
        await before.make({STUDY: PEOPLE})
        service = SlowService(await keyring_for(table, place.settings, may_make=False))
        keys = SubjectKeys(table, service)
        asking = asyncio.create_task(keys.find({STUDY: PEOPLE}))
        await service.asked.wait()
        await keys.begin_erasure(STUDY, PEOPLE[0])
        await keys.destroy(STUDY, PEOPLE[0])
        service.answers.set()
        await asking
        assert keys.cached(STUDY, PEOPLE[:1]) is None
        assert PEOPLE[0] not in (await keys.find({STUDY: PEOPLE}))[STUDY]


@in_a_loop
async def test_connections_that_were_cut_are_made_anew(
    tmp_path: Path, postgres_server: str, empty_database: str
) -> None:
    place = Place(tmp_path, empty_database)
    Keyring.make(place.keyring)
    async with place.keys() as keys:
        made = await keys.make({STUDY: PEOPLE[:1]})
        administrator = await asyncpg.connect(as_administrator(postgres_server, empty_database))
        cut = await administrator.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        await administrator.close()
        assert len(cut) > 0
        assert await keys.find({STUDY: PEOPLE[:1]}) == made
        await keys.destroy(STUDY, PEOPLE[0])
        assert await keys.states(STUDY) == {PEOPLE[0]: KeyState.ERASED}


@in_a_loop
async def test_a_key_that_cannot_be_destroyed_now_can_be_later(
    tmp_path: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, empty_database)
    Keyring.make(place.keyring)
    async with place.keys() as keys:
        await keys.make({STUDY: PEOPLE[:1]})
        dump = await asyncpg.connect(empty_database)
        async with dump.transaction():
            await dump.fetch("select from subject_key")
            monkeypatch.setattr(keys_in_postgres, "SECONDS", 0.5)
            with pytest.raises(KeysUnusable, match="does not answer"):
                await keys.destroy(STUDY, PEOPLE[0])
        await dump.close()
        monkeypatch.setattr(keys_in_postgres, "SECONDS", 30)
        assert await keys.states(STUDY) == {PEOPLE[0]: KeyState.LIVE}
        await keys.destroy(STUDY, PEOPLE[0])
        assert await keys.states(STUDY) == {PEOPLE[0]: KeyState.ERASED}
