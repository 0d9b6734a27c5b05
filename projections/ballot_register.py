"""The ballot register: what was put to the vote, its turnout, and how every option was voted for.

A vote on a secret ballot cannot be traced to a voter by any question here: its papers are shown
without choices, its count only once the result is declared (the difference between two counts
would be somebody's vote), and no group of fewer than `FEW` papers is shown by itself.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.ballots import (
    BallotCast,
    BallotClosed,
    BallotMethod,
    BallotOpened,
    Electorate,
    ResultDeclared,
    Secrecy,
)
from domain.vocabulary import Entry, ResearchEvent
from projections.paging import Page, Window, during, one, page
from projections.writing import Writes

FEW = 5  # papers: a smaller group could give its voters away

TABLES = """
create table ballot_sheet (
    study text not null, position bigint not null, ballot text not null, cycle text not null,
    title text not null, method text not null, secrecy text not null, places int not null,
    electorate text not null, electorate_size int, constituencies text[] not null,
    min_choices int not null, max_choices int, max_points int, max_points_per_option int,
    points_by_rank int[] not null, options text[] not null, titles text[] not null,
    priorities text[] not null, opened_at timestamptz not null, closed_at timestamptz,
    declared_at timestamptz, papers_counted int, papers_late int, winners text[], tied text[],
    declared_options text[], declared_votes int[], declared_scores bigint[],
    primary key (study, position)
);
create unique index on ballot_sheet (study, ballot);
create table ballot_tally (  -- option '': papers; kind and value '': everybody's
    study text not null, ballot text not null, kind text not null, value text not null,
    option text not null, votes int not null, score bigint not null,
    primary key (study, ballot, kind, value, option)
) with (fillfactor = 50);
create table ballot_paper (
    study text not null, position bigint not null, ballot text not null, voter text not null,
    participant text, on_paper boolean not null, choices text[], points int[],
    primary key (study, position)
);
create unique index on ballot_paper (study, ballot, voter);
create index on ballot_paper (study, ballot, position);
"""

OPENED = """
insert into ballot_sheet values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $16, $17, $18, $19, $20)
"""
CLOSED = "update ballot_sheet set closed_at = $3 where study = $1 and ballot = $2"
DECLARED = """
update ballot_sheet set declared_at = $3, papers_counted = $4, papers_late = $5, winners = $6,
    tied = $7, declared_options = $8, declared_votes = $9, declared_scores = $10
where study = $1 and ballot = $2
"""
# What a paper gives to its options, for everybody and for each constituency of the voter.
COUNTED = """
insert into ballot_tally as t
select $1, $2, k.kind, k.value, c.option, 1, case
    when c.option = '' then 0
    when b.method = 'ranking' then coalesce(b.points_by_rank[c.place - 1], 0)
    else coalesce(c.points, 1)
end
from ballot_sheet b
cross join unnest($3::text[], $4::int[], $5::int[]) c (option, points, place)
cross join unnest($6::text[], $7::text[]) k (kind, value)
where b.study = $1 and b.ballot = $2
on conflict (study, ballot, kind, value, option)
do update set votes = t.votes + 1, score = t.score + excluded.score
"""
PAPER = "insert into ballot_paper values ($1, $2, $3, $4, $5, $6, $7, $8)"


BALLOTS = """(
select b.*,
    case when b.declared_at is not null then 'declared'
        when b.closed_at is not null then 'closed' else 'open' end state,
    coalesce((
        select t.votes from ballot_tally t where t.study = b.study and t.ballot = b.ballot
        and t.kind = '' and t.value = '' and t.option = ''
    ), 0) papers,
    array(
        select row(o.option, o.title, o.priority)
        from unnest(b.options, b.titles, b.priorities) o (option, title, priority)
    ) choices
from ballot_sheet b
) ballot_shown"""
COUNTABLE = "(b.secrecy = 'open' or b.declared_at is not null)"
TALLY = f"""
select o.option, o.title, o.priority,
    case when {COUNTABLE} then coalesce(t.votes, 0) end votes,
    case when {COUNTABLE} then coalesce(t.score, 0) end score,
    d.votes declared_votes, d.score declared_score, o.option = any (b.winners) chosen
from ballot_sheet b
cross join unnest(b.options, b.titles, b.priorities)
    with ordinality o (option, title, priority, place)
left join ballot_tally t on t.study = b.study and t.ballot = b.ballot and t.kind = ''
    and t.value = '' and t.option = o.option
left join unnest(b.declared_options, b.declared_votes, b.declared_scores) d (option, votes, score)
    on d.option = o.option
where b.study = $1 and b.ballot = $2
order by 5 desc nulls last, o.place
"""
BY_CONSTITUENCY = f"""
select t.kind, t.value, t.option, t.votes, t.score, b.secrecy
from ballot_sheet b join ballot_tally t on t.study = b.study and t.ballot = b.ballot
where b.study = $1 and b.ballot = $2 and {COUNTABLE}
order by t.kind, t.value, t.score desc, array_position(b.options, t.option)
"""


class BallotState(StrEnum):
    """Where a ballot is in its life."""

    OPEN = "open"
    CLOSED = "closed"
    DECLARED = "declared"


@dataclass(frozen=True)
class BallotChoice:
    """Something that can be voted for on a ballot."""

    option: Annotated[str, "Its code on this ballot."]
    title: Annotated[str, "What it is called."]
    priority: Annotated[str | None, "The proposal it stands for."]


@dataclass(frozen=True)
class Ballot:
    """Something put to the vote: its rules, its turnout and where it stands."""

    NODE: ClassVar[tuple[str, str]] = (BALLOTS, "ballot")

    study: str
    position: Annotated[int, "Where its opening stands in the study's record."]
    ballot: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was opened in."]
    title: Annotated[str, "What it is called."]
    method: Annotated[BallotMethod, "How a paper is marked and counted."]
    secrecy: Annotated[Secrecy, "Whether it is shown who voted for what."]
    choices: Annotated[list[BallotChoice], "What can be voted for, in the ballot's order."]
    places: Annotated[int, "How many options are to be chosen."]
    min_choices: Annotated[int, "The fewest options a paper names."]
    max_choices: Annotated[int | None, "The most options a paper names, if that is limited."]
    max_points: Annotated[int | None, "The points a voter has; cumulative ballots only."]
    max_points_per_option: Annotated[int | None, "The most points on an option, if limited."]
    points_by_rank: Annotated[list[int], "What each rank is worth; rankings only."]
    constituencies: Annotated[list[str], "What papers ask of their voters: sex, age group."]
    electorate: Annotated[Electorate, "Who may vote."]
    electorate_size: Annotated[int | None, "How many may vote; null if anyone may."]
    papers: Annotated[int, "The turnout: how many papers were cast."]
    state: Annotated[BallotState, "Whether it is open, closed or declared."]
    opened_at: Annotated[datetime, "When voting began."]
    closed_at: Annotated[datetime | None, "When voting ended."]
    declared_at: Annotated[datetime | None, "When the result was declared."]
    papers_counted: Annotated[int | None, "Papers counted in the declared result."]
    papers_late: Annotated[int | None, "Papers cast after the close, so not counted in it."]
    winners: Annotated[list[str] | None, "The options that were declared chosen."]
    tied: Annotated[list[str] | None, "Options declared to have the same score as another."]

    def __post_init__(self) -> None:
        row = vars(self)
        row["choices"] = [BallotChoice(*each) for each in row["choices"]]


@dataclass(frozen=True)
class OptionCount:
    """What an option got: counted from the papers, beside what was declared."""

    option: Annotated[str, "Its code on this ballot."]
    title: Annotated[str, "What it is called."]
    priority: Annotated[str | None, "The proposal it stands for."]
    votes: Annotated[int | None, "Papers that name it; null while a secret vote goes on."]
    score: Annotated[int | None, "Its points by the ballot's method; null like `votes`."]
    declared_votes: Annotated[int | None, "Its votes in the declared result."]
    declared_score: Annotated[int | None, "Its score in the declared result."]
    chosen: Annotated[bool | None, "Whether it was declared chosen; null before the result."]


@dataclass(frozen=True)
class ConstituencyCount:
    """What an option got from the voters of one constituency."""

    kind: Annotated[str, "What was asked of the voters: sex, age group."]
    value: Annotated[str, "The constituency: women, 25-34."]
    papers: Annotated[int, "How many of its voters cast a paper."]
    option: Annotated[str, "The option's code on this ballot."]
    votes: Annotated[int, "Their papers that name it."]
    score: Annotated[int, "Its points from them by the ballot's method."]


@dataclass(frozen=True)
class BallotPaper:
    """A paper in the box: who voted and, on an open ballot, for what."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    ballot: Annotated[str, "The ballot."]
    voter: Annotated[str, "The voter: a participant's pseudonym, or a code given out."]
    participant: Annotated[str | None, "The voter, if they are a participant."]
    on_paper: Annotated[bool, "Whether it was marked by hand and typed in by somebody else."]
    choices: Annotated[
        list[str] | None, "The options named, a ranking's first one first; null if secret."
    ]
    points: Annotated[
        list[int] | None, "The points on each of the choices; null unless cumulative and open."
    ]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def ballot_opened(event: BallotOpened, entry: Entry, write: Writes) -> None:
    rules, options = event.rules, event.options
    size = {
        Electorate.PARTICIPANTS: len(event.participants),
        Electorate.REGISTERED: len(event.voters),
        Electorate.PUBLIC: None,
    }[event.electorate]
    write(
        OPENED, entry.study, entry.position, event.ballot, event.cycle, event.title, event.method,
        event.secrecy, event.places, event.electorate, size, event.constituencies,
        rules.min_choices, rules.max_choices, rules.max_points, rules.max_points_per_option,
        rules.points_by_rank, [each.option for each in options], [each.title for each in options],
        [each.priority for each in options], entry.occurred_at,
    )  # fmt: skip


@project.register
def ballot_cast(event: BallotCast, entry: Entry, write: Writes) -> None:
    named = [choice.option for choice in event.choices]
    points = [choice.points for choice in event.choices]
    of = event.constituencies
    write(
        COUNTED, entry.study, event.ballot, ["", *named], [None, *points],
        range(1, len(named) + 2), ["", *(each.kind for each in of)],
        ["", *(each.value for each in of)],
    )  # fmt: skip
    is_open = event.secrecy is Secrecy.OPEN
    write(
        PAPER, entry.study, entry.position, event.ballot, event.voter, event.participant,
        event.on_paper, named if is_open else None,
        points if is_open and None not in points else None,
    )  # fmt: skip


@project.register
def ballot_closed(event: BallotClosed, entry: Entry, write: Writes) -> None:
    write(CLOSED, entry.study, event.ballot, entry.occurred_at)


@project.register
def result_declared(event: ResultDeclared, entry: Entry, write: Writes) -> None:
    tally = event.tally
    write(
        DECLARED, entry.study, event.ballot, entry.occurred_at, event.papers, event.late,
        event.winners, [option for options in event.ties for option in options],
        [row.option for row in tally], [row.votes for row in tally], [row.score for row in tally],
    )  # fmt: skip


async def ballots(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Opened in this cycle."] = None,
    state: Annotated[BallotState | None, "Open, closed or declared."] = None,
    method: Annotated[BallotMethod | None, "Of this method."] = None,
    since: Annotated[date | None, "Opened on this day or later (UTC)."] = None,
    until: Annotated[date | None, "Opened on this day or earlier (UTC)."] = None,
) -> Page[Ballot]:
    """The ballots held, in the order they were recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "state =": state, "method =": method,
        **during(since, until, "opened_at"),
    }  # fmt: skip
    return await page(db, Ballot, BALLOTS, filters, window)


async def ballot(
    db: Connection, study: str, ballot: Annotated[str, "The ballot's identifier."]
) -> Ballot | None:
    """One ballot; null if there is none of that identifier."""
    return await one(db, Ballot, BALLOTS, {"study =": study, "ballot =": ballot})


async def tally(
    db: Connection, study: str, ballot: Annotated[str, "The ballot."]
) -> list[OptionCount]:
    """Every option's votes and score, the highest score first, else in the ballot's order.

    Counted from all papers on record; the declared result leaves late ones out.
    """
    return [OptionCount(**row) for row in await db.fetch(TALLY, study, ballot)]


async def tally_by_constituency(
    db: Connection,
    study: str,
    ballot: Annotated[str, "The ballot."],
    *,
    kind: Annotated[str | None, "Of this kind of constituency only: sex, age group."] = None,
) -> list[ConstituencyCount]:
    """How each constituency voted, as far as that cannot give away anybody's secret vote.

    A secret ballot shows no constituency of fewer than five papers, nor the one that could tell
    of it by subtraction; and none at all before its result is declared.
    """
    found = await db.fetch(BY_CONSTITUENCY, study, ballot)
    papers: dict[str, dict[str, int]] = defaultdict(dict)
    for row in found:
        if row["option"] == "":
            papers[row["kind"]][row["value"]] = row["votes"]
    everybody = papers.pop("", {}).get("", 0)
    if any(row["secrecy"] == Secrecy.SECRET for row in found):
        papers = {of: _large_enough(sizes, everybody) for of, sizes in papers.items()}
    return [
        ConstituencyCount(papers=papers[of][value], kind=of, value=value, **counted)
        for of, value, counted in (
            (row["kind"], row["value"], {name: row[name] for name in ("option", "votes", "score")})
            for row in found
            if row["option"] != "" and kind in (None, row["kind"])
        )
        if value in papers.get(of, {})
    ]


def _large_enough(sizes: dict[str, int], everybody: int) -> dict[str, int]:
    """The constituencies of one kind that can be shown: what is left over is as large at least."""
    shown = dict(sizes)
    hidden = everybody - sum(sizes.values())  # those who did not say
    for value, size in sorted(sizes.items(), key=lambda each: each[1]):
        if size >= FEW and (hidden == 0 or hidden >= FEW):
            break
        hidden += shown.pop(value)
    return shown


async def ballot_papers(
    db: Connection,
    study: str,
    window: Window,
    *,
    ballot: Annotated[str | None, "Of this ballot."] = None,
    voter: Annotated[str | None, "Of this voter."] = None,
    option: Annotated[str | None, "Open papers that name this option."] = None,
) -> Page[BallotPaper]:
    """The papers cast, in the order they were recorded: who voted and, if open, for what."""
    filters = {
        "study =": study, "ballot =": ballot, "voter =": voter, "choices @>": option and [option],
    }  # fmt: skip
    return await page(db, BallotPaper, "ballot_paper", filters, window)
