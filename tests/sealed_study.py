"""A sealed study in memory: its leaves, parts, tiles and cosigned checkpoints, all of them real."""

import asyncio
import copy
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.sealing import verify
from service.sealing.checkpoints import Checkpoint
from service.sealing.evidence_bundle import (
    DIGEST_BYTES,
    MARK,
    OpenPart,
    Row,
    SealedPart,
    evidence_bundle,
)
from service.sealing.leaves import (
    SealedField,
    commitment,
    leaf,
    leaf_around_time,
    public_part,
)
from service.sealing.merkle_tree import leaf_hash, root_of
from service.sealing.sealed_fields import open_sealed, seal
from service.sealing.signed_notes import KeyKind, Note, SigningKey, signed

T = TypeVar("T")

ORIGIN = "record.example.org/parcycle/maize"
BEGAN = datetime(2026, 9, 21, 14, tzinfo=UTC)
LOG = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
WITNESS = SigningKey(
    "ethics.example.org/witness", KeyKind.WITNESS, Ed25519PrivateKey.from_private_bytes(b"\2" * 32)
)
TRUSTED = f"log {LOG.verifier}\nwitness ethics {WITNESS.verifier} https://ethics.example.org/\n"
POLICY = f"{TRUSTED}quorum ethics\n"
NO_WITNESS = f"{TRUSTED}quorum none\n"
PEOPLE = [f"participant:P-{n:02}" for n in range(7)]
KEYS = {person: hashlib.sha256(person.encode()).digest() for person in PEOPLE}
ENVELOPE = b'{"role":"researcher","phase":"consent","channel":"api"}'


def recorded_at(position: int) -> datetime:
    """An event a minute, from the study's beginning on."""
    return BEGAN + timedelta(minutes=position)


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@dataclass
class SealedStudy:
    """What a server has: rows, level 0 of the tiles, and checkpoints by their sizes."""

    rows: list[Row] = field(default_factory=list)
    tiles: list[bytes] = field(default_factory=list)
    checkpoints: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> "SealedStudy":
        return copy.deepcopy(self)

    def record(self, type_: str, person: str, *, words: str = "", **said: Any) -> Row:
        """Append an event about somebody, with a sealed note; opened for the asker if `shown`."""
        position = said.get("position", len(self.rows) + 1)
        event_id = said.get("event_id", UUID(int=0x019389A17C007ABC8DEF << 48 | position))
        payload = said.get("payload", b'{"participant":"%b"}' % person.encode())
        salt = hashlib.sha256(b"salt %d" % position).digest()
        public = commitment(salt, event_id, "pub", public_part(ENVELOPE, payload))
        sealed = []
        if words:
            sealed.append(_sealed(event_id, said.get("subjects", [person]), words.encode()))
        around = leaf_around_time(
            origin=ORIGIN, event_id=event_id, type_=type_, schema=1,
            occurred_at=recorded_at(position) - timedelta(hours=1), actor="ana", tags=[person],
            public=public, sealed=sealed, erased=said.get("erased", []),
        )  # fmt: skip
        parts: list[OpenPart | SealedPart] = [SealedPart(each.path, each.blob) for each in sealed]
        if said.get("shown"):
            parts = [_opened(event_id, each) for each in sealed]
        row = Row(
            position, leaf(around, said.get("at", recorded_at(position))), salt, ENVELOPE, payload,
            tuple(parts),
        )  # fmt: skip
        self.rows.append(row)
        return row

    def sign(
        self,
        size: int | None = None,
        by: Sequence[SigningKey] = (LOG, WITNESS),
        cosigned: datetime | None = None,
    ) -> bytes:
        """Sign a checkpoint over the first of the rows as they are now, and tile their hashes."""
        size = size or len(self.rows)
        hashes = [leaf_hash(row.leaf) for row in self.rows]
        text = Checkpoint(ORIGIN, size, root_of(hashes[:size])).text
        at = seconds(cosigned or recorded_at(size)) + 2
        lines = [signed(text, key, at if key.kind is KeyKind.WITNESS else None) for key in by]
        self.checkpoints[size] = str(Note(text, tuple(lines))).encode()
        self.tiles = [b"".join(hashes[n : n + 256]) for n in range(0, len(hashes), 256)]
        return self.checkpoints[size]

    def bundle(self) -> bytes:
        """The evidence bundle of the newest checkpoint."""
        *earlier, newest = (self.checkpoints[size] for size in sorted(self.checkpoints))
        return bundled(newest, earlier, self.rows, self.tiles)


def bundled(
    newest: bytes, earlier: Iterable[bytes], rows: Iterable[Row], tiles: Iterable[bytes]
) -> bytes:
    out = io.BytesIO()

    async def write() -> None:
        async for piece in evidence_bundle(newest, earlier, each(rows), each(tiles)):
            out.write(piece)

    asyncio.run(write())
    return out.getvalue()


async def each(things: Iterable[T]) -> AsyncIterator[T]:
    for thing in things:
        yield thing


def sealed_study(events: int = 600, checkpoint_every: int = 100) -> SealedStudy:
    """Consents given and withdrawn; after two thirds of it one of the seven is erased."""
    study = SealedStudy()
    erased, at = PEOPLE[3], events * 2 // 3
    for n in range(1, events + 1):
        if n == at:
            study.record("SubjectErased", erased, erased=[erased])
            study.rows = [without(row, erased) for row in study.rows]
        else:
            person = PEOPLE[n % 7] if n < at else PEOPLE[n % 3]
            type_ = "ConsentGiven" if n % 3 else "ConsentWithdrawn"
            others = {"subjects": sorted({person, PEOPLE[n % 3]})} if n % 4 == 0 else {}
            study.record(type_, person, words=f"Note {n}.", shown=n % 10 == 0, **others)
        if n % checkpoint_every == 0 or n == events:
            study.sign()
    return study


def without(row: Row, subject: str) -> Row:
    """The row when the parts about somebody are erased."""
    about = {
        said.split(b" ")[1].decode()
        for said in row.leaf.split(b"\n")
        if said.startswith(b"enc ") and subject.encode() in said.split(b" ")[2].split(b",")
    }
    return row._replace(parts=tuple(part for part in row.parts if part.path not in about))


def _sealed(event_id: UUID, subjects: list[str], data: bytes) -> SealedField:
    return seal(KEYS, origin=ORIGIN, event_id=event_id, path="note", subjects=subjects, data=data)


def _opened(event_id: UUID, sealed: SealedField) -> OpenPart:
    found = open_sealed(
        KEYS, origin=ORIGIN, event_id=event_id, path=sealed.path, subjects=sealed.subjects,
        blob=sealed.blob,
    )  # fmt: skip
    return OpenPart(sealed.path, found.salt, found.data)


def remade(bundle: bytes, **changes: bytes | None) -> bytes:
    """The bundle with other content, None for none, in some of its files, and the digest to fit."""
    content: dict[str, bytes | None]
    with zipfile.ZipFile(io.BytesIO(bundle)) as old:
        content = {name: old.read(name) for name in old.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        new.comment = MARK + bytes(DIGEST_BYTES)
        for name, data in (content | changes).items():
            if data is not None:
                new.writestr(name, data)
    raw = out.getvalue()[:-DIGEST_BYTES]
    return raw + hashlib.sha256(raw).hexdigest().encode()


def found_in(
    bundle: bytes, policy: str = POLICY, accepted: bytes | None = None
) -> dict[str, list[str]]:
    """What verify.py finds wrong with a bundle, as it says so at the terminal."""
    try:
        return verify.Bundle(policy, io.BytesIO(bundle), accepted).found
    except Exception as fault:
        name, where = fault.args if fault.args[0] in verify.MEANING else ("FORMAT", str(fault))
        return {name: [where]}
