"""No bit of a bundle can change unnoticed: 100,000 random flips, none accepted.

The digest at a bundle's end refuses what happened by chance. Whoever alters on purpose makes the
zip anew; so there are flips within what the zip's files hold too, with the digest to fit: those are
refused by hashes, commitments and signatures alone.
"""

import io
import random
import zipfile
from functools import lru_cache

import pytest

from service.sealing import verify
from tests.sealed_study import found_in, remade, sealed_study

BUNDLE = sealed_study(8, 4).bundle()
# Without earlier checkpoints: there, a cosigner's name that is not known is passed over.
ONE_CHECKPOINT = sealed_study(8, 8).bundle()
FLIPS, FLIPS_INSIDE = 100_000, 5_000


def accepted(bundle: bytes) -> bool:
    return not found_in(bundle)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_flip_of_a_bit_of_the_file_is_accepted() -> None:
    chance = random.Random(4)
    assert accepted(BUNDLE)
    assert not [
        bit
        for bit in (chance.randrange(len(BUNDLE) * 8) for _ in range(FLIPS))
        if accepted(flipped(BUNDLE, bit))
    ]


def test_every_flip_of_a_bit_at_the_files_ends_is_refused() -> None:
    """Of the zip's directory and comment, and of its first local header."""
    for bit in (*range(60 * 8), *range(len(BUNDLE) * 8 - 900 * 8, len(BUNDLE) * 8)):
        assert not accepted(flipped(BUNDLE, bit)), bit


def test_no_flip_within_what_the_zip_holds_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "ed25519", lru_cache(verify.ed25519))  # many flips leave them alone
    chance = random.Random(5)
    with zipfile.ZipFile(io.BytesIO(ONE_CHECKPOINT)) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    assert accepted(remade(ONE_CHECKPOINT))
    names = sorted(held)
    for _ in range(FLIPS_INSIDE):
        (name,) = chance.choices(names, [len(held[name]) for name in names])
        changed = {name: flipped(held[name], chance.randrange(len(held[name]) * 8))}
        assert not accepted(remade(ONE_CHECKPOINT, **changed)), changed


def test_no_byte_can_be_added_or_lost() -> None:
    for at in range(len(BUNDLE)):
        assert not accepted(BUNDLE[:at] + BUNDLE[at + 1 :])
        assert not accepted(BUNDLE[:at] + b"\0" + BUNDLE[at:])
