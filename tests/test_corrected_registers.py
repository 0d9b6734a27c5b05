"""What was corrected since is shown so, though its rows were written before."""

import asyncio
from typing import Any

from domain.corrections import Corrected
from domain.cycles import CycleOpened
from domain.reflections import AssumptionTested, ReflectionRecorded, Verdict, Voice
from domain.vocabulary import ResearchEvent
from domain.workshops import WorkshopHeld
from projections.audit_trail import audit_trail
from projections.following import (
    Following,
    Stopped,
    borrowed,
    follow,
    position_of,
    registers,
    stopped_registers,
)
from projections.paging import Window
from projections.reflections import assumptions, reflections
from projections.workshop_register import workshops
from tests.conftest import Database
from tests.registers import (
    STUDY,
    a_moment,
    caught_up,
    follow_all,
    followed,
    record,
    recording,
    register_pool,
)

cycle = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
assumed = AssumptionTested(cycle="c-1", assumption="People have time.", verdict=Verdict.HELD)
held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",), notes="Noted wrongly.")


def correction(position: int, event: ResearchEvent, **standing: Any) -> Corrected:
    return Corrected(
        corrects=position, event_type=event.TOPIC, subject="cycle:c-1", why="A slip.",
        standing=standing, fields=tuple(standing), about=("cycle:c-1",), cycle="c-1",
    )  # fmt: skip


def test_a_correction_rewrites_what_was_written_before(database: Database) -> None:
    async def story() -> None:
        async with followed(database, cycle, assumed, held) as db:
            before = await db.fetchval("select xmin from study_line")
            async with recording(database) as recorder, register_pool(database) as pool:
                await record(recorder, correction(3, assumed, verdict="did_not_hold"))
                await record(recorder, correction(4, held, notes="Noted rightly."))
                await follow_all(pool)
            (line,) = (await assumptions(db, STUDY, Window())).rows
            assert line.verdict is Verdict.DID_NOT_HOLD
            (workshop,) = (await workshops(db, STUDY, Window())).rows
            assert workshop.notes == "6/personal_standing/notes"  # a reference to it
            trail = (await audit_trail(db, STUDY, Window())).rows
            assert [line.corrected_by for line in trail] == [[], [], [5], [6], [], []]
            # The study register reads neither type, so its rows stay as they are.
            assert await db.fetchval("select xmin from study_line") == before

    asyncio.run(story())


def test_the_last_correction_of_an_event_stands(database: Database) -> None:
    async def story() -> None:
        first = correction(3, assumed, verdict="did_not_hold")
        second = correction(3, assumed, verdict="unclear")
        async with followed(database, cycle, assumed, first, second) as db:
            (line,) = (await assumptions(db, STUDY, Window())).rows
            assert line.verdict is Verdict.UNCLEAR

    asyncio.run(story())


def test_a_follower_writes_anew_in_the_background_and_goes_on(database: Database) -> None:
    async def story() -> None:
        async with recording(database) as recorder, register_pool(database) as pool:
            among = list(registers().values())
            task = asyncio.create_task(follow(pool, among, a_moment))
            last = await record(recorder, cycle, assumed, held)
            await caught_up(pool, "reflections", last)
            await record(recorder, correction(2, assumed, verdict="unclear"), cycle_two)
            for name in registers():
                await caught_up(pool, name, last + 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with borrowed(pool) as db:
                (line,) = (await assumptions(db, STUDY, Window())).rows
            assert line.verdict is Verdict.UNCLEAR

    asyncio.run(story())


cycle_two = CycleOpened(cycle="c-2", title="Second turn", question="What else?")


def test_a_correction_that_does_not_fit_stops_there_and_the_rows_stay(database: Database) -> None:
    async def story() -> None:
        async with recording(database) as recorder, register_pool(database) as pool:
            await record(recorder, cycle, assumed, held)
            await follow_all(pool)
            await record(recorder, cycle_two, correction(2, assumed, verdict="no such verdict"))
            faults: list[Stopped] = []
            among = list(registers().values())
            follower = Following(pool, among, faults.append, lambda batch: None)
            while await follower.go_on() or follower.anew:
                await a_moment()
            stopped = await stopped_registers(pool)
            assert "reflections" in {register for register, *_ in stopped}
            assert {at for _, _, at, _ in stopped} == {5}
            assert await position_of(pool, "reflections", STUDY) == 4
            assert await position_of(pool, "study_register", STUDY) == 5
            assert await position_of(pool, "audit_trail", STUDY) == 5
            async with borrowed(pool) as db:
                (line,) = (await assumptions(db, STUDY, Window())).rows
            assert line.verdict is Verdict.HELD

    asyncio.run(story())


def test_a_register_holds_a_reference_where_there_is_a_personal_text(database: Database) -> None:
    said = ReflectionRecorded(
        reflection="r-1", cycle="c-1", voice=Voice.PARTICIPANTS, what="Ana was left alone."
    )

    async def story() -> None:
        async with followed(database, cycle, said) as db:
            (line,) = (await reflections(db, STUDY, Window())).rows
            assert (line.what, line.so_what) == ("3/what", None)

    asyncio.run(story())
