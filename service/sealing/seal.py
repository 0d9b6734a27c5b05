"""The seal in a running service: its sealer and its witnesses, and the tree for who may read it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from asyncpg import Pool

from service.bell import Bell
from service.database import ALWAYS_BY_INDEX, open_pool
from service.sealing.asking_witnesses import Witness
from service.sealing.cosignatures import Cosignatures
from service.sealing.log_keys import LogKeys
from service.sealing.rereading import Rereading
from service.sealing.sealer import SEALING, Sealer
from service.sealing.signed_notes import VerifierKey
from service.store import Store


class Seal:
    """What requests are answered from. Without a sealer, another process seals."""

    def __init__(
        self,
        pool: Pool,
        origin: Callable[[str], str],
        keys: LogKeys | None = None,
        sealer: Sealer | None = None,
        rereading: Rereading | None = None,
    ) -> None:
        self.pool, self.origin = pool, origin
        self._keys, self._sealer, self._rereading = keys, sealer, rereading

    def verifiers(self, study: str) -> list[VerifierKey]:
        """The keys that sign, or have signed, the study's checkpoints, if they are known here."""
        return self._keys.verifiers(self.origin(study)) if self._keys else []

    def refusals(self) -> list[dict[str, str]]:
        """Which studies are not sealed any more, and why."""
        if self._sealer is None:
            return []
        return [
            {"study": study, "refusal": type(refusal).__name__, "message": str(refusal)}
            for study, refusal in sorted(self._sealer.refusals.items())
        ]

    def faults(self) -> list[dict[str, Any]]:
        """What is not as it was sealed, so far as it has been re-read."""
        if self._rereading is None:
            return []
        found = sorted(self._rereading.faults.items())
        return [fault._asdict() for _, faults in found for fault in faults]


@asynccontextmanager
async def sealing(store: Store, bell: Bell, origin: Callable[[str], str]) -> AsyncIterator[Seal]:
    """The seal while the service runs; it seals itself if the settings say so.

    Raises `KeysUnusable`.
    """
    settings = store.settings
    async with AsyncExitStack() as stack:
        pool = await open_pool(store.service_url, SEALING, **ALWAYS_BY_INDEX)
        stack.push_async_callback(pool.close)
        if not settings.seal:
            yield Seal(pool, origin)
            return
        keys = LogKeys(settings.home / "keys")
        sealers = await open_pool(store.service_url, SEALING, **ALWAYS_BY_INDEX)
        stack.push_async_callback(sealers.close)
        http = await stack.enter_async_context(httpx.AsyncClient())
        witnesses = [
            Witness(named.url, named.verifier, http) for named in settings.witnesses if named.url
        ]
        sealer = Sealer(sealers, bell, keys, origin, witnesses)
        cosignatures = Cosignatures(sealers, bell, sealer, origin, witnesses)
        rereading = Rereading(sealers, keys, origin)
        tasks = [
            asyncio.create_task(sealer.run(), name="sealer"),
            asyncio.create_task(cosignatures.run(), name="cosignatures"),
            asyncio.create_task(rereading.run(), name="rereading"),
        ]

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        stack.push_async_callback(stop)
        yield Seal(pool, origin, keys, sealer, rereading)
