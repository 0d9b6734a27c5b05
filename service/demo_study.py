"""The demo study: made up from its first event to its last, and recorded like any other."""

from collections.abc import Callable
from datetime import datetime
from itertools import chain, takewhile
from typing import Any
from uuid import UUID, uuid5

from msgspec import structs

from domain.commands import Command, Occasion, Refused, command_types
from domain.corrections import Corrected
from domain.oversight import FindingRaised
from domain.receipts import ReceiptIssued
from domain.vocabulary import ResearchEvent
from domain.withdrawal import DispositionPlanned
from service.demo.co_op import CO_OP
from service.demo.committee import COMMITTEE
from service.demo.consents_kept import CONSENTS_KEPT
from service.demo.evenings import EVENINGS
from service.demo.evenings_observed import EVENINGS_OBSERVED
from service.demo.giving_back import GIVING_BACK
from service.demo.participants import CHANGES_OF_MIND, arrivals
from service.demo.reconnaissance import RECONNAISSANCE
from service.demo.telling import MEMBERS, STUDY, Told, london, recorded
from service.demo.votes import VOTES
from service.demo.waiting import WAITING
from service.research_record import Proposal, ResearchRecord

__all__ = ["MEMBERS", "STUDY", "DemoRefused", "demo_proposals", "load_demo"]

COMMAND_IDS = UUID("5a1d6c0e-31c6-5c0b-9a56-0d8e7f5f7a11")  # a namespace for uuid5 (RFC 9562, 5.5)
BATCH = 50

CHAPTERS = (
    RECONNAISSANCE, COMMITTEE, arrivals(), CHANGES_OF_MIND, CONSENTS_KEPT, EVENINGS, VOTES,
    EVENINGS_OBSERVED, WAITING, CO_OP, GIVING_BACK,
)  # fmt: skip


class DemoRefused(Exception):
    """Some of the demo study could not be recorded; says what, and every reason."""


def demo_proposals(now: datetime) -> list[Proposal]:
    """Everything of the demo study that has happened by `now`, in the order of recording."""
    told = sorted(chain.from_iterable(CHAPTERS), key=recorded)
    happened = list(takewhile(lambda each: recorded(each) <= now, told))
    return [_proposal(n, happened, now) for n in range(len(happened))]


async def load_demo(record: ResearchRecord, progress: Callable[[int, int], None]) -> int:
    """Record the demo study as far as it is not on record; the number of its events.

    Raises `DemoRefused` if anything is refused.
    """
    proposals = demo_proposals(datetime.now().astimezone())
    for begin in range(0, len(proposals), BATCH):
        batch = proposals[begin : begin + BATCH]
        for proposal, answer in zip(batch, await record.submit_all(batch), strict=True):
            if isinstance(answer, Refused):
                occasion = proposal.occasion
                raise DemoRefused(
                    f"{proposal.event.TOPIC} by {occasion.actor} on {occasion.occurred_at:%d %B %Y}"
                    f" was refused: {answer}. If an older demo study is on record here, empty the "
                    "demo's folder and start it again."
                )
        progress(begin + len(batch), len(proposals))
    return len(proposals)


def _proposal(n: int, told: list[Told], now: datetime) -> Proposal:
    each = told[n]
    return Proposal(
        command=_commands()[type(each.event)],
        event=_placed(each, told[:n]),
        occasion=Occasion(
            study=STUDY,
            command_id=uuid5(COMMAND_IDS, f"{STUDY}/{n}"),
            actor=each.by,
            occurred_at=london(each.when),
            asked_at=now,
            channel=each.channel,
            phase=each.phase,
            on_behalf_of=each.on_behalf_of,
            reason=each.reason,
        ),
    )


def _placed(each: Told, earlier: list[Told]) -> ResearchEvent:
    """With the position of the event that it points to, as every proposal makes one event."""
    match each.event:
        case Corrected(event_type=topic, subject=subject):
            return structs.replace(each.event, corrects=_position(topic, subject, earlier=earlier))
        case ReceiptIssued(participant=participant):
            consent = _position("ConsentGiven", f"participant:{participant}", earlier=earlier)
            return structs.replace(each.event, consent=consent)
        case FindingRaised() if each.rests_on:
            return structs.replace(
                each.event, positions=(_position(*each.rests_on.split(), earlier=earlier),)
            )
        case DispositionPlanned() if each.rests_on:
            item = f"event:{_position(*each.rests_on.split(), earlier=earlier)}"
            return structs.replace(each.event, item=item)
    return each.event


def _position(topic: str, *about: str, earlier: list[Told]) -> int:
    """Where the first event of that type about all of that stands."""
    return next(
        position
        for position, told in enumerate(earlier, start=1)
        if topic == told.event.TOPIC and set(about) <= set(told.event.tags)
    )


def _commands() -> dict[type[ResearchEvent], type[Command[Any]]]:
    return {command.EVENT: command for command in command_types()}
