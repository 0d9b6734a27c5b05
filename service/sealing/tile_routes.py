"""A study's log over HTTP, as C2SP tlog-tiles says: under its origin, which is `parcycle/<study>`.

    /parcycle/<study>/checkpoint
    /parcycle/<study>/tile/<level>/<number>[.p/<width>]
    /parcycle/<study>/tile/entries/<number>[.p/<width>]

Whoever has a role in the study may read its checkpoint and its tiles of hashes; the leaves say who
took part in what, by pseudonyms, and are for those who may audit. For anybody else there is nothing
here.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from domain.membership import MAY, Duty
from projections.following import borrowed
from service.asking import Asker
from service.sealing import tree_on_record
from service.sealing.tiles import NoSuchPath, Tile, named_by

# A path's content never changes. Private: it is for members, so no shared cache may keep it.
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
FOR_NOW = {"cache-control": "private, no-cache"}

Asking = Callable[[ASGIConnection[Any, Any, Any, Any]], Awaitable[Asker]]


async def allowed(asker: Asking, request: Request[Any, Any, Any], study: str, duty: Duty) -> Asker:
    """Who asks, if their role in the study may do this; a stranger learns nothing of the study."""
    asking = await asker(request)
    role = await asking.role_in(study)
    if role is None:
        raise NotFoundException("There is nothing here, or nothing for you.")
    if role not in MAY[duty]:
        raise PermissionDeniedException(f"A {role.value} may not {duty.value}.")
    return asking


def tile_routes(asker: Asking) -> list[HTTPRouteHandler]:
    """Serves each study's log."""

    @get("/parcycle/{study:str}/checkpoint", include_in_schema=False)
    async def checkpoint(request: Request[Any, Any, Any], study: FromPath[str]) -> Response[str]:
        """The latest signed head, with the cosignatures of witnesses."""
        asking = await allowed(asker, request, study, Duty.READ)
        async with borrowed(asking.seal.pool) as db:
            sealed = await tree_on_record.latest(db, study)
        if sealed is None:
            raise NotFoundException("Nothing of this study is sealed yet; ask again in a moment.")
        return Response(str(sealed.cosigned), media_type="text/plain", headers=FOR_NOW)

    @get("/parcycle/{study:str}/tile/{path:path}", include_in_schema=False)
    async def tile(
        request: Request[Any, Any, Any], study: FromPath[str], path: FromPath[str]
    ) -> Response[bytes]:
        """A tile of hashes, or a bundle of leaves."""
        try:
            named = named_by(f"tile{path}")
        except NoSuchPath as fault:
            raise NotFoundException(str(fault)) from None
        is_tile = isinstance(named, Tile)
        asking = await allowed(asker, request, study, Duty.READ if is_tile else Duty.AUDIT)
        async with borrowed(asking.seal.pool) as db:
            found = (
                await tree_on_record.tile(db, study, named)
                if isinstance(named, Tile)
                else await tree_on_record.entry_bundle(db, study, named)
            )
        if found is None:
            raise NotFoundException(f"The sealed tree has no {named.path} yet.")
        return Response(found, media_type="application/octet-stream", headers=FOR_EVER)

    return [checkpoint, tile]
