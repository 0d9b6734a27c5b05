"""A mutation for every command, named by its verb, and `recordAll` for many at once."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry
from asyncpg import PostgresConnectionError
from graphql import GraphQLError
from strawberry import UNSET
from strawberry.tools import create_type
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from domain.commands import Command, Refused
from domain.vocabulary import Channel, in_camel_case
from service.appends import RecordUnavailable
from service.asking import Asker
from service.erasing import CannotErase
from service.graphql_events import EventShown, event_at
from service.graphql_seal import Receipt, receipt_of
from service.graphql_types import comments_on, fields_given, first_line, input_type
from service.proposals import GivenOccasion, commands, in_snake_case, proposal
from service.research_record import Answer, Crowded, Proposal, Recorded
from service.sealing.key_encryption import KeysUnusable

MOST_AT_ONCE = 500  # commands in one `recordAll`
NOT_NOW = (Crowded, KeysUnusable, RecordUnavailable, OSError, PostgresConnectionError)


@strawberry.type(name="Recorded", description="The event is on record.")
class RecordedAnswer:
    study: strawberry.ID = strawberry.field(description="The study in whose record it stands.")
    position: int = strawberry.field(description="Where it stands: 1, 2, 3 and so on, gap-free.")
    event_id: UUID = strawberry.field(description="The event's own identifier (UUIDv7).")
    recorded_at: datetime = strawberry.field(description="When it was recorded.")

    @strawberry.field(description="The event, as it stands on record.")
    async def event(self, info: Info[Asker, None]) -> EventShown:
        return await event_at(info.context, self.study, self.position)

    @strawberry.field(
        description="What shows later that it is on record, unaltered; null before it is sealed, "
        "which takes a second or two."
    )
    async def receipt(
        self,
        info: Info[Asker, None],
        wait_for_seal: Annotated[
            bool,
            strawberry.argument(description="Wait until it is sealed; ten seconds at most."),
        ] = False,
    ) -> Receipt | None:
        return await receipt_of(info.context, self.study, self.position, wait=wait_for_seal)


@strawberry.type(name="Reason", description="Why a command was refused.")
class ReasonGiven:
    code: str = strawberry.field(description="A stable code, for programs.")
    message: str = strawberry.field(description="What is wrong and what to do, for people.")
    path: str = strawberry.field(description="The input field it concerns, such as participants.3.")
    decided_by: int | None = strawberry.field(
        description="The position of the event that decided it, where one did."
    )


@strawberry.type(name="Refused", description="Nothing was recorded, for all of these reasons.")
class RefusedAnswer:
    reasons: list[ReasonGiven] = strawberry.field(description="Every reason, at once.")


Outcome = Annotated[
    RecordedAnswer | RefusedAnswer,
    strawberry.union("CommandOutcome", description="What became of a command."),
]


def _input_of(command: type[Command[Any]]) -> type[Any]:
    shown = fields_given(command.EVENT)
    comments = {**comments_on(GivenOccasion), **comments_on(command.EVENT)}
    return input_type(
        f"{command.__name__}Input",
        f"What `{command.__name__}` asks to be recorded: {first_line(command.EVENT)}",
        {**fields_given(GivenOccasion), **shown},
        comments,
    )


def answered(answer: Answer) -> RecordedAnswer | RefusedAnswer:
    """An answer of the record, as GraphQL shows it."""
    if isinstance(answer, Recorded):
        return RecordedAnswer(
            study=strawberry.ID(answer.study),
            position=answer.position,
            event_id=answer.event_id,
            recorded_at=answer.recorded_at,
        )
    return RefusedAnswer(
        reasons=[
            ReasonGiven(
                code=reason.code,
                message=reason.message,
                path=in_camel_case(reason.path),
                decided_by=reason.decided_by,
            )
            for reason in answer.reasons
        ]
    )


def _mutation(command: type[Command[Any]], input_: type[Any]) -> StrawberryField:
    async def submit(info: Info[Asker, None], input: dict[str, Any]) -> Outcome:
        (answer,) = await _submit(info.context, [(command, input)])
        return answer

    submit.__annotations__["input"] = Annotated[
        input_, strawberry.argument(description="What happened, and on which occasion.")
    ]
    return strawberry.mutation(submit, description=first_line(command))


async def _submit(
    asker: Asker, sent: Sequence[tuple[type[Command[Any]], dict[str, Any]]]
) -> list[RecordedAnswer | RefusedAnswer]:
    """Submit commands in their order, those of one study together."""
    answers: list[Answer] = []
    proposals: list[Proposal | Refused] = []
    for command, given in sent:
        try:
            named = in_snake_case(given)
            proposals.append(proposal(command, named, asker.member, Channel.API))
        except Refused as refused:
            proposals.append(refused)
    for _, together in groupby(proposals, key=_study_of):
        run = list(together)
        if isinstance(run[0], Refused):
            answers += cast(list[Answer], run)
            continue
        try:
            answers += await asker.record.submit_all(cast(list[Proposal], run))
        except CannotErase as fault:
            raise GraphQLError(str(fault), extensions={"code": "CANNOT_ERASE"}) from fault
        except NOT_NOW as fault:
            raise GraphQLError(
                "The record could not be written just now. Send the same commands again, with the "
                "same commandIds: what was recorded after all is answered, not repeated.",
                extensions={"code": "CROWDED" if isinstance(fault, Crowded) else "UNAVAILABLE"},
            ) from fault
    return [answered(answer) for answer in answers]


def _study_of(sent: Proposal | Refused) -> str | None:
    return None if isinstance(sent, Refused) else sent.occasion.study


def mutation_type(*more: StrawberryField) -> type[Any]:
    """The root type with every command of the domain, and more."""
    inputs = {name: _input_of(command) for name, command in commands().items()}
    fields: list[StrawberryField] = []
    for name, command in commands().items():
        field = _mutation(command, inputs[name])
        field.python_name = field.name = name
        fields.append(field)
    fields += [_record_all(inputs), *more]
    return create_type(
        "Mutation", fields, description="Every research action that can be recorded."
    )


def _record_all(inputs: dict[str, type[Any]]) -> StrawberryField:
    any_command = strawberry.input(
        type(
            "CommandInput",
            (),
            {
                "__annotations__": {name: of | None for name, of in inputs.items()},
                **{
                    name: strawberry.field(default=UNSET, description=first_line(commands()[name]))
                    for name in inputs
                },
            },
        ),
        one_of=True,
        description="One command of any kind: give exactly one of these fields.",
    )

    async def record_all(
        info: Info[Asker, None], commands_: list[dict[str, dict[str, Any]]]
    ) -> list[Outcome]:
        if len(commands_) > MOST_AT_ONCE:
            raise GraphQLError(
                f"recordAll takes {MOST_AT_ONCE} commands at most, not {len(commands_)}; "
                "send them in several parts."
            )
        sent = [(commands()[name], given) for each in commands_ for name, given in each.items()]
        return cast(list[Any], await _submit(info.context, sent))

    record_all.__annotations__["commands_"] = Annotated[
        list[any_command],  # type: ignore[valid-type]
        strawberry.argument(name="commands", description="In the order in which they happened."),
    ]
    field = strawberry.mutation(
        record_all,
        description="Record many commands in their order, as when a field form comes back online. "
        "Each is answered by itself; a later one may rest on an earlier one.",
    )
    field.python_name = field.name = "recordAll"
    return field
