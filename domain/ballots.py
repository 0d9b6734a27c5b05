"""Ballots: what is put to the vote, the papers, the close and the result. How: domain/voting.py."""

from enum import StrEnum, auto
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from domain.vocabulary import (
    BallotId,
    Count,
    CycleId,
    Derived,
    OptionId,
    PaperId,
    ParticipantId,
    Phase,
    PriorityId,
    ResearchEvent,
    Title,
    VoterId,
)

Few = Annotated[int, Meta(ge=0, le=500)]
Points = Annotated[int, Meta(ge=1, le=10_000)]
Label = Annotated[str, Meta(min_length=1, max_length=60)]


class BallotMethod(StrEnum):
    """How a voter marks the paper; the methods are those of Pabulib's `vote_type`.

    `approval`: names options, each counting one. `cumulative`: shares out points (dots) among
    options. `ranking`: names options in order, the first counting most.
    """

    APPROVAL = "approval"
    CUMULATIVE = "cumulative"
    RANKING = "ranking"


class Electorate(StrEnum):
    """Who may vote.

    `participants`: everyone who takes part in the study when the ballot opens. `registered`: the
    voters listed with the ballot. `public`: anyone who comes, under a code given out to them.
    """

    PARTICIPANTS = "participants"
    REGISTERED = "registered"
    PUBLIC = "public"


class Secrecy(StrEnum):
    """Whether it is shown who voted for what; that somebody voted is shown either way."""

    OPEN = auto()
    SECRET = auto()


class BallotOption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that can be voted for."""

    option: OptionId  # names it on this ballot
    title: Title
    priority: PriorityId | None = None  # the proposal that it stands for


class BallotRules(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a valid paper looks like; a limit that is left out does not bind."""

    min_choices: Few = 1  # 0 allows a blank paper
    max_choices: Few | None = None  # options named; a ranking has as many as it has ranks
    max_points: Points | None = None  # cumulative: what a voter has to share out
    max_points_per_option: Points | None = None  # cumulative
    points_by_rank: Annotated[tuple[Points, ...], Meta(max_length=500)] = ()  # ranking: 3, 2, 1


class Choice(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An option that a voter named."""

    option: OptionId
    points: Points | None = None  # on a cumulative ballot, and only there


class Belonging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group that a voter belongs to, so that it can be seen how it voted: sex, "women"."""

    kind: Label  # one of the ballot's constituencies
    value: Label  # coarse enough to name nobody: "25-34", not an age


class OptionTally(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What an option got."""

    option: OptionId
    votes: Count  # papers that name it
    score: Annotated[int, Meta(ge=0)]  # points in all; with approval as many as votes
    priority: PriorityId | None = None


Options = Annotated[tuple[OptionId, ...], Meta(max_length=500)]


class BallotOpened(ResearchEvent):
    """Something was put to the vote; options, rules and electorate are fixed from then on."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    ballot: BallotId
    cycle: CycleId
    title: Title
    method: BallotMethod
    options: Annotated[tuple[BallotOption, ...], Meta(min_length=2, max_length=500)]
    rules: BallotRules = BallotRules()
    places: Annotated[int, Meta(ge=1, le=500)] = 1  # how many options are to be chosen
    electorate: Electorate = Electorate.PARTICIPANTS
    voters: Annotated[tuple[VoterId, ...], Meta(max_length=20_000)] = ()  # if it is registered
    constituencies: Annotated[tuple[Label, ...], Meta(max_length=10)] = ()  # "sex", "age group"
    secrecy: Secrecy = Secrecy.SECRET
    participants: Annotated[tuple[ParticipantId, ...], Derived()] = ()  # the electorate, if theirs


class BallotCast(ResearchEvent):
    """A voter's paper went into the box: one for each voter of a ballot."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    ballot: BallotId
    voter: VoterId
    choices: Annotated[tuple[Choice, ...], Meta(max_length=500)]  # a ranking: the first one first
    constituencies: Annotated[tuple[Belonging, ...], Meta(max_length=10)] = ()
    on_paper: bool = False  # marked by hand, and typed in by somebody else
    paper: Annotated[PaperId, Derived()] = ""  # by which a second one is noticed
    participant: Annotated[ParticipantId | None, Derived()] = None  # the voter, if they are one
    cycle: Annotated[CycleId | None, Derived()] = None
    secrecy: Annotated[Secrecy, Derived()] = Secrecy.SECRET  # secret: no view links voter, choices


class BallotClosed(ResearchEvent):
    """Voting ended."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    ballot: BallotId
    cycle: Annotated[CycleId | None, Derived()] = None


class ResultDeclared(ResearchEvent):
    """The papers were counted and the result made known; no paper can be added after it."""

    PHASE: ClassVar = Phase.PLAN
    DECISIVE: ClassVar = True

    ballot: BallotId
    cycle: Annotated[CycleId | None, Derived()] = None
    papers: Annotated[Count, Derived()] = 0  # counted
    late: Annotated[Count, Derived()] = (
        0  # cast after the close that was recorded later: not counted
    )
    tally: Annotated[tuple[OptionTally, ...], Derived()] = ()  # the highest score first
    winners: Annotated[Options, Derived()] = ()  # a tie for the last place leaves it empty
    ties: Annotated[tuple[Options, ...], Derived()] = ()  # options with one score, above nothing
