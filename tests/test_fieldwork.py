"""Interviews, focus groups and observation: each under its own approval and permission."""

from typing import Any

import pytest
from msgspec import structs

from domain.captures import Capture
from domain.cycles import CycleClosed
from domain.fieldwork import (
    FocusGroupHeld,
    HoldFocusGroup,
    HoldInterview,
    InterviewHeld,
    MakeObservation,
    ObservationMade,
    PlaceKind,
)
from domain.payments import Payment
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from tests.story import given
from tests.study_in_the_field import agreed, cycle, opinion, ready

interview = InterviewHeld(
    session="s-1", cycle="c-1", participants=("p-1",), minutes=55, place=PlaceKind.HOME
)
focus_group = FocusGroupHeld(
    session="s-1", cycle="c-1", participants=("p-1", "p-2"), minutes=90, place=PlaceKind.ONLINE
)
observation = ObservationMade(
    session="s-1", cycle="c-1", participants=("p-1",), minutes=120, place=PlaceKind.PUBLIC_SPACE
)
sessions: list[tuple[type[Capture[Any]], Any, Permission]] = [
    (HoldInterview, interview, Permission.INTERVIEW),
    (HoldFocusGroup, focus_group, Permission.FOCUS_GROUP),
    (MakeObservation, observation, Permission.OBSERVATION),
]
each_session = pytest.mark.parametrize(
    ("command", "event", "permission"), sessions, ids=lambda x: getattr(x, "__name__", "")
)


@each_session
def test_a_session_is_recorded_and_relies_on_opinion_and_consent(
    command: type[Capture[Any]], event: Any, permission: Permission
) -> None:
    story = given(*ready).when(command, event)
    story.then(event)
    assert story.command is not None
    assert story.command.approval() == 2
    assert story.command.consents()[0] == 8


@each_session
def test_a_session_needs_its_own_permission(
    command: type[Capture[Any]], event: Any, permission: Permission
) -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(permission,))
    given(*ready, withdrawn).when(command, event).then_refused("consent_withdrawn")
    others = [each for each in Permission if each is not permission]
    told = [opinion, cycle, *agreed("p-1", *others), *agreed("p-2")]
    given(*told).when(command, event).then_refused("consent_missing")


@each_session
def test_a_session_needs_an_open_cycle(
    command: type[Capture[Any]], event: Any, permission: Permission
) -> None:
    closed = CycleClosed(cycle="c-1")
    given(*ready, closed).when(command, event).then_refused("cycle_not_open")


@each_session
@pytest.mark.parametrize("earlier", [interview, focus_group, observation])
def test_no_two_sessions_have_the_same_identifier(
    command: type[Capture[Any]], event: Any, permission: Permission, earlier: ResearchEvent
) -> None:
    given(*ready, earlier).when(command, event).then_refused("session_exists")


@each_session
def test_a_viewer_logs_no_fieldwork(
    command: type[Capture[Any]], event: Any, permission: Permission
) -> None:
    given(*ready).when(command, event, by="vic").then_refused("role_insufficient")


@pytest.mark.parametrize("command", [HoldInterview, HoldFocusGroup])
def test_only_who_came_is_paid(command: type[Capture[Any]]) -> None:
    event: Any = interview if command is HoldInterview else focus_group
    paid = structs.replace(
        event, payments=(Payment(participant="p-1", amount=2500, currency="GBP"),)
    )
    given(*ready).when(command, paid).then(paid)
    stranger = structs.replace(
        event, payments=(Payment(participant="p-9", amount=2500, currency="GBP"),)
    )
    given(*ready).when(command, stranger).then_refused("payee_absent")


def test_naming_somebody_twice_is_noticed() -> None:
    twice = structs.replace(focus_group, participants=("p-1", "p-1"))
    given(*ready).when(HoldFocusGroup, twice).then_refused("participant_twice")


def test_an_observation_that_names_nobody_still_needs_approval() -> None:
    unnamed = structs.replace(observation, participants=(), people_present=14)
    given(*ready).when(MakeObservation, unnamed).then(unnamed)
    given(cycle).when(MakeObservation, unnamed).then_refused("approval_missing")
