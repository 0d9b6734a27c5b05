"""The keys of data subjects: random, one each, stored wrapped, and destroyed to erase.

`KeyTable` is where wrapped keys are kept (a file, PostgreSQL); `SubjectKeys` makes them, wraps and
unwraps them, and keeps those in use in memory for a short while. Both know nothing of the record.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from time import monotonic
from typing import NamedTuple, Protocol

from service.sealing.key_encryption import KEY_BYTES, KeyEncryption, KeysUnusable, Wrapped

CACHED = 65_536  # keys kept in memory at most
CACHED_SECONDS = 300
BATCH = 500  # keys wrapped anew in one transaction

Asked = Mapping[str, Collection[str]]  # subjects by their study
Keys = dict[str, dict[str, bytes]]  # the key of each subject, by study
Progress = Callable[[int, int], None]  # how many are done, of how many


class KeyState(StrEnum):
    """What may be done with a subject's key."""

    LIVE = "live"
    ERASING = "erasing"  # the erasure is on its way to the record; the key is there but not used
    ERASED = "erased"  # for ever: the subject can have no key again


class WrappedKey(NamedTuple):
    """A subject's key as it is stored."""

    study: str
    subject: str
    wrapped: Wrapped


class KeptKey(NamedTuple):
    """What is kept of a subject: no key if it was destroyed, or was never made."""

    study: str
    subject: str
    state: KeyState
    wrapped: Wrapped | None


class KeyTable(Protocol):
    """Where wrapped keys are kept, by study and subject, for several processes at once.

    Every change is durable before its method returns. All raise `KeysUnusable`.
    """

    async def find(self, pairs: Collection[tuple[str, str]]) -> list[KeptKey]:
        """What is kept of these (study, subject)."""

    async def add(self, keys: Sequence[WrappedKey]) -> list[KeptKey]:
        """Keep these, live, where nothing is kept yet, in one write; gives what stands then."""

    async def begin_erasure(self, study: str, subject: str) -> None:
        """From live, or nothing, to erasing."""

    async def take_back(self, study: str, subject: str) -> None:
        """From erasing to what it was."""

    async def destroy(self, study: str, subject: str) -> None:
        """To erased, from whatever it was. The key's bytes are left in no file of the table."""

    async def states(self, study: str) -> dict[str, KeyState]:
        """The state of every subject of the study that has or had a key, or is to have none."""

    async def erasing(self) -> list[tuple[str, str]]:
        """Every (study, subject) whose erasure was begun and is not done."""

    async def tally(self) -> dict[tuple[KeyState, str | None], int]:
        """How many subjects there are in each state, by the id of what wraps their keys."""

    async def wrapped(
        self, after: tuple[str, str], limit: int, *, but_by: str = ""
    ) -> list[WrappedKey]:
        """The keys after a (study, subject), in order, but for those wrapped by one of this id."""

    async def rewrap(self, keys: Sequence[tuple[WrappedKey, Wrapped]]) -> None:
        """Put the new wrapping in each key's place, where that still stands as it was."""


class SubjectErased(Exception):
    """Nothing more can be sealed for this subject: their data are erased, or just being erased."""

    def __init__(self, study: str, subject: str) -> None:
        super().__init__(
            f"{subject} of {study} is erased, or is being erased: nothing about them can be "
            "recorded any more."
        )
        self.study, self.subject = study, subject


class SubjectKeys:
    """The keys of the data subjects of every study.

    A key stays in this process's memory for five minutes, also when another process destroys it
    meanwhile. That is safe: erasure deletes the ciphertexts from the record too, and an append that
    races with it is refused there, so that nothing remains that the key could open.
    """

    def __init__(self, table: KeyTable, encryption: KeyEncryption) -> None:
        self._table, self._encryption = table, encryption
        # Each until when; the oldest come first, and so the first to be forgotten.
        self._cache: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._forgotten = 0  # how often something was; what was asked for before is not remembered

    def cached(self, study: str, subjects: Iterable[str]) -> dict[str, bytes] | None:
        """The keys of all these subjects, if they are in memory; else None: ask `make`."""
        now, found = monotonic(), {}
        for subject in subjects:
            key, until = self._cache.get((study, subject), (b"", 0.0))
            if until <= now:
                return None
            found[subject] = key
        return found

    async def make(self, asked: Asked) -> Keys:
        """The key of each subject, for sealing; those that are missing are made, in one write.

        Raises `SubjectErased` and `KeysUnusable`.
        """
        before = self._forgotten
        keys, pairs = self._in_memory(asked)
        kept = await self._table.find(pairs) if pairs else []
        _require_live(kept)
        if missing := set(pairs) - {(each.study, each.subject) for each in kept}:
            made = await self._add(sorted(missing))
            _require_live(made)
            kept += made
        return await self._with_unwrapped(keys, kept, before)

    async def find(self, asked: Asked) -> Keys:
        """The keys that there are, for opening: none is made, and none given that is erased.

        Raises `KeysUnusable`.
        """
        before = self._forgotten
        keys, pairs = self._in_memory(asked)
        kept = await self._table.find(pairs) if pairs else []
        live = [each for each in kept if each.state is KeyState.LIVE]
        return await self._with_unwrapped(keys, live, before)

    async def begin_erasure(self, study: str, subject: str) -> None:
        """Let nothing more be sealed for the subject, nor opened; done again, it does nothing."""
        self._forget(study, subject)
        await self._table.begin_erasure(study, subject)
        self._forget(study, subject)  # what was asked for while it was written, too

    async def take_back(self, study: str, subject: str) -> None:
        """The erasure that was begun does not take place; nothing if none was, or it has."""
        await self._table.take_back(study, subject)

    async def destroy(self, study: str, subject: str) -> None:
        """Destroy the subject's key; there can be no other. Done again, it does nothing."""
        self._forget(study, subject)
        await self._table.destroy(study, subject)
        self._forget(study, subject)

    async def states(self, study: str) -> dict[str, KeyState]:
        """The state of every subject of the study that the key store knows."""
        return await self._table.states(study)

    async def erasing(self) -> list[tuple[str, str]]:
        """Every (study, subject) whose erasure was begun and is not done."""
        return await self._table.erasing()

    async def rewrap(self, progress: Progress) -> int:
        """Wrap every key by the newest key-encryption key that is wrapped by an older one.

        Others may use the keys meanwhile. Interrupted, it can be run again, and goes on. Gives how
        many were wrapped anew. Raises `KeysUnusable`.
        """
        newest = await self._encryption.key_id()
        tally = await self._table.tally()
        total = sum(n for (_, key_id), n in tally.items() if key_id not in (None, newest))
        done = 0
        async for batch in self._batches(but_by=newest):
            await self._rewrap(batch)
            done += len(batch)
            progress(done, max(done, total))
        return done

    async def damaged(self, progress: Progress) -> list[str]:
        """Unwrap every key there is; gives what is wrong with each that does not unwrap."""
        total = sum(n for (_, key_id), n in (await self._table.tally()).items() if key_id)
        done, faults = 0, []
        async for batch in self._batches():
            for each in batch:
                try:
                    await self._unwrapped(each)
                except KeysUnusable as fault:
                    faults.append(str(fault))
            done += len(batch)
            progress(done, max(done, total))
        return faults

    async def _add(self, missing: Sequence[tuple[str, str]]) -> list[KeptKey]:
        """Make a key for each; gives what stands then, which may be another process's."""
        kept = await self._table.add(
            await asyncio.gather(*(self._new(study, subject) for study, subject in missing))
        )
        # A rotation that began since these were wrapped may have passed them by: it adds the new
        # key-encryption key first, then looks for what older ones wrapped.
        newest = await self._encryption.key_id()
        if older := [each for each in _wrapped(kept) if each.wrapped.key_id != newest]:
            await self._rewrap(older)
            kept = await self._table.find(missing)
        return kept

    async def _new(self, study: str, subject: str) -> WrappedKey:
        key = os.urandom(KEY_BYTES)
        return WrappedKey(study, subject, await self._encryption.wrap(key, study, subject))

    async def _rewrap(self, keys: Sequence[WrappedKey]) -> None:
        anew = await asyncio.gather(*map(self._rewrapped, keys))
        await self._table.rewrap(list(zip(keys, anew, strict=True)))

    async def _rewrapped(self, key: WrappedKey) -> Wrapped:
        return await self._encryption.wrap(await self._unwrapped(key), key.study, key.subject)

    async def _batches(self, *, but_by: str = "") -> AsyncIterator[list[WrappedKey]]:
        """Every key there is, in order, but for those wrapped by the key of this id."""
        after = ("", "")
        while batch := await self._table.wrapped(after, BATCH, but_by=but_by):
            yield batch
            after = (batch[-1].study, batch[-1].subject)

    async def _with_unwrapped(self, keys: Keys, kept: Iterable[KeptKey], before: int) -> Keys:
        """These keys and those; they are remembered unless something was forgotten since."""
        wrapped = _wrapped(kept)
        unwrapped = await asyncio.gather(*map(self._unwrapped, wrapped))
        for each, key in zip(wrapped, unwrapped, strict=True):
            keys[each.study][each.subject] = key
            if self._forgotten == before:
                self._remember(each.study, each.subject, key)
        return keys

    async def _unwrapped(self, key: WrappedKey) -> bytes:
        return await self._encryption.unwrap(key.wrapped, key.study, key.subject)

    def _in_memory(self, asked: Asked) -> tuple[Keys, list[tuple[str, str]]]:
        """The keys in memory, and the (study, subject) of the others."""
        keys: Keys = {study: {} for study in asked}
        others = []
        for study, subjects in asked.items():
            for subject in dict.fromkeys(subjects):
                if found := self.cached(study, [subject]):
                    keys[study] |= found
                else:
                    others.append((study, subject))
        return keys, others

    def _remember(self, study: str, subject: str, key: bytes) -> None:
        self._cache.pop((study, subject), None)  # so that it comes last again
        self._cache[study, subject] = (key, monotonic() + CACHED_SECONDS)
        if len(self._cache) > CACHED:
            del self._cache[next(iter(self._cache))]

    def _forget(self, study: str, subject: str) -> None:
        self._forgotten += 1
        self._cache.pop((study, subject), None)


def _require_live(kept: Iterable[KeptKey]) -> None:
    for each in kept:
        if each.state is not KeyState.LIVE:
            raise SubjectErased(each.study, each.subject)


def _wrapped(kept: Iterable[KeptKey]) -> list[WrappedKey]:
    return [WrappedKey(each.study, each.subject, each.wrapped) for each in kept if each.wrapped]
