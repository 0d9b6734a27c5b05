"""A participant takes consent back with a code: no account, nobody's leave, and it cannot fail."""

import asyncio
import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.permissions import Permission
from service.application import application
from service.identity import DemoIssuer
from service.withdrawal_by_code import (
    ALPHABET,
    TRIES_A_MINUTE,
    NotWithdrawn,
    Tries,
    code_sha256,
    new_code,
    read_code,
)
from service.withdrawal_page import HEADERS
from tests.conftest import Database
from tests.graphql_under_test import served
from tests.recording import events_of
from tests.serving import Service, prepare, serving

MUTATION = """mutation($i: WithdrawWithCodeInput!) { answer: withdrawWithCode(input: $i) {
    ... on Withdrawn { study position at permissions scope everything message }
    ... on Refused { reasons { code message path } }
} }"""


def withdrawals(database: Database) -> list[dict[str, Any]]:
    return [
        msgspec.json.decode(each["payload"]) | {"actor": each["actor"], "at": each["position"]}
        for each in asyncio.run(events_of(database.service_url, "maize"))
        if each["type"] == "ConsentWithdrawn"
    ]


def issue(service: Service, participant: str = "p-1") -> str:
    """A code for a participant of the study, whose receipt is on record."""
    ana, code = service.as_("ana"), new_code("maize")
    consent = ana.ask(
        """query($of: String!) { study(id: "maize", atLeast: 7) {
            consentHistory(participant: $of) { nodes { position } } } }""",
        of=participant,
    )["study"]["consentHistory"]["nodes"][0]["position"]
    ana.record("issueReceipt", "2026-01-08T11:00Z", participant=participant, consent=consent,
               withdrawalCodeSha256=code_sha256(code))  # fmt: skip
    return code


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    with serving(database) as running:
        prepare(running.as_("ana"))
        yield running


def post(service: Service, **sent: Any) -> httpx.Response:
    return httpx.post(f"http://{service.address}/withdraw", json=sent, timeout=30)


def press(service: Service, **sent: Any) -> httpx.Response:
    return httpx.post(f"http://{service.address}/withdraw", data=sent, timeout=30)


def mutate(service: Service, **sent: Any) -> Any:
    body = {"query": MUTATION, "variables": {"i": sent}}
    answer = httpx.post(f"http://{service.address}/graphql", json=body, timeout=30).json()
    assert "errors" not in answer, answer
    return answer["data"]["answer"]


def test_everything_is_taken_back_with_the_code_alone(service: Service, database: Database) -> None:
    code = issue(service)
    answer = post(service, code=code)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    (on_record,) = withdrawals(database)
    assert said["position"] == on_record["at"]
    assert "You took back everything" in said["message"]
    assert (on_record["actor"], on_record["participant"]) == ("p-1", "p-1")
    assert set(on_record["permissions"]) == set(Permission)
    assert on_record["code_sha256"] == code_sha256(code)


def test_some_permissions_are_taken_back_in_the_participants_words(
    service: Service, database: Database
) -> None:
    answer = post(service, code=issue(service), permissions=["audio", "workshop"],
                  scope="no_further_use", words="I have had enough.")  # fmt: skip
    said = answer.json()
    assert said["permissions"] == ["audio", "workshop"]
    assert "sound recordings of you, taking part in workshops" in said["message"]
    assert "go on using what it has" in said["message"]
    (on_record,) = withdrawals(database)
    assert on_record["scope"] == "no_further_use"
    assert "words" not in on_record  # personal, so kept apart


@pytest.mark.parametrize("words", ["", " \n", "\N{ZERO WIDTH SPACE}"], ids=ascii)
def test_words_in_which_nothing_stands_keep_nobody_from_withdrawing(
    service: Service, database: Database, words: str
) -> None:
    code = issue(service)
    assert post(service, code=code, words=words).status_code == 200
    assert press(service, code=code, words=words).status_code == 200
    assert "You took back" in mutate(service, code=code, words=words)["message"]
    assert len(withdrawals(database)) == 1


@pytest.mark.parametrize(
    "typed",
    [
        str.upper, str.lower, lambda code: code.replace("-", ""), lambda code: f"  {code} ",
        lambda code: code.replace("-", " \u2013 "),
        lambda code: code.partition(".")[0] + "." + code.partition(".")[2].translate(
            str.maketrans("01", "OL")),
    ],
    ids=["upper", "lower", "unhyphenated", "spaced", "dashes", "misread"],
)  # fmt: skip
def test_it_may_be_typed_in_many_ways(service: Service, typed: Any) -> None:
    assert post(service, code=typed(issue(service))).status_code == 200


def test_pressed_twice_it_is_one_withdrawal_with_one_answer(
    service: Service, database: Database
) -> None:
    code = issue(service)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(service, code=code, words="Stop."), range(12)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.content for each in answers}) == 1
    assert len(withdrawals(database)) == 1
    assert mutate(service, code=code, words="Stop.")["position"] == answers[0].json()["position"]


def test_after_consent_was_given_again_the_code_withdraws_again(
    service: Service, database: Database
) -> None:
    code = issue(service)
    first = post(service, code=code).json()["position"]
    service.as_("ana").record("grantConsent", "2026-01-09T10:00Z", participant="p-1",
                              permissions=["WORKSHOP"], formVersion="2")  # fmt: skip
    second = post(service, code=code).json()["position"]
    assert second > first
    assert [each["at"] for each in withdrawals(database)] == [first, second]


def test_a_wrong_code_is_answered_alike_whether_the_study_exists_or_not(
    service: Service, database: Database
) -> None:
    issue(service)
    answers = [
        post(service, code=code)
        for code in (
            new_code("maize"),
            new_code("no-such-study"),
            "maize",
            "?",
            "maize." + "U" * 20,
        )
    ]
    assert {(each.status_code, each.content) for each in answers} == {(404, answers[0].content)}
    assert answers[0].json()["code"] == "code_unknown"
    for study in ("maize", "no-such-study"):
        assert mutate(service, code=new_code(study))["reasons"] == [
            {"code": "code_unknown", "message": answers[0].json()["message"], "path": "code"}
        ]
    assert withdrawals(database) == []


def test_every_fault_of_what_is_sent_is_told(service: Service) -> None:
    answer = post(service, permissions=["dancing"], scope="far", colour="red")
    assert answer.status_code == 400
    for fault in ("colour", "code is missing", "dancing", "far"):
        assert fault in answer.json()["message"]
    assert httpx.post(f"http://{service.address}/withdraw", content=b"[]", headers={
        "content-type": "application/json"}).status_code == 400  # fmt: skip
    assert httpx.post(f"http://{service.address}/withdraw", content=b"x").status_code == 415


def test_registers_need_not_run(database: Database) -> None:
    """The record alone is asked: no register follows, and the code is found all the same."""
    with serving(database) as service:
        prepare(service.as_("ana"))
        code = issue(service)
    issuer = DemoIssuer("parcycle")
    app = application(database.store, issuer.identity, project=False)
    with served(app) as address:
        answer = httpx.post(f"http://{address}/withdraw", json={"code": code}, timeout=30)
    assert answer.status_code == 200
    assert len(withdrawals(database)) == 1


def test_the_page_asks_and_answers_without_scripts(service: Service, database: Database) -> None:
    page = httpx.get(f"http://{service.address}/withdraw")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == HEADERS["content-security-policy"]
    assert "<script" not in page.text
    fields = Fields.of(page.text)
    assert fields.unlabelled == []
    assert {each for name, each in fields.values if name == "permissions"} == set(Permission)

    code = issue(service)
    wrong = press(service, code='"><b>x', scope="no_further_contact", words="Thanks & bye")
    assert wrong.status_code == 404
    assert 'role="alert"' in wrong.text
    assert "<b>" not in wrong.text
    assert "Thanks &amp; bye" in wrong.text  # nothing that was typed is lost
    assert ("scope", "no_further_contact") in Fields.of(wrong.text).checked

    done = press(service, code=code, permissions=["photo"], scope="no_further_access", words="")
    assert done.status_code == 200
    assert "photographs of you" in done.text
    assert "<form" not in done.text
    assert [each["permissions"] for each in withdrawals(database)] == [["photo"]]


def test_the_style_of_the_page_is_the_one_its_policy_allows(service: Service) -> None:
    page = httpx.get(f"http://{service.address}/withdraw").text
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    allowed = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{allowed}'" in HEADERS["content-security-policy"]


def test_without_a_token_nothing_else_can_be_asked(service: Service) -> None:
    code = issue(service)
    alone = 'mutation { withdrawWithCode(input: {code: "x"}) { __typename } }'
    more = 'mutation { withdrawWithCode(input: {code: "x"}) { __typename } %s }'
    asked = [
        ("{ studies { study } }", 401),
        ("{ withdrawWithCode }", 400),  # there is no such query
        ("query withdrawWithCode { studies { study } }", 401),
        (more % 'openCycle(input: {study: "m"}) { __typename }', 400),
        ("mutation withdrawWithCode { ...f } fragment f on Mutation { __typename }", 401),
        ('subscription withdrawWithCode { events(study: "maize") { id } }', 401),
        (alone, 200),
    ]
    headers = {"accept": "application/graphql-response+json"}
    for query, status in asked:
        answer = httpx.post(f"http://{service.address}/graphql", json={"query": query},
                            headers=headers)  # fmt: skip
        assert answer.status_code == status, (query, answer.text)
    assert mutate(service, code=code)["everything"] is True


def test_neither_code_nor_words_are_logged(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    code = issue(service)
    capfd.readouterr()
    post(service, code=code, words="Leave me alone")
    press(service, code=code, words="Leave me alone")
    said = "".join(capfd.readouterr())
    assert code not in said
    assert code.partition(".")[2] not in said
    assert "Leave me alone" not in said


def test_an_address_may_try_often_but_not_for_ever() -> None:
    tries = Tries()
    for n in range(TRIES_A_MINUTE):
        tries.count(f"2001:db8::{n:x}")  # one household's
    with pytest.raises(NotWithdrawn, match="Wait a minute"):
        tries.count("2001:db8::ffff")
    tries.count("2001:db8:0:1::1")
    tries.count("192.0.2.1")


@given(study=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"))
def test_a_code_is_read_back_and_cannot_be_guessed(study: str) -> None:
    code = new_code(study)
    assert code != new_code(study)
    read, secret = read_code(code)
    assert read == study
    assert len(secret) * 5 == 100
    assert set(secret) <= set(ALPHABET)
    assert code_sha256(code) == sha256(f"{study}.{secret}".encode()).hexdigest()


@given(typed=st.text())
def test_whatever_is_typed_is_read_or_unknown(typed: str) -> None:
    with suppress(NotWithdrawn):
        study, secret = read_code(typed)
        assert read_code(f"{study}.{secret}") == (study, secret)


class Fields(HTMLParser):
    """The fields of a form: their values, which are chosen, and which have no label."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[tuple[str, str]] = []
        self.checked: list[tuple[str, str]] = []
        self._ids: list[str] = []
        self._labels: list[str] = []

    @classmethod
    def of(cls, page: str) -> "Fields":
        found = cls()
        found.feed(page)
        return found

    @property
    def unlabelled(self) -> list[str]:
        return [each for each in self._ids if each not in self._labels]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "label":
            self._labels.append(given["for"] or "")
        if tag in ("input", "textarea"):
            self._ids.append(given["id"] or "")
            field = given["name"] or "", given.get("value") or ""
            self.values.append(field)
            if "checked" in given:
                self.checked.append(field)
