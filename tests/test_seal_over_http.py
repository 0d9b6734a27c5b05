"""A study's sealed record as members get it: over HTTP at tlog-tiles' paths, and in GraphQL."""

import asyncio
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from service.sealing.checkpoints import Checkpoint, TlogProof, require_head, require_proven
from service.sealing.merkle_tree import (
    leaf_hash,
    require_consistent,
    require_included,
    root_of,
)
from service.sealing.signed_notes import Note, VerifierKey, from_base64
from service.sealing.tiles import leaves_in, split
from tests.conftest import Database
from tests.recording import as_owner
from tests.serving import RECORDED, Person, Service, prepare, serving

ORIGIN = "localhost/parcycle/maize"
LATEST = '{ checkpoint(study: "maize") { size root note signedAt keys cosignatures { witness } } }'


@pytest.fixture
def as_administrator(database: Database) -> Callable[[str], None]:
    """What whoever administers the database can do to it."""

    def run(statement: str) -> None:
        asyncio.run(as_owner(database, statement))

    return run


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        yield running


def get(person: Person, path: str) -> httpx.Response:
    return person.http.get(f"/parcycle/{path}")


def sealed_through(person: Person, position: int) -> Note:
    """The checkpoint, once it seals that position."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        answer = get(person, "maize/checkpoint")
        if answer.status_code == 200:
            note = Note.parse(answer.content)
            if Checkpoint.parse(note.text).size >= position:
                return note
        time.sleep(0.05)
    pytest.fail(f"position {position} was not sealed")


def keys_of(person: Person) -> list[VerifierKey]:
    return [VerifierKey.parse(key) for key in person.ask(LATEST)["checkpoint"]["keys"]]


def test_a_members_copy_of_the_log_has_the_root_that_was_signed(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    last = ana.record("openCycle", "2026-02-01T09:00Z", cycle="c-2", title="T", question="Q?")
    note = sealed_through(ana, last)
    head = require_head(note, ORIGIN, keys_of(ana)).checkpoint
    entries = get(ana, f"maize/tile/entries/000.p/{head.size}")
    leaves = leaves_in(entries.content)
    assert len(leaves) == head.size >= last
    assert root_of([leaf_hash(leaf) for leaf in leaves]) == head.root
    tile = get(ana, f"maize/tile/0/000.p/{head.size}")
    assert split(tile.content) == [leaf_hash(leaf) for leaf in leaves]
    assert leaves[0].split(b"\n")[:2] == [b"par-leaf/1", ORIGIN.encode()]
    assert leaves[0].split(b"\n")[3].startswith(b"StudyOpened/")
    for answer in (entries, tile):
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    checkpoint = get(ana, "maize/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert "no-cache" in checkpoint.headers["cache-control"]


def test_nobody_without_a_role_learns_that_there_is_a_study(service: Service) -> None:
    ana, eve = service.as_("ana"), service.as_("eve")
    prepare(ana)
    sealed_through(ana, 1)
    paths = ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "tile/nothing"]
    for path in paths:
        there, nowhere = get(eve, f"maize/{path}"), get(eve, f"nothing/{path}")
        assert there.status_code == nowhere.status_code == 404
        assert there.content == nowhere.content
        unknown = httpx.get(f"http://{service.address}/parcycle/maize/{path}")
        assert unknown.status_code in (401, 404)
        elsewhere = httpx.get(f"http://{service.address}/parcycle/nothing/{path}")
        assert (unknown.status_code, unknown.content) == (
            elsewhere.status_code, elsewhere.content,
        )  # fmt: skip
    fields = [
        "checkpoint(study: $s) { size }",
        "inclusionProof(study: $s, position: 1) { hashes }",
        "consistencyProof(study: $s, from: 0, to: 1) { hashes }",
        "receipt(study: $s, position: 1) { proof }",
    ]
    for field in fields:
        for study in ("maize", "nothing"):
            found = eve.ask(f"query($s: ID!) {{ it: {field} }}", s=study)
            assert found == {"it": None}


def test_a_viewer_sees_that_it_is_sealed_and_not_who_took_part(service: Service) -> None:
    ana, vic = service.as_("ana"), service.as_("vic")
    prepare(ana)
    last = ana.record("joinMember", "2026-02-01T09:00Z", member="vic", role="VIEWER")
    sealed_through(ana, last)
    assert get(vic, "maize/checkpoint").status_code == 200
    assert get(vic, f"maize/tile/0/000.p/{last}").status_code == 200
    assert get(vic, f"maize/tile/entries/000.p/{last}").status_code == 403
    answer = vic.post('{ receipt(study: "maize", position: 1) { leaf } }').json()
    assert answer["errors"][0]["extensions"]["code"] == "ROLE_INSUFFICIENT"


@pytest.mark.parametrize(
    "path",
    ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/0/000.p/255", "tile/entries/001",
     "tile/0/000.p/0", "tile/0/0", "tile/x", "tile/0/000.p/256", "tile/9/000", "tile/64/000"],
)  # fmt: skip
def test_what_the_tree_has_not_is_not_found(service: Service, path: str) -> None:
    ana = service.as_("ana")
    prepare(ana)
    sealed_through(ana, 1)
    assert get(ana, f"maize/{path}").status_code == 404


def test_proofs_lead_from_events_to_the_signed_root(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    last = ana.record("openCycle", "2026-02-01T09:00Z", cycle="c-2", title="T", question="Q?")
    first = require_head(sealed_through(ana, last), ORIGIN, keys_of(ana)).checkpoint
    more = ana.record("openCycle", "2026-02-02T09:00Z", cycle="c-3", title="T", question="Q?")
    later = require_head(sealed_through(ana, more), ORIGIN, keys_of(ana)).checkpoint
    leaves = leaves_in(get(ana, f"maize/tile/entries/000.p/{later.size}").content)
    query = """query($from: Int!, $to: Int!, $position: Int!) {
        consistencyProof(study: "maize", from: $from, to: $to) { from to hashes }
        inclusionProof(study: "maize", position: $position) {
            position hashes checkpoint { size root note }
        }
    }"""
    for position in (1, 2, last, more):
        variables = {"from": first.size, "to": later.size, "position": position}
        found = ana.post(query, **variables).json()["data"]
        grown, included = found["consistencyProof"], found["inclusionProof"]
        assert (grown["from"], grown["to"]) == (first.size, later.size)
        require_consistent(first.size, first.root, later.size, later.root, decoded(grown["hashes"]))
        sealed = included["checkpoint"]
        require_included(
            leaf_hash(leaves[position - 1]), position - 1, sealed["size"],
            decoded(included["hashes"]), from_base64(sealed["root"]),
        )  # fmt: skip
        assert require_head(Note.parse(sealed["note"].encode()), ORIGIN, keys_of(ana))
    for wrong in ({"from": 2, "to": 1}, {"from": -1, "to": 1}, {"from": 1, "to": 1_000}):
        answer = ana.post(query, position=1, **wrong).json()
        assert answer["errors"][0]["extensions"]["code"] == "NOT_SEALED"
    for position in (0, -1, 1_000):
        query_one = '{ it: inclusionProof(study: "maize", position: %d) { position } }'
        assert ana.ask(query_one % position) == {"it": None}


def decoded(hashes: list[str]) -> list[bytes]:
    return [from_base64(each) for each in hashes]


def test_a_mutation_can_wait_for_its_receipt(service: Service) -> None:
    ana = service.as_("ana")
    prepare(ana)
    query = f"""mutation($i: OpenCycleInput!) {{ answer: openCycle(input: $i) {{ {RECORDED}
        ... on Recorded {{ receipt(waitForSeal: true) {{ position leaf proof }} }} }} }}"""
    given = {
        "study": "maize", "occurredAt": "2026-02-01T09:00Z", "cycle": "c-2", "title": "T",
        "question": "Q?", "commandId": "0f8fad5b-d9cb-469f-a165-70867728950e",
    }  # fmt: skip
    answer = ana.ask(query, i=given)["answer"]
    receipt = answer["receipt"]
    assert receipt["position"] == answer["position"]
    proof = TlogProof.parse(receipt["proof"].encode())
    assert proof.index == answer["position"] - 1
    assert proof.extra == receipt["leaf"].encode()
    assert answer["eventId"] in receipt["leaf"]
    require_proven(proof, receipt["leaf"].encode(), ORIGIN, keys_of(ana))
    again = ana.ask(f'{{ receipt(study: "maize", position: {answer["position"]}) {{ leaf }} }}')
    assert again["receipt"]["leaf"] == receipt["leaf"]


def test_a_seal_that_is_refused_is_told_at_health_and_the_study_is_served(
    service: Service, as_administrator: Callable[[str], None]
) -> None:
    ana = service.as_("ana")
    prepare(ana)
    sealed_through(ana, 1)
    health = ana.http.get("/health/ready").json()
    assert health["not_sealed"] == []
    as_administrator("update record.event set leaf = leaf || 'x' where position = 2")
    ana.record("openCycle", "2026-02-02T09:00Z", cycle="c-3", title="T", question="Q?")
    give_up = time.monotonic() + 30
    while not (told := ana.http.get("/health/ready").json()["not_sealed"]):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    [refused] = told
    assert (refused["study"], refused["refusal"]) == ("maize", "RecordRewritten")
    assert "not those that were sealed" in refused["message"]
    assert ana.ask('{ study(id: "maize") { title } }')["study"]["title"] == "Maize and water"
    after = ana.record("openCycle", "2026-02-03T09:00Z", cycle="c-4", title="T", question="Q?")
    assert ana.ask(f'{{ receipt(study: "maize", position: {after}) {{ leaf }} }}') == {
        "receipt": None
    }


def test_an_old_event_that_was_changed_is_told_at_health_and_on_the_pages(
    service: Service, as_administrator: Callable[[str], None]
) -> None:
    ana = service.as_("ana")
    prepare(ana)
    sealed_through(ana, 2)
    assert ana.http.get("/health/ready").json()["not_as_sealed"] == []
    as_administrator("update record.event set payload = '{}' where position = 2")
    give_up = time.monotonic() + 30
    while not (told := ana.http.get("/health/ready").json()["not_as_sealed"]):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    [fault] = told
    assert (fault["fault"], fault["study"], fault["position"]) == ("CONTENT", "maize", 2)
    assert fault["message"].startswith(f"Event 2, {fault['type']} {fault['event_id']}: its payload")
    assert f"not as it was sealed.</b> {fault['message']}" in ana.http.get("/s/maize").text
    # It is sealed on: what comes after is as safe as before.
    after = ana.record("openCycle", "2026-02-03T09:00Z", cycle="c-4", title="T", question="Q?")
    sealed_through(ana, after)
    assert ana.http.get("/health/ready").json()["not_sealed"] == []
