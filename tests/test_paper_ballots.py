"""Paper ballots typed in: without scripts, and one after the other by keyboard in a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsing import (
    barriers,
    chromium,
    complaints,
    in_scheme,
    overflows,
    patiently,
    sign_in,
    sized,
)
from tests.conftest import Database
from tests.serving import Person, Service, prepare, serving

VOTERS = [f"p-{n}" for n in range(1, 9)]
PAPERS = "/s/maize/ballots/b-1/papers"
COUNT = """{ study(id: "maize") { tally(ballot: "b-1") { option votes score }
    ballotPapers(ballot: "b-1") { totalCount nodes { voter onPaper choices points } } } }"""


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        ana = running.as_("ana")
        prepare(ana)
        for participant in VOTERS[2:]:
            ana.record("enrolParticipant", "2026-01-08T09:00Z", participant=participant)
        ana.record("openBallot", "2026-02-02T10:00Z", ballot="b-1", cycle="c-1",
                   title="What first?", method="CUMULATIVE", secrecy="OPEN",
                   rules={"maxPoints": 5}, constituencies=["age group"], options=[
                       {"option": "water", "title": "Clean water"},
                       {"option": "road", "title": "A better road"},
                   ])  # fmt: skip
        last = ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
        assert ana.http.get("/s/maize/log", params={"at_least": last}).status_code == 200
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path) as chrome:
        yield chrome


def counted(person: Person) -> Any:
    return person.ask(COUNT)["study"]


def test_papers_are_typed_in_without_scripts(service: Service) -> None:
    ana = service.as_("ana")
    assert f'href="{PAPERS}"' in ana.http.get("/s/maize/log").text
    paper = {
        "occurred_at": "2026-02-03T10:00", "offset": "+00:00", "voter": "p-1",
        "marks": "1:3, road:2", "constituency.0": "25-34",
    }  # fmt: skip

    def sent(number: int, **values: str) -> Any:
        form = paper | {"command_id": f"00000000-0000-4000-8000-{number:012}"} | values
        return ana.http.post(PAPERS, data=form, follow_redirects=True)

    done = sent(1)
    assert (done.status_code, "The paper is in the box" in done.text) == (200, True)
    assert 'value="2026-02-03T10:00"' in done.text  # kept for the next
    assert sent(1).status_code == 200  # a double click
    again = sent(2, marks="2:5")
    assert (again.status_code, "p-1 has voted in ballot b-1 already" in again.text) == (422, True)
    wrong = sent(3, voter="p-2", marks="7:1, 2:9")
    assert wrong.status_code == 422
    assert 'value="7:1, 2:9"' in wrong.text
    study = counted(ana)
    assert study["tally"] == [
        {"option": "water", "votes": 1, "score": 3},
        {"option": "road", "votes": 1, "score": 2},
    ]
    assert study["ballotPapers"]["nodes"] == [
        {"voter": "p-1", "onPaper": True, "choices": ["water", "road"], "points": [3, 2]}
    ]
    assert service.as_("vic").http.get(PAPERS).status_code == 403
    assert ana.http.get("/s/maize/ballots/b-9/papers").status_code == 404


def test_papers_are_typed_in_fast_by_keyboard_and_a_voter_has_one(
    service: Service, browser: Chrome
) -> None:
    sign_in(browser, service, "ana")
    browser.get(f"http://{service.address}{PAPERS}")
    for scheme, width in (("light", 1280), ("dark", 360)):
        in_scheme(browser, scheme)
        sized(browser, width)
        assert overflows(browser) <= 0
        assert barriers(browser) == []
    patiently(browser).until(lambda b: b.find_elements(By.CSS_SELECTOR, "form[data-ready]"))
    browser.execute_script("document.getElementById('occurred_at').value = '2026-02-03T10:00'")
    browser.find_element(By.ID, "voter").click()
    for voter in VOTERS:
        keys = browser.switch_to.active_element
        assert keys.get_attribute("id") == "voter"
        keys.send_keys(voter, Keys.TAB)
        browser.switch_to.active_element.send_keys("1:3 2:2", Keys.ENTER)
    browser.switch_to.active_element.send_keys("p-3", Keys.ENTER)
    said = browser.find_element(By.ID, "voter-fault").text
    assert said == "A paper of p-3 was typed in a moment ago; each voter has one."
    field = browser.find_element(By.ID, "voter")
    field.clear()
    field.send_keys("p-99", Keys.ENTER)  # is not in the electorate
    patiently(browser).until(lambda b: b.find_elements(By.CSS_SELECTOR, "#entered .fault"))
    assert "p-99" in browser.find_element(By.CSS_SELECTOR, "#entered .fault").text
    for button in browser.find_elements(By.CSS_SELECTOR, "#entered button"):
        if button.text == "Leave it out":
            button.send_keys(Keys.ENTER)
    patiently(browser).until(
        lambda b: b.find_element(By.ID, "entered").text.count("in the box") == len(VOTERS)
    )
    papers = counted(service.as_("ana"))["ballotPapers"]
    assert papers["totalCount"] == len(VOTERS)
    assert [each["voter"] for each in papers["nodes"]] == VOTERS
    expected = "422"  # of the paper that was refused
    assert [each for each in complaints(browser) if expected not in each] == []
