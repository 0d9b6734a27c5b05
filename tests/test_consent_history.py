"""Consent: what was said of it, and where a permission stood at a moment, as known at another."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.consent import (
    Capacity,
    ConsentDeclined,
    ConsentGiven,
    ConsentRequested,
    ConsultedAs,
    DatedBy,
    LawfulBasis,
    Method,
    SpecialCategoryBasis,
)
from domain.consent_lapses import (
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.consent_states import ConsentState
from domain.ethics import Outcome
from domain.modifications import ModificationDecided, ModificationKind
from domain.permissions import Permission
from domain.vocabulary import personal_fields
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from projections.consent_history import ConsentActKind, consent_history
from projections.consent_standing import consent_state, consent_summary
from projections.paging import Window
from tests.conftest import Database
from tests.registers import STUDY, follow_all, followed, record, recording, register_pool
from tests.story import Happened, on

AUDIO, WORKSHOP = Permission.AUDIO, Permission.WORKSHOP


def gave(
    *permissions: Permission,
    participant: str = "p-1",
    until: date | None = None,
    signed: str | None = None,
    form: str = "2",
) -> ConsentGiven:
    return ConsentGiven(
        participant=participant, permissions=permissions, form_version=form, valid_until=until,
        signed_on=date.fromisoformat(signed) if signed else None,
    )  # fmt: skip


def withdrew(*permissions: Permission) -> ConsentWithdrawn:
    return ConsentWithdrawn(
        participant="p-1", permissions=permissions, words="It wears me out.",
        scope=WithdrawalScope.NO_FURTHER_USE,
    )  # fmt: skip


declined = ConsentDeclined(participant="p-1", permissions=(AUDIO,), form_version="2")

requested = ConsentRequested(participant="p-1", permissions=(AUDIO,), form_version="2")
invalidated = ConsentInvalidated(
    participant="p-1", permissions=(AUDIO,), because=InvalidBecause.FORM_LOST
)
to_be_asked_again = ReconsentRequired(
    participant="p-1", permissions=(AUDIO,), because=ReconsentBecause.CAME_OF_AGE, why="Is 16."
)
suspended = ConsentSuspended(participant="p-1", why="In hospital.")
resumed = ConsentResumed(
    participant="p-1", affirmed_by=ConsultedAs.PERSONAL_CONSULTEE, consultee="Ama"
)
modified = ModificationDecided(
    modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE, reconsent=(AUDIO, WORKSHOP),
)  # fmt: skip


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
        ([on("2026-02-01", declined), GIVEN], None, ConsentState.GIVEN),
        ([GIVEN, on("2026-02-01", declined)], None, ConsentState.DECLINED),
        # What was withdrawn comes back only by a form signed since.
        ([on("2026-02-01", withdrew(AUDIO)), GIVEN], None, ConsentState.WITHDRAWN),
        (
            [on("2026-02-01", withdrew(AUDIO)), on("2026-03-01", gave(AUDIO, signed="2026-01-31"))],
            None,
            ConsentState.WITHDRAWN,
        ),
        (
            [on("2026-02-01", withdrew(AUDIO)), on("2026-03-01", gave(AUDIO, signed="2026-02-28"))],
            None,
            ConsentState.GIVEN,
        ),
        ([on("2026-02-01", requested)], None, ConsentState.REQUESTED),
        ([GIVEN, on("2026-02-02", invalidated)], None, ConsentState.INVALIDATED),
        ([GIVEN, on("2026-02-02", to_be_asked_again)], None, ConsentState.RECONSENT_REQUIRED),
        ([GIVEN, on("2026-02-02", suspended)], None, ConsentState.SUSPENDED),
        (
            [GIVEN, on("2026-02-02", suspended), on("2026-02-03", gave(AUDIO))],
            None,
            ConsentState.SUSPENDED,
        ),
        ([GIVEN, on("2026-02-02", suspended), on("2026-02-03", resumed)], None, ConsentState.GIVEN),
        # The committee's modification concerns everybody who had given the permission by then.
        ([GIVEN, on("2026-02-02", modified)], None, ConsentState.RECONSENT_REQUIRED),
        ([on("2026-02-02", modified), GIVEN], None, ConsentState.RECONSENT_REQUIRED),
        ([on("2026-02-02", modified), on("2026-02-03", gave(AUDIO))], None, ConsentState.GIVEN),
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
                "3/words",
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


def test_what_ran_out_has_stood_like_that_since_the_end_of_its_last_day(
    database: Database,
) -> None:
    async def story() -> None:
        async with followed(database, on("2026-02-01", gave(AUDIO, until=date(2026, 2, 28)))) as db:
            now = await consent_state(db, STUDY, "p-1", AUDIO)
            assert (now.state, now.position, now.consent) == (ConsentState.EXPIRED, 2, 2)
            assert (now.since, now.valid_until) == (moment("2026-03-01"), date(2026, 2, 28))
            assert now.recorded_at is not None

    asyncio.run(story())


def test_who_is_asked_again_keeps_the_consent_that_was_in_effect_in_view(
    database: Database,
) -> None:
    async def story() -> None:
        async with followed(database, GIVEN, on("2026-03-01", modified)) as db:
            now = await consent_state(db, STUDY, "p-1", AUDIO)
            assert (now.state, now.position) == (ConsentState.RECONSENT_REQUIRED, 3)
            assert (now.consent, now.since) == (2, moment("2026-03-01T09:00"))

    asyncio.run(story())


def test_the_history_shows_every_field_of_a_grant_and_its_lawful_basis_apart(
    database: Database,
) -> None:
    grant = ConsentGiven(
        participant="p-1", permissions=(AUDIO,), form_version="2.1", form_sha256="a" * 64,
        information_sheet_version="2.0", method=Method.VERBAL_WITNESSED, language="cy",
        signed_on=date(2026, 1, 31), dated_by=DatedBy.OTHER, taken_by="ben", minutes_to_read=45,
        withdraw_by=date(2026, 12, 31), capacity=Capacity.CHILD, consulted_as=ConsultedAs.PARENT,
        assent=True, interpreted=True, lawful_basis=LawfulBasis.PUBLIC_TASK,
        special_category_basis=SpecialCategoryBasis.RESEARCH, witness="Adwoa",
        interpreter="Kofi", consultee="Esi", capacity_note="Weighed it all.", note="Read aloud.",
    )  # fmt: skip

    async def story() -> None:
        async with followed(database, on("2026-02-01", grant)) as db:
            (act,) = (await consent_history(db, STUDY, Window())).rows
            assert (act.act, act.words) == (ConsentActKind.GIVEN, "2/note")
            for name in set(vars(act)) & set(grant.__struct_fields__) - {"permissions"}:
                personal = name in personal_fields(ConsentGiven)
                recorded = f"2/{name}" if personal else getattr(grant, name)
                assert getattr(act, name) == recorded, name
            assert act.lawful_basis is LawfulBasis.PUBLIC_TASK

    asyncio.run(story())


def test_the_history_of_a_participant_a_permission_or_a_form_version(database: Database) -> None:
    async def story() -> None:
        history = (
            on("2026-02-01", requested),
            on("2026-02-02", gave(AUDIO, WORKSHOP, form="2")),
            on("2026-02-03", gave(WORKSHOP, participant="p-2", form="3")),
            on("2026-02-04", suspended),
            on("2026-02-05", resumed),
            on("2026-02-06", modified),
            on("2026-02-07", to_be_asked_again),
            on("2026-02-08", invalidated),
        )
        async with followed(database, *history) as db:

            async def found(**filters: object) -> list[int]:
                page = await consent_history(db, STUDY, Window(), **filters)  # type: ignore[arg-type]
                return [act.position for act in page.rows]

            assert await found() == [2, 3, 4, 5, 6, 7, 8, 9]
            assert await found(participant="p-2") == [4, 7], "the modification concerns everybody"
            assert await found(participant="p-1", permission=WORKSHOP) == [3, 5, 6, 7]
            assert await found(form_version="2") == [2, 3]
            assert await found(form_version="3") == [4]
            assert await found(act=ConsentActKind.RECONSENT_REQUIRED) == [7, 8]
            acts = {act.position: act for act in (await consent_history(db, STUDY, Window())).rows}
            assert (acts[7].participant, acts[7].modification) == (None, "mod-1")
            assert acts[8].reconsent_because is ReconsentBecause.CAME_OF_AGE
            assert acts[9].invalid_because is InvalidBecause.FORM_LOST
            assert acts[6].affirmed_by is ConsultedAs.PERSONAL_CONSULTEE
            assert (acts[6].consultee, acts[5].words) == ("6/consultee", "5/why")

    asyncio.run(story())


def test_a_withdrawal_says_how_far_it_reaches_and_whether_by_the_participants_code(
    database: Database,
) -> None:
    by_code = ConsentWithdrawn(participant="p-1", permissions=(AUDIO,), code_sha256="b" * 64)

    async def story() -> None:
        async with followed(
            database, on("2026-02-01", withdrew(AUDIO)), on("2026-02-02", by_code)
        ) as db:
            acts = (await consent_history(db, STUDY, Window())).rows
            assert [act.by_code for act in acts] == [False, True]
            assert acts[0].scope is WithdrawalScope.NO_FURTHER_USE

    asyncio.run(story())


def test_the_summary_counts_in_the_fields_order_whatever_the_order_of_recording(
    database: Database,
) -> None:
    async def story() -> None:
        history = (
            on("2026-03-01", modified),
            on("2026-02-01", gave(AUDIO, WORKSHOP)),
            on("2026-04-01", withdrew(AUDIO)),
            on("2026-05-01", gave(AUDIO, signed="2026-05-01")),
            on("2026-05-01", gave(AUDIO, participant="p-2")),
        )
        async with followed(database, *history) as db:
            counts = {
                (each.permission, each.state): each.participants
                for each in await consent_summary(db, STUDY)
            }
            assert counts == {
                (AUDIO, ConsentState.GIVEN): 2,
                (WORKSHOP, ConsentState.RECONSENT_REQUIRED): 1,
            }

    asyncio.run(story())
