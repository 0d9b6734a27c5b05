"""Giving back: what was told to those who took part, passed on, quoted, credited and kept."""

from domain.permissions import Permission
from domain.sharing import (
    Access,
    Accessibility,
    ArchiveDeposited,
    Audience,
    Author,
    AuthorshipAgreed,
    CreditRole,
    FedBackToParticipants,
    FindingsShared,
    Format,
    Outlet,
    QuotationReleased,
)
from service.demo.participants import CARERS, GROWERS, KITCHEN, SHED, YOUNG
from service.demo.telling import Told, people

GIVING_BACK = (
    Told("2025-09-11 18:00", "cora", FedBackToParticipants(
        what="What half a year of evenings showed, on one sheet",
        format=Format.PLAIN_LANGUAGE_SUMMARY,
        participants=people(1, 2, 3, 5, 7, 9, 10, 13, 16, 18, 19, 24, 25, 31),
        findings=("no-reason-needed", "assets-tire"), cycle="evenings",
        accessible_as=(Accessibility.LARGE_PRINT, Accessibility.EASY_READ),
        response="Too many words, then fewer, then right.")),
    Told("2025-10-18 12:00", "ada", FindingsShared(
        findings=("no-reason-needed", "assets-tire"), audience=Audience.COMMUNITY,
        outlet=Outlet.LOCAL_EVENT, format=Format.EXHIBITION, cycle="evenings",
        title="The door that opened the wrong way: an exhibition at the harvest supper",
        accessible_as=(Accessibility.LARGE_PRINT, Accessibility.TRANSLATION), people_reached=140)),
    Told("2025-10-18 12:10", "ada", QuotationReleased(
        quotation="q-01", participant="P-05", permission=Permission.QUOTE_ANONYMOUS,
        words="It was open, so I was in it before I'd decided.", story="s-door",
        where="Exhibition at the harvest supper", finding="no-reason-needed", cycle="evenings")),
    Told("2025-10-18 12:15", "ada", QuotationReleased(
        quotation="q-02", participant="P-01", permission=Permission.QUOTE_NAMED,
        words="A bowl of soup asks no questions.", transcript="t-01",
        where="Exhibition at the harvest supper", finding="no-reason-needed", cycle="evenings")),
    Told("2025-11-20 14:00", "ben", FindingsShared(
        findings=("assets-tire",), audience=Audience.FUNDERS, outlet=Outlet.MEETING,
        format=Format.PRESENTATION, title="What goodwill costs", people_reached=9,
        cycle="evenings")),
    Told("2026-04-23 18:00", "cora", FedBackToParticipants(
        what="What waiting taught us", format=Format.PERFORMANCE, groups=(YOUNG, KITCHEN, CARERS),
        findings=("silence-hurts", "room-without-questions"), cycle="waiting")),
    Told("2026-05-21 10:00", "ada", FindingsShared(
        findings=("silence-hurts",), audience=Audience.POLICY_MAKERS, outlet=Outlet.MEETING,
        format=Format.POLICY_BRIEF, title="Nineteen weeks of silence: what a card can do",
        accessible_as=(Accessibility.EASY_READ,), people_reached=26, cycle="waiting")),
    Told("2026-05-21 10:10", "ada", QuotationReleased(
        quotation="q-03", participant="P-02", permission=Permission.QUOTE_ANONYMOUS,
        words="I didn't know if the list knew about me.", finding="silence-hurts",
        where="Policy brief, page 1", cycle="waiting")),
    Told("2026-06-04 14:00", "dev", FindingsShared(
        findings=("silence-hurts", "room-without-questions"), audience=Audience.PRACTITIONERS,
        outlet=Outlet.CONFERENCE, format=Format.VIDEO, cycle="waiting",
        title="A letter to somebody on day one",
        accessible_as=(Accessibility.CAPTIONS, Accessibility.SIGN_LANGUAGE), people_reached=210)),
    Told("2026-06-18 17:00", "ben", QuotationReleased(
        quotation="q-04", participant="P-24", permission=Permission.QUOTE_NAMED,
        words="It's weird when somebody writes down what you said and then does it.",
        where="Poster in the college canteen", finding="room-without-questions", cycle="waiting"),
        on_behalf_of="fay"),
    Told("2026-07-21 16:00", "ada", AuthorshipAgreed(
        work="Soup asks no questions: warm evenings as early support",
        authors=(
            Author(member="cora", roles=(CreditRole.CONCEPTUALIZATION, CreditRole.INVESTIGATION,
                                         CreditRole.VALIDATION)),
            Author(member="ada", roles=(CreditRole.METHODOLOGY, CreditRole.WRITING_ORIGINAL_DRAFT)),
            Author(participant="P-01", roles=(CreditRole.CONCEPTUALIZATION, CreditRole.RESOURCES)),
            Author(participant="P-10", roles=(CreditRole.INVESTIGATION,)),
            Author(member="ben", roles=(CreditRole.FORMAL_ANALYSIS, CreditRole.DATA_CURATION)),
        ),
        findings=("no-reason-needed", "assets-tire"), cycle="evenings",
        note="The one who thought of it comes first; that took eleven minutes to agree.")),
    Told("2026-07-28 15:00", "ben", ArchiveDeposited(
        repository="A made-up national data archive", access=Access.SAFEGUARDED,
        what="Two pseudonymised interviews and the evening counts of the first cycle",
        licence="For research and teaching, after registration",
        participants=people(1, 10), findings=("no-reason-needed",), cycle="evenings")),
    Told("2026-10-24 12:00", "dev", FindingsShared(
        findings=("no-reason-needed", "assets-tire", "room-without-questions"),
        audience=Audience.PUBLIC, outlet=Outlet.BROADCAST, format=Format.AUDIO,
        title="Page nineteen: three quarters of an hour on the radio", people_reached=3200)),
    Told("2026-11-19 18:00", "cora", FedBackToParticipants(
        what="The co-operative's first year, so far", format=Format.CONVERSATION, cycle="co-op",
        groups=(KITCHEN, SHED, CARERS, YOUNG, GROWERS), findings=("owning-changes-asking",),
        response="They asked for the accounts next time, on paper, before the soup.")),
)  # fmt: skip
