"""What checking a large record costs a committee: `python -m tests.bench.verify`.

A study of 1,000,000 events, with a sealed note in every other and a hundred cosigned checkpoints,
is written as an evidence bundle, in streams, and then checked by verify.py in a process of its own.
"""

import argparse
import asyncio
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from service.sealing import verify
from service.sealing.checkpoints import Checkpoint
from service.sealing.evidence_bundle import OpenPart, Row, SealedPart, evidence_bundle
from service.sealing.leaves import SealedField, commitment, leaf, leaf_around_time, public_part
from service.sealing.merkle_tree import RightEdge, leaf_hash
from service.sealing.signed_notes import Note, signed
from tests.sealed_study import BEGAN, ENVELOPE, LOG, ORIGIN, POLICY, WITNESS, seconds

EVENTS = 1_000_000
CHECKPOINTS = 100
SECONDS, BYTES = 30, 2 * 2**30  # the goals


def row(position: int) -> Row:
    """An event of a million: about one of 5,000 participants, every other with a note."""
    event_id = UUID(int=0x019389A17C007ABC8DEF << 48 | position)
    person = f"participant:P-{position % 5000:04}"
    payload = b'{"participant":"%b","permissions":["interview","audio"],"form_version":"%d"}' % (
        person.encode(),
        position % 9,
    )
    salt = hashlib.sha256(b"%d" % position).digest()
    sealed, parts = [], list[OpenPart | SealedPart]()
    if position % 2:
        data = b"Note %d: she asked for the session to be held in the afternoon." % position
        blob = b"\1\0\1" + hashlib.shake_256(salt).digest(188)  # as long as such a note's
        sealed = [
            SealedField(
                path="note", subjects=(person,), key_version=1, blob=blob,
                digest=hashlib.sha256(blob).digest(),
                commitment=commitment(salt, event_id, "note", data),
            )
        ]  # fmt: skip
        parts.append(
            OpenPart("note", salt, data) if position % 4 == 1 else SealedPart("note", blob)
        )
    around = leaf_around_time(
        origin=ORIGIN, event_id=event_id, type_="ConsentGiven", schema=1, occurred_at=BEGAN,
        actor="ana", tags=[person, f"cycle:c-{position % 12}"],
        public=commitment(salt, event_id, "pub", public_part(ENVELOPE, payload)), sealed=sealed,
    )  # fmt: skip
    recorded = BEGAN + timedelta(seconds=position)
    return Row(position, leaf(around, recorded), salt, ENVELOPE, payload, tuple(parts))


def seal(events: int) -> tuple[list[bytes], list[bytes]]:
    """The checkpoints and the tiles of level 0 of the whole record."""
    edge, notes, tiles, run = RightEdge(), list[bytes](), list[bytes](), list[bytes]()
    due = {events * n // CHECKPOINTS for n in range(1, CHECKPOINTS + 1)}
    for position in range(1, events + 1):
        run.append(leaf_hash(row(position).leaf))
        edge.append(run[-1])
        if len(run) == 256 or position == events:
            tiles.append(b"".join(run))
            run.clear()
        if position in due:
            text = Checkpoint(ORIGIN, position, edge.root()).text
            at = seconds(BEGAN) + position + 1
            lines = (signed(text, LOG), signed(text, WITNESS, at))
            notes.append(str(Note(text, lines)).encode())
    return notes, tiles


async def write(path: Path, events: int) -> float:
    """Write the bundle; how long that took, in seconds, the rows' making included."""
    (*earlier, newest), tiles = seal(events)

    async def rows() -> AsyncIterator[Row]:
        for position in range(1, events + 1):
            yield row(position)

    async def sealed() -> AsyncIterator[bytes]:
        for tile in tiles:
            yield tile

    began = time.perf_counter()
    with path.open("wb") as out:
        async for piece in evidence_bundle(newest, earlier, rows(), sealed()):
            out.write(piece)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        policy, bundle = Path(folder) / "policy", Path(folder) / "bundle.zip"
        policy.write_text(POLICY, encoding="utf-8")
        taken = asyncio.run(write(bundle, given.events))
        size = bundle.stat().st_size
        print(
            f"written: {given.events:,} events, {size / 2**20:,.0f} MiB, {taken:.1f} s", flush=True
        )
        began = time.perf_counter()
        command = [sys.executable, verify.__file__, str(policy), str(bundle)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        taken = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, busy = used.ru_maxrss * 1024, used.ru_utime + used.ru_stime
    print(done.stdout)
    for what, value, goal in (
        (f"{taken:.1f} s, {busy:.1f} s of it working", taken, SECONDS),
        (f"{peak / 2**20:,.0f} MiB", peak, BYTES),
    ):  # fmt: skip
        print(f"verify.py: {what} ({'met' if value <= goal else 'NOT MET'})")


if __name__ == "__main__":
    main()
