"""Connections to PostgreSQL, set up as the record needs them."""

import asyncio
from typing import Any

import asyncpg

# A plan is made once and kept: one made while tables were small must not scan them, nor sort what
# the index has in order, once they are large.
ALWAYS_BY_INDEX = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",  # before PostgreSQL 18 a switched-off plan looks dear enough to be compiled
}
# Not a request's fault, so it is tried again on a new connection.
UNREACHABLE = (
    OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,  # what asyncpg can say when a server dies in the midst of a query
)  # fmt: skip


class NoReset(asyncpg.Connection):
    """A pooled connection that is given back as it is: no setting of ours outlives a statement."""

    def get_reset_query(self) -> str:
        return ""


async def connect(url: str, **settings: str) -> asyncpg.Connection:
    """A connection of its own, with these server settings for as long as it lasts."""
    return await asyncpg.connect(url, server_settings={"timezone": "UTC"} | settings)


async def connect_by_index(url: str, within: float) -> asyncpg.Connection:
    """A connection whose plans go by an index, in its order; made within so many seconds."""
    async with asyncio.timeout(within):
        return await connect(url, **ALWAYS_BY_INDEX)


async def open_pool(url: str, size: int, **settings: str) -> asyncpg.Pool:
    """A pool of at most so many connections, each with these server settings."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        connection_class=NoReset,
        server_settings={"timezone": "UTC"} | settings,
    )


async def ask(db: asyncpg.Connection, within: float, sql: str, *args: Any) -> list[asyncpg.Record]:
    """The rows; a server that says nothing for so many seconds is left.

    (asyncpg's timeout does as much, and costs far more time.)
    """
    silent = asyncio.get_running_loop().call_later(within, db.terminate)
    try:
        return await db.fetch(sql, *args)
    finally:
        silent.cancel()
