"""Who belongs to a study, in which role, and what each role may do."""

from enum import StrEnum
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector

from domain.conditions import Condition
from domain.vocabulary import (
    Derived,
    Heard,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    StudyId,
    Text,
    Title,
)


class Role(StrEnum):
    """What somebody is in a study; it stands in the study's record, not in their token."""

    LEAD_RESEARCHER = "lead_researcher"
    RESEARCHER = "researcher"
    CO_RESEARCHER = "co_researcher"
    FACILITATOR = "facilitator"
    ETHICS_REVIEWER = "ethics_reviewer"
    DATA_STEWARD = "data_steward"
    VIEWER = "viewer"
    PARTICIPANT = "participant"


class Duty(StrEnum):
    """A kind of work in a study; every command belongs to one."""

    OPEN_A_STUDY = "open a study"
    LEAD = "lead: members, cycles, ground rules, closing"
    RECRUIT = "enrol participants and engage stakeholders"
    DECIDE_ETHICS = "record the committee's decisions"
    APPLY = "apply and report to the committee"
    OVERSEE = "audit the study on the committee's behalf"
    ANSWER = "answer what an audit found"
    REPORT_SAFETY = "report adverse events, deviations and worries for somebody"
    COMPLAIN = "record a complaint"
    TAKE_CONSENT = "ask for and record consent"
    WITHDRAW = "withdraw consent"
    DISPOSE = "decide and do what becomes of data held of those who withdrew"
    ERASE = "erase what is held of somebody"
    VOTE = "cast a ballot"
    DELIBERATE = "state concerns, propose, rate, dissent, reflect, tell stories"
    PLAN = "hold ballots, adopt priorities, plan actions"
    FIELDWORK = "log workshops, interviews, observations, actions"
    SHARE = "validate and share findings"
    CORRECT = "correct what was recorded"
    READ = "read the study"
    AUDIT = "read who consented to what, who took part, and the audit trail"
    READ_PERSONAL = "read personal data"
    READ_CORRESPONDENCE = "read what the study and its committee write to each other"


_L, _R, _C, _F = Role.LEAD_RESEARCHER, Role.RESEARCHER, Role.CO_RESEARCHER, Role.FACILITATOR
_E, _S, _V, _P = Role.ETHICS_REVIEWER, Role.DATA_STEWARD, Role.VIEWER, Role.PARTICIPANT

MAY: dict[Duty, frozenset[Role]] = {
    Duty.OPEN_A_STUDY: frozenset(),  # anyone with a token may: nobody has a role in it yet
    Duty.LEAD: frozenset({_L}),
    Duty.RECRUIT: frozenset({_L, _R, _C, _F}),
    Duty.DECIDE_ETHICS: frozenset({_L, _E}),
    Duty.APPLY: frozenset({_L, _R, _S}),
    Duty.OVERSEE: frozenset({_E}),
    Duty.ANSWER: frozenset({_L}),
    Duty.REPORT_SAFETY: frozenset({_L, _R, _C, _F, _E, _S}),
    Duty.COMPLAIN: frozenset({_L, _R, _C, _F, _E, _S, _V, _P}),
    Duty.TAKE_CONSENT: frozenset({_L, _R, _C, _F}),
    Duty.WITHDRAW: frozenset({_L, _R, _C, _F, _E, _S, _V, _P}),
    Duty.DISPOSE: frozenset({_L, _R, _S}),
    Duty.ERASE: frozenset({_S}),
    Duty.VOTE: frozenset({_L, _R, _C, _F, _P}),
    Duty.DELIBERATE: frozenset({_L, _R, _C, _F, _P}),
    Duty.PLAN: frozenset({_L, _R, _C}),
    Duty.FIELDWORK: frozenset({_L, _R, _C, _F}),
    Duty.SHARE: frozenset({_L, _R, _C}),
    Duty.CORRECT: frozenset({_L, _R, _C, _F, _S}),
    Duty.READ: frozenset({_L, _R, _C, _F, _E, _S, _V, _P}),
    Duty.AUDIT: frozenset({_L, _R, _C, _F, _E, _S}),
    Duty.READ_PERSONAL: frozenset({_L, _R, _C, _F, _S}),
    Duty.READ_CORRESPONDENCE: frozenset({_L, _R, _C, _F, _E, _S}),
}


def may_read(role: Role | None, text: Personal) -> bool:
    """Whether personal texts that are marked so are shown to somebody in this role."""
    duty = Duty.READ_CORRESPONDENCE if text.correspondence else Duty.READ_PERSONAL
    return role in MAY[duty]


class StudyOpened(ResearchEvent):
    """A study began; whoever opened it leads it."""

    PHASE: ClassVar = Phase.STUDY
    DECISIVE: ClassVar = True

    title: Title
    question: Text  # what the community and the researchers set out to find
    setting: Text  # the place and the people
    made_up: bool = False  # a demonstration: its people, dates and numbers are invented
    study: Annotated[StudyId, Derived()] = ""
    member: Annotated[MemberId, Derived()] = ""  # the lead researcher: whoever opened it


class MemberJoined(ResearchEvent):
    """Somebody took up a role in the study, or changed to another."""

    PHASE: ClassVar = Phase.STUDY
    DECISIVE: ClassVar = True

    member: MemberId
    role: Role
    participant: ParticipantId | None = None  # who they are, for the role of participant
    name: Annotated[Title | None, Personal("member", searched=True)] = None
    approved_personnel: bool = False  # named on the ethics application as taking consent or data


class MemberLeft(ResearchEvent):
    """Somebody left the study; their role ended."""

    PHASE: ClassVar = Phase.STUDY
    DECISIVE: ClassVar = True

    member: MemberId


class RoleHeld(Condition):
    """The member has a role in the study, and the role may do this."""

    def __init__(self, member: str, duty: Duty) -> None:
        super().__init__("role_insufficient", "")
        self.member, self.duty = member, duty
        self.role: Role | None = None
        self.participant: str | None = None

    def selectors(self) -> list[Selector]:
        types: list[type[ResearchEvent]] = [StudyOpened, MemberJoined, MemberLeft]
        return [Selector(types=types, tags=[f"member:{self.member}"])]

    def hear(self, heard: Heard) -> None:
        match heard.event:
            case StudyOpened(member=self.member):
                self.role = Role.LEAD_RESEARCHER
            case MemberJoined(member=self.member, role=role, participant=participant):
                self.role, self.participant = role, participant
            case MemberLeft(member=self.member):
                self.role = self.participant = None
            case _:
                return
        self.decided_by = heard

    def holds(self) -> bool:
        if self.role is None:  # the study's existence is not given away
            self.code, self.path = "study_unknown", "study"
            self.message = "No such study, or you have no role in it; check the study's identifier."
            self.decided_by = None
            return False
        if self.role in MAY[self.duty]:
            return True
        others = ", ".join(sorted(role.value for role in MAY[self.duty]))
        self.message = f"A {self.role.value} may not {self.duty.value}; ask one of: {others}."
        return False
