"""The command `parcycle`: run the service, look after it, bring records in and take them out."""

import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, TextIO

import uvloop
from asyncpg import PostgresError
from cyclopts import App, Parameter
from msgspec import structs
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain.commands import command_types
from domain.membership import MAY
from domain.vocabulary import Entry, Phase
from projections.entries import entries, head_of
from projections.following import Stopped, registers
from projections.following import rebuild as rebuild_register
from projections.rebuilding import RebuildUnderWay
from service import logs
from service.application import follow_for_ever, prepare_registers
from service.bell import Bell
from service.consent_exports import ConsentFormat, consent_record
from service.database import connect, open_pool
from service.embedded_postgres import EmbeddedPostgresError
from service.exporting import NothingToExport, export_study
from service.graphql_schema import schema as graphql_schema
from service.importing import CannotImport, FileFormat, import_file, read_file
from service.migrate_schema import MigrationError
from service.migrate_schema import migrate as migrate_schema
from service.numbered_lines import Rejected, Unsaid
from service.proposals import verb
from service.research_record import ResearchRecord
from service.serving import run_demo, run_service
from service.settings import Settings
from service.store import Unusable, check, reach, store

app = App(name="parcycle", help="The event-sourced record of participatory action research.")
console = Console()
errors = Console(stderr=True)


class Failure(Exception):
    """What the person at the terminal is told; the exit status is 1."""


FAULTS = (
    Failure, CannotImport, NothingToExport, EmbeddedPostgresError, MigrationError, OSError,
    PostgresError, RebuildUnderWay, Stopped, Unusable,
)  # fmt: skip


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave every `with` in order
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except FAULTS as fault:
        errors.print(f"[red]parcycle:[/red] {fault}", highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command
def demo(*, port: int | None = None) -> None:
    """Start everything with a made-up study, on a PostgreSQL of its own, and print where to go.

    Parameters
    ----------
    port
        Port to listen on, on this machine alone; 8400 or a free one if left out.
    """
    run_demo(Settings(), port, console, progress)


@app.command
def serve(*, host: str | None = None, port: int | None = None) -> None:
    """Run the service: GraphQL at /graphql, GraphiQL at /graphiql, health at /health/ready.

    Parameters
    ----------
    host
        Address to listen on; PARCYCLE_HOST or 127.0.0.1 if left out.
    port
        Port to listen on; PARCYCLE_PORT or 8400 if left out.
    """
    settings = Settings()
    if settings.token_keys is None:
        raise Failure(
            "Set PARCYCLE_TOKEN_KEYS to the JWK Set of whoever signs your access tokens (a file or "
            "an https URL), and PARCYCLE_TOKEN_ISSUER to its `iss`; or try `parcycle demo`."
        )
    if "://" not in settings.token_keys and not Path(settings.token_keys).is_file():
        raise Failure(f"PARCYCLE_TOKEN_KEYS: there is no file {settings.token_keys}.")
    run_service(settings, host or settings.host, settings.port if port is None else port, console)


@app.command
def project() -> None:
    """Follow the record with every register, apart from `serve` (PARCYCLE_PROJECT=false there)."""

    async def follow_all(url: str) -> None:
        bell = Bell()
        await bell.start(url)
        await prepare_registers(url)
        pool = await open_pool(url, 4, search_path="register")
        names = ", ".join(registers())
        errors.print(f"Following with {names}. Ctrl-C stops.", soft_wrap=True)
        await follow_for_ever(pool, bell)

    with_store(follow_all)


@app.command
def rebuild(*names: str) -> None:
    """Write registers anew from the record while the old rows serve, then swap them.

    Parameters
    ----------
    names
        The registers to rebuild; all of them if none is named.
    """
    if unknown := [name for name in names if name not in registers()]:
        raise Failure(f"No register {', '.join(unknown)}; there are: {', '.join(registers())}.")

    async def rebuild_each(url: str) -> None:
        await prepare_registers(url)
        for name in names or registers():
            live = await connect(url, search_path="register")
            shadow = await connect(url, search_path="register_rebuilt")
            try:
                with progress(f"{name}: events read") as report:
                    done = await rebuild_register(live, shadow, registers()[name], report)
            finally:
                await live.close()
                await shadow.close()
            console.print(f"{name}: rebuilt from {done:,} events.", highlight=False)

    with_store(rebuild_each)


@app.command
def migrate() -> None:
    """Bring the database's schema up to date, as the role that owns it."""
    settings = Settings()
    if settings.database_url and not settings.owner_database_url:
        raise Failure("Set PARCYCLE_OWNER_DATABASE_URL to the database as the role that owns it.")
    with store(settings) as kept:
        url = kept.owner_url or kept.service_url
        run(reach(url))
        done = run(migrate_schema(url))
    what = ", ".join(done) if done else "nothing to do"
    where = "the embedded database, which every start brings up to date" if kept.embedded else what
    console.print(f"Migrated: {where}.", highlight=False)


@app.command
def events() -> None:
    """List every research action that can be on record, and who may record it."""
    for phase in Phase:
        table = Table(
            box=SIMPLE,
            show_header=False,
            title=phase.value,
            title_style="bold",
            title_justify="left",
        )
        table.add_column(no_wrap=True)
        table.add_column()
        for command in command_types():
            event = command.EVENT
            if event.PHASE is phase:
                who = ", ".join(sorted(role.value for role in MAY[command.DUTY])) or "anyone"
                means = " ".join((event.__doc__ or "").split())
                table.add_row(f"{event.TOPIC}\n[dim]{verb(command)}", f"{means}\n[dim]By {who}.")
        console.print(table)


@app.command
def schema() -> None:
    """Print the GraphQL schema."""
    print(graphql_schema().as_str())


@app.command
def tail(study: str, *, after: int | None = None) -> None:
    """Follow a study's record live, a line an event.

    Parameters
    ----------
    study
        The study's identifier.
    after
        Begin after this position; 0 shows everything, left out shows what is new.
    """

    async def follow(url: str) -> None:
        bell = Bell()
        await bell.start(url)
        db = await connect(url)
        head = await head_of(db, study)
        if not head:
            raise Failure(f"No study {study} is on record here; check the identifier.")
        position = head if after is None else after
        with bell.listening() as rung:
            while True:
                found = await entries(db, study, position, await head_of(db, study))
                for entry in found:
                    console.print(_line(entry), highlight=False, soft_wrap=True, markup=False)
                    position = entry.position
                if not found:
                    await rung()

    with_store(follow)


@app.command(name="import")
def import_(
    file: Path,
    *,
    study: str,
    member: str,
    format: FileFormat | None = None,
    cycle: str | None = None,
    start: date | None = None,
    at: str | None = None,
) -> None:
    """Bring a file in: commands (.jsonl), a workshop log (.csv) or ballots (.pb, Pabulib).

    The whole file is checked first, and every bad line is named; then it is recorded in batches. It
    can be interrupted and run again: nothing is recorded twice.

    Parameters
    ----------
    file
        The file to read.
    study
        The study in whose record it belongs.
    member
        Who records it: a member with a role in the study.
    format
        What the file holds; judged by how its name ends if left out.
    cycle
        The cycle that workshops and ballots belong to, where the file does not say.
    start
        First day of week 1, for workshop logs that tell weeks instead of dates.
    at
        The time of day where a file gives none, with the place's offset, such as 18:30+01:00; noon
        UTC if left out.
    """
    said = Unsaid(cycle=cycle, start=start)
    if at is not None:
        said = structs.replace(said, at=time_of_day(at))

    async def bring_in(url: str) -> None:
        async with ResearchRecord(url) as record:
            read = await read_file(
                record, file, study=study, member=member, format=format, unsaid=said
            )
            if read.faults:
                _tell(read.faults)
                raise Failure(
                    f"{file.name}: {len(read.faults):,} bad lines of "
                    f"{len(read.faults) + len(read.lines):,}; nothing was recorded."
                )
            with progress(f"{file.name}: commands") as report:
                done = await import_file(record, read, report)
        _tell(done.refused)
        summary = f"{file.name}: {done.recorded:,} recorded"
        if done.repeated:
            summary += f", {done.repeated:,} on record already"
        console.print(f"{summary}, {len(done.refused):,} refused.", highlight=False)
        if done.refused:
            raise Failure("What was refused can be corrected in the file and imported again.")

    with_store(bring_in)


def moment(said: str) -> datetime:
    """A moment with its offset from UTC, or the last one of a day in UTC. Raises `Failure`."""
    try:
        day = date.fromisoformat(said) if len(said) == 10 else None
        found = (
            datetime.fromisoformat(said) if day is None else datetime.combine(day, time.max, UTC)
        )
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise Failure(f"{said}: write a day as 2026-05-31, a moment as 2026-05-31T18:30+01:00.")
    return found


def time_of_day(said: str) -> time:
    """A time with its offset from UTC (ISO 8601). Raises `Failure`."""
    try:
        at = time.fromisoformat(said)
    except ValueError:
        at = time()
    if at.tzinfo is None:
        raise Failure(f"--at {said}: write the time with its offset from UTC, such as 18:30+01:00.")
    return at


@app.command
def export(study: str, file: Path) -> None:
    """Write a study as commands (JSONL) that `import` reads into an empty study.

    Parameters
    ----------
    study
        The study's identifier.
    file
        The file to write; it holds personal data, so keep it as you keep the study's.
    """

    async def take_out(url: str) -> None:
        db = await connect(url)
        try:
            with (
                new_file(file) as out,
                progress(f"{study}: events") as report,
            ):
                count = await export_study(db, study, lambda line: print(line, file=out), report)
        finally:
            await db.close()
        console.print(f"{file}: {count:,} events.", highlight=False)

    with_store(take_out)


@app.command
def consent(
    study: str,
    participant: str,
    *,
    as_: Annotated[ConsentFormat, Parameter("--as")] = ConsentFormat.TS27560,
    at: str | None = None,
    known: str | None = None,
) -> None:
    """Write a participant's consent as JSON: FHIR R5, or an ISO/IEC TS 27560 record or receipt.

    Parameters
    ----------
    study
        The study's identifier.
    participant
        The participant's pseudonym; nothing else of them is in the document.
    as_
        In which form.
    at
        As it stood on this day, when it was over (UTC), or at this moment; now if left out.
    known
        As the record knew it on this day or at this moment; now if left out.
    """
    then, by = (None if said is None else moment(said) for said in (at, known))

    async def take_out(url: str) -> None:
        db = await connect(url)
        try:
            found = await consent_record(db, study, participant, as_, at=then, as_known_at=by)
        finally:
            await db.close()
        if found is None:
            raise Failure(
                f"{participant} was never asked for consent in {study} by then; check "
                "the identifiers and the dates."
            )
        print(found.document, end="")

    with_store(take_out)


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """A file of ours alone (0600) that takes its name only when it is whole."""
    partly = path.with_name(f"{path.name}.partly")
    partly.unlink(missing_ok=True)
    try:
        partly.touch(mode=0o600, exist_ok=False)
        with partly.open("w", encoding="utf-8", newline="\n") as out:
            yield out
        partly.replace(path)
    finally:
        partly.unlink(missing_ok=True)


def _tell(lines: Iterable[Rejected]) -> None:
    """Every rejected line by its number, with its reasons."""
    for rejected in lines:
        errors.print(str(rejected), highlight=False, soft_wrap=True, markup=False)


def _line(entry: Entry) -> str:
    when = entry.occurred_at.strftime("%Y-%m-%d %H:%M")
    about = " ".join(entry.event.tags)
    return f"{entry.position:>7}  {when}  {entry.actor:<12} {entry.type:<22} {about}"


def with_store(work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Do some work on the store's database, as the service's role."""
    with store(Settings()) as kept:
        run(check(kept.service_url))
        run(work(kept.service_url))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return uvloop.run(work)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on the terminal; gives what to call with how much is done, and of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=errors) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
