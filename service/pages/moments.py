"""Days and moments that a page's address asks for, and what is said of those that are none."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from service.pages.visits import Visit


@dataclass
class Address:
    """What the address of a page asks for after its `?`, read by name; faults are kept by name."""

    given: dict[str, str]
    faults: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, visit: Visit) -> "Address":
        return cls({name: value.strip() for name, value in visit.parameters.items()})

    def value(self, name: str) -> str:
        """What was given, as a form shows it again."""
        return self.given.get(name, "")

    def fault(self, name: str) -> str:
        return self.faults.get(name, "")

    def text(self, name: str) -> str | None:
        return self.given.get(name) or None

    def day(self, name: str) -> date | None:
        """A day; None if there is none, or what there is cannot be read, which is kept as fault."""
        if (value := self.text(name)) is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.faults[name] = f"“{value}” is no day; give it like 2026-05-09."
            return None

    def number(self, name: str) -> int | None:
        value = self.given.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None

    def yes(self, name: str) -> bool | None:
        return {"yes": True, "no": False}.get(self.given.get(name, ""))

    def one_of(self, name: str, choices: set[str]) -> str | None:
        """One of these, or None."""
        value = self.text(name)
        return value if value in choices else None

    def with_(self, *, without: tuple[str, ...] = (), **changed: object) -> str:
        """The address' query with some of it changed: links that keep the filters."""
        kept = {name: value for name, value in self.given.items() if value}
        kept.pop("at_least", None)
        for name in without:
            kept.pop(name, None)
        kept |= {name: str(value) for name, value in changed.items() if value is not None}
        return f"?{urlencode(kept)}" if kept else "?"


def end_of(day: date | None) -> datetime | None:
    """The day's last moment (UTC); None, which is now, for today and for no day."""
    if day is None or day == datetime.now(UTC).date():
        return None
    return datetime.combine(day + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)
