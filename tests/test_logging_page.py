"""Logging by forms: every command has one, and it works in a browser without scripts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

import httpx
import pytest

from service.proposals import commands
from tests.conftest import Database
from tests.serving import Person, Service, prepare, serving

WORKSHOP = {
    "occurred_at": "2026-02-10T10:00", "offset": "+01:00", "workshop": "w-1", "cycle": "c-1",
    "participants": ["p-1", "p-2"], "topic": "Dry months",
    "notes": "They spoke of the dry months.",
}  # fmt: skip
ASKED = """{ study(id: "maize") { workshops { nodes { workshop topic participants notes }
    totalCount } } }"""


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        ana = running.as_("ana")
        prepare(ana)
        for member, role in (("vic", "VIEWER"), ("fay", "FACILITATOR")):
            last = ana.record("joinMember", "2026-01-09T09:00Z", member=member, role=role)
        assert ana.http.get("/s/maize/log", params={"at_least": last}).status_code == 200
        yield running


def fresh(person: Person, verb: str) -> dict[str, Any]:
    """What stands in a fresh form."""
    page = person.http.get(f"/s/maize/log/{verb}")
    assert page.status_code == 200, page.text
    found = re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}


def sent(person: Person, verb: str, **values: Any) -> httpx.Response:
    form = fresh(person, verb) | values
    return person.http.post(f"/s/maize/log/{verb}", data=form, follow_redirects=True)


def test_every_command_of_a_role_has_a_form_and_no_other(service: Service) -> None:
    ana, vic = service.as_("ana"), service.as_("vic")
    offered = {
        name: set(re.findall(r'href="/s/maize/log/(\w+)"', person.http.get("/s/maize/log").text))
        for name, person in (("ana", ana), ("vic", vic))
    }
    assert offered["vic"] == {"receiveComplaint", "withdrawConsent", "requestErasure"}
    assert offered["ana"] > offered["vic"]
    for verb in commands():
        expected = 200 if verb in offered["ana"] else 403
        assert ana.http.get(f"/s/maize/log/{verb}").status_code == expected, verb
    refused = vic.http.post("/s/maize/log/holdWorkshop", data=WORKSHOP)
    assert (refused.status_code, "ask one of" in refused.text) == (403, True)
    assert ana.http.get("/s/maize/log/nothing").status_code == 404


def test_a_form_has_its_words_from_the_command_and_offers_what_is_on_record(
    service: Service,
) -> None:
    page = service.as_("fay").http.get("/s/maize/log/holdWorkshop").text
    assert "Record a workshop that took place." in page
    assert "Made for access." in page  # the comment beside the field
    assert re.search(r'name="participants" value="p-2"', page)
    assert '<option value="c-1">First turn</option>' in page
    form = fresh(service.as_("fay"), "holdWorkshop")
    assert form["cycle"] == "c-1"  # the open one
    assert re.fullmatch(r"workshop-\w{4}", form["workshop"])
    assert abs(datetime.fromisoformat(form["occurred_at"] + "Z") - datetime.now(UTC)).seconds < 120


def test_a_form_without_scripts_is_recorded_once_however_often_it_is_sent(
    service: Service,
) -> None:
    fay = service.as_("fay")
    form = fresh(fay, "holdWorkshop") | WORKSHOP
    for _ in range(2):
        done = fay.http.post("/s/maize/log/holdWorkshop", data=form, follow_redirects=True)
        assert (done.status_code, "On record as" in done.text) == (200, True)
    study = service.as_("ana").ask(ASKED)["study"]
    assert study["workshops"] == {
        "nodes": [
            {
                "workshop": "w-1", "topic": "Dry months", "participants": ["p-1", "p-2"],
                "notes": "They spoke of the dry months.",
            }
        ],
        "totalCount": 1,
    }  # fmt: skip


def test_a_form_that_is_on_record_is_not_taken_for_another(service: Service) -> None:
    fay = service.as_("fay")
    form = fresh(fay, "holdWorkshop") | WORKSHOP
    fay.http.post("/s/maize/log/holdWorkshop", data=form)
    other = form | {"topic": "Wells", "workshop": "w-2"}  # as by the browser's way back
    refused = fay.http.post("/s/maize/log/holdWorkshop", data=other)
    assert "This form is on record already" in refused.text
    found = re.search(r'name="command_id" value="([^"]+)"', refused.text)
    assert found is not None
    again = other | {"command_id": found[1]}
    done = fay.http.post("/s/maize/log/holdWorkshop", data=again, follow_redirects=True)
    assert "On record as" in done.text


def test_everything_that_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    service: Service,
) -> None:
    wrong = WORKSHOP | {"participants": [], "week": "many", "cycle": "", "offset": "noon"}
    answer = sent(service.as_("fay"), "holdWorkshop", **wrong)
    assert answer.status_code == 422
    for path, message in (
        ("participants", "Participants is missing: fill it in."),
        ("cycle", "Cycle is missing: fill it in."),
        ("week", "Write a number from 1 to 1,000."),
        ("occurred_at", "Choose the day and the time, and the offset from UTC"),
    ):
        assert f'<a href="#{path}">{message}' in answer.text
        assert re.search(rf'id="{path}-fault"[^>]*><p class="fault">{message}', answer.text)
    assert "They spoke of the dry months.</textarea>" in answer.text
    assert 'value="Dry months"' in answer.text


def test_a_text_in_which_nothing_can_be_seen_is_refused_at_its_field(service: Service) -> None:
    blank = WORKSHOP | {"topic": "\N{ZERO WIDTH SPACE}"}
    answer = sent(service.as_("fay"), "holdWorkshop", **blank)
    said = "Topic: nothing in it can be seen; write something, or leave it out."
    assert (answer.status_code, f'<a href="#topic">{said}' in answer.text) == (422, True)


def test_a_refusal_of_the_record_is_said_in_its_words_and_can_be_corrected(
    service: Service,
) -> None:
    fay = service.as_("fay")
    form = fresh(fay, "holdWorkshop") | WORKSHOP | {"participants.others": "p-9", "cycle": "c-9"}
    refused = fay.http.post("/s/maize/log/holdWorkshop", data=form)
    assert refused.status_code == 422
    assert "c-9" in refused.text.partition("Not on record yet")[2].partition("</ul>")[0]
    assert re.search(r'id="participants-fault"[^>]*><p class="fault">[^<]*p-9', refused.text)
    again = form | {"participants.others": "", "cycle": "c-1"}
    done = fay.http.post("/s/maize/log/holdWorkshop", data=again, follow_redirects=True)
    assert "On record as" in done.text


def test_rows_and_groups_are_read_and_a_row_more_needs_no_script(service: Service) -> None:
    ana = service.as_("ana")
    rows = {
        "occurred_at": "2026-02-02T10:00", "offset": "+00:00", "ballot": "b-1", "cycle": "c-1",
        "title": "What first?", "method": "approval", "options.0.option": "water",
        "options.0.title": "Clean water", "options.1.option": "", "options.1.title": "",
        "options.2.option": "road", "options.2.title": "",
    }  # fmt: skip
    more = sent(ana, "openBallot", **rows, add="options")
    assert 'name="options.3.title"' in more.text
    refused = sent(ana, "openBallot", **rows)
    assert re.search(r'id="options.2.title-fault"[^>]*><p class="fault">Title is', refused.text)
    done = sent(ana, "openBallot", **(rows | {"options.2.title": "A better road"}))
    assert "On record as" in done.text
    plan = {
        "occurred_at": "2026-02-05T10:00", "offset": "+00:00", "action": "well",
        "title": "Dig a well", "owner.member": "ana", "due": "2026-03-31",
    }  # fmt: skip
    assert "On record as" in sent(ana, "planAction", **plan).text
    assert "one of the three" in sent(ana, "planAction", **(plan | {"owner.member": ""})).text


def test_scripts_are_answered_in_json_and_another_member_sends_nothing(service: Service) -> None:
    ana, fay = service.as_("ana"), service.as_("fay")
    form = fresh(fay, "holdWorkshop") | WORKSHOP
    asked = {"accept": "application/json"}
    where = "/s/maize/log/holdWorkshop"
    other = ana.http.post(where, data=form, headers=asked)
    assert (other.status_code, "Sign in as fay" in other.json()["message"]) == (409, True)
    refused = fay.http.post(where, data=form | {"cycle": ""}, headers=asked)
    assert refused.status_code == 422
    assert refused.json()["refused"] == [
        {"path": "cycle", "message": "Cycle is missing: fill it in.", "code": "field_missing"}
    ]
    done = fay.http.post(where, data=form, headers=asked)
    assert (done.status_code, list(done.json())) == (200, ["recorded"])
    foreign = fay.http.post(where, data=form, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403


def test_a_participant_finds_themselves_in_their_forms(service: Service) -> None:
    last = service.as_("ana").record(
        "joinMember", "2026-01-09T09:00Z", member="pat", role="PARTICIPANT", participant="p-2"
    )
    pat = service.as_("pat")
    page = pat.http.get("/s/maize/log", params={"at_least": last}).text
    assert "/s/maize/log/castBallot" in page
    pat.http.get("/s/maize/log/castBallot", params={"at_least": last})
    assert fresh(pat, "castBallot")["voter"] == "p-2"
    form = fresh(pat, "withdrawConsent")
    assert form["participant"] == "p-2"
    done = pat.http.post("/s/maize/log/withdrawConsent", data=form, follow_redirects=True)
    assert "On record as" in done.text


def test_who_may_not_read_who_takes_part_is_offered_no_pseudonyms(service: Service) -> None:
    page = service.as_("vic").http.get("/s/maize/log/withdrawConsent").text
    assert "p-1" not in page
    assert 'name="participant"' in page
