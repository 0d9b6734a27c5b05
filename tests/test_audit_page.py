"""The committee's desk: twenty questions, the trail, an event, and findings raised and answered."""

import csv
import html
import io
import re
from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from service.pages import trail_page
from tests.browsing import (
    PATIENCE,
    chromium,
    complaints,
    debug,
    hosts,
    is_open_to_everybody,
    patiently,
    requested,
    sign_in,
    sized,
)
from tests.desk import desk
from tests.serving import Service

WORKSHOP, HARM, WITHDRAWAL = 11, 12, 13  # positions
PAGES = ("audit", "audit/15?at=soon", "trail", "trail?type=Nothing&since=soon", "e/11", "findings")


@pytest.fixture(scope="module")
def service(postgres_server: str, migrated_template: str) -> Iterator[Service]:
    with desk(postgres_server, migrated_template) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("browser")) as chrome:
        yield chrome


def page(service: Service, path: str, member: str = "rev") -> httpx.Response:
    return service.as_(member).http.get(f"/s/maize/{path}")


def question(text: str, number: int) -> str:
    """What the page says of one of the questions."""
    found = re.search(rf'<li id="q{number}">.*?</li>\n(?=<li id="q|</ol>)', text, re.DOTALL)
    assert found is not None
    return found[0]


def test_each_question_has_its_verdict_and_the_events_that_prove_it(service: Service) -> None:
    text = page(service, "audit?at_least=13").text
    assert all(f'id="q{number}"' in text for number in range(1, 21))
    late = question(text, 15)
    assert 'class="verdict breach"' in late
    assert f'href="/s/maize/e/{HARM}"' in late
    assert 'class="verdict clear"' in question(text, 1)
    assert 'href="/s/maize/trail?type=IdentifiableDataRead"' in question(text, 18)


def test_the_seal_is_shown_with_the_bundle_that_proves_it(service: Service) -> None:
    rev = service.as_("rev").http
    WebDriverWait(service, PATIENCE).until(  # type: ignore[type-var]
        lambda _: "events sealed" in rev.get("/s/maize/audit").text
    )
    text = rev.get("/s/maize/audit").text
    assert "by nobody yet" in text
    bundle = re.search(r'href="([^"]+/bundle)"', text)
    assert bundle is not None
    assert rev.get(bundle[1]).headers["content-type"] == "application/zip"


def test_as_of_and_as_known_at_are_in_the_address(service: Service) -> None:
    in_time = question(page(service, "audit?at=2026-01-20").text, 15)
    assert 'class="verdict breach"' not in in_time
    assert "8 days left" in in_time
    unknown = page(service, "audit?at=2026-01-20&known=2026-01-20").text
    assert 'class="verdict not_applicable"' in question(unknown, 15)  # it was recorded later
    assert 'value="2026-01-20"' in unknown
    wrong = page(service, "audit?at=soon")
    assert wrong.status_code == 200
    assert "“soon” is no day; give it like 2026-05-09." in wrong.text


def test_the_answers_come_as_csv_like_those_of_the_terminal(service: Service) -> None:
    answer = page(service, "audit.csv")
    assert "attachment" in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {line["number"] for line in lines} == {str(n) for n in range(1, 21)}
    late = next(line for line in lines if line["number"] == "15")
    assert (late["severity"], late["positions"]) == ("breach", str(HARM))


def test_the_desk_is_for_those_who_may_audit(service: Service) -> None:
    for path in (*PAGES, "audit.csv", "trail.csv", "e/11/receipt"):
        assert page(service, path, "vic").status_code == 403, path
        assert page(service, path, "pat").status_code == 403, path
        assert page(service, path, "eve").status_code == 404, path
    assert "/s/maize/audit" not in page(service, "", "vic").text
    assert "/s/maize/audit" in page(service, "", "ana").text
    assert page(service, "e/999").status_code == page(service, "e/0").status_code == 404


def test_who_looks_at_the_audit_goes_on_record(service: Service) -> None:
    rev = service.as_("rev")
    rev.http.get("/s/maize/trail?participant=p-2")
    asked = """query { study(id: "maize") { auditTrail(type: "IdentifiableDataRead") {
        nodes { actor payload } } } }"""

    def read() -> bool:
        nodes = rev.ask(asked)["study"]["auditTrail"]["nodes"]
        return any(n["actor"] == "rev" and '"audit"' in n["payload"] for n in nodes)

    WebDriverWait(service, PATIENCE).until(lambda _: read())  # type: ignore[type-var]


def test_the_trail_is_narrowed_by_filters_that_stay_in_the_address(service: Service) -> None:
    everything = page(service, "trail").text
    assert everything.index("Consent withdrawn") < everything.index("Workshop held")
    for query, has, has_not in (
        ("type=WorkshopHeld", WORKSHOP, HARM),
        ("participant=p-2&type=ConsentWithdrawn", WITHDRAWAL, WORKSHOP),
        ("since=2026-01-12&until=2026-01-12", WORKSHOP, HARM),
        ("tag=adverse_event:ae-1", HARM, WORKSHOP),
        ("phase=consent", WITHDRAWAL, WORKSHOP),
        ("actor=ana&late=yes&cycle=c-1", WORKSHOP, HARM),
    ):
        text = page(service, f"trail?{query}").text
        assert f'href="/s/maize/e/{has}"' in text, query
        assert f'href="/s/maize/e/{has_not}"' not in text, query
        assert f"/s/maize/trail.csv?{query.replace(':', '%3A')}".replace("&", "&amp;") in text
    assert "No event is like this" in page(service, "trail?corrected=yes").text
    lines = list(csv.DictReader(io.StringIO(page(service, "trail.csv?tag=workshop:w-1").text)))
    assert [line["position"] for line in lines] == [str(WORKSHOP)]


def test_a_theme_is_chosen_without_losing_the_filters(service: Service) -> None:
    rev = service.as_("rev").http
    text = rev.get("/s/maize/trail?type=WorkshopHeld&since=2026-01-12").text
    back = re.search(r'name="back" value="([^"]+)"', text)
    assert back is not None
    chosen = rev.post("/theme", data={"theme": "dark", "back": html.unescape(back[1])})
    assert chosen.headers["location"] == "/s/maize/trail?type=WorkshopHeld&since=2026-01-12"
    refused = rev.post("/s/maize/findings/audit", data={})
    assert 'name="back" value="/s/maize/findings"' in refused.text


def test_the_trail_is_paged_without_leaving_out_or_doubling(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_page, "PAGE", 4)
    monkeypatch.setattr(trail_page, "CSV_PIECE", 3)
    rev = service.as_("rev").http
    address, seen = "/s/maize/trail?recorded_since=2020-01-01&type=", list[int]()
    while True:
        text = rev.get(address).text
        table = text.partition("<tbody>")[2].partition("</tbody>")[0]
        seen += [
            int(n) for n in re.findall(r'<tr><td><a class="proof" href="/s/maize/e/(\d+)"', table)
        ]
        older = re.search(r'href="([^"]+)">Older<', text)
        if older is None:
            break
        address = html.unescape(older[1])
        assert "recorded_since=2020-01-01" in address
    assert seen == list(range(max(seen), 0, -1))
    assert ">Newer<" in text
    lines = csv.DictReader(io.StringIO(rev.get("/s/maize/trail.csv").text))
    positions = [int(line["position"]) for line in lines]
    assert positions == list(range(1, len(positions) + 1))
    assert len(positions) >= len(seen)


def test_an_event_says_when_by_whom_and_what_it_rests_on(service: Service) -> None:
    text = page(service, f"e/{WORKSHOP}", "rev").text
    assert "12 Jan 2026, 10:00 (UTC+02:00)" in text
    assert 'href="/s/maize/e/2"' in text  # the opinion
    assert "dry months" not in text  # a reviewer reads no personal data
    assert "They spoke of the dry months." in page(service, f"e/{WORKSHOP}", "ana").text
    rev = service.as_("rev").http
    WebDriverWait(service, PATIENCE).until(  # type: ignore[type-var]
        lambda _: rev.get(f"/s/maize/e/{WORKSHOP}/receipt").status_code == 200
    )
    assert "par-leaf/1" in rev.get(f"/s/maize/e/{WORKSHOP}").text
    assert rev.get(f"/s/maize/e/{WORKSHOP}/receipt").text.startswith("c2sp.org/tlog-proof")


def test_a_correction_is_shown_on_both_of_its_sides(service: Service) -> None:
    ana = service.as_("ana")
    correction = ana.record("correct", "2026-02-01T10:00Z", corrects=WORKSHOP,
                            eventType="WorkshopHeld", subject="workshop:w-1",
                            standing={"technique": "river of life"}, why="Misheard.")  # fmt: skip
    first = page(service, f"e/{WORKSHOP}?at_least={correction}").text
    assert "This was corrected since" in first
    assert f'href="/s/maize/e/{correction}"' in first
    assert f'href="/s/maize/e/{WORKSHOP}"' in page(service, f"e/{correction}").text
    assert f'href="/s/maize/e/{WORKSHOP}"' in page(service, "trail?corrected=yes").text


def test_an_audit_is_opened_a_finding_raised_and_answered_by_whom_it_is_for(
    service: Service,
) -> None:
    rev, ana = service.as_("rev").http, service.as_("ana").http
    assert "Open an audit" not in ana.get("/s/maize/findings").text
    opened = {"audit": "visit-1", "committee": "University REC"}
    assert ana.post("/s/maize/findings/audit", data=opened).status_code == 422
    begun = rev.post("/s/maize/findings/audit", data=opened)
    assert begun.status_code == 303
    assert "visit-1" in rev.get(begun.headers["location"]).text

    raised = {"audit": "visit-1", "audit_finding": "late report", "severity": "breach",
              "question": "15", "positions": f"#{HARM}"}  # fmt: skip
    refused = rev.post("/s/maize/findings/raise", data=raised)
    assert refused.status_code == 422
    assert "It is not on record yet." in refused.text
    assert 'value="late report"' in refused.text  # nothing that was typed is lost
    taken = rev.post("/s/maize/findings/raise", data=raised | {"audit_finding": "late-report"})
    assert taken.status_code == 303
    shown = rev.get(taken.headers["location"]).text
    assert f'proved by <a class="proof" href="/s/maize/e/{HARM}">' in shown

    answer = {"audit_finding": "late-report", "accepted": "true", "answer": "We ring at once now."}
    told = ana.post("/s/maize/findings/answer", data=answer)
    assert told.status_code == 303
    assert "We ring at once now." in ana.get(told.headers["location"]).text
    seen = rev.get(told.headers["location"]).text
    assert "The study accepts it" in seen
    assert "We ring at once now." in seen  # the committee reads what it is answered


def test_a_form_that_is_sent_twice_is_recorded_once(service: Service) -> None:
    rev = service.as_("rev").http
    form = rev.get("/s/maize/findings").text
    command = re.findall(r'name="command_id" value="([^"]+)"', form)[-1]
    sent = {"audit": "visit-2", "committee": "University REC", "command_id": command}
    first, again = (rev.post("/s/maize/findings/audit", data=sent) for _ in range(2))
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    assert rev.get(first.headers["location"]).status_code == 200
    lines = csv.DictReader(io.StringIO(rev.get("/s/maize/trail.csv?tag=audit:visit-2").text))
    assert [line["type"] for line in lines] == ["AuditOpened"]


def test_every_page_of_the_desk_has_no_barriers_in_light_and_dark_at_every_size(
    browser: Chrome, service: Service
) -> None:
    sign_in(browser, service, "rev")
    requested(browser)
    for path in PAGES:
        is_open_to_everybody(browser, f"http://{service.address}/s/maize/{path}")
    assert hosts(requested(browser)) == {service.address}
    assert complaints(browser) == []


def test_from_a_question_to_its_proof_by_keyboard_alone(browser: Chrome, service: Service) -> None:
    sign_in(browser, service, "rev")
    sized(browser, 1440)
    browser.get(f"http://{service.address}/s/maize/audit")
    summary = browser.find_element(By.CSS_SELECTOR, "#q17 summary")
    summary.send_keys(Keys.ENTER)
    for _ in range(2):  # the table, which scrolls, then the first proof in it
        browser.switch_to.active_element.send_keys(Keys.TAB)
    proof = browser.switch_to.active_element
    assert proof.get_attribute("class") == "proof"
    proof.send_keys(Keys.ENTER)
    patiently(browser).until(lambda b: "/e/" in b.current_url)
    assert browser.find_element(By.TAG_NAME, "h1").text


def test_questions_and_filters_work_without_scripts(browser: Chrome, service: Service) -> None:
    sign_in(browser, service, "rev")
    sized(browser, 1440)
    debug(browser, "Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.get(f"http://{service.address}/s/maize/audit")
        browser.find_element(By.CSS_SELECTOR, "#q17 summary").send_keys(Keys.ENTER)
        assert browser.find_element(By.CSS_SELECTOR, "#q17 .proof").is_displayed()
        browser.get(f"http://{service.address}/s/maize/trail")
        browser.find_element(By.CSS_SELECTOR, ".filters summary").send_keys(Keys.ENTER)
        browser.find_element(By.ID, "f-participant").send_keys("p-2", Keys.ENTER)
        patiently(browser).until(lambda b: "participant=p-2" in b.current_url)
        assert "with these filters" in browser.find_element(By.TAG_NAME, "main").text
    finally:
        debug(browser, "Emulation.setScriptExecutionDisabled", value=False)


def test_on_paper_every_answer_is_open_and_what_is_to_be_pressed_is_gone(
    browser: Chrome, service: Service
) -> None:
    sign_in(browser, service, "rev")
    browser.get(f"http://{service.address}/s/maize/audit")
    debug(browser, "Emulation.setEmulatedMedia", media="print")
    try:
        assert not browser.find_element(By.CSS_SELECTOR, ".as-of").is_displayed()
        assert not browser.find_element(By.CSS_SELECTOR, ".tabs").is_displayed()
        heights = "return [...document.querySelectorAll('.answer')].map((a) => a.offsetHeight)"
        assert all(height > 0 for height in browser.execute_script(heights))
    finally:
        debug(browser, "Emulation.setEmulatedMedia", media="")
