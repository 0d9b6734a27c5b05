"""The workshop register: found by cycle, group, participant, technique and day."""

import asyncio
from datetime import date

from domain.workshops import WorkshopHeld
from projections.paging import Window
from projections.workshop_register import workshops
from tests.conftest import Database
from tests.registers import followed
from tests.story import on

first = WorkshopHeld(
    workshop="w-1", cycle="c-1", participants=("p-1", "p-2"), groups=("A",), technique="ranking",
    notes="Long and warm.",
)  # fmt: skip
second = WorkshopHeld(workshop="w-2", cycle="c-2", participants=("p-2",), groups=("A", "B"))


def test_a_workshop_is_found_by_what_is_known_of_it(database: Database) -> None:
    async def tried() -> None:
        history = (on("2026-02-01", first), on("2026-03-01", second))
        async with followed(database, *history) as db:

            async def found(**filters: object) -> list[str]:
                page = await workshops(db, "maize", Window(), **filters)  # type: ignore[arg-type]
                return [row.workshop for row in page.rows]

            assert await found() == ["w-1", "w-2"]
            assert await found(cycle="c-1") == ["w-1"]
            assert await found(group="A") == ["w-1", "w-2"]
            assert await found(participant="p-1") == ["w-1"]
            assert await found(technique="ranking") == ["w-1"]
            assert await found(since=date(2026, 2, 2)) == ["w-2"]
            assert await found(until=date(2026, 2, 1)) == ["w-1"]
            page = await workshops(db, "maize", Window(first=1))
            assert (page.rows[0].people, page.rows[0].notes) == (2, "2/notes")

    asyncio.run(tried())
