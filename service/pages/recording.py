"""A form of a page becomes a command: the same reading and the same refusals as everywhere."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from litestar.datastructures import FormMultiDict

from domain.commands import Refused
from domain.vocabulary import Channel, in_camel_case, is_blank
from service.graphql_mutations import NOT_NOW
from service.pages.visits import Visit
from service.proposals import commands, proposal
from service.research_record import ALTERED, Recorded

SENT_AT = "select occurred_at from record.event where study = $1 and command_id = $2"
LATER = (
    "It could not be written down just now. Send it again in a moment: it counts once, however "
    "often you send it."
)


@dataclass
class Filled:
    """A form as it was filled in, and what was said of it."""

    given: FormMultiDict | None = None
    faults: dict[str, list[str]] = field(default_factory=dict)  # by the field they concern

    @property
    def command_id(self) -> str:
        """The form's own: sent twice, it is recorded once."""
        try:
            return str(UUID(self.text("command_id")))
        except ValueError:
            return str(uuid4())

    @property
    def refused(self) -> list[str]:
        return [fault for faults in self.faults.values() for fault in faults]

    def text(self, name: str) -> str:
        text = "" if self.given is None else str(self.given.get(name, "")).strip()
        return "" if is_blank(text) else text

    def all(self, name: str) -> list[str]:
        return [] if self.given is None else [str(each) for each in self.given.getall(name, [])]

    def said(self, *names: str) -> dict[str, str]:
        """What was written in these fields; what was left empty was left out."""
        return {name: text for name in names if (text := self.text(name))}

    def fault(self, path: str) -> str:
        """What is wrong with a field, or with a part of it."""
        return " ".join(
            fault
            for at, faults in self.faults.items()
            if at == path or at.startswith(f"{path}.")
            for fault in faults
        )


async def filled(visit: Visit) -> Filled:
    """The form that was sent."""
    return Filled(await visit.request.form())


async def recorded(visit: Visit, verb: str, form: Filled, said: dict[str, Any]) -> Recorded | None:
    """Record what a form says by the command of that name; None if not, with the form's faults.

    Without `occurred_at` it happened now; sent twice, it happened when it was sent first.
    """
    now = datetime.now(UTC)
    sent = {"occurred_at": now, **said, "study": visit.study.study, "command_id": form.command_id}
    try:
        try:
            return await _submitted(visit, verb, sent)
        except Refused as refused:
            first_at = await _first_sent_at(visit, sent["command_id"])
            if refused.reasons != [ALTERED] or "occurred_at" in said or first_at is None:
                raise
            return await _submitted(visit, verb, sent | {"occurred_at": first_at})
    except Refused as refused:
        for reason in refused.reasons:
            form.faults.setdefault(in_camel_case(reason.path), []).append(reason.message)
    except NOT_NOW:
        form.faults[""] = [LATER]
    return None


async def _submitted(visit: Visit, verb: str, sent: dict[str, Any]) -> Recorded:
    asked = proposal(commands()[verb], sent, visit.asker.member, Channel.FIELD_FORM)
    return await visit.asker.record.submit(asked)


async def _first_sent_at(visit: Visit, command_id: str) -> datetime | None:
    pool = visit.asker.record.pool
    found: datetime | None = await pool.fetchval(SENT_AT, visit.study.study, command_id)
    return found
