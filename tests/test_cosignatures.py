"""Checkpoints are cosigned by a witness that other people wrote; what it holds binds the sealer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import ValidationError

from service.bell import Bell
from service.database import open_pool
from service.sealing import sealer as sealer_module
from service.sealing.asking_witnesses import Witness, WitnessAway, WitnessNamed
from service.sealing.checkpoints import require_head
from service.sealing.cosignatures import Cosignatures
from service.sealing.log_keys import LogKeys
from service.sealing.sealer import Sealer
from service.sealing.tree_on_record import receipt
from tests.conftest import Database
from tests.recording import STUDY, as_owner, in_a_loop, recorders
from tests.test_sealer import EDITED_LONG_AGO, ORIGIN, SHORTENED, append, origin, sealed_in
from tests.witness_of_others import NAME, WitnessOfOthers, witness_programs


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    LogKeys(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def witness(tmp_path: Path, keys: Path) -> WitnessOfOthers:
    logs = {ORIGIN: LogKeys(keys).verifiers(ORIGIN)}
    return WitnessOfOthers(tmp_path / "witness", witness_programs(), logs)


@dataclass
class Sealing:
    sealer: Sealer
    cosignatures: Cosignatures
    witness: Witness

    async def seal_and_ask(self) -> None:
        await self.sealer.seal_all()
        await self.cosignatures.ask_about_all(self.witness)

    @property
    def refusal(self) -> str | None:
        refused = self.sealer.refusals.get(STUDY)
        return type(refused).__name__ if refused else None


@asynccontextmanager
async def sealing(
    database: Database, keys: Path, witness: WitnessOfOthers, url: str
) -> AsyncIterator[Sealing]:
    """The sealer of a process, and what asks the witness for it."""
    pool = await open_pool(database.service_url, 4)
    try:
        async with httpx.AsyncClient() as http:
            asked = Witness(url, witness.key, http)
            sealer = Sealer(pool, Bell(), LogKeys(keys), origin, [asked])
            yield Sealing(sealer, Cosignatures(pool, Bell(), sealer, origin, [asked]), asked)
    finally:
        await pool.close()


def forget(keys: Path) -> None:
    """The memory of what was signed is gone, as when all of a machine is restored from a backup."""
    (keys / "last_signed.sqlite").write_bytes(b"")


@in_a_loop
async def test_each_latest_checkpoint_is_cosigned_and_shown_so(
    database: Database, keys: Path, witness: WitnessOfOthers
) -> None:
    known = [*LogKeys(keys).verifiers(ORIGIN), witness.key]
    with witness.running() as url:
        async with (
            recorders(database.service_url) as [recorder],
            sealing(database, keys, witness, url) as ours,
        ):
            for events in (1, 300, 20):
                await append(recorder, events)
                await ours.seal_and_ask()
                sealed = await sealed_in(database)
                [by] = require_head(sealed.cosigned, ORIGIN, known).cosignatures
                assert (by.key, sealed.cosignatures[0].line) == (witness.key, by.line)
            await ours.seal_and_ask()
            await append(recorder, 1)
            await ours.sealer.seal_all()
    db = await asyncpg.connect(database.service_url)
    try:
        assert await db.fetchval("select count(*) from record.cosignature") == 3
        # A receipt is under the latest checkpoint that somebody else vouches for, if there is one.
        for position, size, cosigned in ((5, 321, 1), (322, 322, 0)):
            proof = await receipt(db, STUDY, position)
            assert proof is not None
            head = require_head(proof.checkpoint, ORIGIN, known)
            assert (head.checkpoint.size, len(head.cosignatures)) == (size, cosigned)
    finally:
        await db.close()


@in_a_loop
async def test_a_checkpoint_in_the_midst_of_a_backlog_is_not_shown(
    database: Database, keys: Path, witness: WitnessOfOthers
) -> None:
    """What is sealed after it would look back-dated to whoever relies on the witness's time."""
    with witness.running() as url:
        async with (
            recorders(database.service_url) as [recorder],
            sealing(database, keys, witness, url) as ours,
        ):
            await append(recorder, 5)
            await ours.sealer.seal_all()
            await append(recorder, 5)
            await as_owner(
                database,
                "update record.event set recorded_at = now() - interval '2 minutes'"
                " where position = 6",
            )
            await ours.cosignatures.ask_about_all(ours.witness)
            assert not (await sealed_in(database)).cosignatures
            await ours.seal_and_ask()
            sealed = await sealed_in(database)
            assert (sealed.size, len(sealed.cosignatures)) == (10, 1)


@in_a_loop
async def test_a_witness_that_was_away_holds_nothing_up_and_cosigns_the_latest_when_it_is_back(
    database: Database, keys: Path, witness: WitnessOfOthers
) -> None:
    with witness.running() as url:
        pass
    async with (
        recorders(database.service_url) as [recorder],
        sealing(database, keys, witness, url) as ours,
    ):
        for size in (10, 20):
            await append(recorder, 10)
            await ours.sealer.seal_all()
            assert (await sealed_in(database)).size == size
            with pytest.raises(WitnessAway, match=NAME):
                await ours.cosignatures.ask_about_all(ours.witness)
        with witness.running():
            await ours.cosignatures.ask_about_all(ours.witness)
        sealed = await sealed_in(database)
        assert (sealed.size, len(sealed.cosignatures)) == (20, 1)
        assert ours.refusal is None


@in_a_loop
async def test_cosignatures_that_were_lost_are_asked_for_again(
    database: Database, keys: Path, witness: WitnessOfOthers
) -> None:
    """The witness says of which size its last one is (409), and is asked from there."""
    with witness.running() as url:
        async with (
            recorders(database.service_url) as [recorder],
            sealing(database, keys, witness, url) as ours,
        ):
            for _ in range(2):
                await append(recorder, 10)
                await ours.seal_and_ask()
                await as_owner(database, "delete from record.cosignature")
            await ours.cosignatures.ask_about_all(ours.witness)
            assert len((await sealed_in(database)).cosignatures) == 1
            assert ours.refusal is None


@in_a_loop
async def test_a_shortened_record_is_not_sealed_against_what_the_witness_holds(
    database: Database, keys: Path, witness: WitnessOfOthers
) -> None:
    """Also where the service itself was made to forget: a backup restored, of everything."""
    with witness.running() as url:
        async with recorders(database.service_url) as [recorder]:
            async with sealing(database, keys, witness, url) as ours:
                for events in (250, 50):
                    await append(recorder, events)
                    await ours.seal_and_ask()
            await as_owner(database, *SHORTENED.split(";"))
            forget(keys)
            async with recorders(database.service_url) as [another]:
                await append(another, 1)
            async with sealing(database, keys, witness, url) as ours:
                await ours.sealer.seal_all()
                assert ours.refusal == "WitnessHoldsMore"
            assert LogKeys(keys).last_signed(ORIGIN).size == 0


@in_a_loop
async def test_a_rewritten_record_is_not_sealed_against_what_the_witness_holds(
    database: Database, keys: Path, witness: WitnessOfOthers
) -> None:
    with witness.running() as url:
        async with recorders(database.service_url) as [recorder]:
            async with sealing(database, keys, witness, url) as ours:
                await append(recorder, 300)
                await ours.seal_and_ask()
            await as_owner(database, *EDITED_LONG_AGO.split(";"))
            forget(keys)
            await append(recorder, 1)
            async with sealing(database, keys, witness, url) as ours:
                await ours.sealer.seal_all()
                assert ours.refusal == "RecordRewritten"
            assert LogKeys(keys).last_signed(ORIGIN).size == 0


@in_a_loop
async def test_a_fork_that_was_signed_while_the_witness_was_away_is_found_and_goes_no_further(
    database: Database, keys: Path, witness: WitnessOfOthers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer_module, "LOOK_AGAIN", 0.0)
    async with recorders(database.service_url) as [recorder]:
        with witness.running() as url:
            async with sealing(database, keys, witness, url) as ours:
                await append(recorder, 300)
                await ours.seal_and_ask()
        await as_owner(database, *EDITED_LONG_AGO.split(";"), "delete from record.cosignature")
        forget(keys)
        await append(recorder, 1)
        async with sealing(database, keys, witness, url) as ours:
            await ours.sealer.seal_all()
            assert ours.refusal is None  # nobody is there who knows better
            with witness.running():
                await ours.cosignatures.ask_about_all(ours.witness)
                assert ours.refusal == "WitnessContradicts"
                await append(recorder, 1)
                await ours.seal_and_ask()
            sealed = await sealed_in(database)
            assert (sealed.size, sealed.cosignatures) == (301, ())
            assert ours.refusal == "WitnessContradicts"
            assert "do not extend the 300" in str(ours.sealer.refusals[STUDY])


@in_a_loop
async def test_a_log_that_was_cut_while_the_witness_was_away_is_found_and_goes_no_further(
    database: Database, keys: Path, witness: WitnessOfOthers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer_module, "LOOK_AGAIN", 0.0)
    async with recorders(database.service_url) as [recorder]:
        with witness.running() as url:
            async with sealing(database, keys, witness, url) as ours:
                for events in (250, 50):
                    await append(recorder, events)
                    await ours.seal_and_ask()
        await as_owner(database, *SHORTENED.split(";"), "delete from record.cosignature")
        forget(keys)
        async with (
            recorders(database.service_url) as [another],
            sealing(database, keys, witness, url) as ours,
        ):
            await append(another, 1)
            await ours.sealer.seal_all()
            with witness.running():
                await ours.cosignatures.ask_about_all(ours.witness)
            assert ours.refusal == "WitnessHoldsMore"
            await append(another, 1)
            await ours.sealer.seal_all()
            assert (await sealed_in(database)).size == 281


@in_a_loop
async def test_a_witness_that_does_not_know_the_log_stops_nothing(
    database: Database, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = WitnessOfOthers(tmp_path / "stranger", witness_programs(), {})
    with stranger.running() as url:
        async with (
            recorders(database.service_url) as [recorder],
            sealing(database, keys, stranger, url) as ours,
        ):
            await append(recorder, 10)
            await ours.seal_and_ask()
            await append(recorder, 10)
            await ours.seal_and_ask()
            assert (await sealed_in(database)).size == 20
            assert ours.refusal is None
    told = [line for line in capsys.readouterr().out.splitlines() if "not_cosigned" in line]
    assert len(told) == 1  # and it is asked again only after a while
    assert "404" in told[0]


@pytest.mark.parametrize(
    ("url", "key", "wrong"),
    [
        ("ethics.example.org", None, "http://"),
        ("https://ethics.example.org/", "ethics.example.org+00000000+BAAA", "is no key"),
        ("https://ethics.example.org/", "the log's", "is a log's key"),
    ],
)
def test_a_witness_is_named_by_its_url_and_its_key(
    keys: Path, url: str, key: str | None, wrong: str
) -> None:
    log = str(LogKeys(keys).verifiers(ORIGIN)[0])
    with pytest.raises(ValidationError, match=wrong):
        WitnessNamed(url=url, key=log if key in (None, "the log's") else str(key))
