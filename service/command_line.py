"""The command `parcycle`: run the service, look after it, bring records in and take them out."""

import os
import signal
import sys
from collections.abc import Iterable
from datetime import date, time
from importlib.metadata import version
from pathlib import Path

from asyncpg import PostgresError
from cyclopts import App
from msgspec import structs
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from domain.commands import Refused, all_commands
from domain.membership import MAY
from domain.vocabulary import Entry, Phase
from projections.entries import entries, head_of
from projections.following import Stopped, registers
from projections.following import rebuild as rebuild_register
from projections.rebuilding import RebuildUnderWay
from service import logs
from service.application import follow_for_ever, prepare_registers
from service.auditing import NoSuchStudy
from service.bell import Bell
from service.committee import audit, digest, policy
from service.database import connect, open_pool
from service.embedded_postgres import EmbeddedPostgresError
from service.erasing import CannotErase, StillHasKey, erase_again
from service.exporting import NothingToExport
from service.graphql_schema import schema as graphql_schema
from service.identity import KeysUnknown
from service.importing import CannotImport, FileFormat, import_file, read_file
from service.migrate_schema import MigrationError
from service.migrate_schema import migrate as migrate_schema
from service.numbered_lines import Rejected, Unsaid
from service.proposals import verb
from service.research_record import ResearchRecord
from service.sealing.bundle_commands import bundle
from service.sealing.committee_commands import cosign, verify, witness
from service.sealing.key_commands import keys
from service.sealing.key_encryption import KeysUnusable
from service.sealing.seal_commands import seal
from service.serving import run_demo, run_service
from service.settings import Settings, WrongSetting, read_settings
from service.store import Store, Unusable, reach, store
from service.taking_out import consent, export, receipt
from service.terminal import Failure, console, errors, progress, run, with_store

app = App(
    name="parcycle",
    help="The event-sourced record of participatory action research.",
    version=lambda: version("parcycle"),
)
for elsewhere in (audit, digest, export, consent, receipt, bundle, verify, cosign):
    app.command(elsewhere)
app.command(policy)
app.command(keys)
app.command(witness)
app.command(seal)

FAULTS = (
    Failure, CannotErase, CannotImport, EmbeddedPostgresError, KeysUnknown, KeysUnusable,
    MigrationError, NoSuchStudy, NothingToExport, OSError, PostgresError, RebuildUnderWay, Refused,
    StillHasKey, Stopped, Unusable, WrongSetting,
)  # fmt: skip


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave every `with` in order
    try:
        settings = read_settings()
        logs.configure(settings.log_format, settings.log_level)
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever reads what we print has had enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still unsaid
        sys.exit(1)
    except FAULTS as fault:
        said = str(fault)
        if isinstance(fault, OSError) and fault.filename is not None:
            said = f"{fault.filename}: {fault.strerror}."
        errors.print("[red]parcycle:[/red]", Text(said), highlight=False, soft_wrap=True)
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
    """Run the service: pages at /, GraphQL at /graphql, health at /health/ready.

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

    async def follow_all(store: Store) -> None:
        url = store.service_url
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

    async def rebuild_each(store: Store) -> None:
        url = store.service_url
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
def erase() -> None:
    """Destroy again what a restored backup brought back of people who are erased.

    The service does not start while somebody whose erasure is on record has a key.
    """

    async def destroy(store: Store) -> None:
        count = await erase_again(store)
        console.print(
            f"{count:,} erased on record: no key and no sealed field of theirs is left.",
            highlight=False,
        )

    with_store(destroy)


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
        for command in all_commands():
            event = command.EVENT
            if event.PHASE is phase:
                who = ", ".join(sorted(role.value for role in MAY[command.DUTY])) or "anyone"
                who = who if command.OFFERED else "whoever does it; the service records it"
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

    async def follow(store: Store) -> None:
        url = store.service_url
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

    async def bring_in(store: Store) -> None:
        async with ResearchRecord(store) as record:
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


def time_of_day(said: str) -> time:
    """A time with its offset from UTC (ISO 8601). Raises `Failure`."""
    try:
        at = time.fromisoformat(said)
    except ValueError:
        at = time()
    if at.tzinfo is None:
        raise Failure(f"--at {said}: write the time with its offset from UTC, such as 18:30+01:00.")
    return at


def _tell(lines: Iterable[Rejected]) -> None:
    """Every rejected line by its number, with its reasons."""
    for rejected in lines:
        errors.print(str(rejected), highlight=False, soft_wrap=True, markup=False)


def _line(entry: Entry) -> str:
    when = entry.occurred_at.strftime("%Y-%m-%d %H:%M")
    about = " ".join(entry.event.tags)
    return f"{entry.position:>7}  {when}  {entry.actor:<12} {entry.type:<22} {about}"
