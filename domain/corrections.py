"""Corrections: nothing on record is edited; a later event says what should stand, and why.

What conditions rest on cannot be changed behind their backs: identifiers never, and of a decisive
event only the personal fields, so that everyone's data can be put right (GDPR art. 16).
"""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
from eventsourcing.dcb.domain import Selector
from msgspec import Meta, Struct, structs

from domain.commands import Command, Occasion, Refused, given_fields, invalid
from domain.conditions import Condition, Sensible
from domain.membership import Duty
from domain.vocabulary import (
    CycleId,
    Derived,
    Heard,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    StakeholderId,
    Tag,
    Text,
    annotations_of,
    event_types,
    identifying_fields,
    in_camel_case,
    personal_fields,
    subjects,
    without_personal_fields,
)

E = TypeVar("E", bound=ResearchEvent)

FieldName = Annotated[str, Meta(min_length=1, max_length=60)]
REMEDIES = {  # what to record instead of correcting a decisive event of that phase
    Phase.STUDY: "let them join or leave anew",
    Phase.ETHICS: "record a later opinion or decision of the committee",
    Phase.CONSENT: "record what the participant says now: given, declined or withdrawn",
    Phase.PLAN: "record a new proposal, ballot, plan or cycle that takes its place",
}


class Whose(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody whose personal data a correction holds."""

    participant: ParticipantId | None = None
    member: MemberId | None = None
    stakeholder: StakeholderId | None = None


class Corrected(ResearchEvent):
    """Something on record was wrong; this is what should stand in its place, and why."""

    PHASE: ClassVar = Phase.STUDY
    DECISIVE: ClassVar = True  # a correction is corrected by another one of the same event

    corrects: Annotated[int, Meta(ge=1)]  # position of the event that was wrong
    event_type: FieldName  # its type: "WorkshopHeld"
    subject: Tag  # one of the things it is about: "workshop:w-1"
    why: Annotated[Text, Personal("actor")]
    # what should stand, by field name; personal fields are kept apart on record
    standing: Annotated[dict[str, Any], Meta(max_length=50)]
    personal_standing: Annotated[dict[str, Any] | None, Personal("whose"), Derived()] = None
    whose: Annotated[tuple[Whose, ...], Derived()] = ()  # whose the personal fields are
    fields: Annotated[tuple[FieldName, ...], Derived()] = ()  # every field corrected, by name
    about: Annotated[tuple[Tag, ...], Derived()] = ()  # everything the corrected event is about
    cycle: Annotated[CycleId | None, Derived()] = None  # of the corrected event

    @property
    def tags(self) -> list[str]:
        return list(dict.fromkeys([*self.about, *super().tags]))

    def parted(self) -> tuple[ResearchEvent, dict[str, Any]]:
        """As of any event; as it is sent, `standing` has personal values among the others."""
        of = next((personal_fields(t) for t in event_types() if self.event_type == t.TOPIC), {})
        mixed = {name: self.standing[name] for name in of if name in self.standing}
        if not mixed:
            return super().parted()
        standing = {name: value for name, value in self.standing.items() if name not in mixed}
        apart = structs.replace(
            self, standing=standing, personal_standing=mixed | (self.personal_standing or {})
        )
        return apart.parted()


def corrected(event: E, correction: Corrected) -> E:
    """The event as it should stand.

    Where a personal value of the correction is withheld, so is the event's.
    """
    hints = annotations_of(type(event))
    values = correction.standing | (correction.personal_standing or {})
    withheld = without_personal_fields(event)
    standing = {
        name: msgspec.convert(values[name], hints[name])
        if name in values
        else getattr(withheld, name)
        for name in correction.fields
    }
    return structs.replace(event, **standing)


class IsOnRecord(Condition):
    """An event of that type, about that subject, stands at that position."""

    def __init__(self, event_type: type[ResearchEvent], subject: str, position: int) -> None:
        super().__init__(
            "event_unknown",
            f"No {event_type.TOPIC} about {subject} stands at position {position}; "
            "take position, type and subject from the event as it is shown.",
            "corrects",
        )
        self.event_type, self.subject, self.position = event_type, subject, position
        self.standing: ResearchEvent | None = None  # as corrected so far

    def selectors(self) -> list[Selector]:
        return [Selector(types=[self.event_type, Corrected], tags=[self.subject])]

    def hear(self, heard: Heard) -> None:
        event = heard.event
        if heard.position == self.position and isinstance(event, self.event_type):
            self.decided_by, self.standing = heard, event
        elif isinstance(event, Corrected) and event.corrects == self.position and self.standing:
            self.standing = corrected(self.standing, event)

    def holds(self) -> bool:
        return self.decided_by is not None


class ChangesSomething(Condition):
    """At least one field gets another value; personal ones are not compared."""

    def __init__(self, found: IsOnRecord, values: dict[str, Any]) -> None:
        super().__init__(
            "nothing_changes",
            "That is what stands already; give the fields that are wrong, with what should stand.",
            "standing",
        )
        self.found, self.values = found, values

    def selectors(self) -> list[Selector]:
        return []  # the event's own condition listens for it

    def hear(self, heard: Heard) -> None:
        """The event's own condition hears it."""

    def holds(self) -> bool:
        standing = self.found.standing
        return standing is None or any(
            name in personal_fields(type(standing)) or getattr(standing, name) != value
            for name, value in self.values.items()
        )


class Correct(Command[Corrected]):
    """Say what should stand in place of something recorded wrongly; the record keeps both.

    `standing` names the fields that were wrong, with the values that should stand. Personal fields
    are given there too, and are kept apart from the public ones on record.
    """

    DUTY = Duty.CORRECT

    def __init__(self, event: Corrected, occasion: Occasion) -> None:
        self.values: dict[str, Any] = {}  # the valid new values, by field
        super().__init__(event, occasion)

    def requires(self) -> Iterable[Condition]:
        event = self.event
        event_type = next((t for t in event_types() if event.event_type == t.TOPIC), None)
        if event_type is None:
            yield Sensible(
                False,
                "type_unknown",
                f"There is no event type {event.event_type}; take it from the event as it is "
                "shown, such as WorkshopHeld.",
                "eventType",
            )
            return
        self.found = IsOnRecord(event_type, event.subject, event.corrects)
        yield self.found
        for name, value in event.standing.items():
            yield from self._correctable(event_type, name, value)
        if self.values or not event.standing:
            yield ChangesSomething(self.found, self.values)

    def _correctable(
        self, event_type: type[ResearchEvent], name: str, value: Any
    ) -> Iterable[Condition]:
        """The field's reason for refusal, if there is one."""
        topic, path = event_type.TOPIC, f"standing.{name}"
        shown = in_camel_case(name)
        hint = given_fields(event_type).get(name)
        personal = name in personal_fields(event_type)
        code = message = ""
        if event_type is Corrected:
            code = "event_decisive"
            message = "Correct the event itself once more, not its correction."
        elif name not in annotations_of(event_type):
            code, message = "field_unknown", f"{topic} has no field {shown}; remove it."
        elif hint is None or name in dict(identifying_fields(event_type)):
            code = "field_fixed"
            message = (
                f"{shown} of {topic} says what the event is about, or follows from the record, and "
                "cannot be corrected; record what is right as a new event, and say so here in "
                "a note."
            )
        elif event_type.DECISIVE and not personal:
            remedy = REMEDIES.get(event_type.PHASE, "record what is right as a new event")
            code = "event_decisive"
            message = (
                f"Other events rest on {shown} of {topic}, so it cannot be corrected; {remedy}."
            )
        else:
            try:
                self.values[name] = msgspec.convert(value, hint, strict=False)
            except msgspec.ValidationError as fault:
                reason = invalid(path, hint, str(fault))
                code, message, path = reason.code, reason.message, reason.path
        if code:
            yield Sensible(False, code, message, path)

    def decide(self) -> Corrected:
        found = self.found.decided_by
        if found is None:
            raise Refused([self.found.reason()])
        personal = personal_fields(type(found.event)).keys() & self.values.keys()
        values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.values))
        tags = [
            tag
            for name in self.values
            if name in personal
            for tag in subjects(found.event, name, found.actor)
        ]
        return structs.replace(
            self.event,
            standing={name: value for name, value in values.items() if name not in personal},
            personal_standing={name: values[name] for name in values if name in personal} or None,
            whose=tuple(_whose(tag) for tag in dict.fromkeys(tags)),
            fields=tuple(values),
            about=tuple(found.event.tags),
            cycle=getattr(found.event, "cycle", None),
        )


def _whose(tag: str) -> Whose:
    kind, _, identifier = tag.partition(":")
    return Whose(**{kind: identifier})
