"""What the command line does for who answers to a committee: `parcycle bundle`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from domain.membership import MAY, Duty
from service.database import connect
from service.readings import record_export
from service.research_record import ResearchRecord
from service.sealing.bundled_study import NothingSealed, bundle_of_study
from service.store import Store
from service.terminal import Failure, console, new_binary_file, with_store


def bundle(
    study: str,
    file: Path,
    *,
    member: str,
    cosigned_by: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> None:
    """Write a study's evidence bundle: the whole sealed record, for `verify` to check offline.

    Personal data are open in it if the member may read them, and else stay encrypted. That it was
    taken out, and by whom, goes on record first.

    Parameters
    ----------
    study
        The study's identifier.
    file
        The zip to write.
    member
        Who takes it out: a member who may read who consented to what.
    cosigned_by
        The witnesses, by the names of their keys, whose cosignatures the newest checkpoint has to
        have; anybody's if left out. Repeat it for several.
    """

    async def take_out(store: Store) -> None:
        db = await connect(store.service_url)
        try:
            async with ResearchRecord(store) as record:
                role, _ = await record_export(record, study, member, Duty.AUDIT)
                by = cosigned_by or ()
                with new_binary_file(file) as out:
                    async for piece in bundle_of_study(db, record.texts, study, role=role, by=by):
                        out.write(piece)
        except NothingSealed as fault:
            raise Failure(str(fault)) from None
        finally:
            await db.close()
        opened = role in MAY[Duty.READ_PERSONAL]
        what = (
            "open in it: keep it as you keep the study's"
            if opened
            else "encrypted in it, but for what the study and its committee write to each other"
        )
        _say(f"{file}: personal data are {what}.")

    with_store(take_out)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
