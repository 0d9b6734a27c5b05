"""Whether a participant's permission stands for what happened, and why not if it does not."""

from abc import abstractmethod
from datetime import UTC, date, datetime

from eventsourcing.dcb.domain import Selector

from domain.conditions import Condition
from domain.consent_states import (
    ConsentState,
    Standing,
    Turn,
    is_fresh,
    standing_at,
    touches,
    turn_of,
    turning_types,
    utc_day,
)
from domain.modifications import ModificationDecided
from domain.permissions import Permission
from domain.vocabulary import Heard

LOG_IT = "what was done all the same is logged with reportDeviation"


class PermissionHeard(Condition):
    """Rests on where a participant's permission stood at a moment, as far as is known now."""

    def __init__(self, participant: str, permission: Permission, at: datetime, path: str) -> None:
        super().__init__("", "", path)
        self.participant, self.permission, self.at = participant, permission, at
        self.what = permission.value.replace("_", " ")
        self.heard: dict[int, Heard] = {}

    def selectors(self) -> list[Selector]:
        of_them = [f"participant:{self.participant}"]
        return [
            Selector(types=list(turning_types()), tags=of_them),
            Selector(types=[ModificationDecided], tags=[]),  # it concerns everybody
        ]

    def hear(self, heard: Heard) -> None:
        about = getattr(heard.event, "participant", self.participant)
        if (
            about == self.participant
            and heard.occurred_at <= self.at
            and self.permission in touches(heard.event)
        ):
            self.heard[heard.position] = heard

    def holds(self) -> bool:
        standing = standing_at(map(turn_of, self.heard.values()), self.at)
        self.rests_on(standing.decided_by)
        return self.allowed_by(standing)

    def rests_on(self, turn: Turn | None) -> None:
        """Name the event that decides it."""
        self.decided_by = self.heard[turn.position] if turn else None

    @abstractmethod
    def allowed_by(self, standing: Standing) -> bool:
        """Say whether it holds; if not, set `code` and `message`."""


class ConsentStands(PermissionHeard):
    """The participant's permission is given at that moment, as far as the record knows now."""

    def __init__(
        self, participant: str, permission: Permission, at: datetime, path: str = "participants"
    ) -> None:
        super().__init__(participant, permission, at, path)

    def allowed_by(self, standing: Standing) -> bool:
        if standing.state is ConsentState.GIVEN:
            self.rests_on(standing.form)  # the form is what is relied on, not what upheld it
            return True
        self.code = CODES[standing.state]
        self.message = f"{self._why(standing)}; {LOG_IT}."
        return False

    def _why(self, standing: Standing) -> str:
        """What the state is and since when, and what to do."""
        who, consent = self.participant, f"consent to {self.what}"
        since = _day(standing.decided_by.occurred_at) if standing.decided_by else ""
        match standing.state:
            case ConsentState.REQUESTED:
                return (
                    f"{who} was asked for {consent} on {since} and had not given it by "
                    f"{_moment(self.at)}; wait for their answer"
                )
            case ConsentState.DECLINED:
                return f"{who} said no to {self.what} on {since}; take them off"
            case ConsentState.WITHDRAWN:
                return f"{who} withdrew {consent} on {since}; take them off"
            case ConsentState.EXPIRED:
                until = standing.form.valid_until if standing.form else None
                ended = f"{until:%d %B %Y}" if until else since
                return f"{who}'s {consent} ran out on {ended}; ask for it again"
            case ConsentState.INVALIDATED:
                return (
                    f"{who}'s {consent} was found on {since} not to be valid; "
                    "ask for it again, properly"
                )
            case ConsentState.RECONSENT_REQUIRED:
                return (
                    f"{who} has to be asked again for {consent} since {since}; "
                    "ask them before anything new is captured"
                )
            case ConsentState.SUSPENDED:
                return (
                    f"{who}'s {consent} is suspended since {since}, as they cannot decide for "
                    "themselves; wait until they, or a consultee, affirm it"
                )
        return f"{who} had not given {consent} by {_moment(self.at)}; ask for it before going on"


CODES = {
    ConsentState.NOT_ASKED: "consent_missing",
    ConsentState.REQUESTED: "consent_requested",
    ConsentState.DECLINED: "consent_declined",
    ConsentState.WITHDRAWN: "consent_withdrawn",
    ConsentState.EXPIRED: "consent_expired",
    ConsentState.INVALIDATED: "consent_invalidated",
    ConsentState.RECONSENT_REQUIRED: "reconsent_required",
    ConsentState.SUSPENDED: "consent_suspended",
}


class FreshIfWithdrawn(PermissionHeard):
    """What was withdrawn comes back only by a form signed since."""

    def __init__(
        self,
        participant: str,
        permission: Permission,
        at: datetime,
        signed_on: date | None,
        path: str,
    ) -> None:
        super().__init__(participant, permission, at, path)
        self.signed_on = signed_on

    def allowed_by(self, standing: Standing) -> bool:
        if standing.state is not ConsentState.WITHDRAWN:
            return True
        self.code = "fresh_form_needed"
        self.message = (
            f"{self.participant} withdrew consent to {self.what} on "
            f"{standing.withdrawn_on:%d %B %Y}; it comes back only by a fresh form: let them "
            "sign one, and give signedOn, the day on which they did, not before that day."
        )
        return is_fresh(self.signed_on, standing.withdrawn_on)


class StateIs(PermissionHeard):
    """The permission is in one of the states that an event can turn; otherwise it says nothing."""

    def __init__(
        self,
        participant: str,
        permission: Permission,
        at: datetime,
        path: str,
        *,
        among: frozenset[ConsentState],
    ) -> None:
        super().__init__(participant, permission, at, path)
        self.among = among

    def allowed_by(self, standing: Standing) -> bool:
        stood = standing.state.value.replace("_", " ")
        self.code = "consent_not_given"
        self.message = (
            f"{self.participant}'s consent to {self.what} was {stood} on {_day(self.at)}: there "
            "is nothing to end; leave this permission out, or check occurredAt."
        )
        return standing.state in self.among


class TimeIsOver(StateIs):
    """The last day for which the permission was given is over."""

    def allowed_by(self, standing: Standing) -> bool:
        if not super().allowed_by(standing):
            return False
        until = standing.form.valid_until if standing.form else None
        ends = f"stands until {until:%d %B %Y}" if until else "has no last day"
        self.code = "consent_not_expired"
        self.message = (
            f"{self.participant}'s consent to {self.what} {ends}; it has not run out on "
            f"{_day(self.at)}. To end it for another reason, withdraw or invalidate it."
        )
        return standing.time_is_over(utc_day(self.at))


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %B %Y}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %B %Y at %H:%M} (UTC)"
