"""The audit trail: every event as it was recorded, found by filters that stay in the address."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from litestar import Response
from litestar.response import Stream

from domain.vocabulary import Phase, event_types
from projections.audit_trail import READ_BY, READING, AuditEntry, audit_trail
from projections.cycle_progress import cycles
from projections.following import borrowed
from projections.paging import Page, Window
from projections.study_register import members
from service.graphql_queries import note_reading
from service.pages.moments import Address
from service.pages.visits import Visit, first, study_page
from service.pages.words import plain, spaced

PAGE = 50
CSV_PIECE = 1_000  # lines asked for in one go
COLUMNS = (
    "position", "event_id", "type", "phase", "cycle", "actor", "role", "on_behalf_of", "channel",
    "occurred_at", "recorded_at", "lateness_seconds", "late", "corrects", "corrected_by",
    "approval", "consents", "summary", "tags",
)  # fmt: skip
TYPES = sorted(each.TOPIC for each in event_types())


def _filters(address: Address) -> dict[str, Any]:
    """What the address narrows the trail to, as the register takes it."""
    phase = address.one_of("phase", {each.value for each in Phase})
    return {
        "type": address.text("type"),
        "phase": Phase(phase) if phase else None,
        "cycle": address.text("cycle"),
        "actor": address.text("actor"),
        "participant": address.text("participant"),
        "tag": address.text("tag"),
        "since": address.day("since"),
        "until": address.day("until"),
        "recorded_since": address.day("recorded_since"),
        "recorded_until": address.day("recorded_until"),
        "late": address.yes("late"),
        "corrected": address.yes("corrected"),
    }


@study_page("/trail")
async def trail(visit: Visit) -> Response[Any]:
    """The audit trail, the newest first, a page at a time."""
    address = Address.of(visit)
    newer, older = address.number("after"), address.number("before")
    window = Window(last=PAGE, before=older) if newer is None else Window(first=PAGE, after=newer)
    filters = _filters(address)
    found: Page[AuditEntry] = await visit.ask(audit_trail, window=window, **filters)
    query, given = found.count
    known = await visit.ask(members, window=first(200))
    turns = await visit.ask(cycles, window=first(200))
    return visit.shows(
        "trail.html", title="Audit trail", rows=found.rows[::-1], address=address,
        type_choices=[(each, spaced(each)) for each in TYPES],
        phase_choices=[(each.value, plain(each)) for each in Phase],
        member_choices=[(each.member, each.member) for each in known.rows],
        cycle_choices=[(each.cycle, each.title) for each in turns.rows],
        total=await visit.asker.registers.fetchval(query, *given),
        older=found.rows[0].position if found.rows and found.has_previous else None,
        newer=found.rows[-1].position if found.rows and found.has_next else None,
        narrowed=any(value is not None for value in filters.values()),
    )  # fmt: skip


@study_page("/trail.csv")
async def trail_csv(visit: Visit) -> Response[Any]:
    """The same events as a table for spreadsheets, in the order of the record."""
    filters = _filters(Address.of(visit))
    visit.asker.allow(visit.study.study, READ_BY)
    headers = {
        "content-disposition": f'attachment; filename="{visit.study.study}-trail.csv"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Stream(_lines(visit, filters), status_code=200, media_type="text/csv", headers=headers)


async def _lines(visit: Visit, filters: dict[str, Any]) -> AsyncIterator[str]:
    """The table, a piece at a time; no connection is held while somebody slow receives one.

    It is asked for here, as no visits share so much.
    """
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(COLUMNS)
    window: Window | None = Window(first=CSV_PIECE)
    while window is not None:
        async with borrowed(visit.asker.registers) as db:
            found: Page[AuditEntry] = await audit_trail(db, visit.study.study, window, **filters)
        note_reading(visit.asker, visit.study.study, READING, found)
        table.writerows(_line(each) for each in found.rows)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
        last = found.rows[-1].position if found.has_next else None
        window = None if last is None else Window(first=CSV_PIECE, after=last)


def _line(each: AuditEntry) -> list[object]:
    return [
        each.position, each.event_id, each.type, each.phase.value, each.cycle or "", each.actor,
        each.role, each.on_behalf_of or "", each.channel.value, _moment(each.occurred_at),
        _moment(each.recorded_at), each.lateness, "yes" if each.late else "no",
        each.corrects or "", " ".join(map(str, each.corrected_by)), each.approval or "",
        " ".join(map(str, each.consents)), each.summary, " ".join(each.tags),
    ]  # fmt: skip


def _moment(at: datetime) -> str:
    return at.isoformat()
