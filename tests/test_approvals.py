"""Approvals: what the committee had approved at a moment, as the record knew it at another."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import count, product
from typing import Any, NamedTuple

from asyncpg import Connection
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApprovalReinstated,
    ApprovalSuspended,
    ConditionDischarged,
    OpinionGiven,
    Outcome,
)
from domain.modifications import ModificationDecided, ModificationKind, ModificationSubmitted
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from projections.approvals import (
    ApprovalStanding,
    approval_standing,
    approvals,
    modifications,
    suspensions,
)
from projections.paging import Window
from service.database import connect
from tests.conftest import Database
from tests.registers import (
    STUDY,
    entry,
    follow_all,
    followed,
    record,
    recording,
    register_pool,
    write_rows,
)
from tests.story import on

FORM, SHEET = DocumentKind.CONSENT_FORM, DocumentKind.INFORMATION_SHEET


def moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def opinion(
    name: str, outcome: Outcome = Outcome.FAVOURABLE, *activities: Activity, **fields: Any
) -> OpinionGiven:
    return OpinionGiven(
        opinion=name, committee="University committee", outcome=outcome, activities=activities,
        valid_from=date(2026, 1, 1), valid_to=date(2026, 6, 30),
        conditions=("Report yearly.", "Send the translated sheet."), **fields,
    )  # fmt: skip


def document(kind: DocumentKind, version: str) -> Document:
    return Document(kind=kind, version=version)


first = opinion(
    "rec-1", Outcome.FAVOURABLE, Activity.WORKSHOP, personnel=("ana",), sites=("hall",),
    documents=(document(FORM, "1"), document(SHEET, "1")), max_participants=20,
)  # fmt: skip
extended = ModificationDecided(
    modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE, activities=(Activity.INTERVIEW,), personnel=("ben",),
    documents=(document(FORM, "2"),), max_participants=30, valid_to=date(2026, 12, 31),
    reconsent=(Permission.AUDIO,),
)  # fmt: skip


async def approved(db: Connection, **when: datetime) -> ApprovalStanding:
    found = await approval_standing(db, STUDY, **when)
    assert found is not None
    return found


def standing_after(
    database: Database, *history: Any, at: str | None = None
) -> ApprovalStanding | None:
    async def read() -> ApprovalStanding | None:
        async with followed(database, *history) as db:
            return await approval_standing(db, STUDY, at=moment(at) if at else None)

    return asyncio.run(read())


def test_the_approval_that_counts_is_the_latest_given_by_then(database: Database) -> None:
    async def story() -> None:
        history = (
            on("2026-03-01", opinion("rec-2", Outcome.UNFAVOURABLE)),
            on("2026-01-10", opinion("rec-1", Outcome.FAVOURABLE, Activity.WORKSHOP)),
        )
        async with followed(database, *history) as db:
            before = await approval_standing(db, STUDY, at=moment("2026-01-09"))
            then = await approval_standing(db, STUDY, at=moment("2026-02-01"))
            now = await approval_standing(db, STUDY)
            assert before is None
            assert then is not None
            assert (then.opinion, then.activities) == ("rec-1", [Activity.WORKSHOP])
            assert then.in_force
            assert now is not None
            assert (now.opinion, now.outcome) == ("rec-2", Outcome.UNFAVOURABLE)
            assert not now.in_force
            page = await approvals(db, STUDY, Window(), activity=Activity.WORKSHOP)
            (given,) = page.rows
            assert [each.text for each in given.conditions] == [
                "Report yearly.", "Send the translated sheet.",
            ]  # fmt: skip
            page = await approvals(db, STUDY, Window(), on=date(2026, 7, 1))
            assert page.rows == []

    asyncio.run(story())


def test_a_favourable_modification_adds_to_what_the_opinion_allows(database: Database) -> None:
    now = standing_after(database, on("2026-01-10", first), on("2026-02-01", extended))
    assert now is not None
    assert now.activities == [Activity.WORKSHOP, Activity.INTERVIEW]
    assert (now.personnel, now.sites) == (["ana", "ben"], ["hall"])
    assert {(each.kind, each.version) for each in now.documents} == {(FORM, "2"), (SHEET, "1")}
    assert (now.max_participants, now.valid_to) == (30, date(2026, 12, 31))
    assert (now.position, now.modified_by) == (2, [3])


def test_what_is_suspended_is_not_in_force_until_it_is_reinstated(database: Database) -> None:
    async def story() -> None:
        history = (
            on("2026-01-10", first),
            on("2026-02-01", ApprovalSuspended(opinion="rec-1", why="A complaint.")),
            on("2026-02-10", ApprovalReinstated(opinion="rec-1")),
        )
        async with followed(database, *history) as db:
            there = await approved(db, at=moment("2026-02-05"))
            after = await approved(db, at=moment("2026-02-11"))
            over = await approved(db, at=moment("2026-07-01"))
            assert (there.in_force, there.suspended_by) == (False, 3)
            assert (after.in_force, after.suspended_by) == (True, None)
            assert not over.in_force, "its last day is over"
            page = await suspensions(db, STUDY, Window(), opinion="rec-1")
            assert [(each.position, each.suspended) for each in page.rows] == [
                (3, True),
                (4, False),
            ]
            assert page.rows[0].why == "3/why"

    asyncio.run(story())


def test_conditions_are_open_until_they_are_discharged(database: Database) -> None:
    discharge = ConditionDischarged(opinion="rec-1", number=2, document=document(SHEET, "1-cy"))

    async def story() -> None:
        async with followed(database, on("2026-01-10", first), on("2026-02-01", discharge)) as db:
            before = await approved(db, at=moment("2026-01-20"))
            after = await approved(db, at=moment("2026-02-02"))
            assert [each.discharged_by for each in before.conditions] == [None, None]
            assert [each.discharged_by for each in after.conditions] == [None, 3]
            (given,) = (await approvals(db, STUDY, Window())).rows
            assert [each.discharged_at for each in given.conditions] == [
                None, moment("2026-02-01T09:00"),
            ]  # fmt: skip
            assert given.conditions[1].document is not None
            assert given.conditions[1].document.version == "1-cy"

    asyncio.run(story())


def test_what_was_recorded_later_was_not_approved_as_known_before(database: Database) -> None:
    async def story() -> None:
        async with followed(database, on("2026-01-10", first)) as db:
            async with recording(database) as recorder, register_pool(database) as pool:
                known_at = await db.fetchval("select clock_timestamp()")
                await record(recorder, on("2026-02-01", extended))
                await follow_all(pool)
            day = moment("2026-02-10")
            then = await approved(db, at=day, as_known_at=known_at)
            now = await approved(db, at=day)
            assert then.max_participants == 20
            assert now.max_participants == 30
            page = await modifications(db, STUDY, Window(), as_known_at=known_at)
            assert page.rows == []

    asyncio.run(story())


def test_modifications_are_listed_as_submitted_and_as_decided(database: Database) -> None:
    submitted = ModificationSubmitted(
        modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
        documents=(document(FORM, "2"),),
    )  # fmt: skip

    async def story() -> None:
        history = (on("2026-01-10", first), on("2026-01-20", submitted), on("2026-02-01", extended))
        async with followed(database, *history) as db:
            both = (await modifications(db, STUDY, Window(), modification="mod-1")).rows
            assert [(each.position, each.outcome) for each in both] == [
                (3, None), (4, Outcome.FAVOURABLE),
            ]  # fmt: skip
            assert both[0].documents[0].version == "2"
            assert both[1].reconsent == [Permission.AUDIO]
            page = await modifications(db, STUDY, Window(), decided=False)
            assert [each.position for each in page.rows] == [3]

    asyncio.run(story())


# The oracle: which decisions count is worked out from a plain list, without the domain's fold.

FIRST = datetime(2026, 3, 1, 9, tzinfo=UTC)
ACTIVITIES, MEMBERS, VERSIONS = ("workshop", "interview", "recording"), ("ana", "ben"), ("1", "2")


class Decided(NamedTuple):
    """A decision of the committee, on which day, and how many rounds later it was recorded."""

    what: str
    opinion: str
    day: int
    waited: int
    favourable: bool
    activities: tuple[str, ...]
    personnel: tuple[str, ...]
    documents: tuple[tuple[str, str], ...]
    most: int | None
    until: int | None
    number: int


decisions = st.builds(
    Decided,
    st.sampled_from(
        ["opinion"] * 2 + ["modified"] * 4 + ["suspended", "reinstated", "discharged"]
    ),
    st.sampled_from(["rec-1", "rec-1", "rec-2"]),
    st.integers(min_value=0, max_value=4),
    st.sampled_from([0, 0, 1]),
    st.sampled_from([True, True, True, False]),
    st.lists(st.sampled_from(ACTIVITIES), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(MEMBERS), max_size=2, unique=True).map(tuple),
    st.lists(
        st.tuples(st.sampled_from(["consent_form", "protocol"]), st.sampled_from(VERSIONS)),
        max_size=2, unique=True,
    ).map(tuple),
    st.none() | st.integers(min_value=1, max_value=3),
    st.none() | st.integers(min_value=0, max_value=6),
    st.integers(min_value=1, max_value=2),
)  # fmt: skip


def day_of(number: int) -> date:
    return FIRST.date() + timedelta(days=number)


def as_event(told: Decided, number: int) -> ResearchEvent:
    activities = tuple(Activity(each) for each in told.activities)
    documents = tuple(document(DocumentKind(kind), version) for kind, version in told.documents)
    outcome = Outcome.FAVOURABLE if told.favourable else Outcome.UNFAVOURABLE
    match told.what:
        case "opinion":
            return OpinionGiven(
                opinion=told.opinion, committee="REC", outcome=outcome, activities=activities,
                valid_from=day_of(0), valid_to=day_of(told.until or 0), documents=documents,
                max_participants=told.most, conditions=("One.", "Two."), personnel=told.personnel,
            )  # fmt: skip
        case "modified":
            return ModificationDecided(
                modification=f"m-{number}", opinion=told.opinion, kind=ModificationKind.MINOR,
                outcome=outcome, activities=activities, personnel=told.personnel,
                documents=documents, max_participants=told.most,
                valid_to=None if told.until is None else day_of(told.until),
            )  # fmt: skip
        case "suspended":
            return ApprovalSuspended(opinion=told.opinion)
        case "reinstated":
            return ApprovalReinstated(opinion=told.opinion)
    return ConditionDischarged(opinion=told.opinion, number=told.number)


def expected(
    history: list[tuple[int, datetime, Decided]], at: datetime, known: datetime
) -> dict[str, Any] | None:
    by_then = [
        (told.day, position, told)
        for position, recorded, told in history
        if FIRST + timedelta(days=told.day) <= at and recorded <= known
    ]
    opinions = [each for each in by_then if each[2].what == "opinion"]
    if not opinions:
        return None
    given = max(opinions, key=lambda each: each[:2])
    base = given[2]
    since = sorted(
        each for each in by_then if each[:2] > given[:2] and each[2].opinion == base.opinion
    )
    changes = [(p, told) for _, p, told in since if told.what == "modified" and told.favourable]
    switches = [(p, told.what) for _, p, told in since if told.what in ("suspended", "reinstated")]
    documents = set(base.documents)
    for _, change in changes:
        renewed = {kind for kind, _ in change.documents}
        documents = {each for each in documents if each[0] not in renewed} | set(change.documents)
    personnel = set(base.personnel)
    if personnel:
        personnel.update(*(change.personnel for _, change in changes))
    until = [base.until or 0, *(c.until for _, c in changes if c.until is not None)][-1]
    suspended = [p for p, what in switches[-1:] if what == "suspended"]
    return {
        "position": given[1],
        "activities": set(base.activities).union(*(change.activities for _, change in changes)),
        "personnel": personnel,
        "documents": documents,
        "most": [base.most, *(c.most for _, c in changes if c.most is not None)][-1],
        "modified_by": [position for position, _ in changes],
        "suspended_by": suspended[0] if suspended else None,
        "in_force": base.favourable and not suspended and day_of(0) <= at.date() <= day_of(until),
        "discharged": {
            told.number
            for _, _, told in by_then
            if told.what == "discharged" and told.opinion == base.opinion
        },
    }


def seen_in(found: ApprovalStanding | None) -> dict[str, Any] | None:
    return (
        None
        if found is None
        else {
            "position": found.position,
            "activities": set(found.activities),
            "personnel": set(found.personnel),
            "documents": {(each.kind, each.version) for each in found.documents},
            "most": found.max_participants,
            "modified_by": found.modified_by,
            "suspended_by": found.suspended_by,
            "in_force": found.in_force,
            "discharged": {each.number for each in found.conditions if each.discharged_by},
        }
    )


def test_what_is_approved_is_so_at_any_moment_as_known_at_any_other(database: Database) -> None:
    numbers = count()

    async def compare(decided: list[Decided]) -> None:
        study = f"study-{next(numbers)}"
        recorded = FIRST + timedelta(days=10)
        history: list[tuple[int, datetime, Decided]] = []
        for position, told in enumerate(decided, 2):
            recorded += timedelta(hours=told.waited)
            history.append((position, recorded, told))
        entries = [
            entry(
                as_event(told, n), position=n, at=FIRST + timedelta(days=told.day),
                recorded_at=recorded_at, study=study,
            )
            for n, recorded_at, told in history
        ]  # fmt: skip
        await write_rows(db, "approvals", *entries)
        ats = {entry.occurred_at for entry in entries} | {FIRST + timedelta(days=7)}
        knowns = {recorded_at for _, recorded_at, _ in history}
        for at, known in product(sorted(ats), sorted(knowns)[-3:]):
            found = await approval_standing(db, study, at=at, as_known_at=known)
            assert seen_in(found) == expected(history, at, known), (at, known)
            note("nothing approved" if found is None else f"in force: {found.in_force}")

    async def open_register() -> Connection:
        async with register_pool(database):
            return await connect(database.service_url, search_path="register")

    with asyncio.Runner() as runner:
        db = runner.run(open_register())

        @settings(max_examples=200)
        @given(st.lists(decisions, min_size=3, max_size=12))
        def whatever_was_decided(decided: list[Decided]) -> None:
            runner.run(compare(decided))

        try:
            whatever_was_decided()
        finally:
            runner.run(db.close())
