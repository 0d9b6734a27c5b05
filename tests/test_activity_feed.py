"""The activity feed: what was recorded last, in a line that names nobody."""

import asyncio

from domain.ballots import BallotCast, Choice
from domain.consent import ConsentGiven
from domain.cycles import CycleOpened
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import Phase
from domain.workshops import WorkshopHeld
from projections.activity_feed import activity_feed
from projections.paging import Window
from tests.conftest import Database
from tests.registers import STUDY, followed
from tests.rich_history import rich_history

cycle = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",), topic="Storing maize")
enrolled = ParticipantEnrolled(participant="p-1", name="Wanjiru")
consented = ConsentGiven(participant="p-1", permissions=(Permission.WORKSHOP,), form_version="1")
cast = BallotCast(ballot="b-1", voter="p-1", choices=(Choice(option="x"),), paper="b-1/p-1")


def test_the_latest_comes_first_in_a_line_that_names_nobody(database: Database) -> None:
    async def story() -> None:
        async with followed(database, cycle, enrolled, consented, cast, held) as db:
            page = await activity_feed(db, STUDY, Window(first=5))
            assert [each.line for each in page.rows] == [
                "Workshop held: Storing maize (w-1)",
                "Ballot cast (b-1)",
                "Consent given",
                "Participant enrolled",
                "Cycle opened: First turn (c-1)",
            ]
            assert page.has_next
            rest = await activity_feed(db, STUDY, Window(first=5, after=page.rows[-1].position))
            assert [each.line for each in rest.rows] == ["Study opened: Maize and water"]

    asyncio.run(story())


def test_it_is_found_by_phase_cycle_and_type(database: Database) -> None:
    async def story() -> None:
        async with followed(database, cycle, enrolled, held) as db:

            async def found(**filters: object) -> list[int]:
                page = await activity_feed(db, STUDY, Window(), **filters)  # type: ignore[arg-type]
                return [each.position for each in page.rows]

            assert await found(cycle="c-1") == [4, 2]
            assert await found(phase=Phase.STUDY) == [3, 1]
            assert await found(type="WorkshopHeld") == [4]

    asyncio.run(story())


def test_no_line_of_any_kind_of_event_names_a_person(database: Database) -> None:
    async def story() -> None:
        history = list(rich_history(120))
        people = {
            name
            for each in history
            for tag in each.event.tags
            for kind, _, name in [tag.partition(":")]
            if kind in ("participant", "member")
        }
        async with followed(database, *history) as db:
            page = await activity_feed(db, STUDY, Window(first=200))
            assert len(page.rows) == 121
            for row in page.rows:
                assert not people & set(row.line.replace("(", " ").replace(")", " ").split()), row

    asyncio.run(story())
