"""The committee's twenty questions asked over HTTP, and what asks for the team's attention."""

import asyncio
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.consent import ConsentGiven
from domain.ethics import Activity, ConditionDischarged, OpinionGiven, Outcome
from domain.fieldwork import InterviewHeld, PlaceKind
from domain.modifications import ModificationDecided, ModificationKind
from domain.oversight import FindingAnswered, FindingRaised, ReportFiled, ReportKind, Severity
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.readings import Reading
from domain.safety import AdverseEventReported
from domain.vocabulary import ResearchEvent, in_camel_case
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
)
from projections.audit_answers import QUESTIONS, AttentionKind
from projections.ethics_audit import attention
from tests.conftest import Database
from tests.recording import events_of, in_a_loop
from tests.registers import STUDY, followed, logged
from tests.serving import Service, prepare, serving, whole_cycle
from tests.test_readings import read_on_record

FIELDS = [in_camel_case(name) for name in QUESTIONS]
ANSWER = """{
    question words verdict count note
    findings { severity code message subject due events { position eventId } }
    clock { due daysLeft subject }
}"""
AUDIT = (
    "query($last: Int, $at: DateTime, $known: DateTime, $first: Int) {"
    ' study(id: "maize", atLeast: $last) {'
    " ethicsAudit(at: $at, asKnownAt: $known, first: $first) { position at asKnownAt "
    + " ".join(f"{name} {ANSWER}" for name in FIELDS)
    + "} } }"
)
ATTENTION = """query($last: Int, $at: DateTime) { study(id: "maize", atLeast: $last) {
    attention(at: $at) { kind subject due overdue message positions }
} }"""


def told(service: Service) -> int:
    """A study that has been through a whole cycle; p-2 withdrew since. Gives the last position."""
    ana = service.as_("ana")
    prepare(ana)
    whole_cycle(ana)
    for member, role in (("vic", "VIEWER"), ("eth", "ETHICS_REVIEWER")):
        ana.record("joinMember", "2026-01-09T09:00Z", member=member, role=role)
    return ana.record("withdrawConsent", "2026-05-01T09:00Z", participant="p-2")


def audited(service: Service, member: str, last: int, **asked: Any) -> dict[str, Any]:
    """The whole audit, once it has read so far."""
    answer: dict[str, Any] = service.as_(member).ask(AUDIT, last=last, **asked)["study"]
    assert answer["ethicsAudit"]["position"] >= last
    return dict(answer["ethicsAudit"])


def test_one_query_answers_all_twenty_with_the_events_that_prove_it(database: Database) -> None:
    with serving(database) as service:
        audit = audited(service, "eth", told(service), at="2026-05-10T12:00Z")
    answers = [audit[name] for name in FIELDS]
    assert [each["question"] for each in answers] == list(range(1, 21))
    assert [each["words"] for each in answers] == list(QUESTIONS.values())
    on_record = {
        row["position"]: (row["type"], str(row["event_id"]))
        for row in asyncio.run(events_of(database.service_url, "maize"))
    }
    found = [each for answer in answers for each in answer["findings"]]
    proof = [event for each in found for event in each["events"]]
    assert all(each["events"] for each in found)
    assert all(on_record[each["position"]][1] == each["eventId"] for each in proof)

    consents = audit["incompleteConsents"]
    assert (consents["verdict"], consents["count"]) == ("BREACH", 2)
    assert [(each["subject"], each["code"]) for each in consents["findings"]] == [
        ("participant:p-1", "consent_undated"),
        ("participant:p-2", "consent_undated"),
    ]
    (left,) = audit["unreportedWithdrawals"]["findings"]
    assert [on_record[each["position"]][0] for each in left["events"]] == ["ConsentWithdrawn"]
    kept = audit["dispositions"]
    assert (kept["verdict"], kept["count"]) == ("ATTENTION", 3)
    assert kept["clock"] == {"due": "2026-05-31", "daysLeft": 21, "subject": "priority:road"}
    assert audit["consentBeforeProcedure"]["verdict"] == "CLEAR"
    assert audit["paymentsWithoutConsent"]["verdict"] == "NOT_APPLICABLE"


def test_it_is_asked_as_of_any_day_and_as_known_on_any_day(database: Database) -> None:
    with serving(database) as service:
        last = told(service)
        before = audited(service, "eth", last, at="2026-04-30T12:00Z")
        after = audited(service, "eth", last, at="2026-06-01T00:00Z")
        unknown = audited(service, "eth", last, at="2026-06-01T00:00Z", known="2026-06-01T00:00Z")
        few = audited(service, "eth", last, first=3)
    assert before["dispositions"]["verdict"] == "NOT_APPLICABLE"
    assert after["dispositions"]["verdict"] == "BREACH"  # its last day is over
    assert after["dispositions"]["clock"] is None
    answers = [unknown[name] for name in FIELDS[:-1]]
    assert {each["verdict"] for each in answers} == {"NOT_APPLICABLE"}  # nothing was on record yet
    late = few["lateAndCorrectedEntries"]
    assert (len(late["findings"]), late["count"]) == (3, last)


def test_whoever_asks_may_audit_and_is_on_record_as_having_read(database: Database) -> None:
    with serving(database) as service:
        last = told(service)
        audited(service, "eth", last)
        refused = service.as_("vic").post(AUDIT, last=last).json()["errors"]
        assert {each["extensions"]["code"] for each in refused} == {"ROLE_INSUFFICIENT"}
        assert service.as_("zoe").ask(AUDIT)["study"] is None  # not even that there is such a study
    found = read_on_record(database)
    assert {(each.reader, each.reading) for each in found} == {("eth", Reading.AUDIT)}
    with serving(database) as service:
        reads = audited(service, "eth", last + len(found))["identifiableDataReads"]
    assert (reads["verdict"], reads["count"]) == ("CLEAR", 0)
    assert "IdentifiableDataRead" in reads["note"]


# What asks for attention, by what asks for it, when, and what ends it.

P, INTERVIEW = "p-1", Permission.INTERVIEW
opinion = OpinionGiven(
    opinion="rec-1", committee="REC", outcome=Outcome.FAVOURABLE_WITH_CONDITIONS,
    activities=tuple(Activity), valid_from=date(2026, 1, 1), valid_to=date(2026, 12, 31),
    conditions=("Insurance.",),
)  # fmt: skip
enrolled = ParticipantEnrolled(participant=P)
consented = ConsentGiven(
    participant=P, permissions=(INTERVIEW,), form_version="1", signed_on=date(2026, 2, 1),
    valid_until=date(2026, 6, 30),
)  # fmt: skip
interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=(P,), minutes=40, place=PlaceKind.HOME
)
fall = AdverseEventReported(
    adverse_event="ae-1", aware_at=datetime(2026, 3, 1, 9, tzinfo=UTC), serious=True, related=True,
    unexpected=True,
)  # fmt: skip
visited = FindingRaised(
    audit="au-1", audit_finding="af-1", severity=Severity.ATTENTION, answer_by=date(2026, 4, 30)
)
changed = ModificationDecided(
    modification="mod-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE, reconsent=(INTERVIEW,),
)  # fmt: skip
left = ConsentWithdrawn(participant=P, permissions=(INTERVIEW,))
plan = DispositionPlanned(
    participant=P, item="session:i-1", disposition=Disposition.ERASE, due=date(2026, 5, 10)
)
about_the_fall = ReportFiled(
    report="r-1", kind=ReportKind.ADVERSE_EVENT, about=("adverse_event:ae-1",)
)
renewed = ConsentGiven(
    participant=P, permissions=(INTERVIEW,), form_version="2", signed_on=date(2026, 6, 20)
)
Day = tuple[str, ResearchEvent]
START: list[Day] = [("2026-01-02", opinion), ("2026-01-10", enrolled)]
DISCHARGED: Day = ("2026-01-09", ConditionDischarged(opinion="rec-1", number=1))
CONSENTED: Day = ("2026-02-01", consented)
Asks = tuple[AttentionKind, str, str | None, bool]

CASES: dict[str, tuple[list[Day], dict[str, list[Asks]]]] = {
    "a condition, until it is discharged": (
        [("2026-01-09", DISCHARGED[1])],
        {
            "2026-01-08": [(AttentionKind.CONDITION_UNDISCHARGED, "opinion:rec-1", None, False)],
            "2026-01-11": [],
        },
    ),
    "a clock, until the report is filed": (
        [DISCHARGED, ("2026-03-02", fall), ("2026-03-20", about_the_fall)],
        {
            "2026-03-16": [
                (AttentionKind.CLOCK_RUNNING, "adverse_event:ae-1", "2026-03-16", False)
            ],
            "2026-03-17": [(AttentionKind.CLOCK_RUNNING, "adverse_event:ae-1", "2026-03-16", True)],
            "2026-03-21": [],  # it came late, which is a breach for good, but nothing to do
        },
    ),
    "a consent that runs out, until it is given anew": (
        [DISCHARGED, CONSENTED, ("2026-06-20", renewed)],
        {
            "2026-05-30": [],
            "2026-06-10": [
                (AttentionKind.CONSENT_EXPIRING, f"participant:{P}", "2026-06-30", False)
            ],
            "2026-06-21": [],
        },
    ),
    "somebody to be asked again, until they are": (
        [DISCHARGED, CONSENTED, ("2026-04-01", changed), ("2026-06-20", renewed)],
        {
            "2026-03-31": [],
            "2026-06-19": [(AttentionKind.RECONSENT_OUTSTANDING, f"participant:{P}", None, False)],
            "2026-06-21": [],
        },
    ),
    "what is held of somebody who withdrew, until it is decided and done": (
        [
            DISCHARGED,
            CONSENTED,
            ("2026-03-01", interview),
            ("2026-04-01", left),
            ("2026-04-20", plan),
            ("2026-05-12", DispositionCompleted(participant=P, item="session:i-1")),
        ],
        {
            "2026-03-31": [],
            "2026-04-10": [(AttentionKind.DISPOSITION_OPEN, "session:i-1", "2026-05-01", False)],
            "2026-04-21": [(AttentionKind.DISPOSITION_OPEN, "session:i-1", "2026-05-10", False)],
            "2026-05-11": [(AttentionKind.DISPOSITION_OPEN, "session:i-1", "2026-05-10", True)],
            "2026-05-13": [],
        },
    ),
    "what an audit found, until it is answered": (
        [
            DISCHARGED,
            ("2026-04-01", visited),
            ("2026-05-02", FindingAnswered(audit_finding="af-1", accepted=True)),
        ],
        {
            "2026-04-02": [
                (
                    AttentionKind.AUDIT_FINDING_UNANSWERED,
                    "audit_finding:af-1",
                    "2026-04-30",
                    False,
                )
            ],
            "2026-05-01": [
                (
                    AttentionKind.AUDIT_FINDING_UNANSWERED,
                    "audit_finding:af-1",
                    "2026-04-30",
                    True,
                )
            ],
            "2026-05-03": [],
        },
    ),
}


def test_each_kind_of_attention_has_its_case() -> None:
    asked = {each[0] for _, days in CASES.values() for those in days.values() for each in those}
    assert asked == set(AttentionKind)


@pytest.mark.parametrize("case", CASES)
@in_a_loop
async def test_it_asks_for_attention_for_as_long_as_something_is_to_be_done(
    database: Database, case: str
) -> None:
    happened, days = CASES[case]
    story = sorted([*START, *happened], key=lambda told: told[0])
    async with followed(database, *(logged(day, event) for day, event in story)) as db:
        for day, expected in days.items():
            at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
            asks = await attention(db, STUDY, at=at)
            assert [
                (each.kind, each.subject, each.due and each.due.isoformat(), each.overdue)
                for each in asks
            ] == expected, day
            for each in asks:
                assert each.positions
                assert each.message.endswith(".")


def test_what_asks_for_attention_is_asked_over_http_what_is_due_first_before_others(
    database: Database,
) -> None:
    with serving(database) as service:
        last = told(service)
        ana, vic = service.as_("ana"), service.as_("vic")
        asks = ana.ask(ATTENTION, last=last, at="2026-06-01T00:00Z")["study"]["attention"]
        before = ana.ask(ATTENTION, last=last, at="2026-04-30T12:00Z")["study"]["attention"]
        assert before == []
        refused = vic.post(ATTENTION, last=last).json()["errors"]
        assert refused[0]["extensions"]["code"] == "ROLE_INSUFFICIENT"
    assert {each["kind"] for each in asks} == {"DISPOSITION_OPEN"}
    assert [(each["subject"], each["due"], each["overdue"]) for each in asks] == [
        ("priority:road", "2026-05-31", True),
        ("session:i-1", "2026-05-31", True),
        ("workshop:w-1", "2026-05-31", True),
    ]
    assert all(last in each["positions"] for each in asks)
    assert "Name of" not in json.dumps(asks)  # nothing personal
