"""From the service to the committee's table: bundles, a witness, and cosigning when it meets."""

import asyncio
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.application import application
from service.identity import DemoIssuer
from service.sealing import verify
from service.sealing.asking_witnesses import WitnessNamed
from service.settings import Settings
from tests.conftest import Database, home_of
from tests.graphql_under_test import served
from tests.processes import parcycle, started
from tests.recording import events_of
from tests.serving import Service, prepare, serving, whole_cycle
from tests.test_seal_over_http import get, keys_of, sealed_through


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        yield running


def checked(bundle: bytes, service: Service) -> verify.Bundle:
    """What the log's own key alone vouches for."""
    logs = "".join(f"log {key}\n" for key in keys_of(service.people[0]))
    return verify.Bundle(f"{logs}quorum none\n", io.BytesIO(bundle))


def test_each_gets_what_their_role_may_read(service: Service, database: Database) -> None:
    ana = service.as_("ana")
    prepare(ana)
    ana.record("joinMember", "2026-01-09T09:00Z", member="rita", role="ETHICS_REVIEWER")
    ana.record("joinMember", "2026-01-09T09:00Z", member="vic", role="VIEWER")
    last = whole_cycle(ana)
    sealed_through(ana, last)
    rita, vic, eve = (service.as_(name) for name in ("rita", "vic", "eve"))
    where = ana.ask('{ it: evidenceBundle(study: "maize") }')["it"]
    hers = ana.http.get(where)
    assert hers.status_code == 200
    assert hers.headers["content-type"] == "application/zip"
    assert hers.headers["content-disposition"] == 'attachment; filename="maize.zip"'
    assert int(hers.headers["content-length"]) == len(hers.content)
    open_, closed = (
        checked(hers.content, service),
        checked(get(rita, "maize/bundle").content, service),
    )
    assert open_.found == closed.found == {}
    assert open_.sealed == 0 < closed.sealed
    assert open_.size >= last
    assert get(vic, "maize/bundle").status_code == 403
    assert vic.post('{ it: evidenceBundle(study: "maize") }').json()["errors"]
    for study in ("maize", "nothing"):
        assert eve.ask(f'{{ it: evidenceBundle(study: "{study}") }}') == {"it": None}
    there, nowhere = get(eve, "maize/bundle"), get(eve, "nothing/bundle")
    assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
    assert get(ana, "maize/bundle?cosignedBy=nobody").status_code == 404
    readers = set[str]()
    give_up = time.monotonic() + 20
    while readers < {"ana", "rita"} and time.monotonic() < give_up:
        time.sleep(0.2)
        events = asyncio.run(events_of(database.service_url, "maize"))
        readers = {row["actor"] for row in events if b'"export"' in row["payload"]}
    assert readers == {"ana", "rita"}  # whoever took a copy is on record (question 18)


def test_a_service_a_witness_and_a_committee(database: Database, tmp_path: Path) -> None:
    """Our own witness cosigns our own service's checkpoints, and the committee verifies both."""
    made = parcycle("witness", "key", "ethics.example.org/witness", "--file", tmp_path / "key")
    public = re.search(r"ethics\.example\.org/witness\+\S+", made.stdout)
    assert public is not None
    home = home_of(database.service_url)
    (tmp_path / "policy").write_text("quorum none\n")
    with serving(database) as service:  # the log's key is made at the first start
        ana = service.as_("ana")
        prepare(ana)
        sealed_through(ana, 3)
        (log,) = keys_of(ana)
    policy = tmp_path / "policy"
    policy.write_text(f"log {log}\nquorum none\n")
    files = (policy, "--key", tmp_path / "key", "--state", tmp_path / "state")
    with started("witness", *files, "--port", 0) as process:
        url = process.said(r"listens at (http://\S+)/add-checkpoint")[1]
        settings = Settings(home=home, witnesses=[WitnessNamed(url=url, key=public[0])])
        issuer = DemoIssuer("parcycle")
        store = replace(database.store, settings=settings)
        with served(application(store, issuer.identity, demo=issuer)) as address:
            again = Service(address, issuer)
            ana = again.as_("ana")
            last = whole_cycle(ana)
            give_up = time.monotonic() + 40
            size = 0
            while size < last and time.monotonic() < give_up:
                time.sleep(0.2)
                answer = get(ana, "maize/bundle?cosignedBy=ethics.example.org/witness")
                if answer.status_code == 200:
                    policy.write_text(
                        f"log {log}\nwitness ethics {public[0]} {url}\nquorum ethics\n"
                    )
                    bundle = verify.Bundle(policy.read_text(), io.BytesIO(answer.content))
                    assert bundle.found == {}
                    size = bundle.size
            again.close()
    assert size >= last


def test_a_committee_that_meets(database: Database, tmp_path: Path) -> None:
    """What it cosigned by hand is in the bundle, and what it accepted last holds for the next."""
    made = parcycle("witness", "key", "library.example.org", "--file", tmp_path / "key")
    public = re.search(r"library\.example\.org\+\S+", made.stdout)
    assert public is not None
    at = {
        "DATABASE_URL": database.service_url,
        "PARCYCLE_HOME": str(home_of(database.service_url)),
        "PARCYCLE_WITNESSES": json.dumps([{"key": public[0]}]),
    }
    policy, request, cosigned, file = (
        tmp_path / name for name in ("policy", "request", "cosigned", "bundle.zip")
    )

    def ran(*arguments: object) -> str:
        done = parcycle(*arguments, **at)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def the_committee_meets() -> None:
        ran("seal", "request", "maize", "--out", request)
        own = ("--policy", policy, "--key", tmp_path / "key", "--state", tmp_path / "state")
        ran("cosign", request, *own, "--out", cosigned)
        ran("seal", "cosigned", "maize", cosigned)
        ran("bundle", "maize", file, "--member", "ana", "--cosigned-by", "library.example.org")
        accepted = ("--accepted", tmp_path / "accepted", "--accept")
        assert "All of this bundle holds." in ran("verify", policy, file, *accepted)

    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        sealed_through(ana, whole_cycle(ana))
        policy.write_text(f"log {keys_of(ana)[0]}\nwitness library {public[0]}\nquorum library\n")
    the_committee_meets()
    assert file.stat().st_mode & 0o777 == 0o600
    with serving(database) as service:  # a month goes by
        ana = service.as_("ana")
        later = ana.record("openCycle", "2026-05-01T09:00Z", cycle="c-9", title="T", question="Q?")
        sealed_through(ana, later)
    the_committee_meets()
    stranger = parcycle("bundle", "maize", file, "--member", "eve", **at)
    assert stranger.returncode == 1
    assert "No such study, or you have no role in it" in stranger.stderr
