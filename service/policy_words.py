"""Policy packs and their differences in words, for the terminal."""

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from service.auditing import said, say
from service.policy_diff import NOT_ASKED, Clock, PolicyDiff

TERMS = {
    "serious_adverse_event": "Serious adverse event, related and unexpected: to be reported within",
    "urgent_safety_measure": "Urgent safety measure: notice in writing within",
    "serious_deviation": "Serious deviation: to be reported within",
    "end_of_study": "End of study: to be declared within",
    "end_of_study_early": "Early end of study: to be declared within",
    "final_report_months": "Final report: within",
    "progress_report_months": "Progress report: every",
    "disposition": "Data of people who withdrew: decided within",
    "late_after_days": "An entry is late after",
    "consent_expiry_notice": "Consent runs out: notice before",
    "clock_notice": "A clock runs out: notice before",
    "conditions_before_start": "Conditions of an opinion are met before the start",
}


def in_words(term: str, value: object) -> str:
    """A term's value: days, months, yes or no."""
    if value is None:
        return "not asked for"
    if isinstance(value, bool):
        return "yes" if value else "no"
    unit = "months" if term.endswith("_months") else "days"
    return f"{value} {unit}" if isinstance(value, int) else str(value)


def show_policy_diff(console: Console, diff: PolicyDiff) -> None:
    """What would differ: the terms, the verdicts, and each clock."""
    now, then = diff.now.name, diff.then.name
    say(
        console,
        f"{diff.study} under {then} instead of {now}, as of {diff.at:%d %B %Y} (UTC)",
        "bold",
    )
    if now == then:
        say(console, "The study goes by that pack already.")
    table = Table(box=SIMPLE, pad_edge=False)
    for heading in ("Terms", now, then):
        table.add_column(heading)
    for name, own, other in diff.terms:
        words = TERMS.get(name, name[:1].upper() + name[1:])
        table.add_row(words, in_words(name, own), in_words(name, other))
    if diff.terms:
        console.print(table)
    verdicts = [each for each in diff.verdicts if each[2] is not each[3]]
    if not diff.differences and not verdicts:
        say(console, "Nothing on record would be judged differently.")
        return
    for number, words, was, would in verdicts:
        say(console, f"{number}. {words} {said(was)}, would be {said(would)}.", indent=4)
    table = Table(box=SIMPLE, pad_edge=False)
    for heading in ("Clock or finding", "About", "Event", now, then):
        table.add_column(
            heading, justify="right" if heading == "Event" else "left", overflow="fold"
        )
    for each in diff.differences:
        table.add_row(
            said(each.what), each.subject, str(each.position), _clock(each.now), _clock(each.then)
        )
    if diff.differences:
        console.print(table)
    count = len(diff.differences)
    say(
        console,
        f"{count:,} {'clock or finding' if count == 1 else 'clocks and findings'} would differ.",
    )


def _clock(clock: Clock) -> str:
    if clock.due is None:
        return clock.stands
    return f"{clock.due:%d %b %Y}, {clock.stands}" if clock.stands != NOT_ASKED else NOT_ASKED
