"""A vote is closed, counted and declared; a tie is left to people."""

from msgspec import structs

from domain.ballots import (
    BallotClosed,
    BallotOpened,
    OptionTally,
    ResultDeclared,
)
from domain.vocabulary import ResearchEvent
from domain.voting import CloseBallot, DeclareResult
from tests.story import Happened, given, on
from tests.votes import cumulative, opened, ranking, ready, recorded


def test_a_ballot_is_closed_once() -> None:
    closed = BallotClosed(ballot="b-1", cycle="c-1")
    given(*ready, opened).when(CloseBallot, BallotClosed(ballot="b-1")).then(closed)
    given(*ready).when(CloseBallot, BallotClosed(ballot="b-1")).then_refused("ballot_not_open")
    story = given(*ready, on("2026-05-01", opened), on("2026-06-01", closed))
    for day in ("2026-04-01", "2026-05-20", "2026-07-01"):
        again = story.when(CloseBallot, BallotClosed(ballot="b-1"), at=day)
        again.then_refused("ballot_not_open")


def declared(ballot: BallotOpened, *papers: ResearchEvent) -> ResultDeclared:
    closed = BallotClosed(ballot="b-1", cycle="c-1")
    story = given(*ready, ballot, *papers, closed)
    story.when(DeclareResult, ResultDeclared(ballot="b-1"))
    assert story.refused is None, story.refused
    (result,) = story.recorded
    assert isinstance(result, ResultDeclared)
    return result


def test_approvals_are_counted() -> None:
    assert declared(
        opened, recorded("p-1", "bus", "cafe"), recorded("p-2", "bus")
    ) == ResultDeclared(
        ballot="b-1",
        cycle="c-1",
        papers=2,
        tally=(
            OptionTally(option="bus", votes=2, score=2),
            OptionTally(option="cafe", votes=1, score=1, priority="cafe"),
            OptionTally(option="garden", votes=0, score=0),
        ),
        winners=("bus",),
    )


def test_points_are_counted() -> None:
    result = declared(cumulative, recorded("p-1", cafe=3, bus=1), recorded("p-2", bus=1))
    assert [(row.option, row.votes, row.score) for row in result.tally] == [
        ("cafe", 1, 3),
        ("bus", 2, 2),
        ("garden", 0, 0),
    ]


def test_ranks_are_counted_by_what_they_are_worth() -> None:
    result = declared(ranking, recorded("p-1", "bus", "cafe"), recorded("p-2", "bus", "garden"))
    assert [(row.option, row.votes, row.score) for row in result.tally] == [
        ("bus", 2, 6),
        ("cafe", 1, 2),
        ("garden", 1, 2),
    ]
    assert result.ties == (("cafe", "garden"),)


def test_a_tie_for_the_last_place_is_left_to_people() -> None:
    papers = [recorded("p-1", "bus", "cafe"), recorded("p-2", "bus", "garden")]
    assert declared(structs.replace(opened, places=2), *papers).winners == ("bus",)
    assert declared(structs.replace(opened, places=3), *papers).winners == ("bus", "cafe", "garden")


def test_what_nobody_voted_for_wins_nothing() -> None:
    result = declared(opened)
    assert (result.papers, result.winners, result.ties) == (0, (), ())


def test_a_paper_cast_after_the_close_that_was_logged_late_is_not_counted() -> None:
    history: list[ResearchEvent | Happened] = [
        *ready,
        on("2026-05-01", opened),
        on("2026-05-02", recorded("p-1", "cafe")),
        on("2026-06-02", recorded("p-2", "bus")),
        on("2026-06-01", BallotClosed(ballot="b-1", cycle="c-1")),
    ]
    story = given(*history).when(DeclareResult, ResultDeclared(ballot="b-1"))
    (result,) = story.recorded
    assert isinstance(result, ResultDeclared)
    assert (result.papers, result.late, result.winners) == (1, 1, ("cafe",))


def test_a_result_is_declared_once_and_after_the_close() -> None:
    asked = ResultDeclared(ballot="b-1")
    given(*ready, opened).when(DeclareResult, asked).then_refused("ballot_not_closed")
    closed = BallotClosed(ballot="b-1", cycle="c-1")
    story = given(*ready, opened, closed, ResultDeclared(ballot="b-1", cycle="c-1"))
    story.when(DeclareResult, asked).then_refused("result_declared")


def test_a_paper_typed_in_while_the_result_is_counted_is_counted() -> None:
    history: list[ResearchEvent | Happened] = [
        *ready,
        on("2026-05-01", opened),
        on("2026-06-01", BallotClosed(ballot="b-1", cycle="c-1")),
    ]
    story = given(*history).meanwhile(on("2026-05-20", recorded("p-1", "cafe")))
    (result,) = story.when(DeclareResult, ResultDeclared(ballot="b-1")).recorded
    assert isinstance(result, ResultDeclared)
    assert result.papers == 1
