"""What cycles taught: reflections, stories, assumptions, learning, and findings with their echo."""

import asyncio

from domain.findings import FindingContested, FindingDrafted, FindingValidated
from domain.outcomes import StoryCollected
from domain.reflections import (
    AssumptionTested,
    Carrying,
    LearningCarried,
    ReflectionRecorded,
    StorySelected,
    Verdict,
    Voice,
)
from domain.sharing import Accessibility, Audience, FindingsShared, Format, Outlet
from projections.findings import FindingState, Stance, finding_responses, findings, sharing
from projections.paging import Window
from projections.reflections import (
    assumptions,
    learning,
    reflections,
    stories,
    story_selections,
)
from tests.conftest import Database
from tests.registers import STUDY, followed

W = Window()


def test_reflections_are_found_by_voice_and_turning_point(database: Database) -> None:
    turned = ReflectionRecorded(
        reflection="r-1", cycle="c-1", voice=Voice.PARTICIPANTS, what="We stopped.",
        now_what="Begin with food.", participants=("p-1",), turning_point=True,
        actions_changed=("a-1",),
    )  # fmt: skip
    plain = ReflectionRecorded(reflection="r-2", cycle="c-1", voice=Voice.RESEARCHERS, what="Hm.")

    async def story() -> None:
        async with followed(database, turned, plain) as db:
            (shown,) = (await reflections(db, STUDY, W, turning_point=True)).rows
            assert (shown.reflection, shown.now_what) == ("r-1", "2/now_what")
            (other,) = (await reflections(db, STUDY, W, voice=Voice.RESEARCHERS)).rows
            assert (other.reflection, other.participants) == ("r-2", [])
            page = await reflections(db, STUDY, W, cycle="c-1", participant="p-1")
            assert [each.reflection for each in page.rows] == ["r-1"]

    asyncio.run(story())


def test_a_story_shows_how_often_it_was_chosen(database: Database) -> None:
    told = [
        StoryCollected(
            story=name, cycle="c-1", title="A friend", participants=("p-1",), text="I met Joan."
        )
        for name in ("s-1", "s-2")
    ]
    chosen = StorySelected(story="s-2", cycle="c-1", why="It moved us.", selected_by="The panel")

    async def story() -> None:
        async with followed(database, *told, chosen, chosen) as db:
            (shown,) = (await stories(db, STUDY, W, selected=True)).rows
            assert (shown.story, shown.selections, shown.text) == ("s-2", 2, "3/text")
            page = await story_selections(db, STUDY, W, story="s-2")
            assert [each.why for each in page.rows] == ["4/why", "5/why"]

    asyncio.run(story())


def test_assumptions_and_learning_are_found_by_what_became_of_them(database: Database) -> None:
    tested = AssumptionTested(cycle="c-1", assumption="Time.", verdict=Verdict.UNCLEAR)
    carried = LearningCarried(
        cycle="c-1", learning="Begin with food.", carrying=Carrying.KEEP, to_cycle="c-2"
    )

    async def story() -> None:
        async with followed(database, tested, carried) as db:
            (shown,) = (await assumptions(db, STUDY, W, verdict=Verdict.UNCLEAR)).rows
            assert shown.assumption == "Time."
            assert (await assumptions(db, STUDY, W, verdict=Verdict.HELD)).rows == []
            (learned,) = (await learning(db, STUDY, W, to_cycle="c-2")).rows
            assert (learned.learning, learned.carrying) == ("Begin with food.", Carrying.KEEP)

    asyncio.run(story())


def test_a_finding_shows_where_it_stands_with_those_it_concerns(database: Database) -> None:
    drafted = [
        FindingDrafted(finding=f"f-{n}", cycle="c-1", title="Food helps.", workshops=("w-1",))
        for n in range(4)
    ]
    right = FindingValidated(finding="f-1", participants=("p-1",), cycle="c-1")
    wrong = FindingContested(finding="f-2", why="Not us.", groups=("B",), cycle="c-1")
    both = [
        FindingValidated(finding="f-3", groups=("A",)),
        FindingContested(finding="f-3", why="No."),
    ]
    shared = FindingsShared(
        findings=("f-1", "f-3"), audience=Audience.COMMUNITY, outlet=Outlet.LOCAL_EVENT,
        format=Format.POSTER, title="Food helps", accessible_as=(Accessibility.LARGE_PRINT,),
    )  # fmt: skip

    async def story() -> None:
        async with followed(database, *drafted, right, wrong, *both, shared) as db:
            shown = {each.finding: each for each in (await findings(db, STUDY, W)).rows}
            assert [each.state for each in shown.values()] == [
                FindingState.DRAFTED,
                FindingState.VALIDATED,
                FindingState.CONTESTED,
                FindingState.DISPUTED,
            ]
            assert [each.times_shared for each in shown.values()] == [0, 1, 0, 1]
            assert shown["f-0"].workshops == ["w-1"]
            page = await findings(db, STUDY, W, state=FindingState.DISPUTED)
            assert [each.finding for each in page.rows] == ["f-3"]
            (contest,) = (await finding_responses(db, STUDY, W, group="B")).rows
            assert (contest.stance, contest.words) == (Stance.CONTESTED, "7/why")
            (passed_on,) = (await sharing(db, STUDY, W, finding="f-3")).rows
            assert passed_on.accessible_as == [Accessibility.LARGE_PRINT]

    asyncio.run(story())
