"""Audit: the committee's twenty questions, with what proves each answer one click away.

The address says as of which day and as known on which day: a link shows the same to everybody.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Response
from litestar.exceptions import NotFoundException

from projections.audit_answers import AuditVerdict, EthicsAudit
from projections.ethics_audit import attention, ethics_audit
from projections.oversight_register import audit_findings, audits
from service.auditing import ALL_FINDINGS, write_audit_csv
from service.pages.moments import Address, end_of
from service.pages.seal_shown import seal_shown
from service.pages.visits import Visit, first, study_page

SHOWN = 8  # findings of a question on the page of all twenty
CLOCKS = 12
VERDICTS = {
    AuditVerdict.BREACH: ("breach", "breaches"),
    AuditVerdict.ATTENTION: ("needs attention", "need attention"),
    AuditVerdict.CLEAR: ("clear", "clear"),
    AuditVerdict.NOT_APPLICABLE: ("nothing to examine", "nothing to examine"),
}

# Where more is told than an answer says: below /s/STUDY, instead of the names of queries.
MORE = {
    8: ("consent", "Every withdrawal, with its scope and its report"),
    10: ("consent", "Everything held of who withdrew, with what was decided"),
    12: ("consent", "Any permission at any moment, as known at another: choose a participant"),
    18: ("trail?type=IdentifiableDataRead", "Every reading, by whom and of whom"),
}


@dataclass(frozen=True)
class Asked:
    """The two moments that an audit is asked about, as the address gives them."""

    address: Address
    at: datetime | None
    known: datetime | None

    @classmethod
    def of(cls, visit: Visit) -> "Asked":
        address = Address.of(visit)
        return cls(address, end_of(address.day("at")), end_of(address.day("known")))


@study_page("/audit")
async def audit(visit: Visit) -> Response[Any]:
    """The twenty questions with their verdicts, the clocks that run, and the seal."""
    asked = Asked.of(visit)
    found: EthicsAudit = await visit.ask(
        ethics_audit, at=asked.at, as_known_at=asked.known, first=SHOWN
    )
    clocks = await visit.ask(attention, at=asked.at, first=CLOCKS + 1)
    visits = await visit.ask(audits, window=first(50))
    unanswered = await visit.ask(audit_findings, window=first(50), answered=False)
    return visit.shows(
        "audit.html", title="Audit", audit=found, address=asked.address,
        verdicts=VERDICTS, more=MORE,
        counts={verdict: sum(each.verdict is verdict for each in found.answers)
                for verdict in VERDICTS},
        clocks=clocks[:CLOCKS], more_clocks=len(clocks) > CLOCKS, then=asked.at is not None,
        visits=visits.rows, unanswered=len(unanswered.rows), desk_seal=await seal_shown(visit),
    )  # fmt: skip


@study_page("/audit/{question:int}")
async def audit_question(visit: Visit) -> Response[Any]:
    """One of the twenty questions with everything it found."""
    number = int(visit.request.path_params["question"])
    if not 1 <= number <= 20:
        raise NotFoundException("There are twenty questions, 1 to 20.")
    asked = Asked.of(visit)
    found: EthicsAudit = await visit.ask(
        ethics_audit, at=asked.at, as_known_at=asked.known, first=ALL_FINDINGS
    )
    return visit.shows(
        "audit_question.html", title=f"Question {number}", audit=found, address=asked.address,
        answer=found.answers[number - 1], verdicts=VERDICTS, more=MORE,
    )  # fmt: skip


@study_page("/audit.csv")
async def audit_csv(visit: Visit) -> Response[Any]:
    """The twenty answers as a table for spreadsheets: what `parcycle audit --csv` writes."""
    asked = Asked.of(visit)
    found: EthicsAudit = await visit.ask(
        ethics_audit, at=asked.at, as_known_at=asked.known, first=ALL_FINDINGS
    )
    table = io.StringIO(newline="")
    write_audit_csv(found, table)
    name = f"{visit.study.study}-audit-{found.at:%Y-%m-%d}.csv"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(table.getvalue().encode(), media_type="text/csv", headers=headers)
