"""The ethics audit finds exactly what was planted: nothing is missed, nothing innocent is named."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import asyncpg
import pytest

from projections.audit_answers import AuditVerdict, EthicsAudit
from projections.batches import Stopped
from projections.ethics_audit import ethics_audit
from projections.following import advance, registers
from service.database import connect
from tests.conftest import Database
from tests.planted_record import at_a_university, ends, planted, small
from tests.planted_study import ATTENTION, BREACH, Finding, Planted, moment, write_lines
from tests.registers import register_pool

NOW = moment("2025-11-24 12:00")


def then(at: str, known: str = "") -> tuple[datetime, datetime]:
    """About a moment, as it was known then, or at another."""
    return moment(at), moment(known or at)


MOMENTS = [
    (NOW, NOW),
    (datetime.now(UTC), datetime.now(UTC)),
    # As things stood then: the first steps, changed forms, an approval suspended, clocks running.
    then("2024-01-11 12:00"),
    then("2024-01-14 12:00"),
    then("2024-03-16 12:00"),
    then("2024-06-05 12:00"),
    then("2024-10-10 12:00"),
    then("2024-11-15 12:00"),
    then("2025-01-10 23:59"),
    then("2025-01-11 00:01"),
    then("2025-02-02 12:00"),
    then("2025-03-10 12:00"),
    then("2025-03-31 23:59"),
    then("2025-04-01 00:05"),
    then("2025-06-05 23:59"),
    then("2025-06-06 00:01"),
    then("2025-06-17 23:59"),
    then("2025-07-02 00:05"),
    then("2025-07-20 12:00"),
    then("2025-07-25 12:00"),
    # As is known now of earlier times.
    (moment("2024-01-05 12:00"), NOW),
    (moment("2024-03-16 12:00"), NOW),
    (moment("2024-11-15 12:00"), NOW),
    (moment("2025-01-25 12:00"), NOW),
    (moment("2025-03-10 12:00"), NOW),
    (moment("2025-07-20 12:00"), NOW),
    # As was known of later times, or of now.
    (NOW, moment("2024-01-14 12:00")),
    (NOW, moment("2025-01-31 12:00")),
    (NOW, moment("2025-02-10 12:00")),
    (NOW, moment("2025-07-20 12:00")),
    then("2025-02-15 12:00", known="2025-02-10 12:00"),
    then("2025-01-15 12:00", known="2025-01-31 12:00"),
    then("2025-01-15 12:00", known="2025-02-01 12:00"),
]


async def put_on_record(database: Database, study: Planted, *, at_once: int = 10_000) -> None:
    """So many events at once; the audit follows each time."""
    lines = study.in_order()
    owner = await asyncpg.connect(database.owner_url)
    try:
        for start in range(0, len(lines), at_once):
            await write_lines(owner, study.study, lines[start : start + at_once])
            await follow(database, study.study)
    finally:
        await owner.close()


async def follow(database: Database, study: str) -> None:
    """Let the audit read the record as far as it goes, or until it stops at what it cannot read."""
    async with register_pool(database) as pool:
        reached = -1
        try:
            while (position := await advance(pool, registers()["ethics_audit"], study)) > reached:
                reached = position
        except Stopped:
            pass


async def ask(database: Database, study: str, at: datetime, known: datetime) -> EthicsAudit:
    db = await connect(database.service_url, search_path="register")
    try:
        return await ethics_audit(db, study, at=at, as_known_at=known, first=1_000)
    finally:
        await db.close()


def found_in(audit: EthicsAudit) -> list[Finding]:
    return [
        Finding(answer.question, each.subject, tuple(each.positions), each.severity)
        for answer in audit.answers
        for each in answer.findings
    ]


async def wrong(database: Database, study: Planted) -> dict[str, list[str]]:
    """By moments: what was missed, what was found besides, and answers that do not add up."""
    different = {}
    for at, known in MOMENTS:
        audit = await ask(database, study.study, at, known)
        found, expected = Counter(found_in(audit)), Counter(study.findings(at, known))
        amiss = [f"missed: {each}" for each in sorted((expected - found).elements())]
        amiss += [f"not planted: {each}" for each in sorted((found - expected).elements())]
        for answer in audit.answers:
            severities = {each.severity for each in expected if each.question == answer.question}
            verdict = (
                AuditVerdict.BREACH if BREACH in severities
                else AuditVerdict.ATTENTION if ATTENTION in severities
                else None
            )  # fmt: skip
            if answer.count != len(answer.findings) or (
                answer.verdict is not verdict
                if verdict
                else answer.verdict not in (AuditVerdict.CLEAR, AuditVerdict.NOT_APPLICABLE)
            ):
                amiss.append(f"question {answer.question}: {answer.verdict}, {answer.count}")
        if amiss:
            different[f"about {at:%Y-%m-%d %H:%M}, as known {known:%Y-%m-%d %H:%M}"] = amiss
    return different


@pytest.mark.parametrize("at_once", [10_000, 89])
def test_every_question_finds_exactly_what_was_planted(database: Database, at_once: int) -> None:
    """Whether the audit reads the record at one go, or follows it as it grows."""
    study = planted()
    asyncio.run(put_on_record(database, study, at_once=at_once))
    assert len(study.lines) >= 2_000
    planted_now = Counter(each.question for each in study.findings(NOW, NOW))
    assert all(planted_now[question] >= 3 for question in range(1, 20)), planted_now
    assert asyncio.run(wrong(database, study)) == {}


def test_another_policy_pack_has_other_clocks(database: Database) -> None:
    study = at_a_university()
    asyncio.run(put_on_record(database, study))
    assert asyncio.run(wrong(database, study)) == {}


@pytest.mark.parametrize("study", ends(), ids=lambda study: study.study)
def test_a_study_ends_in_time_or_not(database: Database, study: Planted) -> None:
    asyncio.run(put_on_record(database, study))
    assert asyncio.run(wrong(database, study)) == {}


def test_what_there_is_nothing_of_is_not_applicable(database: Database) -> None:
    study, _ = small("small")
    asyncio.run(put_on_record(database, study))
    audit = asyncio.run(ask(database, study.study, NOW, NOW))
    assert found_in(audit) == []
    clear = {each.question for each in audit.answers if each.verdict is AuditVerdict.CLEAR}
    assert clear == {1, 2, 3, 4, 5, 6, 7, 12, 17, 19, 20}


# Question 20: a record that somebody with the database's own rights has damaged. The study has
# seventeen events, and each damage comes with what has to be found, by positions.

OF = "where study = 'damaged' and position"
EARLIER = "update record.event set recorded_at = recorded_at - interval '3 days'"
HEAD = "update record.study_head set position = 15 where study = 'damaged'"
DAMAGE = {
    "an event is gone": (f"delete from record.event {OF} = 5", {(6, (4, 6))}),
    "three are gone": (
        f"delete from record.event {OF} in (5, 6, 9)",
        {(7, (4, 7)), (10, (8, 10))},
    ),
    "the first is gone": (f"delete from record.event {OF} = 1", {(2, (2,))}),
    "put in later": (f"{EARLIER} {OF} = 7", {(7, (6, 7))}),
    "two put in later": (f"{EARLIER} {OF} in (7, 9)", {(7, (6, 7)), (9, (8, 9))}),
    "not JSON": (f"update record.event set payload = 'x' {OF} = 8", {(8, (8,))}),
    "another type": (f"update record.event set type = 'Nothing' {OF} = 8", {(8, (8,))}),
    "a later schema": (f"update record.event set schema = 99 {OF} = 8", {(8, (8,))}),
    "the last is gone": (f"delete from record.event {OF} = 17", {(16, (16,))}),
    "the head is behind": (HEAD, {(17, (17,))}),
}
AT_ONE_MOMENT = """
update record.event as later set recorded_at = earlier.recorded_at from record.event as earlier
where later.study = 'damaged' and earlier.study = later.study
    and earlier.position = 6 and later.position = 7
"""
UNDAMAGED = {
    "as it was": "select 1",
    "two at one moment": AT_ONE_MOMENT,
    "happened earlier": f"update record.event set occurred_at = '2023-01-01' {OF} = 7",
    "personal data erased": "delete from record.sealed_part where study = 'damaged'",
}


def damaged(database: Database, damage: str) -> set[tuple[int, tuple[int, ...]]]:
    """What question 20 finds, by the event that it is about and the positions that prove it."""

    async def go() -> EthicsAudit:
        study, _ = small("damaged")
        lines = study.in_order()
        owner = await asyncpg.connect(database.owner_url)
        try:
            await write_lines(owner, study.study, lines)
            await owner.execute(damage)
        finally:
            await owner.close()
        await follow(database, study.study)
        return await ask(database, study.study, datetime.now(UTC), datetime.now(UTC))

    answer = asyncio.run(go()).record_integrity
    severities = {each.severity for each in answer.findings}
    assert severities <= {BREACH}
    assert answer.verdict is (AuditVerdict.BREACH if severities else AuditVerdict.CLEAR)
    return {
        (int(each.subject.removeprefix("event:")), tuple(each.positions))
        for each in answer.findings
    }


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_noticed(database: Database, damage: str) -> None:
    sql, expected = DAMAGE[damage]
    assert damaged(database, sql) == expected


@pytest.mark.parametrize("change", UNDAMAGED)
def test_what_only_looks_like_damage_is_none(database: Database, change: str) -> None:
    assert damaged(database, UNDAMAGED[change]) == set()
