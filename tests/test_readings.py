"""Who read identifiable data is itself on record, within seconds, and costs the reader nothing."""

import asyncio
import time
from typing import Any

import msgspec
import pytest

from domain.readings import IdentifiableDataRead, Reading
from service.readings import Readings
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.files import all_followed
from tests.recording import STUDY, beginning, events_of, in_a_loop
from tests.serving import prepare, serving, whole_cycle

NAMES = '{ study(id: "maize") { participants { nodes { participant name } } } }'
HISTORY = '{ study(id: "maize") { consentHistory { nodes { participant act } } } }'
TRAIL = '{ study(id: "maize") { auditTrail(type: "WorkshopHeld") { nodes { summary } } } }'
STATE = """query($of: String!) {
    study(id: "maize") { consentState(participant: $of, permission: WORKSHOP) { state } }
}"""


def read_on_record(database: Database) -> list[IdentifiableDataRead]:
    return [
        msgspec.json.decode(each["payload"], type=IdentifiableDataRead)
        for each in asyncio.run(events_of(database.service_url, "maize"))
        if each["type"] == "IdentifiableDataRead"
    ]


def reads(database: Database, number: int = 1) -> list[IdentifiableDataRead]:
    """What is on record of reads, as soon as it is so many events."""
    give_up = time.monotonic() + 20
    while len(found := read_on_record(database)) < number:
        assert time.monotonic() < give_up, f"{len(found)} of {number} readings are on record"
        time.sleep(0.05)
    assert len(found) == number
    return found


@pytest.fixture
def told(database: Database) -> Database:
    """A database with a study that has been through a whole cycle, as all registers know."""
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        whole_cycle(ana)
        for member, role in (("vic", "VIEWER"), ("eth", "ETHICS_REVIEWER")):
            ana.record("joinMember", "2026-01-09T09:00Z", member=member, role=role)
    asyncio.run(follow_to_the_end(database))
    assert read_on_record(database) == []
    return database


async def follow_to_the_end(database: Database) -> None:
    async with all_followed(database):
        pass


def ask(database: Database, member: str, *queries: str, **variables: Any) -> None:
    """Ask, and stop the service: then everything is on record."""
    with serving(database) as service:
        person = service.as_(member)
        for query in queries:
            person.ask(query, **variables)


def test_a_read_of_personal_fields_is_on_record_within_seconds(told: Database) -> None:
    with serving(told) as service:
        assert len(service.as_("ana").ask(NAMES)["study"]["participants"]["nodes"]) == 2
        (read,) = reads(told)
    assert (read.reader, read.reading, read.reads) == ("ana", Reading.PERSONAL_FIELDS, 1)
    assert read.participants == ("p-1", "p-2")
    (event,) = [
        each
        for each in asyncio.run(events_of(told.service_url, "maize"))
        if each["type"] == "IdentifiableDataRead"
    ]
    assert event["actor"] == "ana"
    assert read.first_at <= read.last_at == event["occurred_at"] <= event["recorded_at"]


@pytest.mark.parametrize(
    ("query", "reading", "participants"),
    [
        (HISTORY, Reading.CONSENT_DETAILS, ("p-1", "p-2")),
        (TRAIL, Reading.AUDIT, ("p-1", "p-2")),
    ],
    ids=["consent", "audit"],
)
def test_each_kind_of_reading_names_its_participants(
    told: Database, query: str, reading: Reading, participants: tuple[str, ...]
) -> None:
    ask(told, "eth", query)
    (read,) = read_on_record(told)
    assert (read.reader, read.reading, read.participants) == ("eth", reading, participants)


def test_a_state_of_somebody_nobody_asked_is_no_reading(told: Database) -> None:
    ask(told, "ana", STATE, of="nobody-1")
    assert read_on_record(told) == []
    ask(told, "ana", STATE, of="p-2")
    assert [each.participants for each in read_on_record(told)] == [("p-2",)]


def test_a_viewer_from_whom_personal_fields_are_withheld_reads_nothing(told: Database) -> None:
    workshops = '{ study(id: "maize") { workshops { nodes { workshop notes } } } }'
    with serving(told) as service:
        nodes = service.as_("vic").ask(workshops)["study"]["workshops"]["nodes"]
        assert nodes == [{"workshop": "w-1", "notes": None}]
        assert "errors" in service.as_("vic").post(NAMES).json()
    assert read_on_record(told) == []


def test_a_field_that_is_not_asked_for_is_not_read(told: Database) -> None:
    ask(told, "ana", '{ study(id: "maize") { participants { nodes { participant inGroup } } } }')
    assert read_on_record(told) == []


def test_a_thousand_reads_are_few_events(told: Database) -> None:
    with serving(told) as service:
        ana = service.as_("ana")
        for _ in range(1000):
            ana.ask(NAMES)
    found = read_on_record(told)
    assert sum(each.reads for each in found) == 1000
    assert len(found) <= 5
    assert {each.participants for each in found} == {("p-1", "p-2")}


def test_whoever_follows_the_record_reads_once_and_sees_it(told: Database) -> None:
    """Reads on record are events too: were showing one a read, it would never end."""
    query = 'subscription { events(study: "maize", after: 0) { position type payload } }'
    with serving(told) as service:
        following = service.as_("ana").follow(query)
        seen = []
        for each in following:
            seen.append(each["events"]["type"])
            if seen.count("IdentifiableDataRead") == 2:
                break
        following.close()
    found = read_on_record(told)
    assert {(each.reading, each.reads, each.participants) for each in found} == {
        (Reading.AUDIT, 1, ()),
        (Reading.PERSONAL_FIELDS, 1, ()),
    }
    assert len(found) == 2


def test_an_event_by_its_identifier_is_read_by_whom_it_mentions(told: Database) -> None:
    with serving(told) as service:
        ana = service.as_("ana")
        held = next(
            each["position"]
            for each in asyncio.run(events_of(told.service_url, "maize"))
            if each["type"] == "WorkshopHeld"
        )
        trail = 'subscription($n: Int) { events(study: "maize", after: $n) { id } }'
        following = ana.follow(trail, n=held - 1)
        identifier = next(following)["events"]["id"]
        following.close()
        eth = service.as_("eth")
        assert eth.ask("query($i: ID!) { node(id: $i) { id } }", i=identifier)["node"]
    by_eth = [each for each in read_on_record(told) if each.reader == "eth"]
    assert [(each.reading, each.participants) for each in by_eth] == [
        (Reading.AUDIT, ("p-1", "p-2"))
    ]


@in_a_loop
async def test_what_cannot_be_recorded_now_is_kept_and_recorded_once(database: Database) -> None:
    """The answer of an append is lost, and the same reading sent again: it counts once."""
    async with ResearchRecord(database.store) as record:
        await record.submit_all(beginning("p-1"))
        readings = Readings(record)
        readings.note(STUDY, "ana", Reading.AUDIT, set(), new=True)
        sound, record.submit_all = record.submit_all, lost_after(record)  # type: ignore[method-assign]
        await readings.record_due()
        readings.note(STUDY, "ana", Reading.CONSENT_DETAILS, {"p-1"}, new=True)
        record.submit_all = sound  # type: ignore[method-assign]
        await readings.record_due()
        await readings.record_due()
    rows = await events_of(database.service_url, STUDY)
    assert [r["type"] for r in rows].count("IdentifiableDataRead") == 2


def lost_after(record: ResearchRecord) -> Any:
    """As if the connection were lost just after the commit."""
    submit_all = record.submit_all

    async def submit(proposals: Any) -> Any:
        await submit_all(proposals)
        raise ConnectionResetError

    return submit


@in_a_loop
async def test_many_participants_are_named_in_several_events(database: Database) -> None:
    everybody = {f"p-{n}" for n in range(1203)}
    async with ResearchRecord(database.store) as record:
        await record.submit_all(beginning())
        readings = Readings(record)
        readings.note(STUDY, "ana", Reading.CONSENT_DETAILS, everybody, new=True)
        await readings.record_due()
    rows = await events_of(database.service_url, STUDY)
    named = [
        msgspec.json.decode(row["payload"], type=IdentifiableDataRead).participants
        for row in rows
        if row["type"] == "IdentifiableDataRead"
    ]
    assert [len(each) for each in named] == [500, 500, 203]
    assert {each for some in named for each in some} == everybody
