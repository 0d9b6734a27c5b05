"""The planted study as a whole, and small ones for what it cannot hold."""

from datetime import date

from domain.capacity import Capacity, ConsultedAs
from domain.cycles import CycleOpened
from domain.ethics import Activity, OpinionGiven, Outcome
from domain.membership import Role
from domain.oversight import ReportFiled, ReportKind, StudyEndDeclared
from domain.permissions import Permission
from domain.policy_packs import PolicyAdopted
from domain.readings import IdentifiableDataRead, Reading
from domain.safety import AdverseEventReported
from tests.planted_conduct import plant_conduct
from tests.planted_consents import plant_consents
from tests.planted_duties import plant_duties
from tests.planted_history import begin, go_on, modify
from tests.planted_study import ATTENTION, Line, Planted, moment, over

LACKING, PERSONAL = Capacity.LACKS_CAPACITY, ConsultedAs.PERSONAL_CONSULTEE


def planted() -> Planted:
    """About two thousand events, with at least three findings of questions 1 to 19 among them."""
    study = Planted("planted")
    refused, opinion = begin(study)
    changed = modify(study)
    first = study.interview("2024-01-13", "E-3")  # who consented the day before
    go_on(study)
    plant_consents(study, refused, opinion, changed)
    plant_duties(study, opinion, first)
    plant_conduct(study, opinion, changed, first)
    return study


def small(name: str) -> tuple[Planted, Line]:
    """A study of which the committee restricts nothing but the activities; the opinion's line."""
    study = Planted(name)
    study.open("2024-01-02", ("bo", Role.RESEARCHER), ("vic", Role.VIEWER))
    opinion = OpinionGiven(
        opinion=f"{name}-1",
        committee="University REC",
        outcome=Outcome.FAVOURABLE,
        activities=tuple(Activity),
        valid_from=date(2024, 1, 10),
        valid_to=date(2030, 12, 31),
        conditions=("One.", "Two.", "Three.") if name == "university" else (),
    )
    given = study.tell("2024-01-10", opinion, by="ana")
    study.tell("2024-01-11", CycleOpened(cycle="c-1", title="First", question="What matters?"))
    for _ in range(4):
        person = study.newcomer("2024-01-12", form_version="7", information_sheet_version="7")
        study.workshop("2024-01-20", person, site="anywhere", facilitators=("somebody",))
    return study, given


def report(study: Planted, at: str, kind: ReportKind, *about: str) -> Line:
    return study.tell(at, ReportFiled(report=study.name("rep"), kind=kind, about=about), by="ana")


def at_a_university() -> Planted:
    """It goes by another policy pack: other clocks, progress reports, conditions met meanwhile."""
    study, opinion = small("university")
    study.tell("2024-01-03", PolicyAdopted(pack="university-2026"), by="ana")
    subject = "opinion:university-1"
    for _ in range(3):  # that people take part meanwhile is no breach
        study.expect(16, subject, opinion, severity=ATTENTION)
    # A report after a year came ten days late, and the next one is due a year after it.
    filed = report(study, "2025-01-20", ReportKind.PROGRESS)
    for line, due, done in ((opinion, "2025-01-10", filed), (filed, "2026-01-20", None)):
        study.expect_until(done, 15, subject, line, severity=ATTENTION, until=over(due))
        study.expect_until(done, 15, subject, line, since=over(due))
    study.expect(15, subject, opinion, filed)
    # Five days for grave harm: reported on the seventh, and in time.
    for number, at in enumerate(("2024-06-10", "2024-06-08 23:50"), 1):
        harm = study.tell(
            "2024-06-03",
            AdverseEventReported(
                adverse_event=f"ae-{number}", serious=True, related=True, unexpected=True,
                aware_at=moment("2024-06-03"),
            ),
        )  # fmt: skip
        about, late = harm.event.tags[0], over("2024-06-08")
        told = report(study, at, ReportKind.ADVERSE_EVENT, about)
        study.expect_until(told, 15, about, harm, severity=ATTENTION, until=late)
        study.expect_until(told, 15, about, harm, since=late)
        if number == 1:
            study.expect(15, about, harm, told)
    # The committee is not one of those recognised for people who lack capacity.
    for _ in range(3):
        person = study.enrol("2024-02-01")
        given = study.consent(
            "2024-02-02", person, Permission.WORKSHOP, capacity=LACKING, consulted_as=PERSONAL,
            assent=True,
        )  # fmt: skip
        study.expect(19, f"participant:{person}", opinion, given)
    # Nobody is on a list, so nobody is off it: a viewer reads without a role for it, no more.
    when = moment("2024-03-01")
    read = IdentifiableDataRead(
        reader="vic", reading=Reading.EXPORT, first_at=when, last_at=when, reads=1
    )
    study.expect(18, "member:vic", study.tell("2024-03-01", read))
    return study


def ended(name: str, declared: str, due: str, filed: str, *, early: bool = False) -> Planted:
    """The study ended on 31 March 2024; its final report is due a year after that."""
    study, _ = small(name)
    subject, last = f"opinion:{name}-1", over("2025-03-31")
    end = StudyEndDeclared(opinion=f"{name}-1", ended_on=date(2024, 3, 31), early=early)
    told = study.tell(declared, end, by="ana")
    if told.occurred_at >= over(due):
        study.expect(15, subject, told)
    final = report(study, filed, ReportKind.FINAL) if filed else None
    study.expect_until(final, 15, subject, told, severity=ATTENTION, until=last)
    study.expect_until(final, 15, subject, told, since=last)
    if final and final.occurred_at >= last:
        study.expect(15, subject, told, final)
    return study


def ends() -> list[Planted]:
    """In time on the last day; late with both; early, which leaves fifteen days."""
    return [
        ended("in-time", "2024-06-29 23:50", "2024-06-29", "2025-03-31 23:50"),
        ended("late", "2024-06-30 00:10", "2024-06-29", "2025-04-01 00:10"),
        ended("early", "2024-04-16", "2024-04-15", "", early=True),
        ended("early-in-time", "2024-04-15", "2024-04-15", "2025-03-01", early=True),
    ]
