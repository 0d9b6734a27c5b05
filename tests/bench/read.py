"""Reading a boundary of ten events in a record of a million: `python -m tests.bench.read`.

Ours against `eventsourcing.dcb.postgres_tt` with one caller; and ours by conditions that name a
rare tag and common ones in every order, each against the fastest of them.
"""

import argparse
import asyncio
import random
import statistics
from itertools import permutations

import uvloop

from service.recorder import Recorder
from tests.bench.append import peer_database
from tests.bench.peers import PostgresTT, in_threads
from tests.bench.stage import (
    EVENTS,
    GROUPS,
    PER_ACTION,
    ROUNDS,
    STUDY,
    compare,
    durable_server,
    rate,
    record,
    tags_of,
)
from tests.conftest import Database

dice = random.Random(1)


def some_action() -> str:
    return f"action:a-{dice.randrange(EVENTS // PER_ACTION)}"


async def ours(recorder: Recorder, seconds: float) -> float:
    async def read(_: int) -> None:
        rows, head = await recorder.read(STUDY, [([], [some_action()])])
        assert (len(rows), head) == (PER_ACTION, EVENTS)

    return await rate(seconds, 1, read)


def theirs(peer: PostgresTT, seconds: float) -> float:
    def read(_: int) -> bool:
        return peer.read([some_action()]) == (PER_ACTION, EVENTS)

    return in_threads(seconds, 1, read)


async def ordered(recorder: Recorder, seconds: float, order: tuple[int, ...]) -> float:
    """Reads of one event by its three tags: an action's, a participant's and a group's."""

    async def read(_: int) -> None:
        tags = tags_of(dice.randrange(EVENTS))
        rows, _head = await recorder.read(STUDY, [([], [tags[n] for n in order])])
        assert len(rows) == 1

    return await rate(seconds, 1, read)


async def rare_and_common(recorder: Recorder, seconds: float, rare_first: bool) -> float:
    async def read(_: int) -> None:
        number = dice.randrange(EVENTS)
        tags = [tags_of(number)[0], f"group:g-{number % GROUPS}"]
        rows, _head = await recorder.read(STUDY, [([], tags if rare_first else tags[::-1])])
        assert len(rows) == 1

    return await rate(seconds, 1, read)


async def measure(database: Database, tt: PostgresTT, seconds: float) -> None:
    recorder = Recorder(database.service_url)
    await recorder.start()
    await ours(recorder, 1)
    rounds = [
        {
            "ours": await ours(recorder, seconds),
            "postgres_tt": await asyncio.to_thread(theirs, tt, seconds),
        }
        for _ in range(ROUNDS)
    ]
    compare("a boundary of ten events, 1 caller", rounds, "ours", {"postgres_tt": 5})
    orders = list(permutations(range(3)))
    names = ["action", "participant", "group"]
    shown = {order: ", ".join(names[n] for n in order) for order in orders}
    tried = [
        {shown[order]: await ordered(recorder, seconds / 2, order) for order in orders}
        | {
            "action, group": await rare_and_common(recorder, seconds / 2, True),
            "group, action": await rare_and_common(recorder, seconds / 2, False),
        }
        for _ in range(ROUNDS)
    ]
    print("\nany order of tags: reads a second, and how many times slower than the fastest")
    for order in tried[0]:
        slower = statistics.median(max(each.values()) / each[order] for each in tried)
        speed = statistics.median(each[order] for each in tried)
        met = "met" if slower <= 3 else "NOT MET"
        print(f"  {order:<44}{speed:>12,.1f}/s   {slower:5.2f} times (goal at most 3: {met})")
    await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each side in each round")
    asked = parser.parse_args()
    with durable_server() as server, record(server) as database, peer_database(server) as tt:
        uvloop.run(measure(database, tt, asked.seconds))


if __name__ == "__main__":
    main()
