"""Receipts: of a consent that is on record, with the digest of a code that withdraws it."""

from domain.consent import ConsentGiven
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.receipts import IssueReceipt, ReceiptIssued
from tests.story import given
from tests.study_in_the_field import opinion, vic

ready = [
    opinion,
    vic,
    ParticipantEnrolled(participant="p-1"),
    ParticipantEnrolled(participant="p-2"),
    ConsentGiven(participant="p-1", permissions=(Permission.AUDIO,), form_version="1"),  # 6
    ConsentGiven(participant="p-2", permissions=(Permission.AUDIO,), form_version="1"),  # 7
]


def receipt(consent: int, participant: str = "p-1") -> ReceiptIssued:
    return ReceiptIssued(
        participant=participant, consent=consent, withdrawal_code_sha256="c" * 64
    )  # fmt: skip


def test_a_receipt_is_of_a_consent_of_that_participant() -> None:
    given(*ready).when(IssueReceipt, receipt(6)).then(receipt(6))
    for elsewhere in (4, 7, 99):  # their enrolment, somebody else's consent, nothing
        given(*ready).when(IssueReceipt, receipt(elsewhere)).then_refused("consent_unknown")


def test_a_receipt_may_be_issued_again() -> None:
    given(*ready, receipt(6)).when(IssueReceipt, receipt(6)).then(receipt(6))


def test_receipts_are_issued_to_who_takes_part_by_who_takes_consent() -> None:
    given(*ready).when(IssueReceipt, receipt(6), by="vic").then_refused("role_insufficient")
    unknown = receipt(6, "p-3")
    given(*ready).when(IssueReceipt, unknown).then_refused("participant_unknown", "consent_unknown")
