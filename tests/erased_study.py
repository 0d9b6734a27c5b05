"""A study with somebody in it who is erased: p-1, whose account is pat, in texts with others."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import asyncpg

from domain.consent import ConsentGiven, GrantConsent
from domain.corrections import Correct, Corrected
from domain.erased_subjects import ErasureGround, SubjectErased
from domain.erasure import EraseSubject
from domain.membership import MemberJoined, Role
from domain.people import EnrolParticipant, ParticipantEnrolled
from domain.permissions import Permission
from domain.studies import JoinMember
from domain.vocabulary import ResearchEvent
from domain.workshops import HoldWorkshop, WorkshopHeld
from service.research_record import Proposal, Recorded, ResearchRecord
from service.sealing.subject_keys import KeyState
from tests.conftest import Database
from tests.key_places import Place
from tests.recording import NOON, STUDY, beginning, proposal

WREN, ASH = "Wren Alder", "Ash Rowan"  # p-1 and p-2
ERASED = ("member:pat", "participant:p-1")
TABLES = {
    "event": "position",
    "event_tag": "position, hash",
    "sealed_part": "position, path",
    "sealed_word": "position, path, word",
}


def told() -> list[Proposal]:
    """What is on record before anybody is erased."""
    story: list[tuple[type[Any], ResearchEvent, str | None]] = [
        (JoinMember, MemberJoined(member="sol", role=Role.DATA_STEWARD, name="Sol Steward"), None),
        (JoinMember, MemberJoined(member="eva", role=Role.ETHICS_REVIEWER), None),
    ]
    for each, name in (("p-1", WREN), ("p-2", ASH), ("p-3", "Elm Hazel")):
        story += [
            (EnrolParticipant, enrolled(each, name), f"Recruited {each} at the well."),
            (GrantConsent, consented(each), None),
        ]
    story += [
        (JoinMember, MemberJoined(
            member="pat", role=Role.PARTICIPANT, participant="p-1", name="Wren A."), None),
        (HoldWorkshop, held("w-1", "p-1", "p-2", notes="Wren and Ash quarrelled."), None),
        (HoldWorkshop, held("w-2", "p-2", "p-3", notes="Ash and Elm agreed."), None),
        (HoldWorkshop, held("w-3", "p-1", "p-3", adjustments="A ramp for Wren."), None),
    ]  # fmt: skip
    said = [
        proposal(command, event, at=NOON - timedelta(days=5), reason=reason)
        for command, event, reason in story
    ]
    return [*beginning(), *said]


def enrolled(participant: str, name: str) -> ParticipantEnrolled:
    contact = f"{participant} at the mill"
    return ParticipantEnrolled(participant=participant, group="A", name=name, contact=contact)


def consented(participant: str) -> ConsentGiven:
    given = (Permission.WORKSHOP, Permission.INTERVIEW, Permission.QUOTE_ANONYMOUS)
    return ConsentGiven(participant=participant, permissions=given, form_version="1")


def held(workshop: str, *participants: str, **texts: str) -> WorkshopHeld:
    return WorkshopHeld(workshop=workshop, cycle="c-1", participants=participants, **texts)  # type: ignore[arg-type]


def hold(workshop: str, *participants: str, **occasion: Any) -> Proposal:
    """A workshop of these, with notes."""
    notes = f"Of {' and '.join(participants)}."
    return proposal(HoldWorkshop, held(workshop, *participants, notes=notes), **occasion)


def correction(position: int, **standing: str) -> Proposal:
    corrected = Corrected(
        corrects=position, event_type="WorkshopHeld", subject="workshop:w-1", why="A slip.",
        standing=standing,
    )  # fmt: skip
    return proposal(Correct, corrected)


def erasure(participant: str = "p-1", **occasion: Any) -> Proposal:
    asked = SubjectErased(ground=ErasureGround.CONSENT_WITHDRAWN, participant=participant)
    return proposal(EraseSubject, asked, **{"by": "sol", "reason": "They asked."} | occasion)


def someone(n: int) -> list[Proposal]:
    """One more participant, with an account."""
    who = f"k-{n}"
    account = MemberJoined(
        member=f"acc-{n}", role=Role.PARTICIPANT, participant=who, name=f"Account {n}"
    )
    return [
        proposal(EnrolParticipant, enrolled(who, f"Somebody {n}")),
        proposal(JoinMember, account),
    ]


def racing(name: str, n: int) -> Proposal:
    """Something about p-1: with others, alone, or a correction."""
    match n % 3:
        case 0:
            return hold(name, "p-1", "p-3")
        case 1:
            return hold(name, "p-1")
    return correction(len(told()) - 2, notes=f"What {name} thinks of Wren and Ash.")


async def record_all(parcycle: ResearchRecord, proposals: list[Proposal]) -> list[Recorded]:
    """They must all be recorded."""
    answers = await parcycle.submit_all(proposals)
    recorded = [each for each in answers if isinstance(each, Recorded)]
    assert len(recorded) == len(answers), answers
    return recorded


async def rows(database: Database) -> dict[str, list[asyncpg.Record]]:
    """Everything on record of the study, by table."""
    db = await asyncpg.connect(database.owner_url)
    try:
        return {
            table: await db.fetch(
                f"select * from record.{table} where study = $1 order by {order}", STUDY
            )
            for table, order in TABLES.items()
        }
    finally:
        await db.close()


async def states(database: Database) -> dict[str, KeyState]:
    """Where each subject's key stands."""
    async with place(database).table() as table:
        return await table.states(STUDY)


def place(database: Database) -> Place:
    return Place(database.store.settings.home, None)


async def assert_nothing_is_left(
    database: Database, subjects: Collection[str] = ERASED, words: int = 0
) -> None:
    """No key and no sealed field of theirs; and so many rows of the blind index at all."""
    now = await states(database)
    assert {subject: now.get(subject) for subject in subjects} == dict.fromkeys(
        subjects, KeyState.ERASED
    )
    async with place(database).keys() as keys:
        assert (await keys.find({STUDY: subjects}))[STUDY] == {}
    kept = await rows(database)
    sealed = [part for part in kept["sealed_part"] if {*part["subjects"]} & {*subjects}]
    assert sealed == []
    parts = {(part["position"], part["path"]) for part in kept["sealed_part"]}
    assert {(word["position"], word["path"]) for word in kept["sealed_word"]} <= parts
