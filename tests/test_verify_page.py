"""A bundle is dropped on a page, and verified by verify.py itself: what holds, what does not."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from service.pages import verify_page
from tests.browsing import (
    barriers,
    chromium,
    complaints,
    hosts,
    is_open_to_everybody,
    overflows,
    patiently,
    requested,
    sign_in,
    sized,
)
from tests.desk import desk
from tests.serving import Service
from tests.test_seal_over_http import keys_of, sealed_through

FORM = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def service(postgres_server: str, migrated_template: str) -> Iterator[Service]:
    with desk(postgres_server, migrated_template) as running:
        sealed_through(running.people[0], 13)
        yield running


@pytest.fixture(scope="module")
def bundle(service: Service) -> bytes:
    return service.as_("rev").http.get("/parcycle/maize/bundle").content


@pytest.fixture(scope="module")
def policy(service: Service) -> str:
    logs = "".join(f"log {key}\n" for key in keys_of(service.people[0]))
    return f"{logs}quorum none\n"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("browser")) as chrome:
        yield chrome


def sent(service: Service, bundle: bytes, policy: str, accepted: str = "") -> httpx.Response:
    files = {"bundle": ("maize.zip", bundle), "policy": ("policy", policy.encode())}
    if accepted:
        files["accepted"] = ("accepted", accepted.encode())
    return service.as_("rev").http.post("/verify", files=files, headers=FORM)


def test_a_bundle_that_holds_is_said_to_in_the_words_of_verify_py(
    service: Service, bundle: bytes, policy: str
) -> None:
    answer = sent(service, bundle, policy)
    assert answer.status_code == 200
    assert "<h1>All of this bundle holds</h1>" in answer.text
    assert re.search(r"events +1 to \d+, none missing, none changed", answer.text)
    assert "compared with nothing you accepted before" in answer.text
    assert "Keep its checkpoint as your last accepted" in answer.text
    assert "the word of the server that keeps the record" in answer.text


def test_it_is_held_against_the_checkpoint_that_was_accepted_last(
    service: Service, bundle: bytes, policy: str
) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        before = archive.read("checkpoint").decode()
    ana = service.as_("ana")
    last = ana.record("openCycle", "2026-02-01T09:00Z", cycle="c-2", title="T", question="Q?")
    now = str(sealed_through(ana, last))
    later = ana.http.get("/parcycle/maize/bundle").content
    assert "<h1>All of this bundle holds</h1>" in sent(service, later, policy, before).text
    older = sent(service, bundle, policy, now)
    assert "<h1>This bundle does not hold</h1>" in older.text
    assert "ROLLED BACK" in older.text


def test_what_does_not_hold_or_cannot_be_told_is_said_apart(
    service: Service, bundle: bytes, policy: str
) -> None:
    damaged = sent(service, bundle[:-100], policy)
    assert "<h1>Whether this bundle holds cannot be told</h1>" in damaged.text
    assert "FORMAT" in damaged.text
    nobody = sent(service, bundle, "quorum none\n")
    assert "SIGNATURE" in nobody.text
    nonsense = sent(service, bundle, "this is no policy <b>")
    assert "POLICY" in nonsense.text
    assert "<b>" not in nonsense.text.partition("<pre>")[2].partition("</pre>")[0]
    neither = service.as_("rev").http.post("/verify", data={"policy_text": policy}, headers=FORM)
    assert neither.status_code == 422
    assert "both are needed" in neither.text


def test_a_file_that_would_fill_the_memory_is_given_up(
    service: Service, bundle: bytes, policy: str
) -> None:
    """A zip of which a file unpacks to a thousand million bytes, with a digest that fits."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with zipfile.ZipFile(io.BytesIO(bundle)) as honest:
            archive.writestr("checkpoint", honest.read("checkpoint"))
        with archive.open(f"checkpoints/{1:020}", "w", force_zip64=True) as member:
            for _ in range(1_000):
                member.write(bytes(1_000_000))
        archive.comment = b"par-bundle/1 sha256:" + b"0" * 64
    raw = made.getvalue()[:-64]
    answer = sent(service, raw + sha256(raw).hexdigest().encode(), policy)
    assert answer.status_code == 200
    assert "<h1>Whether this bundle holds cannot be told</h1>" in answer.text
    assert "is not a checkpoint" in answer.text


def test_nothing_that_was_sent_is_kept(
    service: Service, bundle: bytes, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert sent(service, bundle, policy).status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_anybody_may_read_the_page_and_members_may_use_it(
    service: Service, bundle: bytes, policy: str
) -> None:
    with httpx.Client(base_url=f"http://{service.address}", timeout=30) as anyone:
        page = anyone.get("/verify")
        assert page.status_code == 200
        assert 'type="file"' not in page.text
        files = {"bundle": ("b.zip", bundle), "policy": ("policy", policy.encode())}
        assert anyone.post("/verify", files=files).status_code == 401
        away = {"sec-fetch-site": "cross-site"}
        assert anyone.post("/verify", files=files, headers=away).status_code == 403
        program = anyone.get("/verify.py")
        assert sha256(program.content).hexdigest() in page.text


def test_the_program_that_is_downloaded_verifies_by_itself(
    service: Service, bundle: bytes, policy: str, tmp_path: Path
) -> None:
    program = service.as_("rev").http.get("/verify.py").content
    assert program == verify_page.PROGRAM
    for name, content in (("v.py", program), ("policy", policy.encode()), ("b.zip", bundle)):
        (tmp_path / name).write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-I", "v.py", "policy", "b.zip"], cwd=tmp_path, capture_output=True
    )
    assert run.returncode == 0, run.stdout
    assert b"All of this bundle holds." in run.stdout


def test_a_bundle_is_dropped_in_a_browser_and_verified_by_keyboard(
    browser: Chrome, service: Service, bundle: bytes, policy: str, tmp_path: Path
) -> None:
    for name, content in (("maize.zip", bundle), ("policy", policy.encode())):
        (tmp_path / name).write_bytes(content)
    sign_in(browser, service, "rev")
    requested(browser)
    is_open_to_everybody(browser, f"http://{service.address}/verify")
    browser.find_element(By.ID, "bundle").send_keys(str(tmp_path / "maize.zip"))
    browser.find_element(By.ID, "policy").send_keys(str(tmp_path / "policy"))
    browser.find_element(By.CSS_SELECTOR, "#verify .button").send_keys(Keys.ENTER)
    patiently(browser).until(
        lambda b: b.find_element(By.TAG_NAME, "h1").text == "All of this bundle holds"
    )
    for width in (360, 1440):
        sized(browser, width)
        assert overflows(browser) <= 0, width
        assert barriers(browser) == [], width
    assert hosts(requested(browser)) == {service.address}
    assert complaints(browser) == []
