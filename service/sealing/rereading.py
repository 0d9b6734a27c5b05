"""Re-reading: every event that is sealed is read again, and held against what was sealed of it.

The sealer extends a tree at its edge and does not look back, so somebody who has the database could
change an old event. Here each study's record is read from its first event on, a piece at a time:
each leaf is held against the hash it was sealed by, all of these hashes against the root that was
signed last and is remembered outside the database, and what else stands of the event against its
leaf: columns, payload, envelope, tags, ciphertexts; not the command's id and the index of names, of
which no leaf speaks. No key is needed, and nothing is opened.

What does not fit has the name that verify.py gives it (deploy/verifying.md). It is told in the log,
at /health/ready and on the study's pages until a whole pass finds nothing. Sealing goes on:
deploy/decisions.md says why. Where a pass stands is kept in memory; a restart begins anew.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple

import structlog
from asyncpg import Connection, Pool, Record

from domain.erased_subjects import SubjectErased
from domain.vocabulary import tag_hash
from projections.following import borrowed
from service.appends import type_tag
from service.sealing.key_encryption import KeysUnusable
from service.sealing.leaves import PUBLIC, commitment, public_part
from service.sealing.log_keys import LogKeys, TreeHead
from service.sealing.merkle_tree import RightEdge, leaf_hash
from service.sealing.sealer import AWAY
from service.sealing.tiles import WIDTH, split
from service.sealing.tree_on_record import kept_tiles

log = structlog.get_logger(__name__)

PACE = 1.0  # seconds from one piece, 256 events of a study, to the next
SHARE = 0.05  # of the time, that is spent at it at most: a slow database is asked less often
SHOWN = 20  # faults of a study that are kept and told: the first

GONE = leaf_hash(b"")  # stands for an event that is not there and whose sealed hash is not either

# `told` is what the leaf's lines from the third to the last tag should be, one string: nothing that
# an administrator puts into a column can fail to be read, and so hide what comes after it.
EVENTS = """
select e.position, e.event_id, e.type, e.envelope, e.payload, e.salt, e.leaf,
    array_to_string(e.sealed, ' ') as sealed,
    concat_ws(
        E'\n', e.event_id, e.type || '/' || e.schema,
        to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        e.actor, (
            select string_agg('tag ' || tag, E'\n' order by tag collate "C")
            from (select distinct unnest(e.tags) as tag) t
        ), ''
    ) as told
from record.event e where e.study = $1 and e.position > $2 and e.position <= $3
order by e.position
"""
PARTS = """
select position, path, array_to_string(subjects, ',') as subjects, sha256(blob) as digest
from record.sealed_part where study = $1 and position > $2 and position <= $3
"""
CHECKPOINTS = """
select size, root from record.checkpoint where study = $1 and size > $2 and size <= $3
"""
ERASURES = """
select position, leaf from record.event
where study = $1 and type = $2 and position = any (array(
    select t.position from record.event_tag t where t.hash = record.hash_in($1, $3)
))
"""
# A subquery, not `not exists`: it is looked up in the index, whatever the planner thinks.
UNTAGGED = """
select distinct asked.position from unnest($2::bigint[], $3::bigint[]) as asked (hash, position)
where (
    select true from record.event_tag t
    where t.hash = asked.hash # (select record.hash_in($1, 0)) and t.position = asked.position
    and t.study = $1
) is null
"""

ENC = re.compile(r"^enc (\S+) (\S+) [0-9]+ ([0-9a-f]{64}) [0-9a-f]{64}$", re.MULTILINE)
ERASE = re.compile(r"^erase (\S+)$", re.MULTILINE)
TAG = re.compile(r"^tag (\S+)$", re.MULTILINE)


class Fault(NamedTuple):
    """What is not as it was sealed. Nothing personal is in it."""

    fault: str  # by the name that verify.py has for it
    study: str
    position: int  # 0: it could not be read so far
    type: str  # of the event, as it stands there now; empty if there is none, as is its id
    event_id: str
    message: str


class Piece(NamedTuple):
    """How far a pass has come, and what it found in the last step."""

    through: int
    faults: list[Fault]


class Part(NamedTuple):
    """Of a sealed part: whose it is said to be, and the digest of what is there."""

    subjects: str
    digest: bytes


class Rereading:
    """Re-reads every study that was signed here, one after the other and for ever."""

    def __init__(self, pool: Pool, keys: LogKeys, origin: Callable[[str], str]) -> None:
        self._pool, self._keys, self._origin = pool, keys, origin
        self.faults: dict[str, list[Fault]] = {}  # by study

    async def run(self) -> None:
        """Re-read slowly; the absence of the database, or of the keys, is waited out."""
        while True:
            try:
                heads = await asyncio.to_thread(self._keys.all_last_signed)
            except KeysUnusable as lost:
                log.warning("rereading_waits", message=str(lost))
                heads = {}
            prefix = self._origin("")
            for origin in sorted(heads):
                if origin.startswith(prefix):
                    await self._pass_if_possible(origin.removeprefix(prefix), heads[origin])
            await asyncio.sleep(PACE)

    async def _pass_if_possible(self, study: str, head: TreeHead) -> None:
        try:
            await self.pass_over(study, head, PACE)
        except AWAY as lost:
            log.warning("rereading_waits", study=study, error=type(lost).__name__)
        except Exception as error:  # whatever stands there, the other studies are still read
            what = f"What stands there is not what a record holds ({type(error).__name__})."
            fault, before = Fault("FORMAT", study, 0, "", "", what), self.faults.get(study, [])
            if fault not in before:
                log.error("not_as_sealed", **fault._asdict())
                self.faults[study] = [fault, *before]
        else:
            return
        await asyncio.sleep(PACE)

    async def pass_over(self, study: str, head: TreeHead, pace: float = 0.0) -> None:
        """Re-read a study up to what was signed, a piece each `pace` seconds."""
        clock = asyncio.get_running_loop().time
        before, found = self.faults.get(study, []), list[Fault]()
        began = clock()
        async for piece in reread(self._pool, study, head):
            for fault in piece.faults[: SHOWN - len(found)]:
                found.append(fault)
                if fault not in before:
                    log.error("not_as_sealed", **fault._asdict())
            if found:  # and what the pass before found, until this one has ended
                self.faults[study] = [*found, *(fault for fault in before if fault not in found)]
            if pace:
                took = clock() - began
                await asyncio.sleep(max(pace - took, took / SHARE - took))
            began = clock()
        if found:
            self.faults[study] = found
        elif self.faults.pop(study, None):
            log.info("as_sealed_again", study=study)


async def reread(pool: Pool, study: str, head: TreeHead) -> AsyncIterator[Piece]:
    """Re-read a study's events up to a head that was signed; what is found, piece by piece."""
    edge = RightEdge()
    good, bad = 0, head.size  # between them is what the hashes alone cannot tell apart
    for after in range(0, head.size, WIDTH):
        through = min(after + WIDTH, head.size)
        async with borrowed(pool) as db:
            faults, hashes = await _read(db, study, after, through)
            checkpoints = await db.fetch(CHECKPOINTS, study, after, through)
        roots = {row["size"]: row["root"] for row in checkpoints}
        for size, hash_ in enumerate(hashes, after + 1):
            edge.append(hash_)
            if size in roots and edge.root() == roots[size]:
                good, bad = size, head.size
            elif size in roots:
                bad = min(bad, size)
        if through == head.size and edge.root() != head.root:
            first = good + 1 if good < bad else 1  # else even checkpoints were made to fit
            says = f"Among events {first:,} to {bad:,} are some that are not as they were sealed."
            faults.append(Fault("ROOT", study, first, "", "", says))
        yield Piece(through, faults)


async def _read(
    db: Connection, study: str, after: int, through: int
) -> tuple[list[Fault], list[bytes]]:
    """What does not fit in a piece, and the hashes by which its events were sealed.

    Where these are not kept, as of the last tile while it is partial, they are the leaves' own.
    """
    rows = {row["position"]: row for row in await db.fetch(EVENTS, study, after, through)}
    parts: dict[int, dict[str, Part]] = {}
    for found in await db.fetch(PARTS, study, after, through):
        part = Part(found["subjects"], found["digest"])
        parts.setdefault(found["position"], {})[found["path"]] = part
    place = 0, after // WIDTH
    sealed = split((await kept_tiles(db, study, [place])).get(place, b""))
    faults: list[Fault] = []
    hashes: list[bytes] = []
    absent: list[tuple[Record, str, str]] = []
    tags: list[int] = []
    tagged: list[int] = []
    for n, position in enumerate(range(after + 1, through + 1)):
        row = rows.get(position)
        own = GONE if row is None else leaf_hash(row["leaf"])
        hashes.append(sealed[n] if n < len(sealed) else own)
        if row is None:
            says = f"Event {position:,}: what was sealed here is gone."
            faults.append(Fault("DELETED", study, position, "", "", says))
        elif own != hashes[-1]:
            faults.append(_fault("EDITED", study, row, "this is not what was sealed here"))
        else:
            leaf = row["leaf"].decode("ascii", "replace")
            here = parts.pop(position, {})
            faults += [_fault(name, study, row, what) for name, what in _unfit(row, leaf, here)]
            absent += [(row, path, of) for path, of, _ in ENC.findall(leaf) if path not in here]
            of_event = {type_tag(row["type"]), *TAG.findall(leaf)}
            tags += map(tag_hash, of_event)
            tagged += [position] * len(of_event)
    for found in await db.fetch(UNTAGGED, study, tags, tagged):
        what = "it is not among the events that its type and tags lead to"
        faults.append(_fault("CONTENT", study, rows[found["position"]], what))
    if absent:  # asked after the parts: what was erased meanwhile is on record by now
        erased = await _erasures(db, study)
        for row, path, subjects in absent:
            if all(erased.get(each, 0) <= row["position"] for each in subjects.split(",")):
                what = f"its part {path} is gone, and no erasure accounts for it"
                faults.append(_fault("WITHHELD", study, row, what))
    return sorted(faults, key=lambda fault: fault.position), hashes


def _unfit(row: Record, leaf: str, parts: Mapping[str, Part]) -> list[tuple[str, str]]:
    """What stands of an event that does not fit its leaf, each by its name."""
    _, _, lines = (*leaf.split("\n", 2), "", "")[:3]
    public = public_part(row["envelope"], row["payload"])
    pub = f"{PUBLIC} {commitment(row['salt'], row['event_id'], PUBLIC, public).hex()}\n"
    said = {path: (subjects, digest) for path, subjects, digest in ENC.findall(leaf)}
    found = []
    if not lines.startswith(f"{row['told']}{PUBLIC} "):
        what = "who did what, when, or about whom is not what was recorded"
        found.append(("CONTENT", what))
    if f"\n{pub}" not in leaf:
        found.append(("CONTENT", "its payload or envelope is not what was recorded"))
    if sorted((row["sealed"] or "").split()) != sorted(said):
        found.append(("CONTENT", "it names other sealed parts than were recorded"))
    for path, part in sorted(parts.items()):
        if path not in said:
            found.append(("EXTRA", f"a part {path} was put in"))
        elif (part.subjects, part.digest.hex()) != said[path]:
            found.append(("CONTENT", f"its sealed part {path} is not what was recorded"))
    return found


async def _erasures(db: Connection, study: str) -> dict[str, int]:
    """Who is erased, and where the record says so last."""
    type_ = SubjectErased.TOPIC
    rows = await db.fetch(ERASURES, study, type_, tag_hash(type_tag(type_)))
    return {
        subject: row["position"]
        for row in sorted(rows, key=lambda row: row["position"])
        for subject in ERASE.findall(row["leaf"].decode("ascii", "replace"))
    }


def _fault(name: str, study: str, row: Record, what: str) -> Fault:
    position, type_, event_id = row["position"], row["type"], str(row["event_id"])
    says = f"Event {position:,}, {type_} {event_id}: {what}."
    return Fault(name, study, position, type_, event_id, says)
