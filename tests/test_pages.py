"""The house that every page stands in: who comes in, what is sent with it, and what is kept."""

import json
import re
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from service.pages import static_files
from service.pages.doors import COOKIE
from tests.conftest import Database
from tests.serving import Service, prepare, serving

PAGES = Path(static_files.__file__).parent
VENDORED = (PAGES / "static" / "fonts", Path(__file__).parent / "vendored")


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        ana = running.as_("ana")
        prepare(ana)
        last = ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
        assert ana.http.get("/s/maize", params={"at_least": last}).status_code == 200
        yield running


def stranger(service: Service) -> httpx.Client:
    """Somebody who is not signed in."""
    person = service.as_("ana")
    person.http.headers.pop("authorization")
    return person.http


def test_a_sign_in_link_leads_to_the_study_and_signing_out_ends_it(service: Service) -> None:
    browser = stranger(service)
    begun = browser.get(f"/sign-in/{service.issuer.link('ana')}", follow_redirects=True)
    assert (begun.status_code, begun.url.path) == (200, "/s/maize")
    assert "Maize and water" in begun.text
    assert "lead researcher" in begun.text

    out = browser.post("/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/")
    assert COOKIE not in browser.cookies
    assert browser.get("/s/maize").status_code == 401


def test_an_access_token_signs_in_by_the_form_and_a_bad_one_does_not(service: Service) -> None:
    browser = stranger(service)
    assert "Access token" in browser.get("/sign-in").text
    refused = browser.post("/sign-in", data={"token": "not.a.token"})
    assert (refused.status_code, COOKIE in browser.cookies) == (401, False)
    assert "The access token is not valid" in refused.text

    taken = browser.post("/sign-in", data={"token": f" {service.issuer.token('ana')}\n"})
    assert taken.status_code == 303
    cookie = taken.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.get("/s/maize").status_code == 200


def test_a_study_is_not_given_away_to_who_has_no_role_in_it(service: Service) -> None:
    eve = service.as_("eve").http
    unknown = eve.get("/s/nosuch")
    there = eve.get("/s/maize")
    assert unknown.status_code == there.status_code == 404
    assert unknown.text.replace("nosuch", "maize") == there.text
    assert "Maize" not in there.text
    assert eve.get("/s/maize/live").status_code == 404
    assert "You have no role in any study yet." in eve.get("/studies").text


def test_every_page_says_what_a_browser_may_do_with_it(service: Service) -> None:
    ana = service.as_("ana").http
    for path in ("/", "/studies", "/sign-in", "/s/maize", "/s/nosuch"):
        page = ana.get(path, follow_redirects=True)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page.text), path
        assert "//" not in re.sub(r'xmlns="[^"]*"', "", page.text), "another host is named"


def test_every_page_of_a_study_says_how_far_it_is_sealed(service: Service) -> None:
    ana, give_up = service.as_("ana").http, time.monotonic() + 60
    while "Sealed up to event <code>#8</code>" not in (page := ana.get("/s/maize").text):
        assert time.monotonic() < give_up, "the record was not sealed"
        time.sleep(0.2)
    assert "not cosigned by a committee yet" in page


def test_a_page_that_fails_says_so_and_gives_nothing_away(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("Ana Pereira, 0151 496 0000")

    monkeypatch.setattr(sys.modules["service.pages.progress"], "_rows", fails)
    page = service.as_("ana").http.get("/s/maize")
    assert (page.status_code, "Something went wrong here" in page.text) == (500, True)
    assert "Pereira" not in page.text


def test_forms_of_other_sites_are_refused(service: Service) -> None:
    browser = stranger(service)
    token = {"token": service.issuer.token("ana")}
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        for form in ("/sign-in", "/sign-out"):
            assert browser.post(form, data=token, headers=headers).status_code == 403
    assert COOKIE not in browser.cookies


def test_a_theme_is_kept_and_leads_back(service: Service) -> None:
    browser = stranger(service)
    assert "data-theme" not in browser.get("/sign-in").text
    chosen = browser.post("/theme", data={"theme": "dark", "back": "/sign-in"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in")
    assert '<html lang="en-GB" data-theme="dark">' in browser.get("/sign-in").text
    for back in ("//evil.example", "/\\evil.example", "https://evil.example"):
        assert browser.post("/theme", data={"theme": "dark", "back": back}).status_code == 400


def test_what_pages_are_made_of_is_kept_for_good_under_its_digest(service: Service) -> None:
    browser = stranger(service)
    page = browser.get("/sign-in").text
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        part = browser.get(address)
        assert (part.status_code, part.headers["cache-control"]) == (200, static_files.FOR_GOOD)
    older = browser.get("/static/0123456789abcdef/page.css")
    assert (older.status_code, older.headers["cache-control"]) == (200, "no-cache")
    for name in ("nothing.css", "../visits.py", "fonts"):
        assert browser.get(f"/static/{static_files.DIGEST}/{name}").status_code == 404


def test_an_unknown_address_is_a_page_for_browsers_and_json_for_programs(service: Service) -> None:
    browser = stranger(service)
    page = browser.get("/nowhere", headers={"accept": "text/html"})
    assert (page.status_code, "There is no such page" in page.text) == (404, True)
    program = browser.get("/nowhere", headers={"accept": "application/json"})
    assert (program.status_code, program.json()["status_code"]) == (404, 404)


def test_vendored_files_are_those_of_their_manifests() -> None:
    for folder in VENDORED:
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        for name, told in manifest["files"].items():
            assert sha256((folder / name).read_bytes()).hexdigest() == told["sha256"], name
        there = {path.name for path in folder.iterdir()}
        assert there == {*manifest["files"], "MANIFEST.json"}
