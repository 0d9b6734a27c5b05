"""Consent as FHIR R5: valid by its types and by its code systems, and permitting what stands alone.

`fhir.resources` checks the types. What the value sets allow is here, from the pages of FHIR R5
(5.0.0) that are named, and so is a reader of consents that shares no code with the export.
"""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from fhir.resources.bundle import Bundle
from hypothesis import given as over
from msgspec import structs

from domain.consent import Capacity, ConsultedAs
from domain.consent_states import ConsentState
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from service.consent_on_record import consent_on_record
from service.fhir_consents import PERMISSIONS, fhir_consents
from tests.consent_histories import (
    A_NAME,
    AUDIO,
    HISTORIES,
    INTERVIEW,
    QUOTE,
    START,
    YEAR_END,
    consent_of,
    declined,
    examples,
    given,
    histories,
    modified,
    requested,
    resumed,
    suspended,
    told,
    withdrawn,
)

Json = dict[str, Any]

# Required bindings: no other code may stand there.
REQUIRED = {
    # valueset-consent-state-codes.html
    "Consent.status": {"draft", "active", "inactive", "not-done", "entered-in-error", "unknown"},
    # valueset-consent-provision-type.html
    "Consent.decision": {"deny", "permit"},
    # valueset-consent-data-meaning.html
    "Consent.provision.data.meaning": {"instance", "related", "dependents", "authoredby"},
    # valueset-narrative-status.html
    "Consent.text.status": {"generated", "extensions", "additional", "empty"},
    # valueset-bundle-type.html
    "Bundle.type": {
        "document", "message", "transaction", "transaction-response", "batch", "batch-response",
        "history", "searchset", "collection", "subscription-notification",
    },
}  # fmt: skip
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
GDPR_ARTICLES = {*(f"A6-1-{letter}" for letter in "abcdef"), *(f"A9-2-{c}" for c in "abcdefghij")}
# Other bindings (example, preferred, extensible): the code systems that we say we use, and their
# codes, each from its page at terminology.hl7.org (CodeSystem-<name>.html).
STATED = {
    "Consent.category": {
        ("http://loinc.org", "59284-0"),  # in valueset-consent-category.html
        *(
            (f"{TERMINOLOGY}/consentscope", code)
            for code in ("adr", "research", "patient-privacy", "treatment")
        ),
    },
    "Consent.regulatoryBasis": {  # the W3C's: HL7 has no codes for articles of the GDPR
        ("https://w3id.org/dpv/legal/eu/gdpr#", article) for article in GDPR_ARTICLES
    },
    "Consent.verification.verificationType": {
        (f"{TERMINOLOGY}/consentverification", code) for code in ("family", "validation")
    },
    "Consent.provision.action": {
        (f"{TERMINOLOGY}/consentaction", code)
        for code in ("collect", "access", "use", "disclose", "correct")
    },
    "Consent.provision.purpose": {(f"{TERMINOLOGY}/v3-ActReason", "HRESCH")},
    "Consent.provision.code": {(PERMISSIONS, permission.value) for permission in Permission},
    "Consent.meta.security": {(f"{TERMINOLOGY}/v3-ObservationValue", "PSEUDED")},
}
# consent-definitions.html: what each reference may be to.
MAY_BE_TO = {
    "Consent.subject": {"Patient", "Practitioner", "Group"},
    "Consent.grantor": {
        "CareTeam", "HealthcareService", "Organization", "Patient", "Practitioner",
        "RelatedPerson", "PractitionerRole",
    },
    "Consent.grantee": {
        "CareTeam", "HealthcareService", "Organization", "Patient", "Practitioner",
        "RelatedPerson", "PractitionerRole",
    },
    "Consent.manager": {"HealthcareService", "Organization", "Patient", "Practitioner"},
    "Consent.controller": {"HealthcareService", "Organization", "Patient", "Practitioner"},
    "Consent.sourceReference": {
        "Consent", "DocumentReference", "Contract", "QuestionnaireResponse",
    },
    "Consent.policyText": {"DocumentReference"},
    "Consent.verification.verifiedBy": {"Organization", "Practitioner", "PractitionerRole"},
    "Consent.verification.verifiedWith": {"Patient", "RelatedPerson"},
    "assigner": {"Organization"},  # Identifier.assigner (datatypes.html)
}  # fmt: skip


def elements(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every element with its path, such as Consent.provision.action; provisions are all alike."""
    for each in value if isinstance(value, list) else [value]:
        yield path, each
        if isinstance(each, dict):
            for name, part in each.items():
                nested = path.endswith(".provision") and name == "provision"
                yield from elements(part, path if nested else f"{path}.{name}")


def check(bundle: Json) -> list[Json]:
    """Raise unless the bundle is one of FHIR R5; return its consents."""
    Bundle.model_validate(bundle)
    consents = [entry["resource"] for entry in bundle.get("entry", [])]
    found = [*((path, each) for path, each in elements(bundle, "Bundle") if path == "Bundle.type")]
    for consent in consents:
        found += elements(consent, "Consent")
    for path, value in found:
        if path in REQUIRED:
            assert value in REQUIRED[path], path
        if isinstance(value, dict) and "system" in value and "code" in value:
            element = path.removesuffix(".coding")
            assert (value["system"], value["code"]) in STATED[element], path
        elif isinstance(value, dict) and "coding" in value:
            assert path in STATED, path
        elif isinstance(value, dict) and "type" in value and path != "Bundle":
            element = "assigner" if path.endswith(".assigner") else path
            assert value["type"] in MAY_BE_TO[element], path
            assert "identifier" in value or "display" in value, path  # ref-2
    assert len({consent["id"] for consent in consents}) == len(consents)
    return consents


def permits(bundle: Json, permission: str, action: str, at: datetime) -> bool:
    """How a reader who knows nothing of us understands it (R5, Consent.decision and .provision)."""

    def covers(provision: Json) -> bool:
        codes = {each["coding"][0]["code"] for each in provision["code"]}
        actions = [each["coding"][0]["code"] for each in provision.get("action", [])]
        return (
            permission in codes
            and (not actions or action in actions)
            and within(provision.get("period", {}), at)
        )

    def decide(decision: bool, provisions: list[Json]) -> bool:
        for provision in provisions:
            if covers(provision):
                return decide(not decision, provision.get("provision", []))
        return decision

    return any(
        decide(consent["decision"] == "permit", consent["provision"])
        for consent in check(bundle)
        if consent["status"] == "active" and within(consent.get("period", {}), at)
    )


def within(period: Json, at: datetime) -> bool:
    start, end = period.get("start"), period.get("end")
    return (start is None or datetime.fromisoformat(start) <= at) and (
        end is None or at.date() <= date.fromisoformat(end)
    )


@pytest.mark.parametrize("state", ConsentState)
def test_each_state_has_its_example(state: ConsentState) -> None:
    for path, text in examples(state):
        assert text == path.read_text(encoding="utf-8"), path.name
    bundle = fhir_consents(consent_of(*HISTORIES[state]))
    check(bundle)
    assert A_NAME not in json.dumps(bundle)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (ConsentState.REQUESTED, "draft"),
        (ConsentState.GIVEN, "active"),
        (ConsentState.DECLINED, "not-done"),
        (ConsentState.WITHDRAWN, "inactive"),
        (ConsentState.EXPIRED, "inactive"),
        (ConsentState.INVALIDATED, "entered-in-error"),
        (ConsentState.RECONSENT_REQUIRED, "active"),
        (ConsentState.SUSPENDED, "inactive"),
    ],
)
def test_a_state_is_a_status_and_nothing_is_permitted_but_what_is_given(
    state: ConsentState, status: str
) -> None:
    bundle = fhir_consents(consent_of(*HISTORIES[state]))
    consent = check(bundle)[0]
    assert consent["status"] == status
    assert consent["decision"] == "deny"
    # Nor is it for whoever overlooks the status.
    heedless = bundle | {"entry": [{"resource": consent | {"status": "active"}}]}
    for each in (bundle, heedless):
        assert permits(each, INTERVIEW, "collect", YEAR_END) is (state is ConsentState.GIVEN)


def test_who_was_never_asked_has_no_consent() -> None:
    assert "entry" not in fhir_consents(consent_of())


def test_a_consent_says_form_sheet_basis_people_and_dates_by_pseudonym() -> None:
    consent = check(fhir_consents(consent_of(requested, given)))[0]
    assert consent["subject"]["identifier"]["value"] == "P-07"
    assert consent["grantee"][0]["identifier"]["value"] == "maize"
    assert consent["verification"][0]["verifiedBy"]["identifier"]["value"] == "ben"
    assert consent["date"] == "2026-03-03"
    assert consent["period"] == {"start": "2026-03-03T09:00:00+00:00", "end": "2027-03-01"}
    assert consent["sourceAttachment"] == [
        {"title": "Consent form 1.2, large print", "language": "cy"}
    ]
    name = "ni:///sha-256;Xl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl4"  # RFC 6920 of 5e5e5e...
    assert consent["sourceReference"][0]["identifier"]["value"] == name
    assert consent["policyText"][0]["display"] == "Information sheet 3"
    articles = [each["coding"][0]["code"] for each in consent["regulatoryBasis"]]
    assert articles == ["A6-1-e", "A9-2-a"]
    assert "01 September 2026" in consent["text"]["div"]
    assert "interpreter" in consent["text"]["div"]


def test_a_withdrawal_denies_from_then_on_and_other_permissions_stay() -> None:
    audio_back = structs.replace(withdrawn, permissions=(AUDIO,))
    bundle = fhir_consents(consent_of(requested, given, audio_back))
    (consent,) = check(bundle)
    assert consent["status"] == "active"
    audio = next(each for each in consent["provision"] if each["code"][0]["text"] == "audio")
    assert audio["provision"][0]["period"] == {"start": "2026-03-04T09:00:00+00:00"}
    assert permits(bundle, INTERVIEW, "collect", YEAR_END)
    assert not permits(bundle, AUDIO, "collect", YEAR_END)
    assert permits(bundle, AUDIO, "collect", START + timedelta(days=2, hours=12))


def test_to_ask_again_stops_collecting_but_not_the_use_of_what_is_held() -> None:
    bundle = fhir_consents(consent_of(requested, given, modified))
    assert not permits(bundle, AUDIO, "collect", YEAR_END)
    assert permits(bundle, AUDIO, "use", YEAR_END)
    assert permits(bundle, INTERVIEW, "collect", YEAR_END)


def test_a_consent_runs_out_at_the_end_of_its_last_day() -> None:
    until = structs.replace(given, valid_until=date(2026, 5, 31))
    last_day = datetime.fromisoformat("2026-05-31T23:59:00+00:00")
    bundle = fhir_consents(consent_of(until, at=last_day))
    assert permits(bundle, INTERVIEW, "collect", last_day)
    after = fhir_consents(consent_of(until))
    assert check(after)[0]["status"] == "inactive"
    assert not permits(after, INTERVIEW, "collect", YEAR_END)


def test_each_form_on_which_something_rests_is_a_consent() -> None:
    newer = structs.replace(given, permissions=(AUDIO,), form_version="2")
    refused = structs.replace(declined, permissions=(Permission.VIDEO,))
    bundle = fhir_consents(consent_of(given, refused, newer))
    stand = [
        (each["status"], [provision["code"][0]["text"] for provision in each["provision"]])
        for each in check(bundle)
    ]
    assert stand == [
        ("active", ["interview", "quote named"]),
        ("not-done", ["video"]),
        ("active", ["audio"]),
    ]


def test_who_was_asked_in_somebodys_stead_grants_it_and_who_affirms_it_is_named() -> None:
    by_parent = structs.replace(
        given, capacity=Capacity.CHILD, consulted_as=ConsultedAs.PARENT, assent=True
    )
    (consent,) = check(fhir_consents(consent_of(by_parent, suspended, resumed)))
    assert consent["grantor"] == [{"type": "RelatedPerson", "display": "parent"}]
    types = [each["verificationType"] for each in consent["verification"]]
    assert types[0] == {"text": "verbal witnessed"}
    assert [each["coding"][0]["code"] for each in types if "coding" in each] == [
        "family",
        "validation",
    ]
    assert types[2] == {"text": "assent"}
    assert consent["status"] == "active"


def test_a_late_entry_is_unknown_until_it_is_recorded() -> None:
    asked, form = told(requested, given)[1:]
    for known, status in (asked.recorded_at, "draft"), (form.recorded_at, "active"):
        seen = consent_on_record("maize", "P-07", told(requested, given), YEAR_END, known)
        assert check(fhir_consents(seen))[0]["status"] == status


@over(histories)
def test_any_history_is_valid_and_permits_exactly_what_is_given(
    history: list[tuple[int, ResearchEvent]],
) -> None:
    consent = consent_of(*history)
    bundle = fhir_consents(consent)
    check(json.loads(json.dumps(bundle)))
    assert A_NAME not in json.dumps(bundle)
    first = {INTERVIEW: "collect", AUDIO: "collect", QUOTE: "disclose", Permission.REUSE: "use"}
    for permission, action in first.items():
        held = consent.held.get(permission)
        stands = held is not None and held.state is ConsentState.GIVEN
        assert permits(bundle, permission, action, YEAR_END) is stands
