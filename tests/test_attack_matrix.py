"""The sealed record under attack by its administrator: who notices what, and what nobody can.

Each row of the tables is an attack (attacks.py says what each does); each column is somebody who
may notice, and in it is by which name: of a failure that verify.py reports, or of the service's
refusal; `=` is what the bundle shows before. `-` is nobody's notice: there the attack goes through.
deploy/verifying.md says it in words.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace

import asyncpg
import pytest

from projections.ethics_audit import ethics_audit
from projections.following import borrowed, registers
from service.demo_study import STUDY
from service.sealing import cosigning
from service.sealing.bundled_study import NothingSealed
from service.sealing.sealed_fields import Altered
from tests import attacks
from tests.attacked_study import Kept, Victim, attacked, sealed_and_accepted
from tests.recording import in_a_loop
from tests.registers import follow_all, register_pool
from tests.sealed_study import WITNESS

# By who has the database, and not the log's key.
#   bundle      what a bundle shows, with the witness's cosignature or without
#   accepted    and what besides, to a committee that kept the checkpoint it accepted last
#   service     what the service says when the study goes on; where it seals in good faith, what a
#               bundle shows then
#   witness     the same of a service that was set up anew, with the log's key and no memory, and
#               asks the witness what that holds
WITHOUT_THE_KEY = """
attack           | bundle                | accepted    | service            | witness
edited           | EDITED ROOT           | -           | =                  | =
edited_since     | ROOT                  | -           | RecordRewritten    | RecordRewritten
edited_leaf_left | CONTENT               | -           | =                  | =
deleted          | DELETED ROOT          | -           | =                  | =
deleted_closed   | ROOT TRUNCATED        | -           | RecordRewritten    | RecordRewritten
reordered        | REORDERED ROOT        | -           | =                  | =
truncated        | -                     | ROLLED-BACK | RecordShortened    | WitnessHoldsMore
truncated_since  | -                     | -           | RecordShortened    | WitnessHoldsMore
truncated_partly | ROOT TRUNCATED        | -           | RecordShortened    | RecordShortened
restored         | -                     | ROLLED-BACK | RecordShortened    | WitnessHoldsMore
forked           | -                     | ROLLED-BACK | RecordRewritten    | RecordRewritten
backdated        | BACKDATED EDITED ROOT | -           | =                  | =
put_in_backdated | -                     | -           | BACKDATED          | BACKDATED
replayed         | -                     | -           | BACKDATED REPLAYED | BACKDATED REPLAYED
replayed_anew    | -                     | -           | CONTENT            | CONTENT
put_in           | -                     | -           | -                  | -
swapped          | MOVED                 | -           | =                  | =
moved            | MOVED                 | -           | =                  | =
altered          | CONTENT               | -           | =                  | =
withheld         | WITHHELD              | -           | =                  | =
erased_unasked   | WITHHELD              | -           | -                  | -
unerased         | UNERASED              | -           | =                  | =
note_altered     | SIGNATURE             | -           | -                  | -
seal_destroyed   | NothingSealed         | -           | -                  | -
changed_unsealed | -                     | -           | -                  | -
dropped_unsealed | -                     | -           | -                  | -
"""

# And what it notices by itself, since it reads again what it sealed; of the others, nothing.
REREAD = """
attack           | reread
edited           | EDITED
edited_since     | ROOT
edited_leaf_left | CONTENT
deleted          | DELETED
deleted_closed   | EDITED
reordered        | EDITED
truncated        | DELETED
truncated_since  | DELETED ROOT
truncated_partly | DELETED ROOT
restored         | DELETED
forked           | ROOT
backdated        | EDITED
replayed_anew    | CONTENT
swapped          | CONTENT
moved            | CONTENT
altered          | CONTENT
withheld         | WITHHELD
"""

# By who has the whole server, with the log's key: they make the leaves fit what stands there now,
# destroy the seal, and sign all of it anew.
#   nobody      what a bundle shows to a committee with neither a witness nor a checkpoint of before
#   accepted    and what besides, to a committee that kept the checkpoint it accepted last
#   witness     what the witness says to the new checkpoint, and what besides the bundle shows to a
#               committee that asks for its cosignature
WITH_THE_KEY = """
attack           | nobody             | accepted    | witness
edited           | -                  | FORKED      | QUORUM WitnessContradicts
edited_since     | -                  | -           | QUORUM WitnessContradicts
edited_leaf_left | -                  | FORKED      | QUORUM WitnessContradicts
deleted_closed   | -                  | FORKED      | QUORUM WitnessHoldsMore
reordered        | -                  | FORKED      | QUORUM WitnessContradicts
truncated        | -                  | ROLLED-BACK | QUORUM WitnessHoldsMore
truncated_since  | -                  | -           | QUORUM WitnessHoldsMore
restored         | -                  | ROLLED-BACK | QUORUM WitnessHoldsMore
forked           | -                  | FORKED      | QUORUM WitnessContradicts
backdated        | BACKDATED          | FORKED      | QUORUM WitnessContradicts
put_in_backdated | BACKDATED          | -           | -
replayed         | BACKDATED REPLAYED | -           | -
replayed_anew    | -                  | -           | -
put_in           | -                  | -           | -
swapped          | -                  | FORKED      | QUORUM WitnessContradicts
moved            | -                  | FORKED      | QUORUM WitnessContradicts
altered          | -                  | FORKED      | QUORUM WitnessContradicts
withheld         | -                  | FORKED      | QUORUM WitnessContradicts
erased_unasked   | -                  | -           | -
unerased         | UNERASED           | -           | -
"""
FROM_THE_BACKUP = ("restored", "forked")


def rows(table: str) -> dict[str, dict[str, set[str]]]:
    """What is expected, by the attack and by who may notice it."""
    head, *lines = (
        [cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()
    )
    return {
        attack: {
            who: names(cells[0] if cell == "=" else cell)
            for who, cell in zip(head[1:], cells, strict=True)
        }
        for attack, *cells in lines
    }


def names(cell: str) -> set[str]:
    return {name.replace("-", " ") for name in cell.split() if name != "-"}


@pytest.fixture(scope="module")
def kept(
    postgres_server: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("attacked")
    with sealed_and_accepted(postgres_server, migrated_template, folder) as study:
        yield study


@pytest.mark.parametrize("attack", rows(WITHOUT_THE_KEY))
@in_a_loop
async def test_by_who_has_the_database(kept: Kept, attack: str) -> None:
    reread = rows(REREAD).get(attack, {"reread": set()})
    assert await without_the_key(kept, attack) == rows(WITHOUT_THE_KEY)[attack] | reread


@pytest.mark.parametrize("attack", rows(WITH_THE_KEY))
@in_a_loop
async def test_by_who_has_the_logs_key_too(kept: Kept, attack: str) -> None:
    assert await with_the_key(kept, attack) == rows(WITH_THE_KEY)[attack]


@in_a_loop
async def test_nothing_is_wrong_with_a_record_that_nobody_attacked(kept: Kept) -> None:
    """Of some whom it is about, everything sealed was erased."""
    async with attacked(kept) as study:
        assert await study.pool.fetch(
            "select from record.event e where e.sealed is not null and not exists ("
            "select from record.sealed_part p where p.position = e.position)"
        )
        assert await study.reread() == []


@pytest.mark.parametrize("attack", ["swapped", "moved", "altered"])
@in_a_loop
async def test_a_ciphertext_in_a_wrong_place_is_not_shown_even_where_all_was_signed_anew(
    kept: Kept, attack: str
) -> None:
    async with attacked(kept) as study:
        touched = await carry_out(attack, study)
        await sign_anew(study, touched)
        references = await study.pool.fetch(
            "select position || '/' || path as it from record.sealed_part where position = any($1)",
            touched,
        )
        with pytest.raises(Altered):
            await study.record.texts.opened(STUDY, [row["it"] for row in references])


@pytest.mark.parametrize("hours", [1, 25])
@in_a_loop
async def test_a_server_whose_clock_was_set_back(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """The witness's clock is right. A bundle has its word of each day, a committee the latest."""
    ahead = SimpleNamespace(time=lambda: time.time() + hours * 3600)
    async with attacked(kept) as study:
        monkeypatch.setattr(cosigning, "time", ahead)
        await study.go_on()
        assert await study.seal() == set()
        last = study.head(await study.bundle())
        await study.go_on()
        assert await study.seal() == set()
        made = await study.bundle()
        assert study.found(made, last) == {"BACKDATED"}
        if hours > 24:
            assert study.found(made) == {"BACKDATED"}
        # Who cosigns by hand says nothing of when an event was not there yet.
        assert study.found(made, last, at_once=False) == set()


@in_a_loop
async def test_the_audit_says_how_far_its_record_is_sealed(kept: Kept) -> None:
    async with attacked(kept) as study, register_pool(study.database) as registers_pool:
        await follow_all(registers_pool, [registers()["ethics_audit"]])
        (end,) = await study.pool.fetch("select position from record.study_head")
        sealed = f"Sealed up to event {end[0]}, cosigned up to {end[0]} by {WITNESS.name}:"
        async with borrowed(registers_pool) as db:
            answer = (await ethics_audit(db, STUDY)).record_integrity
            assert sealed in str(answer.note)
            assert answer.findings == []
            await carry_out("truncated_partly", study)
            answer = (await ethics_audit(db, STUDY)).record_integrity
            assert {"events_removed", "sealed_events_removed"} == {f.code for f in answer.findings}
            await carry_out("seal_destroyed", study)
            answer = (await ethics_audit(db, STUDY)).record_integrity
            assert "Nothing is sealed yet" in str(answer.note)


async def without_the_key(kept: Kept, attack: str) -> dict[str, set[str]]:
    async with attacked(kept, restored=attack in FROM_THE_BACKUP) as study:
        await carry_out(attack, study)
        try:
            made = await study.bundle()
            bundle = study.found(made)
            assert study.found(made, quorum="none") == bundle - {"QUORUM"}
            accepted = study.found(made, kept.accepted) - bundle
        except NothingSealed:
            bundle, accepted = {"NothingSealed"}, set()
        service = await noticed_when_it_goes_on(study, asking=False)
        reread = {fault.fault for fault in await study.reread()}
    async with attacked(kept, restored=attack in FROM_THE_BACKUP) as study:
        await carry_out(attack, study)
        study.forget()
        witness = await noticed_when_it_goes_on(study, asking=True)
    return {
        "bundle": bundle, "accepted": accepted, "service": service, "witness": witness,
        "reread": reread,
    }  # fmt: skip


async def with_the_key(kept: Kept, attack: str) -> dict[str, set[str]]:
    async with attacked(kept, restored=attack in FROM_THE_BACKUP) as study:
        witness = await sign_anew(study, await carry_out(attack, study))
        made = await study.bundle()
        nobody = study.found(made, quorum="none")
        accepted = study.found(made, kept.accepted, quorum="none") - nobody
        witness |= study.found(made) - nobody
    return {"nobody": nobody, "accepted": accepted, "witness": witness}


async def carry_out(attack: str, study: Victim) -> attacks.Touched:
    if attack == "forked":
        await study.go_on(400)
    if attack.endswith("unsealed"):
        await study.go_on()
    do: Callable[[asyncpg.Connection], Awaitable[attacks.Touched]] = getattr(attacks, attack)
    db = await asyncpg.connect(study.database.owner_url)
    try:
        return await do(db)
    finally:
        await db.close()


async def noticed_when_it_goes_on(study: Victim, *, asking: bool) -> set[str]:
    await study.go_on(3)
    return await study.seal(asking=asking) or study.found(await study.bundle())


async def sign_anew(study: Victim, touched: attacks.Touched) -> set[str]:
    """Sign whatever stands there, as if nothing had been signed; what the witness says to it."""
    db = await asyncpg.connect(study.database.owner_url)
    try:
        await attacks.make_leaves_fit(db, touched)
        await attacks.unseal(db)
    finally:
        await db.close()
    study.forget()
    return await study.seal()
