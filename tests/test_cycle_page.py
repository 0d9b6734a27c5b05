"""The page of a cycle: everything in its phases, why each action is, and who may read the words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from domain.readings import Reading
from tests.browsing import (
    barriers,
    chromium,
    complaints,
    hosts,
    in_scheme,
    overflows,
    requested,
    sign_in,
    sized,
)
from tests.conftest import Database
from tests.serving import Person, Service, prepare, serving, whole_cycle
from tests.test_progress_page import words
from tests.test_readings import reads

SAID = "The well is used by all."


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        ana = running.as_("ana")
        prepare(ana)
        ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
        ana.record("stateConcern", "2026-01-20T10:00Z", concern="dry", title="The wells run dry",
                   participants=["p-1"])  # fmt: skip
        whole_cycle(ana)
        last = ana.record("openCycle", "2026-05-01T09:00Z", cycle="c-2", title="Second turn",
                          question="And now?",
                          parents=[{"cycle": "c-1", "edge": "CARRIES_QUESTION"}])  # fmt: skip
        until_taken_in(ana, last)
        yield running


def until_taken_in(person: Person, position: int) -> None:
    """Every register that the page asks has come as far as that."""
    person.ask(f"""{{ study(id: "maize", atLeast: {position}) {{ cycles {{ nodes {{ cycle }} }}
        priorities {{ nodes {{ title }} }} ballots {{ nodes {{ title }} }}
        actions {{ nodes {{ title }} }} reflections {{ nodes {{ title }} }}
        workshops {{ nodes {{ topic }} }} activityFeed {{ nodes {{ line }} }}
        outcomes {{ nodes {{ title }} }} findings {{ nodes {{ title }} }}
        concerns {{ nodes {{ title }} }} }} }}""")


def test_an_action_says_why_it_exists_and_what_came_of_it(service: Service) -> None:
    said = words(service.as_("ana").http.get("/s/maize/c/c-1").text)
    for expected in (
        "First turn", "What matters here?", "Second turn", "Clean water", "A better road",
        "Vote: What first?", "Dig a well", "implemented", "In “What first?” it came 1st of 2",
        "Chosen by that vote, and adopted on 4 Feb 2026.", "Dig before the rains.",
        "turning point", "problem tree", "Everything logged here",
    ):  # fmt: skip
        assert expected in said, expected
    second = words(service.as_("ana").http.get("/s/maize/c/c-2").text)
    assert "carries question" in second
    assert "Nothing is done yet." in second


def test_words_are_shown_to_who_may_read_them_and_that_goes_on_record(
    service: Service, database: Database
) -> None:
    ana, vic = service.as_("ana"), service.as_("vic")
    assert SAID not in ana.http.get("/s/maize/c/c-1").text
    assert SAID not in vic.http.get("/s/maize/c/c-1", params={"words": "shown"}).text
    assert "Show their words" not in vic.http.get("/s/maize/c/c-1").text
    assert SAID in ana.http.get("/s/maize/c/c-1", params={"words": "shown"}).text
    read = reads(database)
    assert [(each.reader, each.reading) for each in read] == [("ana", Reading.PERSONAL_FIELDS)]


def test_a_cycle_that_is_not_there_is_said_to_be_none(service: Service) -> None:
    page = service.as_("ana").http.get("/s/maize/c/nosuch")
    assert (page.status_code, "There is no such page" in page.text) == (404, True)
    assert service.as_("eve").http.get("/s/maize/c/c-1").status_code == 404


def test_the_page_has_no_barriers(service: Service, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        sign_in(browser, service, "ana")
        for scheme in ("light", "dark"):
            in_scheme(browser, scheme)
            browser.get(f"http://{service.address}/s/maize/c/c-1?words=shown")
            for width in (360, 768, 1440, 1920):
                sized(browser, width)
                assert overflows(browser) <= 0, width
            sized(browser, 390 if scheme == "dark" else 1440)
            for summary in browser.find_elements(By.CSS_SELECTOR, "details.numbers > summary"):
                summary.click()
            assert barriers(browser) == [], scheme
        assert hosts(requested(browser)) == {service.address}
        assert complaints(browser) == []
