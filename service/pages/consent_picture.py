"""A participant's consent as a picture: what stood when, and when each act happened and was known.

One lane for each permission, from left to right in the field's time. Above them two clocks: each
act is tied from when it happened to when the record learned it, so that what came late is seen.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from domain.consent_states import ConsentState, Standing, Turn, standings, utc_day
from domain.permissions import Permission
from projections.consent_history import ConsentAct, ConsentActKind

ACTS = {
    ConsentActKind.REQUESTED: "ConsentRequested",
    ConsentActKind.GIVEN: "ConsentGiven",
    ConsentActKind.DECLINED: "ConsentDeclined",
    ConsentActKind.WITHDRAWN: "ConsentWithdrawn",
    ConsentActKind.EXPIRED: "ConsentExpired",
    ConsentActKind.INVALIDATED: "ConsentInvalidated",
    ConsentActKind.RECONSENT_REQUIRED: "ReconsentRequired",
    ConsentActKind.SUSPENDED: "ConsentSuspended",
    ConsentActKind.RESUMED: "ConsentResumed",
}
LEFT, RIGHT, WIDTH = 190, 830, 1000  # of the lanes, in the picture's own units
KNOWN, HAPPENED, TOP, LANE = 22, 66, 96, 28


@dataclass(frozen=True)
class Stretch:
    """A time in which a permission stood so."""

    state: ConsentState
    x: float
    width: float


@dataclass(frozen=True)
class Lane:
    """A permission through time."""

    permission: Permission
    y: int
    stretches: list[Stretch]
    standing: Standing  # at the end of the picture


@dataclass(frozen=True)
class Tie:
    """An act, from when it happened to when it was known."""

    act: ConsentAct
    happened: float
    known: float


@dataclass(frozen=True)
class Picture:
    """Everything to be drawn."""

    lanes: list[Lane]
    ties: list[Tie]
    days: list[tuple[float, date]]  # named below the lanes
    height: int


def turns_of(acts: Iterable[ConsentAct], permission: Permission) -> list[Turn]:
    """What turned a permission, as the domain's fold takes it."""
    return [
        Turn(each.occurred_at, each.position, act_of(each), each.signed_on, each.valid_until)
        for each in acts
        if permission in each.permissions
    ]


def act_of(act: ConsentAct) -> str:
    """The kind of event that an act was; what concerns everybody is a modification."""
    return "ModificationDecided" if act.participant is None else ACTS[act.act]


def picture(acts: Sequence[ConsentAct], until: datetime) -> Picture:
    """The picture up to a moment; acts that happened later are left out."""
    happened = [each for each in acts if each.occurred_at <= until]
    begins = min((each.occurred_at for each in happened), default=until)
    span = max((until - begins).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        part = (min(max(at, begins), until) - begins).total_seconds() / span
        return round(LEFT + part * (RIGHT - LEFT), 1)

    lanes: list[Lane] = []
    for permission in Permission:
        turns = sorted(turns_of(happened, permission))
        stood = standings(turns)
        if all(each.state is ConsentState.NOT_ASKED for each in stood):
            continue
        y = TOP + LANE * len(lanes)
        ends = [*(turn.occurred_at for turn in turns[1:]), until]
        stretches = [
            Stretch(state, x(begin), round(x(end) - x(begin), 1))
            for turn, end, standing in zip(turns, ends, stood[1:], strict=True)
            for state, begin, end in _split(standing, turn.occurred_at, end)
        ]
        lanes.append(Lane(permission, y, stretches, stood[-1].on(utc_day(until))))
    ties = [Tie(each, x(each.occurred_at), x(each.recorded_at)) for each in happened]
    return Picture(lanes, ties, _days(begins, until, x), TOP + LANE * len(lanes) + 30)


def _split(
    standing: Standing, begin: datetime, end: datetime
) -> list[tuple[ConsentState, datetime, datetime]]:
    """A standing from one moment to another; what runs out on the way is expired from then on."""
    last = standing.form.valid_until if standing.form else None
    if standing.state is not ConsentState.GIVEN or last is None:
        return [(standing.state, begin, end)]
    over = datetime.combine(last + timedelta(days=1), time(), UTC)
    if over >= end:
        return [(standing.state, begin, end)]
    over = max(over, begin)
    return [(standing.state, begin, over), (ConsentState.EXPIRED, over, end)]


def _days(
    begins: datetime, until: datetime, x: Callable[[datetime], float]
) -> list[tuple[float, date]]:
    """Some days to read the picture by: its ends, and two between."""
    span = until - begins
    return [(x(begins + span * n / 3), utc_day(begins + span * n / 3)) for n in range(4)]
