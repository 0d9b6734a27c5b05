"""The door for withdrawals by code: a page that works without scripts, and the same as JSON.

Anyone may knock. It needs no protection against forged requests (CSRF): it looks at no cookie
and no token, so another site's page can send nothing in a visitor's name; the code in the body is
the only secret, and whoever has it may withdraw. The code is taken from the body alone, never from
a URL, which logs and histories would keep.
"""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from domain.commands import Refused, read_given
from domain.consent_states import ConsentState
from domain.withdrawal import WithdrawalScope
from service.what_is_held import STATES, Mine
from service.withdrawal_by_code import Known, NotWithdrawn, Withdrawals, read_asked
from service.withdrawal_in_words import PERMISSIONS, SCOPES, in_plain_words

BODY_BYTES = 200_000  # 20,000 characters of words, percent-encoded
STATUS = {"code_unknown": 404, "too_many_tries": 429, "unavailable": 503}
FORM = "application/x-www-form-urlencoded"
STYLE = (files("service") / "templates" / "withdraw.css").read_text("utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
STILL = (ConsentState.GIVEN, ConsentState.RECONSENT_REQUIRED, ConsentState.SUSPENDED)
TITLE, DONE = "Withdraw from a study", "You have withdrawn"

pages = Environment(
    loader=PackageLoader("service"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def withdrawal_routes() -> list[HTTPRouteHandler]:
    """Serves the door at /withdraw."""

    @get("/withdraw", include_in_schema=False, sync_to_thread=False)
    def ask() -> Response[str]:
        return _page()

    @post("/withdraw", include_in_schema=False, status_code=200, request_max_body_size=BODY_BYTES)
    async def withdraw(request: Request[Any, Any, Any]) -> Response[Any]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (FORM, "application/json"):
            raise HTTPException(f"Send the code as application/json or {FORM}.", status_code=415)
        door: Withdrawals = request.app.state.service.withdrawals
        address = request.client.host if request.client else ""
        given: dict[str, Any] = {}
        try:
            given = await (_form(request) if kind == FORM else _json(request))
            withdrawn = await door.withdraw(read_asked(given), address)
        except Refused as refused:
            faults = {reason.path: reason.message for reason in refused.reasons}
            return _not_withdrawn(kind, given, 400, "field_invalid", list(faults.values()))
        except NotWithdrawn as fault:
            status = STATUS.get(fault.code, 422)
            return _not_withdrawn(kind, given, status, fault.code, [str(fault)])
        said = in_plain_words(withdrawn)
        if kind == FORM:
            return _page(done=said)
        answer = {
            "withdrawn": True, "study": withdrawn.study, "position": withdrawn.position,
            "at": withdrawn.at, "permissions": withdrawn.permissions, "scope": withdrawn.scope,
            "message": " ".join(said),
        }  # fmt: skip
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=HEADERS)

    @post("/withdraw/mine", include_in_schema=False, status_code=200, request_max_body_size=9_000)
    async def mine(request: Request[Any, Any, Any]) -> Response[Any]:
        """What the code's participant agreed to, and what is held of them; nothing is changed."""
        door: Withdrawals = request.app.state.service.withdrawals
        address = request.client.host if request.client else ""
        given = await _form(request)
        try:
            found = await door.show(read_given(Known, {"code": given.get("code", "")}), address)
        except Refused as refused:
            faults = [reason.message for reason in refused.reasons]
            return _not_withdrawn(FORM, given, 400, "field_invalid", faults)
        except NotWithdrawn as fault:
            return _not_withdrawn(
                FORM, given, STATUS.get(fault.code, 422), fault.code, [str(fault)]
            )
        return _mine(found, given["code"])

    return [ask, withdraw, mine]


async def _form(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """A form's fields; what was left empty was left out."""
    form = await request.form()
    given = {name: form[name] for name in ("code", "scope", "words") if form.get(name)}
    if ticked := form.getall("permissions", []):
        given["permissions"] = ticked
    return given


async def _json(request: Request[Any, Any, Any]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except (ValueError, RecursionError) as fault:
        raise HTTPException(
            f"The body is not an object in JSON: {fault}", status_code=400
        ) from None


def _not_withdrawn(
    kind: str, given: Mapping[str, Any], status: int, code: str, faults: list[str]
) -> Response[Any]:
    later = {"retry-after": "60"} if status in (429, 503) else {}
    if kind == FORM:
        return _page(status, given, faults, code_unknown=status == 404, headers=later)
    answer = {"withdrawn": False, "code": code, "message": " ".join(faults)}
    return Response(
        msgspec.json.encode(answer), status_code=status, media_type="application/json",
        headers=HEADERS | later,
    )  # fmt: skip


def _mine(found: Mine, code: str) -> Response[str]:
    text = pages.get_template("mine.html").render(
        title="What is yours", style=STYLE, mine=found, code=code, permissions=PERMISSIONS,
        scopes=SCOPES, states=STATES, usual=WithdrawalScope.NO_FURTHER_ACCESS,
        agreed=[each.permission for each in found.agreed if each.state in STILL],
    )  # fmt: skip
    return Response(text, media_type="text/html", headers=HEADERS)


def _page(
    status: int = 200,
    given: Mapping[str, Any] | None = None,
    faults: list[str] | None = None,
    *,
    done: list[str] | None = None,
    code_unknown: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    nothing = {
        "code": "", "permissions": (), "scope": WithdrawalScope.NO_FURTHER_ACCESS, "words": "",
    }  # fmt: skip
    text = pages.get_template("withdraw.html").render(
        title=DONE if done else TITLE, style=STYLE, done=done, faults=faults,
        code_unknown=code_unknown, permissions=PERMISSIONS, scopes=SCOPES,
        given=nothing | dict(given or {}),
    )  # fmt: skip
    return Response(
        text, status_code=status, media_type="text/html", headers=HEADERS | dict(headers or {})
    )
