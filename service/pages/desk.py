"""The committee's desk: its pages, all of them."""

from service.pages.audit_page import audit, audit_csv, audit_question
from service.pages.consent_page import consent
from service.pages.event_page import event, event_receipt
from service.pages.findings_page import (
    answer_finding,
    audit_findings_page,
    open_audit,
    raise_finding,
)
from service.pages.participant_page import grant, participant_page, receipt, withdraw
from service.pages.trail_page import trail, trail_csv
from service.pages.verify_page import verify_page, verify_py, verify_sent

DESK = (
    audit, audit_csv, audit_question, trail, trail_csv, event, event_receipt, audit_findings_page,
    open_audit, raise_finding, answer_finding, consent, participant_page, grant, withdraw, receipt,
    verify_page, verify_py, verify_sent,
)  # fmt: skip
