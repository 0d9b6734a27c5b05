"""A study's team and its committee, each at its own terminal: it cosigns at once, or by hand."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from service.sealing.checkpoints import require_head
from service.sealing.signed_notes import Note, VerifierKey
from tests.conftest import Database
from tests.processes import parcycle, service_process, started
from tests.serving import Person, Service, prepare

ORIGIN = "localhost/parcycle/maize"
SEALED = """{ checkpoint(study: "maize") {
    size note keys cosignatures { witness cosignedAt } } }"""


def key_of(folder: Path, name: str) -> str:
    """Make the key of somebody on the committee's side; gives its public half."""
    made = parcycle("witness", "key", name, "--file", folder / "key")
    assert made.returncode == 0, made.stderr
    return made.stdout.splitlines()[-1]


def policy_of(folder: Path, home: Path) -> Path:
    """The committee's policy, with the log's key as the study's team gives it."""
    keys = parcycle("seal", "keys", "maize", PARCYCLE_HOME=str(home))
    assert keys.returncode == 0, keys.stderr
    file = folder / "policy"
    file.write_text("".join(f"log {key}\n" for key in keys.stdout.split()) + "quorum none\n")
    return file


def sealed(person: Person, position: int, *, cosigned: bool = False) -> dict[str, Any]:
    """The latest checkpoint, once it seals that position, and is cosigned if that is asked for."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        found: dict[str, Any] | None = person.ask(SEALED)["checkpoint"]
        if found and found["size"] >= position and (found["cosignatures"] or not cosigned):
            return found
        time.sleep(0.1)
    pytest.fail("it was not sealed, or not cosigned")


def a_study(service: Service) -> tuple[Person, int]:
    ana = service.as_("ana")
    prepare(ana)
    last = ana.record("openCycle", "2026-02-01T09:00Z", cycle="c-2", title="T", question="Q?")
    return ana, last


def test_a_witness_that_the_committee_runs_cosigns_at_once(
    database: Database, tmp_path: Path
) -> None:
    home, theirs = tmp_path / "home", tmp_path / "committee"
    theirs.mkdir()
    key, policy = key_of(theirs, "ethics.example.org/witness"), policy_of(theirs, home)
    files = ("--key", theirs / "key", "--state", theirs / "state")
    with started("witness", policy, *files, "--port", 0) as witness:
        url = witness.said(r"listens at (http://\S+)/add-checkpoint")[1]
        named = json.dumps([{"url": url, "key": key}])
        settings = {"PARCYCLE_HOME": str(home), "PARCYCLE_WITNESSES": named}
        with service_process(database, tmp_path, settings=settings) as (service, _):
            ana, last = a_study(service)
            found = sealed(ana, last, cosigned=True)
            known = [*map(VerifierKey.parse, found["keys"]), VerifierKey.parse(key)]
            head = require_head(Note.parse(found["note"].encode()), ORIGIN, known)
            assert [str(each.key) for each in head.cosignatures] == [key]
            assert found["cosignatures"][0]["witness"] == "ethics.example.org/witness"


def test_a_committee_that_meets_cosigns_by_hand(database: Database, tmp_path: Path) -> None:
    home, theirs = tmp_path / "home", tmp_path / "committee"
    theirs.mkdir()
    key, policy = key_of(theirs, "ethics.example.org/committee"), policy_of(theirs, home)
    settings = {"PARCYCLE_HOME": str(home), "PARCYCLE_WITNESSES": json.dumps([{"key": key}])}
    there = settings | {"DATABASE_URL": database.service_url}

    def at_the_study(*arguments: object) -> str:
        done = parcycle("seal", *arguments, **there)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def the_committee_meets(said: str) -> None:
        asked = tmp_path / "request"
        assert said in at_the_study("request", "maize", "--out", asked)
        files = ("--key", theirs / "key", "--state", theirs / "state", "--out", theirs / "out")
        done = parcycle("cosign", asked, "--policy", policy, *files)
        assert done.returncode == 0, done.stderr

    with service_process(database, tmp_path, settings=settings) as (service, _):
        ana, last = a_study(service)
        size = sealed(ana, last)["size"]
        the_committee_meets("to those who cosigned 0 last")
        told = at_the_study("cosigned", "maize", theirs / "out")
        assert f"ethics.example.org/committee cosigned {size} events at 20" in told
        [by] = sealed(ana, last)["cosignatures"]
        assert by["witness"] == "ethics.example.org/committee"
        more = ana.record("openCycle", "2026-02-02T09:00Z", cycle="c-3", title="T", question="Q?")
        sealed(ana, more)
        the_committee_meets(f"to those who cosigned {size} last")
        at_the_study("cosigned", "maize", theirs / "out")
        assert at_the_study("show", "maize").count("ethics.example.org/committee, 20") == 2
    altered = theirs / "altered"
    altered.write_text((theirs / "out").read_text().replace("maize\n", "water\n", 1))
    for file, study, why in (
        (altered, "maize", "not over this note"),
        (theirs / "out", "water", "Not signed"),
        (tmp_path / "request", "maize", "not over this note"),
    ):
        done = parcycle("seal", "cosigned", study, file, **there)
        assert done.returncode == 1
        assert why in done.stderr
