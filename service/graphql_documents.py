"""GraphQL documents, each parsed and validated once and known by the SHA-256 of its text."""

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.validation import ASTValidationRule, specified_rules
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from service.graphql_limits import LimitExceeded, Limits, OperationMeasure, limit_aliases


class InvalidRequest(Exception):
    """A GraphQL request error: nothing of the request is executed."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = list(errors)


class Prepared:
    """A valid document, its operations by name, and what is known to be within the limits."""

    __slots__ = ("document", "operations", "within_limits")

    def __init__(self, document: DocumentNode) -> None:
        self.document = document
        self.operations = {
            definition.name.value if definition.name else None: definition
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
        }
        self.within_limits: set[str | None] = set()

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to execute (GetOperation of the GraphQL specification, 6.1)."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is not None and name in self.operations:
            return self.operations[name]
        has = ", ".join(known or "an unnamed one" for known in self.operations) or "none"
        asked = f"there is no operation named {name}" if name else "operationName is not given"
        message = f"Name the operation to execute: {asked}. The document's operations: {has}."
        raise InvalidRequest(GraphQLError(message, extensions={"code": "OPERATION_UNKNOWN"}))


class Documents:
    """The documents of one schema, prepared when first seen; the least used are let go."""

    def __init__(self, schema: strawberry.Schema, limits: Limits, *, introspection: bool) -> None:
        self.schema: GraphQLSchema = schema._schema
        self.limits = limits
        self.introspection = introspection
        self.rules: list[type[ASTValidationRule]] = [
            *specified_rules,
            MaybeNullValidationRule,
            OneOfInputValidationRule,
            *([] if introspection else [NoSchemaIntrospectionCustomRule]),
        ]
        self._kept: OrderedDict[str, tuple[Prepared, int]] = OrderedDict()
        self._characters = 0

    def prepare(self, source: str) -> Prepared:
        """The document, prepared and kept. Raises InvalidRequest with every error found."""
        key = hashed(source)
        if kept := self.known(key):
            return kept
        try:
            prepared = self._read(source)
        except RecursionError:
            message = "The document is nested too deeply, in fields or in fragments. Split it."
            raise InvalidRequest(GraphQLError(message)) from None
        self._keep(key, prepared, len(source))
        return prepared

    def known(self, key: str) -> Prepared | None:
        """The document with this SHA-256 (lower-case hexadecimal), if it is kept."""
        if (kept := self._kept.get(key)) is None:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    def _read(self, source: str) -> Prepared:
        try:
            document = parse(
                source, max_lexical_tokens=self.limits.tokens, max_comments=self.limits.tokens
            )
        except GraphQLSyntaxError as error:
            if "contains more than" not in error.message:
                raise InvalidRequest(error) from None
            message = (
                f"The document has more than {self.limits.tokens} tokens or comments. Split it "
                "into several requests, and pass values as variables."
            )
            too_long = LimitExceeded("DOCUMENT_TOO_LONG", self.limits.tokens, message)
            raise InvalidRequest(too_long) from None
        try:
            limit_aliases(document, self.limits)
        except LimitExceeded as error:
            raise InvalidRequest(error) from None
        if errors := validate(
            self.schema,
            document,
            self.rules,
            max_errors=self.limits.validation_errors,
            hide_suggestions=not self.introspection,  # a suggestion tells names of the schema
        ):
            raise InvalidRequest(*errors)
        return Prepared(document)

    def _keep(self, key: str, prepared: Prepared, characters: int) -> None:
        self._kept[key] = (prepared, characters)
        self._characters += characters
        while self._characters > self.limits.cached_characters:
            _, (_, freed) = self._kept.popitem(last=False)
            self._characters -= freed

    def enforce_limits(
        self,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        """Raises InvalidRequest when the operation asks for too much with these variables."""
        name = operation.name.value if operation.name else None
        if name in prepared.within_limits:
            return
        measure = OperationMeasure(
            self.schema, prepared.document, operation, variables, self.limits
        )
        try:
            measure.enforce()
        except LimitExceeded as error:
            raise InvalidRequest(error) from None
        except RecursionError:
            message = "The document's fragments are nested too deeply. Split it."
            raise InvalidRequest(GraphQLError(message)) from None
        if not measure.depends_on_variables:
            prepared.within_limits.add(name)


def hashed(source: str) -> str:
    return sha256(source.encode()).hexdigest()
