"""What a participant is shown with their code: what they agreed to, and what is held of them.

It is read from the record itself, as the withdrawal is, so it is there also while the registers
stand still. It says what kinds of things are held and how many: nothing of anybody else.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from eventsourcing.dcb.domain import Selector

from domain.consent_states import (
    ConsentState,
    standing_at,
    touches,
    turn_of,
    turning_types,
)
from domain.erased_subjects import SubjectErased
from domain.held_items import held_of, holding_types
from domain.membership import StudyOpened
from domain.modifications import ModificationDecided
from domain.permissions import Permission
from domain.vocabulary import Heard, HeldKind, ResearchEvent
from domain.withdrawal import ConsentWithdrawn
from service.research_record import ResearchRecord

KINDS = {
    HeldKind.WORKSHOP: ("workshop you came to", "workshops you came to"),
    HeldKind.INTERVIEW: ("interview with you", "interviews with you"),
    HeldKind.FOCUS_GROUP: ("focus group you were in", "focus groups you were in"),
    HeldKind.OBSERVATION: ("observation you were in", "observations you were in"),
    HeldKind.MEDIA: ("recording or photograph of you", "recordings or photographs of you"),
    HeldKind.TRANSCRIPT: ("transcript of what was said", "transcripts of what was said"),
    HeldKind.STORY: ("story you told", "stories you told"),
    HeldKind.REFLECTION: ("reflection you took part in", "reflections you took part in"),
    HeldKind.OUTCOME: ("change you had a part in", "changes you had a part in"),
    HeldKind.CONCERN: ("concern you stated", "concerns you stated"),
    HeldKind.ASSET: ("thing you offered", "things you offered"),
    HeldKind.PRIORITY: ("priority you proposed", "priorities you proposed"),
    HeldKind.CONTRIBUTION: ("other thing you said or did", "other things you said or did"),
    HeldKind.QUOTATION: ("quotation of you", "quotations of you"),
    HeldKind.DEPOSIT: (
        "deposit in an archive with you in it",
        "deposits in an archive with you in them",
    ),
}
STATES = {
    ConsentState.REQUESTED: "you were asked, and have not answered",
    ConsentState.GIVEN: "you agreed",
    ConsentState.DECLINED: "you said no",
    ConsentState.WITHDRAWN: "you took it back",
    ConsentState.EXPIRED: "the time you agreed to is over",
    ConsentState.INVALIDATED: "it turned out not to count",
    ConsentState.RECONSENT_REQUIRED: "you have to be asked again",
    ConsentState.SUSPENDED: "it rests for the time being",
}


@dataclass(frozen=True)
class Agreed:
    """A permission, and where it stands."""

    permission: Permission
    state: ConsentState
    since: datetime


@dataclass(frozen=True)
class Held:
    """Things of one kind that are held of the participant."""

    kind: HeldKind
    number: Annotated[int, "How many."]
    words: Annotated[str, "The same in plain words: 3 workshops you came to."]


@dataclass(frozen=True)
class Mine:
    """What a participant sees of the study with their code."""

    study: str
    title: str
    participant: Annotated[str, "The pseudonym under which they are on record."]
    agreed: list[Agreed]
    held: list[Held]
    withdrawn_at: Annotated[datetime | None, "When they last took something back."]
    erased_at: Annotated[datetime | None, "When everything personal of theirs was destroyed."]


async def what_is_held(record: ResearchRecord, study: str, participant: str) -> Mine:
    """Everything a participant may see, as the record stands now."""
    about = [f"participant:{participant}"]
    told = await record.heard(
        study,
        [
            Selector(types=list(turning_types()), tags=about),
            Selector(types=[ModificationDecided], tags=[]),
            Selector(types=[*holding_types(), SubjectErased], tags=about),
            Selector(types=[StudyOpened], tags=[]),
        ],
    )
    opened = next((each.event for each in told if isinstance(each.event, StudyOpened)), None)
    counted = Counter(type(each.event).HELD for each in told if participant in held_of(each.event))
    return Mine(
        study=study,
        title=opened.title if opened else study,
        participant=participant,
        agreed=_agreed(told),
        held=[
            Held(kind, counted[kind], f"{counted[kind]:,} {words[counted[kind] > 1]}")
            for kind, words in KINDS.items()
            if counted[kind]
        ],
        withdrawn_at=_last(told, ConsentWithdrawn),
        erased_at=_last(told, SubjectErased),
    )


def _agreed(told: Sequence[Heard]) -> list[Agreed]:
    now = datetime.now(UTC)
    found = []
    for permission in Permission:
        turns = [turn_of(each) for each in told if permission in touches(each.event)]
        standing = standing_at(turns, now)
        if standing.decided_by is not None:
            found.append(Agreed(permission, standing.state, standing.decided_by.occurred_at))
    return found


def _last(told: Sequence[Heard], kind: type[ResearchEvent]) -> datetime | None:
    return max((each.occurred_at for each in told if isinstance(each.event, kind)), default=None)
