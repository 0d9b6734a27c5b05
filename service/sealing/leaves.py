"""Leaves: what the sealed record says of each event, in lines of metadata and hashes.

A leaf is ASCII, with a line feed after every line, made at the append and stored as it is; nothing
that is hashed is ever written anew. It holds no personal data: of the event's content there are
only commitments, which tell nothing without their salt.

    par-leaf/1
    <origin>                        <host>/parcycle/<study>
    <event uuid>
    <type>/<schema>
    <recorded_at>                   2026-11-23T09:30:00.000000Z
    <occurred_at>
    <actor pseudonym>
    tag <tag>                       zero or more, sorted, each once
    pub <commitment>                to the public part
    enc <path> <subjects> <key version> <SHA-256 of the blob> <commitment>
                                    zero or more, sorted by path; subjects sorted, joined by ','
    erase <subject>                 zero or more, sorted, each once
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

LEAF_BYTES = 65_535  # an entry's length has 16 bits: C2SP tlog-tiles, section Log Entries
TIME_BYTES = len("2026-11-23T09:30:00.000000Z")
SALT_BYTES = 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PUBLIC = "pub"  # the path of the public part


class LeafTooLong(Exception):
    """The event names more than a leaf can hold."""


class UnfitForLeaf(Exception):
    """A value that would not stand in a leaf as one word."""


class SealedField(Struct, frozen=True, kw_only=True):
    """A personal field sealed for its subjects: its ciphertext, and what the leaf says of it."""

    path: str
    subjects: tuple[str, ...]  # sorted, each once
    key_version: int
    blob: bytes
    digest: bytes  # SHA-256 of the blob
    commitment: bytes


class LeafAroundTime(NamedTuple):
    """A leaf but for `recorded_at`, which the study's lock decides: `before`, then it, `after`."""

    before: bytes
    after: bytes


def commitment(salt: bytes, event_id: UUID, path: str, data: bytes) -> bytes:
    """What binds a leaf to a part of its event: SHA-256 over the part under a salt of 32 bytes.

    Who has salt and data can check it; who has neither cannot guess the data from it. The first
    byte keeps it apart from the hashes of the tree (RFC 6962, 2.1: 0 for leaves, 1 for nodes).
    """
    named = path.encode("ascii")
    return hashlib.sha256(
        b"\x02par-commit/1\x00%b%b%b%b%b"
        % (salt, event_id.bytes, len(named).to_bytes(2, "big"), named, data)
    ).digest()


def public_part(envelope: bytes, payload: bytes) -> bytes:
    """The data of the part `pub`: the envelope's JSON, a line feed, the payload's JSON."""
    return b"%b\n%b" % (envelope, payload)


def in_leaf(moment: datetime) -> str:
    """A moment as leaves write it: in UTC, to the microsecond. It must know its time zone."""
    if moment.tzinfo is None:
        raise UnfitForLeaf(f"{moment.isoformat()} does not say its offset from UTC.")
    since = moment - EPOCH
    minutes, seconds = divmod(since.seconds, 60)
    return f"{_to_the_minute(since.days, minutes)}:{seconds:02}.{since.microseconds:06}Z"


@lru_cache(1_024)
def _to_the_minute(days: int, minutes: int) -> str:
    return (EPOCH + timedelta(days, minutes=minutes)).isoformat()[: len("2026-11-23T09:30")]


def leaf_around_time(
    *,
    origin: str,
    event_id: UUID,
    type_: str,
    schema: int,
    occurred_at: datetime,
    actor: str,
    tags: Iterable[str],
    public: bytes,
    sealed: Sequence[SealedField] = (),
    erased: Collection[str] = (),
) -> LeafAroundTime:
    """The leaf of an event that is about to be appended; `public` commits to its public part.

    Raises `UnfitForLeaf` and `LeafTooLong`.
    """
    about = sorted(set(tags))
    values = [origin, type_, actor, *about]
    lines = ["", in_leaf(occurred_at), "\ntag ".join([actor, *about]), f"pub {public.hex()}"]
    if sealed:
        fields = sorted(sealed, key=lambda field: field.path)
        for field in fields:
            values += [field.path, *field.subjects]
            lines.append(_enc(field))
        _require_a_path_each(fields)
    if erased:
        subjects = sorted(set(erased))
        values += subjects
        lines += [f"erase {subject}" for subject in subjects]
    lines.append("")
    if not all(values) or not _is_one_word("".join(values)):
        _refuse(values)
    before = f"par-leaf/1\n{origin}\n{event_id}\n{type_}/{schema}\n"
    after = "\n".join(lines)
    if (length := len(before) + TIME_BYTES + len(after)) > LEAF_BYTES:
        raise LeafTooLong(
            f"{type_} names too much for one event: its leaf would have {length:,} bytes, and at "
            f"most {LEAF_BYTES:,} are possible. Record it in several events."
        )
    return LeafAroundTime(before.encode("ascii"), after.encode("ascii"))


def leaf(around: LeafAroundTime, recorded_at: datetime) -> bytes:
    """The whole leaf, as the database joins it."""
    return around.before + in_leaf(recorded_at).encode("ascii") + around.after


def _enc(field: SealedField) -> str:
    subjects = ",".join(field.subjects)
    if not field.subjects or subjects.count(",") >= len(field.subjects):
        raise UnfitForLeaf(
            f"{field.path}: its subjects {list(field.subjects)} cannot be told apart in a leaf."
        )
    digest, committed = field.digest.hex(), field.commitment.hex()
    return f"enc {field.path} {subjects} {field.key_version} {digest} {committed}"


def _require_a_path_each(fields: Sequence[SealedField]) -> None:
    """A commitment is to a path: two parts of one path could stand for one another."""
    paths = [PUBLIC, *(field.path for field in fields)]
    if len(set(paths)) < len(paths):
        raise UnfitForLeaf(f"Two parts of one event have the same path, of {paths}.")


def _is_one_word(value: str) -> bool:
    """Printable ASCII but for the space, which parts values in a line; an empty one is none."""
    return value.isascii() and value.isprintable() and " " not in value and value != ""


def _refuse(values: Iterable[str]) -> None:
    unfit = [value for value in values if not _is_one_word(value)]
    raise UnfitForLeaf(
        f"{unfit[0]!r} cannot stand in a leaf: only printable ASCII without spaces can, and "
        "something. Use an identifier."
    )
