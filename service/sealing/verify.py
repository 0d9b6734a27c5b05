#!/usr/bin/env python3
"""Check an evidence bundle offline, without trusting who made it: verify.py POLICY BUNDLE.zip.

Python 3.11 or newer, nothing else. POLICY is the committee's own file: whose signatures count.
Exit status: 0 all holds, 1 it does not, 2 cannot tell. deploy/verifying.md explains the messages.
"""

import argparse
import re
import sys
import zipfile
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256, sha512
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

MEANING = {
    "POLICY": "Your policy file is not one: mend it.",
    "FORMAT": "A file is damaged, or is not what it should be.",
    "SIGNATURE": "A checkpoint is not signed by a log of your policy, or was altered.",
    "QUORUM": "The checkpoint lacks cosignatures that your policy asks for.",
    "FORKED": "The study's server has signed histories that contradict one another.",
    "ROLLED BACK": "The record was longer once: its end is gone, or this is old.",
    "ROOT": "Among these events are some that are not as they were sealed.",
    "EDITED": "This is not the event that was sealed here: changed, or put in.",
    "DELETED": "The event that was sealed here is gone.",
    "TRUNCATED": "The last events that were sealed are gone.",
    "REORDERED": "This event was sealed in another place of the record.",
    "REPLAYED": "An event of earlier in the record was put in once more.",
    "FOREIGN": "This is another study's, or nothing that a study's record writes.",
    "BACKDATED": "It says it was recorded when it demonstrably was not there yet.",
    "CONTENT": "What is here of this event is not what was recorded.",
    "MOVED": "Another event's encrypted part stands here: moved, or swapped.",
    "WITHHELD": "A part is not here, and no later erasure accounts for it.",
    "UNERASED": "The record says somebody was erased, and this about them is here.",
    "EXTRA": "The record does not know this, or knows it elsewhere.",
}
CANNOT_TELL = {"POLICY", "FORMAT", "SIGNATURE", "QUORUM"}  # the rest show a fault
SHOWN, COMMIT = 20, b"\2par-commit/1\0"  # places named of a failure; what commitments begin with
SIGNER = re.compile(r"(?:log|witness (\S+)) ([^ +]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})( \S+)?")
NOTE = re.compile("(([!-~]+)\n([1-9][0-9]{0,18})\n(\\S{44})\n)\n((?:\u2014 [^\\s+]+ \\S+\n)+)")
LEAF = re.compile(
    "par-leaf/1\n([!-~]+)\n([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n([!-~]+/[1-9][0-9]*)\n"
    "([-0-9]{10}T[:0-9]{8}\\.[0-9]{6}Z)\n([-0-9]{10}T[:0-9]{8}\\.[0-9]{6}Z)\n[!-~]+\n"
    "((?:tag [!-~]+\n)*)pub ([0-9a-f]{64})\n"
    "((?:enc [!-~]+ [!-~]+ [0-9]+ [0-9a-f]{64} [0-9a-f]{64}\n)*)((?:erase [!-~]+\n)*)"
)
ENC = re.compile("enc (\\S+) (\\S+) [0-9]+ (\\S+) (\\S+)\n")  # path, subjects, digest, commitment
PART = re.compile(" ([!-~]+) (sealed|[0-9a-f]{64}) (0|[1-9][0-9]*)")  # path, salt, bytes of it
EVENT = re.compile(f"(0|[1-9][0-9]*) ([0-9a-f]{{64}})((?:{PART.pattern})*)\n")  # of leaf, hash
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT_OF_MINUS_ONE = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
GONE = sha256(b"\0").digest()  # the hash of no event
Signers = dict[tuple[str, bytes], tuple[str, bytes, bool]]  # name, id: witness or "", key, prompt


def added(p: Point, q: Point) -> Point:
    """The sum of two points of the curve, in extended coordinates (RFC 8032, 5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


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
    key, base, s = point(public), point(b"\x58" + b"\x66" * 31), signature[32:]
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % L
    n, minus, total = int.from_bytes(s, "little"), (P - key[0], key[1], 1, P - key[3]), (0, 1, 1, 0)
    sums = (total, base, minus, added(base, minus))
    for bit in reversed(range(253)):  # [s]B - [k]A, both at once, must be R
        total = added(added(total, total), sums[(n >> bit & 1) + 2 * (k >> bit & 1)])
    x, y = (total[i] * pow(total[2], -1, P) % P for i in (0, 1))
    return n < L and len(s) == 32 and (y | x % 2 << 255).to_bytes(32, "little") + s == signature


def read_policy(text: str) -> tuple[Signers, set[str]]:
    """Whose signatures count, and which witnesses' are asked for. Raises ValueError."""
    signers, quorums = Signers(), list[set[str]]()
    for line in (" ".join(line.split()) for line in text.splitlines()):
        said = SIGNER.fullmatch(line)
        witness, name, id_, encoded, address = said.groups("") if said else [""] * 5
        key = b64decode(encoded)
        whole = sha256(f"{name}\n".encode() + key).hexdigest()[:8] == id_
        if whole and key[0] == (4 if witness else 1):
            signers[name, bytes.fromhex(id_)] = (witness, key[1:], address != "")
        elif line.startswith("quorum "):
            quorums.append({*line.split()[1:]} - {"none"})
        elif line[:1] not in "#":
            raise ValueError("POLICY", f"damaged, or not understood: {line}")
    if len(quorums) != 1 or not quorums[0] <= {witness for witness, _, _ in signers.values()}:
        raise ValueError("POLICY", "it has to have one quorum: none, or some of its witnesses")
    return signers, quorums[0]


def roots(hashes: list[bytes], sizes: set[int]) -> dict[int, bytes]:
    """The roots over the first so many of the hashes, for some sizes (RFC 6962, 2.1)."""
    full, found = list[bytes](), dict[int, bytes]()  # roots of full subtrees, the largest first
    for size, above in enumerate(hashes, 1):
        half = size
        while half % 2 == 0:
            above, half = sha256(b"\1" + full.pop() + above).digest(), half // 2
        full.append(above)
        if size in sizes:
            found[size] = reduce(lambda low, top: sha256(b"\1" + top + low).digest(), full[::-1])
    return found


class Checkpoint:
    """What a checkpoint says, and when which witnesses cosigned it. Raises ValueError."""

    def __init__(self, where: str, raw: bytes, signers: Signers):
        if (said := NOTE.fullmatch(raw.decode(errors="replace"))) is None:
            raise ValueError("FORMAT", f"{where} is not a checkpoint")
        body, self.origin, size, root, lines = said.groups()
        self.where, self.raw, self.size, self.root = where, raw, int(size), b64decode(root)
        self.times, self.floor, by_log = dict[str, datetime](), "", False
        for name, encoded in re.findall("\u2014 (\\S+) (\\S+)\n", lines):
            signature = b64decode(encoded)
            witness, key, prompt = signers.get((name, signature[:4]), ("", b"", False))
            at, start = int.from_bytes(signature[4:12]), 12 if witness else 4
            message = f"cosignature/v1\ntime {at}\n{body}" if witness else body
            same = b64encode(signature).decode() == encoded
            if key and not (same and ed25519(key, message.encode(), signature[start:])):
                raise ValueError("SIGNATURE", f"{where}, by {name}")
            by_log = by_log or (key != b"" and (witness, name) == ("", self.origin))
            if witness:
                self.times[witness] = datetime.fromtimestamp(at, UTC)
            if prompt:  # it saw then that nothing more was there; two clocks may differ
                self.floor = max(self.floor, f"{datetime.fromtimestamp(at - 300, UTC):%FT%T}")
        if not by_log:
            raise ValueError("SIGNATURE", f"{where}, by no log {self.origin}")


class Bundle:
    """What a bundle holds, and what is wrong with it: `found`, places by the failure's name."""

    def __init__(self, policy: str, file: BinaryIO, accepted: bytes | None = None, about: str = ""):
        self.found, self.tag, self.listed = dict[str, list[str]](), f"tag {about}\n", list[str]()
        self.ids, self.last, self.end = set[str](), "", 0  # events', the last one's time and place
        self.owners, self.strange = dict[str, int](), list[tuple[str, str]]()  # by digests
        self.personal, self.erasures = list[tuple[int, str, str, bool]](), dict[str, int]()
        self.open = self.sealed = self.erased = 0  # parts
        signers, quorum = read_policy(policy)
        archive: Any = zipfile.ZipFile(file)
        names = archive.namelist()
        end, digest = file.seek(0, 2) - 64, sha256()  # the file ends in the digest of the rest
        for at in range(file.seek(0), end, 1 << 20):
            digest.update(file.read(min(1 << 20, end - at)))
        if file.read() != digest.hexdigest().encode() or len({*names}) < len(names):
            raise ValueError("FORMAT", "the bundle was changed, or not all of it is here")
        notes = {name: archive.read(name) for name in ["checkpoint", *names] if name != "events"}
        notes |= {} if accepted is None else {"your last accepted": accepted}
        marks = [Checkpoint(ascii(name), notes[name], signers) for name in notes]
        self.head, self.size, has = marks[0], marks[0].size, marks[0].times.keys()
        self.fail("QUORUM", f"by {', '.join(sorted(quorum - has))}", not quorum <= has)
        for mark in marks:
            self.fail("FOREIGN", mark.where, mark.origin != self.head.origin)
            self.fail("ROLLED BACK", mark.where, mark.size > self.size)
        marks = [mark for mark in marks if mark.origin == self.head.origin]
        marks.sort(key=lambda mark: (mark.size, mark.floor))
        floors = {mark.size: mark.floor for mark in marks}
        ours, seals, events = list[bytes](), list[bytes](), BufferedReader(archive.open("events"))
        for position in range(1, self.size + 1):
            if (said := EVENT.fullmatch(events.readline(1 << 20).decode())) is None:
                raise ValueError("FORMAT", f"event {position:,} is cut off")
            leaf, shown = events.read(int(said[1])), PART.findall(said[3])
            ours.append(sha256(b"\0" + leaf).digest())
            seals.append(bytes.fromhex(said[2]))
            self.last = max(self.last, floors.get(position - 1, ""))
            here = {path: (salt, events.read(int(length))) for path, salt, length in shown}
            self.fail("EXTRA", f"event {position:,}", len(here) < len(shown))
            self.event(position, leaf, here)
        self.fail("EXTRA", "what follows the last event", events.read() != b"")
        self.conclude(marks, ours, seals)

    def fail(self, name: str, where: str, wrong: bool = True) -> None:
        if wrong:
            self.found.setdefault(name, []).append(where)

    def event(self, position: int, leaf: bytes, here: dict[str, tuple[str, bytes]]) -> None:
        """Hold the parts of an event against what its leaf says."""
        self.end = position if leaf else self.end
        said = LEAF.fullmatch(leaf.decode(errors="replace"))
        if said is None or said[1] != self.head.origin:
            return self.fail("FOREIGN", f"event {position:,}", leaf != b"")
        _, id_, type_, recorded, occurred, tags, public, encs, erased = said.groups()
        where = f"event {position:,}, {type_} {id_}, recorded {recorded}"
        self.fail("REPLAYED", where, id_ in self.ids)
        self.fail("BACKDATED", where, recorded < self.last)
        self.ids.add(id_)
        self.last = max(self.last, recorded)
        for subject in erased.split()[1::2]:
            self.erasures[subject] = position
        for path, whose, digest, commitment in [("pub", "", "", public), *ENC.findall(encs)]:
            salt, data = here.pop(path, ("", b""))
            self.owners[digest] = position
            if whose or not salt:
                self.personal.append((position, whose, path, salt != ""))
            bound, held, sealed = b"", digest, salt == "sealed"
            if salt and not sealed:
                named = f"{salt}{id_.replace('-', '')}{len(path):04x}"
                bound, held = COMMIT + bytes.fromhex(named) + path.encode(), commitment
            self.sealed, self.open = self.sealed + sealed, self.open + (bound != b"")
            if salt and (is_ := sha256(bound + data).hexdigest()) != held:
                self.strange.append((is_, f"{where}: {path}"))
            if path == "pub" and self.tag in tags:
                self.listed.append(f"{where}, of {occurred}: {data.decode(errors='replace')!a}")
        self.fail("EXTRA", where, here != {})

    def conclude(self, marks: list[Checkpoint], ours: list[bytes], seals: list[bytes]) -> None:
        """Say what did not fit together, as exactly as can be known."""
        self.fail("TRUNCATED", f"events {self.end + 1:,} to {self.size:,}", self.end < self.size)
        for n, mine in enumerate(ours[: self.end], 1):
            self.fail("DELETED", f"event {n:,}", mine == GONE)
        are, good = roots(ours, {mark.size for mark in marks}), [0]
        for mark in marks:
            holds = are.get(mark.size, mark.root) == mark.root
            name = "FORKED" if are[self.size] == self.head.root else "ROOT"
            self.fail(name, f"events {good[-1] + 1:,} to {mark.size:,}: {mark.where}", not holds)
            good += [mark.size] if holds else []
        self.fail("EXTRA", "hashes of no event", ours != seals and len(good) > len(marks))
        if ours != seals and roots(seals, {self.size})[self.size] == self.head.root:
            was, last, here = {seal: n for n, seal in enumerate(seals, 1)}, 0, {*ours}
            for n, (mine, seal) in enumerate(zip(ours, seals, strict=True), 1):
                before = was.get(mine, 0)  # where this event was when it was sealed
                self.fail("EDITED", f"event {n:,}", not before and mine != GONE)
                self.fail("REORDERED", f"event {n:,}, once event {before:,}", 0 < before < last)
                self.fail("DELETED", f"event {n:,}", before > 0 and seal not in here)
                last = max(last, before)
        for digest, place in self.strange:
            of = f", which is that of event {owner:,}" if (owner := self.owners.get(digest)) else ""
            self.fail("MOVED" if of else "CONTENT", place + of)
        for position, whose, path, there in self.personal:
            gone = any(self.erasures.get(subject, 0) > position for subject in whose.split(","))
            place = f"event {position:,}: {path} of {whose}"
            self.fail("UNERASED" if gone else "WITHHELD", place, gone == there)
            self.erased += gone


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
    old = kept if kept and (kept.exists() or not given.accept) else None
    try:
        accepted = old.read_bytes() if old else None
        with given.bundle.open("rb") as file:
            bundle = Bundle(given.policy.read_text("utf-8-sig"), file, accepted, given.about)
        found = bundle.found
    except Exception as fault:  # whatever a hostile file can make zipfile or us raise
        said = fault.args if fault.args[:1] and fault.args[0] in MEANING else ("FORMAT", fault)
        found = {said[0]: [ascii(str(said[1]))[1:-1]]}
    for name, places in found.items():
        more = [f"and {len(places) - SHOWN:,} more"] if places[SHOWN:] else []
        print(f"{name}: {MEANING[name]}", *places[:SHOWN], *more, sep="\n  ")
    if found:
        told = found.keys() - CANNOT_TELL
        print("This bundle does not hold." if told else "Whether this bundle holds cannot be told.")
        return 1 if told else 2
    if given.about:
        about = f"{len(bundle.listed):,} events have the tag {given.about}, and no others."
        print(*bundle.listed, about, sep="\n")
    by = [f"{who} on {time}" for who, time in sorted(bundle.head.times.items())]
    print(f"study      {bundle.head.origin}, cosigned by {', '.join(by) or 'nobody you named'}")
    print(f"events     1 to {bundle.end:,}, none missing, none changed; the last of {bundle.last}")
    print(f"parts      {bundle.open:,} open, {bundle.sealed:,} encrypted, {bundle.erased:,} erased")
    print(f"compared   with {old or 'nothing you accepted before'}")
    print("All of this bundle holds.")
    if given.accept and kept:
        kept.with_name(f"{kept.name}.new").write_bytes(bundle.head.raw)
        kept.with_name(f"{kept.name}.new").replace(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
