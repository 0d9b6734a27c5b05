"""A consent written out of a real record: by GraphQL, which notes who read it, and by a command."""

import hashlib
import json

import pytest

from domain.consent_states import ConsentState
from domain.permissions import Permission
from domain.readings import Reading
from service.consent_on_record import consent_on_record, read_consent
from service.database import connect
from tests import test_consent_records, test_fhir_consents
from tests.conftest import Database
from tests.consent_histories import (
    A_NAME,
    AUDIO,
    YEAR_END,
    given,
    modified,
    requested,
    told,
    withdrawn,
)
from tests.processes import parcycle
from tests.recording import in_a_loop
from tests.registers import STUDY, record, recording
from tests.serving import prepare, serving, whole_cycle
from tests.test_readings import read_on_record

EXPORT = """query($of: String!, $format: ConsentFormat!) {
    study(id: "maize") { consentRecord(participant: $of, format: $format) {
        participant format document sha256
    } }
}"""

pytestmark = test_consent_records.pytestmark


def test_a_consent_is_exported_to_whom_may_audit_and_their_reading_is_on_record(
    database: Database,
) -> None:
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        whole_cycle(ana)
        for member, role in (("vic", "VIEWER"), ("eth", "ETHICS_REVIEWER")):
            ana.record("joinMember", "2026-01-09T09:00Z", member=member, role=role)
        eth = service.as_("eth")
        found = eth.ask(EXPORT, of="p-1", format="FHIR")["study"]["consentRecord"]
        document = json.loads(found["document"])
        (consent,) = test_fhir_consents.check(document)
        assert (consent["status"], found["participant"]) == ("active", "p-1")
        assert hashlib.sha256(found["document"].encode()).hexdigest() == found["sha256"]
        for form, kind in ("TS27560", "dpv:ConsentRecord"), ("RECEIPT", "dpv:ConsentReceipt"):
            found = eth.ask(EXPORT, of="p-1", format=form)["study"]["consentRecord"]
            test_consent_records.check(document := json.loads(found["document"]))
            assert document["@type"] == kind
        assert eth.ask(EXPORT, of="nobody", format="FHIR")["study"]["consentRecord"] is None
        with pytest.raises(AssertionError, match="viewer may not"):
            service.as_("vic").ask(EXPORT, of="p-1", format="FHIR")
    found = read_on_record(database)
    assert {(each.reader, each.reading, each.participants) for each in found} == {
        ("eth", Reading.EXPORT, ("p-1",))
    }
    assert sum(each.reads for each in found) == 3


@in_a_loop
async def test_all_that_turned_a_consent_is_read_from_the_record(database: Database) -> None:
    audio_back = [requested, given, modified, withdrawn]
    async with recording(database) as recorder:
        entries = told(*audio_back)
        for entry in entries:
            await record(recorder, entry.event)
    db = await connect(database.service_url)
    try:
        now = entries[-1].recorded_at
        consent = await read_consent(db, STUDY, "P-07", YEAR_END, max(now, YEAR_END))
    finally:
        await db.close()
    expected = consent_on_record(STUDY, "P-07", entries, YEAR_END, now)
    assert [type(act.event) for act in consent.acts] == [type(act.event) for act in expected.acts]
    assert consent.held[AUDIO].state is ConsentState.WITHDRAWN
    assert Permission.PHOTO not in consent.held
    assert consent.enrolment is not None
    assert A_NAME not in repr(consent)


def test_the_command_writes_it_as_it_stood_and_as_it_was_known(database: Database) -> None:
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        whole_cycle(ana)
    url = {"DATABASE_URL": database.service_url}
    ask = ("consent", "maize", "p-1", "--member", "ana")
    fhir = parcycle(*ask, "--as", "fhir", **url)
    assert (fhir.returncode, fhir.stderr) == (0, "")
    assert test_fhir_consents.check(json.loads(fhir.stdout))[0]["status"] == "active"
    controller = json.dumps({"name": "University of Merseyside", "jurisdiction": "GB"})
    done = parcycle(*ask, **url, PARCYCLE_CONTROLLER=controller)
    test_consent_records.check(document := json.loads(done.stdout))
    assert document["dpv:hasEntity"][0]["dpv:hasName"] == "University of Merseyside"
    assert document["dpv:hasJurisdiction"] == {"@id": "loc:GB"}
    for moment in ("--at", "2020-01-01"), ("--known", "2020-01-01T09:00Z"):
        early = parcycle(*ask, *moment, **url)
        assert early.returncode == 1
        assert "was never asked for consent in maize by then" in early.stderr
    for said in "31 May", "2026-05-31T09:00":
        wrong = parcycle(*ask, "--at", said, **url)
        assert wrong.returncode == 1
        assert "write a day as 2026-05-31" in wrong.stderr
    stranger = parcycle("consent", "maize", "p-1", "--member", "eve", **url)
    assert (stranger.returncode, stranger.stdout) == (1, "")
    assert "No such study, or you have no role in it" in stranger.stderr
    read = read_on_record(database)
    assert [(each.reader, each.reading, each.participants) for each in read] == [
        ("ana", Reading.EXPORT, ("p-1",)),
        ("ana", Reading.EXPORT, ("p-1",)),
    ]
