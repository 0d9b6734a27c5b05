"""An event: what was recorded, when it happened and when that was known, and what it rests on."""

import re
from datetime import timedelta, timezone
from typing import Any

from litestar import Response
from litestar.exceptions import NotFoundException

from domain.readings import Reading
from projections.audit_trail import audit_trail
from projections.paging import Window
from service.graphql_events import event_at
from service.graphql_seal import receipt_of
from service.pages.visits import Visit, study_page
from service.readings import tagged

CODE = re.compile("[a-z]+(_[a-z]+)+")  # of ours, such as focus_group


@study_page("/e/{position:int}")
async def event(visit: Visit) -> Response[Any]:
    """One event with its envelope, its fields, its corrections, and its leaf once it is sealed."""
    position = int(visit.request.path_params["position"])
    study = visit.study.study
    found = await visit.ask(audit_trail, window=Window(first=1, after=position - 1))
    if position < 1 or not found.rows or found.rows[0].position != position:
        raise NotFoundException(f"Event {position} is not on record in this study.")
    entry = found.rows[0]
    recorded = await event_at(visit.asker, study, position)
    if recorded is None:
        raise NotFoundException(f"Event {position} is not on record in this study.")
    visit.asker.has_read(study, Reading.AUDIT, tagged(entry.tags))
    place = timezone(timedelta(minutes=entry.offset_minutes))
    return visit.shows(
        "event.html", title=f"Event {position}", entry=entry,
        happened=entry.occurred_at.astimezone(place), fields=_fields(recorded.payload),
        reason=await visit.personal(entry, "reason"), has_next=found.has_next,
        receipt=await receipt_of(visit.asker, study, position),
    )  # fmt: skip


@study_page("/e/{position:int}/receipt")
async def event_receipt(visit: Visit) -> Response[Any]:
    """The event's proof as a file to be kept: leaf, inclusion proof and checkpoint."""
    position = int(visit.request.path_params["position"])
    await visit.ask(audit_trail, window=Window(first=1, after=position - 1))
    receipt = await receipt_of(visit.asker, visit.study.study, position)
    if receipt is None:
        raise NotFoundException(
            f"Event {position} is not sealed yet, or not on record: ask again in a moment."
        )
    name = f"{visit.study.study}-{position}.tlog-proof"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(receipt.proof, media_type="text/plain", headers=headers)


def _fields(payload: Any) -> list[tuple[str, Any]]:
    """What the event says, field by field: lists and shapes as lines of plain text."""
    given = payload if isinstance(payload, dict) else {}
    return [
        (name.replace("_", " "), _said(value))
        for name, value in given.items()
        if value not in (None, "", [], ())
    ]


def _said(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [line for each in value for line in _said(each)]
    if isinstance(value, dict):
        parts = (f"{n.replace('_', ' ')} {', '.join(_said(v))}" for n, v in value.items())
        return ["; ".join(parts)]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    text = str(value)
    return [text.replace("_", " ") if CODE.fullmatch(text) else text]
