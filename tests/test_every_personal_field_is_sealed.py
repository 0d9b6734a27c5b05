"""Every free text of the catalogue is sealed, or public for a reason that stands here."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from domain.commands import Occasion
from domain.corrections import Corrected
from domain.membership import StudyOpened
from domain.vocabulary import (
    Envelope,
    Identifies,
    Personal,
    ResearchEvent,
    Text,
    Title,
    annotations_of,
    event_types,
    identifying_fields,
    marked,
    parts_of,
    personal_fields,
)
from service.personal_texts import parts_of as parts_of_event

# Public on purpose, each under the reason that it is no personal data. What an input's description
# asks for is what it holds: a heading, not a person.
PUBLIC = {
    "what the study asks and where, as the committee approved it": """
        StudyOpened.title StudyOpened.question StudyOpened.setting
        CycleOpened.title CycleOpened.question""",
    "what something of the study is called": """
        AssetMapped.title BallotOpened.title BallotOpened.options.title ConcernStated.title
        FindingDrafted.title FindingsShared.title OutcomeHarvested.title PriorityProposed.title
        ReflectionRecorded.title StakeholderEngaged.title StoryCollected.title
        StoryCollected.domain_of_change StorySelected.domain_of_change""",
    "what a session was about and how it was held": """
        FocusGroupHeld.topic InterviewHeld.topic ObservationMade.topic WorkshopHeld.topic
        WorkshopHeld.focus WorkshopHeld.technique""",
    "what is planned together, why, and how it goes: a plan's steps and hurdles": """
        ActionPlanned.title ActionPlanned.if_then_because ActionPlanned.indicators.title
        ActionPlanned.indicators.unit IndicatorMeasured.unit ActionBlocked.barrier
        ActionBlocked.needs ActionAbandoned.because MilestoneReached.milestone
        AssumptionTested.assumption LearningCarried.learning GroundRulesAgreed.rules
        ExpensePaid.purpose""",
    "why the study overrode a vote: its public account to those who voted": """
        PriorityAdopted.override_reason""",
    "a committee and its conditions": """
        ApplicationSubmitted.committee OpinionGiven.committee OpinionGiven.conditions
        AuditOpened.committee""",
    "an office, body or circle, not a person": """
        SafeguardingRaised.referred_to StakeholderEngaged.interest StorySelected.selected_by""",
    "a document's version, or a language": """
        ApplicationSubmitted.documents.version ConditionDischarged.document.version
        ModificationDecided.documents.version ModificationSubmitted.documents.version
        OpinionGiven.documents.version ConsentDeclined.form_version ConsentGiven.form_version
        ConsentGiven.information_sheet_version ConsentRequested.form_version
        ConsentRequested.information_sheet_version TranscriptMade.language""",
    "a group that tallies are told by, large enough that nobody is known by it": """
        ParticipantEnrolled.constituency BallotOpened.constituencies
        BallotCast.constituencies.kind BallotCast.constituencies.value""",
    "what is published: where, as what, under which name": """
        ArchiveDeposited.identifier ArchiveDeposited.licence ArchiveDeposited.repository
        ArchiveDeposited.what AuthorshipAgreed.work FedBackToParticipants.what
        QuotationReleased.where""",
    "which fields are corrected; new values of public ones (see the last test)": """
        Corrected.event_type Corrected.fields Corrected.standing""",
}


def free_texts(shape: type[Struct], path: str) -> Iterator[str]:
    """The unsealed fields, of nested shapes too, that may hold whatever somebody writes."""
    for name, hint in annotations_of(shape).items():
        if marked(hint, Personal) is None:
            yield from _free(hint, f"{path}.{name}")


def _free(hint: Any, path: str) -> Iterator[str]:
    parts = list(parts_of(hint))
    if any(isinstance(part, Identifies) for part in parts):
        return  # a pseudonym or a code: its pattern lets in no sentence
    for part in parts:
        if isinstance(part, type) and issubclass(part, Struct):
            yield from free_texts(part, path)
    free = {str, bytes, dict, list, object, Any}.intersection(map(_hashable, parts))
    patterned = any(isinstance(part, Meta) and part.pattern for part in parts)
    if free and not patterned:
        yield path


def _hashable(part: Any) -> Any:
    return part if getattr(part, "__hash__", None) else None


def listed() -> list[str]:
    return [path for paths in PUBLIC.values() for path in paths.split()]


def test_every_free_text_is_sealed_or_public_for_a_reason() -> None:
    found = {path for kind in event_types() for path in free_texts(kind, kind.__name__)}
    assert found - set(listed()) == set(), "neither marked Personal nor listed with a reason"


def test_the_list_names_each_field_once_and_none_that_is_not_there() -> None:
    found = [path for kind in event_types() for path in free_texts(kind, kind.__name__)]
    assert sorted(listed()) == sorted(set(found) & set(listed()))


def test_identifiers_let_in_no_sentence() -> None:
    """What stands public under a pattern cannot hold a name, as a name is written."""
    for kind in event_types():
        for name, hint in annotations_of(kind).items():
            for part in parts_of(hint):
                if isinstance(part, Meta) and part.pattern:
                    assert " " not in part.pattern, f"{kind.__name__}.{name}"


def test_of_what_goes_around_an_event_the_reason_alone_is_free_and_it_is_sealed() -> None:
    # A request's id is random, or a caller's of letters and digits: see service/logs.py.
    assert set(free_texts(Occasion, "Occasion")) == {"Occasion.reason", "Occasion.request_id"}
    assert set(free_texts(Envelope, "Envelope")) == {"Envelope.role", "Envelope.request_id"}
    opened = StudyOpened(title="A", question="B", setting="C")
    (part,) = parts_of_event(opened, {}, "ana", "He asked.")
    assert (part.path, part.subjects, part.data) == ("reason", ("member:ana",), b'"He asked."')


def test_a_field_that_somebody_forgets_to_mark_is_found() -> None:
    class Inner(Struct, frozen=True):
        said: tuple[Text, ...] = ()

    class Forgetful(Struct, frozen=True):
        participant: Annotated[str, Meta(pattern=r"\A[a-z]+\Z"), Identifies("participant")]
        contact: Annotated[Title | None, Personal("participant")] = None
        notes: Text | None = None
        extra: dict[str, Any] | None = None
        inner: tuple[Inner, ...] = ()

    assert list(free_texts(Forgetful, "Forgetful")) == [
        "Forgetful.notes",
        "Forgetful.extra",
        "Forgetful.inner.said",
    ]
    assert not set(free_texts(Forgetful, "Forgetful")) & set(listed())


@pytest.mark.parametrize("kind", event_types(), ids=lambda kind: kind.__name__)
def test_every_mark_says_whose_it_is(kind: type[ResearchEvent]) -> None:
    naming = dict(identifying_fields(kind))
    for mark in personal_fields(kind).values():
        assert mark.of == "actor" or mark.of in naming


def test_a_correction_keeps_personal_values_apart_from_public_ones() -> None:
    sent = Corrected(
        corrects=1, event_type="WorkshopHeld", subject="workshop:w-1", why="A slip.",
        standing={"topic": "Water", "notes": "They spoke of it."},
    )  # fmt: skip
    public, personal = sent.parted()
    assert isinstance(public, Corrected)
    assert public.standing == {"topic": "Water"}
    assert personal == {"why": "A slip.", "personal_standing": {"notes": "They spoke of it."}}
