"""verify.py on what somebody does to the contents of a sealed record: moved, altered, withheld."""

from service.sealing.evidence_bundle import OpenPart, SealedPart
from tests.sealed_study import PEOPLE, found_in, remade, sealed_study

HONEST = sealed_study()
BUNDLE = HONEST.bundle()


def with_parts(**changed: tuple[OpenPart | SealedPart, ...]) -> dict[str, list[str]]:
    study = HONEST.copy()
    for name, parts in changed.items():
        position = int(name.removeprefix("at_"))
        study.rows[position - 1] = study.rows[position - 1]._replace(parts=parts)
    return found_in(study.bundle())


def parts_at(position: int) -> tuple[OpenPart | SealedPart, ...]:
    return HONEST.rows[position - 1].parts


def test_swapped_ciphertexts() -> None:
    report = with_parts(at_13=parts_at(301), at_301=parts_at(13))
    assert report.keys() == {"MOVED"}
    assert [place[:9] for place in report["MOVED"]] == ["event 13,", "event 301"]
    assert [
        place.endswith(f"that of event {n}")
        for place, n in zip(report["MOVED"], (301, 13), strict=True)
    ]


def test_a_moved_ciphertext() -> None:
    report = with_parts(at_13=parts_at(301))
    assert report.keys() == {"MOVED"}
    assert report["MOVED"][0].endswith("note, which is that of event 301")


def test_an_altered_ciphertext() -> None:
    (part,) = parts_at(13)
    assert isinstance(part, SealedPart)
    altered = part._replace(blob=part.blob[:-1] + bytes([part.blob[-1] ^ 1]))
    assert with_parts(at_13=(altered,)).keys() == {"CONTENT"}


def test_altered_contents() -> None:
    (part,) = parts_at(20)
    assert isinstance(part, OpenPart)
    assert with_parts(at_20=(part._replace(data=b"Note 11."),)).keys() == {"CONTENT"}
    assert with_parts(at_20=(part._replace(salt=bytes(32)),)).keys() == {"CONTENT"}
    row = HONEST.rows[19]
    for changed in (
        row._replace(payload=b'{"participant":"P-9"}'), row._replace(envelope=b"{}"),
        row._replace(salt=bytes(32)),
    ):  # fmt: skip
        study = HONEST.copy()
        study.rows[19] = changed
        report = found_in(study.bundle())
        assert report.keys() == {"CONTENT"}
        assert report["CONTENT"][0].startswith("event 20, ConsentGiven/1 ")


def test_a_withheld_part() -> None:
    report = with_parts(at_13=(), at_14=())
    assert report.keys() == {"WITHHELD"}
    assert [place[:8] for place in report["WITHHELD"]] == ["event 13", "event 14"]


def test_a_part_missing_after_its_subject_was_erased_is_withheld() -> None:
    study = HONEST.copy()
    study.record("ConsentGiven", PEOPLE[3], words="After the erasure.")
    study.rows[-1] = study.rows[-1]._replace(parts=())
    study.sign()
    assert found_in(study.bundle()).keys() == {"WITHHELD"}


def test_what_should_be_erased_and_is_there() -> None:
    study = HONEST.copy()
    person = PEOPLE[1]
    study.record("SubjectErased", person, erased=[person])
    study.sign()
    report = found_in(study.bundle())
    assert report.keys() == {"UNERASED"}
    assert report["UNERASED"][0].endswith(f"note of {person}")


def test_parts_that_the_record_does_not_know() -> None:
    extra = SealedPart("diary", b"x")
    assert with_parts(at_13=(*parts_at(13), extra)).keys() == {"EXTRA"}
    assert found_in(remade(BUNDLE, notes=b"Read me.")).keys() == {"FORMAT"}


def test_hashes_that_are_not_the_events() -> None:
    study = HONEST.copy()
    study.tiles[0] = study.tiles[0][:-1] + b"\0"
    assert found_in(study.bundle()).keys() == {"EXTRA"}
