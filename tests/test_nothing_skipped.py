"""Followers by position miss nothing, twice or in the wrong order, while writers are killed."""

import asyncio

from tests.bench.nothing_skipped import OURS, run
from tests.conftest import Database


def test_followers_see_everything_once_and_in_order_while_writers_are_killed(
    database: Database,
) -> None:
    """A small run of the benchmark: a million events there."""
    outcome = asyncio.run(
        run(OURS, database.service_url, database.owner_url, 20_000, kill_every=0.3)
    )
    assert outcome.events >= 20_000
    assert outcome.killed >= 1
    found = (outcome.missed, outcome.doubled, outcome.out_of_order, outcome.gaps)
    assert found == (0, 0, 0, 0)
