"""A cycle: its four phases with everything in them, and for each action why it is and what came."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from graphql import GraphQLError
from litestar import Response

from domain.readings import IdentifiableDataRead
from domain.vocabulary import Phase
from projections.action_log import Action, actions
from projections.activity_feed import ActivityLine, activity_feed
from projections.ballot_register import Ballot, OptionCount, ballots, tally
from projections.cycle_progress import Cycle, PhaseActivity, cycle, cycles
from projections.findings import findings, sharing
from projections.outcome_register import HarvestedOutcome, outcomes
from projections.paging import Window
from projections.priority_board import Priority, priorities
from projections.reflections import Reflection, assumptions, learning, reflections, stories
from projections.study_register import Concern, concerns
from projections.workshop_register import Workshop, workshops
from service.pages.visits import Visit, study_page
from service.pages.words import CYCLE_PHASES, count, day

ALL = Window(
    first=500
)  # of each kind in one cycle: what is beyond is told, and asked for elsewhere
LINES = 200  # of a phase's events
WORDS = ("what", "so_what", "now_what")


@dataclass(frozen=True)
class Why:
    """Why an action exists: back from its priority to the vote, the proposal and the concerns."""

    priority: Priority
    chosen: list[str]  # in sentences
    concerns: list[Concern]
    workshops: list[Workshop]  # held on the day it was proposed


@dataclass(frozen=True)
class Deed:
    """An action with why it exists and what came of it."""

    action: Action
    why: Why | None
    owner: str
    outcomes: list[HarvestedOutcome]
    stories: list[Any]
    tested: list[Any]
    changed_by: list[Reflection]


@dataclass(frozen=True)
class PhaseShown:
    """A phase of the cycle, with every event logged under it."""

    phase: Phase
    activity: PhaseActivity | None
    lines: list[ActivityLine]
    more: bool
    workshops: list[Workshop]


@dataclass(frozen=True)
class Held:
    """A reflection, with its words if they were asked for and may be read."""

    reflection: Reflection
    words: list[str]


@study_page("/c/{cycle:str}")
async def cycle_page(visit: Visit) -> Response[Any]:
    """A cycle of a study; with `?words=shown`, what people said in its reflections."""
    name = str(visit.request.path_params["cycle"])
    found: Cycle | None = await visit.ask(cycle, cycle=name)
    if found is None:
        raise GraphQLError(f"The study has no cycle {name}.", extensions={"code": "STUDY_UNKNOWN"})
    of = {"window": ALL, "cycle": name}
    (proposed, held, told, reflected, learned, tested, came, harvested, drafted, shared, stated,
     voted, following) = await asyncio.gather(
        visit.ask(priorities, **of), visit.ask(workshops, **of), visit.ask(stories, **of),
        visit.ask(reflections, **of), visit.ask(learning, **of), visit.ask(assumptions, **of),
        visit.ask(learning, window=ALL, to_cycle=name), visit.ask(outcomes, **of),
        visit.ask(findings, **of), visit.ask(sharing, **of), visit.ask(concerns, window=ALL),
        visit.ask(ballots, **of), visit.ask(cycles, window=ALL, parent=name),
    )  # fmt: skip
    planned = await visit.ask(actions, **of)
    counted = dict(
        zip(
            (each.ballot for each in voted.rows),
            await asyncio.gather(*(visit.ask(tally, ballot=b.ballot) for b in voted.rows)),
            strict=True,
        )
    )
    also = await _other_priorities(visit, planned.rows, proposed.rows)
    phases = await asyncio.gather(
        *(_phase(visit, found, phase, held.rows) for phase in _phases(found))
    )
    words = visit.parameters.get("words") == "shown"
    deeds = [
        Deed(
            each,
            _why(each, also, counted, voted.rows, stated.rows, held.rows),
            each.owner_participant or each.owner_stakeholder or each.owner_member or "",
            [o for o in harvested.rows if each.action in o.actions],
            [s for s in told.rows if each.action in s.actions],
            [t for t in tested.rows if t.action == each.action],
            [r for r in reflected.rows if each.action in r.actions_changed],
        )
        for each in planned.rows
    ]
    return visit.shows(
        "cycle.html",
        title=found.title,
        cycle=found,
        following=following.rows,
        phases={each.phase: each for each in phases},
        outside=[each for each in phases if each.phase not in CYCLE_PHASES],
        deeds=deeds,
        proposed=proposed.rows,
        ballots=[(each, counted[each.ballot]) for each in voted.rows],
        reflections=[Held(each, await _words(visit, each, words)) for each in reflected.rows],
        words=words,
        may_read=visit.asker.sees_personal_data(visit.study.study),
        learned=learned.rows,
        came=came.rows,
        tested=[each for each in tested.rows if each.action is None],
        outcomes=[o for o in harvested.rows if not o.actions],
        stories=told.rows,
        findings=drafted.rows,
        shared=shared.rows,
    )


def _phases(found: Cycle) -> list[Phase]:
    """The four, then others under which something is logged."""
    others = [each.phase for each in found.phases if each.phase not in CYCLE_PHASES]
    return [*CYCLE_PHASES, *others]


async def _phase(visit: Visit, found: Cycle, phase: Phase, held: Sequence[Workshop]) -> PhaseShown:
    page = await visit.ask(
        activity_feed, window=Window(first=LINES), cycle=found.cycle, phase=phase
    )
    lines = [line for line in page.rows if line.type != IdentifiableDataRead.TOPIC]
    return PhaseShown(
        phase,
        next((each for each in found.phases if each.phase == phase), None),
        sorted(lines, key=lambda each: (each.occurred_at, each.position)),
        page.has_next,
        [each for each in held if each.phase == phase],
    )


async def _other_priorities(
    visit: Visit, planned: Sequence[Action], known: Sequence[Priority]
) -> dict[str, Priority]:
    """The priorities of this cycle, and those of earlier ones that actions here are for."""
    found = {each.priority: each for each in known}
    if any(each.priority and each.priority not in found for each in planned):
        page = await visit.ask(priorities, window=ALL)
        found |= {each.priority: each for each in page.rows}
    return found


def _why(
    action: Action,
    known: dict[str, Priority],
    counted: dict[str, list[OptionCount]],
    voted: Sequence[Ballot],
    stated: Sequence[Concern],
    held: Sequence[Workshop],
) -> Why | None:
    priority = known.get(action.priority or "")
    if priority is None:
        return None
    papers = {each.ballot: each for each in voted}
    chosen = []
    for adoption in priority.adoptions:
        if adoption.cycle != action.cycle:
            continue
        ballot = papers.get(adoption.ballot or "")
        options = counted.get(adoption.ballot or "", [])
        rank, option = next(
            ((n, o) for n, o in enumerate(options, 1) if o.priority == priority.priority),
            (0, None),
        )
        if option is not None and ballot is not None and option.votes is not None:
            chosen.append(
                f"In “{ballot.title}” it came {_ordinal(rank)} of {len(options)}: on "
                f"{option.votes} of {count(ballot.papers, 'paper')}."
            )
        if adoption.chosen_by_vote:
            chosen.append(f"Chosen by that vote, and adopted on {day(adoption.adopted_at)}.")
        else:
            reason = adoption.override_reason or "no reason is on record"
            chosen.append(f"Adopted on {day(adoption.adopted_at)} without winning a vote: {reason}")
    on = _utc(priority.proposed_at)
    return Why(
        priority,
        chosen,
        [each for each in stated if each.concern in priority.concerns],
        [each for each in held if _utc(each.occurred_at) == on],
    )


async def _words(visit: Visit, reflection: Reflection, shown: bool) -> list[str]:
    if not shown:
        return []
    said = [await visit.personal(reflection, name) for name in WORDS]
    return [each for each in said if each]


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if number % 100 in (11, 12, 13) else endings.get(number % 10, "th")
    return f"{number}{ending}"


def _utc(moment: Any) -> date:
    on: date = moment.astimezone(UTC).date()
    return on
