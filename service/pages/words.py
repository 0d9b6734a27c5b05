"""How pages say things: roles, phases, days and counts, in plain British English."""

import re
from datetime import UTC, date, datetime

from domain.membership import Role
from domain.reflections import Voice
from domain.vocabulary import Phase

CYCLE_PHASES = (Phase.PLAN, Phase.ACT, Phase.OBSERVE, Phase.REFLECT)
ROLES = {
    Role.LEAD_RESEARCHER: "lead researcher",
    Role.RESEARCHER: "researcher",
    Role.CO_RESEARCHER: "co-researcher",
    Role.FACILITATOR: "facilitator",
    Role.ETHICS_REVIEWER: "ethics reviewer",
    Role.DATA_STEWARD: "data steward",
    Role.VIEWER: "viewer",
    Role.PARTICIPANT: "participant",
}
VOICES = {
    Voice.PARTICIPANTS: "in participants' words",
    Voice.CO_RESEARCHERS: "in co-researchers' words",
    Voice.RESEARCHERS: "in researchers' words",
    Voice.STAKEHOLDERS: "in stakeholders' words",
    Voice.TOGETHER: "in words that all agreed on",
}
NUMBERS = (
    "No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven",
    "Twelve",
)  # fmt: skip


def day(moment: datetime | date) -> str:
    """A day (UTC), as in "9 May 2026"."""
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def clock(moment: datetime) -> str:
    """A moment, as in "9 May 2026, 18:30 UTC"."""
    return f"{day(moment)}, {moment.astimezone(UTC):%H:%M} UTC"


def machine(moment: datetime | date) -> str:
    """A day or a moment for `<time datetime>`."""
    return moment.isoformat()


def there(moment: datetime) -> str:
    """A moment by the clock of the place where it happened: "9 May 2026, 19:30 (UTC+01:00)"."""
    return f"{moment.day} {moment:%b %Y, %H:%M} ({moment.tzname()})"


def spaced(name: str) -> str:
    """The name of a kind of event as words: "WorkshopHeld" is "Workshop held"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def lasting(seconds: int) -> str:
    """How long something took: "3 days", "5 hours"."""
    days, hours = seconds // 86_400, seconds // 3_600
    return count(days, "day") if days else count(hours, "hour")


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 action", "1,204 actions"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def in_words(number: int) -> str:
    """A small number in words, to begin a heading: "Three"."""
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"


def plain(value: object) -> str:
    """An identifier of ours as words: "lead_researcher", "WorkshopHeld" and the like."""
    return str(value).replace("_", " ")


def initials(member: str) -> str:
    """Two letters that stand for a member."""
    parts = [part for part in member.replace(".", "-").replace("_", "-").split("-") if part]
    return "".join(part[0] for part in parts[:2]).upper() if len(parts) > 1 else member[:2].upper()
