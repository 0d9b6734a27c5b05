"""The priority board: what became of each proposal, and who dissented."""

from datetime import UTC, date, datetime
from typing import Any

from domain.priorities import DissentRecorded, PrioritiesMerged, PriorityAdopted, PriorityProposed
from projections.paging import Window
from projections.priority_board import PriorityAdoption, PriorityState, dissents, priorities
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed
from tests.story import on


def proposed(priority: str, *by: str, cycle: str = "c-1") -> PriorityProposed:
    return PriorityProposed(
        priority=priority, cycle=cycle, title=f"About {priority}", proposed_by=by,
        concerns=("thirst",), description=f"{priority} matters to us.",
    )  # fmt: skip


history = (
    on("2026-02-01", proposed("water", "p-1", "p-2")),
    on("2026-02-02", proposed("wells", "p-3")),
    on("2026-02-03", proposed("songs", "p-1", cycle="c-2")),
    on("2026-02-04", PrioritiesMerged(priority="water", cycle="c-1", merged=("wells",))),
    on(
        "2026-02-05",
        PriorityAdopted(priority="water", cycle="c-1", ballot="b-1", chosen_by_vote=True),
    ),
    on("2026-02-06", PriorityAdopted(priority="water", cycle="c-2", override_reason="Unfinished.")),
    on(
        "2026-02-07",
        DissentRecorded(cycle="c-1", words="Songs first.", participants=("p-3",), priority="water"),
    ),
    on("2026-02-08", DissentRecorded(cycle="c-2", words="No vote!", ballot="b-2")),
)


@in_a_loop
async def test_each_proposal_shows_what_became_of_it(database: Database) -> None:
    async with followed(database, *history) as db:
        water, wells, songs = (await priorities(db, "maize", Window())).rows
        assert (water.state, wells.state, songs.state) == (
            PriorityState.ADOPTED, PriorityState.MERGED, PriorityState.PROPOSED,
        )  # fmt: skip
        assert water.adoptions == [
            PriorityAdoption("c-1", datetime(2026, 2, 5, 9, tzinfo=UTC), "b-1", True, None),
            PriorityAdoption(
                "c-2", datetime(2026, 2, 6, 9, tzinfo=UTC), None, False, "Unfinished."
            ),
        ]
        assert (water.dissents, wells.merged_into) == (1, "water")
        assert (water.proposed_by, water.concerns) == (["p-1", "p-2"], ["thirst"])
        assert water.description == "2/description"


@in_a_loop
async def test_priorities_are_found_by_what_is_known_of_them(database: Database) -> None:
    async with followed(database, *history) as db:

        async def found(**filters: Any) -> list[str]:
            rows = (await priorities(db, "maize", Window(), **filters)).rows
            return [row.priority for row in rows]

        assert await found(cycle="c-2") == ["songs"]
        assert await found(state=PriorityState.MERGED) == ["wells"]
        assert await found(participant="p-1") == ["water", "songs"]
        assert await found(since=date(2026, 2, 2), until=date(2026, 2, 2)) == ["wells"]


@in_a_loop
async def test_dissent_is_kept_with_whose_it_is(database: Database) -> None:
    async with followed(database, *history) as db:

        async def found(**filters: Any) -> list[str | None]:
            return [row.words for row in (await dissents(db, "maize", Window(), **filters)).rows]

        assert await found() == ["8/words", "9/words"]
        assert await found(priority="water") == ["8/words"]
        assert await found(ballot="b-2") == ["9/words"]
        assert await found(participant="p-3", cycle="c-1") == ["8/words"]
