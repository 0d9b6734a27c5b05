"""The stores that ours is measured against, each with the same million events."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import umadb
from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.persistence import IntegrityError
from eventsourcing.postgres import PostgresDatastore

from tests.bench.stage import EVENTS, PAYLOAD, TYPE, tags_of


def in_threads(seconds: float, callers: int, once: Callable[[int], bool]) -> float:
    """How many calls a second that succeed so many threads complete."""
    began = time.perf_counter()
    done = [0] * callers

    def call(number: int) -> None:
        while time.perf_counter() - began < seconds:
            done[number] += once(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


class PostgresTT:
    """The recorder of the `eventsourcing` distribution, with its own pool."""

    def __init__(self, url: str, events: int = EVENTS) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        store = PostgresDatastore(
            dbname=parts.path[1:], host=query.get("host", [parts.hostname or ""])[0],
            port=query.get("port", [str(parts.port or 5432)])[0], user=parts.username or "",
            password=parts.password or "", pool_size=64, max_overflow=8,
        )  # fmt: skip
        self.datastore = store
        self.recorder = PostgresDCBRecorderTT(store)
        self.recorder.create_table()
        if events:
            with psycopg.connect(url, autocommit=True) as db:
                self._fill(db, events)

    def _fill(self, db: psycopg.Connection, events: int) -> None:
        main, tag = self.recorder.events_table_name, self.recorder.tags_table_name
        with db.cursor().copy(f"copy {main} (type, data, tags) from stdin") as copy:
            for number in range(events):
                copy.write_row((TYPE, PAYLOAD, tags_of(number)))
        with db.cursor().copy(f"copy {tag} (tag, main_id) from stdin") as copy:
            for number in range(events):
                for each in tags_of(number):
                    copy.write_row((each, number + 1))
        db.execute("vacuum analyze")

    def append(self, tags: list[str], condition: list[str], after: int) -> int:
        """The position, or 0 if the condition did not hold."""
        query = DCBQuery([DCBQueryItem(types=[TYPE], tags=condition)])
        with suppress(IntegrityError):
            return self.recorder.append(
                [DCBEvent(TYPE, PAYLOAD, tags)], DCBAppendCondition(query, after)
            )
        return 0

    def read(self, tags: list[str], after: int | None = None) -> tuple[int, int]:
        """How many events have the tags, and the head."""
        response = self.recorder.read(DCBQuery([DCBQueryItem(tags=tags)]), after=after)
        return len(list(response)), response.head or 0

    def close(self) -> None:
        self.datastore.close()


class UmaDB:
    """UmaDB's client, one for each caller."""

    def __init__(self, url: str, callers: int) -> None:
        self.clients = [umadb.Client(url) for _ in range(callers)]

    def append(self, caller: int, tags: list[str], condition: list[str], after: int) -> int:
        item = umadb.QueryItem(types=[TYPE], tags=condition)
        return self.clients[caller].append(
            [umadb.Event(TYPE, PAYLOAD, tags)],
            umadb.AppendCondition(umadb.Query([item]), after),
        )


@contextmanager
def umadb_server(events: int = EVENTS) -> Iterator[str]:
    """The URL of UmaDB's own server, from its wheel, with the same events."""
    home = Path(tempfile.mkdtemp(prefix="umadb-bench-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = Path(sys.executable).with_name("umadb")
    server = subprocess.Popen(
        [program, "--listen", address, "--db-path", home / "uma.db"],
        stdout=subprocess.DEVNULL, env=os.environ | {"UMADB_LISTEN": address},
    )  # fmt: skip
    url = f"http://{address}"
    try:
        client = _reached(url)
        for start in range(0, events, 5_000):
            numbers = range(start, min(start + 5_000, events))
            client.append([umadb.Event(TYPE, PAYLOAD, tags_of(n)) for n in numbers])
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(home)


def _reached(url: str) -> umadb.Client:
    for _ in range(200):
        with suppress(Exception):
            client = umadb.Client(url)
            client.head()
            return client
        time.sleep(0.05)
    raise SystemExit("UmaDB's server does not answer.")
