"""Logging without a connection: the service worker, and what puts the pages on a home screen."""

from typing import Any

from litestar import Response, get

from service.pages.static_files import DIGEST, FILES, asset
from service.pages.visits import Visit, study_page

# What pages for logging are made of, besides what the browser says it loaded for them.
PARTS = (
    "page.css", "log.css", "page.js", "live.js", "log.js", "outbox.js", "outbox_shown.js",
    "papers.js", "icon.svg", "fonts/atkinson.woff2", "fonts/newsreader.woff2",
)  # fmt: skip
# The worker speaks to this host alone; its own policy counts, not that of the pages.
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'",
    "x-content-type-options": "nosniff",
}


@get("/worker.js", include_in_schema=False, sync_to_thread=False)
def worker() -> Response[bytes]:
    """The service worker: at the root, since it opens pages of every study."""
    script = FILES["worker.js"].replace(b"OUTBOX", asset("outbox.js").encode(), 1)
    return Response(script, media_type="text/javascript", headers=HEADERS)


@study_page("/app.webmanifest")
async def manifest(visit: Visit) -> Response[Any]:
    """The web app manifest: on a home screen, the study opens at what can be logged."""
    begins = f"/s/{visit.study.study}/log"
    icon = {"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}
    told = {
        "name": f"parcycle: {visit.study.title}", "short_name": "parcycle", "lang": "en-GB",
        "id": begins, "start_url": begins, "scope": "/", "display": "standalone",
        "background_color": "#f6f3ec", "theme_color": "#fffdf9", "icons": [icon],
    }  # fmt: skip
    headers = {"cache-control": "no-store", "vary": "cookie"}
    return Response(told, media_type="application/manifest+json", headers=headers)


def kept() -> dict[str, Any]:
    """What the outbox tells the worker to keep, and of which release it is."""
    return {"release": DIGEST, "parts": [asset(name) for name in PARTS]}
