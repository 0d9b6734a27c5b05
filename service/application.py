"""The application: GraphQL, GraphiQL, health and sign-in over the record and its registers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import structlog
from asyncpg import InterfaceError, Pool, PostgresError
from litestar import Litestar, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    ServiceUnavailableException,
)

from projections.entries import head_of
from projections.following import (
    Batch,
    Stopped,
    borrowed,
    follow,
    make_tables,
    position_of,
    registers,
)
from projections.following import stopped_registers as stopped_in
from service.asking import Asker
from service.bell import Bell
from service.database import connect, open_pool
from service.graphiql import graphiql_routes
from service.graphql_limits import Limits
from service.graphql_over_http import Strangers, graphql_route
from service.graphql_over_websocket import graphql_websocket
from service.graphql_schema import schema
from service.graphql_withdrawal import NAME as WITHDRAW_WITH_CODE
from service.graphql_withdrawal import open_to_anyone
from service.identity import DemoIssuer, Identity, KeysUnknown, NotIdentified
from service.logs import places, with_request_id
from service.pages import page_routes
from service.pages.answers import Answers
from service.pages.doors import COOKIE
from service.pages.live import LiveStudies
from service.pages.visits import fault_page
from service.readings import Readings
from service.research_record import ResearchRecord
from service.sealing.bundle_routes import bundle_routes
from service.sealing.seal import Seal, sealing
from service.sealing.tile_routes import tile_routes
from service.store import Store
from service.withdrawal_by_code import Withdrawals
from service.withdrawal_page import withdrawal_routes

log = structlog.get_logger(__name__)

Connection = ASGIConnection[Any, Any, Any, Any]


@dataclass
class Service:
    """What the handlers work with while the service runs."""

    record: ResearchRecord
    registers: Pool
    bell: Bell
    readings: Readings
    withdrawals: Withdrawals
    live: LiveStudies
    answers: Answers
    seal: Seal

    def asker(self, member: str, connection: Connection) -> Asker:
        """A member, or a stranger (""), who asks over this connection."""
        address = connection.client.host if connection.client else ""
        return Asker(
            member, self.record, self.registers, self.bell, self.readings, self.withdrawals,
            self.seal, address,
        )  # fmt: skip

    async def caught_up(self, study: str, within: float = 60.0) -> bool:
        """Wait until every register has taken in what is on record of a study by now."""
        give_up = monotonic() + within
        async with borrowed(self.registers) as db:
            head = await head_of(db, study)
        for register in registers():
            while await position_of(self.registers, register, study) < head:
                if monotonic() > give_up:
                    return False
                await asyncio.sleep(0.05)
        return True

    async def healthy(self) -> tuple[bool, dict[str, Any]]:
        """Whether requests can be answered, and what has stopped."""
        try:
            stopped = await stopped_in(self.registers)
        except (OSError, PostgresError, InterfaceError) as lost:
            return False, {"database": type(lost).__name__}
        return not stopped, {
            "database": "ok",
            "stopped": [
                {"register": register, "study": study, "position": position}
                for register, study, position, _ in stopped
            ],
            "not_sealed": self.seal.refusals(),
            "not_as_sealed": self.seal.faults(),
        }


@asynccontextmanager
async def running(store: Store, *, project: bool) -> AsyncIterator[Service]:
    """The record open for appends, and its registers followed if `project` is asked for."""
    database_url = store.service_url
    async with AsyncExitStack() as stack:
        bell = Bell()
        await bell.start(database_url)
        stack.push_async_callback(bell.stop)
        pool = await open_pool(database_url, 8, search_path="register")
        stack.push_async_callback(pool.close)
        record = await stack.enter_async_context(ResearchRecord(store))
        record.recorder.on_append(bell.ring)
        await prepare_registers(database_url)
        live = LiveStudies(pool)
        stack.push_async_callback(live.stop)
        if project:
            followers = await open_pool(database_url, 4, search_path="register")
            stack.push_async_callback(followers.close)
            following = asyncio.create_task(
                follow_for_ever(followers, bell, live.taken_in), name="registers"
            )

            async def stop() -> None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

            stack.push_async_callback(stop)
        readings = Readings(record)
        readings.start()
        stack.push_async_callback(readings.stop)
        seal = await stack.enter_async_context(sealing(store, bell, record.texts.origin))
        yield Service(record, pool, bell, readings, Withdrawals(record), live, Answers(), seal)


async def prepare_registers(database_url: str) -> None:
    """Make the tables of registers that have none yet."""
    db = await connect(database_url, search_path="register")
    try:
        await make_tables(db)
    finally:
        await db.close()


async def follow_for_ever(
    pool: Pool, bell: Bell, hears: Callable[[Batch], None] = lambda batch: None
) -> None:
    """Follow with every register, and tell who `hears`; the database's absence is waited out."""
    told: set[tuple[str, str, int]] = set()

    def taken_in(batch: Batch) -> None:
        hears(batch)
        tell_taken_in(batch)

    def stopped(fault: Stopped) -> None:
        if (fault.register, fault.study, fault.position) not in told:
            told.add((fault.register, fault.study, fault.position))
            log.error(
                "register_stopped",
                register=fault.register,
                study=fault.study,
                position=fault.position,
                error=type(fault.cause).__name__,
            )

    with bell.listening() as rung:
        while True:
            try:
                await follow(pool, registers().values(), rung, stopped, taken_in)
            except Exception as lost:  # the database is away, or worse: they go on in any case
                log.warning("registers_wait", error=type(lost).__name__, at=places(lost)[-1])
                await asyncio.sleep(1)


def tell_taken_in(batch: Batch) -> None:
    """Log which registers took in what was recorded by which requests."""
    if not log.is_enabled_for(logging.DEBUG):
        return
    for register in batch.registers:
        read = [entry for entry in batch.entries if register.reads(entry.type)]
        if read:
            log.debug(
                "register_advanced",
                register=register.name,
                study=batch.study,
                position=batch.position,
                request_ids=list(dict.fromkeys(entry.envelope.request_id for entry in read)),
            )


def application(
    store: Store,
    identity: Identity,
    *,
    demo: DemoIssuer | None = None,
    project: bool = True,
    introspection: bool = True,
    limits: Limits | None = None,
) -> Litestar:
    """The ASGI application. With `demo`, one-time links sign members in."""
    limits = limits or Limits()

    async def member(token: str) -> str:
        try:
            return await identity.member(token)
        except NotIdentified as fault:
            raise NotAuthorizedException(str(fault)) from None
        except KeysUnknown:
            raise ServiceUnavailableException(
                "Who asks cannot be told just now: the keys of access tokens cannot be had. "
                "Ask again in a moment."
            ) from None

    async def asker(connection: Connection) -> Asker:
        service: Service = connection.app.state.service
        return service.asker(await member(_token(connection)), connection)

    def stranger(connection: Connection) -> Asker:
        service: Service = connection.app.state.service
        return service.asker("", connection)

    withdrawing = Strangers(WITHDRAW_WITH_CODE, open_to_anyone, stranger)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with running(store, project=project) as service:
            app.state.service = service
            yield

    handlers: list[Any] = [
        graphql_route(schema(), asker, limits, introspection=introspection, strangers=withdrawing),
        graphql_websocket(schema(), asker, limits, introspection=introspection),
        *graphiql_routes(),
        *withdrawal_routes(),
        *page_routes(demo),
        *tile_routes(asker),
        *bundle_routes(asker),
        live,
        ready,
    ]
    return Litestar(
        handlers,
        lifespan=[lifespan],
        state=State({"asker": asker, "member": member}),
        exception_handlers={HTTPException: fault_page},
        middleware=[with_request_id],
        openapi_config=None,
        logging_config=None,
    )


def _token(connection: Connection) -> str:
    """The access token of a request: a bearer token (RFC 6750), or the session's cookie."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    if session := connection.cookies.get(COOKIE):
        return session
    raise NotAuthorizedException("Send an access token: Authorization: Bearer <token>")


@get("/health/live", sync_to_thread=False)
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/health/ready")
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The database answers and every register follows; else 503, and what has stopped where.

    `not_sealed` says of which studies the seal is refused, and why; `not_as_sealed`, which events
    are not as they were sealed. These studies are served all the same.
    """
    healthy, state = await request.app.state.service.healthy()
    return Response(state, status_code=200 if healthy else 503)
