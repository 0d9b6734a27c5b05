"""People look back: what happened, what it means, what they do next, and what they carry on."""

from typing import Any

import pytest
from msgspec import structs

from domain.commands import Command
from domain.cycles import CycleClosed, CycleOpened
from domain.outcomes import StoryCollected
from domain.permissions import Permission
from domain.reflections import (
    AssessAssumption,
    AssumptionTested,
    Carrying,
    CarryLearning,
    LearningCarried,
    RecordReflection,
    ReflectionRecorded,
    SelectStory,
    StorySelected,
    Verdict,
    Voice,
)
from domain.withdrawal import ConsentWithdrawn
from tests.story import given
from tests.study_in_the_field import opinion, ready

told = StoryCollected(
    story="s-1", cycle="c-1", title="The key", participants=("p-1",), text="When I got the key …"
)
following = CycleOpened(cycle="c-2", title="Second turn", question="Who is missing?")
reflection = ReflectionRecorded(
    reflection="r-1",
    cycle="c-1",
    voice=Voice.PARTICIPANTS,
    what="We came early.",
    so_what="We needed the quiet.",
    now_what="Open at nine.",
    participants=("p-1",),
    turning_point=True,
    actions_changed=("a-1",),
)
selected = StorySelected(story="s-1", cycle="c-1", why="It says what we could not.")
tested = AssumptionTested(
    cycle="c-1", assumption="People come if there is food", verdict=Verdict.UNCLEAR, action="a-1"
)
carried = LearningCarried(
    cycle="c-1", learning="Meet on Saturdays", carrying=Carrying.KEEP, to_cycle="c-2"
)
settled = [*ready, told, following]
each_look_back = pytest.mark.parametrize(
    ("command", "event"),
    [
        (RecordReflection, reflection),
        (SelectStory, selected),
        (AssessAssumption, tested),
        (CarryLearning, carried),
    ],
)


@each_look_back
def test_each_is_recorded_by_who_deliberates(command: type[Command[Any]], event: Any) -> None:
    given(*settled).when(command, event).then(event)
    given(*settled).when(command, event, by="pat").then(event)
    given(*settled).when(command, event, by="vic").then_refused("role_insufficient")


@each_look_back
def test_only_learning_is_carried_from_a_cycle_already_closed(
    command: type[Command[Any]], event: Any
) -> None:
    story = given(*settled, CycleClosed(cycle="c-1")).when(command, event)
    if command is CarryLearning:
        story.then(event)
    else:
        story.then_refused("cycle_not_open")


def test_a_reflection_in_participants_words_needs_their_consent() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.WORKSHOP,))
    given(*settled, withdrawn).when(RecordReflection, reflection).then_refused("consent_withdrawn")
    own = structs.replace(reflection, participants=(), voice=Voice.RESEARCHERS)
    unapproved = [each for each in settled if each is not opinion]
    story = given(*unapproved).when(RecordReflection, own)
    story.then(own)
    assert story.command is not None
    assert (story.command.approval(), story.command.consents()) == (None, ())


def test_participants_reflect_for_themselves() -> None:
    others = structs.replace(reflection, participants=("p-2",))
    given(*settled).when(RecordReflection, others, by="pat").then_refused("not_your_own")


def test_a_reflection_is_recorded_once_about_what_is_on_record() -> None:
    given(*settled, reflection).when(RecordReflection, reflection).then_refused("reflection_exists")
    others = structs.replace(
        reflection, workshop="w-9", actions_changed=("a-9",), priorities_changed=("pr-9",)
    )
    given(*settled).when(RecordReflection, others).then_refused(
        "workshop_unknown", "action_unknown", "priority_unknown"
    )


def test_only_a_story_on_record_is_selected() -> None:
    given(*ready).when(SelectStory, selected).then_refused("story_unknown")


def test_an_assumption_may_belong_to_a_planned_action() -> None:
    loose = structs.replace(tested, action=None)
    given(*ready).when(AssessAssumption, loose).then(loose)
    other = structs.replace(tested, action="a-9")
    given(*ready).when(AssessAssumption, other).then_refused("action_unknown")


def test_learning_is_carried_to_another_cycle_or_to_none_yet() -> None:
    yet = structs.replace(carried, to_cycle=None)
    given(*ready).when(CarryLearning, yet).then(yet)
    given(*ready).when(CarryLearning, carried).then_refused("cycle_unknown")
    itself = structs.replace(carried, to_cycle="c-1")
    given(*ready).when(CarryLearning, itself).then_refused("same_cycle")
