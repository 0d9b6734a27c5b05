"""Notes, checkpoints, cosignatures and receipts are C2SP's, and altered ones are refused."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from service.sealing.checkpoints import (
    Checkpoint,
    MalformedCheckpoint,
    MalformedProof,
    OtherOrigin,
    TlogProof,
    require_head,
    require_proven,
)
from service.sealing.merkle_tree import NotIncluded, inclusion_proof, read
from service.sealing.signed_notes import (
    BadSignature,
    KeyKind,
    MalformedKey,
    MalformedNote,
    Note,
    NotSigned,
    Signature,
    SigningKey,
    VerifierKey,
    signature_lines,
    signed,
    verified,
)
from tests.published_trees import CT_LEAVES, CT_ROOTS, stored

C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""  # noqa: E501
# Go's sumdb/note tests: its private key signs its text as follows.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM="
GO_TEXT = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
GO_LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501
# C2SP tlog-checkpoint and tlog-cosignature.
C2SP_CHECKPOINT = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501


ORIGIN = "record.example.org/parcycle/maize"


def key(name: str, kind: KeyKind, seed: int = 1) -> SigningKey:
    return SigningKey(name, kind, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


LOG = key(ORIGIN, KeyKind.LOG)
COMMITTEE = key("ethics.example.org/committee", KeyKind.WITNESS, 2)
HEAD = Checkpoint(ORIGIN, 8, CT_ROOTS[8])
NOTE = Note(HEAD.text, (signed(HEAD.text, LOG), signed(HEAD.text, COMMITTEE, 1_790_000_000)))
KEYS = [LOG.verifier, COMMITTEE.verifier]

names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1).filter(
    lambda name: "+" not in name
)


def test_the_specifications_note() -> None:
    signer = VerifierKey.parse(C2SP_KEY)
    note = Note.parse(C2SP_NOTE.encode())
    assert (signer.name, signer.kind, str(signer)) == ("example.com/foo", KeyKind.LOG, C2SP_KEY)
    assert note.text == "This is an example message.\n"
    assert str(note) == C2SP_NOTE
    assert [each.key for each in verified(note, [signer])] == [signer]


def test_the_note_of_go() -> None:
    """Byte for byte, since Ed25519's signatures are determined by key and text."""
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(GO_SEED))
    signer = SigningKey("PeterNeumann", KeyKind.LOG, private)
    assert str(signer.verifier) == GO_KEY
    assert str(signed(GO_TEXT, signer)) == GO_LINE


def test_the_specifications_checkpoint() -> None:
    note = Note.parse(C2SP_CHECKPOINT.encode())
    assert str(note) == C2SP_CHECKPOINT
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.text == note.text
    log, witness = note.signatures
    assert (log.key_id.hex(), len(log.signature)) == ("033de0ae", 64)
    assert (witness.name, witness.key_id.hex()) == ("witness.example.com/w1", "8d66cf3f")
    assert int.from_bytes(witness.signature[:8], "big") == 1_679_315_147
    assert len(witness.signature) == 8 + 64


def test_a_cosignature_is_over_the_time_and_the_checkpoint() -> None:
    line = signed(HEAD.text, COMMITTEE, 1_679_315_147)
    message = f"cosignature/v1\ntime 1679315147\n{HEAD.text}"
    COMMITTEE.private.public_key().verify(line.signature[8:], message.encode())
    assert line.signature[:8] == (1_679_315_147).to_bytes(8, "big")


@given(names, st.sampled_from(KeyKind), st.integers(0, 255))
def test_a_key_is_read_as_it_is_written(name: str, kind: KeyKind, seed: int) -> None:
    verifier = key(name, kind, seed).verifier
    assert VerifierKey.parse(str(verifier)) == verifier


@pytest.mark.parametrize(
    "wrong",
    [
        "", "+", "++", "example.com/foo", "example.com/foo+530d903a",
        C2SP_KEY.replace("530d903a", "530d903b"),
        C2SP_KEY.replace("530d903a", "530D903A"),
        C2SP_KEY.replace("/foo", "/bar"),
        str(key("two words", KeyKind.LOG).verifier),
        C2SP_KEY[:-1], C2SP_KEY + "=", C2SP_KEY + "\n",
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(wrong: str) -> None:
    with pytest.raises(MalformedKey):
        VerifierKey.parse(wrong)


@pytest.mark.parametrize("name", ["", "two words", "no+break", "a+b", "tab\there", "line\n"])
def test_a_name_that_no_key_can_have_signs_nothing(name: str) -> None:
    with pytest.raises(MalformedKey):
        signed(HEAD.text, key(name, KeyKind.LOG))


@pytest.mark.parametrize("text", ["", "no line feed", "bell\a\n", "carriage\r\n"])
def test_what_is_no_text_of_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(MalformedNote):
        signed(text, LOG)


def test_only_cosignatures_have_a_time() -> None:
    for signer, at in ((LOG, 1), (COMMITTEE, None)):
        with pytest.raises(ValueError, match="has a time"):
            signed(HEAD.text, signer, at)


LINE = str(NOTE.signatures[0])


@pytest.mark.parametrize(
    "wrong",
    [
        "", "\n", "\n\n", "text\n", "text\n\n", f"text\n{LINE}", f"\n\n{LINE}",
        f"text\n\n{LINE[:-1]}", f"text\n\n{LINE}\n", f"text\n\n{LINE}more\n",
        f"text\n\n{LINE.replace('—', '-')}",
        f"te\x07xt\n\n{LINE}", f"text\r\n\n{LINE}", f"text\n\n{LINE.replace('— ', '—  ')}",
        f"text\n\n{LINE[:-2]}\n", f"text\n\n— {ORIGIN} AAAAAA==\n", f"text\n\n— {ORIGIN} !!!!\n",
        f"text\n\n— {ORIGIN} AAAAAAB=\n", "text\n\n— a+b AAAAAAAA\n", f"text\n\n{LINE * 101}",
        "x" * 1_000_001,
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused(wrong: str) -> None:
    with pytest.raises(MalformedNote):
        Note.parse(wrong.encode())
    with pytest.raises(MalformedNote):
        Note.parse(b"\xff\n\n" + LINE.encode())


def test_a_text_may_have_empty_lines() -> None:
    text = "è subito sera\n\n\nand more\n"
    note = Note.parse(str(Note(text, (signed(text, LOG),))).encode())
    assert note.text == text
    assert len(verified(note, KEYS)) == 1


def test_signatures_of_unknown_keys_are_passed_over_and_of_known_ones_are_not() -> None:
    stranger = key(ORIGIN, KeyKind.LOG, 9)
    note = Note(HEAD.text, (signed(HEAD.text, stranger), *NOTE.signatures))
    log, committee = verified(note, KEYS)
    assert (log.key, log.at) == (LOG.verifier, None)
    assert (committee.key, committee.at) == (COMMITTEE.verifier, 1_790_000_000)
    assert committee.line == note.signatures[2]
    with pytest.raises(NotSigned, match="nobody"):
        verified(note, [])
    with pytest.raises(NotSigned, match=r"ethics\.example\.org/other"):
        verified(note, [key("ethics.example.org/other", KeyKind.WITNESS, 2).verifier])
    other = signed("another text\n", LOG)
    with pytest.raises(BadSignature, match=ORIGIN):
        verified(Note(HEAD.text, (*NOTE.signatures, other)), KEYS)


def test_one_key_counts_once_however_often_it_signed() -> None:
    note = Note(HEAD.text, (NOTE.signatures[1], signed(HEAD.text, COMMITTEE, 1_790_000_001)))
    assert [each.at for each in verified(note, KEYS)] == [1_790_000_000]


@given(st.integers(0, 8 * len(str(NOTE).encode()) - 1))
def test_no_bit_of_a_checkpoint_can_be_altered(bit: int) -> None:
    """What is left to an attacker is to take a cosignature away, which the head then shows."""
    raw = bytearray(str(NOTE).encode())
    raw[bit // 8] ^= 1 << bit % 8
    try:
        head = require_head(Note.parse(bytes(raw)), ORIGIN, KEYS)
    except (MalformedNote, MalformedCheckpoint, NotSigned, BadSignature, OtherOrigin):
        return
    assert head.checkpoint == HEAD
    assert bytes(raw)[: len(HEAD.text.encode())] == HEAD.text.encode()
    assert head.cosignatures == []


def test_a_head_is_its_own_logs_and_says_who_cosigned() -> None:
    head = require_head(Note.parse(str(NOTE).encode()), ORIGIN, KEYS)
    assert head.checkpoint == HEAD
    assert [(each.key, each.at) for each in head.cosignatures] == [
        (COMMITTEE.verifier, 1_790_000_000)
    ]


def test_a_witness_alone_vouches_for_no_head() -> None:
    with pytest.raises(NotSigned):
        require_head(Note(HEAD.text, NOTE.signatures[1:]), ORIGIN, KEYS)


def test_the_head_of_another_log_is_refused() -> None:
    other = Checkpoint("record.example.org/parcycle/water", 8, CT_ROOTS[8])
    under_our_name = Note(other.text, (signed(other.text, LOG),))
    with pytest.raises(OtherOrigin, match="water"):
        require_head(under_our_name, ORIGIN, KEYS)
    under_its_own = key(other.origin, KeyKind.LOG)
    theirs = Note(other.text, (signed(other.text, under_its_own),))
    with pytest.raises(NotSigned):
        require_head(theirs, ORIGIN, [*KEYS, under_its_own.verifier])


@pytest.mark.parametrize(
    "alter",
    [
        lambda lines: lines[:2],
        lambda lines: ["", *lines[1:]],
        lambda lines: [*lines, "", "an extension"],
        lambda lines: [lines[0], "08", lines[2]],
        lambda lines: [lines[0], "-8", lines[2]],
        lambda lines: [lines[0], "+8", lines[2]],
        lambda lines: [lines[0], "\u0668", lines[2]],  # eight, in Arabic
        lambda lines: [lines[0], "1" * 20, lines[2]],
        lambda lines: [lines[0], lines[1], lines[2][:-1]],
        lambda lines: [lines[0], lines[1], lines[2][:-4]],
        lambda lines: [lines[0], lines[1], "A" + lines[2]],
    ],
)
def test_what_is_no_checkpoint_is_refused(alter: Callable[[list[str]], list[str]]) -> None:
    lines = alter(HEAD.text.splitlines())
    with pytest.raises(MalformedCheckpoint):
        Checkpoint.parse("".join(f"{line}\n" for line in lines))
    with pytest.raises(MalformedCheckpoint):
        Checkpoint.parse(HEAD.text[:-1])


def test_a_checkpoint_keeps_extension_lines() -> None:
    extended = HEAD._replace(extensions=("an extension", "another"))
    assert Checkpoint.parse(extended.text) == extended


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_a_checkpoint_is_read_as_it_is_written(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    assert Checkpoint.parse(checkpoint.text) == checkpoint


def receipt(index: int, extra: bytes = b"") -> TlogProof:
    proof = read(inclusion_proof(index, 8), stored(CT_LEAVES))
    return TlogProof(index, tuple(proof), NOTE, extra)


@pytest.mark.parametrize("extra", [b"", b"WorkshopHeld"])
@pytest.mark.parametrize("index", range(8))
def test_a_receipt_shows_that_its_leaf_is_on_record(index: int, extra: bytes) -> None:
    written = str(receipt(index, extra)).encode()
    proof = TlogProof.parse(written)
    assert proof == receipt(index, extra)
    assert require_proven(proof, CT_LEAVES[index], ORIGIN, KEYS).checkpoint == HEAD
    with pytest.raises(NotIncluded):
        require_proven(proof, CT_LEAVES[index] + b"!", ORIGIN, KEYS)


def test_a_golden_receipt() -> None:
    lines = str(receipt(5, b"\0\1")).split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra AAE=", "index 5"]
    assert [base64.b64decode(line).hex()[:8] for line in lines[3:6]] == [
        "bc1a0643", "ca854ea1", "d37ee418",
    ]  # fmt: skip
    assert lines[6] == ""
    assert "\n".join(lines[7:]) == str(NOTE)


@given(st.integers(0, 8 * len(str(receipt(5)).encode()) - 1))
def test_no_bit_of_a_receipt_can_be_altered(bit: int) -> None:
    raw = bytearray(str(receipt(5)).encode())
    raw[bit // 8] ^= 1 << bit % 8
    try:
        proof = TlogProof.parse(bytes(raw))
        head = require_proven(proof, CT_LEAVES[5], ORIGIN, KEYS)
    except (
        MalformedProof, MalformedNote, MalformedCheckpoint, NotIncluded, NotSigned, BadSignature,
        OtherOrigin,
    ):  # fmt: skip
        return
    assert (proof.index, head.checkpoint, head.cosignatures) == (5, HEAD, [])


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: "",
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 5\n", ""),
        lambda text: text.replace("index 5", "index 05"),
        lambda text: text.replace("index 5", "index -5"),
        lambda text: text.replace("index 5", "index  5"),
        lambda text: text.replace("index 5", "extra %\nindex 5"),
        lambda text: text.replace("index 5", f"index 5\n{base64.b64encode(bytes(31)).decode()}"),
        lambda text: text.replace(
            "index 5\n", "index 5\n" + f"{base64.b64encode(bytes(32)).decode()}\n" * 61
        ),
        lambda text: text.partition("\n\n")[0],
        lambda text: text.replace("index 5", "índex 5"),
    ],
)
def test_what_is_no_receipt_is_refused(alter: Callable[[str], str]) -> None:
    with pytest.raises(MalformedProof):
        TlogProof.parse(alter(str(receipt(5))).encode())


def test_a_witness_answers_in_lines_of_signatures() -> None:
    line = signed(HEAD.text, COMMITTEE, 5)
    assert signature_lines(str(line)) == [line]
    assert signature_lines(f"{line}{line}") == [line, line]
    assert isinstance(signature_lines(str(line))[0], Signature)
    for wrong in ("", str(line)[:-1], f"{line}\n", "ok\n"):
        with pytest.raises(MalformedNote):
            signature_lines(wrong)
