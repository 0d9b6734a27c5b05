"""What the twenty questions cost in a large study: `python -m tests.bench.audit`.

A study of 100,000 events and 2,000 participants stands on record; the audit's register follows it
alone, and then one service process answers `ethicsAudit` and `consentState` over HTTP, to one
client that asks one question after another, about moments now and long past.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import uvloop

from domain.actions import ActionStarted
from domain.consent import ConsentGiven, ConsentRequested
from domain.documents import Document, DocumentKind
from domain.ethics import Activity, ConditionDischarged, OpinionGiven, Outcome
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade, PlaceKind
from domain.membership import MemberJoined, Role
from domain.older_events import write_recorded
from domain.oversight import ReportFiled, ReportKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.readings import IdentifiableDataRead, Reading
from domain.recordings import MediaCaptured, MediaKind, Transcriber, TranscriptMade
from domain.sharing import QuotationReleased
from domain.vocabulary import Channel, Envelope, ResearchEvent, tag_hash
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
)
from domain.workshops import WorkshopHeld
from projections.audit_answers import QUESTIONS
from projections.following import borrowed, make_tables, registers
from service import logs
from service.appends import type_tag
from service.database import open_pool
from service.identity import DemoIssuer
from service.personal_texts import parts_of
from service.sealing.leaves import leaf
from tests.bench.mutation import serve
from tests.bench.stage import durable_server, record
from tests.conftest import Database
from tests.recording import draft
from tests.registers import STUDY, follow_all
from tests.story import opened

BEGAN = datetime(2023, 1, 2, 9, tzinfo=UTC)
YEARS = 3
EVENTS, PARTICIPANTS = 100_000, 2_000
AT_ONCE = 10_000
ALWAYS_ASKED = (Permission.WORKSHOP, Permission.INTERVIEW, Permission.FOCUS_GROUP)
Line = tuple[datetime, datetime, str, ResearchEvent]  # happened, recorded, by whom, what

ANSWER = (
    "{ verdict count findings { severity code message subject due events { position eventId } }"
    " clock { due daysLeft subject } }"
)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


AUDIT = (
    "query Audit($s: ID!, $at: DateTime, $known: DateTime) { study(id: $s) {"
    " answers: ethicsAudit(at: $at, asKnownAt: $known) { "
    + " ".join(f"{camel(name)} {ANSWER}" for name in QUESTIONS)
    + " } } }"
)
STATE = (
    "query State($s: ID!, $p: String!, $at: DateTime, $known: DateTime) { study(id: $s) {"
    " answers: consentState(participant: $p, permission: AUDIO, at: $at, asKnownAt: $known)"
    " { state position since } } }"
)


def history(events: int, participants: int, chance: random.Random) -> Iterator[Line]:
    """An ordinary study: two in a hundred entries are late, and a few things are amiss."""
    team = [f"m-{n}" for n in range(12)]
    people = [f"P-{n:04}" for n in range(participants)]
    length = timedelta(days=365 * YEARS)

    def line(share: float, event: ResearchEvent, by: str = "ana") -> Line:
        at = BEGAN + length * share + timedelta(minutes=chance.randrange(60))
        late = chance.random() < 0.02
        waited = timedelta(days=chance.randrange(8, 60)) if late else timedelta(hours=2)
        return at, at + waited, by, event

    forms = tuple(
        Document(kind=kind, version="1")
        for kind in (DocumentKind.CONSENT_FORM, DocumentKind.INFORMATION_SHEET)
    )
    yield BEGAN - timedelta(days=9), BEGAN - timedelta(days=9), "ana", opened
    for member in team:
        yield line(0, MemberJoined(member=member, role=Role.RESEARCHER))
    yield line(
        0,
        OpinionGiven(
            opinion="rec-1", committee="REC", outcome=Outcome.FAVOURABLE_WITH_CONDITIONS,
            activities=tuple(Activity), valid_from=date(2023, 1, 1), valid_to=date(2027, 1, 1),
            max_participants=participants, conditions=("Insurance.", "Protocol."),
            personnel=(*team, "ana"), documents=forms,
        ),
    )  # fmt: skip
    for number in (1, 2):
        yield line(0.001, ConditionDischarged(opinion="rec-1", number=number))
    joined = {}
    for n, person in enumerate(people):
        share = joined[person] = 0.01 + 0.6 * n / participants
        yield line(share, ParticipantEnrolled(participant=person, group=f"g-{n % 40}"))
        versions: dict[str, Any] = {"form_version": "1", "information_sheet_version": "1"}
        every = tuple(Permission)
        asked = ConsentRequested(participant=person, permissions=every, **versions)
        yield line(share + 0.001, asked)
        at = BEGAN + length * (share + 0.003)
        for permissions in (ALWAYS_ASKED, tuple(p for p in every if p not in ALWAYS_ASKED)):
            given = ConsentGiven(
                participant=person, permissions=permissions, signed_on=at.date(),
                taken_by=chance.choice(team), **versions,
            )  # fmt: skip
            yield at, at + timedelta(hours=2), "ana", given
    left = {person: 0.9 + chance.random() / 10 for person in chance.sample(people, 60)}
    for person, share in left.items():
        yield line(share, ConsentWithdrawn(participant=person, permissions=tuple(Permission)))
        if chance.random() < 0.8:
            about = (f"participant:{person}",)
            report = ReportFiled(report=f"r-{person}", kind=ReportKind.WITHDRAWALS, about=about)
            yield line(share + 0.005, report)
    told = 1 + len(team) + 3 + 4 * participants + 108
    for n in range(events - told):
        share = 0.02 + 0.97 * n / events
        by = chance.choice(team)
        there = [p for p in chance.sample(people, 16) if joined[p] + 0.004 < share < left.get(p, 2)]
        who = tuple(there or people[:1])
        what = chance.random()
        common: dict[str, Any] = {"cycle": "c-1", "minutes": 60, "place": PlaceKind.UNIVERSITY}
        if what < 0.03:
            yield line(share, WorkshopHeld(workshop=f"w-{n}", cycle="c-1", participants=who), by)
        elif what < 0.08:
            yield line(share, InterviewHeld(session=f"s-{n}", participants=who[:1], **common), by)
        elif what < 0.10 and len(who) > 1:
            held = FocusGroupHeld(session=f"s-{n}", participants=who[:8], **common)
            yield line(share, held, by)
        elif what < 0.14:
            held_too = ObservationMade(session=f"s-{n}", participants=who[:4], **common)
            yield line(share, held_too, by)
        elif what < 0.18:
            taken = MediaCaptured(
                media=f"m-{n}", cycle="c-1", kind=MediaKind.AUDIO, sha256="0" * 64,
                participants=who[:2],
            )  # fmt: skip
            yield line(share, taken, by)
        elif what < 0.21:
            made = TranscriptMade(
                transcript=f"t-{n}", media="m-1", kind=MediaKind.AUDIO, participants=who[:2],
                made_by=Transcriber.PERSON, sha256="0" * 64,
            )  # fmt: skip
            yield line(share, made, by)
        elif what < 0.22:
            quoted = QuotationReleased(
                quotation=f"q-{n}", participant=who[0], permission=Permission.QUOTE_ANONYMOUS,
                words="We knew.", where="A talk",
            )  # fmt: skip
            yield line(share, quoted, by)
        elif what < 0.26:
            at = BEGAN + length * share
            read = IdentifiableDataRead(
                reader=by, reading=Reading.CONSENT_DETAILS, first_at=at, last_at=at, reads=3
            )
            yield line(share, read, by)
        elif what < 0.261:
            item, stays = f"media:m-{n}", Disposition.RETAIN_PSEUDONYMISED
            due = (BEGAN + length).date()
            planned = DispositionPlanned(participant=who[0], item=item, disposition=stays, due=due)
            yield line(share, planned, by)
            yield line(share, DispositionCompleted(participant=who[0], item=item), by)
        else:
            yield line(share, ActionStarted(action=f"a-{n % 900}"), by)


async def stage(database: Database, lines: list[Line]) -> None:
    """Put the lines on record by COPY, in the order in which they were recorded."""
    lines.sort(key=lambda line: line[1])
    db = await asyncpg.connect(database.owner_url)
    copy = db.copy_records_to_table
    envelope = {
        phase: msgspec.json.encode(Envelope(role="researcher", phase=phase, channel=Channel.IMPORT))
        for phase in {line[3].PHASE for line in lines}
    }
    for start in range(0, len(lines), AT_ONCE):
        events: list[tuple[object, ...]] = []
        tags: list[tuple[object, ...]] = []
        parts: list[tuple[object, ...]] = []
        for position, (at, known, by, event) in enumerate(
            lines[start : start + AT_ONCE], start + 1
        ):
            payload, personal = write_recorded(event)
            made = draft(
                event.TOPIC, *event.tags, schema=event.SCHEMA, actor=by, at=at, payload=payload,
                envelope=envelope[event.PHASE], personal=parts_of(event, personal, by, None),
                study=STUDY,
            )  # fmt: skip
            events.append(
                (STUDY, position, made.event_id, made.type, made.schema, by, at, known, None, None,
                 made.tags, made.envelope, payload, [field.path for field in made.sealed] or None,
                 made.salt, leaf(made.leaf, known))
            )  # fmt: skip
            hashes = {tag_hash(tag) for tag in (*event.tags, type_tag(event.TOPIC))}
            tags += [(STUDY, each, position) for each in hashes]
            parts += [
                (STUDY, position, field.path, field.subjects, field.blob) for field in made.sealed
            ]
        for table, rows in (("event", events), ("event_tag", tags), ("sealed_part", parts)):
            await copy(table, schema_name="record", records=rows)
    await db.execute("update record.event_tag set hash = record.hash_in(study, hash)")
    await db.execute("insert into record.study_head values ($1, $2, $3)",
                     STUDY, len(lines), lines[-1][1])  # fmt: skip
    await db.execute("vacuum analyze")
    await db.close()


async def follow(url: str) -> float:
    """Let the audit's register follow alone, then those that the questions need besides."""
    pool = await open_pool(url, 4, search_path="register")
    async with pool:
        async with borrowed(pool) as db:
            await make_tables(db)
        known = registers()
        began = time.perf_counter()
        await follow_all(pool, [known["ethics_audit"]])
        seconds = time.perf_counter() - began
        await follow_all(pool, [known["study_register"], known["consent_history"]])
        async with borrowed(pool) as db:
            for name in ("ethics_audit", "study_register", "consent_history"):
                await db.execute(f"analyze {', '.join(known[name].tables)}")  # as autovacuum does
    return seconds


class Client:
    """Keep-alive HTTP/1.1 by hand, so that the client's own cost stays small."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str):
        self.reader, self.writer, self.token = reader, writer, token

    async def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        self.writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer " + self.token.encode() + b"\r\n"
            b"content-length: " + str(len(body)).encode() + b"\r\n\r\n" + body
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answer = json.loads(await self.reader.readexactly(length))
        if answer.get("errors"):
            raise RuntimeError(answer["errors"])
        return answer["data"]["study"]["answers"]


async def measure(port: int, token: str, times: int, chance: random.Random) -> None:
    client = Client(*await asyncio.open_connection("127.0.0.1", port, limit=2**24), token)
    answers = await client.ask(AUDIT, s=STUDY)
    shown = {name: (each["verdict"], each["count"]) for name, each in answers.items()}
    print("  " + ", ".join(f"{name} {verdict} {count}" for name, (verdict, count) in shown.items()))

    async def timed(query: str, goal: float, what: str) -> None:
        taken = []
        for n in range(times + 20):
            asked: dict[str, object] = {"s": STUDY}
            if query is STATE:
                asked["p"] = f"P-{chance.randrange(PARTICIPANTS):04}"
            if n % 2:  # every other about the past
                at = BEGAN + timedelta(days=365 * YEARS) * chance.random()
                known = at + timedelta(days=chance.randrange(90))
                asked |= {"at": at.isoformat(), "known": known.isoformat()}
            began = time.perf_counter()
            await client.ask(query, **asked)
            taken.append((time.perf_counter() - began) * 1e3)
        taken = taken[20:]
        p95 = statistics.quantiles(taken, n=20)[-1]
        met = "met" if p95 < goal else "NOT MET"
        print(f"{what}: p50 {statistics.median(taken):.1f} ms, p95 {p95:.1f} ms "
              f"(goal {goal:g} ms: {met})")  # fmt: skip

    await timed(AUDIT, 50, "ethicsAudit, all twenty")
    await timed(STATE, 5, "consentState")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--participants", type=int, default=PARTICIPANTS)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--port", type=int, default=8478)
    given = parser.parse_args()
    logs.configure("json", "warning")
    issuer, chance = DemoIssuer("parcycle"), random.Random(1)
    lines = list(history(given.events, given.participants, chance))
    with durable_server() as server, record(server, 0, "bench_audit") as database:
        asyncio.run(stage(database, lines))
        seconds = asyncio.run(follow(database.service_url))
        speed = len(lines) / seconds
        met = "met" if speed >= 5_000 else "NOT MET"
        print(f"follow: {len(lines):,} events, {speed:,.0f}/s (goal 5,000: {met})", flush=True)
        service = multiprocessing.get_context("fork").Process(
            target=serve, args=(database.store, issuer, given.port)
        )
        service.start()
        try:
            time.sleep(4)
            uvloop.run(measure(given.port, issuer.token("ana"), given.times, chance))
        finally:
            service.terminate()
            service.join()


if __name__ == "__main__":
    main()
