"""Where a permission stands: nine states, and what each event about consent does to them.

Each event class says which states it turns into which (`TURNS`); a state that it does not name
stays as it is. What happened counts in the field's time, and in the record's order at one moment.
Days are UTC days.

This is the one account of it: the conditions fold the events they hear (`turn_of`), the registers
fold rows that hold the same few values. Nothing here reads a clock or a record.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from msgspec import Struct, structs

from domain.ethics import Outcome
from domain.modifications import ModificationDecided
from domain.permissions import Permission
from domain.vocabulary import Heard, ResearchEvent, event_types


class ConsentState(StrEnum):
    """Where a participant's permission stands.

    `reconsent_required` blocks new captures, not what is held; `suspended` is for the time in which
    somebody cannot decide for themselves. Withdrawn comes back only by a fresh form.
    """

    NOT_ASKED = "not_asked"
    REQUESTED = "requested"
    GIVEN = "given"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    RECONSENT_REQUIRED = "reconsent_required"
    SUSPENDED = "suspended"


Turns = Mapping[ConsentState, ConsentState]

FORM = "ConsentGiven"  # the events that carry a signed form
WITHDRAWAL = "ConsentWithdrawn"
BY_MODIFICATION: Turns = {  # a favourable one, for the permissions it names in `reconsent`
    ConsentState.GIVEN: ConsentState.RECONSENT_REQUIRED,
    ConsentState.SUSPENDED: ConsentState.RECONSENT_REQUIRED,
}


class Turn(NamedTuple):
    """What the fold needs to know of an event; turns sort in the order in which they count."""

    occurred_at: datetime
    position: int
    act: str  # the event's type, such as "ConsentGiven"
    signed_on: date | None = None  # of a form: None if it is not dated
    valid_until: date | None = None  # of a form: its last day


class Standing(Struct, frozen=True):
    """Where a permission stands after the turns it has taken."""

    state: ConsentState = ConsentState.NOT_ASKED
    decided_by: Turn | None = None  # the last that counted
    form: Turn | None = None  # the last consent that took effect
    withdrawn_on: date | None = None  # the day of the last withdrawal

    def after(self, turn: Turn) -> "Standing":
        """Where it stands once this has happened too; give the turns in their order."""
        state = state_after(self.state, turn, self.withdrawn_on)
        if state is None:
            return self
        return Standing(
            state,
            turn,
            turn if turn.act == FORM else self.form,
            utc_day(turn.occurred_at) if turn.act == WITHDRAWAL else self.withdrawn_on,
        )

    def on(self, day: date) -> "Standing":
        """As it reads on that day: what was given until an earlier one has expired by itself."""
        if self.state is ConsentState.GIVEN and self.time_is_over(day):
            return structs.replace(self, state=ConsentState.EXPIRED, decided_by=self.form)
        return self

    def time_is_over(self, day: date) -> bool:
        """Whether the last day of the consent in effect lies before that day."""
        until = self.form.valid_until if self.form else None
        return until is not None and until < day


def state_after(state: ConsentState, turn: Turn, withdrawn_on: date | None) -> ConsentState | None:
    """The state to which it turns; None if it changes nothing about a permission in that state."""
    if state is ConsentState.WITHDRAWN and turn.act == FORM:
        return ConsentState.GIVEN if is_fresh(turn.signed_on, withdrawn_on) else None
    return turns()[turn.act].get(state)


def is_fresh(signed_on: date | None, withdrawn_on: date | None) -> bool:
    """Whether a form was signed on the day of the withdrawal or later; an undated one is not."""
    return signed_on is not None and withdrawn_on is not None and signed_on >= withdrawn_on


def standing_at(turns: Iterable[Turn], at: datetime) -> Standing:
    """Where one participant's permission stands at a moment, by turns given in any order."""
    standing = Standing()
    for turn in sorted(turn for turn in turns if turn.occurred_at <= at):
        standing = standing.after(turn)
    return standing.on(utc_day(at))


def standings(turns: Iterable[Turn]) -> list[Standing]:
    """Every standing one after another, by turns given in any order; read each `on` its day."""
    found = [Standing()]
    for turn in sorted(turns):
        found.append(found[-1].after(turn))
    return found


def turn_of(heard: Heard) -> Turn:
    """An event about consent as the fold needs it."""
    event = heard.event
    return Turn(
        heard.occurred_at,
        heard.position,
        type(event).TOPIC,
        getattr(event, "signed_on", None),
        getattr(event, "valid_until", None),
    )


def touches(event: ResearchEvent) -> tuple[Permission, ...]:
    """The permissions that an event may turn: those it names, or else all.

    A modification concerns everybody; any other event its `participant`.
    """
    if isinstance(event, ModificationDecided):
        return event.reconsent if event.outcome is not Outcome.UNFAVOURABLE else ()
    if type(event).TOPIC not in turns():
        return ()
    return getattr(event, "permissions", ()) or tuple(Permission)


@cache
def turns() -> dict[str, Turns]:
    """What each event that can turn a permission makes of which state, by the event's type."""
    found = {each.TOPIC: each.TURNS for each in event_types() if hasattr(each, "TURNS")}
    return {**found, ModificationDecided.TOPIC: BY_MODIFICATION}


@cache
def turning_types() -> tuple[type[ResearchEvent], ...]:
    """The kinds of event about one participant that can turn a permission."""
    return tuple(each for each in event_types() if hasattr(each, "TURNS"))


def utc_day(at: datetime) -> date:
    return at.astimezone(UTC).date()
