"""Oversight: reports to the committee, the study's end, and the committee's own audits."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.documents import Sha256
from domain.vocabulary import (
    AuditFindingId,
    AuditId,
    OpinionId,
    Personal,
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
    # what it reports: adverse_event:ae-1, measure:m-1, deviation:d-1, participant:P-1 ...
    about: Annotated[tuple[Tag, ...], Meta(max_length=200)] = ()
    sha256: Sha256 | None = None
    note: Annotated[Text | None, Personal("actor")] = None

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
    why: Annotated[Text | None, Personal("actor")] = None


class AuditOpened(ResearchEvent):
    """The committee began a monitoring visit or an audit of the study."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    audit: AuditId
    committee: Title
    note: Annotated[Text | None, Personal("actor")] = None


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
    what: Annotated[Text | None, Personal("actor")] = None


class FindingAnswered(ResearchEvent):
    """The study answered a finding: what was done so that it does not happen again."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    audit_finding: AuditFindingId
    accepted: bool  # whether the study accepts the finding
    answer: Annotated[Text | None, Personal("actor")] = None
