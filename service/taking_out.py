"""Taking out: copies of a study, a participant's consent in others' formats, and receipts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from asyncpg import Connection
from cyclopts import Parameter

from domain.commands import Occasion
from domain.consent import ConsentGiven
from domain.membership import Duty
from domain.receipts import IssueReceipt, ReceiptIssued
from domain.vocabulary import Channel, tag_hash
from service.consent_exports import ConsentFormat, consent_record
from service.consent_records import receipt_in_words
from service.database import connect
from service.exporting import export_study
from service.readings import record_export
from service.research_record import Proposal, ResearchRecord
from service.store import Store
from service.terminal import Failure, console, moment, new_file, progress, with_store
from service.withdrawal_by_code import code_sha256, new_code

LAST_CONSENT = """
select max(t.position) from record.event_tag t
join record.event e on e.study = $1 and e.position = t.position
where t.hash = record.hash_in($1, $2) and e.type = $3 and $4 = any (e.tags)
"""


def export(study: str, file: Path, *, member: str) -> None:
    """Write a study as commands (JSONL) that `import` reads into an empty study.

    That a copy was taken out, and by whom, goes on record first; the file ends before that.

    Parameters
    ----------
    study
        The study's identifier.
    file
        The file to write; it holds personal data, so keep it as you keep the study's.
    member
        Who takes it out: a member who may read personal data.
    """

    async def take_out(store: Store) -> None:
        db = await connect(store.service_url)
        try:
            async with ResearchRecord(store) as record:
                _, taken = await record_export(record, study, member, Duty.READ_PERSONAL)
                with new_file(file) as out, progress(f"{study}: events") as report:
                    count = await export_study(
                        db, record.texts, study, lambda line: print(line, file=out), report,
                        before=taken.position,
                    )  # fmt: skip
        finally:
            await db.close()
        console.print(f"{file}: {count:,} events.", highlight=False)

    with_store(take_out)


def consent(
    study: str,
    participant: str,
    *,
    member: str,
    as_: Annotated[ConsentFormat, Parameter("--as")] = ConsentFormat.TS27560,
    at: str | None = None,
    known: str | None = None,
) -> None:
    """Write a participant's consent as JSON: FHIR R5, or an ISO/IEC TS 27560 record or receipt.

    That it was taken out, and by whom, goes on record before it is written.

    Parameters
    ----------
    study
        The study's identifier.
    participant
        The participant's pseudonym; nothing else of them is in the document.
    member
        Who takes it out: a member who may read who consented to what.
    as_
        In which form.
    at
        As it stood on this day, when it was over (UTC), or at this moment; now if left out.
    known
        As the record knew it on this day or at this moment; now if left out.
    """
    then, by = (None if said is None else moment(said) for said in (at, known))

    async def take_out(store: Store) -> None:
        db = await connect(store.service_url)
        try:
            found = await consent_record(db, study, participant, as_, at=then, as_known_at=by)
        finally:
            await db.close()
        if found is None:
            raise Failure(
                f"{participant} was never asked for consent in {study} by then; check "
                "the identifiers and the dates."
            )
        async with ResearchRecord(store) as record:
            await record_export(record, study, member, Duty.AUDIT, participant)
        print(found.document, end="")

    with_store(take_out)


def receipt(
    study: str,
    participant: str,
    *,
    member: str,
    consent: int | None = None,
    json_file: Annotated[Path | None, Parameter("--json")] = None,
) -> None:
    """Issue a participant's consent receipt, with a new code that withdraws without an account.

    The code is shown this once and kept nowhere: give it to the participant with the receipt.
    Codes that were given before go on working.

    Parameters
    ----------
    study
        The study's identifier.
    participant
        The participant's pseudonym.
    member
        Who hands it over: a member who may take consent.
    consent
        The position of the consent it is of; the last one if left out.
    json_file
        A new file for the receipt as JSON (ISO/IEC TS 27560), whose SHA-256 goes on record.
    """
    if json_file is not None and json_file.exists():
        raise Failure(f"{json_file} is there already; name a new file.")

    async def issue(store: Store) -> None:
        now, code = datetime.now(UTC), new_code(study)
        db = await connect(store.service_url)
        try:
            found = await consent_record(db, study, participant, ConsentFormat.RECEIPT, at=now)
            position = consent or await _last_consent(db, study, participant)
        finally:
            await db.close()
        if found is None or position is None:
            raise Failure(f"{participant} gave no consent in {study}; check the identifiers.")
        event = ReceiptIssued(
            participant=participant, consent=position, receipt_sha256=found.sha256,
            withdrawal_code_sha256=code_sha256(code),
        )  # fmt: skip
        occasion = Occasion(
            study=study, command_id=uuid4(), actor=member, occurred_at=now, asked_at=now,
            channel=Channel.CLI,
        )  # fmt: skip
        proposal = Proposal(command=IssueReceipt, event=event, occasion=occasion)
        async with ResearchRecord(store) as record:
            issued = await record.submit(proposal)
        if json_file is not None:
            with new_file(json_file) as out:
                out.write(found.document)
        print(receipt_in_words(json.loads(found.document)))
        print(f"To withdraw, at any time and without saying why:\n\n  {code}\n")
        print("Enter this code at /withdraw of the study's service, or show it to anyone in the")
        print("study team. Keep it to yourself: whoever has it can withdraw for you.")
        console.print(f"\nOn record as event {issued.position}.", highlight=False)

    with_store(issue)


async def _last_consent(db: Connection, study: str, participant: str) -> int | None:
    about = f"participant:{participant}"
    found: int | None = await db.fetchval(
        LAST_CONSENT, study, tag_hash(about), ConsentGiven.TOPIC, about
    )
    return found
