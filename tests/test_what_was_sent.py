"""What was sent is read once for GraphQL and files: every fault at once, each in plain words."""

from typing import Any

import pytest

from domain.commands import Refused, read_given
from domain.membership import MemberJoined
from domain.workshops import WorkshopHeld

WORKSHOP: dict[str, Any] = {"workshop": "w-1", "cycle": "c-1", "participants": ["p-1"]}


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


def test_the_place_within_a_list_is_told() -> None:
    given = WORKSHOP | {"participants": ["p-1", "p 2"]}
    assert faults(WorkshopHeld, given) == [("field_invalid", "participants.1")]


@pytest.mark.parametrize("text", ["a\0b", "half a pair: \ud83d"])
def test_text_that_cannot_be_kept_is_refused_wherever_it_stands(text: str) -> None:
    assert faults(WorkshopHeld, WORKSHOP | {"notes": text}) == [("field_invalid", "notes")]
    given = WORKSHOP | {"participants": [text]}
    assert faults(WorkshopHeld, given) == [("field_invalid", "participants")]


def test_an_identifier_is_explained_in_words_not_as_a_pattern() -> None:
    with pytest.raises(Refused) as refused:
        read_given(WorkshopHeld, WORKSHOP | {"workshop": "Workshop 1"})
    (reason,) = refused.value.reasons
    assert "1 to 64 letters, digits" in reason.message
    assert "\\A" not in reason.message
