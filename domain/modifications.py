"""Modifications: changes to what was approved, asked for and decided."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from domain.commands import Command
from domain.conditions import Condition, Stands, known, new
from domain.ethics import Activity, Documents, OpinionGiven, Outcome, Personnel, Sites
from domain.membership import Duty
from domain.permissions import Permission
from domain.vocabulary import (
    CORRESPONDENCE,
    Count,
    ModificationId,
    OpinionId,
    Phase,
    ResearchEvent,
    Text,
)


class ModificationKind(StrEnum):
    """How much a modification changes (HRA, from 28 April 2026); others call them amendments."""

    SUBSTANTIAL = "substantial"
    IMPORTANT_DETAIL = "important_detail"
    MINOR = "minor"


class ModificationSubmitted(ResearchEvent):
    """A change to what was approved was sent to the committee."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    modification: ModificationId
    opinion: OpinionId
    kind: ModificationKind
    documents: Documents = ()
    note: Annotated[Text | None, CORRESPONDENCE] = None


class ModificationDecided(ResearchEvent):
    """The committee decided on a modification; what it names is added to what the opinion allows.

    A favourable one moves the permissions it touches (`reconsent`), of everybody who gave them, to
    reconsent_required.
    """

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    modification: ModificationId
    opinion: OpinionId
    kind: ModificationKind
    outcome: Outcome
    activities: tuple[Activity, ...] = ()  # approved besides
    personnel: Personnel = ()  # approved besides
    sites: Sites = ()  # approved besides
    documents: Documents = ()  # approved from now on; of each kind named, earlier versions cease
    max_participants: Count | None = None  # instead of what stood; left out: as it was
    valid_to: date | None = None  # instead of what stood; left out: as it was
    reconsent: Annotated[tuple[Permission, ...], Meta(max_length=len(Permission))] = ()
    note: Annotated[Text | None, CORRESPONDENCE] = None


class SubmitModification(Command[ModificationSubmitted]):
    """Record that the study asked the committee to change what it approved."""

    DUTY = Duty.APPLY

    def requires(self) -> Iterable[Condition]:
        yield new("modification", self.event.modification, ModificationSubmitted)
        yield known("opinion", self.event.opinion, OpinionGiven)


class DecideModification(Command[ModificationDecided]):
    """Record the committee's decision on a modification, once.

    What it names is approved from then on; who had given the permissions under `reconsent` is
    asked again before anything new is captured of them.
    """

    DUTY = Duty.DECIDE_ETHICS

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield Stands(
            "modification",
            event.modification,
            {ModificationSubmitted: True},
            only=lambda each: getattr(each, "opinion", None) == event.opinion,
            code="modification_unknown",
            message=f"No modification {event.modification} of opinion {event.opinion} was "
            "submitted; record that first, or check both identifiers.",
        )
        yield Stands(
            "modification",
            event.modification,
            {ModificationDecided: False},
            otherwise=True,
            code="modification_decided",
            message=f"Modification {event.modification} has been decided already; submit another.",
        )
