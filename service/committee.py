"""What the command line does for the committee and the study's team: audit, digest, policies."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.box import SIMPLE
from rich.table import Table

from domain.policy_packs import DEFAULT_PACK, policy_packs
from projections.audit_answers import AuditVerdict
from service.auditing import audited, caught_up, say, show_audit, write_audit_csv
from service.digest import as_json, digest_of, in_lines
from service.policy_diff import policy_diff
from service.policy_words import TERMS, in_words, show_policy_diff
from service.store import Store
from service.terminal import Failure, console, errors, moment, new_file, with_store

policy = App(name="policy", help="The policy packs that hold a study to its clocks and terms.")


def audit(
    study: str,
    *,
    at: str | None = None,
    known: str | None = None,
    csv: Annotated[str | None, Parameter("--csv", allow_leading_hyphen=True)] = None,
    findings: int = 5,
    fail_on: Literal["breach", "attention"] | None = None,
) -> None:
    """Answer the ethics committee's twenty questions, each with the events that prove it.

    The exit status is 0 whatever the answers are, unless --fail-on asks for 1.

    Parameters
    ----------
    study
        The study's identifier.
    at
        As of this day, when it was over (UTC), or of this moment; now if left out.
    known
        As the record knew it on this day or at this moment; now if left out.
    csv
        Write the findings as CSV to this file instead; - is standard output.
    findings
        How many findings of each question are shown at most.
    fail_on
        End with status 1 if an answer is a breach; with attention, also if one asks for attention.
    """
    then, by = (None if said is None else moment(said) for said in (at, known))

    async def ask(store: Store) -> None:
        answers = await audited(store.service_url, study, then, by)
        for each in answers.answers if csv else ():
            if each.count > len(each.findings):
                errors.print(
                    f"Question {each.question}: only {len(each.findings):,} of {each.count:,} "
                    "findings are written.", highlight=False, soft_wrap=True,
                )  # fmt: skip
        if csv == "-":
            write_audit_csv(answers, sys.stdout)
        elif csv is not None:
            with new_file(Path(csv)) as out:
                write_audit_csv(answers, out)
        else:
            show_audit(console, study, answers, findings)
        bad = {AuditVerdict.BREACH}
        bad |= {AuditVerdict.ATTENTION} if fail_on == "attention" else set()
        if fail_on and (those := [a for a in answers.answers if a.verdict in bad]):
            numbers = ", ".join(str(each.question) for each in those)
            raise Failure(f"--fail-on {fail_on}: question {numbers}.")

    with_store(ask)


def digest(study: str, *, json: Annotated[bool, Parameter("--json", negative="")] = False) -> None:
    """Print the day's digest: what has to be done by when, and what is new; fit for a mail.

    Parameters
    ----------
    study
        The study's identifier.
    json
        As one JSON object.
    """

    async def tell(store: Store) -> None:
        told = await digest_of(store.service_url, study)
        if json:
            print(as_json(told))
            return
        for line in in_lines(told):
            say(console, line, indent=16 if line.startswith(" ") else 0)

    with_store(tell)


@policy.command(name="list")
def list_() -> None:
    """List the policy packs there are, with their clocks and terms."""
    packs = policy_packs().values()
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("")
    for pack in packs:
        table.add_column(pack.name)
    for name, words in TERMS.items():
        table.add_row(words, *(in_words(name, getattr(pack, name)) for pack in packs))
    console.print(table)
    for pack in packs:
        own = " A study goes by it until it adopts another." if pack.name == DEFAULT_PACK else ""
        say(console, f"{pack.name}: {pack.title}.{own}")
        say(console, f"  Source: {pack.source}.", indent=2)


@policy.command
def diff(study: str, *, pack: str, at: str | None = None) -> None:
    """Tell a study again under another policy pack, and say what would differ.

    Parameters
    ----------
    study
        The study's identifier.
    pack
        The other pack's name: see `parcycle policy list`.
    at
        As it stood on this day, when it was over (UTC), or at this moment; now if left out.
    """
    packs = policy_packs()
    if pack not in packs:
        raise Failure(f"There is no policy pack {pack}; there are: {', '.join(packs)}.")
    then = datetime.now(UTC) if at is None else moment(at)

    async def tell(store: Store) -> None:
        async with caught_up(store.service_url, study) as db:
            show_policy_diff(console, await policy_diff(db, study, packs[pack], then))

    with_store(tell)
