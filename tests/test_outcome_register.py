"""The outcome register: what changed and what was measured, found by action, cycle and day."""

from datetime import date
from typing import Any

from domain.outcomes import ChangeIn, IndicatorMeasured, OutcomeHarvested, RippleLinked
from projections.outcome_register import indicator_readings, outcomes
from projections.paging import Window
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed
from tests.story import on

first = OutcomeHarvested(
    outcome="o-1", cycle="c-1", title="Keys are lent", who_changed="The council",
    what="It lends keys.", intended=True, change_in=ChangeIn.PRACTICES, actions=("a-1",),
)  # fmt: skip
second = OutcomeHarvested(
    outcome="o-2", cycle="c-2", title="The hall is noisy", who_changed="Neighbours",
    what="They sleep badly.", intended=False, harmful=True, participants=("p-1",),
)  # fmt: skip


@in_a_loop
async def test_outcomes_are_found_by_what_is_known_of_them(database: Database) -> None:
    ripple = RippleLinked(cycle="c-2", from_action="a-1", to_outcome="o-2")
    history = (on("2026-03-01", first), on("2026-04-01", second), on("2026-04-02", ripple))
    async with followed(database, *history) as db:

        async def found(**filters: Any) -> list[str]:
            return [row.outcome for row in (await outcomes(db, "maize", Window(), **filters)).rows]

        assert await found() == ["o-1", "o-2"]
        assert await found(cycle="c-1") == ["o-1"]
        assert await found(action="a-1") == ["o-1", "o-2"]
        assert await found(participant="p-1") == ["o-2"]
        assert await found(harmful=True) == ["o-2"]
        assert await found(change_in=ChangeIn.PRACTICES) == ["o-1"]
        assert await found(until=date(2026, 3, 1)) == ["o-1"]
        rows = (await outcomes(db, "maize", Window(first=1))).rows
        assert (rows[0].who_changed, rows[0].change_in) == ("2/who_changed", ChangeIn.PRACTICES)


@in_a_loop
async def test_readings_are_found_by_what_is_known_of_them(database: Database) -> None:
    history = (
        on(
            "2026-03-01",
            IndicatorMeasured(
                indicator="visits", cycle="c-1", value=12, unit="people", action="a-1"
            ),
        ),
        on(
            "2026-04-01",
            IndicatorMeasured(
                indicator="sleep", cycle="c-2", value=6.5, unit="hours", group="A", method="Asked."
            ),
        ),
    )
    async with followed(database, *history) as db:

        async def found(**filters: Any) -> list[float]:
            page = await indicator_readings(db, "maize", Window(), **filters)
            return [row.value for row in page.rows]

        assert await found() == [12.0, 6.5]
        assert await found(indicator="visits") == [12.0]
        assert await found(cycle="c-2") == [6.5]
        assert await found(action="a-1") == [12.0]
        assert await found(group="A") == [6.5]
        assert await found(since=date(2026, 3, 2)) == [6.5]
