"""Consent: where a permission stood at a moment, as the record knew it at another."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.consent import ConsentDeclined, ConsentGiven
from domain.ethics import Activity, OpinionGiven, Outcome
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from projections.approvals import approval_standing, approvals
from projections.consent_history import (
    ConsentActKind,
    ConsentState,
    consent_history,
    consent_state,
    consent_summary,
)
from projections.paging import Window
from tests.conftest import Database
from tests.registers import STUDY, follow_all, followed, record, recording, register_pool
from tests.story import Happened, on

AUDIO, WORKSHOP = Permission.AUDIO, Permission.WORKSHOP


def gave(
    *permissions: Permission, participant: str = "p-1", until: date | None = None
) -> ConsentGiven:
    return ConsentGiven(
        participant=participant, permissions=permissions, form_version="2", valid_until=until
    )


def withdrew(*permissions: Permission) -> ConsentWithdrawn:
    return ConsentWithdrawn(
        participant="p-1", permissions=permissions, words="It wears me out.",
        scope=WithdrawalScope.NO_FURTHER_USE,
    )  # fmt: skip


declined = ConsentDeclined(participant="p-1", permissions=(AUDIO,), form_version="2")


def moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def state_after(
    database: Database, *history: Happened, at: str | None = None, of: Permission = AUDIO
) -> ConsentState:
    async def read() -> ConsentState:
        async with followed(database, *history) as db:
            when = moment(at) if at else None
            return (await consent_state(db, STUDY, "p-1", of, at=when)).state

    return asyncio.run(read())


GIVEN = on("2026-02-01", gave(AUDIO, WORKSHOP))


@pytest.mark.parametrize(
    ("history", "at", "expected"),
    [
        ([], None, ConsentState.NOT_ASKED),
        ([GIVEN], None, ConsentState.GIVEN),
        ([GIVEN], "2026-01-31", ConsentState.NOT_ASKED),
        ([on("2026-02-01", declined)], None, ConsentState.DECLINED),
        ([GIVEN, on("2026-03-01", withdrew(AUDIO))], None, ConsentState.WITHDRAWN),
        ([GIVEN, on("2026-03-01", withdrew(AUDIO))], "2026-02-15", ConsentState.GIVEN),
        ([GIVEN, on("2026-03-01", withdrew(WORKSHOP))], None, ConsentState.GIVEN),
        # A form of January that reaches the office in March does not undo February's withdrawal.
        (
            [on("2026-02-20", withdrew(AUDIO)), on("2026-01-20", gave(AUDIO))],
            None,
            ConsentState.WITHDRAWN,
        ),
        # Of two things said at the same moment, what was recorded later counts.
        ([on("2026-02-01", withdrew(AUDIO)), GIVEN], None, ConsentState.GIVEN),
        ([GIVEN, on("2026-02-01", withdrew(AUDIO))], None, ConsentState.WITHDRAWN),
    ],
)
def test_the_state_is_what_was_said_last_in_the_field(
    database: Database, history: list[Happened], at: str | None, expected: ConsentState
) -> None:
    assert state_after(database, *history, at=at) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-02-28T23:00", ConsentState.GIVEN), ("2026-03-01", ConsentState.EXPIRED)],
)
def test_consent_given_until_a_day_stands_on_that_day_and_not_after(
    database: Database, at: str, expected: ConsentState
) -> None:
    given = on("2026-02-01", gave(AUDIO, until=date(2026, 2, 28)))
    assert state_after(database, given, at=at) is expected


def test_what_was_recorded_later_was_not_known_before(database: Database) -> None:
    async def story() -> None:
        async with followed(database, GIVEN) as db:
            async with recording(database) as recorder, register_pool(database) as pool:
                known_at = await db.fetchval("select clock_timestamp()")
                await record(recorder, on("2026-02-02", withdrew(AUDIO)))
                await follow_all(pool)
            day = moment("2026-02-10")
            then = await consent_state(db, STUDY, "p-1", AUDIO, at=day, as_known_at=known_at)
            now = await consent_state(db, STUDY, "p-1", AUDIO, at=day)
            assert (then.state, then.position) == (ConsentState.GIVEN, 2)
            assert (now.state, now.position) == (ConsentState.WITHDRAWN, 3)
            assert now.since == moment("2026-02-02T09:00")
            page = await consent_history(db, STUDY, Window(), as_known_at=known_at)
            assert [act.position for act in page.rows] == [2]

    asyncio.run(story())


def test_the_history_shows_each_act_with_what_it_was_about(database: Database) -> None:
    async def story() -> None:
        history = (
            GIVEN,
            on("2026-03-01", withdrew(AUDIO)),
            on("2026-03-02", gave(AUDIO, participant="p-2")),
        )
        async with followed(database, *history) as db:

            async def found(**filters: object) -> list[int]:
                page = await consent_history(db, STUDY, Window(), **filters)  # type: ignore[arg-type]
                return [act.position for act in page.rows]

            assert await found() == [2, 3, 4]
            assert await found(participant="p-1") == [2, 3]
            assert await found(permission=WORKSHOP) == [2]
            assert await found(act=ConsentActKind.WITHDRAWN) == [3]
            assert await found(since=date(2026, 3, 1), until=date(2026, 3, 1)) == [3]
            act = (await consent_history(db, STUDY, Window(first=1, after=2))).rows[0]
            assert (act.scope, act.words) == (
                WithdrawalScope.NO_FURTHER_USE,
                "It wears me out.",
            )
            assert act.recorded_by == "ana"

    asyncio.run(story())


def test_the_summary_counts_participants_by_permission_and_state(database: Database) -> None:
    async def story() -> None:
        over = datetime.now(UTC).date() - timedelta(days=1)
        history = (
            GIVEN,
            on("2026-03-01", withdrew(AUDIO)),
            on("2026-02-01", gave(AUDIO, AUDIO, participant="p-2")),
            on("2026-02-01", gave(AUDIO, participant="p-3", until=over)),
        )
        async with followed(database, *history) as db:
            counts = {
                (each.permission, each.state): each.participants
                for each in await consent_summary(db, STUDY)
            }
            assert counts == {
                (AUDIO, ConsentState.EXPIRED): 1,
                (AUDIO, ConsentState.GIVEN): 1,
                (AUDIO, ConsentState.WITHDRAWN): 1,
                (WORKSHOP, ConsentState.GIVEN): 1,
            }

    asyncio.run(story())


def opinion(name: str, outcome: Outcome, *activities: Activity) -> ResearchEvent:
    return OpinionGiven(
        opinion=name, committee="University committee", outcome=outcome, activities=activities,
        valid_from=date(2026, 1, 1), valid_to=date(2026, 6, 30), conditions=("Report yearly.",),
    )  # fmt: skip


def test_the_approval_that_counts_is_the_latest_given_by_then(database: Database) -> None:
    async def story() -> None:
        history = (
            on("2026-03-01", opinion("rec-2", Outcome.UNFAVOURABLE)),
            on("2026-01-10", opinion("rec-1", Outcome.FAVOURABLE, Activity.WORKSHOP)),
        )
        async with followed(database, *history) as db:
            before = await approval_standing(db, STUDY, at=moment("2026-01-09"))
            first = await approval_standing(db, STUDY, at=moment("2026-02-01"))
            now = await approval_standing(db, STUDY)
            assert before is None
            assert first is not None
            assert (first.opinion, first.activities) == ("rec-1", [Activity.WORKSHOP])
            assert now is not None
            assert (now.opinion, now.outcome) == ("rec-2", Outcome.UNFAVOURABLE)
            page = await approvals(db, STUDY, Window(), activity=Activity.WORKSHOP)
            assert [each.conditions for each in page.rows] == [["Report yearly."]]
            page = await approvals(db, STUDY, Window(), on=date(2026, 7, 1))
            assert page.rows == []

    asyncio.run(story())
