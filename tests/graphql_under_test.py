"""A small schema with one of each thing that a GraphQL transport can get wrong, and its service."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import strawberry
import uvicorn
from graphql import GraphQLError
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from strawberry import relay

from service.graphiql import graphiql_routes
from service.graphql_limits import Limits
from service.graphql_over_http import graphql_route
from service.graphql_over_websocket import graphql_websocket

SIGNED_IN = "Bearer demo"


@strawberry.type
class Workshop(relay.Node):
    id: relay.NodeID[str]
    title: str

    @strawberry.field
    def cycle(self) -> "Cycle":
        return Cycle(id=strawberry.ID("cycle-1"))

    @classmethod
    def resolve_nodes(cls, *, node_ids: Any, **_: Any) -> list["Workshop"]:
        return [Workshop(id=i, title=f"Workshop {i}") for i in node_ids]


async def three_workshops() -> list[Workshop]:
    return [Workshop(id=str(n), title=f"Workshop {n}") for n in range(1, 4)]


@strawberry.type
class Cycle:
    id: strawberry.ID

    @strawberry.field
    def parents(self) -> list["Cycle"]:
        return []

    workshops: relay.ListConnection[Workshop] = relay.connection(resolver=three_workshops)


@strawberry.type
class Query:
    node: relay.Node = relay.node()

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def cycle(self) -> Cycle:
        return Cycle(id=strawberry.ID("cycle-1"))

    @strawberry.field
    async def who(self, info: strawberry.Info) -> str:
        return str(info.context["who"])

    @strawberry.field
    def fails(self) -> str | None:
        raise KeyError("Ana Pereira, 0151 496 0000")

    @strawberry.field
    def fails_altogether(self) -> str:
        raise KeyError("Ana Pereira, 0151 496 0000")

    @strawberry.field
    def refuses(self) -> str | None:
        raise GraphQLError("No such study.", extensions={"code": "NOT_FOUND"})


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def hold_workshop(self, title: str) -> Workshop:
        return Workshop(id="9", title=title)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def counted(self, to: int, every: float = 0.0) -> AsyncGenerator[int, None]:
        for n in range(1, to + 1):
            await asyncio.sleep(every)
            yield n

    @strawberry.subscription
    async def whom(self, info: strawberry.Info) -> AsyncGenerator[str, None]:
        yield str(info.context["who"])

    @strawberry.subscription
    async def breaks(self) -> AsyncGenerator[int, None]:
        yield 1
        raise KeyError("Ana Pereira, 0151 496 0000")


schema = strawberry.Schema(Query, Mutation, Subscription)


async def anyone(connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
    return {"who": connection.headers.get("authorization", "nobody")}


async def the_bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, Any]:
    said = connection.headers.get("authorization") or connection.cookies.get("session")
    if said != SIGNED_IN:
        raise NotAuthorizedException("Say who you are: Authorization: Bearer …")
    return {"who": said}


def application(
    *,
    context: Any = anyone,
    limits: Limits | None = None,
    introspection: bool = True,
    of: strawberry.Schema = schema,
) -> Litestar:
    limits = limits or Limits()
    return Litestar(
        [
            graphql_route(of, context, limits, introspection=introspection),
            graphql_websocket(of, context, limits, introspection=introspection),
            *graphiql_routes(),
        ],
        openapi_config=None,
    )


@contextmanager
def served(app: Litestar) -> Iterator[str]:
    """The application on a real socket of the loopback interface; gives host:port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", ws="websockets-sansio", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
