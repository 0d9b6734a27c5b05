"""Consent records and receipts: ISO/IEC TS 27560:2023, in terms of the W3C's DPV 2.2, as JSON-LD.

The structure is that of the DPV Community Group's guide to the standard (2024-08-01). A record has
a header, one process for each permission, the parties, and the events by which consent changed.
What the standard demands and nobody has told us is there, and says `dpv:NotAvailable`.

Each term, and where it comes from: deploy/consent_mapping.md.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid5

from pydantic import ConfigDict, StringConstraints

from domain.consent import ConsentGiven, ConsultedAs
from domain.consent_lapses import ConsentResumed
from domain.consent_states import ConsentState
from domain.permissions import Permission
from domain.withdrawal import ConsentWithdrawn
from service.consent_on_record import Act, ConsentOnRecord
from service.fhir_consents import ARTICLES, Json, in_words, named_by_hash

CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "loc": "https://w3id.org/dpv/loc#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
RECORD = "https://w3id.org/dpv/schema/dpv-27560#record"
RECEIPT = "https://w3id.org/dpv/schema/dpv-27560#receipt"

# Suspended, and to be asked again, have no narrower term: "states of consent that cannot be used".
STATUS = {
    ConsentState.NOT_ASKED: "dpv:ConsentUnknown",
    ConsentState.REQUESTED: "dpv:ConsentRequested",
    ConsentState.GIVEN: "dpv:ConsentGiven",
    ConsentState.DECLINED: "dpv:ConsentRefused",
    ConsentState.WITHDRAWN: "dpv:ConsentWithdrawn",
    ConsentState.EXPIRED: "dpv:ConsentExpired",
    ConsentState.INVALIDATED: "dpv:ConsentInvalidated",
    ConsentState.RECONSENT_REQUIRED: "dpv:ConsentStatusInvalidForProcessing",
    ConsentState.SUSPENDED: "dpv:ConsentStatusInvalidForProcessing",
}

_RESEARCH, _KEEP_IN_TOUCH = "dpv:ScientificResearch", "dpv:CommunicationManagement"
_SAID, _SEEN, _NAME, _REACHED = "pd:Communication", "pd:Picture", "pd:Name", "pd:Contact"


@dataclass(frozen=True)
class Use:
    """What a permission means for personal data."""

    words: str  # as the receipt says it
    purpose: str
    processing: str
    data: tuple[str, ...]


USES = {
    Permission.INTERVIEW: Use("Take part in interviews", _RESEARCH, "dpv:Collect", (_SAID,)),
    Permission.FOCUS_GROUP: Use("Take part in focus groups", _RESEARCH, "dpv:Collect", (_SAID,)),
    Permission.WORKSHOP: Use("Take part in workshops", _RESEARCH, "dpv:Collect", (_SAID,)),
    Permission.OBSERVATION: Use("Be observed", _RESEARCH, "dpv:Observe", ("pd:Behavioural",)),
    Permission.AUDIO: Use("Be recorded in sound", _RESEARCH, "dpv:Record", (_SAID,)),
    Permission.VIDEO: Use("Be filmed", _RESEARCH, "dpv:Record", (_SEEN, _SAID)),
    Permission.PHOTO: Use("Be photographed", _RESEARCH, "dpv:Record", (_SEEN,)),
    Permission.MACHINE_TRANSCRIPTION: Use(
        "Have recordings typed out by a machine", _RESEARCH, "dpv:Transform", (_SAID,)
    ),
    Permission.QUOTE_ANONYMOUS: Use(
        "Be quoted without your name", _RESEARCH, "dpv:Disseminate", (_SAID,)
    ),
    Permission.QUOTE_NAMED: Use(
        "Be quoted with your name", _RESEARCH, "dpv:Disseminate", (_SAID, _NAME)
    ),
    Permission.PHOTO_PUBLISHED: Use(
        "Have photographs of you published", _RESEARCH, "dpv:Disseminate", (_SEEN,)
    ),
    Permission.CREDIT_BY_NAME: Use("Be credited by name", _RESEARCH, "dpv:Disclose", (_NAME,)),
    Permission.SHARE_WITH_PARTNER: Use(
        "Have what you gave shared with partners", _RESEARCH, "dpv:Share", ("dpv:PersonalData",)
    ),
    Permission.ARCHIVE: Use(
        "Have what you gave kept in an archive", _RESEARCH, "dpv:Store", ("dpv:PersonalData",)
    ),
    Permission.REUSE: Use(
        "Have what you gave used in other research", _RESEARCH, "dpv:Use", ("dpv:PersonalData",)
    ),
    Permission.RECONTACT: Use("Be contacted again", _KEEP_IN_TOUCH, "dpv:Use", (_REACHED,)),
    Permission.RECEIVE_FINDINGS: Use(
        "Be sent the findings", _KEEP_IN_TOUCH, "dpv:Use", (_REACHED,)
    ),
}
TO_THIRD_PARTIES = {
    Permission.SHARE_WITH_PARTNER: "Partners that the information sheet names.",
    Permission.ARCHIVE: "The archive that the information sheet names.",
    Permission.REUSE: "Other researchers, as the information sheet says.",
}
INSTEAD = {  # of the participant
    ConsultedAs.PARENT: "dpv:ParentOfDataSubject",
    ConsultedAs.GUARDIAN: "dpv:GuardianOfDataSubject",
    ConsultedAs.PERSONAL_CONSULTEE: "dpv:Representative",
    ConsultedAs.NOMINATED_CONSULTEE: "dpv:Representative",
}
WITHDRAWING = (
    "Use the withdrawal code on the receipt, which needs no account, "
    "or tell anybody in the study; no reason is asked for."
)
STUDY, PARTICIPANT = {"@id": "_:study"}, {"@id": "_:participant"}
NOT_AVAILABLE = {"dpv:hasApplicability": {"@id": "dpv:NotAvailable"}}


@dataclass(frozen=True)
class Controller:
    """Whoever answers for the data, and how they are kept; the record of a study does not say."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # as a setting, a misspelt name is refused

    name: str | None = None
    address: str | None = None
    contact: str | None = None  # an address, a number or a page for questions and withdrawal
    jurisdiction: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    storage_location: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    retention: Annotated[str, StringConstraints(pattern=r"^P\d+[YMWD]$")] | None = None  # P10Y


def consent_record(consent: ConsentOnRecord, controller: Controller) -> Json:
    """The consent record of a participant. Raises `ValueError` if they were never asked."""
    return {"@context": CONTEXT, **_record(consent, controller)}


def consent_receipt(consent: ConsentOnRecord, controller: Controller, created: datetime) -> Json:
    """The receipt that a participant takes home: the record, without who of the team did what.

    Made again of the same consent for the same moment it is the same, byte for byte. Raises
    `ValueError` if they were never asked.
    """
    record = _record(consent, controller)
    for event in record["dpv:hasConsentStatus"]:
        event.pop("dpv:isImplementedByEntity", None)
    moment = created.astimezone(UTC).isoformat()
    identifier = uuid5(UUID(record["dct:identifier"]), f"receipt {moment}")
    return {
        "@context": CONTEXT,
        "@id": identifier.urn,
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": str(identifier),
        "dct:conformsTo": {"@id": RECEIPT},
        "dct:created": _typed(moment, "xsd:dateTime"),
        "dct:publisher": STUDY,
        "dct:audience": PARTICIPANT,
        "dpv:hasRecordOfActivity": record,
    }


def written(document: Json) -> bytes:
    """The document as it is handed over: these bytes are what a receipt's SHA-256 is of."""
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def sha256_of(document: Json) -> str:
    return hashlib.sha256(written(document)).hexdigest()


def receipt_in_words(receipt: Json) -> str:
    """A receipt as plain text, for whoever reads no JSON; its SHA-256 names the JSON."""
    record = receipt["dpv:hasRecordOfActivity"]
    parties = {party["@id"]: party for party in record["dpv:hasEntity"]}
    controller = parties[STUDY["@id"]]
    lines = [
        "CONSENT RECEIPT",
        "",
        f"Study:        {controller['dct:identifier']}",
        f"Asked by:     {controller['dpv:hasName']}",
        f"Participant:  {parties[PARTICIPANT['@id']]['dct:identifier']}  (not your name)",
        f"Made on:      {receipt['dct:created']['@value']}",
    ]
    for notice in record["dpv:hasNotice"]:
        title, language = notice.get("dct:title"), notice["dct:language"]
        lines += [f"Document:     {title} ({language})"] if title else []
    lines += ["", "Where each permission stands"]
    for process in record["dpv:hasProcess"]:
        purpose = process["dpv:hasPurpose"]
        lines.append(f"  {purpose['dct:description']}: {process['dct:description']}")
    lines += ["", "What happened"]
    for event in record["dpv:hasConsentStatus"]:
        day = event["dpv:isIndicatedAtTime"]["@value"][:10]
        about = ", ".join(in_words(each["@id"][2:]) for each in event["dpv:isApplicableFor"])
        lines.append(f"  {day}  {event['dct:description']}: {about}")
    contact = controller["dpv:hasContact"]
    lines += ["", "How to take it back", f"  {WITHDRAWING}"]
    lines += [f"  Contact: {contact}"] if isinstance(contact, str) else []
    lines += ["", f"Receipt {receipt['@id']}", f"SHA-256 {sha256_of(receipt)}", ""]
    return "\n".join(lines)


def _record(consent: ConsentOnRecord, controller: Controller) -> Json:
    if not consent.acts or consent.enrolment is None:
        raise ValueError(
            f"{consent.participant} was never asked for consent in {consent.study} by "
            f"{consent.at:%d %B %Y}; check the pseudonym and the dates."
        )
    permissions = sorted(consent.held, key=list(Permission).index)
    return {
        "@id": consent.enrolment.urn,
        "@type": "dpv:ConsentRecord",
        "dct:identifier": str(consent.enrolment),
        "dct:conformsTo": {"@id": RECORD},
        "dct:modified": _typed(
            max(act.entry.recorded_at for act in consent.acts).isoformat(), "xsd:dateTime"
        ),
        "dpv:hasDataSubject": PARTICIPANT,
        "dpv:hasDataController": STUDY,
        "dpv:hasJurisdiction": _place(controller.jurisdiction),
        "dpv:hasNotice": _notices(consent),
        "dpv:hasProcess": [_process(each, consent, controller) for each in permissions],
        "dpv:hasEntity": [
            {
                **STUDY,
                "@type": "dpv:DataController",
                "dct:identifier": consent.study,
                "dpv:hasName": controller.name or consent.study,
                "dpv:hasAddress": controller.address or NOT_AVAILABLE,
                "dpv:hasContact": controller.contact or NOT_AVAILABLE,
            },
            {
                **PARTICIPANT,
                "@type": "dpv:DataSubject",
                "skos:broader": {"@id": "dpv:Participant"},
                "dct:identifier": consent.participant,
            },
        ],
        "dpv:hasConsentStatus": [_event(act) for act in consent.acts],
    }


def _notices(consent: ConsentOnRecord) -> list[Json]:
    """The information sheets and forms that people were given, each version once."""
    found: dict[tuple[str | None, ...], Json] = {}
    for act in consent.acts:
        for title, name in ("Information sheet", "information_sheet"), ("Consent form", "form"):
            version = getattr(act.event, f"{name}_version", None)
            if version is not None:
                sha256 = getattr(act.event, f"{name}_sha256", None)
                language = getattr(act.event, "language", None)
                found[title, version, sha256, language] = {
                    "@type": "dpv:ConsentNotice",
                    "dct:title": f"{title} {version}",
                    "dct:language": language or "und",  # BCP 47: undetermined
                    **({"dct:identifier": named_by_hash(sha256)} if sha256 else {}),
                }
    unknown = {"@type": "dpv:ConsentNotice", "dct:language": "und", **NOT_AVAILABLE}
    return [*found.values()] or [unknown]


def _process(permission: Permission, consent: ConsentOnRecord, controller: Controller) -> Json:
    """What is done with personal data if a permission is given, and where that stands."""
    held, use = consent.held[permission], USES[permission]
    form = held.rests_on.form
    bases = [form and form.lawful_basis, form and form.special_category_basis]
    special = form is not None and form.special_category_basis is not None
    kind = "dpv:SpecialCategoryPersonalData" if special else "dpv:PersonalData"
    third_party = TO_THIRD_PARTIES.get(permission)
    recipient: Json = (
        {"@type": ["dpv:Recipient", "dpv:ThirdParty"], "dct:description": third_party}
        if third_party
        else STUDY
    )
    withdrawal: Json = {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": WITHDRAWING}
    if form and form.withdraw_by:
        withdrawal["dpv:hasDuration"] = _until(form.withdraw_by.isoformat(), "xsd:date")
    return {
        "@id": f"_:{permission}",
        "@type": "dpv:Process",
        "dct:description": in_words(held.state),
        "dpv:hasConsentStatus": {"@id": STATUS[held.state]},
        "dpv:hasPurpose": {
            "@type": "dpv:Purpose",
            "skos:broader": {"@id": use.purpose},
            "dct:identifier": permission.value,
            "dct:description": use.words,
        },
        "dpv:hasPersonalData": [
            {"@type": kind, "skos:broader": {"@id": category}} for category in use.data
        ],
        "dpv:hasProcessing": {"@id": use.processing},
        "dpv:hasDataSource": {"@id": "dpv:DataSubjectDataSource"},
        "dpv:hasDataController": STUDY,
        "dpv:hasRecipient": recipient,
        "dpv:hasStorageCondition": _storage(controller),
        "dpv:hasConsentControl": withdrawal,
        "dpv:hasRight": {"@id": "eu-gdpr:A7-3"},
        **_if_any(
            "dpv:hasLegalBasis", [{"@id": f"eu-gdpr:{ARTICLES[each]}"} for each in bases if each]
        ),
    }


def _storage(controller: Controller) -> list[Json]:
    location: Json = {
        "@type": "dpv:StorageLocation",
        "dpv:hasLocation": _place(controller.storage_location),
    }
    duration: Json = {"@type": "dpv:IndeterminateDuration", **NOT_AVAILABLE}
    if controller.retention:
        duration = {
            "@type": "dpv:TemporalDuration",
            "rdf:value": _typed(controller.retention, "xsd:duration"),
        }
    return [location, {"@type": "dpv:StorageDuration", "dpv:hasDuration": duration}]


def _event(act: Act) -> Json:
    """How consent changed: when, by whom, for how long, into which state, and for what."""
    entry, event, form = act.entry, act.event, act.form
    status, said = STATUS[act.state], in_words(act.state)
    if act.state is ConsentState.GIVEN and act.renews:
        status, said = "dpv:RenewedConsentGiven", "given again"
    by_team = not isinstance(event, ConsentGiven | ConsentResumed | ConsentWithdrawn)
    by_team = by_team and act.state is not ConsentState.DECLINED
    stands: Json = {"@type": "dpv:UntilEventDuration", "rdf:value": "What happens next."}
    if form:
        stands["rdf:value"] = "Withdrawal."
        if form.valid_until:
            stands = _until(form.valid_until.isoformat(), "xsd:date")
    instead = getattr(event, "consulted_as", None) or getattr(event, "affirmed_by", None)
    by: Json = STUDY if by_team else PARTICIPANT
    if instead:
        by = {"@type": INSTEAD[instead], "dct:description": in_words(instead)}
    method: str | None = form.method if form else None
    if isinstance(event, ConsentWithdrawn) and event.code_sha256:
        method = "withdrawal code"
    return {
        "@id": entry.event_id.urn,
        "@type": [status, _type_of(form)],
        "dct:description": said,
        "dpv:isIndicatedAtTime": _typed(entry.occurred_at.isoformat(), "xsd:dateTime"),
        "dpv:isIndicatedBy": by,
        "dpv:isImplementedByEntity": {
            "@type": "dpv:Entity",
            "dct:identifier": getattr(event, "taken_by", None) or entry.actor,
        },
        "dpv:hasDuration": stands,
        "dpv:isApplicableFor": [{"@id": f"_:{each}"} for each in act.permissions],
        **({"dpv:hasIndicationMethod": in_words(method)} if method else {}),
    }


def _type_of(form: ConsentGiven | None) -> str:
    """The type of consent, as far as the form bears it out: nobody is informed by no sheet."""
    if form is None or form.information_sheet_version is None:
        return "dpv:Consent"
    if form.special_category_basis == "explicit_consent":
        return "dpv:ExplicitlyExpressedConsent"
    return "dpv:ExpressedConsent"


def _place(country: str | None) -> Json:
    """A country by its two letters (ISO 3166-1)."""
    return {"@id": f"loc:{country}"} if country else {"@type": "dpv:Location", **NOT_AVAILABLE}


def _until(value: str, type_: str) -> Json:
    return {"@type": "dpv:UntilTimeDuration", "rdf:value": _typed(value, type_)}


def _typed(value: str, type_: str) -> Json:
    return {"@type": type_, "@value": value}


def _if_any(name: str, values: list[Json]) -> Json:
    return {name: values} if values else {}
