"""The demo study, sealed and cosigned, and copies of it: each attack has a server of its own.

The record is sealed several times while it grows, and its witness cosigns each time. At the first
there is a backup; the second is what the committee accepted last.
"""

import asyncio
import io
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx

from domain.commands import Refused
from domain.erasure import EraseSubject
from domain.membership import Role
from projections.following import borrowed
from service.bell import Bell
from service.database import open_pool
from service.demo_study import STUDY, demo_proposals
from service.migrate_schema import OWNER_ROLE, SERVICE_ROLE
from service.research_record import ResearchRecord
from service.sealing import asking_witnesses, verify
from service.sealing.bundled_study import bundle_of_study
from service.sealing.cosignatures import Cosignatures
from service.sealing.log_keys import LogKeys
from service.sealing.rereading import Fault, Rereading
from service.sealing.sealer import Sealer
from service.sealing.witness import Witness, witness_application
from service.settings import Settings
from service.store import Store
from tests.conftest import Database, create_database, drop_database, store_of, url_of
from tests.graphql_under_test import served
from tests.recording import draft
from tests.sealed_study import WITNESS, found_in

BACKUP, ACCEPTED = 150, 300  # how many events the backup has, and what the committee accepted
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # so far the demo study is told
ORIGIN = f"localhost/parcycle/{STUDY}"


def origin(study: str) -> str:
    return f"localhost/parcycle/{study}"


@dataclass(frozen=True)
class Kept:
    """What there was before the attack: two databases, a server's folder, a committee's file."""

    server: str
    whole: str
    backup: str
    home: Path
    accepted: bytes


@dataclass
class Victim:
    """A server under attack: its database, its folder, and its witness."""

    database: Database
    home: Path
    record: ResearchRecord
    pool: asyncpg.Pool
    witness: asking_witnesses.Witness

    @property
    def keys(self) -> LogKeys:
        return LogKeys(self.home / "keys")

    def forget(self) -> None:
        """The memory of what was signed is gone, as when all of a machine is restored."""
        (self.home / "keys" / "last_signed.sqlite").write_bytes(b"")

    async def go_on(self, events: int = 1) -> None:
        """The study goes on, whatever was done to it."""
        await self.record.recorder.append(STUDY, [draft(study=STUDY) for _ in range(events)])

    async def seal(self, *, asking: bool = False) -> set[str]:
        """Seal what there is, as the service does; by which name it refuses, if it does.

        Whether it asks the witness first what that holds, or shows it afterwards only.
        """
        witnesses = [self.witness] if asking else []
        sealer = Sealer(self.pool, Bell(), self.keys, origin, witnesses)
        await sealer.look_for_shortened()
        await sealer.seal_all()
        if not sealer.refusals:
            cosignatures = Cosignatures(self.pool, Bell(), sealer, origin, [self.witness])
            await cosignatures.ask_about_all(self.witness)
        return {type(refusal).__name__ for refusal in sealer.refusals.values()}

    async def reread(self) -> list[Fault]:
        """What the service finds that reads all of it again."""
        rereading = Rereading(self.pool, self.keys, origin)
        await rereading.pass_over(STUDY, self.keys.last_signed(ORIGIN))
        return rereading.faults.get(STUDY, [])

    async def bundle(self) -> bytes:
        """The bundle that a committee gets. Raises `NothingSealed`."""
        async with borrowed(self.pool) as db:
            pieces = bundle_of_study(db, self.record.texts, STUDY, role=Role.LEAD_RESEARCHER)
            return b"".join([piece async for piece in pieces])

    def found(
        self,
        bundle: bytes,
        accepted: bytes | None = None,
        *,
        quorum: str = "ethics",
        at_once: bool = True,
    ) -> set[str]:
        """What verify.py says to a bundle, by the failures' names."""
        policy = self.policy(quorum, at_once=at_once)
        return {*found_in(bundle, policy, accepted)}

    def head(self, bundle: bytes) -> bytes:
        """The checkpoint of a bundle, as a committee keeps it that accepts it."""
        checked = verify.Bundle(self.policy("ethics"), io.BytesIO(bundle))
        assert checked.found == {}
        return checked.head.raw

    def policy(self, quorum: str, *, at_once: bool = True) -> str:
        """The committee's: whose signatures count, and whether it asks for its witness's."""
        logs = "".join(f"log {key}\n" for key in self.keys.verifiers(ORIGIN))
        address = " https://ethics.example.org/" if at_once else ""
        return f"{logs}witness ethics {WITNESS.verifier}{address}\nquorum {quorum}\n"


@contextmanager
def sealed_and_accepted(server: str, template: str, folder: Path) -> Iterator[Kept]:
    """The study before any attack."""
    whole, backup = f"test_{uuid4().hex}", f"test_{uuid4().hex}"
    asyncio.run(create_database(server, whole, template))
    try:
        home = folder / "home"
        proposals = demo_proposals(NOW)
        erased = [each.command for each in proposals].index(EraseSubject)

        async def record(begin: int, end: int | None) -> None:
            async with victim(server, whole, home) as study:
                for answer in await study.record.submit_all(proposals[begin:end]):
                    assert not isinstance(answer, Refused), answer

        async def seal() -> bytes:
            async with victim(server, whole, home) as study:
                assert await study.seal() == set()
                return study.head(await study.bundle())

        asyncio.run(record(0, BACKUP))
        asyncio.run(seal())
        asyncio.run(create_database(server, backup, whole))
        asyncio.run(record(BACKUP, ACCEPTED))
        accepted = asyncio.run(seal())
        asyncio.run(record(ACCEPTED, erased))
        asyncio.run(copy_parts(url_of(server, whole, OWNER_ROLE)))
        asyncio.run(record(erased, -5))
        asyncio.run(seal())
        asyncio.run(record(-5, None))
        asyncio.run(seal())
        yield Kept(server, whole, backup, home, accepted)
    finally:
        for name in (whole, backup):
            asyncio.run(drop_database(server, name))


async def copy_parts(owner_url: str) -> None:
    """The administrator keeps a copy of what is sealed, from before somebody was erased."""
    db = await asyncpg.connect(owner_url)
    try:
        await db.execute("create table public.copied as select * from record.sealed_part")
    finally:
        await db.close()


@asynccontextmanager
async def attacked(kept: Kept, *, restored: bool = False) -> AsyncIterator[Victim]:
    """A server with a copy of all that; its database restored from the backup, if so asked."""
    name, home = f"test_{uuid4().hex}", kept.home.with_name(uuid4().hex)
    shutil.copytree(kept.home, home)
    await create_database(kept.server, name, kept.backup if restored else kept.whole)
    try:
        async with victim(kept.server, name, home) as study:
            yield study
    finally:
        await drop_database(kept.server, name)


@asynccontextmanager
async def victim(server: str, name: str, home: Path) -> AsyncIterator[Victim]:
    """A running server, its keys and the witness's state in a folder."""
    roles = store_of(url_of(server, name, SERVICE_ROLE))
    store = Store(Settings(home=home), roles.service_url, roles.owner_url, roles.eraser_url)
    database = Database(url_of(server, name, OWNER_ROLE), store.service_url)
    logs = LogKeys(home / "keys").verifiers(ORIGIN)
    pool = await open_pool(store.service_url, 4)
    with served(witness_application(Witness(home / "witness", WITNESS, logs))) as address:
        async with ResearchRecord(store) as record, httpx.AsyncClient() as http:
            asked = asking_witnesses.Witness(f"http://{address}", WITNESS.verifier, http)
            try:
                yield Victim(database, home, record, pool, asked)
            finally:
                await pool.close()
