"""Erased subjects: people whose personal data is gone from a study, and nothing new is taken in."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, ClassVar

from eventsourcing.dcb.domain import Selector
from msgspec import Meta

from domain.conditions import Condition, Reason
from domain.vocabulary import (
    Derived,
    Heard,
    MemberId,
    ParticipantId,
    Phase,
    ResearchEvent,
    StakeholderId,
    Tag,
    in_camel_case,
)


class ErasureGround(StrEnum):
    """Why somebody may ask for erasure (GDPR art. 17(1)(a)-(e))."""

    NO_LONGER_NEEDED = "no_longer_needed"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    LEGAL_OBLIGATION = "legal_obligation"


class SubjectErased(ResearchEvent):
    """Everything personal held of somebody in this study was destroyed; pseudonyms remain."""

    PHASE: ClassVar = Phase.CONSENT
    DECISIVE: ClassVar = True

    ground: ErasureGround
    participant: ParticipantId | None = None
    member: MemberId | None = None  # somebody of the team, who has left
    stakeholder: StakeholderId | None = None
    members: Annotated[tuple[MemberId, ...], Derived()] = ()  # the participant's own accounts
    # what went out of the study before, and cannot be called back: quotation:q-1 …
    out_of_reach: Annotated[tuple[Tag, ...], Meta(max_length=10_000), Derived()] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose keys and sealed fields are destroyed."""
        named = [
            f"{kind}:{value}"
            for kind in ("participant", "member", "stakeholder")
            if (value := getattr(self, kind)) is not None
        ]
        return tuple(sorted({*named, *(f"member:{each}" for each in self.members)}))


class Erased(Condition):
    """Listens for whoever was erased; what is then about one of them is refused."""

    def __init__(self) -> None:
        super().__init__("subject_erased", "")
        self.erased: dict[str, Heard] = {}  # by subject

    def selectors(self) -> list[Selector]:
        # All erasures of the study: there are few, and whom a command is about may follow from
        # the record.
        return [Selector(types=[SubjectErased], tags=[])]

    def hear(self, heard: Heard) -> None:
        if isinstance(heard.event, SubjectErased):
            self.erased |= dict.fromkeys(heard.event.subjects, heard)

    def holds(self) -> bool:
        """What is refused is known only once the event is decided: see `reasons`."""
        return True

    def reasons(self, about: Iterable[tuple[str, str]]) -> list[Reason]:
        """Why these fields, each with one of its subjects, cannot be recorded."""
        return [
            Reason(
                code=self.code,
                message=f"{subject} is erased from this study (event "
                f"{self.erased[subject].position}): nothing personal about them can be recorded "
                f"any more; leave {in_camel_case(path)} out, or name those it is about without "
                "them.",
                path=path,
                decided_by=self.erased[subject].position,
            )
            for path, subject in about
            if subject in self.erased
        ]
