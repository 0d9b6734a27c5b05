"""What the ethics audit answers: twenty questions, each with its verdict, findings and proof."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from domain.oversight import Severity

# Each question by the name of its field, in the committee's words; numbered in this order.
QUESTIONS = {
    "consent_before_procedure": "Is consent dated after the first procedure?",
    "consent_before_approval": "Is consent dated before approval?",
    "unapproved_form_versions": "Was a form version used that was not approved on its day?",
    "incomplete_consents": "Is consent undated, incomplete or dated by another?",
    "unapproved_activities": "Was there an activity, instrument or recruitment without approval?",
    "unapproved_personnel": "Did anyone off the approved list take consent, capture or read data?",
    "enrolment_against_maximum": "How many are enrolled, against the approved maximum?",
    "unreported_withdrawals": "Withdrawals: when, in which scope, and were they reported?",
    "after_withdrawal": "After each withdrawal: was there contact, capture, use or publication?",
    "dispositions": "Earlier data of who withdrew: what was done, by when, what remains, and why?",
    "payments_without_consent": "Was anyone paid for taking part without consent?",
    "answers_that_changed": "Did a late entry change the state of a permission as it was known?",
    "reconsent_outstanding": "Who still needs re-consent, and who took part meanwhile?",
    "releases_without_consent": "For each quotation, photo or name released: is there consent?",
    "safety_clocks": "Adverse events, breaches and reports: was the clock met?",
    "undischarged_conditions": "Which conditions of the opinion are undischarged?",
    "late_and_corrected_entries": "What was entered late or corrected: by whom, and why?",
    "identifiable_data_reads": "Who read identifiable data, audit reads included?",
    "capacity_and_assent": "Capacity, assent, consultee and interpreter: which cases are there?",
    "record_integrity": "Is the record complete and in order?",
}


class AuditVerdict(StrEnum):
    """What a question comes to."""

    CLEAR = "clear"
    ATTENTION = "attention"
    BREACH = "breach"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class ProvingEvent:
    """An event on record that proves a finding."""

    position: Annotated[int, "Where it stands in the study's record."]
    event_id: Annotated[str, "Its identifier."]


@dataclass(frozen=True)
class AuditFinding:
    """Something a question found, with the events that prove it."""

    severity: Annotated[Severity, "Attention, or a breach."]
    code: Annotated[str, "What kind of finding it is; stable, for programs."]
    message: Annotated[str, "What was found, for people; nothing personal is in it."]
    subject: Annotated[str, "What it is about, as a tag: participant:P-07, media:m-3, event:17."]
    events: Annotated[list[ProvingEvent], "The events that prove it, in order of the record."]
    due: Annotated[date | None, "The last day (UTC) on which it is in time, if a clock runs."]

    @property
    def positions(self) -> list[int]:
        return [each.position for each in self.events]


@dataclass(frozen=True)
class AuditClock:
    """The next clock of a question that is still running."""

    due: Annotated[date, "The last day (UTC) on which it is in time."]
    days_left: Annotated[int, "How many days are left then, from the day asked about."]
    subject: Annotated[str, "What it is about, as a tag."]


@dataclass(frozen=True)
class AuditAnswer:
    """The answer to one of the committee's twenty questions."""

    question: Annotated[int, "Its number, from 1 to 20."]
    words: Annotated[str, "The question."]
    verdict: Annotated[AuditVerdict, "What it comes to."]
    count: Annotated[int, "How many findings there are, also those not shown."]
    findings: Annotated[list[AuditFinding], "The findings, breaches first, at most `first`."]
    clock: Annotated[AuditClock | None, "The next clock that runs out, where one is running."]
    note: Annotated[str | None, "What the answer cannot say, or where more is said."]


Answer = AuditAnswer


@dataclass(frozen=True)
class EthicsAudit:
    """The ethics committee's twenty questions about a study, as of a moment, as known at another.

    What happened after `at`, or was recorded after `asKnownAt`, does not count.
    """

    at: Annotated[datetime, "The moment asked about."]
    as_known_at: Annotated[datetime, "As the record knew it at this moment."]
    position: Annotated[int, "How far the audit has read the study's record."]
    consent_before_procedure: Annotated[Answer, f"1. {QUESTIONS['consent_before_procedure']}"]
    consent_before_approval: Annotated[Answer, f"2. {QUESTIONS['consent_before_approval']}"]
    unapproved_form_versions: Annotated[Answer, f"3. {QUESTIONS['unapproved_form_versions']}"]
    incomplete_consents: Annotated[Answer, f"4. {QUESTIONS['incomplete_consents']}"]
    unapproved_activities: Annotated[Answer, f"5. {QUESTIONS['unapproved_activities']}"]
    unapproved_personnel: Annotated[Answer, f"6. {QUESTIONS['unapproved_personnel']}"]
    enrolment_against_maximum: Annotated[Answer, f"7. {QUESTIONS['enrolment_against_maximum']}"]
    unreported_withdrawals: Annotated[Answer, f"8. {QUESTIONS['unreported_withdrawals']}"]
    after_withdrawal: Annotated[Answer, f"9. {QUESTIONS['after_withdrawal']}"]
    dispositions: Annotated[Answer, f"10. {QUESTIONS['dispositions']}"]
    payments_without_consent: Annotated[Answer, f"11. {QUESTIONS['payments_without_consent']}"]
    answers_that_changed: Annotated[Answer, f"12. {QUESTIONS['answers_that_changed']}"]
    reconsent_outstanding: Annotated[Answer, f"13. {QUESTIONS['reconsent_outstanding']}"]
    releases_without_consent: Annotated[Answer, f"14. {QUESTIONS['releases_without_consent']}"]
    safety_clocks: Annotated[Answer, f"15. {QUESTIONS['safety_clocks']}"]
    undischarged_conditions: Annotated[Answer, f"16. {QUESTIONS['undischarged_conditions']}"]
    late_and_corrected_entries: Annotated[Answer, f"17. {QUESTIONS['late_and_corrected_entries']}"]
    identifiable_data_reads: Annotated[Answer, f"18. {QUESTIONS['identifiable_data_reads']}"]
    capacity_and_assent: Annotated[Answer, f"19. {QUESTIONS['capacity_and_assent']}"]
    record_integrity: Annotated[Answer, f"20. {QUESTIONS['record_integrity']}"]

    @property
    def answers(self) -> list[AuditAnswer]:
        """The twenty, in their order."""
        return [getattr(self, name) for name in QUESTIONS]


class AttentionKind(StrEnum):
    """What asks for attention."""

    CLOCK_RUNNING = "clock_running"
    CONSENT_EXPIRING = "consent_expiring"
    RECONSENT_OUTSTANDING = "reconsent_outstanding"
    DISPOSITION_OPEN = "disposition_open"
    CONDITION_UNDISCHARGED = "condition_undischarged"
    AUDIT_FINDING_UNANSWERED = "audit_finding_unanswered"


@dataclass(frozen=True)
class Attention:
    """Something that has to be done, or is about to run out."""

    kind: Annotated[AttentionKind, "What it is."]
    subject: Annotated[str, "What it is about, as a tag."]
    due: Annotated[date | None, "The last day (UTC) on which it is in time, if there is one."]
    overdue: Annotated[bool, "Whether that day is over."]
    message: Annotated[str, "What to do, for people; nothing personal is in it."]
    positions: Annotated[list[int], "The events that make it due, in order of the record."]
