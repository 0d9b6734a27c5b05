"""The recorder: positions without gaps, conditions that hold, nothing that is changed later."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
import pytest

from service import recent_appends
from service.appends import Appended, Conflict, Items, RecordUnavailable
from service.personal_texts import Part
from service.recorder import Recorder
from service.sealing.leaves import commitment, leaf
from tests.conftest import Database
from tests.recording import (
    EVERYTHING,
    draft,
    events_of,
    give_every_tag_one_hash,
    in_a_loop,
    recorders,
)

TAGS = ["cycle:1", "cycle:2", "action:a", "action:b", "participant:p", "participant:q"]
TYPES = ["Planned", "Started", "Reflected"]


@in_a_loop
async def test_positions_of_a_study_have_no_gaps_and_no_study_waits_for_another(
    database: Database,
) -> None:
    async with recorders(database.service_url, 2) as both:
        appends = [
            both[n % 2].append(f"s-{n % 7}", [draft()] * (n % 3 + 1), after=0) for n in range(210)
        ]
        answers = await asyncio.gather(*appends)
    for study in range(7):
        events = await events_of(database.service_url, f"s-{study}")
        assert [event["position"] for event in events] == list(range(1, len(events) + 1))
        lasts = {a.position for n, a in enumerate(answers) if n % 7 == study}
        assert len(lasts) == 30
        assert max(lasts) == len(events) == 60


@in_a_loop
async def test_the_first_events_of_a_study_may_come_from_two_processes_at_once(
    database: Database,
) -> None:
    async with recorders(database.service_url, 2) as both:
        for n in range(20):
            answers = await asyncio.gather(*(r.append(f"new-{n}", [draft()]) for r in both))
            assert sorted(answer.position for answer in answers) == [1, 2]


@pytest.mark.parametrize("alone", [recent_appends.ALONE, 0], ids=["all sent", "known left out"])
@in_a_loop
async def test_what_is_accepted_was_allowed_by_everything_before_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, alone: int
) -> None:
    """Whatever two processes append at random, each condition held where its events now stand."""
    monkeypatch.setattr(recent_appends, "ALONE", alone)
    monkeypatch.setattr(recent_appends, "AT_MOST", 12)  # so that some are forgotten meanwhile
    accepted: list[tuple[int, int, Items, int]] = []
    refused = 0

    async def write(recorder: Recorder, seed: int) -> None:
        nonlocal refused
        dice = random.Random(seed)
        for _ in range(30):
            items = [some_item(dice) for _ in range(dice.randint(1, 2))]
            events = [
                draft(dice.choice(TYPES), *dice.sample(TAGS, dice.randint(1, 4)))
                for _ in range(dice.randint(1, 3))
            ]
            _, head = await recorder.read("oracle", [(["Nothing"], [])])
            after = max(0, head - dice.choice([0, 0, 0, 3]))
            await asyncio.sleep(dice.random() * 0.004)
            try:
                answer = await recorder.append("oracle", events, items, after)
                accepted.append((answer.position, len(events), items, after))
            except Conflict:
                refused += 1

    async with recorders(database.service_url, 2) as both:
        await asyncio.gather(*(write(both[n % 2], n) for n in range(32)))
    events = await events_of(database.service_url, "oracle")
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    assert sum(number for _, number, _, _ in accepted) == len(events)
    assert min(len(accepted), refused) > 50, "conditions neither always held nor always failed"
    for last, number, items, after in accepted:
        between = events[after : last - number]
        assert not [event for event in between if matches(event, items)]


@in_a_loop
async def test_a_read_finds_what_an_oracle_finds(database: Database) -> None:
    dice = random.Random(1)
    async with recorders(database.service_url) as [recorder]:
        await fill(recorder, dice, 200)
        events = await events_of(database.service_url, "oracle")
        for _ in range(100):
            items = [some_item(dice) for _ in range(dice.randint(1, 3))]
            after = dice.randint(0, 200)
            rows, head = await recorder.read("oracle", items, after)
            assert [row["position"] for row in rows] == [
                event["position"] for event in events[after:] if matches(event, items)
            ]
            assert head == len(events)


@in_a_loop
async def test_tags_of_one_hash_never_mislead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every tag of the same hash, reads stay right and appends are refused at worst."""
    give_every_tag_one_hash(monkeypatch)
    dice = random.Random(2)
    async with recorders(database.service_url) as [recorder]:
        await fill(recorder, dice, 50)
        events = await events_of(database.service_url, "oracle")
        for _ in range(30):
            items = [some_item(dice)]
            rows, head = await recorder.read("oracle", items)
            assert [row["position"] for row in rows] == [
                event["position"] for event in events if matches(event, items)
            ]
        with pytest.raises(Conflict):
            await recorder.append("oracle", [draft()], [([], ["never:1"])], head - 1)
        await recorder.append("oracle", [draft()], [([], ["never:1"])], head)


@in_a_loop
async def test_a_condition_may_ask_for_many_tags(database: Database) -> None:
    items: Items = [([], TAGS[:5])]
    async with recorders(database.service_url) as [recorder]:
        await recorder.append("s", [draft("Planned", *TAGS[:4]), draft("Planned", *TAGS[1:])])
        await recorder.append("s", [draft("Planned", *TAGS)], items, 0)
        with pytest.raises(Conflict):
            await recorder.append("s", [draft("Planned", *TAGS)], items, 2)


@in_a_loop
async def test_recorded_at_never_decreases_even_if_the_clock_does(database: Database) -> None:
    async with recorders(database.service_url, 2) as both:
        await asyncio.gather(*(both[n % 2].append("s", [draft()]) for n in range(50)))
        await set_clock(database, "s", "2999-01-01")
        late = await both[0].append("s", [draft()])
    events = await events_of(database.service_url, "s")
    times = [event["recorded_at"] for event in events]
    assert times == sorted(times)
    assert late.recorded_at == times[-1]
    assert times[-1].year == 2999


@pytest.mark.parametrize("table", ["event", "event_tag", "sealed_part", "sealed_word"])
@pytest.mark.parametrize(
    "change",
    ["update record.{} set study = 'x'", "delete from record.{}", "truncate record.{}"],
    ids=["UPDATE", "DELETE", "TRUNCATE"],
)
@in_a_loop
async def test_the_service_cannot_change_or_take_away(
    database: Database, table: str, change: str
) -> None:
    async with recorders(database.service_url) as [recorder]:
        await recorder.append("s", [draft(personal=[Part("note", ("participant:p",), b"!")])])
    db = await asyncpg.connect(database.service_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(change.format(table))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute("delete from record.study_head")
    finally:
        await db.close()


@in_a_loop
async def test_personal_parts_stand_beside_their_event(database: Database) -> None:
    part = Part("notes", ("participant:p", "participant:q"), b"what she said")
    async with recorders(database.service_url) as [recorder]:
        await recorder.append("s", [draft(), noted := draft(personal=[part]), draft()])
    db = await asyncpg.connect(database.service_url)
    try:
        parts = await db.fetch("select position, path, subjects, blob from record.sealed_part")
        paths = await db.fetch("select position, sealed from record.event order by position")
    finally:
        await db.close()
    (field,) = noted.sealed
    assert [tuple(each) for each in parts] == [(2, "notes", list(part.subjects), field.blob)]
    assert [tuple(each) for each in paths] == [(1, None), (2, ["notes"]), (3, None)]


@in_a_loop
async def test_the_leaf_on_record_is_that_of_the_time_the_lock_decided(database: Database) -> None:
    async with recorders(database.service_url) as [recorder]:
        drafts = [draft("Noted", "a:1", study="s") for _ in range(3)]
        for each in drafts:
            await recorder.append("s", [each])
    rows = await events_of(database.service_url, "s")
    assert [row["leaf"] for row in rows] == [
        leaf(made.leaf, row["recorded_at"]) for made, row in zip(drafts, rows, strict=True)
    ]
    for row in rows:
        said = row["envelope"] + b"\n" + row["payload"]
        public = commitment(row["salt"], row["event_id"], "pub", said)
        assert f"\npub {public.hex()}\n".encode() in row["leaf"]


@in_a_loop
async def test_followers_are_woken_by_commits_and_by_nothing_else(database: Database) -> None:
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    async with recorders(database.service_url) as [recorder]:
        recorder.on_append(wake)
        await recorder.append("s", [draft()])
        assert woken == 1
        with pytest.raises(Conflict):
            await recorder.append("s", [draft()], EVERYTHING)
        await recorder.read("s", EVERYTHING)
        assert woken == 1


@in_a_loop
async def test_a_server_that_says_nothing_is_left_after_the_bound(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_url)
    async with recorders(database.service_url, unavailable_after=0.3) as [recorder]:
        await recorder.append("s", [draft()])
        async with owner.transaction():
            await owner.execute("lock table record.study_head")
            for unanswered in [recorder.append("s", [draft()]), recorder.read("s", EVERYTHING)]:
                with pytest.raises(RecordUnavailable):
                    await unanswered
        assert isinstance(await recorder.append("s", [draft()]), Appended)
    await owner.close()


async def fill(recorder: Recorder, dice: random.Random, number: int) -> None:
    events = [
        draft(dice.choice(TYPES), *dice.sample(TAGS, dice.randint(0, 4))) for _ in range(number)
    ]
    await recorder.append("oracle", events)


async def set_clock(database: Database, study: str, day: str) -> None:
    """As if the study's last event had been recorded on that day, by another server's clock."""
    owner = await asyncpg.connect(database.owner_url)
    await owner.execute(
        "update record.study_head set recorded_at = $1::text::timestamptz where study = $2",
        day,
        study,
    )
    await owner.close()


def some_item(dice: random.Random) -> tuple[Sequence[str], Sequence[str]]:
    some_types = dice.sample(TYPES, dice.randint(1, 2))
    some_tags = dice.sample(TAGS, dice.randint(1, 4))
    return dice.choice([([], []), ([], some_tags), (some_types, []), (some_types, some_tags)])


def matches(event: asyncpg.Record, items: Items) -> bool:
    return any(
        (not types or event["type"] in types) and set(tags) <= set(event["tags"])
        for types, tags in items
    )
