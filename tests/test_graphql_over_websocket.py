"""The graphql-transport-ws protocol on a real socket."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from litestar import Litestar
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.typing import Subprotocol

from service.graphql_limits import Limits
from service.graphql_over_websocket import graphql_websocket
from tests.graphql_under_test import SIGNED_IN, anyone, application, schema, served, the_bearer

PROTOCOL = Subprotocol("graphql-transport-ws")
LIMITS = Limits(body_bytes=10_000, json_nesting=10, depth=8, operations=2)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(application(context=the_bearer, limits=LIMITS, introspection=False)) as host:
        yield host


def connected(address: str, **headers: str) -> Connection:
    return connect(f"ws://{address}/graphql", subprotocols=[PROTOCOL], additional_headers=headers)


def said(socket: Connection, **message: Any) -> None:
    socket.send(json.dumps(message))


def heard(socket: Connection) -> Any:
    return json.loads(socket.recv(timeout=10))


def closed(socket: Connection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=10)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


@pytest.fixture
def socket(address: str) -> Iterator[Connection]:
    """A connection that has been acknowledged."""
    with connected(address) as socket:
        said(socket, type="connection_init", payload={"authorization": SIGNED_IN})
        assert heard(socket) == {"type": "connection_ack"}
        yield socket


def subscribe(socket: Connection, query: str, id_: str = "1", **payload: Any) -> None:
    said(socket, type="subscribe", id=id_, payload={"query": query, **payload})


def results(socket: Connection, query: str, **payload: Any) -> list[Any]:
    """What comes until the operation is complete or refused."""
    subscribe(socket, query, **payload)
    found = []
    while (message := heard(socket))["type"] == "next":
        found.append(message["payload"])
    if message["type"] == "error":
        found.append(message["payload"])
    return found


@pytest.mark.parametrize("key", ["authorization", "Authorization"])
def test_the_token_said_in_connection_init_is_who_is_asking(address: str, key: str) -> None:
    with connected(address) as socket:
        said(socket, type="connection_init", payload={key: SIGNED_IN})
        assert heard(socket)["type"] == "connection_ack"
        assert results(socket, "subscription { whom }") == [{"data": {"whom": SIGNED_IN}}]


def test_a_token_in_the_header_of_the_handshake(address: str) -> None:
    with connected(address, authorization=SIGNED_IN) as socket:
        said(socket, type="connection_init", payload=None)
        assert heard(socket)["type"] == "connection_ack"


@pytest.mark.parametrize("payload", [None, {}, {"authorization": "Bearer other"}])
def test_a_stranger_is_refused_with_4403(address: str, payload: dict[str, str] | None) -> None:
    with connected(address) as socket:
        said(socket, type="connection_init", payload=payload)
        assert closed(socket) == (4403, "Forbidden")


def test_who_asks_before_introducing_themselves_is_refused_with_4401(address: str) -> None:
    with connected(address, authorization=SIGNED_IN) as socket:
        subscribe(socket, "{ who }")
        assert closed(socket) == (4401, "Unauthorized")


def test_the_cookie_counts_only_for_pages_of_this_site(address: str) -> None:
    cookie = f'session="{SIGNED_IN}"'
    with connected(address, cookie=cookie, origin=f"http://{address}") as socket:
        said(socket, type="connection_init")
        assert heard(socket)["type"] == "connection_ack"
    with connected(address, cookie=cookie, origin="http://elsewhere.example") as socket:
        said(socket, type="connection_init")
        assert closed(socket)[0] == 4403


def test_who_does_not_introduce_themselves_in_time() -> None:
    route = graphql_websocket(
        schema, anyone, LIMITS, introspection=True, init_timeout=timedelta(milliseconds=50)
    )
    with served(Litestar([route], openapi_config=None)) as address, connected(address) as socket:
        assert closed(socket)[0] == 4408


def test_another_protocol_is_refused(address: str) -> None:
    with connect(f"ws://{address}/graphql") as socket:
        assert closed(socket)[0] == 4406


def test_operations_of_every_kind(socket: Connection) -> None:
    counted = results(socket, "subscription ($to: Int!) { counted(to: $to) }", variables={"to": 2})
    assert counted == [{"data": {"counted": 1}}, {"data": {"counted": 2}}]
    assert results(socket, "{ hello }") == [{"data": {"hello": "hello world"}}]
    held = results(socket, 'mutation { holdWorkshop(title: "Food") { title } }')
    assert held == [{"data": {"holdWorkshop": {"title": "Food"}}}]


def test_a_subscription_is_ended_by_the_client(socket: Connection) -> None:
    subscribe(socket, "subscription { counted(to: 1000, every: 0.01) }")
    assert heard(socket)["payload"] == {"data": {"counted": 1}}
    said(socket, type="complete", id="1")
    said(socket, type="ping")
    while (message := heard(socket))["type"] == "next":
        pass
    assert message["type"] == "pong"
    assert results(socket, "{ hello }") == [{"data": {"hello": "hello world"}}]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("subscription { counted(", "Syntax Error"),
        ("{ nothing }", "Cannot query field"),
        ("{cycle" + "{parents" * 7 + "{id}" + "}" * 8, "at most 8"),
        ("{ __schema { types { name } } }", "introspection"),
        ("query A { hello } query B { hello }", "operations: A, B."),
        ("subscription ($to: Int!) { counted(to: $to) }", "required type 'Int!'"),
    ],
)
def test_a_request_error_is_told_and_the_connection_goes_on(
    socket: Connection, query: str, words: str
) -> None:
    [errors] = results(socket, query)
    assert words in errors[0]["message"]
    assert results(socket, "{ hello }") == [{"data": {"hello": "hello world"}}]


def test_a_subscription_that_breaks_says_so_without_the_exception_s_words(
    socket: Connection,
) -> None:
    with structlog.testing.capture_logs() as logs:
        first, last = results(socket, "subscription { breaks }")
    assert first == {"data": {"breaks": 1}}
    assert last["errors"][0]["message"] == "Internal error"
    assert "Ana" not in str(last) + str(logs)


def test_more_operations_at_once_than_allowed(socket: Connection) -> None:
    for n in ("1", "2", "3"):
        subscribe(socket, "subscription { counted(to: 100, every: 0.05) }", n)
    while (message := heard(socket))["type"] == "next":
        pass
    assert (message["type"], message["id"]) == ("error", "3")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("NONSENSE", 4400),
        ("[" * 5_000, 4400),
        ("[]", 4400),
        ('{"type": 7}', 4400),
        ('{"type": "ask"}', 4400),
        ('{"type": "subscribe", "id": [], "payload": {"query": "{hello}"}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": 7}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {}}', 4400),
        ('{"type": "subscribe", "id": "1"}', 4400),
        ('{"type": "connection_init"}', 4429),
        (" " * 10_001, 1009),
        (b"{}", 4400),
    ],
)
def test_a_message_that_is_not_of_the_protocol_closes_the_connection(
    socket: Connection, sent: str | bytes, code: int
) -> None:
    socket.send(sent)
    assert closed(socket)[0] == code


def test_variables_that_nest_too_deeply(socket: Connection) -> None:
    variables = json.loads('{"a":' + "[" * 10 + "]" * 10 + "}")
    [[error]] = results(socket, "{ hello }", variables=variables)
    assert "variables nest 11" in error["message"]


def test_http_is_served_at_the_same_url(address: str) -> None:
    headers = {"authorization": SIGNED_IN}
    answer = httpx.post(f"http://{address}/graphql", json={"query": "{ who }"}, headers=headers)
    assert answer.json() == {"data": {"who": SIGNED_IN}}
