"""Erasure: everything personal held of somebody is destroyed, and the record says so for ever."""

from collections.abc import Iterable

from eventsourcing.dcb.domain import Selector
from msgspec import structs

from domain.commands import Command, Refused
from domain.conditions import Condition, Reason, Sensible, Stands, known
from domain.erased_subjects import SubjectErased
from domain.membership import Duty, MemberJoined, MemberLeft, StudyOpened
from domain.people import ParticipantEnrolled, StakeholderEngaged
from domain.sharing import ArchiveDeposited, AuthorshipAgreed, QuotationReleased
from domain.vocabulary import Heard, ResearchEvent

WENT_OUT: tuple[type[ResearchEvent], ...] = (QuotationReleased, AuthorshipAgreed, ArchiveDeposited)


OWN_ERASURE = Reason(
    code="own_erasure",
    message="This would erase you, who record it; ask another data steward to do it.",
    path="participant",
)


class NotErased(Condition):
    """Nobody erased them before."""

    def __init__(self, kind: str, subject: str) -> None:
        super().__init__(
            "subject_erased", f"{kind}:{subject} is erased already; there is nothing to do.", kind
        )
        self.kind, self.subject = kind, subject

    def selectors(self) -> list[Selector]:
        return [Selector(types=[SubjectErased], tags=[f"{self.kind}:{self.subject}"])]

    def hear(self, heard: Heard) -> None:
        event = heard.event
        if isinstance(event, SubjectErased) and f"{self.kind}:{self.subject}" in event.subjects:
            self.decided_by = heard

    def holds(self) -> bool:
        return self.decided_by is None


class HeldBesides(Condition):
    """Listens for what else is theirs: a participant's accounts, and what went out of the study."""

    def __init__(self, kind: str, subject: str) -> None:
        super().__init__("", "")
        self.kind, self.subject = kind, subject
        self.members: dict[str, None] = {}
        self.out_of_reach: dict[str, None] = {}

    def selectors(self) -> list[Selector]:
        return [Selector(types=[MemberJoined, *WENT_OUT], tags=[f"{self.kind}:{self.subject}"])]

    def hear(self, heard: Heard) -> None:
        event = heard.event
        if f"{self.kind}:{self.subject}" not in event.tags:
            return
        match event:
            case MemberJoined(member=member, participant=self.subject):
                self.members[member] = None
            case QuotationReleased(quotation=quotation):
                self.out_of_reach[f"quotation:{quotation}"] = None
            case AuthorshipAgreed() | ArchiveDeposited():  # neither has an identifier of its own
                self.out_of_reach[f"event:{heard.position}"] = None

    def holds(self) -> bool:
        return True


class EraseSubject(Command[SubjectErased]):
    """Destroy everything personal that is held of somebody in this study, for good.

    Their keys, and every sealed field that is about them (also where it is about others too), go
    before this is answered. The record still verifies, tallies stand, and pseudonyms remain. Say
    who: a participant, a stakeholder, or a member who has left. The answer's event lists what was
    published before and cannot be reached.
    """

    DUTY = Duty.ERASE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        kinds: dict[str, type[ResearchEvent]] = {
            "participant": ParticipantEnrolled,
            "member": MemberJoined,
            "stakeholder": StakeholderEngaged,
        }
        named = {kind: getattr(event, kind) for kind in kinds if getattr(event, kind) is not None}
        yield Sensible(
            len(named) == 1,
            "subject_unclear",
            "Say whose data is to be erased: one participant, one member or one stakeholder.",
            "participant",
        )
        for kind, subject in named.items():
            if kind == "member":
                yield has_left(subject)
            else:
                yield known(kind, subject, kinds[kind])
            yield NotErased(kind, subject)
            self.besides = HeldBesides(kind, subject)
            yield self.besides

    def decide(self) -> SubjectErased:
        if self.occasion.actor in self.besides.members:
            raise Refused([OWN_ERASURE])
        return structs.replace(
            self.event,
            members=tuple(self.besides.members) if self.event.participant else (),
            out_of_reach=tuple(self.besides.out_of_reach),
        )


def has_left(member: str) -> Stands:
    """They had a role in the study, and have none now."""
    return Stands(
        "member",
        member,
        {StudyOpened: False, MemberJoined: False, MemberLeft: True},
        code="member_not_left",
        message=f"{member} has a role in this study, or never had one; check the identifier, or "
        "record with leaveMember that they have left.",
    )
