"""What is planted about what was done: questions 5 to 7, 9, 11, 14, and what only looks like it."""

from datetime import date

from domain.fieldwork import FocusGroupHeld, PlaceKind
from domain.payments import Payment
from domain.permissions import Permission
from domain.readings import IdentifiableDataRead, Reading
from domain.recordings import MemberCheckSent
from domain.sharing import (
    Access,
    ArchiveDeposited,
    Author,
    AuthorshipAgreed,
    CreditRole,
    FedBackToParticipants,
    Format,
    QuotationReleased,
)
from domain.withdrawal import Disposition, WithdrawalScope
from tests.planted_duties import decided, item_of, plan, recorded, withdraw
from tests.planted_history import AT_FIRST, IN_THE_END
from tests.planted_study import ATTENTION, PAST, Line, Planted, moment

ANONYMOUS, NAMED = Permission.QUOTE_ANONYMOUS, Permission.QUOTE_NAMED
ARCHIVE, AUDIO, CREDIT = Permission.ARCHIVE, Permission.AUDIO, Permission.CREDIT_BY_NAME
INTERVIEW, RECONTACT, WORKSHOP = Permission.INTERVIEW, Permission.RECONTACT, Permission.WORKSHOP


def focus_group(study: Planted, at: str, *people: str) -> Line:
    held = FocusGroupHeld(
        session=study.name("f"), cycle="c-1", participants=people, minutes=90, site="hall",
        place=PlaceKind.COMMUNITY_VENUE, moderators=("bo",),
    )  # fmt: skip
    return study.tell(at, held)


def unapproved(study: Planted, opinion: Line, changed: dict[str, Line], first: Line) -> None:
    """Question 5; `first` is an interview between the opinion and its first day."""
    one, other = study.newcomer("2024-07-01"), study.newcomer("2024-07-01")
    study.expect(5, item_of(first), first, opinion)
    # A focus group before focus groups were approved; a place that no committee looked at.
    found = [
        focus_group(study, "2024-07-30", one, other),
        study.workshop("2024-07-30", one, site="pub"),
        study.workshop("2024-08-30", one, site="clinic"),
        study.workshop("2024-12-02", one, site="pub"),  # applied for, and refused
        study.interview("2024-12-03", one, site=None),
    ]
    for line in found:
        study.expect(5, item_of(line), line, opinion)
    # While approval was suspended: research, and recruitment.
    stopped = changed["suspended"]
    for line in (
        study.interview("2024-11-10 10:30", one),
        recorded(study, "2024-11-15", one),
        study.workshop("2024-11-20 09:59", one),
    ):
        study.expect(5, item_of(line), line, opinion, stopped)
    person = study.enrol("2024-11-12")
    enrolled = study.lines[-1]
    study.expect(5, f"participant:{person}", enrolled, opinion, stopped)

    # Innocent: approved since the hour, since the day before; an hour before and after a pause.
    focus_group(study, "2024-08-01 10:00", one, other)
    study.workshop("2024-09-02", one, site="clinic")
    study.workshop("2024-11-10 09:00", one)
    study.interview("2024-11-20 11:00", one)
    study.enrol("2024-11-10 09:59")
    # Nothing is captured by feeding back, wherever that is, and while approval is suspended.
    told = FedBackToParticipants(what="Wells", format=Format.CONVERSATION, groups=("A",))
    study.tell("2024-11-15", told)


def off_the_list(study: Planted, opinion: Line) -> None:
    """Question 6: ana, bo, cy and gus are approved, and dee from 1 October 2024 at nine."""
    person, other = study.newcomer("2024-07-01"), study.enrol("2024-07-01")
    again = study.enrol("2024-07-01")
    read = IdentifiableDataRead(
        reader="dee", reading=Reading.EXPORT, first_at=moment("2024-09-30"),
        last_at=moment("2024-09-30"), reads=2,
    )  # fmt: skip
    found = [
        ("vic", study.consent("2024-07-02", other, taken_by="vic")),
        ("dee", study.consent("2024-09-25", again, taken_by=None, by="dee")),
        ("dee", study.observation("2024-09-26", by="dee", observers=())),
        ("zoe", study.workshop("2024-12-02", person, facilitators=("bo", "zoe"))),  # refused
        ("dee", study.tell("2024-09-30", read)),
    ]
    for member, line in found:
        study.expect(6, f"member:{member}", line, opinion)

    # Innocent: since an hour; written down by somebody else than did it; a no and a withdrawal.
    study.workshop("2024-10-01 10:00", person, facilitators=("dee",))
    study.consent("2024-10-02", study.enrol("2024-10-01"), taken_by="dee")
    study.interview("2024-10-03", person, by="sid")
    study.consent("2024-10-03", study.enrol("2024-10-01"), by="vic")
    study.interview("2024-10-04", person, interviewers=(), by="cy")
    withdraw(study, "2024-10-05", study.newcomer("2024-10-01", WORKSHOP), WORKSHOP)


def too_many(study: Planted, opinion: Line, changed: dict[str, Line]) -> None:
    """Question 7, to be planted last: so many were enrolled, and 101 to 170 were approved later."""
    more = changed["more"]
    before = [
        line for line in study.lines
        if line.event.TOPIC == "ParticipantEnrolled" and line.occurred_at < more.occurred_at
    ]  # fmt: skip
    assert len(before) < AT_FIRST - 1, "planted otherwise: more have to be approved"
    # Innocent: up to the last place, and one of these on a list that came in late.
    for _ in range(AT_FIRST - len(before) - 1):
        study.enrol("2025-07-01")
    study.enrol("2025-07-02", known="2025-07-21")
    study.late(study.lines[-1])
    # Three too many for a fortnight, until more were approved; before the late list, only two.
    for number in range(3):
        person = study.enrol("2025-07-18")
        known = PAST if number else moment("2025-07-21")
        study.expect_until(more, 7, f"participant:{person}", opinion, study.lines[-1], known=known)
    # Innocent: the places that were approved besides.
    for _ in range(IN_THE_END - AT_FIRST - 3):
        study.enrol("2025-08-01 10:00")
    for _ in range(4):
        person = study.enrol("2025-09-15")
        study.expect(7, f"participant:{person}", opinion, more, study.lines[-1])


def quoted(study: Planted, at: str, person: str, permission: Permission = ANONYMOUS) -> Line:
    quotation = QuotationReleased(
        quotation=study.name("q"), participant=person, permission=permission,
        words="We walk an hour.", where="A policy brief",
    )  # fmt: skip
    return study.tell(at, quotation)


def after_withdrawal(study: Planted) -> None:
    """Question 9: capture, use and contact after somebody withdrew."""

    def gone(*permissions: Permission, scope: WithdrawalScope) -> tuple[str, Line]:
        person = study.newcomer("2024-12-02")
        return person, withdraw(study, "2024-12-10", person, *permissions, scope=scope)

    contact, access, use = WithdrawalScope
    # Captured: a minute after, and a month; by a form that had been signed before. What becomes of
    # it is to be decided as well, which question 10 finds.
    person, line = gone(WORKSHOP, scope=access)
    for at in ("2024-12-10 10:01", "2025-01-10"):
        held = study.workshop(at, person)
        study.expect(9, f"participant:{person}", line, held)
        decided(study, held, line, None, due="2025-01-09")
    person, line = gone(INTERVIEW, scope=access)
    stale = study.consent("2024-12-11", person, INTERVIEW, signed_on=date(2024, 12, 9))
    study.expect(4, f"participant:{person}", stale, severity=ATTENTION)
    held = study.interview("2024-12-12", person)
    study.expect(9, f"participant:{person}", line, held)
    decided(study, held, line, None, due="2025-01-09")
    # Used: quoted, and archived; these were no longer allowed, which question 14 finds as well.
    person, line = gone(ANONYMOUS, scope=access)
    used = quoted(study, "2024-12-20", person)
    for question in (9, 14):
        study.expect(question, f"participant:{person}", line, used)
    decided(study, used, line, None, due="2025-01-09")
    person, line = gone(ARCHIVE, scope=use)
    used = archived(study, "2024-12-20", person)
    for question in (9, 14):
        study.expect(question, f"participant:{person}", line, used)
    decided(study, used, line, None, due="2025-01-09")
    # No further use of anything, though this permission had not been named.
    person, line = gone(WORKSHOP, scope=use)
    used = quoted(study, "2024-12-20", person)
    study.expect(9, f"participant:{person}", line, used)
    # Contacted: no further contact; recontact withdrawn; told the findings by name.
    person, line = gone(WORKSHOP, scope=contact)
    study.expect(9, f"participant:{person}", line, checked(study, "2024-12-20", person))
    person, line = gone(RECONTACT, scope=access)
    study.expect(9, f"participant:{person}", line, checked(study, "2024-12-20", person))
    person, line = gone(WORKSHOP, scope=contact)
    told = FedBackToParticipants(what="Wells", format=Format.CONVERSATION, participants=(person,))
    study.expect(9, f"participant:{person}", line, study.tell("2024-12-20", told))

    # Innocent: a minute before; what is held of it may stay.
    person = study.newcomer("2024-12-02")
    held = study.workshop("2024-12-10 09:59", person)
    line = withdraw(study, "2024-12-10", person, WORKSHOP)
    kept = plan(study, "2024-12-12", person, held, Disposition.RETAIN_PSEUDONYMISED, "2024-12-12")
    decided(study, held, line, kept, due="2025-01-09")
    # Another permission; contact by somebody who may still be contacted.
    person, _ = gone(AUDIO, scope=access)
    study.workshop("2024-12-11", person)
    checked(study, "2024-12-20", person)
    # Back again, by a fresh form.
    person, _ = gone(WORKSHOP, scope=contact)
    study.consent("2024-12-11", person)
    study.workshop("2024-12-12", person)
    checked(study, "2024-12-20", person)
    # Quoted while consent stood, and withdrawn later: what is published cannot be taken back.
    person = study.newcomer("2024-12-02")
    used = quoted(study, "2024-12-09", person)
    line = withdraw(study, "2024-12-10", person, ANONYMOUS)
    out = plan(study, "2024-12-12", person, used, Disposition.INFEASIBLE_PUBLISHED, "2024-12-12")
    decided(study, used, line, out, due="2025-01-09")


def checked(study: Planted, at: str, person: str) -> Line:
    return study.tell(at, MemberCheckSent(transcript="t-held", participant=person))


def archived(study: Planted, at: str, *people: str) -> Line:
    deposit = ArchiveDeposited(
        repository="UK Data Service", what="Transcripts", access=Access.SAFEGUARDED,
        participants=people,
    )  # fmt: skip
    return study.tell(at, deposit)


def payments(study: Planted, changed: dict[str, Line]) -> None:
    """Question 11: paid for taking part, and without the consent that it needed."""

    def paid(at: str, *people: str, to: str) -> Line:
        payment = Payment(participant=to, amount=1500, currency="GBP")
        return study.workshop(at, *people, payments=(payment,))

    other = study.newcomer("2025-03-24")
    # Never asked: paid, and not even said to have been there.
    person = study.enrol("2025-03-24")
    study.expect(11, f"participant:{person}", paid("2025-03-26", other, to=person))
    # Consent had run out the day before, and stood on its last day.
    person = study.newcomer("2025-03-24", WORKSHOP, valid_until=date(2025, 3, 26))
    given = study.lines[-1]
    paid("2025-03-26 23:50", person, to=person)
    study.expect(11, f"participant:{person}", given, paid("2025-03-27", person, to=person))
    # Withdrawn, there, and paid.
    person = study.newcomer("2025-03-24", WORKSHOP)
    gone = withdraw(study, "2025-03-25", person, WORKSHOP)
    line = paid("2025-03-26", person, to=person)
    for question in (9, 11):
        study.expect(question, f"participant:{person}", gone, line)
    decided(study, line, gone, None, due="2025-04-24")
    # Consented to be interviewed, and was paid for a workshop.
    person = study.newcomer("2025-03-24", INTERVIEW)
    line = paid("2025-03-26", person, to=person)
    study.expect(1, f"participant:{person}", line)
    study.expect(11, f"participant:{person}", line)

    # Innocent: consented, and withdrew the next day; what was paid was for the day before.
    person = study.newcomer("2025-03-24", WORKSHOP)
    line = paid("2025-03-26", person, to=person)
    gone = withdraw(study, "2025-03-27", person, WORKSHOP)
    kept = plan(study, "2025-03-28", person, line, Disposition.RETAIN_PSEUDONYMISED, "2025-03-28")
    decided(study, line, gone, kept, due="2025-04-26")
    # Without consent, and not paid; agreed that very morning.
    person = study.enrol("2025-03-24")
    study.consent("2025-03-26 09:59", person, WORKSHOP)
    paid("2025-03-26", person, to=person)
    # Withdrew from being recorded, which is not what the payment was for.
    person = study.newcomer("2025-03-24", WORKSHOP, AUDIO)
    withdraw(study, "2025-03-25", person, AUDIO)
    paid("2025-03-26", person, to=person)


def releases(study: Planted) -> None:
    """Question 14: quotations, names and data that left the study."""

    def credited(at: str, *people: str) -> Line:
        authors = tuple(
            Author(roles=(CreditRole.INVESTIGATION,), participant=person) for person in people
        )
        writer = Author(roles=(CreditRole.WRITING_ORIGINAL_DRAFT,), member="bo")
        return study.tell(at, AuthorshipAgreed(work="Wells", authors=(writer, *authors)))

    # By another permission than they gave; never given; given a day later; run out.
    person = study.newcomer("2025-04-22", ANONYMOUS)
    study.expect(14, f"participant:{person}", quoted(study, "2025-04-24", person, NAMED))
    person = study.newcomer("2025-04-22", WORKSHOP)
    study.expect(14, f"participant:{person}", credited("2025-04-24", person))
    named = study.newcomer("2025-04-22", CREDIT, ARCHIVE)
    person = study.newcomer("2025-04-22", WORKSHOP)
    study.expect(14, f"participant:{person}", archived(study, "2025-04-24", named, person))
    study.consent("2025-04-25", person, ARCHIVE)
    person = study.newcomer("2025-04-22", ANONYMOUS, valid_until=date(2025, 4, 23))
    given = study.lines[-1]
    study.expect(14, f"participant:{person}", given, quoted(study, "2025-04-24", person))

    # Innocent: as they allowed; withdrawn the day after; of members and of nobody.
    person = study.newcomer("2025-04-22", NAMED)
    quoted(study, "2025-04-24", person, NAMED)
    person = study.newcomer("2025-04-22", CREDIT)
    credited("2025-04-24", person)
    withdraw(study, "2025-04-25", person, CREDIT)
    person = study.newcomer("2025-04-22", ANONYMOUS, valid_until=date(2025, 4, 24))
    quoted(study, "2025-04-24 23:50", person)
    credited("2025-04-24")
    archived(study, "2025-04-24")


def plant_conduct(
    study: Planted, opinion: Line, changed: dict[str, Line], first_capture: Line
) -> None:
    unapproved(study, opinion, changed, first_capture)
    off_the_list(study, opinion)
    after_withdrawal(study)
    payments(study, changed)
    releases(study)
    too_many(study, opinion, changed)
