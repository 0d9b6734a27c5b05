"""What is planted about what is owed: questions 8, 10, 15 to 18, and what only looks like it."""

from datetime import date, datetime, timedelta
from typing import Any

from domain.membership import MemberJoined, MemberLeft, Role
from domain.oversight import ReportFiled, ReportKind
from domain.permissions import Permission
from domain.readings import IdentifiableDataRead, Reading
from domain.recordings import MediaCaptured, MediaKind
from domain.safety import (
    AdverseEventReported,
    DeviationKind,
    DeviationReported,
    UrgentSafetyMeasureTaken,
)
from domain.sharing import ArchiveDeposited
from domain.vocabulary import ResearchEvent
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
    WithdrawalScope,
)
from tests.planted_history import DIGEST, discharge
from tests.planted_study import ATTENTION, Line, Planted, moment, over

ACCESS = WithdrawalScope.NO_FURTHER_ACCESS


def withdraw(
    study: Planted,
    at: str,
    person: str,
    *permissions: Permission,
    known: str = "",
    reported: bool | Line = True,
    scope: WithdrawalScope = ACCESS,
) -> Line:
    """They withdraw, from everything if no permission is named.

    It is reported four days after it was recorded, or never, or by a report that there is.
    """
    event = ConsentWithdrawn(
        participant=person, permissions=permissions or tuple(Permission), scope=scope
    )
    gone = study.tell(at, event, known=known)
    if reported:
        later = gone.recorded_at + timedelta(days=4)
        filed = reported if isinstance(reported, Line) else report(study, later, person)
        study.expect_until(filed, 8, f"participant:{person}", gone, severity=ATTENTION)
    else:
        study.expect(8, f"participant:{person}", gone, severity=ATTENTION)
    return gone


def report(
    study: Planted, at: datetime, *people: str, kind: ReportKind = ReportKind.WITHDRAWALS
) -> Line:
    about = tuple(f"participant:{person}" for person in people)
    return study.tell(at, ReportFiled(report=study.name("rep"), kind=kind, about=about), by="ana")


def withdrawals(study: Planted) -> None:
    """Question 8; of who withdrew here nothing is held."""
    one, two, three, four, five, six = (
        study.newcomer("2025-04-01", Permission.WORKSHOP) for _ in range(6)
    )
    withdraw(study, "2025-04-03", one, reported=False)
    withdraw(study, "2025-04-04", two, Permission.WORKSHOP, reported=False)
    report(study, moment("2025-04-05"), two, kind=ReportKind.OTHER)  # not the report asked for
    # Reported the day before it was said: that cannot have been of this one.
    report(study, moment("2025-04-06"), three)
    withdraw(study, "2025-04-07", three, reported=False)
    # Twice, and only the first of the two is on a report.
    withdraw(study, "2025-04-08", four, Permission.WORKSHOP)
    withdraw(study, "2025-05-08", four, reported=False)

    # Innocent: two on one report, of two withdrawals each; reported at that very moment.
    filed = report(study, moment("2025-04-20"), five, six)
    for person in (five, six):
        for at in ("2025-04-10", "2025-04-11"):
            permissions = (Permission.WORKSHOP,)
            event = ConsentWithdrawn(participant=person, permissions=permissions)
            gone = study.tell(at, event)
            study.expect_until(filed, 8, f"participant:{person}", gone, severity=ATTENTION)
    person = study.newcomer("2025-04-01", Permission.WORKSHOP)
    gone = study.tell("2025-04-20", ConsentWithdrawn(participant=person, permissions=permissions))
    filed = report(study, moment("2025-04-20"), person)
    study.expect_until(filed, 8, f"participant:{person}", gone, severity=ATTENTION)


def recorded(study: Planted, at: str, *people: str) -> Line:
    """Sound is recorded; in Q10's words, something that is held."""
    media = MediaCaptured(
        media=study.name("m"), cycle="c-1", kind=MediaKind.AUDIO, sha256=DIGEST,
        participants=people,
    )  # fmt: skip
    return study.tell(at, media)


def item_of(held: Line) -> str:
    """Media and sessions name first what they are."""
    return held.event.tags[0]


def plan(
    study: Planted, at: str, person: str, held: Line, disposition: Disposition, due: str
) -> Line:
    planned = DispositionPlanned(
        participant=person, item=item_of(held), disposition=disposition,
        due=date.fromisoformat(due),
    )  # fmt: skip
    return study.tell(at, planned)


def complete(study: Planted, at: str, person: str, held: Line) -> Line:
    return study.tell(at, DispositionCompleted(participant=person, item=item_of(held)))


def decided(
    study: Planted, held: Line, gone: Line, planned: Line | None, *, due: str = "2025-06-19"
) -> None:
    """Question 10: until it is decided what becomes of it; once the days are over, a breach."""
    named = not isinstance(held.event, ArchiveDeposited)  # a deposit has no name of its own
    item, proof, last = item_of(held) if named else held, (held, gone), over(due)
    study.expect_until(planned, 10, item, *proof, severity=ATTENTION, until=last)
    study.expect_until(planned, 10, item, *proof, since=last)


def done(
    study: Planted, held: Line, gone: Line, planned: Line, completed: Line | None, *, due: str
) -> None:
    """Question 10: until what was decided is done; once the due day is over, a breach."""
    item, proof, last = item_of(held), (held, gone, planned), over(due)
    study.expect_until(completed, 10, item, *proof, severity=ATTENTION, until=last)
    study.expect_until(completed, 10, item, *proof, since=last)


def dispositions(study: Planted) -> None:
    """Question 10: a recording of each is held when they withdraw from being recorded."""

    def held_of(*, gone_on: str = "2025-05-20") -> tuple[str, Line, Line]:
        person = study.newcomer("2025-05-05", Permission.AUDIO)
        held = recorded(study, "2025-05-12", person)
        return person, held, withdraw(study, gone_on, person, Permission.AUDIO)

    # Nothing was decided: on the thirtieth day that is due, and from the next day overdue.
    for _ in range(2):
        _, held, gone = held_of()
        decided(study, held, gone, None)
    # One of two things was forgotten.
    person = study.newcomer("2025-05-05", Permission.AUDIO)
    forgotten, held = (recorded(study, "2025-05-12", person) for _ in range(2))
    gone = withdraw(study, "2025-05-20", person, Permission.AUDIO)
    decided(study, forgotten, gone, None)
    kept = plan(study, "2025-05-25", person, held, Disposition.RETAIN_PSEUDONYMISED, "2025-07-01")
    decided(study, held, gone, kept)
    # Decided, and not done; or due a long time from now.
    for disposition, due in (
        (Disposition.ERASE, "2025-07-01"),
        (Disposition.ANONYMISE, "2025-07-02"),
        (Disposition.QUARANTINE, "2030-01-31"),
    ):
        person, held, gone = held_of()
        planned = plan(study, "2025-05-25", person, held, disposition, due)
        decided(study, held, gone, planned)
        done(study, held, gone, planned, None, due=due)

    # Innocent in the end: done on the last day, and a day late; nothing to be done.
    for at in ("2025-07-01 23:50", "2025-07-02 00:10"):
        person, held, gone = held_of()
        planned = plan(study, "2025-06-19 23:00", person, held, Disposition.ERASE, "2025-07-01")
        decided(study, held, gone, planned)
        completed = complete(study, at, person, held)
        done(study, held, gone, planned, completed, due="2025-07-01")
    for disposition in (
        Disposition.RETAIN_IDENTIFIABLE,
        Disposition.INFEASIBLE_PUBLISHED,
        Disposition.INFEASIBLE_GROUP_TRANSCRIPT,
    ):
        person, held, gone = held_of()
        planned = plan(study, "2025-05-21", person, held, disposition, "2025-05-21")
        decided(study, held, gone, planned)
    # Of several people, one withdraws: what is held of the others stays; decided by a late plan.
    one, other = (study.newcomer("2025-05-05", Permission.AUDIO) for _ in range(2))
    held = recorded(study, "2025-05-12", one, other)
    gone = withdraw(study, "2025-05-20", one, Permission.AUDIO)
    shared = Disposition.INFEASIBLE_GROUP_TRANSCRIPT
    decided(study, held, gone, plan(study, "2025-07-20", one, held, shared, "2025-07-20"))
    # What was recorded once they had come back was not held when they withdrew.
    person = study.newcomer("2025-05-05", Permission.AUDIO)
    withdraw(study, "2025-05-20", person, Permission.AUDIO)
    study.consent("2025-06-02", person, Permission.AUDIO)
    recorded(study, "2025-06-03", person)


def clocks(study: Planted) -> None:
    """Question 15: 15 days for grave harm, 3 for urgent measures, 7 for serious deviations."""

    def reported(what: Line, due: str, at: str = "", kind: ReportKind | None = None) -> None:
        """The report was sent then, or never; of another kind, it is not the one asked for."""
        subject = what.event.tags[0]
        kinds: dict[type[ResearchEvent], ReportKind] = {
            AdverseEventReported: ReportKind.ADVERSE_EVENT,
            UrgentSafetyMeasureTaken: ReportKind.URGENT_SAFETY_MEASURE,
            DeviationReported: ReportKind.DEVIATION,
        }
        filed = None
        if at:
            asked_for = kind or kinds[type(what.event)]
            event = ReportFiled(report=study.name("rep"), kind=asked_for, about=(subject,))
            filed = study.tell(at, event, by="ana")
        met = None if kind else filed
        study.expect_until(met, 15, subject, what, severity=ATTENTION, until=over(due))
        study.expect_until(met, 15, subject, what, since=over(due))
        if met and met.occurred_at >= over(due):
            study.expect(15, subject, what, met)

    def harm(aware: str, **how: bool) -> Line:
        grave: dict[str, Any] = {"serious": True, "related": True, "unexpected": True, **how}
        return study.tell(
            aware,
            AdverseEventReported(
                adverse_event=study.name("ae"), aware_at=moment(aware), what="A fall.", **grave
            ),
        )

    def measure(at: str) -> Line:
        return study.tell(at, UrgentSafetyMeasureTaken(measure=study.name("usm")))

    def deviation(at: str, aware: str = "", serious: bool = True) -> Line:
        return study.tell(
            at,
            DeviationReported(
                deviation=study.name("dev"), kind=DeviationKind.OUTSIDE_PROTOCOL,
                serious=serious, aware_at=moment(aware or at),
            ),
        )  # fmt: skip

    reported(harm("2025-06-02"), "2025-06-17", "2025-06-18 00:10")  # a day late
    reported(harm("2025-06-02"), "2025-06-17")  # never
    reported(harm("2025-06-02"), "2025-06-17", "2025-06-10", kind=ReportKind.OTHER)
    reported(measure("2025-06-02"), "2025-06-05", "2025-06-06")
    reported(measure("2025-06-02"), "2025-06-05")
    reported(deviation("2025-06-02"), "2025-06-09", "2025-06-12")
    reported(deviation("2025-06-02"), "2025-06-09")
    reported(harm("2025-11-20"), "2025-12-05")  # running still on 24 November

    # Innocent: on the last day; the clock runs from when the team learned of it.
    reported(harm("2025-06-02"), "2025-06-17", "2025-06-17 23:50")
    reported(measure("2025-06-02"), "2025-06-05", "2025-06-05 23:50")
    reported(deviation("2025-06-02"), "2025-06-09", "2025-06-09 23:50")
    reported(deviation("2025-06-02", aware="2025-06-07"), "2025-06-14", "2025-06-12")
    # Not grave enough for a clock.
    for less in ("serious", "related", "unexpected"):
        harm("2025-06-03", **{less: False})
    deviation("2025-06-03", serious=False)


def conditions(study: Planted, opinion: Line, first_capture: Line) -> None:
    """Question 16: the first three conditions are met in time, soon after, and late."""
    for number, at in enumerate(("2024-01-11", "2024-01-20", "2024-05-01", "", "", ""), 1):
        met = discharge(study, at, number) if at else None
        start = first_capture.occurred_at
        subject = "opinion:rec-1"
        study.expect_until(met, 16, subject, opinion, severity=ATTENTION, until=start)
        study.expect_until(met, 16, subject, opinion, first_capture, since=start)


def late_and_corrected(study: Planted) -> None:
    """Question 17; every other late entry is declared where it is planted."""
    person = study.newcomer("2025-02-10")
    study.late(study.workshop("2025-02-12", person, known="2025-02-19 10:01"))
    study.late(study.interview("2025-02-12", person, known="2025-06-30"))
    read = IdentifiableDataRead(
        reader="bo", reading=Reading.EXPORT, first_at=moment("2025-02-13"),
        last_at=moment("2025-02-13"), reads=4,
    )  # fmt: skip
    study.late(study.tell("2025-02-13", read, known="2025-02-27"))
    for _ in range(3):
        held = study.workshop("2025-02-14", person, topic="Whells")
        corrected = study.correct(held, "2025-02-16", topic="Wells")
        study.expect(17, corrected, held, corrected, severity=ATTENTION)

    # Innocent: exactly a week, a minute less, and a clock that runs ahead.
    study.workshop("2025-02-12", person, known="2025-02-19 10:00")
    study.workshop("2025-02-12", person, known="2025-02-19 09:59")
    study.workshop("2025-02-12", person, known="2025-02-12 09:58")


def readings(study: Planted) -> None:
    """Question 18, and question 6 for those who are not on the list either."""

    def read(at: str, reader: str) -> Line:
        when = moment(at)
        event = IdentifiableDataRead(
            reader=reader, reading=Reading.PERSONAL_FIELDS, first_at=when, last_at=when, reads=1
        )
        return study.tell(at, event, by=reader)

    def role(at: str, member: str, role: Role | None, participant: str | None = None) -> None:
        event = (
            MemberJoined(member=member, role=role, participant=participant)
            if role
            else MemberLeft(member=member)
        )
        study.tell(at, event, by="ana")

    opinion = next(line for line in study.lines if getattr(line.event, "opinion", None) == "rec-1")
    person = study.newcomer("2025-03-03")
    role("2025-03-04", "pat", Role.PARTICIPANT, person)
    role("2025-03-10", "gus", None)
    for at, reader in (
        ("2025-03-06", "vic"),
        ("2025-03-06", "pat"),
        ("2025-03-06", "nobody"),
    ):
        found = read(at, reader)
        study.expect(18, f"member:{reader}", found)
        study.expect(6, f"member:{reader}", found, opinion)
    study.expect(18, "member:gus", read("2025-03-10 11:00", "gus"))  # an hour after he left
    # A researcher who is not on the list may read by role, and is not approved to.
    study.expect(6, "member:zoe", read("2025-03-07", "zoe"), opinion)

    # Innocent: by office; an hour before leaving; on the list since last October.
    for at, reader in (
        ("2025-03-06", "eve"),
        ("2025-03-06", "sid"),
        ("2025-03-10 09:00", "gus"),
        ("2025-03-07", "dee"),
        ("2025-03-07", "ana"),
    ):
        read(at, reader)


def plant_duties(study: Planted, opinion: Line, first_capture: Line) -> None:
    withdrawals(study)
    dispositions(study)
    clocks(study)
    conditions(study, opinion, first_capture)
    late_and_corrected(study)
    readings(study)
