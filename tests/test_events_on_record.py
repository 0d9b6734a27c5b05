"""Events already on record must be readable for ever, and what is personal kept apart.

Each file in golden/ is one event, all its fields given, as the release of that schema understood
it: WorkshopHeld.1.json. They are never edited, only added to: a changed event class raises its
SCHEMA, gets a step in `UPCASTS` and a new file beside the old one (WorkshopHeld.2.json).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.older_events import UPCASTS, Unreadable, read_recorded, write_recorded
from domain.vocabulary import ResearchEvent, event_types, without_personal_fields
from domain.workshops import WorkshopHeld

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))

every_type = pytest.mark.parametrize("event_type", event_types(), ids=lambda each: each.TOPIC)


def newest(event_type: type[ResearchEvent]) -> tuple[ResearchEvent, bytes]:
    name = f"{event_type.TOPIC}.{event_type.SCHEMA}.json"
    assert (GOLDEN / name).exists(), f"add tests/golden/{name}"
    written = (GOLDEN / name).read_bytes()
    return read_recorded(event_type.TOPIC, event_type.SCHEMA, written, {}), written


def texts(value: Any) -> Iterable[str]:
    """Every text inside a value of JSON."""
    match value:
        case str():
            yield value
        case list():
            yield from (text for each in value for text in texts(each))
        case dict():
            yield from (text for each in value.values() for text in texts(each))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_event_once_recorded_still_reads(path: Path) -> None:
    name, schema, _ = path.name.split(".")
    event = read_recorded(name, int(schema), path.read_bytes(), {})
    assert name == event.TOPIC


@every_type
def test_the_newest_golden_file_is_what_we_write_today(event_type: type[ResearchEvent]) -> None:
    event, written = newest(event_type)
    assert msgspec.json.format(msgspec.json.encode(event), indent=2) + b"\n" == written


@every_type
def test_the_newest_golden_file_gives_every_field(event_type: type[ResearchEvent]) -> None:
    _, written = newest(event_type)
    assert msgspec.json.decode(written).keys() == set(event_type.__struct_fields__)


@every_type
def test_what_is_written_is_read_back(event_type: type[ResearchEvent]) -> None:
    event, _ = newest(event_type)
    payload, personal = write_recorded(event)
    assert read_recorded(event_type.TOPIC, event_type.SCHEMA, payload, personal) == event


@every_type
def test_the_public_payload_reads_alone_and_holds_nothing_personal(
    event_type: type[ResearchEvent],
) -> None:
    event, _ = newest(event_type)
    payload, personal = write_recorded(event)
    shown = read_recorded(event_type.TOPIC, event_type.SCHEMA, payload, {})
    assert shown == without_personal_fields(event)
    for part in personal.values():
        for text in texts(msgspec.json.decode(part)):
            assert text not in payload.decode()


@every_type
def test_one_personal_part_may_be_erased_without_the_others(
    event_type: type[ResearchEvent],
) -> None:
    event, _ = newest(event_type)
    payload, personal = write_recorded(event)
    for erased in personal:
        left = {name: part for name, part in personal.items() if name != erased}
        shown = read_recorded(event_type.TOPIC, event_type.SCHEMA, payload, left)
        assert write_recorded(shown)[1].keys() - {erased} == left.keys()
        assert getattr(shown, erased) != getattr(event, erased)


@every_type
def test_every_event_is_about_something(event_type: type[ResearchEvent]) -> None:
    event, _ = newest(event_type)
    assert event.tags, "an event without tags cannot be found, and so not corrected"


def test_personal_fields_that_hold_their_default_are_left_out() -> None:
    held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",), notes="Tea.")
    assert write_recorded(held) == (
        b'{"workshop":"w-1","cycle":"c-1","participants":["p-1"]}',
        {"notes": b'"Tea."'},
    )


@pytest.fixture
def third_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the people of a workshop had once been `people`, and its notes, before that, `memo`."""

    def renamed(old: str, new: str) -> Any:
        return lambda fields: {new if name == old else name: fields[name] for name in fields}

    monkeypatch.setattr(WorkshopHeld, "SCHEMA", 3)
    monkeypatch.setitem(UPCASTS, ("WorkshopHeld", 1), renamed("memo", "notes"))
    monkeypatch.setitem(UPCASTS, ("WorkshopHeld", 2), renamed("people", "participants"))


@pytest.mark.usefixtures("third_schema")
def test_older_shapes_are_brought_up_to_date_step_by_step() -> None:
    payload = b'{"workshop":"w-1","cycle":"c-1","people":["p-1"]}'
    held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1",), notes="Tea.")
    assert read_recorded("WorkshopHeld", 1, payload, {"memo": b'"Tea."'}) == held
    assert read_recorded("WorkshopHeld", 2, payload, {"notes": b'"Tea."'}) == held
    assert read_recorded("WorkshopHeld", 3, *write_recorded(held)) == held
    assert read_recorded("WorkshopHeld", 1, payload, {}) == without_personal_fields(held)


@pytest.mark.usefixtures("third_schema")
def test_a_step_that_is_missing_or_forgets_a_field_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = b'{"workshop":"w-1","cycle":"c-1","people":["p-1"],"colour":"red"}'
    with pytest.raises(Unreadable, match="fields that WorkshopHeld has no more: colour"):
        read_recorded("WorkshopHeld", 1, payload, {})
    monkeypatch.delitem(UPCASTS, ("WorkshopHeld", 2))
    with pytest.raises(Unreadable, match="of schema 2 to schema 3; add that step"):
        read_recorded("WorkshopHeld", 1, payload, {})


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (("PlagueLoosed", 1, b"{}", {}), "knows no event of type PlagueLoosed: run the release"),
        (("WorkshopHeld", 9, b"{}", {}), "has schema 9; this release knows 1 to 2"),
        (("WorkshopHeld", 0, b"{}", {}), "has schema 0"),
        (("WorkshopHeld", 1, b"{}", {}), "missing required field `workshop`"),
        (("WorkshopHeld", 1, b"not JSON", {}), "malformed"),
        (("CycleClosed", 1, b'{"cycle":"c"}', {"cycle": b'"d"'}), "has a personal part 'cycle'"),
        (("CycleClosed", 1, b'{"cycle":"c"}', {"summary": b"5"}), "Expected `str | null`"),
    ],
    ids=["type", "newer", "schema", "field", "JSON", "part", "value"],
)
def test_what_cannot_be_read_says_why_and_what_to_do(
    recorded: tuple[str, int, bytes, dict[str, bytes]], said: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read_recorded(*recorded)
    assert said in str(refused.value)
