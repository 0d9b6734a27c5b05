"""The audit trail: every event as recorded: who, when, how late, and what corrects it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import singledispatch
from typing import Annotated, Any
from uuid import UUID

from asyncpg import Connection

from domain.corrections import Corrected
from domain.membership import Duty
from domain.readings import Reading
from domain.vocabulary import Channel, Entry, Personal, Phase, ResearchEvent, tag_hash
from projections.entries import ABOUT, in_words
from projections.paging import Page, Window, during, page
from projections.writing import Writes

READ_BY = Duty.AUDIT
READING = Reading.AUDIT
AS_RECORDED = True  # a correction is shown beside what it corrects, not in its place

LATE = timedelta(hours=24)  # what is recorded later than this after it happened is marked late

TABLES = """
create table audit_line (
    study text not null, position bigint not null, type text not null, phase text not null,
    cycle text, actor text not null, role text not null, on_behalf_of text, channel text not null,
    occurred_at timestamptz not null, offset_minutes int not null, recorded_at timestamptz not null,
    lateness bigint not null, late bool not null, caused_by bigint, approval bigint,
    consents bigint[] not null, corrects bigint, reason text, summary text not null,
    event_id uuid not null, command_id uuid,
    primary key (study, position)
);
create index on audit_line (study, type, position);
create index on audit_line (study, cycle, position);
create index on audit_line (study, position) where late;
create table audit_correction (
    study text not null, corrects bigint not null, position bigint not null,
    primary key (study, corrects, position)
);
"""

RECORDED = """
insert into audit_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
    $16, $17, $18, $19, $20, $21, $22)
"""
CORRECTED = "insert into audit_correction values ($1, $2, $3)"

# What is long and only shown comes from the record itself, for the rows of a page alone. Nothing
# may link the voter with the vote of a secret ballot's paper; secret is its default.
SHOWN = """(
select a.*,
    (
        select e.tags from record.event e where e.study = a.study and e.position = a.position
    ) as tags,
    (
        select case
            when a.type = 'BallotCast' and coalesce(
                convert_from(e.payload, 'UTF8')::jsonb ->> 'secrecy', 'secret'
            ) = 'secret' then (convert_from(e.payload, 'UTF8')::jsonb - 'choices')::text
            else convert_from(e.payload, 'UTF8')
        end
        from record.event e where e.study = a.study and e.position = a.position
    ) as payload,
    array(
        select c.position from audit_correction c
        where c.study = a.study and c.corrects = a.position order by c.position
    ) as corrected_by
from audit_line a
) audit_shown"""


@dataclass(frozen=True)
class AuditEntry:
    """An event as it was recorded, readable, with what was corrected since."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    event_id: Annotated[UUID, "The event's own identifier (UUIDv7)."]
    type: Annotated[str, "What kind of event it is, such as WorkshopHeld."]
    summary: Annotated[str, "What happened, in one sentence."]
    phase: Annotated[Phase, "The phase it is filed under."]
    cycle: Annotated[str | None, "The cycle it belongs to."]
    actor: Annotated[str, "The member who recorded it."]
    role: Annotated[str, "Their role in the study at that time."]
    on_behalf_of: Annotated[str | None, "The member on whose behalf it was recorded."]
    channel: Annotated[Channel, "How it reached the record."]
    occurred_at: Annotated[datetime, "When it happened in the field."]
    offset_minutes: Annotated[int, "Minutes east of UTC at the place where it happened."]
    recorded_at: Annotated[datetime, "When it was recorded."]
    lateness: Annotated[int, "Seconds from when it happened to when it was recorded."]
    late: Annotated[bool, "Recorded more than 24 hours after it happened."]
    command_id: Annotated[UUID | None, "The command that brought it."]
    caused_by: Annotated[int | None, "The event that led to it, by its position."]
    approval: Annotated[int | None, "The ethics opinion relied on, by its position."]
    consents: Annotated[list[int], "The consents relied on, by their positions."]
    corrects: Annotated[int | None, "The event that it corrects, by its position."]
    corrected_by: Annotated[list[int], "The events that correct it, by their positions."]
    tags: Annotated[list[str], "Everything it mentions, such as participant:P-07."]
    payload: Annotated[
        str, "Its public part as recorded, as JSON; a secret ballot's paper without the choices."
    ]
    reason: Annotated[str | None, Personal("actor"), "Why it was recorded, in the actor's words."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Every event has its line."""


@project.register
def recorded(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    line(event, entry, write, None)


@project.register
def corrected(event: Corrected, entry: Entry, write: Writes) -> None:
    line(event, entry, write, event.corrects)
    write(CORRECTED, entry.study, event.corrects, entry.position)


def line(event: ResearchEvent, entry: Entry, write: Writes, corrects: int | None) -> None:
    envelope = entry.envelope
    lateness = entry.recorded_at - entry.occurred_at
    write(
        RECORDED, entry.study, entry.position, entry.type, envelope.phase, entry.cycle,
        entry.actor, envelope.role, envelope.on_behalf_of, envelope.channel, entry.occurred_at,
        envelope.offset, entry.recorded_at, int(lateness.total_seconds()), lateness > LATE,
        envelope.caused_by, envelope.approval, envelope.consents, corrects, entry.reason,
        in_words(event), entry.event_id, entry.command_id,
    )  # fmt: skip


async def audit_trail(
    db: Connection,
    study: str,
    window: Window,
    *,
    type: Annotated[str | None, "Of this kind, such as WorkshopHeld."] = None,
    phase: Annotated[Phase | None, "Filed under this phase."] = None,
    cycle: Annotated[str | None, "Belonging to this cycle."] = None,
    actor: Annotated[str | None, "Recorded by this member."] = None,
    participant: Annotated[str | None, "Mentioning this participant."] = None,
    group: Annotated[str | None, "Mentioning this group."] = None,
    tag: Annotated[str | None, "Mentioning this, such as workshop:w-1."] = None,
    since: Annotated[date | None, "Happened on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Happened on this day (UTC) or earlier."] = None,
    recorded_since: Annotated[date | None, "Recorded on this day (UTC) or later."] = None,
    recorded_until: Annotated[date | None, "Recorded on this day (UTC) or earlier."] = None,
    late: Annotated[bool | None, "Recorded more than 24 hours after it happened, or not."] = None,
    corrected: Annotated[bool | None, "Corrected since, or not."] = None,
) -> Page[AuditEntry]:
    """Every event of the study as it was recorded, in the order of the record."""
    filters: dict[str, Any] = {
        "study =": study, "type =": type, "phase =": phase, "cycle =": cycle, "actor =": actor,
        **during(since, until), **during(recorded_since, recorded_until, "recorded_at"),
        "late =": late, "(cardinality(corrected_by) > 0) =": corrected,
    }  # fmt: skip
    about = [participant and f"participant:{participant}", group and f"group:{group}", tag]
    if wanted := [each for each in about if each]:  # tags may share a key, so they are compared too
        filters |= {ABOUT: tag_hash(wanted[0]), "tags @>": wanted}
    return await page(db, AuditEntry, SHOWN, filters, window)
