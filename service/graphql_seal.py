"""The sealed record in GraphQL: checkpoints, proofs, and a receipt of any event."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import strawberry
from graphql import GraphQLError
from strawberry.types import Info

from domain.membership import Duty
from projections.following import borrowed
from service.asking import WAIT_AT_MOST, Asker
from service.sealing import tree_on_record
from service.sealing.bundled_study import bundle_path
from service.sealing.signed_notes import to_base64
from service.sealing.tree_on_record import Sealed, TreeDamaged

StudyAsked = Annotated[strawberry.ID, strawberry.argument(description="The study.")]


@strawberry.type(description="A witness of the log says that a checkpoint extends all it saw.")
class Cosignature:
    witness: str = strawberry.field(description="The name of the witness's key.")
    cosigned_at: datetime = strawberry.field(description="When it cosigned, by its own clock.")


@strawberry.type(description="A signed head of a study's log: C2SP tlog-checkpoint.")
class Checkpoint:
    study: strawberry.ID = strawberry.field(description="The study whose record it seals.")
    size: int = strawberry.field(description="How many events it seals: those up to here.")
    root: str = strawberry.field(description="The root of their Merkle tree, in base64.")
    signed_at: datetime = strawberry.field(description="When it was signed.")
    note: str = strawberry.field(
        description="The checkpoint itself, with every signature: C2SP signed-note."
    )
    cosignatures: list[Cosignature] = strawberry.field(description="Which witnesses cosigned it.")
    keys: list[str] = strawberry.field(
        description="The keys that sign, or have signed, this log, as C2SP writes them. Compare "
        "them with those you were given by other means: do not take them from here."
    )


@strawberry.type(description="That an event is in the tree under a checkpoint: RFC 6962, 2.1.1.")
class InclusionProof:
    position: int = strawberry.field(description="The event's position; its leaf is one before.")
    hashes: list[str] = strawberry.field(description="The proof's hashes, in base64.")
    checkpoint: Checkpoint = strawberry.field(description="The checkpoint it leads to.")


@strawberry.type(description="That a later tree begins with an earlier one: RFC 6962, 2.1.2.")
class ConsistencyProof:
    from_: int = strawberry.field(name="from", description="The size of the earlier tree.")
    to: int = strawberry.field(description="The size of the later tree.")
    hashes: list[str] = strawberry.field(description="The proof's hashes, in base64.")


@strawberry.type(
    description="What somebody keeps to show later that an event is on record, unaltered."
)
class Receipt:
    position: int = strawberry.field(description="The event's position.")
    leaf: str = strawberry.field(description="What the sealed record says of it: hashes, no text.")
    proof: str = strawberry.field(
        description="Leaf, proof and checkpoint as a file, to be kept as .tlog-proof: C2SP "
        "tlog-proof, with the leaf as its extra data."
    )


@strawberry.type
class Sealing:
    """The fields of Query."""

    @strawberry.field(description="The latest signed head of a study's log; null before any.")
    async def checkpoint(self, info: Info[Asker, None], study: StudyAsked) -> Checkpoint | None:
        asker = info.context
        if not await _may(asker, study, Duty.READ):
            return None
        async with borrowed(asker.seal.pool) as db:
            sealed = await tree_on_record.latest(db, study)
        return _shown(asker, study, sealed) if sealed else None

    @strawberry.field(
        description="Where the study's evidence bundle is, to be got by the same access token: a "
        "zip of the whole sealed record, which `parcycle verify` checks offline. Personal data are "
        "encrypted in it for who may not read them. `?cosignedBy=NAME` asks for a checkpoint with "
        "that witness's cosignature."
    )
    async def evidence_bundle(self, info: Info[Asker, None], study: StudyAsked) -> str | None:
        return bundle_path(study) if await _may(info.context, study, Duty.AUDIT) else None

    @strawberry.field(
        description="The proof that an event is in the sealed record; null before it is sealed."
    )
    async def inclusion_proof(
        self,
        info: Info[Asker, None],
        study: StudyAsked,
        position: Annotated[int, strawberry.argument(description="The event's position.")],
    ) -> InclusionProof | None:
        asker = info.context
        if not await _may(asker, study, Duty.READ):
            return None
        async with borrowed(asker.seal.pool) as db:
            sealed = await tree_on_record.best_for(db, study, position)
            if sealed is None or position < 1:
                return None
            with _told_if_damaged():
                hashes = await tree_on_record.inclusion(db, study, position, sealed.size)
        return InclusionProof(
            position=position,
            hashes=[to_base64(each) for each in hashes],
            checkpoint=_shown(asker, study, sealed),
        )

    @strawberry.field(
        description="The proof that the sealed record only grew from one size to another."
    )
    async def consistency_proof(
        self,
        info: Info[Asker, None],
        study: StudyAsked,
        from_: Annotated[
            int, strawberry.argument(name="from", description="A size, of an earlier checkpoint.")
        ],
        to: Annotated[
            int, strawberry.argument(description="A size up to that of the latest checkpoint.")
        ],
    ) -> ConsistencyProof | None:
        asker = info.context
        if not await _may(asker, study, Duty.READ):
            return None
        async with borrowed(asker.seal.pool) as db:
            sealed = await tree_on_record.latest(db, study)
            size = sealed.size if sealed else 0
            if not 0 <= from_ <= to <= size:
                raise GraphQLError(
                    f"There is no proof from {from_} to {to}: {size} events are sealed.",
                    extensions={"code": "NOT_SEALED"},
                )
            with _told_if_damaged():
                hashes = await tree_on_record.consistency(db, study, from_, to)
        return ConsistencyProof(from_=from_, to=to, hashes=[to_base64(each) for each in hashes])

    @strawberry.field(description="The receipt of an event; null before it is sealed.")
    async def receipt(
        self,
        info: Info[Asker, None],
        study: StudyAsked,
        position: Annotated[int, strawberry.argument(description="The event's position.")],
    ) -> Receipt | None:
        if not await _may(info.context, study, Duty.AUDIT):
            return None
        return await receipt_of(info.context, study, position)


async def receipt_of(
    asker: Asker, study: str, position: int, *, wait: bool = False
) -> Receipt | None:
    """The receipt of an event of a study that the asker may read; None before it is sealed.

    Asked to, it waits until the event is sealed, `WAIT_AT_MOST` seconds.
    """
    clock = asyncio.get_running_loop().time
    give_up = clock() + (WAIT_AT_MOST if wait else 0)
    with asker.bell.listening() as rung:
        while True:
            async with borrowed(asker.seal.pool) as db:
                with _told_if_damaged():
                    found = await tree_on_record.receipt(db, study, position)
            if found is not None:
                leaf = found.extra.decode("ascii", "replace")
                return Receipt(position=position, leaf=leaf, proof=str(found))
            if clock() >= give_up:
                return None
            await rung()


@contextmanager
def _told_if_damaged() -> Iterator[None]:
    try:
        yield
    except TreeDamaged as damaged:
        raise GraphQLError(str(damaged), extensions={"code": "TREE_DAMAGED"}) from damaged


async def _may(asker: Asker, study: str, duty: Duty) -> bool:
    """Whether they have a role in the study, which then has to allow it: raises if it does not."""
    if await asker.role_in(study) is None:
        return False
    asker.allow(study, duty)
    return True


def _shown(asker: Asker, study: str, sealed: Sealed) -> Checkpoint:
    keys = asker.seal.verifiers(study)
    return Checkpoint(
        study=strawberry.ID(study),
        size=sealed.size,
        root=to_base64(sealed.root),
        signed_at=sealed.signed_at,
        note=str(sealed.cosigned),
        cosignatures=[
            Cosignature(witness=each.line.name, cosigned_at=each.at) for each in sealed.cosignatures
        ],
        keys=[str(key) for key in keys],
    )
