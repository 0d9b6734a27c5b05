"""A workshop counts only if its cycle is open, approval stands, and everyone in it consents."""

from datetime import date

from msgspec import structs

from domain.consent import ConsentGiven
from domain.cycles import CycleClosed, CycleOpened
from domain.ethics import Activity, OpinionGiven, Outcome
from domain.payments import Payment
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from domain.workshops import HoldWorkshop, WorkshopHeld
from tests.story import given, on

opinion = OpinionGiven(
    opinion="rec-1",
    committee="University research ethics committee",
    outcome=Outcome.FAVOURABLE,
    activities=(Activity.RECRUITMENT, Activity.WORKSHOP),
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 12, 31),
)
cycle = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")


def agreed(participant: str) -> list[ResearchEvent]:
    return [
        ParticipantEnrolled(participant=participant, group="A"),
        ConsentGiven(participant=participant, permissions=(Permission.WORKSHOP,), form_version="1"),
    ]


ready = [opinion, cycle, *agreed("p-1"), *agreed("p-2")]
held = WorkshopHeld(workshop="w-1", cycle="c-1", participants=("p-1", "p-2"))
withdrawn = ConsentWithdrawn(participant="p-2", permissions=(Permission.WORKSHOP,))


def test_a_workshop_is_recorded_when_everyone_in_it_consents() -> None:
    given(*ready).when(HoldWorkshop, held).then(held)


def test_it_relies_on_the_opinion_and_on_each_consent() -> None:
    command = given(*ready).when(HoldWorkshop, held).command
    assert command is not None
    assert (command.approval(), command.consents()) == (2, (5, 7))


def test_consent_withdrawn_before_the_workshop_refuses_it() -> None:
    given(*ready, withdrawn).when(HoldWorkshop, held).then_refused("consent_withdrawn")


def test_a_workshop_held_before_the_withdrawal_may_still_be_logged_afterwards() -> None:
    story = given(*ready, on("2026-03-01", withdrawn))
    story.when(HoldWorkshop, held, at="2026-02-20").then(held)


def test_every_reason_is_said_at_once() -> None:
    story = given(on("2026-01-05", cycle), on("2026-01-06", CycleClosed(cycle="c-1")))
    story.when(HoldWorkshop, held).then_refused(
        "cycle_not_open",
        "participant_unknown",
        "participant_unknown",
        "approval_missing",
        "consent_missing",
        "consent_missing",
    )


def test_the_same_workshop_is_not_recorded_twice() -> None:
    given(*ready, held).when(HoldWorkshop, held).then_refused("workshop_exists")


def test_consent_withdrawn_while_we_were_deciding_is_noticed() -> None:
    given(*ready).meanwhile(withdrawn).when(HoldWorkshop, held).then_refused("consent_withdrawn")


def test_what_others_record_meanwhile_does_not_stop_us() -> None:
    other = CycleOpened(cycle="c-2", title="Another", question="And beans?")
    given(*ready).meanwhile(other).when(HoldWorkshop, held).then(held)


def test_a_stranger_learns_nothing_but_that_there_is_no_such_study() -> None:
    given(*ready).when(HoldWorkshop, held, by="eve").then_refused("study_unknown")


def test_a_workshop_of_tomorrow_is_refused() -> None:
    given(*ready).when(HoldWorkshop, held, at="2026-11-24").then_refused("occurred_in_the_future")


def test_only_who_came_is_paid() -> None:
    def paying(participant: str) -> WorkshopHeld:
        payment = Payment(participant=participant, amount=2500, currency="GBP")
        return structs.replace(held, payments=(payment,))

    given(*ready).when(HoldWorkshop, paying("p-1")).then(paying("p-1"))
    given(*ready).when(HoldWorkshop, paying("p-3")).then_refused("payee_absent")
