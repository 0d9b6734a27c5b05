"""A study's evidence bundle over HTTP: `/parcycle/<study>/bundle`, for who may audit the study.

    ?cosignedBy=<name>      whose cosignature the newest checkpoint has to have; may be repeated

It is made at once into a temporary file and sent from there, so that a slow client holds no
connection to the database. Personal data are open in it for who may read them.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any

from litestar import Request, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from domain.membership import Duty
from domain.readings import Reading
from projections.following import borrowed
from service.sealing.bundled_study import NothingSealed, bundle_of_study, bundle_path
from service.sealing.tile_routes import Asking, allowed

PIECE_BYTES = 1 << 18
AT_ONCE = 2  # bundles made side by side


def bundle_routes(asker: Asking) -> list[HTTPRouteHandler]:
    """Serves each study's bundle."""
    room = asyncio.Semaphore(AT_ONCE)

    @get(bundle_path("{study:str}"), include_in_schema=False)
    async def bundle(request: Request[Any, Any, Any], study: FromPath[str]) -> Stream:
        """The zip, with a name to keep it under."""
        asking = await allowed(asker, request, study, Duty.AUDIT)
        by = request.query_params.getall("cosignedBy", [])
        role = asking.roles[study]
        asking.has_read(study, Reading.EXPORT)
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed when it is sent
        try:
            async with room, borrowed(asking.seal.pool) as db:
                texts = asking.record.texts
                async for piece in bundle_of_study(db, texts, study, role=role, by=by):
                    await asyncio.to_thread(file.write, piece)
        except NothingSealed as fault:
            file.close()
            raise NotFoundException(str(fault)) from None
        except BaseException:
            file.close()
            raise
        headers = {
            "content-disposition": f'attachment; filename="{study}.zip"',
            "content-length": str(file.tell()),
            "cache-control": "private, no-store",
        }
        return Stream(_sent(file), media_type="application/zip", headers=headers)

    return [bundle]


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
