"""The ballot register: what is counted, what is declared, and what stays secret."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.ballot_rules import count, ties, winners
from domain.ballots import (
    BallotCast,
    BallotClosed,
    BallotMethod,
    BallotOpened,
    BallotOption,
    BallotRules,
    Belonging,
    Choice,
    Electorate,
    ResultDeclared,
    Secrecy,
)
from domain.vocabulary import ResearchEvent
from projections.ballot_register import (
    BallotState,
    ConstituencyCount,
    ballot,
    ballot_papers,
    ballots,
    tally,
    tally_by_constituency,
)
from projections.paging import Window
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed
from tests.story import on

OPTIONS = tuple(
    BallotOption(option=option, title=title, priority=priority)
    for option, title, priority in (
        ("hall", "Open the hall", "space"), ("well", "Dig a well", "water"),
        ("choir", "Start a choir", None),
    )
)  # fmt: skip


def a_ballot(secrecy: Secrecy = Secrecy.OPEN, **differing: Any) -> BallotOpened:
    return BallotOpened(
        ballot="b-1", cycle="c-1", title="What first?", options=OPTIONS, secrecy=secrecy,
        **{"method": BallotMethod.APPROVAL, "electorate": Electorate.PUBLIC} | differing,
    )  # fmt: skip


def a_paper(voter: str, *choices: str, by: BallotOpened, sex: str | None = None) -> BallotCast:
    """`choices` are options, or options with points: "hall:3"."""
    marks = [choice.partition(":") for choice in choices]
    return BallotCast(
        ballot="b-1", voter=voter, cycle="c-1", secrecy=by.secrecy,
        choices=tuple(Choice(option=o, points=int(p) if p else None) for o, _, p in marks),
        constituencies=(Belonging(kind="sex", value=sex),) if sex else (),
    )  # fmt: skip


def declared(opened: BallotOpened, papers: Iterable[BallotCast]) -> ResultDeclared:
    counted = list(papers)
    counts = count(opened, counted)
    return ResultDeclared(
        ballot="b-1", papers=len(counted), tally=counts, winners=winners(counts, opened.places),
        ties=ties(counts),
    )  # fmt: skip


CLOSED = BallotClosed(ballot="b-1", cycle="c-1")


@pytest.mark.parametrize(
    ("opened", "marked", "expected"),
    [
        (
            a_ballot(),
            [("hall", "well"), ("well",), ()],
            [("well", 2, 2), ("hall", 1, 1), ("choir", 0, 0)],
        ),
        (
            a_ballot(method=BallotMethod.CUMULATIVE, rules=BallotRules(max_points=5)),
            [("hall:4", "well:1"), ("well:2",)],
            [("hall", 1, 4), ("well", 2, 3), ("choir", 0, 0)],
        ),
        (
            a_ballot(
                method=BallotMethod.RANKING,
                rules=BallotRules(min_choices=2, points_by_rank=(3, 2, 1)),
            ),
            [("choir", "hall", "well"), ("hall", "choir")],
            [("hall", 2, 5), ("choir", 2, 5), ("well", 1, 1)],
        ),
    ],
)
def test_every_method_is_counted_as_it_is_declared(
    database: Database, opened: BallotOpened, marked: list[Any], expected: list[Any]
) -> None:
    papers = [a_paper(f"v-{n}", *marks, by=opened) for n, marks in enumerate(marked)]

    async def tried() -> None:
        async with followed(database, opened, *papers) as db:
            live = await tally(db, "maize", "b-1")
            assert [(row.option, row.votes, row.score) for row in live] == expected
            assert live[0].declared_votes is None
            assert live[0].chosen is None
        assert [(row.option, row.votes, row.score) for row in count(opened, papers)] == expected

    asyncio.run(tried())


@in_a_loop
async def test_the_declared_result_stands_beside_the_count(database: Database) -> None:
    opened = a_ballot()
    papers = [a_paper("v-1", "well", "hall", by=opened), a_paper("v-2", "well", by=opened)]
    late = a_paper("v-3", "choir", by=opened)
    result = declared(opened, papers)
    async with followed(database, opened, *papers, CLOSED, late, result) as db:
        rows = await tally(db, "maize", "b-1")
        assert [(r.option, r.priority, r.votes, r.declared_votes, r.chosen) for r in rows] == [
            ("well", "water", 2, 2, True), ("hall", "space", 1, 1, False),
            ("choir", None, 1, 0, False),
        ]  # fmt: skip
        found = await ballot(db, "maize", "b-1")
        assert found is not None
        assert (found.state, found.papers, found.papers_counted) == (BallotState.DECLARED, 3, 2)
        assert (found.winners, found.tied) == (["well"], [])


@in_a_loop
async def test_a_ballot_goes_from_open_to_closed_to_declared(database: Database) -> None:
    opened = a_ballot(
        Secrecy.SECRET, electorate=Electorate.REGISTERED, voters=("v-1", "v-2", "v-3")
    )
    closed = on("2026-03-01", CLOSED)
    async with followed(database, opened, a_paper("v-1", "hall", by=opened), closed) as db:

        async def found(**filters: Any) -> list[str]:
            return [row.ballot for row in (await ballots(db, "maize", Window(), **filters)).rows]

        one = await ballot(db, "maize", "b-1")
        assert one is not None
        assert (one.papers, one.electorate_size, one.state) == (1, 3, BallotState.CLOSED)
        assert one.closed_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
        assert [choice.title for choice in one.choices][:1] == ["Open the hall"]
        assert await found(state=BallotState.CLOSED) == ["b-1"]
        assert await found(state=BallotState.OPEN) == []
        assert await found(method=BallotMethod.RANKING) == []
        assert await found(cycle="c-1") == ["b-1"]


@in_a_loop
async def test_an_open_ballot_shows_who_voted_for_what(database: Database) -> None:
    opened = a_ballot(method=BallotMethod.CUMULATIVE, rules=BallotRules(max_points=5))
    papers = [a_paper("v-1", "hall:4", "well:1", by=opened), a_paper("v-2", "well:5", by=opened)]
    async with followed(database, opened, *papers) as db:
        rows = (await ballot_papers(db, "maize", Window(), ballot="b-1")).rows
        assert [(row.voter, row.choices, row.points) for row in rows] == [
            ("v-1", ["hall", "well"], [4, 1]), ("v-2", ["well"], [5]),
        ]  # fmt: skip
        found = await ballot_papers(db, "maize", Window(), option="hall")
        assert [row.voter for row in found.rows] == ["v-1"]


@in_a_loop
async def test_a_secret_ballot_shows_only_that_somebody_voted(database: Database) -> None:
    opened = a_ballot(Secrecy.SECRET, constituencies=("sex",))
    papers = [a_paper("v-1", "hall", by=opened, sex="women")]
    async with followed(database, opened, *papers, CLOSED) as db:
        (row,) = (await ballot_papers(db, "maize", Window())).rows
        assert (row.voter, row.choices, row.points) == ("v-1", None, None)
        assert {(r.votes, r.score) for r in await tally(db, "maize", "b-1")} == {(None, None)}
        assert await tally_by_constituency(db, "maize", "b-1") == []
        kept = await db.fetch("select * from ballot_paper")
        assert "hall" not in str(kept)


async def by_sex(
    database: Database, secrecy: Secrecy, sizes: dict[str | None, int]
) -> list[ConstituencyCount]:
    """Everybody votes for the hall; so many of each sex, or who did not say."""
    opened = a_ballot(secrecy, constituencies=("sex",))
    papers = [
        a_paper(f"{sex or 'none'}-{n}", "hall", by=opened, sex=sex)
        for sex, size in sizes.items()
        for n in range(size)
    ]
    history: list[ResearchEvent] = [opened, *papers, CLOSED, declared(opened, papers)]
    async with followed(database, *history) as db:
        assert await tally_by_constituency(db, "maize", "b-1", kind="age group") == []
        return await tally_by_constituency(db, "maize", "b-1", kind="sex")


@in_a_loop
async def test_it_is_seen_how_each_constituency_voted(database: Database) -> None:
    assert await by_sex(database, Secrecy.SECRET, {"women": 6, "men": 5}) == [
        ConstituencyCount("sex", "men", 5, "hall", 5, 5),
        ConstituencyCount("sex", "women", 6, "hall", 6, 6),
    ]


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ({"women": 9, "men": 1}, set[str]()),  # who is left over would be told by subtraction
        ({"women": 9, "men": 5, "other": 1}, {"women"}),
        ({"women": 9, "men": 5, None: 2}, {"women"}),
        ({"women": 9, "men": 5, None: 6}, {"women", "men"}),
        ({"women": 9, "men": 3, "other": 2}, {"women"}),
    ],
)
def test_a_secret_ballot_shows_no_constituency_of_few(
    database: Database, sizes: dict[str | None, int], shown: set[str]
) -> None:
    found = asyncio.run(by_sex(database, Secrecy.SECRET, sizes))
    assert {row.value for row in found} == shown


@in_a_loop
async def test_an_open_ballot_shows_every_constituency(database: Database) -> None:
    found = await by_sex(database, Secrecy.OPEN, {"women": 2, "men": 1})
    assert [(row.value, row.papers, row.votes) for row in found] == [("men", 1, 1), ("women", 2, 2)]
