"""The committee's twenty questions in the terminal and as CSV, from the live register."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TextIO

from asyncpg import Connection
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from projections.audit_answers import AuditAnswer, AuditVerdict, EthicsAudit
from projections.entries import head_of
from projections.ethics_audit import ethics_audit
from projections.following import advance, borrowed, make_tables, registers
from service.database import open_pool

COLOURS = {
    AuditVerdict.CLEAR: "green",
    AuditVerdict.ATTENTION: "yellow",
    AuditVerdict.BREACH: "red",
    AuditVerdict.NOT_APPLICABLE: "dim",
}
ALL_FINDINGS = 1_000  # of each question: the most that the register gives
COLUMNS = (
    "number", "question", "verdict", "count", "severity", "code", "subject", "message", "due",
    "positions", "event_ids",
)  # fmt: skip


class NoSuchStudy(Exception):
    """Nothing of the study is on record here."""


@asynccontextmanager
async def caught_up(url: str, study: str, *names: str) -> AsyncIterator[Connection]:
    """A connection to these registers once they have read all of the study that is on record now.

    They are brought up to date here, whether or not a service follows them too. Raises
    `NoSuchStudy`, or `Stopped` at an event that a register cannot read.
    """
    pool = await open_pool(url, 2, search_path="register")
    try:
        async with borrowed(pool) as db:
            await make_tables(db)
            head = await head_of(db, study)
        if not head:
            raise NoSuchStudy(f"No study {study} is on record here; check the identifier.")
        for name in names:
            while await advance(pool, registers()[name], study) < head:
                pass
        async with borrowed(pool) as db:
            yield db
    finally:
        await pool.close()


async def audited(url: str, study: str, at: datetime | None, known: datetime | None) -> EthicsAudit:
    """The twenty answers as of a moment, as known at another. Raises as `caught_up` does."""
    async with caught_up(url, study, "ethics_audit") as db:
        return await ethics_audit(db, study, at=at, as_known_at=known, first=ALL_FINDINGS)


def show_audit(console: Console, study: str, audit: EthicsAudit, most: int) -> None:
    """The questions with their answers, and then what was found: a table, or plain lines."""
    when = f"as of {audit.at:%d %B %Y}, as known on {audit.as_known_at:%d %B %Y}"
    say(console, f"Ethics audit of {study}, {when} (UTC), up to event {audit.position}.\n", "bold")
    if console.is_terminal:
        console.print(_table(audit))
    else:
        for each in audit.answers:
            answer = f"{said(each.verdict):<14} {each.count:>5}"
            say(console, f"{each.question:>2}. {answer}  {each.words}")
    for each in audit.answers:
        if each.findings or each.clock:
            _show_findings(console, each, most)
    notes = [f"{each.question:>2}. {each.note}" for each in audit.answers if each.note]
    say(console, "\nNotes", "bold")
    for note in notes:
        say(console, note, indent=4)


def _table(audit: EthicsAudit) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("Question")
    table.add_column("Answer", no_wrap=True)
    table.add_column("Found", justify="right")
    for each in audit.answers:
        verdict = Text(said(each.verdict), COLOURS[each.verdict])
        table.add_row(str(each.question), each.words, verdict, f"{each.count:,}")
    return table


def _show_findings(console: Console, answer: AuditAnswer, most: int) -> None:
    say(console, f"\n{answer.question}. {answer.words}", "bold")
    for found in answer.findings[:most]:
        events = ", ".join(map(str, found.positions))
        proof = f" (event{'s' if len(found.positions) > 1 else ''} {events})" if events else ""
        say(console, f"    {found.severity.value}: {found.message}{proof}", indent=6)
    if more := answer.count - min(most, len(answer.findings)):
        say(console, f"    and {more:,} more: --findings shows more of them, --csv all.", indent=6)
    if clock := answer.clock:
        left = "today" if clock.days_left == 0 else f"{clock.days_left:,} days left"
        due = f"due {clock.due:%d %B %Y} ({left})"
        say(console, f"    next clock: {clock.subject}, {due}", indent=6)


def said(word: str) -> str:
    """A code as people read it: not_applicable is "not applicable"."""
    return word.replace("_", " ")


def say(console: Console, line: str, style: str = "", indent: int = 0) -> None:
    """A line of text as it is; in a terminal it is wrapped, further lines indented."""
    if not console.is_terminal:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    for n, part in enumerate(Text(line, style).wrap(console, max(20, console.width - indent))):
        part.rstrip()
        console.print(Text(" " * indent if n else "") + part)


def write_audit_csv(audit: EthicsAudit, out: TextIO) -> None:
    """A line for each finding; for a question with none, a line that says so."""
    lines = csv.writer(out)
    lines.writerow(COLUMNS)
    for each in audit.answers:
        about = [each.question, each.words, each.verdict.value, each.count]
        if not each.findings:
            lines.writerow([*about, *[""] * (len(COLUMNS) - len(about))])
        for found in each.findings:
            ids = " ".join(event.event_id for event in found.events)
            lines.writerow(
                [
                    *about, found.severity.value, found.code, found.subject, found.message,
                    found.due or "", " ".join(map(str, found.positions)), ids,
                ]
            )  # fmt: skip
