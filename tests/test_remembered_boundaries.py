"""Commands decided on what is remembered: as they would be on a look at the record, and faster."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from domain.commands import Command, Refused
from domain.consent import ConsentGiven, GrantConsent
from domain.cycles import CloseCycle, CycleClosed, CycleOpened, OpenCycle
from domain.ethics import (
    ApprovalReinstated,
    ApprovalSuspended,
    ReinstateApproval,
    SuspendApproval,
)
from domain.membership import MemberJoined, MemberLeft, Role
from domain.permissions import Permission
from domain.studies import JoinMember, LeaveMember
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn, WithdrawConsent
from domain.workshops import HoldWorkshop, WorkshopHeld
from service import remembered_boundaries
from service.appends import Items
from service.recorder import Recorder
from service.remembered_boundaries import RememberedBoundaries, item_of
from service.research_record import Proposal, Recorded, ResearchRecord
from service.store import Store
from tests.conftest import Database
from tests.recording import (
    NOON,
    STUDY,
    as_owner,
    beginning,
    events_of,
    in_a_loop,
    proposal,
    somebody_waits,
    withdrawal,
    workshop,
)

CUT_OFF = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


class Counting(Recorder):
    """Counts the looks at what stands in the database, and keeps what was asked for last."""

    looks = 0
    asked: Items = ()

    async def read(
        self, study: str, items: Items, after: int = 0
    ) -> tuple[list[asyncpg.Record], int]:
        self.looks, self.asked = self.looks + 1, items
        return await super().read(study, items, after)


class Looking(ResearchRecord):
    """The record as the service has it, by a recorder that counts."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.recorder = self.counting = Counting(store.service_url)
        self._boundaries = RememberedBoundaries(self.recorder)

    async def looks_for(self, sent: Proposal) -> int:
        before = self.counting.looks
        await self.submit_all([sent])
        return self.counting.looks - before


def consent(participant: str) -> Proposal:
    given = ConsentGiven(
        participant=participant,
        permissions=(Permission.WORKSHOP,),
        form_version="2",
        signed_on=NOON.date(),
    )
    return proposal(GrantConsent, given)


async def begin(record: ResearchRecord) -> None:
    await record.submit_all(beginning("p-1", "p-2"))
    await record.submit(workshop("w", "p-1", "p-2"))


def codes(answer: Any) -> list[str]:
    assert isinstance(answer, Refused), answer
    return [reason.code for reason in answer.reasons]


@in_a_loop
async def test_what_was_read_once_is_not_read_again_and_a_refusal_always_is(
    database: Database,
) -> None:
    async with Looking(database.store) as record:
        await begin(record)
        assert await record.looks_for(workshop("w-1", "p-1")) == 0
        assert await record.looks_for(withdrawal("p-1")) <= 1
        assert await record.looks_for(workshop("w-2", "p-2")) == 0
        assert await record.looks_for(workshop("w-3", "p-1")) == 1
        assert await record.looks_for(workshop("w-2", "p-2")) == 1
        [withdrawn] = await record.submit_all([workshop("w-3", "p-1")])
        [exists] = await record.submit_all([workshop("w-2", "p-2")])
    assert codes(withdrawn) == ["consent_withdrawn"]
    assert codes(exists) == ["workshop_exists"]


@in_a_loop
async def test_what_this_process_records_is_remembered_with_where_it_stands(
    database: Database,
) -> None:
    async with Looking(database.store) as record:
        await begin(record)
        await record.submit(withdrawal("p-1"))
        again = await record.submit(consent("p-1"))
        await record.looks_for(workshop("w-1", "p-1"))
        assert await record.looks_for(workshop("w-2", "p-1")) == 0
        refusal = (await record.submit_all([workshop("w-1", "p-1")]))[0]
    assert codes(refusal) == ["workshop_exists"]
    events = await events_of(database.service_url, STUDY)
    held = [event for event in events if event["type"] == "WorkshopHeld"]
    assert all(b'"consents":[%d]' % again.position in each["envelope"] for each in held[-2:])


@in_a_loop
async def test_after_an_append_everything_it_rests_on_is_known_up_to_there(
    database: Database,
) -> None:
    """Also that nobody was erased; so the next append is spared these conditions."""
    async with ResearchRecord(database.store) as record:
        await begin(record)
        await record.submit(workshop("w-1", "p-1"))
        last = await record.submit(workshop("w-2", "p-1"))
        next_ = workshop("w-3", "p-1")
        command = next_.command(next_.event, next_.occasion)
        items = [item_of(selector) for selector in command.consistency_boundary()]
        known = record._boundaries.recall(STUDY, items)
    assert known is not None
    afters = dict(zip(items, known.afters, strict=True))
    assert afters.pop((("WorkshopHeld",), ("workshop:w-3",))) == 0
    assert set(afters.values()) == {last.position}
    assert (("SubjectErased",), ()) in afters


@in_a_loop
async def test_many_commands_ask_once_for_what_several_of_them_hear(database: Database) -> None:
    async with Looking(database.store) as record:
        await begin(record)
        await record.submit_all([workshop(f"w-{n}", "p-1", "p-2") for n in range(5)])
        asked = record.counting.asked
    assert len(asked) == len(set(asked)) > 5


@in_a_loop
async def test_what_another_process_recorded_is_never_passed_over(database: Database) -> None:
    async with ResearchRecord(database.store) as one, ResearchRecord(database.store) as other:
        await begin(one)
        await other.submit(workshop("v-0", "p-1"))
        for n in range(10):
            assert isinstance(await one.submit(workshop(f"w-{n}", "p-1")), Recorded)
            await other.submit(withdrawal("p-1"))
            [refused] = await one.submit_all([workshop(f"x-{n}", "p-1")])
            assert codes(refused) == ["consent_withdrawn"]
            await other.submit(consent("p-1"))


@in_a_loop
async def test_two_processes_that_race_on_what_both_remember_record_nothing_a_look_would_refuse(
    database: Database,
) -> None:
    async with ResearchRecord(database.store) as one, ResearchRecord(database.store) as other:
        await begin(one)
        await other.submit(workshop("v-0", "p-1"))
        overtook = n = 0  # workshops on record before the withdrawal they raced; rounds
        async with asyncio.timeout(60):
            while n < 25 or overtook <= 25:  # how many do depends on the machine
                answers = await asyncio.gather(
                    *(one.submit_all([workshop(f"w-{n}-{k}", "p-1")]) for k in range(3)),
                    other.submit_all([withdrawal("p-1")]),
                    *(other.submit_all([workshop(f"v-{n}-{k}", "p-1")]) for k in range(3)),
                    one.submit_all([workshop(f"v-{n}-0", "p-1")]),
                )
                del answers[3]
                overtook += sum(isinstance(answer, Recorded) for [answer] in answers)
                await (one, other)[n % 2].submit(consent("p-1"))
                n += 1
    consents, names = True, []
    for event in await events_of(database.service_url, STUDY):
        if event["type"] in ("ConsentGiven", "ConsentWithdrawn") and b'"p-1"' in event["payload"]:
            consents = event["type"] == "ConsentGiven"
        elif event["type"] == "WorkshopHeld":
            assert consents, event["position"]
            names += [tag for tag in event["tags"] if tag.startswith("workshop:")]
    assert len(names) == len(set(names)) > 25


@in_a_loop
async def test_what_is_much_is_looked_at_each_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered_boundaries, "OF_ONE", 10)
    async with Looking(database.store) as record:
        await begin(record)
        for n in range(3):
            assert await record.looks_for(workshop(f"w-{n}", "p-1")) == 1


@in_a_loop
async def test_what_was_asked_for_least_lately_is_forgotten_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered_boundaries, "OF_ALL", 6_000)
    async with Looking(database.store) as record:
        await begin(record)
        for n in range(20):
            await record.submit(workshop(f"w-{n}", "p-1", "p-2"))
        assert record._boundaries._size <= 6_000
    assert len(await events_of(database.service_url, STUDY)) == len(beginning("p-1", "p-2")) + 21


@in_a_loop
async def test_after_a_lost_connection_everything_is_looked_at_again(database: Database) -> None:
    """What comes back may be an older backup."""
    async with Looking(database.store) as record:
        await begin(record)
        await as_owner(database, CUT_OFF)
        await asyncio.sleep(0.2)
        assert await record.looks_for(workshop("w-1", "p-1")) > 0
        assert await record.looks_for(workshop("w-2", "p-1")) == 0


@pytest.mark.parametrize("again", [False, True], ids=["on a look", "on what is remembered"])
@in_a_loop
async def test_what_was_decided_before_events_were_lost_is_decided_anew(
    database: Database, again: bool
) -> None:
    """As after a failover to a server that had not received the last events: here, a consent."""
    async with ResearchRecord(database.store) as record:
        await record.submit_all(beginning("p-2"))
        *_, consented = await record.submit_all(beginning("p-1")[-2:])
        assert isinstance(consented, Recorded)
        if again:
            consented = await record.submit(workshop("w-0", "p-1"))
        owner = await asyncpg.connect(database.owner_url)
        async with owner.transaction():
            await owner.execute("select from record.study_head for update")
            held = asyncio.create_task(record.submit_all([workshop("w-1", "p-1")]))
            await somebody_waits(owner)
            first = consented.position - again
            for table in ("event", "event_tag", "sealed_part", "sealed_word"):
                await owner.execute(f"delete from record.{table} where position >= {first}")
            await owner.execute(f"update record.study_head set position = {first - 1}")
            await owner.execute(CUT_OFF)
        await owner.close()
        [refused] = await held
    assert codes(refused) == ["consent_missing"]
    assert len(await events_of(database.service_url, STUDY)) == first - 1


@in_a_loop
async def test_no_personal_text_is_remembered(database: Database) -> None:
    marker = "Zebedee"
    async with ResearchRecord(database.store) as record:
        await begin(record)
        held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",), notes=marker)
        await record.submit(proposal(HoldWorkshop, held, reason=marker))
        gone = ConsentWithdrawn(participant="p-1", permissions=(Permission.WORKSHOP,), words=marker)
        await record.submit(proposal(withdrawal("p-1").command, gone, reason=marker))
        await record.submit_all([workshop("w-2", "p-1")])
        kept = repr(record._boundaries._kept)
    assert "ConsentWithdrawn" in kept
    assert marker not in kept


@pytest.mark.parametrize("seed", range(4))
@in_a_loop
async def test_whatever_others_recorded_every_answer_is_that_of_a_fresh_look(
    database: Database, seed: int
) -> None:
    """Two processes in turn, at random; the oracle reads the record anew for each command."""
    dice = random.Random(seed)
    async with (
        ResearchRecord(database.store) as one,
        ResearchRecord(database.store) as other,
        ResearchRecord(database.store) as oracle,
    ):
        await begin(one)
        await one.submit(joining("ben"))
        answers = []
        for n in range(120):
            sent = something(dice, NOON + timedelta(minutes=n))
            expected = await codes_on_a_fresh_look(oracle, sent)
            [answer] = await dice.choice([one, other]).submit_all([sent])
            assert (codes(answer) if isinstance(answer, Refused) else []) == expected
            answers.append(expected)
    accepted = answers.count([])
    assert accepted > 20, "it was nearly always refused"
    assert len(answers) - accepted > 20, "it was nearly always accepted"


def something(dice: random.Random, at: datetime) -> Proposal:
    """A command that may stand or not, about few people, workshops and cycles."""
    participant, cycle = dice.choice(["p-1", "p-2"]), dice.choice(["c-1", "c-2"])
    by = dice.choice(["ana", "ben"])
    held = WorkshopHeld(
        workshop=f"w-{dice.randrange(99)}", cycle=cycle, participants=(participant,)
    )
    asked: list[tuple[int, type[Command[Any]], ResearchEvent]] = [
        (8, HoldWorkshop, held),
        (2, GrantConsent, consent(participant).event),
        (2, WithdrawConsent, withdrawal(participant).event),
        (1, SuspendApproval, ApprovalSuspended(opinion="rec-1")),
        (3, ReinstateApproval, ApprovalReinstated(opinion="rec-1")),
        (1, OpenCycle, CycleOpened(cycle=cycle, title="Next", question="What now?")),
        (1, CloseCycle, CycleClosed(cycle="c-2")),
        (3, JoinMember, joining("ben").event),
        (1, LeaveMember, MemberLeft(member="ben")),
    ]
    ((_, command, event),) = dice.choices(asked, [weight for weight, _, _ in asked])
    return proposal(command, event, at=at, by="ana" if "Member" in event.TOPIC else by)


def joining(member: str) -> Proposal:
    joined = MemberJoined(member=member, role=Role.RESEARCHER, approved_personnel=True)
    return proposal(JoinMember, joined)


async def codes_on_a_fresh_look(record: ResearchRecord, sent: Proposal) -> list[str]:
    command = sent.command(sent.event, sent.occasion)
    for heard in await record.heard(sent.occasion.study, command.consistency_boundary()):
        command.hear(heard)
    try:
        command.execute()
    except Refused as refused:
        return codes(refused)
    return []
