"""Import: every bad line is named and nothing recorded; what is good is recorded once, whatever
happens in between."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest

from domain.people import ParticipantEnrolled
from domain.vocabulary import Channel, Phase
from domain.workshops import WorkshopHeld
from projections.entries import entries, head_of
from service.database import connect
from service.importing import (
    BATCH,
    CannotImport,
    FileFormat,
    ReadFile,
    format_of,
    import_file,
    read_file,
    read_lines,
)
from service.numbered_lines import LONGEST_LINE, Numbered, Rejected, Unsaid
from service.research_record import ResearchRecord
from service.workshop_logs import MADE_UP
from tests.conftest import Database
from tests.files import bring_in, codes, line, written
from tests.recording import events_of, in_a_loop

BEGUN = [
    line("openStudy", "2026-01-05T09:00:00Z", title="Maize and water", setting="Three villages",
         question="What keeps us well?", commandId="7a4b7c1e-0a55-4a57-8a4e-4d2f8f5ac001"),
    line("giveOpinion", "2026-01-06T09:00:00Z", opinion="rec-1", committee="University REC",
         outcome="favourable", activities=["recruitment", "workshop"], validFrom="2026-01-01",
         validTo="2026-12-31"),
    line("openCycle", "2026-01-07T09:00:00Z", cycle="c1", title="First", question="What matters?"),
    line("enrolParticipant", "2026-01-08T09:00:00Z", participant="p-1", group="A"),
    line("enrolParticipant", "2026-01-08T09:00:00Z", participant="p-2", group="A"),
    line("enrolParticipant", "2026-01-08T09:00:00Z", participant="p-3", group="B"),
    line("grantConsent", "2026-01-09T09:00:00Z", participant="p-1", permissions=["workshop"],
         formVersion="1"),
    line("grantConsent", "2026-01-09T09:00:00Z", participant="p-2", permissions=["workshop"],
         formVersion="1"),
]  # fmt: skip
TEXT = "\n".join(BEGUN)

ENROLLED = {
    "A": [
        (datetime(2026, 1, 8, 9, tzinfo=UTC), "p-1"),
        (datetime(2026, 1, 8, 9, tzinfo=UTC), "p-2"),
    ],
    "B": [(datetime(2026, 2, 20, 9, tzinfo=UTC), "p-3")],
}
LOG = Unsaid(cycle="c1", start=date(2026, 2, 2), at=time(10, tzinfo=timezone(timedelta(hours=2))))


def checked(path: Path, text: str | bytes, unsaid: Unsaid = LOG) -> list[Numbered | Rejected]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_lines(path, format_of(path), "maize", "ana", unsaid, ENROLLED)


def bad(path: Path, text: str | bytes, unsaid: Unsaid = LOG) -> list[Rejected]:
    return [each for each in checked(path, text, unsaid) if isinstance(each, Rejected)]


def held(path: Path, text: str, unsaid: Unsaid = LOG) -> list[WorkshopHeld]:
    found = checked(path, text, unsaid)
    events = [each.proposal.event for each in found if isinstance(each, Numbered)]
    assert len(events) == len(found), found
    return [event for event in events if isinstance(event, WorkshopHeld)]


# Files of commands --------------------------------------------------------------------------------

GOOD = line("enrolParticipant", "2026-01-08T09:00:00Z", participant="p-1").encode()
NESTED = b'{"command": "enrolParticipant", "input": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\xff\xfe{}", "not_utf8"),
        (b"{not json", "not_json"),
        (b'{"command": "enrolParticipant", "input": {"participant": "\\ud800"}}', "not_json"),
        (NESTED, "not_json"),
        (b"[1, 2]", "not_an_object"),
        (b"{" + b" " * LONGEST_LINE + b"}", "line_too_long"),
        (GOOD.replace(b"enrolP", b"enlistP"), "command_unknown"),
        (b'{"command": 7, "input": {}}', "command_unknown"),
        (b'{"command": "enrolParticipant"}', "field_missing"),
        (b'{"command": "enrolParticipant", "input": []}', "field_missing"),
        (GOOD.replace(b'"input"', b'"who": "ana", "input"'), "field_unknown"),
        (GOOD.replace(b'"input"', b'"actor": "Ana Pereira", "input"'), "field_invalid"),
        (GOOD.replace(b'"participant": "p-1"', b'"group": "A"'), "field_missing"),
        (GOOD.replace(b'"p-1"', b'"p 1"'), "field_invalid"),
        (GOOD.replace(b'"p-1"', b'"p-1", "name": " "'), "field_invalid"),
        (GOOD.replace(b'"p-1"', b'["p-1"]'), "field_invalid"),
        (GOOD.replace(b'"p-1"', b'"p-1", "colour": "red"'), "field_unknown"),
        (GOOD.replace(b"2026-01-08T09:00:00Z", b"2026-01-08T09:00:00"), "field_invalid"),
        (GOOD.replace(b"2026-01-08T09:00:00Z", b"yesterday"), "field_invalid"),
        (GOOD.replace(b'"p-1"', b'"p-1", "commandId": "one"'), "field_invalid"),
        (GOOD.replace(b'"p-1"', b'"p-1", "channel": "pigeon"'), "field_invalid"),
    ],
    ids=lambda each: each if isinstance(each, str) else str(each[:40]),
)
def test_a_bad_command_is_named(tmp_path: Path, text: bytes, code: str) -> None:
    found = bad(tmp_path / "a.jsonl", b"\n".join([GOOD, text, GOOD]))
    assert codes(found) == [(2, [code])]


def test_a_line_says_every_fault_in_the_names_it_was_written_in(tmp_path: Path) -> None:
    sent = line("grantConsent", "2026-01-09", participant="p-1", permissions=["dance"], until="now")
    (found,) = bad(tmp_path / "a.jsonl", sent)
    assert {(reason.code, reason.path) for reason in found.reasons} == {
        ("field_invalid", "occurredAt"), ("field_invalid", "permissions.0"),
        ("field_missing", "formVersion"), ("field_unknown", "until"),
    }  # fmt: skip
    assert "formVersion is missing; give it." in str(found)
    assert str(found).startswith("line 1, grantConsent: ")


def test_a_column_is_named_as_it_is_in_the_log(tmp_path: Path) -> None:
    log = "workshop,occurred_at,participants\n1,soon,p-1\n"
    (found,) = bad(tmp_path / "a.csv", log)
    assert [reason.path for reason in found.reasons] == ["occurred_at"]
    assert str(found).startswith("line 2, workshop c1-w1: occurred_at: 'soon' does not say when")


def test_an_unknown_command_is_told_what_is_near(tmp_path: Path) -> None:
    (found,) = bad(tmp_path / "a.jsonl", line("holdWorkshp", "2026-01-09T09:00:00Z"))
    assert "did you mean holdWorkshop" in str(found)


def test_empty_lines_and_a_byte_order_mark_are_no_commands(tmp_path: Path) -> None:
    found = checked(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n  \n" + GOOD + b"\n")
    assert [each.line for each in found if isinstance(each, Numbered)] == [1, 4]


def test_a_line_has_the_same_id_wherever_it_moves_and_a_second_one_another(tmp_path: Path) -> None:
    def ids(text: str) -> list[object]:
        found = checked(tmp_path / "a.jsonl", text)
        return [e.proposal.occasion.command_id for e in found if isinstance(e, Numbered)]

    first, second = ids(f"{BEGUN[3]}\n{BEGUN[3]}")
    assert first != second
    assert ids(f"{BEGUN[4]}\n\n{BEGUN[3]}\n")[1] == first


def test_the_study_given_stands_in_place_of_what_the_lines_say(tmp_path: Path) -> None:
    (found,) = checked(tmp_path / "a.jsonl", GOOD.replace(b'"p-1"', b'"p-1", "study": "other"'))
    assert isinstance(found, Numbered)
    assert found.proposal.occasion.study == "maize"
    assert found.proposal.occasion.channel is Channel.IMPORT


@in_a_loop
async def test_nothing_is_recorded_of_a_file_with_a_bad_line(
    database: Database, tmp_path: Path
) -> None:
    file = written(tmp_path / "a.jsonl", f"{TEXT}\n{{")
    async with ResearchRecord(database.store) as record:
        read = await read_file(record, file, study="maize", member="ana")
        assert [fault.line for fault in read.faults] == [len(BEGUN) + 1]
        with pytest.raises(CannotImport, match=r"a\.jsonl has faults"):
            await import_file(record, read)
    assert await events_of(database.service_url, "maize") == []


@in_a_loop
async def test_what_is_refused_is_named_and_the_rest_recorded(
    database: Database, tmp_path: Path
) -> None:
    more = [
        line("holdWorkshop", "2026-02-01T09:00:00Z", workshop="w-1", cycle="c1",
             participants=["p-1", "p-3", "p-4"]),
        line("holdWorkshop", "2026-02-01T09:00:00Z", workshop="w-2", cycle="c1",
             participants=["p-1"], notes="Warm."),
        line("openCycle", "2026-01-07T09:00:00Z", actor="eve", cycle="c2", title="T", question="Q"),
    ]  # fmt: skip
    text = "\n".join([*BEGUN, *more])
    async with ResearchRecord(database.store) as record:
        done = await bring_in(record, tmp_path / "a.jsonl", text)
    assert (done.recorded, done.repeated) == (len(BEGUN) + 1, 0)
    assert codes(done.refused) == [
        (len(BEGUN) + 1, ["participant_unknown", "consent_missing", "consent_missing"]),
        (len(BEGUN) + 3, ["study_unknown"]),
    ]
    assert "p-3 had not given consent to workshop" in str(done.refused[0])


@in_a_loop
async def test_the_same_file_again_is_answered_and_not_repeated(
    database: Database, tmp_path: Path
) -> None:
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "a.jsonl", TEXT)
        again = await bring_in(record, tmp_path / "b.jsonl", TEXT + "\n\n" + GOOD.decode())
        assert (again.recorded, again.repeated) == (0, len(BEGUN))
        assert codes(again.refused) == [(len(BEGUN) + 2, ["participant_exists"])]
    assert len(await events_of(database.service_url, "maize")) == len(BEGUN)


async def interrupted(record: ResearchRecord, read: ReadFile, reached: int, wait: float) -> None:
    """Import until so many commands are done, and so many seconds longer."""

    def progress(done: int, of: int) -> None:
        if done == reached:
            asyncio.get_running_loop().call_later(wait, importing.cancel)

    importing = asyncio.create_task(import_file(record, read, progress))
    await asyncio.wait([importing])
    assert importing.cancelled()


@in_a_loop
async def test_an_import_interrupted_at_any_moment_is_finished_by_the_next(
    database: Database, tmp_path: Path
) -> None:
    people = [
        line("enrolParticipant", "2026-01-10T09:00:00Z", participant=f"q-{n}")
        for n in range(5 * BATCH + 7)
    ]
    file = written(tmp_path / "a.jsonl", "\n".join([*BEGUN, *people]))
    total = len(BEGUN) + len(people)
    for reached, wait in ((0, 0.0), (0, 0.02), (BATCH, 0.0), (2 * BATCH, 0.01), (3 * BATCH, 0.0)):
        async with ResearchRecord(database.store) as record:
            read = await read_file(record, file, study="maize", member="ana")
            await interrupted(record, read, reached, wait)
    stood = len(await events_of(database.service_url, "maize"))
    assert 0 < stood < total
    told: list[tuple[int, int]] = []
    async with ResearchRecord(database.store) as record:
        read = await read_file(record, file, study="maize", member="ana")
        done = await import_file(record, read, lambda done, of: told.append((done, of)))
    assert (done.recorded, done.repeated, done.refused) == (total - stood, stood, [])
    assert told == [(min(n * BATCH, total), total) for n in range(7)]
    events = await events_of(database.service_url, "maize")
    assert len(events) == total
    assert len({event["command_id"] for event in events}) == total


@in_a_loop
async def test_a_line_keeps_its_own_id_actor_and_channel(
    database: Database, tmp_path: Path
) -> None:
    own = uuid4()
    joined = line("joinMember", "2026-01-06T09:00:00Z", member="bo", role="researcher")
    text = line("enrolParticipant", "2026-01-08T09:00:00+02:00", "bo", participant="p-1",
                commandId=str(own), channel="field_form", reason="Bad reception.", name="Pat",
                onBehalfOf="ana", causedBy=3, phase="plan")  # fmt: skip
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "a.jsonl", "\n".join([*BEGUN[:2], joined, text]))
        db = await connect(database.service_url)
        found = await entries(db, "maize", 0, await head_of(db, "maize"))
        await db.close()
        *_, entry = await record.texts.in_place(found)
    assert (entry.command_id, entry.actor, entry.reason) == (own, "bo", "Bad reception.")
    assert isinstance(entry.event, ParticipantEnrolled)
    assert entry.event.name == "Pat"
    assert (entry.envelope.channel, entry.envelope.phase) == (Channel.FIELD_FORM, Phase.PLAN)
    assert (entry.envelope.on_behalf_of, entry.envelope.caused_by) == ("ana", 3)
    assert entry.occurred_at.isoformat() == "2026-01-08T09:00:00+02:00"


# Workshop logs ------------------------------------------------------------------------------------

HEADER = "workshop,week,groups,health_topic,focus,technique\n"


def test_a_workshop_gets_what_the_log_leaves_open(tmp_path: Path) -> None:
    first, second, third = checked(
        tmp_path / "w.csv",
        HEADER + "1,1,A,water,Topic selection,ranking and voting\n"
        "2,1,A,water,action,action pathways\n"
        'market,4,A+B,"water, again",walk,"transect\nwalk"\n',
    )
    assert isinstance(first, Numbered)
    assert isinstance(second, Numbered)
    assert isinstance(third, Numbered)
    event, occasion = first.proposal.event, first.proposal.occasion
    assert isinstance(event, WorkshopHeld)
    assert (event.workshop, event.cycle, event.week) == ("c1-w1", "c1", 1)
    assert (event.participants, event.groups) == (("p-1", "p-2"), ("A",))
    assert occasion.occurred_at.isoformat() == "2026-02-02T10:00:00+02:00"
    assert (occasion.phase, occasion.reason) == (Phase.PLAN, MADE_UP)
    assert second.proposal.occasion.occurred_at.isoformat() == "2026-02-03T10:00:00+02:00"
    event, occasion = third.proposal.event, third.proposal.occasion
    assert isinstance(event, WorkshopHeld)
    assert (event.workshop, event.topic, third.line) == ("market", "water, again", 4)
    assert event.participants == ("p-1", "p-2", "p-3")  # p-3 was enrolled by then
    assert occasion.occurred_at.isoformat() == "2026-02-23T10:00:00+02:00"
    assert occasion.phase is None  # the usual one


def test_a_log_may_say_everything_itself(tmp_path: Path) -> None:
    text = (
        "Workshop,Cycle,Participants,Facilitators,Date,Phase,Notes\n"
        "w-9,c2,p-1+p-7,ana,2026-03-05,reflect,Long talk\n"
    )
    (found,) = checked(tmp_path / "w.csv", text, Unsaid())
    assert isinstance(found, Numbered)
    event, occasion = found.proposal.event, found.proposal.occasion
    assert isinstance(event, WorkshopHeld)
    assert (event.participants, event.facilitators) == (("p-1", "p-7"), ("ana",))
    assert (event.cycle, event.notes) == ("c2", "Long talk")
    assert occasion.occurred_at == datetime(2026, 3, 5, 12, tzinfo=UTC)
    assert (occasion.phase, occasion.reason) == (Phase.REFLECT, None)
    text = "workshop,groups,occurred_at\nw-1,A,2026-03-05T18:30:00-05:00\n"
    assert held(tmp_path / "w.csv", text)[0].participants == ("p-1", "p-2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workshop,week,colour\n1,1,red\n", [(1, ["column_unknown"])]),
        ("workshop,week,week\n1,1,1\n", [(1, ["column_twice"])]),
        ("workshop,topic,health_topic\n1,a,b\n", [(1, ["column_twice"])]),
        ("workshop,date,occurred_at\n1,,\n", [(1, ["column_twice"])]),
        ("week,groups\n1,A\n", [(1, ["column_missing"])]),
        ("", [(1, ["column_missing"])]),
        (HEADER + "1,1,A,water,focus\n", [(2, ["row_invalid"])]),
        (HEADER + "1,1,A,water,focus,walk,more\n", [(2, ["row_invalid"])]),
        (HEADER + '1,1,A,wa"ter,focus,"wa"lk\n2,2,A,,,\n', [(2, ["row_invalid"])]),
        (HEADER + "1,one,A,water,focus,walk\n", [(2, ["field_missing"])]),
        (HEADER + "1,,A,water,focus,walk\n", [(2, ["field_missing"])]),
        (HEADER + "1,1,D,water,focus,walk\n", [(2, ["participants_missing"])]),
        (HEADER + "1,1,B,water,focus,walk\n", [(2, ["participants_missing"])]),  # not yet enrolled
        (HEADER + "1,1,,water,focus,walk\n", [(2, ["participants_missing"])]),
        (HEADER + ",1,A,water,focus,walk\n", [(2, ["field_missing"])]),
        (HEADER + "w 1,1,A,water,focus,walk\n", [(2, ["field_invalid"])]),
        ("workshop,groups,date\n1,A,5/3/2026\n", [(2, ["field_invalid"])]),
        ("workshop,groups,occurred_at\n1,A,2026-03-05T10:00:00\n", [(2, ["field_invalid"])]),
        ("workshop,groups,week,phase\n1,A,1,dance\n", [(2, ["field_invalid"])]),
        (HEADER + "1,1,D,,,\n2,1,A,,,\n3,x,A,,,\n",
         [(2, ["participants_missing"]), (4, ["field_missing"])]),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(
    tmp_path: Path, text: str, expected: list[tuple[int, list[str]]]
) -> None:
    assert codes(bad(tmp_path / "w.csv", text)) == expected


def test_a_row_that_is_no_text_is_named(tmp_path: Path) -> None:
    text = HEADER.encode() + b"1,1,A,caf\xe9,,\n2,1,A,tea,,\n"
    assert codes(bad(tmp_path / "w.csv", text)) == [(2, ["not_utf8"])]


def test_a_log_needs_a_cycle(tmp_path: Path) -> None:
    (found,) = bad(tmp_path / "w.csv", HEADER + "1,1,A,,,\n", Unsaid(start=date(2026, 2, 2)))
    assert "which cycle" in str(found)


@in_a_loop
async def test_a_log_is_recorded_once_and_says_when_a_row_was_changed(
    database: Database, tmp_path: Path
) -> None:
    log = HEADER + "1,1,A,water,action,walk\n2,1,A,water,action,walk\n1,2,A,water,action,walk\n"
    async with ResearchRecord(database.store) as record:
        await bring_in(record, tmp_path / "a.jsonl", TEXT)
        first = await bring_in(record, tmp_path / "w.csv", log, unsaid=LOG)
        assert (first.recorded, codes(first.refused)) == (2, [(4, ["workshop_exists"])])
        log = log.replace("2,1,A,water", "2,1,A,soil")
        again = await bring_in(record, tmp_path / "w.csv", log, unsaid=LOG)
        assert (again.recorded, again.repeated) == (0, 1)
        assert codes(again.refused) == [(3, ["command_altered"]), (4, ["workshop_exists"])]
        assert "on record otherwise, from an earlier import" in str(again.refused[0])


# Any file -----------------------------------------------------------------------------------------


def test_the_format_is_told_from_the_name() -> None:
    assert format_of(Path("a.JSONL")) is FileFormat.COMMANDS
    assert format_of(Path("a.ndjson")) is FileFormat.COMMANDS
    assert format_of(Path("a.csv")) is FileFormat.WORKSHOPS
    assert format_of(Path("a.pb")) is FileFormat.PABULIB
    with pytest.raises(CannotImport, match=r"What a\.xlsx holds cannot be told"):
        format_of(Path("a.xlsx"))


@pytest.mark.parametrize(("study", "member"), [("ma ize", "ana"), ("maize", "Ana Pereira")])
@in_a_loop
async def test_study_and_member_are_identifiers(
    database: Database, tmp_path: Path, study: str, member: str
) -> None:
    file = written(tmp_path / "a.jsonl", TEXT)
    async with ResearchRecord(database.store) as record:
        with pytest.raises(CannotImport, match="is not an identifier"):
            await read_file(record, file, study=study, member=member)
