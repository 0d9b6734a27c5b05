"""Participation: whose voice was heard, by participant, and by group and phase."""

from datetime import UTC, date, datetime
from typing import Any

from domain.ballots import BallotCast, Choice
from domain.fieldwork import InterviewHeld, PlaceKind
from domain.payments import Payment
from domain.people import ParticipantEnrolled
from domain.priorities import DissentRecorded, PriorityProposed
from domain.reflections import ReflectionRecorded, Voice
from domain.vocabulary import Phase
from domain.workshops import WorkshopHeld
from projections.paging import Window
from projections.participation import Paid, participant, participants, participation
from tests.conftest import Database
from tests.recording import in_a_loop
from tests.registers import followed
from tests.story import on


def vote(voter: str, cycle: str, participant: str | None) -> BallotCast:
    return BallotCast(
        ballot=f"b-{cycle}", voter=voter, cycle=cycle, participant=participant,
        choices=(Choice(option="hall"),),
    )  # fmt: skip


enrolled = (
    on(
        "2026-01-02",
        ParticipantEnrolled(
            participant="p-1", group="A", constituency="women", name="Joy", contact="07700 900100"
        ),
    ),
    on("2026-01-03", ParticipantEnrolled(participant="p-2", group="A", constituency="men")),
    on("2026-01-04", ParticipantEnrolled(participant="p-3", group="B")),
    on("2026-01-05", ParticipantEnrolled(participant="p-4")),
)
happened = (
    on(
        "2026-02-01",
        WorkshopHeld(
            workshop="w-1", cycle="c-1", participants=("p-1", "p-2", "p-4"),
            payments=(
                Payment(participant="p-1", amount=1000, currency="GBP"),
                Payment(participant="p-1", amount=250, currency="GBP"),
                Payment(participant="p-2", amount=900, currency="EUR"),
            ),
        ),
    ),
    on("2026-02-02", vote("p-1", "c-1", "p-1")),
    on("2026-02-03", vote("passer-by", "c-1", None)),
    on("2026-02-04", PriorityProposed(
        priority="space", cycle="c-1", title="Space", proposed_by=("p-2",)
    )),
    on("2026-02-05", DissentRecorded(cycle="c-1", words="No.", participants=("p-2",))),
    on("2026-03-01", InterviewHeld(
        session="i-1", cycle="c-2", participants=("p-1",), minutes=50, place=PlaceKind.HOME,
        payments=(Payment(participant="p-1", amount=2000, currency="GBP"),),
    )),
    on("2026-03-02", ReflectionRecorded(
        reflection="r-1", cycle="c-2", voice=Voice.PARTICIPANTS, what="Well.", participants=("p-1",)
    )),
)  # fmt: skip


@in_a_loop
async def test_a_participant_shows_how_they_took_part(database: Database) -> None:
    async with followed(database, *enrolled, *happened) as db:
        joy = await participant(db, "maize", "p-1")
        assert joy is not None
        assert (joy.name, joy.in_group, joy.constituency, joy.position) == (
            "2/name",
            "A",
            "women",
            2,
        )
        assert (joy.workshops, joy.ballots, joy.interviews, joy.reflections) == (1, 1, 1, 1)
        assert (joy.deliberations, joy.cycles) == (0, ["c-1", "c-2"])
        assert joy.paid == [Paid("GBP", 3, 3250)]
        assert joy.last_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
        silent = await participant(db, "maize", "p-3")
        assert silent is not None
        assert (silent.workshops, silent.cycles, silent.first_at, silent.paid) == (0, [], None, [])
        assert await participant(db, "maize", "p-9") is None


@in_a_loop
async def test_participants_are_found_by_group_constituency_cycle_and_day(
    database: Database,
) -> None:
    async with followed(database, *enrolled, *happened) as db:

        async def found(**filters: Any) -> list[str]:
            page = await participants(db, "maize", Window(), **filters)
            return [row.participant for row in page.rows]

        assert await found() == ["p-1", "p-2", "p-3", "p-4"]
        assert await found(group="A") == ["p-1", "p-2"]
        assert await found(constituency="men") == ["p-2"]
        assert await found(cycle="c-2") == ["p-1"]
        assert await found(since=date(2026, 1, 4), until=date(2026, 1, 4)) == ["p-3"]
        page = await participants(db, "maize", Window(first=1))
        assert await db.fetchval(page.count[0], *page.count[1]) == 4


@in_a_loop
async def test_each_group_shows_in_which_phases_it_was_heard(database: Database) -> None:
    async with followed(database, *enrolled, *happened) as db:

        async def found(**filters: Any) -> list[tuple[Any, ...]]:
            rows = await participation(db, "maize", **filters)
            return [(row.group, row.phase, row.people, row.enrolled) for row in rows]

        assert await found() == [
            ("A", Phase.ACT, 2, 2),
            ("A", Phase.OBSERVE, 1, 2),
            ("A", Phase.PLAN, 2, 2),
            ("A", Phase.REFLECT, 1, 2),
            ("B", None, 0, 1),
            (None, Phase.ACT, 1, 1),
        ]
        assert await found(cycle="c-2", group="A") == [
            ("A", Phase.OBSERVE, 1, 2), ("A", Phase.REFLECT, 1, 2),
        ]  # fmt: skip
        acted, *_ = await participation(db, "maize", phase=Phase.ACT)
        assert (acted.workshops, acted.paid) == (2, [Paid("EUR", 1, 900), Paid("GBP", 2, 1250)])
        (planned,) = await participation(db, "maize", phase=Phase.PLAN, group="A")
        assert (planned.ballots, planned.deliberations) == (1, 2)
