"""The first cycle: somewhere to go on a weekday evening, November 2024 to September 2025."""

from datetime import date

from domain.actions import (
    ActionAbandoned,
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    ExpensePaid,
    MilestoneReached,
)
from domain.cycles import CycleOpened
from domain.membership import Role
from domain.people import PowerLevel, PowerRated, PowerScale
from domain.planning import (
    ActionOwner,
    ActionPlanned,
    PlannedIndicator,
    PlanRatified,
    Ratification,
)
from domain.priorities import (
    DissentRecorded,
    PrioritiesMerged,
    PriorityAdopted,
    PriorityProposed,
)
from domain.vocabulary import Phase
from domain.workshops import WorkshopHeld
from service.demo.participants import CARERS, GROWERS, KITCHEN, SHED, YOUNG
from service.demo.telling import Told, people, vouchers

PLANNING = (
    Told("2024-11-11 10:00", "ada", CycleOpened(
        cycle="evenings", title="Somewhere to go on a weekday evening",
        question="What would make it easier to be among people when the week gets heavy?")),
    Told("2024-11-12 18:00", "cora", WorkshopHeld(
        workshop="w-01", cycle="evenings", site="pantry-toxteth",
        participants=people(1, 2, 3, 5, 7, 9, 10, 13, 16, 19,
            24, 25, 31),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS), facilitators=("cora", "fay"),
        topic="Who we are to each other", focus="What a good week looks like",
        technique="body mapping", week=1, payments=vouchers(20, 1, 2, 3, 5, 7, 9, 10, 13, 16, 19,
            24, 25, 31),
        small_groups="Five tables, nobody with their own group.",
        adjustments="Ground floor; large print; a lift home for P-03.",
        notes="Loud, in the good way. The map of a good week is mostly kitchens."),
        phase=Phase.RECONNAISSANCE),
    Told("2024-11-19 18:00", "fay", WorkshopHeld(
        workshop="w-02", cycle="evenings", site="pantry-toxteth",
        participants=people(1, 4, 7, 10, 11, 12, 16, 17, 18, 23,
            24, 26, 32),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS), facilitators=("fay", "gus"),
        topic="Asset walk", focus="What is already here within ten minutes' walk",
        technique="transect walk", week=2,
        notes="Rain. Eleven locked doors with lights on behind them."),
        phase=Phase.RECONNAISSANCE),
    Told("2024-11-26 19:30", "cora", PowerRated(
        cycle="evenings", scale=PowerScale.IAP2, level=PowerLevel.CONSULT,
        rater_role=Role.CO_RESEARCHER,
        comment="You ask nicely, and then the university decides the date.")),
    Told("2024-11-26 19:40", "ada", PowerRated(
        cycle="evenings", scale=PowerScale.IAP2, level=PowerLevel.INVOLVE,
        rater_role=Role.LEAD_RESEARCHER)),
    Told("2024-11-26 21:10", "pia", PowerRated(
        cycle="evenings", scale=PowerScale.IAP2, level=PowerLevel.CONSULT,
        rater_role=Role.PARTICIPANT, participant="P-07",
        comment="I do feel listened to. I'm not sure I've decided anything yet.")),
    Told("2024-12-03 18:20", "cora", PriorityProposed(
        priority="warm-evenings", cycle="evenings", proposed_by=people(1, 3),
        title="A warm place, open on weekday evenings, where you need no reason to come",
        concerns=("evenings", "children"),
        description="With soup. It has to have soup, or it is a drop-in.")),
    Told("2024-12-03 18:35", "cora", PriorityProposed(
        priority="late-kitchen", cycle="evenings", proposed_by=people(5),
        title="Keep the kitchen open late", concerns=("evenings",))),
    Told("2024-12-03 18:50", "fay", PriorityProposed(
        priority="listeners", cycle="evenings", proposed_by=people(16, 19),
        title="Neighbours trained to listen, not to fix", concerns=("waiting", "respite"))),
    Told("2024-12-03 19:00", "dev", PriorityProposed(
        priority="repair-night", cycle="evenings", proposed_by=people(9, 10),
        title="A repair night, because hands talk", concerns=("asking",))),
    Told("2024-12-03 19:10", "gus", PriorityProposed(
        priority="last-bus", cycle="evenings", proposed_by=people(25),
        title="A later last bus, or a way round it", concerns=("buses",))),
    Told("2024-12-04 20:30", "pia", PriorityProposed(
        priority="children-welcome", cycle="evenings", proposed_by=people(7),
        title="Whatever it is, children can come", concerns=("children",))),
    Told("2024-12-10 18:30", "cora", PrioritiesMerged(
        priority="warm-evenings", cycle="evenings", merged=("late-kitchen", "children-welcome"),
        note="Said out loud: it is one idea with three mothers.")),
    Told("2024-12-17 18:20", "ada", PriorityAdopted(
        priority="warm-evenings", cycle="evenings", ballot="b-evenings")),
    Told("2024-12-17 18:22", "ada", PriorityAdopted(
        priority="listeners", cycle="evenings", ballot="b-evenings")),
    Told("2024-12-17 18:40", "gus", DissentRecorded(
        cycle="evenings", ballot="b-evenings", priority="warm-evenings",
        participants=people(25, 26),
        words="It's a great idea and we won't be at it, because the last 10A is at ten past "
        "eight. Write that down.")),
)  # fmt: skip

ACTING = (
    Told("2025-01-07 18:00", "cora", WorkshopHeld(
        workshop="w-03", cycle="evenings", site="pantry-toxteth",
        participants=people(1, 2, 5, 7, 9, 10, 16, 19, 24, 31),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS), facilitators=("cora", "dev"),
        topic="From wish to plan", focus="Who does what by when, with what we have",
        technique="if-then-because cards", week=9, payments=vouchers(20, 1, 2, 5, 7, 9, 10, 16, 19,
            24, 31),
        notes="Rosa costed soup for sixty on the back of a prayer card: 41 pounds."),
        phase=Phase.PLAN),
    Told("2025-01-07 19:10", "ada", ActionPlanned(
        action="open-kitchen", cycle="evenings",
        title="Open the kitchen Tuesdays and Thursdays, five to nine",
        owner=ActionOwner(stakeholder="pantry"), priority="warm-evenings",
        assets=("cooking-for-sixty", "empty-kitchen", "four-languages"), due=date(2025, 2, 11),
        if_then_because="If the kitchen is warm and open with no reason needed, then people will "
        "come "
        "before they are in crisis, because a bowl of soup asks no questions.",
        indicators=(
            PlannedIndicator(indicator="evening-visits", title="People at the table on an evening",
                             unit="people", baseline=0, target=35),
            PlannedIndicator(indicator="know-by-name",
                title="People who know five neighbours by name",
                             unit="%", baseline=31, target=50)))),
    Told("2025-01-07 19:20", "cora", ActionPlanned(
        action="train-listeners", cycle="evenings", title="Train twelve neighbours to listen",
        owner=ActionOwner(member="cora"), priority="listeners", assets=("phone-tree",
            "four-languages"),
        due=date(2025, 4, 30),
        if_then_because="If twelve of us learn to listen without fixing, then waiting is less "
        "lonely, "
        "because being heard is a part of getting help and not the queue for it.",
        indicators=(PlannedIndicator(indicator="listeners-active", unit="people", baseline=0,
            target=12,
                                     title="Listeners who met somebody this month"),))),
    Told("2025-01-07 19:30", "dev", ActionPlanned(
        action="repair-night", cycle="evenings",
        title="A repair table at the warm evenings, first Thursdays",
        owner=ActionOwner(participant="P-10"), priority="warm-evenings", assets=("tools",
            "shipyard-stories"),
        due=date(2025, 3, 6),
        if_then_because="If men have something in their hands, then they will talk, because nobody "
        "has to look at anybody.")),
    Told("2025-01-07 19:40", "ada", ActionPlanned(
        action="lift-share", cycle="evenings",
        title="A lift share home for those the bus leaves behind",
        owner=ActionOwner(member="gus"), priority="warm-evenings", due=date(2025, 3, 31),
        if_then_because="If there is a way home after eight, then young people will come, because "
        "it is the bus that keeps them away and not the soup."), on_behalf_of="gus"),
    Told("2025-01-14 18:30", "ada", PlanRatified(
        cycle="evenings", actions=("open-kitchen", "train-listeners", "repair-night", "lift-share"),
        how=Ratification.CONSENT, participants=people(1, 2, 5, 7, 9, 10, 16, 19, 24, 31),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS))),
    Told("2025-02-11 17:00", "cora", ActionStarted(
        action="open-kitchen", note="Nineteen people. We had made soup for forty.")),
    Told("2025-02-11 20:30", "cora", ExpensePaid(
        action="open-kitchen", amount=6240, currency="GBP", purpose="Vegetables, barley, bread")),
    Told("2025-03-06 17:30", "dev", ActionStarted(action="repair-night")),
    Told("2025-03-04 18:00", "cora", ActionStarted(action="train-listeners")),
    Told("2025-03-03 18:00", "gus", ActionStarted(action="lift-share")),
    Told("2025-03-24 09:30", "gus", ActionBlocked(
        action="lift-share", barrier="No insurer will cover volunteers driving under-21s",
        needs="A community transport operator's licence, or a later bus",
        why="Four phone calls, four polite noes.")),
    Told("2025-04-29 19:00", "cora", MilestoneReached(
        action="train-listeners", milestone="Eight neighbours finished the listening course")),
    Told("2025-05-06 10:00", "gus", ActionAbandoned(
        action="lift-share", because="Insurance cannot be had for what we can pay",
        why="Better to say so than to let it sit there. The bus goes back on the list.")),
    Told("2025-06-26 19:00", "cora", ActionImplemented(
        action="train-listeners", participants=people(2, 4, 5, 7, 16, 19, 24), groups=(KITCHEN,
            CARERS, YOUNG),
        what_was_done="Six evenings, eleven neighbours, one certificate each that Lil lettered by "
        "hand. They meet on the last Thursday to listen to one another.")),
)  # fmt: skip

EVENINGS = (*PLANNING, *ACTING)
