"""The participants: five groups in five boroughs, and what each allowed, declined or took back."""

from datetime import date, timedelta
from typing import NamedTuple

from domain.consent import (
    ConsentDeclined,
    ConsentGiven,
    ConsentRequested,
    LawfulBasis,
    Method,
    SpecialCategoryBasis,
)
from domain.documents import DocumentFormat
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.vocabulary import Channel
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from service.demo.telling import Told, digest_of, london

FORM, SHEET = "consent form", "information sheet"  # each with its version: see `document`
KITCHEN = "kitchen-toxteth"
SHED = "repair-birkenhead"
CARERS = "carers-bootle"
YOUNG = "young-knowsley"
GROWERS = "allotment-st-helens"

ASKED_OF_EVERYONE = (
    Permission.WORKSHOP, Permission.FOCUS_GROUP, Permission.OBSERVATION, Permission.INTERVIEW,
    Permission.AUDIO, Permission.PHOTO, Permission.QUOTE_ANONYMOUS, Permission.RECONTACT,
    Permission.RECEIVE_FINDINGS,
)  # fmt: skip
TO_BE_ARCHIVED = (KITCHEN, SHED)  # whose first year the archive took; only they are asked for it
AUDIO, PHOTO, ARCHIVE = (Permission.AUDIO,), (Permission.PHOTO,), (Permission.ARCHIVE,)


class Person(NamedTuple):
    """A participant on the evening they came in."""

    participant: str
    first_name: str
    group: str
    ages: str
    came: str
    met_by: str
    declined: tuple[Permission, ...] = ()
    because: str | None = None
    interpreter: str | None = None


PEOPLE = (
    Person("P-01", "Rosa", KITCHEN, "60+", "2024-10-08 18:00", "ada"),
    Person("P-02", "Amina", KITCHEN, "26-59", "2024-10-08 18:10", "ada"),
    Person("P-03", "Jean", KITCHEN, "60+", "2024-10-08 18:25", "ada"),
    Person("P-04", "Hodan", KITCHEN, "26-59", "2024-10-15 18:05", "cora", AUDIO + PHOTO,
           "Happy to talk all night, but not into a machine."),
    Person("P-05", "Lil", KITCHEN, "60+", "2024-10-15 18:20", "cora"),
    Person("P-06", "Nasra", KITCHEN, "26-59", "2025-03-11 18:10", "cora"),
    Person("P-07", "Pia", KITCHEN, "26-59", "2024-10-22 18:15", "cora"),
    Person("P-08", "Grace", KITCHEN, "18-25", "2025-09-30 18:40", "cora"),
    Person("P-09", "Terry", SHED, "60+", "2024-10-10 17:30", "dev", PHOTO,
           "Not keen on photos of himself, never has been."),
    Person("P-10", "Len", SHED, "60+", "2024-10-10 17:40", "dev"),
    Person("P-11", "Mick", SHED, "26-59", "2024-10-10 17:55", "dev"),
    Person("P-12", "Yusuf", SHED, "26-59", "2024-10-17 17:30", "dev", PHOTO + ARCHIVE,
           "Wants it used for this, here, and then put away."),
    Person("P-13", "Colin", SHED, "60+", "2024-10-17 17:45", "dev"),
    Person("P-14", "Raj", SHED, "26-59", "2025-04-03 17:30", "dev"),
    Person("P-15", "Sean", SHED, "26-59", "2025-11-06 17:35", "dev", AUDIO,
           "Talks better when nothing is running."),
    Person("P-16", "Maureen", CARERS, "60+", "2024-10-16 13:00", "fay"),
    Person("P-17", "Denise", CARERS, "26-59", "2024-10-16 13:15", "fay"),
    Person("P-18", "Bernard", CARERS, "60+", "2024-10-16 13:30", "fay"),
    Person("P-19", "Carol", CARERS, "26-59", "2024-10-23 13:00", "fay"),
    Person("P-20", "Win", CARERS, "60+", "2024-10-23 13:20", "fay", (Permission.INTERVIEW, *AUDIO),
           "In the group, yes. On her own with a list of questions, no."),
    Person("P-21", "Sandra", CARERS, "26-59", "2025-04-09 13:00", "fay"),
    Person("P-22", "Joyce", CARERS, "60+", "2026-01-14 13:00", "fay"),
    Person("P-23", "Kai", YOUNG, "18-25", "2024-10-24 17:00", "gus", (Permission.OBSERVATION,),
           "Being watched is what school was."),
    Person("P-24", "Ellie", YOUNG, "18-25", "2024-10-24 17:10", "gus"),
    Person("P-25", "Jordan", YOUNG, "18-25", "2024-10-24 17:25", "gus"),
    Person("P-26", "Tasha", YOUNG, "18-25", "2024-10-31 17:00", "gus"),
    Person("P-27", "Mo", YOUNG, "18-25", "2025-05-01 17:05", "gus"),
    Person("P-28", "Beth", YOUNG, "18-25", "2025-05-01 17:20", "gus", PHOTO,
           "Does not want to find herself on a wall at thirty."),
    Person("P-29", "Callum", YOUNG, "18-25", "2025-10-16 17:00", "fay"),
    Person("P-30", "Freya", YOUNG, "18-25", "2026-01-22 17:10", "fay"),
    Person("P-31", "Harold", GROWERS, "60+", "2024-10-26 11:00", "ben", PHOTO,
           "Photograph the beans instead."),
    Person("P-32", "Ifeoma", GROWERS, "26-59", "2024-10-26 11:20", "ben"),
    Person("P-33", "Stan", GROWERS, "60+", "2024-10-26 11:40", "ben", AUDIO,
           "Would rather it was written down by a person."),
    Person("P-34", "Olena", GROWERS, "26-59", "2025-05-17 11:00", "ben",
           interpreter="Iryna Makebelieve"),
    Person("P-35", "Dot", GROWERS, "60+", "2025-10-18 11:00", "ben"),
    Person("P-36", "Petro", GROWERS, "26-59", "2026-02-07 11:10", "ben",
           interpreter="Iryna Makebelieve"),
)  # fmt: skip


def arrivals() -> list[Told]:
    """Everyone's first evening: enrolled, and what they said, permission by permission.

    With version 2.0 of the form, the team began to put the asking on record as well.
    """
    return [told for person in PEOPLE for told in _first_evening(person)]


def _first_evening(person: Person) -> list[Told]:
    came = london(person.came)
    asked, read = (
        (came + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M") for minutes in (5, 30)
    )
    version = "1.1" if person.came < "2025-09-22" else "2.0"
    asked_of_them = ASKED_OF_EVERYONE + (ARCHIVE if person.group in TO_BE_ARCHIVED else ())
    enrolled = ParticipantEnrolled(
        participant=person.participant,
        group=person.group,
        constituency=person.ages,
        name=f"{person.first_name} Makebelieve",
        contact=f"A note left at the {person.group} table finds them.",
    )
    requested = ConsentRequested(
        participant=person.participant,
        permissions=asked_of_them,
        form_version=version,
        form_sha256=digest_of(f"{FORM} {version}"),
        information_sheet_version=version,
        information_sheet_sha256=digest_of(f"{SHEET} {version}"),
        language="en",
        document_format=DocumentFormat.LARGE_PRINT if person.ages == "60+" else None,
    )
    given = agreed(
        read,
        person.met_by,
        person.participant,
        *(p for p in asked_of_them if p not in person.declined),
        version=version,
        interpreter=person.interpreter,
    )
    evening = [Told(person.came, person.met_by, enrolled)]
    if version == "2.0":
        evening.append(Told(asked, person.met_by, requested))
    evening.append(given)
    if person.declined:
        declined = ConsentDeclined(
            participant=person.participant,
            permissions=person.declined,
            form_version=version,
            note=person.because,
        )
        evening.append(Told(read, person.met_by, declined))
    return evening


def agreed(
    when: str,
    by: str,
    participant: str,
    *permissions: Permission,
    version: str = "2.0",
    method: Method = Method.WRITTEN,
    witness: str | None = None,
    interpreter: str | None = None,
    valid_until: date | None = None,
    note: str | None = None,
) -> Told:
    """A consent with all that a form says: signed and dated on the spot, by the participant."""
    return Told(when, by, ConsentGiven(
        participant=participant, permissions=permissions,
        form_version=version, form_sha256=digest_of(f"{FORM} {version}"),
        information_sheet_version=version,
        information_sheet_sha256=digest_of(f"{SHEET} {version}"),
        language="en", method=method, signed_on=london(when).date(), taken_by=by,
        minutes_to_read=25, valid_until=valid_until, interpreted=interpreter is not None,
        lawful_basis=LawfulBasis.PUBLIC_TASK, special_category_basis=SpecialCategoryBasis.RESEARCH,
        witness=witness, interpreter=interpreter, note=note))  # fmt: skip


CHANGES_OF_MIND = (
    agreed("2024-11-20 18:20", "cora", "P-01", Permission.CREDIT_BY_NAME, version="1.1",
           method=Method.VERBAL_WITNESSED, witness="A neighbour at the kitchen",
           note="Cannot read small print; the sheet was read aloud, twice."),
    Told("2025-04-02 19:10", "dev", ConsentWithdrawn(
        participant="P-11", permissions=PHOTO,
        words="My lad saw the poster at work and asked was I poorly. Take me off, no hard feelings."
    ), channel=Channel.FIELD_FORM),
    Told("2025-05-20 14:00", "fay", ConsentWithdrawn(
        participant="P-17", permissions=ASKED_OF_EVERYONE,
        scope=WithdrawalScope.NO_FURTHER_CONTACT,
        words="Mum has moved in with me and I have nothing left over. Please don't ring.")),
    agreed("2025-09-30 18:05", "cora", "P-01", Permission.VIDEO, Permission.QUOTE_NAMED,
           Permission.MACHINE_TRANSCRIPTION),
    agreed("2025-09-30 18:15", "cora", "P-02", Permission.VIDEO),
    Told("2025-09-30 18:25", "cora", ConsentDeclined(
        participant="P-03", permissions=(Permission.VIDEO,), form_version="2.0",
        note="My hair.")),
    agreed("2025-10-02 17:30", "dev", "P-10", Permission.VIDEO, Permission.MACHINE_TRANSCRIPTION,
           Permission.CREDIT_BY_NAME),
    Told("2025-10-02 17:40", "dev", ConsentDeclined(
        participant="P-13", permissions=(Permission.MACHINE_TRANSCRIPTION,), form_version="2.0",
        note="A person can listen to it. That was the deal.")),
    agreed("2025-10-09 17:15", "fay", "P-24", Permission.CREDIT_BY_NAME, Permission.QUOTE_NAMED),
    agreed("2025-10-09 17:20", "fay", "P-24", Permission.PHOTO_PUBLISHED,
           valid_until=date(2026, 10, 8), note="For a year, and then ask me again."),
    agreed("2025-10-18 11:30", "ben", "P-32", Permission.SHARE_WITH_PARTNER, Permission.REUSE),
    Told("2026-02-03 20:15", "pia", ConsentWithdrawn(
        participant="P-07", permissions=AUDIO,
        words="I listened back to my interview and I sound like my mother. Keep what you have, "
        "but no more recording.")),
    Told("2026-04-15 16:40", "fay", ConsentWithdrawn(
        participant="P-26", permissions=(Permission.INTERVIEW,),
        words="I've started a job and I'd rather not go back over that year.")),
    agreed("2026-05-07 17:20", "fay", "P-26", Permission.RECEIVE_FINDINGS, version="2.1",
           note="Asked again to be sent what comes of it."),
    Told("2026-08-19 12:10", "sol", ConsentWithdrawn(
        participant="P-30", permissions=ASKED_OF_EVERYONE, scope=WithdrawalScope.NO_FURTHER_USE,
        words="I was sixteen weeks out of hospital when I said yes. I want it all taken out."),
        reason="She rang the data protection line instead of the team, as the sheet says she may."),
)  # fmt: skip
