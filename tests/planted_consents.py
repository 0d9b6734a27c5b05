"""What is planted about consents: questions 1 to 4, 12, 13 and 19, and what only looks like it."""

from datetime import date
from typing import Any

from domain.consent import (
    Capacity,
    ConsentDeclined,
    ConsentRequested,
    ConsultedAs,
    DatedBy,
    Method,
)
from domain.consent_lapses import (
    ConsentResumed,
    ConsentSuspended,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.recordings import MediaCaptured, MediaKind
from tests.planted_duties import decided as to_decide
from tests.planted_duties import withdraw
from tests.planted_history import DIGEST
from tests.planted_study import ATTENTION, FORM_1, SHEET_1, Line, Planted

AUDIO, INTERVIEW, OBSERVATION = Permission.AUDIO, Permission.INTERVIEW, Permission.OBSERVATION
VIDEO, WORKSHOP = Permission.VIDEO, Permission.WORKSHOP


def after_the_procedure(study: Planted) -> None:
    """Question 1."""
    # Interviewed, and asked two days later.
    person = study.enrol("2024-03-04")
    held = study.interview("2024-03-05", person)
    given = study.consent("2024-03-07", person)
    study.expect_until(given, 1, f"participant:{person}", held)
    study.expect(1, f"participant:{person}", held, given)
    # Came to a workshop without a form, and signed one after it; the other had signed before.
    other, person = study.newcomer("2024-03-04"), study.enrol("2024-03-04")
    held = study.workshop("2024-03-06 14:00", other, person)
    given = study.consent("2024-03-06 16:30", person)
    study.expect_until(given, 1, f"participant:{person}", held)
    study.expect(1, f"participant:{person}", held, given)
    # Never asked at all.
    person = study.enrol("2024-03-04")
    held = study.interview("2024-03-08", person)
    study.expect(1, f"participant:{person}", held)
    # Asked for workshops alone, interviewed, and asked for that in the next month.
    person = study.newcomer("2024-03-04", WORKSHOP)
    study.workshop("2024-03-11", person)
    held = study.interview("2024-03-12", person)
    given = study.consent("2024-04-12", person, INTERVIEW)
    study.expect_until(given, 1, f"participant:{person}", held)
    study.expect(1, f"participant:{person}", held, given)
    # Said no, was filmed all the same, and never agreed.
    person = study.newcomer("2024-03-04", WORKSHOP)
    no = ConsentDeclined(participant=person, permissions=(VIDEO,), form_version="1")
    study.tell("2024-03-04 11:00", no)
    filmed = MediaCaptured(
        media=study.name("m"), cycle="c-1", kind=MediaKind.VIDEO, sha256=DIGEST,
        participants=(person,),
    )  # fmt: skip
    study.expect(1, f"participant:{person}", study.tell("2024-03-13", filmed))

    # Innocent: a minute before, or at that very moment.
    person = study.enrol("2024-03-04")
    study.consent("2024-03-14 09:59", person)
    study.interview("2024-03-14 10:00", person)
    person = study.enrol("2024-03-04")
    study.consent("2024-03-14 10:00", person)
    study.interview("2024-03-14 10:00", person)
    # The form was signed before, and reached the record after the interview, within the week.
    person = study.enrol("2024-03-04")
    held = study.interview("2024-03-15", person)
    given = study.consent("2024-03-14", person, known="2024-03-18")
    study.expect(1, f"participant:{person}", held, known=("", "2024-03-18"))
    # Consent that is renewed later was given before all the same.
    person = study.newcomer("2024-03-04")
    study.interview("2024-03-15", person)
    study.consent("2024-07-15", person)
    # A photo that shows nobody.
    empty = MediaCaptured(media=study.name("m"), cycle="c-1", kind=MediaKind.PHOTO, sha256=DIGEST)
    study.tell("2024-03-16", empty)


def before_approval(study: Planted, refused: Line, opinion: Line) -> None:
    """Question 2; those who were asked then were enrolled then as well, which question 5 finds."""
    requested = ConsentRequested(participant="E-1", permissions=(WORKSHOP,), form_version="1")
    early = [
        study.tell("2024-01-04", requested),
        study.consent("2024-01-05", "E-1", WORKSHOP),
        study.consent("2024-01-09 23:50", "E-2"),
    ]
    for line in early:
        subject = line.event.tags[0]
        study.expect_until(opinion, 2, subject, line)
        study.expect(2, subject, line, opinion)
    # The opinion was given, and not yet in force.
    between = study.consent("2024-01-12", "E-3")
    study.expect(2, "participant:E-3", between, opinion)
    for number, at in enumerate(("2024-01-04 09:00", "2024-01-09 09:00", "2024-01-11 09:00"), 1):
        enrolled = study.tell(at, ParticipantEnrolled(participant=f"E-{number}"))
        study.expect(5, f"participant:E-{number}", enrolled, refused if number < 3 else opinion)

    # Innocent: on the first day, the day after, and on paper of the first day, recorded later.
    person = study.enrol("2024-01-15 08:00")
    study.consent("2024-01-15 08:30", person)
    person = study.enrol("2024-01-15 08:00")
    study.consent("2024-01-16", person)
    person = study.enrol("2024-01-15 08:00")
    study.consent("2024-01-15 09:00", person, known="2024-01-22 08:00")
    # Saying no needs no approval.
    no = ConsentDeclined(participant="E-2", permissions=(VIDEO,), form_version="1")
    study.tell("2024-01-08", no)


def unapproved_forms(study: Planted, opinion: Line, changed: dict[str, Line]) -> None:
    """Question 3: the second form and sheet were approved on 1 June 2024 at nine."""
    forms = changed["forms"]

    def used(at: str, *proof: Line, **form: Any) -> None:
        person = study.enrol("2024-05-02")
        given = study.consent(at, person, WORKSHOP, **form)
        if proof:
            study.expect(3, f"participant:{person}", given, *proof)

    first: dict[str, Any] = {
        "form_version": "1", "form_sha256": FORM_1, "information_sheet_version": "1",
        "information_sheet_sha256": SHEET_1,
    }  # fmt: skip
    second: dict[str, Any] = {
        "form_version": "2", "form_sha256": None, "information_sheet_version": "2",
        "information_sheet_sha256": None,
    }  # fmt: skip
    used("2024-05-20", opinion, form_version="2", form_sha256=None)
    used("2024-06-01 08:59", opinion, **second)
    used("2024-06-03", opinion, forms, **first)
    used("2024-07-03", opinion, forms, information_sheet_version="1")
    used("2024-07-04", opinion, forms, form_sha256="0" * 64)
    used("2024-11-25", opinion, forms, form_version="3", form_sha256=None)  # refused on 1 November

    # Innocent: approved since an hour, and since the day before; the last day of the first form.
    used("2024-06-01 10:00", **second)
    used("2024-06-02")
    used("2024-05-31 18:00", **first)
    used("2024-05-31 18:00", known="2024-06-04", **first)
    # Of one of the two versions no hash is known: it cannot differ.
    used("2024-07-05", form_sha256=None)


def incomplete(study: Planted) -> None:
    """Question 4, and the cases of question 19 that come with it."""

    def signed(at: str, breach: bool, **form: Any) -> tuple[str, Line]:
        person = study.enrol("2024-09-02")
        given = study.consent(at, person, WORKSHOP, **form)
        if breach:
            study.expect(4, f"participant:{person}", given)
        return f"participant:{person}", given

    def case(found: tuple[str, Line], **how: Any) -> None:
        study.expect(19, found[0], found[1], **how)

    child, lacking = Capacity.CHILD, Capacity.LACKS_CAPACITY
    signed("2024-09-03", True, signed_on=None)
    signed("2024-09-03", True, signed_on=None, method=Method.E_SIGN)
    signed("2024-09-04", True, dated_by=DatedBy.OTHER)
    signed("2024-09-04", True, information_sheet_version=None, information_sheet_sha256=None)
    signed("2024-09-05", True, method=Method.VERBAL_WITNESSED)
    case(signed("2024-09-05", True, capacity=lacking, assent=True), severity=ATTENTION)
    case(signed("2024-09-06", True, capacity=child, assent=True), severity=ATTENTION)
    # Dated back, or ahead: the day on the form is not the day on record.
    for on in (date(2024, 9, 5), date(2024, 9, 8), date(2023, 9, 6)):
        subject, given = signed("2024-09-06", False, signed_on=on)
        study.expect(4, subject, given, severity=ATTENTION)

    # Innocent: nothing is signed where consent is spoken; a consultee may date their own form.
    signed("2024-09-09", False, signed_on=None, method=Method.VERBAL_RECORDED)
    signed("2024-09-09", False, method=Method.VERBAL_WITNESSED, witness="Wit Ness")
    found = signed(
        "2024-09-10", False, capacity=lacking, assent=True, dated_by=DatedBy.CONSULTEE,
        consulted_as=ConsultedAs.NOMINATED_CONSULTEE,
    )  # fmt: skip
    case(found, severity=ATTENTION)
    consulted: dict[str, Any] = {"consulted_as": ConsultedAs.PARENT, "assent": True}
    case(signed("2024-09-10", False, capacity=child, **consulted), severity=ATTENTION)
    # Late in the evening there, and the next day already in UTC.
    signed("2024-09-11 00:10", False, signed_on=date(2024, 9, 11))


def capacity(study: Planted) -> None:
    """Question 19: breaches are a missing assent; the rest are cases to look at."""

    def signed(**form: Any) -> tuple[str, Line]:
        person = study.enrol("2024-09-16")
        return f"participant:{person}", study.consent("2024-09-17", person, WORKSHOP, **form)

    child, lacking = Capacity.CHILD, Capacity.LACKS_CAPACITY
    guardian, personal = ConsultedAs.GUARDIAN, ConsultedAs.PERSONAL_CONSULTEE
    breaches: list[dict[str, Any]] = [
        {"capacity": child, "consulted_as": guardian},
        {"capacity": lacking, "consulted_as": personal},
        {"capacity": lacking, "consulted_as": personal, "interpreted": True},
    ]
    for form in breaches:
        study.expect(19, *signed(**form))
    cases: list[dict[str, Any]] = [
        {"capacity": child, "consulted_as": guardian, "assent": False},  # asked, and said no
        {"interpreted": True},
        {"consulted_as": personal},
    ]
    for form in cases:
        study.expect(19, *signed(**form), severity=ATTENTION)
    # Suspended for the time of an illness, and suspended still.
    for resumed in ("2024-10-20", "", ""):
        person = study.newcomer("2024-09-18")
        stopped = study.tell("2024-10-02", ConsentSuspended(participant=person))
        if resumed:
            again = study.tell(resumed, ConsentResumed(participant=person))
            study.expect_until(again, 19, f"participant:{person}", stopped, severity=ATTENTION)
            study.interview("2024-10-21", person)
        else:
            study.expect(19, f"participant:{person}", stopped, severity=ATTENTION)

    # Innocent: they can decide for themselves; what is said of an interpreter is that none came.
    signed(assent=True)
    signed(interpreter=None, interpreted=False)
    signed(capacity_note="Tired, and clear about it.")
    # A suspension that found nothing to suspend.
    person = study.enrol("2024-09-18")
    study.tell("2024-10-02", ConsentSuspended(participant=person))


def changed_answers(study: Planted) -> None:
    """Question 12: late entries by which an answer that had been given is another one now."""
    # The paper form of a workshop turns up three weeks after it.
    person = study.enrol("2025-01-06")
    held = study.workshop("2025-01-10", person)
    study.expect(1, f"participant:{person}", held, known=("", "2025-02-01"))
    given = study.late(study.consent("2025-01-09", person, known="2025-02-01"))
    study.expect(12, f"participant:{person}", given, severity=ATTENTION)
    # A no that nobody had passed on.
    person = study.newcomer("2025-01-06")
    first = study.lines[-1]
    no = ConsentDeclined(participant=person, permissions=(AUDIO,), form_version="2")
    said = study.late(study.tell("2025-01-20", no, known="2025-02-03"))
    study.expect(12, f"participant:{person}", first, said, severity=ATTENTION)
    # A withdrawal told at a workshop, written down a month after it; interviewed in between.
    person = study.newcomer("2025-01-06", INTERVIEW)
    first = study.lines[-1]
    gone = study.late(withdraw(study, "2025-01-20", person, INTERVIEW, known="2025-02-20"))
    study.expect(12, f"participant:{person}", first, gone, severity=ATTENTION)
    held = study.interview("2025-01-30", person)
    study.expect(9, f"participant:{person}", gone, held)
    to_decide(study, held, gone, None, due="2025-02-19")

    # Innocent: exactly a week, and a day less.
    person = study.enrol("2025-01-06")
    study.consent("2025-01-07", person, known="2025-01-14")
    person = study.enrol("2025-01-06")
    study.consent("2025-01-07", person, known="2025-01-13 23:00")
    # Late, and the answer is what it was: a second form; a stale form after a withdrawal.
    person = study.newcomer("2025-01-06")
    study.late(study.consent("2025-01-08", person, known="2025-02-04"))
    person = study.newcomer("2025-01-06", WORKSHOP)
    withdraw(study, "2025-01-20", person, WORKSHOP)
    stale = date(2025, 1, 19)
    given = study.consent("2025-01-21", person, WORKSHOP, signed_on=stale, known="2025-02-05")
    study.late(given)
    study.expect(4, f"participant:{person}", given, severity=ATTENTION)
    person = study.newcomer("2025-01-06", WORKSHOP)
    withdraw(study, "2025-01-20", person, WORKSHOP)
    filed = study.lines[-1]  # on 24 January
    again = withdraw(study, "2025-01-22", person, WORKSHOP, known="2025-02-06", reported=filed)
    study.late(again)


def asked_again(study: Planted, changed: dict[str, Line]) -> None:
    """Question 13: on 1 March 2025 at nine, observation was modified, and consent is asked anew."""
    decided = changed["observation"]
    watched = [study.newcomer("2025-02-03", OBSERVATION, WORKSHOP) for _ in range(6)]
    for person in watched[:3]:  # observed in between, one of them twice
        study.expect(13, f"participant:{person}", decided, severity=ATTENTION)
        held = study.observation("2025-03-05", person)
        study.expect(13, f"participant:{person}", decided, held)
    held = study.observation("2025-03-06", watched[0])
    study.expect(13, f"participant:{watched[0]}", decided, held)
    study.expect(13, f"participant:{watched[3]}", decided, severity=ATTENTION)
    study.workshop("2025-03-07", watched[3])  # another permission: nobody has to ask again for it
    # Asked again the same day, and after a fortnight.
    for person, at in ((watched[4], "2025-03-01 15:00"), (watched[5], "2025-03-15")):
        study.observation("2025-03-01 08:00", person)
        again = study.consent(at, person, OBSERVATION)
        subject = f"participant:{person}"
        study.expect_until(again, 13, subject, decided, severity=ATTENTION)
        study.observation("2025-03-20", person)
    # Not by the modification: somebody came of age.
    person = study.newcomer("2025-02-03", WORKSHOP)
    because = ReconsentBecause.CAME_OF_AGE
    grown = ReconsentRequired(participant=person, permissions=(WORKSHOP,), because=because)
    study.expect(13, f"participant:{person}", study.tell("2025-03-10", grown), severity=ATTENTION)

    # Innocent: those who had said no, had withdrawn, or were never asked for it.
    person = study.newcomer("2025-02-03", WORKSHOP)
    no = ConsentDeclined(participant=person, permissions=(OBSERVATION,), form_version="2")
    study.tell("2025-02-04", no)
    person = study.newcomer("2025-02-03", OBSERVATION)
    withdraw(study, "2025-02-05", person, OBSERVATION)
    study.newcomer("2025-02-03", WORKSHOP)
    # And who was asked for the first time since.
    person = study.newcomer("2025-03-03", OBSERVATION)
    study.observation("2025-03-21", person)


def plant_consents(study: Planted, refused: Line, opinion: Line, changed: dict[str, Line]) -> None:
    after_the_procedure(study)
    before_approval(study, refused, opinion)
    unapproved_forms(study, opinion, changed)
    incomplete(study)
    capacity(study)
    changed_answers(study)
    asked_again(study, changed)
