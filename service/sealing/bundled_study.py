"""A study's evidence bundle out of the database: what is there, as it is there, in one snapshot.

Nothing is mended: an event that is missing, or a ciphertext that does not open any more, goes into
the bundle as it is, for whoever verifies it to be told.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from asyncpg import Connection, Record

from domain.membership import Role
from service.personal_texts import PersonalTexts, opens
from service.sealing.evidence_bundle import OpenPart, Row, SealedPart, evidence_bundle
from service.sealing.merkle_tree import leaf_hash
from service.sealing.sealed_fields import Altered, KeyGone, open_sealed
from service.sealing.signed_notes import Note, signature_lines
from service.sealing.tiles import WIDTH, bundles_of
from service.sealing.tree_on_record import kept_tiles, leaves_between

EARLIER_AT_MOST = 300  # checkpoints: each costs whoever verifies some milliseconds

# The latest checkpoint that all of these witnesses have cosigned.
COSIGNED = """
select c.size, c.note from record.checkpoint c
where c.study = $1 and $2::text[] <@ array(
    select k.witness from record.cosignature k where k.study = c.study and k.size = c.size
)
order by c.size desc limit 1
"""
COSIGNED_BY_ANY = """
select c.size, c.note from record.checkpoint c
where c.study = $1 order by exists (
    select from record.cosignature k where k.study = c.study and k.size = c.size
) desc, c.size desc limit 1
"""
# The first that each witness cosigned on each day, latest first.
EARLIER = """
select c.size, c.note from record.checkpoint c where c.study = $1 and c.size in (
    select min(k.size) from record.cosignature k where k.study = $1 and k.size < $2
    group by k.witness, date_trunc('day', k.cosigned_at at time zone 'UTC')
)
order by c.size desc limit $3
"""
COSIGNATURES = """
select size, line from record.cosignature where study = $1 and size = any ($2)
order by size, witness
"""
EVENTS = """
select position, event_id, leaf, salt, envelope, payload from record.event
where study = $1 and position > $2 and position <= $3 order by position
"""
PARTS = """
select p.position, p.path, p.subjects, p.blob, e.type from record.sealed_part p
join record.event e on e.study = p.study and e.position = p.position
where p.study = $1 and p.position > $2 and p.position <= $3 order by p.position, p.path
"""


class NothingSealed(Exception):
    """There is no checkpoint to make a bundle of."""


def bundle_path(study: str) -> str:
    """Where the service gives the bundle over HTTP: see bundle_routes.py."""
    return f"/parcycle/{study}/bundle"


async def bundle_of_study(
    db: Connection, texts: PersonalTexts, study: str, *, role: Role | None, by: Sequence[str] = ()
) -> AsyncIterator[bytes]:
    """The bundle up to the latest checkpoint that these witnesses cosigned, piece by piece.

    If none are named, it is the latest that anybody cosigned, or the latest at all. Personal
    data that somebody in this role may not read stay encrypted. The caller decides who may have
    it, and puts on record that it was taken. Raises `NothingSealed` before anything is
    given, and `KeysUnusable`.
    """
    async with db.transaction(isolation="repeatable_read", readonly=True):
        row = await (
            db.fetchrow(COSIGNED, study, by) if by else db.fetchrow(COSIGNED_BY_ANY, study)
        )
        if row is None:
            who = f"cosigned by {' and '.join(by)} " if by else ""
            raise NothingSealed(f"There is no checkpoint {who}of a study {study} on record.")
        size = row["size"]
        earlier = await db.fetch(EARLIER, study, size, EARLIER_AT_MOST)
        newest, *others = await _with_cosignatures(db, study, [row, *reversed(earlier)])
        rows = _rows(db, texts, study, size, role)
        async for piece in evidence_bundle(newest, others, rows, _sealed(db, study, size)):
            yield piece


async def _with_cosignatures(db: Connection, study: str, rows: Sequence[Record]) -> list[bytes]:
    """The notes with the lines of their witnesses."""
    lines: dict[int, list[str]] = {row["size"]: [] for row in rows}
    for found in await db.fetch(COSIGNATURES, study, list(lines)):
        lines[found["size"]].append(found["line"])
    notes = []
    for row in rows:
        own = Note.parse(row["note"].encode())
        by = signature_lines("".join(lines[row["size"]])) if lines[row["size"]] else []
        notes.append(str(Note(own.text, (*own.signatures, *by))).encode())
    return notes


async def _sealed(db: Connection, study: str, size: int) -> AsyncIterator[bytes]:
    """The tiles of level 0; the last, while partial, is not kept, and hashed from its leaves."""
    for place in bundles_of(size):
        tiles = await kept_tiles(db, study, [(0, place.number)])
        if not tiles and place.width < WIDTH:
            after = place.number * WIDTH
            leaves = await leaves_between(db, study, after, after + place.width)
            tiles = {(0, place.number): b"".join(map(leaf_hash, leaves))}
        yield tiles.get((0, place.number), b"")


async def _rows(
    db: Connection, texts: PersonalTexts, study: str, size: int, role: Role | None
) -> AsyncIterator[Row]:
    for after in range(0, size, WIDTH):
        through = min(after + WIDTH, size)
        events = await db.fetch(EVENTS, study, after, through)
        sealed = await db.fetch(PARTS, study, after, through)
        ids = {row["position"]: row["event_id"] for row in events}
        found: dict[int, list[OpenPart | SealedPart]] = {position: [] for position in ids}
        may = [opens(role, row["type"], row["path"]) for row in sealed]
        of = {s for row, open_ in zip(sealed, may, strict=True) if open_ for s in row["subjects"]}
        keys = await texts.keys(study, of) if of else {}
        for row, open_ in zip(sealed, may, strict=True):
            if row["position"] in found:
                part = _part(row, ids, keys if open_ else {}, texts.origin(study))
                found[row["position"]].append(part)
        for row in events:
            position, _, leaf, salt, envelope, payload = row
            yield Row(position, leaf, salt, envelope, payload, tuple(found[position]))


def _part(
    row: Record, ids: Mapping[int, UUID], keys: Mapping[str, bytes], origin: str
) -> OpenPart | SealedPart:
    """The part, open if there are keys and it opens."""
    path, subjects, blob = row["path"], row["subjects"], row["blob"]
    if keys:
        try:
            text = open_sealed(
                keys, origin=origin, event_id=ids[row["position"]], path=path, subjects=subjects,
                blob=blob,
            )  # fmt: skip
        except (KeyGone, Altered):
            pass  # an erasure is under way, or somebody changed it: the digest will tell
        else:
            return OpenPart(path, text.salt, text.data)
    return SealedPart(path, blob)
