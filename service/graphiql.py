"""GraphiQL at /graphiql, a page to write GraphQL in. All its files are here: it works offline.

The vendored files are listed, with licences and hashes, in `static/MANIFEST.json`;
`deploy/vendor_graphiql.py` refreshes them.
"""

from hashlib import sha256
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

MEDIA_TYPES = {  # litestar adds charset=utf-8
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".txt": "text/plain",
}
# Scripts come from here alone and none is inline. Styles may be inline: the editor (CodeMirror)
# places its lines, cursor and tooltips by style attributes and elements that it makes, and sets
# no nonce on them. A style cannot send data out: images, fonts and connections are shut as well.
HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",  # asked again each time, and answered 304 when it is the same
}


def graphiql_routes() -> list[HTTPRouteHandler]:
    """Serves the page at /graphiql and its files below it. It asks /graphql of the same host."""
    page = files("service") / "static" / "graphiql"
    parts = {part.name: part.read_bytes() for part in page.iterdir() if part.is_file()}
    tags = {name: f'"{sha256(content).hexdigest()}"' for name, content in parts.items()}

    def serve(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
        if name not in parts:
            raise NotFoundException(f"GraphiQL has no file {name}.")
        headers = HEADERS | {"etag": tags[name]}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(b"", status_code=304, headers=headers)
        return Response(parts[name], media_type=MEDIA_TYPES[PurePath(name).suffix], headers=headers)

    @get("/graphiql", include_in_schema=False, sync_to_thread=False)
    def graphiql(request: Request[Any, Any, Any]) -> Response[bytes]:
        return serve(request, "index.html")

    @get("/graphiql/{name:str}", include_in_schema=False, sync_to_thread=False)
    def graphiql_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        return serve(request, name)

    return [graphiql, graphiql_file]
