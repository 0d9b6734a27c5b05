"""Fieldwork: interviews, focus groups and participant observation."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.captures import Capture
from domain.conditions import Condition, Stands
from domain.cycles import cycle_is_open
from domain.ethics import Activity
from domain.membership import Duty
from domain.payments import Payments, paid_among
from domain.permissions import Permission
from domain.vocabulary import (
    Count,
    CycleId,
    GroupId,
    HeldKind,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    SessionId,
    SiteId,
    Text,
    Title,
)

Minutes = Annotated[int, Meta(ge=1, le=1440)]
Members = Annotated[tuple[MemberId, ...], Meta(max_length=50)]
Groups = Annotated[tuple[GroupId, ...], Meta(max_length=50)]


class PlaceKind(StrEnum):
    """What kind of place a session took place in; the address itself is not recorded."""

    COMMUNITY_VENUE = "community_venue"
    HOME = "home"
    WORKPLACE = "workplace"
    SERVICE_PREMISES = "service_premises"
    UNIVERSITY = "university"
    PUBLIC_SPACE = "public_space"
    ONLINE = "online"
    TELEPHONE = "telephone"
    OTHER = "other"


class InterviewHeld(ResearchEvent):
    """Somebody was interviewed in depth; a joint interview has several participants."""

    PHASE: ClassVar = Phase.OBSERVE
    SCHEMA: ClassVar = 2
    HELD: ClassVar = HeldKind.INTERVIEW
    NEEDS: ClassVar = (Permission.INTERVIEW,)

    session: SessionId
    cycle: CycleId
    participants: Annotated[tuple[ParticipantId, ...], Meta(min_length=1, max_length=10)]
    minutes: Minutes
    place: PlaceKind
    interviewers: Members = ()
    topic: Title | None = None
    site: SiteId | None = None  # one of those approved, if the opinion names any
    payments: Payments = ()
    adjustments: Annotated[Text | None, Personal("participants")] = None  # made for access
    notes: Annotated[Text | None, Personal("participants")] = None


class FocusGroupHeld(ResearchEvent):
    """A small group of people talked a topic through together."""

    PHASE: ClassVar = Phase.OBSERVE
    SCHEMA: ClassVar = 2
    HELD: ClassVar = HeldKind.FOCUS_GROUP
    NEEDS: ClassVar = (Permission.FOCUS_GROUP,)

    session: SessionId
    cycle: CycleId
    participants: Annotated[tuple[ParticipantId, ...], Meta(min_length=2, max_length=50)]
    minutes: Minutes
    place: PlaceKind
    moderators: Members = ()
    groups: Groups = ()
    topic: Title | None = None
    site: SiteId | None = None  # one of those approved, if the opinion names any
    payments: Payments = ()
    adjustments: Annotated[Text | None, Personal("participants")] = None  # made for access
    notes: Annotated[Text | None, Personal("participants")] = None


class ObservationMade(ResearchEvent):
    """A researcher was there, took part, and noted what they saw (participant observation)."""

    PHASE: ClassVar = Phase.OBSERVE
    SCHEMA: ClassVar = 2
    HELD: ClassVar = HeldKind.OBSERVATION
    NEEDS: ClassVar = (Permission.OBSERVATION,)

    session: SessionId
    cycle: CycleId
    minutes: Minutes
    place: PlaceKind
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=200)] = ()  # who can be told
    people_present: Count | None = None  # everyone there, also who is not a participant
    observers: Members = ()
    groups: Groups = ()
    topic: Title | None = None
    site: SiteId | None = None  # one of those approved, if the opinion names any
    notes: Annotated[Text | None, Personal("participants")] = None


def session_is_new(session: SessionId) -> Condition:
    return Stands(
        "session",
        session,
        {InterviewHeld: False, FocusGroupHeld: False, ObservationMade: False},
        otherwise=True,
        code="session_exists",
        message=f"Session {session} is already on record; choose another identifier.",
    )


def session_is_known(session: SessionId, path: str = "session") -> Condition:
    return Stands(
        "session",
        session,
        {InterviewHeld: True, FocusGroupHeld: True, ObservationMade: True},
        code="session_unknown",
        message=f"No interview, focus group or observation {session} is on record in this study; "
        "record it first, or check the identifier.",
        path=path,
    )


class HoldInterview(Capture[InterviewHeld]):
    """Record an interview that took place."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.INTERVIEW
    HELD_BY = "interviewers"

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield session_is_new(event.session)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from self.covered(event.participants)
        yield paid_among(event.payments, event.participants)


class HoldFocusGroup(Capture[FocusGroupHeld]):
    """Record a focus group that took place."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.FOCUS_GROUP
    HELD_BY = "moderators"

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield session_is_new(event.session)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from self.covered(event.participants)
        yield paid_among(event.payments, event.participants)


class MakeObservation(Capture[ObservationMade]):
    """Record what was seen by taking part; name only who can be told apart in the notes."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.OBSERVATION
    HELD_BY = "observers"

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield session_is_new(event.session)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from self.covered(event.participants)
