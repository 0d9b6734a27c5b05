"""Logging without a connection, in a real Chromium: the service is killed, the browser closed."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from service.identity import DemoIssuer
from service.pages.doors import COOKIE
from tests.browsing import (
    PATIENCE,
    barriers,
    chromium,
    complaints,
    debug,
    hosts,
    in_scheme,
    overflows,
    patiently,
    requested,
    sized,
)
from tests.conftest import Database
from tests.processes import Started, started
from tests.serving import Person, prepare

FORM = "/s/maize/log/holdWorkshop"
LIST = "/s/maize/log"
HELD = """{ study(id: "maize") { workshops { totalCount nodes { workshop topic notes } }
    auditTrail(type: "WorkshopHeld") { nodes { channel actor } } } }"""


@dataclass
class Field:
    """A service that can be killed and comes back at the same address, and who works with it."""

    database: Database
    home: Path
    issuer: DemoIssuer = field(default_factory=lambda: DemoIssuer("parcycle"))
    port: int = 0
    running: ExitStack = field(default_factory=ExitStack)
    process: Started | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        keys = self.home / "keys.json"
        trusted: Any = self.issuer.identity.keys_from
        keys.write_text(json.dumps(trusted.as_dict(private=False)))
        settings = {
            "DATABASE_URL": self.database.service_url, "PARCYCLE_TOKEN_KEYS": str(keys),
            "PARCYCLE_TOKEN_ISSUER": self.issuer.ISSUER,
        }  # fmt: skip
        self.process = self.running.enter_context(started("serve", "--port", self.port, **settings))
        self.port = int(self.process.said(r"http://127\.0\.0\.1:(\d+)/graphql")[1])

    def kill(self) -> None:
        assert self.process is not None
        self.process.stop(signal.SIGKILL, 10)

    @contextmanager
    def person(self, member: str) -> Iterator[Person]:
        person = Person(f"127.0.0.1:{self.port}", self.issuer.token(member))
        with person.http:
            yield person

    def held(self) -> Any:
        """What stands on record of workshops."""
        with self.person("ana") as ana:
            return ana.ask(HELD)["study"]


@pytest.fixture
def hall(database: Database, tmp_path: Path) -> Iterator[Field]:
    there = Field(database, tmp_path)
    with there.running:
        with socket.socket() as free:  # the same one, before and after it is killed
            free.bind(("127.0.0.1", 0))
            there.port = free.getsockname()[1]
        there.start()
        with there.person("ana") as ana:
            prepare(ana)
            last = ana.record("joinMember", "2026-01-09T09:00Z", member="fay", role="FACILITATOR")
            assert ana.http.get(LIST, params={"at_least": last}).status_code == 200
        yield there


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path) as chrome:
        yield chrome


def has(browser: Chrome, words: str) -> None:
    """Waits until the page says so."""
    gone = [StaleElementReferenceException]  # the page before
    WebDriverWait(browser, PATIENCE, ignored_exceptions=gone).until(
        lambda b: words in b.find_element(By.TAG_NAME, "main").text,
        f"{words!r} is not said at {browser.current_url}",
    )


def sign_in(browser: Chrome, hall: Field, member: str) -> None:
    browser.get(f"{hall.url}/sign-in")
    token = browser.find_element(By.ID, "token")
    token.send_keys(hall.issuer.token(member), Keys.ENTER)
    patiently(browser).until(lambda b: "/sign-in" not in b.current_url)


def keep_forms(browser: Chrome, hall: Field) -> None:
    """Opens the list, and waits until its forms are kept."""
    browser.get(hall.url + LIST)
    patiently(browser).until(lambda b: b.find_elements(By.CSS_SELECTOR, "par-outbox[kept]"))


def write(browser: Chrome, topic: str, cycle: str = "c-1") -> str:
    """Fills the workshop's form in; gives the identifier it has for it."""
    ready(browser)
    for name, value in (("topic", topic), ("notes", "They spoke of the dry months.")):
        control = browser.find_element(By.ID, name)
        control.clear()
        control.send_keys(value)
    browser.find_element(By.ID, "cycle").clear()
    browser.find_element(By.ID, "cycle").send_keys(cycle)
    box = browser.find_element(By.CSS_SELECTOR, "input[value='p-1']")
    if not box.is_selected():
        box.send_keys(Keys.SPACE)
    set_day(browser)
    return str(browser.find_element(By.ID, "workshop").get_property("value"))


def set_day(browser: Chrome) -> None:
    """A day on which the prepared study's opinion and consents stand."""
    browser.execute_script("document.getElementById('occurred_at').value = '2026-02-10T10:00'")


def ready(browser: Chrome) -> None:
    """Waits until the form's scripts are there; before, it is sent as without scripts."""
    patiently(browser).until(lambda b: b.find_elements(By.CSS_SELECTOR, "form[data-ready]"))


def send(browser: Chrome) -> None:
    browser.find_element(By.CSS_SELECTOR, ".next-steps button.button").send_keys(Keys.ENTER)


def test_what_is_logged_while_the_service_is_away_is_recorded_once_when_it_is_back(
    hall: Field, tmp_path: Path
) -> None:
    with chromium(tmp_path) as browser:
        sign_in(browser, hall, "fay")
        keep_forms(browser, hall)
        browser.get(hall.url + FORM)
        hall.kill()
        browser.refresh()
        made = set()
        for number in range(3):
            made.add(write(browser, f"Talk {number}"))
            send(browser)
            has(browser, "is safe.")
            assert barriers(browser) == []
            browser.find_element(By.LINK_TEXT, "Log another").send_keys(Keys.ENTER)
        assert len(made) == 3
        write(browser, "Not finished")
        browser.find_element(By.ID, "focus").send_keys("Water", Keys.TAB)
        patiently(browser).until(lambda b: draft_of(b) == "Water")

    with chromium(tmp_path) as browser:  # closed, and opened again before the service is back
        browser.get(hall.url + LIST)
        has(browser, "3 wait to be sent.")
        assert browser.find_elements(By.LINK_TEXT, "Go on")
        hall.start()
        has(browser, "Your session has ended.")  # it went with the browser
        assert hall.held()["workshops"]["totalCount"] == 0
        sign_in(browser, hall, "fay")
        browser.get(hall.url + LIST)
        patiently(browser).until(
            lambda b: "wait" not in b.find_element(By.TAG_NAME, "par-outbox").text
        )
        study = hall.held()
        assert {each["workshop"] for each in study["workshops"]["nodes"]} == made
        assert [each["topic"] for each in study["workshops"]["nodes"]] == [
            "Talk 0", "Talk 1", "Talk 2",
        ]  # fmt: skip
        assert study["auditTrail"]["nodes"] == [{"channel": "FIELD_FORM", "actor": "fay"}] * 3

        browser.get(hall.url + FORM)  # and the draft is there, and can be discarded
        ready(browser)
        has(browser, "is back.")
        assert browser.find_element(By.ID, "focus").get_property("value") == "Water"
        for _ in range(2):
            browser.find_element(By.CSS_SELECTOR, ".notice button").send_keys(Keys.ENTER)
        patiently(browser).until(lambda b: not b.find_elements(By.CSS_SELECTOR, ".notice"))
        assert browser.find_element(By.ID, "focus").get_property("value") == ""


def draft_of(browser: Chrome) -> str | None:
    """What the draft of the form has as its focus."""
    script = """const done = arguments[0], asked = indexedDB.open('parcycle', 1)
    asked.onsuccess = () => {
      const all = asked.result.transaction('drafts').objectStore('drafts').getAll()
      all.onsuccess = () => {
        asked.result.close()
        done(all.result.flatMap((each) => each.pairs).find(([name]) => name === 'focus')?.[1])
      }
    }"""
    found: str | None = browser.execute_async_script(script)
    return found


def test_what_was_written_belongs_to_its_writer_and_goes_on_after_signing_in(
    hall: Field, browser: Chrome
) -> None:
    sign_in(browser, hall, "fay")
    browser.get(hall.url + FORM)
    write(browser, "After the session")
    browser.delete_cookie(COOKIE)
    ended = hall.issuer.token("fay", seconds=-120)
    browser.add_cookie({"name": COOKIE, "value": ended, "path": "/", "sameSite": "Strict"})
    send(browser)
    has(browser, "Your session has ended: sign in, and it is sent.")
    sign_in(browser, hall, "ana")
    browser.get(hall.url + LIST)
    has(browser, "What fay wrote here is sent when fay signs in.")
    assert "Hold workshop written" not in browser.find_element(By.TAG_NAME, "par-outbox").text
    assert hall.held()["workshops"]["totalCount"] == 0
    sign_in(browser, hall, "fay")  # ends at the study's own page: the worker sends what waits
    patiently(browser).until(lambda b: hall.held()["workshops"]["totalCount"] == 1)


def test_a_refusal_is_shown_kindly_and_corrected(hall: Field, browser: Chrome) -> None:
    sign_in(browser, hall, "fay")
    keep_forms(browser, hall)
    browser.get(hall.url + FORM)
    hall.kill()
    made = write(browser, "Corrected", cycle="c-9")
    send(browser)
    has(browser, "is safe.")
    hall.start()
    browser.get(hall.url + LIST)
    has(browser, "1 needs correcting before it can be recorded.")
    assert barriers(browser) == []
    browser.find_element(By.LINK_TEXT, "Correct it").send_keys(Keys.ENTER)
    has(browser, "Not on record yet")
    assert "c-9" in browser.find_element(By.CSS_SELECTOR, "#cycle-fault .fault").text
    assert browser.find_element(By.ID, "workshop").get_property("value") == made
    assert browser.find_element(By.ID, "topic").get_property("value") == "Corrected"
    assert barriers(browser) == []
    write(browser, "Corrected", cycle="c-1")
    send(browser)
    has(browser, "On record as")
    held = hall.held()["workshops"]
    assert (held["totalCount"], held["nodes"][0]["workshop"]) == (1, made)
    assert not browser.find_elements(By.LINK_TEXT, "Correct it")


def test_a_form_is_filled_in_and_sent_by_keyboard_once(hall: Field, browser: Chrome) -> None:
    sign_in(browser, hall, "ana")
    browser.get(f"{hall.url}/s/maize/log/openBallot")
    ready(browser)
    send(browser)  # empty: everything that is missing is said, without asking the service
    has(browser, "Options is missing: fill it in.")
    assert browser.switch_to.active_element.get_attribute("role") == "alert"
    browser.find_element(By.LINK_TEXT, "Title is missing: fill it in.").send_keys(Keys.ENTER)
    keys = browser.switch_to.active_element
    assert keys.get_attribute("id") == "title"
    keys.send_keys("What first?", Keys.TAB)
    browser.switch_to.active_element.send_keys("app", Keys.TAB)  # approval
    add = browser.find_element(By.CSS_SELECTOR, "button.add[value=options]")
    add.send_keys(Keys.ENTER)  # a third row; the cursor is in it
    assert browser.switch_to.active_element.get_attribute("name") == "options.2.option"
    browser.switch_to.active_element.send_keys("road", Keys.TAB, "A better road")
    browser.find_element(By.NAME, "options.0.option").send_keys("water", Keys.TAB, "Water")
    assert barriers(browser) == []
    browser.execute_script(
        """for (let n = 0; n < 2; n++) document.querySelector('form.logged').requestSubmit()"""
    )
    has(browser, "On record as")
    with hall.person("ana") as ana:
        asked = '{ study(id: "maize") { ballots { totalCount nodes { choices { option } } } } }'
        ballots = ana.ask(asked)["study"]["ballots"]
    assert ballots == {
        "totalCount": 1, "nodes": [{"choices": [{"option": "water"}, {"option": "road"}]}],
    }  # fmt: skip


def test_a_recording_is_hashed_on_the_device_and_enter_sends_the_form(
    hall: Field, browser: Chrome, tmp_path: Path
) -> None:
    recording = tmp_path / "talk.ogg"
    recording.write_bytes(b"water, water")
    sign_in(browser, hall, "fay")
    browser.get(f"{hall.url}/s/maize/log/captureMedia")
    ready(browser)
    browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(recording))
    hashed = browser.find_element(By.ID, "sha256")
    patiently(browser).until(
        lambda b: hashed.get_property("value") == sha256(recording.read_bytes()).hexdigest()
    )
    assert barriers(browser) == []
    browser.find_element(By.ID, "kind").send_keys("audio")
    browser.find_element(By.CSS_SELECTOR, "input[value='p-1']").send_keys(Keys.SPACE)
    set_day(browser)
    browser.find_element(By.ID, "seconds").send_keys("90", Keys.ENTER)
    has(browser, "On record as")


def test_pages_for_logging_have_no_barriers_and_ask_nobody_else(
    hall: Field, browser: Chrome
) -> None:
    sign_in(browser, hall, "ana")
    for path in ("", "/holdWorkshop", "/openBallot", "/grantConsent"):
        for scheme in ("light", "dark"):
            in_scheme(browser, scheme)
            browser.get(hall.url + LIST + path)
            for width in (360, 1280):
                sized(browser, width)
                assert overflows(browser) <= 0, (path, width)
            sized(browser, 360 if scheme == "dark" else 1280)
            assert barriers(browser) == [], (path, scheme)
    assert hosts(requested(browser)) == {f"127.0.0.1:{hall.port}"}
    assert complaints(browser) == []
    told = browser.execute_async_script(
        "fetch('/s/maize/app.webmanifest').then((a) => a.json()).then(arguments[0])"
    )
    assert (told["start_url"], told["display"]) == (LIST, "standalone")


def test_a_browser_without_scripts_logs_all_the_same(hall: Field, browser: Chrome) -> None:
    debug(browser, "Emulation.setScriptExecutionDisabled", value=True)
    sign_in(browser, hall, "fay")
    browser.get(f"{hall.url}/s/maize/log/receiveComplaint")
    assert "needs a connection" in browser.find_element(By.TAG_NAME, "main").text
    send(browser)  # the offset is that of the service: everything else stands there
    has(browser, "On record as")
    browser.get(hall.url + FORM)
    browser.find_element(By.CSS_SELECTOR, "button.add[value=payments]").send_keys(Keys.ENTER)
    patiently(browser).until(lambda b: b.find_elements(By.ID, "payments.0.amount"))
    browser.find_element(By.ID, "payments.0.amount").send_keys("ten")
    send(browser)
    has(browser, "Not on record yet")
    said = browser.find_element(By.CSS_SELECTOR, ".notice ul").text
    assert "Participants is missing: fill it in." in said
    assert "Write a number from 1 to 100,000,000." in said
    assert browser.find_element(By.ID, "payments.0.amount").get_property("value") == "ten"


def test_signing_out_forgets_the_pages_that_were_kept(hall: Field, browser: Chrome) -> None:
    kept = "caches.open('parcycle-pages').then((c) => c.keys()).then((k) => arguments[0](k.length))"
    sign_in(browser, hall, "fay")
    keep_forms(browser, hall)
    assert browser.execute_async_script(kept) > 20
    browser.find_element(By.CSS_SELECTOR, ".menu summary").send_keys(Keys.ENTER)
    browser.find_element(By.CSS_SELECTOR, "form[action='/sign-out'] button").send_keys(Keys.ENTER)
    patiently(browser).until(lambda b: b.find_elements(By.ID, "token"))
    assert browser.execute_async_script(kept) == 0
