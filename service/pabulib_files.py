"""Votes as the Participatory Budgeting Library publishes them (pabulib.org, `.pb`).

Three sections, META, PROJECTS and VOTES, of values separated by semicolons. A file becomes a
ballot: opened on `date_begin`, every paper on `date_end` (the file says no more of when), then
closed and its result declared. Anyone may vote: the file lists who did, not who could have.

- `vote_type` is approval, choose-1, cumulative or ordinal (a ranking: n ranks are worth n to 1).
- Who voters are is kept as sex ("women", "men", or as the file has it) and age group, in bands
  coarse enough to name nobody: see `AGE_GROUPS`. Their exact ages are not.
- A budget decides which projects are paid for; the ballot's result says how they were voted for.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain.ballots import BallotMethod, Electorate
from domain.commands import Command
from domain.conditions import Reason
from domain.voting import CastBallot, CloseBallot, DeclareResult, OpenBallot
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

METHODS = {
    "approval": BallotMethod.APPROVAL,
    "choose-1": BallotMethod.APPROVAL,
    "cumulative": BallotMethod.CUMULATIVE,
    "ordinal": BallotMethod.RANKING,
}
SEXES = {"F": "women", "K": "women", "M": "men"}  # K: kobieta
AGE_GROUPS = (  # the first age of each band
    (0, "under 18"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55-64"),
    (65, "65 and over"),
)  # fmt: skip
CONSTITUENCIES = {"sex": "sex", "age": "age group"}  # by column
UNSUPPORTED = {  # rules that a ballot here cannot keep, with the value at which they do not bind
    "min_sum_points": 1, "min_points": 1, "min_sum_cost": 0, "max_sum_cost": None,
}  # fmt: skip
NO_TIMES = "From a Pabulib file, which says on which days votes were cast, not when each paper was."

SOME_DAY = datetime(1970, 1, 1, tzinfo=UTC)  # while a file that has no valid days is checked

Section = list[tuple[int, dict[str, str]]]  # its rows by column, each with its line's number


def age_group(age: int) -> str:
    """The band that an age in years falls into."""
    return [band for first, band in AGE_GROUPS if first <= age][-1]


def pabulib_lines(
    lines: Iterable[bytes], study: str, member: str, unsaid: Unsaid, name: str
) -> Iterator[Checked]:
    """The ballot, its papers, its close and result as proposals, or what is wrong with each line.

    `name` is the ballot's identifier, if `unsaid` says no other.
    """
    bad: list[Rejected] = []
    sections = _sections(lines, bad)
    meta = {row["key"]: row["value"] for _, row in sections["META"] if "key" in row}
    vote = _Vote(meta, study, member, unsaid, unsaid.ballot or name)
    bad += vote.faults(sections)
    if not bad:
        yield vote.opened(sections["PROJECTS"], sections["VOTES"][0][1].keys())
    for number, row in sections["VOTES"]:
        if not vote.columns["VOTES"] - row.keys():
            yield vote.paper(number, row)
    if not bad:
        last = sections["VOTES"][-1][0]
        yield vote.proposed(last, CloseBallot, vote.ends)
        yield vote.proposed(last, DeclareResult, vote.ends)
    yield from bad


def _sections(lines: Iterable[bytes], bad: list[Rejected]) -> dict[str, Section]:
    sections: dict[str, Section] = {"META": [], "PROJECTS": [], "VOTES": []}
    columns: Sequence[str] | None = None
    section: Section | None = None
    for number, row in rows(lines, bad, delimiter=";", strict=False):
        if len(row) == 1 and row[0].strip() in sections:
            section, columns = sections[row[0].strip()], None
        elif section is None:
            bad.append(fault(number, "row_invalid", "Begin with a section: META."))
            section = []
        elif columns is None:
            columns = [name.strip() for name in row]
        elif len(row) != len(columns):
            message = f"The row has {len(row)} values for {len(columns)} columns."
            bad.append(fault(number, "row_invalid", message))
        else:
            values = (value.strip() for value in row)
            section.append((number, dict(zip(columns, values, strict=True))))
    for name, found in sections.items():
        if not found:
            bad.append(fault(1, "section_missing", f"The section {name} is missing or empty."))
    return sections


class _Vote:
    """Reads one file's sections, once they are there."""

    def __init__(
        self, meta: Mapping[str, str], study: str, member: str, unsaid: Unsaid, ballot: str
    ) -> None:
        self.meta, self.study, self.member = meta, study, member
        self.unsaid, self.ballot = unsaid, ballot
        self.method = METHODS.get(meta.get("vote_type", ""))
        self.begins = self._midnight("date_begin") or SOME_DAY
        last_day = self._midnight("date_end") or SOME_DAY
        self.ends = last_day + timedelta(days=1)
        self.cast_at = last_day + timedelta(hours=12)
        points = {"points"} if self.method is BallotMethod.CUMULATIVE else set()
        self.columns = {
            "META": {"key", "value"},
            "PROJECTS": {"project_id", "name"},
            "VOTES": {"voter_id", "vote", *points},
        }
        self.ids = CommandIds("pb")

    def faults(self, sections: Mapping[str, Section]) -> Iterator[Rejected]:
        """What keeps the file from being a ballot."""
        lines = {row.get("key"): number for number, row in sections["META"]}
        said = self.meta
        if self.unsaid.cycle is None:
            yield fault(1, "field_missing", "Say which cycle the ballot belongs to.")
        if self.method is None:
            message = f"vote_type has to be one of: {', '.join(METHODS)}."
            yield fault(lines.get("vote_type", 1), "field_invalid", message, "META")
        for name in ("date_begin", "date_end"):
            if self._midnight(name) is None:
                message = f"{name} has to be a day, such as 28.09.2019."
                yield fault(lines.get(name, 1), "field_invalid", message, "META")
        for name in ("min_length", "max_length", "max_points", "max_sum_points", *UNSUPPORTED):
            value = said.get(name)
            if value is not None and not _is_count(value):
                message = f"{name}: {value!r} is not a number."
                yield fault(lines[name], "field_invalid", message, "META")
            elif value is not None and name in UNSUPPORTED:
                slack = UNSUPPORTED[name]
                if slack is None or int(value) > slack:
                    message = f"A ballot cannot keep the rule {name} = {value}; count it elsewhere."
                    yield fault(lines[name], "rule_unsupported", message, "META")
        for name, section in (("num_projects", "PROJECTS"), ("num_votes", "VOTES")):
            found = len(sections[section])
            if name in said and said[name] != str(found):
                message = (
                    f"{name} is {said[name]}, but {section} has {found} whole rows; "
                    "get the whole file."
                )
                yield fault(lines[name], "rows_missing", message, "META")
        for section, columns in self.columns.items():
            for number, row in sections[section][:1]:
                if missing := columns - row.keys():
                    message = f"The column {', '.join(sorted(missing))} is missing."
                    yield fault(number - 1, "column_missing", message, section)

    def opened(self, projects: Section, voters: Collection[str]) -> Checked:
        """The ballot; `voters` are the columns that tell of them."""
        most = self._number("max_length") or (1 if self.meta["vote_type"] == "choose-1" else None)
        most = most and min(most, len(projects))
        ranks = (most or len(projects)) if self.method is BallotMethod.RANKING else 0
        cumulative = self.method is BallotMethod.CUMULATIVE
        return self.proposed(
            1,
            OpenBallot,
            self.begins,
            cycle=self.unsaid.cycle,
            title=self.meta.get("description") or self.ballot,
            method=self.method,
            options=[
                {"option": row.get("project_id"), "title": row.get("name")} for _, row in projects
            ],
            rules={
                "min_choices": self._number("min_length") or 1,
                "max_choices": None if ranks else most,
                "max_points": self._number("max_sum_points") if cumulative else None,
                "max_points_per_option": self._number("max_points") if cumulative else None,
                "points_by_rank": list(range(ranks, 0, -1)),
            },
            places=self.unsaid.places,
            electorate=Electorate.PUBLIC,
            constituencies=[kind for column, kind in CONSTITUENCIES.items() if column in voters],
            reason=NO_TIMES,
        )

    def paper(self, number: int, row: Mapping[str, str]) -> Checked:
        """A voter's paper; rejected only if it is none, whether or not it keeps the rules."""
        voter = row.get("voter_id", "")
        about = f"the paper of voter {voter}"
        named = [option.strip() for option in row.get("vote", "").split(",") if option.strip()]
        choices: list[dict[str, str]] = [{"option": option} for option in named]
        reasons = []
        if self.method is BallotMethod.CUMULATIVE:
            given = [
                points.strip() for points in row.get("points", "").split(",") if points.strip()
            ]
            if len(given) != len(named):
                message = f"{len(named)} options are named and {len(given)} points given."
                reasons.append(Reason(code="points_missing", message=message, path="points"))
            choices = [
                {"option": option, "points": points}
                for option, points in zip(named, given, strict=False)
            ]
        constituencies = []
        if sex := row.get("sex"):
            constituencies.append(
                {"kind": CONSTITUENCIES["sex"], "value": SEXES.get(sex.upper(), sex)}
            )
        if age := row.get("age"):
            if _is_count(age):
                constituencies.append({"kind": CONSTITUENCIES["age"], "value": age_group(int(age))})
            else:
                message = f"age: {age!r} is not an age in years; leave it empty if it is not known."
                reasons.append(Reason(code="field_invalid", message=message, path="age"))
        if reasons:
            return rejected(number, about, reasons)
        return self.proposed(
            number,
            CastBallot,
            self.cast_at,
            about=about,
            voter=voter,
            choices=choices,
            constituencies=constituencies,
            on_paper=row.get("voting_method") == "paper",
        )

    def proposed(
        self,
        line: int,
        command: type[Command[Any]],
        when: datetime,
        *,
        about: str = "the ballot",
        **sent: Any,
    ) -> Checked:
        identity = (command.__name__, self.ballot, str(sent.get("voter", "")))
        occasion = {
            "study": self.study,
            "command_id": self.ids.made(self.study, *identity),
            "occurred_at": when,
        }
        sent |= {"ballot": self.ballot}
        return checked(line, about, command, sent | occasion, self.member)

    def _number(self, name: str) -> int | None:
        return int(self.meta[name]) if name in self.meta else None

    def _midnight(self, name: str) -> datetime | None:
        said = self.meta.get(name, "")
        try:
            day = date.fromisoformat("-".join(part.zfill(2) for part in said.split(".")[::-1]))
        except ValueError:
            return None
        return datetime(day.year, day.month, day.day, tzinfo=self.unsaid.at.tzinfo or UTC)


def _is_count(value: str) -> bool:
    return value.isdecimal() and len(value) < 10
