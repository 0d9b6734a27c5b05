"""What a GraphQL request may ask for, decided before anything of it runs.

The limits that strawberry ships walk nested fragments once for each spread, which takes
exponential time on a document made for it. Here each fragment is walked once, however often it
is spread, so the time is linear in the document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    VariableNode,
    get_named_type,
    is_leaf_type,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one request may send or ask for."""

    body_bytes: int = 1_048_576
    json_nesting: int = 32  # of objects and lists in one another, in variables and extensions
    tokens: int = 4_000  # of the document, counted before it is parsed
    validation_errors: int = 20  # reported; then validation stops
    aliases: int = 100  # in one document
    depth: int = 20  # fields within fields
    cost: int = 50_000  # objects that the answer could hold
    page: int = 50  # what a connection holds when neither `first` nor `last` is given
    page_max: int = 200  # `first` or `last`
    list_items: int = 5  # what a list that has no pages is taken to hold
    operations: int = 100  # at once on one WebSocket
    cached_characters: int = 1_000_000  # of documents kept parsed and validated


class LimitExceeded(GraphQLError):
    """Says what was asked for, the limit, and what to do. Stable `code` for clients."""

    def __init__(self, code: str, limit: int, message: str, node: Node | None = None) -> None:
        super().__init__(message, node, extensions={"code": code, "limit": limit})


def nesting(value: object) -> int:
    """How many objects and lists stand in one another. Level by level, so without recursion."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [
            inner for part in level for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return depth


def limit_aliases(document: DocumentNode, limits: Limits) -> None:
    aliases = sum(field.alias is not None for field in _fields(document))
    if aliases > limits.aliases:
        raise LimitExceeded(
            "TOO_MANY_ALIASES",
            limits.aliases,
            f"The document has {aliases} aliases; at most {limits.aliases} are allowed. "
            "Ask in several requests, or use a field that takes a list.",
        )


def _fields(document: DocumentNode) -> Iterator[FieldNode]:
    """Every field as written, each once."""
    nodes: list[Node] = list(document.definitions)
    while nodes:
        node = nodes.pop()
        if isinstance(node, FieldNode):
            yield node
        inside = getattr(node, "selection_set", None)
        nodes.extend(inside.selections if inside else ())


@dataclass(frozen=True, slots=True)
class Measure:
    """Of a selection: its depth, and the objects its answer could hold.

    Within a connection type the objects are `fixed + page * paged`: how long the page is, is
    known only where the connection is asked for, and a fragment may be spread in several.
    """

    depth: int = 0
    fixed: int = 0
    paged: int = 0

    def and_(self, other: Self) -> "Measure":
        return Measure(
            max(self.depth, other.depth), self.fixed + other.fixed, self.paged + other.paged
        )


class OperationMeasure:
    """Measures one operation of a validated document for the variables of one request."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        self.schema, self.operation, self.limits = schema, operation, limits
        self.variables = _defaults(operation) | dict(variables)
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self.seen: dict[str, Measure] = {}
        self.depends_on_variables = False

    def enforce(self) -> None:
        """Raises LimitExceeded when the operation asks for too much."""
        root = self.schema.get_root_type(self.operation.operation)
        found = self.selection(self.operation.selection_set, root)
        if found.depth > self.limits.depth:
            raise LimitExceeded(
                "TOO_DEEP",
                self.limits.depth,
                f"The operation is {found.depth} fields deep; at most {self.limits.depth} are "
                "allowed. Ask for the inner objects in a request of their own, by id.",
                self.operation,
            )
        if found.fixed > self.limits.cost:
            raise LimitExceeded(
                "TOO_COSTLY",
                self.limits.cost,
                f"The operation could return {found.fixed:,} objects; at most "
                f"{self.limits.cost:,} are allowed. Ask for smaller pages (first, last) or for "
                "fewer connections inside one another.",
                self.operation,
            )

    def selection(
        self, selection_set: SelectionSetNode | None, parent: GraphQLNamedType | None
    ) -> Measure:
        total = Measure()
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                total = total.and_(self.field(selection, parent))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.and_(self.fragment(selection.name.value))
            elif isinstance(selection, InlineFragmentNode):
                on = selection.type_condition
                inner = self.schema.type_map[on.name.value] if on else parent
                total = total.and_(self.selection(selection.selection_set, inner))
        return total

    def fragment(self, name: str) -> Measure:
        if name not in self.seen:
            definition = self.fragments[name]
            on = self.schema.type_map[definition.type_condition.name.value]
            self.seen[name] = self.selection(definition.selection_set, on)
        return self.seen[name]

    def field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        definition = _definition(parent, node.name.value)
        if definition is None or is_leaf_type(type_ := get_named_type(definition.type)):
            return Measure(depth=1)
        inside = self.selection(node.selection_set, type_)
        asked = self.page_asked(node)
        page = self.limits.page if asked is None else asked
        objects = 1 + inside.fixed + page * inside.paged
        if not _is_list(definition.type):
            return Measure(inside.depth + 1, objects)
        if parent and parent.name.endswith("Connection"):  # its edges or nodes: as many as the page
            return Measure(inside.depth + 1, 0, objects)
        times = self.limits.list_items if asked is None else asked
        return Measure(inside.depth + 1, times * objects)

    def page_asked(self, node: FieldNode) -> int | None:
        """`first` or `last` of a field, when one is given."""
        for argument in node.arguments:
            if argument.name.value not in ("first", "last"):
                continue
            value: object = None
            if isinstance(argument.value, IntValueNode):
                value = int(argument.value.value)
            elif isinstance(argument.value, VariableNode):
                self.depends_on_variables = True
                value = self.variables.get(argument.value.name.value)
            if not isinstance(value, int | float) or value < 0:
                continue  # null counts as not given; anything else is refused as a wrong value
            if value > self.limits.page_max:
                raise LimitExceeded(
                    "PAGE_TOO_LARGE",
                    self.limits.page_max,
                    f"`{argument.name.value}: {value}` of `{node.name.value}` is more than a page "
                    f"may hold ({self.limits.page_max}). Ask for at most that many and continue "
                    "with `after` (or `before`) from `pageInfo`.",
                    argument,
                )
            return int(value)
        return None


def _definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    """The field of a valid document; None for __typename, which every type has."""
    meta: dict[str, GraphQLField] = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) and name in parent.fields:
        meta = parent.fields
    return meta.get(name)


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    return {
        definition.variable.name.value: int(definition.default_value.value)
        for definition in operation.variable_definitions
        if isinstance(definition.default_value, IntValueNode)
    }


def _is_list(type_: GraphQLOutputType) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)
