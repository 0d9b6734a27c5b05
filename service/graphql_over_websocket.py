"""GraphQL over WebSocket: the graphql-transport-ws protocol, at the same URL as GraphQL over HTTP.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, by strawberry's own handler of
the protocol; what is added are our documents, limits and masking of errors, and who is asking.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Required, TypedDict, cast
from urllib.parse import urlsplit

import msgspec
import strawberry
from graphql import GraphQLError
from litestar import WebSocket, websocket
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncBaseHTTPView, AsyncWebSocketAdapter
from strawberry.http.exceptions import (
    NonJsonMessageReceived,
    NonTextMessageReceived,
    WebSocketDisconnected,
)
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.unset import UNSET, UnsetType

from service.graphql_documents import InvalidRequest
from service.graphql_execution import Operations, internal
from service.graphql_limits import Limits

Socket = WebSocket[Any, Any, Any]
ContextOf = Callable[[Socket], Awaitable[object]]


def graphql_websocket(
    schema: strawberry.Schema,
    context: ContextOf,
    limits: Limits,
    *,
    introspection: bool,
    init_timeout: timedelta = timedelta(seconds=10),
) -> WebsocketRouteHandler:
    """Serves `schema` at /graphql. `context` is called anew for each operation.

    `context` gets the connection with what the client said in `connection_init` (see
    `introduced`). When it raises an HTTPException (401, 403) the connection is closed with 4403;
    503 closes it with 1013.
    """
    operations = Operations(schema, limits, introspection=introspection)

    @websocket("/graphql")
    async def graphql_over_websocket(socket: Socket) -> None:
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, f"Subprotocol not acceptable: {GRAPHQL_TRANSPORT_WS_PROTOCOL}")
            return
        await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        await Conversation(socket, operations, context, init_timeout).handle()

    return graphql_over_websocket


def introduced(socket: Socket, said: Mapping[str, Any]) -> Socket:
    """The connection as `context` gets it: the token said in `connection_init` stands as header.

    A browser cannot set headers on a WebSocket, so clients say `{"authorization": "Bearer …"}`
    there. All that was said is in `socket.state.connection_params`. A browser sends its cookies
    whatever site's page asked, so the cookies of another site's page are left out.
    """
    headers = dict(socket.scope["headers"])
    for name, value in said.items():
        if name.lower() == "authorization" and isinstance(value, str):
            headers[b"authorization"] = value.encode("latin-1", "replace")
    origin = headers.get(b"origin")
    if origin is not None and urlsplit(origin).netloc != headers.get(b"host"):
        headers.pop(b"cookie", None)
    state = socket.state.dict() | {"connection_params": dict(said)}  # not litestar's parsed headers
    scope = {**socket.scope, "headers": list(headers.items()), "state": state}
    return WebSocket(cast(Any, scope), receive=socket.receive, send=socket.send)


@dataclass
class Introduction:
    """Where strawberry's handler leaves the payload of `connection_init`."""

    connection_params: dict[str, Any] = field(default_factory=dict)


class Conversation(BaseGraphQLTransportWSHandler[Any, None]):
    """One connection. It is its own `view`, of which the handler calls `on_ws_connect` alone."""

    def __init__(
        self, socket: Socket, operations: Operations, context: ContextOf, init_timeout: timedelta
    ) -> None:
        view = cast(AsyncBaseHTTPView[Any, Any, Any, Any, Any, Any, None], self)
        super().__init__(
            view=view,
            websocket=Messages(view, socket, operations.limits),
            context=Introduction(),
            root_value=None,
            schema=cast(Any, self),  # of which the handler calls `stream` alone
            connection_init_wait_timeout=init_timeout,
            max_subscriptions_per_connection=operations.limits.operations,
        )
        self.socket, self.graphql, self.context_of = socket, operations, context

    async def on_ws_connect(self, said: Introduction) -> UnsetType:
        """Refuses who is not to be here before anything is asked."""
        self.socket = introduced(self.socket, said.connection_params)
        try:
            await self.context_of(self.socket)
        except HTTPException as error:
            if error.status_code == 503:
                await self.websocket.close(1013, "Try again later")
                raise WebSocketDisconnected from None
            raise ConnectionRejectionError from None
        except Exception as error:
            internal(error)
            await self.websocket.close(4500, "Internal error")
            raise WebSocketDisconnected from None
        unset: UnsetType = UNSET
        return unset  # no payload in the acknowledgement

    async def stream(
        self,
        query: str,
        variable_values: dict[str, Any] | None = None,
        operation_name: str | None = None,
        **_: object,
    ) -> AsyncGenerator[ExecutionResult | PreExecutionError, None]:
        return self.results(query, variable_values, operation_name)

    async def results(
        self, query: str, variables: dict[str, Any] | None, name: str | None
    ) -> AsyncGenerator[ExecutionResult | PreExecutionError, None]:
        try:
            context = await self.context_of(self.socket)
            prepared = self.graphql.documents.prepare(query)
            operation = self.graphql.check(prepared, name, variables)
            results = self.graphql.stream(prepared, operation, variables, context)
            async with aclosing(results):
                async for result in results:
                    yield ExecutionResult(result.data, result.errors)
        except InvalidRequest as invalid:
            yield PreExecutionError(None, invalid.errors)
        except HTTPException as error:
            yield PreExecutionError(None, [GraphQLError(error.detail)])
        except Exception as error:
            yield PreExecutionError(None, [internal(error)])

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        """A wrong document is told to the one who sent it; the connection's others go on."""
        return None


class Message(TypedDict, total=False):
    """Of the protocol, with the types that the handler relies on."""

    type: Required[str]
    id: str
    payload: "dict[str, Any] | None"


class Subscribe(TypedDict, total=False):
    query: Required[str]
    operationName: "str | None"
    variables: "dict[str, Any] | None"
    extensions: "dict[str, Any] | None"


message = msgspec.json.Decoder(Message)


class Messages(AsyncWebSocketAdapter):
    """Reads and writes messages of the protocol, within the limits."""

    def __init__(
        self,
        view: AsyncBaseHTTPView[Any, Any, Any, Any, Any, Any, None],
        socket: Socket,
        limits: Limits,
    ) -> None:
        super().__init__(view)
        self.socket, self.limits = socket, limits

    async def iter_json(
        self, *, ignore_parsing_errors: bool = False
    ) -> AsyncGenerator[object, None]:
        while True:
            try:
                text = await self.socket.receive_text()
            except WebSocketDisconnect:
                return
            if not text:
                raise NonTextMessageReceived
            if len(text) > self.limits.body_bytes:
                await self.close(1009, f"A message may have {self.limits.body_bytes:,} bytes")
                return
            try:
                yield read(text)
            except msgspec.ValidationError as error:
                await self.close(4400, str(error))
                return
            except (ValueError, RecursionError) as error:
                raise NonJsonMessageReceived from error

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.socket.send_data(msgspec.json.encode(message).decode())
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        # RFC 6455, 5.5.1: a reason has at most 123 bytes
        await self.socket.close(code, reason.encode()[:123].decode(errors="ignore"))


def read(text: str) -> Message:
    found = message.decode(text)
    if found.get("payload", ...) is None:
        del found["payload"]
    if found["type"] == "subscribe" and "payload" in found:
        msgspec.convert(found["payload"], Subscribe)
    return found
