"""The spiral of cycles as a picture: where each cycle runs, how much happened, where it turned.

A cycle is a turn that begins at the top and runs through four quarters, one for each phase. What
follows from it goes on where it ends, one turn further out; cycles that run side by side have lanes
of one turn. In a quarter, its phase's days run from the first to the last on which something was
logged. The ribbon is as wide as that is much; a mark stands for a stretch of days.

Lengths are in the picture's own units; the whole is 800 wide and 760 high. However much is on
record, at most `TURNS` turns of `LANES` lanes and some `MARKS` marks are drawn: what is older or
beside them is counted in the middle, and all of it is in the table.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from domain.vocabulary import Phase
from projections.spiral import SpiralPart, Turn
from service.pages.words import CYCLE_PHASES, count, day

HUB, RIM = 52.0, 300.0  # radii: where the first turn begins, where the last one ends
RING = 326.0
WIDEST, NARROWEST = 34.0, 2.6  # the ribbon
TURNS, LANES, MARKS = 16, 5, 280
LETTERS = "ABCDEFGH"
PART_OF_PRESENT = 0.68  # how far through its quarter the present phase is drawn: its end is unknown
TAU = 2 * math.pi


@dataclass(frozen=True)
class Mark:
    """A stretch of days of one phase."""

    phase: Phase
    path: str
    cycle: str
    name: str  # for a screen reader, and for the tip


@dataclass(frozen=True)
class Letter:
    """A turning point: a letter beside the track."""

    letter: str
    x: float
    y: float
    from_x: float
    from_y: float
    name: str


@dataclass(frozen=True)
class Node:
    """Where a cycle begins: its number."""

    number: int
    cycle: str
    x: float
    y: float
    name: str


@dataclass
class Picture:
    """What the template draws, from the back to the front."""

    ribbons: list[tuple[Phase, str]] = field(default_factory=list)
    spines: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    now: list[tuple[float, float, str]] = field(default_factory=list)
    folded: int = 0  # cycles that are not drawn
    small: bool = False  # whether the marks are


@dataclass(frozen=True)
class TurningPoint:
    """A reflection after which the study took another direction."""

    letter: str
    cycle: str
    on: date
    title: str


@dataclass
class Track:
    """Where a cycle runs."""

    turn: Turn
    number: int
    depth: int
    lane: float  # its distance from the middle of the turn, where it is side by side with others
    begins: float
    width: float  # from one turn to the next
    room: float  # for its ribbon
    place: int = -1  # among those side by side; -1 where it has the turn for itself
    end: float = 1.0  # how far it has come: 1 is the whole turn
    leads_on: bool = False

    def at(self, t: float, beside: float = 0.0) -> tuple[float, float]:
        """The point at a part of the turn, that much further out."""
        spread = _eased(t / 0.14) * (_eased((1 - t) / 0.14) if self.leads_on else 1)
        radius = self.begins + self.width * t + self.lane * spread + beside
        return radius * math.sin(TAU * t), -radius * math.cos(TAU * t)


def picture(
    turns: Sequence[Turn], parts: Sequence[SpiralPart], turning_points: Sequence[TurningPoint]
) -> Picture:
    """The spiral of these cycles."""
    tracks = tracks_of(turns, parts)
    drawn = Picture(folded=len(turns) - len(tracks), small=len(tracks) > 8)
    by_cycle = defaultdict[str, dict[Phase, list[SpiralPart]]](dict)
    for part in parts:
        if part.cycle in tracks and part.phase in CYCLE_PHASES:
            by_cycle[part.cycle].setdefault(part.phase, []).append(part)
    most = max((part.events for part in parts if part.cycle in tracks), default=1)
    for name, track in tracks.items():
        _draw(drawn, track, by_cycle[name], most, steps=26 if len(tracks) <= 8 else 9)
    _link(drawn, tracks)
    for each in turning_points:
        if found := tracks.get(each.cycle):
            drawn.letters.append(_letter(each, found, by_cycle[each.cycle]))
    return drawn


def parts_for(turns: int) -> int:
    """Into how many stretches each phase is to be divided, so that marks stay apart."""
    drawn = min(turns, TURNS * LANES)
    return max(1, min(16, MARKS // (4 * max(1, drawn))))


def tracks_of(turns: Sequence[Turn], parts: Iterable[SpiralPart]) -> dict[str, Track]:
    """Where the cycles run that are drawn, by their names."""
    depths = depths_of(turns)
    deepest = max(depths.values(), default=0)
    begin = max(0, deepest + 1 - TURNS)
    at_depth = defaultdict[int, list[tuple[int, Turn]]](list)
    for number, turn in enumerate(turns, 1):
        if depths[turn.cycle] >= begin:
            at_depth[depths[turn.cycle]].append((number, turn))
    outermost = min(LANES, list(depths.values()).count(deepest)) or 1
    beyond = (outermost - 1) / 2 / outermost  # so that none of them runs out of the ring
    width = (RIM - HUB) / max(2, deepest + 1 - begin + beyond)
    parents = {parent.cycle for turn in turns for parent in turn.parents}
    reached = _reached(parts)
    tracks = {}
    for depth, beside in sorted(at_depth.items()):
        lanes = beside[-LANES:]
        gap = width / len(lanes)
        for place, (number, turn) in enumerate(lanes):
            tracks[turn.cycle] = Track(
                turn=turn, number=number, depth=depth,
                lane=(place - (len(lanes) - 1) / 2) * gap,
                begins=HUB + width * (depth - begin), width=width, room=gap * 0.78,
                place=place if len(lanes) > 1 else -1,
                end=1.0 if turn.closed_at else reached.get(turn.cycle, 0.02),
                leads_on=turn.cycle in parents,
            )  # fmt: skip
    return tracks


def depths_of(turns: Sequence[Turn]) -> dict[str, int]:
    """At which turn of the spiral each cycle is: after all that it follows from, or came after."""
    depths: dict[str, int] = {}
    closed: list[tuple[Turn, int]] = []
    for turn in turns:  # in the order they were opened, so parents come first
        before = [depths[p.cycle] for p in turn.parents if p.cycle in depths]
        if not turn.parents:
            before = [d for t, d in closed if t.closed_at and t.closed_at <= turn.opened_at]
        depths[turn.cycle] = max(before, default=-1) + 1
        closed.append((turn, depths[turn.cycle]))
    return depths


def present_phase(parts: Iterable[SpiralPart]) -> SpiralPart | None:
    """The phase in which something happened last, by the stretch that it ends with."""
    found = [part for part in parts if part.phase in CYCLE_PHASES]
    return max(found, key=lambda p: (p.until, CYCLE_PHASES.index(p.phase)), default=None)


def _reached(parts: Iterable[SpiralPart]) -> dict[str, float]:
    """How far each cycle has come round: to within the last quarter with anything in it."""
    reached: dict[str, float] = {}
    for part in parts:
        if part.cycle is not None and part.phase in CYCLE_PHASES:
            at = (CYCLE_PHASES.index(part.phase) + PART_OF_PRESENT) / 4
            reached[part.cycle] = max(reached.get(part.cycle, 0), at)
    return reached


def _draw(
    drawn: Picture, track: Track, phases: dict[Phase, list[SpiralPart]], most: int, steps: int
) -> None:
    """One cycle: ribbons, the line through them, and its marks."""
    turn, number = track.turn, track.number
    widest = min(WIDEST, track.room)
    dots: list[tuple[float, int]] = []
    for quarter, phase in enumerate(CYCLE_PHASES):
        for place, part in enumerate(phases.get(phase, [])):
            t = _when(track, quarter, phases[phase], part.since, part.until)
            dots.append((t, part.events))
            beside = (place % 3 - 1) * min(6.0, widest * 0.2)
            size = min(7.0, widest * 0.32, 2.3 + 0.95 * math.sqrt(part.events))
            drawn.marks.append(
                Mark(phase, _shape(phase, *track.at(t, beside), size), turn.cycle,
                     f"Cycle {number}, {phase.value}, {_days(part)}: {count(part.events, 'event')}")
            )  # fmt: skip
    for quarter, phase in enumerate(CYCLE_PHASES):
        begin, end = quarter / 4, min((quarter + 1) / 4, track.end)
        if phase not in phases or end <= begin:
            continue
        ts = [begin + (end - begin) * n / steps for n in range(steps + 1)]
        halves = [_width(t, dots, most, widest, track.end) / 2 for t in ts]
        outer = [track.at(t, half) for t, half in zip(ts, halves, strict=True)]
        inner = [track.at(t, -half) for t, half in zip(ts, halves, strict=True)]
        drawn.ribbons.append((phase, f"M{_line([*outer, *reversed(inner)])}Z"))
    steps *= 3
    drawn.spines.append("M" + _line(track.at(track.end * n / steps) for n in range(steps + 1)))
    if track.end < 1:
        rest = 1 - track.end
        drawn.ahead.append("M" + _line(track.at(track.end + rest * n / 30) for n in range(31)))
        if not turn.closed_at:
            x, y = track.at(_present(track, phases))
            drawn.now.append((x, y, f"Cycle {number} now"))
    x, y = track.at(0.0 if track.place < 0 else 0.06 + 0.035 * track.place)
    state = f"closed {day(turn.closed_at)}" if turn.closed_at else "open"
    name = f"Cycle {number}: {turn.title}, since {day(turn.opened_at)}, {state}"
    drawn.nodes.append(Node(number, turn.cycle, x, y, name))


def _link(drawn: Picture, tracks: dict[str, Track]) -> None:
    """What a cycle follows from further away than the turn before: a line beside the others."""
    for track in tracks.values():
        for parent in track.turn.parents:
            other = tracks.get(parent.cycle)
            if other is None or (other.depth == track.depth - 1 and not (other.lane or track.lane)):
                continue
            (x0, y0), (x1, y1) = other.at(1.0), track.at(0.0)
            bulge = -14 - 6 * (track.depth - other.depth)
            drawn.links.append(
                f"M{x0:.1f} {y0:.1f}C{x0 + bulge:.1f} {y0:.1f} {x1 + bulge:.1f} {y1:.1f} "
                f"{x1:.1f} {y1:.1f}"
            )


def _letter(point: TurningPoint, track: Track, phases: dict[Phase, list[SpiralPart]]) -> Letter:
    ranges = phases.get(Phase.REFLECT) or []
    t = _when(track, 3, ranges, point.on, point.on) if ranges else min(track.end, 0.9)
    beside = min(26.0, track.room * 0.5 + 12)
    (x0, y0), (x1, y1) = track.at(t), track.at(t, beside)
    return Letter(
        point.letter, x1, y1, x0, y0,
        f"Turning point {point.letter}: {point.title}, {day(point.on)}",
    )  # fmt: skip


def _present(track: Track, phases: dict[Phase, list[SpiralPart]]) -> float:
    """Where an open cycle is now: at the end of what was logged last."""
    last = present_phase(part for parts in phases.values() for part in parts)
    if last is None:
        return track.end
    quarter = CYCLE_PHASES.index(last.phase)
    return min(track.end, _when(track, quarter, phases[last.phase], last.until, last.until) + 0.012)


def _when(
    track: Track, quarter: int, parts: Sequence[SpiralPart], since: date, until: date
) -> float:
    """The part of the turn for some days of the phase of a quarter."""
    first, last = parts[0].since.toordinal(), parts[-1].until.toordinal()
    middle = (since.toordinal() + until.toordinal()) / 2
    along = (middle - first) / (last - first) if last > first else 0.5
    room = min(1.0, max(0.1, track.end * 4 - quarter))
    return (quarter + (0.06 + 0.88 * min(1.0, max(0.0, along))) * room) / 4


def _width(
    t: float, dots: Iterable[tuple[float, int]], most: int, widest: float, end: float
) -> float:
    """How wide the ribbon is: by what happened close by, narrowing to its ends."""
    near = sum(
        events * math.exp(-(((t - at) / 0.024) ** 2) / 2)
        for at, events in dots
        if -0.08 < t - at < 0.08  # beyond, it comes to nothing
    )
    wide = NARROWEST + (widest - NARROWEST) * math.sqrt(min(1.0, near / (most * 1.5)))
    return wide * min(1.0, (t + 0.004) / 0.02) * min(1.0, max(0.12, (end - t) / 0.012))


def _shape(phase: Phase, x: float, y: float, size: float) -> str:
    """A circle, a square, a triangle or a diamond: a phase is told without its colour."""
    s = size
    if phase is Phase.PLAN:
        half = f"a{s:.1f} {s:.1f} 0 1 1"
        return f"M{x - s:.1f} {y:.1f}{half} {2 * s:.1f} 0{half} {-2 * s:.1f} 0z"
    if phase is Phase.ACT:
        s *= 0.9
        return f"M{x - s:.1f} {y - s:.1f}h{2 * s:.1f}v{2 * s:.1f}h{-2 * s:.1f}z"
    if phase is Phase.OBSERVE:
        return f"M{x:.1f} {y - 1.15 * s:.1f}l{1.1 * s:.1f} {1.95 * s:.1f}h{-2.2 * s:.1f}z"
    s *= 1.2
    return f"M{x:.1f} {y - s:.1f}l{s:.1f} {s:.1f}l{-s:.1f} {s:.1f}l{-s:.1f} {-s:.1f}z"


def _line(points: Iterable[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _eased(t: float) -> float:
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)


def _days(part: SpiralPart) -> str:
    if part.since == part.until:
        return day(part.since)
    return f"{day(part.since)} to {day(part.until)}"


@dataclass(frozen=True)
class Quarter:
    """A quarter of the ring, with its phase's name along it."""

    phase: Phase
    wash: str
    ring: str
    arc: str  # where the name runs: along the top from left to right, along the bottom likewise


def quarters() -> list[Quarter]:
    """The four quarters: always the same."""
    found = []
    angles = [TAU * n / 4 for n in range(5)]
    for n, (phase, (a0, a1)) in enumerate(zip(CYCLE_PHASES, pairwise(angles), strict=True)):
        inner, gap = RING - 12, 0.022
        text = RING + 11 if n in (0, 3) else RING + 25
        one, two, sweep = (a0, a1, 1) if n in (0, 3) else (a1, a0, 0)
        found.append(
            Quarter(
                phase,
                f"M0 0L{_polar(inner, a0)}A{inner} {inner} 0 0 1 {_polar(inner, a1)}Z",
                f"M{_polar(RING, a0 + gap)}A{RING} {RING} 0 0 1 {_polar(RING, a1 - gap)}",
                f"M{_polar(text, one)}A{text} {text} 0 0 {sweep} {_polar(text, two)}",
            )
        )
    return found


def _polar(radius: float, angle: float) -> str:
    return f"{radius * math.sin(angle):.1f} {-radius * math.cos(angle):.1f}"
