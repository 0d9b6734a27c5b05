"""verify.py: each attack on a sealed record is reported by its name, and an honest one holds."""

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from service.sealing import verify
from service.sealing.evidence_bundle import OpenPart
from service.sealing.verify import CANNOT_TELL, MEANING
from tests.sealed_study import (
    LOG,
    NO_WITNESS,
    PEOPLE,
    POLICY,
    SealedStudy,
    found_in,
    recorded_at,
    remade,
    sealed_study,
)

HONEST = sealed_study()
BUNDLE = HONEST.bundle()
HONEST_THEN = HONEST.copy()  # as it was, a hundred events before
del HONEST_THEN.rows[500:], HONEST_THEN.checkpoints[600]
HONEST_THEN.tiles[1] = HONEST_THEN.tiles[1][: 244 * 32]
LAST_ACCEPTED = HONEST.checkpoints[500]
WITHDRAWN = 252  # the position of a withdrawal, sealed under the checkpoint of 300 events


def test_an_honest_bundle_holds() -> None:
    assert found_in(BUNDLE) == {}
    for size in (100, 500, 600):
        assert found_in(BUNDLE, accepted=HONEST.checkpoints[size]) == {}


@pytest.mark.parametrize("events", [1, 2, 255, 256, 257, 511, 512, 513, 1025])
def test_records_of_any_size_hold(events: int) -> None:
    study = sealed_study(events, 97)
    checked = verify.Bundle(POLICY, io.BytesIO(study.bundle()))
    assert checked.found == {}
    assert checked.size == events


def test_what_a_bundle_holds_is_counted() -> None:
    checked = verify.Bundle(POLICY, io.BytesIO(BUNDLE))
    notes = sum(len(row.parts) for row in HONEST.rows)
    opened = sum(isinstance(part, OpenPart) for row in HONEST.rows for part in row.parts)
    assert (checked.open, checked.sealed) == (600 + opened, notes - opened)
    assert checked.erased == 599 - notes > 0  # every event but the erasure has a note
    assert checked.head.times.keys() == {"ethics"}


def test_all_events_about_somebody_are_listed() -> None:
    about = PEOPLE[2]
    listed = verify.Bundle(POLICY, io.BytesIO(BUNDLE), None, about).listed
    expected = [row.position for row in HONEST.rows if f"tag {about}\n".encode() in row.leaf]
    assert [int(each.split(",")[0].removeprefix("event ")) for each in listed] == expected
    assert all(f'"participant":"{about}"' in each for each in listed)
    assert verify.Bundle(POLICY, io.BytesIO(BUNDLE), None, about[:-1]).listed == []


# What somebody does to the record.


def edited(study: SealedStudy) -> None:
    row = study.rows[WITHDRAWN - 1]
    study.rows[WITHDRAWN - 1] = row._replace(leaf=row.leaf.replace(b"Withdrawn/", b"Given/"))


def deleted(study: SealedStudy) -> None:
    del study.rows[WITHDRAWN - 1]


def closed_up(study: SealedStudy) -> None:
    """Deleted, with the positions of what follows moved, and a made-up event at the end."""
    rows = study.rows
    rows[WITHDRAWN - 1 :] = [row._replace(position=row.position - 1) for row in rows[WITHDRAWN:]]
    study.record("ConsentGiven", PEOPLE[0], event_id=UUID(int=5))


def reordered(study: SealedStudy) -> None:
    one, other = study.rows[WITHDRAWN - 1], study.rows[WITHDRAWN]
    study.rows[WITHDRAWN - 1] = other._replace(position=one.position)
    study.rows[WITHDRAWN] = one._replace(position=other.position)


def truncated(study: SealedStudy) -> None:
    del study.rows[480:]


def restored(study: SealedStudy) -> None:
    """From a backup of after 450 events; then the study went on."""
    del study.rows[450:]
    for _ in range(150):
        study.record("ConsentGiven", PEOPLE[1], words="After the restore.")


ALTERED: dict[Callable[[SealedStudy], None], tuple[set[str], set[str]]] = {
    # by the database's administrator / by who has the log's key too, before a committee's eyes
    edited: ({"EDITED", "ROOT"}, {"FORKED"}),
    deleted: ({"DELETED", "ROOT"}, {"FORKED"}),
    closed_up: ({"DELETED", "EDITED", "ROOT"}, {"FORKED"}),
    reordered: ({"REORDERED", "BACKDATED", "ROOT"}, {"FORKED", "BACKDATED"}),
    truncated: ({"TRUNCATED", "ROOT"}, {"ROLLED BACK"}),
    restored: ({"EDITED", "ROOT"}, {"FORKED"}),
}


@pytest.mark.parametrize("attack", ALTERED)
def test_an_altered_record_without_the_logs_key(attack: Callable[[SealedStudy], None]) -> None:
    study = HONEST.copy()
    attack(study)
    by_name, _ = ALTERED[attack]
    assert found_in(study.bundle()).keys() == by_name


@pytest.mark.parametrize("attack", ALTERED)
def test_an_altered_record_signed_anew_with_the_logs_key(
    attack: Callable[[SealedStudy], None],
) -> None:
    study = HONEST.copy()
    attack(study)
    if attack is deleted:  # whoever signs anew closes the gap too
        study.rows[WITHDRAWN - 1 :] = [
            row._replace(position=row.position - 1) for row in study.rows[WITHDRAWN - 1 :]
        ]
    sizes = [size for size in study.checkpoints if size <= len(study.rows)]
    study.checkpoints.clear()
    for size in {*sizes, len(study.rows)}:
        study.sign(size, by=[LOG])
    bundle = study.bundle()
    _, by_name = ALTERED[attack]
    assert found_in(bundle, NO_WITNESS, LAST_ACCEPTED).keys() == by_name
    assert found_in(bundle, POLICY, LAST_ACCEPTED).keys() == {*by_name, "QUORUM"}
    assert "QUORUM" in found_in(bundle, POLICY)  # the committee's witness alone would do, too


def test_each_failure_says_which_event() -> None:
    study = HONEST.copy()
    edited(study)
    report = found_in(study.bundle())
    assert report["EDITED"] == ["event 252"]
    assert report["ROOT"][0].startswith("events 201 to 300: ")
    truncated(study)
    assert found_in(study.bundle())["TRUNCATED"] == ["events 481 to 600"]


def test_two_views_of_one_size_are_a_fork() -> None:
    view = HONEST.copy()
    view.record("ConsentGiven", PEOPLE[0])
    mine, other = view.copy(), HONEST.copy()
    other.record("ConsentWithdrawn", PEOPLE[0])
    for study in (mine, other):
        study.sign(by=[LOG])
    assert found_in(other.bundle(), NO_WITNESS) == {}
    assert found_in(other.bundle(), NO_WITNESS, mine.checkpoints[601]).keys() == {"FORKED"}
    other.checkpoints[600] = mine.sign(600)
    assert found_in(other.bundle(), NO_WITNESS) == {}
    mine.rows[599] = mine.rows[599]._replace(leaf=edited_leaf(mine.rows[599].leaf))
    other.checkpoints[600] = mine.sign(600, by=[LOG])  # a server contradicts itself in one bundle
    assert found_in(other.bundle(), NO_WITNESS).keys() == {"FORKED"}


def edited_leaf(leaf: bytes) -> bytes:
    return leaf.replace(b"\nana\n", b"\neva\n")


def test_an_old_bundle_is_not_taken_for_the_newest() -> None:
    assert found_in(sealed_study(400).bundle(), accepted=LAST_ACCEPTED).keys() >= {"ROLLED BACK"}


# What somebody does who seals it all properly, and whose witness cosigns.


def test_a_backdated_event() -> None:
    study = HONEST.copy()
    study.record("ConsentGiven", PEOPLE[0], at=recorded_at(594))
    study.sign()
    assert found_in(study.bundle()).keys() == {"BACKDATED"}
    study.rows.pop()
    study.record("ConsentGiven", PEOPLE[0], at=recorded_at(600))
    study.sign()
    assert found_in(study.bundle()) == {}  # two clocks may differ so much


def test_an_event_backdated_to_where_nothing_happened() -> None:
    study = HONEST.copy()
    study.sign(cosigned=recorded_at(620))  # the witness saw no more, twenty minutes later
    study.record("ConsentGiven", PEOPLE[0], at=recorded_at(605))
    study.sign(cosigned=recorded_at(626))
    assert found_in(study.bundle()).keys() == {"BACKDATED"}
    at_a_meeting = POLICY.replace(" https://ethics.example.org/", "")
    assert found_in(study.bundle(), at_a_meeting) == {}  # who cosigns weeks later cannot tell


def test_a_replayed_event() -> None:
    study = HONEST.copy()
    study.rows.append(study.rows[99]._replace(position=601))
    study.sign()
    assert found_in(study.bundle()).keys() == {"REPLAYED", "BACKDATED"}


def test_a_replayed_content_under_another_id() -> None:
    study = HONEST.copy()
    old = study.rows[99]
    new = study.record("ConsentGiven", PEOPLE[0], event_id=UUID(int=7))
    line = next(line for line in old.leaf.split(b"\n") if line.startswith(b"pub "))
    own = next(line for line in new.leaf.split(b"\n") if line.startswith(b"pub "))
    study.rows[-1] = old._replace(position=601, leaf=new.leaf.replace(own, line), parts=())
    study.sign()
    assert found_in(study.bundle()).keys() == {"CONTENT"}


def test_an_event_of_another_study() -> None:
    study = HONEST.copy()
    row = study.record("ConsentGiven", PEOPLE[0])
    study.rows[-1] = row._replace(leaf=row.leaf.replace(b"/maize\n", b"/barley\n"))
    study.sign()
    assert found_in(study.bundle()).keys() == {"FOREIGN"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"par-leaf/1\n", b"par-leaf/2\n"),
        (b"\npub ", b"\nnub "),
        (b"tag participant", b"tag  participant"),
        (b".000000Z", b".000Z"),
        (b"ConsentGiven/1", b"ConsentGiven"),
        (b"\nana\n", b"\n"),
        (b"ana", "añá".encode()),
    ],
)
def test_a_malformed_leaf(old: bytes, new: bytes) -> None:
    study = HONEST.copy()
    row = study.record("ConsentGiven", PEOPLE[0])
    study.rows[-1] = row._replace(leaf=row.leaf.replace(old, new, 1))
    study.sign()
    assert found_in(study.bundle()).keys() == {"FOREIGN"}


# What no log can show: deploy/verifying.md says so openly.


def test_what_cannot_be_detected() -> None:
    study = HONEST.copy()
    study.record("ConsentGiven", PEOPLE[0], words="Made up from nothing, by who can write.")
    study.sign()
    assert found_in(study.bundle(), accepted=LAST_ACCEPTED) == {}
    unsealed = HONEST.copy()  # edited before it was sealed
    unsealed.record("ConsentWithdrawn", PEOPLE[0])
    edited_leaf_now = unsealed.rows[-1].leaf.replace(b"Withdrawn", b"Given")
    unsealed.rows[-1] = unsealed.rows[-1]._replace(leaf=edited_leaf_now)
    unsealed.sign()
    assert found_in(unsealed.bundle(), accepted=LAST_ACCEPTED) == {}
    alone = HONEST.copy()  # a history written anew, whose witness is in on it and nobody kept notes
    edited(alone)
    for size in alone.checkpoints:
        alone.sign(size)
    assert found_in(alone.bundle()) == {}
    assert found_in(alone.bundle(), accepted=LAST_ACCEPTED).keys() == {"FORKED"}


# At the terminal.


def run(tmp_path: Path, bundle: bytes, *arguments: str) -> tuple[int, str]:
    """verify.py alone, by a Python that knows nothing of us."""
    (tmp_path / "policy").write_text(POLICY, encoding="utf-8")
    (tmp_path / "bundle.zip").write_bytes(bundle)
    done = subprocess.run(
        [sys.executable, "-I", "-S", verify.__file__, "policy", "bundle.zip", *arguments],
        cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_it_says_that_all_holds_and_keeps_what_was_accepted(tmp_path: Path) -> None:
    kept = tmp_path / "accepted"
    status, said = run(tmp_path, HONEST_THEN.bundle(), "--accepted", "accepted", "--accept")
    assert status == 0
    assert said.splitlines()[-1] == "All of this bundle holds."
    assert "nothing you accepted before" in said
    assert kept.read_bytes() == HONEST_THEN.checkpoints[500]
    status, said = run(tmp_path, BUNDLE, "--accepted", "accepted")
    assert (status, kept.read_bytes()) == (0, HONEST_THEN.checkpoints[500])
    status, _ = run(tmp_path, BUNDLE, "--accepted", "accepted", "--accept")
    assert (status, kept.read_bytes()) == (0, HONEST.checkpoints[600])
    status, said = run(tmp_path, HONEST_THEN.bundle(), "--accepted", "accepted", "--accept")
    assert status == 1
    assert said.startswith("ROLLED BACK: ")
    assert kept.read_bytes() == HONEST.checkpoints[600]
    assert {path.name for path in tmp_path.iterdir()} == {"accepted", "bundle.zip", "policy"}


def test_it_says_what_failed_where_and_what_it_means(tmp_path: Path) -> None:
    study = HONEST.copy()
    edited(study)
    status, said = run(tmp_path, study.bundle())
    assert status == 1
    assert f"EDITED: {MEANING['EDITED']}\n  event 252\n" in said
    assert said.endswith("This bundle does not hold.\n")
    assert run(tmp_path, b"PK")[0] == 2
    assert run(tmp_path, BUNDLE, "--accepted", "nowhere")[0] == 2
    withheld = HONEST.copy()
    withheld.rows = [row._replace(parts=()) for row in withheld.rows]
    status, said = run(tmp_path, withheld.bundle())
    assert status == 1
    assert len(said.splitlines()) < 60
    assert "more\n" in said


def test_the_events_about_somebody_at_the_terminal(tmp_path: Path) -> None:
    status, said = run(tmp_path, BUNDLE, "--about", PEOPLE[2])
    assert status == 0
    about = sum(f"tag {PEOPLE[2]}\n".encode() in row.leaf for row in HONEST.rows)
    assert said.count("event ") == about
    assert f"{about} events have the tag {PEOPLE[2]}, and no others." in said


def test_a_hostile_bundle_cannot_command_the_terminal(tmp_path: Path) -> None:
    study = HONEST.copy()
    study.record("ConsentGiven", PEOPLE[0], payload=b'"\x1b[2J\x9b\r\n"')
    study.sign()
    status, said = run(tmp_path, study.bundle(), "--about", PEOPLE[0])
    assert status == 0
    assert all(character.isprintable() or character == "\n" for character in said)
    edited(study)
    status, said = run(tmp_path, remade(study.bundle(), **{"\x1b[2J": LAST_ACCEPTED}))
    assert status == 1
    assert "ROOT" in said
    assert all(character.isprintable() or character == "\n" for character in said)


@given(st.binary(max_size=80), st.integers(0, 3), st.binary(min_size=64, max_size=64))
def test_signatures_are_verified_as_others_verify_them(
    message: bytes, which: int, noise: bytes
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(message).digest())
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    s = int.from_bytes(signature[32:], "little") + verify.L
    tried = [signature, noise, signature[:32] + s.to_bytes(32, "little"), signature[:63]][which]
    try:
        key.public_key().verify(tried, message)
    except InvalidSignature:
        accepted = False
    else:
        accepted = True
    assert accepted == (which == 0)
    try:
        assert verify.ed25519(public, message, tried) == accepted
    except ValueError:
        assert not accepted


def test_every_failure_is_explained_to_the_committee() -> None:
    page = Path("deploy/verifying.md").read_text(encoding="utf-8")
    for name, means in MEANING.items():
        assert f"**{name}**" in page, name
        assert len(f"{name}: {means}") < 80
        assert means[-1] == "."
    assert MEANING.keys() > CANNOT_TELL


def test_one_file_that_is_read_in_one_sitting() -> None:
    source = Path(verify.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 250
    assert "fmt:" not in source
