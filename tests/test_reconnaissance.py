"""Before anything is planned: what troubles people, and what the community already has."""

from domain.cycles import CycleClosed, CycleOpened
from domain.membership import MemberJoined, Role
from domain.people import ParticipantEnrolled, StakeholderEngaged, StakeholderKind
from domain.reconnaissance import (
    AssetKind,
    AssetMapped,
    ConcernStated,
    MapAsset,
    StateConcern,
)
from domain.vocabulary import ResearchEvent
from tests.story import given

ready: list[ResearchEvent] = [
    ParticipantEnrolled(participant="p-1"),
    ParticipantEnrolled(participant="p-2"),
    MemberJoined(member="joy", role=Role.PARTICIPANT, participant="p-1"),
    StakeholderEngaged(
        stakeholder="library", kind=StakeholderKind.LOCAL_AUTHORITY, title="The library"
    ),
    CycleOpened(cycle="c-1", title="First turn", question="What matters here?"),
]
loneliness = ConcernStated(
    concern="k-1",
    title="Evenings alone",
    participants=("p-1",),
    words="After six nobody talks to me.",
    cycle="c-1",
)
cooking = AssetMapped(
    asset="a-1",
    kind=AssetKind.INDIVIDUALS,
    title="Cooking for thirty",
    offered_by=("p-1",),
    stakeholder="library",
    cycle="c-1",
)


def test_a_concern_is_stated_by_whoever_has_it() -> None:
    given(*ready).when(StateConcern, loneliness, by="joy").then(loneliness)


def test_a_concern_may_come_before_any_cycle_and_from_nobody_in_particular() -> None:
    heard = ConcernStated(concern="k-2", title="No bus after eight")
    given().when(StateConcern, heard).then(heard)


def test_a_concern_is_stated_once() -> None:
    given(*ready, loneliness).when(StateConcern, loneliness).then_refused("concern_exists")


def test_a_concern_belongs_to_people_and_cycles_on_record() -> None:
    given().when(StateConcern, loneliness).then_refused("participant_unknown", "cycle_not_open")
    closed = given(*ready, CycleClosed(cycle="c-1"))
    closed.when(StateConcern, loneliness).then_refused("cycle_not_open")


def test_a_participant_states_nobody_elses_concern() -> None:
    both = ConcernStated(concern="k-3", title="Damp", participants=("p-1", "p-2"))
    given(*ready).when(StateConcern, both).then(both)
    given(*ready).when(StateConcern, both, by="joy").then_refused("not_your_own")


def test_an_asset_is_put_on_the_map() -> None:
    given(*ready).when(MapAsset, cooking, by="joy").then(cooking)


def test_an_asset_is_mapped_once() -> None:
    given(*ready, cooking).when(MapAsset, cooking).then_refused("asset_exists")


def test_an_asset_is_offered_by_those_on_record() -> None:
    given().when(MapAsset, cooking).then_refused(
        "participant_unknown", "stakeholder_unknown", "cycle_not_open"
    )


def test_a_participant_offers_their_own_gifts_only() -> None:
    bens = AssetMapped(
        asset="a-2", kind=AssetKind.INDIVIDUALS, title="Bicycle repair", offered_by=("p-2",)
    )
    given(*ready).when(MapAsset, bens, by="joy").then_refused("not_your_own")
