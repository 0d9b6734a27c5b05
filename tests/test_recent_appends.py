"""What a process knows of its own appends: conditions that it shows to hold, and no others."""

import asyncio
from typing import cast
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.vocabulary import tag_hash
from service import recent_appends
from service.append_rows import arguments
from service.appends import Appended, Conflict, Draft, Items, Request
from service.recent_appends import RecentAppends
from tests.conftest import Database
from tests.recording import as_owner, draft, events_of, in_a_loop, recorders

TYPES, TAGS = ["Planned", "Started"], ["action:a", "action:b", "group:g"]

events = st.builds(draft, st.sampled_from(TYPES), *[st.sampled_from(TAGS)] * 2)
by_whom = st.sampled_from(["us", "others", "refused"])
appends = st.lists(st.tuples(by_whom, st.lists(events, min_size=1, max_size=2)), max_size=12)
some = st.tuples(
    st.lists(st.sampled_from(TYPES), max_size=2), st.lists(st.sampled_from(TAGS), max_size=2)
)


@pytest.fixture(autouse=True)
def from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_appends, "ALONE", 0)


def on_its_way(recent: RecentAppends, drafts: list[Draft]) -> None:
    nobody = cast("asyncio.Future[Appended]", None)
    recent.foresee([Request("s", drafts, [], [], nobody)])


def appended(recent: RecentAppends, drafts: list[Draft], head: int) -> None:
    on_its_way(recent, drafts)
    recent.confirm("s", head - len(drafts), head)


@given(
    appends=appends, item=some, after=st.integers(0, 24), at_most=st.sampled_from([2, 6, 50_000])
)
def test_it_never_shows_what_does_not_hold(
    appends: list[tuple[str, list[Draft]]],
    item: tuple[list[str], list[str]],
    after: int,
    at_most: int,
) -> None:
    """Whoever appends: where the head is the one it knows, nothing that matches stands after it."""
    record: list[Draft] = []
    recent = RecentAppends()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_appends, "AT_MOST", at_most)
        for by, drafts in appends:
            if by == "refused":
                on_its_way(recent, drafts)
                continue
            record += drafts
            if by == "us":
                appended(recent, drafts, len(record))
    known = recent.of("s")
    if known is not None and known.head == len(record) and known.shows_none(*item, after):
        types, tags = item
        for event in record[after:]:
            assert (types and event.type not in types) or not set(tags) <= set(event.tags)


@given(events=st.lists(events, min_size=1, max_size=6), item=some)
def test_it_shows_of_one_tag_or_type_whatever_holds(
    events: list[Draft], item: tuple[list[str], list[str]]
) -> None:
    """After an append of its own it knows where the last event of each tag and type stands."""
    types, tags = item[0][:1], item[1][: 0 if item[0] else 1]
    recent = RecentAppends()
    appended(recent, [draft()], 1)
    appended(recent, events, 1 + len(events))
    known = recent.of("s")
    assert known is not None
    for after in range(1, 2 + len(events)):
        later = events[after - 1 :]
        holds = not [e for e in later if {e.type}.issuperset(types) and set(tags) <= set(e.tags)]
        assert known.shows_none(types, tags, after) == holds


@in_a_loop
async def test_what_it_shows_is_left_out_and_the_head_is_named_instead() -> None:
    recent = RecentAppends()
    appended(recent, [draft()], 4)
    appended(recent, [draft("Planned", "action:a")], 5)
    asked: Items = [([], ["action:a"]), ([], ["action:b"])]
    answer = asyncio.get_running_loop().create_future()
    batch = [Request(study, [draft()], asked, [4, 4], answer) for study in ("s", "t")]
    (_, counts, known_heads, conditions, *_), lasts = arguments(batch, ["s", "t"], recent)
    assert (counts, known_heads, lasts) == ([1, 1], [5, None], [(0, 1), (1, 1)])
    assert [condition[:3] for condition in conditions] == [(0, 1, 4), (1, 2, 4), (1, 2, 4)]


def test_it_keeps_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_appends, "AT_MOST", 10)
    recent = RecentAppends()
    appended(recent, [draft()], 1)
    for n in range(2, 100):
        appended(recent, [draft("Planned", f"action:{n}")], n)
        known = recent.of("s")
        assert known is not None
        assert len(known.last) + len(known.older) <= 12
        assert known.head == n
        assert known.since >= n - 12
        assert known.shows_none([], [f"action:{n - 1}"], n - 1)


@in_a_loop
async def test_what_another_process_appended_is_seen_before_anything_is_decided(
    database: Database,
) -> None:
    async with recorders(database.service_url, 2) as [ours, theirs]:
        for _ in range(3):
            head = (await ours.append("s", [draft()])).position
        await theirs.append("s", [draft("Planned", "action:a")])
        answers = await asyncio.gather(
            ours.append("s", [draft("Planned", "action:a")], [([], ["action:a"])], head),
            ours.append("s", [draft("Planned", "action:b")], [([], ["action:b"])], head),
            ours.append("t", [draft()]),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [Conflict, Appended, Appended]
        assert len(await events_of(database.service_url, "s")) == 5


@in_a_loop
async def test_what_was_known_by_a_lost_connection_is_forgotten(database: Database) -> None:
    """As when an older backup came back: what stands under the head it knows may be another."""
    async with recorders(database.service_url) as [recorder]:
        for _ in range(3):
            await recorder.append("s", [draft("Planned", "action:b")])
        await as_owner(
            database,
            f"update record.event_tag set hash = record.hash_in('s', {tag_hash('action:a')})"
            f" where position = 3 and hash = record.hash_in('s', {tag_hash('action:b')})",
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = 'parcycle_service'",
        )
        with pytest.raises(Conflict):
            await recorder.append("s", [draft(command=uuid4())], [([], ["action:a"])], 2)
        await recorder.append("s", [draft()], [([], ["action:b"])], 2)
