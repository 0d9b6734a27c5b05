"""What leaves the study leaves it as participants allowed, permission by permission."""

from typing import Any

import pytest
from msgspec import structs

from domain.commands import Command
from domain.findings import FindingDrafted
from domain.permissions import Permission
from domain.sharing import (
    Access,
    AgreeAuthorship,
    ArchiveDeposited,
    Audience,
    Author,
    AuthorshipAgreed,
    CreditRole,
    DepositArchive,
    FedBackToParticipants,
    FeedBackToParticipants,
    FindingsShared,
    Format,
    Outlet,
    QuotationReleased,
    ReleaseQuotation,
    ShareFindings,
)
from domain.withdrawal import ConsentWithdrawn
from tests.story import given, on
from tests.study_in_the_field import ready

drafted = FindingDrafted(
    finding="fi-1", cycle="c-1", title="A key matters", workshops=("w-1",)
)  # position 11
found = [*ready, drafted]
shared = FindingsShared(
    findings=("fi-1",),
    audience=Audience.POLICY_MAKERS,
    outlet=Outlet.MEETING,
    format=Format.POLICY_BRIEF,
    title="Keys, not rooms",
    cycle="c-1",
)
quoted = QuotationReleased(
    quotation="q-1",
    participant="p-1",
    permission=Permission.QUOTE_ANONYMOUS,
    words="When I got the key I cried.",
    where="Keys, not rooms",
    finding="fi-1",
    cycle="c-1",
)
writing, checking = CreditRole.WRITING_ORIGINAL_DRAFT, CreditRole.VALIDATION
credited = AuthorshipAgreed(
    work="Keys, not rooms",
    authors=(
        Author(roles=(writing,), member="ana"),
        Author(roles=(writing, checking), participant="p-1"),
    ),
    findings=("fi-1",),
    cycle="c-1",
)
fed_back = FedBackToParticipants(
    what="What we found about keys",
    format=Format.CONVERSATION,
    participants=("p-1", "p-2"),
    findings=("fi-1",),
    cycle="c-1",
)
deposited = ArchiveDeposited(
    repository="A university data archive",
    what="Pseudonymised transcripts",
    access=Access.SAFEGUARDED,
    participants=("p-1",),
    findings=("fi-1",),
    cycle="c-1",
)
releases: list[tuple[type[Command[Any]], Any, Permission]] = [
    (ReleaseQuotation, quoted, Permission.QUOTE_ANONYMOUS),
    (AgreeAuthorship, credited, Permission.CREDIT_BY_NAME),
    (FeedBackToParticipants, fed_back, Permission.RECEIVE_FINDINGS),
    (DepositArchive, deposited, Permission.ARCHIVE),
]
each_release = pytest.mark.parametrize(("command", "event", "permission"), releases)


def test_findings_are_shared() -> None:
    given(*found).when(ShareFindings, shared).then(shared)
    given(*ready).when(ShareFindings, shared).then_refused("finding_unknown")
    given(*found).when(ShareFindings, shared, by="pat").then_refused("role_insufficient")


@each_release
def test_what_is_allowed_is_released_and_relies_on_the_consent(
    command: type[Command[Any]], event: Any, permission: Permission
) -> None:
    story = given(*found).when(command, event)
    story.then(event)
    assert story.command is not None
    assert story.command.consents()[0] == 8


@each_release
def test_a_permission_withdrawn_refuses_what_is_released_after_it(
    command: type[Command[Any]], event: Any, permission: Permission
) -> None:
    withdrawn = on("2026-06-01", ConsentWithdrawn(participant="p-1", permissions=(permission,)))
    given(*found, withdrawn).when(command, event).then_refused("consent_withdrawn")
    given(*found, withdrawn).when(command, event, at="2026-05-01").then(event)
    given(*found).meanwhile(withdrawn).when(command, event).then_refused("consent_withdrawn")


@each_release
def test_only_researchers_release_what_is_about_findings_on_record(
    command: type[Command[Any]], event: Any, permission: Permission
) -> None:
    given(*found).when(command, event, by="pat").then_refused("role_insufficient")
    elsewhere = structs.replace(event, cycle="c-9")
    given(*ready).when(command, elsewhere).then_refused("cycle_unknown", "finding_unknown")


def test_a_quotation_is_released_once_under_a_permission_to_quote() -> None:
    given(*found, quoted).when(ReleaseQuotation, quoted).then_refused("quotation_exists")
    archived = structs.replace(quoted, permission=Permission.ARCHIVE)
    given(*found).when(ReleaseQuotation, archived).then_refused("permission_unsuitable")


def test_being_quoted_by_name_is_another_permission() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.QUOTE_NAMED,))
    named = structs.replace(quoted, permission=Permission.QUOTE_NAMED)
    given(*found, withdrawn).when(ReleaseQuotation, named).then_refused("consent_withdrawn")
    given(*found, withdrawn).when(ReleaseQuotation, quoted).then(quoted)


def test_where_a_quotation_comes_from_is_on_record() -> None:
    sourced = structs.replace(quoted, participant="p-9", transcript="t-9", story="s-9")
    given(*found).when(ReleaseQuotation, sourced).then_refused(
        "participant_unknown", "consent_missing", "transcript_unknown", "story_unknown"
    )


def test_authors_are_named_once_and_clearly() -> None:
    def by(*authors: Author) -> AuthorshipAgreed:
        return structs.replace(credited, authors=authors)

    unnamed = Author(roles=(writing,))
    both = Author(roles=(writing,), member="ana", participant="p-1")
    ana = Author(roles=(writing,), member="ana")
    eve = Author(roles=(checking,), member="eve")
    given(*found).when(AgreeAuthorship, by(unnamed)).then_refused("author_unclear")
    given(*found).when(AgreeAuthorship, by(both)).then_refused("author_unclear")
    given(*found).when(AgreeAuthorship, by(ana, ana)).then_refused("author_twice")
    given(*found).when(AgreeAuthorship, by(ana, eve)).then_refused("member_unknown")


def test_feeding_back_says_to_whom() -> None:
    nobody = structs.replace(fed_back, participants=())
    given(*found).when(FeedBackToParticipants, nobody).then_refused("audience_missing")
    group = structs.replace(nobody, groups=("allotment",))
    given(*found).when(FeedBackToParticipants, group).then(group)


def test_who_is_named_twice_is_asked_about_once() -> None:
    twice = structs.replace(deposited, participants=("p-9", "p-9"))
    given(*found).when(DepositArchive, twice).then_refused("participant_unknown", "consent_missing")
