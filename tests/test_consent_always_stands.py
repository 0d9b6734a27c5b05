"""Property: whatever is told in whatever order, a capture is recorded exactly when it may be.

The test keeps its own, simpler account: a list of plain facts with the day on which each happened.
After every attempt it works out from that list alone, sharing no code with the conditions, whether
cycle, approval and everyone's consent stood on the day of the capture, as far as was on record by
then. That is the promise the ethics committee relies on. Facts are told late, out of order, and
sometimes by somebody else just while the capture is being decided.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.commands import Command
from domain.consent import ConsentDeclined, ConsentGiven
from domain.consent_lapses import (
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.cycles import CycleClosed, CycleOpened
from domain.ethics import Activity, OpinionGiven, Outcome
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.modifications import ModificationDecided, ModificationKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.recordings import CaptureMedia, MediaCaptured, MediaKind
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from domain.workshops import HoldWorkshop, WorkshopHeld
from tests import story
from tests.story import Happened


class Fact(NamedTuple):
    """What happened, on which day of the year (0 is its first), to whom or what."""

    what: str
    day: int
    about: str
    these: frozenset[str] = frozenset()  # permissions, or approved activities
    until: int = 300  # last day on which it stands
    signed: int | None = None  # the day on the form, if it is dated


class Attempt(NamedTuple):
    """Somebody wants a capture recorded; somebody else may just be quicker with a fact."""

    kind: str
    day: int
    cycle: str
    people: tuple[str, ...]
    overtaken_by: Fact | None


NEEDS = {  # for each kind of capture: the approved activity, and the permission
    "workshop": ("workshop", "workshop"),
    "interview": ("interview", "interview"),
    "audio": ("recording", "audio"),
}
PEOPLE = ["p-1", "p-2"]
CYCLES = ["c-1", "c-2"]
ALL_PERMISSIONS = frozenset(permission for _, permission in NEEDS.values())
ALL_ACTIVITIES = frozenset(activity for activity, _ in NEEDS.values())


def none_or(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | strategy


days = st.integers(min_value=0, max_value=5)  # few, so that facts meet on a day
some = st.just(ALL_PERMISSIONS) | st.frozensets(
    st.sampled_from(sorted(ALL_PERMISSIONS)), min_size=1
)
activities = st.frozensets(st.sampled_from(sorted(ALL_ACTIVITIES)), min_size=2)
people, cycles = st.sampled_from(PEOPLE), st.sampled_from(CYCLES)
none, long = st.just(frozenset[str]()), st.just(300)
may_run_out = st.one_of(long, long, days)
everything = st.just(ALL_PERMISSIONS)
consents = st.one_of(
    *[st.builds(Fact, st.just("given"), days, people, some, may_run_out, none_or(days))] * 3,
    st.builds(Fact, st.sampled_from(["withdrawn", "declined"]), days, people, some, long),
    st.builds(Fact, st.sampled_from(["invalid", "again"]), days, people, some, long),
    st.builds(Fact, st.sampled_from(["suspended", "resumed"]), days, people, everything, long),
    st.builds(Fact, st.just("modified"), days, st.just("everybody"), some, long),
)
turns = st.builds(Fact, st.sampled_from(["opened", "opened", "closed"]), days, cycles, none, long)
opinions = st.one_of(
    st.builds(Fact, st.just("favourable"), days, st.just("rec"), activities, may_run_out),
    st.builds(Fact, st.just("unfavourable"), days, st.just("rec"), none, long),
)
facts = st.one_of(*[consents] * 5, turns, opinions)
attempts = st.builds(
    Attempt,
    st.sampled_from(sorted(NEEDS)),
    days,
    cycles,
    st.lists(people, min_size=1, max_size=2, unique=True).map(tuple),
    st.none() | facts,
)
beginning = [  # without it nearly every attempt is refused, and the property says nothing
    Fact("favourable", 0, "rec", ALL_ACTIVITIES),
    *[Fact("opened", 0, cycle) for cycle in CYCLES],
    *[Fact("given", 0, person, ALL_PERMISSIONS) for person in PEOPLE],
]


def last(told: list[Fact], day: int, *whats: str) -> Fact | None:
    """The latest of these facts that had happened by that day; of one day, the last one told."""
    happened = [fact for fact in told if fact.what in whats and fact.day <= day]
    return max(reversed(happened), key=lambda fact: fact.day, default=None)


def agrees(told: list[Fact], person: str, permission: str, day: int) -> bool:
    """Whether they consent on that day: an account by what matters, not by nine states."""
    consent: Fact | None = None
    withdrawn: Fact | None = None
    suspended = asked_again = False
    for fact in sorted(told, key=lambda fact: fact.day):
        if fact.day > day or fact.about not in (person, "everybody"):
            continue
        if permission not in fact.these:
            continue
        match fact.what:
            case "given" if withdrawn and (fact.signed is None or fact.signed < withdrawn.day):
                pass  # not a fresh form
            case "given" if not suspended:
                consent, withdrawn, asked_again = fact, None, False
            case "withdrawn":
                consent, withdrawn, suspended = None, fact, False
            case "declined" | "invalid":
                consent, suspended = None, False
            case "again" | "modified":
                asked_again, suspended = True, False
            case "suspended":
                suspended = consent is not None and not asked_again
            case "resumed":
                suspended = False
    return consent is not None and not suspended and not asked_again and day <= consent.until


def may_be_recorded(told: list[Fact], attempt: Attempt) -> bool:
    activity, permission = NEEDS[attempt.kind]
    cycle = last([f for f in told if f.about == attempt.cycle], attempt.day, "opened", "closed")
    opinion = last(told, attempt.day, "favourable", "unfavourable")
    return (
        cycle is not None
        and cycle.what == "opened"
        and opinion is not None
        and opinion.what == "favourable"
        and activity in opinion.these
        and attempt.day <= opinion.until
        and all(agrees(told, person, permission, attempt.day) for person in attempt.people)
    )


def morning(day: int) -> datetime:
    return datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(days=day)


def as_event(fact: Fact, number: int) -> Happened:
    permissions = tuple(Permission(each) for each in sorted(fact.these & ALL_PERMISSIONS))
    until = morning(fact.until).date()
    event: ResearchEvent
    match fact.what:
        case "given":
            event = ConsentGiven(
                participant=fact.about, permissions=permissions, form_version="1",
                valid_until=until,
                signed_on=None if fact.signed is None else morning(fact.signed).date(),
            )  # fmt: skip
        case "invalid":
            event = ConsentInvalidated(
                participant=fact.about, permissions=permissions, because=InvalidBecause.NOT_FREE
            )
        case "again":
            event = ReconsentRequired(
                participant=fact.about, permissions=permissions,
                because=ReconsentBecause.NEW_INFORMATION,
            )  # fmt: skip
        case "suspended":
            event = ConsentSuspended(participant=fact.about)
        case "resumed":
            event = ConsentResumed(participant=fact.about)
        case "modified":
            event = ModificationDecided(
                modification=f"mod-{number}", opinion="rec-0", kind=ModificationKind.SUBSTANTIAL,
                outcome=Outcome.FAVOURABLE, reconsent=permissions,
            )  # fmt: skip
        case "declined":
            event = ConsentDeclined(
                participant=fact.about, permissions=permissions, form_version="1"
            )
        case "withdrawn":
            event = ConsentWithdrawn(participant=fact.about, permissions=permissions)
        case "opened":
            event = CycleOpened(cycle=fact.about, title="A turn", question="What matters?")
        case "closed":
            event = CycleClosed(cycle=fact.about)
        case _:
            event = OpinionGiven(
                opinion=f"rec-{number}",
                committee="The committee",
                outcome=Outcome(fact.what),
                activities=tuple(Activity(each) for each in sorted(fact.these)),
                valid_from=date(2026, 1, 1),
                valid_to=until,
            )
    return Happened(event, morning(fact.day))


def as_command(attempt: Attempt, number: int) -> tuple[type[Command[Any]], ResearchEvent]:
    cycle, people = attempt.cycle, attempt.people
    match attempt.kind:
        case "workshop":
            return HoldWorkshop, WorkshopHeld(
                workshop=f"w-{number}", cycle=cycle, participants=people
            )
        case "interview":
            return HoldInterview, InterviewHeld(
                session=f"i-{number}",
                cycle=cycle,
                participants=people,
                minutes=50,
                place=PlaceKind.HOME,
            )
        case _:
            return CaptureMedia, MediaCaptured(
                media=f"m-{number}",
                cycle=cycle,
                participants=people,
                kind=MediaKind.AUDIO,
                sha256="0" * 64,
            )


@settings(max_examples=200)
@given(st.lists(st.one_of(facts, attempts, attempts), min_size=10, max_size=30))
def test_a_capture_is_recorded_exactly_when_it_may_be(steps: list[Fact | Attempt]) -> None:
    record = story.given(*[ParticipantEnrolled(participant=person) for person in PEOPLE])
    told: list[Fact] = []
    captured = 0
    for number, step in enumerate([*beginning, *steps]):
        if isinstance(step, Fact):
            record.tell(as_event(step, number))
            told.append(step)
            continue
        command, event = as_command(step, number)
        expected = may_be_recorded(told, step)  # whoever is refused then, is refused
        if quicker := step.overtaken_by:
            record.meanwhile(as_event(quicker, number))
            told.append(quicker)
            expected &= may_be_recorded(told, step)
        record.when(command, event, at=morning(step.day).isoformat())
        recorded = len(record.recorded) > captured
        assert recorded == expected
        if recorded:
            assert record.told[-1].event == event, "nothing is recorded behind its back"
            captured += 1
    note(f"captures recorded: {min(captured, 3)}")  # --hypothesis-show-statistics
