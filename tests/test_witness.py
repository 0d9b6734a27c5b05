"""The witness answers as C2SP's tlog-witness says, and never vouches for two histories."""

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from service.sealing.checkpoints import Checkpoint, require_head
from service.sealing.cosigning import Request
from service.sealing.merkle_tree import (
    EMPTY_ROOT,
    consistency_proof,
    leaf_hash,
    read,
    root_of,
)
from service.sealing.signed_notes import (
    KeyKind,
    Note,
    SigningKey,
    VerifierKey,
    signature_lines,
    signed,
)
from service.sealing.signing_key_file import signing_key
from service.sealing.tiles import HashesInTiles, extended
from service.sealing.witness import Witness
from tests.processes import Started, parcycle, started
from tests.sealed_study import LOG, ORIGIN, WITNESS
from tests.witness_requests import STRANGER, TRUE, head, proof, request


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness.sqlite", WITNESS, [LOG.verifier])


def held(witness: Witness) -> int:
    answer = witness.held(hashlib.sha256(ORIGIN.encode()).hexdigest())
    return (
        Checkpoint.parse(Note.parse(answer.body.encode()).text).size if answer.status == 200 else 0
    )


def test_a_log_that_grows_is_cosigned(witness: Witness) -> None:
    old = 0
    for size in (1, 2, 256, 256, 257, 700):
        answer = witness.add_checkpoint(request(old, size))
        assert answer.status == 200
        note = head(size)
        both = Note(note.text, (*note.signatures, *signature_lines(answer.body)))
        (by,) = require_head(both, ORIGIN, [LOG.verifier, WITNESS.verifier]).cosignatures
        assert by.key == WITNESS.verifier
        assert held(witness) == size
        old = size
    assert witness.evidence() == []


def test_statuses(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 300))
    elsewhere = SigningKey("record.example.org/parcycle/wheat", KeyKind.LOG, LOG.private)
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT).text
    good = request(300, 600)
    for raw, status in (
        (b"", 400),
        (b"old 300\n\nhello\n", 400),
        (good.replace(b"old 300", b"old 0300"), 400),
        (good.replace(b"old 300", b"new 300"), 400),
        (good.replace(b"old 300", b"old -1"), 400),
        (good.replace(b"\n600\n", b"\n0600\n"), 400),
        (good.replace(b"\n\n", b"\n", 1), 400),
        (good[:-1], 400),
        (b"old 300\n" + b"A" * 43 + b"=\n" * 64 + good.partition(b"\n")[2], 400),
        (request(300, 300).replace(b"old 300", b"old 301"), 400),
        (request(300, 600, by=STRANGER), 403),
        (good.replace(b"\n600\n", b"\n601\n"), 403),
        (request(300, 600, by=elsewhere), 404),
        (request(0, 600), 409),
        (request(256, 600), 409),
        (request(256, 257), 409),
        (str(Request(0, (), Note(empty, (signed(empty, LOG),)))).encode(), 409),
        (request(300, 300, rewritten=True), 409),
        (request(300, 600, rewritten=True), 422),
        (str(Request(300, proof(256, 600), head(600))).encode(), 422),
        (str(Request(300, (), head(600))).encode(), 422),
        (str(Request(300, proof(300, 600), head(300))).encode(), 422),
    ):
        answer = witness.add_checkpoint(raw)
        assert answer.status == status, raw
        if status == 409:
            assert (answer.body, answer.media_type) == ("300\n", "text/x.tlog.size")
        assert held(witness) == 300
    assert witness.add_checkpoint(good).status == 200


def test_a_log_that_contradicts_itself_leaves_evidence(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 300))
    second, third = request(300, 300, rewritten=True), request(300, 600, rewritten=True)
    for raw in (request(0, 400), second, third, request(300, 400)):
        witness.add_checkpoint(raw)
    assert [(status, raw) for _, status, raw in witness.evidence()] == [(409, second), (422, third)]


def test_signatures_by_strangers_are_passed_over(witness: Witness) -> None:
    note = head(300)
    lines = (signed(note.text, STRANGER), *note.signatures, signed(note.text, WITNESS, 7))
    answer = witness.add_checkpoint(str(Request(0, (), Note(note.text, lines))).encode())
    assert answer.status == 200
    kept = witness.held(hashlib.sha256(ORIGIN.encode()).hexdigest()).body
    assert len(Note.parse(kept.encode()).signatures) == 2
    pretended = note.signatures[0]._replace(signature=bytes(64))
    raw = str(Request(300, (), Note(note.text, (pretended, *note.signatures)))).encode()
    assert witness.add_checkpoint(raw).status == 403


def test_several_logs_are_kept_apart(tmp_path: Path) -> None:
    wheat = SigningKey("record.example.org/parcycle/wheat", KeyKind.LOG, STRANGER.private)
    witness = Witness(tmp_path / "state", WITNESS, [LOG.verifier, wheat.verifier])
    assert witness.add_checkpoint(request(0, 300)).status == 200
    assert witness.add_checkpoint(request(0, 600, by=wheat)).status == 200
    assert witness.add_checkpoint(request(300, 600)).status == 200
    assert witness.add_checkpoint(request(600, 300, by=wheat)).status == 400
    assert witness.add_checkpoint(request(300, 600, by=wheat)).status == 409


def test_of_two_histories_that_race_one_is_cosigned(tmp_path: Path) -> None:
    """Two witnesses on one file stand for two processes: they share nothing but the file."""
    other = [*TRUE[:150], leaf_hash(b"another tail"), *TRUE[151:]]
    text = Checkpoint(ORIGIN, 300, root_of(other[:300])).text
    hashes = HashesInTiles(extended({}, 0, other))
    proven = tuple(read(consistency_proof(100, 300), hashes))
    forked = str(Request(100, proven, Note(text, (signed(text, LOG),)))).encode()
    for attempt in range(12):
        file = tmp_path / f"state-{attempt}"
        both = [Witness(file, WITNESS, [LOG.verifier]) for _ in range(2)]
        both[0].add_checkpoint(request(0, 100))
        start = threading.Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(partial(race, start, both, forked), range(8))
            assert sorted(answers) == [200] + [409] * 7
        assert held(both[0]) == held(both[1]) == 300


def race(start: threading.Barrier, both: list[Witness], forked: bytes, n: int) -> int:
    start.wait()
    return both[n // 2 % 2].add_checkpoint(forked if n % 2 else request(100, 300)).status


# As a process, over HTTP.


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, Started]]:
    """`parcycle witness` with its files in a folder."""
    if not (folder / "key").exists():
        made = parcycle("witness", "key", "ethics.example.org/witness", "--file", folder / "key")
        assert made.returncode == 0, made.stderr
        (folder / "policy").write_text(f"log {LOG.verifier}\nquorum none\n", encoding="utf-8")
    files = (folder / "policy", "--key", folder / "key", "--state", folder / "state")
    with started("witness", *files, "--port", 0) as process:
        yield process.said(r"listens at (http://\S+)/add-checkpoint")[1], process


def key_of(folder: Path) -> VerifierKey:
    return signing_key(folder / "key", KeyKind.WITNESS).verifier


def test_over_http(tmp_path: Path) -> None:
    named = hashlib.sha256(ORIGIN.encode()).hexdigest()
    with running(tmp_path) as (url, _), httpx.Client(base_url=url) as client:
        assert client.get(f"/{named}/checkpoint").status_code == 404
        answer = client.post("/add-checkpoint", content=request(0, 300))
        assert answer.status_code == 200
        note = head(300)
        both = Note(note.text, (*note.signatures, *signature_lines(answer.text)))
        (by,) = require_head(both, ORIGIN, [LOG.verifier, key_of(tmp_path)]).cosignatures
        assert by.key.name == "ethics.example.org/witness"
        kept = client.get(f"/{named}/checkpoint")
        assert (kept.status_code, kept.content) == (200, str(both).encode())
        behind = client.post("/add-checkpoint", content=request(0, 600))
        assert (behind.status_code, behind.content) == (409, b"300\n")
        assert behind.headers["content-type"] == "text/x.tlog.size"
        for raw, status in (
            (b"?", 400), (request(300, 600, by=STRANGER), 403), (b"x" * 100_000, 413),
            (request(300, 600, rewritten=True), 422), (request(300, 600), 200),
        ):  # fmt: skip
            assert client.post("/add-checkpoint", content=raw).status_code == status
        assert client.get("/add-checkpoint").status_code == 405


def test_it_is_killed_at_any_moment_and_takes_nothing_back(tmp_path: Path) -> None:
    """Whatever it has answered is on its disk; and it goes on from there."""
    chance, acknowledged = random.Random(6), 0
    for _ in range(4):
        with running(tmp_path) as (url, process), httpx.Client(base_url=url) as client:
            first = client.post("/add-checkpoint", content=request(0, 1))
            size = 1 if first.status_code == 200 else int(first.text)
            assert size >= acknowledged
            acknowledged = size
            killer = threading.Timer(chance.uniform(0.02, 0.4), process.process.kill)
            killer.start()
            try:
                while size < 700:
                    answer = client.post("/add-checkpoint", content=request(size, size + 1))
                    assert answer.status_code == 200
                    acknowledged = size = size + 1
            except httpx.TransportError:
                pass
            killer.join()
    assert acknowledged > 3
