"""`withdrawWithCode`: the one mutation that needs no token, because the code is what may ask."""

from typing import Annotated, Any

import strawberry
from graphql import FieldNode, OperationDefinitionNode, OperationType
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from domain.commands import Refused
from domain.conditions import Reason
from service.asking import Asker
from service.graphql_mutations import RefusedAnswer, answered
from service.graphql_types import comments_on, fields_given, input_type, object_type
from service.proposals import in_snake_case
from service.withdrawal_by_code import Asked, NotWithdrawn, Withdrawn, read_asked
from service.withdrawal_in_words import in_plain_words

NAME = "withdrawWithCode"


def withdraw_with_code() -> StrawberryField:
    """The field of the root type."""
    message: Any = strawberry.field(
        resolver=_message, description="What the participant is told, in plain words."
    )
    shown: Any = object_type(Withdrawn, ("message", message))
    outcome = Annotated[
        shown | RefusedAnswer,
        strawberry.union("WithdrawalOutcome", description="What became of a withdrawal by code."),
    ]
    asks = input_type(
        "WithdrawWithCodeInput",
        "What a participant asks with the code on their receipt.",
        fields_given(Asked),
        comments_on(Asked),
    )

    async def withdraw(info: Info[Asker, None], input: dict[str, Any]) -> Any:
        asker, sent = info.context, in_snake_case(input)
        try:
            return await asker.withdrawals.withdraw(read_asked(sent), asker.address)
        except Refused as refused:
            return answered(refused)
        except NotWithdrawn as fault:
            return answered(Refused([Reason(code=fault.code, message=str(fault), path="code")]))

    withdraw.__annotations__ |= {
        "input": Annotated[asks, strawberry.argument(description="The code, and what to do.")],
        "return": outcome,
    }
    field: StrawberryField = strawberry.mutation(
        withdraw,
        description="Take consent back with the code on a receipt; it needs no token. Sent again, "
        "it is answered, not repeated.",
    )
    field.python_name = field.name = NAME
    return field


def _message(root: Any) -> str:
    return " ".join(in_plain_words(root))


def open_to_anyone(operation: OperationDefinitionNode) -> bool:
    """Whether an operation withdraws by code and does nothing else."""
    return operation.operation is OperationType.MUTATION and all(
        isinstance(each, FieldNode) and each.name.value in (NAME, "__typename")
        for each in operation.selection_set.selections
    )
