"""The words of the research record: identifiers, phases, personal fields, events, entries."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from eventsourcing.dcb.domain import Decision
from eventsourcing.utils import register_topic
from msgspec import NODEFAULT, Meta, Struct, structs

from domain.permissions import Permission

E = TypeVar("E", bound="ResearchEvent")
M = TypeVar("M")

WITHHELD = "[withheld]"  # stands where a personal text is not shown
ERASED = "[erased]"  # stands where a personal text was, whose subject is erased
# Control and format characters, marks with nothing to stand on, and separators; and what Unicode
# calls letters and symbols and yet shows nothing: fillers of Hangul, and Braille without a dot.
INVISIBLE = frozenset({"Cc", "Cf", "Mn", "Zl", "Zp", "Zs"})
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class Identifies(NamedTuple):
    """Marks a field as naming something; its tag on record is `kind:identifier`."""

    kind: str


class Personal(NamedTuple):
    """Marks a field as personal data (GDPR art. 4(1)) and names the field that holds its subjects.

    `of="actor"` says that the data is the writer's own. Personal fields are sealed under their
    subjects' keys, apart from the public payload, so that they can be erased.
    """

    of: str
    searched: bool = False  # a name: who may read it can find it by the whole or by a word of it
    correspondence: bool = False  # what the study and its committee write to each other


# A text of the writer's own, for the committee or from it: its reviewers read it too.
CORRESPONDENCE = Personal("actor", correspondence=True)


class Derived(NamedTuple):
    """Marks a field that the command works out from the record; nobody sends it."""


# An identifier is a pseudonym or a short code, never a name: it stays public on record.
_IDENTIFIER = Meta(
    pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
    description="1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit.",
)

StudyId = Annotated[str, _IDENTIFIER, Identifies("study")]
MemberId = Annotated[str, _IDENTIFIER, Identifies("member")]
ParticipantId = Annotated[str, _IDENTIFIER, Identifies("participant")]
GroupId = Annotated[str, _IDENTIFIER, Identifies("group")]
StakeholderId = Annotated[str, _IDENTIFIER, Identifies("stakeholder")]
CycleId = Annotated[str, _IDENTIFIER, Identifies("cycle")]
ConcernId = Annotated[str, _IDENTIFIER, Identifies("concern")]
AssetId = Annotated[str, _IDENTIFIER, Identifies("asset")]
PriorityId = Annotated[str, _IDENTIFIER, Identifies("priority")]
BallotId = Annotated[str, _IDENTIFIER, Identifies("ballot")]
ActionId = Annotated[str, _IDENTIFIER, Identifies("action")]
WorkshopId = Annotated[str, _IDENTIFIER, Identifies("workshop")]
SessionId = Annotated[
    str, _IDENTIFIER, Identifies("session")
]  # interview, focus group, observation
MediaId = Annotated[str, _IDENTIFIER, Identifies("media")]
TranscriptId = Annotated[str, _IDENTIFIER, Identifies("transcript")]
IndicatorId = Annotated[str, _IDENTIFIER, Identifies("indicator")]
OutcomeId = Annotated[str, _IDENTIFIER, Identifies("outcome")]
StoryId = Annotated[str, _IDENTIFIER, Identifies("story")]
ReflectionId = Annotated[str, _IDENTIFIER, Identifies("reflection")]
FindingId = Annotated[str, _IDENTIFIER, Identifies("finding")]
QuotationId = Annotated[str, _IDENTIFIER, Identifies("quotation")]
OpinionId = Annotated[str, _IDENTIFIER, Identifies("opinion")]
HarmId = Annotated[str, _IDENTIFIER, Identifies("harm")]
ApplicationId = Annotated[str, _IDENTIFIER, Identifies("application")]
ModificationId = Annotated[str, _IDENTIFIER, Identifies("modification")]
AdverseEventId = Annotated[str, _IDENTIFIER, Identifies("adverse_event")]
MeasureId = Annotated[str, _IDENTIFIER, Identifies("measure")]
DeviationId = Annotated[str, _IDENTIFIER, Identifies("deviation")]
ComplaintId = Annotated[str, _IDENTIFIER, Identifies("complaint")]
SafeguardingId = Annotated[str, _IDENTIFIER, Identifies("safeguarding")]
ReportId = Annotated[str, _IDENTIFIER, Identifies("report")]
AuditId = Annotated[str, _IDENTIFIER, Identifies("audit")]
AuditFindingId = Annotated[str, _IDENTIFIER, Identifies("audit_finding")]
SiteId = Annotated[str, _IDENTIFIER, Identifies("site")]  # where research may take place
PackId = Annotated[str, _IDENTIFIER, Identifies("pack")]  # a policy pack
OptionId = Annotated[str, _IDENTIFIER]  # names an option within its ballot only: it makes no tag
VoterId = Annotated[str, _IDENTIFIER]  # a participant's pseudonym, or a code on a list of voters
PaperId = Annotated[str, Meta(max_length=129), Identifies("paper")]  # "ballot/voter": one each

Tag = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z_]{1,30}:[A-Za-z0-9][A-Za-z0-9./_-]{0,128}\Z",
        description="What something is about: its kind and identifier, such as workshop:w-1.",
    ),
]

Title = Annotated[str, Meta(min_length=1, max_length=300)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Phase(StrEnum):
    """A label for where in the research an event belongs; phases overlap, so it locks nothing."""

    STUDY = "study"
    RECONNAISSANCE = "reconnaissance"
    ETHICS = "ethics"
    CONSENT = "consent"
    PLAN = "plan"
    ACT = "act"
    OBSERVE = "observe"
    REFLECT = "reflect"
    SHARE = "share"


class HeldKind(StrEnum):
    """What is held of a participant, or rests on it."""

    WORKSHOP = "workshop"
    INTERVIEW = "interview"
    FOCUS_GROUP = "focus_group"
    OBSERVATION = "observation"
    MEDIA = "media"
    TRANSCRIPT = "transcript"
    STORY = "story"
    OUTCOME = "outcome"
    REFLECTION = "reflection"
    CONCERN = "concern"
    ASSET = "asset"
    PRIORITY = "priority"  # that they proposed; or with which such a one was merged
    CONTRIBUTION = "contribution"  # a rating, dissent, agreement, comment, answer or deed besides
    QUOTATION = "quotation"
    DEPOSIT = "deposit"  # in an archive
    FINDING = "finding"  # that rests on something of theirs
    PUBLICATION = "publication"  # of such a finding
    ACTION = "action"  # that they answer for, or for a priority of theirs
    OTHER = "other"  # named by a disposition only


class Channel(StrEnum):
    """How an event reached the record."""

    API = "api"
    CLI = "cli"
    FIELD_FORM = "field_form"
    IMPORT = "import"


@dataclass_transform(frozen_default=True, kw_only_default=True)
class ResearchEvent(Struct, Decision, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened in the research: past tense, never edited.

    A field named after a kind of identifier (`cycle` in `CycleOpened`) is what the event is about.
    """

    TOPIC: ClassVar[str]
    PHASE: ClassVar[Phase]
    SCHEMA: ClassVar[int] = 1  # raised with every change of shape: see domain/older_events.py
    DECISIVE: ClassVar[bool] = False  # later decisions rest on it: it has its own remedies,
    # so `Corrected` may not change it behind their backs
    HELD: ClassVar[HeldKind | None] = None  # what it keeps of the participants it names: it is
    # data of theirs, for which they who withdraw are owed a disposition (`domain/held_items.py`)
    NEEDS: ClassVar[tuple[Permission, ...]] = ()  # the permissions that it needed of each of them

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.TOPIC = cls.__name__  # "WorkshopHeld" on record, so that modules may move
        register_topic(cls.TOPIC, cls)

    def as_dict(self) -> dict[str, Any]:  # lets a plain Slice hear us through @event
        return structs.asdict(self)

    @property
    def tags(self) -> list[str]:
        """Every identifier the event mentions: none can be forgotten by a rule or an audit."""
        found: dict[str, None] = {}
        for name, kind in identifying_fields(type(self)):
            for value in _each(getattr(self, name)):
                if isinstance(value, Struct):
                    found.update(dict.fromkeys(_nested_tags(value)))
                elif value is not None:
                    found[f"{kind}:{value}"] = None
        return list(found)

    @property
    def permissions_needed(self) -> tuple[Permission, ...]:
        """The permissions that it needed of each participant it names."""
        return self.NEEDS

    def parted(self) -> "tuple[ResearchEvent, dict[str, Any]]":
        """Its public part, and its personal fields by name, but for those that hold their default.

        In the public part each personal field holds its default, or `WITHHELD`.
        """
        shape = type(self)
        marks = personal_fields(shape)
        if not marks:
            return self, {}
        defaults = _defaults(shape)
        values = {name: getattr(self, name) for name in marks}
        personal = {name: value for name, value in values.items() if value != defaults[name]}
        return without_personal_fields(self), personal


class Heard(Struct, frozen=True, kw_only=True):
    """An event as a decision hears it: what happened, when in the field, and where on record."""

    position: int
    occurred_at: datetime
    actor: str
    event: ResearchEvent


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is written on the outside of every event, besides when, who and where it stands."""

    role: str  # of the actor, as it was in the study's record
    phase: Phase
    channel: Channel
    offset: int = 0  # minutes east of UTC at the place where it happened
    on_behalf_of: MemberId | None = None
    caused_by: int | None = None  # position of the event that led to it
    approval: int | None = None  # position of the ethics opinion relied on
    consents: tuple[int, ...] = ()  # positions of the consents relied on
    request_id: str | None = None  # the request that brought it, to find it again in the logs


class Entry(Heard, frozen=True, kw_only=True):
    """An event as it stands on record, with its whole envelope."""

    study: StudyId
    event_id: UUID
    recorded_at: datetime
    envelope: Envelope
    command_id: UUID | None = None
    reason: str | None = None

    @property
    def type(self) -> str:
        return type(self.event).TOPIC

    @property
    def cycle(self) -> str | None:
        """The cycle it belongs to, if it belongs to one."""
        return getattr(self.event, "cycle", None)


def event_types() -> list[type[ResearchEvent]]:
    """Every kind of event that can be on record."""
    return ResearchEvent.__subclasses__()


@cache
def annotations_of(shape: type[Struct]) -> dict[str, Any]:
    """The annotated type of every field, in order of definition."""
    hints = get_type_hints(shape, include_extras=True)
    return {name: hints[name] for name in shape.__struct_fields__}


@cache
def identifying_fields(shape: type[Struct]) -> tuple[tuple[str, str], ...]:
    """The public fields that name something, each with the kind it names ('' for nested shapes)."""
    found = []
    for name, hint in annotations_of(shape).items():
        if marked(hint, Personal) is None:
            kinds = [part.kind for part in parts_of(hint) if isinstance(part, Identifies)]
            nested = may_hold(hint, Struct)
            if kinds or nested:
                found.append((name, kinds[0] if kinds else ""))
    return tuple(found)


@cache
def personal_fields(shape: type[Struct]) -> dict[str, Personal]:
    """The personal fields of an event, each with its mark."""
    marks = {name: marked(hint, Personal) for name, hint in annotations_of(shape).items()}
    return {name: mark for name, mark in marks.items() if mark}


def tag_hash(tag: str) -> int:
    """A tag in 64 bits: 40 of a stable hash, and its last three bytes as they are.

    What is numbered one after another (P-07, P-08) stands side by side in an index then, where each
    further one is cheap to add. Collisions are possible, so readers check the tags.
    """
    written = tag.encode()
    return _hash_of_beginning(written[:-3]) << 24 | int.from_bytes(written[-3:], "big")


def study_hash(study: str) -> int:
    """What is mixed into the hashes of a study's tags (XOR), but for the ends: `record.hash_in`."""
    return _hash_of_beginning(study.encode()) << 24


@lru_cache(4_096)  # few, so that they stay in the processor's cache
def _hash_of_beginning(written: bytes) -> int:
    """SHA-256, since PostgreSQL has it too: see the migration `20261126000005`."""
    return int.from_bytes(hashlib.sha256(written).digest()[:5], "big", signed=True)


def in_camel_case(path: str) -> str:
    """A field's name or path as clients write it: `valid_until` is `validUntil`."""
    return re.sub("_([a-z0-9])", lambda found: found[1].upper(), path)


def is_blank(text: str) -> bool:
    """Whether nothing in the text can be seen."""
    return all(unicodedata.category(each) in INVISIBLE or each in FILLERS for each in text)


def marked(hint: Any, mark: type[M]) -> M | None:
    """The mark of this kind that stands on the annotation itself, if any."""
    if get_origin(hint) is Annotated:
        return next((m for m in hint.__metadata__ if isinstance(m, mark)), None)
    return None


def without_personal_fields(event: E) -> E:
    """The event's public part: each personal field holds its default, or `WITHHELD`."""
    withheld = _withheld(type(event))
    return structs.replace(event, **withheld) if withheld else event


def subjects(event: ResearchEvent, field: str, actor: str) -> tuple[str, ...]:
    """Whose data a personal field is, sorted: tags such as `participant:P-07` or `member:ana`."""
    of = personal_fields(type(event))[field].of
    if of == "actor":
        return (f"member:{actor}",)
    kind = dict(identifying_fields(type(event)))[of]
    found = []
    for value in _each(getattr(event, of)):
        if isinstance(value, Struct):
            found += _nested_tags(value)
        elif value is not None:
            found.append(f"{kind}:{value}")
    return tuple(sorted(set(found))) or (f"member:{actor}",)


@cache
def _defaults(shape: type[Struct]) -> dict[str, Any]:
    """The default of every field; `NODEFAULT`, which equals nothing, where it has to be given."""
    return {field.name: field.default for field in structs.fields(shape)}


@cache
def _withheld(shape: type[Struct]) -> dict[str, Any]:
    """What stands in each personal field when it is not shown."""
    return {
        field.name: WITHHELD if field.default is NODEFAULT else field.default
        for field in structs.fields(shape)
        if field.name in personal_fields(shape)
    }


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


def _nested_tags(value: Struct) -> list[str]:
    tags = []
    for name, kind in identifying_fields(type(value)):
        for part in _each(getattr(value, name)):
            if isinstance(part, Struct):
                tags += _nested_tags(part)
            elif part is not None:
                tags.append(f"{kind}:{part}")
    return tags


def may_hold(hint: Any, *kinds: type) -> bool:
    """Whether a value so annotated may be of one of these kinds, or have one in it."""
    return any(isinstance(part, type) and issubclass(part, kinds) for part in parts_of(hint))


def parts_of(hint: Any) -> Iterable[Any]:
    """The annotation and everything inside it."""
    origin = get_origin(hint)
    yield origin if origin not in (None, Annotated) else hint
    for part in get_args(hint):
        yield from parts_of(part)
