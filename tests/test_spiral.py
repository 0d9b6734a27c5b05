"""The spiral register, and the picture that is drawn from it."""

import math
import random
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.cycles import CycleClosed, CycleOpened, Edge, Parent
from domain.people import ParticipantEnrolled
from domain.readings import IdentifiableDataRead, Reading
from domain.reflections import ReflectionRecorded, Voice
from domain.vocabulary import Phase
from domain.workshops import WorkshopHeld
from projections.spiral import SpiralPart, StudySoFar, Turn, TurnParent, spiral, study_so_far, turns
from service.pages.spiral_picture import (
    LANES,
    RIM,
    TURNS,
    TurningPoint,
    depths_of,
    parts_for,
    picture,
    tracks_of,
)
from service.pages.words import CYCLE_PHASES
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed, logged
from tests.story import on

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def cycle(name: str, *parents: str) -> CycleOpened:
    edges = tuple(Parent(cycle=each, edge=Edge.CARRIES_QUESTION) for each in parents)
    return CycleOpened(cycle=name, title=f"Turn {name}", question="?", parents=edges)


def workshop(number: int) -> WorkshopHeld:
    return WorkshopHeld(workshop=f"w-{number}", cycle="c-1", participants=("p-1",))


TOLD = [
    on("2026-01-02", ParticipantEnrolled(participant="p-1")),
    on("2026-01-05", cycle("c-1")),
    logged("2026-01-10", workshop(1), phase=Phase.PLAN),
    logged("2026-01-10", workshop(2), phase=Phase.PLAN),
    logged("2026-01-30", workshop(3), phase=Phase.PLAN),
    on("2026-02-01", ReflectionRecorded(
        reflection="r-1", cycle="c-1", voice=Voice.TOGETHER, what="So.", turning_point=True)),
    on("2026-02-03", cycle("c-2", "c-1")),
    on("2026-02-05", CycleClosed(cycle="c-1")),
    on("2026-02-06", IdentifiableDataRead(
        reader="ana", reading=Reading.AUDIT, first_at=NOON, last_at=NOON, reads=1)),
]  # fmt: skip


@in_a_loop
async def test_events_count_by_stretches_of_the_days_of_their_phase(database: Database) -> None:
    async with followed(database, *TOLD) as db:
        whole = await spiral(db, "maize", parts=1)
        halves = await spiral(db, "maize", parts=2)
        early = await spiral(db, "maize", parts=2, until=date(2026, 1, 10))
    jan = date(2026, 1, 5), date(2026, 1, 30)
    assert [p for p in whole if (p.cycle, p.phase) == ("c-1", Phase.PLAN)] == [
        SpiralPart("c-1", Phase.PLAN, *jan, 4, 0)
    ]
    assert [(p.since.day, p.until.day, p.events) for p in halves if p.cycle == "c-1"][:2] == [
        (5, 10, 3),
        (30, 30, 1),
    ]
    assert [p.turning_points for p in whole if p.phase is Phase.REFLECT] == [1]
    assert sum(part.events for part in early) == 5  # with the study itself, and an enrolment
    assert {part.cycle for part in whole} == {None, "c-1", "c-2"}


@in_a_loop
async def test_turns_are_told_as_of_a_day_and_readings_are_no_research(database: Database) -> None:
    async with followed(database, *TOLD) as db:
        now = await turns(db, "maize")
        then = await turns(db, "maize", until=date(2026, 2, 4))
        before = await turns(db, "maize", until=date(2026, 1, 4))
        last = await turns(db, "maize", last=1)
        counts = [await study_so_far(db, "maize", until=d) for d in (None, date(2026, 1, 9))]
        nobody = await study_so_far(db, "elsewhere")
    assert [(t.cycle, t.parents, t.closed_at is None) for t in now] == [
        ("c-1", [], False),
        ("c-2", [TurnParent("c-1", Edge.CARRIES_QUESTION)], True),
    ]
    assert [(t.cycle, t.closed_at) for t in then] == [("c-1", None), ("c-2", None)]
    assert before == []
    assert [t.cycle for t in last] == ["c-2"]
    assert counts == [
        StudySoFar(9, 1, date(2026, 1, 1), date(2026, 2, 5)),
        StudySoFar(3, 1, date(2026, 1, 1), date(2026, 1, 5)),
    ]
    assert nobody == StudySoFar(0, 0, None, None)


def some_study(cycles: int, seed: int) -> tuple[list[Turn], list[SpiralPart]]:
    """Cycles that fork and merge as chance has it, with something in most of their phases."""
    chance = random.Random(seed)
    told: list[Turn] = []
    parts: list[SpiralPart] = []
    for n in range(cycles):
        opened = NOON + timedelta(days=20 * n)
        among = [t.cycle for t in told[-4:]]
        parents = chance.sample(among, min(len(among), chance.choice((0, 1, 1, 1, 2, 3))))
        closed = opened + timedelta(days=60) if chance.random() < 0.8 else None
        edges: Any = [(name, Edge.SPAWNED_FROM) for name in parents]
        told.append(Turn(f"c-{n}", n + 1, f"Turn {n}", opened, closed, edges))
        for phase in CYCLE_PHASES:
            first = opened.date() + timedelta(days=chance.randrange(30))
            for piece in range(chance.randrange(parts_for(cycles) + 1)):
                day = first + timedelta(days=3 * piece)
                parts.append(SpiralPart(f"c-{n}", phase, day, day, chance.randrange(1, 400), 0))
    return told, parts


def points(path: str) -> list[tuple[float, float]]:
    """The points of a path's absolute steps."""
    found = re.findall(r"[MLC ]?(-?\d+\.\d) (-?\d+\.\d)", path)
    return [(float(x), float(y)) for x, y in found]


@settings(max_examples=60)
@given(st.integers(0, 300), st.integers(0, 10_000))
@example(6, 0)  # two side by side in the last turn
def test_any_number_of_cycles_stays_within_the_ring_and_within_reason(
    cycles: int, seed: int
) -> None:
    told, parts = some_study(cycles, seed)
    drawn = picture(told, parts, [TurningPoint("A", f"c-{cycles - 1}", date(2026, 3, 1), "So")])
    tracks = tracks_of(told, parts)
    assert len(tracks) + drawn.folded == cycles
    assert len(tracks) <= TURNS * LANES
    assert len(drawn.nodes) == len(tracks)
    assert len(drawn.marks) <= 4 * TURNS * LANES
    for _, path in drawn.ribbons:
        assert all(math.hypot(x, y) <= RIM + 20 for x, y in points(path))
    assert len({(mark.cycle, mark.phase) for mark in drawn.marks}) == len(
        {(p.cycle, p.phase) for p in parts if p.cycle in tracks}
    )
    names = [each.name for each in drawn.marks] + [each.name for each in drawn.nodes]
    assert all(names + [each.name for each in drawn.letters])


@settings(max_examples=60)
@given(st.integers(0, 120), st.integers(0, 10_000))
def test_a_cycle_is_further_out_than_everything_it_follows_from(cycles: int, seed: int) -> None:
    told, _ = some_study(cycles, seed)
    depths = depths_of(told)
    for turn in told:
        assert all(depths[turn.cycle] > depths[parent.cycle] for parent in turn.parents)


def test_two_cycles_side_by_side_have_lanes_and_meet_again() -> None:
    edges: Any = [("b", Edge.SPAWNED_FROM), ("c", Edge.SPAWNED_FROM)]
    at = [NOON + timedelta(days=n) for n in range(4)]
    from_a: Any = [("a", Edge.SPAWNED_FROM)]
    told = [
        Turn("a", 1, "A", at[0], at[1], []),
        Turn("b", 2, "B", at[1], at[2], from_a),
        Turn("c", 3, "C", at[1], at[2], list(from_a)),
        Turn("d", 4, "D", at[3], None, edges),
    ]
    tracks = tracks_of(told, [])
    a, b, c, d = (tracks[name] for name in "abcd")
    assert (a.depth, b.depth, c.depth, d.depth) == (0, 1, 1, 2)
    assert math.dist(b.at(0.5), c.at(0.5)) > 30  # side by side
    assert math.dist(a.at(1), b.at(0)) < 0.01  # both begin where the first ended
    assert math.dist(b.at(1), d.at(0)) < 0.01 > math.dist(c.at(1), d.at(0))  # and end together
