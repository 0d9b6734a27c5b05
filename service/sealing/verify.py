#!/usr/bin/env python3
"""Check an evidence bundle offline, without trusting who made it: verify.py POLICY BUNDLE.zip.

Python 3.11 or newer, nothing else. POLICY is the committee's own file: whose signatures count.
Exit status: 0 all holds, 1 it does not, 2 cannot tell. deploy/verifying.md explains the messages.
"""

import argparse
import re
import zipfile
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256, sha512
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

LEGEND = """
POLICY: Your policy file is not one: mend it. FORMAT: A file is damaged, or not what it should be.
SIGNATURE: It is not signed by a log of your policy, or altered. QUORUM: It lacks cosignatures.
FORKED: The server has signed contradictory histories. ROLLED BACK: The record was longer once.
ROOT: Some of these events are not as they were sealed. EDITED: Another event was sealed here.
DELETED: The event that was sealed here is gone. TRUNCATED: The last events sealed are gone.
REORDERED: This event was sealed in another place. REPLAYED: An earlier event was put in once more.
FOREIGN: This is another study's, or no event. BACKDATED: It was not there yet when it says it was.
CONTENT: What is here is not what was recorded. MOVED: Another event's encrypted part stands here.
WITHHELD: It is missing, and no later erasure says why. UNERASED: This is about somebody erased.
EXTRA: The record does not know this, or knows it elsewhere.
"""
MEANING = dict(re.findall("([A-Z ]+): (.+?\\.)\\s", LEGEND))
CANNOT_TELL = {"POLICY", "FORMAT", "SIGNATURE", "QUORUM"}  # the rest show a fault
SHOWN, MOST = 20, 1 << 20  # places of a failure that are named; bytes of a checkpoint or a line
SIGNER = re.compile(r"^(?:log|witness (\S+)) ([^ +]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})( \S+)?$")
NOTE = re.compile("(([!-~]+)\n([1-9][0-9]{0,18})\n(\\S{44})\n)\n((?:\u2014 [^\\s+]+ \\S+\n){1,99})")
WORD, HASH, TIME = "[!-~]+", "[0-9a-f]{64}", "[-0-9]{10}T[:0-9]{8}\\.[0-9]{6}Z"
LEAF = re.compile(
    f"\\Apar-leaf/1\n({WORD})\n([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})\n"
    f"({WORD}/[1-9][0-9]*)\n({TIME})\n({TIME})\n{WORD}\n((?:tag {WORD}\n)*)pub ({HASH})\n"
    f"((?:enc {WORD} {WORD} [0-9]+ {HASH} {HASH}\n)*)((?:erase {WORD}\n)*)\\Z"
)
ENC = re.compile("enc (\\S+) (\\S+) [0-9]+ (\\S+) (\\S+)\n")  # path, subjects, digest, commitment
PART = re.compile(f" ({WORD}) (sealed|{HASH}) (0|[1-9][0-9]{{0,7}})")  # path, salt, bytes of it
EVENT = re.compile(f"(0|[1-9][0-9]{{0,4}})((?: {HASH})?)((?:{PART.pattern})*)\n")  # of leaf, hash
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, J = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)  # J * J is -1
B = (0x216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A, 4 * pow(5, -1, P) % P, 1)


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature of the message is this key's (RFC 8032, 5.1.7, without cofactors)."""
    odd, y = divmod(int.from_bytes(public, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    r = pow(square, (P + 3) // 8, P)  # a root of square, or of -square
    x = next(x for x in (r, -r % P, r * J % P, -r * J % P) if (x * x % P, x % 2) == (square, odd))
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % L
    s, minus, x, y, z = int.from_bytes(signature[32:], "little"), (P - x, y, 1), 0, 1, 1
    for bit in reversed(range(253)):  # (x / z, y / z) becomes [s]B - [k]A, which has to be R
        for u, v, w in ((x, y, z), *[B][: s >> bit & 1], *[minus][: k >> bit & 1]):
            a, c, d = z * w % P, x * u % P, y * v % P  # the sum of both, in projective coordinates
            f, g = a * a - D * c * d % P, a * a + D * c * d % P
            x, y, z = a * f * ((x + y) * (u + v) - c - d) % P, a * g * (c + d) % P, f * g % P
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return s < L and (y | x % 2 << 255 | s << 256).to_bytes(64, "little") == signature


def read_policy(text: str) -> tuple[dict[str, tuple[str, bytes, bool]], set[str]]:
    """Whose signatures count (the witness or "", key, promptness), and whose are asked for."""
    signers, quorums = dict[str, tuple[str, bytes, bool]](), list[set[str]]()
    for line in (" ".join(line.split()) for line in text.splitlines()):
        [(witness, name, id_, encoded, address)] = SIGNER.findall(line) or [("",) * 5]
        key, kind = b64decode(encoded), 4 if witness else 1
        if sha256(f"{name}\n".encode() + key).hexdigest()[:8] == id_ and key[0] == kind:
            signers[f"{name}+{id_}"] = (witness, key[1:], address != "")
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
        for _ in range((size & -size).bit_length() - 1):  # as often as it can be halved
            above = sha256(b"\1" + full.pop() + above).digest()
        full.append(above)
        if size in sizes:
            found[size] = reduce(lambda low, top: sha256(b"\1" + top + low).digest(), full[::-1])
    return found


class Checkpoint:
    def __init__(self, where: str, raw: bytes, signers: dict[str, tuple[str, bytes, bool]]):
        """What a checkpoint says, and when which witnesses cosigned it. Raises ValueError."""
        if (note := NOTE.fullmatch(raw.decode(errors="replace"))) is None or len(raw) >= MOST:
            raise ValueError("FORMAT", f"{where} is not a checkpoint")
        body, self.origin, size, root, lines = note.groups()
        self.where, self.raw, self.size, self.root = where, raw, int(size), b64decode(root)
        self.times, self.floor = dict[str, datetime](), ""  # its log counts as a witness ""
        for name, encoded in re.findall("\u2014 (\\S+) (\\S+)\n", lines):
            said = b64decode(encoded)  # the key's id, the time if it is a witness, the signature
            witness, key, prompt = signers.get(f"{name}+{said[:4].hex()}", ("", b"", False))
            if key and (witness or name == self.origin):
                at, start = (int.from_bytes(said[4:12]), 12) if witness else (0, 4)
                text = (f"cosignature/v1\ntime {at}\n{body}" if witness else body).encode()
                if b64encode(said).decode() != encoded or not ed25519(key, text, said[start:]):
                    raise ValueError("SIGNATURE", f"{where}, by {name}")
                self.times[witness] = time = datetime.fromtimestamp(at, UTC)
                if prompt:  # it saw then that nothing more was there; two clocks may differ
                    self.floor = max(self.floor, (time - timedelta(minutes=5)).isoformat())
        if self.times.pop("", None) is None:
            raise ValueError("SIGNATURE", f"{where}, by no log {self.origin}")


class Bundle:
    def __init__(self, policy: str, file: BinaryIO, accepted: bytes | None = None, about: str = ""):
        """What a bundle holds, and what is wrong with it: `found`, places by a failure's name."""
        self.found, self.listed, self.tag = dict[str, list[str]](), list[str](), f"tag {about}\n"
        self.open = self.sealed = self.erased = self.end = 0  # parts; the last event's place
        self.last, self.seen, self.parts = "", dict[str, int](), list[tuple[int, str, str, str]]()
        signers, quorum = read_policy(policy)
        archive: Any = zipfile.ZipFile(file)
        names, digest, end = archive.namelist(), sha256(), file.seek(0, 2) - 64
        for at in range(file.seek(0), end, MOST):
            digest.update(file.read(min(MOST, end - at)))
        if file.read() != digest.hexdigest().encode() or len({*names}) < len(names):
            raise ValueError("FORMAT", "the bundle was changed, or not all of it is here")
        notes = {n: archive.open(n).read(MOST) for n in ["checkpoint", *names] if n != "events"}
        notes |= {} if accepted is None else {"your last accepted": accepted}
        marks = [Checkpoint(ascii(name), note, signers) for name, note in notes.items()]
        self.head, self.size, lacking = marks[0], marks[0].size, quorum - marks[0].times.keys()
        self.fail("QUORUM", f"by {', '.join(sorted(lacking))}", lacking != set())
        floors = {mark.size: mark.floor for mark in sorted(marks, key=lambda mark: mark.floor)}
        ours, seals, events = list[bytes](), list[bytes](), BufferedReader(archive.open("events"))
        for position in range(1, self.size + 1):
            if (said := EVENT.fullmatch(events.readline(MOST).decode())) is None:
                raise ValueError("FORMAT", f"event {position:,} is cut off")
            leaf = events.read(int(said[1]))
            ours.append(sha256(b"\0" + leaf).digest() if leaf else b"")  # as it is here
            seals.append(bytes.fromhex(said[2]) or ours[-1])  # as it was sealed, it is said
            self.last = max(self.last, floors.get(position - 1, ""))
            self.event(position, leaf, PART.findall(said[3]), events)
        self.fail("EXTRA", "what follows the last event", events.read(1) != b"")
        self.fail("TRUNCATED", f"events {self.end + 1:,} to {self.size:,}", self.end < self.size)
        are, good = roots(ours, {mark.size for mark in marks}), 0
        whole = are[self.size] == self.head.root
        for mark in sorted(marks, key=lambda mark: mark.size):
            holds = (mark.origin, are.get(mark.size)) == (self.head.origin, mark.root)
            name = "ROLLED BACK" if mark.size > self.size else "FORKED" if whole else "ROOT"
            name = name if mark.origin == self.head.origin else "FOREIGN"
            self.fail(name, f"events {good + 1:,} to {mark.size:,}: {mark.where}", not holds)
            good = mark.size if holds else good
        if ours != seals:
            self.fail("EXTRA", "hashes of no event", whole)
            known = roots(seals, {self.size})[self.size] == self.head.root  # so it is as is said
            was, here, last = {seal: n for n, seal in enumerate(seals, 1) if known}, {*ours}, 0
            for n, (mine, seal) in enumerate(zip(ours, seals, strict=True), 1):
                once = was.get(mine, 0)  # where this event was when it was sealed
                self.fail("EDITED", f"event {n:,}", known and mine != b"" and not once)
                self.fail("REORDERED", f"event {n:,}, once event {once:,}", 0 < once < last)
                gone = (once > 0 and seal not in here) if mine else n < self.end
                self.fail("DELETED", f"event {n:,}", gone)
                last = max(last, once)
        for position, place, whose, wrong in self.parts:
            gone = any(self.seen.get(f"erase {who}", 0) > position for who in whose.split(","))
            owner, there = self.seen.get(wrong, 0), wrong != "nothing"  # the event of that digest
            self.erased += gone
            self.fail("UNERASED" if gone else "WITHHELD", f"{place} of {whose}", gone == there)
            self.fail("MOVED", f"{place}, which is that of event {owner:,}", owner > 0)
            self.fail("CONTENT", place, wrong != "" and there and not owner)

    def fail(self, name: str, where: str, wrong: bool) -> None:
        if wrong:
            self.found.setdefault(name, []).append(where)

    def event(self, position: int, leaf: bytes, shown: list[Any], events: BufferedReader) -> None:
        """Hold an event against those before it, and what is shown of it against its leaf."""
        fields = LEAF.findall(leaf.decode(errors="replace")) or [("",) * 9]  # if it is no leaf
        [(origin, id_, type_, recorded, occurred, tags, public, encs, erased)] = fields
        where, here = f"event {position:,}, {type_} {id_}, recorded {recorded}", dict[str, str]()
        for path, salt, length in shown:
            named = f"{salt}{id_.replace('-', '')}{len(path):04x}{path.encode().hex()}"
            begin = b"" if salt == "sealed" else b"\2par-commit/1\0" + bytes.fromhex(named)
            data = events.read(int(length))
            here[path] = sha256(begin + data).hexdigest()
            self.open, self.sealed = self.open + (begin != b""), self.sealed + (begin == b"")
            if path == "pub" and self.tag in tags:
                self.listed.append(f"{where}, of {occurred}: {data.decode(errors='replace')!a}")
        self.end = position if leaf else self.end
        if origin != self.head.origin:
            return self.fail("FOREIGN", f"event {position:,}", leaf != b"")
        self.fail("REPLAYED", where, id_ in self.seen)
        self.fail("BACKDATED", where, recorded < self.last)
        self.last = max(self.last, recorded)
        self.seen |= dict.fromkeys([id_, *erased.splitlines()], position)
        for path, whose, digest, commitment in [("pub", "no one", "-", public), *ENC.findall(encs)]:
            self.seen[digest], hashed = position, here.pop(path, "nothing")
            wrong = "" if hashed in (digest, commitment) else hashed  # right: encrypted, or open
            if wrong or path != "pub":
                self.parts.append((position, f"{where}: {path}", whose, wrong))
        self.fail("EXTRA", where, here != {} or len({path for path, *_ in shown}) < len(shown))


def main(arguments: list[str] | None = None) -> int:
    """Say at the terminal whether all of a bundle holds; the exit status."""
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").split(":")[0])
    parser.add_argument("policy", type=Path, help="your own file of whose signatures count")
    parser.add_argument("bundle", type=Path, help="the evidence bundle")
    parser.add_argument("--accepted", type=Path, help="your own file of the last checkpoint")
    parser.add_argument("--accept", action="store_true", help="write it anew if all holds")
    parser.add_argument("--about", default="", help="list the events of a tag: participant:P-07")
    given = parser.parse_args(arguments)
    old: Path | None = given.accepted
    try:
        accepted = old.read_bytes() if old and (old.exists() or not given.accept) else None
        with given.bundle.open("rb") as file:
            bundle = Bundle(given.policy.read_text("utf-8-sig"), file, accepted, given.about)
        found = bundle.found
    except Exception as fault:  # whatever a hostile file can make zipfile or us raise
        said = fault.args if fault.args[:1] and fault.args[0] in MEANING else ("FORMAT", fault)
        found = {said[0]: [ascii(str(said[1]) or repr(fault))[1:-1]]}
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
    print(f"compared   with {old if accepted else 'nothing you accepted before'}")
    print("All of this bundle holds.")
    if given.accept and old:
        old.with_name(f"{old.name}.new").write_bytes(bundle.head.raw)
        old.with_name(f"{old.name}.new").replace(old)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
