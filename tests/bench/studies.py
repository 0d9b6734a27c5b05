"""Sixteen studies written at once against one: `python -m tests.bench.studies`.

The same 64 callers append to one study, or are spread over sixteen; a million events stand in the
record before. Once with the one writer of a process, once with two processes' worth. A twentieth
less is taken for noise.
"""

import argparse

import uvloop

from service.recorder import Recorder
from tests.bench.append import event, new_tags
from tests.bench.stage import EVENTS, ROUNDS, STUDY, TYPE, compare, durable_server, rate, record
from tests.conftest import Database

CALLERS = 64


async def write(recorders: list[Recorder], seconds: float, studies: int) -> float:
    async def append(caller: int) -> None:
        recorder = recorders[caller % len(recorders)]
        study = f"study-{caller % studies}" if studies > 1 else STUDY
        tags = new_tags()
        items = [([TYPE], tags[:2])]
        await recorder.append(study, [event(tags, True)], items, EVENTS if studies == 1 else 0)

    return await rate(seconds, CALLERS, append)


async def measure(database: Database, seconds: float) -> None:
    recorders = [Recorder(database.service_url) for _ in range(2)]
    for recorder in recorders:
        await recorder.start()
    for writers in (1, 2):
        await write(recorders[:writers], 0.5, 16)
        rounds = [
            {
                "16 studies": await write(recorders[:writers], seconds, 16),
                "one study": await write(recorders[:writers], seconds, 1),
            }
            for _ in range(ROUNDS)
        ]
        title = f"{CALLERS} callers of {writers} recorder{'s' * (writers - 1)}"
        compare(title, rounds, "16 studies", {"one study": 0.95})
    for recorder in recorders:
        await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each side in each round")
    asked = parser.parse_args()
    with durable_server() as server, record(server) as database:
        uvloop.run(measure(database, asked.seconds))


if __name__ == "__main__":
    main()
