"""What the command line does for the keys of data subjects: `parcycle keys rotate` and `check`."""

from cyclopts import App
from msgspec import Struct

from service.sealing.key_encryption import Keyring
from service.sealing.key_store import key_table, keyring_for
from service.sealing.subject_keys import KeyState, KeyTable, Progress, SubjectKeys
from service.settings import Settings
from service.terminal import Failure, console, errors, progress, run

keys = App(name="keys", help="The keys of data subjects, and the keyring that protects them.")


class Rotation(Struct, frozen=True, kw_only=True):
    """What a rotation did."""

    newest: str  # the id of the key-encryption key that wraps now
    added: bool  # whether it is new: no earlier rotation had still to be ended
    rewrapped: int  # how many keys were wrapped anew
    unneeded: list[str]  # ids of older ones that wrap nothing any more
    removed: bool  # whether these are gone from the keyring


async def rotation(
    table: KeyTable, keyring: Keyring, progress: Progress, *, remove_old: bool = False
) -> Rotation:
    """Add a key-encryption key, unless an earlier rotation was not ended, and wrap all keys by it.

    None is added to a keyring that is new itself. Others may use the keys meanwhile. `remove_old`
    then removes older ones; where an earlier rotation left them, it adds none. Raises
    `KeysUnusable`.
    """
    with keyring.rotating():
        *older, newest = keyring.ids()
        needed = await _needed(table)
        unfinished = not needed.isdisjoint(older)
        added = bool(older or needed) and not unfinished and not (remove_old and older)
        if added:
            newest = keyring.add()
        rewrapped = await SubjectKeys(table, keyring).rewrap(progress)
        needed = await _needed(table)
        unneeded = [each for each in keyring.ids() if each != newest and each not in needed]
        if remove_old:
            keyring.remove(unneeded)
    return Rotation(
        newest=newest, added=added, rewrapped=rewrapped, unneeded=unneeded, removed=remove_old
    )


async def _needed(table: KeyTable) -> set[str]:
    """The ids of the key-encryption keys that wrap any key."""
    return {key_id for _, key_id in await table.tally() if key_id}


@keys.command
def rotate(*, remove_old: bool = False) -> None:
    """Add a new key to the keyring, and wrap the keys of all data subjects by it.

    The service may run meanwhile. It can be interrupted and run again: it goes on where it was.

    Parameters
    ----------
    remove_old
        Remove the older keys from the keyring, once nothing needs them. Backups of the key store
        from before are then unreadable, also what was erased since.
    """

    async def rotate_all() -> None:
        async with key_table(Settings()) as table:
            keyring = await keyring_for(table, Settings(), may_make=True)
            with progress("keys wrapped anew") as report:
                done = await rotation(table, keyring, report, remove_old=remove_old)
        _say(f"{done.newest} wraps all keys{' from now on' if done.added else ''}.")
        _say(f"Wrapped anew: {done.rewrapped:,}.")
        _say(f"Copy {keyring.file} to where its copy is kept, apart from the key store's backups.")
        if not done.unneeded:
            return
        older = ", ".join(done.unneeded)
        if done.removed:
            _say(f"Removed from the keyring: {older}. Remove it from the keyring's copies too.")
        else:
            _say(
                f"Nothing in the key store needs {older} any more; `parcycle keys rotate "
                "--remove-old` removes it. Backups of the key store from before still need it."
            )

    run(rotate_all())


@keys.command
def check() -> None:
    """Unwrap the key of every data subject, and say how many there are; the exit status is 1 if one
    is damaged.
    """

    async def check_all() -> None:
        async with key_table(Settings()) as table:
            keyring = await keyring_for(table, Settings(), may_make=False)
            with progress("keys unwrapped") as report:
                damaged = await SubjectKeys(table, keyring).damaged(report)
            tally = await table.tally()
        for state in KeyState:
            number = sum(n for (each, _), n in tally.items() if each is state)
            _say(f"{state.value:>8} {number:>9,}")
        for key_id in keyring.ids():
            number = sum(n for (_, by), n in tally.items() if by == key_id)
            _say(f"Wrapped by {key_id}: {number:,}.")
        for fault in damaged:
            errors.print(fault, highlight=False, soft_wrap=True, markup=False)
        if damaged:
            raise Failure(f"Damaged keys: {len(damaged):,}.")

    run(check_all())


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
