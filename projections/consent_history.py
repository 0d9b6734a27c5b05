"""Consent history: everything about consent as it was recorded, act by act, with every detail.

`occurred_at` is when it happened, `recorded_at` when the record learned it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from typing import Annotated

from asyncpg import Connection

from domain.consent import (
    Capacity,
    ConsentDeclined,
    ConsentGiven,
    ConsentRequested,
    ConsultedAs,
    DatedBy,
    LawfulBasis,
    Method,
    SpecialCategoryBasis,
)
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.consent_states import touches
from domain.documents import DocumentFormat
from domain.membership import Duty
from domain.modifications import ModificationDecided
from domain.permissions import Permission
from domain.readings import Reading
from domain.vocabulary import Entry, Personal, ResearchEvent
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from projections.paging import Page, Window, during, page
from projections.writing import Writes

READ_BY = Duty.AUDIT
READING = Reading.CONSENT_DETAILS

# No participant: it concerns everybody. The details are null where an act has none of the kind.
TABLES = """
create table consent_act (
    study text not null, position bigint not null, participant text, permissions text[] not null,
    act text not null, occurred_at timestamptz not null, recorded_at timestamptz not null,
    recorded_by text not null, words text,
    form_version text, form_sha256 text, information_sheet_version text,
    information_sheet_sha256 text, language text, document_format text, method text,
    signed_on date, dated_by text, taken_by text, minutes_to_read int, withdraw_by date,
    valid_until date, capacity text, consulted_as text, assent bool, interpreted bool,
    lawful_basis text, special_category_basis text, witness text, interpreter text,
    consultee text, capacity_note text, affirmed_by text, modification text,
    scope text, by_code bool, invalid_because text, reconsent_because text,
    primary key (study, position)
);
create index on consent_act (study, participant, position);
create index on consent_act (study, form_version, position);
"""

# Details that have the same name in every event that has them, in the order of the columns.
DETAILS = (
    "form_version", "form_sha256", "information_sheet_version", "information_sheet_sha256",
    "language", "document_format", "method", "signed_on", "dated_by", "taken_by",
    "minutes_to_read", "withdraw_by", "valid_until", "capacity", "consulted_as", "assent",
    "interpreted", "lawful_basis", "special_category_basis", "witness", "interpreter", "consultee",
    "capacity_note", "affirmed_by", "modification",
)  # fmt: skip
ACTED = f"""
insert into consent_act values ({", ".join(f"${n}" for n in range(1, 14 + len(DETAILS)))})
"""


class ConsentActKind(StrEnum):
    """What was done about a permission."""

    REQUESTED = "requested"
    GIVEN = "given"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    RECONSENT_REQUIRED = "reconsent_required"
    SUSPENDED = "suspended"
    RESUMED = "resumed"


@dataclass(frozen=True)
class ConsentAct:
    """Something that was said or decided about a participant's permissions."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    participant: Annotated[
        str | None, "Whose permissions, by pseudonym; null: of everybody who had given them."
    ]
    permissions: Annotated[list[Permission], "The permissions it is about."]
    act: Annotated[ConsentActKind, "What was said or decided."]
    occurred_at: Annotated[datetime, "When that was."]
    recorded_at: Annotated[datetime, "When it was recorded."]
    recorded_by: Annotated[str, "The member who recorded it."]
    words: Annotated[str | None, Personal("participant"), "A note, or the participant's words."]
    form_version: Annotated[str | None, "The version of the consent form."]
    form_sha256: Annotated[str | None, "That form's SHA-256."]
    information_sheet_version: Annotated[str | None, "The version of the information sheet."]
    information_sheet_sha256: Annotated[str | None, "That sheet's SHA-256."]
    language: Annotated[str | None, "The language of form and sheet (BCP 47)."]
    document_format: Annotated[DocumentFormat | None, "The form in which they were given."]
    method: Annotated[Method | None, "How consent was expressed."]
    signed_on: Annotated[date | None, "The date on the form; null: it is not dated."]
    dated_by: Annotated[DatedBy | None, "Who wrote that date."]
    taken_by: Annotated[str | None, "The member who took consent; null: whoever recorded it."]
    minutes_to_read: Annotated[int | None, "Minutes between information and signature."]
    withdraw_by: Annotated[date | None, "Until when what was given can still be taken out."]
    valid_until: Annotated[date | None, "The last day on which it stands."]
    capacity: Annotated[Capacity | None, "Whether the participant could decide alone."]
    consulted_as: Annotated[ConsultedAs | None, "In which role somebody else was asked."]
    assent: Annotated[bool | None, "Whether somebody who cannot consent alone agreed."]
    interpreted: Annotated[bool | None, "Whether an interpreter took part."]
    lawful_basis: Annotated[
        LawfulBasis | None,
        "The basis of processing (GDPR art. 6(1)), apart from the consent to take part.",
    ]
    special_category_basis: Annotated[
        SpecialCategoryBasis | None,
        "What allows processing special categories of data (GDPR art. 9(2)).",
    ]
    witness: Annotated[str | None, Personal("participant"), "Who witnessed it."]
    interpreter: Annotated[str | None, Personal("participant"), "Who interpreted."]
    consultee: Annotated[str | None, Personal("participant"), "Who was consulted."]
    capacity_note: Annotated[
        str | None, Personal("participant"), "What was noted of the capacity to decide."
    ]
    affirmed_by: Annotated[
        ConsultedAs | None, "Who affirmed what had been suspended; null: the participant."
    ]
    modification: Annotated[str | None, "The modification that calls for consent anew."]
    scope: Annotated[WithdrawalScope | None, "How far a withdrawal reaches."]
    by_code: Annotated[
        bool | None, "Whether the participant withdrew with their own withdrawal code."
    ]
    invalid_because: Annotated[InvalidBecause | None, "Why it turned out not to be consent."]
    reconsent_because: Annotated[ReconsentBecause | None, "Why they have to be asked again."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def consent_requested(event: ConsentRequested, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.REQUESTED, event.note)


@project.register
def consent_given(event: ConsentGiven, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.GIVEN, event.note)


@project.register
def consent_declined(event: ConsentDeclined, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.DECLINED, event.note)


@project.register
def consent_withdrawn(event: ConsentWithdrawn, entry: Entry, write: Writes) -> None:
    by_code = event.code_sha256 is not None
    kind = ConsentActKind.WITHDRAWN
    acted(event, entry, write, kind, event.words, scope=event.scope, by_code=by_code)


@project.register
def consent_expired(event: ConsentExpired, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.EXPIRED)


@project.register
def consent_invalidated(event: ConsentInvalidated, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.INVALIDATED, event.why, invalid=event.because)


@project.register
def reconsent_required(event: ReconsentRequired, entry: Entry, write: Writes) -> None:
    kind = ConsentActKind.RECONSENT_REQUIRED
    acted(event, entry, write, kind, event.why, reconsent=event.because)


@project.register
def consent_suspended(event: ConsentSuspended, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.SUSPENDED, event.why)


@project.register
def consent_resumed(event: ConsentResumed, entry: Entry, write: Writes) -> None:
    acted(event, entry, write, ConsentActKind.RESUMED, event.why)


@project.register
def modification_decided(event: ModificationDecided, entry: Entry, write: Writes) -> None:
    """A favourable one calls for consent anew; its note is about the modification, not people."""
    if touches(event):
        kind = ConsentActKind.RECONSENT_REQUIRED
        acted(event, entry, write, kind, reconsent=ReconsentBecause.MODIFICATION)


def acted(
    event: ResearchEvent,
    entry: Entry,
    write: Writes,
    act: ConsentActKind,
    words: str | None = None,
    *,
    scope: WithdrawalScope | None = None,
    by_code: bool | None = None,
    invalid: InvalidBecause | None = None,
    reconsent: ReconsentBecause | None = None,
) -> None:
    permissions = list(dict.fromkeys(touches(event)))
    write(
        ACTED, entry.study, entry.position, getattr(event, "participant", None), permissions, act,
        entry.occurred_at, entry.recorded_at, entry.actor, words,
        *(getattr(event, name, None) for name in DETAILS), scope, by_code, invalid, reconsent,
    )  # fmt: skip


async def consent_history(
    db: Connection,
    study: str,
    window: Window,
    *,
    participant: Annotated[
        str | None, "About this participant's permissions; what concerns everybody included."
    ] = None,
    permission: Annotated[Permission | None, "About this permission."] = None,
    form_version: Annotated[str | None, "On this version of the consent form."] = None,
    act: Annotated[ConsentActKind | None, "Of this kind."] = None,
    since: Annotated[date | None, "Said on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Said on this day (UTC) or earlier."] = None,
    as_known_at: Annotated[datetime | None, "Recorded by this moment."] = None,
) -> Page[ConsentAct]:
    """Everything said and decided about permissions, in the order it was recorded."""
    filters = {
        "study =": study, "(participant = {} or participant is null)": participant,
        "permissions @>": permission and [permission], "form_version =": form_version,
        "act =": act, **during(since, until), "recorded_at <=": as_known_at,
    }  # fmt: skip
    return await page(db, ConsentAct, "consent_act", filters, window)
