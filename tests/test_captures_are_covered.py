"""Property: whatever the history, a capture is on record exactly if everything covered it.

Consents of every kind, opinions, modifications and suspensions are told in any order, late and out
of order; some pass through their own commands, some are what older software left on record, and
some overtake a capture while it is decided. Afterwards the record is read as an auditor reads it.
For every capture recorded, everyone's consent and the approval stood for when it happened, as far
as was on record by then; for every capture refused, one of them was lacking. The auditor's
reading is by the rules of the design alone and shares no code with the conditions.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.commands import Command, command_types
from domain.consent import ConsentDeclined, ConsentGiven, ConsentRequested
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.cycles import CycleOpened
from domain.ethics import Activity, ApprovalReinstated, ApprovalSuspended, OpinionGiven, Outcome
from domain.membership import MemberJoined, Role
from domain.modifications import ModificationDecided, ModificationKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.recordings import MediaCaptured, MediaKind, Transcriber, TranscriptMade
from domain.vocabulary import Heard, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from domain.workshops import WorkshopHeld
from tests import story
from tests.story import Happened, on

PEOPLE, TEAM = ("p-1", "p-2"), ("ana", "bo")
OPINIONS = ("rec-0", "rec-1")
USED = (Permission.WORKSHOP, Permission.AUDIO, Permission.MACHINE_TRANSCRIPTION)
APPROVED = (Activity.WORKSHOP, Activity.RECORDING)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ELSEWHERE = "elsewhere"  # a recording and a transcript name no site
WHOLE_YEAR = (date(2026, 1, 1), date(2026, 12, 31))
COMMANDS: dict[type[ResearchEvent], type[Command[Any]]] = {c.EVENT: c for c in command_types()}


class Step(NamedTuple):
    """Something that happened at that hour of the year, and who wrote it down."""

    hour: int
    event: ResearchEvent
    by: str = "ana"
    by_command: bool = False  # else as an import, or older software, left it on record
    overtaken_by: "Step | None" = None  # of a capture: what somebody else records meanwhile


class Decided(NamedTuple):
    """What became of a capture, and how much was on record when it was looked for what it needs."""

    step: Step
    recorded: bool
    known: tuple[int, ...]  # refused: at the first look, or at the second one after an overtaking


def moment(hour: int) -> datetime:
    return NEW_YEAR + timedelta(hours=hour)


# What the auditor knows: the rules, told once more in the plainest words.


def as_it_happened(record: Iterable[Heard], at: datetime) -> list[Heard]:
    happened = [heard for heard in record if heard.occurred_at <= at]
    return sorted(happened, key=lambda heard: (heard.occurred_at, heard.position))


def consents(record: Sequence[Heard], person: str, permission: Permission, at: datetime) -> bool:
    """Whether the person's permission was given, by what happened until then."""
    state, until, withdrawn = "nothing", None, None
    for heard in as_it_happened(record, at):
        event = heard.event
        if isinstance(event, ModificationDecided):
            if (
                event.outcome is not Outcome.UNFAVOURABLE
                and permission in event.reconsent
                and state in ("given", "suspended")
            ):
                state = "ask again"
            continue
        if getattr(event, "participant", None) != person:
            continue
        if isinstance(event, ConsentSuspended):
            state = "suspended" if state == "given" else state
            continue
        if isinstance(event, ConsentResumed):
            state = "given" if state == "suspended" else state
            continue
        if permission not in getattr(event, "permissions", ()):
            continue
        if isinstance(event, ConsentGiven):
            fresh = event.signed_on is not None and (
                withdrawn is None or event.signed_on >= withdrawn.date()
            )
            if state != "suspended" and (state != "withdrawn" or fresh):
                state, until = "given", event.valid_until
        elif isinstance(event, ConsentWithdrawn):
            state, withdrawn = "withdrawn", heard.occurred_at
        elif isinstance(event, ConsentDeclined):
            state = state if state == "withdrawn" else "declined"
        elif isinstance(event, ConsentRequested):
            state = "asked" if state in ("nothing", "declined") else state
        elif isinstance(event, ConsentExpired):
            state = "over" if state in ("given", "ask again", "suspended") else state
        elif isinstance(event, ConsentInvalidated):
            state = "void" if state in ("given", "over", "ask again", "suspended") else state
        elif isinstance(event, ReconsentRequired):
            state = "ask again" if state in ("given", "suspended") else state
    return state == "given" and (until is None or at.date() <= until)


def approved(
    record: Sequence[Heard], activity: Activity, people: Iterable[str], site: str, at: datetime
) -> bool:
    """Whether the committee's latest opinion, as modified, allowed it then, by them and there."""
    opinion: OpinionGiven | None = None
    activities: set[Activity] = set()
    personnel: set[str] = set()
    sites: set[str] = set()
    until, suspended = NEW_YEAR.date(), False
    for heard in as_it_happened(record, at):
        event = heard.event
        if isinstance(event, OpinionGiven):
            opinion, suspended, until = event, False, event.valid_to
            activities, personnel = set(event.activities), set(event.personnel)
            sites = set(event.sites)
        elif opinion is None or getattr(event, "opinion", None) != opinion.opinion:
            continue
        elif isinstance(event, ApprovalSuspended | ApprovalReinstated):
            suspended = isinstance(event, ApprovalSuspended)
        elif isinstance(event, ModificationDecided) and event.outcome is not Outcome.UNFAVOURABLE:
            activities |= set(event.activities)
            personnel |= set(event.personnel) if personnel else set()  # none: not restricted
            sites |= set(event.sites) if sites else set()
            until = event.valid_to or until
    return (
        opinion is not None
        and opinion.outcome is not Outcome.UNFAVOURABLE
        and not suspended
        and activity in activities
        and opinion.valid_from <= at.date() <= until
        and (not personnel or personnel.issuperset(people))
        and (site == ELSEWHERE or not sites or site in sites)
    )


def covered(record: Sequence[Heard], step: Step) -> bool:
    """Whether everything stood that the capture needed, by what was on record."""
    at, event, site = moment(step.hour), step.event, ELSEWHERE
    match event:
        case WorkshopHeld(participants=participants, facilitators=named):
            site = event.site or ""
            activity, permissions = Activity.WORKSHOP, [Permission.WORKSHOP]
        case MediaCaptured(participants=participants):
            activity, permissions, named = Activity.RECORDING, [Permission.AUDIO], ()
        case TranscriptMade(participants=participants, made_by=made_by):
            activity, permissions, named = Activity.RECORDING, [Permission.AUDIO], ()
            if made_by is Transcriber.MACHINE:
                permissions.append(Permission.MACHINE_TRANSCRIPTION)
        case _:
            raise AssertionError(event)
    return approved(record, activity, named or (step.by,), site, at) and all(
        consents(record, person, permission, at)
        for person in participants
        for permission in permissions
    )


# Histories.

hours = st.integers(0, 6).map(lambda half_day: 9 + 12 * half_day)  # few, so that things meet
days = st.integers(0, 3).map(lambda day: moment(24 * day).date())
person, member = st.sampled_from(PEOPLE), st.sampled_from(TEAM)
some = st.just(USED) | st.lists(st.sampled_from(USED), min_size=1, unique=True).map(tuple)
rarely = st.sampled_from([False, False, False, True])
given_again = st.builds(
    ConsentGiven,
    participant=person,
    permissions=some,
    form_version=st.just("1"),
    information_sheet_version=st.just("1"),
    signed_on=st.one_of(st.none(), days, days),
    valid_until=st.one_of(st.none(), st.none(), days),
)
people_say = st.one_of(
    given_again,
    given_again,
    given_again,
    st.builds(ConsentWithdrawn, participant=person, permissions=some),
    st.builds(ConsentWithdrawn, participant=person, permissions=some),
    st.builds(ConsentDeclined, participant=person, permissions=some, form_version=st.just("1")),
    st.builds(ConsentRequested, participant=person, permissions=some, form_version=st.just("1")),
    st.builds(ConsentExpired, participant=person, permissions=some),
    st.builds(
        ConsentInvalidated,
        participant=person,
        permissions=some,
        because=st.just(InvalidBecause.NOT_FREE),
    ),
    st.builds(
        ReconsentRequired,
        participant=person,
        permissions=some,
        because=st.just(ReconsentBecause.OTHER),
    ),
    st.builds(ConsentSuspended, participant=person),
    st.builds(ConsentResumed, participant=person),
)
opinion = st.sampled_from(OPINIONS)
outcomes = st.sampled_from([*Outcome, Outcome.FAVOURABLE])
activities = st.just(APPROVED) | st.lists(st.sampled_from(APPROVED), unique=True).map(tuple)
personnel = st.sampled_from([(), (), ("ana",), ("ana", "bo")])
sites = st.sampled_from([(), (), ("hall",), ("library",)])
committee_says = st.one_of(
    st.builds(
        lambda dates, **rest: OpinionGiven(
            opinion="rec-1", committee="REC", valid_from=min(dates), valid_to=max(dates), **rest
        ),
        st.tuples(days, days) | st.just(WHOLE_YEAR),
        outcome=outcomes,
        sites=sites,
        activities=activities,
        personnel=personnel,
    ),
    st.builds(
        lambda number, **rest: ModificationDecided(modification=f"mod-{number}", **rest),
        st.integers(0, 10**6),
        opinion=opinion,
        kind=st.just(ModificationKind.SUBSTANTIAL),
        sites=sites,
        outcome=outcomes,
        activities=activities,
        personnel=personnel,
        valid_to=st.one_of(st.none(), st.none(), days),
        reconsent=st.just(()) | some,
    ),
    st.builds(ApprovalSuspended, opinion=opinion),
    st.builds(ApprovalReinstated, opinion=opinion),
)
things = st.builds(
    Step, hours, st.one_of(*[people_say] * 3, committee_says), st.just("ana"), rarely
)
who = st.sampled_from([PEOPLE[:1], PEOPLE[1:], PEOPLE])
DIGEST = "5f" * 32
captured = st.one_of(
    st.builds(
        WorkshopHeld,
        workshop=st.just("w"),
        cycle=st.just("c-1"),
        participants=who,
        facilitators=st.sampled_from([(), (), ("bo",), TEAM]),
        site=st.sampled_from([None, "hall", "hall"]),
    ),
    st.builds(
        MediaCaptured,
        media=st.just("m"),
        cycle=st.just("c-1"),
        kind=st.just(MediaKind.AUDIO),
        sha256=st.just(DIGEST),
        participants=who,
    ),
    st.builds(
        TranscriptMade,
        transcript=st.just("t"),
        media=st.just("m-held"),
        kind=st.just(MediaKind.AUDIO),
        participants=st.just(PEOPLE),
        made_by=st.sampled_from(Transcriber),
        sha256=st.just(DIGEST),
    ),
)
captures = st.builds(Step, hours, captured, member, st.just(True), st.none() | st.none() | things)


@st.composite
def one_after_another(draw: st.DrawFn, *events: st.SearchStrategy[ResearchEvent]) -> list[Step]:
    """These happen and are told in this order, of which chance alone makes too few."""
    happened = sorted(draw(st.lists(hours, min_size=len(events), max_size=len(events))))
    return [
        Step(hour, draw(event), by_command=n == len(events) - 1)
        for n, (hour, event) in enumerate(zip(happened, events, strict=True))
    ]


workshops = st.builds(
    WorkshopHeld,
    workshop=st.just("w"),
    cycle=st.just("c-1"),
    participants=st.just(PEOPLE[:1]),
    site=st.sampled_from([None, "hall", "library"]),
)
withdrawn = st.builds(ConsentWithdrawn, participant=st.just("p-1"), permissions=st.just(USED))
back_again = given_again.map(lambda given: replace(given, participant="p-1", permissions=USED))
at_the_hall = st.builds(
    lambda dates, **rest: OpinionGiven(
        opinion="rec-1", committee="REC", valid_from=dates[0], valid_to=dates[1], **rest
    ),
    st.just(WHOLE_YEAR),
    outcome=st.just(Outcome.FAVOURABLE),
    activities=st.just(APPROVED),
    sites=st.just(("hall",)),
)
alone = st.one_of(things, captures).map(lambda step: [step])
told = st.one_of(
    *[alone] * 6,
    one_after_another(withdrawn, back_again, workshops),
    one_after_another(at_the_hall, workshops),
)
histories = st.lists(told, min_size=4, max_size=25).map(lambda each: list(chain(*each)))
beginning = [  # else nearly every capture is refused, and the property says little
    on("2026-01-01", CycleOpened(cycle="c-1", title="First", question="What matters?")),
    on("2026-01-01", MemberJoined(member="bo", role=Role.RESEARCHER)),
    *[on("2026-01-01", ParticipantEnrolled(participant=each)) for each in PEOPLE],
    on(
        "2026-01-01",
        OpinionGiven(
            opinion="rec-0",
            committee="REC",
            outcome=Outcome.FAVOURABLE,
            activities=(*APPROVED, Activity.RECRUITMENT),
            valid_from=WHOLE_YEAR[0],
            valid_to=WHOLE_YEAR[1],
        ),
    ),
    on(
        "2026-01-01",
        MediaCaptured(
            media="m-held",
            cycle="c-1",
            kind=MediaKind.AUDIO,
            sha256=DIGEST,
            participants=PEOPLE,
        ),
    ),
    *[
        on(
            "2026-01-01",
            ConsentGiven(
                participant=each,
                permissions=USED,
                form_version="1",
                information_sheet_version="1",
                signed_on=WHOLE_YEAR[0],
            ),
        )
        for each in PEOPLE
    ],
]
LACKING = (
    "consent_",
    "approval_",
    "activity_",
    "person_",
    "site_",
    "reconsent_",
)  # reasons begin so


def named_apart(event: ResearchEvent, number: int) -> ResearchEvent:
    """The capture under an identifier of its own."""
    field = {WorkshopHeld: "workshop", MediaCaptured: "media", TranscriptMade: "transcript"}
    name = field[type(event)]
    fields = event.as_dict() | {name: f"{name}-{number}"}
    return type(event)(**fields)


def tell(record: story.Story, step: Step) -> None:
    """Put it on record, or ask for that: what is refused did not happen."""
    if step.by_command and type(step.event) in COMMANDS:
        command = COMMANDS[type(step.event)]
        record.when(command, step.event, by=step.by, at=moment(step.hour).isoformat())
    else:
        record.tell(Happened(step.event, moment(step.hour), step.by))


def capture(record: story.Story, step: Step, number: int) -> Decided:
    event = named_apart(step.event, number)
    record.refused = None
    known = len(record.told)
    if step.overtaken_by:
        record.meanwhile(Happened(step.overtaken_by.event, moment(step.overtaken_by.hour)))
    record.when(COMMANDS[type(event)], event, by=step.by, at=moment(step.hour).isoformat())
    if record.refused is None:
        last = record.told[-1].event
        assert type(last) is type(event), "nothing is recorded behind its back"
        return Decided(step, True, (len(record.told) - 1,))
    codes = [reason.code for reason in record.refused.reasons]
    assert all(code.startswith(LACKING) for code in codes), codes
    return Decided(step, False, (known, len(record.told)))


@settings(max_examples=250)
@given(histories)
def test_a_capture_is_on_record_exactly_if_consent_and_approval_covered_it(
    steps: list[Step],
) -> None:
    record = story.given(*beginning)
    decided: list[Decided] = []
    for number, step in enumerate(steps):
        if isinstance(step.event, WorkshopHeld | MediaCaptured | TranscriptMade):
            decided.append(capture(record, step, number))
        else:
            tell(record, step)
    for each in decided:
        stood = all(covered(record.told[:known], each.step) for known in each.known)
        if each.recorded:
            assert stood, f"{each.step} is on record without what it needed"
        else:
            assert not stood, f"{each.step} was refused, and nothing was lacking"
    note(f"recorded: {min(sum(d.recorded for d in decided), 3)}")
    note(f"refused: {min(sum(not d.recorded for d in decided), 3)}")
