"""Opening and reconnaissance: who is here, what troubles them, what they already have."""

from domain.membership import MemberJoined, MemberLeft, Role, StudyOpened
from domain.people import GroundRulesAgreed, StakeholderEngaged, StakeholderKind
from domain.reconnaissance import AssetKind, AssetMapped, ConcernStated
from domain.vocabulary import Channel
from service.demo.participants import CARERS, GROWERS, KITCHEN, SHED, YOUNG
from service.demo.telling import Told, people

STUDY_AND_TEAM = (
    Told("2024-09-03 10:00", "ada", StudyOpened(
        title="Made-up demo: minding each other in the Liverpool City Region",
        question="What do people here already have that keeps them well, and what would it take "
        "for community-run enterprises to be a part of looking after mental health?",
        setting="Five community groups in Toxteth, Birkenhead, Bootle, Knowsley and St Helens. "
        "Everything in this study is invented: people, places, dates and numbers.",
        made_up=True)),
    Told("2024-09-03 10:10", "ada", MemberJoined(
        member="erin", role=Role.ETHICS_REVIEWER, name="Erin Pretend")),
    Told("2024-09-03 10:15", "ada", MemberJoined(
        member="ben", role=Role.RESEARCHER, name="Ben Pretend", approved_personnel=True)),
    Told("2024-09-03 10:20", "ada", MemberJoined(
        member="sol", role=Role.DATA_STEWARD, name="Sol Pretend", approved_personnel=True)),
    Told("2024-09-10 18:30", "ada", MemberJoined(
        member="cora", role=Role.CO_RESEARCHER, name="Cora Pretend", approved_personnel=True)),
    Told("2024-09-12 17:30", "ada", MemberJoined(
        member="dev", role=Role.CO_RESEARCHER, name="Dev Pretend", approved_personnel=True)),
    Told("2024-09-17 11:00", "ada", MemberJoined(
        member="fay", role=Role.FACILITATOR, name="Fay Pretend", approved_personnel=True)),
    Told("2024-09-17 11:05", "ada", MemberJoined(
        member="gus", role=Role.FACILITATOR, name="Gus Pretend", approved_personnel=True)),
    Told("2024-09-19 09:30", "ada", MemberJoined(
        member="vera", role=Role.VIEWER, name="Vera Pretend")),
    Told("2024-11-21 09:00", "ada", MemberJoined(
        member="pia", role=Role.PARTICIPANT, participant="P-07", name="Pia Makebelieve"),
        reason="She asked to see the record for herself, and to vote from her own phone."),
    Told("2025-09-26 17:00", "ada", MemberLeft(member="gus"),
        reason="A permanent post elsewhere. The young people made him a card with a goose on it."),
)  # fmt: skip

STAKEHOLDERS = (
    Told("2024-10-01 11:00", "ada", StakeholderEngaged(
        stakeholder="pantry", kind=StakeholderKind.SOCIAL_ENTERPRISE,
        title="A made-up community pantry and kitchen, Toxteth",
        interest="A full kitchen that stands empty four evenings a week",
        contact_name="Paula Makebelieve", contact="The hatch, after the lunch rush.",
        note="Says yes before you finish the sentence; check twice that she has the staff.")),
    Told("2024-10-02 14:00", "dev", StakeholderEngaged(
        stakeholder="shed", kind=StakeholderKind.COMMUNITY_GROUP,
        title="A made-up repair shed, Birkenhead",
        interest="Men who come for the tools and stay for the tea")),
    Told("2024-10-03 10:30", "fay", StakeholderEngaged(
        stakeholder="carers-centre", kind=StakeholderKind.CHARITY,
        title="A made-up carers' centre, Bootle", interest="Carers who never sit down")),
    Told("2024-10-04 15:00", "ada", StakeholderEngaged(
        stakeholder="talking-therapies", kind=StakeholderKind.HEALTH_SERVICE,
        title="A made-up talking therapies service",
        interest="Nineteen weeks' wait, and nothing to offer meanwhile",
        contact_name="Tom Makebelieve", contact="Through the team's secretary.")),
    Told("2024-10-07 13:00", "ada", StakeholderEngaged(
        stakeholder="combined-authority", kind=StakeholderKind.LOCAL_AUTHORITY,
        title="The transport desk of a made-up authority", interest="Buses after eight")),
    Told("2024-10-09 16:00", "gus", StakeholderEngaged(
        stakeholder="college", kind=StakeholderKind.EDUCATION,
        title="A made-up sixth-form college, Knowsley",
        interest="Students who drop out between February and Easter")),
    Told("2024-10-12 11:00", "ben", StakeholderEngaged(
        stakeholder="allotments", kind=StakeholderKind.COMMUNITY_GROUP,
        title="A made-up allotment society, St Helens", interest="Eleven plots nobody has taken")),
    Told("2024-10-14 10:00", "ada", StakeholderEngaged(
        stakeholder="trust", kind=StakeholderKind.FUNDER,
        title="A made-up charitable trust", interest="Whether this outlives its grant")),
    Told("2026-03-10 14:00", "ada", StakeholderEngaged(
        stakeholder="co-op-advice", kind=StakeholderKind.BUSINESS,
        title="A made-up co-operative development agency",
        interest="New co-operatives that people can actually run")),
)  # fmt: skip

CONCERNS = (
    Told("2024-10-29 18:40", "cora", ConcernStated(
        concern="evenings", title="The evenings are the worst, and everything shuts at four",
        participants=people(1, 3, 5), groups=(KITCHEN,),
        words="It's not the nights, you're asleep. It's half four in November till you can "
        "decently go to bed.")),
    Told("2024-10-29 19:05", "cora", ConcernStated(
        concern="waiting", title="You wait five months for help, and nobody rings",
        participants=people(2, 4), groups=(KITCHEN,),
        words="They said I was on the list. I didn't know if the list knew about me.")),
    Told("2024-10-31 17:50", "dev", ConcernStated(
        concern="asking", title="Men will not ask for help, but they will ask for a spanner",
        participants=people(9, 10, 13), groups=(SHED,),
        words="Nobody's ever come through that door and said he's lonely. They say the kettle's "
        "broke.")),
    Told("2024-11-06 13:30", "fay", ConcernStated(
        concern="respite", title="Carers cannot leave the house for what would keep them well",
        participants=people(16, 18, 19), groups=(CARERS,),
        words="Every leaflet says look after yourself. With what hands?")),
    Told("2024-11-07 17:40", "gus", ConcernStated(
        concern="labels", title="To get any help at eighteen you need a label first",
        participants=people(23, 24, 25), groups=(YOUNG,),
        words="I had to get worse to get seen. That's literally what they told my mum.")),
    Told("2024-11-07 18:00", "gus", ConcernStated(
        concern="buses", title="The last bus decides who can come",
        participants=people(25, 26), groups=(YOUNG,)), channel=Channel.FIELD_FORM),
    Told("2024-11-09 11:30", "ben", ConcernStated(
        concern="forms", title="The forms are longer than the help",
        participants=people(31, 33), groups=(GROWERS,),
        words="Thirty-one pages. I've had a mortgage with less.")),
    Told("2024-11-21 20:40", "pia", ConcernStated(
        concern="children", title="Nothing is on that you can bring the children to",
        participants=people(7), groups=(KITCHEN,),
        words="If the kids can't come, I can't come. It's that simple.")),
)  # fmt: skip

ASSETS = (
    Told("2024-10-29 19:20", "cora", AssetMapped(
        asset="cooking-for-sixty", kind=AssetKind.INDIVIDUALS,
        title="Cooking for sixty on a small budget", offered_by=people(1), groups=(KITCHEN,),
        description="Ran a school kitchen for twenty-six years. Still wakes at five.")),
    Told("2024-10-29 19:30", "cora", AssetMapped(
        asset="empty-kitchen", kind=AssetKind.PLACES, stakeholder="pantry",
        title="A kitchen that is empty four evenings a week", groups=(KITCHEN,))),
    Told("2024-10-29 19:40", "cora", AssetMapped(
        asset="four-languages", kind=AssetKind.INDIVIDUALS,
        title="Somali, Arabic, English and Scouse at one table", offered_by=people(2, 4),
        groups=(KITCHEN,))),
    Told("2024-10-31 18:10", "dev", AssetMapped(
        asset="tools", kind=AssetKind.EXCHANGE, stakeholder="shed",
        title="Every tool you could want, and men who know how", groups=(SHED,))),
    Told("2024-10-31 18:20", "dev", AssetMapped(
        asset="shipyard-stories", kind=AssetKind.STORIES, title="The shipyard, told by its welders",
        offered_by=people(9, 10), groups=(SHED,),
        description="Len has the photographs. Terry remembers who is in them.")),
    Told("2024-11-06 13:50", "fay", AssetMapped(
        asset="phone-tree", kind=AssetKind.ASSOCIATIONS,
        title="The carers' phone tree: eleven people who pick up", offered_by=people(16, 19),
        groups=(CARERS,))),
    Told("2024-11-06 14:00", "fay", AssetMapped(
        asset="sitting-service", kind=AssetKind.INSTITUTIONS, stakeholder="carers-centre",
        title="Two hours of sitting service a week that nobody books", groups=(CARERS,))),
    Told("2024-11-07 18:10", "gus", AssetMapped(
        asset="video-makers", kind=AssetKind.INDIVIDUALS,
        title="Three people who can film and cut on a phone", offered_by=people(24, 25, 26),
        groups=(YOUNG,))),
    Told("2024-11-09 11:50", "ben", AssetMapped(
        asset="plots", kind=AssetKind.PLACES, stakeholder="allotments",
        title="Eleven untaken plots and a hut with a stove", groups=(GROWERS,))),
    Told("2024-11-09 12:00", "ben", AssetMapped(
        asset="form-fillers", kind=AssetKind.INDIVIDUALS,
        title="A retired benefits adviser who misses it", offered_by=people(33),
        groups=(GROWERS,))),
    Told("2024-11-09 12:10", "ben", AssetMapped(
        asset="harvest-supper", kind=AssetKind.STORIES,
        title="The harvest supper, every year since 1951", offered_by=people(31),
        groups=(GROWERS,))),
    Told("2025-05-21 18:30", "cora", AssetMapped(
        asset="sewing-room", kind=AssetKind.PLACES, stakeholder="pantry", cycle="evenings",
        title="A quiet room upstairs, full of fabric", groups=(KITCHEN,))),
    Told("2026-04-22 18:00", "dev", AssetMapped(
        asset="bookkeeping", kind=AssetKind.INDIVIDUALS,
        title="Keeping books for a small firm, thirty years of it", offered_by=people(14),
        groups=(SHED,))),
)  # fmt: skip

GROUND_RULES = (
    Told("2024-11-12 18:45", "ada", GroundRulesAgreed(
        rules=("What is said at the table stays at the table",
            "Nobody has to explain why they left the room",
               "Tea before talking", "One person speaks, and it is not always the same one",
               "No acronyms without a fine: twenty pence in the jar"),
        participants=people(1, 2, 5, 7, 10, 13, 16, 19, 24, 25, 31),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        note="The jar was Jordan's idea. Ada paid first.")),
    Told("2026-03-18 18:50", "ada", GroundRulesAgreed(
        rules=("What is said at the table stays at the table",
            "Nobody has to explain why they left the room",
               "Tea before talking", "No acronyms without a fine: twenty pence in the jar",
               "Whoever is paid says so", "Decisions about money are made with everyone in the "
               "room"),
        participants=people(2, 7, 8, 10, 14, 16, 21, 24, 29, 32, 34),
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS),
        note="The two new rules came from the first wages being paid.")),
)  # fmt: skip

RECONNAISSANCE = (*STUDY_AND_TEAM, *STAKEHOLDERS, *CONCERNS, *ASSETS, *GROUND_RULES)
