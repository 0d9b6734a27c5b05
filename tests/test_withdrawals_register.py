"""Withdrawals: what each touches, what becomes of it by when, and whether the committee knows."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from asyncpg import Connection

from domain.consent import ConsentGiven
from domain.cycles import CycleClosed
from domain.fieldwork import InterviewHeld, PlaceKind
from domain.findings import FindingDrafted
from domain.oversight import ReportFiled, ReportKind
from domain.permissions import Permission
from domain.planning import ActionOwner, ActionPlanned
from domain.policy_packs import PolicyAdopted, policy_pack
from domain.priorities import PrioritiesMerged, PriorityProposed
from domain.recordings import MediaCaptured, MediaKind, Transcriber, TranscriptMade
from domain.sharing import (
    Access,
    ArchiveDeposited,
    Audience,
    FindingsShared,
    Format,
    Outlet,
    QuotationReleased,
)
from domain.vocabulary import HeldKind
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
    WithdrawalScope,
)
from domain.workshops import WorkshopHeld
from projections.paging import Window
from projections.withdrawals import (
    DispositionState,
    HeldItem,
    Withdrawal,
    dispositions,
    withdrawals,
)
from tests.conftest import Database
from tests.registers import STUDY, followed
from tests.story import Happened, on

AUDIO, INTERVIEW = Permission.AUDIO, Permission.INTERVIEW
DIGEST = "0" * 64


def withdrew(
    participant: str = "p-1",
    scope: WithdrawalScope = WithdrawalScope.NO_FURTHER_USE,
    code: str | None = None,
) -> ConsentWithdrawn:
    return ConsentWithdrawn(
        participant=participant, permissions=(AUDIO, INTERVIEW), scope=scope, code_sha256=code,
        words="Enough.",
    )  # fmt: skip


def interview(name: str, *participants: str) -> InterviewHeld:
    return InterviewHeld(
        session=name, cycle="c-1", participants=participants, minutes=40, place=PlaceKind.HOME
    )


def recorded(name: str, *participants: str) -> MediaCaptured:
    return MediaCaptured(
        media=name, cycle="c-1", kind=MediaKind.AUDIO, sha256=DIGEST, participants=participants
    )


def transcribed(name: str, *participants: str) -> TranscriptMade:
    return TranscriptMade(
        transcript=name, media="m-1", kind=MediaKind.AUDIO, participants=participants,
        made_by=Transcriber.PERSON, sha256=DIGEST,
    )  # fmt: skip


def planned(item: str, disposition: Disposition, due: str) -> DispositionPlanned:
    return DispositionPlanned(
        participant="p-1", item=item, disposition=disposition, due=date.fromisoformat(due)
    )


FIELDWORK = (  # positions 2 to 4
    on("2026-02-01", interview("i-1", "p-1", "p-2")),
    on("2026-02-01", recorded("m-1", "p-1", "p-2")),
    on("2026-02-03", transcribed("t-1", "p-1", "p-2")),
)


async def touched(db: Connection, **filters: Any) -> list[HeldItem]:
    return (await dispositions(db, STUDY, Window(), **filters)).rows


def items_after(database: Database, *history: Happened, **filters: Any) -> list[HeldItem]:
    async def read() -> list[HeldItem]:
        async with followed(database, *history) as db:
            return await touched(db, **filters)

    return asyncio.run(read())


def withdrawals_after(database: Database, *history: Happened, **filters: Any) -> list[Withdrawal]:
    async def read() -> list[Withdrawal]:
        async with followed(database, *history) as db:
            return (await withdrawals(db, STUDY, Window(), **filters)).rows

    return asyncio.run(read())


def test_a_withdrawal_says_who_what_when_how_far_and_by_whom(database: Database) -> None:
    history = (
        on("2026-03-01", withdrew(scope=WithdrawalScope.NO_FURTHER_CONTACT), by="ben"),
        on("2026-03-02", withdrew("p-2", code="a" * 64)),
    )
    first, second = withdrawals_after(database, *history)
    assert (first.participant, first.permissions) == ("p-1", [AUDIO, INTERVIEW])
    assert (first.scope, first.words) == (WithdrawalScope.NO_FURTHER_CONTACT, "2/words")
    assert (first.recorded_by, first.by_code) == ("ben", False)
    assert first.occurred_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert second.by_code


def test_a_withdrawal_is_reported_by_a_report_about_that_participant_sent_since(
    database: Database,
) -> None:
    def report(name: str, kind: ReportKind, *about: str) -> ReportFiled:
        return ReportFiled(report=name, kind=kind, about=about)

    history = (
        on("2026-02-01", report("r-0", ReportKind.WITHDRAWALS, "participant:p-1")),
        on("2026-03-01", withdrew()),
        on("2026-03-02", withdrew("p-2")),
        on("2026-03-03", report("r-1", ReportKind.PROGRESS, "participant:p-1", "participant:p-2")),
        on("2026-03-09", report("r-2", ReportKind.WITHDRAWALS, "participant:p-1")),
    )

    async def story() -> None:
        async with followed(database, *history) as db:
            first, second = (await withdrawals(db, STUDY, Window())).rows
            assert (first.report, second.report) == ("r-2", None)
            assert first.reported_at == datetime(2026, 3, 9, 9, tzinfo=UTC)
            page = await withdrawals(db, STUDY, Window(), reported=False)
            assert [each.participant for each in page.rows] == ["p-2"]

    asyncio.run(story())


def test_everything_held_that_names_the_participant_is_touched(database: Database) -> None:
    shared = FindingsShared(
        findings=("f-1",), audience=Audience.PUBLIC, outlet=Outlet.WEBSITE, format=Format.REPORT,
        title="Keys",
    )  # fmt: skip
    history = (
        *FIELDWORK,  # 2, 3, 4
        on("2026-02-04", WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-2",))),
        on("2026-02-05", FindingDrafted(
            finding="f-1", cycle="c-1", title="A key", transcripts=("t-1",), workshops=("w-1",),
        )),
        on("2026-02-06", FindingDrafted(
            finding="f-2", cycle="c-1", title="Another", workshops=("w-1",),
        )),
        on("2026-02-07", shared),  # 8
        on("2026-02-08", QuotationReleased(
            quotation="q-1", participant="p-1", permission=Permission.QUOTE_ANONYMOUS,
            words="I cried.", where="Keys",
        )),
        on("2026-02-09", ArchiveDeposited(
            repository="An archive", what="Transcripts", access=Access.SAFEGUARDED,
            participants=("p-1", "p-3"),
        )),
        on("2026-03-01", withdrew()),  # 11
    )  # fmt: skip
    rows = items_after(database, *history)
    assert [(each.item, each.kind, each.item_position) for each in rows] == [
        ("session:i-1", HeldKind.INTERVIEW, 2),
        ("media:m-1", HeldKind.MEDIA, 3),
        ("transcript:t-1", HeldKind.TRANSCRIPT, 4),
        ("finding:f-1", HeldKind.FINDING, 6),
        ("event:8", HeldKind.PUBLICATION, 8),
        ("quotation:q-1", HeldKind.QUOTATION, 9),
        ("event:10", HeldKind.DEPOSIT, 10),
    ]
    assert {(each.participant, each.withdrawal) for each in rows} == {("p-1", 11)}
    touched_only = {each.item: each.due for each in rows if each.state is DispositionState.TOUCHED}
    assert touched_only == {"finding:f-1": None, "event:8": None}  # they hold nothing of theirs
    assert {each.state for each in rows if each.item not in touched_only} == {DispositionState.OPEN}
    assert {each.cycle for each in rows[:2]} == {"c-1"}


def test_plans_that_rest_on_the_participant_are_touched_while_their_cycle_is_open(
    database: Database,
) -> None:
    def action(name: str, cycle: str, priority: str | None, owner: ActionOwner) -> ActionPlanned:
        return ActionPlanned(action=name, cycle=cycle, title="Do", owner=owner, priority=priority)

    ana, theirs = ActionOwner(member="ana"), ActionOwner(participant="p-1")
    history = (
        on("2026-02-01", PriorityProposed(
            priority="cafe", cycle="c-2", title="A café", proposed_by=("p-1",),
        )),
        on("2026-02-01", PriorityProposed(priority="kitchen", cycle="c-2", title="A kitchen")),
        on("2026-02-02", PrioritiesMerged(priority="kitchen", cycle="c-2", merged=("cafe",))),
        on("2026-02-03", action("a-1", "c-2", "kitchen", ana)),
        on("2026-02-03", action("a-2", "c-2", None, theirs)),
        on("2026-02-03", action("a-3", "c-1", None, theirs)),
        on("2026-02-03", action("a-4", "c-2", None, ana)),
        on("2026-02-10", CycleClosed(cycle="c-1")),
        on("2026-03-01", withdrew()),
    )  # fmt: skip
    rows = items_after(database, *history)
    assert [each.item for each in rows] == [
        "priority:cafe", "priority:kitchen", "action:a-1", "action:a-2",
    ]  # fmt: skip
    cafe, *plans = rows
    assert cafe.state is DispositionState.OPEN  # their own words, whatever became of the cycle
    assert {each.state for each in plans} == {DispositionState.TOUCHED}


def test_a_disposition_is_due_by_the_policy_pack_until_it_is_planned(database: Database) -> None:
    days = policy_pack().disposition
    withdrawn = on("2026-03-01", withdrew())

    async def story() -> None:
        history = (
            *FIELDWORK, withdrawn,  # 5
            on("2026-03-02", planned("media:m-1", Disposition.ERASE, "2026-03-20")),
            on("2026-03-03", planned("transcript:t-1", Disposition.RETAIN_PSEUDONYMISED,
                "2026-03-20")),
        )  # fmt: skip
        async with followed(database, *history) as db:
            session, media, transcript = await touched(db, withdrawal=5)
            assert (session.state, session.disposition) == (DispositionState.OPEN, None)
            assert session.due == date(2026, 3, 1) + timedelta(days)
            assert session.overdue
            assert (media.state, media.due) == (DispositionState.PLANNED, date(2026, 3, 20))
            assert (media.disposition, media.planned_by) == (Disposition.ERASE, 6)
            assert (transcript.state, transcript.overdue) == (DispositionState.RETAINED, False)
            assert await touched(db, due_before=date(2026, 3, 20)) == []
            assert await touched(db, due_before=date(2026, 3, 21)) == [media]
            assert await touched(db, state=DispositionState.RETAINED) == [transcript]
            (withdrawal,) = (await withdrawals(db, STUDY, Window())).rows
            assert (withdrawal.items, withdrawal.outstanding) == (3, 2)

    asyncio.run(story())


def test_the_pack_that_the_study_went_by_on_the_day_sets_the_term(database: Database) -> None:
    history = (
        *FIELDWORK,
        on("2026-02-20", PolicyAdopted(pack="university-2026")),
        on("2026-03-01", withdrew()),
    )
    item = items_after(database, *history)[0]
    assert item.due == date(2026, 3, 1) + timedelta(policy_pack("university-2026").disposition)


def test_what_was_decided_is_closed_with_its_proof_and_opened_by_a_later_decision(
    database: Database,
) -> None:
    done = DispositionCompleted(
        participant="p-1", item="media:m-1", proof_sha256="b" * 64, proof="The deletion log."
    )
    history = (
        *FIELDWORK,
        on("2026-03-01", withdrew()),
        on("2026-03-05", done),  # recorded before the decision, though it was made after it
        on("2026-03-02", planned("media:m-1", Disposition.QUARANTINE, "2026-03-20")),
    )
    media = items_after(database, *history, kind=HeldKind.MEDIA)[0]
    assert (media.state, media.completed_by) == (DispositionState.COMPLETED, 6)
    assert (media.proof_sha256, media.proof) == ("b" * 64, "6/proof")
    assert (media.disposition, media.overdue) == (Disposition.QUARANTINE, False)


def test_a_later_decision_counts_whatever_was_done_before(database: Database) -> None:
    history = (
        *FIELDWORK,
        on("2026-03-01", withdrew()),
        on("2026-03-02", planned("media:m-1", Disposition.QUARANTINE, "2026-03-20")),
        on("2026-03-03", DispositionCompleted(participant="p-1", item="media:m-1")),
        on("2026-03-04", planned("media:m-1", Disposition.ERASE, "2027-03-20")),
    )
    media = items_after(database, *history, kind=HeldKind.MEDIA)[0]
    assert (media.state, media.completed_by) == (DispositionState.PLANNED, None)
    assert media.disposition is Disposition.ERASE


def test_what_comes_after_a_withdrawal_counts_if_it_needed_what_was_taken_back(
    database: Database,
) -> None:
    held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",))
    again = ConsentGiven(
        participant="p-1", permissions=(INTERVIEW,), form_version="2", signed_on=date(2026, 4, 1)
    )
    history = (
        on("2026-02-01", recorded("m-1", "p-1")),
        on("2026-03-01", withdrew()),  # of audio and interview
        on("2026-03-05", transcribed("t-1", "p-1")),
        on("2026-03-06", held),  # to which they went on coming
        on("2026-04-01", again),
        on("2026-04-02", interview("i-1", "p-1")),
        on("2026-04-03", transcribed("t-2", "p-1")),  # the sound was not allowed again
    )
    rows = items_after(database, *history)
    assert [each.item for each in rows] == ["media:m-1", "transcript:t-1", "transcript:t-2"]


def test_each_item_belongs_to_the_withdrawal_that_opened_it(database: Database) -> None:
    again = ConsentGiven(
        participant="p-1", permissions=(INTERVIEW,), form_version="2", signed_on=date(2026, 4, 1)
    )
    history = (
        on("2026-02-01", recorded("m-1", "p-1")),  # 2
        on("2026-03-01", withdrew()),  # 3
        on("2026-03-05", transcribed("t-1", "p-1")),  # 4
        on("2026-04-01", again),  # 5
        on("2026-04-02", interview("i-2", "p-1")),  # 6
        on("2026-05-01", withdrew()),  # 7
        on("2026-05-02", interview("i-3", "p-1")),  # 8
        on("2026-02-02", interview("i-1", "p-1")),  # 9, entered late
    )
    rows = items_after(database, *history)
    assert [(each.item, each.withdrawal) for each in rows] == [
        ("media:m-1", 3), ("transcript:t-1", 3), ("session:i-2", 7), ("session:i-3", 7),
        ("session:i-1", 3),
    ]  # fmt: skip


def test_a_disposition_of_what_the_record_does_not_know_is_not_lost(database: Database) -> None:
    history = (
        on("2026-03-01", withdrew()),
        on("2026-03-02", planned("paper:folder-7", Disposition.ERASE, "2026-03-20")),
    )
    (item,) = items_after(database, *history)
    assert (item.item, item.kind, item.state) == (
        "paper:folder-7", HeldKind.OTHER, DispositionState.PLANNED,
    )  # fmt: skip


def test_pages_of_what_one_event_holds_of_several_people(database: Database) -> None:
    async def story() -> None:
        history = (*FIELDWORK, on("2026-03-01", withdrew()), on("2026-03-01", withdrew("p-2")))
        async with followed(database, *history) as db:
            seen, after = [], None
            for _ in range(6):
                page = await dispositions(db, STUDY, Window(first=1, after=after))
                (row,) = page.rows
                seen.append((row.item, row.participant))
                after = row.position
            assert not page.has_next
            assert seen == [
                (item, who)
                for item in ("session:i-1", "media:m-1", "transcript:t-1")
                for who in ("p-1", "p-2")
            ]

    asyncio.run(story())
