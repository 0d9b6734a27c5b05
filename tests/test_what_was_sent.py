"""What was sent is read once for GraphQL and files: every fault at once, each in plain words."""

from typing import Any

import pytest

from domain.ballots import BallotOpened
from domain.commands import Refused, read_given
from domain.membership import MemberJoined, StudyOpened
from domain.older_events import read_recorded, write_recorded
from domain.workshops import WorkshopHeld
from service.proposals import GivenOccasion

WORKSHOP: dict[str, Any] = {"workshop": "w-1", "cycle": "c-1", "participants": ["p-1"]}
OCCASION: dict[str, Any] = {
    "study": "maize", "occurred_at": "2026-01-05T09:00:00Z",
    "command_id": "6f2c6a0e-6f9b-4c1e-9a55-0d8f1f1f0001",
}  # fmt: skip
NOTHING_SEEN = "Nothing in it can be seen; write something, or leave it out."


def faults(shape: type, given: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        read_given(shape, given)
    return [(reason.code, reason.path) for reason in refused.value.reasons]


def test_what_is_right_becomes_an_event() -> None:
    held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",))
    assert read_given(WorkshopHeld, WORKSHOP) == held


def test_every_fault_is_told_at_once() -> None:
    given = {"member": "a b", "role": "nobody", "nmae": "Ana"}
    assert faults(MemberJoined, given) == [
        ("field_unknown", "nmae"),
        ("field_invalid", "member"),
        ("field_invalid", "role"),
    ]
    assert faults(WorkshopHeld, {"workshop": "w-1"}) == [
        ("field_missing", "cycle"),
        ("field_missing", "participants"),
    ]


def test_what_nobody_asked_for_is_told_within_a_value_too() -> None:
    ballot = {"ballot": "b-1", "cycle": "c-1", "title": "First?", "method": "approval"}
    options = [
        {"option": "well", "title": "A well"},
        {"option": "road", "title": "A road", "colour": 1},
    ]
    with pytest.raises(Refused) as refused:
        read_given(BallotOpened, ballot | {"options": options})
    [reason] = refused.value.reasons
    said = "options.1: Object contains unknown field `colour`"
    assert (reason.code, reason.path, reason.message) == ("field_invalid", "options.1", said)


def test_the_place_within_a_list_is_told() -> None:
    given = WORKSHOP | {"participants": ["p-1", "p 2"]}
    assert faults(WorkshopHeld, given) == [("field_invalid", "participants.1")]


@pytest.mark.parametrize("text", ["a\0b", "half a pair: \ud83d"])
def test_text_that_cannot_be_kept_is_refused_wherever_it_stands(text: str) -> None:
    assert faults(WorkshopHeld, WORKSHOP | {"notes": text}) == [("field_invalid", "notes")]
    given = WORKSHOP | {"participants": [text]}
    assert faults(WorkshopHeld, given) == [("field_invalid", "participants.0")]


BLANK = [
    " ", "\t\n", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}",
    "\N{ZERO WIDTH NO-BREAK SPACE}", "\N{SOFT HYPHEN}", "\N{VARIATION SELECTOR-16}",
    "\N{HANGUL FILLER}", "\N{BRAILLE PATTERN BLANK}", " \N{RIGHT-TO-LEFT MARK} ",
]  # fmt: skip
SEEN = [
    "x", " x ", "?", "7", "\N{EAR OF MAIZE}", "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}",
    "水", "\U0001fae8",  # the last is newer than this Python's Unicode
]  # fmt: skip
STUDY: dict[str, Any] = {"title": "Maize", "question": "What keeps us well?", "setting": "Here"}


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_a_text_in_which_nothing_can_be_seen_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read_given(StudyOpened, STUDY | {"title": text, "setting": text})
    assert [(each.code, each.path, each.message) for each in refused.value.reasons] == [
        ("field_invalid", path, f"{path}: {NOTHING_SEEN}") for path in ("title", "setting")
    ]
    assert faults(WorkshopHeld, WORKSHOP | {"notes": text}) == [("field_invalid", "notes")]
    options = [{"option": "well", "title": "A well"}, {"option": "road", "title": text}]
    ballot = {"ballot": "b-1", "cycle": "c-1", "title": "First?", "method": "approval"}
    assert faults(BallotOpened, ballot | {"options": options}) == [
        ("field_invalid", "options.1.title")
    ]
    assert faults(GivenOccasion, OCCASION | {"reason": text}) == [("field_invalid", "reason")]


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_a_text_in_which_anything_can_be_seen_is_kept_as_it_is(text: str) -> None:
    assert read_given(StudyOpened, STUDY | {"title": text}).title == text


def test_a_blank_text_that_is_on_record_stays_readable() -> None:
    opened = StudyOpened(**STUDY | {"title": " "})
    assert read_recorded("StudyOpened", 1, *write_recorded(opened)) == opened


def test_an_identifier_is_explained_in_words_not_as_a_pattern() -> None:
    with pytest.raises(Refused) as refused:
        read_given(WorkshopHeld, WORKSHOP | {"workshop": "Workshop 1"})
    (reason,) = refused.value.reasons
    assert "1 to 64 letters, digits" in reason.message
    assert "\\A" not in reason.message
