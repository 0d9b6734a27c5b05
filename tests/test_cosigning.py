"""A committee that meets once a month cosigns by hand, and what it cosigned binds it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.sealing import verify
from service.sealing.checkpoints import require_head
from service.sealing.cosigning import (
    Contradiction,
    OtherThanHeld,
    Request,
    UnfitState,
    UnknownLog,
    cosign_offline,
)
from service.sealing.key_encryption import KeysUnusable
from service.sealing.merkle_tree import Inconsistent
from service.sealing.signed_notes import (
    BadSignature,
    KeyKind,
    MalformedKey,
    Note,
    NotSigned,
    SigningKey,
    VerifierKey,
)
from service.sealing.signing_key_file import NoSigningKey, make_signing_key, signing_key
from tests.processes import parcycle
from tests.sealed_study import LOG, ORIGIN, POLICY, WITNESS, sealed_study
from tests.witness_requests import STRANGER, head, request

LOGS = [LOG.verifier]


def cosigned(raw: bytes, state: Path, key: SigningKey = WITNESS) -> Note:
    return cosign_offline(raw, LOGS, key, state)


def test_month_after_month(tmp_path: Path) -> None:
    state, old = tmp_path / "state", 0
    for size in (1, 100, 100, 256, 700):
        note = cosigned(request(old, size), state)
        found = require_head(note, ORIGIN, [LOG.verifier, WITNESS.verifier])
        assert found.checkpoint.size == size
        assert [by.key for by in found.cosignatures] == [WITNESS.verifier]
        assert state.read_bytes() == str(note).encode()
        old = size
    assert {file.name for file in tmp_path.iterdir()} == {"state", "state.lock"}


def test_what_was_cosigned_is_given_again_and_not_signed_again(tmp_path: Path) -> None:
    first = cosigned(request(0, 100), tmp_path / "state")
    assert cosigned(request(0, 100), tmp_path / "state") == first
    assert cosigned(request(100, 100), tmp_path / "state") == first


def test_what_does_not_extend_it_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    cosigned(request(0, 300), state)
    before = state.read_bytes()
    good = request(300, 600)
    for raw, why in (
        (request(0, 600), OtherThanHeld),
        (request(100, 200), OtherThanHeld),
        (request(300, 300, rewritten=True), Contradiction),
        (request(300, 600, rewritten=True), Inconsistent),
        (str(Request(300, (), head(600))).encode(), Inconsistent),
        (request(300, 600, by=STRANGER), NotSigned),
        (good.replace(b"\n600\n", b"\n601\n"), BadSignature),
        (request(300, 600, by=LOG._replace(name="elsewhere")), UnknownLog),
    ):
        with pytest.raises(why):
            cosigned(raw, state)
        assert state.read_bytes() == before
    cosigned(good, state)


def test_another_ones_state_or_another_logs_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    note = cosigned(request(0, 300), state)
    wheat = SigningKey("wheat", KeyKind.LOG, STRANGER.private)
    with pytest.raises(UnfitState, match="wheat"):
        cosign_offline(request(300, 600, by=wheat), [*LOGS, wheat.verifier], WITNESS, state)
    other = SigningKey("library", KeyKind.WITNESS, Ed25519PrivateKey.generate())
    with pytest.raises(UnfitState, match="library"):
        cosigned(request(300, 600), state, other)
    for content in (b"", b"?\n", str(note).encode().replace(b"\n300\n", b"\n299\n")):
        state.write_bytes(content)
        with pytest.raises(UnfitState):
            cosigned(request(300, 600), state)


def test_two_who_cosign_at_once(tmp_path: Path) -> None:
    cosigned(request(0, 100), tmp_path / "state")
    start = threading.Barrier(6)

    def sign(n: int) -> int:
        start.wait()
        try:
            cosigned(request(100, 101 + n), tmp_path / "state")
        except OtherThanHeld:
            return 0
        return 101 + n

    with ThreadPoolExecutor(6) as pool:
        sizes = list(pool.map(sign, range(6)))
    assert sorted(sizes)[:5] == [0] * 5
    assert f"\n{max(sizes)}\n" in (tmp_path / "state").read_text(encoding="utf-8")


# The key's file.


def test_a_key_is_made_once_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "witness"
    made = make_signing_key(file, "ethics.example.org/witness", KeyKind.WITNESS)
    assert signing_key(file, KeyKind.WITNESS).verifier == made.verifier
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(FileExistsError):
        make_signing_key(file, "ethics.example.org/witness", KeyKind.WITNESS)
    assert signing_key(file, KeyKind.WITNESS).verifier == made.verifier
    with pytest.raises(NoSigningKey):
        signing_key(file, KeyKind.LOG)
    with pytest.raises(MalformedKey):
        make_signing_key(tmp_path / "other", "two words", KeyKind.WITNESS)


def test_a_key_that_is_none_or_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / "witness"
    with pytest.raises(NoSigningKey):
        signing_key(file, KeyKind.WITNESS)
    make_signing_key(file, "ethics", KeyKind.WITNESS)
    line = file.read_text(encoding="utf-8")
    for content in ("", "?", line[:-3], line.replace("ethics", "others"), line[8:]):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(NoSigningKey):
            signing_key(file, KeyKind.WITNESS)
    file.write_text(line, encoding="utf-8")
    file.chmod(0o640)
    with pytest.raises(KeysUnusable, match="0640"):
        signing_key(file, KeyKind.WITNESS)


# At the terminal.


def test_cosigning_at_the_terminal(tmp_path: Path) -> None:
    made = parcycle("witness", "key", "library.example.org", "--file", tmp_path / "key")
    public = re.search(r"library\.example\.org\+\S+", made.stdout)
    assert public is not None
    again = parcycle("witness", "key", "library.example.org", "--file", tmp_path / "key")
    assert public[0] in again.stdout
    (tmp_path / "policy").write_text(POLICY, encoding="utf-8")

    def cosign(raw: bytes) -> tuple[int, str]:
        (tmp_path / "request").write_bytes(raw)
        names = ("policy", "key", "state", "out")
        options = [part for name in names for part in (f"--{name}", tmp_path / name)]
        done = parcycle("cosign", tmp_path / "request", *options)
        return done.returncode, done.stdout + done.stderr

    status, said = cosign(request(0, 300))
    assert (status, "300 events" in said, "the first" in said) == (0, True, True)
    status, said = cosign(request(300, 600))
    assert (status, "600 events" in said, "the first" in said) == (0, True, False)
    key = VerifierKey.parse(public[0])
    note = Note.parse((tmp_path / "out").read_bytes())
    assert require_head(note, ORIGIN, [LOG.verifier, key]).checkpoint.size == 600
    status, said = cosign(request(300, 700))
    assert (status, "Ask the study's team for a request from 600." in said) == (1, True)
    status, said = cosign(request(600, 700, rewritten=True))
    assert (status, "it is proof" in said) == (1, True)
    assert Note.parse((tmp_path / "out").read_bytes()) == note
    for lines in ("quorum none\n", "log ?\nquorum none\n"):
        (tmp_path / "policy").write_text(lines, encoding="utf-8")
        assert cosign(request(600, 700))[0] == 1


def test_parcycle_verify_runs_the_same_file(tmp_path: Path) -> None:
    study = sealed_study(20, 10)
    policy, bundle, kept = (tmp_path / name for name in ("policy", "bundle.zip", "accepted"))
    policy.write_text(POLICY, encoding="utf-8")
    bundle.write_bytes(study.bundle())
    done = parcycle("verify", policy, bundle, "--accepted", kept, "--accept")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "All of this bundle holds.")
    assert kept.read_bytes() == study.checkpoints[20]
    bundle.write_bytes(study.bundle()[:-1])
    done = parcycle("verify", policy, bundle)
    assert done.returncode == 2
    assert done.stdout.startswith(f"FORMAT: {verify.MEANING['FORMAT']}")
    assert parcycle("verify", policy, bundle, "--accept").returncode == 1
