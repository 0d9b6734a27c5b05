"""The sealer: extends each study's tree over what was committed, and signs its head.

One seals a study at a time, whichever process gets there: an advisory lock that ends with its
transaction. In that transaction are the tiles and the checkpoint, so that a crash leaves the tree
as it was before or as it is after. What is signed is remembered outside the database first; a
crash in between leaves a memory of a head that the record, which has those events, leads to again.

Nothing is signed that does not extend what was signed last and what a witness holds: then the
record was shortened or rewritten, or the database restored from an older backup. The refusal is
logged, and shown at /health/ready, until the record is as it should be.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import asyncpg
import structlog
from asyncpg import Connection, Pool

from domain.vocabulary import tag_hash
from projections.following import borrowed
from service.bell import Bell
from service.sealing.asking_witnesses import Held, Witness, WitnessAway
from service.sealing.checkpoints import Checkpoint
from service.sealing.key_encryption import KeysUnusable
from service.sealing.log_keys import LogKeys, Overtaken, TreeHead
from service.sealing.merkle_tree import leaf_hash, read
from service.sealing.signed_notes import Note, signed
from service.sealing.tiles import WIDTH, HashesInTiles, edge_of, extended
from service.sealing.tree_on_record import (
    TreeDamaged,
    kept_tiles,
    latest,
    leaves_between,
    root_at,
)

log = structlog.get_logger(__name__)

UNKNOWN = b""  # the root of a tree of which a witness told only the size

CADENCE = 1.0  # seconds between two checkpoints of a study
AT_ONCE = 4_096  # events sealed in one transaction at most: some 20 ms of hashing
SEALING = 4  # studies sealed side by side
LOOK_AGAIN = 30.0  # seconds until a study that was refused is looked at again

BEHIND = """
select h.study from record.study_head h
where h.position > coalesce((
    select c.size from record.checkpoint c where c.study = h.study order by c.size desc limit 1
), 0)
"""
TRY_LOCK = "select pg_try_advisory_xact_lock($1)"
HEADS = """
select h.study, h.position, coalesce((
    select c.size from record.checkpoint c where c.study = h.study order by c.size desc limit 1
), 0) as sealed
from record.study_head h
"""
HEAD = "select position from record.study_head where study = $1"
WRITE_TILES = """
insert into record.tile select $1, * from unnest($2::smallint[], $3::bigint[], $4::bytea[])
on conflict (study, level, number) do update set hashes = excluded.hashes
"""
WRITE_CHECKPOINT = "insert into record.checkpoint values ($1, $2, $3, $4, $5)"
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class SealRefused(Exception):
    """The record of a study is not as it was sealed, so its tree is not extended."""


class RecordShortened(SealRefused):
    """Events that were sealed are gone."""


class RecordRewritten(SealRefused):
    """Events that were sealed are others now."""


class WitnessHoldsMore(SealRefused):
    """A witness has cosigned a larger tree of this log than the record makes."""


class WitnessContradicts(SealRefused):
    """A witness holds a head of this log that the record does not lead to."""


class Sealer:
    """Seals the studies of one database."""

    def __init__(
        self,
        pool: Pool,
        bell: Bell,
        keys: LogKeys,
        origin: Callable[[str], str],
        witnesses: Sequence[Witness] = (),
    ) -> None:
        self._pool, self._bell, self._keys = pool, bell, keys
        self._origin, self._witnesses = origin, witnesses
        self._room = asyncio.Semaphore(SEALING)
        self._look_again: dict[str, float] = {}  # when, at studies that were refused
        self._held: dict[tuple[str, str], Held | None] = {}  # by study and witness, when asked
        self._ask_again: dict[str, float] = {}  # when, witnesses that were away
        self._contradicted: dict[str, WitnessContradicts] = {}
        self.refusals: dict[str, SealRefused] = {}  # by study

    async def run(self) -> None:
        """Seal for ever; the absence of the database, or of the keys, is waited out."""
        clock = asyncio.get_running_loop().time
        looked = -LOOK_AGAIN
        with self._bell.listening() as rung:
            while True:
                began = clock()
                try:
                    if began - looked >= LOOK_AGAIN:
                        looked = began
                        await self.look_for_shortened()
                    await self.seal_all()
                except (*AWAY, KeysUnusable) as lost:
                    log.warning("sealer_waits", error=type(lost).__name__, message=str(lost))
                await asyncio.sleep(began + CADENCE - clock())
                await rung()

    async def seal_all(self) -> None:
        """Seal what waits, of every study."""
        now = asyncio.get_running_loop().time()
        async with borrowed(self._pool) as db:
            behind = [row["study"] for row in await db.fetch(BEHIND)]
        due = [study for study in behind if self._look_again.get(study, now) <= now]
        faults = await asyncio.gather(*map(self._seal, due), return_exceptions=True)
        for fault in faults:
            if isinstance(fault, BaseException):
                raise fault

    async def look_for_shortened(self) -> None:
        """Find studies of less than was signed, or cosigned, also where nothing is new."""
        signed_last = await asyncio.to_thread(self._keys.all_last_signed)
        prefix = self._origin("")
        sealed = {
            origin.removeprefix(prefix): head.size
            for origin, head in signed_last.items()
            if origin.startswith(prefix)
        }
        held = [(study, held) for (study, _), held in self._held.items() if held]
        async with borrowed(self._pool) as db:
            rows = await db.fetch(HEADS)
        for study, _, size in rows:
            sealed[study] = max(sealed.get(study, 0), size)
        studies = {*sealed, *(study for study, _ in held)}
        there = dict.fromkeys(studies, 0) | {study: position for study, position, _ in rows}
        short: dict[str, SealRefused] = {
            study: _witnessed(study, each.witness, there[study], each.head.size)
            for study, each in held
            if there[study] < each.head.size
        }
        for study, size in sealed.items():
            if there[study] < size:
                short[study] = _shortened(study, there[study], size)
        for study in studies:
            if study in short:
                self._refuse(study, short[study])
            elif isinstance(self.refusals.get(study), RecordShortened | WitnessHoldsMore):
                self._forgive(study)

    async def witness_holds(self, study: str, witness: str, size: int) -> None:
        """A witness says it has cosigned a tree of that size, larger than what it was shown."""
        last = await asyncio.to_thread(self._keys.last_signed, self._origin(study))
        if size > last.size:  # else another process has shown it a later checkpoint
            self._held[study, witness] = Held(witness, TreeHead(size, UNKNOWN))
            await self.look_for_shortened()

    def witness_contradicts(self, study: str, message: str) -> None:
        """A witness says a checkpoint does not extend what it holds: nothing more is signed.

        Not before this process has been started again, by somebody who has looked into it.
        """
        self._contradicted[study] = WitnessContradicts(f"{study}: {message}")
        self._refuse(study, self._contradicted[study])

    async def _seal(self, study: str) -> None:
        """Seal all that a study has."""
        async with self._room:
            try:
                while sealed := await self._seal_some(study):
                    self._forgive(study)
                    self._bell.ring()
                    if sealed < AT_ONCE:  # what comes meanwhile is for the next checkpoint
                        return
            except SealRefused as refusal:
                self._refuse(study, refusal)
            except TreeDamaged as damaged:
                self._refuse(study, RecordRewritten(str(damaged)))
            except Overtaken:  # by one whose transaction has still to be seen: look again
                return

    async def _seal_some(self, study: str) -> int:
        """Seal what one transaction takes; gives how many events. Raises `SealRefused`."""
        if contradicted := self._contradicted.get(study):
            raise contradicted
        origin = self._origin(study)
        signed_last = await asyncio.to_thread(self._keys.last_signed, origin)
        witnessed = await self._what_witnesses_hold(study)
        async with borrowed(self._pool) as db, db.transaction():
            if not await db.fetchval(TRY_LOCK, tag_hash(f"sealer of {study}")):
                return 0  # another process does
            last = await latest(db, study)
            begun = last.size if last else 0
            there = await db.fetchval(HEAD, study) or 0
            if there < max(signed_last.size, begun):
                raise _shortened(study, there, max(signed_last.size, begun))
            for held in witnessed:
                if there < held.head.size:
                    raise _witnessed(study, held.witness, there, held.head.size)
            floors = [signed_last, *(held.head for held in witnessed)]
            # At least as far as was signed before: nothing smaller is ever signed again.
            through = min(there, max(begun + AT_ONCE, signed_last.size))
            if through == begun:
                return 0
            edge, grown = await _grown(db, study, begun, through)
            hashes = HashesInTiles(edge | grown)
            if last and read([range(begun)], hashes) != [last.root]:
                raise _rewritten(study, begun)
            for floor in floors:
                await _require_extends(db, study, floor, begun, through, hashes)
            (root,) = read([range(through)], hashes)
            text = Checkpoint(origin, through, root).text
            note = Note(text, tuple(signed(text, key) for key in self._keys.signers(origin)))
            await asyncio.to_thread(self._keys.remember, origin, TreeHead(through, root))
            if grown:
                levels, numbers = zip(*grown, strict=True)
                await db.execute(WRITE_TILES, study, levels, numbers, list(grown.values()))
            now = datetime.now(UTC)
            await db.execute(WRITE_CHECKPOINT, study, through, root, str(note), now)
        log.debug("sealed", study=study, through=through)
        return through - begun

    async def _what_witnesses_hold(self, study: str) -> list[Held]:
        """What the witnesses hold of a study, so far as they tell; each is asked once.

        One that is away holds nothing up: it is asked again later, and what was signed meanwhile
        it compares itself.
        """
        now = asyncio.get_running_loop().time()
        origin = self._origin(study)
        for witness in self._witnesses:
            place = study, witness.name
            if place in self._held or self._ask_again.get(witness.name, now) > now:
                continue
            try:
                head = await witness.held(origin, self._keys.verifiers(origin))
            except WitnessAway as away:
                self._ask_again[witness.name] = now + LOOK_AGAIN
                log.warning("witness_away", witness=witness.name, message=str(away))
                continue
            self._held[place] = Held(witness.name, head) if head else None
        return [held for (of, _), held in self._held.items() if of == study and held]

    def _refuse(self, study: str, refusal: SealRefused) -> None:
        self._look_again[study] = asyncio.get_running_loop().time() + LOOK_AGAIN
        known = self.refusals.get(study)
        if type(known) is not type(refusal) or str(known) != str(refusal):
            name = type(refusal).__name__
            log.error("seal_refused", study=study, refusal=name, message=str(refusal))
        self.refusals[study] = refusal

    def _forgive(self, study: str) -> None:
        self._look_again.pop(study, None)
        if self.refusals.pop(study, None):
            log.info("sealed_again", study=study)


async def _grown(
    db: Connection, study: str, begun: int, through: int
) -> tuple[dict[tuple[int, int], bytes], dict[tuple[int, int], bytes]]:
    """The partial tiles of the tree so far, and those that are to be kept of the tree extended.

    The last tile of level 0, while it is partial, is among the first: it is not kept.
    """
    first = begun - begun % WIDTH
    leaves = await leaves_between(db, study, first, through)
    if len(leaves) != through - first:
        raise RecordShortened(f"{study}: of events {first + 1} to {through} some are gone.")
    hashes = [leaf_hash(leaf) for leaf in leaves]
    upper = {place for place in edge_of(begun) if place[0] > 0}
    edge = await kept_tiles(db, study, upper)
    if missing := upper - edge.keys():
        raise TreeDamaged(f"{study}: tiles {sorted(missing)} are gone.")
    edge[0, begun // WIDTH] = b"".join(hashes[: begun - first])
    grown = extended(edge, begun, hashes[begun - first :])
    if through % WIDTH:
        edge[0, through // WIDTH] = grown.pop((0, through // WIDTH))
    return edge, grown


async def _require_extends(
    db: Connection,
    study: str,
    floor: TreeHead,
    begun: int,
    through: int,
    hashes: HashesInTiles,
) -> None:
    """Raises `RecordRewritten` unless the tree has the head that was signed or witnessed before."""
    if not 0 < floor.size <= through or floor.root == UNKNOWN:
        return
    if floor.size < begun:
        root = await root_at(db, study, floor.size)
    else:
        (root,) = read([range(floor.size)], hashes)
    if root != floor.root:
        raise _rewritten(study, floor.size)


def _shortened(study: str, there: int, sealed: int) -> RecordShortened:
    return RecordShortened(
        f"{study} has {there} events, and {sealed} were sealed. Bring back the latest database."
    )


def _rewritten(study: str, size: int) -> RecordRewritten:
    return RecordRewritten(
        f"{study}: its first {size} events are not those that were sealed. A checkpoint over what "
        "stands there now would contradict one that was signed. Bring back the true database."
    )


def _witnessed(study: str, witness: str, there: int, held: int) -> WitnessHoldsMore:
    return WitnessHoldsMore(
        f"{study} has {there} events that were sealed, and {witness} has cosigned {held}. Bring "
        "back the latest database, and the memory of what was signed with it."
    )
