"""Re-reading: an event that was changed long after it was sealed is noticed, and named.

What becomes of a whole attack is in test_attack_matrix.py; here is what each thing that stands of
an event is held against, and how the service goes about it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.database import open_pool
from service.personal_texts import Part
from service.recorder import Recorder
from service.sealing import rereading as rereading_module
from service.sealing.log_keys import LogKeys
from service.sealing.rereading import SHOWN, Fault, Rereading
from service.sealing.sealer import Sealer
from tests.conftest import Database
from tests.processes import parcycle
from tests.recording import STUDY, as_owner, draft, in_a_loop, recorders
from tests.test_sealer import ORIGIN, append, origin, sealers

NOTE = [Part("notes", ("participant:P-01", "participant:P-02"), b'"It rained."')]
EVENTS = 700  # two full tiles, and one that is not kept
AT = f"where study = '{STUDY}' and position ="
UNTILED = "delete from record.tile where level = 0"


@asynccontextmanager
async def reading(database: Database, folder: Path) -> AsyncIterator[Rereading]:
    pool = await open_pool(database.service_url, 2)
    try:
        yield Rereading(pool, LogKeys(folder), origin)
    finally:
        await pool.close()


async def record_and_seal(recorder: Recorder, sealer: Sealer, events: int = EVENTS) -> None:
    """Withdrawals with notes, of which every second is about somebody else too."""
    tags = "participant:P-01", "participant:P-02"
    await recorder.append(
        STUDY,
        [draft("Noted", *tags[: 1 + n % 2], personal=NOTE) for n in range(events)],
    )
    await sealer.seal_all()


async def record_and_seal_another(recorder: Recorder, sealer: Sealer) -> None:
    await recorder.append("another", [draft(study="another")])
    await sealer.seal_all()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 (the re-reading offers no event)
            await asyncio.sleep(0.01)


async def found_in(database: Database, folder: Path) -> list[Fault]:
    """What a whole pass finds."""
    async with reading(database, folder) as rereading:
        await rereading.pass_over(STUDY, LogKeys(folder).last_signed(ORIGIN))
        return rereading.faults.get(STUDY, [])


@in_a_loop
async def test_an_honest_record_is_as_it_was_sealed(database: Database, tmp_path: Path) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        for events in (1, 254, 1, 1, 600, 3):
            await record_and_seal(recorder, sealer, events)
            assert await found_in(database, tmp_path) == []
        await append(recorder, 5)  # which is not sealed yet
    assert await found_in(database, tmp_path) == []


@in_a_loop
async def test_a_record_that_grows_meanwhile_is_as_it_was_sealed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading_module, "PACE", 0.001)
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
        reading(database, tmp_path) as rereading,
    ):
        with capture_logs() as logged:
            running = asyncio.create_task(rereading.run())
            for _ in range(40):
                await record_and_seal(recorder, sealer, 30)
            assert rereading.faults == {}
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert [line for line in logged if line["log_level"] != "debug"] == []


# What an administrator of the database may do, and what the service says to it.
BLOB = "set_byte(blob, 40, get_byte(blob, 40) # 1)"
SEALED_AS = f"select blob from record.sealed_part {AT} 300"
ALTERED = {
    "leaf": (f"update record.event set leaf = leaf || 'x' {AT} 57", "EDITED", "not what was"),
    "event": (f"delete from record.event {AT} 57", "DELETED", "is gone"),
    "payload": (f"update record.event set payload = '{{\"a\":1}}' {AT} 57", "CONTENT", "payload"),
    "envelope": (f"update record.event set envelope = '' {AT} 57", "CONTENT", "envelope"),
    "salt": (f"update record.event set salt = salt || 'x' {AT} 57", "CONTENT", "payload"),
    "id": (f"update record.event set event_id = gen_random_uuid() {AT} 57", "CONTENT", "who did"),
    "type": (f"update record.event set type = 'Other' {AT} 57", "CONTENT", "who did"),
    "schema": (f"update record.event set schema = 2 {AT} 57", "CONTENT", "who did"),
    "actor": (f"update record.event set actor = 'ben' {AT} 57", "CONTENT", "who did"),
    "occurred": (f"update record.event set occurred_at = now() {AT} 57", "CONTENT", "when"),
    "recorded": (f"update record.event set recorded_at = '-infinity' {AT} 57", "CONTENT", "when"),
    "a tag more": (f"update record.event set tags = '{{a:b}}' || tags {AT} 57", "CONTENT", "about"),
    "a tag less": (f"update record.event set tags = '{{}}' {AT} 57", "CONTENT", "about whom"),
    "the index": (f"delete from record.event_tag {AT} 57", "CONTENT", "its type and tags lead"),
    "paths": (f"update record.event set sealed = null {AT} 57", "CONTENT", "other sealed parts"),
    "ciphertext": (f"update record.sealed_part set blob = {BLOB} {AT} 57", "CONTENT", "part notes"),
    "swapped": (
        f"update record.sealed_part set blob = ({SEALED_AS}) {AT} 57", "CONTENT", "part notes",
    ),
    "subjects": (
        f"update record.sealed_part set subjects = '{{participant:P-03}}' {AT} 57", "CONTENT",
        "part notes",
    ),
    "destroyed": (f"delete from record.sealed_part {AT} 57", "WITHHELD", "no erasure accounts"),
    "put in": (
        "insert into record.sealed_part select study, position, 'names', subjects, blob "
        f"from record.sealed_part {AT} 57", "EXTRA", "a part names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
@in_a_loop
async def test_whatever_is_changed_of_an_old_event_is_noticed_and_the_event_named(
    database: Database, tmp_path: Path, what: str
) -> None:
    tampering, name, says = ALTERED[what]
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await record_and_seal(recorder, sealer)
    await as_owner(database, tampering)
    found = await found_in(database, tmp_path)
    assert {(fault.fault, fault.study, fault.position) for fault in found} == {(name, STUDY, 57)}
    assert any(says in fault.message for fault in found)
    for fault in found:
        assert fault.message.startswith("Event 57")
        assert name == "DELETED" or (fault.type, fault.event_id) != ("", "")
        assert f"{fault.type} {fault.event_id}".strip() in fault.message


@pytest.mark.parametrize(
    ("tampering", "says"),
    [
        # Of the last events, and where the tile was made to fit, the hashes alone tell.
        ([f"update record.event set leaf = leaf || 'x' {AT} 650"], "events 601 to 700"),
        ([f"delete from record.event {AT} 650"], "events 601 to 700"),
        ([UNTILED, f"update record.event set leaf = leaf || 'x' {AT} 57"], "events 1 to 300"),
        ([f"update record.tile set hashes = hashes || 'x' {AT.split(' and')[0]}"], None),
        (["update record.tile set hashes = sha256('')"], "events 1 to 300"),
        (
            [UNTILED, "delete from record.checkpoint where size < 700",
             "update record.checkpoint set root = 'x'",
             f"update record.event set leaf = leaf || 'x' {AT} 57"], "events 1 to 700",
        ),
    ],
)  # fmt: skip
@in_a_loop
async def test_where_hashes_are_gone_too_the_events_between_two_checkpoints_are_named(
    database: Database, tmp_path: Path, tampering: list[str], says: str | None
) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        for events in (300, 300, 100):
            await record_and_seal(recorder, sealer, events)
    await as_owner(database, *tampering)
    found = [f.message for f in await found_in(database, tmp_path) if f.fault == "ROOT"]
    if says is None:
        assert found == []
    else:
        [message] = found
        assert says in message


@in_a_loop
async def test_the_running_service_notices_it_within_a_pass_and_forgets_it_when_it_is_mended(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading_module, "PACE", 0.01)
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
        reading(database, tmp_path) as rereading,
    ):
        await record_and_seal(recorder, sealer)
        await record_and_seal_another(recorder, sealer)
        with capture_logs() as logged:
            running = asyncio.create_task(rereading.run())
            await as_owner(database, f"update record.event set payload = '[]' {AT} 57")
            await until(lambda: bool(rereading.faults))
            # Sealing goes on: what comes after is not left open to change, and has its receipts.
            await record_and_seal(recorder, sealer, 1)
            assert sealer.refusals == {}
            assert LogKeys(tmp_path).last_signed(ORIGIN).size == EVENTS + 1
            await asyncio.sleep(0.5)  # some passes: it is told once
            assert [fault.position for fault in rereading.faults[STUDY]] == [57]
            await as_owner(database, f"update record.event set payload = '{{}}' {AT} 57")
            await until(lambda: not rereading.faults)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    told, mended = [line for line in logged if line["log_level"] != "debug"]
    assert (told["event"], told["log_level"], told["position"]) == ("not_as_sealed", "error", 57)
    assert (told["study"], told["type"], told["fault"]) == (STUDY, "Noted", "CONTENT")
    assert (mended["event"], mended["study"]) == ("as_sealed_again", STUDY)


@in_a_loop
async def test_a_study_that_cannot_be_read_is_told_and_the_others_are_read_all_the_same(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rereading_module, "PACE", 0.01)
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
        reading(database, tmp_path) as rereading,
    ):
        await record_and_seal(recorder, sealer)
        await record_and_seal_another(recorder, sealer)
        await as_owner(
            database,
            "alter table record.event alter column payload drop not null",
            "update record.event set payload = null where study = 'another'",
            f"delete from record.sealed_part {AT} 57",
        )
        with capture_logs() as logged:
            running = asyncio.create_task(rereading.run())
            await until(lambda: len(rereading.faults) >= 2)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    told = [(line["study"], line["fault"]) for line in logged if line["event"] == "not_as_sealed"]
    assert told == [("another", "FORMAT"), (STUDY, "WITHHELD")]
    [unreadable] = rereading.faults["another"]
    assert unreadable.message == "What stands there is not what a record holds (TypeError)."


@in_a_loop
async def test_of_many_faults_the_first_are_told(database: Database, tmp_path: Path) -> None:
    async with (
        recorders(database.service_url) as [recorder],
        sealers(database, tmp_path) as [sealer],
    ):
        await record_and_seal(recorder, sealer)
    await as_owner(database, "update record.event set payload = '[]' where position > 100")
    with capture_logs() as logged:
        found = await found_in(database, tmp_path)
    assert [fault.position for fault in found] == [*range(101, 101 + SHOWN)]
    assert len([line for line in logged if line["event"] == "not_as_sealed"]) == SHOWN


def test_the_whole_pass_at_once(database: Database, tmp_path: Path) -> None:
    async def seal() -> None:
        async with (
            recorders(database.service_url) as [recorder],
            sealers(database, tmp_path / "keys") as [sealer],
        ):
            await record_and_seal(recorder, sealer)

    at = {"DATABASE_URL": database.service_url, "PARCYCLE_HOME": str(tmp_path)}
    asyncio.run(seal())
    done = parcycle("seal", "check", STUDY, **at)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{ORIGIN}: all 700 sealed events are as they were sealed.\n"
    assert "events re-read" in done.stderr
    tampering = f"update record.event set payload = '[]' {AT}"
    asyncio.run(as_owner(database, *(f"{tampering} {n}" for n in range(57, 80))))
    done = parcycle("seal", "check", STUDY, **at)
    assert done.returncode == 1
    first, *_, more = done.stdout.splitlines()
    assert first.startswith("CONTENT: Event 57, Noted ")
    assert more == "and 3 more"
    assert "not as it was sealed" in done.stderr
    done = parcycle("seal", "check", "nowhere", **at)
    assert (done.returncode, "Nothing of a study nowhere" in done.stderr) == (1, True)
