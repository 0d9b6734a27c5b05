"""A researcher logs a cycle through GraphQL and reads it back: plan, act, observe, reflect."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Database
from tests.serving import Service, prepare, serving, whole_cycle


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        yield running


def test_a_whole_cycle_is_logged_and_read_back(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    last = whole_cycle(ana)
    read = ana.ask(
        """query($at: Int!) {
            study(id: "maize", atLeast: $at) {
                title question
                workshops { totalCount nodes { workshop people technique notes } }
                actions { nodes { action title state } }
                reflections { nodes { reflection turningPoint what } }
                auditTrail(first: 3) { totalCount pageInfo { hasNextPage endCursor }
                    edges { cursor node { type actor } } }
            }
            cycle(study: "maize", id: "c-1", atLeast: $at) { title question }
        }""",
        at=last,
    )
    study = read["study"]
    listed = ana.ask("{ studies { study title } }")  # now that the register is there
    assert listed == {"studies": [{"study": "maize", "title": "Maize and water"}]}
    assert study["workshops"] == {
        "totalCount": 1,
        "nodes": [
            {"workshop": "w-1", "people": 2, "technique": "problem tree",
             "notes": "They spoke of the dry months."}
        ],
    }  # fmt: skip
    assert study["actions"]["nodes"] == [
        {"action": "well", "title": "Dig a well", "state": "IMPLEMENTED"}
    ]
    assert study["reflections"]["nodes"][0]["turningPoint"] is True
    trail = study["auditTrail"]
    assert trail["totalCount"] >= last  # that ana read this may be on record by now
    assert trail["pageInfo"] == {"hasNextPage": True, "endCursor": "3"}
    assert [edge["node"]["type"] for edge in trail["edges"]] == [
        "StudyOpened",
        "OpinionGiven",
        "CycleOpened",
    ]
    assert read["cycle"] == {"title": "First turn", "question": "What matters here?"}


def test_the_same_command_again_is_answered_and_another_content_refused(service: Service) -> None:
    ana = service.as_("ana")
    once = "6f2c6a0e-6f9b-4c1e-9a55-0d8f1f1f0001"
    opened: dict[str, Any] = {"title": "T", "question": "Q", "setting": "S", "commandId": once}
    first = ana.send("openStudy", "2026-01-05T09:00Z", **opened)
    assert ana.send("openStudy", "2026-01-05T09:00Z", **opened) == first
    altered = opened | {"title": "Another"}
    assert ana.refused("openStudy", "2026-01-05T09:00Z", **altered) == ["command_altered"]


def test_every_reason_at_once_in_plain_words(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    ana.record("withdrawConsent", "2026-01-20T09:00Z", participant="p-2", permissions=["WORKSHOP"])
    ana.record("closeCycle", "2026-02-01T10:00Z", cycle="c-1")
    answer = ana.send("holdWorkshop", "2026-02-10T10:00Z", workshop="w-1", cycle="c-1",
                      participants=["p-2", "p-9"])  # fmt: skip
    assert [(r["code"], r["path"], r["decidedBy"]) for r in answer["reasons"]] == [
        ("cycle_not_open", "cycle", 9),
        ("participant_unknown", "participants.1", None),
        ("consent_withdrawn", "participants.0", 8),
        ("consent_missing", "participants.1", None),
    ]
    assert "p-2 withdrew consent to workshop on 20 January 2026" in answer["reasons"][2]["message"]


def test_bad_input_is_told_apart(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    hold = {"workshop": "w 1", "cycle": "c-1", "participants": ["p-1"]}
    assert ana.refused("holdWorkshop", "2026-02-10T10:00Z", **hold) == ["field_invalid"]
    hold["workshop"] = "w-1"
    assert ana.refused("holdWorkshop", "2036-02-10T10:00Z", **hold) == [
        "occurred_in_the_future",
        "approval_not_in_force",
    ]
    too_long = hold | {"notes": "x" * 20_001}
    assert ana.refused("holdWorkshop", "2026-02-10T10:00Z", **too_long) == ["field_invalid"]
    assert ana.refused("holdWorkshop", "2026-02-10T10:00", **hold) == ["field_invalid"]

    wrong_type = ana.post(
        "mutation($i: HoldWorkshopInput!) { holdWorkshop(input: $i) { __typename } }",
        i=hold | {"participants": 7},
    )
    assert wrong_type.status_code == 200  # application/json: the errors tell
    assert "errors" in wrong_type.json()
    assert ana.post("{ studies { study } }", x="y" * 10_000_000).status_code == 413
    not_utf8 = ana.http.post(
        "/graphql", content=b'{"query":"\xff"}', headers={"content-type": "application/json"}
    )
    assert not_utf8.status_code == 400


def test_a_title_of_blanks_is_refused(service: Service) -> None:
    ana = service.as_("ana")
    blank: dict[str, Any] = {"title": " ", "question": "\N{ZERO WIDTH SPACE}", "setting": "Here"}
    answer = ana.send("openStudy", "2026-01-05T09:00Z", **blank)
    said = "Nothing in it can be seen; write something, or leave it out."
    assert [(r["code"], r["path"], r["message"]) for r in answer["reasons"]] == [
        ("field_invalid", "title", f"title: {said}"),
        ("field_invalid", "question", f"question: {said}"),
    ]
    prepare(ana)
    wrong: dict[str, Any] = {
        "corrects": 3, "eventType": "CycleOpened", "subject": "cycle:c-1", "why": "Misspelt.",
        "standing": {"title": "  "},
    }  # fmt: skip
    (reason,) = ana.send("correct", "2026-02-01T09:00Z", **wrong)["reasons"]
    assert (reason["code"], reason["path"]) == ("field_invalid", "standing.title")


def test_a_refusal_speaks_in_the_names_that_clients_know(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)

    def refusals(command: str, **given: Any) -> list[tuple[str, str]]:
        reasons = ana.send(command, "2026-02-01T09:00Z", **given)["reasons"]
        return [(reason["path"], reason["message"]) for reason in reasons]

    damp: dict[str, Any] = {"concern": "damp", "title": "Damp"}
    assert refusals("stateConcern", **damp, causedBy=0, onBehalfOf="the team") == [
        ("onBehalfOf", "onBehalfOf: It must be 1 to 64 letters, digits, '.', '_' or '-', beginning "
         "with a letter or digit."),
        ("causedBy", "causedBy: Expected `int` >= 1"),
    ]  # fmt: skip
    consent: dict[str, Any] = {"participant": "p-1", "permissions": ["ARCHIVE"]}
    ((path, message),) = refusals("grantConsent", **consent, formVersion=" ")
    assert (path, message.partition(":")[0]) == ("formVersion", "formVersion")
    late = {"formVersion": "2", "validUntil": "9999-12-31"}
    ((path, message),) = refusals("grantConsent", **consent, **late)
    assert (path, message.partition(":")[0]) == ("validUntil", "validUntil")
    ((path, message),) = refusals("answerFinding", auditFinding="f-1", accepted=True)
    assert (path, message[:31]) == ("auditFinding", "No audit finding f-1 is on reco")


def test_a_correction_is_sent_and_refused_in_the_names_that_clients_know(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    at = ana.record("recordReflection", "2026-04-10T10:00Z", reflection="r-1", cycle="c-1",
                    voice="RESEARCHERS", what="The well is used by all.")  # fmt: skip
    about: dict[str, Any] = {
        "corrects": at, "eventType": "ReflectionRecorded", "subject": "reflection:r-1",
        "why": "It changed much.",
    }  # fmt: skip
    wrong = {"turningPoint": "perhaps", "soWhat": 7, "whoCame": "all"}
    answer = ana.send("correct", "2026-04-11T10:00Z", **about, standing=wrong)
    assert [(reason["path"], reason["message"]) for reason in answer["reasons"]] == [
        ("standing.turningPoint", "standing.turningPoint: Expected `bool`, got `str`"),
        ("standing.soWhat", "standing.soWhat: Expected `str | null`, got `int`"),
        ("standing.whoCame", "ReflectionRecorded has no field whoCame; remove it."),
    ]
    last = ana.record("correct", "2026-04-11T10:00Z", **about, standing={"turningPoint": True})
    asked = """query($at: Int!) { study(id: "maize", atLeast: $at) {
        reflections { nodes { turningPoint } } } }"""
    assert ana.ask(asked, at=last)["study"]["reflections"]["nodes"] == [{"turningPoint": True}]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_moment_at_the_calendars_end_is_a_slip_of_the_pen(service: Service, at: str) -> None:
    ana = service.as_("ana")
    prepare(ana)
    answer = ana.send("stateConcern", at, concern="damp", title="Damp")
    (reason,) = answer["reasons"]
    assert (reason["code"], reason["path"]) == ("field_invalid", "occurredAt")
    assert "The year must be from 1900 to 2999, not 1;" in reason["message"]
    consent: dict[str, Any] = {
        "participant": "p-1", "permissions": ["ARCHIVE"], "formVersion": "2",
    }  # fmt: skip
    for field in ("validUntil", "withdrawBy"):
        answer = ana.send("grantConsent", "2026-01-08T10:00Z", **consent, **{field: "9999-12-31"})
        assert [(r["code"], r["path"]) for r in answer["reasons"]] == [("field_invalid", field)]
    assert ana.record("stateConcern", "2026-02-01T09:00Z", concern="damp", title="Damp") == 8


def test_what_is_said_to_have_led_to_it_is_on_record(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    given = {"concern": "damp", "title": "Damp"}
    assert ana.refused("stateConcern", "2026-02-01T09:00Z", **given, causedBy=8) == [
        "cause_unknown"
    ]
    assert ana.record("stateConcern", "2026-02-01T09:00Z", **given, causedBy=7) == 8


def test_questions_that_nothing_can_answer_are_no_fault_of_the_service(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    node = "query($of: ID!) { node(id: $of) { id } }"
    for key in ("Event:maize/²", "Event:maize/99999999999999999999", "Event:maize/-1"):
        assert ana.ask(node, of=b64encode(key.encode()).decode()) == {"node": None}
    trail = 'query($tag: String!) { study(id: "maize") { auditTrail(tag: $tag) { totalCount } } }'
    state = """query($at: DateTime!) { study(id: "maize") {
        consentState(participant: "p-1", permission: WORKSHOP, at: $at) { state } } }"""
    audit = 'query($at: DateTime!) { study(id: "maize") { ethicsAudit(at: $at) { position } } }'
    for query, variables in (
        (node, {"of": b64encode(b"Workshop:maize/a\0b").decode()}),
        ("query($of: ID!) { study(id: $of) { title } }", {"of": "a\0b"}),
        (trail, {"tag": "a\0b"}),
        (state, {"at": "0001-01-01T00:00:00+14:00"}),
        (state, {"at": "9999-12-31T23:59:59-14:00"}),
        (audit, {"at": "9999-12-31T23:59:59-14:00"}),
    ):
        (error,) = ana.post(query, **variables).json()["errors"]
        assert error["extensions"]["code"] == "VALUE_IMPOSSIBLE"
    ever = """query($at: Int) { study(id: "maize", atLeast: $at) {
        auditTrail(since: "0001-01-01", until: "9999-12-31") { totalCount } } }"""
    assert ana.ask(ever, at=7)["study"]["auditTrail"]["totalCount"] >= 7


def test_many_at_once_are_each_answered_and_may_rest_on_one_another(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)

    def command(verb: str, n: int, **fields: Any) -> dict[str, Any]:
        about = {"study": "maize", "occurredAt": "2026-02-10T10:00Z"}
        return {verb: about | {"commandId": f"6f2c6a0e-6f9b-4c1e-9a55-0d8f1f1f000{n}"} | fields}

    sent = [
        command("enrolParticipant", 1, participant="p-3"),
        command("grantConsent", 2, participant="p-3", permissions=["WORKSHOP"], formVersion="2"),
        command("holdWorkshop", 3, workshop="w-1", cycle="c-1", participants=["p-3"]),
        command("holdWorkshop", 4, workshop="w-2", cycle="c-9", participants=["p-3"]),
    ]
    query = """mutation($c: [CommandInput!]!) { recordAll(commands: $c) {
        ... on Recorded { position } ... on Refused { reasons { code } } } }"""
    expected = [{"position": 8}, {"position": 9}, {"position": 10},
                {"reasons": [{"code": "cycle_not_open"}]}]  # fmt: skip
    assert ana.ask(query, c=sent)["recordAll"] == expected
    assert ana.ask(query, c=sent)["recordAll"] == expected  # sent again when the answer was lost


def test_somebody_without_a_role_cannot_learn_that_the_study_exists(service: Service) -> None:
    prepare(service.as_("ana"))
    eve = service.as_("eve")
    assert eve.ask('{ studies { study } study(id: "maize") { title } }') == {
        "studies": [],
        "study": None,
    }
    hold: dict[str, Any] = {"workshop": "w-1", "cycle": "c-1", "participants": ["p-1"]}
    assert eve.refused("holdWorkshop", "2026-02-10T10:00Z", **hold) == ["study_unknown"]
    same = eve.send("holdWorkshop", "2026-02-10T10:00Z", study="never", **hold)
    assert [reason["code"] for reason in same["reasons"]] == ["study_unknown"]


def test_a_viewer_sees_the_study_without_personal_data_and_logs_nothing(service: Service) -> None:
    ana, vic = service.as_("ana"), service.as_("vic")
    prepare(ana)
    ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
    last = whole_cycle(ana)
    query = """query($at: Int!) { study(id: "maize", atLeast: $at) {
        workshops { nodes { workshop notes } } } }"""
    nodes = vic.ask(query, at=last)["study"]["workshops"]["nodes"]
    assert nodes == [{"workshop": "w-1", "notes": None}]
    trail = vic.post('{ study(id: "maize") { auditTrail { totalCount } } }').json()
    assert trail["errors"][0]["extensions"]["code"] == "ROLE_INSUFFICIENT"
    opened: dict[str, Any] = {"cycle": "c-2", "title": "T", "question": "Q"}
    assert vic.refused("openCycle", "2026-05-01T09:00Z", **opened) == ["role_insufficient"]


def test_nobody_comes_in_without_a_token(service: Service) -> None:
    nobody = service.as_("ana")
    nobody.http.headers.pop("authorization")
    answer = nobody.post("{ studies { study } }")
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.json()["errors"][0]["message"]


def test_a_sign_in_link_works_once(service: Service) -> None:
    prepare(service.as_("ana"))
    browser = service.as_("ana").http
    browser.headers.pop("authorization")
    code = service.issuer.link("ana")
    assert browser.get(f"/sign-in/{code}").status_code == 303
    known = '{ study(id: "maize", atLeast: 1) { study } }'
    asked = browser.post("/graphql", json={"query": known}).json()
    assert asked == {"data": {"study": {"study": "maize"}}}
    used = browser.get(f"/sign-in/{code}")
    assert (used.status_code, used.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "This sign-in link has been used" in used.text


def test_the_address_alone_leads_somewhere(service: Service) -> None:
    begun = service.as_("ana").http.get("/", follow_redirects=True)
    assert (begun.status_code, begun.url.path) == (200, "/")
    assert "You have no role in any study yet." in begun.text


def test_a_node_is_found_by_its_global_identifier(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    last = whole_cycle(ana)
    query = 'query($at: Int) { study(id: "maize", atLeast: $at) { workshops { nodes { id } } } }'
    (node,) = ana.ask(query, at=last)["study"]["workshops"]["nodes"]
    again = "query($id: ID!) { node(id: $id) { id ... on Workshop { workshop } } }"
    assert ana.ask(again, id=node["id"])["node"] == node | {"workshop": "w-1"}
    assert service.as_("eve").ask(again, id=node["id"]) == {"node": None}


def test_pages_are_walked_by_cursor(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    last = whole_cycle(ana)
    query = """query($at: Int, $after: String) { study(id: "maize", atLeast: $at) {
        auditTrail(first: 7, after: $after) {
            nodes { position } pageInfo { hasNextPage endCursor } } } }"""
    positions: list[int] = []
    after = None
    while True:
        page = ana.ask(query, at=last, after=after)["study"]["auditTrail"]
        positions += [node["position"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert positions == list(range(1, len(positions) + 1))
    assert len(positions) >= last  # that ana reads the trail is recorded meanwhile
    wrong = ana.post(query, at=last, after="x").json()
    assert "no cursor" in wrong["errors"][0]["message"]
