"""Cosignatures: each witness is shown each study's latest checkpoint, and what it says is kept.

Only the latest matters: a witness that was away is asked about that one when it is back. Several
processes may ask; the witness answers each, and one answer is kept.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from asyncpg import Pool

from projections.following import borrowed
from service.bell import Bell
from service.sealing.asking_witnesses import (
    HoldsAnotherSize,
    HoldsAnotherTree,
    NotCosigned,
    Witness,
    WitnessAway,
)
from service.sealing.sealer import AWAY, CADENCE, Sealer
from service.sealing.signed_notes import Note, Signed
from service.sealing.tree_on_record import TreeDamaged, consistency

log = structlog.get_logger(__name__)

PAUSE_AT_MOST = 60.0  # seconds until a witness that is away, or that refused, is asked again
TRIES = 3  # a witness may be asked by another process between its answer and ours

# What is in the midst of a backlog is not shown: to a witness, what is sealed after it would look
# as if it had been recorded after it too, and so back-dated.
NOT_COSIGNED = """
select h.study, c.size, c.note, coalesce(k.size, 0) as held
from record.study_head h
cross join lateral (
    select size, note from record.checkpoint where study = h.study order by size desc limit 1
) c
left join lateral (
    select size from record.cosignature
    where study = h.study and witness = $1 order by size desc limit 1
) k on true
where c.size > coalesce(k.size, 0) and not exists (
    select from record.event e
    where e.study = h.study and e.position = c.size + 1
    and e.recorded_at < now() - interval '1 minute'
)
"""
KEEP = "insert into record.cosignature values ($1, $2, $3, $4, $5) on conflict do nothing"


class Cosignatures:
    """Collects the cosignatures of every witness."""

    def __init__(
        self,
        pool: Pool,
        bell: Bell,
        sealer: Sealer,
        origin: Callable[[str], str],
        witnesses: Sequence[Witness],
    ) -> None:
        self._pool, self._bell, self._sealer = pool, bell, sealer
        self._origin, self._witnesses = origin, witnesses
        self._ask_again: dict[tuple[str, str], float] = {}  # by witness and study

    async def run(self) -> None:
        """Ask for ever, each witness by itself."""
        await asyncio.gather(*map(self._follow, self._witnesses))

    async def _follow(self, witness: Witness) -> None:
        pause = CADENCE
        with self._bell.listening() as rung:
            while True:
                try:
                    await self.ask_about_all(witness)
                    pause = CADENCE
                except WitnessAway as away:
                    if pause == CADENCE:
                        log.warning("witness_away", witness=witness.name, message=str(away))
                    pause = min(2 * pause, PAUSE_AT_MOST)
                except AWAY as lost:
                    log.warning("cosigning_waits", error=type(lost).__name__)
                await asyncio.sleep(pause)
                await rung()

    async def ask_about_all(self, witness: Witness) -> None:
        """Show a witness each study's latest checkpoint, if that is new. Raises `WitnessAway`."""
        async with borrowed(self._pool) as db:
            waiting = await db.fetch(NOT_COSIGNED, witness.name)
        now = asyncio.get_running_loop().time()
        for study, size, note, held in waiting:
            if self._ask_again.get((witness.name, study), now) > now:
                continue
            try:
                by = await self._ask(witness, study, size, Note.parse(note.encode()), held)
            except (NotCosigned, TreeDamaged) as fault:
                self._ask_again[witness.name, study] = now + PAUSE_AT_MOST
                log.warning("not_cosigned", study=study, witness=witness.name, message=str(fault))
                continue
            if by is None:
                continue
            assert by.at is not None  # noqa: S101  a witness's signature has a time
            at = datetime.fromtimestamp(by.at, UTC)
            async with borrowed(self._pool) as db:
                await db.execute(KEEP, study, witness.name, size, str(by.line), at)
            self._bell.ring()

    async def _ask(
        self, witness: Witness, study: str, size: int, note: Note, held: int
    ) -> Signed | None:
        """The cosignature; None if there is a later checkpoint, or a contradiction was told."""
        for _ in range(TRIES):
            async with borrowed(self._pool) as db:
                proof = await consistency(db, study, held, size)
            try:
                return await witness.add(note, held, proof, size)
            except HoldsAnotherSize as holds:
                if holds.size > size:
                    await self._sealer.witness_holds(study, witness.name, holds.size)
                    return None
                held = holds.size
            except HoldsAnotherTree as contradiction:
                self._sealer.witness_contradicts(study, str(contradiction))
                return None
        return None
