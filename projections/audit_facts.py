"""What the ethics audit knows of a study: the events that later answers rest on, by what they
bear on, as they stood on record at any position.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, reduce
from typing import NamedTuple

from domain.approval import APPROVING, FAVOURABLE, Approval, approval_after
from domain.consent_states import Standing, Turn, standings, touches, turn_of, turning_types
from domain.ethics import Activity, ConditionDischarged, OpinionGiven
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade
from domain.membership import MemberJoined, MemberLeft, Role, StudyOpened
from domain.modifications import ModificationDecided
from domain.oversight import (
    FindingAnswered,
    FindingRaised,
    ReportFiled,
    ReportKind,
    Severity,
    StudyEndDeclared,
)
from domain.permissions import Permission
from domain.policy_packs import PolicyAdopted, PolicyPack, policy_pack, policy_packs
from domain.recordings import MediaCaptured, TranscriptMade
from domain.safety import AdverseEventReported, DeviationReported, UrgentSafetyMeasureTaken
from domain.vocabulary import Heard, ResearchEvent
from domain.withdrawal import DispositionCompleted, DispositionPlanned
from domain.workshops import WorkshopHeld

STUDY = "study"  # what bears on everybody
ALWAYS = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)

# Research that takes something from people, with the activity to be approved and who held it.
CAPTURES: dict[type[ResearchEvent], tuple[Activity, str | None]] = {
    WorkshopHeld: (Activity.WORKSHOP, "facilitators"),
    InterviewHeld: (Activity.INTERVIEW, "interviewers"),
    FocusGroupHeld: (Activity.FOCUS_GROUP, "moderators"),
    ObservationMade: (Activity.OBSERVATION, "observers"),
    MediaCaptured: (Activity.RECORDING, None),
    TranscriptMade: (Activity.RECORDING, None),
}
RULINGS = (*APPROVING, ConditionDischarged, PolicyAdopted, StudyEndDeclared)
MEMBERSHIP = (StudyOpened, MemberJoined, MemberLeft)
CLOCKED: dict[type[ResearchEvent], str] = {
    AdverseEventReported: "adverse_event",
    UrgentSafetyMeasureTaken: "measure",
    DeviationReported: "deviation",
}
OF_THE_STUDY = (ReportKind.FINAL, ReportKind.PROGRESS)


class Found(NamedTuple):
    """A finding as it counts from one moment of the field's time until another."""

    question: int  # 0: it asks for attention, though none of the twenty asks for it
    severity: Severity
    code: str
    message: str
    subject: str
    positions: tuple[int, ...]
    at_from: datetime
    at_to: datetime = FOREVER
    due: date | None = None


def bears_on(event: ResearchEvent) -> tuple[str, ...]:
    """On what later answers will rest on this event: tags, or the study; nothing: on none."""
    kind = type(event)
    if kind in _turning():
        return (f"participant:{getattr(event, 'participant')}",)  # noqa: B009
    if isinstance(event, RULINGS):
        return (STUDY,)
    if isinstance(event, MEMBERSHIP):
        return (f"member:{event.member}",)
    if isinstance(event, DispositionPlanned | DispositionCompleted):
        return (f"participant:{event.participant}",)
    if isinstance(event, ReportFiled):
        return (*event.about, STUDY) if event.kind in OF_THE_STUDY else event.about
    if kind in CLOCKED:
        return (f"{CLOCKED[kind]}:{getattr(event, CLOCKED[kind])}",)
    if isinstance(event, FindingRaised | FindingAnswered):
        return (f"audit_finding:{event.audit_finding}",)
    return ()


@cache
def _turning() -> frozenset[type[ResearchEvent]]:
    return frozenset(turning_types())


def utc(day: date) -> datetime:
    """The day's first moment."""
    return datetime.combine(day, time(), UTC)


def after(day: date) -> datetime:
    """The first moment that is no longer in time, where that day is the last."""
    return utc(day) + timedelta(days=1)


def day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()


def words_of(day: date | datetime) -> str:
    return f"{day_of(day) if isinstance(day, datetime) else day:%d %B %Y}"


class Facts:
    """The events that bear on some subjects, as known once so many positions were on record.

    Every question takes `known`: the last position that counts.
    """

    def __init__(self, told: dict[str, list[Heard]]) -> None:
        self._told = told  # by subject, in order of position
        self._positions = {
            subject: [heard.position for heard in those] for subject, those in told.items()
        }
        self._turns: dict[str, list[tuple[Turn, frozenset[Permission]]]] = {}
        self._timelines: dict[
            tuple[str, Permission, int, int], tuple[list[Turn], list[Standing]]
        ] = {}
        ruled = told.get(STUDY, [])
        self._rulings = [heard for heard in ruled if isinstance(heard.event, APPROVING)]
        self._ruled_at = [heard.position for heard in self._rulings]
        self._reconsent = [
            (turn_of(heard), frozenset(touches(heard.event)))
            for heard in self._rulings
            if isinstance(heard.event, ModificationDecided) and touches(heard.event)
        ]
        self._adopted = [heard for heard in ruled if isinstance(heard.event, PolicyAdopted)]
        self._approvals: dict[tuple[int, int], Approval | None] = {}
        self._ordered: dict[int, list[Heard]] = {}

    def told(self, subject: str, known: int) -> Sequence[Heard]:
        """Everything that bears on the subject, in the order of the record."""
        those = self._told.get(subject, [])
        if not those or those[-1].position <= known:
            return those
        return those[: bisect_right(self._positions[subject], known)]

    def turns(self, participant: str, known: int) -> list[Heard]:
        """The participant's events about consent, in the order of the record."""
        told = self.told(f"participant:{participant}", known)
        return [heard for heard in told if type(heard.event) in _turning()]

    def reconsents(self, known: int) -> bool:
        """Whether a modification asks for anybody's consent anew."""
        return bool(self._reconsent) and self._reconsent[0][0].position <= known

    def timeline(
        self, participant: str, permission: Permission, known: int
    ) -> tuple[list[Turn], list[Standing]]:
        """What turned the permission, in order, and where it stood before and after each."""
        subject = f"participant:{participant}"
        turns = self._turns.get(subject)
        if turns is None:
            turns = self._turns[subject] = [
                (turn_of(heard), frozenset(touches(heard.event)))
                for heard in self._told.get(subject, [])
                if type(heard.event) in _turning()
            ]
        n = sum(turn.position <= known for turn, _ in turns)
        m = sum(turn.position <= known for turn, _ in self._reconsent)
        key = (subject, permission, n, m)
        found = self._timelines.get(key)
        if found is None:
            those = [*turns[:n], *self._reconsent[:m]]
            counts = sorted(turn for turn, touched in those if permission in touched)
            found = self._timelines[key] = (counts, standings(counts))
        return found

    def standing(
        self, participant: str, permission: Permission, at: datetime, known: int
    ) -> Standing:
        """Where the permission stood at that moment."""
        turns, stood = self.timeline(participant, permission, known)
        n = sum(turn.occurred_at <= at for turn in turns)
        return stood[n].on(day_of(at)) if n else stood[0]

    def rulings(self, known: int) -> list[Heard]:
        """What makes the approval, in the field's order."""
        n = bisect_right(self._ruled_at, known)
        if n not in self._ordered:
            self._ordered[n] = sorted(self._rulings[:n], key=in_the_field)
        return self._ordered[n]

    def approval(self, at: datetime, known: int) -> Approval | None:
        """The approval at that moment."""
        ruled = self.rulings(known)
        n = bisect_right(ruled, at, key=lambda heard: heard.occurred_at)
        key = (len(ruled), n)
        if key not in self._approvals:
            start = next(
                (i for i in range(n - 1, -1, -1) if isinstance(ruled[i].event, OpinionGiven)), n
            )
            self._approvals[key] = reduce(approval_after, ruled[start:n], None)
        return self._approvals[key]

    def favourable(self, at: datetime, known: int) -> Approval | None:
        """The approval at that moment, if it is a favourable one."""
        approval = self.approval(at, known)
        return approval if approval and approval.favourable else None

    def opinions(self, known: int) -> list[Heard]:
        """The favourable opinions, in the field's order."""
        return [
            heard
            for heard in self.rulings(known)
            if isinstance(heard.event, OpinionGiven) and heard.event.outcome in FAVOURABLE
        ]

    def pack(self, at: datetime, known: int) -> PolicyPack:
        """The policy pack by which the study went then."""
        last = max(
            (h for h in self._adopted if h.position <= known and h.occurred_at <= at),
            key=in_the_field,
            default=None,
        )
        match last:
            case Heard(event=PolicyAdopted(pack=name)) if name in policy_packs():
                return policy_pack(name)
        return policy_pack()

    def adoptions(self, known: int) -> list[Heard]:
        """The policy packs that were adopted, in the field's order."""
        return sorted((h for h in self._adopted if h.position <= known), key=in_the_field)

    def role(self, member: str, at: datetime, known: int) -> Role | None:
        """The member's role at that moment."""
        told = (h for h in self.told(f"member:{member}", known) if h.occurred_at <= at)
        match max(told, key=in_the_field, default=None):
            case Heard(event=StudyOpened()):
                return Role.LEAD_RESEARCHER
            case Heard(event=MemberJoined(role=role)):
                return role
        return None


def in_the_field(heard: Heard) -> tuple[datetime, int]:
    """Orders events by when they happened; at one moment, by the record."""
    return heard.occurred_at, heard.position


def by_subject(told: Iterable[tuple[str, Heard]]) -> dict[str, list[Heard]]:
    """Events by what they bear on, in the order given."""
    found: dict[str, list[Heard]] = defaultdict(list)
    for subject, heard in told:
        found[subject].append(heard)
    return found
