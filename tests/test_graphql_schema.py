"""The schema that clients see is a file: a change to it is reviewed like any other change."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
)

from domain.commands import all_commands, command_types
from domain.readings import IdentifiableDataRead
from domain.vocabulary import event_types
from domain.withdrawal import ConsentWithdrawn
from service.graphql_schema import schema
from service.proposals import verb

FILE = Path(__file__).parent / "schema.graphql"


def test_the_schema_is_the_one_in_the_file() -> None:
    """`parcycle schema > tests/schema.graphql` after a change that was meant."""
    assert schema().as_str() + "\n" == FILE.read_text()


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
