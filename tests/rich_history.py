"""A made-up history with every kind of event, told in rounds, recorded in no particular order."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from domain.corrections import Corrected, Whose
from domain.ethics import Activity, Outcome
from domain.membership import StudyOpened
from domain.modifications import ModificationDecided, ModificationKind
from domain.older_events import read_recorded
from domain.oversight import ReportFiled, ReportKind
from domain.permissions import Permission
from domain.reflections import AssumptionTested, Verdict
from domain.vocabulary import ResearchEvent
from domain.withdrawal import Disposition, DispositionCompleted, DispositionPlanned
from domain.workshops import WorkshopHeld
from tests.registers import Logged
from tests.story import NEW_YEAR

GOLDEN = Path(__file__).parent / "golden"
# What stays the same from round to round.
LASTING = {"member", "group", "study", "pack", "withdrawal_code"}


def rich_history(events: int, *, corrections: bool = True, seed: int = 1) -> Iterator[Logged]:
    """What follows the opening of a study (position 1): every kind of event, round after round.

    Each round is about things of its own, its events shuffled, and some of it corrected later.
    """
    chance = random.Random(seed)
    position, round_ = 1, 0
    while True:
        round_ += 1
        told = [_renamed(kind, values, names, round_) for kind, values, names in _examples()]
        told += _about_one_participant(round_)
        chance.shuffle(told)
        to_correct: list[tuple[int, ResearchEvent]] = []
        for event in told:
            if (position := position + 1) > events + 1:
                return
            if isinstance(event, AssumptionTested | WorkshopHeld):
                to_correct.append((position, event))
            at = NEW_YEAR + timedelta(minutes=chance.randrange(400_000))
            yield Logged(event, at, chance.choice(["ana", "ben", "chi"]), None, {})
        for where, event in to_correct if corrections else ():
            if (position := position + 1) > events + 1:
                return
            yield Logged(_correction(where, event), NEW_YEAR + timedelta(days=300))


def _about_one_participant(round_: int) -> list[ResearchEvent]:
    """What the examples alone do not show: a modification in favour, and a disposition's course."""
    who, item = f"P-07.{round_}", f"media:m-1.{round_}"
    erase = Disposition.ERASE
    return [
        ModificationDecided(
            modification=f"mod-2.{round_}", opinion=f"rec-26-1.{round_}",
            kind=ModificationKind.SUBSTANTIAL, outcome=Outcome.FAVOURABLE,
            activities=(Activity.WORKSHOP,), reconsent=(Permission.AUDIO,),
        ),
        DispositionPlanned(participant=who, item=item, disposition=erase, due=date(2026, 6, 1)),
        DispositionCompleted(participant=who, item=item),
        ReportFiled(
            report=f"report-2.{round_}", kind=ReportKind.WITHDRAWALS, about=(f"participant:{who}",)
        ),
    ]  # fmt: skip


def _correction(position: int, event: ResearchEvent) -> Corrected:
    standing: dict[str, Any] = {"notes": "It was another workshop."}
    personal = isinstance(event, WorkshopHeld)
    if not personal:
        standing = {"verdict": Verdict.UNCLEAR.value}
    return Corrected(
        corrects=position,
        event_type=event.TOPIC,
        subject=event.tags[0],
        why="A slip of the pen.",
        standing={} if personal else standing,
        personal_standing=standing if personal else None,
        whose=(Whose(member="ana"),) if personal else (),
        fields=tuple(standing),
        about=tuple(event.tags),
        cycle=getattr(event, "cycle", None),
    )


@cache
def _examples() -> list[tuple[type[ResearchEvent], dict[str, Any], frozenset[str]]]:
    """The golden events of today, as JSON, with the identifiers to be renamed in each."""
    found = []
    for path in sorted(GOLDEN.glob("*.json")):
        name, schema, _ = path.name.split(".")
        event = read_recorded(name, int(schema), path.read_bytes(), {})
        kind = type(event)
        if int(schema) == kind.SCHEMA and kind not in (StudyOpened, Corrected):
            tags = (tag.partition(":") for tag in event.tags)
            parts = [(of, name) for of, _, name in tags if of not in LASTING]
            names = frozenset(name for of, name in parts) | {f"{of}:{name}" for of, name in parts}
            found.append((kind, msgspec.to_builtins(event), names))
    return found


def _renamed(
    kind: type[ResearchEvent], values: dict[str, Any], names: frozenset[str], round_: int
) -> ResearchEvent:
    def rename(value: Any) -> Any:
        match value:
            case str() if value in names:
                return f"{value}.{round_}"
            case list() | tuple():
                return [rename(each) for each in value]
            case dict():
                return {name: rename(each) for name, each in value.items()}
        return value

    return msgspec.convert(rename(values), kind)
