"""What a document may ask for is measured in time linear in the document, whatever it nests."""

from time import process_time

import pytest
from graphql import (
    OperationDefinitionNode,
    build_schema,
    get_operation_ast,
    parse,
)

from service.graphql_documents import Documents, InvalidRequest
from service.graphql_limits import LimitExceeded, Limits, OperationMeasure, nesting
from tests.graphql_under_test import schema

SCHEMA = build_schema(
    """
    type Query { study: Study hello: String }
    type Study { title: String parents: [Study!] cycles(first: Int, last: Int): CycleConnection! }
    type CycleConnection { edges: [CycleEdge!]! nodes: [Study!]! totalCount: Int pageInfo: Page }
    type CycleEdge { node: Study! cursor: String }
    type Page { hasNextPage: Boolean }
    """
)
EASY = Limits(depth=10**9, cost=10**40, page_max=10**6)


def measured(text: str, limits: Limits = EASY, **variables: object) -> tuple[int, int]:
    """(depth, objects) of a document's operation."""
    document = parse(text)
    operation = get_operation_ast(document)
    assert isinstance(operation, OperationDefinitionNode)
    measure = OperationMeasure(SCHEMA, document, operation, variables, limits)
    measure.enforce()
    found = measure.selection(operation.selection_set, SCHEMA.query_type)
    return found.depth, found.fixed


@pytest.mark.parametrize(
    ("text", "depth", "objects"),
    [
        ("{ hello }", 1, 0),
        ("{ study { title } }", 2, 1),
        ("{ study { parents { title } } }", 3, 1 + 5),  # a list without pages: taken for 5
        # a study, its connection, and an edge and a node for each of the page
        ("{ study { cycles(first: 10) { edges { node { title } } } } }", 5, 1 + 1 + 10 * 2),
        ("{ study { cycles { edges { node { title } } } } }", 5, 1 + 1 + 50 * 2),
        ("{ study { cycles(last: 3) { nodes { title } totalCount } } }", 4, 1 + 1 + 3),
        ("{ study { cycles(first: 0) { nodes { title } } } }", 4, 1 + 1),
        ("{ study { cycles(first: null) { nodes { title } } } }", 4, 1 + 1 + 50),
        ("{ study { cycles(first: 7) { pageInfo { hasNextPage } } } }", 4, 1 + 1 + 1),
        (
            "{ study { cycles(first: 4) { ...C } } } fragment C on CycleConnection { nodes {"
            " cycles(first: 3) { ...D } } } fragment D on CycleConnection { nodes { title } }",
            6,
            1 + 1 + 4 * (1 + 1 + 3),
        ),
        ("{ ... on Query { study { ... { title } } } }", 2, 1),
    ],
)
def test_a_document_s_depth_and_objects(text: str, depth: int, objects: int) -> None:
    assert measured(text) == (depth, objects)


def test_pages_by_variables_and_their_defaults() -> None:
    text = "query ($n: Int = 9) { study { cycles(first: $n) { nodes { title } } } }"
    assert measured(text) == (4, 1 + 1 + 9)
    assert measured(text, n=2) == (4, 1 + 1 + 2)
    assert measured(text, n=2.0) == (4, 1 + 1 + 2)  # which GraphQL coerces to an Int
    with pytest.raises(LimitExceeded, match="more than a page may hold") as refused:
        measured(text, Limits(), n=201)
    assert refused.value.extensions == {"code": "PAGE_TOO_LARGE", "limit": 200}


def bomb(rings: int, inner: str) -> str:
    """Fragments that spread the next one twice: 2 to the power of `rings` if each is walked."""
    walls = "".join(
        f"fragment F{n} on Study {{ {inner.replace('F', f'...F{n + 1}')} }} " for n in range(rings)
    )
    return f"{{ study {{ ...F0 }} }} {walls} fragment F{rings} on Study {{ title }}"


@pytest.mark.parametrize(
    "inner",
    ["F F", "parents { F } parents { F }", "a: cycles { nodes { F } } b: cycles { nodes { F } }"],
)
def test_a_fragment_bomb_takes_linear_time(inner: str) -> None:
    def seconds(rings: int) -> float:
        document = parse(bomb(rings, inner))
        operation = get_operation_ast(document)
        assert operation is not None
        best = float("inf")
        for _ in range(3):
            begun = process_time()
            measure = OperationMeasure(SCHEMA, document, operation, {}, EASY)
            measure.selection(operation.selection_set, SCHEMA.query_type)
            best = min(best, process_time() - begun)
        return best

    small, large = seconds(10), seconds(80)  # a walk of each spread would take 2**70 times as long
    assert large < 8 * small * 4 + 0.005


@pytest.mark.parametrize("rings", [18, 60, 600])
def test_a_fragment_bomb_is_refused_within_a_second(rings: int) -> None:
    documents = Documents(schema, Limits(), introspection=True)
    text = bomb(rings, "parents { F } parents { F }")
    for ours, theirs in (("study", "cycle"), ("on Study", "on Cycle"), ("title", "id")):
        text = text.replace(ours, theirs)

    def enforce() -> None:
        prepared = documents.prepare(text)
        documents.enforce_limits(prepared, prepared.operation(None), {})

    begun = process_time()
    with pytest.raises(InvalidRequest, match=r"tokens|deep|objects"):
        enforce()
    assert process_time() - begun < 1


def test_json_nesting_is_counted_without_recursion() -> None:
    deep: object = []
    for _ in range(100_000):
        deep = {"in": [deep]}
    assert nesting(deep) == 200_001
    assert (nesting("x"), nesting({"a": 1, "b": [2, {"c": 3}]})) == (0, 3)


def test_documents_are_prepared_once_and_the_least_used_are_let_go() -> None:
    documents = Documents(schema, Limits(cached_characters=60), introspection=True)
    first = documents.prepare("query First { hello }")  # 21 characters
    assert documents.prepare("query First { hello }") is first
    documents.prepare("query Second { hello }")
    documents.prepare("query First { hello }")
    documents.prepare("query Third { hello }")
    assert documents.prepare("query First { hello }") is first  # used since the second was
    assert len(documents._kept) == 2
