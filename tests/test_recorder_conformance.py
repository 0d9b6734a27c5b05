"""The recorder passes the test cases that the `eventsourcing` distribution ships for its own.

They are synchronous, so the recorder runs in an event loop of another thread. Its study stands for
the whole event store of the library, which knows no studies.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    DCBSubscription,
)
from eventsourcing.dcb.persistence import DCBListenNotifySubscription
from eventsourcing.dcb.popo import SimpleDCBReadResponse
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.persistence import IntegrityError

from service import recent_appends
from service.appends import Conflict, Items
from service.recorder import Recorder
from tests.conftest import Database
from tests.recording import draft

T = TypeVar("T")
STUDY = "conformance"


class InAnotherThread(DCBRecorder):
    """Our recorder, as the library's interface."""

    def __init__(self, recorder: Recorder, loop: asyncio.AbstractEventLoop) -> None:
        self.recorder, self._loop = recorder, loop

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        drafts = [
            draft(event.type, *event.tags, payload=event.data, study=STUDY) for event in events
        ]
        items = _items(condition.fail_if_events_match) if condition else []
        after = condition.after or 0 if condition else 0

        async def append() -> int:
            return (await self.recorder.append(STUDY, drafts, items, after)).position

        try:
            return self._run(append())
        except Conflict as conflict:
            raise IntegrityError from conflict

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> DCBReadResponse:
        items = _items(query or DCBQuery())
        rows, head = self._run(self.recorder.read(STUDY, items, after or 0))
        found = [
            DCBSequencedEvent(DCBEvent(row["type"], row["payload"], row["tags"]), row["position"])
            for row in rows[:limit]
        ]
        if limit is None:
            return SimpleDCBReadResponse(iter(found), head)
        return SimpleDCBReadResponse(iter(found), found[-1].position if found else None)

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> DCBSubscription["InAnotherThread"]:
        return Subscription(self, query=query, after=after)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class Subscription(DCBListenNotifySubscription[InAnotherThread]):
    def __init__(
        self, recorder: InAnotherThread, query: DCBQuery | None, after: int | None
    ) -> None:
        super().__init__(recorder, query, after)
        recorder.recorder.on_append(self._has_been_notified.set)


def _items(query: DCBQuery) -> Items:
    return [(item.types, item.tags) for item in query.items] or [([], [])]


@contextmanager
def in_another_thread(database: Database) -> Iterator[InAnotherThread]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    recorder = Recorder(database.service_url)
    try:
        asyncio.run_coroutine_threadsafe(recorder.start(), loop).result()
        yield InAnotherThread(recorder, loop)
        asyncio.run_coroutine_threadsafe(recorder.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize("alone", [recent_appends.ALONE, 0], ids=["all sent", "known left out"])
def test_it_appends_and_reads_as_the_library_expects(
    database: Database, monkeypatch: pytest.MonkeyPatch, alone: int
) -> None:
    monkeypatch.setattr(recent_appends, "ALONE", alone)
    with in_another_thread(database) as recorder:
        DCBRecorderTestCase()._test_append_read(recorder)


def test_subscribers_receive_what_is_appended_as_the_library_expects(database: Database) -> None:
    with in_another_thread(database) as recorder:
        DCBRecorderTestCase()._test_append_subscribe(recorder)
