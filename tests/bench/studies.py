"""Sixteen studies written at once against one: `python -m tests.bench.studies`.

The same 64 callers append to one study, or are spread over sixteen, each under a condition as of
the last append to that study; a million events stand in the record before. Once by one process's
worth of writers, once by two. The rounds are short and many, so that a checkpoint falls on either
side. A twentieth less is taken for noise.
"""

import argparse

import uvloop

from service.recorder import Recorder
from service.serving import keep_what_is_loaded
from tests.bench.append import event, new_tags
from tests.bench.stage import STUDY, TYPE, compare, durable_server, rate, record
from tests.conftest import Database

CALLERS = 64
ROUNDS = 15


async def write(recorders: list[Recorder], seconds: float, studies: int) -> float:
    named = [STUDY] if studies == 1 else [f"study-{n}" for n in range(studies)]
    last = [(await recorders[0].read(study, []))[1] for study in named]

    async def append(caller: int) -> None:
        recorder, n, tags = recorders[caller % len(recorders)], caller % studies, new_tags()
        condition = [([TYPE], tags[:2])]
        answer = await recorder.append(named[n], [event(tags, True)], condition, last[n])
        last[n] = answer.position

    return await rate(seconds, CALLERS, append)


async def measure(database: Database, seconds: float) -> None:
    recorders = [Recorder(database.service_url) for _ in range(2)]
    by_one_writer = Recorder(database.service_url, writers=1)
    for recorder in (*recorders, by_one_writer):
        await recorder.start()
    for processes in (1, 2):
        await write(recorders[:processes], 0.5, 16)
        rounds = [
            {
                "16 studies": await write(recorders[:processes], seconds, 16),
                "one study": await write(recorders[:processes], seconds, 1),
                "16 studies, one writer": await write([by_one_writer], seconds, 16),
            }
            for _ in range(ROUNDS)
        ]
        title = f"{CALLERS} callers of {processes} recorder{'s' * (processes - 1)}"
        compare(title, rounds, "16 studies", {"one study": 0.95})
    for recorder in (*recorders, by_one_writer):
        await recorder.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each side in each round")
    asked = parser.parse_args()
    keep_what_is_loaded()  # as the service does
    with durable_server() as server, record(server) as database:
        uvloop.run(measure(database, asked.seconds))


if __name__ == "__main__":
    main()
