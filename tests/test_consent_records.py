"""Consent records and receipts: whole by ISO/IEC TS 27560:2023, and in no terms but the DPV's.

tests/shapes/ts27560.ttl holds what the standard demands, as SHACL; tests/shapes/dpv_2_2.txt names
terms that the DPV has. Nothing is fetched: the JSON-LD carries its own context.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import structs
from pyshacl import validate
from rdflib import Graph

from domain.consent import ConsultedAs
from domain.consent_states import ConsentState
from domain.permissions import Permission
from domain.vocabulary import ResearchEvent
from service.consent_records import (
    INSTEAD,
    STATUS,
    Controller,
    consent_receipt,
    consent_record,
    receipt_in_words,
    sha256_of,
    written,
)
from service.fhir_consents import ARTICLES, Json
from tests.consent_histories import (
    A_NAME,
    CONTROLLER,
    HISTORIES,
    YEAR_END,
    consent_of,
    given,
    histories,
    requested,
    withdrawn,
)

SHAPES = Path(__file__).parent / "shapes"
MAPPING = Path(__file__).parent.parent / "deploy" / "consent_mapping.md"
# rdflib 7.6's own JSON-LD reader uses what rdflib 7.6 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*ConjunctiveGraph:DeprecationWarning")


def check(document: Json) -> None:
    """Raise unless the record or receipt has what the standard demands."""
    data = Graph().parse(data=json.dumps(document), format="json-ld")
    conforms, _, report = validate(data, shacl_graph=shapes())
    assert conforms, report
    unknown = {term for term in terms(document) if term not in vocabulary()}
    assert not unknown


@cache
def shapes() -> Graph:
    return Graph().parse(SHAPES / "ts27560.ttl")


@cache
def vocabulary() -> set[str]:
    """The terms that the DPV is known to have."""
    found = {"loc:GB"}  # 2.2/loc/modules/locations.csv: one for each country of ISO 3166-1
    prefix = ""
    for line in (SHAPES / "dpv_2_2.txt").read_text(encoding="utf-8").splitlines():
        if module := re.fullmatch(r"([a-z-]+) 2\.2/\S+( \(in part\))?", line):
            prefix = module[1]
        elif not line.startswith("#"):
            found.update(f"{prefix}:{name}" for name in line.split())
    return found


def terms(value: Any) -> Iterator[str]:
    """Every term of the DPV that a document uses, as a name, a type or a reference."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name != "@context":
                yield from terms(name)
                yield from terms(part)
    elif isinstance(value, list):
        for part in value:
            yield from terms(part)
    elif isinstance(value, str) and re.fullmatch(r"(dpv|pd|loc|eu-gdpr):\S+", value):
        yield value


@pytest.mark.parametrize("state", [state for state in ConsentState if HISTORIES[state]])
def test_each_state_is_a_whole_record_with_its_status(state: ConsentState) -> None:
    consent = consent_of(*HISTORIES[state])
    record = consent_record(consent, CONTROLLER)
    check(record)
    processes = record["dpv:hasProcess"]
    assert [each["dpv:hasConsentStatus"]["@id"] for each in processes] == [STATUS[state]] * 3
    receipt = consent_receipt(consent, CONTROLLER, YEAR_END)
    check(receipt)
    words = receipt_in_words(receipt)
    assert state.value.replace("_", " ") in words
    assert A_NAME not in json.dumps([record, receipt]) + words


def test_who_was_never_asked_has_no_record() -> None:
    with pytest.raises(ValueError, match="P-07 was never asked for consent in maize"):
        consent_record(consent_of(), CONTROLLER)


def test_every_event_says_when_by_whom_for_how_long_and_what_became_of_consent() -> None:
    again = structs.replace(given, signed_on=None, valid_until=None, method="written")
    by_parent = structs.replace(again, consulted_as=ConsultedAs.PARENT)
    record = consent_record(consent_of(requested, given, by_parent, withdrawn), CONTROLLER)
    check(record)
    asked, agreed, renewed, taken_back = record["dpv:hasConsentStatus"]
    assert asked["dpv:isIndicatedBy"] == {"@id": "_:study"}
    assert agreed["@type"] == ["dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"]
    assert agreed["dpv:isIndicatedBy"] == {"@id": "_:participant"}
    assert agreed["dpv:isImplementedByEntity"]["dct:identifier"] == "ben"
    assert agreed["dpv:isIndicatedAtTime"]["@value"] == "2026-03-03T09:00:00+00:00"
    assert agreed["dpv:hasIndicationMethod"] == "verbal witnessed"
    assert agreed["dpv:hasDuration"]["rdf:value"]["@value"] == "2027-03-01"
    assert renewed["@type"][0] == "dpv:RenewedConsentGiven"
    assert renewed["dpv:isIndicatedBy"]["@type"] == "dpv:ParentOfDataSubject"
    assert taken_back["@type"] == ["dpv:ConsentWithdrawn", "dpv:Consent"]
    assert taken_back["dpv:hasIndicationMethod"] == "withdrawal code"


def test_consent_to_take_part_and_the_basis_of_processing_are_two_things() -> None:
    record = consent_record(consent_of(given), CONTROLLER)
    bases = {each["@id"] for each in record["dpv:hasProcess"][0]["dpv:hasLegalBasis"]}
    assert bases == {"eu-gdpr:A6-1-e", "eu-gdpr:A9-2-a"}


def test_what_nobody_told_us_is_there_and_says_so() -> None:
    bare = structs.replace(
        given, information_sheet_version=None, language=None, lawful_basis=None,
        special_category_basis=None,
    )  # fmt: skip
    record = consent_record(consent_of(bare), Controller())
    check(record)
    assert record["dpv:hasEntity"][0]["dpv:hasName"] == "maize"
    assert record["dpv:hasEntity"][0]["dpv:hasAddress"] == {
        "dpv:hasApplicability": {"@id": "dpv:NotAvailable"}
    }
    assert record["dpv:hasConsentStatus"][0]["@type"][1] == "dpv:Consent"  # not informed consent
    assert "dpv:hasLegalBasis" not in record["dpv:hasProcess"][0]


def test_the_record_of_a_participant_keeps_its_identifier() -> None:
    first = consent_record(consent_of(requested), CONTROLLER)
    later = consent_record(consent_of(requested, given, withdrawn), CONTROLLER)
    assert first["dct:identifier"] == later["dct:identifier"]


def test_a_receipt_names_nobody_of_the_team_and_is_the_same_byte_for_byte() -> None:
    receipt = consent_receipt(consent_of(requested, given), CONTROLLER, YEAR_END)
    again = consent_receipt(consent_of(requested, given), CONTROLLER, YEAR_END)
    assert written(receipt) == written(again)
    assert hashlib.sha256(written(receipt)).hexdigest() == sha256_of(receipt)
    assert not {'"ben"', '"ana"'} & set(re.findall(r'"\w+"', json.dumps(receipt)))
    words = receipt_in_words(receipt)
    assert sha256_of(receipt) in words
    assert "Take part in interviews: given" in words
    assert "Contact: research-office@example.org" in words


@pytest.mark.parametrize(
    ("missing", "within"),
    [
        ("dct:identifier", ()),
        ("dct:conformsTo", ()),
        ("dpv:hasDataSubject", ()),
        ("dpv:hasNotice", ()),
        ("dct:language", ("dpv:hasNotice", 0)),
        ("dpv:hasProcess", ()),
        ("dpv:hasPurpose", ("dpv:hasProcess", 0)),
        ("skos:broader", ("dpv:hasProcess", 0, "dpv:hasPurpose")),
        ("dpv:hasPersonalData", ("dpv:hasProcess", 0)),
        ("dpv:hasDataController", ()),
        ("dpv:hasStorageCondition", ("dpv:hasProcess", 0)),
        ("dpv:hasRecipient", ("dpv:hasProcess", 0)),
        ("dpv:hasConsentControl", ("dpv:hasProcess", 0)),
        ("dpv:hasJurisdiction", ()),
        ("dpv:hasName", ("dpv:hasEntity", 0)),
        ("dpv:hasContact", ("dpv:hasEntity", 0)),
        ("dpv:hasAddress", ("dpv:hasEntity", 0)),
        ("dpv:hasConsentStatus", ()),
        ("dpv:isIndicatedAtTime", ("dpv:hasConsentStatus", 0)),
        ("dpv:hasDuration", ("dpv:hasConsentStatus", 0)),
        ("dpv:isIndicatedBy", ("dpv:hasConsentStatus", 0)),
        ("@type", ("dpv:hasConsentStatus", 0)),
    ],
)
def test_the_shapes_notice_whatever_mandatory_field_is_missing(
    missing: str, within: tuple[str | int, ...]
) -> None:
    record = json.loads(json.dumps(consent_record(consent_of(given), CONTROLLER)))
    at = record
    for step in within:
        at = at[step]
    del at[missing]
    with pytest.raises(AssertionError):
        check(record)


def test_each_term_used_is_in_the_mapping_and_the_mapping_names_no_other() -> None:
    everything = structs.replace(given, permissions=tuple(Permission))
    used = {f"eu-gdpr:{article}" for article in ARTICLES.values()} | set(STATUS.values())
    told: list[list[ResearchEvent]] = [*HISTORIES.values(), [everything]]
    for history in told:
        if history:
            for controller in (CONTROLLER, Controller()):
                receipt = consent_receipt(consent_of(*history), controller, YEAR_END)
                used |= set(terms(receipt))
                used |= set(terms(consent_record(consent_of(*history), controller)))
    used |= set(INSTEAD.values())
    named = set(re.findall(r"`((?:dpv|pd|loc|eu-gdpr):[^`]+)`", MAPPING.read_text("utf-8")))
    assert used <= named
    assert named - vocabulary() == set()


@settings(max_examples=25)  # SHACL in Python takes its time
@over(histories, st.sampled_from([CONTROLLER, Controller()]))
def test_any_history_is_a_whole_record(
    history: list[tuple[int, ResearchEvent]], controller: Controller
) -> None:
    consent = consent_of(*history)
    if consent.acts:
        receipt = consent_receipt(consent, controller, YEAR_END)
        check(receipt)
        assert A_NAME not in json.dumps(receipt) + receipt_in_words(receipt)
