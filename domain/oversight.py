"""Oversight: reports to the committee, the study's end, and the committee's own audits."""

from collections.abc import Iterable
from datetime import UTC, date
from enum import StrEnum
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, known, new
from domain.documents import Sha256
from domain.ethics import OpinionGiven
from domain.membership import Duty
from domain.vocabulary import (
    CORRESPONDENCE,
    AuditFindingId,
    AuditId,
    Heard,
    OpinionId,
    Phase,
    ReportId,
    ResearchEvent,
    Tag,
    Text,
    Title,
)


class ReportKind(StrEnum):
    """What a report to the committee is about."""

    ADVERSE_EVENT = "adverse_event"
    URGENT_SAFETY_MEASURE = "urgent_safety_measure"
    DEVIATION = "deviation"
    WITHDRAWALS = "withdrawals"
    PROGRESS = "progress"
    FINAL = "final"
    OTHER = "other"


class Severity(StrEnum):
    """How grave an audit's finding is."""

    ATTENTION = "attention"
    BREACH = "breach"


class ReportFiled(ResearchEvent):
    """A report was sent to the committee; when it happened is the day it was sent."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    report: ReportId
    kind: ReportKind
    # what it reports: adverse_event:ae-1, measure:m-1, deviation:d-1, participant:P-1
    about: Annotated[tuple[Tag, ...], Meta(max_length=200)] = ()
    sha256: Sha256 | None = None
    note: Annotated[Text | None, CORRESPONDENCE] = None

    @property
    def tags(self) -> list[str]:
        return list(dict.fromkeys([*super().tags, *self.about]))


class StudyEndDeclared(ResearchEvent):
    """The committee was told that the study has ended; the clocks run from the day it ended."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    opinion: OpinionId  # under which the study was done
    ended_on: date
    early: bool = False  # before what the protocol had planned
    why: Annotated[Text | None, CORRESPONDENCE] = None


class AuditOpened(ResearchEvent):
    """The committee began a monitoring visit or an audit of the study."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    audit: AuditId
    committee: Title
    note: Annotated[Text | None, CORRESPONDENCE] = None


class FindingRaised(ResearchEvent):
    """An audit found something that the study has to answer."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    audit: AuditId
    audit_finding: AuditFindingId
    severity: Severity
    question: Annotated[int, Meta(ge=1, le=20)] | None = None  # of the twenty
    # positions of the events that prove it
    positions: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], Meta(max_length=200)] = ()
    answer_by: date | None = None
    what: Annotated[Text | None, CORRESPONDENCE] = None


class FindingAnswered(ResearchEvent):
    """The study answered a finding: what was done so that it does not happen again."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    audit_finding: AuditFindingId
    accepted: bool  # whether the study accepts the finding
    answer: Annotated[Text | None, CORRESPONDENCE] = None


# What a report of this kind has to name, by the kind of its tag.
REPORTS_ON = {
    ReportKind.ADVERSE_EVENT: "adverse_event",
    ReportKind.URGENT_SAFETY_MEASURE: "measure",
    ReportKind.DEVIATION: "deviation",
    ReportKind.WITHDRAWALS: "participant",
}


class OnRecord(Condition):
    """Something other than a report is about this tag."""

    def __init__(self, tag: str, path: str) -> None:
        super().__init__(
            "subject_unknown",
            f"Nothing about {tag} is on record in this study; record it first, or check the kind "
            "and the identifier.",
            path,
        )
        self.tag = tag

    def selectors(self) -> list[Selector]:
        return [Selector(types=[], tags=[self.tag])]

    def hear(self, heard: Heard) -> None:
        if self.tag in heard.event.tags and not isinstance(heard.event, ReportFiled):
            self.decided_by = self.decided_by or heard

    def holds(self) -> bool:
        return self.decided_by is not None


class FileReport(Command[ReportFiled]):
    """Record that a report was sent to the committee; `occurredAt` is the day it was sent."""

    DUTY = Duty.APPLY

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("report", event.report, ReportFiled)
        if (kind := REPORTS_ON.get(event.kind)) is not None:
            yield Sensible(
                any(tag.startswith(f"{kind}:") for tag in event.about),
                "about_missing",
                f"Name what a report of kind {event.kind.value} is about, such as {kind}:x-1: "
                "the clock stops for what is named.",
                "about",
            )
        for n, tag in enumerate(event.about):
            yield OnRecord(tag, f"about.{n}")


class DeclareStudyEnd(Command[StudyEndDeclared]):
    """Record that the committee was told of the study's end, once for each opinion."""

    DUTY = Duty.APPLY

    def requires(self) -> Iterable[Condition]:
        event, day = self.event, self.occasion.occurred_at.astimezone(UTC).date()
        yield known("opinion", event.opinion, OpinionGiven)
        yield Stands(
            "opinion",
            event.opinion,
            {StudyEndDeclared: False},
            otherwise=True,
            code="end_declared",
            message=f"The end under opinion {event.opinion} has been declared already.",
        )
        yield Sensible(
            event.ended_on <= day,
            "end_in_the_future",
            f"endedOn {event.ended_on} is after {day}, the day on which it was declared; declare "
            "the end once it has come.",
            "endedOn",
        )


class OpenAudit(Command[AuditOpened]):
    """Begin a monitoring visit or an audit, on the committee's behalf."""

    DUTY = Duty.OVERSEE

    def requires(self) -> Iterable[Condition]:
        yield new("audit", self.event.audit, AuditOpened)


class RaiseFinding(Command[FindingRaised]):
    """Record what an audit found and the study has to answer, with the events that prove it."""

    DUTY = Duty.OVERSEE

    def requires(self) -> Iterable[Condition]:
        yield known("audit", self.event.audit, AuditOpened)
        yield new("audit_finding", self.event.audit_finding, FindingRaised, "auditFinding")


class AnswerFinding(Command[FindingAnswered]):
    """Answer what an audit found; a later answer adds to an earlier one."""

    DUTY = Duty.ANSWER

    def requires(self) -> Iterable[Condition]:
        yield known("audit_finding", self.event.audit_finding, FindingRaised, "auditFinding")
