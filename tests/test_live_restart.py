"""An open page whose service is killed and comes back: it hears everything, in order, once."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from service.pages.doors import COOKIE
from tests.browsing import chromium, patiently
from tests.conftest import Database
from tests.serving import prepare
from tests.test_offline import Field

PREPARED = 7  # events
LISTEN = """
window.heard = []
document.addEventListener('parcycle:line', (event) => heard.push(event.detail.position))
"""


@pytest.fixture
def two_services(database: Database, tmp_path: Path) -> Iterator[tuple[Field, Field]]:
    """One that the page is open on, and another that goes on recording; of one record."""
    with ExitStack() as stack:
        both = []
        for name in ("one", "two"):
            home = tmp_path / name
            home.mkdir()
            each = Field(database, home)
            stack.enter_context(each.running)
            with socket.socket() as free:  # the same one, before and after it is killed
                free.bind(("127.0.0.1", 0))
                each.port = free.getsockname()[1]
            each.start()
            both.append(each)
        yield both[0], both[1]


def test_an_open_page_outlives_its_service(
    two_services: tuple[Field, Field], tmp_path: Path
) -> None:
    shown, other = two_services
    with other.person("ana") as ana, chromium(tmp_path) as browser:
        prepare(ana)
        assert ana.http.get("/s/maize", params={"at_least": PREPARED}).status_code == 200

        def enrol(number: int) -> int:
            return ana.record("enrolParticipant", "2026-02-01T10:00Z", participant=f"n-{number}")

        def says(words: str) -> None:
            live = (By.CSS_SELECTOR, "par-live")
            patiently(browser).until(lambda b: b.find_element(*live).text == words)

        browser.get(f"{shown.url}/sign-in")
        cookie = {"name": COOKIE, "value": shown.issuer.token("ana"), "path": "/"}
        browser.add_cookie(cookie | {"httpOnly": True, "sameSite": "Strict"})
        browser.get(f"{shown.url}/s/maize")
        says("Live")
        browser.execute_script(LISTEN)
        last = [enrol(n) for n in range(2)][-1]
        patiently(browser).until(lambda b: b.execute_script("return heard.at(-1)") == last)
        shown.kill()
        says("Reconnecting")
        for number in range(2, 5):
            enrol(number)
        shown.start()
        says("Live")
        last = enrol(5)
        patiently(browser).until(lambda b: b.execute_script("return heard.at(-1)") == last)
        assert browser.execute_script("return heard") == list(range(PREPARED + 1, last + 1))
