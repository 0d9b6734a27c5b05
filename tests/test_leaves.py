"""A leaf is, byte for byte, what the format says, and refuses what would not stand in it."""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sealing.leaves import (
    LEAF_BYTES,
    LeafAroundTime,
    LeafTooLong,
    SealedField,
    UnfitForLeaf,
    commitment,
    leaf,
    leaf_around_time,
    public_part,
)

EVENT = UUID("019389a1-7c00-7abc-8def-0123456789ab")
HELD = datetime(2026, 11, 21, 18, 30, tzinfo=timezone(timedelta(hours=1)))
NEPAL = timezone(timedelta(hours=5, minutes=45))
RECORDED = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SALT = bytes(range(32))

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
identifiers = st.from_regex(r"[a-z]{1,9}:[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)


def workshop(**said: Any) -> LeafAroundTime:
    """The leaf of a workshop, but for what is said otherwise."""
    usual: dict[str, Any] = {
        "origin": "record.example.org/parcycle/maize",
        "event_id": EVENT,
        "type_": "WorkshopHeld",
        "schema": 2,
        "occurred_at": HELD,
        "actor": "ana",
        "tags": ["workshop:w-1", "cycle:c-1", "participant:P-07", "cycle:c-1"],
        "public": bytes(32),
    }
    return leaf_around_time(**usual | said)


def field(path: str, *subjects: str) -> SealedField:
    return SealedField(
        path=path, subjects=subjects, key_version=1, blob=b"", digest=b"\xdd" * 32,
        commitment=b"\xcc" * 32,
    )  # fmt: skip


def test_a_golden_leaf() -> None:
    around = workshop(
        sealed=[field("roster", "member:ana", "participant:P-07"), field("notes", "member:ana")],
        erased=["participant:P-09", "participant:P-03", "participant:P-09"],
    )
    expected = f"""\
par-leaf/1
record.example.org/parcycle/maize
019389a1-7c00-7abc-8def-0123456789ab
WorkshopHeld/2
2026-11-23T09:30:00.000000Z
2026-11-21T17:30:00.000000Z
ana
tag cycle:c-1
tag participant:P-07
tag workshop:w-1
pub {"00" * 32}
enc notes member:ana 1 {"dd" * 32} {"cc" * 32}
enc roster member:ana,participant:P-07 1 {"dd" * 32} {"cc" * 32}
erase participant:P-03
erase participant:P-09
"""
    assert leaf(around, RECORDED) == expected.encode()


def test_a_golden_commitment() -> None:
    data = public_part(b'{"role":"facilitator"}', b'{"workshop":"w-1"}')
    by_hand = bytes.fromhex(
        "02" + b"par-commit/1".hex() + "00" + SALT.hex() + EVENT.hex + "0003" + b"pub".hex()
    )
    by_hand += b'{"role":"facilitator"}\n{"workshop":"w-1"}'
    assert commitment(SALT, EVENT, "pub", data) == hashlib.sha256(by_hand).digest()


@given(st.binary(max_size=40), st.integers(0, 39), st.integers(1, 255))
def test_a_commitment_is_to_one_content_of_one_part_of_one_event(
    data: bytes, at: int, change: int
) -> None:
    made = commitment(SALT, EVENT, "notes", data)
    altered = bytearray(data or b"\0")
    altered[at % len(altered)] ^= change
    others = [
        commitment(SALT, EVENT, "notes", bytes(altered)),
        commitment(SALT, EVENT, "notes", data + b"\0"),
        commitment(SALT, EVENT, "note", b"s" + data),
        commitment(SALT, UUID(int=EVENT.int ^ change), "notes", data),
        commitment(SALT[::-1], EVENT, "notes", data),
    ]
    assert made not in others


@given(
    tags=st.lists(identifiers, max_size=6),
    paths=st.lists(words.filter(lambda path: path != "pub"), max_size=3, unique=True),
    subjects=st.lists(identifiers, min_size=1, max_size=3, unique=True),
    erased=st.lists(identifiers, max_size=3),
    moment=st.datetimes(
        datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from([UTC, NEPAL])
    ),
)
def test_what_a_leaf_says_can_be_read_from_its_lines(
    tags: list[str], paths: list[str], subjects: list[str], erased: list[str], moment: datetime
) -> None:
    around = workshop(
        tags=tags, sealed=[field(path, *sorted(subjects)) for path in paths], erased=erased,
        occurred_at=moment,
    )  # fmt: skip
    lines = leaf(around, RECORDED).decode("ascii").split("\n")
    assert lines.pop() == ""
    assert datetime.strptime(lines[5], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) == moment
    found: dict[str, list[list[str]]] = {"tag": [], "pub": [], "enc": [], "erase": []}
    for line in lines[7:]:
        kind, *rest = line.split(" ")
        found[kind].append(rest)
    assert found["tag"] == [[tag] for tag in sorted(set(tags))]
    assert found["pub"] == [["00" * 32]]
    assert [(path, whose) for path, whose, *_ in found["enc"]] == [
        (path, ",".join(sorted(subjects))) for path in sorted(paths)
    ]
    assert found["erase"] == [[subject] for subject in sorted(set(erased))]


@pytest.mark.parametrize("unfit", ["", "two words", "two\nlines", "café", "tab\t", "\x7f"])
def test_a_value_that_is_not_one_ascii_word_is_refused_and_named(unfit: str) -> None:
    for said in (
        {"origin": unfit}, {"type_": unfit}, {"actor": unfit}, {"tags": ["cycle:c-1", unfit]},
        {"erased": [unfit]}, {"sealed": [field(unfit, "member:ana")]},
        {"sealed": [field("notes", "member:ana", unfit)]},
    ):  # fmt: skip
        with pytest.raises(UnfitForLeaf, match=re.escape(repr(unfit))):
            workshop(**said)


@pytest.mark.parametrize(
    "sealed",
    [
        [field("notes", "member:ana,member:ben")],
        [field("notes")],
        [field("notes", "member:ana"), field("notes", "member:ben")],
        [field("pub", "member:ana")],
    ],
)
def test_sealed_fields_that_could_be_taken_for_others_are_refused(
    sealed: list[SealedField],
) -> None:
    with pytest.raises(UnfitForLeaf):
        workshop(sealed=sealed)


def test_a_moment_without_its_offset_is_refused() -> None:
    with pytest.raises(UnfitForLeaf, match="offset"):
        workshop(occurred_at=HELD.replace(tzinfo=None))
    with pytest.raises(UnfitForLeaf, match="offset"):
        leaf(workshop(), RECORDED.replace(tzinfo=None))


def test_a_leaf_is_as_long_as_an_entry_can_be_and_no_longer() -> None:
    tags = [f"participant:{n:05}" for n in range(2_967)]
    missing = LEAF_BYTES - len(leaf(workshop(tags=tags), RECORDED)) - len("tag \n")
    assert missing > 0
    longest = workshop(tags=[*tags, "x" * missing])
    assert len(leaf(longest, RECORDED)) == 65_535
    with pytest.raises(LeafTooLong, match=r"WorkshopHeld .* 65,536 bytes"):
        workshop(tags=[*tags, "x" * (missing + 1)])
