"""What the command line does for the sealed record: its checkpoints, its keys, its cosigners."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from asyncpg import Connection
from cyclopts import App, Parameter
from rich.box import SIMPLE
from rich.table import Table

from service.database import ALWAYS_BY_INDEX, connect, open_pool
from service.sealing.asking_witnesses import UNFIT
from service.sealing.checkpoints import require_head
from service.sealing.cosignatures import KEEP
from service.sealing.cosigning import Request
from service.sealing.log_keys import NOTHING, OVERLAP, LogKeys
from service.sealing.rereading import SHOWN, reread
from service.sealing.signed_notes import Note
from service.sealing.tree_on_record import Sealed, TreeDamaged, consistency, latest
from service.settings import Settings
from service.store import Store
from service.terminal import Failure, console, new_file, progress, with_store

seal = App(name="seal", help="The sealed record: its checkpoints, and the keys that sign them.")

CHECKPOINTS = """
select c.size, c.signed_at, array(
    select k.witness || ', ' || to_char(k.cosigned_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
    from record.cosignature k where k.study = c.study and k.size = c.size order by k.witness
) as witnesses
from record.checkpoint c where c.study = $1 order by c.size desc limit $2
"""
COSIGNED_LAST = "select max(size) from record.cosignature where study = $1 and witness = any ($2)"
ROOT = "select root from record.checkpoint where study = $1 and size = $2"


@seal.command
def show(study: str, *, checkpoints: int = 10) -> None:
    """Show a study's latest checkpoints, and which witnesses cosigned each. Times are in UTC.

    The exit status is 1 if the record has less than was sealed.

    Parameters
    ----------
    study
        The study's identifier.
    checkpoints
        How many are shown at most, the latest first.
    """

    async def tell(store: Store) -> None:
        origin = origin_of(store.settings, study)
        db = await connect(store.service_url)
        try:
            rows = await db.fetch(CHECKPOINTS, study, checkpoints)
            head = await db.fetchval(
                "select position from record.study_head where study = $1", study
            )
            sealed = await latest(db, study)
        finally:
            await db.close()
        if not head:
            raise Failure(f"There is no study {study} on record.")
        _say(f"{origin}: {head:,} events, {sealed.size if sealed else 0:,} of them sealed.")
        table = Table("events", "signed", "cosigned by", box=SIMPLE, pad_edge=False)
        for size, signed_at, witnesses in rows:
            by = "\n".join(witnesses) or "nobody"
            table.add_row(f"{size:,}", f"{signed_at:%Y-%m-%d %H:%M:%S}", by)
        if rows:
            console.print(table)
        folder = keys_of(store.settings)
        signed = LogKeys(folder).last_signed(origin) if (folder / "log_keys").exists() else None
        if signed and signed.size > head:
            raise Failure(
                f"{signed.size:,} events were sealed, and {head:,} are there. Bring back the "
                "latest database; nothing more is sealed until then."
            )

    with_store(tell)


@seal.command
def check(study: str) -> None:
    """Re-read all that is sealed of a study, and name the events that are not as they were sealed.

    The service does the same all the time, slowly. The exit status is 1 if there are any.

    Parameters
    ----------
    study
        The study's identifier.
    """

    async def read(store: Store) -> None:
        folder, origin = keys_of(store.settings), origin_of(store.settings, study)
        known = (folder / "log_keys").exists()
        head = LogKeys(folder).last_signed(origin) if known else NOTHING
        if not head.size:
            raise Failure(f"Nothing of a study {study} was sealed with the keys in {folder}.")
        pool = await open_pool(store.service_url, 1, **ALWAYS_BY_INDEX)
        faults = 0
        try:
            with progress(f"{study}: events re-read") as report:
                async for piece in reread(pool, study, head):
                    for fault in piece.faults[: max(0, SHOWN - faults)]:
                        _say(f"{fault.fault}: {fault.message}")
                    faults += len(piece.faults)
                    report(piece.through, head.size)
        finally:
            await pool.close()
        if faults > SHOWN:
            _say(f"and {faults - SHOWN:,} more")
        if faults:
            raise Failure(f"{origin}: not as it was sealed. deploy/verifying.md says what to do.")
        _say(f"{origin}: all {head.size:,} sealed events are as they were sealed.")

    with_store(read)


@seal.command
def keys(study: str) -> None:
    """Print the keys that sign a study's log, for its committee's policy; the newest first.

    Give them to the committee by another way than the record itself.

    Parameters
    ----------
    study
        The study's identifier.
    """
    settings = Settings()
    for key in LogKeys(keys_of(settings)).verifiers(origin_of(settings, study)):
        print(key)


@seal.command
def rotate(*, overlap_days: int = OVERLAP.days) -> None:
    """Add a key that signs from now on. The older ones sign beside it for a while.

    Meanwhile give committees and witnesses the new key: `parcycle seal keys STUDY`.

    Parameters
    ----------
    overlap_days
        How many days the older keys go on signing; 0 if one may have been stolen.
    """
    if overlap_days < 0:
        raise Failure("--overlap-days: a number of days from 0 on.")
    found = LogKeys(keys_of(Settings()))
    found.rotate(timedelta(days=overlap_days))
    *older, _ = found.listed()
    ends = [key.until for key in older if key.private is not None and key.until is not None]
    _say("A new key signs from now on. Give it to committees and witnesses: `parcycle seal keys`.")
    if ends:
        _say(f"Older keys sign beside it until {max(ends)}.")
    _say(f"Copy {found.file} to where its copy is kept, apart from the database.")


@seal.command
def request(
    study: str, *, out: Path, from_: Annotated[int | None, Parameter("--from")] = None
) -> None:
    """Write what a committee cosigns when it meets: the latest checkpoint, and a proof.

    Send it the file; it runs `parcycle cosign`, and sends back what `parcycle seal cosigned` takes.

    Parameters
    ----------
    study
        The study's identifier.
    out
        Where the request is written.
    from_
        How many events the committee cosigned last; if left out, of what is on record of it.
    """

    async def write(store: Store) -> None:
        async with asking(store, study) as (db, sealed):
            old = from_
            if old is None:
                offline = [w.verifier.name for w in store.settings.witnesses if w.url is None]
                old = await db.fetchval(COSIGNED_LAST, study, offline) or 0
            if not 0 <= old <= sealed.size:
                raise Failure(f"--from: {sealed.size:,} events are sealed.")
            proof = await consistency(db, study, old, sealed.size)
        note = Note.parse(sealed.note.encode())
        with new_file(out) as file:
            file.write(str(Request(old, tuple(proof), note)))
        _say(f"{out}: a checkpoint of {sealed.size:,} events, to those who cosigned {old:,} last.")

    with_store(write)


@seal.command
def cosigned(study: str, file: Path) -> None:
    """Take in a checkpoint that a committee cosigned. It has to be named in PARCYCLE_WITNESSES.

    Parameters
    ----------
    study
        The study's identifier.
    file
        The cosigned checkpoint, from the committee.
    """

    raw = file.read_bytes()

    async def take(store: Store) -> None:
        origin = origin_of(store.settings, study)
        known = [named.verifier for named in store.settings.witnesses]
        try:
            keys = LogKeys(keys_of(store.settings)).verifiers(origin)
            head = require_head(Note.parse(raw), origin, [*keys, *known])
        except UNFIT as unfit:
            raise Failure(f"{file}: {unfit}") from None
        checkpoint, by = head.checkpoint, head.cosignatures
        if not by:
            raise Failure(
                f"{file} is cosigned by nobody whose key is in PARCYCLE_WITNESSES: add the key."
            )
        async with asking(store, study) as (db, _):
            if checkpoint.root != await db.fetchval(ROOT, study, checkpoint.size):
                raise Failure(f"{file} is of a checkpoint that is not on record of {study}.")
            for each in by:
                at = datetime.fromtimestamp(each.at or 0, UTC)
                line = str(each.line)
                await db.execute(KEEP, study, each.key.name, checkpoint.size, line, at)
                _say(f"{each.key.name} cosigned {checkpoint.size:,} events at {at:%Y-%m-%d %H:%M}.")

    with_store(take)


@asynccontextmanager
async def asking(store: Store, study: str) -> AsyncIterator[tuple[Connection, Sealed]]:
    """The database, and the study's latest checkpoint. Raises `Failure` if it has none."""
    db = await connect(store.service_url)
    try:
        sealed = await latest(db, study)
        if sealed is None:
            raise Failure(f"Nothing of a study {study} is sealed.")
        yield db, sealed
    except TreeDamaged as damaged:
        raise Failure(str(damaged)) from None
    finally:
        await db.close()


def origin_of(settings: Settings, study: str) -> str:
    """The name of a study's log (C2SP tlog-checkpoint)."""
    return f"{settings.name}/parcycle/{study}"


def keys_of(settings: Settings) -> Path:
    return settings.home / "keys"


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
