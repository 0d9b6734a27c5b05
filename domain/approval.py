"""The approval in force: what the committee's opinion allows at a moment, as it was changed since.

One fold for the gates at the append, the registers and the audit. It takes what happened in the
field's time, and in the order of the record at one moment; whoever asks for the approval as it was
known at an earlier time gives it only what was on record by then.
"""

from collections.abc import Iterable
from datetime import date, datetime
from functools import reduce
from typing import TypeVar

from msgspec import Struct, structs

from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApprovalReinstated,
    ApprovalSuspended,
    OpinionGiven,
    Outcome,
)
from domain.modifications import ModificationDecided
from domain.vocabulary import Heard

T = TypeVar("T")

# The events that make an approval what it is.
APPROVING = (OpinionGiven, ModificationDecided, ApprovalSuspended, ApprovalReinstated)

FAVOURABLE = (Outcome.FAVOURABLE, Outcome.FAVOURABLE_WITH_CONDITIONS)


class Approval(Struct, frozen=True, kw_only=True):
    """What the latest opinion allows, with the modifications decided since.

    No personnel, no sites, or no documents of a kind: the committee restricted none.
    """

    opinion: str
    position: int  # of the opinion on record
    outcome: Outcome
    activities: tuple[Activity, ...]
    personnel: tuple[str, ...]
    sites: tuple[str, ...]
    documents: tuple[Document, ...]
    max_participants: int | None
    valid_from: date
    valid_to: date  # the last day on which it is in force
    recognised_for_mca: bool
    conditions: tuple[str, ...]  # numbered from 1
    modified_by: tuple[int, ...] = ()  # positions of the favourable modifications in it
    suspended_by: int | None = None  # position of the suspension, while it lasts

    @property
    def suspended(self) -> bool:
        return self.suspended_by is not None

    @property
    def favourable(self) -> bool:
        return self.outcome in FAVOURABLE

    def in_force_on(self, day: date) -> bool:
        """Within its dates; whether it is favourable or suspended is another question."""
        return self.valid_from <= day <= self.valid_to

    def approves_person(self, member: str) -> bool:
        return not self.personnel or member in self.personnel

    def approves_site(self, site: str | None) -> bool:
        return not self.sites or site in self.sites

    def versions(self, kind: DocumentKind) -> tuple[Document, ...]:
        """The approved versions of that kind of document; none: any may be used."""
        return tuple(each for each in self.documents if each.kind is kind)

    def approves_document(self, kind: DocumentKind, version: str, sha256: str | None) -> bool:
        """An approved version, by its hash as well where both have one."""
        approved = self.versions(kind)
        return not approved or any(
            each.version == version and (None in (each.sha256, sha256) or each.sha256 == sha256)
            for each in approved
        )


def approval_at(told: Iterable[Heard], at: datetime | None = None) -> Approval | None:
    """The approval in force at that moment, by these events; `None`: no opinion was given by then.

    Other events are passed over; without a moment, all that is told counts.
    """
    counts = (heard for heard in told if at is None or heard.occurred_at <= at)
    return reduce(approval_after, sorted(counts, key=_in_the_fields_time), None)


def approval_after(approval: Approval | None, heard: Heard) -> Approval | None:
    """What is approved once that has happened too; what concerns another opinion changes nothing.

    Tell it in order of (occurred_at, position): `approval_at` does.
    """
    match heard.event:
        case OpinionGiven():
            return _of(heard.event, heard.position)
        case ModificationDecided(opinion=opinion, outcome=outcome) if (
            approval and opinion == approval.opinion and outcome in FAVOURABLE
        ):
            return _modified(approval, heard.event, heard.position)
        case ApprovalSuspended(opinion=opinion) if approval and opinion == approval.opinion:
            return structs.replace(approval, suspended_by=heard.position)
        case ApprovalReinstated(opinion=opinion) if approval and opinion == approval.opinion:
            return structs.replace(approval, suspended_by=None)
    return approval


def _in_the_fields_time(heard: Heard) -> tuple[datetime, int]:
    return heard.occurred_at, heard.position


def _of(opinion: OpinionGiven, position: int) -> Approval:
    return Approval(
        opinion=opinion.opinion,
        position=position,
        outcome=opinion.outcome,
        activities=opinion.activities,
        personnel=opinion.personnel,
        sites=opinion.sites,
        documents=opinion.documents,
        max_participants=opinion.max_participants,
        valid_from=opinion.valid_from,
        valid_to=opinion.valid_to,
        recognised_for_mca=opinion.recognised_for_mca,
        conditions=opinion.conditions,
    )


def _modified(approval: Approval, change: ModificationDecided, position: int) -> Approval:
    """With what the modification adds; a list that restricts nothing stays unrestricted."""
    renewed = {each.kind for each in change.documents}
    kept = tuple(each for each in approval.documents if each.kind not in renewed)
    most = approval.max_participants if change.max_participants is None else change.max_participants
    return structs.replace(
        approval,
        activities=_joined(approval.activities, change.activities),
        personnel=_joined(approval.personnel, change.personnel) if approval.personnel else (),
        sites=_joined(approval.sites, change.sites) if approval.sites else (),
        documents=kept + change.documents,
        max_participants=most,
        valid_to=change.valid_to or approval.valid_to,
        modified_by=(*approval.modified_by, position),
    )


def _joined(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(first + second))
