"""A participant's consent: what they allow, how it came about, and what is held of them.

To grant and to withdraw are one form each, side by side, pressed once. The person who withdraws
needs name nothing: with nothing ticked, everything is taken back.
"""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from domain.consent import Method
from domain.documents import DocumentKind
from domain.membership import Duty
from domain.readings import Reading
from domain.withdrawal import WithdrawalScope
from projections.approvals import approval_standing
from projections.consent_history import ConsentActKind, consent_history
from projections.following import borrowed
from projections.participation import participant
from projections.withdrawals import dispositions
from service.consent_exports import ConsentFormat, consent_record
from service.consent_records import receipt_in_words
from service.pages.consent_picture import picture
from service.pages.moments import Address, end_of
from service.pages.recording import Filled, filled, recorded
from service.pages.visits import Visit, first, study_form, study_page
from service.pages.withdrawn_page import REACHES, THEIRS, withdrawn
from service.research_record import Recorded
from service.withdrawal_by_code import code_sha256, new_code

MOST = 500  # acts of one participant; nobody has signed so many forms
FORMS = {
    "form_version": (DocumentKind.CONSENT_FORM, "form_sha256"),
    "information_sheet_version": (DocumentKind.INFORMATION_SHEET, "information_sheet_sha256"),
}


@study_page("/p/{participant:str}")
async def participant_page(visit: Visit) -> Response[Any]:
    """The participant's permissions through time, with what each rests on."""
    return await _shown(visit)


@study_form("/p/{participant:str}/grant")
async def grant(visit: Visit) -> Response[Any]:
    """Record that they agreed, on an approved form."""
    form = await filled(visit)
    said: dict[str, Any] = form.said("method", "signed_on", "valid_until", "witness", "note")
    said |= {"participant": _named(visit), "permissions": form.all("permissions")}
    approved = await _approved(visit)
    for field, (kind, sha256) in FORMS.items():
        if version := form.text(field):
            said[field] = version
            fits = [each for each in approved if (each.kind, each.version) == (kind, version)]
            if fits and fits[0].sha256:
                said[sha256] = fits[0].sha256
    return await _recorded(visit, "grantConsent", form, said)


@study_form("/p/{participant:str}/withdraw")
async def withdraw(visit: Visit) -> Response[Any]:
    """Record that they took permissions back, or everything."""
    form = await filled(visit)
    said: dict[str, Any] = form.said("scope", "words") | {"participant": _named(visit)}
    if ticked := form.all("permissions"):
        said["permissions"] = ticked
    if visit.may(Duty.AUDIT):
        return await _recorded(visit, "withdrawConsent", form, said)
    answer = await _put_down(visit, "withdrawConsent", form, said)
    return withdrawn(visit, _named(visit), form, answer)


@study_form("/p/{participant:str}/receipt")
async def receipt(visit: Visit) -> Response[Any]:
    """Make a receipt with a new withdrawal code, which is shown this once and kept nowhere."""
    form, study, named = await filled(visit), visit.study.study, _named(visit)
    visit.asker.allow(study, Duty.TAKE_CONSENT)
    async with borrowed(visit.asker.registers) as db:
        found = await consent_record(db, study, named, ConsentFormat.RECEIPT)
    if found is None:
        raise NotFoundException(f"{named} gave no consent; there is nothing to give a receipt of.")
    visit.asker.has_read(study, Reading.EXPORT, {named})
    code = new_code(study)
    said = {
        "participant": named, "consent": form.text("consent"), "receipt_sha256": found.sha256,
        "withdrawal_code_sha256": code_sha256(code),
    }  # fmt: skip
    issued = await recorded(visit, "issueReceipt", form, said)
    if issued is None:
        return await _shown(visit, "issueReceipt", form)
    kept = base64.b64encode(found.document.encode()).decode()
    return visit.shows(
        "receipt.html", title=f"Receipt for {named}", participant=named, code=code,
        said=receipt_in_words(json.loads(found.document)).strip(), issued=issued,
        document=f"data:application/json;base64,{kept}",
    )  # fmt: skip


def _named(visit: Visit) -> str:
    return str(visit.request.path_params["participant"])


async def _recorded(visit: Visit, verb: str, form: Filled, said: dict[str, Any]) -> Response[Any]:
    answer = await _put_down(visit, verb, form, said)
    if answer is None:
        return await _shown(visit, verb, form)
    back = f"/s/{visit.study.study}/p/{_named(visit)}"
    done = f"?done={answer.position}&did={verb}&at_least={answer.position}"
    return Redirect(back + done, status_code=303)


async def _put_down(visit: Visit, verb: str, form: Filled, said: dict[str, Any]) -> Recorded | None:
    """Record what the form says, when it says; None if not, with the form's faults."""
    if when := form.text("when"):
        try:
            said["occurred_at"] = datetime.fromisoformat(when).replace(tzinfo=UTC)
        except ValueError:
            fault = f"“{when}” is no day and time; give it like 2026-05-09T18:30."
            form.faults["occurredAt"] = [fault]
            return None
    return await recorded(visit, verb, form, said)


async def _approved(visit: Visit) -> list[Any]:
    """The documents that the committee approved, as of now."""
    standing = await visit.ask(approval_standing)
    return standing.documents if standing else []


async def _shown(visit: Visit, verb: str = "", form: Filled | None = None) -> Response[Any]:
    named, address = _named(visit), Address.of(visit)
    person = await visit.ask(participant, participant=named)
    if person is None:
        raise NotFoundException(f"Nobody is enrolled as {named} in this study.")
    at, known = end_of(address.day("at")), end_of(address.day("known"))
    told = await visit.ask(
        consent_history, window=first(MOST), participant=named, as_known_at=known
    )
    drawn = picture(told.rows, at or datetime.now(UTC))
    words = await asyncio.gather(*(visit.personal(each, "words") for each in told.rows))
    acts = [
        (replace(each, words=said), bool(each.words))
        for each, said in zip(told.rows, words, strict=True)
    ]
    approved = await _approved(visit)
    versions = {
        field: [each.version for each in approved if each.kind == kind]
        for field, (kind, _) in FORMS.items()
    }
    held = await visit.ask(dispositions, window=first(200), participant=named)
    given = [each.position for each in told.rows if each.act is ConsentActKind.GIVEN]
    return visit.shows(
        "participant.html", title=named, status=422 if form else 200, person=person,
        name=await visit.personal(person, "name"), picture=drawn, acts=acts[::-1],
        address=address, then=at is not None or known is not None,
        takes=visit.may(Duty.TAKE_CONSENT), withdraws=visit.may(Duty.WITHDRAW),
        disposes=visit.may(Duty.DISPOSE), held=held.rows, versions=versions,
        permissions=THEIRS, scopes=REACHES,
        usual_scope=WithdrawalScope.NO_FURTHER_ACCESS, methods=list(Method),
        today=datetime.now(UTC).date(), last_given=given[-1] if given else None,
        sent=verb, form=form or Filled(), fresh=Filled(),
    )  # fmt: skip
