"""Acts: what the audit asks about when it is recorded, and again when something comes to light."""

from collections.abc import Iterable

from domain.approval import FAVOURABLE
from domain.consent import ConsentGiven, ConsentRequested
from domain.consent_lapses import ReconsentRequired
from domain.consent_states import touches, turning_types
from domain.ethics import Activity, OpinionGiven
from domain.held_items import held_of
from domain.modifications import ModificationDecided
from domain.oversight import StudyEndDeclared
from domain.people import ParticipantEnrolled
from domain.readings import IdentifiableDataRead
from domain.safety import AdverseEventReported, DeviationReported, UrgentSafetyMeasureTaken
from domain.vocabulary import Heard, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from projections.audit_captures import in_capture, unapproved
from projections.audit_consents import before_approval, in_consent
from projections.audit_facts import CAPTURES, Facts, Found
from projections.audit_uses import CONTACTS, RELEASES, in_contact, in_reading, in_release

EVERY, CAPTURE = "*", "capture"  # whom an act concerns, besides those it names
TURNING = frozenset(turning_types())


def acts(event: ResearchEvent) -> tuple[str, ...]:
    """Whom an act concerns, as tags and the two words above; nothing: it is no act."""
    kind = type(event)
    if kind in CAPTURES:
        return (EVERY, CAPTURE, *people_in(event))
    if kind in RELEASES or kind in CONTACTS:
        return (EVERY, *people_in(event))
    if isinstance(event, ParticipantEnrolled | ConsentGiven | ConsentRequested):
        return (EVERY,)
    if isinstance(event, IdentifiableDataRead):
        return (EVERY, f"member:{event.reader}")
    return tuple(f"participant:{each}" for each in held_of(event))


def people_in(event: ResearchEvent) -> tuple[str, ...]:
    """The participants whom a capture, a use or a contact names, as tags."""
    one = getattr(event, "participant", None)
    several = (one,) if one is not None else getattr(event, "participants", ())
    credited = (author.participant for author in getattr(event, "authors", ()))
    named = (*several, *(each for each in credited if each is not None))
    return tuple(f"participant:{each}" for each in dict.fromkeys(named))


def asked_of(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """What the twenty questions find in one act."""
    kind = type(heard.event)
    if kind in CAPTURES:
        return in_capture(heard, facts, known)
    if kind in RELEASES:
        return in_release(heard, facts, known)
    if kind in CONTACTS:
        return in_contact(heard, facts, known)
    match heard.event:
        case ConsentGiven():
            return in_consent(heard, facts, known)
        case ConsentRequested():
            return before_approval(heard, facts, known)
        case ParticipantEnrolled():
            return unapproved(heard, Activity.RECRUITMENT, facts, known)
        case IdentifiableDataRead():
            return in_reading(heard, facts, known)
    return ()


def examined_by(event: ResearchEvent) -> tuple[int, ...]:
    """The questions that have something to examine once this has happened."""
    kind = type(event)
    if kind in CAPTURES:
        return (1, 5, 6, 11) if getattr(event, "payments", ()) else (1, 5, 6)
    if kind in RELEASES:
        return (14,) if people_in(event) else ()
    match event:
        case ConsentGiven():
            return (2, 3, 4, 6, 12, 19)
        case ConsentRequested():
            return (2, 12)
        case ConsentWithdrawn():
            return (8, 9, 10, 12)
        case ReconsentRequired():
            return (12, 13)
        case ModificationDecided():
            return (13,) if touches(event) else ()
        case ParticipantEnrolled():
            return (5, 7)
        case IdentifiableDataRead():
            return (6, 18)
        case OpinionGiven(conditions=conditions, outcome=outcome):
            return (16,) if conditions and outcome in FAVOURABLE else ()
        case (
            AdverseEventReported(serious=True, related=True, unexpected=True)
            | DeviationReported(serious=True)
            | UrgentSafetyMeasureTaken()
            | StudyEndDeclared()
        ):
            return (15,)
    return (12,) if kind in TURNING else ()
