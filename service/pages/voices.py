"""What progress counts: whose voice was heard, what people put first, where consent stands."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from domain.consent_states import ConsentState
from domain.permissions import Permission
from domain.vocabulary import Phase
from projections.ballot_register import BallotState, ballots, tally
from projections.consent_standing import consent_summary
from projections.paging import Window
from projections.participation import PARTS, Participation, participation
from service.pages.visits import Visit
from service.pages.words import CYCLE_PHASES

GROUPS_SHOWN = 6  # by themselves; the others together
BOARDS = 3  # the latest ballots
OPTIONS = 5  # of each
STANDING = (ConsentState.GIVEN,)
WAITING = (ConsentState.REQUESTED, ConsentState.RECONSENT_REQUIRED, ConsentState.SUSPENDED)


@dataclass(frozen=True)
class Segment:
    """A part of a bar; percentages of the whole bar."""

    name: str
    of: int  # which colour
    begins: float
    width: float
    number: int

    @property
    def middle(self) -> float:
        return self.begins + self.width / 2


@dataclass(frozen=True)
class Bar:
    """A bar of segments that add up to all of it."""

    name: str
    segments: list[Segment]

    @property
    def said(self) -> str:
        """The bar in words."""
        return "; ".join(f"{each.name} {each.width:.0f} per cent" for each in self.segments)


@dataclass(frozen=True)
class Voices:
    """Who takes part: for each phase, the groups' shares of all that was contributed."""

    groups: list[str]
    bars: list[tuple[Phase, Bar]]
    table: list[tuple[str, int, list[int], int]]  # group, enrolled, times by phase, people at most
    insight: str
    silent: list[str]


def bar(name: str, parts: Sequence[tuple[str, int, int]]) -> Bar:
    """A bar of (name, colour, number) parts; those of nothing are left out."""
    whole, begins, segments = sum(number for *_, number in parts), 0.0, []
    for part, colour, number in parts:
        if number:
            width = 100 * number / whole
            segments.append(Segment(part, colour, begins, width, number))
            begins += width
    return Bar(name, segments)


async def voices(visit: Visit) -> Voices | None:
    """Whose voice was heard; None while nobody is enrolled."""
    rows: list[Participation] = await visit.ask(participation)
    if not rows:
        return None
    times: dict[str, dict[Phase, int]] = {}
    enrolled: dict[str, int] = {}
    people: dict[str, int] = {}
    for row in rows:
        group = row.group or "no group"
        enrolled[group] = row.enrolled
        people[group] = max(people.get(group, 0), row.people)
        if row.phase is not None:
            times.setdefault(group, {})[row.phase] = sum(getattr(row, part) for part in PARTS)
    table = [
        (group, enrolled[group], [times.get(group, {}).get(p, 0) for p in CYCLE_PHASES],
         people[group])
        for group in enrolled
    ]  # fmt: skip
    first = sorted(enrolled, key=lambda g: (-sum(times.get(g, {}).values()), g))
    own, others = sorted(first[:GROUPS_SHOWN]), first[GROUPS_SHOWN:]
    bars = []
    for place, phase in enumerate(CYCLE_PHASES):
        by_group = {group: numbers[place] for group, _, numbers, _ in table}
        parts = [(group, n, by_group[group]) for n, group in enumerate(own)]
        if others:
            parts.append(("others", GROUPS_SHOWN, sum(by_group[group] for group in others)))
        if sum(number for *_, number in parts):
            bars.append((phase, bar(phase.value, parts)))
    silent = [
        f"Nobody of {group} took part in {phase.value} yet."
        for group, _, numbers, _ in table
        for phase, number in zip(CYCLE_PHASES, numbers, strict=True)
        if not number and any(n for _, _, ns, _ in table for n in ns)
    ]
    groups = own + (["others"] if others else [])
    return Voices(groups, bars, table, _insight(bars), silent[:3])


def _insight(bars: Sequence[tuple[Phase, Bar]]) -> str:
    """The group whose share differs most between phases, in a sentence."""
    shares: dict[str, list[tuple[float, Phase]]] = {}
    for phase, each in bars:
        for segment in each.segments:
            shares.setdefault(segment.name, []).append((segment.width, phase))
    spread = {g: max(s)[0] - min(s)[0] for g, s in shares.items() if len(s) > 1}
    if not spread or max(spread.values()) < 5:
        return ""
    group = max(spread, key=lambda g: (spread[g], g))
    (most, loud), (least, quiet) = max(shares[group]), min(shares[group])
    return (
        f"The voice of {group} is strongest in {loud.value} ({most:.0f}%) and weakest in "
        f"{quiet.value} ({least:.0f}%)."
    )


@dataclass(frozen=True)
class Choice:
    """An option of a ballot, at its rank."""

    rank: int
    title: str
    score: int
    width: float  # of the best score, per cent
    chosen: bool
    before: str  # where it stood in an earlier ballot, in words


@dataclass(frozen=True)
class Board:
    """What people put first in a ballot."""

    cycle: str
    title: str
    papers: int
    on: date
    choices: list[Choice]


async def priority_boards(visit: Visit, until: date | None) -> list[Board]:
    """The latest declared ballots, the oldest first, with what each option got."""
    page = await visit.ask(
        ballots, window=Window(last=BOARDS), state=BallotState.DECLARED, until=until
    )
    found = [
        b for b in page.rows if until is None or (b.declared_at or b.opened_at).date() <= until
    ]
    tallies = await asyncio.gather(*(visit.ask(tally, ballot=each.ballot) for each in found))
    ranks: dict[str, str] = {}
    boards = []
    for ballot, options in zip(found, tallies, strict=True):
        best = max((option.score or 0 for option in options), default=0) or 1
        choices = [
            Choice(
                rank, option.title, option.score or 0, 100 * (option.score or 0) / best,
                bool(option.chosen), ranks.get(option.priority or "", ""),
            )
            for rank, option in enumerate(options, 1)
        ]  # fmt: skip
        ranks |= {
            option.priority: f"it was number {rank} in {ballot.cycle}"
            for rank, option in enumerate(options, 1)
            if option.priority
        }
        on = (ballot.declared_at or ballot.opened_at).date()
        boards.append(Board(ballot.cycle, ballot.title, ballot.papers, on, choices[:OPTIONS]))
    return boards


@dataclass(frozen=True)
class Consents:
    """Where permissions stand: in all, and each kind."""

    standing: int
    waiting: int
    ended: int
    bar: Bar
    table: list[tuple[Permission, int, int, int]]


async def consent_bars(visit: Visit) -> Consents | None:
    """Where the permissions that were asked for stand; None before anyone was asked."""
    table: dict[Permission, list[int]] = {}
    for each in await visit.ask(consent_summary):
        place = 0 if each.state in STANDING else 1 if each.state in WAITING else 2
        table.setdefault(each.permission, [0, 0, 0])[place] += each.participants
    if not table:
        return None
    standing, waiting, ended = (sum(numbers[n] for numbers in table.values()) for n in range(3))
    whole = bar(
        "permissions", [("given", 0, standing), ("to ask", 1, waiting), ("ended", 2, ended)]
    )
    rows = [(permission, n[0], n[1], n[2]) for permission, n in table.items()]
    return Consents(standing, waiting, ended, whole, rows)
