"""What becomes of consent once it is given: receipts, pauses, asking again, and what is held."""

from datetime import date
from itertools import chain

from domain.capacity import ConsultedAs
from domain.consent_lapses import (
    ConsentExpired,
    ConsentInvalidated,
    ConsentResumed,
    ConsentSuspended,
    InvalidBecause,
    ReconsentBecause,
    ReconsentRequired,
)
from domain.erased_subjects import ErasureGround, SubjectErased
from domain.permissions import Permission
from domain.receipts import ReceiptIssued
from domain.withdrawal import (
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
    ErasureRequested,
)
from service.demo.participants import PEOPLE, TO_BE_ARCHIVED, agreed
from service.demo.telling import Told, digest_of

ARCHIVE = Permission.ARCHIVE


def receipt(when: str, by: str, participant: str) -> Told:
    """A receipt of somebody's first consent, with a code to take it back."""
    return Told(when, by, ReceiptIssued(
        participant=participant, consent=1, language="en",
        receipt_sha256=digest_of(f"receipt of {participant}"),
        withdrawal_code_sha256=digest_of(f"withdrawal code of {participant}")))  # fmt: skip


def planned(
    when: str, participant: str, disposition: Disposition, due: date, *items: str
) -> list[Told]:
    """What the data steward decided about what is held of somebody who withdrew.

    What has no name of its own is told by its event's type, and what that is about besides them.
    """
    return [
        Told(when, "sol", DispositionPlanned(
            participant=participant, item="event:1" if " " in item else item,
            disposition=disposition, due=due),
            rests_on=f"{item} participant:{participant}" if " " in item else None)
        for item in items
    ]  # fmt: skip


LAPSES = (
    receipt("2025-10-18 11:40", "ben", "P-35"),
    receipt("2026-01-22 17:45", "fay", "P-30"),
    receipt("2026-02-07 11:50", "ben", "P-36"),
    Told("2026-02-10 13:30", "fay", ConsentSuspended(
        participant="P-18", why="Not himself since the operation; his daughter told us.")),
    Told("2026-03-20 13:15", "fay", ConsentResumed(
        participant="P-18", why="Back, and asked us why we had stopped ringing.")),
    Told("2026-03-04 18:30", "cora", ReconsentRequired(
        participant="P-08", permissions=(Permission.RECONTACT,),
        because=ReconsentBecause.NEW_INFORMATION,
        why="The sheet she had did not say that the co-operative would ring, too.")),
    agreed("2026-03-18 20:10", "cora", "P-08", Permission.RECONTACT),
    Told("2026-03-12 17:45", "dev", ConsentInvalidated(
        participant="P-13", permissions=(ARCHIVE,), because=InvalidBecause.NOT_INFORMED,
        why="He had taken the archive for the filing cabinet in the shed.")),
    Told("2026-10-09 17:30", "fay", ConsentExpired(
        participant="P-24", permissions=(Permission.PHOTO_PUBLISHED,))),
    Told("2026-10-20 13:20", "fay", ConsentSuspended(
        participant="P-22", why="In hospital, and confused by the evenings.")),
    Told("2026-11-10 13:30", "fay", ConsentResumed(
        participant="P-22", affirmed_by=ConsultedAs.PERSONAL_CONSULTEE,
        consultee="Her sister", why="Home. Her sister says she would want to go on.")),
)  # fmt: skip

# Who was asked about the new archive, from the week after the committee's decision; three have not
# been met since, and the audit says so.
NOT_MET = ("P-03", "P-05", "P-09")
HAD_AGREED = tuple(
    person for person in PEOPLE
    if person.group in TO_BE_ARCHIVED and ARCHIVE not in person.declined
    and person.participant not in ("P-13", *NOT_MET)
)  # fmt: skip
ASKED_AGAIN = tuple(
    agreed(f"2026-05-{12 + n // 6} {17 + n % 6 // 2}:{5 + 25 * (n % 2):02}",
           "fay" if person.met_by == "gus" else person.met_by, person.participant, ARCHIVE,
           version="2.1")
    for n, person in enumerate(HAD_AGREED)
)  # fmt: skip

HELD = tuple(chain(
    planned("2025-04-07 10:00", "P-11", Disposition.RETAIN_PSEUDONYMISED, date(2025, 5, 2),
            "workshop:w-02"),
    planned("2025-05-27 10:00", "P-17", Disposition.RETAIN_PSEUDONYMISED, date(2025, 6, 19),
            "workshop:w-02", "session:f-01"),
    planned("2026-02-09 10:00", "P-07", Disposition.RETAIN_PSEUDONYMISED, date(2026, 3, 5),
            "workshop:w-01", "workshop:w-02", "workshop:w-03", "workshop:w-04", "workshop:w-08",
            "session:i-04", "transcript:t-03", "concern:children", "priority:children-welcome",
            "reflection:r-03"),
    planned("2026-02-09 10:05", "P-07", Disposition.RETAIN_PSEUDONYMISED, date(2026, 3, 5),
            "GroundRulesAgreed participant:P-07", "FedBackToParticipants participant:P-07",
            "PowerRated cycle:evenings", "PowerRated cycle:waiting", "PlanRatified cycle:evenings",
            "ActionImplemented action:train-listeners", "ActionImplemented action:open-kitchen",
            "MemberCheckReturned transcript:t-03"),
    planned("2026-02-09 10:10", "P-07", Disposition.QUARANTINE, date(2026, 3, 5), "media:m-05"),
    planned("2026-04-21 10:00", "P-26", Disposition.RETAIN_PSEUDONYMISED, date(2026, 5, 15),
            "workshop:w-02", "session:f-02", "concern:buses", "asset:video-makers",
            "DissentRecorded cycle:evenings"),
    planned("2026-08-26 10:00", "P-30", Disposition.ERASE, date(2026, 9, 18), "workshop:w-14"),
    planned("2026-08-26 10:10", "P-30", Disposition.ERASE, date(2026, 12, 18), "session:f-04"),
    (
        Told("2026-02-12 16:40", "sol", DispositionCompleted(
            participant="P-07", item="media:m-05", proof="The store's access log.",
            proof_sha256=digest_of("access log of the recordings store"))),
        Told("2026-08-19 12:15", "sol", ErasureRequested(
            participant="P-30", ground=ErasureGround.CONSENT_WITHDRAWN,
            words="All of it. Also the photo with my back to it.")),
        Told("2026-09-02 15:00", "sol", DispositionCompleted(
            participant="P-30", item="workshop:w-14", proof="The notes' edit log.",
            proof_sha256=digest_of("edit log of the notes of w-14"))),
        Told("2026-11-02 15:20", "sol", SubjectErased(
            participant="P-30", ground=ErasureGround.CONSENT_WITHDRAWN)),
    ),
))  # fmt: skip

CONSENTS_KEPT = (*LAPSES, *ASKED_AGAIN, *HELD)
