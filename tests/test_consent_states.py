"""Nine states: what every event makes of each, read off a table written by hand, not off the code.

The fold is tried in both its uses: by the gate, which hears events in the order of the record, and
by rows that hold the same few values. The page that draws the states is the code's.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given as whenever
from hypothesis import strategies as st

from domain.capacity import ConsultedAs
from domain.conditions import Condition
from domain.consent import ConsentDeclined, ConsentGiven, ConsentRequested
from domain.consent_gates import CODES, ConsentStands
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.consent_states import (
    ConsentState,
    Standing,
    Turn,
    standing_at,
    standings,
    touches,
    turn_of,
    turning_types,
    turns,
)
from domain.ethics import Outcome
from domain.fieldwork import HoldInterview, InterviewHeld, PlaceKind
from domain.modifications import ModificationDecided, ModificationKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import Heard, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from tests import consent_diagram
from tests.story import given
from tests.study_in_the_field import cycle, opinion

INTERVIEW = (Permission.INTERVIEW,)
MARCH = datetime(2026, 3, 1, 9, tzinfo=UTC)


def form(signed_on: date | None = None, valid_until: date | None = None) -> ConsentGiven:
    return ConsentGiven(
        participant="p-1", permissions=INTERVIEW, form_version="1", signed_on=signed_on,
        valid_until=valid_until,
    )  # fmt: skip


def decided(outcome: Outcome, *reconsent: Permission) -> ModificationDecided:
    return ModificationDecided(
        modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL, outcome=outcome,
        reconsent=reconsent,
    )  # fmt: skip


requested = ConsentRequested(participant="p-1", permissions=INTERVIEW, form_version="1")
declined = ConsentDeclined(participant="p-1", permissions=INTERVIEW, form_version="1")
withdrawn = ConsentWithdrawn(participant="p-1", permissions=INTERVIEW)
expired = ConsentExpired(participant="p-1", permissions=INTERVIEW)
invalidated = ConsentInvalidated(
    participant="p-1", permissions=INTERVIEW, because=InvalidBecause.NOT_INFORMED
)
asked_again = ReconsentRequired(
    participant="p-1", permissions=INTERVIEW, because=ReconsentBecause.NEW_INFORMATION
)
suspended = ConsentSuspended(participant="p-1")
resumed = ConsentResumed(participant="p-1", affirmed_by=ConsultedAs.PERSONAL_CONSULTEE)
modified = decided(Outcome.FAVOURABLE, Permission.INTERVIEW)

REACHED_BY: dict[str, list[ResearchEvent]] = {  # how a permission comes into each state
    "not_asked": [],
    "requested": [requested],
    "given": [form()],
    "declined": [declined],
    "withdrawn": [withdrawn],
    "expired": [form(), expired],
    "invalidated": [form(), invalidated],
    "reconsent_required": [form(), asked_again],
    "suspended": [form(), suspended],
}
COLUMNS: dict[str, ResearchEvent] = {  # what happens then, on 10 March
    "requested": requested,
    "dated_form": form(signed_on=date(2026, 3, 10)),
    "older_form": form(signed_on=date(2026, 2, 28)),  # signed before any withdrawal here
    "undated_form": form(),
    "declined": declined,
    "withdrawn": withdrawn,
    "expired": expired,
    "invalidated": invalidated,
    "ask_again": asked_again,
    "suspended": suspended,
    "resumed": resumed,
    "modified": modified,
    "with_conditions": decided(Outcome.FAVOURABLE_WITH_CONDITIONS, Permission.INTERVIEW),
    "refused_modification": decided(Outcome.UNFAVOURABLE, Permission.INTERVIEW),
}
# By hand, from the design; a dot: it stays as it is. To be read by a committee, not by a machine.
FORMS = """
state               requested  dated_form  older_form  undated_form  declined  withdrawn
not_asked           requested  given       given       given         declined  withdrawn
requested           .          given       given       given         declined  withdrawn
given               .          given       given       given         declined  withdrawn
declined            requested  given       given       given         declined  withdrawn
withdrawn           .          given       .           .             .         withdrawn
expired             .          given       given       given         declined  withdrawn
invalidated         .          given       given       given         declined  withdrawn
reconsent_required  .          given       given       given         declined  withdrawn
suspended           .          .           .           .             declined  withdrawn
"""
LAPSES = """
state               expired  invalidated  ask_again           suspended  resumed
not_asked           .        .            .                   .          .
requested           .        .            .                   .          .
given               expired  invalidated  reconsent_required  suspended  .
declined            .        .            .                   .          .
withdrawn           .        .            .                   .          .
expired             .        invalidated  .                   .          .
invalidated         .        .            .                   .          .
reconsent_required  expired  invalidated  .                   .          .
suspended           expired  invalidated  reconsent_required  .          given
"""
MODIFICATIONS = """
state               modified            with_conditions     refused_modification
not_asked           .                   .                   .
requested           .                   .                   .
given               reconsent_required  reconsent_required  .
declined            .                   .                   .
withdrawn           .                   .                   .
expired             .                   .                   .
invalidated         .                   .                   .
reconsent_required  .                   .                   .
suspended           reconsent_required  reconsent_required  .
"""


def read(table: str) -> list[tuple[str, str, str]]:
    heads, *rows = [line.split() for line in table.strip().splitlines()]
    return [
        (state, column, state if cell == "." else cell)
        for state, *cells in rows
        for column, cell in zip(heads[1:], cells, strict=True)
    ]


CELLS = [cell for table in (FORMS, LAPSES, MODIFICATIONS) for cell in read(table)]


def told(*events: ResearchEvent, first: datetime = MARCH) -> list[Heard]:
    """They happened a day apart, in that order."""
    return [
        Heard(position=n, occurred_at=first + timedelta(days=n), actor="ana", event=event)
        for n, event in enumerate(events, 1)
    ]


def stands(heard: list[Heard], at: datetime) -> Standing:
    return standing_at(map(turn_of, heard), at)


def test_the_table_has_every_state_and_every_event() -> None:
    assert {(state, column) for state, column, _ in CELLS} == {
        (state.value, column) for state in ConsentState for column in COLUMNS
    }
    assert {type(event) for event in COLUMNS.values()} == {*turning_types(), ModificationDecided}
    assert REACHED_BY.keys() == set(ConsentState)


@pytest.mark.parametrize(("state", "column", "becomes"), CELLS)
def test_each_event_makes_of_each_state_what_the_table_says(
    state: str, column: str, becomes: str
) -> None:
    before = told(*REACHED_BY[state])
    then = Heard(
        position=9, occurred_at=datetime(2026, 3, 10, 9, tzinfo=UTC), actor="ana",
        event=COLUMNS[column],
    )  # fmt: skip
    assert stands(before, MARCH + timedelta(days=8)).state == state
    if Permission.INTERVIEW in touches(then.event):
        before.append(then)
    assert stands(before, MARCH + timedelta(days=20)).state == becomes


@pytest.mark.parametrize(("state", "column", "becomes"), CELLS)
def test_the_gate_lets_a_capture_through_exactly_where_the_table_says_given(
    state: str, column: str, becomes: str
) -> None:
    gate = ConsentStands("p-1", Permission.INTERVIEW, MARCH + timedelta(days=20))
    for heard in told(*REACHED_BY[state]):
        gate.hear(heard)
    at = datetime(2026, 3, 10, 9, tzinfo=UTC)
    gate.hear(Heard(position=9, occurred_at=at, actor="ana", event=COLUMNS[column]))
    assert gate.holds() == (becomes == "given")
    if becomes != "given":
        reason = gate.reason()
        assert reason.code == CODES[ConsentState(becomes)]
        assert "reportDeviation" in reason.message
        assert (reason.decided_by is None) == (becomes == "not_asked")


@pytest.mark.parametrize(
    "overtaking",
    [declined, withdrawn, expired, invalidated, asked_again, suspended, modified],
    ids=lambda event: type(event).__name__,
)
def test_whatever_ends_consent_while_a_capture_is_written_is_noticed(
    overtaking: ResearchEvent,
) -> None:
    interview = InterviewHeld(
        session="i-1", cycle="c-1", participants=("p-1",), minutes=50, place=PlaceKind.HOME
    )
    ready = [opinion, cycle, ParticipantEnrolled(participant="p-1"), form()]
    story = given(*ready).meanwhile(overtaking).when(HoldInterview, interview)
    assert story.refused is not None
    (reason,) = story.refused.reasons
    assert reason.decided_by == 6
    assert reason.path == "participants.0"


def test_events_count_in_the_fields_time_in_whichever_order_they_are_heard() -> None:
    fresh = form(signed_on=date(2026, 3, 4))
    history = told(form(), withdrawn, fresh, suspended)
    for order in permutations(history):
        gate = ConsentStands("p-1", Permission.INTERVIEW, MARCH + timedelta(days=3))
        for heard in order:
            gate.hear(heard)
        assert gate.holds()
        assert gate.reason().decided_by == 3, "the fresh form is relied on"
        assert stands(list(order), MARCH + timedelta(days=4)).state is ConsentState.SUSPENDED


def test_at_one_moment_the_order_of_the_record_counts() -> None:
    at = [Heard(position=n, occurred_at=MARCH, actor="ana", event=each)
          for n, each in enumerate([form(), declined], 1)]  # fmt: skip
    assert stands(at, MARCH).state is ConsentState.DECLINED
    assert stands(at[::-1], MARCH).state is ConsentState.DECLINED


@pytest.mark.parametrize(
    ("signed_on", "becomes"),
    [(None, "withdrawn"), ("2026-03-02", "withdrawn"), ("2026-03-03", "given")],
)
def test_a_fresh_form_is_one_signed_on_the_day_of_the_withdrawal_or_later(
    signed_on: str | None, becomes: str
) -> None:
    day = date.fromisoformat(signed_on) if signed_on else None
    assert stands(told(form(), withdrawn, form(day)), MARCH + timedelta(9)).state == becomes


def test_it_is_the_last_withdrawal_after_which_a_form_has_to_be_signed() -> None:
    history = told(form(), withdrawn, withdrawn, form(date(2026, 3, 3)))
    assert stands(history, MARCH + timedelta(9)).state is ConsentState.WITHDRAWN


@pytest.mark.parametrize(
    ("at", "state"),
    [
        ("2026-03-31T23:59:59+00:00", "given"),
        ("2026-04-01T00:00:00+00:00", "expired"),
        ("2026-04-01T00:30:00+01:00", "given"),  # still 31 March in UTC
        ("2026-03-31T23:30:00-01:00", "expired"),
    ],
)
def test_consent_expires_by_itself_when_its_last_day_is_over_in_utc(at: str, state: str) -> None:
    history = told(form(valid_until=date(2026, 3, 31)))
    assert stands(history, datetime.fromisoformat(at)).state == state


def test_a_renewed_consent_runs_as_long_as_the_newer_form_says() -> None:
    history = told(form(valid_until=date(2026, 3, 31)), form(valid_until=date(2026, 6, 30)))
    assert stands(history, MARCH + timedelta(60)).state is ConsentState.GIVEN
    assert stands(history, MARCH + timedelta(160)).state is ConsentState.EXPIRED


def test_what_is_resumed_runs_out_when_its_own_form_does() -> None:
    history = told(
        form(valid_until=date(2026, 3, 31)),
        suspended,
        form(valid_until=date(2026, 12, 31)),  # taken while suspended: it took no effect
        resumed,
    )
    assert stands(history, MARCH + timedelta(10)).state is ConsentState.GIVEN
    found = stands(history, MARCH + timedelta(60))
    assert found.state is ConsentState.EXPIRED
    assert found.decided_by is not None
    assert found.decided_by.position == 1


def test_every_standing_one_after_another() -> None:
    taken = map(turn_of, told(form(), suspended, resumed, withdrawn))
    assert [each.state.value for each in standings(taken)] == [
        "not_asked", "given", "suspended", "given", "withdrawn",
    ]  # fmt: skip


def test_what_an_event_touches() -> None:
    everything = tuple(Permission)
    assert touches(form()) == INTERVIEW
    assert touches(suspended) == touches(resumed) == everything
    assert touches(ConsentWithdrawn(participant="p-1")) == everything
    assert touches(modified) == INTERVIEW
    assert touches(decided(Outcome.FAVOURABLE)) == ()
    assert touches(decided(Outcome.UNFAVOURABLE, Permission.INTERVIEW)) == ()
    assert touches(opinion) == ()


def test_a_modification_concerns_everybody_and_only_the_permissions_it_names() -> None:
    for who in ("p-1", "p-2"):
        gates: list[Condition] = [
            ConsentStands(who, permission, MARCH + timedelta(9))
            for permission in (Permission.INTERVIEW, Permission.WORKSHOP)
        ]
        both = ConsentGiven(
            participant=who, permissions=(*INTERVIEW, Permission.WORKSHOP), form_version="1"
        )
        for gate in gates:
            for heard in told(both, modified):
                gate.hear(heard)
        assert [gate.holds() for gate in gates] == [False, True]
        assert gates[0].reason().code == "reconsent_required"


acts = st.sampled_from(sorted(turns()))
days = st.integers(0, 6).map(lambda n: MARCH + timedelta(days=n))
dates = st.none() | days.map(datetime.date)
turns_taken = st.lists(st.tuples(days, acts, dates, dates), max_size=12).map(
    lambda rows: [
        Turn(at, n, act, signed, until) for n, (at, act, signed, until) in enumerate(rows)
    ]
)


@whenever(turns_taken, days, st.randoms(use_true_random=False))
def test_rows_in_any_order_give_the_same_and_what_comes_later_changes_nothing(
    taken: list[Turn], at: datetime, random: Random
) -> None:
    found = standing_at(taken, at)
    assert standing_at(random.sample(taken, len(taken)), at) == found
    assert standing_at([turn for turn in taken if turn.occurred_at <= at], at) == found
    withdrawn_now = Turn(at, 99, ConsentWithdrawn.TOPIC)
    assert standing_at([*taken, withdrawn_now], at).state is ConsentState.WITHDRAWN


def test_the_page_shows_the_states_as_the_code_has_them() -> None:
    page = consent_diagram.PAGE.read_text("utf-8")
    assert page == consent_diagram.drawn(page), "write it anew: python -m tests.consent_diagram"
