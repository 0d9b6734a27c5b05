"""The planted study's committee, team and ordinary course: nothing in it is amiss."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from domain.cycles import CycleOpened
from domain.documents import Document, DocumentKind
from domain.ethics import (
    Activity,
    ApprovalReinstated,
    ApprovalSuspended,
    ConditionDischarged,
    OpinionGiven,
    Outcome,
)
from domain.membership import Role
from domain.modifications import ModificationDecided, ModificationKind
from domain.payments import Payment
from domain.permissions import Permission
from domain.readings import IdentifiableDataRead, Reading
from domain.recordings import MediaCaptured, MediaKind, Transcriber, TranscriptMade
from domain.reflections import ReflectionRecorded, Voice
from domain.sharing import QuotationReleased
from tests.planted_study import Line, Planted, approved_documents, each_day, moment

OPINION = "rec-1"
DIGEST = "5f" * 32
SUSPENDED, REINSTATED = moment("2024-11-10"), moment("2024-11-20")
AT_FIRST = 200  # participants that the committee approved
IN_THE_END = 210


def begin(study: Planted) -> tuple[Line, Line]:
    """The study is opened, refused, and approved: the lines of the two opinions."""
    study.open(
        "2023-12-01",
        ("bo", Role.RESEARCHER),
        ("cy", Role.RESEARCHER),
        ("dee", Role.RESEARCHER),
        ("zoe", Role.RESEARCHER),
        ("gus", Role.FACILITATOR),
        ("vic", Role.VIEWER),
        ("eve", Role.ETHICS_REVIEWER),
        ("sid", Role.DATA_STEWARD),
    )
    study.tell("2023-12-15", CycleOpened(cycle="c-1", title="First", question="What matters?"))
    refused = OpinionGiven(
        opinion="rec-0",
        committee="REC",
        outcome=Outcome.UNFAVOURABLE,
        activities=(),
        valid_from=date(2023, 12, 20),
        valid_to=date(2030, 12, 31),
    )
    no = study.tell("2023-12-20", refused, by="ana")
    opinion = OpinionGiven(
        opinion=OPINION,
        committee="REC",
        outcome=Outcome.FAVOURABLE_WITH_CONDITIONS,
        activities=tuple(each for each in Activity if each is not Activity.FOCUS_GROUP),
        valid_from=date(2024, 1, 15),
        valid_to=date(2030, 12, 31),
        max_participants=AT_FIRST,
        conditions=tuple(f"Condition {number}." for number in range(1, 7)),
        personnel=("ana", "bo", "cy", "gus"),
        sites=("hall", "library"),
        documents=approved_documents(),
        recognised_for_mca=True,
    )
    return no, study.tell("2024-01-10", opinion, by="ana")


def modify(study: Planted) -> dict[str, Line]:
    """What the committee changed since, by name; `refused` is what it did not allow."""
    third = Document(kind=DocumentKind.CONSENT_FORM, version="3")

    def decided(at: str, number: int, **change: Any) -> Line:
        facts: dict[str, Any] = {"outcome": Outcome.FAVOURABLE, **change}
        event = ModificationDecided(
            modification=f"mod-{number}",
            opinion=OPINION,
            kind=ModificationKind.SUBSTANTIAL,
            **facts,
        )
        return study.tell(at, event, by="ana")

    refused: dict[str, Any] = {
        "outcome": Outcome.UNFAVOURABLE, "documents": (third,), "sites": ("pub",),
        "personnel": ("zoe",), "activities": (), "reconsent": (Permission.WORKSHOP,),
    }  # fmt: skip
    return {
        "forms": decided("2024-06-01 09:00", 1, documents=approved_documents(second=True)),
        "focus groups": decided("2024-08-01 09:00", 2, activities=(Activity.FOCUS_GROUP,)),
        "clinic": decided("2024-09-01 09:00", 3, sites=("clinic",)),
        "dee": decided("2024-10-01 09:00", 4, personnel=("dee",)),
        "refused": decided("2024-11-01 09:00", 5, **refused),
        "suspended": study.tell(SUSPENDED, ApprovalSuspended(opinion=OPINION), by="ana"),
        "reinstated": study.tell(REINSTATED, ApprovalReinstated(opinion=OPINION), by="ana"),
        "observation": decided("2025-03-01 09:00", 6, reconsent=(Permission.OBSERVATION,)),
        "more": decided("2025-08-01 09:00", 7, max_participants=IN_THE_END),
    }


def discharge(study: Planted, at: str, number: int) -> Line:
    return study.tell(at, ConditionDischarged(opinion=OPINION, number=number), by="ana")


def go_on(study: Planted, people: int = 60) -> None:
    """Sixty people take part for a year and a half, as the committee approved."""
    everyone = [study.newcomer(f"{at:%Y-%m-%d %H:%M}") for at in each_day("2024-01-16", 30, people)]

    def some(number: int, how_many: int) -> list[str]:
        return [everyone[(number * 7 + n * 3) % people] for n in range(how_many)]

    def moments(days: int, number: int) -> Iterator[datetime]:
        pause = SUSPENDED - timedelta(days=3), REINSTATED
        for at in each_day("2024-02-21", days, number):
            yield at + timedelta(days=15) if pause[0] <= at <= pause[1] else at

    for n, at in enumerate(moments(600, 300)):
        people_there = some(n, 8)
        paid = tuple(Payment(participant=p, amount=1500, currency="GBP") for p in people_there)
        study.workshop(at, *people_there, payments=paid if n % 3 == 0 else ())
    for n, at in enumerate(moments(600, 300)):
        study.interview(at, *some(n, 1), site="library")
    for n, at in enumerate(moments(600, 200)):
        media, (person,) = study.name("m"), some(n, 1)
        recorded = MediaCaptured(
            media=media, cycle="c-1", kind=MediaKind.AUDIO, sha256=DIGEST, participants=(person,)
        )
        study.tell(at, recorded)
        transcript = TranscriptMade(
            transcript=study.name("t"), media=media, kind=MediaKind.AUDIO, sha256=DIGEST,
            participants=(person,), made_by=list(Transcriber)[n % 2], cycle="c-1",
        )  # fmt: skip
        study.tell(at + timedelta(days=2), transcript)
    for n, at in enumerate(moments(600, 80)):
        quotation = QuotationReleased(
            quotation=study.name("q"), participant=some(n, 1)[0], words="We walk an hour.",
            permission=Permission.QUOTE_ANONYMOUS, where="A policy brief",
        )  # fmt: skip
        study.tell(at, quotation)
    for n, at in enumerate(moments(600, 100)):
        read = IdentifiableDataRead(
            reader=("ana", "bo", "eve", "sid")[n % 4], reading=Reading.CONSENT_DETAILS,
            first_at=at, last_at=at, reads=1,
        )  # fmt: skip
        study.tell(at, read)
    for n, at in enumerate(moments(600, 320)):
        reflection = ReflectionRecorded(
            reflection=study.name("r"), cycle="c-1", voice=Voice.TOGETHER, what="It rained.",
            participants=tuple(some(n, 2)),
        )  # fmt: skip
        study.tell(at, reflection)
