"""Bundles out of a database: an honest one holds, and its administrator's attacks show by name."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from domain.membership import Role
from service.bell import Bell
from service.database import open_pool
from service.demo_study import STUDY as DEMO
from service.demo_study import load_demo
from service.personal_texts import Part
from service.research_record import ResearchRecord
from service.sealing import verify
from service.sealing.bundled_study import NothingSealed, bundle_of_study
from service.sealing.log_keys import LogKeys
from service.sealing.sealer import Sealer
from service.sealing.signed_notes import KeyKind, Note, SigningKey, signed
from service.sealing.tree_on_record import latest
from tests.conftest import Database
from tests.recording import STUDY, as_owner, draft, in_a_loop
from tests.sealed_study import WITNESS


def origin(study: str) -> str:
    return f"localhost/parcycle/{study}"


@dataclass
class Kept:
    """A database with its record, its sealer and a witness."""

    database: Database
    record: ResearchRecord
    sealer: Sealer
    keys: LogKeys
    db: asyncpg.Connection

    async def append(self, events: int) -> None:
        """So many events, a sealed note in every third."""
        note = Part("note", ("participant:P-1",), b'"She asked for a stool."')
        await self.record.recorder.append(
            STUDY,
            [
                draft("Noted", "participant:P-1", personal=[note] if n % 3 == 0 else [])
                for n in range(events)
            ],
        )

    async def seal(self, study: str = STUDY, by: Sequence[SigningKey] = (WITNESS,)) -> int:
        """Seal what there is, and have it cosigned; how many events that are."""
        await self.sealer.seal_all()
        sealed = await latest(self.db, study)
        assert sealed is not None
        now = datetime.now(UTC)
        for key in by:
            text = Note.parse(sealed.note.encode()).text
            line = str(signed(text, key, int(now.timestamp())))
            await self.db.execute(
                "insert into record.cosignature values ($1, $2, $3, $4, $5)",
                study, key.name, sealed.size, line, now,
            )  # fmt: skip
        return sealed.size

    async def bundle(
        self, study: str = STUDY, *, opened: bool = False, by: Sequence[str] = ()
    ) -> bytes:
        role = Role.LEAD_RESEARCHER if opened else None
        pieces = bundle_of_study(self.db, self.record.texts, study, role=role, by=by)
        return b"".join([piece async for piece in pieces])

    def policy(self, study: str = STUDY) -> str:
        logs = "".join(f"log {key}\n" for key in self.keys.verifiers(origin(study)))
        return (
            f"{logs}witness ethics {WITNESS.verifier} https://ethics.example.org/\nquorum ethics\n"
        )

    def verified(self, bundle: bytes, study: str = STUDY) -> verify.Bundle:
        return verify.Bundle(self.policy(study), io.BytesIO(bundle))

    async def found(self) -> set[str]:
        return {*self.verified(await self.bundle()).found}


@asynccontextmanager
async def kept(database: Database, folder: Path) -> AsyncIterator[Kept]:
    pool = await open_pool(database.service_url, 2)
    db = await asyncpg.connect(database.service_url)
    try:
        async with ResearchRecord(database.store) as record:
            keys = LogKeys(folder)
            yield Kept(database, record, Sealer(pool, Bell(), keys, origin), keys, db)
    finally:
        await db.close()
        await pool.close()


@in_a_loop
async def test_a_whole_study_with_somebody_erased(database: Database, tmp_path: Path) -> None:
    async with kept(database, tmp_path) as study:
        await load_demo(study.record, lambda done, total: None)
        size = await study.seal(DEMO)
        closed = study.verified(await study.bundle(DEMO), DEMO)
        open_ = study.verified(await study.bundle(DEMO, opened=True), DEMO)
        for checked in (closed, open_):
            assert checked.found == {}
            assert checked.size == size
            assert checked.erased > 0
        assert (closed.open, open_.sealed) == (size, 0)
        assert open_.open == closed.open + closed.sealed
        assert closed.sealed > 100


@in_a_loop
async def test_records_of_several_sizes_grow(database: Database, tmp_path: Path) -> None:
    async with kept(database, tmp_path) as study:
        with pytest.raises(NothingSealed):
            await study.bundle()
        size = 0
        for events in (1, 254, 1, 1, 300):
            await study.append(events)
            assert await study.seal() == size + events
            size += events
            assert await study.found() == set()


@in_a_loop
async def test_which_checkpoint_it_is_of(database: Database, tmp_path: Path) -> None:
    library = SigningKey("library", KeyKind.WITNESS, WITNESS.private)
    async with kept(database, tmp_path) as study:
        await study.append(10)
        await study.seal(by=[WITNESS, library])
        await study.append(10)
        await study.seal()
        await study.append(10)
        await study.seal(by=[])
        assert study.verified(await study.bundle()).size == 20
        assert study.verified(await study.bundle(by=[WITNESS.name])).size == 20
        assert study.verified(await study.bundle(by=[library.name, WITNESS.name])).size == 10
        with pytest.raises(NothingSealed, match="cosigned by nobody"):
            await study.bundle(by=["nobody"])


SWAP = """
update record.{table} a set {sets} from record.{table} b
where a.study = b.study and (a.position, b.position) in ((100, {other}), ({other}, 100))
"""
ROW = ("event_id", "type", "salt", "leaf", "envelope", "payload")
ATTACKS = {
    "edited": (
        """update record.event set leaf = convert_to(
            replace(convert_from(leaf, 'UTF8'), 'Noted/1', 'Denied/1'), 'UTF8'
        ) where position = 100""",
        {"EDITED", "ROOT"},
    ),
    "edited in what is not sealed as such": (
        "update record.event set payload = '{\"given\":true}' where position = 100",
        {"CONTENT"},
    ),
    "deleted": ("delete from record.event where position = 100", {"DELETED", "ROOT"}),
    "reordered": (
        SWAP.format(table="event", other=101, sets=", ".join(f"{c} = b.{c}" for c in ROW)),
        {"REORDERED", "ROOT", "WITHHELD", "EXTRA"},
    ),
    "truncated": ("delete from record.event where position > 270", {"TRUNCATED", "ROOT"}),
    "swapped": (SWAP.format(table="sealed_part", other=103, sets="blob = b.blob"), {"MOVED"}),
    "moved": (
        """update record.sealed_part set blob = (
            select blob from record.sealed_part where position = 103
        ) where position = 100""",
        {"MOVED"},
    ),
    "altered": (
        "update record.sealed_part set blob = set_byte(blob, 40, 7) where position = 100",
        {"CONTENT"},
    ),
    "withheld": ("delete from record.sealed_part where position = 100", {"WITHHELD"}),
    "put in": (
        "insert into record.sealed_part values ('maize', 101, 'note', '{participant:P-1}', 'x')",
        {"EXTRA"},
    ),
    "hashes altered": ("update record.tile set hashes = set_byte(hashes, 9, 9)", {"EXTRA"}),
    "hashes gone": ("delete from record.tile", {"EXTRA"}),
}


@pytest.mark.parametrize("attack", ATTACKS)
@in_a_loop
async def test_an_attack_by_the_databases_administrator(
    database: Database, tmp_path: Path, attack: str
) -> None:
    statement, names = ATTACKS[attack]
    async with kept(database, tmp_path) as study:
        await study.append(300)
        await study.seal()
        await as_owner(database, statement)
        assert await study.found() == names


INSERT = """
insert into record.event
select study, 301, {event_id}, type, schema, actor, occurred_at, recorded_at, null, null, tags,
    envelope, payload, sealed, salt, {leaf}
from record.event where position = 7;
update record.study_head set position = 301
"""


@pytest.mark.parametrize(
    ("event_id", "leaf", "names"),
    [
        ("event_id", "leaf", {"REPLAYED", "BACKDATED"}),
        (
            "'019389a1-7c00-7abc-8def-0123456789ab'",
            "convert_to(replace(convert_from(leaf, 'UTF8'), event_id::text, "
            "'019389a1-7c00-7abc-8def-0123456789ab'), 'UTF8')",
            {"CONTENT", "BACKDATED"},
        ),
    ],
    ids=["byte for byte", "under another id"],
)
@in_a_loop
async def test_an_event_put_in_again_and_sealed_by_a_service_that_knows_of_nothing(
    database: Database, tmp_path: Path, event_id: str, leaf: str, names: set[str]
) -> None:
    async with kept(database, tmp_path) as study:
        await study.append(200)
        await asyncio.sleep(0.01)
        await study.append(100)
        await study.seal()
        copy = INSERT.format(event_id=event_id, leaf=leaf)
        await as_owner(
            database,
            copy,
            """insert into record.sealed_part select study, 301, path, subjects, blob
            from record.sealed_part where position = 7""",
        )
        assert await study.seal() == 301
        assert await study.found() == names
