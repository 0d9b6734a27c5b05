"""The GraphQL schema: a mutation for every command, a query for every register, subscriptions."""

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.base_scalars import DateTimeDefinition

from service.graphql_events import Subscription
from service.graphql_mutations import mutation_type
from service.graphql_queries import query_type
from service.graphql_types import take_input_as_sent
from service.graphql_withdrawal import withdraw_with_code

IDENTIFIER = strawberry.scalar(
    name="UUID",
    description="A universally unique identifier (RFC 9562).",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc9562",
    serialize=str,
    parse_value=UUID,
)
strawberrys: Any = DateTimeDefinition.parse_value


def read_moment(sent: Any) -> Any:
    """As strawberry reads it; what is usual by the standard library, in a tenth of the time."""
    try:
        return datetime.fromisoformat(sent)
    except (TypeError, ValueError):
        return strawberrys(sent)


MOMENT = replace(DateTimeDefinition, parse_value=read_moment)


@cache
def schema() -> strawberry.Schema:
    """The schema that clients see; tests/schema.graphql holds it for review."""
    made = strawberry.Schema(
        query=query_type(),
        mutation=mutation_type(withdraw_with_code()),
        subscription=Subscription,
        config=StrawberryConfig(scalar_map={UUID: IDENTIFIER, datetime: MOMENT}),
    )
    take_input_as_sent(made)
    return made
