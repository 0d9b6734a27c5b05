"""The schema that clients see is a file: a change to it is reviewed like any other change."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
)
from hypothesis import given
from hypothesis import strategies as st
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.schema.types.base_scalars import DateTimeDefinition

from domain.commands import all_commands, command_types
from domain.readings import IdentifiableDataRead
from domain.vocabulary import event_types
from domain.withdrawal import ConsentWithdrawn
from service.graphql_schema import read_moment, schema
from service.proposals import verb

FILE = Path(__file__).parent / "schema.graphql"
theirs: Any = DateTimeDefinition.parse_value


def test_the_schema_is_the_one_in_the_file() -> None:
    """`parcycle schema > tests/schema.graphql` after a change that was meant."""
    assert schema().as_str() + "\n" == FILE.read_text()


@given(
    moment=st.datetimes(
        timezones=st.builds(timezone, st.integers(-839, 839).map(lambda m: timedelta(minutes=m)))
    ),
    timespec=st.sampled_from(["minutes", "seconds", "milliseconds", "microseconds"]),
    change=st.sampled_from([str, str.lower, lambda text: text.replace(".", ",")]),
)
def test_a_moment_is_read_as_strawberry_reads_it(
    moment: datetime, timespec: str, change: Callable[[str], str]
) -> None:
    sent = change(moment.isoformat(timespec=timespec))
    assert read_moment(sent) == theirs(sent)


@pytest.mark.parametrize("sent", ["2026-330T10:00z", "2026-11-26t10:00:00z", "2026-11-26T24:00Z"])
def test_a_moment_may_be_written_in_any_way_of_iso_8601(sent: str) -> None:
    assert read_moment(sent) == theirs(sent)


@pytest.mark.parametrize("sent", ["", "yesterday", "2026-13-01T10:00Z", 5, None, ["2026-11-26"]])
def test_what_is_no_moment_is_refused_as_strawberry_refuses_it(sent: object) -> None:
    with pytest.raises(StrawberryInputCoercionError, match="Value cannot represent a DateTime"):
        read_moment(sent)


def test_every_type_field_and_argument_is_described() -> None:
    bare = []
    for name, each in build_schema(FILE.read_text()).type_map.items():
        if name.startswith("__") or name in ("Query", "Mutation", "Subscription"):
            continue
        if not each.description:
            bare.append(name)
        if isinstance(each, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
            bare += [f"{name}.{f}" for f, field in each.fields.items() if not field.description]
        if isinstance(each, (GraphQLObjectType, GraphQLInterfaceType)):
            bare += [
                f"{name}.{f}({a})"
                for f, field in each.fields.items()
                for a, argument in field.args.items()
                if not argument.description
            ]
        if isinstance(each, GraphQLEnumType):
            assert each.values, name
    assert bare == []


@pytest.mark.parametrize("command", command_types(), ids=lambda command: command.__name__)
def test_every_command_has_its_mutation(command: type) -> None:
    mutation = build_schema(FILE.read_text()).mutation_type
    assert mutation is not None
    field = mutation.fields[verb(command)]
    assert field.description
    assert str(field.type) == "CommandOutcome!"


def test_every_event_has_exactly_one_command() -> None:
    by_the_service = [each.EVENT for each in all_commands() if each not in command_types()]
    assert by_the_service == [ConsentWithdrawn, IdentifiableDataRead]  # the first by a code
    offered = [command.EVENT.TOPIC for command in command_types()]
    assert sorted([*offered, IdentifiableDataRead.TOPIC]) == sorted(
        event.TOPIC for event in event_types()
    )
