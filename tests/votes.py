"""A study with something to vote on, and papers: what the stories of voting begin with."""

from msgspec import structs

from domain.ballots import (
    BallotCast,
    BallotMethod,
    BallotOpened,
    BallotOption,
    BallotRules,
    Choice,
)
from domain.cycles import CycleOpened
from domain.membership import MemberJoined, Role
from domain.people import ParticipantEnrolled
from domain.priorities import PriorityProposed
from domain.vocabulary import ResearchEvent

ready: list[ResearchEvent] = [
    ParticipantEnrolled(participant="p-1"),
    ParticipantEnrolled(participant="p-2"),
    MemberJoined(member="joy", role=Role.PARTICIPANT, participant="p-1"),
    MemberJoined(member="fay", role=Role.FACILITATOR),
    CycleOpened(cycle="c-1", title="First turn", question="What matters here?"),
    PriorityProposed(priority="cafe", cycle="c-1", title="A café"),
]
approval = BallotOpened(
    ballot="b-1",
    cycle="c-1",
    title="What first?",
    method=BallotMethod.APPROVAL,
    options=(
        BallotOption(option="cafe", title="A café", priority="cafe"),
        BallotOption(option="garden", title="A garden"),
        BallotOption(option="bus", title="A late bus"),
    ),
    rules=BallotRules(max_choices=2),
    constituencies=("sex",),
)
opened = structs.replace(approval, participants=("p-1", "p-2"))  # as it stands on record
cumulative = structs.replace(
    opened,
    method=BallotMethod.CUMULATIVE,
    rules=BallotRules(max_points=7, max_points_per_option=3),
)
ranking = structs.replace(
    opened,
    method=BallotMethod.RANKING,
    rules=BallotRules(min_choices=2, points_by_rank=(3, 2)),
)


def choices(*named: str, **dots: int) -> tuple[Choice, ...]:
    """Options by name, or with their points."""
    plain = [Choice(option=option) for option in named]
    return (*plain, *(Choice(option=option, points=points) for option, points in dots.items()))


def paper(voter: str, *named: str, **dots: int) -> BallotCast:
    """As it is handed in."""
    return BallotCast(ballot="b-1", voter=voter, choices=choices(*named, **dots))


def recorded(voter: str, *named: str, **dots: int) -> BallotCast:
    """As it stands on record."""
    return structs.replace(
        paper(voter, *named, **dots), paper=f"b-1/{voter}", participant=voter, cycle="c-1"
    )
