"""Workshop logs: one workshop a row of separated values (CSV), with the columns' names on top.

Columns: `workshop`, and any of `cycle`, `week`, `groups`, `participants`, `facilitators` (several
as A+B+C), `health_topic` or `topic`, `focus`, `technique`, `phase`, `date` or `occurred_at`,
`notes`.

- A workshop that is a bare number counts within its cycle: 3 is on record as CYCLE-w3.
- Without participants, everyone came who was enrolled in its groups by then.
- Without a date, one is made up from the week, and that it is made up is on record as the reason:
  the first workshop of a week in the file is on the week's first day, each further one a day later.
- Without a phase, the focus decides: see `FOCUS_PHASES`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from domain.conditions import Reason
from domain.workshops import HoldWorkshop
from service.numbered_lines import (
    Checked,
    CommandIds,
    Rejected,
    Unsaid,
    checked,
    fault,
    rejected,
    rows,
)

FIELDS = {  # of WorkshopHeld, or of its occasion, by column
    "workshop": "workshop", "cycle": "cycle", "week": "week", "groups": "groups",
    "participants": "participants", "facilitators": "facilitators", "health_topic": "topic",
    "topic": "topic", "focus": "focus", "technique": "technique", "phase": "phase",
    "date": "date", "occurred_at": "occurred_at", "notes": "notes",
}  # fmt: skip
SEVERAL = ("groups", "participants", "facilitators")
MADE_UP = "The log gives no date; the day is made up from the week and the order of the rows."

Enrolled = Mapping[str, Sequence[tuple[datetime, str]]]  # when and who, by group


def workshop_lines(
    lines: Iterable[bytes], study: str, member: str, unsaid: Unsaid, enrolled: Enrolled
) -> Iterator[Checked]:
    """Every row as a proposal, or rejected."""
    bad: list[Rejected] = []
    table = rows(lines, bad, delimiter=",", strict=True)
    _, header = next(table, (1, ()))
    columns = [name.strip().lower() for name in header]
    if faults := list(_header_faults(columns)):
        yield rejected(1, "the names of the columns", faults)
        return
    log = _Log(columns, study, member, unsaid, enrolled)
    for number, row in table:
        yield log.read(number, row)
    yield from bad


def _header_faults(columns: list[str]) -> Iterator[Reason]:
    for name in columns:
        if name not in FIELDS:
            message = f"There is no column {name!r}; the columns are: {', '.join(FIELDS)}."
            yield Reason(code="column_unknown", message=message, path=name)
    fields = Counter(FIELDS.get(name) for name in columns)
    for field, times in fields.items():
        if field and times > 1:
            message = f"Several columns give the {field}; keep one."
            yield Reason(code="column_twice", message=message, path=field)
    if fields["date"] and fields["occurred_at"]:
        message = "Both date and occurred_at are given; keep one."
        yield Reason(code="column_twice", message=message, path="date")
    if not fields["workshop"]:
        message = "The column workshop is missing; it names each workshop."
        yield Reason(code="column_missing", message=message, path="workshop")


class _Log:
    """Reads one log's rows; knows which workshops of a week came before."""

    def __init__(
        self, columns: list[str], study: str, member: str, unsaid: Unsaid, enrolled: Enrolled
    ) -> None:
        self.columns, self.study, self.member = columns, study, member
        self.unsaid, self.enrolled = unsaid, enrolled
        self.ids = CommandIds("csv")
        self.of_week: Counter[tuple[str | None, str]] = Counter()

    def read(self, number: int, row: Sequence[str]) -> Checked:
        if len(row) != len(self.columns):
            message = f"The row has {len(row)} values for {len(self.columns)} columns."
            return fault(number, "row_invalid", message)
        cells = zip(self.columns, row, strict=True)
        given = {FIELDS[name]: cell.strip() for name, cell in cells if cell.strip()}
        sent: dict[str, object] = {
            name: value.split("+") if name in SEVERAL else value for name, value in given.items()
        }
        about = f"workshop {given.get('workshop', '')}".strip()
        if (cycle := given.get("cycle", self.unsaid.cycle)) is None:
            message = "Say which cycle the workshop belongs to: in a column cycle, or for the file."
            return fault(number, "field_missing", message, about)
        if (name := given.get("workshop", "")).isdecimal():
            about = f"workshop {cycle}-w{name}"
            sent["workshop"] = f"{cycle}-w{name}"
        when = self._when(cycle, given)
        if isinstance(when, Reason):
            return rejected(number, about, [when])
        if "date" not in given and "occurred_at" not in given:
            sent["reason"] = MADE_UP
        sent.pop("date", None)
        sent |= {
            "study": self.study, "cycle": cycle, "occurred_at": when,
            "command_id": self.ids.made(self.study, str(sent.get("workshop"))),
        }  # fmt: skip
        if "phase" not in sent:
            sent["phase"] = self.unsaid.phases.get(given.get("focus", "").lower())
        if "participants" not in sent:
            groups = given.get("groups", "").split("+")
            came = {group: self._of_group(group, when) for group in groups if group}
            if not came or not all(came.values()):
                return rejected(number, about, [_nobody(came, when)])
            sent["participants"] = [each for group in came.values() for each in group]
        return checked(number, about, HoldWorkshop, sent, self.member)

    def _when(self, cycle: str, given: Mapping[str, str]) -> datetime | Reason:
        try:
            if "occurred_at" in given:
                when = datetime.fromisoformat(given["occurred_at"])
                return when if when.tzinfo else _bad_time("occurred_at", given["occurred_at"])
            if "date" in given:
                return datetime.combine(date.fromisoformat(given["date"]), self.unsaid.at)
        except ValueError:
            name = "date" if "date" in given else "occurred_at"
            return _bad_time(name, given[name])
        week = given.get("week", "")
        if self.unsaid.start is None or not (week.isdecimal() and len(week) <= 3 and int(week)):
            message = (
                "Say when it was held: in a column date or occurred_at; or number the week, and "
                "say on which day week 1 began."
            )
            return Reason(code="field_missing", message=message, path="date")
        day = min(self.of_week[cycle, week], 6)
        self.of_week[cycle, week] += 1
        first = datetime.combine(self.unsaid.start, self.unsaid.at)
        return first + timedelta(weeks=int(week) - 1, days=day)

    def _of_group(self, group: str, by: datetime) -> list[str]:
        return [who for since, who in self.enrolled.get(group, ()) if since <= by]


def _bad_time(name: str, given: str) -> Reason:
    form = "2026-03-05" if name == "date" else "2026-03-05T10:00:00+02:00, with the offset from UTC"
    message = f"{name}: {given!r} does not say when; write it as {form}."
    return Reason(code="field_invalid", message=message, path=name)


def _nobody(came: Mapping[str, Sequence[str]], by: datetime) -> Reason:
    empty = ", ".join(group for group, people in came.items() if not people)
    message = (
        f"Nobody was enrolled in group {empty} by {by:%d %B %Y}; enrol its participants first, or "
        "name who came in a column participants."
        if empty
        else "Say who came: in a column participants or groups."
    )
    return Reason(code="participants_missing", message=message, path="participants")
