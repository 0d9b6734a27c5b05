"""The house of pages in a real Chromium: themes, sizes, barriers, its policy, and live news."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browsing import (
    barriers,
    chromium,
    complaints,
    hosts,
    in_scheme,
    overflows,
    patiently,
    requested,
    sign_in,
    sized,
)
from tests.conftest import Database
from tests.serving import Service, prepare, serving

WIDTHS = (360, 768, 1440, 1920)
PATHS = ("/s/maize", "/studies", "/s/nosuch", "/sign-in")


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        ana = running.as_("ana")
        prepare(ana)
        assert ana.http.get("/s/maize", params={"at_least": 7}).status_code == 200
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path) as chrome:
        yield chrome


def colour(browser: Chrome) -> str:
    script = "return getComputedStyle(document.body).backgroundColor"
    return str(browser.execute_script(script))


def test_every_page_has_no_barriers_in_light_and_dark_at_every_size(
    browser: Chrome, service: Service
) -> None:
    sign_in(browser, service, "ana")
    for path in PATHS:
        for scheme in ("light", "dark"):
            in_scheme(browser, scheme)
            browser.get(f"http://{service.address}{path}")
            for width in WIDTHS:
                sized(browser, width)
                assert overflows(browser) <= 0, (path, width)
            sized(browser, 360 if scheme == "dark" else 1440)
            assert barriers(browser) == [], (path, scheme)
    assert hosts(requested(browser)) == {service.address}
    expected = "404 (Not Found)"  # of the page that is not there
    assert [each for each in complaints(browser) if expected not in each] == []


def test_the_theme_follows_the_device_until_one_is_chosen_by_keyboard(
    browser: Chrome, service: Service
) -> None:
    sign_in(browser, service, "ana")
    shades = []
    for scheme in ("light", "dark"):
        in_scheme(browser, scheme)
        shades.append(colour(browser))
    assert shades[0] != shades[1]
    in_scheme(browser, "light")
    browser.find_element(By.CSS_SELECTOR, ".menu summary").send_keys(Keys.ENTER)
    browser.find_element(By.CSS_SELECTOR, "button[value=dark]").send_keys(Keys.ENTER)
    patiently(browser).until(lambda b: b.find_elements(By.CSS_SELECTOR, "html[data-theme=dark]"))
    assert (browser.current_url, colour(browser)) == (
        f"http://{service.address}/s/maize",
        shades[1],
    )


def test_the_first_key_skips_to_the_content(browser: Chrome, service: Service) -> None:
    sign_in(browser, service, "ana")
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


def test_what_happens_is_told_on_an_open_page(browser: Chrome, service: Service) -> None:
    sign_in(browser, service, "ana")
    live = browser.find_element(By.CSS_SELECTOR, "par-live")
    patiently(browser).until(lambda b: live.text == "Live")
    ana = service.as_("ana")
    ana.record("enrolParticipant", "2026-02-01T10:00Z", participant="n-1")
    ana.record("enrolParticipant", "2026-02-01T10:00Z", participant="n-2")
    news = browser.find_element(By.CSS_SELECTOR, "par-news")
    patiently(browser).until(lambda b: "2 new events" in news.text)
    assert barriers(browser) == []
    news.find_element(By.LINK_TEXT, "Show the page anew").click()
    patiently(browser).until(
        lambda b: b.find_element(By.CSS_SELECTOR, "par-live").get_attribute("data-after") == "9"
    )
    assert complaints(browser) == []
