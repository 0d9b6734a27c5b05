"""Consent at the desk: who allows what, through time; granting, withdrawing, and one's own page."""

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
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
    is_open_to_everybody,
    overflows,
    patiently,
    requested,
    sign_in,
    sized,
)
from tests.desk import desk
from tests.serving import Service

PAGES = ("consent", "p/p-2", "p/p-1?at=2026-01-08&known=soon")


@pytest.fixture(scope="module")
def service(postgres_server: str, migrated_template: str) -> Iterator[Service]:
    with desk(postgres_server, migrated_template) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("browser")) as chrome:
        yield chrome


def enrolled(service: Service, participant: str) -> httpx.Client:
    """A new participant, for one test alone; and ana, who takes their consent."""
    ana = service.as_("ana")
    last = ana.record("enrolParticipant", "2026-01-10T09:00Z", participant=participant)
    assert ana.http.get("/s/maize/consent", params={"at_least": last}).status_code == 200
    return ana.http


def granted(ana: httpx.Client, participant: str, *permissions: str) -> str:
    """Their consent by the form; gives the page that follows."""
    form = {
        "permissions": list(permissions),
        "form_version": "2",
        "signed_on": "2026-01-10",
        "when": "2026-01-10T10:00",
    }
    sent = ana.post(f"/s/maize/p/{participant}/grant", data=form)
    assert sent.status_code == 303, sent.text
    return ana.get(sent.headers["location"]).text


def standing(text: str) -> dict[str, str]:
    """Where each permission stands in the end, by the picture's own words."""
    lane = r'class="axis">([a-z ]+)</text>(?:(?!class="axis").)*?class="now">([^<]+)'
    lanes = re.findall(lane, text, re.DOTALL)
    return dict(lanes)


def test_everyones_permissions_are_on_one_page(service: Service) -> None:
    text = service.as_("rev").http.get("/s/maize/consent?at_least=13").text
    row = re.search(r'<tr><th scope="row"><a[^>]*>p-2</a>.*?</tr>', text, re.DOTALL)
    assert row is not None
    assert 'class="state withdrawn"' in row[0]
    assert 'class="state given"' not in row[0]
    assert "not yet" in text  # the committee was not told of the withdrawal
    found = service.as_("rev").http.get("/s/maize/consent?participant=p-2")
    assert found.headers["location"] == "/s/maize/p/p-2"
    assert (
        "Nobody is enrolled as x-9."
        in service.as_("rev").http.get("/s/maize/consent?participant=x-9").text
    )


def test_a_participants_permissions_are_shown_in_both_times(service: Service) -> None:
    rev = service.as_("rev").http
    assert standing(rev.get("/s/maize/p/p-2").text)["workshop"] == "withdrawn"
    then = rev.get("/s/maize/p/p-2?at=2026-01-15").text
    assert standing(then)["workshop"] == "given"
    assert "They take it back" not in then  # what is over cannot be changed
    unknown = rev.get("/s/maize/p/p-2?at=2026-01-21&known=2026-01-21").text
    assert "They have not been asked for anything by then, as far as was known." in unknown


def test_consent_is_for_those_who_may_audit_and_words_for_fewer(service: Service) -> None:
    for path in PAGES:
        assert service.as_("vic").http.get(f"/s/maize/{path}").status_code == 403
        assert service.as_("pat").http.get(f"/s/maize/{path}").status_code == 403
        assert service.as_("eve").http.get(f"/s/maize/{path}").status_code == 404
    seen = service.as_("ana").http.get("/s/maize/p/p-2").text
    assert "I have had enough." in seen
    assert "Name of p-2" in seen
    reviewed = service.as_("rev").http.get("/s/maize/p/p-2").text
    assert "I have had enough." not in reviewed
    assert "Name of p-2" not in reviewed
    assert "They agree" not in reviewed  # a reviewer takes no consent, but may record a withdrawal
    assert "They take it back" in reviewed


def test_to_grant_and_to_withdraw_is_one_form_each(service: Service) -> None:
    ana = enrolled(service, "p-3")
    after = granted(ana, "p-3", "workshop", "audio")
    assert standing(after) == {"workshop": "given", "audio": "given"}
    taken = ana.post("/s/maize/p/p-3/withdraw", data={"permissions": "audio"})
    assert taken.status_code == 303
    assert standing(ana.get(taken.headers["location"]).text)["audio"] == "withdrawn"
    everything = ana.post("/s/maize/p/p-3/withdraw", data={})  # nothing has to be named
    assert everything.status_code == 303
    assert standing(ana.get(everything.headers["location"]).text)["workshop"] == "withdrawn"


def test_who_may_not_see_consent_is_told_of_the_withdrawal_they_record(service: Service) -> None:
    ana = enrolled(service, "p-8")
    granted(ana, "p-8", "workshop", "audio")
    vic, pat = service.as_("vic").http, service.as_("pat").http
    form = {"permissions": "audio", "scope": "no_further_use", "command_id": str(uuid4())}
    for _ in range(2):  # sent once more, as when the page is loaded anew
        done = vic.post("/s/maize/p/p-8/withdraw", data=form)
        assert done.status_code == 200, done.text
        assert "The withdrawal of p-8 is on record" in done.text
        assert "sound recordings of them" in done.text
        assert "workshops" not in done.text  # nothing but what they sent is told
        assert "<par-news" not in done.text  # an answer to a form cannot be shown anew
    at = re.search(r"on record as <code>#(\d+)</code>", done.text)
    assert at is not None
    stands = standing(ana.get(f"/s/maize/p/p-8?at_least={at[1]}").text)
    assert stands == {"workshop": "given", "audio": "withdrawn"}
    own = pat.post("/s/maize/p/p-1/withdraw", data={"permissions": "photo"})
    assert (own.status_code, "photographs of you" in own.text) == (200, True)
    everything = vic.post("/s/maize/p/p-8/withdraw", data={})
    assert "everything" in everything.text


def test_who_may_not_see_consent_is_told_why_a_withdrawal_is_not_on_record(
    service: Service,
) -> None:
    vic, pat = service.as_("vic").http, service.as_("pat").http
    form = {"permissions": "audio", "words": "No more.", "when": "soon"}
    odd = vic.post("/s/maize/p/p-2/withdraw", data=form)
    assert (odd.status_code, "is no day and time" in odd.text) == (422, True)
    assert "No more.</textarea>" in odd.text  # nothing that was filled in is lost
    assert 'value="audio" checked' in odd.text
    unknown = vic.post("/s/maize/p/x-9/withdraw", data={})
    assert (unknown.status_code, "No participant x-9 is on record" in unknown.text) == (422, True)
    others = pat.post("/s/maize/p/p-2/withdraw", data={})
    assert (others.status_code, "not for p-2" in others.text) == (422, True)


def test_a_refusal_says_why_and_keeps_what_was_filled_in(service: Service) -> None:
    ana = enrolled(service, "p-4")
    form = {"permissions": "workshop", "form_version": "2", "method": "verbal_witnessed",
            "signed_on": "2099-01-01"}  # fmt: skip
    refused = ana.post("/s/maize/p/p-4/grant", data=form)
    assert refused.status_code == 422
    assert "needs one; name the witness" in refused.text
    assert "lies in the future" in refused.text
    assert 'value="workshop" checked' in refused.text
    assert 'value="2099-01-01"' in refused.text
    odd = ana.post("/s/maize/p/p-4/withdraw", data={"when": "soon"})
    assert odd.status_code == 422
    assert 'value="soon" aria-invalid="true"' in odd.text
    nothing = ana.post("/s/maize/p/p-4/grant", data={"form_version": "2"})
    assert nothing.status_code == 422
    blank = ana.post("/s/maize/p/p-4/grant", data={"permissions": "workshop", "form_version": " "})
    assert "formVersion is missing; give it." in blank.text
    assert re.search(r'id="form_version"[^>]* aria-invalid="true"', blank.text)


def test_forms_of_other_sites_and_other_roles_are_refused(service: Service) -> None:
    ana = enrolled(service, "p-5")
    for doing in ("grant", "withdraw", "receipt"):
        away = ana.post(f"/s/maize/p/p-5/{doing}", headers={"sec-fetch-site": "cross-site"})
        assert away.status_code == 403
    vic = service.as_("vic").http
    form = {"permissions": "workshop", "form_version": "2"}
    assert vic.post("/s/maize/p/p-5/grant", data=form).status_code == 403
    assert vic.post("/s/maize/p/p-5/receipt", data={"consent": "1"}).status_code == 403
    assert "They have not been asked for anything" in ana.get("/s/maize/p/p-5").text


def test_with_the_receipts_code_they_see_what_is_theirs_and_take_it_back(
    service: Service,
) -> None:
    ana = enrolled(service, "p-6")
    after = granted(ana, "p-6", "workshop", "interview")
    consent = re.search(r'name="consent" value="(\d+)"', after)
    assert consent is not None
    last = service.as_("ana").record("holdInterview", "2026-01-14T10:00Z", session="i-6",
                                     cycle="c-1", participants=["p-6"], minutes=30,
                                     place="HOME")  # fmt: skip
    shown = ana.post("/s/maize/p/p-6/receipt", data={"consent": consent[1]})
    assert shown.status_code == 200, shown.text
    code = re.search(r'<p class="code"><code>([^<]+)</code>', shown.text)
    assert code is not None
    assert "Take part in interviews" in shown.text

    anyone = httpx.Client(base_url=str(ana.base_url), timeout=30)
    with anyone:
        door = anyone.get("/withdraw").text
        assert 'formaction="/withdraw/mine"' in door
        mine = anyone.post("/withdraw/mine", data={"code": code[1]})
        assert mine.status_code == 200, mine.text
        assert mine.headers["cache-control"] == "no-store"
        assert "Taking part in workshops" in mine.text
        assert "1 interview with you" in mine.text
        assert "p-1" not in mine.text
        assert "p-2" not in mine.text
        assert anyone.post("/withdraw/mine", data={"code": "maize.wrong"}).status_code == 404
        done = anyone.post("/withdraw", data={"code": code[1], "permissions": "interview"})
        assert "You took back: being interviewed." in done.text
        again = anyone.post("/withdraw/mine", data={"code": code[1]}).text
        assert "you took it back" in again
    by_code = re.search(r"name this number: (\d+)", done.text)
    assert by_code is not None
    assert int(by_code[1]) > last
    assert "by their own code" in ana.get(f"/s/maize/p/p-6?at_least={by_code[1]}").text


def test_consent_pages_have_no_barriers_in_light_and_dark_at_every_size(
    browser: Chrome, service: Service
) -> None:
    sign_in(browser, service, "ana")
    requested(browser)
    for path in (*(f"/s/maize/{path}" for path in PAGES), "/withdraw"):
        is_open_to_everybody(browser, f"http://{service.address}{path}")
    assert hosts(requested(browser)) == {service.address}
    assert complaints(browser) == []


def test_consent_is_withdrawn_by_keyboard_alone(browser: Chrome, service: Service) -> None:
    granted(enrolled(service, "p-7"), "p-7", "workshop")
    sign_in(browser, service, "ana")
    sized(browser, 1440)
    browser.get(f"http://{service.address}/s/maize/p/p-7")
    words = browser.find_element(By.ID, "words")
    words.send_keys("No more.")
    for _ in range(12):  # past the parts of the day and the time, which are now
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.switch_to.active_element.text == "Record that they take it back":
            break
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    patiently(browser).until(
        lambda b: "Nobody has to agree" in b.find_element(By.TAG_NAME, "main").text
    )
    assert barriers(browser) == []


SENT = """{
const form = document.createElement('form')
form.method = 'post'
form.action = '%s'
document.body.append(form)
form.submit()
}"""


@pytest.mark.parametrize(
    ("participant", "said"), [("p-2", "is on record as"), ("x-9", "It is not on record yet")]
)
def test_what_a_viewer_is_told_of_a_withdrawal_has_no_barriers(
    browser: Chrome, service: Service, participant: str, said: str
) -> None:
    sign_in(browser, service, "vic")
    for scheme, width in (("light", 1440), ("dark", 360)):
        in_scheme(browser, scheme)
        sized(browser, width)
        browser.get(f"http://{service.address}/s/maize")
        send = SENT % f"/s/maize/p/{participant}/withdraw"
        debug(browser, "Runtime.evaluate", expression=send)  # no page of a viewer's has the form
        patiently(browser).until(lambda b: said in b.find_element(By.TAG_NAME, "main").text)
        assert (barriers(browser), max(0, overflows(browser))) == ([], 0)
