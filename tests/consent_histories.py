"""Histories of a participant's consent, for the tests of its exports: one for each state, and any.

The examples that the exports are held to are in tests/consent_exports; after a change that is
meant, write them anew with `python -m tests.consent_histories` and read what became different.
"""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from hypothesis import strategies as st

from domain.consent import (
    Capacity,
    ConsentDeclined,
    ConsentGiven,
    ConsentRequested,
    ConsultedAs,
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
from domain.consent_states import ConsentState
from domain.documents import DocumentFormat
from domain.ethics import Outcome
from domain.modifications import ModificationDecided, ModificationKind
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import Channel, Entry, Envelope, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from service.consent_on_record import ConsentOnRecord, consent_on_record
from service.consent_records import Controller, consent_receipt, consent_record, receipt_in_words
from service.fhir_consents import fhir_consents

EXAMPLES = Path(__file__).parent / "consent_exports"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
YEAR_END = datetime(2026, 12, 31, 12, tzinfo=UTC)
A_NAME = "Wilhelmina Ashworth-Quayle"  # stands in every personal field: it must never come out
INTERVIEW, AUDIO, QUOTE = Permission.INTERVIEW, Permission.AUDIO, Permission.QUOTE_NAMED
CONTROLLER = Controller(
    name="University of Merseyside",
    address="1 Quay Street, Liverpool",
    contact="research-office@example.org",
    jurisdiction="GB",
    storage_location="GB",
    retention="P10Y",
)

enrolled = ParticipantEnrolled(participant="P-07", name=A_NAME, contact=A_NAME)
requested = ConsentRequested(
    participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE), form_version="1.2",
    form_sha256="5e" * 32, information_sheet_version="3", information_sheet_sha256="a7" * 32,
    language="cy", document_format=DocumentFormat.LARGE_PRINT, note=A_NAME,
)  # fmt: skip
given = ConsentGiven(
    participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE), form_version="1.2",
    form_sha256="5e" * 32, information_sheet_version="3", information_sheet_sha256="a7" * 32,
    language="cy", document_format=DocumentFormat.LARGE_PRINT, method=Method.VERBAL_WITNESSED,
    signed_on=date(2026, 3, 3), taken_by="ben", minutes_to_read=2880, withdraw_by=date(2026, 9, 1),
    valid_until=date(2027, 3, 1), interpreted=True, lawful_basis=LawfulBasis.PUBLIC_TASK,
    special_category_basis=SpecialCategoryBasis.EXPLICIT_CONSENT,
    witness=A_NAME, interpreter=A_NAME, consultee=A_NAME, capacity_note=A_NAME, note=A_NAME,
)  # fmt: skip
declined = ConsentDeclined(
    participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE), form_version="1.2", note=A_NAME
)
withdrawn = ConsentWithdrawn(
    participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE), code_sha256="c0" * 32, words=A_NAME
)
suspended = ConsentSuspended(participant="P-07", why=A_NAME)
resumed = ConsentResumed(
    participant="P-07", affirmed_by=ConsultedAs.PERSONAL_CONSULTEE, consultee=A_NAME, why=A_NAME
)
invalidated = ConsentInvalidated(
    participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE), because=InvalidBecause.FORM_LOST,
    why=A_NAME,
)  # fmt: skip
reconsent = ReconsentRequired(
    participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE),
    because=ReconsentBecause.NEW_INFORMATION, why=A_NAME,
)  # fmt: skip
expired = ConsentExpired(participant="P-07", permissions=(INTERVIEW, AUDIO, QUOTE))
modified = ModificationDecided(
    modification="m-1", opinion="rec-1", kind=ModificationKind.SUBSTANTIAL,
    outcome=Outcome.FAVOURABLE, reconsent=(AUDIO,),
)  # fmt: skip

HISTORIES: dict[ConsentState, list[ResearchEvent]] = {  # all three permissions end in that state
    ConsentState.NOT_ASKED: [],
    ConsentState.REQUESTED: [requested],
    ConsentState.GIVEN: [requested, given],
    ConsentState.DECLINED: [requested, declined],
    ConsentState.WITHDRAWN: [requested, given, withdrawn],
    ConsentState.EXPIRED: [requested, given, expired],
    ConsentState.INVALIDATED: [requested, given, invalidated],
    ConsentState.RECONSENT_REQUIRED: [requested, given, reconsent],
    ConsentState.SUSPENDED: [requested, given, suspended],
}


def told(*events: ResearchEvent | tuple[int, ResearchEvent]) -> list[Entry]:
    """The enrolment and then these, a day apart, or so many days after the start."""
    found = []
    for n, each in enumerate([enrolled, *events]):
        days, event = each if isinstance(each, tuple) else (n, each)
        at = START + timedelta(days=days)
        found.append(
            Entry(
                position=n + 2,
                occurred_at=at,
                actor="ana",
                event=event,
                study="maize",
                event_id=uuid5(NAMESPACE_OID, str(n)),
                recorded_at=START + timedelta(days=400, minutes=n),
                envelope=Envelope(role="researcher", phase=event.PHASE, channel=Channel.API),
                reason=A_NAME,
            )
        )
    return found


def consent_of(
    *events: ResearchEvent | tuple[int, ResearchEvent], at: datetime = YEAR_END
) -> ConsentOnRecord:
    """P-07's consent at the end of the year, as it was known long afterwards."""
    known = START + timedelta(days=1000)
    return consent_on_record("maize", "P-07", told(*events), at, known)


_permissions = st.lists(st.sampled_from(Permission), min_size=1, max_size=6, unique=True).map(tuple)
_version = st.sampled_from(["1", "1.2", "2024-05 <final> & é"])
_sha256 = st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex)
_language = st.none() | st.sampled_from(["en", "cy", "zh-Hant"])
_day = st.none() | st.dates(date(2026, 1, 1), date(2027, 6, 1))
_documents = {
    "participant": st.just("P-07"),
    "permissions": _permissions,
    "form_version": _version,
    "form_sha256": _sha256,
    "information_sheet_version": st.none() | _version,
    "information_sheet_sha256": _sha256,
    "language": _language,
    "document_format": st.none() | st.sampled_from(DocumentFormat),
}
_lapse = {"participant": st.just("P-07"), "permissions": _permissions}
_events: st.SearchStrategy[ResearchEvent] = st.one_of(
    st.builds(ConsentRequested, **_documents),
    st.builds(
        ConsentGiven,
        **_documents,
        method=st.sampled_from(Method),
        signed_on=_day,
        taken_by=st.none() | st.just("ben"),
        withdraw_by=_day,
        valid_until=_day,
        capacity=st.sampled_from(Capacity),
        consulted_as=st.none() | st.sampled_from(ConsultedAs),
        assent=st.none() | st.booleans(),
        interpreted=st.booleans(),
        lawful_basis=st.none() | st.sampled_from(LawfulBasis),
        special_category_basis=st.none() | st.sampled_from(SpecialCategoryBasis),
        witness=st.just(A_NAME),
    ),
    st.builds(ConsentDeclined, **_lapse, form_version=_version),
    st.builds(ConsentWithdrawn, **_lapse | {"permissions": _permissions | st.just(())}),
    st.builds(ConsentExpired, **_lapse),
    st.builds(ConsentInvalidated, **_lapse, because=st.sampled_from(InvalidBecause)),
    st.builds(ReconsentRequired, **_lapse, because=st.sampled_from(ReconsentBecause)),
    st.just(suspended),
    st.builds(
        ConsentResumed,
        participant=st.just("P-07"),
        affirmed_by=st.none() | st.sampled_from(ConsultedAs),
    ),
    st.builds(
        ModificationDecided,
        modification=st.just("m-1"),
        opinion=st.just("rec-1"),
        kind=st.sampled_from(ModificationKind),
        outcome=st.sampled_from(Outcome),
        reconsent=_permissions,
    ),
)
histories = st.lists(st.tuples(st.integers(0, 300), _events), max_size=12)


def examples(state: ConsentState) -> Iterable[tuple[Path, str]]:
    """What the exports make of the history of a state, and where it is kept."""
    consent = consent_of(*HISTORIES[state])
    yield EXAMPLES / f"{state}.fhir.json", in_a_file(fhir_consents(consent))
    if consent.acts:
        record = consent_record(consent, CONTROLLER)
        receipt = consent_receipt(consent, CONTROLLER, YEAR_END)
        yield EXAMPLES / f"{state}.ts27560.json", in_a_file(record)
        yield EXAMPLES / f"{state}.receipt.txt", receipt_in_words(receipt)


def in_a_file(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    EXAMPLES.mkdir(exist_ok=True)
    for each in ConsentState:
        for path, text in examples(each):
            path.write_text(text, encoding="utf-8")
