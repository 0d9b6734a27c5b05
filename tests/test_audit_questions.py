"""Property: the audit as of a moment, as known at another, is the audit of what had happened by the
one and was on record by the other; in whatever batches it was followed.

The shorter records are studies of their own, so what was learned later cannot have had a part in
them: that is what being asked about two times has to mean.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from typing import Any, NamedTuple
from uuid import uuid4

from asyncpg import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.consent import (
    Capacity,
    ConsentDeclined,
    ConsentGiven,
    ConsentRequested,
    ConsultedAs,
    DatedBy,
)
from domain.consent_lapses import (
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApprovalReinstated,
    ApprovalSuspended,
    ConditionDischarged,
    OpinionGiven,
    Outcome,
)
from domain.fieldwork import InterviewHeld, PlaceKind
from domain.membership import MemberJoined, MemberLeft, Role
from domain.modifications import ModificationDecided, ModificationKind
from domain.oversight import (
    FindingAnswered,
    FindingRaised,
    ReportFiled,
    ReportKind,
    Severity,
    StudyEndDeclared,
)
from domain.payments import Payment
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.policy_packs import PolicyAdopted
from domain.priorities import DissentRecorded
from domain.readings import IdentifiableDataRead, Reading
from domain.reconnaissance import ConcernStated
from domain.recordings import MediaCaptured, MediaKind, MemberCheckSent, Transcriber, TranscriptMade
from domain.safety import AdverseEventReported, UrgentSafetyMeasureTaken
from domain.sharing import Access, ArchiveDeposited, Author, AuthorshipAgreed, CreditRole
from domain.sharing import QuotationReleased as Quoted
from domain.vocabulary import ResearchEvent
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
    WithdrawalScope,
)
from domain.workshops import WorkshopHeld
from projections.audit_answers import EthicsAudit
from projections.batches import take_in
from projections.ethics_audit import ethics_audit
from projections.following import registers
from projections.rebuilding import PROGRESS
from service.database import connect
from tests.conftest import Database
from tests.planted_study import Line, write_lines

FIRST = datetime(2026, 3, 1, 9, tzinfo=UTC)
WORKSHOP, AUDIO, ARCHIVE = Permission.WORKSHOP, Permission.AUDIO, Permission.ARCHIVE
INTERVIEW, MACHINE = Permission.INTERVIEW, Permission.MACHINE_TRANSCRIPTION
P, Q = "p-1", "p-2"


def given_by(who: str, *permissions: Permission, **said: Any) -> ConsentGiven:
    signed: dict[str, Any] = {"form_version": "1", "information_sheet_version": "1", **said}
    return ConsentGiven(participant=who, permissions=permissions or tuple(Permission), **signed)


def opinion(name: str, outcome: Outcome, **said: Any) -> OpinionGiven:
    return OpinionGiven(
        opinion=name, committee="REC", outcome=outcome, activities=tuple(Activity),
        valid_from=date(2026, 3, 2), valid_to=date(2026, 3, 28), **said,
    )  # fmt: skip


def workshop(name: str, *people: str) -> WorkshopHeld:
    paid = tuple(Payment(participant=each, amount=500, currency="GBP") for each in people[:1])
    return WorkshopHeld(workshop=name, cycle="c-1", participants=people, payments=paid)


def interview(name: str, who: str, by: str) -> InterviewHeld:
    return InterviewHeld(
        session=name, cycle="c-1", participants=(who,), minutes=50, place=PlaceKind.HOME,
        interviewers=(by,),
    )  # fmt: skip


def read_by(member: str) -> IdentifiableDataRead:
    return IdentifiableDataRead(
        reader=member, reading=Reading.AUDIT, first_at=FIRST, last_at=FIRST, reads=1
    )


def change(name: str, *reconsent: Permission) -> ModificationDecided:
    form = Document(kind=DocumentKind.CONSENT_FORM, version="2")
    return ModificationDecided(
        modification=name, opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
        outcome=Outcome.FAVOURABLE, documents=(form,), max_participants=2, reconsent=reconsent,
    )  # fmt: skip


form = Document(kind=DocumentKind.CONSENT_FORM, version="1")
grave: dict[str, Any] = {"serious": True, "related": True, "unexpected": True}
because = {"because": ReconsentBecause.NEW_INFORMATION}
ROLES = (CreditRole.METHODOLOGY,)
# What may happen in these studies, each at most once.
MAY_HAPPEN: tuple[ResearchEvent, ...] = (
    opinion(
        "rec-1", Outcome.FAVOURABLE_WITH_CONDITIONS, conditions=("Insurance.", "Protocol."),
        personnel=("ana", "ben"), max_participants=1, documents=(form,),
    ),
    opinion("rec-2", Outcome.FAVOURABLE, recognised_for_mca=True),
    opinion("rec-3", Outcome.UNFAVOURABLE),
    change("mod-1", AUDIO, WORKSHOP),
    change("mod-2"),
    ApprovalSuspended(opinion="rec-1"),
    ApprovalReinstated(opinion="rec-1"),
    ConditionDischarged(opinion="rec-1", number=1),
    ConditionDischarged(opinion="rec-1", number=2),
    PolicyAdopted(pack="university-2026"),
    MemberJoined(member="ben", role=Role.RESEARCHER),
    MemberJoined(member="vic", role=Role.VIEWER),
    MemberLeft(member="ben"),
    *(ParticipantEnrolled(participant=who) for who in (P, Q, "p-3")),
    ConsentRequested(participant=P, permissions=tuple(Permission), form_version="1"),
    given_by(P, signed_on=date(2026, 3, 5)),
    given_by(P, WORKSHOP, AUDIO, valid_until=date(2026, 3, 12), taken_by="zoe"),
    given_by(P, AUDIO, signed_on=date(2026, 3, 20), dated_by=DatedBy.OTHER),
    given_by(Q, form_version="2", signed_on=date(2026, 3, 4)),
    given_by(Q, WORKSHOP, capacity=Capacity.LACKS_CAPACITY, assent=True),
    given_by(Q, AUDIO, consulted_as=ConsultedAs.PERSONAL_CONSULTEE, interpreted=True),
    ConsentDeclined(participant=P, permissions=(WORKSHOP,), form_version="1"),
    ConsentWithdrawn(participant=P, permissions=tuple(Permission)),
    ConsentWithdrawn(
        participant=P, permissions=(WORKSHOP,), scope=WithdrawalScope.NO_FURTHER_CONTACT
    ),
    ConsentWithdrawn(participant=Q, permissions=(AUDIO,), scope=WithdrawalScope.NO_FURTHER_USE),
    ConsentInvalidated(participant=Q, permissions=(WORKSHOP,), because=InvalidBecause.NOT_FREE),
    ReconsentRequired(participant=P, permissions=(WORKSHOP, ARCHIVE), **because),
    ConsentSuspended(participant=P),
    ConsentResumed(participant=P),
    ConsentSuspended(participant=Q),
    workshop("w-1", P, Q),
    workshop("w-2", P),
    workshop("w-3", Q),
    interview("i-1", P, "ben"),
    interview("i-2", Q, "zoe"),
    MediaCaptured(
        media="m-1", cycle="c-1", kind=MediaKind.AUDIO, sha256="0" * 64, participants=(P, Q)
    ),
    TranscriptMade(
        transcript="t-1", media="m-1", kind=MediaKind.AUDIO, participants=(P, Q),
        made_by=Transcriber.MACHINE, sha256="0" * 64,
    ),
    MemberCheckSent(transcript="t-1", participant=P),
    Quoted(
        quotation="q-1", participant=P, permission=Permission.QUOTE_NAMED, words="We.", where="Here"
    ),
    Quoted(
        quotation="q-2", participant=Q, permission=Permission.QUOTE_NAMED, words="We.", where="Here"
    ),
    ArchiveDeposited(repository="UKDS", what="All", access=Access.OPEN, participants=(P, Q)),
    AuthorshipAgreed(work="Book", authors=(Author(roles=ROLES, participant=P),)),
    DispositionPlanned(
        participant=P, item="workshop:w-1", disposition=Disposition.ERASE, due=date(2026, 3, 18)
    ),
    DispositionPlanned(
        participant=P, item="media:m-1", disposition=Disposition.INFEASIBLE_PUBLISHED,
        due=date(2026, 3, 18),
    ),
    DispositionCompleted(participant=P, item="workshop:w-1"),
    DispositionPlanned(
        participant=P, item="workshop:w-1", disposition=Disposition.QUARANTINE,
        due=date(2026, 4, 2),
    ),
    DispositionPlanned(
        participant=P, item="paper:1", disposition=Disposition.ERASE, due=date(2026, 3, 30)
    ),
    ConcernStated(concern="c-1", title="Wells", participants=(P, Q), words="Dry."),
    DissentRecorded(cycle="c-1", participants=(Q,), words="No."),
    ReportFiled(report="r-1", kind=ReportKind.WITHDRAWALS, about=(f"participant:{P}",)),
    ReportFiled(report="r-2", kind=ReportKind.ADVERSE_EVENT, about=("adverse_event:a-1",)),
    ReportFiled(report="r-3", kind=ReportKind.PROGRESS),
    ReportFiled(report="r-4", kind=ReportKind.FINAL),
    AdverseEventReported(adverse_event="a-1", aware_at=FIRST + timedelta(days=1), **grave),
    UrgentSafetyMeasureTaken(measure="u-1"),
    StudyEndDeclared(opinion="rec-1", ended_on=date(2026, 3, 3), early=True),
    read_by("ben"),
    read_by("vic"),
    FindingRaised(audit="v-1", audit_finding="f-1", severity=Severity.BREACH),
    FindingAnswered(audit_finding="f-1", accepted=True),
)  # fmt: skip


days = st.integers(0, 75)


class Told(NamedTuple):
    """What happened, on which day, and how long after the one before it that was recorded."""

    event: ResearchEvent
    day: int
    waited: int


tellings = st.lists(
    st.builds(Told, st.sampled_from(MAY_HAPPEN), st.integers(0, 27), st.integers(0, 3)),
    min_size=8,
    max_size=30,
    unique_by=lambda told: MAY_HAPPEN.index(told.event),
)


def lines_of(told: Sequence[Told]) -> list[Line]:
    """As they are recorded; some before they happened, as by a clock that is wrong."""
    found, recorded = [], FIRST
    for position, each in enumerate(told, 1):
        recorded += timedelta(days=each.waited)
        happened = FIRST + timedelta(days=each.day)
        found.append(Line(each.event, happened, recorded, "ana", position))
    return found


async def followed(
    owner: Connection, db: Connection, lines: Sequence[Line], sizes: Sequence[int]
) -> str:
    """A new study with these on record, taken in by the register in batches of these sizes."""
    study = f"s-{uuid4()}"
    if lines:
        await write_lines(owner, study, lines)
    for size in cycle(sizes):
        async with db.transaction():
            if not (await take_in(db, [registers()["ethics_audit"]], study, limit=size)).moved:
                return study
    raise AssertionError("no sizes")


def told_by(audit: EthicsAudit) -> list[tuple[object, ...]]:
    """What the audit says, but for the state of the record itself."""
    said: list[tuple[object, ...]] = []
    for answer in audit.answers[:19]:
        said.append((answer.question, answer.verdict, answer.count, answer.clock, answer.note))
        said += sorted(
            (answer.question, each.severity, each.code, each.message, each.subject,
             each.positions, str(each.due))
            for each in answer.findings
        )  # fmt: skip
    return said


async def rows(db: Connection, study: str) -> list[object]:
    """Every row that the register has of a study, without its name."""
    found: list[object] = []
    for table in registers()["ethics_audit"].tables:
        those = await db.fetch(f"select * from {table} where study = $1", study)
        found += sorted(((table, *tuple(row)[1:]) for row in those), key=repr)
    return found


def test_the_audit_of_two_times_is_that_of_a_shorter_record(database: Database) -> None:
    async def connections() -> tuple[Connection, Connection]:
        db = await connect(database.service_url, search_path="register")
        for ddl in (PROGRESS, registers()["ethics_audit"].ddl):
            await db.execute(ddl)
        return await connect(database.owner_url), db

    async def compare(told: list[Told], sizes: list[int], at: datetime, known: datetime) -> None:
        lines = lines_of(told)
        whole = await followed(owner, db, lines, sizes)
        shorter = [each for each in lines if each.occurred_at <= at and each.recorded_at <= known]
        short = await followed(owner, db, shorter, [1_000])
        of_whole = told_by(await ethics_audit(db, whole, at=at, as_known_at=known))
        assert of_whole == told_by(await ethics_audit(db, short, at=at))
        at_once = await followed(owner, db, lines, [1_000])
        assert await rows(db, whole) == await rows(db, at_once)

    with asyncio.Runner() as runner:
        owner, db = runner.run(connections())

        @settings(max_examples=40)
        @given(tellings, st.lists(st.integers(1, 9), min_size=1, max_size=3), days, days)
        def whatever_happens(told: list[Told], sizes: list[int], at: int, known: int) -> None:
            moments = (FIRST + timedelta(days=each, hours=1) for each in (at, known))
            runner.run(compare(told, sizes, *moments))

        try:
            whatever_happens()
        finally:
            runner.run(owner.close())
            runner.run(db.close())
