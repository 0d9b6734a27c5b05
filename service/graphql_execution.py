"""Executes GraphQL operations in the event loop; what a failure would tell stays here."""

import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing
from inspect import isawaitable
from pathlib import PurePath
from typing import Any, cast

import strawberry
import structlog
from asyncpg import CharacterNotInRepertoireError, DataError
from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
    subscribe,
)
from strawberry.execution import optimized_is_awaitable

from service.appends import RecordUnavailable
from service.database import UNREACHABLE
from service.graphql_documents import Documents, InvalidRequest, Prepared
from service.graphql_limits import LimitExceeded, Limits, nesting

log = structlog.get_logger()


class Operations:
    """Every transport (HTTP, server-sent events, WebSocket) executes through here.

    graphql-core is called directly: strawberry's `Schema.execute` parses and validates each time
    and runs schema extensions, which therefore are refused here instead of being passed over.
    """

    def __init__(self, schema: strawberry.Schema, limits: Limits, *, introspection: bool) -> None:
        if schema.extensions or schema.directives:
            raise ValueError(
                "This GraphQL transport runs neither schema extensions nor operation directives: "
                "leave `extensions` and `directives` out of strawberry.Schema."
            )
        self.schema, self.limits = schema, limits
        self.documents = Documents(schema, limits, introspection=introspection)

    def check(
        self, prepared: Prepared, name: str | None, variables: dict[str, Any] | None
    ) -> OperationDefinitionNode:
        """The operation to run. Raises InvalidRequest if there is none or it asks for too much."""
        operation = prepared.operation(name)
        self.limit_nesting("variables", variables)
        self.documents.enforce_limits(prepared, operation, variables or {})
        return operation

    def limit_nesting(self, what: str, value: object) -> None:
        if (found := nesting(value)) > (most := self.limits.json_nesting):
            message = (
                f"The {what} nest {found} objects and lists in one another; at most {most} are "
                "allowed. Send them flatter."
            )
            raise InvalidRequest(LimitExceeded("JSON_TOO_DEEP", most, message))

    async def execute(
        self,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: object,
    ) -> ExecutionResult:
        """Runs a checked query or mutation. Raises InvalidRequest if none of it was executed."""
        result = execute(
            self.schema._schema,
            prepared.document,
            context_value=context,
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
            execution_context_class=self.schema.execution_context_class,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=not self.documents.introspection,
        )
        return shown(await result if isawaitable(result) else result, operation)

    async def stream(
        self,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: object,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """Runs a checked operation of any kind; a query or mutation gives one result.

        Raises InvalidRequest before the first result if there will be none. A failure of the
        source later ends the stream with its error (6.2.3.2 of the specification), not in silence.
        """
        if operation.operation is not OperationType.SUBSCRIPTION:
            yield await self.execute(prepared, operation, variables, context)
            return
        source = await subscribe(
            self.schema._schema,
            prepared.document,
            context_value=context,
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
            hide_suggestions=not self.documents.introspection,
        )
        if isinstance(source, ExecutionResult):
            raise InvalidRequest(*(masked(error, operation) for error in source.errors or ()))
        async with aclosing(cast(AsyncGenerator[ExecutionResult, None], source)) as results:
            try:
                async for result in results:
                    yield shown(result, operation)
            except GraphQLError as error:
                yield ExecutionResult(None, [masked(error, operation)])
            except Exception as error:
                yield ExecutionResult(None, [internal(error, operation=_name(operation))])


def shown(result: ExecutionResult, operation: OperationDefinitionNode) -> ExecutionResult:
    """The result as the client may see it. Raises InvalidRequest if nothing was executed."""
    if result.errors:
        result.errors = [masked(error, operation) for error in result.errors]
        if result.data is None and all(error.path is None for error in result.errors):
            raise InvalidRequest(*result.errors)
    return result


def masked(error: GraphQLError, operation: OperationDefinitionNode) -> GraphQLError:
    """A GraphQLError is meant for the client; any other exception of a resolver is not.

    An error without a path came before execution (a wrong variable, say): its cause is the
    client's own value, and the message says what is wrong with it.
    """
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None or error.path is None:
        return error
    field = error.nodes[0] if error.nodes else None
    seen = internal(
        cause,
        operation=_name(operation),
        field=getattr(getattr(field, "name", None), "value", None),
    )
    return GraphQLError(
        seen.message, nodes=error.nodes, path=error.path, extensions=seen.extensions
    )


def internal(error: Exception, **where: str | None) -> GraphQLError:
    """Logs an unexpected exception and returns what a client is told of it.

    The exception's message is not logged: it may quote the values at hand (a name in a unique
    key's violation). Its type and where it was raised are.
    """
    if isinstance(error, (RecordUnavailable, *UNREACHABLE)):
        log.warning("graphql_unavailable", error=type(error).__name__, **where)
        return GraphQLError(
            "The database cannot be reached just now. Ask again in a moment; follow events from "
            "the last position that you have.",
            extensions={"code": "UNAVAILABLE"},
        )
    if type(error) in (CharacterNotInRepertoireError, DataError):  # the latter: cannot be sent
        log.warning("graphql_value_impossible", error=type(error).__name__, **where)
        return GraphQLError(
            "Nothing on record can be what was asked for: a text with the character U+0000, or a "
            "moment beyond the calendar's ends.",
            extensions={"code": "VALUE_IMPOSSIBLE"},
        )
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    log.error(
        "graphql_internal_error",
        error=f"{type(error).__module__}.{type(error).__qualname__}",
        frames=[f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in frames],
        **where,
    )
    extensions: dict[str, Any] = {"code": "INTERNAL"}
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        extensions["requestId"] = request_id
    return GraphQLError("Internal error", extensions=extensions)


def _name(operation: OperationDefinitionNode) -> str:
    return f"{operation.operation.value} {operation.name.value if operation.name else '(unnamed)'}"
