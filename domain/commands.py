"""Commands: each asks for one event to be recorded, if its conditions hold at that moment."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, get_args
from uuid import UUID

import msgspec
from eventsourcing.dcb.domain import Selector, Slice, Tagged
from msgspec import Meta, Struct, structs

from domain.conditions import Condition, Reason, Sensible
from domain.erased_subjects import Erased
from domain.membership import Duty, RoleHeld
from domain.vocabulary import (
    Channel,
    Derived,
    Heard,
    MemberId,
    Phase,
    ResearchEvent,
    StudyId,
    Text,
    annotations_of,
    in_camel_case,
    is_blank,
    marked,
    parts_of,
    personal_fields,
    subjects,
)

E = TypeVar("E", bound=ResearchEvent)
S = TypeVar("S", bound=Struct)

UNWRITABLE = re.compile("[\0\ud800-\udfff]")
CLOCKS_MAY_DIFFER_BY = timedelta(minutes=2)


class Occasion(Struct, frozen=True, kw_only=True):
    """When, by whom and on whose word something is recorded: what every command is told besides."""

    study: StudyId
    command_id: UUID  # made by the client: the same command sent again is answered, not repeated
    actor: MemberId
    occurred_at: datetime  # when it happened in the field, with the place's offset
    asked_at: datetime  # the service's clock when the command arrived
    channel: Channel = Channel.API
    phase: Phase | None = None  # another label than the event's usual one
    on_behalf_of: MemberId | None = None
    reason: Text | None = None
    caused_by: int | None = None  # position of the event that led to this one
    request_id: str | None = None  # of the request that brought it


class Refused(Exception):
    """A command whose conditions do not all hold; says every reason."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__("; ".join(reason.message for reason in reasons))
        self.reasons = list(reasons)


class Command(Slice[ResearchEvent], Generic[E]):
    """Asks for one event to be recorded, if its conditions hold at that moment.

    A subclass names its event (`class HoldWorkshop(Command[WorkshopHeld])`), its duty, and the
    conditions it requires; its docstring is its documentation wherever it is offered.
    """

    DUTY: ClassVar[Duty]
    ROLE: ClassVar[type[RoleHeld]] = RoleHeld
    OFFERED: ClassVar[bool] = True  # to members, wherever commands are; or by its own door
    EVENT: ClassVar[type[ResearchEvent]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        (event,) = get_args(cls.__orig_bases__[0])  # type: ignore[attr-defined]
        if isinstance(event, type):
            cls.EVENT = event

    def __init__(self, event: E, occasion: Occasion) -> None:
        self.event, self.occasion = event, occasion
        self.role_held = self.asked_by()
        self.erased = Erased()
        personal = personal_fields(type(event)) or occasion.reason is not None
        self.conditions: list[Condition] = [
            self.role_held,
            happened(occasion),
            *([self.erased] if personal else []),
            *self.requires(),
        ]

    def asked_by(self) -> RoleHeld:
        """The role by which somebody may ask for this."""
        return self.ROLE(self.occasion.actor, self.DUTY)

    def requires(self) -> Iterable[Condition]:
        """What must stand, besides the role, for the event to be recorded."""
        return ()

    def decide(self) -> E:
        """The event to record, once every condition has held."""
        return self.event

    def own_only(self, participant: str, path: str) -> Condition:
        """A member who is a participant acts for themselves alone; others act for anyone."""
        return OwnOnly(self.role_held, participant, path)

    def approval(self) -> int | None:
        """Position of the ethics opinion relied on, if one was needed."""
        return None

    def consents(self) -> tuple[int, ...]:
        """Positions of the consents relied on."""
        return ()

    def consistency_boundary(self) -> list[Selector]:
        """What every condition listens to, each once: many listen to the same."""
        found = [each for condition in self.conditions for each in condition.selectors()]
        return list({(tuple(each.types), tuple(each.tags)): each for each in found}.values())

    def hear(self, heard: Heard) -> None:
        for condition in self.conditions:
            condition.hear(heard)

    def execute(self) -> None:
        """Decide. Raises `Refused` with every reason at once."""
        if not self.role_held.holds() and self.role_held.role is None:
            raise Refused([self.role_held.reason()])  # a stranger learns nothing more
        if reasons := [c.reason() for c in self.conditions if not c.holds()]:
            raise Refused(reasons)
        event = self.decide()
        if self.erased.erased and (reasons := self.erased.reasons(self._about(event))):
            raise Refused(reasons)
        self.new_decisions.append(Tagged(event.tags, event))

    def _about(self, event: E) -> Iterable[tuple[str, str]]:
        """The personal fields that the event has, each with every one of its subjects."""
        actor = self.occasion.actor
        for path in event.parted()[1]:
            yield from ((path, subject) for subject in subjects(event, path, actor))
        if self.occasion.reason is not None:
            yield "reason", f"member:{actor}"


def happened(occasion: Occasion) -> Condition:
    return Sensible(
        occasion.occurred_at <= occasion.asked_at + CLOCKS_MAY_DIFFER_BY,
        "occurred_in_the_future",
        f"occurredAt {occasion.occurred_at.isoformat()} is in the future; "
        "record what has happened, when it has happened.",
        "occurredAt",
    )


class OwnOnly(Condition):
    """A participant speaks, votes and withdraws for themselves."""

    def __init__(self, role_held: RoleHeld, participant: str, path: str) -> None:
        super().__init__(
            "not_your_own", f"You may do this for yourself, not for {participant}.", path
        )
        self.role_held, self.participant = role_held, participant

    def selectors(self) -> list[Selector]:
        return []  # the role's own condition listens for it

    def hear(self, heard: Heard) -> None:
        """The role's own condition hears it."""

    def holds(self) -> bool:
        return self.role_held.participant in (None, self.participant)


def command_types() -> list[type[Command[Any]]]:
    """Every command offered to members, in the order of definition."""
    return [command for command in all_commands() if command.OFFERED]


def all_commands(of: type[Command[Any]] = Command) -> list[type[Command[Any]]]:
    """Every command, also those with a door of their own, in the order of definition.

    A class without an event is only a base.
    """
    return [
        command
        for each in of.__subclasses__()
        for command in ([each] if "EVENT" in vars(each) else []) + all_commands(each)
    ]


@cache
def given_fields(shape: type[Struct]) -> dict[str, Any]:
    """The fields that the sender of a command gives, with their annotated types."""
    return {
        name: hint for name, hint in annotations_of(shape).items() if marked(hint, Derived) is None
    }


def read_given(shape: type[S], given: dict[str, Any], *, derived: bool = False) -> S:
    """Make an event, or an occasion, of what was sent. Raises `Refused`: every fault at once.

    Both `given` and the reasons' paths have Python's names, their messages those of clients.
    `derived` allows what is otherwise worked out from the record.
    """
    hints = annotations_of(shape) if derived else given_fields(shape)
    required = _required(shape)
    faults = [
        Reason(
            code="field_unknown",
            path=name,
            message=f"There is no field {in_camel_case(name)}; remove it.",
        )
        for name in given
        if name not in hints
    ]
    values = {}
    for name, hint in hints.items():
        if name in given:
            if wrong := list(_wrong_texts(given[name], name)):
                faults += wrong
                continue
            try:
                values[name] = msgspec.convert(given[name], hint, strict=False)
            except msgspec.ValidationError as fault:
                faults.append(invalid(name, hint, str(fault)))
        elif name in required:
            message = f"{in_camel_case(name)} is missing; give it."
            faults.append(Reason(code="field_missing", path=name, message=message))
    if faults:
        raise Refused(faults)
    return shape(**values)


def _wrong_texts(value: Any, path: str) -> Iterator[Reason]:
    """A reason for each text in it that cannot be kept, or that nobody could see.

    What is on record already is not asked: it stays readable as it is.
    """
    if isinstance(value, str):
        if UNWRITABLE.search(value):
            said = "A character in it can be in no text (U+0000, or half a pair); take it out."
            yield _invalid(path, said)
        elif value and is_blank(value):
            said = "Nothing in it can be seen; write something, or leave it out."
            yield _invalid(path, said)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _wrong_texts(name, path)
            yield from _wrong_texts(part, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for n, part in enumerate(value):
            yield from _wrong_texts(part, f"{path}.{n}")


@cache
def _required(shape: type[Struct]) -> frozenset[str]:
    return frozenset(field.name for field in structs.fields(shape) if field.required)


def invalid(path: str, hint: Any, said: str) -> Reason:
    """A value's fault in plain words: what was expected rather than its pattern.

    `said` are msgspec's words for it.
    """
    message, _, where = said.partition(" - at `$")
    path += where.rstrip("`").replace("[", ".").replace("]", "")
    if "matching regex" in message:
        described = [m.description for m in parts_of(hint) if isinstance(m, Meta) and m.description]
        message = " ".join(["It must be", *described]) if described else message
    return _invalid(path, re.sub(r"`\w+`", lambda name: in_camel_case(name[0]), message))


def _invalid(path: str, said: str) -> Reason:
    return Reason(code="field_invalid", path=path, message=f"{in_camel_case(path)}: {said}")
