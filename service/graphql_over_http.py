"""GraphQL over HTTP: https://graphql.github.io/graphql-over-http/draft/, with its appendix A.

One handler for GET and POST on one URL. It answers in application/graphql-response+json or
application/json, as the client asks. A client that asks for text/event-stream and for no JSON
gets its results as server-sent events (graphql-sse's "distinct connections mode"); one that only
lists it beside JSON, as urql and Apollo Client do, gets JSON.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import strawberry
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from litestar import Request, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat

from service.graphql_documents import InvalidRequest, Prepared, hashed
from service.graphql_execution import Operations, internal
from service.graphql_limits import Limits

JSON, GRAPHQL, EVENTS = "application/json", "application/graphql-response+json", "text/event-stream"
HEADERS = {"vary": "accept", "cache-control": "no-store"}


def graphql_route(
    schema: strawberry.Schema,
    context: Callable[[Request[Any, Any, Any]], Awaitable[object]],
    limits: Limits,
    *,
    introspection: bool,
    strangers: "Strangers | None" = None,
) -> HTTPRouteHandler:
    """Serves `schema` at /graphql. An HTTPException of `context` (401, 403) is the answer.

    But for what `strangers` may ask, whom `context` does not know (401).
    """
    operations = Operations(schema, limits, introspection=introspection)
    service = GraphQLOverHTTP(operations, context, strangers)

    @route(
        "/graphql",
        http_method=["GET", "POST"],
        request_max_body_size=limits.body_bytes,
        include_in_schema=False,
    )
    async def graphql_over_http(request: Request[Any, Any, Any]) -> ASGIApp:
        return await service.answer(request)

    return graphql_over_http


class NotWellFormed(Exception):
    """Not a GraphQL-over-HTTP request at all."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.error, self.headers = status, GraphQLError(message), headers


class Parameters(msgspec.Struct, rename="camel"):
    """The parameters of a request. Unknown ones are passed over, as the specification has it."""

    query: str | None = None
    document_id: str | None = None
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None

    def persisted(self) -> str | None:
        """The SHA-256 of the document by which the client calls it, if it does."""
        if self.document_id is not None:
            prefix, _, digest = self.document_id.partition(":")
            if prefix != "sha256" or len(digest) != 64:
                raise NotWellFormed(
                    400,
                    "documentId must be sha256: and the 64 hexadecimal digits of the document's "
                    "SHA-256.",
                )
            return digest
        apollo = (self.extensions or {}).get("persistedQuery")
        if apollo is None:
            return None
        match apollo:
            case {"version": 1, "sha256Hash": str(digest)}:
                return digest
        raise NotWellFormed(400, "extensions.persistedQuery must be {version: 1, sha256Hash}.")


@dataclass(frozen=True)
class Strangers:
    """What somebody without a token may ask, and the context in which it is answered."""

    word: str  # that stands in every such document: others are not even read
    may: Callable[[OperationDefinitionNode], bool]
    context: Callable[[Request[Any, Any, Any]], object]


UNAVAILABLE = {503: {"code": "UNAVAILABLE"}}
encoder = msgspec.json.Encoder()
posted = msgspec.json.Decoder(Parameters)


class GraphQLOverHTTP:
    """From a request to its response."""

    def __init__(
        self,
        operations: Operations,
        context: Callable[[Request[Any, Any, Any]], Awaitable[object]],
        strangers: Strangers | None = None,
    ) -> None:
        self.operations, self.context, self.strangers = operations, context, strangers

    async def answer(self, request: Request[Any, Any, Any]) -> ASGIApp:
        media = negotiated(request.headers.get("accept", ""))
        try:
            if media is None:
                raise NotWellFormed(406, f"Accept {GRAPHQL}, {JSON} or {EVENTS}.")
            unknown: HTTPException | None = None
            try:
                context = await self.context(request)
            except HTTPException as error:
                if error.status_code != 401 or self.strangers is None:
                    raise
                unknown, context = error, self.strangers.context(request)
            parameters = await self.parameters(request)
            if unknown and self.strangers and self.strangers.word not in (parameters.query or ""):
                raise unknown
            prepared = self.document(parameters)
            name = parameters.operation_name or None
            operation = self.operations.check(prepared, name, parameters.variables)
            if unknown and self.strangers and not self.strangers.may(operation):
                raise unknown
            if request.method == "GET" and operation.operation is OperationType.MUTATION:
                raise NotWellFormed(405, "Send a mutation by POST.", allow="POST")
            if media == EVENTS:
                events = self.events(prepared, operation, parameters.variables, context)
                return events.to_asgi_response(None, request)
            if operation.operation is OperationType.SUBSCRIPTION:
                message = (
                    "A subscription gives more than one result: subscribe over WebSocket at this "
                    f"URL (graphql-transport-ws), or accept {EVENTS} alone."
                )
                raise InvalidRequest(GraphQLError(message, operation))
            result = await self.operations.execute(
                prepared, operation, parameters.variables, context
            )
            return in_json(media, 200, body(result), HEADERS)
        except InvalidRequest as invalid:
            return refused(media, 400 if media == GRAPHQL else 200, invalid.errors)
        except NotWellFormed as not_well_formed:
            return refused(
                media, not_well_formed.status, [not_well_formed.error], not_well_formed.headers
            )
        except HTTPException as error:
            challenge = {"www-authenticate": "Bearer"} if error.status_code == 401 else {}
            return refused(
                media,
                error.status_code,
                [GraphQLError(error.detail, extensions=UNAVAILABLE.get(error.status_code))],
                challenge | (error.headers or {}),
            )
        except Exception as error:  # of `context`, or a value that JSON cannot hold
            return refused(media, 500, [internal(error)])

    async def parameters(self, request: Request[Any, Any, Any]) -> Parameters:
        """What is asked. Raises NotWellFormed when it cannot be read."""
        if request.method == "GET":
            given = dict(request.query_params.items())
            try:
                for name in ("variables", "extensions"):
                    if name in given:
                        given[name] = msgspec.json.decode(given[name]) if given[name] else None
                found = msgspec.convert(given, Parameters)
            except (ValueError, RecursionError) as error:
                raise NotWellFormed(400, f"The URL's parameters cannot be read: {error}") from None
        else:
            require_json(request.headers.get("content-type", ""))
            body = await self.body(request)
            if body.lstrip()[:1] == b"[":
                raise NotWellFormed(
                    400, "A list of requests (a batch) is not supported: send one JSON object."
                )
            try:
                found = posted.decode(body)
            except (ValueError, RecursionError) as error:  # with UnicodeDecodeError, not UTF-8
                raise NotWellFormed(400, f"The body is not a request in JSON: {error}") from None
        try:
            self.operations.limit_nesting("extensions", found.extensions)
        except InvalidRequest as error:
            raise NotWellFormed(400, str(error)) from None
        return found

    async def body(self, request: Request[Any, Any, Any]) -> bytes:
        """The body, left unread from where it goes over the limit."""
        try:
            return await request.body()
        except HTTPException as error:
            if error.status_code != 413:
                raise
            most = self.operations.limits.body_bytes
            raise NotWellFormed(
                413,
                f"The body is over the limit of {most:,} bytes. Send fewer commands at once.",
                connection="close",
            ) from None

    def document(self, parameters: Parameters) -> Prepared:
        """The document, sent or persisted. One that is sent with its hash is kept under it."""
        documents, claimed = self.operations.documents, parameters.persisted()
        if parameters.query:
            if claimed is not None and claimed != hashed(parameters.query):
                raise NotWellFormed(400, "The hash sent is not the SHA-256 of the query sent.")
            return documents.prepare(parameters.query)
        if claimed is None:
            raise NotWellFormed(400, "Send the document as `query`, or its hash as `documentId`.")
        if prepared := documents.known(claimed):
            return prepared
        # Apollo Client and urql know this message and code, and send the document again
        raise InvalidRequest(
            GraphQLError("PersistedQueryNotFound", extensions={"code": "PERSISTED_QUERY_NOT_FOUND"})
        )

    def events(
        self,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: object,
    ) -> Stream:
        transport = EventStream()

        async def events() -> AsyncGenerator[str, None]:
            results = self.operations.stream(prepared, operation, variables, context)
            try:
                async with aclosing(results):
                    async for result in results:
                        yield transport.next(body(result))
            except InvalidRequest as invalid:
                yield transport.next(without_data(invalid.errors))
            except Exception as error:
                yield transport.next(without_data([internal(error)]))
            yield transport.encode_complete()

        stream = merge_stream_with_heartbeat(
            events,
            lambda: transport.encode_comment("still here"),
            transport.heartbeat_interval,
            send_initial_heartbeat=False,
        )
        headers = HEADERS | dict(transport.headers)
        return Stream(stream(), status_code=200, media_type=EVENTS, headers=headers)


class EventStream(SSETransport):
    """strawberry's, with the line ends that urql's reader of events expects."""

    def next(self, told: dict[str, Any]) -> str:
        return self.encode_event("next", encoder.encode(told).decode())

    def encode_event(self, event: str, data: str | None = None) -> str:
        return f"event: {event}\ndata: {data or ''}\n\n"

    def encode_comment(self, comment: str) -> str:
        return f": {comment}\n\n"


def body(result: ExecutionResult) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    return without_data(result.errors) | {"data": result.data}


def without_data(errors: list[GraphQLError]) -> dict[str, Any]:
    return {"errors": [error.formatted for error in errors]}


def refused(
    media: str | None,
    status: int,
    errors: list[GraphQLError],
    headers: Mapping[str, str] | None = None,
) -> ASGIApp:
    """Nothing was executed: errors and no data."""
    headers = HEADERS | dict(headers or {})
    if media == EVENTS and status in (200, 400):
        # graphql-sse: what is wrong with the operation is told in an accepted stream, because
        # a browser's EventSource cannot see the body of another status
        stream = EventStream()
        text = stream.next(without_data(errors)) + stream.encode_complete()
        return ASGIResponse(body=text, media_type=EVENTS, headers=headers)
    media = media if media in (GRAPHQL, JSON) else JSON
    return in_json(media, status, without_data(errors), headers)


def in_json(media: str, status: int, told: dict[str, Any], headers: Mapping[str, str]) -> ASGIApp:
    """A response that is ready to be sent: litestar's own take several times as long to make."""
    body = encoder.encode(told)
    of = {"content-type": f"{media}; charset=utf-8", "content-length": str(len(body))}
    raw = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in {**of, **headers}.items()]

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return respond


@lru_cache(100)
def require_json(content_type: str) -> None:
    kind, *options = (part.strip().lower() for part in content_type.split(";"))
    if kind != JSON:
        raise NotWellFormed(415, f"Send the request with content-type: {JSON}.")
    if any(o.startswith("charset") and "utf-8" not in o for o in options):
        raise NotWellFormed(415, "Send the request in UTF-8.")


@lru_cache(100)
def negotiated(accept: str) -> str | None:
    """The media type to answer in, or None if the client takes none of ours (RFC 9110, 12.5.1).

    A client that names no type of ours gets application/json, which every client reads.
    """
    quality: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *options = (text.strip() for text in part.split(";"))
        weights = [o[2:] for o in options if o.startswith("q=")]
        try:
            quality[kind] = float(weights[0]) if weights else 1.0
        except ValueError:
            quality[kind] = 0.0
    if not accept.strip():
        return JSON
    anything = quality.get("application/*", quality.get("*/*", 0.0))
    named = {kind: quality[kind] for kind in (GRAPHQL, JSON) if kind in quality}
    if quality.get(EVENTS, 0.0) > 0 and not any(named.values()):
        return EVENTS
    offers = {JSON: anything, **named}
    best = max((GRAPHQL, JSON), key=lambda kind: offers.get(kind, 0.0))  # the first, when equal
    return best if offers.get(best, 0.0) > 0 else None
