"""The committee's visits: audits opened, findings raised, and what the study answered."""

import asyncio
from typing import Any

from litestar import Response
from litestar.response import Redirect

from domain.membership import Duty
from domain.oversight import Severity
from projections.audit_answers import QUESTIONS
from projections.oversight_register import VisitFinding, audit_findings, audits
from service.pages.moments import Address
from service.pages.recording import Filled, filled, recorded
from service.pages.visits import Visit, first, study_form, study_page

MOST = 200


@study_page("/findings")
async def audit_findings_page(visit: Visit) -> Response[Any]:
    """Every audit of the study with its findings and their answers."""
    return await _shown(visit)


@study_form("/findings/audit")
async def open_audit(visit: Visit) -> Response[Any]:
    """Begin an audit, on the committee's behalf."""
    form = await filled(visit)
    return await _recorded(visit, "openAudit", form, form.said("audit", "committee", "note"))


@study_form("/findings/raise")
async def raise_finding(visit: Visit) -> Response[Any]:
    """Raise a finding of an audit, with the events that prove it."""
    form = await filled(visit)
    names = ("audit", "audit_finding", "severity", "question", "answer_by", "what")
    said: dict[str, Any] = form.said(*names)
    if positions := form.text("positions").replace("#", " ").replace(",", " ").split():
        said["positions"] = positions
    return await _recorded(visit, "raiseFinding", form, said)


@study_form("/findings/answer")
async def answer_finding(visit: Visit) -> Response[Any]:
    """Answer a finding, for the study."""
    form = await filled(visit)
    said = form.said("audit_finding", "accepted", "answer")
    return await _recorded(visit, "answerFinding", form, said)


async def _recorded(visit: Visit, verb: str, form: Filled, said: dict[str, Any]) -> Response[Any]:
    answer = await recorded(visit, verb, form, said)
    if answer is None:
        return await _shown(visit, verb, form)
    return Redirect(
        f"/s/{visit.study.study}/findings?done={answer.position}&at_least={answer.position}",
        status_code=303,
    )


async def _shown(visit: Visit, verb: str = "", form: Filled | None = None) -> Response[Any]:
    opened = await visit.ask(audits, window=first(MOST))
    raised = await visit.ask(audit_findings, window=first(MOST))
    findings: dict[str, list[tuple[VisitFinding, str | None, str | None]]] = {}
    said = await asyncio.gather(
        *(visit.personal(each, name) for each in raised.rows for name in ("what", "answer"))
    )
    for each, what, answer in zip(raised.rows, said[::2], said[1::2], strict=True):
        findings.setdefault(each.audit, []).append((each, what, answer))
    return visit.shows(
        "findings.html", title="Visits and findings", status=422 if form else 200,
        audits=opened.rows, findings=findings, oversees=visit.may(Duty.OVERSEE),
        answers=visit.may(Duty.ANSWER),
        severities=list(Severity), questions=list(enumerate(QUESTIONS.values(), 1)),
        sent=verb, form=form or Filled(), fresh=Filled(), address=Address.of(visit),
    )  # fmt: skip
