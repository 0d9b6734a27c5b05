"""Events as GraphQL shows them, and the subscriptions that follow the record."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
import strawberry
from msgspec import structs
from strawberry.scalars import JSON
from strawberry.types import Info

from domain.ballots import BallotCast, Secrecy
from domain.membership import Duty
from domain.readings import Reading
from domain.vocabulary import (
    CORRESPONDENCE,
    Channel,
    Entry,
    Phase,
    personal_fields,
    without_personal_fields,
)
from projections.cycle_progress import Cycle
from projections.cycle_progress import cycle as cycle_of
from projections.entries import entries, head_of
from projections.following import borrowed
from service.asking import Asker
from service.graphql_types import object_type
from service.readings import tagged

AT_ONCE = 500  # entries read in one go for a follower


@dataclass(frozen=True)
class Event:
    """A research action on record: immutable, at its place in its study."""

    NODE: ClassVar[tuple[str, str]] = ("event", "position")

    study: Annotated[str, "The study in whose record it stands."]
    position: Annotated[int, "Where it stands: 1, 2, 3 and so on, gap-free."]
    event_id: Annotated[UUID, "The event's own identifier (UUIDv7)."]
    type: Annotated[str, "What kind of event it is, such as WorkshopHeld."]
    phase: Annotated[Phase, "The phase it is filed under."]
    cycle: Annotated[str | None, "The cycle it belongs to, if it belongs to one."]
    actor: Annotated[str, "The member who recorded it."]
    role: Annotated[str, "Their role in the study at that time."]
    on_behalf_of: Annotated[str | None, "The member on whose word it was recorded."]
    channel: Annotated[Channel, "How it reached the record."]
    occurred_at: Annotated[datetime, "When it happened in the field, with the place's offset."]
    recorded_at: Annotated[datetime, "When it was recorded; never decreases within a study."]
    tags: Annotated[list[str], "Everything it mentions, such as participant:P-07."]
    caused_by: Annotated[int | None, "The position of the event that led to it."]
    approval: Annotated[int | None, "The position of the ethics opinion it relied on."]
    consents: Annotated[list[int], "The positions of the consents it relied on."]
    payload: Annotated[
        JSON, "What it says, by field; personal fields only for those who may read them."
    ]


async def shown(entries: Iterable[Entry], asker: Asker) -> list[Event]:
    """The entries of one study, as far as the asker may see them."""
    found = list(entries)
    read = await asker.record.texts.in_place(
        structs.replace(each, reason=None) for each in found if _open_to(asker, each)
    )
    opened = {each.position: each for each in read}
    return [
        _event(
            opened.get(each.position)
            or structs.replace(each, event=without_personal_fields(each.event))
        )
        for each in found
    ]


def _open_to(asker: Asker, entry: Entry) -> bool:
    """Whether there is anything personal in what it says, and the asker may read it."""
    texts = personal_fields(type(entry.event)).values()
    return bool(texts) and asker.sees(entry.study, *texts)


def _event(entry: Entry) -> Event:
    envelope, event = entry.envelope, entry.event
    if isinstance(event, BallotCast) and event.secrecy is Secrecy.SECRET:
        event = structs.replace(event, choices=())  # no view links a voter with a vote
    return Event(
        study=entry.study,
        position=entry.position,
        event_id=entry.event_id,
        type=entry.type,
        phase=envelope.phase,
        cycle=entry.cycle,
        actor=entry.actor,
        role=envelope.role,
        on_behalf_of=envelope.on_behalf_of,
        channel=envelope.channel,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        tags=entry.event.tags,
        caused_by=envelope.caused_by,
        approval=envelope.approval,
        consents=list(envelope.consents),
        payload=JSON(msgspec.to_builtins(event)),
    )


async def event_at(asker: Asker, study: str, position: int) -> Event | None:
    """The event at a position of a study in which the asker has a role, if one stands there."""
    await asker.role_in(study)
    async with borrowed(asker.registers) as db:
        found = await entries(db, study, position - 1, position)
    if not found:
        return None
    entry = found[0]
    if _open_to(asker, entry) and without_personal_fields(entry.event) != entry.event:
        asker.has_read(study, Reading.PERSONAL_FIELDS, tagged(entry.event.tags))
    (event,) = await shown(found, asker)
    return event


EventShown: Any = object_type(Event)
CycleShown: Any = object_type(Cycle)


@strawberry.type(description="What can be followed live, over graphql-transport-ws or SSE.")
class Subscription:
    @strawberry.subscription(
        description="A study's events after a position, in order, none left out and none twice."
    )
    async def events(
        self,
        info: Info[Asker, None],
        study: Annotated[strawberry.ID, strawberry.argument(description="The study to follow.")],
        after: Annotated[
            int | None,
            strawberry.argument(
                description="Go on after this position: 0 for everything, left out for what is new."
            ),
        ] = None,
    ) -> AsyncGenerator[EventShown, None]:
        asker, position = info.context, after
        await asker.require(study, Duty.AUDIT)
        # Following is one read, as it begins: were each event that is shown another, the reads
        # on record would themselves be events to show.
        asker.has_read(study, Reading.AUDIT)
        if asker.sees(study, CORRESPONDENCE):  # the least of what is personal
            asker.has_read(study, Reading.PERSONAL_FIELDS)
        with asker.bell.listening() as rung:
            while True:
                async with borrowed(asker.registers) as db:
                    head = await head_of(db, study)
                    position = head if position is None else position
                    found = await entries(db, study, position, head, limit=AT_ONCE)
                for event in await shown(found, asker):
                    yield event
                    position = event.position
                if not found:
                    await rung()
                    await asker.require(study, Duty.AUDIT)  # a role may have ended meanwhile

    @strawberry.subscription(
        description="A cycle's progress: as it stands now, and again whenever it has changed."
    )
    async def cycle_progress(
        self,
        info: Info[Asker, None],
        study: Annotated[strawberry.ID, strawberry.argument(description="The cycle's study.")],
        cycle: Annotated[strawberry.ID, strawberry.argument(description="The cycle to follow.")],
    ) -> AsyncGenerator[CycleShown, None]:
        asker, last = info.context, None
        with asker.bell.listening() as rung:
            while True:
                await asker.require(study, Duty.READ)
                async with borrowed(asker.registers) as db:
                    now = await cycle_of(db, study, cycle)
                if now is not None and now != last:
                    yield now
                    last = now
                await rung()
