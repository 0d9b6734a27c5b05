"""A study as an import may have left it: much that is in order, and what an audit has to find.

Whoever plants something says there, by hand, what the audit has to find: which question, about
what, proved by which events, from when until when. Nothing here is worked out by the code under
test. Events are written straight into the record, as its owner may, past every gate, each with the
moment at which it was recorded; positions follow those moments.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec
from msgspec import structs

from domain.consent import ConsentGiven
from domain.corrections import Corrected
from domain.documents import Document, DocumentKind
from domain.fieldwork import InterviewHeld, ObservationMade, PlaceKind
from domain.membership import MemberJoined, Role, StudyOpened
from domain.older_events import write_recorded
from domain.oversight import Severity
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import Channel, Envelope, ResearchEvent, tag_hash
from domain.workshops import WorkshopHeld
from service.appends import type_tag
from service.personal_texts import parts_of
from service.sealing.leaves import leaf
from tests.recording import draft

BREACH, ATTENTION = Severity.BREACH, Severity.ATTENTION
FORM_1, FORM_2, SHEET_1, SHEET_2 = "a1" * 32, "a2" * 32, "b1" * 32, "b2" * 32
PAST, FUTURE = (each.replace(tzinfo=UTC) for each in (datetime.min, datetime.max))
# What is asked of nearly everyone; observation is kept for those who are asked again about it.
USUAL = tuple(each for each in Permission if each is not Permission.OBSERVATION)


def moment(text: str) -> datetime:
    """An ISO day, at ten in the morning, or an ISO day and time; UTC."""
    at = datetime.fromisoformat(text)
    return (at if ":" in text else at.replace(hour=10)).replace(tzinfo=UTC)


@dataclass(eq=False)
class Line:
    """An event on the planted record; its position is known once all of it is told."""

    event: ResearchEvent
    occurred_at: datetime
    recorded_at: datetime
    by: str
    position: int = 0
    corrects: "Line | None" = None  # what a correction is of


class Finding(NamedTuple):
    """What the audit says, as far as it is compared."""

    question: int
    subject: str
    positions: tuple[int, ...]
    severity: Severity


@dataclass(frozen=True)
class Expected:
    """What a question has to find, once its events have happened and are known."""

    question: int
    subject: str | Line  # a tag, or the event itself
    lines: tuple[Line, ...]
    severity: Severity
    asked: tuple[datetime, datetime]  # about a moment from the one and before the other
    known: tuple[datetime, datetime]  # as known at a moment from the one and before the other

    def holds(self, at: datetime, as_known_at: datetime) -> bool:
        return (
            self.asked[0] <= at < self.asked[1]
            and self.known[0] <= as_known_at < self.known[1]
            and all(
                line.occurred_at <= at and line.recorded_at <= as_known_at for line in self.lines
            )
        )

    def finding(self) -> Finding:
        subject = self.subject
        name = f"event:{subject.position}" if isinstance(subject, Line) else subject
        positions = tuple(sorted(line.position for line in self.lines))
        return Finding(self.question, name, positions, self.severity)


@dataclass
class Planted:
    """A study's record while it is made up, with what an audit has to find in it."""

    study: str
    lines: list[Line] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    people: int = 0
    things: int = 0

    def tell(
        self, at: str | datetime, event: ResearchEvent, *, known: str = "", by: str = "bo"
    ) -> Line:
        """It happened then, and was recorded within the hour, or at the moment `known`."""
        occurred = moment(at) if isinstance(at, str) else at
        recorded = moment(known) if known else occurred + timedelta(minutes=30)
        line = Line(event, occurred, recorded, by)
        self.lines.append(line)
        return line

    def expect(
        self,
        question: int,
        subject: str | Line,
        *lines: Line,
        severity: Severity = BREACH,
        asked: tuple[str, str] = ("", ""),
        known: tuple[str, str] = ("", ""),
    ) -> None:
        """The question finds this; about moments in `asked`, as known at moments in `known`."""
        self.expected.append(
            Expected(question, subject, lines, severity, _between(*asked), _between(*known))
        )

    def expect_until(
        self,
        ended_by: Line | None,
        question: int,
        subject: str | Line,
        *lines: Line,
        severity: Severity = BREACH,
        since: datetime = PAST,
        until: datetime = FUTURE,
        known: datetime = PAST,
    ) -> None:
        """The question finds this until something is done about it, as far as that is known.

        Besides, only about moments from `since` and before `until`, as known from `known` on.
        """
        end = min(until, ended_by.occurred_at) if ended_by else until
        spans = [((since, end), (known, FUTURE))]
        if ended_by:
            spans.append(((max(since, end), until), (known, ended_by.recorded_at)))
        self.expected += [
            Expected(question, subject, lines, severity, asked, as_known)
            for asked, as_known in spans
        ]

    def late(self, line: Line) -> Line:
        """It was recorded more than a week after it happened, which question 17 finds."""
        self.expect(17, line, line, severity=ATTENTION)
        return line

    def correct(self, line: Line, at: str, **standing: Any) -> Line:
        """Something on that line was wrong."""
        corrected = Corrected(
            corrects=1, event_type=line.event.TOPIC, subject=line.event.tags[0],
            why="Misheard.", standing=standing, fields=tuple(standing),
            about=tuple(line.event.tags),
        )  # fmt: skip
        found = self.tell(at, corrected)
        found.corrects = line
        return found

    def findings(self, at: datetime, as_known_at: datetime) -> list[Finding]:
        """What has to be found about that moment, as known at the other; sorted."""
        return sorted(each.finding() for each in self.expected if each.holds(at, as_known_at))

    # What is told often.

    def name(self, kind: str) -> str:
        """A new identifier."""
        self.things += 1
        return f"{kind}-{self.things}"

    def enrol(self, at: str | datetime, *, known: str = "") -> str:
        """Somebody new takes part."""
        self.people += 1
        participant = f"P-{self.people:03}"
        self.tell(at, ParticipantEnrolled(participant=participant, group="A"), known=known)
        return participant

    def consent(
        self,
        at: str | datetime,
        participant: str,
        *permissions: Permission,
        known: str = "",
        by: str = "bo",
        **said: Any,
    ) -> Line:
        """They agree to these permissions, or to the usual ones, on a form in perfect order."""
        day = (moment(at) if isinstance(at, str) else at).date()
        second = day >= date(2024, 6, 1)  # since the modification that changed form and sheet
        form: dict[str, Any] = {
            "form_version": "2" if second else "1",
            "form_sha256": FORM_2 if second else FORM_1,
            "information_sheet_version": "2" if second else "1",
            "information_sheet_sha256": SHEET_2 if second else SHEET_1,
            "signed_on": day,
            "taken_by": "bo",
        }
        event = ConsentGiven(
            participant=participant, permissions=permissions or USUAL, **{**form, **said}
        )
        return self.tell(at, event, known=known, by=by)

    def newcomer(self, at: str, *permissions: Permission, **said: Any) -> str:
        """Somebody who is enrolled, and a quarter of an hour later agrees on a form in order."""
        participant = self.enrol(at)
        self.consent(moment(at) + timedelta(minutes=15), participant, *permissions, **said)
        return participant

    def workshop(
        self, at: str | datetime, *people: str, known: str = "", by: str = "bo", **held: Any
    ) -> Line:
        facts: dict[str, Any] = {"site": "hall", "facilitators": ("bo",), **held}
        event = WorkshopHeld(workshop=self.name("w"), cycle="c-1", participants=people, **facts)
        return self.tell(at, event, known=known, by=by)

    def interview(
        self, at: str | datetime, *people: str, known: str = "", by: str = "bo", **held: Any
    ) -> Line:
        facts: dict[str, Any] = {"site": "hall", "interviewers": ("bo",), **held}
        event = InterviewHeld(
            session=self.name("i"), cycle="c-1", participants=people, minutes=50,
            place=PlaceKind.COMMUNITY_VENUE, **facts,
        )  # fmt: skip
        return self.tell(at, event, known=known, by=by)

    def observation(
        self, at: str | datetime, *people: str, known: str = "", by: str = "bo", **held: Any
    ) -> Line:
        facts: dict[str, Any] = {"site": "hall", "observers": ("bo",), **held}
        event = ObservationMade(
            session=self.name("o"), cycle="c-1", participants=people, minutes=90,
            place=PlaceKind.PUBLIC_SPACE, **facts,
        )  # fmt: skip
        return self.tell(at, event, known=known, by=by)

    def open(self, at: str, *members: tuple[str, Role]) -> None:
        """The study is opened by `ana`, and the others join."""
        self.tell(
            at,
            StudyOpened(
                title="Planted", question="What is found?", setting="Made up", made_up=True,
                study=self.study, member="ana",
            ),
            by="ana",
        )  # fmt: skip
        for number, (member, role) in enumerate(members, 1):
            joined = MemberJoined(member=member, role=role)
            self.tell(moment(at) + timedelta(minutes=number), joined, by="ana")

    # Onto the record.

    def in_order(self) -> list[Line]:
        """Every line, in the order in which they were recorded, with the position it gets."""
        self.lines.sort(key=lambda line: line.recorded_at)
        for position, line in enumerate(self.lines, 1):
            line.position = position
        for line in self.lines:
            if line.corrects:
                line.event = structs.replace(line.event, corrects=line.corrects.position)
        return self.lines


def over(due: str) -> datetime:
    """The first moment after the last day."""
    return moment(f"{due} 00:00") + timedelta(days=1)


def approved_documents(second: bool = False) -> tuple[Document, Document]:
    """Form and sheet as the committee approved them: the first versions, or the second."""
    form, sheet = (FORM_2, SHEET_2) if second else (FORM_1, SHEET_1)
    version = "2" if second else "1"
    return (
        Document(kind=DocumentKind.CONSENT_FORM, version=version, sha256=form),
        Document(kind=DocumentKind.INFORMATION_SHEET, version=version, sha256=sheet),
    )


async def write_lines(owner: asyncpg.Connection, study: str, lines: Sequence[Line]) -> None:
    """Put rows on the record, as the recorder leaves them; `owner` is connected as its owner."""
    events, tags, parts = [], [], []
    for line in lines:
        event, position = line.event, line.position
        payload, personal = write_recorded(event)
        envelope = Envelope(role="researcher", phase=event.PHASE, channel=Channel.IMPORT)
        made = draft(
            event.TOPIC, *event.tags, schema=event.SCHEMA, actor=line.by, at=line.occurred_at,
            envelope=msgspec.json.encode(envelope), payload=payload,
            personal=parts_of(event, personal, line.by, None), study=study,
        )  # fmt: skip
        events.append(
            (study, position, made.event_id, made.type, made.schema, line.by, made.occurred_at,
             line.recorded_at, made.tags, made.envelope, payload,
             [field.path for field in made.sealed] or None, made.salt,
             leaf(made.leaf, line.recorded_at))
        )  # fmt: skip
        tags += [
            (study, tag_hash(tag), position)
            for tag in dict.fromkeys([*event.tags, type_tag(event.TOPIC)])
        ]
        parts += [
            (study, position, field.path, field.subjects, field.blob) for field in made.sealed
        ]
    async with owner.transaction():
        await owner.executemany(
            "insert into record.event (study, position, event_id, type, schema, actor,"
            " occurred_at, recorded_at, tags, envelope, payload, sealed, salt, leaf)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            events,
        )
        await owner.executemany(
            "insert into record.event_tag values ($1, record.hash_in($1, $2), $3)", tags
        )
        await owner.executemany("insert into record.sealed_part values ($1, $2, $3, $4, $5)", parts)
        await owner.execute(
            "insert into record.study_head values ($1, $2, $3) on conflict (study) do update"
            " set position = excluded.position, recorded_at = excluded.recorded_at",
            study, lines[-1].position, lines[-1].recorded_at,
        )  # fmt: skip


def _between(start: str, end: str) -> tuple[datetime, datetime]:
    return (moment(start) if start else PAST, moment(end) if end else FUTURE)


def each_day(start: str, days: int, number: int) -> Iterable[datetime]:
    """So many moments, spread evenly over the days."""
    return (moment(start) + timedelta(days=days * n / number) for n in range(number))
