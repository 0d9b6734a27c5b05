"""Captures: research that takes something from people, and so needs their consent and approval."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from domain.commands import Command, E
from domain.conditions import Condition, Sensible, all_known
from domain.consent_gates import ConsentStands
from domain.ethics import Activity
from domain.gates import ActorApproved, ApprovalStands, PersonApproved, SiteApproved, approved
from domain.people import ParticipantEnrolled


class Capture(Command[E]):
    """A command that is recorded only if approval and everyone's consent stand at that time.

    A subclass says which activity the committee must have approved and which field names those who
    held it, and yields `covered(participants)` among its conditions; which permissions each
    participant must have given, the event says. Where it names a site, that is approved too.
    """

    ACTIVITY: ClassVar[Activity]
    HELD_BY: ClassVar[str | None] = None  # nobody named in that field: the actor held it

    opinion: ApprovalStands | None = None  # until `covered` looks for one
    standing: Sequence[ConsentStands] = ()

    def covered(
        self, participants: tuple[str, ...], path: str = "participants"
    ) -> Iterable[Condition]:
        """Everyone is enrolled, named once, and consents; the committee approved what was done."""
        at = self.occasion.occurred_at
        self.opinion = ApprovalStands(self.ACTIVITY, at)
        self.standing = [
            ConsentStands(participant, permission, at, f"{path}.{n}")
            for n, participant in enumerate(participants)
            for permission in self.event.permissions_needed
        ]
        yield Sensible(
            len(set(participants)) == len(participants),
            "participant_twice",
            "A participant is named twice; name each once.",
            path,
        )
        yield from all_known("participant", participants, ParticipantEnrolled, path)
        yield from approved(self.opinion)
        held_by = getattr(self.event, self.HELD_BY) if self.HELD_BY else ()
        for n, member in enumerate(held_by):
            yield PersonApproved(self.opinion, member, f"{self.HELD_BY}.{n}")
        if not held_by:
            yield ActorApproved(self.opinion, self.role_held, self.HELD_BY or "")
        if "site" in self.event.__struct_fields__:
            yield SiteApproved(self.opinion, getattr(self.event, "site", None))
        yield from self.standing

    def approval(self) -> int | None:
        heard = self.opinion.decided_by if self.opinion else None
        return heard.position if heard else None

    def consents(self) -> tuple[int, ...]:
        return tuple(sorted({c.decided_by.position for c in self.standing if c.decided_by}))
