"""A sealed field opens for its own event, path, subjects and keys, and for nothing else."""

import hashlib
import unicodedata
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from service.sealing.leaves import SealedField, commitment
from service.sealing.sealed_fields import (
    Altered,
    KeyGone,
    Opened,
    name_tokens,
    open_sealed,
    seal,
)

EVENT = UUID("019389a1-7c00-7abc-8def-0123456789ab")
PEOPLE = ["member:ana", "participant:P-07", "participant:P-08"]
KEYS = {subject: hashlib.sha256(subject.encode()).digest() for subject in PEOPLE}
WHERE: dict[str, Any] = {
    "origin": "record.example.org/parcycle/maize",
    "event_id": EVENT,
    "path": "notes",
    "subjects": PEOPLE[:2],
}

groups = st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True)


def sealed(data: bytes = b"She asked for a stool.", **said: Any) -> SealedField:
    return seal(KEYS, data=data, **WHERE | said)


def opened(field: SealedField | bytes, keys: dict[str, bytes] = KEYS, **said: Any) -> Opened:
    blob = field if isinstance(field, bytes) else field.blob
    return open_sealed(keys, blob=blob, **WHERE | said)


@given(st.binary(max_size=300), groups)
def test_what_is_sealed_opens_and_is_what_was_committed_to(data: bytes, people: list[str]) -> None:
    field = sealed(data, subjects=people)
    salt, found = opened(field, subjects=reversed(people))
    assert found == data
    assert commitment(salt, EVENT, "notes", data) == field.commitment
    assert hashlib.sha256(field.blob).digest() == field.digest
    assert field.subjects == tuple(sorted(people))


def test_a_blob_opened_by_an_independent_reading_of_the_format() -> None:
    field = sealed(b"yes", subjects=["member:ana"])
    texts = [b"record.example.org/parcycle/maize", b"notes", b"member:ana"]
    identity = b"par-sealed/1\0" + b"\0\1" + EVENT.bytes
    identity += b"".join(len(text).to_bytes(4, "big") + text for text in texts)
    # RFC 5869 by hand: with no salt, extract under 32 zero bytes; one block of output is enough.
    extracted = hmac_sha256(bytes(32), KEYS["member:ana"])
    key = hmac_sha256(extracted, identity + b"\x01")
    assert field.blob[:3] == b"\x01\x00\x01"
    plain = AESGCM(key).decrypt(field.blob[3:15], field.blob[15:], identity)
    assert plain[32:] == b"yes\x80" + bytes(60)
    assert commitment(plain[:32], EVENT, "notes", b"yes") == field.commitment


def hmac_sha256(key: bytes, said: bytes) -> bytes:
    """RFC 2104, by hand."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + said).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()


@given(st.binary(max_size=150), st.integers(0), st.integers(1, 255))
def test_an_altered_byte_is_refused(data: bytes, at: int, change: int) -> None:
    blob = bytearray(sealed(data).blob)
    blob[at % len(blob)] ^= change
    with pytest.raises(Altered, match=f"notes of event {EVENT}"):
        opened(bytes(blob))


@given(st.binary(max_size=150), st.integers(0), st.binary(min_size=1, max_size=130))
def test_a_cut_or_lengthened_blob_is_refused(data: bytes, keep: int, more: bytes) -> None:
    blob = sealed(data).blob
    for other in (blob[: keep % len(blob)], blob + more, more + blob, more):
        with pytest.raises(Altered):
            opened(other)


@given(st.integers(0, 2**16 - 1).filter(lambda version: version != 1))
def test_another_key_version_is_refused(version: int) -> None:
    blob = sealed().blob
    with pytest.raises(Altered):
        opened(blob[:1] + version.to_bytes(2, "big") + blob[3:])


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"origin": "record.example.org/parcycle/maiz"},
        {"event_id": UUID(int=EVENT.int + 1)},
        {"path": "roster"},
        {"path": "note"},
        {"subjects": ["member:ana"]},
        {"subjects": ["member:ana", "participant:P-08"]},
        {"subjects": PEOPLE},
    ],
)
def test_a_blob_moved_to_another_place_is_refused(elsewhere: dict[str, Any]) -> None:
    with pytest.raises(Altered):
        opened(sealed(), **elsewhere)
    with pytest.raises(Altered):
        opened(sealed(**elsewhere))


@given(st.lists(groups, min_size=2, max_size=2, unique_by=lambda group: frozenset(group)))
def test_only_the_keys_of_the_very_same_people_open_it(of: list[list[str]]) -> None:
    field = sealed(subjects=of[0])
    with pytest.raises(Altered):
        opened(field, subjects=of[1])


@given(groups, st.data())
def test_without_the_key_of_any_one_subject_it_is_gone(
    people: list[str], data: st.DataObject
) -> None:
    field = sealed(subjects=people)
    erased = data.draw(st.sampled_from(people))
    left = {subject: key for subject, key in KEYS.items() if subject != erased}
    with pytest.raises(KeyGone, match=erased):
        opened(field, left, subjects=people)
    with pytest.raises(KeyGone, match=erased):
        seal(left, data=b"", **WHERE | {"subjects": people})
    with pytest.raises(Altered):  # nor does a key that is made anew
        opened(field, left | {erased: bytes(32)}, subjects=people)


def test_sealed_twice_the_same_data_look_different() -> None:
    one, other = sealed(), sealed()
    assert one.commitment != other.commitment
    assert one.blob[3:15] != other.blob[3:15]
    assert one.blob[15:] != other.blob[15:]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_padding_hides_lengths_within_a_block_of_64_bytes(one: bytes, other: bytes) -> None:
    lengths = {len(sealed(data).blob) for data in (one, other)}
    assert (len(lengths) == 1) == (len(one) // 64 == len(other) // 64)


@pytest.mark.parametrize(
    "padding", [bytes(64), b"\x80" + bytes(127), b"x" * 64, b"\x80" + b"x" * 63]
)
def test_padding_that_we_would_not_make_is_refused(padding: bytes) -> None:
    identity = b"par-sealed/1\0" + b"\0\1" + EVENT.bytes
    for text in (b"record.example.org/parcycle/maize", b"notes", b"member:ana"):
        identity += len(text).to_bytes(4, "big") + text
    key = hmac_sha256(hmac_sha256(bytes(32), KEYS["member:ana"]), identity + b"\x01")
    blob = b"\1\0\1" + bytes(12) + AESGCM(key).encrypt(bytes(12), bytes(32) + padding, identity)
    with pytest.raises(Altered):
        opened(blob, subjects=["member:ana"])


def test_a_field_without_subjects_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="subject"):
        sealed(subjects=[])


def test_a_name_is_found_by_the_whole_or_any_word_however_it_is_written() -> None:
    key = bytes(32)
    name = "Anne-Marie  O\N{RIGHT SINGLE QUOTATION MARK}Brien"
    held = name_tokens(key, name)
    assert held[0] == name_tokens(key, "ANNE MARIE o'brien")[0]
    for word in ("Marie", "ANNE", "brien", "\N{FULLWIDTH LATIN CAPITAL LETTER O}"):
        (token,) = name_tokens(key, word)
        assert token in held
    assert not set(held) & set(name_tokens(key, "Annette Obrien"))
    assert not set(held) & set(name_tokens(bytes(31) + b"\1", name))


def test_words_of_any_script_stay_whole() -> None:
    assert len(name_tokens(bytes(32), "अनीता शर्मा")) == 3
    assert name_tokens(bytes(32), "Straße") == name_tokens(bytes(32), "STRASSE")
    decomposed = unicodedata.normalize("NFD", "Zoë")
    assert name_tokens(bytes(32), decomposed) == name_tokens(bytes(32), "Zoë")


@given(st.text(st.characters(max_codepoint=126), max_size=30))
def test_tokens_are_16_bytes_each_once_and_nothing_has_none(name: str) -> None:
    tokens = name_tokens(bytes(32), name)
    assert len(set(tokens)) == len(tokens)
    assert all(len(token) == 16 for token in tokens)
    assert bool(tokens) == any(c.isalnum() for c in name)
