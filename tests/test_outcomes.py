"""What changed is measured, harvested and told; harm can always be reported."""

from typing import Any

import pytest
from msgspec import structs

from domain.commands import Command
from domain.cycles import CycleClosed
from domain.outcomes import (
    CollectStory,
    HarmReported,
    HarmSeverity,
    HarvestOutcome,
    IndicatorMeasured,
    LinkRipple,
    MeasureIndicator,
    OutcomeHarvested,
    ReportHarm,
    RippleLinked,
    StoryCollected,
)
from domain.permissions import Permission
from domain.withdrawal import ConsentWithdrawn
from tests.story import given
from tests.study_in_the_field import opinion, ready

measured = IndicatorMeasured(
    indicator="know-a-neighbour", cycle="c-1", value=61.5, unit="%", action="a-1"
)
outcome = OutcomeHarvested(
    outcome="out-1",
    cycle="c-1",
    title="A tenants' group meets again",
    who_changed="The landlord",
    what="Met the tenants monthly from March.",
    intended=False,
    participants=("p-1",),
    actions=("a-1",),
)
told = StoryCollected(
    story="s-1",
    cycle="c-1",
    title="The key to the hall",
    participants=("p-1",),
    text="When I got the key I cried.",
    actions=("a-1",),
)
ripple = RippleLinked(cycle="c-1", from_action="a-1", to_outcome="out-1", how="Word of mouth.")
harm = HarmReported(
    harm="h-1",
    what="Was mocked after the film.",
    severity=HarmSeverity.MODERATE,
    participants=("p-1",),
    cycle="c-1",
    action="a-1",
    told="The key worker, the same day",
)


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (MeasureIndicator, measured),
        (HarvestOutcome, outcome),
        (CollectStory, told),
        (LinkRipple, ripple),
        (ReportHarm, harm),
    ],
)
def test_each_is_recorded(command: type[Command[Any]], event: Any) -> None:
    before = [outcome] if command is LinkRipple else []
    given(*ready, *before).when(command, event).then(event)
    given(*ready, *before).when(command, event, by="vic").then_refused("role_insufficient")


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (MeasureIndicator, measured),
        (HarvestOutcome, outcome),
        (CollectStory, told),
        (LinkRipple, ripple),
    ],
)
def test_what_is_observed_belongs_to_an_open_cycle(command: type[Command[Any]], event: Any) -> None:
    before = [outcome] if command is LinkRipple else []
    story = given(*ready, *before, CycleClosed(cycle="c-1"))
    story.when(command, event).then_refused("cycle_not_open")


@pytest.mark.parametrize(
    ("command", "event", "code"),
    [
        (HarvestOutcome, outcome, "outcome_exists"),
        (CollectStory, told, "story_exists"),
        (ReportHarm, harm, "harm_exists"),
    ],
)
def test_none_is_recorded_twice(command: type[Command[Any]], event: Any, code: str) -> None:
    given(*ready, event).when(command, event).then_refused(code)


def test_what_they_tell_of_is_on_record() -> None:
    other = structs.replace(measured, action="a-9")
    given(*ready).when(MeasureIndicator, other).then_refused("action_unknown")
    others = structs.replace(
        outcome, participants=("p-9",), stakeholders=("housing",), actions=("a-9",)
    )
    given(*ready).when(HarvestOutcome, others).then_refused(
        "participant_unknown", "stakeholder_unknown", "action_unknown"
    )
    stories = structs.replace(told, actions=("a-9",))
    given(*ready).when(CollectStory, stories).then_refused("action_unknown")


def test_a_story_is_collected_with_the_tellers_consent_under_approval() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.INTERVIEW,))
    given(*ready, withdrawn).when(CollectStory, told).then_refused("consent_withdrawn")
    unapproved = [each for each in ready if each is not opinion]
    given(*unapproved).when(CollectStory, told).then_refused("approval_missing")


def test_a_ripple_has_one_beginning_and_one_end_that_differ() -> None:
    loose = RippleLinked(cycle="c-1")
    given(*ready).when(LinkRipple, loose).then_refused("end_needed", "end_needed")
    forked = structs.replace(ripple, from_outcome="out-1")
    given(*ready, outcome).when(LinkRipple, forked).then_refused("end_needed")
    itself = RippleLinked(cycle="c-1", from_outcome="out-1", to_outcome="out-1")
    given(*ready, outcome).when(LinkRipple, itself).then_refused("same_ends")
    given(*ready).when(LinkRipple, ripple).then_refused("outcome_unknown")
    unplanned = structs.replace(ripple, from_action="a-9")
    given(*ready, outcome).when(LinkRipple, unplanned).then_refused("action_unknown")


def test_harm_is_reported_without_approval_consent_or_open_cycle() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=tuple(Permission))
    unapproved = [each for each in ready if each is not opinion]
    story = given(*unapproved, withdrawn, CycleClosed(cycle="c-1"))
    story.when(ReportHarm, harm, by="pat").then(harm)


def test_harm_is_to_somebody_and_from_something_on_record() -> None:
    others = structs.replace(harm, participants=("p-9",), cycle="c-9", action="a-9")
    given(*ready).when(ReportHarm, others).then_refused(
        "participant_unknown", "cycle_unknown", "action_unknown"
    )
