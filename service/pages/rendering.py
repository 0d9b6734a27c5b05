"""How a page becomes a response: its template, its headers, and packed for slow connections."""

import gzip
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response

from service.pages import words
from service.pages.static_files import asset

THEMES = ("system", "light", "dark")
THEME_COOKIE = "parcycle_theme"
PACK_FROM = 1_400  # bytes: less fits in one packet anyway
# Everything comes from this host, and nothing is inline. Nobody may frame a page.
HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",  # somebody else may sit at the same computer next
    "vary": "cookie, accept-encoding",
}

templates = Environment(
    loader=PackageLoader("service.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
templates.globals["asset"] = asset
templates.filters.update(
    day=words.day, clock=words.clock, machine=words.machine, plain=words.plain,
    initials=words.initials, in_words=words.in_words, there=words.there, spaced=words.spaced,
    lasting=words.lasting,
)  # fmt: skip
templates.globals["count"] = words.count
templates.globals.update(ROLES=words.ROLES, VOICES=words.VOICES)


def rendered(
    request: Request[Any, Any, Any],
    template: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[bytes]:
    """The page that a template makes of what it is given, which must have a `title`."""
    text = templates.get_template(template).render(
        theme=theme_of(request),
        path=request.url.path,
        back=way_back(request),
        answers_a_form=request.method != "GET",
        status=status,
        **(OUTSIDE | context),
    )
    content, packed = text.encode(), {}
    if len(content) > PACK_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        content, packed = gzip.compress(content, 3, mtime=0), {"content-encoding": "gzip"}
    return Response(
        content,
        status_code=status,
        media_type="text/html",
        headers=HEADERS | packed | dict(headers or {}),
    )


# What the layout shows on the pages of no study.
OUTSIDE: dict[str, Any] = {
    "study": None, "member": "", "role": None, "navigation": (), "position": None,
    "frame_seal": None, "frame_unsealed": None, "frame_altered": (),
}  # fmt: skip


def way_back(request: Request[Any, Any, Any]) -> str:
    """Where who chooses a theme goes on: this page with its filters, or the form's own page."""
    path, query = request.url.path, request.url.query
    if request.method != "GET":
        return path.rpartition("/")[0] or "/"
    return f"{path}?{query}" if query else path


def theme_of(request: Request[Any, Any, Any]) -> str:
    """The theme that the visitor chose: `system` follows their machine's."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "system"
