"""Other people's verifiers accept what we sign and prove, and refuse it altered.

Go's checksum database client (Debian's golang-golang-x-mod-dev), Sigstore's verifier (npm), and a
witness (PyPI), installed as foreign_tools.py says.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.sealing.checkpoints import Checkpoint, require_head
from service.sealing.merkle_tree import (
    consistency_proof,
    inclusion_proof,
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
    to_base64,
)
from service.sealing.tiles import HashesInTiles, Tile, extended, tiles_changed, tiles_of
from tests.foreign_tools import installed_once, node_modules, unavailable
from tests.witness_of_others import WitnessOfOthers, witness_programs

PROGRAMS = Path(__file__).parent / "verifiers"
DEBIAN_GO = Path("/usr/share/gocode")  # where Debian keeps Go packages, which go has to be told

ORIGIN = "record.example.org/parcycle/maize"
SIZE = 70_000
LEAVES = [b"par-leaf/1\n%s\n%d\n" % (ORIGIN.encode(), n) for n in range(SIZE)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
TILES = extended({}, 0, HASHES)
SIZES = [1, 2, 255, 256, 257, 4_097, 65_536, 65_537, 69_999]

LOG = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
COMMITTEE = SigningKey(
    "ethics.example.org/committee",
    KeyKind.WITNESS,
    Ed25519PrivateKey.from_private_bytes(b"\2" * 32),
)


def root(size: int) -> bytes:
    return read([range(size)], HashesInTiles(TILES))[0]


def included(index: int, size: int) -> list[bytes]:
    return read(inclusion_proof(index, size), HashesInTiles(TILES))


def extends(old: int, size: int) -> list[bytes]:
    return read(consistency_proof(old, size), HashesInTiles(TILES))


def head(size: int, by: SigningKey = LOG) -> Note:
    text = Checkpoint(ORIGIN, size, root(size)).text
    return Note(text, (signed(text, by),))


def with_cosignature(note: Note) -> Note:
    return Note(note.text, (*note.signatures, signed(note.text, COMMITTEE, 1_790_000_000)))


def altered(hashes: list[bytes]) -> list[list[bytes]]:
    """A proof with one hash changed, one left out, one more, and two exchanged."""
    first, *others = hashes
    changed = bytes([first[0] ^ 1]) + first[1:]
    exchanged = [*others[:1], first, *others[1:]] if others else [bytes(32)]
    return [[changed, *others], others, [*hashes, first], exchanged]


# Go's checksum database


@pytest.fixture(scope="session")
def sumdb() -> Path:
    """Our questions to Go's packages, as a program."""
    what = "Go's sumdb is"
    if shutil.which("go") is None:
        unavailable(what, "go not found; install golang-go and golang-golang-x-mod-dev")
    source = PROGRAMS / "check.go"

    def build(home: Path) -> None:
        given = subprocess.run(["go", "env", "GOPATH"], capture_output=True, text=True)
        where = os.pathsep.join(filter(None, [given.stdout.strip(), str(DEBIAN_GO)]))
        built = subprocess.run(
            ["go", "build", "-o", home / "check", source],
            env=os.environ | {"GO111MODULE": "off", "GOPATH": where, "GOFLAGS": ""},
            capture_output=True,
            text=True,
        )
        if built.returncode:
            unavailable(what, f"go could not build it: {built.stderr.strip()[-600:]}")

    return installed_once("sumdb", source.read_bytes(), build) / "check"


def asked(sumdb: Path, questions: list[dict[str, Any]]) -> list[Any]:
    def plain(value: object) -> str:
        assert isinstance(value, bytes)
        return to_base64(value)

    done = subprocess.run(
        [sumdb], input=json.dumps(questions, default=plain), capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    assert len(answers) == len(questions)
    return answers


def require_refused(answers: list[Any], why: str = "") -> None:
    assert answers
    assert [each for each in answers if not str(each).startswith(f"refused: {why}")] == []


def test_go_opens_our_notes_and_cosignatures(sumdb: Path) -> None:
    note = with_cosignature(head(SIZE))
    keys = [str(LOG.verifier), str(COMMITTEE.verifier)]

    def opened(note: Note | str, *by: str) -> dict[str, Any]:
        return {"kind": "note", "note": str(note).encode(), "keys": by}

    both, log, witness = asked(
        sumdb, [opened(note, *keys), opened(note, keys[0]), opened(note, keys[1])]
    )
    assert both == {"text": note.text, "names": [LOG.name, COMMITTEE.name]}
    assert log == {"text": note.text, "names": [LOG.name]}
    assert witness == {"text": note.text, "names": [COMMITTEE.name]}
    log_line, cosignature = note.signatures
    for key, line in ((keys[0], log_line), (keys[1], cosignature)):
        at = len(line.signature) // 2
        bad = line.signature[:at] + bytes([line.signature[at] ^ 1]) + line.signature[at + 1 :]
        require_refused(
            asked(
                sumdb,
                [
                    opened(Note(note.text, (line._replace(signature=bad),)), key),
                    opened(Note(head(69_999).text, (line,)), key),
                ],
            ),
            "invalid signature",
        )
    earlier = (1_789_999_999).to_bytes(8, "big") + cosignature.signature[8:]
    backdated = Note(note.text, (cosignature._replace(signature=earlier),))
    require_refused(asked(sumdb, [opened(backdated, keys[1])]), "invalid signature")
    other = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
    require_refused(asked(sumdb, [opened(note, str(other.verifier))]))


def test_go_accepts_our_inclusion_proofs(sumdb: Path) -> None:
    def question(index: int, size: int, /, **said: Any) -> dict[str, Any]:
        usual = {
            "kind": "inclusion", "size": size, "root": root(size), "index": index,
            "leaf": LEAVES[index], "hashes": included(index, size),
        }  # fmt: skip
        return usual | said

    places = [(index, size) for size in SIZES for index in {0, size // 2, size - 1}]
    assert set(asked(sumdb, [question(*place) for place in places])) == {"accepted"}
    right = included(4_096, 69_999)
    wrong = [
        question(4_096, 69_999, leaf=LEAVES[4_097]),
        question(4_096, 69_999, root=root(69_998)),
        question(4_096, 69_999, index=4_097),
        *(question(4_096, 69_999, hashes=bad) for bad in altered(right)),
    ]
    require_refused(asked(sumdb, wrong))


def test_go_accepts_our_consistency_proofs(sumdb: Path) -> None:
    def question(old: int, size: int, /, **said: Any) -> dict[str, Any]:
        usual = {
            "kind": "consistency", "oldSize": old, "oldRoot": root(old), "size": size,
            "root": root(size), "hashes": extends(old, size),
        }  # fmt: skip
        return usual | said

    growths = [(old, size) for size in SIZES for old in SIZES if old <= size]
    assert set(asked(sumdb, [question(*growth) for growth in growths])) == {"accepted"}
    right = extends(4_097, 69_999)
    wrong = [
        question(4_097, 69_999, oldRoot=root(4_096)),
        question(4_097, 69_999, root=root(SIZE)),
        question(4_097, 69_999, oldSize=4_098),
        *(question(4_097, 69_999, hashes=bad) for bad in altered(right)),
    ]
    require_refused(asked(sumdb, wrong))


def test_go_reads_our_tiles_and_makes_our_proofs_of_them(sumdb: Path) -> None:
    by_path = {tile.path: TILES[tile.level, tile.number] for tile in tiles_of(SIZE)}

    def question(index: int, old: int, tiles: dict[str, bytes]) -> dict[str, Any]:
        return {
            "kind": "tiles", "size": SIZE, "root": root(SIZE), "index": index, "oldSize": old,
            "leaf": LEAVES[index], "oldRoot": root(old), "tiles": tiles,
        }  # fmt: skip

    places = [(0, 1), (255, 256), (65_535, 65_537), (69_999, 69_999)]
    answers = asked(sumdb, [question(*place, by_path) for place in places])
    for (index, old), answer in zip(places, answers, strict=True):
        assert answer["inclusion"] == [to_base64(each) for each in included(index, SIZE)]
        assert answer["consistency"] == [to_base64(each) for each in extends(old, SIZE)]
    swapped = by_path | {"tile/0/000": by_path["tile/0/001"]}
    missing = {path: tile for path, tile in by_path.items() if path != "tile/1/000"}
    require_refused(asked(sumdb, [question(0, 1, swapped), question(255, 256, swapped)]))
    require_refused(asked(sumdb, [question(0, 1, missing)]), "no tile tile/1/000")


def test_go_knows_our_tiles_as_those_that_change(sumdb: Path) -> None:
    """It lists each partial tile on the way besides, and so also those that stayed as they are."""
    growths = [(0, SIZE), (0, 1), (255, 257), (65_535, 65_537), (69_888, 70_000), (5, 1_234_067)]
    questions = [{"kind": "paths", "oldSize": old, "size": size} for old, size in growths]
    for (old, size), theirs in zip(growths, asked(sumdb, questions), strict=True):
        ours = list(tiles_changed(old, size))
        assert {tile.path for tile in ours} <= set(theirs)
        assert {path for path in theirs if ".p/" not in path} == {
            tile.path for tile in ours if tile == Tile(tile.level, tile.number)
        }


# Sigstore


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our questions to Sigstore's verifier, where node finds it."""
    packages = node_modules("verifiers", PROGRAMS / "package.json", "Sigstore's verifier is")
    folder = tmp_path_factory.mktemp("sigstore")
    shutil.copy(PROGRAMS / "sigstore.cjs", folder)
    (folder / "node_modules").symlink_to(packages)
    return folder


def test_sigstore_accepts_our_checkpoints_and_inclusion_proofs(sigstore: Path) -> None:
    def entry(index: int, size: int, /, **said: Any) -> dict[str, Any]:
        hashes = [to_base64(each) for each in said.pop("hashes", included(index, size))]
        usual = {
            "index": index, "hashes": hashes, "leaf": to_base64(LEAVES[index]),
            "checkpoint": str(with_cosignature(head(size))),
        }  # fmt: skip
        return usual | said

    good = [entry(index, size) for size in SIZES for index in {0, size // 2, size - 1}]
    forger = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
    forged = head(69_999, by=forger)
    pretended = Note(forged.text, (forged.signatures[0]._replace(key_id=LOG.verifier.id),))
    wrong = [
        entry(4_096, 69_999, leaf=to_base64(LEAVES[4_097])),
        entry(4_096, 69_999, index=4_097),
        entry(4_096, 69_999, checkpoint=str(head(SIZE))),
        entry(4_096, 69_999, checkpoint=str(forged)),
        entry(4_096, 69_999, checkpoint=str(pretended)),
        *(entry(4_096, 69_999, hashes=bad) for bad in altered(included(4_096, 69_999))),
    ]
    public = LOG.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    told = {
        "origin": ORIGIN, "keyId": to_base64(LOG.verifier.id), "publicKey": to_base64(public),
        "entries": good + wrong,
    }  # fmt: skip
    done = subprocess.run(
        ["node", "sigstore.cjs"],
        cwd=sigstore,
        env=os.environ | {"PARCYCLE_TO_VERIFY": json.dumps(told)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers[: len(good)] == ["accepted"] * len(good)
    refusals = answers[len(good) :]
    assert len(refusals) == len(wrong)
    assert [each for each in refusals if not each.startswith("TLOG_INCLUSION_PROOF_ERROR")] == []


# A witness


@dataclass
class Witness:
    """The witness of other people, which knows our log."""

    url: str
    key: VerifierKey

    def add(self, old: int, proof: list[bytes], note: Note) -> httpx.Response:
        lines = [f"old {old}", *map(to_base64, proof), ""]
        body = "".join(f"{line}\n" for line in lines) + str(note)
        return httpx.post(f"{self.url}/add-checkpoint", content=body.encode(), timeout=30)

    def held(self) -> Note:
        named = hashlib.sha256(ORIGIN.encode()).hexdigest()
        answer = httpx.get(f"{self.url}/{named}/checkpoint", timeout=30)
        assert answer.status_code == 200
        return Note.parse(answer.content)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    known = WitnessOfOthers(tmp_path / "witness", witness_programs(), {ORIGIN: [LOG.verifier]})
    with known.running() as url:
        yield Witness(url, known.key)


def test_a_foreign_witness_cosigns_our_log_as_it_grows(witness: Witness) -> None:
    old = 0
    for size in (1, 256, 4_097, 69_999, 69_999, SIZE):
        note = head(size)
        answer = witness.add(old, extends(old, size) if old else [], note)
        assert (answer.status_code, answer.text[:2]) == (200, "— ")
        cosigned = Note(note.text, (*note.signatures, *signature_lines(answer.text)))
        [by] = require_head(cosigned, ORIGIN, [LOG.verifier, witness.key]).cosignatures
        assert by.key == witness.key
        old = size
    held = require_head(witness.held(), ORIGIN, [LOG.verifier, witness.key])
    assert held.checkpoint == Checkpoint(ORIGIN, SIZE, root(SIZE))
    assert len(held.cosignatures) == 1


def test_a_foreign_witness_refuses_what_does_not_extend_what_it_saw(witness: Witness) -> None:
    assert witness.add(0, [], head(4_097)).status_code == 200
    rewritten = [*HASHES[:100], leaf_hash(b"another"), *HASHES[101:69_999]]
    text = Checkpoint(ORIGIN, 69_999, root_of(rewritten)).text
    fork = Note(text, (signed(text, LOG),))
    tiles = HashesInTiles(extended({}, 0, rewritten))
    assert (
        witness.add(4_097, read(consistency_proof(4_097, 69_999), tiles), fork).status_code == 422
    )
    for bad in altered(extends(4_097, 69_999)):
        assert witness.add(4_097, bad, head(69_999)).status_code == 422
    behind = witness.add(0, [], head(69_999))
    assert (behind.status_code, behind.text) == (409, "4097\n")
    assert behind.headers["content-type"] == "text/x.tlog.size"
    forger = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
    forged = head(69_999, by=forger)
    assert witness.add(4_097, extends(4_097, 69_999), forged).status_code == 403
    pretended = Note(forged.text, (forged.signatures[0]._replace(key_id=LOG.verifier.id),))
    assert witness.add(4_097, extends(4_097, 69_999), pretended).status_code == 403
    assert Checkpoint.parse(witness.held().text).size == 4_097
