"""A participant's consent as HL7 FHIR R5 (5.0.0) Consent resources.

A form is one Consent; together they are a Bundle. The base decision is always `deny`: nothing may
be done without permission. Each provision turns that round for one permission of the form (R5:
"with provisions assumed to be a negation of the previous level"), and a provision inside it says
from when it was taken back, ran out, or was stopped. So nobody who overlooks the status permits
too much.

What is said where, and from which code systems: deploy/consent_mapping.md.
"""

import base64
from html import escape
from typing import Any

from domain.consent import ConsentGiven, ConsentRequested
from domain.consent_lapses import ConsentResumed
from domain.consent_states import ConsentState, utc_day
from domain.permissions import Permission
from service.consent_on_record import Act, ConsentOnRecord, Held

Json = dict[str, Any]

URI = "urn:ietf:rfc:3986"
LOINC = "http://loinc.org"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/consentverification"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
GDPR = "https://w3id.org/dpv/legal/eu/gdpr#"  # the W3C's terms for its articles: HL7 has none
# HL7 has no codes for what people allow in field research: these are `Permission`'s own.
PERMISSIONS = "urn:uuid:4486c63d-4485-472d-b296-462ff464154d"

# GDPR arts 6(1) and 9(2), by the names of the W3C Data Privacy Vocabulary.
ARTICLES = {
    "consent": "A6-1-a",
    "contract": "A6-1-b",
    "legal_obligation": "A6-1-c",
    "vital_interests": "A6-1-d",
    "public_task": "A6-1-e",
    "legitimate_interests": "A6-1-f",
    "explicit_consent": "A9-2-a",
    "research": "A9-2-j",
    "health_care": "A9-2-h",
    "public_health": "A9-2-i",
    "made_public": "A9-2-e",
}

COLLECT, USE, DISCLOSE = ["collect", "use"], ["use"], ["disclose"]
ACTIONS = {
    Permission.INTERVIEW: COLLECT,
    Permission.FOCUS_GROUP: COLLECT,
    Permission.WORKSHOP: COLLECT,
    Permission.OBSERVATION: COLLECT,
    Permission.AUDIO: COLLECT,
    Permission.VIDEO: COLLECT,
    Permission.PHOTO: COLLECT,
    Permission.MACHINE_TRANSCRIPTION: USE,
    Permission.QUOTE_ANONYMOUS: DISCLOSE,
    Permission.QUOTE_NAMED: DISCLOSE,
    Permission.PHOTO_PUBLISHED: DISCLOSE,
    Permission.CREDIT_BY_NAME: DISCLOSE,
    Permission.SHARE_WITH_PARTNER: DISCLOSE,
    Permission.ARCHIVE: DISCLOSE,
    Permission.REUSE: USE,
    Permission.RECONTACT: USE,
    Permission.RECEIVE_FINDINGS: USE,
}
# From the beginning: what was never answered, was refused, or turned out not to be a consent.
NEVER_STOOD = {ConsentState.REQUESTED, ConsentState.DECLINED, ConsentState.INVALIDATED}


def fhir_consents(consent: ConsentOnRecord) -> Json:
    """A Bundle with a Consent for each form (or request, or refusal) on which something rests."""
    resting: dict[int, tuple[Act, dict[Permission, Held]]] = {}
    for permission, held in consent.held.items():
        act = held.rests_on
        resting.setdefault(act.entry.position, (act, {}))[1][permission] = held
    resources = [_consent(consent, *each) for _, each in sorted(resting.items())]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": consent.as_known_at.isoformat(),
        **_if_any(
            entry=[{"fullUrl": f"urn:uuid:{each['id']}", "resource": each} for each in resources]
        ),
    }


def status_of(rests_on: Act, states: set[ConsentState]) -> str:
    """Consent.status (value set consent-state-codes) of permissions that rest on one act.

    R5 has no code for what is on hold: what is suspended is `inactive`, the safe one of the two.
    """
    if states & {ConsentState.GIVEN, ConsentState.RECONSENT_REQUIRED}:
        return "active"  # what is held may still be used while people are asked again
    if states == {ConsentState.INVALIDATED}:
        return "entered-in-error"
    if rests_on.form is None and ConsentState.REQUESTED in states:
        return "draft"
    if rests_on.form is None and states == {ConsentState.DECLINED}:
        return "not-done"
    return "inactive"


def named_by_hash(sha256: str) -> str:
    """The name of a document by its SHA-256 (RFC 6920); FHIR's own hash can be SHA-1 only."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
    return f"ni:///sha-256;{digest}"


def in_words(code: str) -> str:
    return code.replace("_", " ")


def _consent(consent: ConsentOnRecord, act: Act, held: dict[Permission, Held]) -> Json:
    entry, form, asked = act.entry, act.form, act.event
    participant = _pseudonym("Patient", consent.participant, consent.study)
    study = _pseudonym("Organization", consent.study)
    permissions = sorted(held, key=list(Permission).index)
    status = status_of(act, {each.state for each in held.values()})
    return {
        "resourceType": "Consent",
        "id": str(entry.event_id),
        "meta": {
            "lastUpdated": max(
                each.decided_by.entry.recorded_at for each in held.values()
            ).isoformat(),
            "security": [_coding(OBSERVATION_VALUE, "PSEUDED")],
        },
        "text": _narrative(consent, act, {each: held[each] for each in permissions}),
        "identifier": [{"system": URI, "value": f"urn:uuid:{entry.event_id}"}],
        "status": status,
        "category": [_concept(LOINC, "59284-0"), _concept(SCOPE, "research")],
        "subject": participant,
        **_of_form(act, form, participant),
        "grantee": [study],
        "manager": [study],
        "controller": [study],
        **_documents(asked),
        **_if_any(
            regulatoryBasis=[
                _concept(GDPR, ARTICLES[basis])
                for basis in (form and form.lawful_basis, form and form.special_category_basis)
                if basis
            ],
            verification=[*_verified(consent, act, form, participant)],
        ),
        "decision": "deny",
        "provision": [_provision(permission, held[permission]) for permission in permissions],
    }


def _of_form(act: Act, form: ConsentGiven | None, participant: Json) -> Json:
    """When it was agreed, until when it stands, and who agreed."""
    if form is None:
        return {}
    at = act.entry.occurred_at
    period = {"start": at.isoformat()}
    if form.valid_until:
        period["end"] = form.valid_until.isoformat()
    grantor = _by_role(form.consulted_as) if form.consulted_as else participant
    return {
        "date": (form.signed_on or utc_day(at)).isoformat(),
        "period": period,
        "grantor": [grantor],
    }


def _documents(event: object) -> Json:
    """The form that was signed or shown, and the sheet that explains it, by version and hash."""
    form_version = getattr(event, "form_version", None)
    if form_version is None:
        return {}
    found: Json = {}
    title = f"Consent form {form_version}"
    attachment: Json = {"title": title}
    sheet = None
    if isinstance(event, ConsentGiven | ConsentRequested):
        sheet = event.information_sheet_version
        if event.document_format:
            attachment["title"] = f"{title}, {in_words(event.document_format)}"
        if event.language:
            attachment["language"] = event.language
    found["sourceAttachment"] = [attachment]
    found["sourceReference"] = [_document(title, getattr(event, "form_sha256", None))]
    if sheet:
        sha256 = getattr(event, "information_sheet_sha256", None)
        found["policyText"] = [_document(f"Information sheet {sheet}", sha256)]
    return found


def _verified(
    consent: ConsentOnRecord, act: Act, form: ConsentGiven | None, participant: Json
) -> list[Json]:
    """Who took the consent and how, who was consulted, who assented, who affirmed it since."""
    if form is None:
        return []
    taken_by = _pseudonym("Practitioner", form.taken_by or act.entry.actor, consent.study)
    date = [act.entry.occurred_at.isoformat()]
    found: list[Json] = [
        {
            "verified": True,
            "verificationType": {"text": in_words(form.method)},
            "verifiedBy": taken_by,
            "verifiedWith": participant,
            "verificationDate": date,
        }
    ]
    if form.consulted_as:
        found.append(
            {
                "verified": True,
                "verificationType": _concept(VERIFICATION, "family"),
                "verifiedBy": taken_by,
                "verifiedWith": _by_role(form.consulted_as),
                "verificationDate": date,
            }
        )
    if form.assent is not None:
        found.append(
            {
                "verified": form.assent,
                "verificationType": {"text": "assent"},
                "verifiedBy": taken_by,
                "verifiedWith": participant,
                "verificationDate": date,
            }
        )
    for later in consent.acts:
        at = later.entry.occurred_at
        if isinstance(later.event, ConsentResumed) and at >= act.entry.occurred_at:
            by = later.event.affirmed_by
            found.append(
                {
                    "verified": True,
                    "verificationType": _concept(VERIFICATION, "validation"),
                    "verifiedWith": _by_role(by) if by else participant,
                    "verificationDate": [at.isoformat()],
                }
            )
    return found


def _provision(permission: Permission, held: Held) -> Json:
    """What the form allows; inside it, what has ended that."""
    code = [
        {
            "coding": [_coding(PERMISSIONS, permission.value)],
            "text": in_words(permission.value),
        }
    ]
    allowed: Json = {
        "action": [_concept(ACTION, action) for action in ACTIONS[permission]],
        "purpose": [_coding(ACT_REASON, "HRESCH")],
        "code": code,
    }
    expired_by_itself = held.decided_by.form and held.state is ConsentState.EXPIRED
    if held.state is ConsentState.GIVEN or expired_by_itself:  # the period says when it is over
        return allowed
    ended: Json = {"code": code}
    if held.state not in NEVER_STOOD or (
        held.state is ConsentState.DECLINED and held.rests_on.form
    ):
        ended["period"] = {"start": held.decided_by.entry.occurred_at.isoformat()}
    if held.state is ConsentState.RECONSENT_REQUIRED and ACTIONS[permission] is COLLECT:
        ended["action"] = [_concept(ACTION, "collect")]  # not what is held
    return allowed | {"provision": [ended]}


def _narrative(consent: ConsentOnRecord, act: Act, held: dict[Permission, Held]) -> Json:
    """The resource in words, with what FHIR has no element for."""
    said = [f"Consent of participant {consent.participant} in study {consent.study}."]
    if act.form and act.form.interpreted:
        said.append("It was given with an interpreter.")
    if act.form and act.form.withdraw_by:
        said.append(f"What was given can be taken out until {act.form.withdraw_by:%d %B %Y}.")
    rows = "".join(
        f"<li>{escape(in_words(permission))}: {escape(in_words(each.state))}</li>"
        for permission, each in held.items()
    )
    words = escape(" ".join(said))
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{words}</p><ul>{rows}</ul></div>'
    return {"status": "generated", "div": div}


def _pseudonym(kind: str, value: str, study: str | None = None) -> Json:
    identifier: Json = {"value": value}
    if study is not None:  # a pseudonym means something within its study alone
        identifier["assigner"] = _pseudonym("Organization", study)
    return {"type": kind, "identifier": identifier}


def _by_role(consulted_as: str) -> Json:
    """Somebody asked in the participant's stead: by their role, for they have no pseudonym."""
    return {"type": "RelatedPerson", "display": in_words(consulted_as)}


def _document(title: str, sha256: str | None) -> Json:
    found: Json = {"type": "DocumentReference", "display": title}
    if sha256:
        found["identifier"] = {"system": URI, "value": named_by_hash(sha256)}
    return found


def _concept(system: str, code: str) -> Json:
    return {"coding": [_coding(system, code)]}


def _coding(system: str, code: str) -> Json:
    return {"system": system, "code": code}


def _if_any(**elements: list[Json]) -> Json:
    """Without those that are empty, which FHIR does not allow."""
    return {name: each for name, each in elements.items() if each}
