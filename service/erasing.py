"""Erasing: keys and ciphertexts of somebody destroyed, and the record says so.

First the keys are set aside, so that nothing new is sealed; then the record says `SubjectErased`,
which every append about them meets; then keys and ciphertexts are destroyed, and only then it is
answered. Whatever it was stopped by, it is finished when the record is next opened.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import structlog
from msgspec import json

from domain.erased_subjects import SubjectErased
from domain.vocabulary import tag_hash
from projections.following import borrowed
from service.database import connect, open_pool
from service.sealing.key_store import subject_keys
from service.sealing.subject_keys import KeyState, SubjectKeys
from service.store import Store

log = structlog.get_logger(__name__)

ERASURES = """
select h.study, e.position, e.payload from record.study_head h
join record.event_tag t on t.study = h.study and t.tag = $1
join record.event e on e.study = t.study and e.position = t.position
where e.type = $2 and ($3::text is null or h.study = $3) order by h.study, e.position
"""
ONE_AT_A_TIME = "select pg_advisory_lock(hashtextextended('parcycle erasure ' || $1, 0))"
WORDS_GONE = """
delete from record.sealed_word w using record.sealed_part p
where p.study = $1 and p.subjects && $2::text[]
and w.study = p.study and w.position = p.position and w.path = p.path
"""
PARTS_GONE = "delete from record.sealed_part where study = $1 and subjects && $2::text[]"

Carry = Callable[[int], Awaitable[None]]


class CannotErase(Exception):
    """The service lacks what it needs to erase; nothing was begun. Says what to do."""


class StillHasKey(Exception):
    """Somebody who is erased has a key: a backup of the key store was restored. Says what to do."""


class Erasures:
    """Carries out what erasures on record say."""

    def __init__(self, eraser_url: str | None, keys: SubjectKeys, pool: asyncpg.Pool) -> None:
        self._eraser_url, self._keys, self._pool = eraser_url, keys, pool

    @asynccontextmanager
    async def of(self, study: str, subjects: Sequence[str]) -> AsyncIterator[Carry]:
        """Set these subjects' keys aside while the erasure is decided.

        Gives what carries out the erasure that then stands at a position; the keys of those who
        are not erased are given back. Raises `CannotErase` and `KeysUnusable`.
        """
        async with self._eraser(study) as db:
            for subject in subjects:
                await self._keys.begin_erasure(study, subject)

            async def carry_out(position: int) -> None:
                await self._destroy(db, study, (await self._on_record(study))[study][position])

            try:
                yield carry_out
            finally:
                await self._give_back(study, set(subjects))

    async def finish(self) -> None:
        """Finish what was stopped half-way.

        Raises `StillHasKey`, `CannotErase` and `KeysUnusable`.
        """
        on_record = await self._on_record()
        for study, erasures in on_record.items():
            erased = {subject for subjects in erasures.values() for subject in subjects}
            states = await self._keys.states(study)
            if live := sorted(s for s in erased if states.get(s) is KeyState.LIVE):
                raise StillHasKey(
                    f"{', '.join(live)} of {study} is erased, and yet has a key: a backup of the "
                    "key store was brought back. Run `parcycle erase` to destroy it again; until "
                    "then nothing is served."
                )
            if any(states.get(subject) is not KeyState.ERASED for subject in erased):
                await self.carry_out_again(study)
        for study in {study for study, _ in await self._keys.erasing()}:
            async with self._eraser(study):
                held = {subject for of, subject in await self._keys.erasing() if of == study}
                await self._give_back(study, held)

    async def carry_out_again(self, study: str | None = None) -> int:
        """Destroy whatever is left of those who are erased, in one study or all; gives how many.

        Raises `CannotErase` and `KeysUnusable`.
        """
        count = 0
        for each, erasures in (await self._on_record(study)).items():
            async with self._eraser(each) as db:
                for subjects in erasures.values():
                    await self._destroy(db, each, subjects)
                    count += len(subjects)
        return count

    async def _on_record(self, study: str | None = None) -> dict[str, dict[int, Sequence[str]]]:
        """Who is erased, by the study and the position that says so."""
        args = (tag_hash(f"t:{SubjectErased.TOPIC}"), SubjectErased.TOPIC, study)
        async with borrowed(self._pool) as db:
            rows = await db.fetch(ERASURES, *args)
        found: dict[str, dict[int, Sequence[str]]] = defaultdict(dict)
        for row in rows:
            event = json.decode(row["payload"], type=SubjectErased)
            found[row["study"]][row["position"]] = event.subjects
        return found

    async def _destroy(self, db: asyncpg.Connection, study: str, subjects: Sequence[str]) -> None:
        """Destroy keys and ciphertexts. Done again, it does nothing."""
        for subject in subjects:
            await self._keys.destroy(study, subject)
        async with db.transaction():
            await db.execute(WORDS_GONE, study, subjects)
            await db.execute(PARTS_GONE, study, subjects)
        log.info("erased", study=study, subjects=len(subjects))

    async def _give_back(self, study: str, subjects: set[str]) -> None:
        """The keys of those who were not erased after all."""
        erasures = (await self._on_record(study)).get(study, {})
        for subject in subjects.difference(*erasures.values()):
            await self._keys.take_back(study, subject)

    @asynccontextmanager
    async def _eraser(self, study: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the erasing role, which nobody else has for this study meanwhile."""
        if self._eraser_url is None:
            raise CannotErase(
                "The service may not erase: set PARCYCLE_ERASER_DATABASE_URL to the database as "
                "the role parcycle_eraser, and start it again."
            )
        try:
            db = await connect(self._eraser_url)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
            raise CannotErase(
                "The service cannot log in as the erasing role; see that "
                f"PARCYCLE_ERASER_DATABASE_URL is right ({type(fault).__name__})."
            ) from fault
        try:
            await db.execute(ONE_AT_A_TIME, study)
            yield db
        finally:
            await db.close()


async def erase_again(store: Store) -> int:
    """Destroy whatever is left of all who are erased; gives how many they are.

    Raises `CannotErase` and `KeysUnusable`.
    """
    async with AsyncExitStack() as stack:
        pool = await open_pool(store.service_url, 1)
        stack.push_async_callback(pool.close)
        keys = await stack.enter_async_context(subject_keys(store.settings))
        return await Erasures(store.eraser_url, keys, pool).carry_out_again()
