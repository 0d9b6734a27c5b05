"""What the first cycle saw and learned: sessions, stories, outcomes, reflections, findings."""

from domain.actions import (
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    ExpensePaid,
    MilestoneReached,
)
from domain.corrections import Corrected
from domain.cycles import CycleClosed
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade, PlaceKind
from domain.findings import FindingContested, FindingDrafted, FindingValidated
from domain.outcomes import (
    ChangeIn,
    HarmReported,
    HarmSeverity,
    IndicatorMeasured,
    OutcomeHarvested,
    RippleLinked,
    StoryCollected,
)
from domain.recordings import (
    CheckResult,
    MediaCaptured,
    MediaKind,
    MemberCheckReturned,
    MemberCheckSent,
    Transcriber,
    TranscriptMade,
)
from domain.reflections import (
    AssumptionTested,
    Carrying,
    LearningCarried,
    ReflectionRecorded,
    StorySelected,
    Verdict,
    Voice,
)
from domain.vocabulary import Channel, Phase
from domain.workshops import WorkshopHeld
from service.demo.participants import CARERS, GROWERS, KITCHEN, SHED, YOUNG
from service.demo.telling import Told, digest_of, people, vouchers

SESSIONS = (
    Told("2025-02-04 11:00", "ben", InterviewHeld(
        session="i-01", cycle="evenings", site="pantry-toxteth", participants=people(1), minutes=65,
        place=PlaceKind.COMMUNITY_VENUE, interviewers=("ben",), topic="A week, hour by hour",
        payments=vouchers(25, 1), notes="Peeled potatoes throughout. So did I.")),
    Told("2025-02-04 12:10", "ben", MediaCaptured(
        media="m-01", cycle="evenings", kind=MediaKind.AUDIO, sha256=digest_of("m-01"),
        participants=people(1), session="i-01", seconds=3890, file_name="made-up-i01.wav")),
    Told("2025-02-14 16:00", "ben", TranscriptMade(
        transcript="t-01", media="m-01", kind=MediaKind.AUDIO, participants=people(1),
        made_by=Transcriber.PERSON, sha256=digest_of("t-01"), language="en-GB", words=9120,
        pseudonymised=True)),
    Told("2025-02-17 10:00", "ben", MemberCheckSent(
        transcript="t-01", participant="P-01", note="Read aloud to her over two cups of tea.")),
    Told("2025-03-04 17:30", "cora", MemberCheckReturned(
        transcript="t-01", participant="P-01", result=CheckResult.CHANGES_ASKED,
        comments="It was my sister who left, not my daughter. Put that right and it's me.")),
    Told("2025-02-18 18:30", "cora", ObservationMade(
        session="o-01", cycle="evenings", site="pantry-toxteth",
        minutes=150, place=PlaceKind.COMMUNITY_VENUE,
        participants=people(1, 2, 5, 10), people_present=27, observers=("cora",), groups=(KITCHEN,),
        topic="The second week of the open kitchen",
        notes="The door is heavy and opens outwards. Three people read the sign and walked on. "
        "After eight, Len held it open with his foot and nobody walked on.")),
    Told("2025-03-12 13:00", "fay", FocusGroupHeld(
        session="f-01", cycle="evenings", site="carers-bootle",
        participants=people(16, 17, 18, 19, 20), minutes=80,
        place=PlaceKind.COMMUNITY_VENUE, moderators=("fay",), groups=(CARERS,),
        topic="What it takes to leave the house", payments=vouchers(20, 16, 17, 18, 19, 20),
        adjustments="Held while the sitting service was at their homes.")),
    Told("2025-03-27 17:30", "dev", ObservationMade(
        session="o-02", cycle="evenings", site="shed-birkenhead",
        minutes=120, place=PlaceKind.COMMUNITY_VENUE,
        participants=people(9, 10, 13), people_present=14, observers=("dev",), groups=(SHED,),
        topic="A toaster, four men and an hour", notes="The toaster was mended in ten minutes.")),
    Told("2025-04-10 17:00", "gus", FocusGroupHeld(
        session="f-02", cycle="evenings", site="library-knowsley",
        participants=people(24, 25, 26), minutes=70,
        place=PlaceKind.SERVICE_PREMISES, moderators=("gus",), groups=(YOUNG,),
        topic="Why we are not at the kitchen", payments=vouchers(20, 24, 25, 26))),
    Told("2025-05-08 15:00", "ben", InterviewHeld(
        session="i-02", cycle="evenings", site="shed-birkenhead",
        participants=people(10), minutes=50,
        place=PlaceKind.WORKPLACE, interviewers=("ben", "dev"), topic="After the yard closed",
        payments=vouchers(25, 10))),
    Told("2025-05-08 15:55", "ben", MediaCaptured(
        media="m-02", cycle="evenings", kind=MediaKind.AUDIO, sha256=digest_of("m-02"),
        participants=people(10), session="i-02", seconds=2975)),
    Told("2025-05-20 11:00", "ben", TranscriptMade(
        transcript="t-02", media="m-02", kind=MediaKind.AUDIO, participants=people(10),
        made_by=Transcriber.PERSON, sha256=digest_of("t-02"), language="en-GB", words=6480,
        pseudonymised=True)),
    Told("2025-05-21 10:00", "dev", MemberCheckSent(transcript="t-02", participant="P-10")),
    Told("2025-06-05 18:00", "dev", MemberCheckReturned(
        transcript="t-02", participant="P-10", result=CheckResult.CONFIRMED,
        comments="Word for word. I'd forgotten I said that about my dad.")),
    Told("2025-04-15 18:00", "cora", WorkshopHeld(
        workshop="w-04", cycle="evenings", site="pantry-toxteth", groups=(KITCHEN, CARERS, YOUNG),
        participants=people(2, 4, 7, 16, 19, 24), facilitators=("cora", "fay"),
        topic="Listening, third evening", focus="Silence, and what to do with your hands",
        technique="role play in threes", week=23)),
    Told("2025-05-14 18:00", "fay", WorkshopHeld(
        workshop="w-05", cycle="evenings", site="allotment-st-helens",
        groups=(KITCHEN, SHED, GROWERS),
        participants=people(1, 3, 5, 9, 10, 31, 32), facilitators=("fay",),
        topic="What the pictures say", focus="Photographs of evenings, before and now",
        technique="photovoice", week=27), entered="2025-06-03 10:00",
        reason="The sheet went through the wash in Fay's coat and was read with a hairdryer."),
    Told("2025-05-14 19:30", "fay", MediaCaptured(
        media="m-03", cycle="evenings", kind=MediaKind.PHOTO, sha256=digest_of("m-03"),
        participants=people(1, 5, 10), workshop="w-05",
        description="Rosa, Lil and Len behind the big pan."), entered="2025-06-03 10:05"),
    Told("2025-05-14 19:35", "fay", MediaCaptured(
        media="m-04", cycle="evenings", kind=MediaKind.PHOTO, sha256=digest_of("m-04"),
        workshop="w-05", description="Harold's beans. Nobody can be recognised."),
        entered="2025-06-03 10:06"),
)  # fmt: skip

CHANGE = (
    Told("2025-02-11 20:50", "cora", IndicatorMeasured(
        indicator="evening-visits", cycle="evenings", value=19, unit="people",
        action="open-kitchen", method="Counted by bowls.")),
    Told("2025-03-27 20:50", "cora", IndicatorMeasured(
        indicator="evening-visits", cycle="evenings", value=28, unit="people",
        action="open-kitchen")),
    Told("2025-05-29 20:50", "cora", IndicatorMeasured(
        indicator="evening-visits", cycle="evenings", value=41, unit="people",
        action="open-kitchen")),
    Told("2025-07-31 20:50", "cora", IndicatorMeasured(
        indicator="evening-visits", cycle="evenings", value=46, unit="people",
        action="open-kitchen", method="Counted by bowls; eleven were children.")),
    Told("2025-02-18 20:30", "ben", IndicatorMeasured(
        indicator="know-by-name", cycle="evenings", value=31, unit="%", action="open-kitchen")),
    Told("2025-07-29 20:30", "ben", IndicatorMeasured(
        indicator="know-by-name", cycle="evenings", value=58, unit="%", action="open-kitchen",
        method="A show of hands by table, twice, as some hands were holding babies.")),
    Told("2025-06-30 12:00", "cora", IndicatorMeasured(
        indicator="listeners-active", cycle="evenings", value=9, unit="people",
        action="train-listeners")),
    Told("2025-03-20 18:00", "dev", MilestoneReached(
        action="repair-night", milestone="First repair table: six things mended, one lost cause")),
    Told("2025-05-01 17:00", "dev", ExpensePaid(
        action="repair-night", amount=3899, currency="GBP", purpose="Fuses, solder, biscuits")),
    Told("2025-05-15 17:40", "dev", ActionBlocked(
        action="repair-night", barrier="The wiring of the hall failed its test",
        needs="An electrician's certificate"), channel=Channel.FIELD_FORM),
    Told("2025-06-05 17:30", "dev", ActionStarted(
        action="repair-night", note="Rewired by one of us, signed off by somebody younger."),
        channel=Channel.FIELD_FORM),
    Told("2025-06-24 18:10", "cora", ExpensePaid(
        action="open-kitchen", amount=11850, currency="GBP", purpose="A door that opens inwards",
        note="The best money we spent all year.")),
    Told("2025-04-08 19:20", "fay", HarmReported(
        harm="h-1", cycle="evenings", action="train-listeners", severity=HarmSeverity.MINOR,
        participants=people(19), what="A role play came too close to her brother's death and she "
        "left in tears.", told="Cora sat with her; she rang Fay the next day and came back the "
        "week after. The exercise now begins by asking what to stay away from.")),
    Told("2025-06-10 19:00", "cora", StoryCollected(
        story="s-door", cycle="evenings", title="The door that opened the wrong way",
        participants=people(5), domain_of_change="belonging", actions=("open-kitchen",),
        text="I'd walked past three Tuesdays. I could see them all laughing and I thought, that's "
        "for people who know each other. Then they changed the door. It sounds daft. It was open, "
        "so I was in it before I'd decided.")),
    Told("2025-06-19 18:00", "dev", StoryCollected(
        story="s-toaster", cycle="evenings", title="Four hours on a toaster",
        participants=people(9, 10), domain_of_change="asking for help", actions=("repair-night",),
        text="It was the element. I knew it was the element. He knew I knew. Neither of us was "
        "going home to anyone, so we took it apart properly.")),
    Told("2025-06-25 14:00", "fay", StoryCollected(
        story="s-two-hours", cycle="evenings", title="Two hours that were already ours",
        participants=people(18), domain_of_change="respite",
        text="The sitting service had been there four years. I thought it was for people who "
        "couldn't cope. My friend said: Bernard, who do you think that is?")),
    Told("2025-06-12 11:00", "ben", OutcomeHarvested(
        outcome="o-sitting", cycle="evenings", title="Carers book the sitting service they had",
        who_changed="Seven carers in the Bootle group", intended=False,
        change_in=ChangeIn.BEHAVIOUR, participants=people(16, 18, 19),
        stakeholders=("carers-centre",), actions=("open-kitchen",),
        what="In 2024 nobody booked the two hours a week. Since April every slot is taken, mostly "
        "on Thursdays.", significance="The help existed; what was missing was a reason to go out.",
        contribution="They needed somebody at home to come to the kitchen.",
        substantiated_by="The centre's booking sheet")),
    Told("2025-07-03 11:00", "ben", OutcomeHarvested(
        outcome="o-referrals", cycle="evenings",
        title="The talking therapies team tells people about the kitchen",
        who_changed="Two team leaders of the service", intended=True,
        change_in=ChangeIn.PRACTICES, stakeholders=("talking-therapies",),
        actions=("open-kitchen", "train-listeners"),
        what="Their waiting-list letter now has a paragraph on the warm evenings, in the words of "
        "the people who cook.", substantiated_by="The letter, and the team's secretary")),
    Told("2025-07-10 11:00", "ben", OutcomeHarvested(
        outcome="o-cooks-tired", cycle="evenings", title="The cooks are worn out",
        who_changed="Three of the six who cook", intended=False, harmful=True,
        change_in=ChangeIn.BEHAVIOUR, participants=people(1, 2), actions=("open-kitchen",),
        what="By June the same six had cooked every Tuesday and Thursday since February. Three "
        "now come only to eat, or not at all.",
        significance="A warm evening that burns out its cooks is not an asset, it is a loan.")),
    Told("2025-07-10 11:20", "ben", RippleLinked(
        cycle="evenings", from_action="open-kitchen", to_outcome="o-sitting",
        how="Somewhere to go made the sitting service worth booking.")),
    Told("2025-07-10 11:25", "ben", RippleLinked(
        cycle="evenings", from_action="train-listeners", to_outcome="o-referrals")),
    Told("2025-07-10 11:30", "ben", RippleLinked(
        cycle="evenings", from_outcome="o-referrals", to_outcome="o-cooks-tired",
        how="The letter brought twelve more people a week and no more cooks.")),
    Told("2025-07-31 20:00", "cora", ActionImplemented(
        action="open-kitchen", participants=people(1, 2, 3, 5, 7), groups=(KITCHEN,),
        stakeholders=("pantry",),
        what_was_done="Forty-nine evenings. Soup on all of them, bread on most, one birthday.")),
)  # fmt: skip

LOOKING_BACK = (
    Told("2025-03-25 19:30", "cora", ReflectionRecorded(
        reflection="r-01", cycle="evenings", voice=Voice.CO_RESEARCHERS, title="The door",
        what="People read the sign, look in, and walk on.",
        so_what="We had asked what would bring people in, and never what keeps them out.",
        now_what="Change the door before we change anything else.", turning_point=True,
        actions_changed=("open-kitchen",))),
    Told("2025-04-24 18:30", "gus", ReflectionRecorded(
        reflection="r-02", cycle="evenings", voice=Voice.PARTICIPANTS, participants=people(24, 25),
        title="You built it where we can't get to",
        what="All four of us ticked the bus, and it came last.",
        so_what="If you count everyone once, the ones with a bus pass win.",
        now_what="Next time look at who voted for what, not just how many.")),
    Told("2025-05-27 21:20", "pia", ReflectionRecorded(
        reflection="r-03", cycle="evenings", voice=Voice.PARTICIPANTS, participants=people(7),
        title="The children's end of the table",
        what="My two did their homework next to a welder.",
        so_what="Nobody planned that. It's the best thing there.",
        now_what="Don't plan it. Leave room for it.")),
    Told("2025-07-29 18:00", "fay", WorkshopHeld(
        workshop="w-06", cycle="evenings", site="pantry-toxteth",
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        participants=people(1, 2, 3, 5, 6, 9, 10, 13, 14, 16, 18, 19, 21, 24, 25, 27, 31, 34),
        facilitators=("fay", "cora"), topic="Half a year of evenings",
        focus="What, so what, now what", technique="ripple mapping", week=38,
        payments=vouchers(20, 1, 2, 3, 5, 6, 9, 10, 13, 16, 18, 19, 24, 25),
        notes="The map covered two tables. Rosa said: it's all come out of one pan, look."),
        phase=Phase.REFLECT),
    Told("2025-07-29 20:00", "ada", ReflectionRecorded(
        reflection="r-04", cycle="evenings", voice=Voice.TOGETHER, workshop="w-06",
        title="Six tired cooks",
        what="Forty-six people eat, and the same six cook.",
        so_what="We said we build on what people have, and then we used it up.",
        now_what="Whatever comes next must pay people, or rest them.", turning_point=True,
        actions_changed=("open-kitchen",), priorities_changed=("warm-evenings",))),
    Told("2025-07-29 20:20", "cora", StorySelected(
        story="s-door", cycle="evenings", selected_by="Everyone at the workshop, by standing next "
        "to one", domain_of_change="belonging",
        why="Because it changed what we did, and because all of us have stood outside that door.")),
    Told("2025-08-05 11:00", "ada", AssumptionTested(
        cycle="evenings", action="open-kitchen", verdict=Verdict.HELD,
        assumption="People come before they are in crisis if they need no reason to come",
        evidence="Of 31 who told us, 22 were not on any waiting list when they first came.")),
    Told("2025-08-05 11:10", "dev", AssumptionTested(
        cycle="evenings", action="repair-night", verdict=Verdict.HELD,
        assumption="Men talk when they have something in their hands")),
    Told("2025-08-05 11:20", "gus", AssumptionTested(
        cycle="evenings", action="lift-share", verdict=Verdict.UNCLEAR,
        assumption="It is the bus that keeps young people away, and not the soup",
        evidence="There never was a lift, so it was never tested. Some say it is also the soup.")),
    Told("2025-08-12 14:00", "ben", FindingDrafted(
        finding="no-reason-needed", cycle="evenings",
        title="A place that asks for no reason reaches people earlier than a service can",
        text="Most of those at the table would not have called it support, and came because of "
        "that.", workshops=("w-06",), sessions=("i-01", "o-01", "f-01"), transcripts=("t-01",),
        stories=("s-door",), indicators=("evening-visits", "know-by-name"))),
    Told("2025-08-12 14:30", "cora", FindingDrafted(
        finding="assets-tire", cycle="evenings",
        title="Assets that are people get tired: building on them means looking after them",
        workshops=("w-06",), outcomes=("o-cooks-tired",), reflections=("r-04",))),
    Told("2025-08-13 10:00", "ada", FindingDrafted(
        finding="everyone-reached", cycle="evenings",
        title="Warm evenings brought the whole community together",
        workshops=("w-06",), indicators=("evening-visits",))),
    Told("2025-08-26 18:30", "cora", FindingValidated(
        finding="no-reason-needed", participants=people(1, 3, 5, 10, 16), groups=(KITCHEN, SHED),
        comments="Yes. But say soup.")),
    Told("2025-08-26 18:50", "cora", FindingValidated(
        finding="assets-tire", participants=people(1, 2), groups=(KITCHEN,))),
    Told("2025-08-28 17:30", "gus", FindingContested(
        finding="everyone-reached", participants=people(25, 27), groups=(YOUNG,),
        why="Which whole community? There were never more than two of us there, and one was being "
        "paid.")),
    Told("2025-09-09 18:30", "ada", LearningCarried(
        cycle="evenings", to_cycle="waiting", carrying=Carrying.KEEP,
        learning="Ask for no reason, and hold the door open")),
    Told("2025-09-09 18:35", "ada", LearningCarried(
        cycle="evenings", to_cycle="waiting", carrying=Carrying.CHANGE,
        learning="Look at how each group voted before a majority decides",
        why="From the young people's reflection in April.")),
    Told("2025-09-09 18:40", "cora", LearningCarried(
        cycle="evenings", carrying=Carrying.DROP,
        learning="Running on goodwill: no more than one evening a week for anyone unpaid")),
    Told("2025-09-16 17:00", "dev", ActionImplemented(
        action="repair-night", participants=people(9, 10, 13, 14), groups=(SHED,),
        what_was_done="Seven first Thursdays. Ninety-one things looked at, sixty-four mended.")),
    Told("2025-09-23 18:00", "ada", CycleClosed(
        cycle="evenings", summary="The kitchen is open two evenings a week, the door opens "
        "inwards, and we know what it costs those who cook.")),
)  # fmt: skip

PUT_RIGHT = (
    Told("2025-01-21 10:30", "fay", Corrected(
        corrects=1, event_type="WorkshopHeld", subject="workshop:w-02",
        why="I typed transect walk out of habit; it was a photo walk, with the photos to prove it.",
        standing={"technique": "photo walk"})),
    Told("2025-10-14 09:45", "sol", Corrected(
        corrects=1, event_type="ParticipantEnrolled", subject="participant:P-13",
        why="He asked for it to be put right; he has moved from the shed's table to the window.",
        standing={"contact": "A note left at the window seat finds him."})),
)  # fmt: skip

EVENINGS_OBSERVED = (*SESSIONS, *CHANGE, *LOOKING_BACK, *PUT_RIGHT)
