"""Sharing: findings given back and passed on, quotations, authorship, and what is archived."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from domain.commands import Command, E
from domain.conditions import Condition, Sensible, Stands, all_known, known, new
from domain.consent_gates import ConsentStands
from domain.cycles import CycleOpened
from domain.findings import FindingDrafted
from domain.membership import Duty, MemberJoined, StudyOpened
from domain.outcomes import StoryCollected
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.recordings import TranscriptMade
from domain.vocabulary import (
    Count,
    CycleId,
    FindingId,
    GroupId,
    HeldKind,
    MemberId,
    ParticipantId,
    Personal,
    Phase,
    QuotationId,
    ResearchEvent,
    StoryId,
    Text,
    Title,
    TranscriptId,
)

Findings = Annotated[tuple[FindingId, ...], Meta(max_length=200)]
Groups = Annotated[tuple[GroupId, ...], Meta(max_length=50)]
Link = Annotated[str, Meta(pattern=r"\Ahttps?://[^\s]{3,2000}\Z", description="A web address.")]


class Audience(StrEnum):
    """With whom findings are shared."""

    PARTICIPANTS = "participants"
    COMMUNITY = "community"
    PRACTITIONERS = "practitioners"
    POLICY_MAKERS = "policy_makers"
    FUNDERS = "funders"
    ACADEMICS = "academics"
    PUBLIC = "public"


class Outlet(StrEnum):
    """The way by which findings reach their audience."""

    MEETING = "meeting"
    LOCAL_EVENT = "local_event"
    CONFERENCE = "conference"
    POST = "post"
    WEBSITE = "website"
    SOCIAL_MEDIA = "social_media"
    BROADCAST = "broadcast"
    PUBLICATION = "publication"


class Format(StrEnum):
    """What findings are made into."""

    PRESENTATION = "presentation"
    CONVERSATION = "conversation"
    PLAIN_LANGUAGE_SUMMARY = "plain_language_summary"
    POLICY_BRIEF = "policy_brief"
    POSTER = "poster"
    EXHIBITION = "exhibition"
    PERFORMANCE = "performance"
    AUDIO = "audio"
    VIDEO = "video"
    ARTICLE = "article"
    REPORT = "report"
    DATA_SET = "data_set"


class Accessibility(StrEnum):
    """A form that lets more people take something in."""

    EASY_READ = "easy_read"
    LARGE_PRINT = "large_print"
    BRAILLE = "braille"
    AUDIO = "audio"
    CAPTIONS = "captions"
    SIGN_LANGUAGE = "sign_language"
    TRANSLATION = "translation"


class CreditRole(StrEnum):
    """What a contributor did: the fourteen roles of CRediT (ANSI/NISO Z39.104-2022)."""

    CONCEPTUALIZATION = "conceptualization"
    DATA_CURATION = "data_curation"
    FORMAL_ANALYSIS = "formal_analysis"
    FUNDING_ACQUISITION = "funding_acquisition"
    INVESTIGATION = "investigation"
    METHODOLOGY = "methodology"
    PROJECT_ADMINISTRATION = "project_administration"
    RESOURCES = "resources"
    SOFTWARE = "software"
    SUPERVISION = "supervision"
    VALIDATION = "validation"
    VISUALIZATION = "visualization"
    WRITING_ORIGINAL_DRAFT = "writing_original_draft"
    WRITING_REVIEW_AND_EDITING = "writing_review_and_editing"


class Access(StrEnum):
    """Who may use what was deposited (the three levels of the UK Data Service)."""

    OPEN = "open"
    SAFEGUARDED = "safeguarded"
    CONTROLLED = "controlled"


class Author(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody credited with a work: a member of the study, or a participant by their pseudonym."""

    roles: Annotated[tuple[CreditRole, ...], Meta(min_length=1, max_length=len(CreditRole))]
    member: MemberId | None = None
    participant: ParticipantId | None = None


class FindingsShared(ResearchEvent):
    """Findings were passed on, in a form that suits those they are for."""

    PHASE: ClassVar = Phase.SHARE

    findings: Annotated[Findings, Meta(min_length=1)]
    audience: Audience
    outlet: Outlet
    format: Format
    title: Title
    accessible_as: Annotated[tuple[Accessibility, ...], Meta(max_length=len(Accessibility))] = ()
    link: Link | None = None
    people_reached: Count | None = None
    cycle: CycleId | None = None  # if it belongs to one


class QuotationReleased(ResearchEvent):
    """A participant's words were quoted outside the study, as they had allowed."""

    PHASE: ClassVar = Phase.SHARE
    HELD: ClassVar = HeldKind.QUOTATION

    quotation: QuotationId
    participant: ParticipantId
    permission: Permission  # quote_anonymous or quote_named
    words: Annotated[Text, Personal("participant")]
    where: Title  # the work or event in which they are quoted
    transcript: TranscriptId | None = None  # where they come from
    story: StoryId | None = None
    finding: FindingId | None = None  # what they bear out
    cycle: CycleId | None = None  # if it belongs to one

    @property
    def permissions_needed(self) -> tuple[Permission, ...]:
        return (self.permission,)


class AuthorshipAgreed(ResearchEvent):
    """People agreed who is credited with a work, in which order, and for what."""

    PHASE: ClassVar = Phase.SHARE

    work: Title
    authors: Annotated[tuple[Author, ...], Meta(min_length=1, max_length=200)]  # in that order
    findings: Findings = ()
    cycle: CycleId | None = None  # if it belongs to one
    note: Annotated[Text | None, Personal("actor")] = None


class FedBackToParticipants(ResearchEvent):
    """Those who took part were told what came of it."""

    PHASE: ClassVar = Phase.SHARE
    HELD: ClassVar = HeldKind.CONTRIBUTION

    what: Title
    format: Format
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=500)] = ()
    groups: Groups = ()
    findings: Findings = ()
    accessible_as: Annotated[tuple[Accessibility, ...], Meta(max_length=len(Accessibility))] = ()
    cycle: CycleId | None = None  # if it belongs to one
    response: Annotated[Text | None, Personal("participants")] = None  # what they said to it


class ArchiveDeposited(ResearchEvent):
    """Data or documents of the study were deposited in a repository."""

    PHASE: ClassVar = Phase.SHARE
    HELD: ClassVar = HeldKind.DEPOSIT
    NEEDS: ClassVar = (Permission.ARCHIVE,)

    repository: Title
    what: Title
    access: Access
    identifier: Title | None = None  # its DOI or accession number, once there is one
    licence: Title | None = None
    participants: Annotated[tuple[ParticipantId, ...], Meta(max_length=10_000)] = ()  # whose data
    findings: Findings = ()
    cycle: CycleId | None = None  # if it belongs to one


class Release(Command[E]):
    """A command by which something of participants leaves the study, as far as they allow it."""

    DUTY = Duty.SHARE

    standing: Sequence[ConsentStands] = ()

    def allowed(
        self, participants: Mapping[str, ParticipantId], permission: Permission
    ) -> Iterable[Condition]:
        """Everyone is enrolled, and the permission stands at that time.

        `participants` by the input field that names them: "participants.3".
        """
        at = self.occasion.occurred_at
        for path, participant in participants.items():
            yield known("participant", participant, ParticipantEnrolled, path)
        self.standing = [
            ConsentStands(participant, permission, at, path)
            for path, participant in participants.items()
        ]
        yield from self.standing

    def consents(self) -> tuple[int, ...]:
        return tuple(sorted({c.decided_by.position for c in self.standing if c.decided_by}))


def each_of(participants: tuple[ParticipantId, ...]) -> dict[str, ParticipantId]:
    """Each by its place in the input; somebody named twice is asked about once."""
    return {f"participants.{participants.index(each)}": each for each in participants}


def belongs_to(cycle: CycleId | None, findings: tuple[str, ...]) -> Iterable[Condition]:
    """The cycle, if one is named, and the findings are on record."""
    if cycle is not None:
        yield known("cycle", cycle, CycleOpened)
    yield from all_known("finding", findings, FindingDrafted, "findings")


class ShareFindings(Command[FindingsShared]):
    """Record that findings were passed on: to whom, how and in which form."""

    DUTY = Duty.SHARE

    def requires(self) -> Iterable[Condition]:
        yield from belongs_to(self.event.cycle, self.event.findings)


class ReleaseQuotation(Release[QuotationReleased]):
    """Record that a participant is quoted; needs their permission for that way of quoting."""

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("quotation", event.quotation, QuotationReleased)
        yield Sensible(
            event.permission in (Permission.QUOTE_ANONYMOUS, Permission.QUOTE_NAMED),
            "permission_unsuitable",
            "Say by which permission they are quoted: quote_anonymous or quote_named.",
            "permission",
        )
        yield from self.allowed({"participant": event.participant}, event.permission)
        if event.transcript is not None:
            yield known("transcript", event.transcript, TranscriptMade)
        if event.story is not None:
            yield known("story", event.story, StoryCollected)
        yield from belongs_to(event.cycle, () if event.finding is None else (event.finding,))


class AgreeAuthorship(Release[AuthorshipAgreed]):
    """Record who is credited with a work; participants only if they allowed credit by name."""

    def requires(self) -> Iterable[Condition]:
        event = self.event
        names = [(author.member, author.participant) for author in event.authors]
        yield Sensible(
            all((member is None) != (participant is None) for member, participant in names),
            "author_unclear",
            "Name each author as a member or as a participant; one of the two.",
            "authors",
        )
        yield Sensible(
            len(set(names)) == len(names),
            "author_twice",
            "An author is named twice; name each once, with all their roles.",
            "authors",
        )
        for n, (member, _) in enumerate(names):
            if member is not None:
                yield Stands(
                    "member",
                    member,
                    {StudyOpened: True, MemberJoined: True},
                    code="member_unknown",
                    message=f"{member} never had a role in this study; check the identifier.",
                    path=f"authors.{n}.member",
                )
        credited = {
            f"authors.{n}.participant": name
            for n, (_, name) in enumerate(names)
            if name is not None
        }
        yield from self.allowed(credited, Permission.CREDIT_BY_NAME)
        yield from belongs_to(event.cycle, event.findings)


class FeedBackToParticipants(Release[FedBackToParticipants]):
    """Record that those who took part were told what came of it.

    Participants are named only if they agreed to receive findings; a meeting names its groups.
    """

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield Sensible(
            bool(event.participants or event.groups),
            "audience_missing",
            "Say who was told: participants or groups.",
            "participants",
        )
        yield from self.allowed(each_of(event.participants), Permission.RECEIVE_FINDINGS)
        yield from belongs_to(event.cycle, event.findings)


class DepositArchive(Release[ArchiveDeposited]):
    """Record a deposit; everyone whose data it holds must have allowed archiving."""

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield from self.allowed(each_of(event.participants), Permission.ARCHIVE)
        yield from belongs_to(event.cycle, event.findings)
