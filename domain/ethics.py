"""Ethics review: what was applied for, the committee's opinion, its conditions, its suspension."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, known, new
from domain.documents import Document
from domain.membership import Duty
from domain.vocabulary import (
    CORRESPONDENCE,
    ApplicationId,
    Count,
    Heard,
    MemberId,
    OpinionId,
    Phase,
    ResearchEvent,
    SiteId,
    Text,
    Title,
)


class Activity(StrEnum):
    """What an opinion can approve."""

    RECRUITMENT = "recruitment"
    WORKSHOP = "workshop"
    INTERVIEW = "interview"
    FOCUS_GROUP = "focus_group"
    OBSERVATION = "observation"
    RECORDING = "recording"


class Outcome(StrEnum):
    """What the committee decided."""

    FAVOURABLE = "favourable"
    FAVOURABLE_WITH_CONDITIONS = "favourable_with_conditions"
    UNFAVOURABLE = "unfavourable"


Personnel = Annotated[tuple[MemberId, ...], Meta(max_length=200)]
Sites = Annotated[tuple[SiteId, ...], Meta(max_length=200)]
Documents = Annotated[tuple[Document, ...], Meta(max_length=100)]


class ApplicationSubmitted(ResearchEvent):
    """An application for ethical review was sent to the committee, with its documents."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    application: ApplicationId
    committee: Title
    documents: Documents = ()
    activities: tuple[Activity, ...] = ()
    personnel: Personnel = ()
    sites: Sites = ()
    max_participants: Count | None = None
    note: Annotated[Text | None, CORRESPONDENCE] = None


class OpinionGiven(ResearchEvent):
    """A research ethics committee gave its opinion; a later opinion replaces an earlier one."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True
    SCHEMA: ClassVar = 2

    opinion: OpinionId
    committee: Title
    outcome: Outcome
    activities: tuple[Activity, ...]
    valid_from: date
    valid_to: date  # the last day on which it is in force
    max_participants: Count | None = None
    conditions: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()  # numbered from 1
    application: ApplicationId | None = None
    personnel: Personnel = ()  # who may recruit, take consent and capture; none named: any member
    sites: Sites = ()  # where; none named: anywhere
    documents: Documents = ()  # the versions approved; none of a kind named: any
    recognised_for_mca: bool = False  # by the appropriate body (Mental Capacity Act 2005 s. 30)
    note: Annotated[Text | None, CORRESPONDENCE] = None


class ConditionDischarged(ResearchEvent):
    """A condition of a favourable opinion has been met, to the committee's satisfaction."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    opinion: OpinionId
    number: Annotated[int, Meta(ge=1, le=50)]  # of the condition, counted from 1
    document: Document | None = None  # what shows it
    note: Annotated[Text | None, CORRESPONDENCE] = None


class ApprovalSuspended(ResearchEvent):
    """The committee, or the sponsor, stopped what an opinion had approved."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    opinion: OpinionId
    why: Annotated[Text | None, CORRESPONDENCE] = None


class ApprovalReinstated(ResearchEvent):
    """What was suspended is approved again."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    opinion: OpinionId
    why: Annotated[Text | None, CORRESPONDENCE] = None


class ConditionDue(Condition):
    """The opinion has a condition of that number, and it has not been discharged yet."""

    def __init__(self, opinion: OpinionId, number: int) -> None:
        super().__init__("condition_unknown", "", "number")
        self.opinion, self.number = opinion, number
        self.conditions = 0
        self.discharged: Heard | None = None

    def selectors(self) -> list[Selector]:
        types: list[type[ResearchEvent]] = [OpinionGiven, ConditionDischarged]
        return [Selector(types=types, tags=[f"opinion:{self.opinion}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case OpinionGiven(opinion=self.opinion, conditions=conditions):
                self.conditions, self.decided_by = len(conditions), heard
            case ConditionDischarged(opinion=self.opinion, number=self.number):
                self.discharged = heard

    def holds(self) -> bool:
        if self.discharged:
            self.code, self.decided_by = "condition_discharged", self.discharged
            self.message = (
                f"Condition {self.number} of opinion {self.opinion} was discharged on "
                f"{self.discharged.occurred_at:%d %B %Y} already."
            )
            return False
        self.message = (
            f"Opinion {self.opinion} has {self.conditions} conditions, and so no condition "
            f"{self.number}; count them from 1."
        )
        return self.decided_by is None or self.number <= self.conditions


class SubmitApplication(Command[ApplicationSubmitted]):
    """Record that the study applied for ethical review, with the documents sent."""

    DUTY = Duty.APPLY

    def requires(self) -> Iterable[Condition]:
        yield new("application", self.event.application, ApplicationSubmitted)


class GiveOpinion(Command[OpinionGiven]):
    """Record the opinion of the research ethics committee: what it approves, and on which terms."""

    DUTY = Duty.DECIDE_ETHICS

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("opinion", event.opinion, OpinionGiven)
        if event.application is not None:
            yield known("application", event.application, ApplicationSubmitted)
        yield Sensible(
            event.valid_from <= event.valid_to,
            "dates_reversed",
            "validTo is before validFrom; exchange them.",
            "validTo",
        )
        yield Sensible(
            event.outcome is Outcome.UNFAVOURABLE or bool(event.activities),
            "activities_missing",
            "Say which activities the opinion approves.",
            "activities",
        )


class DischargeCondition(Command[ConditionDischarged]):
    """Record that a condition of the opinion has been met."""

    DUTY = Duty.DECIDE_ETHICS

    def requires(self) -> Iterable[Condition]:
        yield known("opinion", self.event.opinion, OpinionGiven)
        yield ConditionDue(self.event.opinion, self.event.number)


class SuspendApproval(Command[ApprovalSuspended]):
    """Stop what an opinion had approved: nobody is recruited, asked or captured under it."""

    DUTY = Duty.DECIDE_ETHICS

    def requires(self) -> Iterable[Condition]:
        opinion = self.event.opinion
        yield known("opinion", opinion, OpinionGiven)
        yield Stands(
            "opinion",
            opinion,
            {ApprovalSuspended: False, ApprovalReinstated: True},
            at=self.occasion.occurred_at,
            otherwise=True,
            code="approval_suspended",
            message=f"Opinion {opinion} is suspended already; it stays so until it is reinstated.",
        )


class ReinstateApproval(Command[ApprovalReinstated]):
    """Approve again what was suspended."""

    DUTY = Duty.DECIDE_ETHICS

    def requires(self) -> Iterable[Condition]:
        opinion = self.event.opinion
        yield known("opinion", opinion, OpinionGiven)
        yield Stands(
            "opinion",
            opinion,
            {ApprovalSuspended: True, ApprovalReinstated: False},
            at=self.occasion.occurred_at,
            code="approval_not_suspended",
            message=f"Opinion {opinion} was not suspended then; check the opinion and occurredAt.",
        )
