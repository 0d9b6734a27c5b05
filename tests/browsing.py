"""A real Chromium that looks at pages: what it sees, what it asks for, and what axe finds."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.ui import WebDriverWait

from tests.serving import Service

PATIENCE = 60  # seconds, on a machine that is busy with other tests
AXE = Path(__file__).parent / "vendored" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1400,1000"
)
ASKED = """
const done = arguments[arguments.length - 1]
axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] }).then(
  (found) => done(found.violations.flatMap((v) => v.nodes.map((n) =>
    `${v.id}: ${n.target} ${n.failureSummary}`))),
  (fault) => done([String(fault)]))
"""


def patiently(browser: Chrome) -> WebDriverWait[Chrome]:
    """Waits for something of a page, also while the page is replaced by the next.

    Of which chromedriver says that an element is stale, or that a node does not belong to the
    document, as a fault of no name of its own.
    """
    return WebDriverWait(browser, PATIENCE, ignored_exceptions=[WebDriverException])


@contextmanager
def chromium(home: Path) -> Iterator[Chrome]:
    """A browser with a profile of its own in that folder, as if it were used the first time."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        message = "Pages are not looked at: install chromium and chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    options = ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in [*FLAGS.split(), f"--user-data-dir={home / 'chromium'}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(str(programs[1])))
    try:
        yield chrome
    finally:
        chrome.quit()


def log_of(browser: Any, kind: str) -> list[dict[str, Any]]:  # get_log has no types
    return list(browser.get_log(kind))


def requested(browser: Chrome) -> list[str]:
    """Every URL that was asked for since last time, by HTTP or WebSocket."""
    events: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in log_of(browser, "performance")
    ]
    urls = [
        event["params"].get("url") or event["params"].get("request", {}).get("url", "")
        for event in events
        if event["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
    ]
    outside = ("data:", "chrome:", "chrome-untrusted:")  # in the page, or Chromium's start page
    return [url for url in urls if not url.startswith(outside)]


def complaints(browser: Chrome) -> list[str]:
    """What the browser found fault with since last time; breaches of the policy among it."""
    return [e["message"] for e in log_of(browser, "browser") if e["level"] == "SEVERE"]


def hosts(urls: list[str]) -> set[str]:
    return {urlsplit(url).netloc for url in urls}


def sign_in(browser: Chrome, service: Service, member: str) -> None:
    """Follows a one-time link; ends at the member's study, or at the choice of one."""
    browser.get(f"http://{service.address}/sign-in/{service.issuer.link(member)}")
    patiently(browser).until(lambda b: "/sign-in/" not in b.current_url)


def debug(browser: Chrome, command: str, **values: Any) -> Any:
    """Have the debugger do something (Chrome DevTools Protocol), whatever the page's own policy."""
    untyped: Any = browser  # the method is made at run time, so selenium's types lack it
    return untyped.execute_cdp_cmd(command, values)


def barriers(browser: Chrome) -> list[str]:
    """What axe-core finds on the page as it is now: WCAG 2.2 A and AA, and its best practices."""
    debug(browser, "Runtime.evaluate", expression=AXE.read_text("utf-8"))
    found: list[str] = browser.execute_async_script(ASKED, RULES)
    return found


def sized(browser: Chrome, width: int, height: int = 900) -> None:
    """Makes the page's own area this wide, also narrower than a window may be."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    debug(browser, "Emulation.setDeviceMetricsOverride", **metrics)


def in_scheme(browser: Chrome, scheme: str) -> None:
    """As on a device that prefers light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    debug(browser, "Emulation.setEmulatedMedia", features=features)


def overflows(browser: Chrome) -> int:
    """By how many pixels the page is wider than the window."""
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(browser.execute_script(script))


def is_open_to_everybody(browser: Chrome, url: str) -> None:
    """A page has no barrier in light or dark, and overflows at no width of screen."""
    for scheme in ("light", "dark"):
        in_scheme(browser, scheme)
        browser.get(url)
        for width in (360, 768, 1440, 1920):
            sized(browser, width)
            assert overflows(browser) <= 0, (url, width)
        sized(browser, 360 if scheme == "dark" else 1440)
        assert barriers(browser) == [], (url, scheme)
