"""The pages' stylesheet, scripts and fonts: read once, and kept by browsers for good.

Their address holds a digest of them all, so that a changed file has a new address, and the modules
and fonts that a file names beside it are of the same release.
"""

import gzip
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".py": "text/plain",
}
PACKED = {".css", ".js", ".json", ".svg", ".txt", ".webmanifest", ".py"}
FOR_GOOD = "public, max-age=31536000, immutable"


def _read(folder: Traversable, below: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in folder.iterdir():
        if each.is_dir():
            found |= _read(each, f"{below}{each.name}/")
        elif PurePath(each.name).suffix in MEDIA_TYPES:
            found[below + each.name] = each.read_bytes()
    return found


FILES = _read(files("service.pages") / "static")
PACKED_FILES = {
    name: gzip.compress(content, 9, mtime=0)
    for name, content in FILES.items()
    if PurePath(name).suffix in PACKED
}
DIGEST = sha256(
    b"".join(name.encode() + sha256(content).digest() for name, content in sorted(FILES.items()))
).hexdigest()[:16]


def asset(name: str) -> str:
    """The address of a file. Raises KeyError if there is none of that name."""
    FILES[name]
    return f"/static/{DIGEST}/{name}"


@get("/static/{digest:str}/{name:path}", include_in_schema=False, sync_to_thread=False)
def static_file(
    request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """A file of the pages; of an older release's address, as it is now."""
    name = str(name).lstrip("/")
    if name not in FILES:
        raise NotFoundException(f"There is no file {name}.")
    headers = {
        "cache-control": FOR_GOOD if digest == DIGEST else "no-cache",
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    content = FILES[name]
    if name in PACKED_FILES and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = PACKED_FILES[name], "gzip"
    return Response(content, media_type=MEDIA_TYPES[PurePath(name).suffix], headers=headers)
