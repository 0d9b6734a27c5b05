"""The seal of a study as pages show it: how far the record is sealed, when, and who cosigned."""

from dataclasses import dataclass
from datetime import datetime

from projections.following import borrowed
from service.pages.visits import Visit
from service.sealing import tree_on_record
from service.sealing.bundled_study import bundle_path
from service.sealing.signed_notes import to_base64


@dataclass(frozen=True)
class SealShown:
    """The latest checkpoint, and the latest that a witness cosigned."""

    size: int  # events under the latest checkpoint
    root: str  # of their tree, in base64
    signed_at: datetime
    to_come: int  # events on record that are not sealed yet
    cosigned_size: int  # events under the latest checkpoint that anybody cosigned; 0: nobody did
    cosignatures: list[tuple[str, datetime]]  # of that one: by whom, and when
    bundle: str  # where the evidence bundle is


async def seal_shown(visit: Visit) -> SealShown | None:
    """The seal as it stands; None before anything of the study is sealed."""
    study = visit.study.study
    async with borrowed(visit.asker.seal.pool) as db:
        latest = await tree_on_record.latest(db, study)
        cosigned = await tree_on_record.best_for(db, study, 1)
    if latest is None:
        return None
    by = [] if cosigned is None else [(each.line.name, each.at) for each in cosigned.cosignatures]
    return SealShown(
        size=latest.size,
        root=to_base64(latest.root),
        signed_at=latest.signed_at,
        to_come=max(0, visit.position - latest.size),
        cosigned_size=cosigned.size if cosigned and by else 0,
        cosignatures=by,
        bundle=bundle_path(study),
    )
