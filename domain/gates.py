"""Gates: what the approval must allow before people are recruited, asked, or captured.

One condition hears the approval (`ApprovalStands`); the others look at what it heard, so that a
command has one boundary however much it asks, and says every reason at once. A command that asks
for consent, or records it, is gated like this:

    self.opinion = ApprovalStands(Activity.RECRUITMENT, self.occasion.occurred_at)
    yield from approved(self.opinion)
    yield PersonApproved(self.opinion, event.taken_by or self.occasion.actor, "takenBy")
    yield FormApproved(self.opinion, DocumentKind.CONSENT_FORM, event.form_version,
                       event.form_sha256)
    yield FormApproved(self.opinion, DocumentKind.INFORMATION_SHEET,
                       event.information_sheet_version, event.information_sheet_sha256)

Declining and withdrawing are never gated.
"""

from abc import abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property

from eventsourcing.dcb.domain import Selector

from domain.approval import APPROVING, Approval, approval_at
from domain.conditions import Condition
from domain.documents import DocumentKind
from domain.ethics import Activity
from domain.membership import RoleHeld
from domain.vocabulary import Heard

DEVIATION = "what was done all the same is logged with reportDeviation"


class ApprovalStands(Condition):
    """By that day the committee had given a favourable opinion that covers the activity.

    It listens to everything that makes or unmakes an approval: a suspension recorded meanwhile is
    noticed at the append.
    """

    def __init__(self, activity: Activity, at: datetime) -> None:
        super().__init__("approval_missing", "", "occurredAt")
        self.activity, self.at = activity, at
        self.told: dict[int, Heard] = {}

    def selectors(self) -> list[Selector]:
        return [Selector(types=list(APPROVING), tags=[])]

    def hear(self, heard: Heard) -> None:
        if isinstance(heard.event, APPROVING):
            self.told[heard.position] = heard
            vars(self).pop("approval", None)  # what was worked out before counts no more

    @cached_property
    def approval(self) -> Approval | None:
        """What is approved at that moment, by all that was heard."""
        return self.approval_on(self.at)

    def approval_on(self, moment: datetime) -> Approval | None:
        """What is approved at another moment."""
        return approval_at(self.told.values(), moment)

    def holds(self) -> bool:
        approval, what = self.approval, self.activity.value.replace("_", " ")
        self.decided_by = self.told[approval.position] if approval else None
        if approval is None:
            self.message = (
                f"No ethics opinion had been given by {_day(self.at)}; wait for one: {DEVIATION}."
            )
        elif not approval.favourable:
            self.code, self.message = (
                "approval_refused",
                f"The committee's opinion {approval.opinion} is unfavourable: {DEVIATION}.",
            )
        elif self.activity not in approval.activities:
            self.code, self.message = (
                "activity_not_approved",
                f"Opinion {approval.opinion} does not cover {what}; ask for a modification: "
                f"{DEVIATION}.",
            )
        else:
            return True
        return False


class Terms(Condition):
    """Something the approval says, besides which activities it covers.

    It holds where there is no favourable opinion: `ApprovalStands` says so already.
    """

    def __init__(self, stands: ApprovalStands, code: str, path: str) -> None:
        super().__init__(code, "", path)
        self.stands = stands

    def selectors(self) -> list[Selector]:
        return []  # `ApprovalStands` listens for it

    def hear(self, heard: Heard) -> None:
        """`ApprovalStands` hears it."""

    def holds(self) -> bool:
        approval = self.stands.approval
        if approval is None or not approval.favourable:
            return True
        self.decided_by = self.stands.told[self.decisive(approval)]
        return self.allowed_by(approval)

    def decisive(self, approval: Approval) -> int:
        """Position of the event that decides it: the opinion, or its latest modification."""
        return approval.modified_by[-1] if approval.modified_by else approval.position

    @abstractmethod
    def allowed_by(self, approval: Approval) -> bool:
        """Say whether a favourable opinion allows it; if not, set `message`."""


class InForce(Terms):
    """The day lies within the opinion's dates (UTC)."""

    def __init__(self, stands: ApprovalStands) -> None:
        super().__init__(stands, "approval_not_in_force", "occurredAt")

    def allowed_by(self, approval: Approval) -> bool:
        self.message = (
            f"Opinion {approval.opinion} is in force from {approval.valid_from:%d %B %Y} to "
            f"{approval.valid_to:%d %B %Y}, not on {_day(self.stands.at)}; check occurredAt, or "
            f"ask for an extension: {DEVIATION}."
        )
        return approval.in_force_on(self.stands.at.astimezone(UTC).date())


class NotSuspended(Terms):
    """The approval was not suspended at that moment."""

    def __init__(self, stands: ApprovalStands) -> None:
        super().__init__(stands, "approval_suspended", "occurredAt")

    def decisive(self, approval: Approval) -> int:
        return approval.suspended_by or approval.position

    def allowed_by(self, approval: Approval) -> bool:
        self.message = (
            f"Opinion {approval.opinion} was suspended on {_day(self.stands.at)}; wait until it "
            f"is reinstated: {DEVIATION}."
        )
        return not approval.suspended


class PersonApproved(Terms):
    """Who does it is on the list of personnel, if the opinion has one."""

    def __init__(self, stands: ApprovalStands, member: str, path: str = "") -> None:
        super().__init__(stands, "person_not_approved", path)
        self.member = member

    def allowed_by(self, approval: Approval) -> bool:
        self.message = (
            f"{self.member} is not among the personnel that opinion {approval.opinion} approves "
            f"({', '.join(approval.personnel)}); name who did it, or ask for a modification: "
            f"{DEVIATION}."
        )
        return approval.approves_person(self.member)


class ActorApproved(PersonApproved):
    """Whoever records it did it, and is on the list; a participant speaks for themselves."""

    def __init__(self, stands: ApprovalStands, role_held: RoleHeld, path: str = "") -> None:
        super().__init__(stands, role_held.member, path)
        self.role_held = role_held

    def allowed_by(self, approval: Approval) -> bool:
        return super().allowed_by(approval) or self.role_held.participant is not None


class SiteApproved(Terms):
    """It took place at an approved site, if the opinion names sites."""

    def __init__(self, stands: ApprovalStands, site: str | None, path: str = "site") -> None:
        super().__init__(stands, "site_missing" if site is None else "site_not_approved", path)
        self.site = site

    def allowed_by(self, approval: Approval) -> bool:
        sites = ", ".join(approval.sites)
        self.message = (
            f"Opinion {approval.opinion} approves certain sites only; name the one where it was: "
            f"{sites}."
            if self.site is None
            else f"{self.site} is not among the sites that opinion {approval.opinion} approves "
            f"({sites}); correct the site, or ask for a modification: {DEVIATION}."
        )
        return approval.approves_site(self.site)


class FormApproved(Terms):
    """The version is an approved one, if the opinion names any of that kind.

    Compared by SHA-256 as well where both have one. No version: nothing to compare.
    """

    def __init__(
        self,
        stands: ApprovalStands,
        kind: DocumentKind,
        version: str | None,
        sha256: str | None = None,
    ) -> None:
        form = kind is not DocumentKind.INFORMATION_SHEET
        super().__init__(
            stands,
            "form_not_approved" if form else "sheet_not_approved",
            "formVersion" if form else "informationSheetVersion",
        )
        self.kind, self.version, self.sha256 = kind, version, sha256

    def allowed_by(self, approval: Approval) -> bool:
        if self.version is None:
            return True
        what = self.kind.value.replace("_", " ")
        approved = approval.versions(self.kind)
        by_hash = any(each.version == self.version for each in approved)
        self.message = (
            f"The {what} {self.version} with this SHA-256 is not the file that opinion "
            f"{approval.opinion} approves; check the file: {DEVIATION}."
            if by_hash
            else f"Version {self.version} of the {what} is not one that opinion "
            f"{approval.opinion} approves on {_day(self.stands.at)} "
            f"({', '.join(each.version for each in approved)}); use one of these: {DEVIATION}."
        )
        return approval.approves_document(self.kind, self.version, self.sha256)


def approved(stands: ApprovalStands) -> Iterable[Condition]:
    """The activity is approved, the opinion is in force, and not suspended."""
    yield stands
    yield InForce(stands)
    yield NotSuspended(stands)


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %B %Y}"
