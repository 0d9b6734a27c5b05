"""The real service on a real socket and a real database, and people who ask it things."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from service.application import application
from service.graphql_limits import Limits
from service.identity import DemoIssuer
from tests.conftest import Database
from tests.graphql_under_test import served

RECORDED = """... on Recorded { position eventId recordedAt }
    ... on Refused { reasons { code message path decidedBy } }"""
EVERYTHING = ["WORKSHOP", "INTERVIEW", "AUDIO", "QUOTE_ANONYMOUS"]


@dataclass
class Person:
    """A member who talks to the service with a token of their own."""

    address: str
    token: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=f"http://{self.address}", headers=headers, timeout=30)

    def post(self, query: str, **variables: Any) -> httpx.Response:
        return self.http.post("/graphql", json={"query": query, "variables": variables})

    def ask(self, query: str, **variables: Any) -> Any:
        """What the service answers; nothing may go wrong."""
        answer = self.post(query, **variables).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def send(self, command: str, at: str, study: str = "maize", **fields: Any) -> dict[str, Any]:
        """Send one command by its verb; gives `Recorded` or `Refused` as it comes."""
        kind = f"{command[0].upper()}{command[1:]}Input!"
        given = {"study": study, "occurredAt": at, "commandId": str(uuid4()), **fields}
        query = f"mutation($i: {kind}) {{ answer: {command}(input: $i) {{ {RECORDED} }} }}"
        answer: dict[str, Any] = self.ask(query, i=given)["answer"]
        return answer

    def record(self, command: str, at: str, **fields: Any) -> int:
        """Send one command; it must be recorded. Gives its position."""
        answer = self.send(command, at, **fields)
        assert "position" in answer, answer
        return int(answer["position"])

    def refused(self, command: str, at: str, **fields: Any) -> list[str]:
        """Send one command; it must be refused. Gives the codes of the reasons."""
        answer = self.send(command, at, **fields)
        assert "reasons" in answer, answer
        return [reason["code"] for reason in answer["reasons"]]

    def follow(self, query: str, **variables: Any) -> Generator[Any, None, None]:
        """What a subscription gives, as server-sent events, until it is closed or fails."""
        asked = {"query": query, "variables": variables}
        headers = {"accept": "text/event-stream"}
        with self.http.stream("POST", "/graphql", json=asked, headers=headers) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    given = json.loads(line.removeprefix("data: "))
                    assert "errors" not in given, given["errors"]
                    yield given["data"]


@dataclass
class Service:
    address: str
    issuer: DemoIssuer
    people: list[Person] = field(default_factory=list)

    def as_(self, member: str) -> Person:
        self.people.append(Person(self.address, self.issuer.token(member)))
        return self.people[-1]

    def close(self) -> None:
        for person in self.people:
            person.http.close()


@contextmanager
def serving(
    database: Database, limits: Limits | None = None, issuer: DemoIssuer | None = None
) -> Iterator[Service]:
    """The service on the test's own database, following its registers."""
    issuer = issuer or DemoIssuer("parcycle")
    app = application(database.store, issuer.identity, demo=issuer, limits=limits)
    with served(app) as address:
        service = Service(address, issuer)
        try:
            yield service
        finally:
            service.close()


def prepare(ana: Person) -> None:
    """A study with an opinion, a cycle, and two participants who consent."""
    ana.record("openStudy", "2026-01-05T09:00Z", title="Maize and water",
               question="What keeps us well?", setting="Three villages")  # fmt: skip
    ana.record("giveOpinion", "2026-01-06T09:00Z", opinion="rec-1", committee="University REC",
               outcome="FAVOURABLE", validFrom="2026-01-01", validTo="2026-12-31",
               activities=["RECRUITMENT", "WORKSHOP", "INTERVIEW", "RECORDING"])  # fmt: skip
    ana.record("openCycle", "2026-01-07T09:00Z", cycle="c-1", title="First turn",
               question="What matters here?")  # fmt: skip
    for participant in ("p-1", "p-2"):
        ana.record("enrolParticipant", "2026-01-08T09:00Z", participant=participant, group="A",
                   name=f"Name of {participant}")  # fmt: skip
        ana.record("grantConsent", "2026-01-08T10:00Z", participant=participant,
                   permissions=EVERYTHING, formVersion="2")  # fmt: skip


def whole_cycle(ana: Person) -> int:
    """Plan, act, observe, reflect; gives the last position."""
    ana.record("proposePriority", "2026-02-01T10:00Z", priority="water", cycle="c-1",
               title="Clean water", proposedBy=["p-1"])  # fmt: skip
    ana.record("proposePriority", "2026-02-01T10:05Z", priority="road", cycle="c-1",
               title="A better road", proposedBy=["p-2"])  # fmt: skip
    ana.record("openBallot", "2026-02-02T10:00Z", ballot="b-1", cycle="c-1", title="What first?",
               method="APPROVAL", options=[
                   {"option": "water", "title": "Clean water", "priority": "water"},
                   {"option": "road", "title": "A better road", "priority": "road"},
               ])  # fmt: skip
    for voter, options in (("p-1", ["water"]), ("p-2", ["water", "road"])):
        ana.record("castBallot", "2026-02-03T10:00Z", ballot="b-1", voter=voter, onPaper=True,
                   choices=[{"option": option} for option in options])  # fmt: skip
    ana.record("closeBallot", "2026-02-04T10:00Z", ballot="b-1")
    ana.record("declareResult", "2026-02-04T10:05Z", ballot="b-1")
    ana.record("adoptPriority", "2026-02-04T11:00Z", priority="water", cycle="c-1", ballot="b-1")
    ana.record("planAction", "2026-02-05T10:00Z", action="well", cycle="c-1", priority="water",
               title="Dig a well", owner={"member": "ana"}, due="2026-03-31")  # fmt: skip
    ana.record("holdWorkshop", "2026-02-10T10:00Z", workshop="w-1", cycle="c-1", phase="PLAN",
               participants=["p-1", "p-2"], groups=["A"], technique="problem tree",
               notes="They spoke of the dry months.")  # fmt: skip
    ana.record("startAction", "2026-02-12T10:00Z", action="well")
    ana.record("implementAction", "2026-03-20T10:00Z", action="well",
               whatWasDone="A well of thirty metres.", participants=["p-1"])  # fmt: skip
    ana.record("holdInterview", "2026-04-01T10:00Z", session="i-1", cycle="c-1", minutes=40,
               participants=["p-2"], place="HOME",
               notes="The children are ill less often.")  # fmt: skip
    ana.record("recordReflection", "2026-04-10T10:00Z", reflection="r-1", cycle="c-1",
               voice="RESEARCHERS", what="The well is used by all.", turningPoint=True)  # fmt: skip
    ana.record("carryLearning", "2026-04-11T10:00Z", cycle="c-1", carrying="KEEP",
               learning="Dig before the rains.")  # fmt: skip
    return ana.record("closeCycle", "2026-04-12T10:00Z", cycle="c-1")
