"""The study register: the study, its people and roles, and what the community brings."""

import asyncio

from domain.membership import MemberJoined, MemberLeft, Role
from domain.people import (
    GroundRulesAgreed,
    PowerLevel,
    PowerRated,
    PowerScale,
    StakeholderEngaged,
    StakeholderKind,
)
from domain.reconnaissance import AssetKind, AssetMapped, ConcernStated
from projections.paging import Window
from projections.study_register import (
    assets,
    concerns,
    ground_rules,
    ground_rules_history,
    members,
    power_ratings,
    stakeholders,
    studies_of,
    study,
)
from tests.conftest import Database
from tests.registers import STUDY, followed
from tests.story import on

ben = MemberJoined(member="ben", role=Role.FACILITATOR, name="Ben Okri", approved_personnel=True)


def test_a_study_is_shown_to_those_who_have_a_role_in_it(database: Database) -> None:
    async def story() -> None:
        left = MemberLeft(member="chi")
        joined = MemberJoined(member="chi", role=Role.VIEWER)
        async with followed(database, ben, joined, left) as db:
            (shown,) = await studies_of(db, "ben")
            assert shown == await study(db, STUDY)
            assert (shown.title, shown.lead, shown.made_up) == ("Maize and water", "ana", False)
            assert await studies_of(db, "ana") == [shown]
            assert await studies_of(db, "chi") == []
            assert await studies_of(db, "eve") == []
            assert await study(db, "beans") is None

    asyncio.run(story())


def test_a_members_role_is_the_one_recorded_last(database: Database) -> None:
    async def story() -> None:
        history = (
            on("2026-02-01", ben),
            on("2026-03-01", MemberLeft(member="ben")),
            on("2026-04-01", MemberJoined(member="ben", role=Role.RESEARCHER)),
            on("2026-04-02", MemberJoined(member="chi", role=Role.VIEWER)),
            on("2026-04-03", MemberLeft(member="chi")),
        )
        async with followed(database, *history) as db:
            shown = (await members(db, STUDY, Window())).rows
            assert [(each.member, each.role) for each in shown] == [
                ("ana", Role.LEAD_RESEARCHER),
                ("ben", Role.RESEARCHER),
                ("chi", Role.VIEWER),
            ]
            assert (shown[1].name, shown[1].left_at) == ("2/name", None)
            page = await members(db, STUDY, Window(), present=False)
            assert [each.member for each in page.rows] == ["chi"]
            page = await members(db, STUDY, Window(), role=Role.RESEARCHER)
            assert [each.member for each in page.rows] == ["ben"]

    asyncio.run(story())


def test_the_ground_rules_in_force_are_those_agreed_last(database: Database) -> None:
    async def story() -> None:
        early = GroundRulesAgreed(rules=("Listen.",), participants=("p-1",))
        late = GroundRulesAgreed(rules=("Listen.", "Phones off."), participants=("p-1", "p-2"))
        # The paper of February was typed in after that of March.
        history = (on("2026-03-01", late), on("2026-02-01", early))
        async with followed(database, *history) as db:
            in_force = await ground_rules(db, STUDY)
            assert in_force is not None
            assert in_force.rules == ["Listen.", "Phones off."]
            page = await ground_rules_history(db, STUDY, Window())
            assert [each.position for each in page.rows] == [2, 3]
        assert await nothing(database) is None

    async def nothing(database: Database) -> object:
        async with followed(database, study="beans") as db:
            return await ground_rules(db, "beans")

    asyncio.run(story())


def test_what_the_community_brings_is_found_by_what_is_known_of_it(database: Database) -> None:
    concern = ConcernStated(
        concern="k-1", title="Loneliness", participants=("p-1",), groups=("A",), words="Nobody."
    )
    skill = AssetMapped(
        asset="a-1", kind=AssetKind.INDIVIDUALS, title="Baking", offered_by=("p-1",)
    )
    hall = AssetMapped(asset="a-2", kind=AssetKind.PLACES, title="A hall", stakeholder="s-1")
    church = StakeholderEngaged(
        stakeholder="s-1", kind=StakeholderKind.FAITH_GROUP, title="St John", contact_name="Joan"
    )
    rated = PowerRated(
        cycle="c-1", scale=PowerScale.IAP2, level=PowerLevel.INVOLVE, rater_role=Role.PARTICIPANT
    )

    async def story() -> None:
        async with followed(database, concern, skill, hall, church, rated) as db:
            window = Window()
            (stated,) = (await concerns(db, STUDY, window, participant="p-1", group="A")).rows
            assert (stated.title, stated.words) == ("Loneliness", "2/words")
            assert (await concerns(db, STUDY, window, participant="p-2")).rows == []
            page = await assets(db, STUDY, window, kind=AssetKind.PLACES, stakeholder="s-1")
            assert [each.asset for each in page.rows] == ["a-2"]
            page = await assets(db, STUDY, window, participant="p-1")
            assert [each.asset for each in page.rows] == ["a-1"]
            (engaged,) = (
                await stakeholders(db, STUDY, window, kind=StakeholderKind.FAITH_GROUP)
            ).rows
            assert engaged.contact_name == "5/contact_name"
            (rating,) = (await power_ratings(db, STUDY, window, cycle="c-1")).rows
            assert (rating.level, rating.rater_role) == (PowerLevel.INVOLVE, Role.PARTICIPANT)

    asyncio.run(story())
