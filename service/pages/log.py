"""Log an action: a form for each command that the visitor's role may give.

A form is sent as a browser sends it, with or without scripts. With `accept: application/json` (the
outbox of static/outbox.js asks so) it is answered in JSON: 200 `recorded`, 422 `refused` with each
fault at its field, 409 if somebody else wrote it, 503 if it is to be sent again as it is.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.response import Redirect
from markupsafe import Markup, escape

from domain.commands import Command, Refused
from domain.conditions import Reason
from domain.membership import Duty
from domain.vocabulary import Channel, Phase
from projections.activity_feed import activity_feed
from projections.ballot_register import Ballot, BallotState, ballots
from projections.paging import Window
from service.erasing import CannotErase
from service.graphql_mutations import NOT_NOW
from service.graphql_types import first_line
from service.pages.log_fields import (
    ABOUT_THE_OCCASION,
    FormField,
    fields_of,
    occasion_fields,
    title_of,
)
from service.pages.log_offers import offers_for, themselves, usual
from service.pages.log_reading import Fault, Sent, faults_of, read_form
from service.pages.offline import kept
from service.pages.rendering import templates
from service.pages.visits import Visit, study_form, study_page
from service.proposals import commands, proposal

PHASES = (
    Phase.PLAN, Phase.ACT, Phase.OBSERVE, Phase.REFLECT, Phase.SHARE, Phase.RECONNAISSANCE,
    Phase.CONSENT, Phase.ETHICS, Phase.STUDY,
)  # fmt: skip
BOXES = 20  # ballots whose papers can be typed in, the newest
NOT_RECORDED = (
    "The record could not be written just now. Nothing is lost: send it once more as it is. If it "
    "was recorded after all, it is not recorded twice."
)
ALTERED = (
    "This form is on record already, as it was sent before. Sent once more, it is recorded as "
    "another event; to change the one on record, correct that."
)
WROTE = "This was written by {}. Sign in as {} to send it, or begin a form of your own."
CODE = re.compile(r"`([^`]+)`")


def coded(text: str) -> Markup:
    """Words with `what is written so` marked up as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # it is escaped


templates.filters["coded"] = coded


@study_page("/log")
async def log(visit: Visit) -> Response[Any]:
    """What can be logged, by phase; and what was just recorded."""
    offered: dict[Phase, list[tuple[str, str, str]]] = {phase: [] for phase in PHASES}
    for verb, command in commands().items():
        if visit.may(command.DUTY):
            said = first_line(command).partition("\n")[0]
            offered[command.EVENT.PHASE].append((verb, title_of(command), said))
    boxes: list[Ballot] = []
    if visit.may(Duty.FIELDWORK):
        for state in (BallotState.OPEN, BallotState.CLOSED):
            boxes += (await visit.ask(ballots, window=Window(last=BOXES), state=state)).rows
    recorded = visit.parameters.get("recorded", "")
    line = None
    if recorded.isascii() and recorded.isdigit() and len(recorded) < 19:
        window = Window(first=1, after=int(recorded) + 1)
        line = next(iter((await visit.ask(activity_feed, window=window)).rows), None)
    return visit.shows(
        "log.html", title="Log an action", line=line, boxes=boxes, **kept(),
        offered={phase: each for phase, each in offered.items() if each},
    )  # fmt: skip


@study_page("/log/{command:str}")
async def log_form(visit: Visit) -> Response[Any]:
    """A fresh form of a command."""
    command = _command(visit)
    return await _shown(visit, command, None)


@study_form("/log/{command:str}")
async def log_sent(visit: Visit) -> Response[Any]:
    """Records what was filled in, or says everything that keeps it from being recorded."""
    command = _command(visit)
    sent = Sent((await visit.request.form()).multi_items())
    if sent.one("add"):  # without scripts, a row more is asked for like this
        return await _shown(visit, command, sent, more=sent.one("add"))
    fields = [*occasion_fields().values(), *fields_of(command)]
    read = read_form(fields, sent)
    read.given |= {"study": visit.study.study, "command_id": sent.one("command_id")}
    answer = await record(visit, command, read.given, written_by=sent.one("member"))
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, int):
        where = f"/s/{visit.study.study}/log?recorded={answer}&at_least={answer}"
        return Redirect(where, status_code=303)
    return refused(visit, faults_of(answer, fields, read)) or await _shown(
        visit, command, sent, faults_of(answer, fields, read)
    )


async def record(
    visit: Visit, command: type[Command[Any]], given: dict[str, Any], *, written_by: str
) -> int | list[Reason] | Response[Any]:
    """Record what a form says: its position, or why not; or the answer that a script asked for."""
    member = visit.asker.member
    if written_by not in ("", member):
        said = WROTE.format(written_by, written_by)
        if in_json(visit):
            return Response({"message": said}, status_code=409)
        return [Reason(code="written_by_another", message=said, path="")]
    try:
        asked = proposal(command, given, member, Channel.FIELD_FORM)
        recorded = await visit.asker.record.submit(asked)
    except Refused as refusal:
        if [each.code for each in refusal.reasons] == ["command_altered"]:
            return [Reason(code="command_altered", message=ALTERED, path="")]
        return refusal.reasons
    except CannotErase as fault:
        return [Reason(code="cannot_erase", message=str(fault), path="")]
    except NOT_NOW:
        if in_json(visit):
            return Response({"message": NOT_RECORDED}, status_code=503)
        return [Reason(code="not_now", message=NOT_RECORDED, path="")]
    if in_json(visit):
        return Response({"recorded": recorded.position})
    return recorded.position


def refused(visit: Visit, faults: Iterable[Fault]) -> Response[Any] | None:
    """The refusal for a script; None for a person, who is shown the form again."""
    if not in_json(visit):
        return None
    told = [{"path": each.path, "message": each.message, "code": each.code} for each in faults]
    return Response({"refused": told}, status_code=422)


def in_json(visit: Visit) -> bool:
    """Whether a script asks, and not a person without scripts."""
    return "application/json" in visit.request.headers.get("accept", "")


def _command(visit: Visit) -> type[Command[Any]]:
    verb = str(visit.request.path_params["command"])
    command = commands().get(verb)
    if command is None:
        raise NotFoundException(f"There is no {verb} to log. Begin at “Log an action”.")
    visit.asker.allow(visit.study.study, command.DUTY)
    return command


async def _shown(
    visit: Visit, command: type[Command[Any]], sent: Sent | None, faults: tuple[Fault, ...] = (),
    *, more: str = "",
) -> Response[Any]:  # fmt: skip
    """The form, fresh or as it was sent, with what is wrong with it."""
    fields, about = fields_of(command), occasion_fields()
    offers = await offers_for(visit, [*fields, *about.values()])
    fresh = sent is None
    if sent is None:
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}"
        there = usual(fields, offers, await themselves(visit))
        sent = Sent({**there, "occurred_at": at, "offset": "+00:00"}.items())
    codes = {each.code for each in faults}
    known = "" if "command_altered" in codes else sent.one("command_id")
    status = 503 if "not_now" in codes else 422 if faults else 200
    return visit.shows(
        "log_form.html", title=title_of(command), status=status, verb=command_verb(visit),
        said=first_line(command), phase=command.EVENT.PHASE, happened=about["occurred_at"],
        required=_of(fields, required=True), optional=_of(fields, required=False),
        about=[about[name] for name in ABOUT_THE_OCCASION], sent=sent, offers=offers,
        faults=faults, more=more, fresh=fresh, command_id=known or str(uuid4()), **kept(),
    )  # fmt: skip


def command_verb(visit: Visit) -> str:
    return str(visit.request.path_params["command"])


def _of(fields: Iterable[FormField], *, required: bool) -> list[FormField]:
    return [each for each in fields if each.required == required]
