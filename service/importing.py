"""Import: a file is checked as a whole, then recorded in batches; run again, nothing is doubled."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import msgspec
from eventsourcing.dcb.domain import Selector
from msgspec import Struct, structs

from domain.commands import Refused
from domain.conditions import Reason
from domain.people import ParticipantEnrolled
from domain.vocabulary import MemberId, StudyId
from service.command_files import command_lines
from service.numbered_lines import (
    LONGEST_LINE,
    Checked,
    Numbered,
    Rejected,
    Unsaid,
    in_clients_names,
    rejected,
)
from service.pabulib_files import pabulib_lines
from service.research_record import ALTERED, ResearchRecord
from service.workshop_logs import Enrolled, workshop_lines

BATCH = 200  # commands that are decided and recorded together
HEAD = "select position from record.study_head where study = $1"

Progress = Callable[[int, int], object]  # told how many are done, of how many


class FileFormat(StrEnum):
    """What a file holds; the value is how its name ends."""

    COMMANDS = "jsonl"
    WORKSHOPS = "csv"
    PABULIB = "pb"


class CannotImport(Exception):
    """The file cannot be read, or was not understood: says what and what to do."""


class ReadFile(Struct, frozen=True, kw_only=True):
    """A file as it was understood; it can be recorded if there are no faults."""

    path: Path
    format: FileFormat
    lines: list[Numbered]
    faults: list[Rejected]


class Imported(Struct, frozen=True, kw_only=True):
    """What became of a file's commands."""

    recorded: int  # now
    repeated: int  # on record already, from an earlier run
    refused: list[Rejected]


async def read_file(
    record: ResearchRecord,
    path: Path,
    *,
    study: str,
    member: str,
    format: FileFormat | None = None,
    unsaid: Unsaid | None = None,
) -> ReadFile:
    """Check a whole file: every line is a proposal or a fault. Nothing is recorded.

    `study` stands in place of what a file of commands says; `member` records what names no actor.
    Raises `CannotImport`, and `OSError` if the file cannot be read.
    """
    _check(study, StudyId, "The study")
    _check(member, MemberId, "The member")
    of = format or format_of(path)
    enrolled = await _enrolled(record, study) if of is FileFormat.WORKSHOPS else {}
    found = await asyncio.to_thread(
        read_lines, path, of, study, member, unsaid or Unsaid(), enrolled
    )
    return ReadFile(
        path=path,
        format=of,
        lines=[line for line in found if isinstance(line, Numbered)],
        faults=sorted(
            (line for line in found if isinstance(line, Rejected)), key=lambda line: line.line
        ),
    )


def format_of(path: Path) -> FileFormat:
    """What a file holds, by how its name ends. Raises `CannotImport`."""
    ending = path.suffix.lower().removeprefix(".")
    try:
        return FileFormat({"ndjson": "jsonl"}.get(ending, ending))
    except ValueError:
        known = ", ".join(f".{each}" for each in FileFormat)
        raise CannotImport(
            f"What {path.name} holds cannot be told from its name; say the format, or end the name "
            f"with one of: {known}."
        ) from None


def read_lines(
    path: Path,
    format: FileFormat,
    study: str,
    member: str,
    unsaid: Unsaid,
    enrolled: Enrolled,
) -> list[Checked]:
    """Every line of a file, checked; `enrolled` tells who is in which group."""
    with path.open("rb") as file:
        lines = _lines(file)
        match format:
            case FileFormat.COMMANDS:
                return list(command_lines(lines, study, member))
            case FileFormat.WORKSHOPS:
                return list(workshop_lines(lines, study, member, unsaid, enrolled))
            case FileFormat.PABULIB:
                return list(pabulib_lines(lines, study, member, unsaid, path.stem))


async def import_file(
    record: ResearchRecord, read: ReadFile, progress: Progress = lambda done, total: None
) -> Imported:
    """Record a file's commands in their order, in batches, each whole or not at all.

    What is on record from an earlier run is not recorded again, so an import that was interrupted
    is run again. Raises `CannotImport`, before anything is recorded, if the file has faults; and
    whatever keeps the record from answering.
    """
    if read.faults:
        raise CannotImport(f"{read.path.name} has faults; correct them, then import it.")
    recorded = repeated = done = 0
    refused: list[Rejected] = []
    progress(0, len(read.lines))
    for study, lines in groupby(read.lines, key=lambda line: line.proposal.occasion.study):
        stood = await record.pool.fetchval(HEAD, study) or 0
        for batch in _batches(lines):
            answers = await record.submit_all([line.proposal for line in batch])
            for line, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Refused):
                    refused.append(_refusal(line, answer))
                elif answer.position <= stood:
                    repeated += 1
                else:
                    recorded += 1
            done += len(batch)
            progress(done, len(read.lines))
    return Imported(recorded=recorded, repeated=repeated, refused=refused)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines; of one that is too long only as much as shows that it is."""
    while line := file.readline(LONGEST_LINE + 1):
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield line


def _batches(lines: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    batch: list[Numbered] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _refusal(line: Numbered, refused: Refused) -> Rejected:
    reasons = [_of_altered_line(r) if line.id_made else r for r in refused.reasons]
    return rejected(line.line, line.about, map(in_clients_names, reasons))


def _of_altered_line(reason: Reason) -> Reason:
    if reason.code != ALTERED.code:
        return reason
    message = "It is on record otherwise, from an earlier import; correct what is on record."
    return structs.replace(reason, message=message)


async def _enrolled(record: ResearchRecord, study: str) -> Mapping[str, list[tuple[datetime, str]]]:
    """Who was enrolled in which group, and when."""
    groups: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for heard in await record.heard(study, [Selector(types=[ParticipantEnrolled], tags=[])]):
        match heard.event:
            case ParticipantEnrolled(participant=participant, group=str(group)):
                groups[group].append((heard.occurred_at, participant))
    return groups


def _check(name: str, kind: object, what: str) -> None:
    try:
        msgspec.convert(name, kind)
    except msgspec.ValidationError:
        raise CannotImport(
            f"{what} {name!r} is not an identifier: letters, digits, '.', '_' and '-' only."
        ) from None
