"""GraphQL over HTTP on a real socket: what is answered, in which media type, with which status."""

import json
import socket
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx
import pytest
import strawberry
import structlog
from litestar.connection import ASGIConnection
from strawberry.extensions import SchemaExtension

from service.graphql_limits import Limits
from tests.graphql_under_test import (
    SIGNED_IN,
    anyone,
    application,
    served,
    the_bearer,
)

JSON, GRAPHQL, EVENTS = "application/json", "application/graphql-response+json", "text/event-stream"
APOLLO = "application/graphql-response+json,application/json;q=0.9"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, "
    "text/event-stream, multipart/mixed"
)
LIMITS = Limits(body_bytes=20_000, tokens=1_000, aliases=5, depth=8, cost=500, page_max=100)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(application(context=anyone, limits=LIMITS)) as host:
        yield host


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{address}") as client:
        yield client


def post(client: httpx.Client, accept: str = GRAPHQL, **parameters: Any) -> httpx.Response:
    return client.post("/graphql", json=parameters, headers={"accept": accept})


def said(response: httpx.Response) -> str:
    """The one error, of an answer that has no data."""
    body = response.json()
    assert list(body) == ["errors"]
    [error] = body["errors"]
    return str(error["message"])


# Which media type


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        ("application/graphql-response+json; charset=utf-8", GRAPHQL),
        (APOLLO, GRAPHQL),
        (URQL, GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.5", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("multipart/mixed;deferSpec=20220824, application/json", JSON),
    ],
)
def test_the_answer_is_in_the_media_type_that_the_client_prefers(
    client: httpx.Client, accept: str, media: str
) -> None:
    response = post(client, accept, query="{ hello }")
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    assert response.json() == {"data": {"hello": "hello world"}}


@pytest.mark.parametrize("accept", ["text/html", "multipart/mixed", f"{JSON};q=0", "*/*;q=0"])
def test_a_client_that_takes_nothing_of_ours_is_told_what_there_is(
    client: httpx.Client, accept: str
) -> None:
    response = post(client, accept, query="{ hello }")
    assert response.status_code == 406
    assert GRAPHQL in said(response)


# What is not a request


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a request in JSON"),
        (b"NONSENSE", "not a request in JSON"),
        (b'{"query": ', "not a request in JSON"),
        (b'{"query": "{ hello(name: \\"\xff\\") }"}', "utf-8"),
        (b'{"query": "\\ud800"}', "not a request in JSON"),
        (b"[" * 5_000, "list of requests"),
        (b'{"query": "{hello}", "extensions":' + b'{"a":' * 3_000, "recursion"),
        (b'[{"query": "{ hello }"}]', "list of requests"),
        (b'"query"', "not a request in JSON"),
        (b'{"qeury": "{ hello }"}', "Send the document as `query`"),
        (b'{"query": ""}', "Send the document as `query`"),
        (b'{"query": 7}', "$.query"),
        (b'{"query": "{ hello }", "variables": [7]}', "$.variables"),
        (b'{"query": "{ hello }", "operationName": {}}', "$.operationName"),
        (b'{"query": "{ hello }", "extensions": "x"}', "$.extensions"),
        (b'{"documentId": "md5:1234"}', "documentId must be sha256:"),
        (b'{"query": "{hello}", "extensions": {"persistedQuery": 1}}', "persistedQuery"),
    ],
)
@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
def test_a_body_that_is_no_request_is_refused_with_400(
    client: httpx.Client, body: bytes, words: str, accept: str
) -> None:
    headers = {"content-type": JSON, "accept": accept}
    response = client.post("/graphql", content=body, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert words in said(response)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/graphql", "multipart/form-data; boundary=x"]
)
def test_only_json_is_read(client: httpx.Client, kind: str) -> None:
    """Also so that another site's page cannot send a mutation by a form, which asks no leave."""
    response = client.post(
        "/graphql", content=b'{"query":"{hello}"}', headers={"content-type": kind}
    )
    assert response.status_code == 415
    assert JSON in said(response)


def test_only_utf_8_is_read(client: httpx.Client) -> None:
    headers = {"content-type": f"{JSON}; charset=iso-8859-1"}
    response = client.post("/graphql", content=b'{"query":"{hello}"}', headers=headers)
    assert response.status_code == 415


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 10000000\r\n\r\n",  # announced, and not a byte of it sent
        b"transfer-encoding: chunked\r\n\r\n4e21\r\n" + b" " * 20_001 + b"\r\n",  # and never ends
    ],
    ids=["announced", "streamed"],
)
def test_a_body_over_the_limit_is_refused_before_it_is_read(address: str, head: bytes) -> None:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: ")
        connection.sendall(b"application/json\r\n" + head)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"over the limit of 20,000 bytes" in answer


# GET


def test_a_query_by_get(client: httpx.Client) -> None:
    response = client.get(
        "/graphql",
        params={
            "query": "query A($n: String!) { hello(name: $n) } query B { hello }",
            "operationName": "A",
            "variables": json.dumps({"n": "Toxteth"}),
            "extensions": "{}",
        },
    )
    assert response.json() == {"data": {"hello": "hello Toxteth"}}


def test_empty_parameters_of_a_url_are_none(client: httpx.Client) -> None:
    empty = {"query": "{ hello }", "operationName": "", "variables": "", "extensions": ""}
    assert client.get("/graphql", params=empty).json() == {"data": {"hello": "hello world"}}


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
def test_a_mutation_by_get_is_refused_with_405(client: httpx.Client, accept: str) -> None:
    query = 'mutation { holdWorkshop(title: "x") { id } }'
    headers = {"accept": accept}
    response = client.get("/graphql", params={"query": query}, headers=headers)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert said(response) == "Send a mutation by POST."


@pytest.mark.parametrize("variables", ["[1]", "{", '"x"', "[" * 5_000])
def test_parameters_of_a_url_that_cannot_be_read(client: httpx.Client, variables: str) -> None:
    response = client.get("/graphql", params={"query": "{hello}", "variables": variables})
    assert response.status_code == 400
    assert "URL's parameters cannot be read" in said(response)


# Request errors: 400 in the new media type; 200 in the old one, where a status says nothing of it

REQUEST_ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"query": "{ hello("}, "Syntax Error"),
    ({"query": "{ nothing }"}, "Cannot query field 'nothing'"),
    ({"query": "query A { hello } query B { hello }"}, "operations: A, B."),
    ({"query": "query A { hello }", "operationName": "C"}, "no operation named C"),
    ({"query": "query ($n: String!) { hello(name: $n) }"}, "'$n' of required type 'String!'"),
    (
        {"query": "query ($n: String) { hello(name: $n) }", "variables": {"n": 7}},
        "String cannot represent a non string value: 7",
    ),
    ({"query": "subscription { counted(to: 1) }"}, "subscribe over WebSocket at this URL"),
    ({"documentId": "sha256:" + "0" * 64}, "PersistedQueryNotFound"),
    ({"query": "{ hello }" + " #x\n" * 1_100}, "more than 1000 tokens or comments"),
    ({"query": "{" + " hello" * 1_100 + "}"}, "more than 1000 tokens or comments"),
    ({"query": "{" + "cycle{parents" + "{parents" * 300}, "nested too deeply"),
    ({"query": "{" + " ".join(f"a{n}: hello" for n in range(6)) + "}"}, "6 aliases; at most 5"),
    ({"query": "{cycle" + "{parents" * 7 + "{id}" + "}" * 8}, "9 fields deep; at most 8"),
    ({"query": "{cycle{parents{parents{parents{parents{id}}}}}}"}, "could return 781 objects"),
    ({"query": "{cycle{workshops(first: 101){edges{node{id}}}}}"}, "`first: 101` of `workshops`"),
    (
        {"query": "query ($n: Int = 101) {cycle{workshops(last: $n){edges{node{id}}}}}"},
        "`last: 101` of `workshops`",
    ),
    (
        {
            "query": "query ($n: Int) {cycle{workshops(first: $n){edges{node{id}}}}}",
            "variables": {"n": 1e6},
        },
        "`first: 1000000.0` of `workshops`",
    ),
    (
        {"query": "{ hello }", "variables": json.loads('{"a":' + "[" * 32 + "]" * 32 + "}")},
        "variables nest 33 objects",
    ),
]


@pytest.mark.parametrize(("request_", "words"), REQUEST_ERRORS)
def test_a_request_error(client: httpx.Client, request_: dict[str, Any], words: str) -> None:
    new, old = post(client, GRAPHQL, **request_), post(client, JSON, **request_)
    assert (new.status_code, old.status_code) == (400, 200)
    assert words in said(new)
    assert words in said(old)


def test_extensions_that_nest_too_deeply(client: httpx.Client) -> None:
    extensions = json.loads('{"a":' + "[" * 32 + "]" * 32 + "}")
    response = post(client, query="{ hello }", extensions=extensions)
    assert response.status_code == 400
    assert "extensions nest 33" in said(response)


def test_every_error_of_a_document_is_told_up_to_a_number(client: httpx.Client) -> None:
    errors = post(client, query="{" + " ".join(f"x{n}" for n in range(100)) + "}").json()["errors"]
    assert len(errors) == LIMITS.validation_errors + 1
    assert "Too many validation errors" in errors[-1]["message"]


def test_introspection_is_a_setting() -> None:
    with (
        served(application(introspection=False)) as address,
        httpx.Client(base_url=f"http://{address}") as client,
    ):
        refused = post(client, query="{ __schema { types { name } } }")
        assert refused.status_code == 400
        assert "introspection has been disabled" in refused.text
        assert "Did you mean" not in said(post(client, query="{ helo }"))
        assert post(client, query="{ __typename }").json() == {"data": {"__typename": "Query"}}


# Execution


def test_a_failing_field_leaves_the_rest(client: httpx.Client) -> None:
    response = post(client, query="{ hello refuses }")
    assert response.status_code == 200
    body = response.json()
    assert body["data"] == {"hello": "hello world", "refuses": None}
    [error] = body["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("No such study.", "NOT_FOUND")


@pytest.mark.parametrize("field", ["fails", "failsAltogether"])
def test_an_unexpected_exception_is_masked_and_logged_without_its_words(field: str) -> None:
    async def context(connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
        structlog.contextvars.bind_contextvars(request_id="0199-abcd")
        return await anyone(connection)

    with (
        structlog.testing.capture_logs() as logs,
        served(application(context=context)) as address,
        httpx.Client(base_url=f"http://{address}") as client,
    ):
        response = post(client, query=f"query Look {{ {field} }}")
    assert response.status_code == 200
    [error] = response.json()["errors"]
    assert (error["message"], error["path"]) == ("Internal error", [field])
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "0199-abcd"}
    [entry] = [entry for entry in logs if entry["event"] == "graphql_internal_error"]
    assert (entry["error"], entry["field"]) == ("builtins.KeyError", field)
    assert entry["operation"] == "query Look"
    assert "Ana" not in response.text + str(logs)


def test_a_context_that_fails_is_an_internal_error() -> None:
    async def context(_: object) -> None:
        raise RuntimeError("password of the database")

    with (
        structlog.testing.capture_logs() as logs,
        served(application(context=context)) as address,
        httpx.Client(base_url=f"http://{address}") as client,
    ):
        response = post(client, query="{ hello }")
    assert response.status_code == 500
    assert said(response) == "Internal error"
    assert "password" not in str(logs)


def test_who_is_not_signed_in_is_refused_in_graphql_s_shape() -> None:
    with (
        served(application(context=the_bearer)) as address,
        httpx.Client(base_url=f"http://{address}") as client,
    ):
        refused = post(client, query="{ who }")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer" in said(refused)
        headers = {"authorization": SIGNED_IN}
        answered = client.post("/graphql", json={"query": "{ who }"}, headers=headers)
        assert answered.json() == {"data": {"who": SIGNED_IN}}


def test_answers_are_not_kept_by_caches_on_the_way(client: httpx.Client) -> None:
    response = post(client, query="{ hello }")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "accept"


def test_a_schema_with_extensions_is_refused_at_the_start() -> None:
    @strawberry.type
    class Query:
        hello: str

    schema = strawberry.Schema(Query, extensions=[SchemaExtension])
    with pytest.raises(ValueError, match="neither schema extensions nor operation directives"):
        application(of=schema)


# Persisted documents


def test_a_document_sent_once_with_its_identifier_is_known_by_it(client: httpx.Client) -> None:
    query = 'query Once { hello(name: "Everton") }'
    known_as = f"sha256:{sha256(query.encode()).hexdigest()}"
    assert said(post(client, documentId=known_as)) == "PersistedQueryNotFound"
    answer = {"data": {"hello": "hello Everton"}}
    assert post(client, documentId=known_as, query=query).json() == answer
    assert post(client, documentId=known_as).json() == answer
    assert client.get("/graphql", params={"documentId": known_as}).json() == answer


def test_apollo_s_automatic_persisted_queries(client: httpx.Client) -> None:
    query = 'query Apollo { hello(name: "Kensington") }'
    digest = sha256(query.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    [unknown] = post(client, JSON, extensions=extensions).json()["errors"]
    assert unknown["message"] == "PersistedQueryNotFound"
    assert unknown["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    answer = {"data": {"hello": "hello Kensington"}}
    assert post(client, JSON, query=query, extensions=extensions).json() == answer
    assert post(client, JSON, extensions=extensions).json() == answer


def test_a_hash_that_is_not_the_document_s_is_refused(client: httpx.Client) -> None:
    response = post(client, query="{ hello }", documentId="sha256:" + "0" * 64)
    assert response.status_code == 400
    assert "not the SHA-256" in said(response)


# Server-sent events, for those that ask for nothing else


def events(client: httpx.Client, query: str) -> list[tuple[str, Any]]:
    response = post(client, EVENTS, query=query)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(EVENTS)
    told = [part.split("\n") for part in response.text.strip("\n").split("\n\n")]
    return [
        (kind.removeprefix("event: "), json.loads(data.removeprefix("data: ") or "null"))
        for kind, data in told
    ]


def test_a_subscription_as_events(client: httpx.Client) -> None:
    assert events(client, "subscription { counted(to: 2) }") == [
        ("next", {"data": {"counted": 1}}),
        ("next", {"data": {"counted": 2}}),
        ("complete", None),
    ]


def test_a_query_as_events(client: httpx.Client) -> None:
    one = ("next", {"data": {"hello": "hello world"}})
    assert events(client, "{ hello }") == [one, ("complete", None)]


def test_a_request_error_as_events(client: httpx.Client) -> None:
    [(kind, told), complete] = events(client, "{ nothing }")
    assert (kind, complete) == ("next", ("complete", None))
    assert "Cannot query field" in told["errors"][0]["message"]


def test_a_subscription_that_breaks_says_so(client: httpx.Client) -> None:
    with structlog.testing.capture_logs() as logs:
        *_, (kind, told), complete = events(client, "subscription { breaks }")
    assert (kind, complete) == ("next", ("complete", None))
    assert told["errors"][0]["message"] == "Internal error"
    assert "Ana" not in str(told) + str(logs)
