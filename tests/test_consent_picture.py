"""Property: the picture of a participant's consent shows what stood, at any moment, in any history.

It is held against the oracle of tests/test_bitemporal_consent.py, which shares no code with it.
"""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.permissions import Permission
from projections import consent_history
from projections.consent_history import DETAILS, ConsentAct
from service.pages.consent_picture import LEFT, RIGHT, Picture, picture
from tests.registers import entry
from tests.test_bitemporal_consent import (
    FIRST,
    PEOPLE,
    PERMISSIONS,
    Told,
    as_event,
    expected,
    moment,
    tellings,
)

COLUMNS = (
    "study", "position", "participant", "permissions", "act", "occurred_at", "recorded_at",
    "recorded_by", "words", *DETAILS, "scope", "by_code", "invalid_because", "reconsent_because",
)  # fmt: skip
RECORDED = FIRST + timedelta(days=10)
# At one in the afternoon nothing happens: it is between all that a picture could round together.
AFTERNOONS = [FIRST + timedelta(days=n, hours=13) for n in range(8)]
History = list[tuple[int, datetime, Told]]


def acts_of(history: History, who: str) -> list[ConsentAct]:
    """The register's rows about somebody."""
    rows: list[ConsentAct] = []

    def write(sql: str, *values: Any) -> None:
        rows.append(ConsentAct(**dict(zip(COLUMNS, values, strict=True))))

    for position, at, told in history:
        happened = as_event(told, position)
        told_of = entry(happened, position=position, at=moment(told), recorded_at=at)
        consent_history.project(happened, told_of, write)  # type: ignore[arg-type]
    return [each for each in rows if each.participant in (who, None)]


def shown(drawn: Picture, permission: Permission, at: datetime, until: datetime) -> str:
    """What the lane of a permission shows at a moment."""
    if not drawn.lanes:
        return "not_asked"
    begins = min(tie.act.occurred_at for tie in drawn.ties)
    x = LEFT + (at - begins) / (until - begins) * (RIGHT - LEFT)
    for lane in drawn.lanes:
        if lane.permission is permission:
            for each in lane.stretches:
                if each.x <= x < each.x + each.width:
                    return each.state
    return "not_asked"


@settings(max_examples=150)
@given(st.lists(tellings, min_size=1, max_size=12), st.sampled_from(PEOPLE))
def test_the_picture_shows_what_stood_at_any_moment(told: list[Told], who: str) -> None:
    history = [(n, RECORDED, each) for n, each in enumerate(told, 2)]
    acts, until = acts_of(history, who), AFTERNOONS[-1] + timedelta(hours=2)
    drawn = picture(acts, until)
    for permission in map(Permission, PERMISSIONS):
        for at in AFTERNOONS:
            wanted, _ = expected(history, who, permission, at, RECORDED)
            assert shown(drawn, permission, at, until) == wanted, (permission, at)
            then = {lane.permission: lane.standing.state for lane in picture(acts, at).lanes}
            assert then.get(permission, "not_asked") == wanted, (permission, at)


def test_an_act_is_tied_from_when_it_happened_to_when_it_was_known() -> None:
    given_late = Told("given", "p-1", ("audio",), 0, False, 0, 0, None)
    acts = acts_of([(2, FIRST + timedelta(days=4), given_late)], "p-1")
    until = moment(given_late) + timedelta(days=8)
    (tie,) = picture(acts, until).ties
    assert tie.happened == LEFT
    assert tie.known == LEFT + round((4 - 9 / 24) / 8 * (RIGHT - LEFT), 1)
    assert picture(acts, moment(given_late) - timedelta(days=1)).lanes == []
