"""Voting: ballots are opened, papers cast and the box closed; then the papers are counted."""

from collections.abc import Callable, Iterable
from datetime import datetime

from eventsourcing.dcb.domain import Selector
from msgspec import structs

from domain import ballot_rules
from domain.ballots import (
    BallotCast,
    BallotClosed,
    BallotOpened,
    Electorate,
    ResultDeclared,
)
from domain.commands import Command, Refused
from domain.conditions import Condition, Sensible, Stands, new
from domain.consent import ConsentGiven
from domain.consent_states import ConsentState, Standing, touches, turn_of
from domain.cycles import cycle_is_open
from domain.membership import Duty
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.priorities import PriorityStands
from domain.vocabulary import Heard, ResearchEvent
from domain.withdrawal import ConsentWithdrawn


class EverybodyTakingPart(Condition):
    """The participants of that moment: enrolled, and not gone.

    Somebody who has withdrawn every permission that they gave has left the study.
    """

    def __init__(self, at: datetime) -> None:
        super().__init__(
            "electorate_empty",
            f"Nobody took part in the study on {at:%d %B %Y at %H:%M}; enrol the participants "
            "first, or choose another electorate.",
            "electorate",
        )
        self.at = at
        self.enrolled: dict[str, None] = {}
        self.turns: list[Heard] = []  # consents given and withdrawn

    def selectors(self) -> list[Selector]:
        return [Selector(types=[ParticipantEnrolled, ConsentGiven, ConsentWithdrawn], tags=[])]

    def hear(self, heard: Heard) -> None:
        if heard.occurred_at > self.at:
            return
        match heard.event:
            case ParticipantEnrolled(participant=participant):
                self.enrolled[participant] = None
            case ConsentGiven() | ConsentWithdrawn():
                self.turns.append(heard)

    def participants(self) -> tuple[str, ...]:
        standing: dict[str, dict[Permission, Standing]] = {}
        for heard in sorted(self.turns, key=lambda turn: (turn.occurred_at, turn.position)):
            theirs = standing.setdefault(getattr(heard.event, "participant", ""), {})
            turn = turn_of(heard)
            for permission in touches(heard.event):
                theirs[permission] = theirs.get(permission, Standing()).after(turn)
        return tuple(
            p
            for p in self.enrolled
            if p not in standing
            or any(each.state is not ConsentState.WITHDRAWN for each in standing[p].values())
        )

    def holds(self) -> bool:
        return bool(self.participants())


class BallotHeard(Condition):
    """What the record says of a ballot: when it was opened and closed, and whether it is over."""

    def __init__(self, ballot: str, at: datetime) -> None:
        super().__init__("", "", "ballot")
        self.ballot, self.at = ballot, at
        self.opened: BallotOpened | None = None
        self.opened_at: datetime | None = None
        self.closed_at: datetime | None = None
        self.declared = False

    def selectors(self) -> list[Selector]:
        types: list[type[ResearchEvent]] = [BallotOpened, BallotClosed, ResultDeclared]
        return [Selector(types=types, tags=[f"ballot:{self.ballot}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case BallotOpened(ballot=self.ballot) as opened:
                self.opened, self.opened_at = opened, heard.occurred_at
            case BallotClosed(ballot=self.ballot):
                self.closed_at = heard.occurred_at
            case ResultDeclared(ballot=self.ballot):
                self.declared = True
            case _:
                return
        self.decided_by = heard

    def as_opened(self) -> BallotOpened:
        """The ballot with its options and rules. Raises `Refused` if there is none."""
        if self.opened is None:
            raise Refused([self.reason()])
        return self.opened

    def is_open(self) -> bool:
        begun = self.opened_at is not None and self.opened_at <= self.at
        return begun and (self.closed_at is None or self.at < self.closed_at)

    def is_closed(self) -> bool:
        return self.closed_at is not None and self.closed_at <= self.at

    def holds(self) -> bool:
        self.code = "result_declared"
        self.message = (
            f"The result of ballot {self.ballot} has been declared, so it is over; "
            "open a new ballot to vote again."
        )
        return not self.declared


class BallotIsOpen(BallotHeard):
    """The ballot was open at that moment; `for_good`, if it has not been closed since either."""

    def __init__(self, ballot: str, at: datetime, *, for_good: bool = False) -> None:
        super().__init__(ballot, at)
        self.for_good = for_good

    def holds(self) -> bool:
        if not super().holds():
            return False
        self.code = "ballot_not_open"
        self.message = (
            f"Ballot {self.ballot} was not open on {self.at:%d %B %Y at %H:%M}; "
            "check the ballot and occurredAt, or open a new ballot."
        )
        if self.for_good and self.closed_at is not None:
            self.message = f"Ballot {self.ballot} was closed on {self.closed_at:%d %B %Y} already."
            return False
        return self.is_open()


class BallotIsClosed(BallotHeard):
    """The ballot was closed by that moment, and its result has not been declared."""

    def holds(self) -> bool:
        if not super().holds():
            return False
        self.code = "ballot_not_closed"
        self.message = (
            f"Ballot {self.ballot} had not been closed by {self.at:%d %B %Y at %H:%M}; "
            "close it before its result is declared, or check the ballot and occurredAt."
        )
        return self.is_closed()


class PaperRule(Condition):
    """The paper keeps one of the ballot's rules, if the ballot is on record at all."""

    def __init__(
        self,
        code: str,
        path: str,
        rule: Callable[[BallotOpened, BallotCast], str | None],
        ballot: BallotIsOpen,
        paper: BallotCast,
    ) -> None:
        super().__init__(code, "", path)
        self.rule, self.ballot, self.paper = rule, ballot, paper

    def selectors(self) -> list[Selector]:
        return []  # the ballot's own condition listens for it

    def hear(self, heard: Heard) -> None:
        """The ballot's own condition hears it."""

    def holds(self) -> bool:
        self.decided_by = self.ballot.decided_by
        broken = self.rule(self.ballot.opened, self.paper) if self.ballot.opened else None
        self.message = broken or ""
        return broken is None


class PapersInTheBox(Condition):
    """Every paper of the ballot, to be counted; it may be empty."""

    def __init__(self, ballot: str) -> None:
        super().__init__("", "")
        self.ballot = ballot
        self.papers: list[tuple[datetime, BallotCast]] = []

    def selectors(self) -> list[Selector]:
        return [Selector(types=[BallotCast], tags=[f"ballot:{self.ballot}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case BallotCast(ballot=self.ballot) as paper:
                self.papers.append((heard.occurred_at, paper))

    def holds(self) -> bool:
        return True


class OpenBallot(Command[BallotOpened]):
    """Put something to the vote."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        event, at = self.event, self.occasion.occurred_at
        yield new("ballot", event.ballot, BallotOpened)
        yield cycle_is_open(event.cycle, at)
        for n, option in enumerate(event.options):
            if option.priority is not None:
                yield PriorityStands(option.priority, f"options.{n}.priority")
        for code, path, rule in ballot_rules.BALLOT_RULES:
            if broken := rule(event):
                yield Sensible(False, code, broken, path)
        self.electorate = EverybodyTakingPart(at)
        if event.electorate is Electorate.PARTICIPANTS:
            yield self.electorate

    def decide(self) -> BallotOpened:
        return structs.replace(self.event, participants=self.electorate.participants())


class CastBallot(Command[BallotCast]):
    """Put a voter's paper into the box; a voter has one paper in each ballot.

    Participants vote for themselves. Papers marked by hand are typed in by others.
    """

    DUTY = Duty.VOTE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.ballot = BallotIsOpen(event.ballot, self.occasion.occurred_at)
        self.paper = f"{event.ballot}/{event.voter}"
        yield self.ballot
        yield self.own_only(event.voter, "voter")
        yield Stands(
            "paper",
            self.paper,
            {BallotCast: False},
            otherwise=True,
            code="already_voted",
            message=f"{event.voter} has voted in ballot {event.ballot} already; "
            "a paper cannot be taken back.",
            path="voter",
        )
        for code, path, rule in ballot_rules.PAPER_RULES:
            yield PaperRule(code, path, rule, self.ballot, event)

    def decide(self) -> BallotCast:
        ballot, event = self.ballot.as_opened(), self.event
        return structs.replace(
            event,
            paper=self.paper,
            participant=event.voter if event.voter in ballot.participants else None,
            cycle=ballot.cycle,
            secrecy=ballot.secrecy,
        )


class CloseBallot(Command[BallotClosed]):
    """End the voting; papers that were cast before may still be typed in until the result."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        self.ballot = BallotIsOpen(self.event.ballot, self.occasion.occurred_at, for_good=True)
        yield self.ballot

    def decide(self) -> BallotClosed:
        return structs.replace(self.event, cycle=self.ballot.as_opened().cycle)


class DeclareResult(Command[ResultDeclared]):
    """Count the papers of a closed ballot and make the result known."""

    DUTY = Duty.PLAN

    def requires(self) -> Iterable[Condition]:
        self.ballot = BallotIsClosed(self.event.ballot, self.occasion.occurred_at)
        self.box = PapersInTheBox(self.event.ballot)
        yield self.ballot
        yield self.box

    def decide(self) -> ResultDeclared:
        ballot, closed_at = self.ballot.as_opened(), self.ballot.closed_at
        counted = [
            paper for at, paper in self.box.papers if closed_at is not None and at <= closed_at
        ]
        tally = ballot_rules.count(ballot, counted)
        return structs.replace(
            self.event,
            cycle=ballot.cycle,
            papers=len(counted),
            late=len(self.box.papers) - len(counted),
            tally=tally,
            winners=ballot_rules.winners(tally, ballot.places),
            ties=ballot_rules.ties(tally),
        )
