"""What the administrator of a database may do to a record that others are to believe.

Each attack does its work as well as it can be done: events, tags, sealed parts and leaves fit one
another, where it is not the very attack that they do not. It gives the positions whose leaves it
left as they were; who has the log's key as well makes these anew too, with `make_leaves_fit`.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from domain.vocabulary import tag_hash
from service.demo_study import STUDY
from service.sealing.leaves import PUBLIC, commitment, in_leaf, public_part

EVENT, TAGS, PARTS = "record.event", "record.event_tag", "record.sealed_part"
TABLES = (EVENT, TAGS, PARTS, "record.sealed_word")
BEFORE_ACCEPTED = 280  # an event between the backup and what the committee accepted last

Touched = Sequence[int]


async def edited(db: asyncpg.Connection) -> Touched:
    """Somebody withdrew everything; now it says the photographs alone."""
    return await _narrowed(db, await _withdrawn(db))


async def edited_since(db: asyncpg.Connection) -> Touched:
    """The same of a withdrawal after the checkpoint that the committee accepted last."""
    return await _narrowed(db, await _event(db, "ConsentWithdrawn", "P-26"))


async def edited_leaf_left(db: asyncpg.Connection) -> Touched:
    """What the service reads is changed, and what was sealed of it is left."""
    position = await _withdrawn(db)
    await db.execute(
        f"update {EVENT} set payload = $1 where position = $2",
        b'{"participant":"P-17","permissions":["photo"]}', position,
    )  # fmt: skip
    return [position]


async def deleted(db: asyncpg.Connection) -> Touched:
    """The withdrawal is gone, and its place empty."""
    position = await _withdrawn(db)
    for table in TABLES:
        await db.execute(f"delete from {table} where position = $1", position)
    return []


async def deleted_closed(db: asyncpg.Connection) -> Touched:
    """The withdrawal is gone, and every later event has moved up by one."""
    position = await _withdrawn(db)
    await deleted(db)
    for table in TABLES:
        await db.execute(f"update {table} set position = -position where position > $1", position)
        await db.execute(f"update {table} set position = -position - 1 where position < 0")
    await db.execute("update record.study_head set position = position - 1")
    return []


async def reordered(db: asyncpg.Connection) -> Touched:
    """The withdrawal comes after what followed it, recorded in the same moment."""
    first = await _withdrawn(db)
    for table in TABLES:
        await db.execute(
            f"update {table} set position = -position where position = any ($1)", [first, first + 1]
        )
        await db.execute(
            f"update {table} set position = $1 + position where position < 0", 2 * first + 1
        )
    return []


async def truncated(db: asyncpg.Connection) -> Touched:
    """The record ends before what the committee accepted last, and so do its checkpoints."""
    await _cut(db, BEFORE_ACCEPTED)
    return []


async def truncated_since(db: asyncpg.Connection) -> Touched:
    """It ends after what the committee accepted last."""
    await _cut(db, await _end(db) - 4)
    return []


async def truncated_partly(db: asyncpg.Connection) -> Touched:
    """Its checkpoints are left."""
    end = await _end(db) - 4
    for table in TABLES:
        await db.execute(f"delete from {table} where position > $1", end)
    await db.execute("update record.study_head set position = $1", end)
    return []


async def restored(db: asyncpg.Connection) -> Touched:
    """The backup was put back, and nothing changed in it."""
    return []


async def forked(db: asyncpg.Connection) -> Touched:
    """The study went on from the backup, to a longer record than there was: a fork."""
    return []


async def seal_destroyed(db: asyncpg.Connection) -> Touched:
    """Checkpoints, cosignatures and tiles are gone, and no event."""
    await unseal(db)
    return []


async def note_altered(db: asyncpg.Connection) -> Touched:
    """The newest checkpoint says one event less, and its signatures are left."""
    end = await _end(db)
    await db.execute(
        "update record.checkpoint set note = replace(note, $1, $2) where size = $3",
        f"\n{end}\n", f"\n{end - 1}\n", end,
    )  # fmt: skip
    return []


async def backdated(db: asyncpg.Connection) -> Touched:
    """The withdrawal says it was recorded an hour earlier."""
    position = await _withdrawn(db)
    at = await db.fetchval(
        f"update {EVENT} set recorded_at = recorded_at - interval '1 hour' where position = $1"
        " returning recorded_at",
        position,
    )
    await _rewrite(db, position, {4: in_leaf(at)})
    return []


async def put_in_backdated(db: asyncpg.Connection) -> Touched:
    """A consent is put in at the end that says it was recorded an hour ago."""
    await make_leaves_fit(db, await _put_in(db, uuid4(), back=timedelta(hours=1)))
    return []


async def put_in(db: asyncpg.Connection) -> Touched:
    """A consent that nobody gave is put in at the end, and all of it fits."""
    await make_leaves_fit(db, await _put_in(db, uuid4()))
    return []


async def replayed(db: asyncpg.Connection) -> Touched:
    """A consent of earlier is put in once more at the end, byte for byte."""
    await _put_in(db)
    return []


async def replayed_anew(db: asyncpg.Connection) -> Touched:
    """With an id and a time of its own; what the leaf commits to is as it was."""
    return await _put_in(db, uuid4())


async def swapped(db: asyncpg.Connection) -> Touched:
    """Two ciphertexts have changed their places."""
    one, other = await _two_parts(db)
    for place, blob in ((one, other["blob"]), (other, one["blob"])):
        await _set_blob(db, place, blob)
    return [one["position"], other["position"]]


async def moved(db: asyncpg.Connection) -> Touched:
    """The ciphertext of one event was copied to another."""
    one, other = await _two_parts(db)
    await _set_blob(db, other, one["blob"])
    return [other["position"]]


async def altered(db: asyncpg.Connection) -> Touched:
    """A bit of a ciphertext is another."""
    one, _ = await _two_parts(db)
    blob = bytearray(one["blob"])
    blob[40] ^= 1
    await _set_blob(db, one, bytes(blob))
    return [one["position"]]


async def withheld(db: asyncpg.Connection) -> Touched:
    """A ciphertext is gone, and nobody was erased."""
    one, _ = await _two_parts(db)
    await db.execute(f"delete from {PARTS} where position = $1", one["position"])
    return [one["position"]]


async def erased_unasked(db: asyncpg.Connection) -> Touched:
    """Everything sealed about somebody is gone, and an erasure put in that nobody asked for."""
    (end,) = await _put_in(db, uuid4())
    await db.execute(
        f"update {EVENT} set type = 'SubjectErased', schema = 1, payload = $1 where position = $2",
        b'{"ground":"consent_withdrawn","participant":"P-17"}', end,
    )  # fmt: skip
    leaf = await db.fetchval(f"select leaf from {EVENT} where position = $1", end)
    await _set_leaf(db, end, [*leaf.decode().split("\n")[:-1], "erase participant:P-17", ""])
    await _rewrite(db, end, {3: "SubjectErased/1"})
    await make_leaves_fit(db, [end])
    await db.execute(
        f"insert into {TAGS} values ($1, record.hash_in($1, $2), $3)",
        STUDY, tag_hash("t:SubjectErased"), end,
    )  # fmt: skip
    await db.execute(f"delete from {PARTS} where 'participant:P-17' = any (subjects)")
    return []


async def unerased(db: asyncpg.Connection) -> Touched:
    """A ciphertext about somebody who was erased is put back, from a copy."""
    await db.execute(
        f"insert into {PARTS} select * from public.copied"
        " where 'participant:P-30' = any (subjects) limit 1"
    )
    return []


async def changed_unsealed(db: asyncpg.Connection) -> Touched:
    """The newest event, which is not sealed yet, is another."""
    end = await _end(db)
    await db.execute(f"update {EVENT} set payload = $1 where position = $2", b'{"another":1}', end)
    await make_leaves_fit(db, [end])
    return []


async def dropped_unsealed(db: asyncpg.Connection) -> Touched:
    """It is gone."""
    await _cut(db, await _end(db) - 1)
    return []


async def unseal(db: asyncpg.Connection) -> None:
    for table in ("cosignature", "checkpoint", "tile"):
        await db.execute(f"delete from record.{table}")


async def make_leaves_fit(db: asyncpg.Connection, positions: Iterable[int]) -> None:
    """Make the leaves of these events commit to what now stands in the database."""
    for position in positions:
        (row,) = await db.fetch(f"select * from {EVENT} where position = $1", position)
        parts = {
            part["path"]: hashlib.sha256(part["blob"]).hexdigest()
            for part in await db.fetch(f"select * from {PARTS} where position = $1", position)
        }
        public = public_part(row["envelope"], row["payload"])
        committed = commitment(row["salt"], row["event_id"], PUBLIC, public).hex()
        lines = []
        for line in row["leaf"].decode().split("\n"):
            word, *said = line.split(" ")
            if word == "pub":
                lines.append(f"pub {committed}")
            elif word == "enc" and said[0] in parts:
                path, subjects, version, _, inside = said
                lines.append(f"enc {path} {subjects} {version} {parts[path]} {inside}")
            elif word != "enc":
                lines.append(line)
        await _set_leaf(db, position, lines)


async def _narrowed(db: asyncpg.Connection, position: int) -> Touched:
    payload = await db.fetchval(f"select payload from {EVENT} where position = $1", position)
    said = json.loads(payload) | {"permissions": ["photo"]}
    await db.execute(
        f"update {EVENT} set payload = $1 where position = $2",
        json.dumps(said, separators=(",", ":")).encode(), position,
    )  # fmt: skip
    await make_leaves_fit(db, [position])
    return []


async def _cut(db: asyncpg.Connection, end: int) -> None:
    for table in TABLES:
        await db.execute(f"delete from {table} where position > $1", end)
    for table in ("checkpoint", "cosignature"):
        await db.execute(f"delete from record.{table} where size > $1", end)
    await db.execute("update record.study_head set position = $1", end)


async def _put_in(
    db: asyncpg.Connection, event_id: UUID | None = None, back: timedelta = timedelta()
) -> Touched:
    """Copy P-01's consent with its tags and parts to the end; as a new event if given an id."""
    source, end = await _event(db, "ConsentGiven", "P-01"), await _end(db) + 1
    at: datetime = await db.fetchval("select recorded_at from record.study_head")
    (row,) = await db.fetch(f"select * from {EVENT} where position = $1", source)
    as_new = {"event_id": event_id, "recorded_at": at - back} if event_id else {}
    values = dict(row) | {"position": end, "command_id": None, "command_digest": None} | as_new
    numbered = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.execute(f"insert into {EVENT} values ({numbered})", *values.values())
    await db.execute(f"insert into {TAGS} select study, hash, $1 from {TAGS} where position = $2",
                     end, source)  # fmt: skip
    await db.execute(
        f"insert into {PARTS} select study, $1, path, subjects, blob from {PARTS}"
        " where position = $2",
        end, source,
    )  # fmt: skip
    await db.execute("update record.study_head set position = $1", end)
    if event_id:
        await _rewrite(db, end, {2: str(event_id), 4: in_leaf(at - back)})
    return [end]


async def _withdrawn(db: asyncpg.Connection) -> int:
    """The withdrawal that this is about: it was sealed long ago."""
    return await _event(db, "ConsentWithdrawn", "P-17")


async def _event(db: asyncpg.Connection, type_: str, participant: str) -> int:
    """The position of the first event of a type about somebody."""
    position: int = await db.fetchval(
        f"select min(position) from {EVENT} where type = $1 and $2 = any (tags)",
        type_, f"participant:{participant}",
    )  # fmt: skip
    return position


async def _end(db: asyncpg.Connection) -> int:
    """How many events there are."""
    end: int = await db.fetchval("select position from record.study_head")
    return end


async def _rewrite(db: asyncpg.Connection, position: int, lines: dict[int, str]) -> None:
    """Put other lines into a leaf: 2 is its id, 3 its type, 4 when it was recorded."""
    leaf = await db.fetchval(f"select leaf from {EVENT} where position = $1", position)
    old = leaf.decode().split("\n")
    await _set_leaf(db, position, [lines.get(n, line) for n, line in enumerate(old)])


async def _set_leaf(db: asyncpg.Connection, position: int, lines: Sequence[str]) -> None:
    leaf = "\n".join(lines).encode()
    await db.execute(f"update {EVENT} set leaf = $1 where position = $2", leaf, position)


async def _two_parts(db: asyncpg.Connection) -> list[asyncpg.Record]:
    """Two sealed parts of as many reflections."""
    return await db.fetch(
        f"select p.* from {PARTS} p join {EVENT} e using (study, position)"
        " where e.type = 'ReflectionRecorded' and p.study = $1 order by position limit 2",
        STUDY,
    )


async def _set_blob(db: asyncpg.Connection, part: asyncpg.Record, blob: bytes) -> None:
    await db.execute(f"update {PARTS} set blob = $1 where position = $2 and path = $3", blob,
                     part["position"], part["path"])  # fmt: skip
