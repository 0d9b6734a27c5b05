#!/usr/bin/env python3
"""Check an evidence bundle offline, without trusting who made it: verify.py POLICY BUNDLE.zip.

Python 3.11 or newer, nothing else. POLICY is the committee's own file: whose signatures count, and
which cosignatures it asks for (C2SP tlog-policy, without groups of groups). Exit status: 0 all of
the bundle holds, 1 it does not, 2 cannot tell. deploy/verifying.md explains every message.
"""

import argparse
import hashlib
import re
import sys
import textwrap
import zipfile
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

MEANING = {
    "POLICY": "Your policy file is not one: mend it.",
    "ACCEPTED": "Your file of the last accepted checkpoint does not fit.",
    "FORMAT": "The file is damaged, or no evidence bundle: ask for it again.",
    "UNSIGNED": "A checkpoint has no signature by a log key of your policy.",
    "QUORUM": "The checkpoint lacks cosignatures that your policy asks for.",
    "SIGNATURE": "A checkpoint was altered, or its signature was made up.",
    "FORKED": "The study's server has signed histories that contradict one another.",
    "ROLLED BACK": "The record was longer once: its end is gone, or this is old.",
    "ROOT": "Among these events are some that are not as they were sealed.",
    "EDITED": "This is not the event that was sealed here: changed, or put in.",
    "DELETED": "The event that was sealed here is gone.",
    "TRUNCATED": "The last events that were sealed are gone.",
    "REORDERED": "This event was sealed in another place of the record.",
    "REPLAYED": "An event of earlier in the record was put in once more.",
    "ORIGIN": "This belongs to another study.",
    "MALFORMED": "What stands here is no event as the record writes them.",
    "ORDER": "It says it was recorded before the event in front of it.",
    "BACKDATED": "It says it was recorded when a witness saw it was not there yet.",
    "CONTENT": "What is shown of this event is not what was recorded.",
    "CIPHERTEXT": "The encrypted part of this event is not what was recorded.",
    "MOVED": "Another event's encrypted part stands here: moved, or swapped.",
    "WITHHELD": "A part is not here, and no later erasure accounts for it.",
    "UNERASED": "The record says somebody was erased, and this about them is here.",
    "EXTRA": "The record does not know this, or knows it elsewhere.",
}
CANNOT_TELL = {"POLICY", "ACCEPTED", "FORMAT", "UNSIGNED", "QUORUM"}  # the rest show a fault
SHOWN, TOLERANCE = 20, timedelta(minutes=5)  # places named of a failure; between two clocks
KINDS = ("tile/entries", "tile/0", "parts")  # leaves, the hashes they were sealed by, contents
NOTE = re.compile("((\\S+)\n([1-9][0-9]{0,18})\n(\\S{44})\n)\n((?:\u2014 [^\\s+]+ \\S+\n)+)")
TIME = rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\n"
LEAF = re.compile(
    rb"par-leaf/1\n([!-~]+)\n([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n([!-~]+/[1-9]\d*)\n%b%b"
    rb"[!-~]+\n((?:tag [!-~]+\n)*)pub ([0-9a-f]{64})\n"
    rb"((?:enc [!-~]+ [!-~]+ \d+ [0-9a-f]{64} [0-9a-f]{64}\n)*)((?:erase [!-~]+\n)*)" % (TIME, TIME)
)
ENC = re.compile(rb"enc (\S+) (\S+) \d+ (\S+) (\S+)\n")  # path, subjects, digest, commitment
PART = re.compile(rb"([1-9]\d{0,18}) ([!-~]+) (sealed|[0-9a-f]{64}) ([A-Za-z0-9+/]*=*)\n")
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT_OF_MINUS_ONE = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
Hashes = list[bytes]
Keys = dict[tuple[str, bytes], tuple[str, bytes, bool]]  # name, id: witness or "", key, prompt
Parts = dict[tuple[int, bytes], tuple[bytes, bytes]]  # position, path: salt or "sealed", data
sha256 = hashlib.sha256
NO_EVENT = sha256(b"\0").digest()


class CannotTell(Exception):
    """Nothing further can be checked: the failure's name, and where it is."""


def added(p: Point, q: Point) -> Point:
    """The sum of two points of the curve, in extended coordinates (RFC 8032, 5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


@lru_cache
def point(encoded: bytes) -> Point:
    """The point that 32 bytes encode canonically (RFC 8032, 5.1.3). Raises ValueError."""
    y, odd = int.from_bytes(encoded, "little") % 2**255, encoded[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT_OF_MINUS_ONE % P
    if y >= P or x * x % P != square or (x == 0 and odd):
        raise ValueError("not a point of the curve")
    x = x if x % 2 == odd else P - x
    return x, y, 1, x * y % P


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature of the message is this key's (RFC 8032, 5.1.7, without cofactors)."""
    key, base = point(public), point(b"\x58" + b"\x66" * 31)
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus, total = (P - key[0], key[1], 1, P - key[3]), (0, 1, 1, 0)
    sums = (total, base, minus, added(base, minus))
    for bit in reversed(range(253)):  # [s]B - [k]A, both at once, must be R
        total = added(added(total, total), sums[(s >> bit & 1) + 2 * (k >> bit & 1)])
    x, y = (total[n] * pow(total[2], -1, P) % P for n in (0, 1))
    return (
        len(signature) == 64
        and s < L
        and (y | x % 2 << 255).to_bytes(32, "little") == signature[:32]
    )


def base64(text: bytes) -> bytes:
    """The bytes that are written so, and in no other way. Raises ValueError."""
    raw = b64decode(text, validate=True)
    if b64encode(raw) != text:
        raise ValueError("not canonical base64")
    return raw


def read_policy(text: str) -> tuple[Keys, int, set[str]]:
    """Whose signatures count, and how many of which witnesses are asked for. Raises CannotTell."""
    keys: Keys = {}
    named, quorum = {"none": (0, set[str]())}, list[tuple[int, set[str]]]()
    for line in text.splitlines():
        kind, *said = line.split() or ["#"]
        try:
            if kind in ("log", "witness"):
                witness, vkey, *url = ["", *said] if kind == "log" else said
                name, id_, encoded = vkey.split("+", 2)
                kept, key = base64(encoded.encode()), [key for _, key, _ in keys.values()]
                fits = sha256(f"{name}\n".encode() + kept).hexdigest()[:8] == id_
                ours = kept[0] == (4 if witness else 1) and witness not in named
                if not fits or not ours or kept[1:] in key or not point(kept[1:]):
                    raise ValueError("its key is damaged, of another kind, or there already")
                keys[name, bytes.fromhex(id_)] = (witness, kept[1:], bool(url))
                named |= {witness: (1, {witness})} if witness else {}
            elif kind == "group":
                name, needed, *of = said
                k = {"any": 1, "all": len(of)}.get(needed) or int(needed)
                if name in named or not 1 <= k <= sum(named[who] == (1, {who}) for who in {*of}):
                    raise ValueError("its name is there already, or it has too few witnesses")
                named[name] = (k, {*of})
            elif kind == "quorum":
                (name,) = said
                quorum.append(named[name])
            elif kind[0] != "#":
                raise ValueError("it is no log, witness, group or quorum")
        except (ValueError, LookupError) as fault:
            raise CannotTell("POLICY", f"{line.strip()}: {fault}") from None
    if len(quorum) != 1:
        raise CannotTell("POLICY", "it has to name one quorum: none, a witness or a group")
    return keys, *quorum[0]


class Checkpoint:
    """What a checkpoint says, and who signed it. Raises ValueError."""

    def __init__(self, where: str, raw: bytes, keys: Keys):
        if (said := NOTE.fullmatch(raw.decode())) is None:
            raise ValueError(f"{where} is not a checkpoint")
        body, self.origin, size, root, lines = said.groups()
        self.size, self.root, self.raw = int(size), base64(root.encode()), raw
        self.where, self.signed, self.broken = f"{where}, of {self.size:,} events", False, False
        self.times, self.floor = dict[str, datetime](), ""  # when which witness cosigned it
        for line in lines.splitlines():
            _, name, encoded = line.split(" ")
            signature = base64(encoded.encode())
            witness, key, prompt = keys.get((name, signature[:4]), ("", b"", False))
            seconds = int.from_bytes(signature[4:12], "big")
            message = f"cosignature/v1\ntime {seconds}\n{body}" if witness else body
            if key and not ed25519(key, message.encode(), signature[12 if witness else 4 :]):
                self.broken = True
            elif witness:
                at = datetime(1970, 1, 1) + timedelta(seconds=min(seconds, 2**37))
                self.times[witness] = at
                self.floor = max(self.floor, (at - TOLERANCE).isoformat()) if prompt else self.floor
            elif key:
                self.signed = self.signed or name == self.origin


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """The bundle, if no bit of it has changed: it ends in the digest of all that is before."""
    left, digest = file.seek(0, 2) - 64, sha256()
    file.seek(0)
    while piece := file.read(max(0, min(left, 1 << 20))):
        digest.update(piece)
        left -= len(piece)
    ending = digest.hexdigest().encode()
    if file.read() != ending or zipfile.ZipFile(file).comment != b"par-bundle/1 sha256:" + ending:
        raise ValueError("it was changed, or not all of it is here")
    return zipfile.ZipFile(file)


def path(kind: str, number: int, size: int) -> str:
    """Where the bundle keeps something of 256 events, or of the last few (C2SP tlog-tiles)."""
    high = "".join(f"x{number // 1000**n % 1000:03}/" for n in (3, 2, 1) if number >= 1000**n)
    partial = f".p/{size % 256}" if number == size // 256 else ""
    return f"{kind}/{high}{number % 1000:03}{partial}"


def tree(*hashes: bytes) -> bytes:
    """The root over some hashes (RFC 6962, 2.1), level by level."""
    while (even := len(hashes) & -2) > 0:
        pairs = zip(hashes[:even:2], hashes[1::2], strict=True)
        hashes = *(sha256(b"\1" + left + right).digest() for left, right in pairs), *hashes[even:]
    return hashes[0]


class Bundle:
    """One pass over a bundle: what is wrong with it, by the failure's name, and where."""

    def __init__(self, policy: str, file: BinaryIO, accepted: bytes | None, about: str):
        keys, needed, witnesses = read_policy(policy)
        self.archive, self.about = opened(file), f"tag {about}\n".encode()
        self.found, self.listed = dict[str, list[str]](), list[str]()
        self.ids, self.owners = set[bytes](), dict[bytes, int]()  # of events, of ciphertexts
        self.missing, self.there = dict[bytes, list[str]](), dict[bytes, str]()  # parts by subjects
        self.gone, self.strange = list[int](), list[tuple[bytes, str]]()
        self.first = self.last = self.floor = b""  # times of recording
        self.open = self.sealed = self.erased = 0  # parts
        names = self.archive.namelist()
        past = [name for name in names if re.fullmatch(r"checkpoints/\d{20}", name)]
        marks = [Checkpoint(n, self.archive.read(n), keys) for n in ("checkpoint", *past)]
        self.head, self.size = marks[0], marks[0].size
        try:
            last = [] if accepted is None else [Checkpoint("your last accepted", accepted, keys)]
        except ValueError as fault:
            raise CannotTell("ACCEPTED", str(fault)) from None
        for mark in last:
            if mark.origin != self.head.origin or mark.broken or not mark.signed:
                raise CannotTell("ACCEPTED", f"{mark.where}: of {mark.origin}, or not by it")
        marks += last
        known = {path(kind, n, self.size) for kind in KINDS for n in range(-(-self.size // 256))}
        if {*names} - known - {"checkpoint", *past} or len({*names}) < len(names):
            self.fail("EXTRA", "a file that is no part of a bundle")
        for mark in marks:
            self.fail("SIGNATURE", mark.where, mark.broken)
            self.fail("UNSIGNED", mark.where, not mark.signed)
            self.fail("ORIGIN", mark.where, mark.origin != self.head.origin)
            self.fail("ROLLED BACK", mark.where, mark.size > self.size)
        has = len(witnesses & self.head.times.keys())
        self.fail("QUORUM", f"{has} of {needed} by {', '.join(sorted(witnesses))}", has < needed)
        self.walk(marks)

    def fail(self, name: str, where: str, wrong: bool = True) -> None:
        if wrong:
            self.found.setdefault(name, []).append(where)

    def walk(self, marks: list[Checkpoint]) -> None:
        """Hold all events, in order, against all checkpoints."""
        stack, ours, sealed, bad = Hashes(), Hashes(), Hashes(), list[Checkpoint]()
        floors = {mark.size: mark.floor for mark in sorted(marks, key=lambda mark: mark.floor)}
        for number in range(-(-self.size // 256)):
            entries, tile, raw = (self.archive.read(path(k, number, self.size)) for k in KINDS)
            leaves, at, first = list[bytes](), 0, number * 256 + 1
            while at < len(entries):
                start, at = at + 2, at + 2 + int.from_bytes(entries[at : at + 2], "big")
                leaves.append(entries[start:at])
            full = len(leaves) == min(256, self.size - first + 1) == len(tile) / 32
            parts = PART.findall(raw)
            here = {(int(n), part): (salt, base64(data)) for n, part, salt, data in parts}
            same = b"".join([b"%b %b %b %b\n" % part for part in parts]) == raw
            if at > len(entries) or not full or not same or len(here) < len(parts):
                raise ValueError("events or their parts are cut off, or there twice")
            hashes = [sha256(b"\0" + leaf).digest() for leaf in leaves]
            ours += hashes
            sealed += [tile[n : n + 32] for n in range(0, len(tile), 32)]
            for mark in marks:
                if first <= mark.size <= min(first + 255, self.size):
                    root = tree(*hashes[: mark.size - first + 1])
                    for left in reversed(stack):
                        root = tree(left, root)
                    bad += [mark] if root != mark.root else []
            above = tree(*hashes)
            while number & 1:
                above, number = tree(stack.pop(), above), number >> 1
            stack.append(above)
            for position, leaf in enumerate(leaves, first):
                self.floor = max(self.floor, floors.get(position - 1, "").encode())
                self.event(position, leaf, here)
            for position, part in here:
                self.fail("EXTRA", f"event {position:,}: {part.decode()}")
        self.conclude([mark.size for mark in marks if mark not in bad], bad, ours, sealed)

    def event(self, position: int, leaf: bytes, here: Parts) -> None:
        """Hold the parts of an event against what its leaf says."""
        if (said := LEAF.fullmatch(leaf)) is None:
            self.gone += [] if leaf else [position]
            return self.fail("MALFORMED", f"event {position:,}", leaf != b"")
        origin, id_, type_, recorded, occurred, tags, public, encs, erased = said.groups()
        where = f"event {position:,}, {type_.decode()} {id_.decode()}, recorded {recorded.decode()}"
        self.fail("ORIGIN", where, origin.decode() != self.head.origin)
        self.fail("REPLAYED", where, id_ in self.ids)
        self.fail("ORDER", where, recorded < self.last)
        self.fail("BACKDATED", where, recorded < self.floor)
        self.ids.add(id_)
        self.first, self.last = self.first or recorded, max(self.last, recorded)
        event_id = bytes.fromhex(id_.decode().replace("-", ""))
        for part, whose, digest, commitment in [(b"pub", b"", b"", public), *ENC.findall(encs)]:
            salt, data = here.pop((position, part), (b"", b""))
            place = f"{where}: {part.decode()}"
            if digest:
                self.owners[digest] = position
            if not salt:
                self.missing.setdefault(whose, []).append(place)
                continue
            self.there |= dict.fromkeys(whose.split(b","), place)
            if salt == b"sealed":
                self.sealed += 1
                is_ = sha256(data).hexdigest().encode()
                self.strange += [(is_, place)] if is_ != digest else []
                continue
            self.open += 1
            named = bytes.fromhex(salt.decode()) + event_id + len(part).to_bytes(2, "big") + part
            made = sha256(b"\2par-commit/1\0" + named + data).hexdigest().encode()
            self.fail("CONTENT", place, made != commitment)
            if part == b"pub" and self.about in tags:
                said_of = data.decode(errors="replace").partition("\n")[2].replace(',"', ', "')
                self.listed += [f"{where}, of {occurred.decode()}:", f"    {said_of}"]
        for subject in erased.replace(b"erase ", b"").split():
            if subject in self.there:
                self.fail("UNERASED", f"{self.there.pop(subject)}, about {subject.decode()}")
            for whose in [each for each in self.missing if subject in each.split(b",")]:
                self.erased += len(self.missing.pop(whose))

    def conclude(self, good: list[int], bad: list[Checkpoint], ours: Hashes, seals: Hashes) -> None:
        """Say what did not fit together, as exactly as can be known."""
        end = self.size
        while self.gone and self.gone[-1] == end:
            end = self.gone.pop() - 1
        self.fail("TRUNCATED", f"events {end + 1:,} to {self.size:,}", end < self.size)
        for position in self.gone:
            self.fail("DELETED", f"event {position:,}")
        for mark in bad:
            first = max([size for size in good if size < mark.size], default=0) + 1
            name = "ROOT" if self.head in bad else "FORKED"
            self.fail(name, f"events {first:,} to {mark.size:,}: {mark.where}")
        self.fail("EXTRA", "hashes that are not the events'", ours != seals and not bad)
        if ours != seals and tree(*seals) == self.head.root:  # then each event's own hash is known
            at, here, last = {each: n for n, each in enumerate(seals, 1)}, {*ours}, 0
            for n, (mine, seal) in enumerate(zip(ours, seals, strict=True), 1):
                was = at.get(mine, 0)
                self.fail("EDITED", f"event {n:,}", not was and mine != NO_EVENT)
                self.fail("REORDERED", f"event {n:,}, which was event {was:,}", 0 < was < last)
                self.fail("DELETED", f"event {n:,}", was > 0 and seal not in here)
                last = max(last, was)
        for digest, place in self.strange:
            if owner := self.owners.get(digest):
                self.fail("MOVED", f"{place}, which is that of event {owner:,}")
            self.fail("CIPHERTEXT", place, not owner)
        for places in self.missing.values():
            self.found.setdefault("WITHHELD", []).extend(places)


def verify(policy: str, file: BinaryIO, accepted: bytes | None = None, about: str = "") -> Bundle:
    """What a bundle holds, and what is wrong with it. Raises CannotTell."""
    try:
        return Bundle(policy, file, accepted, about)
    except Exception as fault:  # whatever a hostile file can make zipfile or us raise
        raise fault if isinstance(fault, CannotTell) else CannotTell("FORMAT", str(fault)) from None


def say(text: str, indent: int = 0) -> None:
    """Print in 80 columns, without anything that could command the terminal."""
    safe = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    print(textwrap.fill(safe, 79, subsequent_indent=" " * indent, break_on_hyphens=False))


def main(arguments: list[str] | None = None) -> int:
    """Say at the terminal whether all of a bundle holds; the exit status."""
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").split(":")[0])
    parser.add_argument("policy", type=Path, help="your own file of whose signatures count")
    parser.add_argument("bundle", type=Path, help="the evidence bundle")
    parser.add_argument("--accepted", type=Path, help="your own file of the last checkpoint")
    parser.add_argument("--accept", action="store_true", help="write it anew if all holds")
    parser.add_argument("--about", default="", help="list the events of a tag: participant:P-07")
    given = parser.parse_args(arguments)
    kept: Path | None = given.accepted
    first = kept is None or (given.accept and not kept.exists())
    try:
        accepted = None if kept is None or first else kept.read_bytes()
        with given.bundle.open("rb") as file:
            bundle = verify(given.policy.read_text("utf-8-sig"), file, accepted, given.about)
        found = bundle.found
    except CannotTell as fault:
        found = {fault.args[0]: [fault.args[1]]}
    except (OSError, UnicodeDecodeError) as fault:
        found = {"FORMAT": [str(fault)]}
    for name, places in found.items():
        say(f"{name}: {MEANING[name]}")
        for place in places[:SHOWN]:
            say(f"  {place}", 4)
        if places[SHOWN:]:
            say(f"  and {len(places) - SHOWN:,} more")
    if found:
        shown = found.keys() - CANNOT_TELL
        say("This bundle does not hold." if shown else "Whether this bundle holds cannot be told.")
        return 1 if shown else 2
    for line in bundle.listed:
        say(line, 4)
    if given.about:
        say(f"{len(bundle.listed) // 2:,} events have the tag {given.about}, and no others.")
    by = ", ".join(f"{who} on {time} UTC" for who, time in sorted(bundle.head.times.items()))
    for line in (
        f"study      {bundle.head.origin}",
        f"events     1 to {bundle.size:,}, none missing, none changed",
        f"recorded   {bundle.first.decode()} to {bundle.last.decode()}",
        f"cosigned   {by or 'by nobody whom your policy names'}",
        f"parts      {bundle.open:,} open, {bundle.sealed:,} encrypted, {bundle.erased:,} erased",
        f"compared   with {kept if not first else 'nothing you accepted before'}",
    ):  # fmt: skip
        say(line, 11)
    say("All of this bundle holds.")
    if given.accept and kept is not None:
        new = kept.with_name(f"{kept.name}.new")
        new.write_bytes(bundle.head.raw)
        new.replace(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
