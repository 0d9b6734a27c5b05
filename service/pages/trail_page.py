"""The audit trail: every event as it was recorded, found by filters that stay in the address."""

import csv
import io
from datetime import datetime
from typing import Any

from litestar import Response

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
CSV_PIECE, CSV_LINES = 1_000, 100_000  # asked for in one go; written at most
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
    study, filters = visit.study.study, _filters(Address.of(visit))
    visit.asker.allow(study, READ_BY)
    out = io.StringIO(newline="")
    lines = csv.writer(out)
    lines.writerow(COLUMNS)
    after, written, more = None, 0, True
    async with borrowed(visit.asker.registers) as db:  # asked here, as no visits share so much
        while more and written < CSV_LINES:
            window = Window(first=CSV_PIECE, after=after)
            found: Page[AuditEntry] = await audit_trail(db, study, window, **filters)
            note_reading(visit.asker, study, READING, found)
            lines.writerows(_line(each) for each in found.rows)
            written, more = written + len(found.rows), found.has_next
            after = found.rows[-1].position if found.rows else None
    name = f"{visit.study.study}-trail.csv"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(out.getvalue().encode(), media_type="text/csv", headers=headers)


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
