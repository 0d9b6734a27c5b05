"""Verify: a bundle is dropped here, and the service runs verify.py on it, in verify.py's own words.

The file is looked at in a process of its own, within limits of size, time and memory, and is not
kept. To trust a server's word about its own record is second best, so the page says how to run the
same file oneself.
"""

import asyncio
import base64
import sys
import tempfile
import zipfile
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.exceptions import NotAuthorizedException

from service.pages.rendering import rendered
from service.pages.visits import faulty, of_this_host
from service.sealing import verify as verify_file
from service.sealing import verify_apart
from service.sealing.verify_apart import SECONDS

VERIFY = Path(verify_file.__file__)
APART = Path(verify_apart.__file__)
PROGRAM = VERIFY.read_bytes()
DIGEST = sha256(PROGRAM).hexdigest()
BUNDLE_BYTES = 256_000_000
TEXT_BYTES = 100_000  # of a policy file, and of a checkpoint
PATIENCE = 2.0 * SECONDS  # seconds by the wall clock, on a machine that is busy
PIECE = 1 << 20
AT_ONCE = asyncio.Semaphore(2)  # bundles looked at side by side
SAID_BYTES = 200_000
FULL = "Other bundles are being verified just now. Send yours again in a minute."


class Held(StrEnum):
    """Whether a bundle holds."""

    ALL = "all"
    NOT = "not"
    UNKNOWN = "unknown"


HEADINGS = {
    Held.ALL: "All of this bundle holds",
    Held.NOT: "This bundle does not hold",
    Held.UNKNOWN: "Whether this bundle holds cannot be told",
}


@dataclass(frozen=True)
class Verified:
    """What verify.py said of a bundle."""

    held: Held
    said: str
    checkpoint: str | None = None  # of a bundle that holds: a link to keep it by

    @property
    def heading(self) -> str:
        return HEADINGS[self.held]


@get("/verify", include_in_schema=False)
async def verify_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Where a bundle is dropped; anybody may read how to verify one."""
    return await _page(request)


@get("/verify.py", include_in_schema=False, sync_to_thread=False)
def verify_py() -> Response[bytes]:
    """The file that verifies bundles, to be kept and run elsewhere."""
    headers = {
        "content-disposition": 'attachment; filename="verify.py"',
        "x-content-type-options": "nosniff",
    }
    return Response(PROGRAM, media_type="text/x-python", headers=headers)


@post(
    "/verify", include_in_schema=False, status_code=200,
    request_max_body_size=BUNDLE_BYTES + 3 * TEXT_BYTES,
)  # fmt: skip
async def verify_sent(request: Request[Any, Any, Any]) -> Response[Any]:
    """Verify the bundle that was sent, for a member of any study."""
    if not of_this_host(request):
        return faulty(request, 403, "This form was sent from another site.")
    try:
        await request.app.state.asker(request)
    except NotAuthorizedException:
        return faulty(request, 401, "Sign in to have a bundle verified here; or run verify.py.")
    if AT_ONCE.locked():
        return await _page(request, 503, fault=FULL)
    async with AT_ONCE:
        form = await request.form()
        bundle, policy = form.get("bundle"), await _text(form.get("policy"))
        policy = policy or str(form.get("policy_text", "")).encode()
        if not isinstance(bundle, UploadFile) or not bundle.filename or not policy.strip():
            fault = "Give the bundle, and your own policy file: both are needed."
            return await _page(request, 422, fault=fault)
        accepted = await _text(form.get("accepted"))
        with tempfile.TemporaryDirectory(prefix="parcycle-verify-") as folder:
            found = await _verified(Path(folder), bundle, policy, accepted)
    return await _page(request, verified=found, name=bundle.filename, compared=bool(accepted))


async def _verified(
    folder: Path, bundle: UploadFile, policy: bytes, accepted: bytes | None
) -> Verified:
    """What verify.py says, run in that folder, which is gone afterwards."""
    kept, rules, last = folder / "bundle.zip", folder / "policy", folder / "accepted"
    with kept.open("wb") as file:
        while piece := await bundle.read(PIECE):
            await asyncio.to_thread(file.write, piece)
    rules.write_bytes(policy)
    asked = [str(rules), str(kept)]
    if accepted:
        last.write_bytes(accepted)
        asked += ["--accepted", str(last)]
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(APART), *asked, stdout=PIPE, stderr=STDOUT, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            out, _ = await run.communicate()
    except TimeoutError:
        run.kill()
        await run.wait()
        out = b""
    said = out[:SAID_BYTES].decode("utf-8", "replace").replace(f"{folder}/", "").strip()
    if run.returncode == 0:
        return Verified(Held.ALL, said, await asyncio.to_thread(_checkpoint, kept))
    if run.returncode == 1 and "Traceback" not in said:
        return Verified(Held.NOT, said)
    if run.returncode == 2:
        return Verified(Held.UNKNOWN, said)
    return Verified(
        Held.UNKNOWN,
        f"It took more than is allowed here: {SECONDS} seconds, or too much memory. "
        "Run verify.py yourself.",
    )


def _checkpoint(bundle: Path) -> str:
    """The checkpoint of a bundle that holds, as a link that keeps it."""
    with zipfile.ZipFile(bundle) as archive:
        return f"data:text/plain;base64,{base64.b64encode(archive.read('checkpoint')).decode()}"


async def _text(sent: Any) -> bytes | None:
    """A small file that was sent, or None."""
    if not isinstance(sent, UploadFile) or not sent.filename:
        return None
    return await sent.read(TEXT_BYTES)


async def _page(
    request: Request[Any, Any, Any],
    status: int = 200,
    *,
    verified: Verified | None = None,
    name: str = "",
    compared: bool = False,
    fault: str = "",
) -> Response[Any]:
    try:
        member = (await request.app.state.asker(request)).member
    except NotAuthorizedException:
        member = ""
    headers = {"retry-after": "60"} if status == 503 else {}
    return rendered(
        request, "verify.html", status, headers, title="Verify a bundle", member=member,
        verified=verified, name=name, compared=compared, fault=fault,
        digest=DIGEST, most=BUNDLE_BYTES // 1_000_000,
    )  # fmt: skip
