"""Cycle progress: counts by phase, workshops by week, group and technique, and what is owed."""

from datetime import UTC, date, datetime
from typing import Any

from domain.actions import ActionImplemented, ActionStarted
from domain.ballots import BallotCast, Choice
from domain.cycles import CycleClosed, CycleOpened, Edge, Parent
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade, PlaceKind
from domain.planning import ActionOwner, ActionPlanned
from domain.priorities import PriorityAdopted
from domain.reflections import Carrying, LearningCarried, ReflectionRecorded, Voice
from domain.vocabulary import Phase
from domain.workshops import WorkshopHeld
from projections.cycle_progress import Cycle, PhaseActivity, cycle, cycles
from projections.paging import Window
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed, logged
from tests.story import on

opened = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
following = CycleOpened(
    cycle="c-2", title="Second turn", question="Who will help?",
    parents=(Parent(cycle="c-1", edge=Edge.CARRIES_QUESTION),),
)  # fmt: skip
OWNER = ActionOwner(member="ana")


def workshop(number: int, week: int, groups: str, technique: str, *people: str) -> WorkshopHeld:
    return WorkshopHeld(
        workshop=f"w-{number}", cycle="c-1", participants=people or ("p-1",),
        groups=tuple(groups.split("+")), week=week, technique=technique,
    )  # fmt: skip


def reflection(turning_point: bool = False) -> ReflectionRecorded:
    return ReflectionRecorded(
        reflection=f"r-{turning_point}", cycle="c-1", voice=Voice.PARTICIPANTS, what="We met.",
        participants=("p-4",), turning_point=turning_point,
    )  # fmt: skip


async def told(database: Database, *history: Any) -> Cycle:
    """The first cycle, after these events."""
    async with followed(database, on("2026-01-05", opened), *history) as db:
        found = await cycle(db, "maize", "c-1")
        assert found is not None
        return found


@in_a_loop
async def test_each_phase_shows_how_much_happened_and_when(database: Database) -> None:
    found = await told(
        database,
        logged("2026-01-20", workshop(1, 1, "A", "ranking and voting"), phase=Phase.PLAN),
        on("2026-02-01", workshop(2, 2, "A", "problem tree")),
        on("2026-01-30", workshop(3, 2, "B", "problem tree")),
        on("2026-03-01", reflection()),
    )

    def nine(day: int, month: int) -> datetime:
        return datetime(2026, month, day, 9, tzinfo=UTC)

    assert found.phases == [
        PhaseActivity(Phase.PLAN, 2, nine(5, 1), nine(20, 1)),
        PhaseActivity(Phase.ACT, 2, nine(30, 1), nine(1, 2)),
        PhaseActivity(Phase.REFLECT, 1, nine(1, 3), nine(1, 3)),
    ]


@in_a_loop
async def test_workshops_are_counted_by_week_group_and_technique(database: Database) -> None:
    found = await told(
        database,
        logged(
            "2026-01-20", workshop(1, 1, "A", "ranking and voting", "p-1", "p-2"), phase=Phase.PLAN
        ),
        logged("2026-01-21", workshop(2, 1, "B", "ranking and voting", "p-3"), phase=Phase.PLAN),
        on("2026-02-01", workshop(3, 2, "A+B", "problem tree", "p-1", "p-2", "p-3")),
        on("2026-02-02", workshop(4, 2, "B+A", "problem tree", "p-1")),
    )

    def rows(of: list[Any]) -> list[tuple[Any, ...]]:
        return [tuple(vars(each).values()) for each in of]

    assert rows(found.workshops_by_week) == [(1, 2, 3), (2, 2, 4)]
    assert rows(found.workshops_by_group) == [("A", 3, 6), ("B", 3, 5)]
    assert rows(found.workshops_by_technique) == [
        ("ranking and voting", Phase.PLAN, 2, 3),
        ("problem tree", Phase.ACT, 2, 4),
    ]
    assert (found.workshops, found.people) == (4, 3)


@in_a_loop
async def test_everything_that_counts_is_counted(database: Database) -> None:
    session = {"cycle": "c-1", "minutes": 60, "place": PlaceKind.HOME}
    found = await told(
        database,
        InterviewHeld(session="i-1", participants=("p-1",), **session),  # type: ignore[arg-type]
        FocusGroupHeld(session="f-1", participants=("p-1", "p-2"), **session),  # type: ignore[arg-type]
        ObservationMade(session="o-1", **session),  # type: ignore[arg-type]
        BallotCast(
            ballot="b-1", voter="p-3", participant="p-3", cycle="c-1", choices=(Choice(option="a"),)
        ),
        PriorityAdopted(priority="water", cycle="c-1", override_reason="Everyone said so."),
        reflection(),
        reflection(turning_point=True),
        LearningCarried(cycle="c-1", learning="Meet at noon", carrying=Carrying.KEEP),
        WorkshopHeld(workshop="w-9", cycle="c-2", participants=("p-9",)),
    )
    assert (found.interviews, found.focus_groups, found.observations, found.workshops) == (
        1,
        1,
        1,
        0,
    )
    assert (found.ballots_cast, found.priorities_adopted) == (1, 1)
    assert (found.reflections, found.turning_points, found.learning_carried) == (2, 1, 1)
    assert found.people == 4


@in_a_loop
async def test_actions_are_open_done_or_overdue(database: Database) -> None:
    found = await told(
        database,
        ActionPlanned(action="a-1", cycle="c-1", title="Hall", owner=OWNER, due=date(2026, 2, 1)),
        ActionPlanned(action="a-2", cycle="c-1", title="Well", owner=OWNER, due=date(2026, 2, 1)),
        ActionPlanned(action="a-3", cycle="c-1", title="Choir", owner=OWNER, due=date(2999, 1, 1)),
        on("2026-03-02", ActionImplemented(action="a-2", what_was_done="Dug.", cycle="c-1")),
        on("2026-03-01", ActionStarted(action="a-2", cycle="c-1")),  # logged late
    )
    counts = (found.actions_open, found.actions_done, found.actions_overdue)
    assert counts == (2, 1, 1)
    assert [warning.code for warning in found.warnings] == ["actions_overdue", "no_reflection_yet"]
    assert found.warnings[0].message == "Actions past their due date are open: 1."


@in_a_loop
async def test_closing_without_learning_or_with_open_actions_is_a_warning(
    database: Database,
) -> None:
    found = await told(
        database,
        ActionPlanned(action="a-1", cycle="c-1", title="Hall", owner=OWNER),
        reflection(),
        on("2026-06-01", CycleClosed(cycle="c-1", summary="We learned much.")),
    )
    assert [warning.code for warning in found.warnings] == [
        "closed_without_learning", "closed_with_open_actions",
    ]  # fmt: skip
    assert found.closed_at == datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert found.summary == "5/summary"


@in_a_loop
async def test_cycles_are_found_by_state_parent_and_day(database: Database) -> None:
    history = (
        on("2026-01-05", opened), on("2026-02-05", CycleClosed(cycle="c-1")),
        on("2026-03-05", following),
    )  # fmt: skip
    async with followed(database, *history) as db:

        async def found(**filters: Any) -> list[str]:
            return [row.cycle for row in (await cycles(db, "maize", Window(), **filters)).rows]

        assert await found() == ["c-1", "c-2"]
        assert await found(open=True) == ["c-2"]
        assert await found(open=False) == ["c-1"]
        assert await found(parent="c-1") == ["c-2"]
        assert await found(since=date(2026, 2, 1)) == ["c-2"]
        assert await found(until=date(2026, 2, 1)) == ["c-1"]
        page = await cycles(db, "maize", Window(last=1))
        assert [(row.cycle, row.parents[0].edge) for row in page.rows] == [
            ("c-2", Edge.CARRIES_QUESTION)
        ]
        assert await db.fetchval(page.count[0], *page.count[1]) == 2
        assert await cycle(db, "maize", "c-3") is None
