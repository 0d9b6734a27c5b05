"""A participant's consent in the formats of others, out of the record."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from asyncpg import Connection

from service.consent_on_record import read_consent
from service.consent_records import consent_receipt, written
from service.consent_records import consent_record as dpv_record
from service.fhir_consents import Json, fhir_consents
from service.settings import Settings


class ConsentFormat(StrEnum):
    """In which form a consent leaves: FHIR R5, or ISO/IEC TS 27560:2023 as DPV JSON-LD.

    `fhir`: a Bundle of HL7 FHIR R5 Consent resources, one for each form. `ts27560`: the consent
    record. `receipt`: the consent receipt, which names nobody of the team.
    """

    FHIR = "fhir"
    TS27560 = "ts27560"
    RECEIPT = "receipt"


@dataclass(frozen=True)
class ConsentExport:
    """A participant's consent as a document in somebody else's terms, by pseudonyms alone."""

    study: str
    participant: Annotated[str, "Whose, by pseudonym."]
    format: Annotated[ConsentFormat, "In which form."]
    document: Annotated[str, "The document: JSON."]
    sha256: Annotated[str, "SHA-256 of the document's bytes in UTF-8."]


async def consent_record(
    db: Connection,
    study: str,
    participant: Annotated[str, "Whose, by pseudonym."],
    format: Annotated[ConsentFormat, "In which form."],
    *,
    at: Annotated[datetime | None, "As it stood at this moment; now if left out."] = None,
    as_known_at: Annotated[datetime | None, "As the record knew it at this moment; now."] = None,
) -> ConsentExport | None:
    """A participant's consent as FHIR R5 or by ISO/IEC TS 27560; null if they were never asked."""
    now = datetime.now(UTC)
    at = at or now
    consent = await read_consent(db, study, participant, at, as_known_at or now)
    if not consent.acts:
        return None
    controller = Settings().controller
    found: Json
    match format:
        case ConsentFormat.FHIR:
            found = fhir_consents(consent)
        case ConsentFormat.TS27560:
            found = dpv_record(consent, controller)
        case ConsentFormat.RECEIPT:
            found = consent_receipt(consent, controller, at)
    document = written(found)
    sha256 = hashlib.sha256(document).hexdigest()
    return ConsentExport(study, participant, format, document.decode(), sha256)
