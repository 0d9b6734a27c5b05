"""The witness: an HTTP service that the ethics committee runs, by C2SP's tlog-witness protocol.

    POST /add-checkpoint
        200  its cosignature
        400  no request, or one that goes back
        403  not signed by the log
        404  a log that it does not watch
        409  it holds another size, or another root of that size
        422  the proof does not show that the checkpoint extends the one it holds
    GET /<SHA-256 of the origin>/checkpoint
        200  what it cosigned last

It keeps the last checkpoint of each log in a file (SQLite). What it has cosigned is on disk before
it answers, and looking and writing are one transaction: of two requests that race, also to two
processes, one is first. A request that shows that a log contradicts itself is kept as evidence.
"""

import asyncio
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath

from service.sealing import cosigning
from service.sealing.checkpoints import Checkpoint
from service.sealing.cosigning import (
    Contradiction,
    MalformedRequest,
    OtherThanHeld,
    UnknownLog,
    by_its_log,
    cosignature,
    require_extends,
    require_signed,
)
from service.sealing.merkle_tree import Inconsistent
from service.sealing.signed_notes import BadSignature, Note, NotSigned, SigningKey, VerifierKey

log = structlog.get_logger(__name__)

REQUEST_BYTES = 1 << 16
BUSY_SECONDS = 30  # how long a request waits for another's write
EVIDENCE_KEPT = 1_000  # requests: only a log's own key can fill it
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

TABLES = (
    """
    create table if not exists held (
        origin text primary key, size integer not null, note text not null, at integer not null
    ) without rowid
    """,
    """
    create table if not exists evidence (
        number integer primary key, at integer not null, status integer not null,
        request blob not null
    )
    """,
)
HELD = "select note from held where origin = ?"
HOLD = """
insert into held values (?, ?, ?, ?)
on conflict (origin) do update set size = excluded.size, note = excluded.note, at = excluded.at
"""
KEEP = "insert into evidence (at, status, request) values (?, ?, ?)"
FORGET = "delete from evidence where number <= (select max(number) from evidence) - ?"


class Answer(NamedTuple):
    status: HTTPStatus
    body: str
    media_type: str = TEXT


class Witness:
    """A witness with its key, the keys of the logs that it watches, and its file."""

    def __init__(self, file: Path, key: SigningKey, logs: Sequence[VerifierKey]) -> None:
        self._file = file
        self._key = key
        self._logs = logs
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        with self._opened() as db:
            db.execute("pragma journal_mode = wal")
            for table in TABLES:
                db.execute(table)

    def add_checkpoint(self, raw: bytes) -> Answer:
        """The answer to a request, decided and kept."""
        try:
            request = cosigning.Request.parse(raw)
            checkpoint = require_signed(request, self._logs)
        except MalformedRequest as fault:
            return Answer(HTTPStatus.BAD_REQUEST, f"{fault}\n")
        except UnknownLog as fault:
            return Answer(HTTPStatus.NOT_FOUND, f"{fault}\n")
        except (NotSigned, BadSignature) as fault:
            return Answer(HTTPStatus.FORBIDDEN, f"{fault}\n")
        with self._opened() as db, _writing(db):
            try:
                require_extends(request, checkpoint, _held(db, checkpoint.origin))
            except OtherThanHeld as fault:
                return Answer(HTTPStatus.CONFLICT, f"{fault.size}\n", SIZE)
            except Contradiction as fault:
                _keep(db, HTTPStatus.CONFLICT, raw, checkpoint)
                return Answer(HTTPStatus.CONFLICT, f"{fault.size}\n", SIZE)
            except Inconsistent as fault:
                _keep(db, HTTPStatus.UNPROCESSABLE_ENTITY, raw, checkpoint)
                return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{fault}\n")
            line = cosignature(request.note, self._key)
            note = by_its_log(request.note, self._logs)
            cosigned = Note(note.text, (*note.signatures, line))
            now = int(time.time())
            db.execute(HOLD, (checkpoint.origin, checkpoint.size, str(cosigned), now))
        log.info("cosigned", origin=checkpoint.origin, size=checkpoint.size)
        return Answer(HTTPStatus.OK, str(line))

    def held(self, named: str) -> Answer:
        """What was cosigned last of the log whose origin has this SHA-256, in hex."""
        with self._opened() as db:
            for origin, note in db.execute("select origin, note from held"):
                if hashlib.sha256(origin.encode()).hexdigest() == named:
                    return Answer(HTTPStatus.OK, note)
        return Answer(HTTPStatus.NOT_FOUND, "Nothing of that log was cosigned here.\n")

    def evidence(self) -> list[tuple[int, int, bytes]]:
        """Requests that show that a log contradicts itself: when (seconds), answer, request."""
        with self._opened() as db:
            return db.execute("select at, status, request from evidence order by number").fetchall()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            db.execute("pragma synchronous = full")  # with WAL: every commit is synced to the disk
            yield db
        finally:
            db.close()


def witness_application(witness: Witness) -> Litestar:
    """The witness's HTTP interface."""

    @post("/add-checkpoint", status_code=200)
    async def add_checkpoint(request: Request[Any, Any, Any]) -> Response[str]:
        raw = await request.body()
        return _response(await asyncio.to_thread(witness.add_checkpoint, raw))

    @get("/{named:str}/checkpoint", sync_to_thread=True)
    def held(named: FromPath[str]) -> Response[str]:
        return _response(witness.held(named))

    return Litestar(
        [add_checkpoint, held], openapi_config=None, request_max_body_size=REQUEST_BYTES
    )


def _response(answer: Answer) -> Response[str]:
    # As a header, for a media type would be given a charset, and clients compare it whole.
    headers = {"content-type": answer.media_type}
    return Response(answer.body, status_code=answer.status, headers=headers)


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction that nobody else writes in, committed also when an answer is returned."""
    db.execute("begin immediate")
    try:
        yield
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


def _held(db: sqlite3.Connection, origin: str) -> Checkpoint | None:
    row = db.execute(HELD, (origin,)).fetchone()
    return None if row is None else Checkpoint.parse(Note.parse(row[0].encode()).text)


def _keep(db: sqlite3.Connection, status: int, raw: bytes, checkpoint: Checkpoint) -> None:
    db.execute(KEEP, (int(time.time()), status, raw))
    db.execute(FORGET, (EVIDENCE_KEPT,))
    log.warning("contradiction", origin=checkpoint.origin, size=checkpoint.size, status=int(status))
