"""Studies: opened by whoever leads them, and the people who join and leave."""

from collections.abc import Iterable

from msgspec import structs

from domain.commands import Command, Refused
from domain.conditions import Condition, Sensible, Stands, known, new
from domain.membership import Duty, MemberJoined, MemberLeft, Role, RoleHeld, StudyOpened
from domain.people import ParticipantEnrolled


class Opening(RoleHeld):
    """Nobody has a role in a study that is not there yet: whoever opens it will lead it."""

    def holds(self) -> bool:
        self.role = Role.LEAD_RESEARCHER
        return True


class OpenStudy(Command[StudyOpened]):
    """Begin a study; you become its lead researcher."""

    DUTY = Duty.OPEN_A_STUDY
    ROLE = Opening

    def requires(self) -> Iterable[Condition]:
        yield new("study", self.occasion.study, StudyOpened)

    def decide(self) -> StudyOpened:
        study, actor = self.occasion.study, self.occasion.actor
        return structs.replace(self.event, study=study, member=actor)


class JoinMember(Command[MemberJoined]):
    """Give somebody a role in the study, or another role than they had."""

    DUTY = Duty.LEAD

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield Sensible(
            (event.role is Role.PARTICIPANT) == (event.participant is not None),
            "participant_needed",
            "Say which participant this member is if their role is participant, and only then.",
            "participant",
        )
        if event.participant is not None:
            yield known("participant", event.participant, ParticipantEnrolled)
        yield Sensible(
            event.member != self.occasion.actor or event.role is Role.LEAD_RESEARCHER,
            "lead_needed",
            "You cannot give up your own lead; let another lead researcher change your role.",
            "role",
        )

    def decide(self) -> MemberJoined:
        """An account's name is its participant's too: of one who is erased, none is taken in."""
        event = self.event
        named = event.name is not None and event.participant is not None
        about = [("name", f"participant:{event.participant}")] if named else []
        if reasons := self.erased.reasons(about):
            raise Refused(reasons)
        return event


class LeaveMember(Command[MemberLeft]):
    """End somebody's role in the study."""

    DUTY = Duty.LEAD

    def requires(self) -> Iterable[Condition]:
        yield Stands(
            "member",
            self.event.member,
            {StudyOpened: True, MemberJoined: True, MemberLeft: False},
            code="member_unknown",
            message=f"{self.event.member} has no role in this study; check the identifier.",
        )
        yield Sensible(
            self.event.member != self.occasion.actor,
            "lead_needed",
            "You cannot leave a study that you lead; let another lead researcher end your role.",
            "member",
        )
