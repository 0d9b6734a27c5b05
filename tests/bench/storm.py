"""Captures while consent and approval come and go: `python -m tests.bench.storm`.

Eight processes log workshops with several of the same two hundred people. From another process
people withdraw, and some come back by a fresh form; modifications ask everybody for consent anew;
approval is suspended and reinstated. Some captures are sent twice at once, as a field form does
that lost its answer. Afterwards the whole record is read, and by rules that share no code with the
conditions: no capture stands after a withdrawal, modification or suspension that it did not see,
none that was acknowledged is missing, and none is there twice.
"""

import argparse
import asyncio
import bisect
import multiprocessing
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from queue import Empty
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from asyncpg import Record
from msgspec import Struct, structs

from domain.commands import Command, Occasion, Refused, command_types
from domain.consent import ConsentGiven
from domain.cycles import CycleOpened
from domain.ethics import Activity, ApprovalReinstated, ApprovalSuspended, OpinionGiven, Outcome
from domain.membership import StudyOpened
from domain.modifications import ModificationDecided, ModificationKind, ModificationSubmitted
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from domain.workshops import WorkshopHeld
from service import logs
from service.appends import Conflict
from service.research_record import Answer, Crowded, Proposal, Recorded, ResearchRecord
from tests.bench.stage import durable_server, record
from tests.conftest import Database, store_of
from tests.recording import events_of

STUDY = "storm"
PROCESSES, CAPTURES = 8, 10_000
PEOPLE = 200
AT_ONCE = 8  # captures that a process has under way
FEW = 10  # commands sent in one batch
SENT_TWICE = 0.05  # of the captures
LATE_BY = 2.0  # seconds at most, from the field to the record
OPINION = "rec-1"
COMMANDS: dict[type[ResearchEvent], type[Command[Any]]] = {c.EVENT: c for c in command_types()}
T = TypeVar("T")
processes = multiprocessing.get_context("spawn")


@dataclass
class Logged:
    """What a process was told of its captures."""

    acknowledged: dict[UUID, tuple[int, UUID]]  # by command: position and event
    refused: Counter[str]  # by reason
    looks: int = 0  # at the record
    overtaken: int = 0  # looks that somebody else's event made worthless


class Aftermath(Struct, frozen=True):
    """What became of the storm; the last five have to be 0."""

    processes: int
    captures: int
    refusals: dict[str, int]
    withdrawals: int
    fresh_consents: int
    modifications: int
    suspensions: int
    looks: int
    overtaken: int
    seconds: float
    captures_per_second: float
    unseen: int  # captures after a withdrawal, modification or suspension they did not see
    lost: int  # acknowledged, and not on record where that was said
    doubled: int  # on record more than once
    unasked: int  # on record, and acknowledged to nobody
    gaps: int  # positions on which nothing stands


class Counting(ResearchRecord):
    """The record as the service has it; it counts how often a decision was overtaken."""

    looks = overtaken = 0

    async def __aenter__(self) -> "Counting":
        await super().__aenter__()
        return self

    async def _attempt(self, study: str, proposals: dict[int, Proposal]) -> dict[int, Answer]:
        self.looks += 1
        try:
            return await super()._attempt(study, proposals)
        except Conflict:
            self.overtaken += 1
            raise


def person(number: int) -> str:
    return f"p-{number}"


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=LATE_BY * random.random())


def asked(event: ResearchEvent, at: datetime | None = None) -> Proposal:
    now = datetime.now(UTC)
    occasion = Occasion(
        study=STUDY, command_id=uuid4(), actor="ana", occurred_at=at or now, asked_at=now
    )
    return Proposal(command=COMMANDS[type(event)], event=event, occasion=occasion)


def consent_of(number: int, on: date) -> ConsentGiven:
    return ConsentGiven(
        participant=person(number),
        permissions=(Permission.WORKSHOP,),
        form_version="1",
        information_sheet_version="1",
        signed_on=on,
    )


def batched(those: Sequence[T]) -> Iterator[Sequence[T]]:
    """A few at a time: a batch is decided as a whole, and is overtaken as a whole."""
    return (those[start : start + FEW] for start in range(0, len(those), FEW))


async def submitted(record: ResearchRecord, *proposals: Proposal) -> list[Answer]:
    """The answers; whoever is crowded out sends the same again."""
    while True:
        try:
            return await record.submit_all(proposals)
        except Crowded:
            continue


# What goes on.


async def begin(url: str) -> None:
    """A study in which everybody consented yesterday."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    opening: list[ResearchEvent] = [
        StudyOpened(title="Storm", question="What stands?", setting="Two hundred people"),
        OpinionGiven(
            opinion=OPINION,
            committee="REC",
            outcome=Outcome.FAVOURABLE,
            activities=tuple(Activity),
            valid_from=yesterday.date(),
            valid_to=yesterday.date() + timedelta(days=365),
        ),
        CycleOpened(cycle="c-1", title="First", question="What matters here?"),
    ]
    for number in range(PEOPLE):
        opening.append(ParticipantEnrolled(participant=person(number)))
        opening.append(consent_of(number, yesterday.date()))
    async with ResearchRecord(store_of(url)) as record:
        for few in batched(opening):
            for answer in await submitted(record, *(asked(event, yesterday) for event in few)):
                if isinstance(answer, Refused):
                    raise answer


def log_captures(url: str, name: int, captures: int, told: "Queue[Logged]") -> None:
    """A process that logs workshops until so many of them are on record."""
    random.seed(name)
    logs.configure("json", "warning")
    logged = Logged({}, Counter())

    async def log_one(record: ResearchRecord) -> None:
        people = random.sample(range(PEOPLE), random.randint(1, 6))
        held = WorkshopHeld(
            workshop=f"w-{uuid4().hex}", cycle="c-1", participants=tuple(map(person, people))
        )
        once = asked(held, lately())
        copies = 2 if random.random() < SENT_TWICE else 1
        answers = await asyncio.gather(*(submitted(record, once) for _ in range(copies)))
        for (answer,) in answers:
            if isinstance(answer, Recorded):
                stands = (answer.position, answer.event_id)
                if logged.acknowledged.setdefault(once.occasion.command_id, stands) != stands:
                    raise AssertionError(f"two answers to {once.occasion.command_id}")
            else:
                logged.refused.update(reason.code for reason in answer.reasons)

    async def log_on(record: ResearchRecord) -> None:
        while len(logged.acknowledged) < captures:
            await log_one(record)

    async def log_all() -> None:
        async with Counting(store_of(url)) as record:
            await asyncio.gather(*(log_on(record) for _ in range(AT_ONCE)))
            logged.looks, logged.overtaken = record.looks, record.overtaken

    asyncio.run(log_all())
    told.put(logged)


def disturb(url: str, over: Event) -> None:
    """The process from which withdrawals, modifications and suspensions arrive."""
    random.seed(0)
    logs.configure("json", "warning")

    async def ask_again(record: ResearchRecord, *numbers: int) -> None:
        """They sign anew, a few at once; while approval is suspended, nobody may."""
        now = datetime.now(UTC)
        forms = [asked(consent_of(n, now.date()), now) for n in numbers]
        await asyncio.gather(*(submitted(record, *few) for few in batched(forms)))

    async def must(record: ResearchRecord, event: ResearchEvent, at: datetime) -> None:
        (answer,) = await submitted(record, asked(event, at))
        if isinstance(answer, Refused):
            raise answer

    async def withdraw(record: ResearchRecord) -> None:
        gone: list[int] = []
        while not over.is_set():
            number = random.randrange(PEOPLE)
            event = ConsentWithdrawn(participant=person(number), permissions=(Permission.WORKSHOP,))
            await must(record, event, lately())
            gone.append(number)
            if len(gone) > PEOPLE // 10:
                await ask_again(record, gone.pop(0))
            await asyncio.sleep(0.02 * random.random())

    async def modify_and_suspend(record: ResearchRecord) -> None:
        number = 0
        while not over.is_set():
            await asyncio.sleep(2 + 4 * random.random())
            number += 1
            change = f"mod-{number}"
            kind = ModificationKind.SUBSTANTIAL
            await must(
                record,
                ModificationSubmitted(modification=change, opinion=OPINION, kind=kind),
                datetime.now(UTC),
            )
            await must(
                record,
                ModificationDecided(
                    modification=change,
                    opinion=OPINION,
                    kind=kind,
                    outcome=Outcome.FAVOURABLE,
                    reconsent=(Permission.WORKSHOP,),
                ),
                datetime.now(UTC),
            )
            await ask_again(record, *range(PEOPLE))
            await must(record, ApprovalSuspended(opinion=OPINION), datetime.now(UTC))
            await asyncio.sleep(0.2 * random.random())
            await must(record, ApprovalReinstated(opinion=OPINION), datetime.now(UTC))

    async def go() -> None:
        async with ResearchRecord(store_of(url)) as record:
            modifying = asyncio.create_task(modify_and_suspend(record))
            await withdraw(record)
            await modifying

    asyncio.run(go())


# What the record says afterwards.

Told = list[tuple[datetime, int, str, date | None]]  # when, where on record, what, signed when


def unseen(events: list[Record]) -> int:
    """How many captures stand though consent or approval did not, when and where they stand."""
    of_person: dict[str, Told] = defaultdict(list)
    of_approval: Told = []
    found = 0
    for row in events:  # in order of position: what comes later on record is not there yet
        payload = msgspec.json.decode(row["payload"])
        at, position, what = row["occurred_at"], row["position"], row["type"]
        match what:
            case "ConsentGiven" | "ConsentWithdrawn":
                signed = payload.get("signed_on")
                told = (at, position, what, date.fromisoformat(signed) if signed else None)
                bisect.insort(of_person[payload["participant"]], told)
            case "ModificationDecided" if payload.get("reconsent"):
                for number in range(PEOPLE):
                    bisect.insort(of_person[person(number)], (at, position, what, None))
            case "ApprovalSuspended" | "ApprovalReinstated":
                bisect.insort(of_approval, (at, position, what, None))
            case "WorkshopHeld":
                found += _suspended(of_approval, at) or not all(
                    _consented(of_person[each], at) for each in payload["participants"]
                )
    return found


def _suspended(told: Told, at: datetime) -> bool:
    last = next((what for when, _, what, _ in reversed(told) if when <= at), None)
    return last == "ApprovalSuspended"


def _consented(told: Told, at: datetime) -> bool:
    """By the latest word of that time; a withdrawal is undone by a form of its day or later."""
    for when, _, what, signed in reversed(told):
        if when > at:
            continue
        if what != "ConsentGiven":
            return False
        withdrawals = (w for w, _, t, _ in reversed(told) if t == "ConsentWithdrawn" and w <= at)
        withdrawn = next(withdrawals, None)
        return withdrawn is None or (signed is not None and signed >= withdrawn.date())
    return False


def run(database: Database, number: int = PROCESSES, captures: int = CAPTURES) -> Aftermath:
    """Log so many captures in so many processes while a storm goes on; say what stands."""
    asyncio.run(begin(database.service_url))
    told: Queue[Logged] = processes.Queue()
    over = processes.Event()
    url, each = database.service_url, -(-captures // number)
    disturber = processes.Process(target=disturb, args=(url, over), daemon=True)
    loggers = [
        processes.Process(target=log_captures, args=(url, n, each, told), daemon=True)
        for n in range(1, number + 1)
    ]
    began = time.perf_counter()
    for process in [disturber, *loggers]:
        process.start()
    logged: list[Logged] = []
    while len(logged) < number:
        if any(process.exitcode for process in [disturber, *loggers]):
            raise RuntimeError("A process of the storm failed; it says above how.")
        with suppress(Empty):
            logged.append(told.get(timeout=1))
    seconds = time.perf_counter() - began
    over.set()
    for process in [disturber, *loggers]:
        process.join()
    if disturber.exitcode:
        raise RuntimeError("The process of withdrawals failed; it says above how.")
    return _aftermath(logged, asyncio.run(events_of(url, STUDY)), seconds)


def _aftermath(logged: list[Logged], events: list[Record], seconds: float) -> Aftermath:
    on_record: dict[UUID, list[tuple[int, UUID]]] = defaultdict(list)
    for row in events:
        if row["type"] == WorkshopHeld.TOPIC:
            on_record[row["command_id"]].append((row["position"], row["event_id"]))
    acknowledged = {command: at for each in logged for command, at in each.acknowledged.items()}
    types = Counter(row["type"] for row in events)
    return Aftermath(
        processes=len(logged),
        captures=types[WorkshopHeld.TOPIC],
        refusals=dict(sum((each.refused for each in logged), Counter())),
        withdrawals=types[ConsentWithdrawn.TOPIC],
        fresh_consents=types[ConsentGiven.TOPIC] - PEOPLE,
        modifications=types[ModificationDecided.TOPIC],
        suspensions=types[ApprovalSuspended.TOPIC],
        looks=sum(each.looks for each in logged),
        overtaken=sum(each.overtaken for each in logged),
        seconds=round(seconds, 1),
        captures_per_second=round(types[WorkshopHeld.TOPIC] / seconds, 1),
        unseen=unseen(events),
        lost=sum(at not in on_record[command] for command, at in acknowledged.items()),
        doubled=sum(len(stands) > 1 for stands in on_record.values()),
        unasked=len(on_record.keys() - acknowledged.keys()),
        gaps=sum(row["position"] != n for n, row in enumerate(events, 1)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captures", type=int, default=CAPTURES)
    captures = parser.parse_args().captures
    logs.configure("json", "warning")
    with durable_server() as server, record(server, events=0, name="bench_storm") as database:
        aftermath = run(database, captures=captures)
    for name, value in structs.asdict(aftermath).items():
        print(f"{name.replace('_', ' '):<20} {value}", flush=True)


if __name__ == "__main__":
    main()
