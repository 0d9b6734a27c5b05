"""GraphiQL in a real Chromium: it works with what the service itself serves, and nothing else."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browsing import chromium, complaints, hosts, patiently, requested
from tests.conftest import Database
from tests.graphql_under_test import SIGNED_IN, anyone, application, served, the_bearer
from tests.serving import prepare, serving

DOCUMENTATION = ".graphiql-doc-explorer"
STATIC = Path(__file__).parent.parent / "service" / "static"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    with chromium(tmp_path) as chrome:
        yield chrome


def opened(browser: Chrome, address: str) -> None:
    browser.get(f"http://{address}/graphiql")
    patiently(browser).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".CodeMirror"))


def written(browser: Chrome, editor: str, text: str) -> None:
    """Writes into one of GraphiQL's editors, in place of what is there."""
    found = browser.find_element(By.CSS_SELECTOR, f"{editor} .CodeMirror")
    browser.execute_script("arguments[0].CodeMirror.focus()", found)
    browser.execute_script("arguments[0].CodeMirror.setValue(arguments[1])", found, text)


def asked(browser: Chrome, name: str, document: str) -> None:
    """Writes a document, and waits until GraphiQL has read it: its tab has the operation's name."""
    written(browser, ".graphiql-query-editor", document)
    patiently(browser).until(
        lambda b: b.find_element(By.CSS_SELECTOR, ".graphiql-tab-active").text == name
    )


def ran(browser: Chrome, *expected: str) -> str:
    """Presses the button, and waits until the answer on the page says all that is expected."""
    browser.find_element(By.CSS_SELECTOR, ".graphiql-execute-button").click()

    def answer(b: Chrome) -> str:
        return b.find_element(By.CSS_SELECTOR, ".result-window").text

    def all_said(b: Chrome) -> bool:
        return all(each in answer(b) for each in expected)

    patiently(browser).until(all_said, f"the answer does not say {expected}")
    return answer(browser)


def test_a_query_and_a_subscription_with_nothing_asked_of_another_host(browser: Chrome) -> None:
    with served(application(context=anyone)) as address:
        opened(browser, address)
        asked(browser, "Greet", 'query Greet { hello(name: "Toxteth") }')
        ran(browser, "hello Toxteth")

        asked(browser, "Count", "subscription Count { counted(to: 3) }")
        ran(browser, '"counted": 3')

        urls = requested(browser)
        assert any(url == f"ws://{address}/graphql" for url in urls)
        assert hosts(urls) == {address}
        assert complaints(browser) == []  # the Content-Security-Policy among them


def test_a_token_in_the_headers_tab_goes_with_queries_and_subscriptions(browser: Chrome) -> None:
    with served(application(context=the_bearer)) as address:
        opened(browser, address)
        headers = json.dumps({"authorization": SIGNED_IN})
        browser.find_element(By.XPATH, "//button[normalize-space()='Headers']").click()
        written(browser, ".graphiql-editor-tool .graphiql-editor:not(.hidden)", headers)
        asked(browser, "Who", "query Who { who }")
        ran(browser, SIGNED_IN)
        asked(browser, "Whom", "subscription Whom { whom }")
        ran(browser, f'"whom": "{SIGNED_IN}"')


def test_the_documentation_is_read_from_the_service(browser: Chrome) -> None:
    with served(application()) as address:
        opened(browser, address)
        browser.find_element(By.CSS_SELECTOR, "[aria-label='Show Documentation Explorer']").click()
        patiently(browser).until(
            lambda b: "Mutation" in b.find_element(By.CSS_SELECTOR, DOCUMENTATION).text
        )


def test_a_member_who_followed_a_sign_in_link_asks_the_service_itself(
    browser: Chrome, database: Database
) -> None:
    """The whole schema is read within our own limits; the link's cookie goes with everything."""
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        assert ana.http.get("/s/maize", params={"at_least": 7}).status_code == 200
        browser.get(f"http://{service.address}/sign-in/{service.issuer.link('ana')}")
        patiently(browser).until(lambda b: b.current_url.endswith("/s/maize"))
        opened(browser, service.address)
        asked(
            browser,
            "People",
            'query People { study(id: "maize", atLeast: 7) { participants { nodes { name } } } }',
        )
        ran(browser, "Name of p-1", "Name of p-2")

        # not of events: that of the reading above would soon take the place of the one looked for
        live = 'subscription Live { cycleProgress(study: "maize", cycle: "c-1") { title } }'
        asked(browser, "Live", live)
        ran(browser, "First turn")

        browser.find_element(By.CSS_SELECTOR, "[aria-label='Show Documentation Explorer']").click()
        patiently(browser).until(
            lambda b: "Subscription" in b.find_element(By.CSS_SELECTOR, DOCUMENTATION).text
        )
        assert complaints(browser) == []


def test_vendored_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((STATIC / "MANIFEST.json").read_text())
    for name, told in manifest["files"].items():
        assert sha256((STATIC / name).read_bytes()).hexdigest() == told["sha256"], name
    ours = {"index.html", "page.js", "page.css"}
    served_files = {path.name for path in (STATIC / "graphiql").iterdir()}
    assert served_files - ours == {
        Path(name).name for name in manifest["files"] if name.startswith("graphiql/")
    }


def test_the_page_has_no_inline_script() -> None:
    page = (STATIC / "graphiql" / "index.html").read_text()
    assert page.count("<script") == page.count("<script src=")
    assert "//" not in page.replace("<!doctype html>", "")  # no other host is named
