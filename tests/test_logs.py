"""The log: one request id from HTTP to append to register, and nothing personal in any line."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from service import logs
from tests.conftest import Database
from tests.processes import Started, service_process
from tests.recording import events_of
from tests.serving import Person, Service, prepare, whole_cycle

DEBUG = {"PARCYCLE_LOG_FORMAT": "json", "PARCYCLE_LOG_LEVEL": "debug"}
CANARY = "Ana-Pereira-0151-496-0000"
TEXTS = ("title", "question", "notes", "what", "whatWasDone", "learning", "technique")


@pytest.fixture
def running(database: Database, tmp_path: Path) -> Iterator[tuple[Service, Started]]:
    with service_process(database, tmp_path, settings=DEBUG) as both:
        prepare(both[0].as_("ana"))
        yield both


def lines(running: Started, *events: str, about: str) -> list[dict[str, Any]]:
    """What the log says in lines of these kinds, once there is one of each."""
    give_up = time.monotonic() + 10
    while True:
        found = [line for line in running.log() if about in json.dumps(line)]
        if {line["event"] for line in found} >= set(events):
            return found
        assert time.monotonic() < give_up, running.errors.read_text()
        time.sleep(0.05)


def test_a_request_is_found_again_from_http_to_record_to_registers(
    running: tuple[Service, Started], database: Database
) -> None:
    service, process = running
    request_id = "field-form-7f3a9c21"
    ana = service.as_("ana")
    ana.http.headers["x-request-id"] = request_id
    answer = ana.post(
        "mutation($i: EnrolParticipantInput!) { enrolParticipant(input: $i) { __typename } }",
        i={"study": "maize", "commandId": "6f2c6a0e-6f9b-4c1e-9a55-0d8f1f1f0001",
           "occurredAt": "2026-02-01T10:00Z", "participant": "p-3"},
    )  # fmt: skip
    assert answer.json() == {"data": {"enrolParticipant": {"__typename": "Recorded"}}}
    assert answer.headers["x-request-id"] == request_id

    event = asyncio.run(events_of(database.service_url, "maize"))[-1]
    assert msgspec.json.decode(event["envelope"])["request_id"] == request_id

    found = lines(process, "request", "recorded", "register_advanced", about=request_id)
    [request] = [line for line in found if line["event"] == "request"]
    [recorded] = [line for line in found if line["event"] == "recorded"]
    advanced = {line["register"] for line in found if line["event"] == "register_advanced"}
    assert (request["path"], request["status"], request["request_id"]) == (
        "/graphql",
        200,
        request_id,
    )
    assert (recorded["study"], recorded["through"], recorded["commands"]) == (
        "maize",
        event["position"],
        ["EnrolParticipant"],
    )
    assert recorded["request_id"] == request_id
    assert {"participation", "audit_trail"} <= advanced


class Naming(Person):
    """Somebody who writes a name into every text."""

    def send(self, command: str, at: str, study: str = "maize", **fields: Any) -> dict[str, Any]:
        named = {name: f"{fields[name]} {CANARY}" for name in TEXTS if name in fields}
        return super().send(command, at, study, **(fields | named))


def test_nothing_personal_is_logged_at_any_level(running: tuple[Service, Started]) -> None:
    """A whole cycle, with a name in every text, and what is refused, invalid or not GraphQL."""
    service, process = running
    ana = Naming(service.address, service.issuer.token("ana"))
    service.people.append(ana)
    ana.record("enrolParticipant", "2026-01-09T09:00Z", participant="p-3", name=CANARY,
               contact=CANARY)  # fmt: skip
    ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER", reason=CANARY)
    last = whole_cycle(ana)
    held = {"workshop": "w-9", "cycle": "c-1", "participants": ["p-9"], "notes": CANARY}
    assert ana.refused("holdWorkshop", "2026-02-10T10:00Z", **held)
    assert ana.refused("holdWorkshop", "2026-02-10T10:00Z", **held | {"notes": CANARY * 2000})
    for document in (
        f"{{ {CANARY} }}",
        f'{{ study(id: "{CANARY}", atLeast: 1) {{ title }} }}',
        f'{{ node(id: "{CANARY}") {{ id }} }}',
        f'{{ study(id: "maize", atLeast: {last}) {{ participants {{ nodes {{ name }} }} }} }}',
    ):
        ana.post(document, **{CANARY: CANARY})
        ana.http.get("/graphql", params={"query": document, "variables": f'{{"{CANARY}": 1}}'})
    ana.http.get(f"/graphiql/{CANARY}")
    ana.http.get(f"/{CANARY}")
    ana.http.post("/graphql", content=CANARY, headers={"x-request-id": f"{CANARY}: mine"})
    lines(process, "register_advanced", about='"register": "reflections"')
    said = process.errors.read_text()
    assert CANARY not in said
    assert "Name of p-1" not in said
    assert "/graphiql/{name}" in said
    assert {line["event"] for line in process.log()} >= {"request", "recorded"}
    assert service.as_("ana").token not in said


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.parametrize("format_", ["json", "console"])
def test_an_exception_is_logged_by_type_and_place_alone(
    format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(format_, "info")
    try:
        raise KeyError(CANARY)
    except KeyError:
        structlog.get_logger().exception("failed")
        message = f"Task exception was never retrieved\nfuture: <KeyError('{CANARY}')>"
        logging.getLogger("asyncio").error(message, exc_info=sys.exc_info())
    said = capsys.readouterr().err
    assert CANARY not in said
    assert said.count("KeyError") == 2
    assert said.count("test_logs.py:") == 2
