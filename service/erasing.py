"""Erasing: keys and ciphertexts of somebody destroyed, and the record says so.

First the keys are set aside, so that nothing new is sealed; then the record says `SubjectErased`,
which every append about them meets; then ciphertexts and keys are destroyed, and only then it is
answered. Whatever it was stopped by, it is finished when the record is next opened, or when
somebody next asks for a key that is set aside.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
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
join record.event_tag t on t.hash = record.hash_in(h.study, $1)
join record.event e on e.study = h.study and e.position = t.position
where e.type = $2 and ($3::text is null or h.study = $3) order by h.study, e.position
"""
HEAD_LOCKED = "select from record.study_head where study = $1 for update"
ONE_AT_A_TIME = "select pg_advisory_lock(hashtextextended('parcycle erasure ' || $1, 0))"
WORDS_GONE = """
delete from record.sealed_word w using record.sealed_part p
where p.study = $1 and p.subjects && $2::text[]
and w.study = p.study and w.position = p.position and w.path = p.path
"""
PARTS_GONE = "delete from record.sealed_part where study = $1 and subjects && $2::text[]"


class CannotErase(Exception):
    """The service lacks what it needs to erase; nothing was begun. Says what to do."""


class StillHasKey(Exception):
    """Somebody who is erased has a key: a backup of the key store was restored. Says what to do."""


class Erasures:
    """Carries out what erasures on record say."""

    def __init__(self, eraser_url: str | None, keys: SubjectKeys, pool: asyncpg.Pool) -> None:
        self._eraser_url, self._keys, self._pool = eraser_url, keys, pool

    @asynccontextmanager
    async def of(self, study: str, subjects: Sequence[str]) -> AsyncIterator[None]:
        """Set these subjects' keys aside while their erasure is decided.

        Afterwards everybody whom the record says to be erased is, and the others have their keys
        back; where that could not be done, the keys stay aside until it can be: see `settle`.
        Raises `CannotErase` and `KeysUnusable`.
        """
        async with self._eraser(study) as db:
            await self._settle(db, study)  # what somebody else left half-way
            for subject in subjects:
                await self._keys.begin_erasure(study, subject)
            try:
                yield
            finally:
                await self._settle(db, study)

    async def finish(self) -> None:
        """Finish what was stopped half-way, in every study.

        Raises `StillHasKey`, `CannotErase` and `KeysUnusable`.
        """
        studies = {study for study, _ in await self._keys.erasing()}
        for study, erasures in (await self._on_record()).items():
            states = await self._keys.states(study)
            if brought_back := _brought_back(erasures, states):
                raise StillHasKey(
                    f"{', '.join(brought_back)} of {study} is erased, and yet has a key: a backup "
                    "of the key store was brought back. Run `parcycle erase` to destroy it again; "
                    "until then nothing is served."
                )
            studies.add(study)
        for study in sorted(studies):
            await self.settle(study)

    async def settle(self, study: str) -> None:
        """Wait for the erasure that is under way in a study, or finish one that was left half-way.

        Raises `CannotErase` and `KeysUnusable`.
        """
        erasures = (await self._on_record(study))[study]
        if _is_left(erasures, await self._keys.states(study)):
            async with self._eraser(study) as db:
                await self._settle(db, study)

    async def carry_out_again(self, study: str | None = None) -> int:
        """Destroy whatever is left of those who are erased, in one study or all; gives how many.

        Raises `CannotErase` and `KeysUnusable`.
        """
        count = 0
        for each, erasures in (await self._on_record(study)).items():
            async with self._eraser(each) as db:
                for subjects in erasures:
                    await self._destroy(db, each, subjects)
                    count += len(subjects)
        return count

    async def _settle(self, db: asyncpg.Connection, study: str) -> None:
        states = await self._keys.states(study)
        erasures = (await self._on_record(study, nothing_under_way=True))[study]
        for subjects in erasures:
            if any(states.get(each) is not KeyState.ERASED for each in subjects):
                await self._destroy(db, study, subjects)
        erasing = {subject for subject, state in states.items() if state is KeyState.ERASING}
        for subject in sorted(erasing.difference(*erasures)):
            await self._keys.take_back(study, subject)

    async def _on_record(
        self, study: str | None = None, *, nothing_under_way: bool = False
    ) -> dict[str, list[Sequence[str]]]:
        """Who is erased, by the study, each with their accounts."""
        async with borrowed(self._pool) as db, db.transaction():
            if nothing_under_way:  # an append whose caller gave up might still be recorded
                await db.execute(HEAD_LOCKED, study)
            tag = tag_hash(f"t:{SubjectErased.TOPIC}")
            rows = await db.fetch(ERASURES, tag, SubjectErased.TOPIC, study)
        found: dict[str, list[Sequence[str]]] = defaultdict(list)
        for row in rows:
            found[row["study"]].append(json.decode(row["payload"], type=SubjectErased).subjects)
        return found

    async def _destroy(self, db: asyncpg.Connection, study: str, subjects: Sequence[str]) -> None:
        """Destroy ciphertexts and keys. Done again, it does nothing.

        Each step leaves what tells that the next is still to be done: as long as a ciphertext may
        be left, one of the keys is set aside; and none is destroyed before all are.
        """
        for subject in subjects:
            await self._keys.begin_erasure(study, subject)
        async with db.transaction():
            await db.execute(WORDS_GONE, study, subjects)
            await db.execute(PARTS_GONE, study, subjects)
        for subject in subjects:
            await self._keys.destroy(study, subject)
        log.info("erased", study=study, subjects=len(subjects))

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


def _is_left(erasures: Sequence[Sequence[str]], states: Mapping[str, KeyState]) -> bool:
    """Whether an erasure is under way or was left half-way."""
    gone = (states.get(subject) is KeyState.ERASED for each in erasures for subject in each)
    return KeyState.ERASING in states.values() or not all(gone)


def _brought_back(erasures: Sequence[Sequence[str]], states: Mapping[str, KeyState]) -> list[str]:
    """Who has a key though they are erased; not who is just being erased, with their accounts."""
    return [
        subject
        for subjects in erasures
        if KeyState.ERASING not in [states.get(subject) for subject in subjects]
        for subject in subjects
        if states.get(subject) is KeyState.LIVE
    ]


async def erase_again(store: Store) -> int:
    """Destroy whatever is left of all who are erased; gives how many they are.

    Raises `CannotErase` and `KeysUnusable`.
    """
    async with AsyncExitStack() as stack:
        pool = await open_pool(store.service_url, 1)
        stack.push_async_callback(pool.close)
        keys = await stack.enter_async_context(subject_keys(store.settings))
        return await Erasures(store.eraser_url, keys, pool).carry_out_again()
