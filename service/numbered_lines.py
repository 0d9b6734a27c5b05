"""Lines of a file to be imported: by number, as proposals, or with what is wrong with them."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, time
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct, structs

from domain.commands import Command, Refused
from domain.conditions import Reason
from domain.vocabulary import Channel, Phase, in_camel_case
from service.proposals import proposal
from service.research_record import Proposal

LONGEST_LINE = 1_000_000  # bytes
MADE_IDS = UUID(
    "8f0c0f5e-6d0b-5b44-9c3a-5f3e2f0b7a11"
)  # namespace of the ids made for lines (RFC 9562)

FOCUS_PHASES: Mapping[str, Phase] = MappingProxyType(
    {  # where a workshop with this focus is filed, if its row names no phase; else under act
        "topic selection": Phase.PLAN,
        "action": Phase.PLAN,  # planning it: action pathways
        "causes and impacts": Phase.OBSERVE,
        "impacts and actors": Phase.OBSERVE,
        "reflection and next steps": Phase.REFLECT,
    }
)


class Unsaid(Struct, frozen=True, kw_only=True):
    """What a file may leave open, and whoever imports it says."""

    cycle: str | None = None  # that workshops and ballots belong to
    start: date | None = None  # the first day of week 1, for workshops without a date
    at: time = time(12, tzinfo=UTC)  # the time of day, with the place's offset, where none is given
    phases: Mapping[str, Phase] = FOCUS_PHASES  # of workshops, by their focus in small letters
    ballot: str | None = None  # a ballot's identifier; else it is called as its file
    places: int = 1  # how many of a ballot's options are to be chosen


class Rejected(Struct, frozen=True, kw_only=True):
    """A line that cannot be read, or that the record refused: every reason."""

    line: int
    about: str  # what the line is about, as far as that can be told: "holdWorkshop c1-w3"
    reasons: list[Reason]

    def __str__(self) -> str:
        about = f", {self.about}" if self.about else ""
        return f"line {self.line:,}{about}: " + " ".join(r.message for r in self.reasons)


class Numbered(Struct, frozen=True, kw_only=True):
    """A line, or a part of the file that begins there, as a proposal."""

    line: int
    about: str
    proposal: Proposal
    id_made: bool  # the line brought no commandId of its own


Checked = Numbered | Rejected


class CommandIds:
    """Command ids for what brings none: the same line of the same kind of file has the same id.

    A second line of the same identity in one file has an id of its own: it is another command.
    """

    def __init__(self, file_format: str) -> None:
        self._format = file_format
        self._times: Counter[tuple[str, ...]] = Counter()

    def made(self, study: str, *identity: str) -> UUID:
        self._times[study, *identity] += 1
        nth = str(self._times[study, *identity])
        return uuid5(MADE_IDS, "\x1f".join((study, self._format, *identity, nth)))


def checked(
    line: int,
    about: str,
    command: type[Command[Any]],
    sent: dict[str, Any],
    member: str,
    *,
    id_made: bool = True,
) -> Checked:
    """The line as a proposal, or rejected for every fault; `sent` has Python's names."""
    try:
        proposed = proposal(command, sent, member, Channel.IMPORT)
    except Refused as refused:
        return rejected(line, about, map(in_clients_names, refused.reasons))
    return Numbered(line=line, about=about, proposal=proposed, id_made=id_made)


def rejected(line: int, about: str, reasons: Iterable[Reason]) -> Rejected:
    """The line with these reasons."""
    return Rejected(line=line, about=about, reasons=list(reasons))


def fault(line: int, code: str, message: str, about: str = "") -> Rejected:
    """A line with one thing wrong with it."""
    return Rejected(line=line, about=about, reasons=[Reason(code=code, message=message)])


def in_clients_names(reason: Reason) -> Reason:
    """The reason with the path that files of commands have, as every client."""
    return structs.replace(reason, path=in_camel_case(reason.path))


def decoded(lines: Iterable[bytes]) -> Iterator[tuple[int, str] | Rejected]:
    """Each line by its number, without its end; a byte order mark is no part of the first."""
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            yield fault(
                number,
                "line_too_long",
                f"The line is longer than {LONGEST_LINE:,} bytes; leave out what is not needed.",
            )
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield fault(
                number,
                "not_utf8",
                f"Byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8.",
            )
        else:
            yield number, text


def rows(
    lines: Iterable[bytes], rejected: list[Rejected], *, delimiter: str, strict: bool
) -> Iterator[tuple[int, Sequence[str]]]:
    """The rows of a file of separated values (RFC 4180), each by the number of its first line.

    Lines that are no text and, where that is strict, rows that are badly quoted are added to
    `rejected`.
    """
    reached = 0

    def texts() -> Iterator[str]:
        nonlocal reached
        for line in decoded(lines):
            if isinstance(line, Rejected):
                rejected.append(line)
            else:
                reached, text = line
                yield text + "\n"

    reader = csv.reader(texts(), delimiter=delimiter, strict=strict)
    while True:
        begins = reached + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            rejected.append(fault(begins, "row_invalid", f"The row cannot be read: {error}."))
            continue
        if row:
            yield max(begins, reached - sum(value.count("\n") for value in row)), row
