"""People are found by their names, which are sealed, by whoever may read them."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from tests.conftest import Database
from tests.serving import Person, Service, prepare, serving

NAMED = """query($name: String!) {
    study(id: "maize") { named(name: $name) { position type tags payload } }
}"""


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        prepare(ana := running.as_("ana"))
        for participant, name in (("p-8", "Zoë van der Berg"), ("p-9", "Berg, Anna")):
            ana.record("enrolParticipant", "2026-01-09T09:00Z", participant=participant, name=name)
        last = ana.record(
            "joinMember", "2026-01-09T10:00Z", member="bo", role="VIEWER", name="Bo Berg"
        )
        ana.ask('query($at: Int) { study(id: "maize", atLeast: $at) { study } }', at=last)
        yield running


def found(person: Person, name: str) -> list[str]:
    """Who is given that name."""
    events = person.ask(NAMED, name=name)["study"]["named"]
    return sorted(tag for event in events for tag in event["tags"])


def test_a_name_is_found_by_the_whole_or_by_words_of_it(service: Service) -> None:
    ana = service.as_("ana")
    assert found(ana, "Zoë van der Berg") == ["participant:p-8"]
    assert found(ana, "berg zoe\u0308") == ["participant:p-8"]
    assert found(ana, "BERG") == ["member:bo", "participant:p-8", "participant:p-9"]
    assert found(ana, "Anna van der Berg") == []
    assert found(ana, "Ber") == found(ana, " ") == []
    (event,) = ana.ask(NAMED, name="anna")["study"]["named"]
    assert event["payload"]["name"] == "Berg, Anna"


def test_a_corrected_name_is_found_too(service: Service) -> None:
    ana = service.as_("ana")
    (event,) = ana.ask(NAMED, name="anna")["study"]["named"]
    ana.record(
        "correct", "2026-02-01T09:00Z", corrects=event["position"], subject="participant:p-9",
        eventType="ParticipantEnrolled", why="Misheard.", standing={"name": "Hanna Berg"},
    )  # fmt: skip
    (event,) = ana.ask(NAMED, name="hanna")["study"]["named"]
    assert event["type"] == "Corrected"


def test_who_may_not_read_names_cannot_search_them(service: Service) -> None:
    answer = service.as_("bo").post(NAMED, name="Berg").json()
    assert answer["errors"][0]["extensions"]["code"] == "ROLE_INSUFFICIENT"


def test_the_index_tells_nothing_by_itself(database: Database, service: Service) -> None:
    assert found(service.as_("ana"), "Berg")

    async def words() -> list[bytes]:
        db = await asyncpg.connect(database.service_url)
        try:
            rows = await db.fetch("select word from record.sealed_word")
        finally:
            await db.close()
        return [row["word"] for row in rows]

    tokens = asyncio.run(words())
    assert tokens
    assert {len(token) for token in tokens} == {16}
    assert not any(b"erg" in token.lower() for token in tokens)
