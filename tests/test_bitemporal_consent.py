"""Property: where a permission stood, at any moment and as known at any other, whatever was told.

The oracle below is a table and a loop of its own, written down from the agreement on consent: it
shares no code with the domain's fold or with the register. Histories are made up with everything
that makes two times differ: late entries, several things at one moment, several recorded at once.
"""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count, product
from typing import NamedTuple

from asyncpg import Connection
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.consent import ConsentDeclined, ConsentGiven, ConsentRequested
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.ethics import Outcome
from domain.modifications import ModificationDecided, ModificationKind
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from projections.consent_standing import consent_state, consent_summary
from service.database import connect
from tests.conftest import Database
from tests.registers import entry, register_pool, write_rows

PEOPLE = ("p-1", "p-2")
PERMISSIONS = ("audio", "archive", "workshop")
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
PLACE = timezone(timedelta(hours=5))


class Told(NamedTuple):
    """Something about consent: on which day it happened, and in which round it was recorded."""

    what: str
    who: str  # '' is everybody
    these: tuple[str, ...]
    day: int
    evening: bool  # 21:30 UTC, when the next day has begun at the place; else nine in the morning
    waited: int  # rounds since what was recorded before it
    signed: int | None  # day
    until: int | None  # day


days = st.integers(min_value=0, max_value=4)  # few, so that much happens at one moment
tellings = st.builds(
    Told,
    st.sampled_from(
        ["given"] * 6 + ["withdrawn"] * 3
        + ["requested", "declined", "expired", "invalidated", "reconsent", "suspended", "resumed"]
        + ["modified", "refused"]
    ),
    st.sampled_from(PEOPLE),
    st.lists(st.sampled_from(PERMISSIONS), min_size=1, max_size=3).map(tuple),
    days,
    st.booleans(),
    st.sampled_from([0, 0, 1]),
    st.none() | days,
    st.none() | st.none() | st.integers(min_value=0, max_value=6),
)  # fmt: skip

# What turns what into what; a state that is not named stays. Withdrawn comes back by a fresh form.
GIVEN_FROM = (
    "not_asked", "requested", "given", "declined", "expired", "invalidated", "reconsent_required",
)  # fmt: skip
TABLE = {
    "requested": {"not_asked": "requested", "declined": "requested"},
    "given": dict.fromkeys(GIVEN_FROM, "given"),
    "declined": dict.fromkeys([*GIVEN_FROM, "suspended"], "declined"),
    "withdrawn": dict.fromkeys([*GIVEN_FROM, "suspended", "withdrawn"], "withdrawn"),
    "expired": dict.fromkeys(["given", "reconsent_required", "suspended"], "expired"),
    "invalidated": dict.fromkeys(
        ["given", "expired", "reconsent_required", "suspended"], "invalidated"
    ),
    "reconsent": dict.fromkeys(["given", "suspended"], "reconsent_required"),
    "modified": dict.fromkeys(["given", "suspended"], "reconsent_required"),
    "refused": {},
    "suspended": {"given": "suspended"},
    "resumed": {"suspended": "given"},
}


def day_of(number: int) -> date:
    return FIRST.date() + timedelta(days=number)


def moment(told: Told) -> datetime:
    hours = 21.5 if told.evening else 9
    return (FIRST + timedelta(days=told.day, hours=hours)).astimezone(PLACE)


def expected(
    history: list[tuple[int, datetime, Told]],  # position, recorded at, what
    who: str,
    permission: str,
    at: datetime,
    known: datetime,
) -> tuple[str, int | None]:
    """The state, and the position of what decided it."""
    state, decided, until, form, back = "not_asked", None, None, None, None
    for position, _, told in sorted(
        (each for each in history if moment(each[2]) <= at and each[1] <= known),
        key=lambda each: (moment(each[2]), each[0]),
    ):
        everybody = told.what in ("modified", "refused")
        everything = told.what in ("suspended", "resumed")
        if (not everybody and told.who != who) or (not everything and permission not in told.these):
            continue
        turned = TABLE[told.what].get(state)
        if told.what == "given" and state == "withdrawn":
            fresh = told.signed is not None and back is not None and told.signed >= back
            turned = "given" if fresh else None
        if turned is None:
            continue
        state, decided = turned, position
        if told.what == "given":
            until, form = told.until, position
        if told.what == "withdrawn":
            back = told.day
    if state == "given" and until is not None and day_of(until) < at.astimezone(UTC).date():
        return "expired", form
    return state, decided


def as_event(told: Told, number: int) -> ResearchEvent:
    who, these = told.who, tuple(Permission(each) for each in told.these)
    match told.what:
        case "requested":
            return ConsentRequested(participant=who, permissions=these, form_version="2")
        case "given":
            return ConsentGiven(
                participant=who, permissions=these, form_version="2",
                signed_on=None if told.signed is None else day_of(told.signed),
                valid_until=None if told.until is None else day_of(told.until),
            )  # fmt: skip
        case "declined":
            return ConsentDeclined(participant=who, permissions=these, form_version="2")
        case "withdrawn":
            return ConsentWithdrawn(participant=who, permissions=these)
        case "expired":
            return ConsentExpired(participant=who, permissions=these)
        case "invalidated":
            because = InvalidBecause.NOT_INFORMED
            return ConsentInvalidated(participant=who, permissions=these, because=because)
        case "reconsent":
            new = ReconsentBecause.NEW_INFORMATION
            return ReconsentRequired(participant=who, permissions=these, because=new)
        case "suspended":
            return ConsentSuspended(participant=who)
        case "resumed":
            return ConsentResumed(participant=who)
    return ModificationDecided(
        modification=f"m-{number}", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
        outcome=Outcome.FAVOURABLE if told.what == "modified" else Outcome.UNFAVOURABLE,
        reconsent=these,
    )  # fmt: skip


def test_a_permission_stands_as_it_did_at_any_moment_as_known_at_any_other(
    database: Database,
) -> None:
    numbers = count()

    async def compare(tellings: list[Told]) -> None:
        study = f"study-{next(numbers)}"
        recorded = FIRST + timedelta(days=10)
        history: list[tuple[int, datetime, Told]] = []
        for position, told in enumerate(tellings, 2):
            recorded += timedelta(hours=told.waited)
            history.append((position, recorded, told))
        await write_rows(
            db,
            "consent_standing",
            *(
                entry(as_event(told, n), position=n, at=moment(told), recorded_at=at, study=study)
                for n, at, told in history
            ),
        )
        ats = sorted({moment(told) for told in tellings} | {FIRST + timedelta(days=7, hours=1)})
        knowns = sorted({at for _, at, _ in history})
        seen = set()
        for who, permission, at, known in product(PEOPLE, PERMISSIONS, ats, knowns[-3:]):
            found = await consent_state(
                db, study, who, Permission(permission), at=at, as_known_at=known
            )
            wanted = expected(history, who, permission, at, known)
            assert (found.state, found.position) == wanted, (who, permission, at, known)
            seen.add(found.state)
        now = datetime.now(UTC)
        counted = Counter(
            (permission, expected(history, who, permission, now, now)[0])
            for who, permission in product(PEOPLE, PERMISSIONS)
        )
        assert {
            (each.permission, each.state): each.participants
            for each in await consent_summary(db, study)
        } == {of: number for of, number in counted.items() if of[1] != "not_asked"}
        for state in seen:
            note(f"{state} seen")  # --hypothesis-show-statistics

    async def open_register() -> Connection:
        async with register_pool(database):
            return await connect(database.service_url, search_path="register")

    with asyncio.Runner() as runner:
        db = runner.run(open_register())

        @settings(max_examples=250)
        @given(st.lists(tellings, min_size=4, max_size=14))
        def whatever_was_told(tellings: list[Told]) -> None:
            runner.run(compare(tellings))

        try:
            whatever_was_told()
        finally:
            runner.run(db.close())
