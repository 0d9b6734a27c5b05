"""The committee: applied to, deciding, told of what went wrong, visiting, and answered."""

from datetime import date

from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApplicationSubmitted,
    ApprovalReinstated,
    ApprovalSuspended,
    ConditionDischarged,
    OpinionGiven,
    Outcome,
)
from domain.modifications import ModificationDecided, ModificationKind, ModificationSubmitted
from domain.oversight import (
    AuditOpened,
    FindingAnswered,
    FindingRaised,
    ReportFiled,
    ReportKind,
    Severity,
)
from domain.permissions import Permission
from domain.policy_packs import PolicyAdopted
from domain.safety import (
    AdverseEventReported,
    ComplaintReceived,
    DeviationKind,
    DeviationReported,
    SafeguardingRaised,
    UrgentSafetyMeasureTaken,
)
from service.demo.participants import FORM, SHEET
from service.demo.telling import Told, digest_of, london, people

REC = "Made-up University Research Ethics Committee"
TEAM = ("ada", "ben", "cora", "dev", "fay", "sol")
SITES = (
    "pantry-toxteth", "shed-birkenhead", "carers-bootle", "library-knowsley",
    "allotment-st-helens", "at-home", "by-telephone",
)  # fmt: skip


def documents(version: str) -> tuple[Document, ...]:
    """Form and sheet in that version; the protocol stays."""
    return (
        Document(kind=DocumentKind.CONSENT_FORM, version=version, language="en",
                 sha256=digest_of(f"{FORM} {version}")),
        Document(kind=DocumentKind.INFORMATION_SHEET, version=version, language="en",
                 sha256=digest_of(f"{SHEET} {version}")),
    )  # fmt: skip


PROTOCOL = Document(
    kind=DocumentKind.PROTOCOL, version="1.0", sha256=digest_of("protocol 1.0"), language="en"
)

REVIEWED = (
    Told("2024-09-05 09:00", "erin", PolicyAdopted(pack="university-2026")),
    Told("2024-09-05 16:00", "ada", ApplicationSubmitted(
        application="app-2024-118", committee=REC, activities=tuple(Activity),
        documents=(PROTOCOL, *documents("1.1")), personnel=(*TEAM, "gus"), sites=SITES,
        max_participants=40)),
    Told("2024-09-26 15:00", "erin", OpinionGiven(
        opinion="rec-2024-118", application="app-2024-118", committee=REC,
        outcome=Outcome.FAVOURABLE_WITH_CONDITIONS, activities=tuple(Activity),
        valid_from=date(2024, 10, 1), valid_to=date(2025, 12, 31), max_participants=40,
        personnel=(*TEAM, "gus"), sites=SITES, documents=(PROTOCOL, *documents("1.1")),
        conditions=(
            "Somebody trained to listen is present whenever people talk about their own crises.",
            "The information sheet is offered read aloud, and nobody signs on the first visit "
            "unless they ask to.",
        ),
        note="The committee liked that participants can withdraw without talking to the team.")),
    Told("2024-10-04 11:00", "erin", ConditionDischarged(
        opinion="rec-2024-118", number=1, note="Cora and Fay have done the two-day course.",
        document=Document(kind=DocumentKind.OTHER, version="1",
                          sha256=digest_of("course certificates")))),
    Told("2024-10-04 11:05", "erin", ConditionDischarged(
        opinion="rec-2024-118", number=2, note="It stands in the protocol, page 4.")),
    Told("2025-08-18 10:00", "ada", ApplicationSubmitted(
        application="app-2025-094", committee=REC, activities=tuple(Activity),
        documents=(PROTOCOL, *documents("2.0")), personnel=TEAM, sites=SITES,
        max_participants=60)),
    Told("2025-09-18 16:00", "erin", OpinionGiven(
        opinion="rec-2025-094", application="app-2025-094", committee=REC,
        outcome=Outcome.FAVOURABLE_WITH_CONDITIONS, activities=tuple(Activity),
        valid_from=date(2025, 9, 18), valid_to=date(2027, 3, 31), max_participants=60,
        personnel=(*TEAM, "gus"), sites=SITES, documents=(PROTOCOL, *documents("2.0")),
        recognised_for_mca=True,
        conditions=("What a machine transcribes is read against the sound by a person.",),
        note="Extension by fifteen months; video added; sheet and form in version 2.0.")),
    Told("2025-09-22 10:00", "erin", ConditionDischarged(
        opinion="rec-2025-094", number=1, note="Ben showed us how.")),
    Told("2026-04-20 10:00", "ada", ModificationSubmitted(
        modification="mod-2026-1", opinion="rec-2025-094", kind=ModificationKind.SUBSTANTIAL,
        documents=documents("2.1"),
        note="The national archive instead of the university's: form and sheet say so.")),
    Told("2026-05-06 15:00", "erin", ModificationDecided(
        modification="mod-2026-1", opinion="rec-2025-094", kind=ModificationKind.SUBSTANTIAL,
        outcome=Outcome.FAVOURABLE, documents=documents("2.1"), max_participants=70,
        reconsent=(Permission.ARCHIVE,),
        note="Whoever had agreed to the old archive is asked about the new one.")),
    Told("2026-08-20 09:30", "erin", ApprovalSuspended(
        opinion="rec-2025-094", why="Until we know how she came to be asked so soon.")),
    Told("2026-09-03 14:00", "erin", ApprovalReinstated(
        opinion="rec-2025-094",
        why="Nobody is asked within half a year of leaving hospital any more.")),
)  # fmt: skip

TOLD_OF = (
    Told("2025-05-14 19:40", "fay", DeviationReported(
        deviation="d-1", kind=DeviationKind.WITHOUT_CONSENT, serious=False, cycle="evenings",
        activity=Activity.RECORDING, participants=people(9), permissions=(Permission.PHOTO,),
        aware_at=london("2025-05-16 10:00"),
        what="Terry, who said no to photos, is in the back of one of the allotment.",
        remedy="The photo was deleted on the day it was noticed; he was told, and laughed."),
        entered="2025-05-16 10:20"),
    Told("2025-09-15 12:00", "ada", ReportFiled(
        report="rep-2025-withdrawals", kind=ReportKind.WITHDRAWALS,
        about=("participant:P-11", "participant:P-17"))),
    Told("2025-09-15 12:10", "ada", ReportFiled(
        report="rep-2025-progress", kind=ReportKind.PROGRESS, about=("deviation:d-1",),
        sha256=digest_of("progress report 2025"))),
    Told("2025-12-04 18:30", "fay", SafeguardingRaised(
        safeguarding="sg-1", participants=people(27),
        referred_to="The adult social care desk of a made-up borough",
        what="He sleeps on a different sofa every night and says it is fine.")),
    Told("2026-07-08 10:10", "fay", AdverseEventReported(
        adverse_event="ae-1", serious=True, related=True, unexpected=True, participants=people(30),
        aware_at=london("2026-07-08 11:00"),
        what="Being recognised on the bus, she could not leave the house for nine days.")),
    Told("2026-07-08 11:30", "ada", UrgentSafetyMeasureTaken(
        measure="usm-1", what="No group meets in the open until the committee has been asked.")),
    Told("2026-07-10 09:00", "ada", ReportFiled(
        report="rep-2026-safety", kind=ReportKind.ADVERSE_EVENT,
        about=("adverse_event:ae-1", "harm:h-2"), sha256=digest_of("safety report 2026"))),
    Told("2026-07-10 09:05", "ada", ReportFiled(
        report="rep-2026-measure", kind=ReportKind.URGENT_SAFETY_MEASURE,
        about=("measure:usm-1",))),
    Told("2026-08-19 12:20", "sol", ComplaintReceived(
        complaint="co-1", participants=people(30),
        what="She was asked to join sixteen weeks after hospital, and says it was too soon.")),
    Told("2026-09-10 12:00", "ada", ReportFiled(
        report="rep-2026-withdrawals", kind=ReportKind.WITHDRAWALS,
        about=("participant:P-07", "participant:P-26", "participant:P-30", "complaint:co-1"))),
    Told("2026-09-10 12:10", "ada", ReportFiled(
        report="rep-2026-progress", kind=ReportKind.PROGRESS,
        sha256=digest_of("progress report 2026"))),
)  # fmt: skip

VISITED = (
    Told("2026-06-02 10:00", "erin", AuditOpened(
        audit="au-2026", committee=REC, note="A routine visit in the second year.")),
    Told("2026-06-02 16:00", "erin", FindingRaised(
        audit="au-2026", audit_finding="af-1", severity=Severity.ATTENTION, question=17,
        answer_by=date(2026, 7, 2),
        what="Notes of an observation were typed in almost four weeks after the evening."),
        rests_on="ObservationMade session:o-03"),
    Told("2026-06-16 09:30", "ada", FindingAnswered(
        audit_finding="af-1", accepted=True,
        answer="Cora was ill. Somebody else of the table now types in for whoever is.")),
)  # fmt: skip

COMMITTEE = (*REVIEWED, *TOLD_OF, *VISITED)
