"""Real votes (Pabulib) are counted as they were counted officially; no real paper is refused."""

import csv
from pathlib import Path

import pytest

from domain.ballot_rules import BALLOT_RULES, PAPER_RULES, count
from domain.ballots import (
    BallotCast,
    BallotMethod,
    BallotOpened,
    BallotOption,
    BallotRules,
    Choice,
    Electorate,
)
from tests.files import SHARED_DATA, needs_shared

VOTES = SHARED_DATA / "pabulib"

Rows = list[dict[str, str]]


def sections(file: Path) -> dict[str, Rows]:
    """A Pabulib file: META, PROJECTS and VOTES, each with its columns on its first line."""
    found: dict[str, Rows] = {}
    columns: list[str] | None = None
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.reader(lines, delimiter=";"):
            if row[0] in ("META", "PROJECTS", "VOTES"):
                rows, columns = found.setdefault(row[0], []), None
            elif columns is None:
                columns = row
            else:
                rows.append(dict(zip(columns, row, strict=True)))
    return found


@needs_shared("pabulib")
@pytest.mark.parametrize(
    ("name", "method", "rules"),
    [
        ("poland_lodz_2020_andrzejow", BallotMethod.APPROVAL, BallotRules(max_choices=5)),
        ("poland_gdansk_2020_osowa", BallotMethod.CUMULATIVE, BallotRules(max_points=5)),
        (
            "france_toulouse_2019",
            BallotMethod.CUMULATIVE,
            BallotRules(max_points=7, max_points_per_option=3),
        ),
        (
            "poland_krakow_2019_bienczyce",
            BallotMethod.RANKING,
            BallotRules(min_choices=3, points_by_rank=(3, 2, 1)),
        ),
    ],
)
def test_the_official_count_comes_out(name: str, method: BallotMethod, rules: BallotRules) -> None:
    parts = sections(VOTES / f"{name}.pb")
    options = tuple(
        BallotOption(option=each["project_id"], title=each["name"]) for each in parts["PROJECTS"]
    )
    ballot = BallotOpened(
        ballot="b",
        cycle="c",
        title=name,
        method=method,
        options=options,
        rules=rules,
        electorate=Electorate.PUBLIC,
    )
    papers = []
    for vote in parts["VOTES"]:
        named = vote["vote"].split(",")
        dots = [int(p) for p in vote["points"].split(",")] if "points" in vote else [None] * 500
        choices = tuple(Choice(option=o, points=p) for o, p in zip(named, dots, strict=False))
        papers.append(BallotCast(ballot="b", voter=vote["voter_id"], choices=choices))
    assert [rule(ballot) for _, _, rule in BALLOT_RULES] == [None] * len(BALLOT_RULES)
    assert {rule(ballot, each) for each in papers for _, _, rule in PAPER_RULES} == {None}
    assert {row.option: (row.votes, row.score) for row in count(ballot, papers)} == {
        each["project_id"]: (int(each["votes"]), int(each.get("score", each["votes"])))
        for each in parts["PROJECTS"]
    }
