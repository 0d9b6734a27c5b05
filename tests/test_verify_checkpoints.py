"""verify.py on altered checkpoints, on policies that are none and on files that are no bundles."""

import io
import tracemalloc
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.sealing.checkpoints import Checkpoint
from service.sealing.signed_notes import KeyKind, Note, SigningKey, signed
from tests.sealed_study import (
    LOG,
    ORIGIN,
    POLICY,
    TRUSTED,
    WITNESS,
    found_in,
    remade,
    sealed_study,
)

HONEST = sealed_study()
BUNDLE = HONEST.bundle()


@pytest.mark.parametrize("size", [300, 600])
def test_an_altered_checkpoint(size: int) -> None:
    name = "checkpoint" if size == 600 else f"checkpoints/{size:020}"
    note, other = HONEST.checkpoints[size], HONEST.checkpoints[200]
    root, other_root = note.split(b"\n")[2], other.split(b"\n")[2]
    report = found_in(remade(BUNDLE, **{name: note.replace(root, other_root)}))
    assert report.keys() == {"SIGNATURE"}
    *lines, by_log, by_witness = note.decode().splitlines()
    assert found_in(remade(BUNDLE, **{name: signatures(lines, altered(by_log), by_witness)}))
    assert found_in(remade(BUNDLE, **{name: signatures(lines, by_log, altered(by_witness))}))


def altered(line: str) -> str:
    """A signature with another letter in its middle."""
    at = len(line) - 20
    return f"{line[:at]}{'A' if line[at] != 'A' else 'B'}{line[at + 1 :]}"


def signatures(lines: list[str], *by: str) -> bytes:
    return "".join(f"{line}\n" for line in (*lines, *by)).encode()


def test_a_checkpoint_by_another_log_or_witness() -> None:
    stranger = SigningKey(ORIGIN, KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
    study = HONEST.copy()
    study.sign(by=[stranger, WITNESS])
    assert found_in(study.bundle()).keys() == {"SIGNATURE"}
    study.sign(by=[LOG, WITNESS._replace(private=stranger.private)])
    assert found_in(study.bundle()).keys() == {"QUORUM"}
    study.sign(by=[LOG, stranger, WITNESS])  # somebody whom the policy does not name: passed over
    assert found_in(study.bundle()) == {}


def test_a_checkpoint_of_another_log() -> None:
    barley = LOG._replace(name=ORIGIN.replace("maize", "barley"))
    study = HONEST.copy()
    study.sign(by=[barley, WITNESS])
    policy = f"log {barley.verifier}\n{POLICY}".replace(f"log {LOG.verifier}\n", "")
    assert found_in(study.bundle(), policy).keys() == {"SIGNATURE"}


def test_a_quorum_of_some() -> None:
    others = [
        SigningKey(f"w{n}", KeyKind.WITNESS, Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32))
        for n in (8, 9)
    ]
    lines = "".join(f"witness {key.name} {key.verifier}\n" for key in others)
    study = HONEST.copy()
    study.sign(by=[LOG, WITNESS, others[0]])
    bundle = study.bundle()
    for quorum, holds in (
        ("quorum ethics w8", True),
        ("quorum ethics w8 w9", False),
        ("quorum w8", True),
        ("quorum w9", False),
        ("quorum none", True),
    ):
        report = found_in(bundle, f"# ours\n\n{TRUSTED}{lines}\t{quorum}\n")
        assert report.keys() == (set() if holds else {"QUORUM"}), quorum


@pytest.mark.parametrize(
    "policy",
    [
        "",
        TRUSTED,
        f"{POLICY}quorum none\n",
        f"{TRUSTED}quorum somebody\n",
        f"{TRUSTED}quorum\n",
        f"{POLICY}wittness a b\n",
        f"{POLICY}log\n",
        f"{POLICY}log {WITNESS.verifier}\n",
        f"{POLICY}witness other {WITNESS.verifier}\n",
        f"{POLICY}witness other\n",
        f"{POLICY}witness log {LOG.verifier}\n",
        f"{TRUSTED}group g all ethics\nquorum g\n",
        f"{TRUSTED}quorum ethics somebody\n",
        POLICY.replace("+A", "+B", 1),
        POLICY.replace("maize+", "wheat+", 1),
    ],
)
def test_a_policy_that_is_none(policy: str) -> None:
    assert found_in(BUNDLE, policy).keys() == {"POLICY"}


def test_an_accepted_checkpoint_that_does_not_fit() -> None:
    assert found_in(BUNDLE, accepted=b"Sunday\n").keys() == {"FORMAT"}
    wheat = SigningKey("wheat", KeyKind.LOG, Ed25519PrivateKey.from_private_bytes(b"\4" * 32))
    text = Checkpoint("wheat", 3, bytes(32)).text
    note = str(Note(text, (signed(text, wheat),))).encode()
    assert found_in(BUNDLE, accepted=note).keys() == {"SIGNATURE"}
    assert found_in(BUNDLE, f"log {wheat.verifier}\n{POLICY}", note).keys() == {"FOREIGN"}


def test_a_file_that_is_no_bundle() -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for file in (b"", b"PK", BUNDLE[:-1], BUNDLE + b"\0", BUNDLE[1:], empty.getvalue()):
        assert found_in(file).keys() == {"FORMAT"}
    for name in ("checkpoint", "events"):
        assert found_in(remade(BUNDLE, **{name: None})).keys() == {"FORMAT"}, name
        assert found_in(remade(BUNDLE, **{name: b"?"})).keys() == {"FORMAT"}, name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("checkpoint", "is not a checkpoint"),
        (f"checkpoints/{300:020}", "is not a checkpoint"),
        ("events", "event 1 is cut off"),
    ],
)
def test_a_file_that_unpacks_to_very_much_is_given_up_early(name: str, says: str) -> None:
    bomb = remade(BUNDLE, **{name: bytes(64_000_000)})
    tracemalloc.start()
    try:
        report = found_in(bomb)
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()
    assert report.keys() == {"FORMAT"}
    assert report["FORMAT"][0].endswith(says)


def test_sizes_that_no_event_has() -> None:
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as archive:
        events = archive.read("events")
    length = events.partition(b" ")[0]
    for other in (b"0" + length, b"+" + length, b"-1", b"100000", b"9" * 5000, b""):
        changed = remade(BUNDLE, events=other + events[len(length) :])
        assert found_in(changed).keys() == {"FORMAT"}, other
