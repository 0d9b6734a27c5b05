"""Paper ballots, typed in one after the other: a voter, the marks, Enter, and the next."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from domain.ballots import BallotMethod
from domain.conditions import Reason
from domain.membership import Duty
from domain.voting import CastBallot
from projections.ballot_register import Ballot, BallotState, ballot, ballot_papers
from projections.paging import Window
from service.pages.log import record, refused
from service.pages.log_reading import Fault, Sent, moment
from service.pages.offline import kept
from service.pages.visits import Visit, study_form, study_page

LATEST = 10  # papers that are shown, of those on record
APART = re.compile(r"[\s,;]+")
HOW = {
    BallotMethod.APPROVAL: "The options named on the paper, by their numbers: 1 3",
    BallotMethod.CUMULATIVE: "Each option named, with its points: 1:3 2:2",
    BallotMethod.RANKING: "The options in the voter's order, the first one first: 2 1 3",
}


@study_page("/ballots/{ballot:str}/papers")
async def papers(visit: Visit) -> Response[Any]:
    """Where the papers of a ballot are typed in."""
    return await _shown(visit, await _ballot(visit), None)


@study_form("/ballots/{ballot:str}/papers")
async def paper_sent(visit: Visit) -> Response[Any]:
    """Puts a paper into the box, or says why not."""
    of = await _ballot(visit)
    sent = Sent((await visit.request.form()).multi_items())
    given = {
        "study": visit.study.study, "command_id": sent.one("command_id"), "ballot": of.ballot,
        "occurred_at": moment(sent.one("occurred_at"), sent.one("offset")),
        "voter": sent.one("voter"), "choices": choices(of, sent.one("marks")), "on_paper": True,
        "constituencies": [
            {"kind": kind, "value": value}
            for n, kind in enumerate(of.constituencies)
            if (value := sent.one(f"constituency.{n}"))
        ],
    }  # fmt: skip
    answer = await record(visit, CastBallot, given, written_by=sent.one("member"))
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, int):
        query = {"at_least": answer, "entered": answer, "at": sent.one("occurred_at")}
        return Redirect(f"{visit.request.url.path}?{urlencode(query)}", status_code=303)
    faults = tuple(_faults(answer))
    return refused(visit, faults) or await _shown(visit, of, sent, faults)


def choices(of: Ballot, marks: str) -> list[dict[str, str]]:
    """The marks on a paper as choices: numbers or codes of options, with points after a colon."""
    codes = [each.option for each in of.choices]
    found = []
    for mark in APART.split(marks):
        named, _, points = mark.partition(":")
        if named.isascii() and named.isdigit() and named not in codes:
            number = int(named[:9])
            named = codes[number - 1] if 1 <= number <= len(codes) else named
        if named:
            found.append({"option": named} | ({"points": points} if points else {}))
    return found


def _faults(reasons: Iterable[Reason]) -> Iterable[Fault]:
    """Every reason at the field of the row that it concerns."""
    for reason in reasons:
        message, begins = reason.message, reason.path.partition(".")[0]
        path = {"occurredAt": "occurred_at", "choices": "marks"}.get(begins, begins)
        if path == "constituencies":
            path = "constituency.0"
        if reason.code == "field_invalid":
            message = {
                "voter": "Write the voter's pseudonym or code: letters, digits, '.', '_' or '-'.",
                "marks": "Write the marks as it says above.",
                "occurred_at": "Choose the day and time, and the offset from UTC: +01:00.",
            }.get(path, message)
        elif reason.code == "ballot_unknown":
            path = ""
        known = ("voter", "marks", "occurred_at", "constituency.0")
        said = message.replace("occurredAt", "when the papers were marked")
        yield Fault(path if path in known else "", "", said, reason.code)


async def _ballot(visit: Visit) -> Ballot:
    visit.asker.allow(visit.study.study, Duty.FIELDWORK)  # participants vote by their own form
    found: Ballot | None = await visit.ask(ballot, ballot=visit.request.path_params["ballot"])
    if found is None:
        raise NotFoundException("There is no such ballot in this study.")
    return found


async def _shown(
    visit: Visit, of: Ballot, sent: Sent | None, faults: tuple[Fault, ...] = ()
) -> Response[Any]:
    latest = await visit.ask(ballot_papers, window=Window(last=LATEST), ballot=of.ballot)
    if sent is None:
        end = of.closed_at - timedelta(minutes=1) if of.closed_at else datetime.now(UTC)
        at = visit.parameters.get("at") or f"{end.astimezone(UTC):%Y-%m-%dT%H:%M}"
        sent = Sent([("occurred_at", at), ("offset", "+00:00")])
    return visit.shows(
        "papers.html", title=of.title, status=422 if faults else 200, ballot=of, sent=sent,
        faults=faults, how=HOW[of.method], over=of.state is BallotState.DECLARED,
        closed=of.state is BallotState.CLOSED, latest=latest.rows[::-1],
        command_id=sent.one("command_id") or str(uuid4()),
        entered=visit.parameters.get("entered", ""), **kept(),
    )  # fmt: skip
