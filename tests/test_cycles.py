"""Cycles open, follow from earlier ones, and close: the spiral is a graph."""

from domain.cycles import CloseCycle, CycleClosed, CycleOpened, Edge, OpenCycle, Parent
from tests.story import given, on
from tests.study_in_the_field import vic

first = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
other = CycleOpened(cycle="c-2", title="Another", question="And beans?")
closed = CycleClosed(cycle="c-1", summary="We know now.")


def merging(*parents: str) -> CycleOpened:
    return CycleOpened(
        cycle="c-3",
        title="Both together",
        question="Maize and beans?",
        parents=tuple(Parent(cycle=each, edge=Edge.CARRIES_QUESTION) for each in parents),
    )


def test_a_cycle_opens() -> None:
    given().when(OpenCycle, first).then(first)


def test_a_cycle_may_follow_from_several() -> None:
    merged = merging("c-1", "c-2")
    given(first, other).when(OpenCycle, merged).then(merged)


def test_a_cycle_may_follow_from_one_that_is_closed() -> None:
    given(first, closed).when(OpenCycle, merging("c-1")).then(merging("c-1"))


def test_the_same_cycle_does_not_open_twice() -> None:
    given(first).when(OpenCycle, first).then_refused("cycle_exists")
    given(first, closed).when(OpenCycle, first).then_refused("cycle_exists")


def test_parents_are_on_record_and_named_once() -> None:
    given(first).when(OpenCycle, merging("c-1", "c-9")).then_refused("cycle_unknown")
    given(first).when(OpenCycle, merging("c-1", "c-1")).then_refused("parent_twice")
    given().when(OpenCycle, merging("c-3")).then_refused("cycle_unknown")


def test_a_cycle_closes_once() -> None:
    given(first).when(CloseCycle, closed).then(closed)
    given(first, closed).when(CloseCycle, closed).then_refused("cycle_not_open")


def test_a_cycle_that_never_opened_does_not_close() -> None:
    given(other).when(CloseCycle, closed).then_refused("cycle_not_open")


def test_a_cycle_does_not_close_before_it_opened() -> None:
    story = given(on("2026-03-01", first))
    story.when(CloseCycle, closed, at="2026-02-01").then_refused("cycle_not_open")


def test_only_the_lead_opens_and_closes() -> None:
    given(vic).when(OpenCycle, first, by="vic").then_refused("role_insufficient")
    given(vic, first).when(CloseCycle, closed, by="vic").then_refused("role_insufficient")
