"""The audit trail: every event as recorded, how late, on what it relied, and its corrections."""

import asyncio
import json
from datetime import date

import pytest

from domain.ballots import BallotCast, Choice, Secrecy
from domain.corrections import Corrected
from domain.cycles import CycleOpened
from domain.reflections import AssumptionTested, Verdict
from domain.vocabulary import Phase
from domain.workshops import WorkshopHeld
from projections.audit_trail import AuditEntry, audit_trail
from projections.paging import Window
from tests.conftest import Database
from tests.registers import followed, logged
from tests.story import on

cycle = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
held = WorkshopHeld(
    workshop="w-1", cycle="c-1", participants=("p-1", "p-2"), groups=("A",), notes="Ana cried."
)
tested = AssumptionTested(cycle="c-1", assumption="People have time.", verdict=Verdict.HELD)
corrected = Corrected(
    corrects=4, event_type="AssumptionTested", subject="cycle:c-1", why="I misread my notes.",
    standing={"verdict": "did_not_hold"}, fields=("verdict",), about=("cycle:c-1",), cycle="c-1",
)  # fmt: skip


def audited(database: Database, *history: object, **filters: object) -> list[AuditEntry]:
    async def read() -> list[AuditEntry]:
        async with followed(database, *history) as db:  # type: ignore[arg-type]
            page = await audit_trail(db, "maize", Window(), **filters)  # type: ignore[arg-type]
            assert await db.fetchval(page.count[0], *page.count[1]) == len(page.rows)
            return page.rows

    return asyncio.run(read())


def test_every_event_has_its_line_with_its_whole_envelope(database: Database) -> None:
    history = [
        cycle,
        logged(
            "2026-02-01T09:30+05:30", held, by="ben", reason="From the attendance sheet.",
            phase=Phase.PLAN, role="facilitator", approval=7, consents=(8, 9),
            on_behalf_of="ana",
        ),
    ]  # fmt: skip
    opened, _, line = audited(database, *history)
    assert (opened.type, opened.position, opened.actor) == ("StudyOpened", 1, "ana")
    assert (line.actor, line.role, line.on_behalf_of) == ("ben", "facilitator", "ana")
    assert (line.phase, line.cycle, line.channel) == (Phase.PLAN, "c-1", "api")
    assert (line.approval, line.consents, line.reason) == (7, [8, 9], "3/reason")
    assert line.offset_minutes == 330
    assert line.occurred_at.isoformat() == "2026-02-01T04:00:00+00:00"
    assert line.late
    assert line.lateness == int((line.recorded_at - line.occurred_at).total_seconds())
    assert line.summary == (
        "A workshop took place in an open cycle, among people whose consent stood "
        "(workshop w-1; cycle c-1; participant p-1, p-2; group A)."
    )
    assert line.tags[:2] == ["workshop:w-1", "cycle:c-1"]


def test_its_payload_holds_nothing_personal(database: Database) -> None:
    line = audited(database, cycle, held)[-1]
    assert json.loads(line.payload)["workshop"] == "w-1"
    assert "cried" not in line.payload + line.summary


def test_a_correction_and_what_was_recorded_first_are_both_shown(database: Database) -> None:
    first, correction = audited(database, cycle, held, tested, corrected)[-2:]
    assert json.loads(first.payload)["verdict"] == "held"
    assert (first.corrected_by, first.corrects) == ([5], None)
    assert (correction.corrected_by, correction.corrects) == ([], 4)


def test_no_line_links_a_voter_with_a_secret_vote(database: Database) -> None:
    choices = (Choice(option="water"),)
    secret = BallotCast(ballot="b-1", voter="v-1", choices=choices, paper="b-1/v-1")
    openly = BallotCast(
        ballot="b-2", voter="v-1", choices=choices, paper="b-2/v-1", secrecy=Secrecy.OPEN
    )
    _, hidden, shown = audited(database, secret, openly)
    assert "water" not in hidden.payload + hidden.summary
    assert "water" in shown.payload


@pytest.mark.parametrize(
    ("filters", "positions"),
    [
        ({"type": "WorkshopHeld"}, [3]),
        ({"phase": Phase.PLAN}, [2]),
        ({"cycle": "c-1"}, [2, 3, 4, 5]),
        ({"actor": "ben"}, [4]),
        ({"participant": "p-1"}, [3]),
        ({"participant": "p-1", "group": "A"}, [3]),
        ({"participant": "p-1", "group": "B"}, []),
        ({"tag": "workshop:w-1"}, [3]),
        ({"since": date(2026, 2, 1), "until": date(2026, 2, 1)}, [4]),
        ({"recorded_until": date(2026, 1, 1)}, []),
        ({"late": False}, []),
        ({"corrected": True}, [4]),
        ({"corrected": False}, [1, 2, 3, 5]),
    ],
)
def test_it_is_found_by(
    database: Database, filters: dict[str, object], positions: list[int]
) -> None:
    history = (cycle, held, on("2026-02-01", tested, by="ben"), corrected)
    assert [line.position for line in audited(database, *history, **filters)] == positions
