"""The day's digest: what has to be done, by when, and what is new on record; fit for a mail."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
from asyncpg import Connection

from projections.audit_answers import Attention, AttentionKind
from projections.ethics_audit import attention
from service.auditing import caught_up

NEW = """
select type, count(*)::int as count, min(position) as first, max(position) as last
from record.event where study = $1 and recorded_at > $2 group by type order by count(*) desc, type
"""
MOST = 1_000
HEADINGS = {
    AttentionKind.CLOCK_RUNNING: "Clocks",
    AttentionKind.CONSENT_EXPIRING: "Consents running out",
    AttentionKind.RECONSENT_OUTSTANDING: "People to ask again",
    AttentionKind.DISPOSITION_OPEN: "Data of people who withdrew",
    AttentionKind.CONDITION_UNDISCHARGED: "Conditions of the opinion",
    AttentionKind.AUDIT_FINDING_UNANSWERED: "Audit findings to answer",
}


@dataclass(frozen=True)
class NewEvents:
    """Events of one type that were recorded since yesterday."""

    type: str
    count: int
    first: int  # position of the first
    last: int


@dataclass(frozen=True)
class Digest:
    """What a study's team reads in the morning; nothing personal is in it."""

    study: str
    at: datetime
    attention: list[Attention]
    new: list[NewEvents]


async def digest_of(url: str, study: str, at: datetime | None = None) -> Digest:
    """The digest of a study, of the day that ends now. Raises as `caught_up` does."""
    async with caught_up(url, study, "ethics_audit") as db:
        return await _digest(db, study, at or datetime.now(UTC))


async def _digest(db: Connection, study: str, at: datetime) -> Digest:
    asks = await attention(db, study, at=at, first=MOST)
    new = await db.fetch(NEW, study, at - timedelta(days=1))
    return Digest(study, at, asks, [NewEvents(**row) for row in new])


def in_lines(digest: Digest) -> Iterator[str]:
    """The digest as plain text: what is overdue first, then by due date."""
    yield f"{digest.study}: digest of {digest.at:%d %B %Y, %H:%M} UTC"
    yield ""
    overdue = sum(each.overdue for each in digest.attention)
    if digest.attention:
        late = f", {overdue:,} overdue" if overdue else ""
        yield f"To do: {len(digest.attention):,}{late}."
    else:
        yield "Nothing has to be done."
    order = list(AttentionKind)
    for kind, those in groupby(sorted(digest.attention, key=lambda a: order.index(a.kind)), _kind):
        yield ""
        yield HEADINGS[kind]
        for each in sorted(those, key=_by_due):
            due = "" if each.due is None else f"{each.due:%d %b %Y}"
            mark = "!" if each.overdue else " "
            events = ", ".join(map(str, each.positions))
            yield f" {mark} {due:<11}  {each.message} [{events}]"
    yield ""
    total = sum(each.count for each in digest.new)
    yield f"New on record since yesterday: {total:,}."
    for new in digest.new:
        at = f"{new.first}" if new.first == new.last else f"{new.first} to {new.last}"
        yield f"  {new.count:>5,}  {new.type} [{at}]"
    if overdue:
        yield ""
        yield "! is overdue. Numbers in brackets are positions in the study's record."


def as_json(digest: Digest) -> str:
    """The digest as one JSON object."""
    encoded: Any = msgspec.json.encode(digest)
    return bytes(msgspec.json.format(encoded, indent=2)).decode()


def _kind(each: Attention) -> AttentionKind:
    return each.kind


def _by_due(each: Attention) -> tuple[bool, Any, str]:
    return each.due is None, each.due, each.subject
