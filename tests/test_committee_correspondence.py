"""Ethics reviewers read what the study and its committee write to each other, and nothing else that
is personal; that they read it is on record.
"""

import io
import zipfile
from typing import get_type_hints

import pytest
from strawberry.relay import to_base64

from domain.membership import MAY, Duty, Role, may_read
from domain.readings import Reading
from domain.vocabulary import (
    CORRESPONDENCE,
    Personal,
    Phase,
    ResearchEvent,
    event_types,
    marked,
    personal_fields,
)
from projections import approvals, oversight_register
from service.personal_texts import opens
from tests.conftest import Database
from tests.desk import told
from tests.serving import Person, Service, serving
from tests.test_readings import read_on_record
from tests.test_seal_over_http import get, sealed_through

FINDINGS = """query($last: Int) { study(id: "maize", atLeast: $last) {
    auditFindings { nodes { auditFinding what answer } }
    audits { nodes { note } }
    workshops { nodes { notes } }
} }"""
PAYLOAD = """query($id: ID!) { node(id: $id) { ... on Event { payload } } }"""
WHAT, ANSWER = "The harm was reported a month late.", "Whoever hears of it rings at once now."
NOTES = "They spoke of the dry months."  # of a workshop


def corresponded(service: Service) -> tuple[int, int]:
    """Rev raises a finding, which Ana answers; both positions. Rex is a reviewer, too."""
    ana, rev = service.as_("ana"), service.as_("rev")
    told(ana)
    ana.record("joinMember", "2026-01-21T09:00Z", member="rex", role="ETHICS_REVIEWER")
    rev.record("openAudit", "2026-03-01T10:00Z", audit="visit-1", committee="REC", note="Routine.")
    raised = rev.record("raiseFinding", "2026-03-01T11:00Z", audit="visit-1", severity="BREACH",
                        auditFinding="late", what=WHAT)  # fmt: skip
    answered = ana.record("answerFinding", "2026-03-02T10:00Z", auditFinding="late",
                          accepted=True, answer=ANSWER)  # fmt: skip
    return raised, answered


def payload(person: Person, position: int) -> dict[str, object]:
    """What an event says, as `node` shows it to them."""
    node = to_base64("Event", f"maize/{position}")
    return dict(person.ask(PAYLOAD, id=node)["node"]["payload"])


@pytest.mark.parametrize("kind", event_types(), ids=lambda each: each.TOPIC)
def test_correspondence_is_what_somebody_writes_of_their_own_to_or_from_the_committee(
    kind: type[ResearchEvent],
) -> None:
    """Of the ethics phase, and not about participants: harm, complaints and worries stay closed."""
    for mark in personal_fields(kind).values():
        assert mark.correspondence == (kind.PHASE is Phase.ETHICS and mark.of == "actor")


@pytest.mark.parametrize("register", [approvals, oversight_register])
def test_registers_mark_it_as_the_events_do(register: object) -> None:
    rows = [each for each in vars(register).values() if isinstance(each, type)]
    marks = [
        mark
        for row in rows
        if row.__module__ == getattr(register, "__name__", "")
        for hint in get_type_hints(row, include_extras=True).values()
        if (mark := marked(hint, Personal))
    ]
    assert marks
    assert set(marks) == {CORRESPONDENCE}


def test_whoever_may_read_personal_data_reads_it_and_reviewers_besides() -> None:
    assert MAY[Duty.READ_CORRESPONDENCE] == MAY[Duty.READ_PERSONAL] | {Role.ETHICS_REVIEWER}
    for role, correspondence, other in (
        (Role.ETHICS_REVIEWER, True, False),
        (Role.VIEWER, False, False),
        (Role.PARTICIPANT, False, False),
        (Role.DATA_STEWARD, True, True),
        (None, False, False),
    ):
        assert may_read(role, CORRESPONDENCE) == correspondence
        assert may_read(role, Personal("actor")) == may_read(role, Personal("members")) == other
        assert opens(role, "FindingRaised", "what") == correspondence
        assert opens(role, "FindingRaised", "reason") == opens(role, "Unheard", "of") == other


def test_reviewers_read_their_own_findings_a_colleagues_and_the_answers(database: Database) -> None:
    with serving(database) as service:
        raised, answered = corresponded(service)
        for member in ("rev", "rex"):
            person = service.as_(member)
            study = person.ask(FINDINGS, last=answered)["study"]
            assert study["auditFindings"]["nodes"] == [
                {"auditFinding": "late", "what": WHAT, "answer": ANSWER}
            ]
            assert study["audits"]["nodes"] == [{"note": "Routine."}]
            assert study["workshops"]["nodes"] == [{"notes": None}]
            page = person.http.get("/s/maize/findings").text
            assert WHAT in page
            assert ANSWER in page
            assert WHAT in person.http.get(f"/s/maize/e/{raised}").text
            assert payload(person, answered)["answer"] == ANSWER
            assert NOTES not in person.http.get("/s/maize/e/11").text


def test_viewers_do_not(database: Database) -> None:
    with serving(database) as service:
        raised, answered = corresponded(service)
        vic = service.as_("vic")
        assert vic.http.get("/s/maize/findings").status_code == 403
        assert WHAT not in vic.post(FINDINGS, last=answered).text
        node = to_base64("Event", f"maize/{raised}")
        assert WHAT not in vic.post(PAYLOAD, id=node).text


def test_that_a_reviewer_read_it_is_on_record(database: Database) -> None:
    with serving(database) as service:
        _, answered = corresponded(service)
        service.as_("rex").ask(FINDINGS, last=answered)
    (read,) = read_on_record(database)
    assert (read.reader, read.reading) == ("rex", Reading.PERSONAL_FIELDS)


def test_a_reviewers_bundle_has_it_open_and_all_else_encrypted(database: Database) -> None:
    with serving(database) as service:
        _, answered = corresponded(service)
        rex, ana = service.as_("rex"), service.as_("ana")
        sealed_through(ana, answered)
        of_rex, of_ana = (contents(get(each, "maize/bundle").content) for each in (rex, ana))
    for text in (WHAT, ANSWER, "Routine."):
        assert text.encode() in of_rex
        assert text.encode() in of_ana
    assert NOTES.encode() in of_ana
    assert NOTES.encode() not in of_rex


def contents(bundle: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(bundle)) as file:
        return b"".join(file.read(name) for name in file.namelist())
