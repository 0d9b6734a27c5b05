"""Serving: the application under uvicorn, with its store, until it is told to stop."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

import uvicorn
import uvloop
from litestar import Litestar
from rich.console import Console

from service.application import application
from service.demo_study import MEMBERS, STUDY, load_demo
from service.identity import DemoIssuer, Identity
from service.migrate_schema import MigrationError
from service.research_record import ResearchRecord
from service.settings import Settings
from service.store import Store, check, store

LOOPBACK = "127.0.0.1"
NEW_OBJECTS = 10_000  # until the collector looks at them; Python's own 700 are for small programs
Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


def run_service(settings: Settings, host: str, port: int, console: Console) -> None:
    """Serve until SIGINT or SIGTERM."""
    if settings.token_keys is None:
        raise ValueError("the service needs token_keys to know who is asking")
    identity = Identity(settings.token_keys, settings.token_issuer, settings.token_audience)
    identity.check_file()
    listener = listening(host, port)
    with store(settings) as kept:
        uvloop.run(check(kept.service_url))
        uvloop.run(open_once(kept))
        app = application(
            kept,
            identity,
            project=settings.project,
            introspection=settings.introspection,
        )

        async def say(at: str) -> None:
            console.print(f"parcycle serves {at}/graphql. Ctrl-C stops.", highlight=False)

        keep_what_is_loaded()
        uvloop.run(serve(app, listener, say))


def run_demo(settings: Settings, port: int | None, console: Console, progress: Progress) -> None:
    """Load the demo study on an embedded database of its own, serve it, and say where to go."""
    try:
        listener = listening(LOOPBACK, settings.port if port is None else port)
    except OSError:
        if port is not None:
            raise
        listener = listening(LOOPBACK, 0)  # the usual port is taken
    own = settings.model_copy(
        update={
            "database_url": None, "key_store_url": None, "keyring": None, "name": "demo",
            "home": settings.home / "demo",
        }
    )  # fmt: skip
    issuer = DemoIssuer(settings.token_audience)
    try:
        with store(own) as kept:
            uvloop.run(load(kept, progress))
            app = application(kept, issuer.identity, demo=issuer)

            async def say(at: str) -> None:
                await app.state.service.caught_up(STUDY)  # so that the first page shows all of it
                await welcome(at, issuer, console)

            keep_what_is_loaded()
            uvloop.run(serve(app, listener, say))
    except MigrationError as fault:
        raise MigrationError(
            f"{fault}\nThe demo's study is made up: remove {own.home}, and it is made anew."
        ) from fault


def keep_what_is_loaded() -> None:
    """Spare the collector the program itself, which stays, and much of its looking at what is new.

    Else a fourth of the service's time goes to looking at the same modules and schema again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


async def open_once(store: Store) -> None:
    """Raises what keeps the record from being opened, to be said before anything is served."""
    async with ResearchRecord(store):
        pass


async def load(store: Store, progress: Progress) -> None:
    """Record the demo study, unless it is on record already."""
    async with ResearchRecord(store) as record:
        with progress("Demo study: events recorded") as report:
            await load_demo(record, report)


async def welcome(at: str, issuer: DemoIssuer, console: Console) -> None:
    """Say where the demo is, and how to sign in as each of its members."""
    console.print(f"\n[bold]parcycle[/bold] is running at {at}  (study: {STUDY})")
    console.print("Its people, dates and numbers are made up. Ctrl-C stops it.\n")
    console.print("Sign in as (each link works once):", highlight=False)
    for member, role, what in MEMBERS:
        link = f"{at}/sign-in/{issuer.link(member)}"
        console.print(f"  {role.value:<16} {what}", highlight=False, soft_wrap=True)
        console.print(f"  {'':<16} {link}", highlight=False, soft_wrap=True)
    lead = MEMBERS[0][0]
    console.print("\nOr from a program, for twelve hours:", highlight=False)
    query = '{"query":"{ studies { study title } }"}'
    console.print(
        f"  curl {at}/graphql -H 'content-type: application/json' \\\n"
        f"    -H 'authorization: Bearer {issuer.token(lead)}' \\\n"
        f"    -d '{query}'\n",
        highlight=False, soft_wrap=True, markup=False,
    )  # fmt: skip


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError with what to do about it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as fault:
        listener.close()
        why = fault.strerror if isinstance(fault, OSError) else "a port is 0 to 65535"
        raise OSError(
            f"Cannot listen on {host}:{port} ({why}); choose another with --port, or --host."
        ) from fault
    return listener


async def serve(
    app: Litestar, listener: socket.socket, say: Callable[[str], Awaitable[None]]
) -> None:
    """Serve on the socket, and say the address once requests are answered."""
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=3,  # seconds: subscriptions have no end of their own
    )  # fmt: skip
    server = uvicorn.Server(config)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 (uvicorn offers no event)
        await asyncio.sleep(0.02)
    if server.started and not server.should_exit:  # it may have been told to stop meanwhile
        await say(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await serving
