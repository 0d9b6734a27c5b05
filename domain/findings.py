"""Findings: drafted from evidence, then validated or contested by those they are about."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta, structs

from domain.commands import Command
from domain.conditions import Condition, Sensible, all_known, known, new
from domain.cycles import cycle_is_open, cycle_of
from domain.fieldwork import session_is_known
from domain.membership import Duty
from domain.outcomes import IndicatorMeasured, OutcomeHarvested, StoryCollected
from domain.people import enrolled
from domain.recordings import TranscriptMade
from domain.reflections import ReflectionRecorded
from domain.vocabulary import (
    CycleId,
    Derived,
    FindingId,
    GroupId,
    HeldKind,
    IndicatorId,
    OutcomeId,
    ParticipantId,
    Personal,
    Phase,
    ReflectionId,
    ResearchEvent,
    SessionId,
    StoryId,
    Text,
    Title,
    TranscriptId,
    WorkshopId,
)
from domain.workshops import WorkshopHeld

Many = Meta(max_length=200)
Participants = Annotated[tuple[ParticipantId, ...], Meta(max_length=500)]
Groups = Annotated[tuple[GroupId, ...], Meta(max_length=50)]


class FindingDrafted(ResearchEvent):
    """Somebody put into words what the study found, with the evidence for it."""

    PHASE: ClassVar = Phase.REFLECT

    finding: FindingId
    cycle: CycleId
    title: Title
    text: Annotated[Text | None, Personal("actor")] = None
    workshops: Annotated[tuple[WorkshopId, ...], Many] = ()  # the evidence, by what it is
    sessions: Annotated[tuple[SessionId, ...], Many] = ()
    transcripts: Annotated[tuple[TranscriptId, ...], Many] = ()
    stories: Annotated[tuple[StoryId, ...], Many] = ()
    outcomes: Annotated[tuple[OutcomeId, ...], Many] = ()
    indicators: Annotated[tuple[IndicatorId, ...], Many] = ()
    reflections: Annotated[tuple[ReflectionId, ...], Many] = ()


class FindingValidated(ResearchEvent):
    """People whom a finding concerns said that it is right."""

    PHASE: ClassVar = Phase.REFLECT
    HELD: ClassVar = HeldKind.CONTRIBUTION

    finding: FindingId
    participants: Participants = ()
    groups: Groups = ()
    workshop: WorkshopId | None = None  # where they said so
    comments: Annotated[Text | None, Personal("participants")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the finding


class FindingContested(ResearchEvent):
    """Somebody said that a finding is wrong, or not the whole of it, and why."""

    PHASE: ClassVar = Phase.REFLECT
    HELD: ClassVar = HeldKind.CONTRIBUTION

    finding: FindingId
    why: Annotated[Text, Personal("participants")]
    participants: Participants = ()
    groups: Groups = ()
    workshop: WorkshopId | None = None  # where they said so
    cycle: Annotated[CycleId | None, Derived()] = None  # of the finding


class DraftFinding(Command[FindingDrafted]):
    """Put into words what the study found, naming the evidence for it."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("finding", event.finding, FindingDrafted)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        evidence = [
            *all_known("workshop", event.workshops, WorkshopHeld, "workshops"),
            *[session_is_known(each, f"sessions.{n}") for n, each in enumerate(event.sessions)],
            *all_known("transcript", event.transcripts, TranscriptMade, "transcripts"),
            *all_known("story", event.stories, StoryCollected, "stories"),
            *all_known("outcome", event.outcomes, OutcomeHarvested, "outcomes"),
            *all_known("indicator", event.indicators, IndicatorMeasured, "indicators"),
            *all_known("reflection", event.reflections, ReflectionRecorded, "reflections"),
        ]
        yield from evidence
        yield Sensible(
            bool(evidence),
            "evidence_missing",
            "Name what the finding rests on: a workshop, session, transcript, story, outcome, "
            "indicator or reflection.",
        )


class ValidateFinding(Command[FindingValidated]):
    """Record that people whom a finding concerns said it is right."""

    DUTY = Duty.SHARE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.drafted = known("finding", event.finding, FindingDrafted)
        yield self.drafted
        yield from enrolled(event.participants)
        yield Sensible(
            bool(event.participants or event.groups),
            "validators_missing",
            "Say who found it right: participants or groups.",
            "participants",
        )
        if event.workshop is not None:
            yield known("workshop", event.workshop, WorkshopHeld)

    def decide(self) -> FindingValidated:
        return structs.replace(self.event, cycle=cycle_of(self.drafted))


class ContestFinding(Command[FindingContested]):
    """Record that somebody disagrees with a finding, and why."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.drafted = known("finding", event.finding, FindingDrafted)
        yield self.drafted
        yield from enrolled(event.participants)
        for n, participant in enumerate(event.participants):
            yield self.own_only(participant, f"participants.{n}")
        if event.workshop is not None:
            yield known("workshop", event.workshop, WorkshopHeld)

    def decide(self) -> FindingContested:
        return structs.replace(self.event, cycle=cycle_of(self.drafted))
