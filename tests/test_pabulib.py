"""Real community votes (pabulib.org) as ballots: what is counted equals what was announced."""

from collections import Counter
from pathlib import Path

import pytest

from domain.ballots import BallotMethod
from projections.ballot_register import ballot, tally, tally_by_constituency
from service.importing import FileFormat, read_lines
from service.numbered_lines import Numbered, Rejected, Unsaid
from service.pabulib_files import age_group
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.files import SHARED_DATA, all_followed, bring_in, codes, line, needs_shared, written
from tests.recording import in_a_loop

FILES = {
    "poland_lodz_2020_andrzejow": (BallotMethod.APPROVAL, 1036, 9),
    "poland_gdansk_2020_osowa": (BallotMethod.CUMULATIVE, 1134, 10),
    "france_toulouse_2019": (BallotMethod.CUMULATIVE, 1494, 30),
    "poland_krakow_2019_bienczyce": (BallotMethod.RANKING, 1045, 9),
}
BEGUN = "\n".join(
    [
        line("openStudy", "2019-01-01T09:00:00Z", title="Participatory budgets", madeUp=True,
             question="What do people want their money spent on?", setting="Four cities"),
        line("openCycle", "2019-01-02T09:00:00Z", cycle="c1", title="A vote",
             question="What first?"),
    ]
)  # fmt: skip
WITHHELD = {  # one voter gave no age: the smallest band is not shown, lest it tell of that one vote
    "poland_lodz_2020_andrzejow": {("age group", "18-24")},
}
UNSAID = Unsaid(cycle="c1")

every_vote = pytest.mark.parametrize("name", FILES)

# A made-up vote in which some papers break the ballot's rules.
SMALL = """META
key;value
description;A small vote
num_projects;3
num_votes;7
vote_type;cumulative
date_begin;01.03.2019
date_end;14.03.2019
max_length;2
max_points;3
max_sum_points;4
PROJECTS
project_id;cost;name
garden;100;A garden; trees
well;200;A well
bench;50;A "good" bench
VOTES
voter_id;vote;points;sex;age;voting_method
v1;garden,well;3,1;F;17;paper
v2;garden;2;M;;internet
v3;garden,well,bench;1,1,1;F;18;internet
v4;garden;4;M;64;internet
v5;road;1;F;65;internet
v2;well;1;M;30;internet
v6;well,bench;3,3;F;40;internet
""".replace("A garden; trees", '"A garden; trees"')


def real(name: str) -> str:
    return (SHARED_DATA / f"pabulib/{name}.pb").read_text(encoding="utf-8").rstrip("\n")


def sections(name: str) -> dict[str, list[dict[str, str]]]:
    """A file of the shared data read as simply as can be, apart from the service's reading."""
    found: dict[str, list[dict[str, str]]] = {}
    columns: list[str] = []
    for row in real(name).splitlines():
        if row in ("META", "PROJECTS", "VOTES"):
            rows, columns = found.setdefault(row, []), []
        elif not columns:
            columns = row.split(";")
        else:
            rows.append(dict(zip(columns, row.split(";"), strict=True)))
    return found


def given(paper: dict[str, str]) -> list[tuple[str, int]]:
    """What a paper of an approval or cumulative vote gives to each option."""
    options = paper["vote"].split(",")
    points = paper["points"].split(",") if "points" in paper else ["1"] * len(options)
    return list(zip(options, map(int, points), strict=True))


@needs_shared("pabulib")
@every_vote
@in_a_loop
async def test_every_option_has_its_official_votes_and_score(
    database: Database, tmp_path: Path, name: str
) -> None:
    method, papers, options = FILES[name]
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "begun.jsonl", BEGUN)
        done = await bring_in(record, SHARED_DATA / f"pabulib/{name}.pb", unsaid=UNSAID)
        assert (done.recorded, done.repeated, done.refused) == (papers + 3, 0, [])
    projects = sections(name)["PROJECTS"]
    official = {
        row["project_id"]: (int(row["votes"]), int(row.get("score", row["votes"])))
        for row in projects
    }
    assert len(official) == options
    async with all_followed(database) as db:
        held = await ballot(db, "maize", name)
        assert held is not None
        assert (held.method, held.papers, held.papers_counted) == (method, papers, papers)
        counted = await tally(db, "maize", name)
        assert {row.option: (row.votes, row.score) for row in counted} == official
        declared = {row.option: (row.declared_votes, row.declared_score) for row in counted}
        assert declared == official


@needs_shared("pabulib")
@pytest.mark.parametrize("name", ["poland_lodz_2020_andrzejow", "poland_gdansk_2020_osowa"])
@in_a_loop
async def test_each_sex_and_age_group_has_its_own_tally(
    database: Database, tmp_path: Path, name: str
) -> None:
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "begun.jsonl", BEGUN)
        await bring_in(record, SHARED_DATA / f"pabulib/{name}.pb", unsaid=UNSAID)
    votes, score, papers = Counter[object](), Counter[object](), Counter[object]()
    for paper in sections(name)["VOTES"]:
        groups = [("sex", "men" if paper["sex"] == "M" else "women")]
        if paper["age"]:
            age = int(paper["age"])
            begins = max((n for n in (18, 25, 35, 45, 55, 65) if n <= age), default=0)
            ends = {18: 24, 25: 34, 35: 44, 45: 54, 55: 64}.get(begins)
            named = {0: "under 18", 65: "65 and over"}.get(begins, f"{begins}-{ends}")
            groups.append(("age group", named))
        for group in groups:
            papers[group] += 1
            for option, points in given(paper):
                votes[group, option] += 1
                score[group, option] += points
    assert len(papers) == 2 + 7
    async with all_followed(database) as db:
        shown = await tally_by_constituency(db, "maize", name)
        kept = await db.fetch("select * from ballot_tally where kind <> '' and option <> ''")
    tallied = {((row["kind"], row["value"]), row["option"]): row for row in kept}
    assert {of: row["votes"] for of, row in tallied.items()} == votes
    assert {of: row["score"] for of, row in tallied.items()} == score
    assert {(row.kind, row.value) for row in shown} == set(papers) - WITHHELD.get(name, set())
    for row in shown:
        group = (row.kind, row.value)
        assert row.papers == papers[group]
        assert (row.votes, row.score) == (votes[group, row.option], score[group, row.option])


@needs_shared("pabulib")
@in_a_loop
async def test_papers_of_a_real_vote_that_break_its_rule_are_refused_by_name(
    database: Database, tmp_path: Path
) -> None:
    name = "poland_krakow_2019_bienczyce"
    text = real(name)
    broken = ["x1;4,11;internet", "x2;4,4,14;internet", "x3;4,11,99;paper", "12;6,3,20;internet"]
    text = "\n".join([text.replace("num_votes;1045", "num_votes;1049"), *broken])
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "begun.jsonl", BEGUN)
        done = await bring_in(record, tmp_path / f"{name}.pb", text, unsaid=UNSAID)
    first = len(text.splitlines()) - 3
    assert codes(done.refused) == [
        (first, ["ranks_wrong_number"]),
        (first + 1, ["option_twice"]),
        (first + 2, ["option_unknown"]),
        (first + 3, ["already_voted"]),
    ]
    assert [refused.about for refused in done.refused] == [
        f"the paper of voter {voter}" for voter in ("x1", "x2", "x3", "12")
    ]
    official = {row["project_id"]: int(row["score"]) for row in sections(name)["PROJECTS"]}
    async with all_followed(database) as db:
        counted = {row.option: row.score for row in await tally(db, "maize", name)}
    assert counted == official


@in_a_loop
async def test_a_small_vote(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "small.pb"
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "begun.jsonl", BEGUN)
        done = await bring_in(record, file, SMALL, unsaid=UNSAID)
        assert codes(done.refused) == [
            (21, ["too_many_choices"]),
            (22, ["too_many_points_on_option"]),
            (23, ["option_unknown"]),
            (24, ["already_voted"]),
            (25, ["too_many_points"]),
        ]
        assert done.recorded == 5
        again = await bring_in(record, file, unsaid=UNSAID)
        assert (again.recorded, again.repeated, len(again.refused)) == (0, 5, 5)
    async with all_followed(database) as db:
        counted = {row.option: (row.votes, row.score) for row in await tally(db, "maize", "small")}
        assert counted == {"garden": (2, 5), "well": (1, 1), "bench": (0, 0)}
        held = await ballot(db, "maize", "small")
        assert held is not None
        assert [choice.title for choice in held.choices][::2] == [
            "A garden; trees",
            'A "good" bench',
        ]


def checked(path: Path, text: str) -> list[Numbered | Rejected]:
    return read_lines(written(path, text), FileFormat.PABULIB, "maize", "ana", UNSAID, {})


@pytest.mark.parametrize(
    ("whole", "broken", "line", "code"),
    [
        ("vote_type;cumulative", "vote_type;scoring", 6, "field_invalid"),
        ("date_end;14.03.2019", "date_end;14/3/19", 8, "field_invalid"),
        ("max_points;3", "max_points;three", 10, "field_invalid"),
        ("max_points;3", "max_sum_cost;300", 10, "rule_unsupported"),
        ("num_votes;7", "num_votes;8", 5, "rows_missing"),
        ("v1;garden,well;3,1;F;17;paper", "v1;garden,well;3;F;17;paper", 19, "points_missing"),
        ("v1;garden,well;3,1;F;17;paper", "v1;garden;3;F;young;paper", 19, "field_invalid"),
        ("v2;garden;2;M;;internet", "v 2;garden;2;M;;internet", 20, "field_invalid"),
        ("v2;garden;2;M;;internet", "v2;garden;0;M;;internet", 20, "field_invalid"),
        ("v2;garden;2;M;;internet", "v2;garden;2", 20, "row_invalid"),
        ("voter_id;vote;points", "voter_id;vote;dots", 18, "column_missing"),
        ("META\n", "", 1, "row_invalid"),
        ("VOTES\n", "BALLOTS\n", 1, "section_missing"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, whole: str, broken: str, line: int, code: str) -> None:
    found = checked(tmp_path / "small.pb", SMALL.replace(whole, broken))
    rejected = [each for each in found if isinstance(each, Rejected)]
    assert (line, [code]) in codes(rejected), rejected


def test_every_bad_line_is_named_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("v1;garden,well;3,1", "v1;garden,well;3").replace("v4;", "v 4;")
    rejected = [each for each in checked(tmp_path / "s.pb", text) if isinstance(each, Rejected)]
    assert [each.line for each in rejected] == [19, 22]


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, "under 18"), (17, "under 18"), (18, "18-24"), (24, "18-24"), (64, "55-64"),
     (65, "65 and over"), (103, "65 and over")],
)  # fmt: skip
def test_ages_are_kept_as_bands(age: int, band: str) -> None:
    assert age_group(age) == band
