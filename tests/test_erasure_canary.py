"""A string of its own in every personal field there is, by the service itself; then all are erased.

Before, none of them stands anywhere in clear; afterwards nothing that is kept anywhere opens one.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4
from zipfile import ZipFile

import asyncpg
from msgspec import to_builtins

from domain.membership import MemberJoined
from domain.vocabulary import ERASED, Entry, event_types, in_camel_case, personal_fields
from projections.entries import entries
from projections.following import borrowed
from service.embedded_postgres import embedded_postgres
from service.proposals import commands_in_files
from service.research_record import ResearchRecord
from service.sealing.merkle_tree import leaf_hash, root_of
from service.sealing.verify import Bundle
from tests.conftest import Database
from tests.erased_study import place, rows
from tests.files import all_followed, line, written
from tests.own_server import migrated, own_home
from tests.processes import parcycle, postgres_program, service_process
from tests.recording import STUDY
from tests.serving import Service
from tests.test_seal_over_http import get, keys_of, sealed_through
from tests.told_study import told

CANARY = "kanarifugl"  # each begins with it, and nothing else does
CONTROL = "problem tree, walk"  # public, so that it is found wherever the record is
TALLIES = (
    "ballot_sheet", "ballot_tally", "ballot_paper", "priority_line", "priority_adoption",
    "cycle_line", "cycle_activity", "cycle_attendance", "cycle_undertaking", "enrolment",
    "taking_part", "participant_paid",
)  # fmt: skip
WORDY = {"PARCYCLE_LOG_LEVEL": "debug", "PARCYCLE_LOG_FORMAT": "json"}


class Canaries(NamedTuple):
    """The told study with a string of its own in every personal field."""

    lines: list[str]
    by_field: dict[tuple[str, str], list[str]]  # by event type and field; the reason's are ''

    def all(self) -> list[str]:
        return [each for strings in self.by_field.values() for each in strings]


def canaries() -> Canaries:
    by_field: dict[tuple[str, str], list[str]] = {}

    def canary(kind: str, field: str) -> str:
        made = f"{CANARY}{uuid4().hex}"
        by_field.setdefault((kind, field), []).append(made)
        return made

    lines = []
    for each in map(json.loads, told()):
        if each["command"] == "eraseSubject":
            continue
        kind, sent = commands_in_files()[each["command"]].EVENT, each["input"]
        for field in personal_fields(kind):
            if field == "personal_standing":  # is sent among the public values
                sent["standing"]["smallGroups"] = canary(kind.TOPIC, field)
            else:
                sent[in_camel_case(field)] = canary(kind.TOPIC, field)
        if "interpreter" in sent:
            sent["interpreted"] = True
        if each["command"] != "withdrawByCode":  # which keeps none
            sent["reason"] = canary("", "reason")
        lines.append(json.dumps(each))
    return Canaries(lines, by_field)


def everybody_erased(subjects: Iterable[str], accounts: set[str]) -> list[str]:
    """Everybody whose data is on record leaves and is erased, the lead and the steward too."""
    day = "2026-04-25T10:00:00Z"
    lines = [
        line("joinMember", day, "ana", member="lea", role="lead_researcher"),
        line("joinMember", day, "ana", member="zed", role="data_steward"),
    ]
    erased = []
    for kind, _, who in sorted(subject.partition(":") for subject in subjects):
        if who in accounts and kind == "member":
            continue  # goes with the participant whose it is
        if kind == "member" and who != "cy":  # who has left
            lines.append(line("leaveMember", day, "lea", member=who))
        asked = {kind: who}
        erased.append(line("eraseSubject", day, "zed", ground="no_longer_needed", **asked))
    return lines + erased


def test_the_canaries_are_in_every_personal_field_of_the_catalogue() -> None:
    fields = {(kind.TOPIC, field) for kind in event_types() for field in personal_fields(kind)}
    assert canaries().by_field.keys() == fields | {("", "reason")}


class Kept(NamedTuple):
    """Everywhere that something is kept: what it says, by where."""

    files: dict[str, bytes]  # of the database, with its write-ahead log, and of the key store
    dump: bytes
    logs: bytes

    def where(self, wanted: bytes) -> list[str]:
        """Where it stands: in files as it is, in texts in hexadecimal too, as a dump has it."""
        texts = {"dump": self.dump, "logs": self.logs}
        found = [place for place, said in (self.files | texts).items() if wanted in said]
        return found + [place for place, said in texts.items() if wanted.hex().encode() in said]


def kept(server: str, home: Path, database: Database, logs: list[str]) -> Kept:
    dump = subprocess.run(
        [postgres_program("pg_dump"), "--dbname", database.owner_url],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    asyncio.run(as_administrator(server, "checkpoint"))
    folders = (home, database.store.settings.home)
    files = {
        str(file): file.read_bytes().replace(bytes(512), b"")  # without what is empty
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file()
    }
    return Kept(files, dump, "\n".join(logs).encode())


async def as_administrator(server: str, *statements: str, database: str = "postgres") -> None:
    db = await asyncpg.connect(server, database=database)
    try:
        for statement in statements:
            await db.execute(statement)
    finally:
        await db.close()


async def read_all(database: Database) -> list[Entry]:
    async with ResearchRecord(database.store) as record, borrowed(record.pool) as db:
        found = await entries(db, STUDY, 0, 10_000, limit=None)
        return await record.texts.in_place(found)


def as_text(read: Iterable[Entry]) -> str:
    return json.dumps([[to_builtins(each.event), each.reason] for each in read], default=str)


async def tallies(database: Database) -> dict[str, list[Any]]:
    async with all_followed(database) as db:
        return {
            table: sorted(
                map(str, await db.fetch(f"select * from {table} where study = $1", STUDY))
            )
            for table in TALLIES
        }


async def subject_keys(
    database: Database, subjects: Iterable[str]
) -> dict[str, tuple[bytes, bytes]]:
    """Each subject's key, and as it is wrapped."""
    names = list(subjects)
    async with place(database).keys() as keys, place(database).table() as table:
        found = (await keys.find({STUDY: names}))[STUDY]
        wrapped = await table.find([(STUDY, name) for name in names])
    assert found.keys() == set(names)
    return {
        each.subject: (found[each.subject], each.wrapped.data) for each in wrapped if each.wrapped
    }


def asked_of_the_service(
    database: Database, folder: Path, head: int, secrets: list[str]
) -> tuple[str, bytes]:
    """Reads everything, and sends what is refused and what is faulty.

    Gives what was logged, and a checkpoint of what was on record.
    """
    with service_process(database, folder, settings=WORDY) as (service, running):
        ana = service.as_("ana")
        live = ana.follow('subscription { events(study: "maize", after: 0) { position payload } }')
        seen = str([next(live) for _ in range(head)])
        live.close()
        assert CANARY in seen
        named = """query($n: String!, $at: Int) {
            study(id: "maize", atLeast: $at) { named(name: $n) { position } } }"""
        assert ana.ask(named, n=secrets[0], at=head)["study"]["named"] == []
        wrong = "mutation($i: HoldWorkshopInput!) { holdWorkshop(input: $i) { __typename } }"
        faulty: dict[str, Any] = {
            "study": STUDY, "commandId": secrets[1], "occurredAt": secrets[2], "notes": secrets[3],
        }  # fmt: skip
        assert "errors" in ana.post(wrong, i=faulty).json()
        assert "errors" in ana.post(f'{{ study(id: "{secrets[4]}") {{ nothing }} }}').json()
        refused = ana.send(
            "holdWorkshop", "2026-04-20T10:00Z", workshop="w-99", cycle="nowhere",
            participants=["nobody"], notes=secrets[5], reason=secrets[6],
        )  # fmt: skip
        assert "reasons" in refused
        sealed_through(ana, head)
        accepted = get(ana, f"{STUDY}/checkpoint").content
        assert CANARY in bundled(service, "ana", accepted)[1]
        running.stop(15, 30)
        return running.errors.read_text(), accepted


def bundled(service: Service, member: str, accepted: bytes) -> tuple[Bundle, str]:
    """The evidence bundle, verified against a checkpoint accepted before; and all of its text."""
    person = service.as_(member)
    zipped = get(person, f"{STUDY}/bundle").content
    logs = "".join(f"log {key}\n" for key in keys_of(person))
    verified = Bundle(f"{logs}quorum none\n", BytesIO(zipped), accepted)
    with ZipFile(BytesIO(zipped)) as archive:
        said = {name: archive.read(name) for name in archive.namelist()}
    return verified, str(said)


def test_of_everybody_who_is_erased_nothing_is_left_anywhere(tmp_path: Path) -> None:
    made = canaries()
    with own_home() as home, embedded_postgres(home, durable=False) as server:
        database = asyncio.run(migrated(server))
        given = {"DATABASE_URL": database.service_url, **WORDY}
        logs = bring_in(tmp_path, "told", made.lines, given)
        secrets = [f"{CANARY}{uuid4().hex}" for _ in range(7)]  # sent, and not recorded
        logged, accepted = asked_of_the_service(database, tmp_path, len(made.lines), secrets)
        logs.append(logged)
        read = asyncio.run(read_all(database))
        shown = as_text(read)
        assert [each for each in made.all() if each not in shown] == []
        before, counted = asyncio.run(rows(database)), asyncio.run(tallies(database))
        subjects = {subject for part in before["sealed_part"] for subject in part["subjects"]}
        keys = asyncio.run(subject_keys(database, subjects))

        everywhere = kept(server, home, database, logs)
        places = everywhere.where(CONTROL.encode())
        assert "dump" in places
        assert any("/base/" in each for each in places)
        assert everywhere.where(CANARY.encode()) == []
        for key, wrapped in keys.values():
            assert everywhere.where(key) == []
            assert [Path(each).name for each in everywhere.where(wrapped)] == [
                "subject_keys.sqlite"
            ]

        joined = [each.event for each in read if isinstance(each.event, MemberJoined)]
        accounts = {each.member for each in joined if each.participant is not None}
        logs += bring_in(tmp_path, "erased", everybody_erased(subjects, accounts), given)
        read = asyncio.run(read_all(database))
        assert CANARY not in as_text(read)
        for each in read[: len(before["event"])]:
            for value in each.event.parted()[1].values():
                assert value == ERASED or set(value.values()) == {ERASED}
        out = tmp_path / "out.jsonl"
        exported = parcycle("export", STUDY, out, "--member", "lea", **given)
        assert exported.returncode == 0, exported.stderr
        assert CANARY not in out.read_text()
        assert out.read_text().count(ERASED) == len(before["sealed_part"])

        after = asyncio.run(rows(database))
        with service_process(database, tmp_path) as (service, _):
            sealed_through(service.as_("lea"), len(after["event"]))
            bundle, text = bundled(service, "lea", accepted)
            assert bundle.found == {}
            assert bundle.open == bundle.size  # what is public of each event
            assert (bundle.sealed, bundle.erased) == (0, len(before["sealed_part"]))
            assert CANARY not in text
        assert (after["sealed_part"], after["sealed_word"]) == ([], [])
        count = len(before["event"])
        assert after["event"][:count] == before["event"]
        assert root_after(after["event"][:count]) == root_after(before["event"])
        assert asyncio.run(tallies(database)) == counted

        name = database.owner_url.partition("?")[0].rpartition("/")[2]
        asyncio.run(as_administrator(
            server, "vacuum full record.sealed_part", "vacuum full record.sealed_word",
            "select pg_switch_wal()", database=name,
        ))  # fmt: skip
        everywhere = kept(server, home, database, logs)
        assert everywhere.where(CONTROL.encode()) != []
        assert everywhere.where(CANARY.encode()) == []
        for key, wrapped in keys.values():
            assert everywhere.where(key) == everywhere.where(wrapped) == []
        # What is left of ciphertexts and of the blind index is in the write-ahead log alone.
        gone = [part["blob"] for part in before["sealed_part"]]
        gone += [word["word"] for word in before["sealed_word"]]
        tables = b"".join(said for file, said in everywhere.files.items() if "/base/" in file)
        assert [each for each in gone if each in tables] == []


def root_after(events: list[asyncpg.Record]) -> bytes:
    return root_of([leaf_hash(event["leaf"]) for event in events])


def bring_in(folder: Path, name: str, lines: list[str], given: dict[str, str]) -> list[str]:
    """Import lines by the command, as they are; gives what it said and logged."""
    file = written(folder / f"{name}.jsonl", "\n".join(lines))
    done = parcycle("import", file, "--study", STUDY, "--member", "ana", **given)
    assert done.returncode == 0, done.stderr
    return [done.stdout, done.stderr]
