"""Votes imported into a new database: `python -m tests.bench.importing`.

The last half of a vote's papers against the first: an import does not slow down as the record
grows. Each vote is imported twice; the second time everything is on record already.
"""

import argparse
import tempfile
import time
from pathlib import Path

import uvloop

from service import logs
from service.importing import import_file, read_file
from service.research_record import ResearchRecord
from tests.bench.stage import compare, durable_server, record
from tests.conftest import Database
from tests.files import bring_in
from tests.test_pabulib import BEGUN, UNSAID

VOTES = 3
FIRST = "the first half"
LAST = "the last half"


def a_vote(papers: int) -> str:
    """An approval of one of three options, as pabulib.org writes one down."""
    begin = [
        "META", "key;value", "description;A made-up vote", "num_projects;3",
        f"num_votes;{papers}", "vote_type;approval", "date_begin;01.03.2019",
        "date_end;14.03.2019", "PROJECTS", "project_id;cost;name", "0;100;A garden",
        "1;200;A well", "2;50;A bench", "VOTES", "voter_id;vote;sex;age",
    ]  # fmt: skip
    votes = [f"v{n};{n % 3};{'FM'[n % 2]};{18 + n % 60}" for n in range(papers)]
    return "\n".join([*begin, *votes, ""])


async def rates(held: ResearchRecord, file: Path) -> dict[str, float]:
    """Papers a second, of a vote's first half and of its last."""
    read = await read_file(held, file, study="maize", member="ana", unsaid=UNSAID)
    times: list[tuple[int, float]] = []
    done = await import_file(held, read, lambda n, _: times.append((n, time.perf_counter())))
    if done.refused:
        raise SystemExit(f"{len(done.refused)} papers were refused: {done.refused[0]}")
    begun, half, ended = times[0], times[len(times) // 2], times[-2]  # before all are counted
    return {
        side: (n - m) / (then - before)
        for side, (m, before), (n, then) in ((LAST, half, ended), (FIRST, begun, half))
    }


async def measure(database: Database, papers: int) -> None:
    with tempfile.TemporaryDirectory(prefix="parcycle-bench-") as name:
        await measure_in(Path(name), database, papers)


async def measure_in(folder: Path, database: Database, papers: int) -> None:
    async with ResearchRecord(database.store) as held:
        await bring_in(held, folder / "begun.jsonl", BEGUN)
        files = [folder / f"vote-{n}.pb" for n in range(VOTES)]
        for file in files:
            file.write_text(a_vote(papers), encoding="utf-8")
        for what in ("imported", "imported again"):
            rounds = [await rates(held, file) for file in files]
            compare(f"{VOTES} votes of {papers:,} papers {what}", rounds, LAST, {FIRST: 0.8})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=10_000, help="of each vote")
    asked = parser.parse_args()
    logs.configure("console", "error")
    with durable_server() as server, record(server, 0) as database:
        uvloop.run(measure(database, asked.papers))


if __name__ == "__main__":
    main()
