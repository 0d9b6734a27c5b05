"""Progress: the study as a picture, and where it stands, today or as of a past day."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, cast

from litestar import Response
from markupsafe import Markup

from domain.actions import ActionState
from domain.membership import Duty
from domain.readings import IdentifiableDataRead
from domain.vocabulary import Phase
from projections.action_log import Action, actions
from projections.activity_feed import ActivityLine, activity_feed
from projections.cycle_progress import Cycle, cycles
from projections.paging import Window
from projections.reflections import Reflection, reflections
from projections.spiral import SpiralPart, Turn, spiral, study_so_far, turns
from service.pages.rendering import templates
from service.pages.spiral_picture import (
    LETTERS,
    TurningPoint,
    parts_for,
    picture,
    present_phase,
    quarters,
)
from service.pages.visits import Visit, study_page
from service.pages.voices import consent_bars, priority_boards, voices
from service.pages.words import CYCLE_PHASES, VOICES, plain

LATEST = 6  # lines
QUARTERS = quarters()
OPEN_ACTIONS = (ActionState.PLANNED, ActionState.STARTED, ActionState.BLOCKED)


@dataclass(frozen=True)
class Row:
    """A cycle in the table beside the picture."""

    number: int
    turn: Turn
    follows: str
    by_phase: list[int]
    elsewhere: int  # events of other phases: sharing, ethics
    events: int


@dataclass(frozen=True)
class Present:
    """An open cycle: its phase, and for how long."""

    number: int
    turn: Turn
    phase: Phase | None
    days: int  # since something was first logged under that phase
    cycle: Cycle | None  # what it owes; not known of a past day


@study_page("")
async def progress(visit: Visit) -> Response[Any]:
    """The progress of a study; with `?on=2026-05-03`, as of the end of that day (UTC)."""
    today = datetime.now(UTC).date()
    on, misread = _day_asked(visit, today)
    past = on is not None
    until = on or today
    shown, whole, so_far = await asyncio.gather(
        visit.ask(turns, until=on), visit.ask(study_so_far), visit.ask(study_so_far, until=on)
    )
    parts, turned, latest, boards, open_, closed, due, heard, consent = await asyncio.gather(
        visit.ask(spiral, parts=parts_for(len(shown)), until=on),
        visit.ask(reflections, window=Window(last=len(LETTERS)), turning_point=True, until=on),
        _latest(visit, on),
        priority_boards(visit, on),
        visit.ask(cycles, window=Window(last=8), open=True) if not past else _nothing(),
        visit.ask(cycles, window=Window(last=8), open=False) if not past else _nothing(),
        visit.ask(actions, window=Window(last=60)) if not past else _nothing(),
        voices(visit) if visit.may(Duty.AUDIT) and not past else _nothing(),
        consent_bars(visit) if visit.may(Duty.AUDIT) and not past else _nothing(),
    )
    letters = _letters(turned.rows)
    return visit.shows(
        "progress.html",
        title=visit.study.title,
        on=on,
        misread=misread,
        today=today,
        first_day=whole.first_day or today,
        so_far=so_far,
        days=(until - visit.study.opened_at.date()).days + 1,
        spiral=await _drawn(visit, on, shown, parts, [point for point, _ in letters]),
        rows=_rows(shown, parts),
        phases=CYCLE_PHASES,
        letters=letters,
        present=_present(shown, parts, until, open_.rows if open_ else []),
        owed=[each for page in (open_, closed) if page for each in page.rows if each.warnings],
        due=_due(due.rows if due else []),
        latest=latest,
        boards=boards,
        heard=heard,
        consent=consent,
        audits=visit.may(Duty.AUDIT),
        leads=visit.may(Duty.LEAD),
    )


async def _drawn(
    visit: Visit,
    on: date | None,
    shown: Sequence[Turn],
    parts: Sequence[SpiralPart],
    points: Sequence[TurningPoint],
) -> Markup:
    """The picture, drawn once for everybody who looks at it."""

    async def drawn() -> Markup:
        return Markup(  # noqa: S704 (it comes out of a template, which escapes)
            templates.get_template("spiral.svg.html").render(
                picture=picture(shown, parts, points), quarters=QUARTERS, on=on,
                cycles=len(shown), base=f"/s/{visit.study.study}",
            )
        )  # fmt: skip

    return cast(Markup, await visit.shared("spiral", ("picture", on, *points), drawn))


async def _nothing() -> None:
    """Stands for what is not asked."""


def _day_asked(visit: Visit, today: date) -> tuple[date | None, str]:
    """The past day that the address asks for, if any; else what cannot be read as one."""
    asked = visit.parameters.get("on", "")
    if not asked:
        return None, ""
    try:
        on = date.fromisoformat(asked)
    except ValueError:
        return None, asked
    return (on if on < today else None), ""


async def _latest(visit: Visit, until: date | None) -> list[ActivityLine]:
    """What happened last, by the order of the record; who read what is no news."""
    found: list[ActivityLine] = []
    after: int | None = None
    while len(found) < LATEST:
        page = await visit.ask(activity_feed, window=Window(first=30, after=after), until=until)
        found += [line for line in page.rows if line.type != IdentifiableDataRead.TOPIC]
        if not page.has_next:
            break
        after = page.rows[-1].position
    return found[:LATEST]


def _letters(found: Sequence[Reflection]) -> list[tuple[TurningPoint, Reflection]]:
    """The last turning points, each with its letter; a title is public, the words are not."""
    return [
        (
            TurningPoint(
                letter, each.cycle, each.occurred_at.astimezone(UTC).date(),
                each.title or f"A reflection {VOICES[each.voice]}",
            ),
            each,
        )
        for letter, each in zip(LETTERS, found, strict=False)
    ]  # fmt: skip


def _rows(shown: Sequence[Turn], parts: Sequence[SpiralPart]) -> list[Row]:
    numbers = {turn.cycle: number for number, turn in enumerate(shown, 1)}
    counts: dict[str, dict[Phase, int]] = {}
    for part in parts:
        if part.cycle is not None:
            of = counts.setdefault(part.cycle, {})
            of[part.phase] = of.get(part.phase, 0) + part.events
    rows = []
    for number, turn in enumerate(shown, 1):
        of = counts.get(turn.cycle, {})
        by_phase = [of.get(phase, 0) for phase in CYCLE_PHASES]
        follows = "; ".join(
            f"{plain(parent.edge)} {numbers.get(parent.cycle, parent.cycle)}"
            for parent in turn.parents
        )
        events = sum(of.values())
        rows.append(Row(number, turn, follows, by_phase, events - sum(by_phase), events))
    return rows


def _present(
    shown: Sequence[Turn], parts: Sequence[SpiralPart], until: date, open_: Sequence[Cycle]
) -> list[Present]:
    """The open cycles, the one opened last first."""
    known = {each.cycle: each for each in open_}
    found = []
    for number, turn in enumerate(shown, 1):
        if turn.closed_at is None:
            last = present_phase(part for part in parts if part.cycle == turn.cycle)
            phase = last.phase if last else None
            begun = min(
                (p.since for p in parts if p.cycle == turn.cycle and p.phase == phase),
                default=until,
            )
            days = (until - begun).days + 1
            found.append(Present(number, turn, phase, days, known.get(turn.cycle)))
    return found[::-1]


def _due(found: Sequence[Action]) -> list[Action]:
    """The open actions that are due first."""
    open_ = [each for each in found if each.state in OPEN_ACTIONS and each.due]
    return sorted(open_, key=lambda each: each.due or date.max)[:4]
