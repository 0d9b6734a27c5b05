"""People: participants and their groups, stakeholders, ground rules, and who holds the power."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta

from domain.approval import Approval
from domain.commands import Command
from domain.conditions import Condition, Sensible, all_known, known, new
from domain.cycles import CycleOpened
from domain.ethics import Activity
from domain.gates import DEVIATION, ApprovalStands, PersonApproved, Terms, approved
from domain.membership import Duty, Role, RoleHeld
from domain.vocabulary import (
    CycleId,
    GroupId,
    Heard,
    HeldKind,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    StakeholderId,
    Text,
    Title,
)


class StakeholderKind(StrEnum):
    """What a stakeholder is to the community."""

    COMMUNITY_GROUP = "community_group"
    SOCIAL_ENTERPRISE = "social_enterprise"
    CHARITY = "charity"
    FAITH_GROUP = "faith_group"
    HEALTH_SERVICE = "health_service"
    LOCAL_AUTHORITY = "local_authority"
    EDUCATION = "education"
    BUSINESS = "business"
    FUNDER = "funder"
    INDIVIDUAL = "individual"
    OTHER = "other"


class PowerScale(StrEnum):
    """Which scale of shared power is used.

    `iap2`: the Spectrum of Public Participation (International Association for Public
    Participation, 2018). `arnstein`: the ladder of citizen participation (Arnstein 1969).
    """

    IAP2 = "iap2"
    ARNSTEIN = "arnstein"


class PowerLevel(StrEnum):
    """How far people share in the decisions.

    From least to most: the five levels of the IAP2 spectrum (inform to empower), then the eight
    rungs of Arnstein's ladder (manipulation to citizen control).
    """

    INFORM = "inform"
    CONSULT = "consult"
    INVOLVE = "involve"
    COLLABORATE = "collaborate"
    EMPOWER = "empower"
    MANIPULATION = "manipulation"
    THERAPY = "therapy"
    INFORMING = "informing"
    CONSULTATION = "consultation"
    PLACATION = "placation"
    PARTNERSHIP = "partnership"
    DELEGATED_POWER = "delegated_power"
    CITIZEN_CONTROL = "citizen_control"


_ALL_LEVELS = tuple(PowerLevel)
LEVELS = {PowerScale.IAP2: _ALL_LEVELS[:5], PowerScale.ARNSTEIN: _ALL_LEVELS[5:]}  # least to most


class ParticipantEnrolled(ResearchEvent):
    """Somebody became a participant, under a pseudonym of this study."""

    PHASE: ClassVar = Phase.STUDY
    DECISIVE: ClassVar = True

    participant: ParticipantId
    group: GroupId | None = None
    constituency: Annotated[str, Meta(max_length=60)] | None = None  # for tallies: "women", "18-25"
    name: Annotated[Title | None, Personal("participant", searched=True)] = None
    contact: Annotated[Title | None, Personal("participant")] = None


class StakeholderEngaged(ResearchEvent):
    """Somebody with a stake in the question, mostly an organisation, was brought into the study."""

    PHASE: ClassVar = Phase.STUDY
    DECISIVE: ClassVar = True

    stakeholder: StakeholderId
    kind: StakeholderKind
    title: Title  # what it is called in public; for an individual, what they do, not their name
    interest: Title | None = None  # what is at stake for them
    contact_name: Annotated[Title | None, Personal("stakeholder", searched=True)] = None
    contact: Annotated[Title | None, Personal("stakeholder")] = None
    note: Annotated[Text | None, Personal("stakeholder")] = None


class GroundRulesAgreed(ResearchEvent):
    """People agreed how they will work together; later ground rules replace earlier ones."""

    PHASE: ClassVar = Phase.STUDY
    HELD: ClassVar = HeldKind.CONTRIBUTION

    rules: Annotated[tuple[Title, ...], Meta(min_length=1, max_length=100)]
    participants: Annotated[tuple[ParticipantId, ...], Meta(min_length=1, max_length=500)]
    groups: Annotated[tuple[GroupId, ...], Meta(max_length=50)] = ()
    note: Annotated[Text | None, Personal("participants")] = None


class PowerRated(ResearchEvent):
    """Somebody said how far the people of a cycle share in its decisions."""

    PHASE: ClassVar = Phase.STUDY
    HELD: ClassVar = HeldKind.CONTRIBUTION

    cycle: CycleId
    scale: PowerScale
    level: PowerLevel  # one of the scale's own levels
    rater_role: Role  # in whose position the rating was made: ratings differ by it
    participant: ParticipantId | None = None  # who rated, if it was a participant
    comment: Annotated[Text | None, Personal("participant")] = None


def enrolled(participants: tuple[str, ...], path: str = "participants") -> Iterable[Condition]:
    """Each of them is a participant of the study, and named once."""
    yield Sensible(
        len(set(participants)) == len(participants),
        "participant_twice",
        "A participant is named twice; name each once.",
        path,
    )
    yield from all_known("participant", participants, ParticipantEnrolled, path)


class WithinApprovedNumbers(Terms):
    """With one more, no more are enrolled than were approved, then and ever since.

    Who is recorded late counts before those who were enrolled after them.
    """

    def __init__(self, stands: ApprovalStands) -> None:
        super().__init__(stands, "participants_exceeded", "participant")
        self.enrolled: list[datetime] = []

    def selectors(self) -> list[Selector]:
        return [Selector(types=[ParticipantEnrolled], tags=[])]

    def hear(self, heard: Heard) -> None:
        if isinstance(heard.event, ParticipantEnrolled):
            self.enrolled.append(heard.occurred_at)

    def allowed_by(self, approval: Approval) -> bool:
        before = sorted(each for each in self.enrolled if each <= self.stands.at)
        since = sorted(each for each in self.enrolled if each > self.stands.at)
        for number, moment in enumerate((self.stands.at, *since), start=len(before) + 1):
            then = self.stands.approval_on(moment)
            if then and then.max_participants is not None and number > then.max_participants:
                self.message = (
                    f"Opinion {then.opinion} approves {then.max_participants} participants, and "
                    f"this would be number {number} on {moment.astimezone(UTC):%d %B %Y}; ask for "
                    f"a modification before anybody else is enrolled: {DEVIATION}."
                )
                return False
        return True


class EnrolParticipant(Command[ParticipantEnrolled]):
    """Take somebody into the study, under a pseudonym, once recruitment is approved."""

    DUTY = Duty.RECRUIT

    def requires(self) -> Iterable[Condition]:
        self.opinion = ApprovalStands(Activity.RECRUITMENT, self.occasion.occurred_at)
        yield new("participant", self.event.participant, ParticipantEnrolled)
        yield from approved(self.opinion)
        yield PersonApproved(self.opinion, self.occasion.actor)
        yield WithinApprovedNumbers(self.opinion)

    def approval(self) -> int | None:
        return self.opinion.decided_by.position if self.opinion.decided_by else None


class EngageStakeholder(Command[StakeholderEngaged]):
    """Bring somebody with a stake in the question into the study."""

    DUTY = Duty.RECRUIT

    def requires(self) -> Iterable[Condition]:
        yield new("stakeholder", self.event.stakeholder, StakeholderEngaged)


class AgreeGroundRules(Command[GroundRulesAgreed]):
    """Record how people agreed to work together."""

    DUTY = Duty.LEAD

    def requires(self) -> Iterable[Condition]:
        yield from enrolled(self.event.participants)


class RatesOwnRole(Condition):
    """A member who is a participant rates as one."""

    def __init__(self, role_held: RoleHeld, rater_role: Role) -> None:
        super().__init__(
            "not_your_role",
            f"You are a participant here; rate as one, not as a {rater_role.value}.",
            "raterRole",
        )
        self.role_held, self.rater_role = role_held, rater_role

    def selectors(self) -> list[Selector]:
        return []  # the role's own condition listens for it

    def hear(self, heard: Heard) -> None:
        """The role's own condition hears it."""

    def holds(self) -> bool:
        return self.rater_role is Role.PARTICIPANT or self.role_held.participant is None


class RatePower(Command[PowerRated]):
    """Rate how far the people of a cycle share in its decisions."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        levels = LEVELS[event.scale]
        yield known("cycle", event.cycle, CycleOpened)
        yield Sensible(
            event.level in levels,
            "level_off_scale",
            f"{event.level.value} is not a level of {event.scale.value}; "
            f"choose one of: {', '.join(level.value for level in levels)}.",
            "level",
        )
        yield RatesOwnRole(self.role_held, event.rater_role)
        yield Sensible(
            event.participant is None or event.rater_role is Role.PARTICIPANT,
            "participant_unexpected",
            "Name the participant only where the rating is a participant's.",
            "participant",
        )
        if event.participant is not None:
            yield known("participant", event.participant, ParticipantEnrolled)
            yield self.own_only(event.participant, "participant")
