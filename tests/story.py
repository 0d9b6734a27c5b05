"""Tells a test as a story: given(history).meanwhile(events).when(command, event).then(events).

The record is eventsourcing's own, in memory, so that each command's consistency boundary is put to
the test as well: a condition hears only what its selectors ask for.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.persistence import IntegrityError

from domain.commands import Command, Occasion, Refused
from domain.membership import StudyOpened
from domain.vocabulary import Heard, ResearchEvent

NEW_YEAR = datetime(2026, 1, 1, 9, tzinfo=UTC)
TODAY = datetime(2026, 11, 23, 12, tzinfo=UTC)

opened = StudyOpened(
    title="Maize and water", question="What keeps us well?", setting="Three villages",
    study="maize", member="ana",
)  # fmt: skip


@dataclass
class Happened:
    """An event with the moment at which it happened and who wrote it down."""

    event: ResearchEvent
    at: datetime
    by: str = "ana"


def on(day: str, event: ResearchEvent, by: str = "ana") -> Happened:
    """It happened at nine in the morning (UTC) of an ISO day, or at an ISO moment."""
    at = datetime.fromisoformat(day)
    return Happened(event, at if at.tzinfo else at.replace(hour=9, tzinfo=UTC), by)


def given(*history: ResearchEvent | Happened) -> "Story":
    """A study that `ana` opened on new year's day, and what happened in it since, a day apart."""
    story = Story()
    story.tell(opened, *history)
    return story


@dataclass
class Story:
    record: InMemoryDCBRecorder = field(default_factory=InMemoryDCBRecorder)
    told: list[Heard] = field(default_factory=list)
    overtaking: tuple[ResearchEvent | Happened, ...] = ()
    refused: Refused | None = None
    recorded: list[ResearchEvent] = field(default_factory=list)
    command: Command[Any] | None = None

    def tell(self, *events: ResearchEvent | Happened) -> None:
        for each in events:
            day = timedelta(days=len(self.told))
            told = each if isinstance(each, Happened) else Happened(each, NEW_YEAR + day)
            self._append(told, None)

    def meanwhile(self, *events: ResearchEvent | Happened) -> "Story":
        """Someone else records these just after the command has looked at the record."""
        self.overtaking = events
        return self

    def when(
        self,
        command_type: type[Command[Any]],
        event: ResearchEvent,
        *,
        by: str = "ana",
        at: str | None = None,
        **occasion: Any,
    ) -> "Story":
        """Somebody asks for the event to be recorded; it happened `at`, or just now."""
        happened = on(at, event, by) if at else Happened(event, TODAY, by)
        while True:
            self.command = command_type(
                event,
                Occasion(
                    study="maize", command_id=uuid4(), actor=by, occurred_at=happened.at,
                    asked_at=TODAY, **occasion,
                ),
            )  # fmt: skip
            query = DCBQuery(
                [
                    DCBQueryItem([t.__name__ for t in s.types], list(s.tags))
                    for s in self.command.consistency_boundary()
                ]
            )
            for found in (response := self.record.read(query)):
                self.command.hear(self.told[found.position - 1])
            head = response.head
            overtaking, self.overtaking = self.overtaking, ()
            self.tell(*overtaking)
            try:
                self.command.execute()
                for tagged in self.command.collect_events():
                    decided = Happened(tagged.decision, happened.at, by)
                    self._append(decided, DCBAppendCondition(query, head))
                    self.recorded.append(tagged.decision)
            except Refused as refused:
                self.refused = refused
            except IntegrityError:
                continue  # overtaken: look again, decide again
            return self

    def then(self, *expected: ResearchEvent) -> None:
        assert self.refused is None, self.refused
        assert self.recorded == list(expected)

    def then_refused(self, *codes: str) -> "Story":
        assert self.refused is not None, "nothing was refused"
        assert [reason.code for reason in self.refused.reasons] == list(codes), self.refused.reasons
        return self

    def _append(self, told: Happened, condition: DCBAppendCondition | None) -> None:
        stored = DCBEvent(type(told.event).TOPIC, b"", told.event.tags)
        position = self.record.append([stored], condition)
        self.told.append(
            Heard(position=position, occurred_at=told.at, actor=told.by, event=told.event)
        )
