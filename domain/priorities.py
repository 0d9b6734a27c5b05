"""Priorities: proposed, merged, adopted because of a vote or in spite of it, and dissented from."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta, structs

from domain.ballots import BallotOpened, ResultDeclared
from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, all_known, known, new
from domain.cycles import CycleOpened, cycle_is_open
from domain.membership import Duty
from domain.people import enrolled
from domain.reconnaissance import ConcernStated
from domain.vocabulary import (
    BallotId,
    ConcernId,
    CycleId,
    Derived,
    Heard,
    HeldKind,
    ParticipantId,
    Personal,
    Phase,
    PriorityId,
    ResearchEvent,
    Text,
    Title,
)


class PriorityProposed(ResearchEvent):
    """Something was proposed as what a cycle should be about."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True
    HELD: ClassVar = HeldKind.PRIORITY

    priority: PriorityId
    cycle: CycleId
    title: Title
    proposed_by: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()
    concerns: Annotated[tuple[ConcernId, ...], Meta(max_length=50)] = ()  # those it answers
    description: Annotated[Text | None, Personal("proposed_by")] = None


class PrioritiesMerged(ResearchEvent):
    """Several proposals turned out to be one; one of them stands for all."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    priority: PriorityId  # the one that stands
    cycle: CycleId
    merged: Annotated[tuple[PriorityId, ...], Meta(min_length=1, max_length=100)]  # into it
    note: Annotated[Text | None, Personal("actor")] = None


class PriorityAdopted(ResearchEvent):
    """A priority became one that the cycle works on."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    priority: PriorityId
    cycle: CycleId
    ballot: BallotId | None = None  # that chose it, or whose choice is set aside
    override_reason: Text | None = None  # why, if no vote chose it; public: it is owed to voters
    chosen_by_vote: Annotated[bool, Derived()] = False  # it won a place in that ballot


class DissentRecorded(ResearchEvent):
    """Somebody did not go along with what a cycle decided, and said so."""

    PHASE: ClassVar = Phase.PLAN
    HELD: ClassVar = HeldKind.CONTRIBUTION

    cycle: CycleId
    words: Annotated[Text, Personal("participants")]
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()  # whose words
    priority: PriorityId | None = None  # from which they dissent
    ballot: BallotId | None = None  # from which they dissent


class PriorityStands(Condition):
    """The priority was proposed, and was not merged into another."""

    def __init__(self, priority: str, path: str = "priority") -> None:
        super().__init__(
            "priority_unknown",
            f"No priority {priority} is on record in this study; propose it first, "
            "or check the identifier.",
            path,
        )
        self.priority = priority

    def selectors(self) -> list[Selector]:
        tags = [f"priority:{self.priority}"]
        return [Selector(types=[PriorityProposed, PrioritiesMerged], tags=tags)]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case PriorityProposed(priority=self.priority):
                self.decided_by = heard
            case PrioritiesMerged(merged=merged) if self.priority in merged:
                self.decided_by = heard

    def holds(self) -> bool:
        match self.decided_by:
            case Heard(event=PriorityProposed()):
                return True
            case Heard(event=PrioritiesMerged(priority=standing)):
                self.code = "priority_merged"
                self.message = f"Priority {self.priority} was merged into {standing}; name that."
        return False


class ChosenByVote(Condition):
    """The priority won a place in the ballot, or it is said why it is adopted all the same."""

    def __init__(self, adopted: PriorityAdopted) -> None:
        where = f"in ballot {adopted.ballot}" if adopted.ballot else "in any ballot named here"
        super().__init__(
            "override_reason_missing",
            f"Priority {adopted.priority} won no place {where}; say in overrideReason "
            "why it is adopted, or adopt one that was chosen.",
            "overrideReason",
        )
        self.adopted, self.declared = adopted, adopted.ballot is None
        self.chosen = False

    def selectors(self) -> list[Selector]:
        if self.adopted.ballot is None:
            return []
        return [Selector(types=[ResultDeclared], tags=[f"ballot:{self.adopted.ballot}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case ResultDeclared(ballot=self.adopted.ballot, winners=winners, tally=tally):
                won = {row.priority for row in tally if row.option in winners}
                self.decided_by, self.declared = heard, True
                self.chosen = self.adopted.priority in won

    def holds(self) -> bool:
        if not self.declared:
            self.code, self.path = "result_not_declared", "ballot"
            self.message = (
                f"No result of ballot {self.adopted.ballot} is on record; declare it first, "
                "or leave the ballot out and give an overrideReason."
            )
            return False
        return self.chosen or self.adopted.override_reason is not None


class ProposePriority(Command[PriorityProposed]):
    """Propose what a cycle should be about."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("priority", event.priority, PriorityProposed)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield from enrolled(event.proposed_by, "proposedBy")
        for n, participant in enumerate(event.proposed_by):
            yield self.own_only(participant, f"proposedBy.{n}")
        yield from all_known("concern", event.concerns, ConcernStated, "concerns")


class MergePriorities(Command[PrioritiesMerged]):
    """Record that several proposals are one."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield PriorityStands(event.priority)
        for n, priority in enumerate(event.merged):
            yield PriorityStands(priority, f"merged.{n}")
        yield Sensible(
            len({event.priority, *event.merged}) == 1 + len(event.merged),
            "priority_twice",
            "A priority is named twice; name once the one that stands, and once each that is "
            "merged into it.",
            "merged",
        )


class AdoptPriority(Command[PriorityAdopted]):
    """Make a priority one that the cycle works on."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.vote = ChosenByVote(event)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield PriorityStands(event.priority)
        yield Stands(
            "priority",
            event.priority,
            {PriorityAdopted: False},
            otherwise=True,
            only=lambda adopted: getattr(adopted, "cycle", None) == event.cycle,
            code="priority_adopted",
            message=f"Cycle {event.cycle} has adopted priority {event.priority} already.",
        )
        yield self.vote

    def decide(self) -> PriorityAdopted:
        return structs.replace(self.event, chosen_by_vote=self.vote.chosen)


class RecordDissent(Command[DissentRecorded]):
    """Record that somebody does not go along with what a cycle decided."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield known("cycle", event.cycle, CycleOpened)
        yield from enrolled(event.participants)
        for n, participant in enumerate(event.participants):
            yield self.own_only(participant, f"participants.{n}")
        if event.priority is not None:
            yield known("priority", event.priority, PriorityProposed)
        if event.ballot is not None:
            yield known("ballot", event.ballot, BallotOpened)
