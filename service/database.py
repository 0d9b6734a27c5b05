"""Connections to PostgreSQL, set up as the record needs them."""

import asyncpg


class NoReset(asyncpg.Connection):
    """A pooled connection that is given back as it is: no setting of ours outlives a statement."""

    def get_reset_query(self) -> str:
        return ""


async def connect(url: str, **settings: str) -> asyncpg.Connection:
    """A connection of its own, with these server settings for as long as it lasts."""
    return await asyncpg.connect(url, server_settings={"timezone": "UTC"} | settings)


async def open_pool(url: str, size: int, **settings: str) -> asyncpg.Pool:
    """A pool of at most so many connections, each with these server settings."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        connection_class=NoReset,
        server_settings={"timezone": "UTC"} | settings,
    )
