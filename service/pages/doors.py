"""The doors: signing in and out, the choice of a study, and the choice of a theme."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from projections.following import borrowed
from projections.study_register import Study, studies_of
from service.identity import DemoIssuer
from service.pages.rendering import THEME_COOKIE, THEMES, rendered
from service.pages.visits import AWAY, faulty, of_this_host

COOKIE = "parcycle_session"
A_YEAR = 365 * 24 * 3600  # seconds
TOKEN_BYTES = 3_800  # as much as browsers keep in one cookie
USED = (
    "This sign-in link has been used, or the demo was started again since: "
    "take a new one from the terminal."
)


def door_routes(demo: DemoIssuer | None) -> list[HTTPRouteHandler]:
    """Serves the doors; with `demo`, one-time links sign members in."""
    links = [sign_in_route(demo)] if demo else []
    return [begin, studies, sign_in_form, sign_in, sign_out, theme, *links]


@get("/", include_in_schema=False)
async def begin(request: Request[Any, Any, Any]) -> Response[Any]:
    """To the study, for who has a role in one; else to the choice, or to the door."""
    return await _studies(request, straight_on=True)


@get("/studies", include_in_schema=False)
async def studies(request: Request[Any, Any, Any]) -> Response[Any]:
    """The choice of a study."""
    return await _studies(request, straight_on=False)


async def _studies(request: Request[Any, Any, Any], *, straight_on: bool) -> Response[Any]:
    try:
        asker = await request.app.state.asker(request)
        async with borrowed(asker.registers) as db:
            found = await studies_of(db, asker.member)
        theirs: list[tuple[Study, Any]] = []
        for each in found:
            if (role := await asker.role_in(each.study)) is not None:
                theirs.append((each, role))
    except NotAuthorizedException:
        return _door(request)
    except AWAY:
        return faulty(request, 503, "The record cannot be reached. Try again in a moment.")
    if straight_on and len(theirs) == 1:
        return Redirect(f"/s/{theirs[0][0].study}", status_code=303)
    return rendered(
        request, "studies.html", title="Your studies", member=asker.member, studies=theirs
    )


@get("/sign-in", include_in_schema=False, sync_to_thread=False)
def sign_in_form(request: Request[Any, Any, Any]) -> Response[Any]:
    """Where a token is handed in."""
    return _door(request)


def _door(request: Request[Any, Any, Any], message: str = "", status: int = 200) -> Response[Any]:
    return rendered(request, "sign_in.html", status, title="Sign in", message=message)


@post("/sign-in", include_in_schema=False, status_code=303, request_max_body_size=20_000)
async def sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Takes an access token of the study's identity provider, and keeps it for the session."""
    if not of_this_host(request):
        return faulty(request, 403, "This form was sent from another site.")
    form = await request.form()
    token = "".join(str(form.get("token", "")).split())
    try:
        if len(token) > TOKEN_BYTES:
            raise NotAuthorizedException("The token is too long for a browser to keep.")
        await request.app.state.member(token)
    except NotAuthorizedException as fault:
        return _door(request, fault.detail, 401)
    return Redirect("/", status_code=303, cookies=[session(request, token)])


@post("/sign-out", include_in_schema=False, status_code=303)
async def sign_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """Forgets the session, and what the browser keeps of our pages."""
    if not of_this_host(request):
        return faulty(request, 403, "This form was sent from another site.")
    gone = Cookie(key=COOKIE, value="", max_age=0, httponly=True, samesite="strict", path="/")
    return Redirect("/", status_code=303, cookies=[gone])


@post("/theme", include_in_schema=False, status_code=303)
async def theme(request: Request[Any, Any, Any]) -> Response[Any]:
    """Keeps the visitor's choice of light or dark, and goes back to where they were."""
    form = await request.form()
    chosen, back = str(form.get("theme", "")), str(form.get("back", "/"))
    if chosen not in THEMES or not back.startswith("/") or back.startswith(("//", "/\\")):
        return faulty(request, 400, "Choose light, dark, or as the system does.")
    kept = Cookie(key=THEME_COOKIE, value=chosen, max_age=A_YEAR, samesite="lax", path="/")
    return Redirect(back, status_code=303, cookies=[kept])


def session(request: Request[Any, Any, Any], token: str) -> Cookie:
    """The session's cookie: no script reads it, and no other site's page sends it."""
    return Cookie(
        key=COOKIE, value=token, httponly=True, samesite="strict", path="/",
        secure=request.url.scheme == "https",
    )  # fmt: skip


def sign_in_route(demo: DemoIssuer) -> HTTPRouteHandler:
    """Where one-time links of the demo lead to."""

    @get("/sign-in/{code:str}", include_in_schema=False)
    async def sign_in_by_link(
        request: Request[Any, Any, Any], code: FromPath[str]
    ) -> Response[Any]:
        """Sign in, once, and go on to the studies."""
        token = demo.redeem(code)
        if token is None:
            return _door(request, USED, 401)
        return Redirect("/", status_code=303, cookies=[session(request, token)])

    return sign_in_by_link
