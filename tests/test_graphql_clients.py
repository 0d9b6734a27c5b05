"""GraphQL clients as they come, against the real service, its whole schema and a real record.

The JavaScript ones need node and npm, which install them (exact versions, `clients/package.json`)
as foreign_tools.py says.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from gql import Client, GraphQLRequest, gql
from gql.transport.httpx import HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

from service.graphql_schema import schema
from tests.client_documents import DOCUMENTS, documents, prepare_for_clients
from tests.conftest import Database
from tests.foreign_tools import node_modules
from tests.recording import events_of
from tests.serving import serving

CLIENTS = Path(__file__).parent / "clients"
AUDITS = 61  # of graphql-http; a new version may bring more, and then this is to be looked at


@dataclass
class Asked:
    """The service that one client speaks to, with a study to ask about, and what it is to ask."""

    database: Database
    address: str
    headers: dict[str, str]
    documents: dict[str, dict[str, Any]]

    @property
    def http(self) -> str:
        return f"http://{self.address}/graphql"

    @property
    def ws(self) -> str:
        return f"ws://{self.address}/graphql"

    def expected(self, kind: str) -> Any:
        """What the service has to answer: once it has, for the position is taken from the record.

        That the client has read personal fields may have been recorded before its mutation was.
        """
        data = self.documents[kind]["data"]
        if kind == "mutation":
            data["enrolParticipant"]["position"] = self.enrolled_at()
        return data

    def enrolled_at(self) -> int:
        """Where that which the mutation asks for stands on record."""
        enrolled = self.documents["mutation"]["variables"]["input"]["participant"]
        (position,) = [
            event["position"]
            for event in asyncio.run(events_of(self.database.service_url, "maize"))
            if event["type"] == "ParticipantEnrolled" and f"participant:{enrolled}" in event["tags"]
        ]
        return int(position)

    def setup(self) -> str:
        """All of it, for a client in another process."""
        told = {"http": self.http, "ws": self.ws, "headers": self.headers}
        return json.dumps({**told, "documents": self.documents})


@pytest.fixture
def asked(database: Database) -> Iterator[Asked]:
    with serving(database) as service:
        ana = service.as_("ana")
        last = prepare_for_clients(ana)
        headers = {"authorization": f"Bearer {ana.token}"}
        yield Asked(database, service.address, headers, documents(last))


@pytest.fixture(scope="session")
def packages() -> Path:
    """The clients, installed once for each content of package.json."""
    what = "JavaScript GraphQL clients are"
    return node_modules("graphql-clients", CLIENTS / "package.json", what)


@pytest.fixture
def javascript(packages: Path, tmp_path: Path) -> Path:
    """A folder with the client programs, where node finds the packages."""
    folder = tmp_path / "clients"
    shutil.copytree(CLIENTS, folder)
    (folder / "node_modules").symlink_to(packages)
    return folder


def run(folder: Path, program: str, asked: Asked) -> Any:
    """What a client program tells, without the type names that some clients ask for besides."""
    done = subprocess.run(
        ["node", program],
        cwd=folder,
        env=os.environ | {"PARCYCLE_CLIENT_SETUP": asked.setup()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, object_hook=without_type_name)


def without_type_name(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != "__typename"}


def test_all_audits_of_graphql_http_pass(javascript: Path, asked: Asked) -> None:
    audits = run(javascript, "audits.js", asked)
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == AUDITS


def test_apollo_client(javascript: Path, asked: Asked) -> None:
    told = run(javascript, "apollo.js", asked)
    assert told["query"] == asked.expected("query")
    assert told["mutation"] == asked.expected("mutation")
    assert told["subscription"] == asked.expected("subscription")
    assert told["persisted"] == [asked.expected("query")] * 2
    assert told["sent"] == [  # by hash; unknown, so with the document; by hash
        {"query": False, "hash": True},
        {"query": True, "hash": True},
        {"query": False, "hash": True},
    ]


def test_urql(javascript: Path, asked: Asked) -> None:
    told = run(javascript, "urql.js", asked)
    assert told["query"] == told["byGet"] == asked.expected("query")
    assert told["mutation"] == asked.expected("mutation")
    assert told["subscription"] == asked.expected("subscription")


def test_graphql_ws(javascript: Path, asked: Asked) -> None:
    told = run(javascript, "graphql-ws.js", asked)
    assert told["subscription"] == asked.expected("subscription")
    assert told["query"] == [asked.expected("query")]
    assert told["stranger"] == {"code": 4403, "reason": "Forbidden"}


def test_graphql_sse(javascript: Path, asked: Asked) -> None:
    told = run(javascript, "graphql-sse.js", asked)
    assert told["subscription"] == asked.expected("subscription")
    assert told["query"] == [asked.expected("query")]
    [[error]] = told["wrong"]
    assert "nothingOfThisName" in error["message"]


def test_relay(javascript: Path, asked: Asked) -> None:
    """relay-compiler takes our schema and documents, and relay-runtime runs what it makes."""
    made = javascript / "__generated__"
    made.mkdir()
    (made / "package.json").write_text('{"type": "commonjs"}')
    (javascript / "schema.graphql").write_text(schema().as_str())
    sources = javascript / "src"
    sources.mkdir()
    for each in asked.documents.values():  # Relay wants an operation named for its module
        module = re.sub("(Query|Mutation|Subscription)$", "", each["name"])
        (sources / f"{module}.js").write_text(f"graphql`{each['document']}`;")
    (javascript / "relay.config.json").write_text(
        json.dumps(
            {
                "src": "./src",
                "schema": "./schema.graphql",
                "language": "javascript",
                "artifactDirectory": "./__generated__",
                "eagerEsModules": False,
            }
        )
    )
    compiled = subprocess.run(
        ["node", "node_modules/relay-compiler/cli.js", "relay.config.json"],
        cwd=javascript,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    told = run(javascript, "relay.js", asked)
    assert told["query"] == asked.expected("query")
    assert told["mutation"] == asked.expected("mutation")


def request_of(asked: Asked, kind: str) -> GraphQLRequest:
    request = gql(asked.documents[kind]["document"])
    request.variable_values = asked.documents[kind]["variables"]
    return request


def test_gql_over_http(asked: Asked) -> None:
    transport = HTTPXTransport(url=asked.http, headers=asked.headers)
    # it fetches the schema, and checks each document by it before it is sent
    with Client(transport=transport, fetch_schema_from_transport=True) as session:
        for kind in ("query", "mutation"):
            assert session.execute(request_of(asked, kind)) == asked.expected(kind)
        asked.documents["mutation"]["variables"]["input"]["commandId"] = str(uuid4())
        again = request_of(asked, "mutation")
        decided_by = asked.enrolled_at()
        refused = {
            "code": "participant_exists", "path": "participant", "decidedBy": decided_by,
        }  # fmt: skip
        assert session.execute(again) == {"enrolParticipant": {"reasons": [refused]}}


def test_gql_over_websocket(asked: Asked) -> None:
    assert asyncio.run(heard_by_gql(asked)) == asked.expected("subscription")


async def heard_by_gql(asked: Asked) -> list[dict[str, Any]]:
    transport = WebsocketsTransport(url=asked.ws, init_payload=asked.headers)
    heard: list[dict[str, Any]] = []
    async with (
        Client(transport=transport) as session,
        aclosing(session.subscribe(request_of(asked, "subscription"))) as events,
    ):
        async for data in events:
            heard.append(data)
            if len(heard) == asked.documents["subscription"]["take"]:
                break
    return heard


ARIADNE = """
import asyncio, json, re, sys
import generated

async def ask(http, ws, headers, documents):
    client = generated.Client(
        http, headers=headers, ws_url=ws, ws_connection_init_payload=headers
    )
    def method(kind):
        document = documents[kind]
        snake = lambda name: re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
        values = {snake(name): value for name, value in document["variables"].items()}
        if "input" in values:
            values["input"] = generated.EnrolParticipantInput(**values["input"])
        return getattr(client, snake(document["name"]))(**values)
    def plain(data):
        return data.model_dump(mode="json", by_alias=True)
    events = []
    async for data in method("subscription"):
        events.append(plain(data))
        if len(events) == documents["subscription"]["take"]:
            break
    return {
        "query": plain(await method("query")),
        "mutation": plain(await method("mutation")),
        "subscription": events,
    }

print(json.dumps(asyncio.run(ask(**json.loads(sys.argv[1])))))
"""


def test_ariadne_codegen(asked: Asked, tmp_path: Path) -> None:
    """The typed client that it generates from our schema and documents works."""
    (tmp_path / "schema.graphql").write_text(schema().as_str())
    (tmp_path / "pyproject.toml").write_text(
        "[tool.ariadne-codegen]\n"
        'schema_path = "schema.graphql"\n'
        f"queries_path = {json.dumps(str(DOCUMENTS))}\n"
        'target_package_name = "generated"\n'
    )
    (tmp_path / "ask.py").write_text(ARIADNE)
    generator = [sys.executable, "-c", "from ariadne_codegen.main import main; main()"]
    generated = subprocess.run(generator, cwd=tmp_path, capture_output=True, text=True)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    done = subprocess.run(
        [sys.executable, "ask.py", asked.setup()], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout, object_hook=without_type_name) == {
        kind: asked.expected(kind) for kind in ("query", "mutation", "subscription")
    }
