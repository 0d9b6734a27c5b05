"""Nothing is edited: a correction says what should stand, and the record keeps both."""

from typing import Any

import pytest
from msgspec import structs

from domain.consent import ConsentGiven
from domain.corrections import Correct, Corrected, Whose, corrected
from domain.membership import MemberJoined, Role
from domain.people import GroundRulesAgreed, ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import (
    ResearchEvent,
    event_types,
    identifying_fields,
    personal_fields,
    without_personal_fields,
)
from tests.story import given

enrolled = ParticipantEnrolled(participant="p-1", group="A", name="Joy Okafro")  # position 2
agreed = GroundRulesAgreed(
    rules=("Listen",), participants=("p-1",), note="Written on the wall."
)  # position 3
ready: list[ResearchEvent] = [enrolled, agreed]


def correction(**standing: Any) -> Corrected:
    """Of the ground rules, as it is asked for."""
    return Corrected(
        corrects=3,
        event_type="GroundRulesAgreed",
        subject="participant:p-1",
        why="Read off the photo again.",
        standing=standing,
    )


rules = correction(rules=["Listen", "Be kind"])
rules_on_record = structs.replace(rules, fields=("rules",), about=("participant:p-1",))


def test_a_public_field_is_corrected() -> None:
    given(*ready).when(Correct, rules).then(rules_on_record)
    assert corrected(agreed, rules_on_record) == structs.replace(
        agreed, rules=("Listen", "Be kind")
    )


def test_a_personal_field_stays_personal() -> None:
    story = given(*ready).when(Correct, correction(note="Joy wrote it on the wall."))
    story.then(
        structs.replace(
            correction(),
            personal_standing={"note": "Joy wrote it on the wall."},
            whose=(Whose(participant="p-1"),),
            fields=("note",),
            about=("participant:p-1",),
        )
    )
    event = story.recorded[0]
    assert isinstance(event, Corrected)
    assert corrected(agreed, event).note == "Joy wrote it on the wall."
    assert "Joy" not in str(without_personal_fields(event))


def test_where_the_new_words_are_erased_the_old_ones_do_not_come_back() -> None:
    story = given(*ready).when(Correct, correction(note="Joy wrote it on the wall."))
    erased = without_personal_fields(story.recorded[0])
    assert isinstance(erased, Corrected)
    assert corrected(agreed, erased).note is None


def test_the_name_of_a_participant_can_be_put_right() -> None:
    asked = Corrected(
        corrects=2,
        event_type="ParticipantEnrolled",
        subject="participant:p-1",
        why="Misspelt.",
        standing={"name": "Joy Okafor"},
    )
    story = given(*ready).when(Correct, asked)
    event = story.recorded[0]
    assert isinstance(event, Corrected)
    assert corrected(enrolled, event) == structs.replace(enrolled, name="Joy Okafor")
    assert event.tags == ["participant:p-1", "group:A"]


def test_words_about_nobody_in_particular_stay_their_writers() -> None:
    joined = MemberJoined(member="ben", role=Role.VIEWER, name="Ben")
    asked = Corrected(
        corrects=2,
        event_type="MemberJoined",
        subject="member:ben",
        why="Misspelt.",
        standing={"name": "Benn"},
    )
    (event,) = given(joined).when(Correct, asked).recorded
    assert isinstance(event, Corrected)
    assert event.whose == (Whose(member="ben"),)


def test_a_later_correction_stands() -> None:
    again = correction(rules=["Listen", "Be kind", "Tea first"])
    story = given(*ready, rules_on_record).when(Correct, again)
    event = agreed
    for each in (rules_on_record, story.recorded[0]):
        assert isinstance(each, Corrected)
        event = corrected(event, each)
    assert event.rules == ("Listen", "Be kind", "Tea first")


def test_correcting_to_what_stands_already_is_refused() -> None:
    given(*ready).when(Correct, correction(rules=["Listen"])).then_refused("nothing_changes")
    given(*ready).when(Correct, correction()).then_refused("nothing_changes")
    given(*ready, rules_on_record).when(Correct, rules).then_refused("nothing_changes")
    given(*ready, rules_on_record).when(Correct, correction(rules=["Listen"])).then(
        structs.replace(rules_on_record, standing={"rules": ["Listen"]})
    )


def test_the_same_correction_made_meanwhile_is_noticed() -> None:
    story = given(*ready).meanwhile(rules_on_record).when(Correct, rules)
    story.then_refused("nothing_changes")


@pytest.mark.parametrize(
    "wrong",
    [{"corrects": 2}, {"corrects": 9}, {"subject": "participant:p-2"}],
    ids=["another type", "not there", "another subject"],
)
def test_position_type_and_subject_must_fit(wrong: dict[str, Any]) -> None:
    given(*ready).when(Correct, structs.replace(rules, **wrong)).then_refused("event_unknown")


def test_an_unknown_type_is_refused() -> None:
    asked = structs.replace(rules, event_type="RulesAgreed")
    given(*ready).when(Correct, asked).then_refused("type_unknown")


def test_every_fault_of_the_fields_is_said_at_once() -> None:
    asked = correction(participants=["p-2"], rules=[], colour="red")
    given(*ready).when(Correct, asked).then_refused("field_fixed", "field_invalid", "field_unknown")


def test_fields_worked_out_from_the_record_are_refused() -> None:
    asked = Corrected(
        corrects=1, event_type="StudyOpened", subject="study:maize", why="?",
        standing={"member": "eve"},
    )  # fmt: skip
    given().when(Correct, asked).then_refused("field_fixed")


def test_what_other_events_rest_on_is_refused_with_its_remedy() -> None:
    consent = ConsentGiven(participant="p-1", permissions=(Permission.WORKSHOP,), form_version="1")
    asked = Corrected(
        corrects=4, event_type="ConsentGiven", subject="participant:p-1", why="Ticked wrongly.",
        standing={"permissions": ["audio"]},
    )  # fmt: skip
    story = given(*ready, consent).when(Correct, asked).then_refused("event_decisive")
    assert story.refused is not None
    assert "given, declined or withdrawn" in story.refused.reasons[0].message


def test_a_correction_is_not_corrected_itself() -> None:
    asked = Corrected(
        corrects=4, event_type="Corrected", subject="participant:p-1", why="Wrong again.",
        standing={"standing": {}},
    )  # fmt: skip
    given(*ready, rules_on_record).when(Correct, asked).then_refused("event_decisive")


def test_a_viewer_may_not_correct() -> None:
    viewer = MemberJoined(member="vic", role=Role.VIEWER)
    given(*ready, viewer).when(Correct, rules, by="vic").then_refused("role_insufficient")


@pytest.mark.parametrize("event_type", event_types(), ids=lambda each: each.TOPIC)
def test_whoever_an_event_is_about_a_correction_can_name(event_type: type[ResearchEvent]) -> None:
    kinds = {"participant", "member", "stakeholder"}  # the fields of `Whose`
    named = dict(identifying_fields(event_type))
    for mark in personal_fields(event_type).values():
        assert mark.of == "actor" or named[mark.of] in kinds | {""}
