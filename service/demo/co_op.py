"""The third cycle, where the two others meet: a co-operative of their own. It is still open."""

from datetime import date

from domain.actions import (
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    ExpensePaid,
    MilestoneReached,
)
from domain.corrections import Corrected
from domain.cycles import CycleOpened, Edge, Parent
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade, PlaceKind
from domain.findings import FindingDrafted, FindingValidated
from domain.membership import Role
from domain.outcomes import (
    ChangeIn,
    HarmReported,
    HarmSeverity,
    IndicatorMeasured,
    OutcomeHarvested,
    RippleLinked,
    StoryCollected,
)
from domain.people import PowerLevel, PowerRated, PowerScale
from domain.planning import (
    ActionOwner,
    ActionPlanned,
    PlannedIndicator,
    PlanRatified,
    Ratification,
)
from domain.priorities import DissentRecorded, PriorityAdopted, PriorityProposed
from domain.recordings import MediaCaptured, MediaKind, Transcriber, TranscriptMade
from domain.reflections import AssumptionTested, ReflectionRecorded, Verdict, Voice
from domain.vocabulary import Channel, Phase
from domain.workshops import WorkshopHeld
from service.demo.participants import CARERS, GROWERS, KITCHEN, SHED, YOUNG
from service.demo.telling import Told, digest_of, people, vouchers

PLANNED = (
    Told("2026-03-17 10:00", "ada", CycleOpened(
        cycle="co-op", title="Something we own",
        question="What kind of enterprise could hold all this up, and belong to those who use it?",
        parents=(Parent(cycle="evenings", edge=Edge.CONTINUES_ACTION),
                 Parent(cycle="waiting", edge=Edge.CARRIES_QUESTION)))),
    Told("2026-03-18 18:00", "dev", WorkshopHeld(
        workshop="w-12", cycle="co-op", site="pantry-toxteth",
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        participants=people(2, 7, 8, 10, 14, 16, 21, 24, 29, 32, 34), facilitators=("dev", "cora"),
        topic="What is a co-operative?", focus="One member, one vote, and who washes up",
        technique="a shop run with buttons for money", week=1,
        payments=vouchers(20, 2, 7, 8, 10, 14, 16, 21, 24, 29, 32, 34)), phase=Phase.PLAN),
    Told("2026-03-31 18:10", "cora", PriorityProposed(
        priority="fair-wages", cycle="co-op", proposed_by=people(2, 11),
        title="Pay people who have worked for nothing")),
    Told("2026-03-31 18:20", "cora", PriorityProposed(
        priority="open-doors", cycle="co-op", proposed_by=people(4, 32), concerns=("evenings",),
        title="Keep the doors open every evening")),
    Told("2026-03-31 18:30", "fay", PriorityProposed(
        priority="nhs-contract", cycle="co-op", proposed_by=people(21), concerns=("waiting",),
        title="Be paid by the health service for what we do for its waiting list")),
    Told("2026-04-02 17:20", "fay", PriorityProposed(
        priority="minibus", cycle="co-op", proposed_by=people(25, 27), concerns=("buses",),
        title="Our own minibus home")),
    Told("2026-04-28 18:20", "cora", PriorityAdopted(
        priority="open-doors", cycle="co-op", ballot="b-co-op")),
    Told("2026-04-28 18:22", "cora", PriorityAdopted(
        priority="fair-wages", cycle="co-op", ballot="b-co-op")),
    Told("2026-04-30 17:40", "fay", DissentRecorded(
        cycle="co-op", ballot="b-co-op", participants=people(27),
        words="Twice the bus has been on the paper, and twice it got nowhere. Some of us have "
        "aged out of the young people's group waiting for it.")),
    Told("2026-05-05 18:30", "cora", ActionPlanned(
        action="register", cycle="co-op", title="Register the co-operative, with rules we can read",
        owner=ActionOwner(participant="P-14"), priority="fair-wages", assets=("bookkeeping",),
        due=date(2026, 9, 30),
        if_then_because="If it is ours in law, then nobody can end it for us, because there is "
        "no one above us to run out of interest.",
        indicators=(PlannedIndicator(indicator="members", title="Members of the co-operative",
                                     unit="people", baseline=0, target=60),))),
    Told("2026-05-05 18:40", "cora", ActionPlanned(
        action="paid-cooks", cycle="co-op",
        title="Two paid cooks, and a rota that lets people rest",
        owner=ActionOwner(member="cora"), priority="fair-wages", assets=("cooking-for-sixty",),
        due=date(2026, 7, 31),
        if_then_because="If two cooks are paid, then the others can come to eat, because rest is "
        "what goodwill runs on.",
        indicators=(PlannedIndicator(indicator="paid-hours", title="Hours paid at the real living "
                                     "wage", unit="hours a week", baseline=0, target=32),))),
    Told("2026-05-05 18:50", "dev", ActionPlanned(
        action="five-evenings", cycle="co-op", title="Five evenings a week by the autumn",
        owner=ActionOwner(stakeholder="pantry"), priority="open-doors",
        assets=("empty-kitchen", "harvest-supper"), due=date(2026, 10, 5),
        if_then_because="If the door is open every evening, then nobody has to save their worst "
        "day for a Tuesday, because the week does not ask which day it is.",
        indicators=(PlannedIndicator(indicator="evenings-open", title="Evenings open",
                                     unit="evenings a week", baseline=2, target=5),))),
    Told("2026-05-05 19:00", "dev", ActionPlanned(
        action="minibus-trial", cycle="co-op", title="Borrow the college's minibus on Thursdays",
        owner=ActionOwner(stakeholder="college"), priority="open-doors", due=date(2026, 10, 31),
        if_then_because="If there is a way home, then open doors are open to everybody.",
        note="Owed to the dissent in April. Not to be dropped quietly.")),
    Told("2026-05-12 19:00", "ada", PlanRatified(
        cycle="co-op", actions=("register", "paid-cooks", "five-evenings", "minibus-trial"),
        how=Ratification.CONSENSUS, participants=people(2, 4, 8, 10, 14, 16, 21, 24, 27, 29, 34),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS), ballot="b-co-op")),
)  # fmt: skip

DONE = (
    Told("2026-05-14 17:30", "dev", ActionStarted(action="register")),
    Told("2026-05-19 18:30", "dev", WorkshopHeld(
        workshop="w-13", cycle="co-op", site="shed-birkenhead", groups=(SHED, KITCHEN, GROWERS),
        participants=people(2, 6, 10, 14, 15, 32, 34), facilitators=("dev",),
        topic="Rules we can read", focus="Forty pages into four",
        technique="reading aloud and crossing out", week=10,
        payments=vouchers(20, 2, 6, 10, 14, 15, 32, 34))),
    Told("2026-06-02 17:00", "cora", ActionStarted(action="paid-cooks")),
    Told("2026-06-30 12:00", "cora", ExpensePaid(
        action="paid-cooks", amount=81900, currency="GBP", purpose="Wages, June")),
    Told("2026-06-16 18:00", "fay", WorkshopHeld(
        workshop="w-14", cycle="co-op", site="carers-bootle", groups=(CARERS, YOUNG, KITCHEN),
        participants=people(4, 7, 8, 16, 19, 21, 22, 24, 29, 30), facilitators=("fay",),
        topic="A rota that lets people rest", focus="Who cooks, who eats, who does neither",
        technique="rota as a board game", week=14), channel=Channel.FIELD_FORM),
    Told("2026-07-09 17:30", "dev", MilestoneReached(
        action="register", milestone="Four pages of rules, agreed line by line")),
    Told("2026-07-31 12:00", "cora", ExpensePaid(
        action="paid-cooks", amount=84500, currency="GBP", purpose="Wages, July")),
    Told("2026-08-04 17:00", "dev", ActionStarted(
        action="five-evenings", note="Wednesdays first; it is the emptiest day.")),
    Told("2026-09-10 17:30", "dev", MilestoneReached(
        action="register", milestone="Forty-one people paid their pound")),
    Told("2026-09-24 18:00", "dev", ActionImplemented(
        action="register", participants=people(10, 14, 34), groups=(SHED, KITCHEN),
        stakeholders=("co-op-advice",),
        what_was_done="Registered on a Thursday afternoon. Raj read the number out and Len cried "
        "and said it was the onions.")),
    Told("2026-09-29 18:00", "cora", WorkshopHeld(
        workshop="w-15", cycle="co-op", site="pantry-toxteth",
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        participants=people(2, 4, 6, 8, 10, 11, 14, 15, 16, 19, 22, 24, 27, 29, 32, 34, 35, 36),
        facilitators=("cora", "dev"), topic="The first members' meeting",
        focus="Electing seven people, none of them for ever", technique="sociocratic election",
        week=29, notes="Callum was nominated by three people over sixty.")),
    Told("2026-10-06 17:30", "dev", ActionBlocked(
        action="five-evenings", barrier="The electricity bill doubled at the September reading",
        needs="A tariff for community buildings, or eleven solar panels",
        why="Three evenings we can pay for. Five we cannot, yet.")),
    Told("2026-10-20 18:40", "cora", MilestoneReached(
        action="paid-cooks", milestone="Nobody unpaid has cooked twice in one week since June")),
)  # fmt: skip

SEEN = (
    Told("2026-06-11 11:00", "ben", InterviewHeld(
        session="i-06", cycle="co-op", site="shed-birkenhead", participants=people(14), minutes=62,
        place=PlaceKind.WORKPLACE, interviewers=("ben",), topic="From volunteer to treasurer",
        payments=vouchers(25, 14))),
    Told("2026-06-11 12:05", "ben", MediaCaptured(
        media="m-07", cycle="co-op", kind=MediaKind.AUDIO, sha256=digest_of("m-07"),
        participants=people(14), session="i-06", seconds=3710)),
    Told("2026-06-25 15:00", "ben", TranscriptMade(
        transcript="t-05", media="m-07", kind=MediaKind.AUDIO, participants=people(14),
        made_by=Transcriber.PERSON, sha256=digest_of("t-05"), language="en-GB", words=8030,
        pseudonymised=True)),
    Told("2026-07-02 17:00", "fay", FocusGroupHeld(
        session="f-04", cycle="co-op", site="library-knowsley",
        participants=people(24, 27, 29, 30), minutes=65,
        place=PlaceKind.PUBLIC_SPACE, moderators=("fay",), groups=(YOUNG,),
        topic="Whose co-operative is it?", payments=vouchers(20, 24, 27, 29, 30),
        adjustments="On the grass behind the library; no tables.")),
    Told("2026-07-15 13:00", "fay", FocusGroupHeld(
        session="f-05", cycle="co-op", site="carers-bootle",
        participants=people(16, 18, 19, 20, 21, 22), minutes=70,
        place=PlaceKind.COMMUNITY_VENUE, moderators=("fay",), groups=(CARERS,),
        topic="Work you can leave at ten minutes' notice",
        payments=vouchers(20, 16, 18, 19, 20, 21, 22))),
    Told("2026-08-12 18:00", "cora", ObservationMade(
        session="o-04", cycle="co-op", site="pantry-toxteth",
        minutes=140, place=PlaceKind.COMMUNITY_VENUE,
        participants=people(2, 6, 8), people_present=38, observers=("cora",), groups=(KITCHEN,),
        topic="The first Wednesday",
        notes="One of the first cooks came only to eat. She sent the soup back for salt.")),
    Told("2026-06-30 20:00", "cora", IndicatorMeasured(
        indicator="paid-hours", cycle="co-op", value=16, unit="hours a week",
        action="paid-cooks")),
    Told("2026-10-31 12:00", "cora", IndicatorMeasured(
        indicator="paid-hours", cycle="co-op", value=28, unit="hours a week",
        action="paid-cooks")),
    Told("2026-09-29 20:30", "dev", IndicatorMeasured(
        indicator="members", cycle="co-op", value=47, unit="people", action="register")),
    Told("2026-11-17 20:30", "dev", IndicatorMeasured(
        indicator="members", cycle="co-op", value=58, unit="people", action="register")),
    Told("2026-10-06 17:40", "dev", IndicatorMeasured(
        indicator="evenings-open", cycle="co-op", value=3, unit="evenings a week",
        action="five-evenings")),
    Told("2026-07-08 10:00", "fay", HarmReported(
        harm="h-2", cycle="co-op", severity=HarmSeverity.MODERATE, participants=people(30),
        what="After the focus group she was asked by a stranger on the bus whether she was "
        "the girl from the hospital; somebody had overheard.",
        told="The committee and the data steward, on the same day. No more groups in the open.")),
    Told("2026-10-13 18:30", "cora", StoryCollected(
        story="s-payslip", cycle="co-op", title="A payslip", participants=people(6),
        domain_of_change="dignity", actions=("paid-cooks",),
        text="Nine years here, and it is the first paper with my name on it that is not asking me "
        "for something. My daughter put it on the fridge.")),
    Told("2026-10-15 17:00", "fay", StoryCollected(
        story="s-chair", cycle="co-op", title="Chair", participants=people(29),
        domain_of_change="being listened to", actions=("register",),
        text="They said who wants to chair and I looked at the floor. Then this old fella goes, "
        "Callum, he lets people finish. I didn't know anyone had noticed.")),
    Told("2026-10-27 11:00", "ben", OutcomeHarvested(
        outcome="o-wages", cycle="co-op", title="Work that was free is paid",
        who_changed="The co-operative and five of its members", intended=True,
        change_in=ChangeIn.PRACTICES, participants=people(2, 6), actions=("paid-cooks",),
        what="Two cooks and a bookkeeper are on the payroll; those who cooked for nothing in 2025 "
        "come to eat.", substantiated_by="The payroll, and the rota on the kitchen wall")),
    Told("2026-10-27 11:15", "ben", OutcomeHarvested(
        outcome="o-young-chair", cycle="co-op", title="Under-25s hold two of seven seats",
        who_changed="The members' meeting", intended=False, change_in=ChangeIn.RELATIONSHIPS,
        participants=people(24, 29), actions=("register",),
        what="In 2024 they lost every vote. In September they were nominated by people three "
        "times their age.")),
    Told("2026-10-27 11:25", "ben", RippleLinked(
        cycle="co-op", from_outcome="o-cooks-tired", to_action="paid-cooks",
        how="What went wrong in the first cycle is the reason for this one.")),
    Told("2026-10-27 11:30", "ben", RippleLinked(
        cycle="co-op", from_action="paid-cooks", to_outcome="o-wages")),
    Told("2026-10-27 11:35", "ben", RippleLinked(
        cycle="co-op", from_action="quiet-room", to_outcome="o-young-chair",
        how="The promise that was kept is the one they mention.")),
    Told("2026-10-22 10:00", "sol", Corrected(
        corrects=1, event_type="FocusGroupHeld", subject="session:f-04",
        why="After what happened the place is not to be guessed from the record.",
        standing={"place": "other", "adjustments": "Outdoors; no tables."})),
)  # fmt: skip

LEARNED = (
    Told("2026-06-23 21:10", "pia", ReflectionRecorded(
        reflection="r-07", cycle="co-op", voice=Voice.PARTICIPANTS, participants=people(7),
        title="Being paid to stop", what="I was told to go home because I'd done my hours.",
        so_what="Nobody has ever said that to me about something I cared about.",
        now_what="Keep the rota, even when it's busy.")),
    Told("2026-08-20 10:00", "ada", ReflectionRecorded(
        reflection="r-08", cycle="co-op", voice=Voice.RESEARCHERS, title="We were overheard",
        what="A session in a public place cost a young woman her trust in us.",
        so_what="Kindness about where to sit is not the same as care for who can hear.",
        now_what="Indoors, always; and the data steward reads every plan for a session first.",
        turning_point=True)),
    Told("2026-10-13 19:30", "dev", ReflectionRecorded(
        reflection="r-09", cycle="co-op", voice=Voice.CO_RESEARCHERS,
        title="Three evenings, not five",
        what="We planned five evenings and the meter said three.",
        so_what="Owning it means we get the bill as well.",
        now_what="Ask the allotments about the roof.", turning_point=True,
        actions_changed=("five-evenings",), priorities_changed=("open-doors",))),
    Told("2026-10-20 19:10", "cora", PowerRated(
        cycle="co-op", scale=PowerScale.IAP2, level=PowerLevel.EMPOWER,
        rater_role=Role.CO_RESEARCHER, comment="Ada asked us for the date this time.")),
    Told("2026-10-20 19:15", "ada", PowerRated(
        cycle="co-op", scale=PowerScale.ARNSTEIN, level=PowerLevel.DELEGATED_POWER,
        rater_role=Role.LEAD_RESEARCHER)),
    Told("2026-10-20 21:00", "pia", PowerRated(
        cycle="co-op", scale=PowerScale.IAP2, level=PowerLevel.COLLABORATE,
        rater_role=Role.PARTICIPANT, participant="P-07",
        comment="Nearly. The money is still in the university's system.")),
    Told("2026-11-03 11:00", "cora", AssumptionTested(
        cycle="co-op", action="paid-cooks", verdict=Verdict.HELD,
        assumption="If two cooks are paid, the others come to eat")),
    Told("2026-11-05 14:00", "ben", FindingDrafted(
        finding="owning-changes-asking", cycle="co-op",
        title="People who own a place ask for help in it sooner",
        stories=("s-payslip", "s-chair"), sessions=("i-06", "f-05"), outcomes=("o-wages",),
        reflections=("r-07",))),
    Told("2026-11-10 18:30", "dev", FindingValidated(
        finding="owning-changes-asking", participants=people(6, 10, 14), groups=(SHED, KITCHEN))),
    Told("2026-11-17 18:00", "fay", WorkshopHeld(
        workshop="w-16", cycle="co-op", site="pantry-toxteth",
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        participants=people(2, 4, 6, 7, 8, 10, 14, 16, 21, 22, 24, 27, 29, 32, 34, 36),
        facilitators=("fay", "cora"), topic="Where are we, and what is the weather doing?",
        focus="Panels, prices and patience", technique="dot map", week=36,
        payments=vouchers(20, 2, 4, 6, 7, 8, 10, 14, 16, 21, 22, 24, 27, 29, 32, 34, 36)),
        phase=Phase.REFLECT),
)  # fmt: skip

CO_OP = (*PLANNED, *DONE, *SEEN, *LEARNED)
