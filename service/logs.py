"""Logs: structlog, one line a happening, one request id from HTTP to append to projection.

No personal data goes into a log line: lines carry pseudonyms, positions, counts and codes, and the
text of an unexpected error is left out in favour of its type and place.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from secrets import token_hex
from time import perf_counter
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, bound_contextvars, reset_contextvars

REQUEST_ID = re.compile(rb"\A[A-Za-z0-9._-]{8,64}\Z")

log = structlog.get_logger(__name__)


def configure(format_: str, level: str) -> None:
    """Write to standard error, as JSON or for people; libraries' lines take the same way."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_message,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if format_ == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def without_message(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as its types and places; its message may quote what somebody wrote."""
    # Libraries quote the exception itself on further lines: asyncio what was never awaited, say.
    line["event"] = str(line.get("event", "")).partition("\n")[0]
    given = line.pop("exc_info", None)
    if given:
        error = sys.exc_info()[1] if given is True else given[1] if type(given) is tuple else given
        line["raised"] = places(error) if isinstance(error, BaseException) else None
    return line


def places(error: BaseException) -> list[str]:
    """The type of the error, and the places it came through, innermost last."""
    found, trace = [type(error).__name__], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found


def with_request_id(app: ASGIApp) -> ASGIApp:
    """Give every request an id, the caller's if it brings one, and write a line when it is done."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            with bound_contextvars(request_id=token_hex(16)):
                await app(scope, receive, send)
            return
        brought = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = brought.decode() if REQUEST_ID.match(brought) else token_hex(16)
        status, began = 0, perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                message["headers"] = headers
            await send(message)

        bound = bind_contextvars(request_id=request_id)
        try:
            await app(scope, receive, send_with_id)
        finally:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path_template"],  # as it is declared: sign-in codes stay out
                status=status,
                ms=round((perf_counter() - began) * 1000, 1),
            )
            reset_contextvars(**bound)

    return answer
