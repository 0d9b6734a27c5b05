"""Of what stands on record each of many commands hears what it asked for, and nothing else."""

from datetime import timedelta

from eventsourcing.dcb.domain import Selector
from hypothesis import given
from hypothesis import strategies as st

from domain.vocabulary import Heard
from service.appends import asks_for
from service.hearing import Hearing
from service.remembered_boundaries import item_of
from tests.rich_history import rich_history
from tests.story import NEW_YEAR

HEARD = [
    Heard(position=n, occurred_at=NEW_YEAR + timedelta(hours=n), actor="ana", event=logged.event)
    for n, logged in enumerate(rich_history(400), 2)
]
EVENTS = [each.event for each in HEARD]


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    """Of one event's type and tags, some of them, so that it is often about something."""
    event = draw(st.sampled_from(EVENTS))
    types = {*draw(st.lists(st.sampled_from([type(event), type(draw(st.sampled_from(EVENTS)))])))}
    tags = draw(st.lists(st.sampled_from(event.tags), unique=True)) if event.tags else []
    return Selector(types=sorted(types, key=str), tags=tags)


@given(st.lists(selectors(), max_size=4), st.integers(0, len(HEARD)))
def test_it_finds_what_an_oracle_finds_in_order(asked: list[Selector], added_later: int) -> None:
    hearing = Hearing(HEARD[added_later:])
    for each in HEARD[:added_later]:
        hearing.add(each)
    assert hearing.of(asked) == [
        each
        for each in HEARD
        if any(asks_for(item_of(s), each.event.TOPIC, each.event.tags) for s in asked)
    ]
