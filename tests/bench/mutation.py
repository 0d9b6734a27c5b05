"""What a mutation through HTTP costs, against its append alone: `python -m tests.bench.mutation`.

One service process and one client process on one database with fsync on; the rounds are
interleaved. The append is the same event (with its envelope and payload) under the same conditions
(the role, nobody's erasure, no concern of that name), by the recorder in process. The command is
one that looks at little.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import uuid4

import uvicorn
import uvloop

from domain.commands import Occasion
from domain.membership import StudyOpened
from domain.reconnaissance import ConcernStated, StateConcern
from domain.studies import OpenStudy
from service import logs
from service.application import application
from service.identity import DemoIssuer
from service.remembered_boundaries import item_of
from service.research_record import Proposal, ResearchRecord
from service.serving import keep_what_is_loaded
from service.settings import Settings
from service.store import Store, store
from tests.recording import draft

MUTATION = """mutation State($i: StateConcernInput!) { stateConcern(input: $i) {
    ... on Recorded { position } ... on Refused { reasons { code } } } }"""
STUDY = "bench"
GIVEN = {"study": STUDY, "title": "Damp"}
QUERY = json.dumps({"query": MUTATION, "variables": {"i": GIVEN}}).removesuffix("}}}")
ENVELOPE = (
    b"""{"role":"lead_researcher","phase":"reconnaissance","channel":"api","""
    b""""request_id":"0123456789abcdef0123456789abcdef"}"""
)


def proposal(command: type, event: object) -> Proposal:
    now = datetime.now(UTC)
    occasion = Occasion(study=STUDY, command_id=uuid4(), actor="ana", occurred_at=now, asked_at=now)
    return Proposal(command=command, event=event, occasion=occasion)  # type: ignore[arg-type]


def serve(kept: Store, issuer: DemoIssuer, port: int) -> None:
    app = application(kept, issuer.identity, project=False)
    keep_what_is_loaded()
    uvicorn.run(app, port=port, log_level="error", access_log=False)


class Client(asyncio.Protocol):
    """Keep-alive HTTP/1.1 by hand, so that the client's own cost stays small."""

    def __init__(self, token: str) -> None:
        self.head = (
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {token}\r\ncontent-length: "
        )
        self.received = b""
        self.answered: asyncio.Future[bytes]

    @classmethod
    async def open(cls, port: int, token: str) -> "Client":
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(token), "127.0.0.1", port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, all_of_it, body = self.received.partition(b"\r\n\r\n")
        if not all_of_it:
            return
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) == length:
            self.received = b""
            self.answered.set_result(body)

    async def mutate(self) -> None:
        command, now = uuid4(), datetime.now(UTC).isoformat()
        given = f'"commandId":"{command}","concern":"{command.hex}","occurredAt":"{now}"'
        body = f"{QUERY},{given}}}}}}}"
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(f"{self.head}{len(body)}\r\n\r\n{body}".encode())
        answer = await self.answered
        if b'"position"' not in answer:
            raise RuntimeError(answer.decode())


async def timed(callers: int, seconds: float, call: Callable[[int], Awaitable[object]]) -> float:
    """Calls a second."""
    done, end = 0, time.perf_counter() + seconds

    async def caller(n: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call(n)
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller(n) for n in range(callers)))
    return done / (time.perf_counter() - began)


async def compare(kept: Store, port: int, token: str, rounds: int, seconds: float) -> None:
    async with ResearchRecord(kept) as record:
        opening = StudyOpened(title="Bench", question="?", setting="?")
        opened = await record.submit(proposal(OpenStudy, opening))

        asked = proposal(StateConcern, ConcernStated(concern="", title="Damp"))
        command = asked.command(asked.event, asked.occasion)
        *conditions, is_new = map(item_of, command.consistency_boundary())
        known = opened.position  # up to where the others are known to hold

        async def append(_: int) -> None:
            concern = uuid4().hex
            tags = [f"concern:{concern}"]
            stated = draft(
                "ConcernStated", *tags, command=uuid4(), envelope=ENVELOPE,
                payload=b'{"concern":"%b","title":"Damp"}' % concern.encode(),
            )  # fmt: skip
            nonlocal known
            items = [*conditions, (is_new[0], tags)]
            after = [known] * len(conditions) + [0]
            known = (await record.recorder.append(STUDY, [stated], items, after)).position

        async def decide(_: int) -> None:
            event = ConcernStated(concern=uuid4().hex, title="Damp")
            await record.submit(proposal(StateConcern, event))

        clients = [await Client.open(port, token) for _ in range(64)]

        async def mutate(n: int) -> None:
            await clients[n].mutate()

        print("calls a second; medians of", rounds, "interleaved rounds")
        for callers in (1, 16, 64):
            figures: dict[str, list[float]] = {"append": [], "decision": [], "mutation": []}
            for _ in range(rounds):
                figures["append"].append(await timed(callers, seconds, append))
                figures["decision"].append(await timed(callers, seconds, decide))
                figures["mutation"].append(await timed(callers, seconds, mutate))
            a, d, m = (statistics.median(each) for each in figures.values())
            print(
                f"{callers:>3} callers: append {a:8.0f}  decided in process {d:8.0f}  "
                f"mutation over HTTP {m:8.0f}  mutation/append cost {a / m:5.2f}  "
                f"mutation/decision cost {d / m:5.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--port", type=int, default=8477)
    options = parser.parse_args()
    logs.configure("json", "warning")
    issuer = DemoIssuer("parcycle")
    with tempfile.TemporaryDirectory(prefix="parcycle-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = Settings(home=Path(folder) / "home").model_copy(update={"database_url": None})
        with store(settings) as kept:
            service = multiprocessing.get_context("fork").Process(
                target=serve, args=(kept, issuer, options.port)
            )
            service.start()
            keep_what_is_loaded()
            try:
                time.sleep(4)
                uvloop.run(
                    compare(
                        kept, options.port, issuer.token("ana"),
                        options.rounds, options.seconds,
                    )
                )  # fmt: skip
            finally:
                service.terminate()
                service.join()


if __name__ == "__main__":
    main()
