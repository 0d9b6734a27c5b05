"""The live stream of a study: in order, once each, however often it is cut, for one query."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conftest import Database
from tests.serving import Person, Service, prepare, serving

PREPARED = 7  # events
PAGES = 50


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        prepare(running.as_("ana"))
        yield running


def enrol(person: Person, number: int) -> int:
    return person.record("enrolParticipant", "2026-02-01T10:00Z", participant=f"n-{number}")


def heard(person: Person, after: int | None = None, last: str | None = None) -> Iterator[Any]:
    """The lines of the stream, each with its id."""
    headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
    parameters = {} if after is None else {"after": str(after)}
    with person.http.stream("GET", "/s/maize/live", params=parameters, headers=headers) as answer:
        assert answer.status_code == 200
        id_ = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                id_ = value
            if name == "data":
                yield id_, json.loads(value)


def test_a_stream_goes_on_after_its_last_event_id_and_names_nobody(service: Service) -> None:
    ana = service.as_("ana")
    for number in range(3):
        enrol(ana, number)
    with closing(heard(service.as_("ana"), after=PREPARED)) as stream:  # type: ignore[type-var]
        first = [next(stream) for _ in range(2)]
    with closing(heard(service.as_("ana"), after=1, last=first[-1][0])) as stream:  # type: ignore[type-var]
        then = next(stream)
        last = enrol(ana, 3)
        then_live = next(stream)
    ids = [int(id_) for id_, _ in [*first, then, then_live]]
    assert ids == [PREPARED + 1, PREPARED + 2, PREPARED + 3, last]
    assert "n-0" not in json.dumps(first)
    assert first[0][1]["type"] == "ParticipantEnrolled"


def test_a_stream_tells_everything_however_long_ago(service: Service) -> None:
    with closing(heard(service.as_("ana"), after=0)) as stream:  # type: ignore[type-var]
        assert [int(next(stream)[0]) for _ in range(PREPARED)] == list(range(1, PREPARED + 1))


def test_a_stream_ends_with_the_role_that_it_was_shown_to(service: Service) -> None:
    ana = service.as_("ana")
    at = ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
    with closing(heard(service.as_("vic"), after=at - 1)) as stream:  # type: ignore[type-var]
        assert next(stream)[1]["type"] == "MemberJoined"
        ana.record("leaveMember", "2026-01-10T09:00Z", member="vic")
        assert list(stream) == []


def test_fifty_open_pages_cost_one_query_a_change(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted where all queries for rows go through: in the driver."""
    asked: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def counted(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if "from feed_line" in query:
            asked.append(query)
        return await fetch(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "fetch", counted)
    ana = service.as_("ana")
    changes = 5

    async def page(client: httpx.AsyncClient, ready: asyncio.Event, told: list[int]) -> None:
        async with client.stream("GET", "/s/maize/live", params={"after": str(PREPARED)}) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("retry"):
                    ready.set()
                if line.startswith("id: "):
                    told.append(int(line.removeprefix("id: ")))
                    if len(told) == changes:
                        return

    async def open_pages() -> tuple[list[list[int]], int]:
        told: list[list[int]] = [[] for _ in range(PAGES)]
        ready = [asyncio.Event() for _ in range(PAGES)]
        headers = {"authorization": f"Bearer {service.issuer.token('ana')}"}
        async with httpx.AsyncClient(
            base_url=f"http://{service.address}", headers=headers, timeout=60,
            limits=httpx.Limits(max_connections=PAGES),
        ) as client:  # fmt: skip
            open_ = [
                asyncio.create_task(page(client, r, t)) for r, t in zip(ready, told, strict=True)
            ]
            for each in ready:
                await each.wait()
            before = len(asked)
            for number in range(changes):
                await asyncio.to_thread(enrol, ana, number)
            await asyncio.gather(*open_)
            return told, len(asked) - before

    told, queries = asyncio.run(open_pages())
    assert told == [list(range(PREPARED + 1, PREPARED + 1 + changes))] * PAGES
    # One for each change, and a few that found nothing: of the poll, and of what was told twice.
    assert queries <= 3 * changes < PAGES
