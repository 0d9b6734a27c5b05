"""The second cycle, a fork of the first: waiting well, June 2025 to May 2026."""

from datetime import date

from domain.actions import (
    ActionBlocked,
    ActionImplemented,
    ActionStarted,
    ExpensePaid,
    MilestoneReached,
)
from domain.cycles import CycleClosed, CycleOpened, Edge, Parent
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade, PlaceKind
from domain.findings import FindingContested, FindingDrafted, FindingValidated
from domain.membership import Role
from domain.outcomes import (
    ChangeIn,
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

PLANNED = (
    Told("2025-06-17 10:00", "ada", CycleOpened(
        cycle="waiting", title="Waiting well",
        question="How can the months on a waiting list be made bearable, by people who have been "
        "on one?", parents=(Parent(cycle="evenings", edge=Edge.SPAWNED_FROM),))),
    Told("2025-06-24 18:00", "fay", WorkshopHeld(
        workshop="w-07", cycle="waiting", site="carers-bootle",
        groups=(KITCHEN, CARERS, YOUNG, GROWERS),
        participants=people(2, 4, 6, 16, 19, 24, 27, 28, 32, 34), facilitators=("fay", "gus"),
        topic="Nineteen weeks, drawn", focus="What happens in them, and what does not",
        technique="timeline on a roll of wallpaper", week=2,
        payments=vouchers(20, 2, 4, 6, 16, 19, 24, 27, 28, 32, 34),
        notes="Two metres of it were blank. Somebody drew a phone that was not ringing."),
        phase=Phase.PLAN),
    Told("2025-07-01 18:15", "ben", PriorityProposed(
        priority="form-table", cycle="waiting", proposed_by=people(33), concerns=("forms",),
        title="A table where somebody helps with the forms")),
    Told("2025-07-01 18:30", "cora", PriorityProposed(
        priority="waiting-card", cycle="waiting", proposed_by=people(2, 4), concerns=("waiting",),
        title="A card that says what happens next, and who to ask")),
    Told("2025-07-03 17:20", "gus", PriorityProposed(
        priority="quiet-room", cycle="waiting", proposed_by=people(24, 28), concerns=("labels",),
        title="A quiet room for under-25s, with no form at the door")),
    Told("2025-07-05 11:00", "ben", PriorityProposed(
        priority="plot-while-waiting", cycle="waiting", proposed_by=people(31, 34),
        title="A plot while you wait", concerns=("waiting",))),
    Told("2025-07-22 18:20", "ben", PriorityAdopted(
        priority="form-table", cycle="waiting", ballot="b-waiting")),
    Told("2025-07-22 18:22", "ben", PriorityAdopted(
        priority="waiting-card", cycle="waiting", ballot="b-waiting")),
    Told("2025-07-22 18:50", "ada", PriorityAdopted(
        priority="quiet-room", cycle="waiting", ballot="b-waiting",
        override_reason="It came third, but all five under-25s put every dot they could on it, and "
        "they were five voters in twenty. In spring they told us that counting heads leaves them "
        "out. The meeting agreed to hear that.")),
    Told("2025-07-22 19:10", "dev", DissentRecorded(
        cycle="waiting", ballot="b-waiting", priority="quiet-room", participants=people(9),
        words="I've nothing against the young ones having a room. But if you vote, you vote. "
        "You don't vote and then have a chat.")),
    Told("2025-07-29 20:40", "ada", ActionPlanned(
        action="form-table", cycle="waiting", title="A form table on Tuesdays, with a kettle",
        owner=ActionOwner(participant="P-33"), priority="form-table",
        assets=("form-fillers", "empty-kitchen"), due=date(2025, 9, 30),
        if_then_because="If somebody who knows the form sits beside you, then you finish it, "
        "because it is not the questions that stop people but being alone with them.",
        indicators=(PlannedIndicator(indicator="forms-finished", title="Forms finished at the "
                                     "table", unit="forms", baseline=0, target=60),))),
    Told("2025-07-29 20:45", "ben", ActionPlanned(
        action="waiting-card", cycle="waiting", title="A waiting card, given with the letter",
        owner=ActionOwner(stakeholder="talking-therapies"), priority="waiting-card",
        assets=("four-languages",), due=date(2025, 11, 28),
        if_then_because="If people know what happens next and whom to ask, then fewer give up, "
        "because silence reads as being forgotten.",
        indicators=(PlannedIndicator(indicator="gave-up-waiting", unit="%", baseline=34, target=25,
                                     title="People who drop off the list before being seen"),))),
    Told("2025-07-29 20:50", "ada", ActionPlanned(
        action="quiet-room", cycle="waiting", title="Clear the sewing room and leave it alone",
        owner=ActionOwner(member="fay"), priority="quiet-room", assets=("sewing-room",),
        due=date(2025, 10, 31),
        if_then_because="If there is a room where nothing is asked, then young people will use it, "
        "because every other room wants something.")),
    Told("2025-08-05 18:30", "ada", PlanRatified(
        cycle="waiting", actions=("form-table", "waiting-card", "quiet-room"),
        how=Ratification.CONSENT, participants=people(2, 4, 6, 9, 16, 24, 27, 28, 32, 34),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS), ballot="b-waiting",
        note="Terry had objected; he said he could live with it if the dissent was written down. "
        "It is.")),
)  # fmt: skip

DONE = (
    Told("2025-09-02 17:00", "ben", ActionStarted(action="form-table")),
    Told("2025-09-11 17:30", "fay", ActionStarted(action="quiet-room")),
    Told("2025-09-15 10:00", "ben", ActionStarted(action="waiting-card")),
    Told("2025-10-02 15:00", "ben", ActionBlocked(
        action="waiting-card", barrier="Clinical governance has to approve anything handed out",
        needs="A named clinician who will sign",
        why="Nobody is against it. Nobody is allowed to be for it.")),
    Told("2025-10-07 18:00", "cora", WorkshopHeld(
        workshop="w-08", cycle="waiting", site="pantry-toxteth", groups=(KITCHEN, YOUNG),
        participants=people(2, 4, 6, 7, 8, 24, 27), facilitators=("cora", "ben"),
        topic="Writing the card", focus="Twelve lines, no acronyms", technique="paper prototype",
        week=17, payments=vouchers(20, 2, 4, 6, 7, 8, 24, 27),
        adjustments="In Somali and Arabic by turns, with time for both.")),
    Told("2025-10-16 17:30", "fay", ExpensePaid(
        action="quiet-room", amount=14200, currency="GBP", purpose="Lamps, a rug, thick curtains")),
    Told("2025-10-30 17:00", "fay", MilestoneReached(
        action="quiet-room", milestone="The quiet room is open, and has a rule: no questions")),
    Told("2025-11-18 18:00", "fay", WorkshopHeld(
        workshop="w-09", cycle="waiting", site="library-knowsley", groups=(YOUNG, KITCHEN),
        participants=people(8, 24, 25, 27, 28, 29), facilitators=("fay",),
        topic="What the room is for", focus="Who it is for, and who decides",
        technique="forum theatre", week=23, payments=vouchers(20, 8, 24, 25, 27, 28, 29))),
    Told("2025-12-09 15:00", "ben", ActionStarted(
        action="waiting-card", note="A consultant signed it on the back of the agenda.")),
    Told("2026-01-13 10:00", "ben", MilestoneReached(
        action="waiting-card", milestone="First two hundred cards go out with the letter")),
    Told("2026-01-13 10:10", "ben", ExpensePaid(
        action="waiting-card", amount=8650, currency="GBP",
        purpose="Printing, in three languages and large print")),
    Told("2026-01-27 18:00", "dev", WorkshopHeld(
        workshop="w-10", cycle="waiting", site="shed-birkenhead",
        groups=(KITCHEN, SHED, CARERS, GROWERS),
        participants=people(1, 2, 10, 14, 15, 16, 21, 22, 32, 35), facilitators=("dev", "fay"),
        topic="Half way", focus="What would we tell somebody on day one?",
        technique="letters to a stranger", week=33)),
    Told("2026-03-31 20:00", "ben", ActionImplemented(
        action="waiting-card", stakeholders=("talking-therapies",), groups=(KITCHEN,),
        participants=people(2, 4),
        what_was_done="Every letter since January carries the card. The service has asked to keep "
        "it, and to translate it into Polish.")),
    Told("2026-04-14 20:00", "ben", ActionImplemented(
        action="form-table", participants=people(33), groups=(GROWERS,),
        what_was_done="Twenty-eight Tuesdays. Stan now has an apprentice.")),
    Told("2026-04-16 18:00", "fay", ActionImplemented(
        action="quiet-room", participants=people(24, 27, 28), groups=(YOUNG,),
        what_was_done="Open every evening the kitchen is. Nobody is in charge of it.")),
)  # fmt: skip

SEEN = (
    Told("2025-10-28 14:00", "ben", InterviewHeld(
        session="i-03", cycle="waiting", site="at-home",
        participants=people(2), minutes=55, place=PlaceKind.HOME,
        interviewers=("ben", "cora"), topic="Five months on the list", payments=vouchers(25, 2))),
    Told("2025-11-12 19:30", "ben", InterviewHeld(
        session="i-04", cycle="waiting", site="by-telephone", participants=people(7), minutes=48,
        place=PlaceKind.TELEPHONE, interviewers=("ben",), topic="Waiting with children",
        payments=vouchers(25, 7), adjustments="By phone, after bedtime.")),
    Told("2025-11-12 20:20", "ben", MediaCaptured(
        media="m-05", cycle="waiting", kind=MediaKind.AUDIO, sha256=digest_of("m-05"),
        participants=people(7), session="i-04", seconds=2860)),
    Told("2025-11-24 11:00", "ben", TranscriptMade(
        transcript="t-03", media="m-05", kind=MediaKind.AUDIO, participants=people(7),
        made_by=Transcriber.PERSON, sha256=digest_of("t-03"), language="en-GB", words=5940,
        pseudonymised=True)),
    Told("2026-01-20 10:00", "ben", MemberCheckSent(
        transcript="t-03", participant="P-07", answer_by=date(2026, 2, 13))),
    Told("2026-02-03 20:05", "pia", MemberCheckReturned(
        transcript="t-03", participant="P-07", result=CheckResult.PARTS_TAKEN_BACK,
        comments="Take out the bit about the school. The rest can stay.")),
    Told("2025-12-04 17:00", "fay", FocusGroupHeld(
        session="f-03", cycle="waiting", site="library-knowsley",
        participants=people(24, 25, 27, 28, 29), minutes=75,
        place=PlaceKind.COMMUNITY_VENUE, moderators=("fay",), groups=(YOUNG,),
        topic="A room that wants nothing", payments=vouchers(20, 24, 25, 27, 28, 29),
        notes="Twelve minutes of it were silence. Nobody minded.")),
    Told("2026-01-15 18:30", "cora", ObservationMade(
        session="o-03", cycle="waiting", site="pantry-toxteth",
        minutes=90, place=PlaceKind.COMMUNITY_VENUE,
        participants=people(32, 34), people_present=19, observers=("cora",), groups=(GROWERS,),
        topic="The form table on a wet Tuesday",
        notes="The chair beside the form-filler matters more than the one opposite."),
        entered="2026-02-10 09:15", reason="Written by hand that night; typed in after flu."),
    Told("2026-01-29 18:00", "fay", MediaCaptured(
        media="m-06", cycle="waiting", kind=MediaKind.VIDEO, sha256=digest_of("m-06"),
        participants=people(1, 10), seconds=412,
        description="Rosa and Len read a letter to somebody on day one.")),
    Told("2026-02-05 11:00", "ben", TranscriptMade(
        transcript="t-04", media="m-06", kind=MediaKind.VIDEO, participants=people(1, 10),
        made_by=Transcriber.MACHINE, sha256=digest_of("t-04"), language="en-GB", words=690)),
    Told("2026-02-12 16:00", "fay", InterviewHeld(
        session="i-05", cycle="waiting", site="library-knowsley",
        participants=people(24, 28), minutes=40,
        place=PlaceKind.COMMUNITY_VENUE, interviewers=("fay",), topic="Before there was a label",
        payments=vouchers(25, 24, 28))),
    Told("2025-12-16 19:00", "ben", IndicatorMeasured(
        indicator="forms-finished", cycle="waiting", value=31, unit="forms", action="form-table")),
    Told("2026-03-31 19:00", "ben", IndicatorMeasured(
        indicator="forms-finished", cycle="waiting", value=74, unit="forms", action="form-table")),
    Told("2025-12-19 12:00", "ben", IndicatorMeasured(
        indicator="gave-up-waiting", cycle="waiting", value=33, unit="%", action="waiting-card")),
    Told("2026-04-30 12:00", "ben", IndicatorMeasured(
        indicator="gave-up-waiting", cycle="waiting", value=22, unit="%", action="waiting-card",
        method="The service's own count, January to April, against the year before.")),
    Told("2026-02-12 16:50", "fay", StoryCollected(
        story="s-lamp", cycle="waiting", title="The lamp", participants=people(28),
        domain_of_change="being well enough", actions=("quiet-room",),
        text="I went in every Thursday for two months and turned the lamp on and sat. No one asked "
        "me anything. In February I asked someone if she was all right. That was me. I asked.")),
    Told("2026-03-17 17:30", "ben", StoryCollected(
        story="s-apprentice", cycle="waiting", title="Page nineteen", participants=people(34),
        domain_of_change="asking for help", actions=("form-table",),
        text="In my country I was an accountant and here I could not finish a form. The man at "
        "the table said page nineteen is where everyone cries. Now I sit on his side of it.")),
    Told("2026-03-24 11:00", "ben", OutcomeHarvested(
        outcome="o-card-kept", cycle="waiting", title="The service changes its letter for good",
        who_changed="The talking therapies service", intended=True, change_in=ChangeIn.PRACTICES,
        stakeholders=("talking-therapies",), actions=("waiting-card",),
        what="The card is now part of the standard letter, and the team answers its phone line.",
        substantiated_by="The service's operations lead")),
    Told("2026-03-24 11:15", "ben", OutcomeHarvested(
        outcome="o-helped-helps", cycle="waiting", title="Those who were helped now help",
        who_changed="Four people who came to the form table", intended=False,
        change_in=ChangeIn.ACTIONS, participants=people(34, 36), actions=("form-table",),
        what="Four of those who came with a form now sit on the other side of the table.",
        significance="It is the first thing we started that makes more of what it uses.")),
    Told("2026-03-24 11:25", "ben", RippleLinked(
        cycle="waiting", from_action="form-table", to_outcome="o-helped-helps")),
    Told("2026-03-24 11:30", "ben", RippleLinked(
        cycle="waiting", from_outcome="o-referrals", to_action="waiting-card",
        how="The paragraph in the letter showed that the letter could change.")),
    Told("2026-03-24 11:35", "ben", RippleLinked(
        cycle="waiting", from_action="waiting-card", to_outcome="o-card-kept")),
)  # fmt: skip

LEARNED = (
    Told("2025-11-25 20:00", "cora", PowerRated(
        cycle="waiting", scale=PowerScale.IAP2, level=PowerLevel.COLLABORATE,
        rater_role=Role.CO_RESEARCHER, comment="We wrote the card. They only printed it.")),
    Told("2025-11-25 21:00", "pia", PowerRated(
        cycle="waiting", scale=PowerScale.IAP2, level=PowerLevel.INVOLVE,
        rater_role=Role.PARTICIPANT, participant="P-07")),
    Told("2025-12-18 18:00", "fay", ReflectionRecorded(
        reflection="r-05", cycle="waiting", voice=Voice.PARTICIPANTS, participants=people(24, 27),
        title="You kept a promise", what="We said it in April, and by October there was a room.",
        so_what="It's weird when somebody writes down what you said and then does it.",
        turning_point=True, priorities_changed=("quiet-room",)), channel=Channel.FIELD_FORM),
    Told("2026-03-03 18:00", "fay", WorkshopHeld(
        workshop="w-11", cycle="waiting", site="pantry-toxteth",
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        participants=people(2, 4, 6, 7, 8, 10, 14, 16, 19, 21, 22, 24, 28, 29, 32, 34, 36),
        facilitators=("fay", "dev"), topic="What did waiting teach us?",
        focus="What, so what, now what", technique="river of life", week=38,
        payments=vouchers(20, 2, 4, 6, 7, 8, 10, 14, 16, 19, 21, 22, 24, 28, 29, 32, 34, 36)),
        phase=Phase.REFLECT),
    Told("2026-03-03 20:10", "ada", ReflectionRecorded(
        reflection="r-06", cycle="waiting", voice=Voice.TOGETHER, workshop="w-11",
        title="All of it is held up by a grant",
        what="The kitchen, the card, the room and the table end when the grant does.",
        so_what="We have built four good things on somebody else's money and our own tiredness.",
        now_what="Make something we own.", turning_point=True,
        actions_changed=("form-table", "quiet-room"))),
    Told("2026-03-10 11:00", "ben", AssumptionTested(
        cycle="waiting", action="waiting-card", verdict=Verdict.HELD,
        assumption="Silence reads as being forgotten, and a card breaks it")),
    Told("2026-03-10 11:10", "fay", AssumptionTested(
        cycle="waiting", action="quiet-room", verdict=Verdict.HELD,
        assumption="Young people will use a room where nothing is asked")),
    Told("2026-03-10 11:20", "ada", AssumptionTested(
        cycle="waiting", verdict=Verdict.DID_NOT_HOLD,
        assumption="A majority vote is fair if everybody has one",
        evidence="Three of five groups never had the numbers to win anything.")),
    Told("2026-03-17 18:15", "cora", StorySelected(
        story="s-lamp", cycle="waiting", selected_by="The young people's group",
        why="Because nobody fixed her. She got there and the lamp was on.")),
    Told("2026-03-31 14:00", "ben", FindingDrafted(
        finding="silence-hurts", cycle="waiting",
        title="Not knowing harms people more than the wait itself", sessions=("i-03", "i-04"),
        transcripts=("t-03",), indicators=("gave-up-waiting",), outcomes=("o-card-kept",))),
    Told("2026-03-31 14:20", "fay", FindingDrafted(
        finding="room-without-questions", cycle="waiting",
        title="A room without questions is support", sessions=("f-03", "i-05"), stories=("s-lamp",),
        workshops=("w-09",))),
    Told("2026-04-14 18:30", "cora", FindingValidated(
        finding="silence-hurts", participants=people(2, 4, 6), groups=(KITCHEN,))),
    Told("2026-04-16 17:30", "ben", FindingValidated(
        finding="room-without-questions", participants=people(24, 28, 29), groups=(YOUNG,),
        comments="Yes. Don't explain it more than that.")),
    Told("2026-04-16 17:50", "fay", FindingContested(
        finding="silence-hurts", participants=people(29),
        why="Not more. The wait itself was worse. For me it was.")),
    Told("2026-05-12 18:20", "ada", LearningCarried(
        cycle="waiting", to_cycle="co-op", carrying=Carrying.KEEP,
        learning="Those who were helped make the best helpers, if they are asked and not "
        "expected")),
    Told("2026-05-12 18:25", "ada", LearningCarried(
        cycle="waiting", to_cycle="co-op", carrying=Carrying.CHANGE,
        learning="Decide by ranking, with the groups' own counts read out first")),
    Told("2026-05-12 18:30", "cora", LearningCarried(
        cycle="waiting", to_cycle="co-op", carrying=Carrying.DROP,
        learning="Living from grant to grant")),
    Told("2026-05-19 18:00", "ada", CycleClosed(
        cycle="waiting", summary="A card in every letter, a table, a room, and the will to own "
        "them.")),
)  # fmt: skip

WAITING = (*PLANNED, *DONE, *SEEN, *LEARNED)
