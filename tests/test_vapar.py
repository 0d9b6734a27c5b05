"""VAPAR, a published participatory action research process, on record from its table of workshops.

Oladeinde et al., Global Health Action 13 (2020) 1726722: 48 people of three villages (groups A, B
and C), 16 workshops in eight weeks. The paper gives no names, no dates of single workshops and no
forms, so these are made up by a fixed rule: participants P01 to P48, sixteen to a village in that
order; the opinion of 1 June 2018 approves recruitment and workshops for a year; everyone enrols and
consents on 4 June 2018; week 1 begins on Monday 2 July 2018; everyone of a village comes to its
workshops.
"""

from datetime import date, time, timedelta, timezone
from pathlib import Path

from domain.vocabulary import Phase
from projections.cycle_progress import cycle, cycles
from projections.paging import Window
from projections.workshop_register import workshops
from service.importing import Imported
from service.numbered_lines import Unsaid
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.files import SHARED_DATA, all_followed, bring_in, line, needs_shared
from tests.recording import in_a_loop

pytestmark = needs_shared("vapar")

JOHANNESBURG = timezone(timedelta(hours=2))
LOG = Unsaid(cycle="c1", start=date(2018, 7, 2), at=time(10, tzinfo=JOHANNESBURG))
VILLAGES = {"A": range(1, 17), "B": range(17, 33), "C": range(33, 49)}


def begun() -> str:
    """The study before its first workshop."""
    told = [
        line("openStudy", "2018-05-01T09:00:00+02:00", title="VAPAR: alcohol, drugs and water",
             question="How can communities and services learn from one another?", madeUp=True,
             setting="Three villages of the Agincourt HDSS, Mpumalanga; people and dates made up"),
        line("giveOpinion", "2018-06-01T09:00:00+02:00", opinion="rec-1", committee="Made-up REC",
             outcome="favourable", activities=["recruitment", "workshop"], maxParticipants=48,
             validFrom="2018-06-01", validTo="2019-05-31"),
        line("openCycle", "2018-06-02T09:00:00+02:00", cycle="c1", title="First cycle",
             question="What matters to us, and what can be done about it?"),
    ]  # fmt: skip
    for village, people in VILLAGES.items():
        for n in people:
            participant = f"P{n:02}"
            told += [
                line("enrolParticipant", "2018-06-04T09:00:00+02:00", participant=participant,
                     group=village),
                line("grantConsent", "2018-06-04T09:30:00+02:00", participant=participant,
                     permissions=["workshop"], formVersion="1"),
            ]  # fmt: skip
    return "\n".join(told)


async def on_record(record: ResearchRecord, folder: Path) -> Imported:
    """The study with its sixteen workshops."""
    began = await bring_in(record, folder / "vapar.jsonl", begun(), study="vapar")
    assert (began.recorded, began.refused) == (3 + 2 * 48, [])
    return await bring_in(record, SHARED_DATA / "vapar/workshops.csv", study="vapar", unsaid=LOG)


@in_a_loop
async def test_the_cycle_shows_its_workshops_per_week_group_and_technique(
    database: Database, tmp_path: Path
) -> None:
    async with ResearchRecord(database.store) as record:
        held = await on_record(record, tmp_path)
        assert (held.recorded, held.repeated, held.refused) == (16, 0, [])
    async with all_followed(database) as db:
        first = await cycle(db, "vapar", "c1")
        assert first is not None
        assert (first.workshops, first.people) == (16, 48)
        by_week = {
            each.week: (each.workshops, each.attendances) for each in first.workshops_by_week
        }
        assert by_week == dict.fromkeys(range(1, 5), (3, 48)) | dict.fromkeys(range(5, 9), (1, 48))
        by_group = {each.group: each.workshops for each in first.workshops_by_group}
        assert by_group == {"A": 8, "B": 8, "C": 8}
        by_technique = {
            (each.technique, each.phase): each.workshops for each in first.workshops_by_technique
        }
        assert by_technique == {
            ("ranking and voting", Phase.PLAN): 3,
            ("problem tree", Phase.OBSERVE): 4,
            ("Venn diagram", Phase.OBSERVE): 4,
            ("action pathways", Phase.PLAN): 4,
            ("facilitated discussion", Phase.REFLECT): 1,
        }


@in_a_loop
async def test_each_workshop_is_as_the_table_has_it(database: Database, tmp_path: Path) -> None:
    async with ResearchRecord(database.store) as record:
        await on_record(record, tmp_path)
    async with all_followed(database) as db:
        page = await workshops(db, "vapar", Window(first=100), cycle="c1")
        third, last = page.rows[2], page.rows[-1]
        assert (third.workshop, third.week, third.groups) == ("c1-w3", 1, ["C"])
        assert (third.topic, third.technique) == ("water", "ranking and voting")
        assert third.participants == [f"P{n}" for n in range(33, 49)]
        local = third.occurred_at.astimezone(JOHANNESBURG)
        assert local.isoformat() == "2018-07-04T10:00:00+02:00"  # third of the week: a Wednesday
        assert (last.workshop, last.week, last.groups) == ("c1-w16", 8, ["A", "B", "C"])
        assert (last.focus, last.people) == ("reflection and next steps", 48)
        assert last.occurred_at.astimezone(JOHANNESBURG).date() == date(2018, 8, 20)


@in_a_loop
async def test_the_same_log_again_holds_no_workshop_twice(
    database: Database, tmp_path: Path
) -> None:
    async with ResearchRecord(database.store) as record:
        await on_record(record, tmp_path)
        joined = line("enrolParticipant", "2018-09-01T09:00:00+02:00", participant="P49", group="A")
        await bring_in(record, tmp_path / "later.jsonl", joined, study="vapar")
        log = SHARED_DATA / "vapar/workshops.csv"
        again = await bring_in(record, log, study="vapar", unsaid=LOG)
        assert (again.recorded, again.repeated, again.refused) == (0, 16, [])


@in_a_loop
async def test_the_next_cycle_follows_from_the_first(database: Database, tmp_path: Path) -> None:
    onward = [
        line("recordReflection", "2018-08-20T13:00:00+02:00", reflection="r1", cycle="c1",
             voice="together", what="Three villages worked on two topics.",
             nowWhat="Go on with the services at the table."),
        line("closeCycle", "2018-08-31T12:00:00+02:00", cycle="c1"),
        line("openCycle", "2018-09-03T09:00:00+02:00", cycle="c2", title="Second cycle",
             question="Who acts on what was planned?", parents=[{"cycle": "c1"}]),
    ]  # fmt: skip
    async with ResearchRecord(database.store) as record:
        await on_record(record, tmp_path)
        after = await bring_in(record, tmp_path / "on.jsonl", "\n".join(onward), study="vapar")
        assert (after.recorded, after.refused) == (3, [])
    async with all_followed(database) as db:
        page = await cycles(db, "vapar", Window(), parent="c1")
        assert [each.cycle for each in page.rows] == ["c2"]
        first = await cycle(db, "vapar", "c1")
        assert first is not None
        assert first.closed_at is not None
        reflected = {each.phase: each.events for each in first.phases}
        assert reflected[Phase.REFLECT] == 3  # the last workshop, the reflection, the close
