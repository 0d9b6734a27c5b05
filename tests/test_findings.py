"""A finding names its evidence; those it is about say whether it is right."""

from msgspec import structs

from domain.findings import (
    ContestFinding,
    DraftFinding,
    FindingContested,
    FindingDrafted,
    FindingValidated,
    ValidateFinding,
)
from domain.outcomes import IndicatorMeasured, StoryCollected
from tests.story import given
from tests.study_in_the_field import ready

told = StoryCollected(
    story="s-1", cycle="c-1", title="The key", participants=("p-1",), text="When I got the key …"
)
measured = IndicatorMeasured(indicator="keys", cycle="c-1", value=3, unit="keys")
drafted = FindingDrafted(
    finding="fi-1",
    cycle="c-1",
    title="A key matters more than a room",
    stories=("s-1",),
    indicators=("keys",),
)
validated = FindingValidated(
    finding="fi-1", participants=("p-1",), comments="That is it.", cycle="c-1"
)
contested = FindingContested(
    finding="fi-1", why="It was the heating.", participants=("p-1",), cycle="c-1"
)
evidence = [*ready, told, measured]


def test_a_finding_is_drafted_once_with_its_evidence() -> None:
    given(*evidence).when(DraftFinding, drafted).then(drafted)
    given(*evidence, drafted).when(DraftFinding, drafted).then_refused("finding_exists")


def test_a_finding_without_evidence_is_refused() -> None:
    bare = structs.replace(drafted, stories=(), indicators=())
    given(*evidence).when(DraftFinding, bare).then_refused("evidence_missing")


def test_all_evidence_is_on_record() -> None:
    everything = structs.replace(
        drafted, workshops=("w-9",), sessions=("i-9",), transcripts=("t-9",), stories=("s-9",),
        outcomes=("out-9",), indicators=("rooms",), reflections=("r-9",),
    )  # fmt: skip
    given(*evidence).when(DraftFinding, everything).then_refused(
        "workshop_unknown",
        "session_unknown",
        "transcript_unknown",
        "story_unknown",
        "outcome_unknown",
        "indicator_unknown",
        "reflection_unknown",
    )


def test_a_finding_is_drafted_in_an_open_cycle() -> None:
    elsewhere = structs.replace(drafted, cycle="c-9")
    given(*evidence).when(DraftFinding, elsewhere).then_refused("cycle_not_open")


def test_a_finding_is_validated_by_named_people_or_groups() -> None:
    asked = structs.replace(validated, cycle=None)
    given(*evidence, drafted).when(ValidateFinding, asked).then(validated)
    nobody = structs.replace(validated, participants=())
    given(*evidence, drafted).when(ValidateFinding, nobody).then_refused("validators_missing")
    group = structs.replace(nobody, groups=("allotment",))
    given(*evidence, drafted).when(ValidateFinding, group).then(group)
    given(*evidence, drafted).when(ValidateFinding, asked, by="pat").then_refused(
        "role_insufficient"
    )


def test_a_participant_may_contest_a_finding_for_themselves() -> None:
    asked = structs.replace(contested, cycle=None)
    given(*evidence, drafted).when(ContestFinding, asked, by="pat").then(contested)
    others = structs.replace(asked, participants=("p-2",))
    given(*evidence, drafted).when(ContestFinding, others, by="pat").then_refused("not_your_own")
    given(*evidence, drafted).when(ContestFinding, asked, by="vic").then_refused(
        "role_insufficient"
    )


def test_what_was_not_drafted_is_neither_validated_nor_contested() -> None:
    given(*evidence).when(ValidateFinding, validated).then_refused("finding_unknown")
    given(*evidence).when(ContestFinding, contested).then_refused("finding_unknown")


def test_who_said_so_and_where_is_on_record() -> None:
    there = structs.replace(validated, participants=("p-9",), workshop="w-9")
    given(*evidence, drafted).when(ValidateFinding, there).then_refused(
        "participant_unknown", "workshop_unknown"
    )
    there_too = structs.replace(contested, participants=("p-9",), workshop="w-9")
    given(*evidence, drafted).when(ContestFinding, there_too).then_refused(
        "participant_unknown", "workshop_unknown"
    )
