"""Conditions: what must stand in the record for a command to be recorded, each in one sentence.

A condition says which events it listens to (its part of the consistency boundary), hears them in
order, and then holds or gives its reason. Because the same selectors guard the append, a condition
that held when it was asked still holds at the moment the event is recorded (dcb.events).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from eventsourcing.dcb.domain import Selector
from msgspec import Struct

from domain.vocabulary import Heard, ResearchEvent

Turns = Mapping[type[ResearchEvent], bool]


class Reason(Struct, frozen=True, kw_only=True):
    """Why a command was refused."""

    code: str  # stable, for programs: "consent_missing"
    message: str  # for people: what is wrong and what to do
    path: str = ""  # the input field it concerns, such as "participants.3"
    decided_by: int | None = None  # position of the event that decided it


class Condition(ABC):
    """Something that must hold, and what is said if it does not."""

    def __init__(self, code: str, message: str, path: str = "") -> None:
        self.code, self.message, self.path = code, message, path
        self.decided_by: Heard | None = None

    @abstractmethod
    def selectors(self) -> list[Selector]:
        """The events this condition rests on; never empty."""

    @abstractmethod
    def hear(self, heard: Heard) -> None:
        """Take note of an event of the boundary; called in order of position."""

    @abstractmethod
    def holds(self) -> bool:
        """Say whether it holds, once everything has been heard."""

    def reason(self) -> Reason:
        position = self.decided_by.position if self.decided_by else None
        return Reason(code=self.code, message=self.message, path=self.path, decided_by=position)


class Stands(Condition):
    """Holds by the latest event about a subject: `{CycleOpened: True, CycleClosed: False}`.

    Latest is in the field's time: what happened after `at` does not count, whenever recorded.
    Events of the same moment count in the order of the record.
    """

    def __init__(
        self,
        kind: str,
        subject: str,
        turns: Turns,
        *,
        at: datetime | None = None,
        otherwise: bool = False,
        only: Callable[[ResearchEvent], bool] = lambda event: True,
        code: str,
        message: str,
        path: str = "",
    ) -> None:
        super().__init__(code, message, path or kind)
        self.kind, self.subject, self.turns = kind, subject, turns
        self.at, self.otherwise, self.only = at, otherwise, only

    def selectors(self) -> list[Selector]:
        return [Selector(types=list(self.turns), tags=[f"{self.kind}:{self.subject}"])]

    def hear(self, heard: Heard) -> None:
        event = heard.event
        if (
            type(event) in self.turns
            and getattr(event, self.kind, None) == self.subject
            and (self.at is None or heard.occurred_at <= self.at)
            and (self.decided_by is None or heard.occurred_at >= self.decided_by.occurred_at)
            and self.only(event)
        ):
            self.decided_by = heard

    def holds(self) -> bool:
        last = self.decided_by
        return self.otherwise if last is None else self.turns[type(last.event)]


def known(kind: str, subject: str, by: type[ResearchEvent], path: str = "") -> Stands:
    """It is on record, whenever it happened."""
    return Stands(
        kind,
        subject,
        {by: True},
        code=f"{kind}_unknown",
        message=f"No {_spoken(kind)} {subject} is on record in this study; record it first, "
        "or check the identifier.",
        path=path,
    )


def new(kind: str, subject: str, by: type[ResearchEvent], path: str = "") -> Stands:
    """It is not on record yet."""
    return Stands(
        kind,
        subject,
        {by: False},
        otherwise=True,
        code=f"{kind}_exists",
        message=f"{_spoken(kind).capitalize()} {subject} is already on record; choose another "
        "identifier.",
        path=path,
    )


def _spoken(kind: str) -> str:
    return kind.replace("_", " ")


def all_known(
    kind: str, subjects: Iterable[str], by: type[ResearchEvent], path: str
) -> list[Condition]:
    """Each of them is on record."""
    return [known(kind, each, by, f"{path}.{n}") for n, each in enumerate(subjects)]


class Sensible(Condition):
    """Holds or not by the command's own content; listens to nothing."""

    def __init__(self, holds: bool, code: str, message: str, path: str = "") -> None:
        super().__init__(code, message, path)
        self._holds = holds

    def selectors(self) -> list[Selector]:
        return []

    def hear(self, heard: Heard) -> None:
        """Nothing that is on record changes it."""

    def holds(self) -> bool:
        return self._holds
