"""The progress page: what it tells to whom, today and of a past day, with and without scripts."""

import re
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsing import (
    barriers,
    chromium,
    complaints,
    debug,
    hosts,
    in_scheme,
    overflows,
    patiently,
    requested,
    sign_in,
    sized,
)
from tests.conftest import Database
from tests.serving import Service, prepare, serving, whole_cycle


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    """A whole cycle, and a second one that follows from it."""
    with serving(database) as running:
        ana = running.as_("ana")
        prepare(ana)
        ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
        whole_cycle(ana)
        last = ana.record("openCycle", "2026-05-01T09:00Z", cycle="c-2", title="Second turn",
                          question="And now?", parents=[{"cycle": "c-1",
                          "edge": "CARRIES_QUESTION"}])  # fmt: skip
        assert ana.http.get("/s/maize", params={"at_least": last}).status_code == 200
        ana.ask(f'{{ study(id: "maize", atLeast: {last}) {{ spiral {{ events }} turns {{ cycle }}'
                " participation { people } consentSummary { participants }"
                " activityFeed(first: 1) { nodes { position } }"
                " cycles(first: 1) { nodes { cycle } } reflections { nodes { title } }"
                " ballots { nodes { ballot } } actions { nodes { action } } } }")  # fmt: skip
        yield running


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("progress")) as chrome:
        yield chrome


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_tells_where_the_study_stands(service: Service) -> None:
    page = service.as_("ana").http.get("/s/maize")
    said = words(page.text)
    for expected in (
        "Two turns of learning", "1. First turn", "2. Second turn", "carries question 1",
        "A reflection in researchers", "What first?", "Clean water chosen", "Who takes part",
        "Cycle 2: Second turn", "Permissions, each person",
    ):  # fmt: skip
        assert expected in said, expected
    assert 'aria-label="Cycle 1, plan,' in page.text
    assert "The well is used by all." not in said  # words are on the cycle's page, for who may read


def test_nobody_sees_more_than_by_a_query(service: Service) -> None:
    said = words(service.as_("vic").http.get("/s/maize").text)
    assert "Two turns of learning" in said
    assert "Who takes part" not in said  # a viewer may not ask for participation
    assert "Permissions" not in said


def test_a_past_day_is_told_as_it_was(service: Service) -> None:
    ana = service.as_("ana").http
    then = words(ana.get("/s/maize", params={"on": "2026-02-15"}).text)
    assert "The study as of the end of 15 Feb 2026 , by what is known today." in then
    assert "One turn of learning" in then
    assert "Second turn" not in then
    assert "in researchers" not in then  # the turning point came later
    assert "Clean water chosen" in then
    before = words(ana.get("/s/maize", params={"on": "2026-01-06"}).text)
    assert "No cycle had been opened by then" in before
    assert "Write it as in" in words(ana.get("/s/maize", params={"on": "May"}).text)


def test_the_page_has_no_barriers_and_its_marks_are_walked_by_keyboard(
    browser: Chrome, service: Service
) -> None:
    sign_in(browser, service, "ana")
    for scheme in ("light", "dark"):
        in_scheme(browser, scheme)
        for width in (360, 768, 1440, 1920):
            sized(browser, width)
            assert overflows(browser) <= 0, width
        sized(browser, 390 if scheme == "dark" else 1440)
        assert barriers(browser) == [], scheme

    marks = browser.find_elements(By.CSS_SELECTOR, "par-spiral .ev")
    assert [mark.get_attribute("tabindex") for mark in marks].count("0") == 1
    browser.execute_script("arguments[0].focus()", marks[-1])
    names = []
    for _ in marks:
        names.append(browser.switch_to.active_element.get_attribute("aria-label"))
        tip = browser.find_element(By.CSS_SELECTOR, "par-spiral .tip")
        assert tip.text == names[-1]
        browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert set(names) == {mark.get_attribute("aria-label") for mark in marks}

    slider = browser.find_element(By.CSS_SELECTOR, "par-slider input[type=range]")
    slider.send_keys(Keys.HOME)
    patiently(browser).until(lambda b: "on=2026-01-05" in b.current_url)
    assert "No cycle had been opened by then" in browser.find_element(By.TAG_NAME, "main").text
    assert barriers(browser) == []
    browser.get(f"http://{service.address}/s/maize?on=2026-03-01")
    assert barriers(browser) == []
    assert hosts(requested(browser)) == {service.address}
    assert complaints(browser) == []


def test_the_page_is_read_and_turned_back_without_scripts(
    browser: Chrome, service: Service
) -> None:
    debug(browser, "Emulation.setScriptExecutionDisabled", value=True)
    sign_in(browser, service, "ana")
    main = browser.find_element(By.TAG_NAME, "main").text
    assert "Two turns of learning" in main
    assert "Who takes part" in main
    assert not browser.find_element(By.CSS_SELECTOR, "par-live").is_displayed()
    marks = browser.find_elements(By.CSS_SELECTOR, "par-spiral .ev")
    assert [each.get_attribute("tabindex") for each in marks] == [None] * len(marks)  # all links
    field = browser.find_element(By.ID, "on")
    field.send_keys("02152026")
    field.submit()
    assert browser.current_url.endswith("?on=2026-02-15")
    assert "One turn of learning" in browser.find_element(By.TAG_NAME, "main").text
    browser.find_element(By.LINK_TEXT, "Show today").click()
    assert "Two turns of learning" in browser.find_element(By.TAG_NAME, "main").text


def test_what_happens_comes_on_top_of_the_latest(browser: Chrome, service: Service) -> None:
    sign_in(browser, service, "ana")
    live = browser.find_element(By.CSS_SELECTOR, "par-live")
    patiently(browser).until(lambda b: live.text == "Live")
    position = service.as_("ana").record(
        "holdWorkshop", "2026-05-02T10:00Z", workshop="w-9", cycle="c-2", phase="PLAN",
        participants=["p-1"], topic="Where the rain goes",
    )  # fmt: skip
    first = (By.CSS_SELECTOR, "par-feed li:first-child")
    patiently(browser).until(lambda b: "Where the rain" in b.find_element(*first).text)
    assert f"#{position}" in browser.find_element(*first).text
    assert barriers(browser) == []
