"""A tag's 64 bits are the same for ever, and numbered tags stand side by side."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from domain.vocabulary import study_hash, tag_hash
from service.appends import Items, type_tag
from service.migrate_schema import MIGRATIONS, migrate
from tests.conftest import Database
from tests.recording import draft, in_a_loop, recorders

STUDIES = ["s", "liverpool-city-region", "Männer"]
SIDE_BY_SIDE = "20261126000005"
TAGS = [
    ["participant:P-07", "participant:P-08", "workshop:w-2026-03"],
    ["a", "ab", "abc", "abcd"],
    ["gruppe:Männer", "site:北京", "action:a-1"],
    [],
]


def test_a_tag_keeps_for_ever_the_hash_it_has_on_record() -> None:
    assert tag_hash("participant:P-07") == -8089402848935333833


@given(st.text(), st.text("0123456789", min_size=3, max_size=3), st.text("0123456789", min_size=3))
def test_numbered_tags_stand_side_by_side(named: str, number: str, other: str) -> None:
    ours, beside = tag_hash(named + number), tag_hash(named + other[:3])
    assert (ours < beside) == (number < other[:3])
    assert abs(ours - beside) < 1 << 24


@given(*[st.text(st.characters(exclude_characters="\0", codec="utf-8"))] * 2)
def test_two_tags_have_one_hash_by_chance_only(one: str, other: str) -> None:
    assert (tag_hash(one) == tag_hash(other)) == (one == other)


@in_a_loop
async def test_a_study_has_its_own_hashes_and_another_with_the_same_is_passed_over(
    database: Database,
) -> None:
    """Its rows are not this study's, though the index leads to them."""
    tag = "participant:P-07"
    items: Items = [([], [tag])]
    async with recorders(database.service_url) as [recorder]:
        for study in ("ours", "theirs"):
            for tags in ([], [tag]):
                await recorder.append(study, [draft("Noted", *tags)])
        db = await asyncpg.connect(database.owner_url)
        hashes = await db.fetch("select study, hash from record.event_tag where position = 2")
        assert len({row["hash"] for row in hashes}) == 4
        await db.execute("delete from record.event_tag where study = 'ours'")
        await db.execute(
            "insert into record.event_tag select 'theirs', record.hash_in('ours', $1), n"
            " from generate_series(1, 9) n", tag_hash(tag),
        )  # fmt: skip
        await db.close()
        events, _ = await recorder.read("ours", items)
        assert [event["position"] for event in events] == [2]
        assert (await recorder.append("ours", [draft()], items, 2)).position == 3


def test_postgresql_mixes_in_the_same_of_a_study(database: Database) -> None:
    async def story() -> list[int]:
        db = await asyncpg.connect(database.owner_url)
        hashes = await db.fetch(
            "select record.hash_in(study, 7) from unnest($1::text[]) study", STUDIES
        )
        await db.close()
        return [row[0] for row in hashes]

    assert asyncio.run(story()) == [study_hash(study) ^ 7 for study in STUDIES]


def test_what_was_on_record_before_is_found_by_it(empty_database: str, tmp_path: Path) -> None:
    """PostgreSQL hashes as Python does."""

    async def story() -> list[tuple[object, ...]]:
        for migration in MIGRATIONS.glob("*.sql"):
            if migration.name < SIDE_BY_SIDE:
                shutil.copy(migration, tmp_path)
        await migrate(empty_database, tmp_path)
        db = await asyncpg.connect(empty_database)
        for position, tags in enumerate(TAGS, 1):
            await db.execute(
                "insert into record.event values ('s', $1, gen_random_uuid(), 'WorkshopHeld', 1,"
                " 'ana', now(), now(), null, null, $2, '', '', null, '', '')",
                position, tags,
            )  # fmt: skip
            await db.execute("insert into record.event_tag values ('s', 7, $1)", position)
        await migrate(empty_database)
        rows = await db.fetch(
            "select study, record.hash_in(study, hash), position from record.event_tag"
        )
        await db.close()
        return sorted(tuple(row) for row in rows)

    assert asyncio.run(story()) == sorted(
        ("s", tag_hash(tag), position)
        for position, tags in enumerate(TAGS, 1)
        for tag in [*tags, type_tag("WorkshopHeld")]
    )
