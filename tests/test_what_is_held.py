"""What is held of who withdrew is one rule: question 10 of the audit and the list of dispositions
say the same of every kind of event, whatever happens.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from asyncpg import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.consent import ConsentGiven
from domain.fieldwork import InterviewHeld, PlaceKind
from domain.findings import FindingDrafted
from domain.held_items import held_of, holding_types, item_of
from domain.older_events import read_recorded
from domain.permissions import Permission
from domain.planning import ActionOwner, ActionPlanned
from domain.priorities import DissentRecorded, PriorityProposed
from domain.recordings import MediaCaptured, MediaKind, Transcriber, TranscriptMade
from domain.sharing import Access, ArchiveDeposited
from domain.vocabulary import (
    Phase,
    ResearchEvent,
    event_types,
    identifying_fields,
    personal_fields,
)
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
)
from projections.audit_acts import acts
from projections.batches import take_in
from projections.ethics_audit import ethics_audit
from projections.following import registers
from projections.paging import Window
from projections.rebuilding import PROGRESS
from projections.withdrawals import DispositionState, HeldItem, dispositions
from projections.withdrawals import project as listed
from service.database import connect
from service.what_is_held import KINDS
from tests.conftest import Database
from tests.planted_study import Line, moment, write_lines

GOLDEN = Path(__file__).parent / "golden"
ANSWERS = ("ethics_audit", "withdrawals")
OUTSTANDING = (DispositionState.OPEN, DispositionState.PLANNED)
P, Q = "p-1", "p-2"
# What has texts sealed as a participant's, and yet is no item: it stands whatever they take back.
STANDS = {
    "ParticipantEnrolled": "the list of who takes part; name and contact go by erasure",
    "MemberCheckSent": "contact with them: the study's conduct, not data of theirs",
    "HarmReported": "the record of safety",
    "AdverseEventReported": "the record of safety",
    "UrgentSafetyMeasureTaken": "the record of safety",
    "SafeguardingRaised": "the record of safety",
    "DeviationReported": "the record of conduct",
    "ComplaintReceived": "the record of conduct",
}

every_type = pytest.mark.parametrize("kind", event_types(), ids=lambda each: each.TOPIC)


def example(kind: type[ResearchEvent]) -> ResearchEvent:
    """The golden event of that kind, of P wherever it names a participant."""
    written = (GOLDEN / f"{kind.TOPIC}.{kind.SCHEMA}.json").read_bytes()
    event = read_recorded(kind.TOPIC, kind.SCHEMA, written, {})
    values = msgspec.to_builtins(event)
    for field, tag in identifying_fields(kind):
        if tag == "participant":
            values[field] = [P, Q] if isinstance(getattr(event, field), tuple) else P
    return msgspec.convert(values, kind)


def sealed_as_theirs(kind: type[ResearchEvent]) -> bool:
    """Whether it has texts that are sealed under the keys of participants."""
    fields = dict(identifying_fields(kind))
    return any(fields.get(mark.of) == "participant" for mark in personal_fields(kind).values())


@every_type
def test_every_kind_of_event_holds_what_is_sealed_as_theirs_or_says_why_not(
    kind: type[ResearchEvent],
) -> None:
    """Add a kind of event, and it is decided here whether a disposition is owed of it."""
    if kind.PHASE is Phase.CONSENT or kind.TOPIC in STANDS:
        assert kind.HELD is None
    elif sealed_as_theirs(kind):
        assert kind.HELD is not None


@every_type
def test_both_answers_read_every_kind_of_event_that_holds_something(
    kind: type[ResearchEvent],
) -> None:
    event = example(kind)
    holds = kind.HELD is not None
    assert (item_of(event, 12) is not None) == (P in held_of(event)) == holds
    assert (kind in holding_types()) == holds
    if holds:
        assert kind in listed.registry
        assert f"participant:{P}" in acts(event)
        assert kind.HELD in KINDS  # what they are shown at the withdrawal door


@asynccontextmanager
async def two_registers(database: Database) -> AsyncIterator[tuple[Connection, Connection]]:
    """The record's owner, and a reader of the two registers that give the answers."""
    owner = await connect(database.owner_url)
    db = await connect(database.service_url, search_path="register")
    try:
        await db.execute(PROGRESS)
        for name in ANSWERS:
            await db.execute(registers()[name].ddl)
        yield owner, db
    finally:
        await owner.close()
        await db.close()


async def both_answers(
    owner: Connection, db: Connection, lines: Sequence[Line]
) -> tuple[set[tuple[str, str]], list[HeldItem]]:
    """Of whom which item is outstanding, as question 10 finds it, and the list of dispositions."""
    study = f"s-{uuid4()}"
    await write_lines(owner, study, lines)
    for name in ANSWERS:
        async with db.transaction():
            await take_in(db, [registers()[name]], study, limit=1_000)
    audit = await ethics_audit(db, study, first=1_000)
    found = {(each.message.split()[0], each.subject) for each in audit.dispositions.findings}
    assert len(found) == audit.dispositions.count
    return found, (await dispositions(db, study, Window(first=100))).rows


def outstanding(rows: Sequence[HeldItem]) -> set[tuple[str, str]]:
    return {(each.participant, each.item) for each in rows if each.state in OUTSTANDING}


def told(*days: tuple[str, ResearchEvent]) -> list[Line]:
    return [
        Line(event, moment(day), moment("2026-06-01"), "ana", position)
        for position, (day, event) in enumerate(days, 1)
    ]


everything_back = ConsentWithdrawn(participant=P, permissions=tuple(Permission))


def test_of_the_whole_catalogue_both_answers_owe_the_same(database: Database) -> None:
    kinds = [each for each in event_types() if each.PHASE is not Phase.CONSENT]
    history = [("2026-02-01", example(kind)) for kind in kinds]

    async def story() -> None:
        async with two_registers(database) as (owner, db):
            lines = told(*history, ("2026-03-01", everything_back))
            found, rows = await both_answers(owner, db, lines)
        items = (item_of(event, n) for n, (_, event) in enumerate(history, 1))
        assert found == outstanding(rows) == {(P, item) for item in items if item}
        assert {each.kind for each in rows if each.state in OUTSTANDING} == {
            each.HELD for each in holding_types()
        }

    asyncio.run(story())


def test_a_committee_and_a_data_steward_read_the_same_from_withdrawal_to_proof(
    database: Database,
) -> None:
    due = date(2026, 5, 1)

    def plan(item: str, disposition: Disposition) -> DispositionPlanned:
        return DispositionPlanned(participant=P, item=item, disposition=disposition, due=due)

    history: list[tuple[str, ResearchEvent]] = [
        ("2026-02-01", recorded("m-1")),
        ("2026-02-02", PriorityProposed(priority="cafe", cycle="c-1", title="A café",
            proposed_by=(P,))),
        ("2026-02-03", DissentRecorded(cycle="c-1", words="No.", participants=(P, Q))),
        ("2026-03-01", everything_back),
        ("2026-03-09", recorded("m-2")),  # though they had taken it back
        ("2026-03-02", plan("media:m-1", Disposition.QUARANTINE)),
        ("2026-03-03", plan("priority:cafe", Disposition.RETAIN_PSEUDONYMISED)),
        ("2026-03-04", DispositionCompleted(participant=P, item="media:m-1")),
        ("2026-03-10", plan("media:m-2", Disposition.ERASE)),
        ("2026-03-11", DispositionCompleted(participant=P, item="media:m-2")),
        ("2026-03-12", plan("event:3", Disposition.INFEASIBLE_PUBLISHED)),
        ("2026-04-01", plan("media:m-1", Disposition.ERASE)),  # it was decided anew
        ("2026-04-02", DispositionCompleted(participant=P, item="media:m-1")),
    ]  # fmt: skip
    m_1, cafe, dissent, m_2 = "media:m-1", "priority:cafe", "event:3", "media:m-2"
    left = {
        3: set(), 4: {m_1, cafe, dissent}, 5: {m_1, cafe, dissent, m_2},
        6: {m_1, cafe, dissent, m_2}, 7: {m_1, dissent, m_2}, 8: {dissent, m_2},
        9: {dissent, m_2}, 10: {dissent}, 11: set(), 12: {m_1}, 13: set(),
    }  # fmt: skip

    async def story() -> None:
        async with two_registers(database) as (owner, db):
            for known, items in left.items():
                found, rows = await both_answers(owner, db, told(*history[:known]))
                assert found == outstanding(rows) == {(P, item) for item in items}, known

    asyncio.run(story())


def recorded(name: str, *people: str) -> MediaCaptured:
    return MediaCaptured(
        media=name, cycle="c-1", kind=MediaKind.AUDIO, sha256="0" * 64, participants=people or (P,)
    )


def withdrew(who: str, *permissions: Permission) -> ConsentWithdrawn:
    return ConsentWithdrawn(participant=who, permissions=permissions or tuple(Permission))


def consented(who: str, *permissions: Permission, signed: str | None) -> ConsentGiven:
    return ConsentGiven(
        participant=who, permissions=permissions or tuple(Permission), form_version="1",
        signed_on=date.fromisoformat(signed) if signed else None,
    )  # fmt: skip


def disposed(item: str, who: str = P) -> list[ResearchEvent]:
    due: dict[str, Any] = {"due": date(2026, 5, 1)}
    kept = Disposition.RETAIN_IDENTIFIABLE
    return [
        DispositionPlanned(participant=who, item=item, disposition=Disposition.ERASE, **due),
        DispositionPlanned(participant=who, item=item, disposition=kept, **due),
        DispositionCompleted(participant=who, item=item),
    ]


AUDIO, MACHINE = Permission.AUDIO, Permission.MACHINE_TRANSCRIPTION
MAY_HAPPEN: tuple[ResearchEvent, ...] = (
    withdrew(P), withdrew(P), withdrew(P, AUDIO), withdrew(P, MACHINE), withdrew(P, AUDIO, MACHINE),
    withdrew(Q), withdrew(Q, Permission.ARCHIVE),
    consented(P, signed="2026-02-28"), consented(P, AUDIO, signed="2026-02-14"),
    consented(P, signed="2026-02-01"), consented(P, AUDIO, signed=None),
    consented(P, AUDIO, signed="2026-02-20"), consented(Q, signed="2026-02-20"),
    recorded("m-1"), recorded("m-2", P, Q),
    TranscriptMade(
        transcript="t-1", media="m-1", kind=MediaKind.AUDIO, participants=(P, Q),
        made_by=Transcriber.MACHINE, sha256="0" * 64,
    ),
    InterviewHeld(session="i-1", cycle="c-1", participants=(P,), minutes=9, place=PlaceKind.HOME),
    PriorityProposed(priority="cafe", cycle="c-1", title="A café", proposed_by=(P,)),
    ActionPlanned(action="a-1", cycle="c-1", title="Cook", priority="cafe",
        owner=ActionOwner(participant=P)),
    FindingDrafted(finding="f-1", cycle="c-1", title="A key", transcripts=("t-1",)),
    ArchiveDeposited(repository="UKDS", what="All", access=Access.OPEN, participants=(P, Q),
        findings=("f-1",)),
    *disposed("media:m-1"), *disposed("transcript:t-1"), *disposed("transcript:t-1", Q),
    *disposed("action:a-1"), *disposed("paper:folder-7"), *disposed("finding:f-1"),
)  # fmt: skip
happenings = st.lists(
    st.tuples(st.integers(0, len(MAY_HAPPEN) - 1), st.integers(0, 56)),
    min_size=4,
    max_size=24,
    unique_by=lambda happened: happened[0],
)


def test_both_answers_are_the_same_whatever_happens_and_whenever_it_is_recorded(
    database: Database,
) -> None:
    async def compare(owner: Connection, db: Connection, lines: list[Line]) -> None:
        found, rows = await both_answers(owner, db, lines)
        assert found == outstanding(rows)

    with asyncio.Runner() as runner:
        registers_there = two_registers(database)
        owner, db = runner.run(registers_there.__aenter__())

        @settings(max_examples=150)
        @given(happenings)
        def whatever_happens(happened: list[tuple[int, int]]) -> None:
            first = moment("2026-02-01")
            lines = [
                Line(MAY_HAPPEN[which], first + timedelta(hours=12 * halves),
                     moment("2026-06-01") + timedelta(minutes=position), "ana", position)
                for position, (which, halves) in enumerate(happened, 1)
            ]  # fmt: skip
            runner.run(compare(owner, db, lines))

        try:
            whatever_happens()
        finally:
            runner.run(registers_there.__aexit__(None, None, None))
