"""A visit to a page of a study: who came, what they may see there, and how it answers them.

Pages ask the registers' own questions under the same roles as GraphQL, and what is read of personal
data goes on record in the same way: nobody sees more on a page than by a query.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import structlog
from asyncpg import InterfaceError, PostgresError
from graphql import GraphQLError
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import HTTPRouteHandler

from domain.membership import MAY, Duty, Role
from domain.vocabulary import Personal, marked
from projections.following import POSITIONS, borrowed
from projections.paging import Window
from projections.study_register import Study
from projections.study_register import study as study_of
from service.appends import RecordUnavailable
from service.asking import Asker
from service.database import UNREACHABLE
from service.graphql_queries import note_reading
from service.graphql_types import personal_text
from service.logs import places
from service.pages.answers import Answers
from service.pages.navigation import NAVIGATION
from service.pages.rendering import rendered
from service.sealing.tree_on_record import Sealed, latest

log = structlog.get_logger(__name__)

Answer = Callable[["Visit"], Awaitable[Response[Any]]]
AWAY = (RecordUnavailable, PostgresError, InterfaceError, *UNREACHABLE)
BODY_BYTES = 1_000_000
STATUS = {"STUDY_UNKNOWN": 404, "ROLE_INSUFFICIENT": 403, "NOT_THERE_YET": 503}
HEADINGS = {
    401: "Please sign in",
    403: "This page is not for your role",
    404: "There is no such page",
    500: "Something went wrong here",
    503: "Not just now",
}


@dataclass
class Visit:
    """Somebody with a role in a study, who asks for one of its pages."""

    request: Request[Any, Any, Any]
    asker: Asker
    study: Study
    role: Role
    positions: dict[str, int]  # what each register has taken in when the page is put together
    seal: Sealed | None  # the latest signed checkpoint of the record

    @property
    def position(self) -> int:
        """Everything up to here is on the page; what comes later, its stream tells."""
        return self.positions.get("activity_feed", 0)

    @property
    def parameters(self) -> dict[str, str]:
        """What the address asks for after its `?`."""
        return dict(self.request.query_params.items())

    def may(self, duty: Duty) -> bool:
        """Whether the visitor's role has this duty."""
        return self.role in MAY[duty]

    async def ask(self, question: Callable[..., Awaitable[Any]], **given: Any) -> Any:
        """What a register answers about the study; raises GraphQLError for another's duty.

        A question of pages is asked with its `window`; left out, it is the first page.
        """
        module = sys.modules[question.__module__]
        study, register = self.study.study, question.__module__.rpartition(".")[2]
        self.asker.allow(study, getattr(module, "READ_BY", Duty.READ))
        await self.asker.wait_for(register, study)

        async def asked() -> Any:
            async with borrowed(self.asker.registers) as db:
                return await question(db, study, **given)

        key = (register, question.__name__, *sorted(given.items()))
        answer = await self.shared(register, key, asked)
        note_reading(self.asker, study, getattr(module, "READING", None), answer)
        return answer

    async def shared(
        self, register: str, key: tuple[object, ...], make: Callable[[], Awaitable[Any]]
    ) -> Any:
        """What is made of a register's rows, for everybody who asks for the same."""
        wanted = self.asker.at_least.get(self.study.study, 0)
        position = max(self.positions.get(register, 0), wanted)
        answers: Answers = self.request.app.state.service.answers
        today = datetime.now(UTC).date()
        return await answers.of((self.study.study, today, *key), position, make, exact=wanted > 0)

    async def personal(self, row: Any, name: str) -> str | None:
        """A personal text of a register's row, for those who may read it; that goes on record."""
        mark = marked(get_type_hints(type(row), include_extras=True)[name], Personal)
        if mark is None:
            raise TypeError(f"{type(row).__name__}.{name} is no personal field")
        text = await personal_text(self.asker, row, name, mark)
        return None if text is None else str(text)

    def shows(
        self, template: str, *, title: str, status: int = 200, **context: Any
    ) -> Response[Any]:
        """The page that a template makes of this."""
        links = [
            (f"/s/{self.study.study}{each.path}", each.words)
            for each in NAVIGATION
            if self.may(each.duty)
        ]
        return rendered(
            self.request, template, status, title=title, visit=self, study=self.study,
            member=self.asker.member, role=self.role, navigation=links, position=self.position,
            frame_seal=self.seal, frame_unsealed=self._refusal(),
            frame_altered=self._faults(), **context,
        )  # fmt: skip

    def _refusal(self) -> str | None:
        """Why the record is not sealed any more, where this process has refused to."""
        refusals = self.asker.seal.refusals()
        return next((e["message"] for e in refusals if e["study"] == self.study.study), None)

    def _faults(self) -> list[str]:
        """What of the record is not as it was sealed, where this process re-reads it."""
        faults = self.asker.seal.faults()
        return [each["message"] for each in faults if each["study"] == self.study.study]


def study_page(path: str) -> Callable[[Answer], HTTPRouteHandler]:
    """A page at /s/STUDY and this path, answered by a function of the visit."""

    def page(answer: Answer) -> HTTPRouteHandler:
        @get(f"/s/{{study:str}}{path}", include_in_schema=False)
        async def handler(request: Request[Any, Any, Any]) -> Response[Any]:
            return await visited(request, answer)

        return handler

    return page


def study_form(path: str) -> Callable[[Answer], HTTPRouteHandler]:
    """Where a form of a page at /s/STUDY is sent to; what another site's page sends is refused."""

    def form(answer: Answer) -> HTTPRouteHandler:
        @post(
            f"/s/{{study:str}}{path}", include_in_schema=False, status_code=200,
            request_max_body_size=BODY_BYTES,
        )  # fmt: skip
        async def handler(request: Request[Any, Any, Any]) -> Response[Any]:
            if not of_this_host(request):
                return faulty(request, 403, "This form was sent from another site.")
            return await visited(request, answer)

        return handler

    return form


def of_this_host(request: Request[Any, Any, Any]) -> bool:
    """Whether a form comes from a page of ours: browsers say where it was filled in."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def visited(request: Request[Any, Any, Any], answer: Answer) -> Response[Any]:
    """The page for whoever comes; what keeps them from it is said on a page as well."""
    try:
        visit = await _visit(request)
        return await answer(visit)
    except NotAuthorizedException:
        return faulty(request, 401, "You are not signed in, or your session has ended.")
    except HTTPException as fault:
        return faulty(request, fault.status_code, fault.detail)
    except GraphQLError as fault:
        code = str((fault.extensions or {}).get("code", ""))
        return faulty(request, STATUS.get(code, 400), fault.message)
    except AWAY:
        return faulty(
            request, 503, "The study's record cannot be reached. Nothing is lost: try again soon."
        )
    except Exception as fault:
        log.error("page_failed", raised=places(fault))
        return faulty(
            request, 500,
            "The fault is ours, and it is in the service's log. Nothing you recorded is lost.",
        )  # fmt: skip


async def _visit(request: Request[Any, Any, Any]) -> Visit:
    asker: Asker = await request.app.state.asker(request)
    study = str(request.path_params["study"])
    await asker.require(study, Duty.READ)
    at_least = request.query_params.get("at_least", "")
    read = at_least.isascii() and at_least.isdigit() and len(at_least) < 19
    asker.wants(study, int(at_least) if read else None)
    await asker.wait_for("study_register", study)
    async with borrowed(asker.registers) as db:
        rows = await db.fetch(POSITIONS, study)
        found = await study_of(db, study)
    async with borrowed(asker.seal.pool) as db:
        seal = await latest(db, study)
    positions = {each["register"]: each["position"] for each in rows}
    role = asker.roles[study]
    if found is None or role is None:  # it was opened a moment ago
        raise GraphQLError(
            "The study is being opened: ask again.", extensions={"code": "NOT_THERE_YET"}
        )
    return Visit(request, asker, found, role, positions, seal)


def faulty(request: Request[Any, Any, Any], status: int, message: str) -> Response[Any]:
    """A page that says what is wrong, and what to do next."""
    headers = {"retry-after": "5"} if status == 503 else {}
    heading = HEADINGS.get(status, "Something is not right")
    template = "sign_in.html" if status == 401 else "fault.html"
    return rendered(request, template, status, headers, title=heading, message=message)


def fault_page(request: Request[Any, Any, Any], fault: HTTPException) -> Response[Any]:
    """An error of the whole application: a page for browsers, for programs as it was."""
    wanted = request.headers.get("accept", "")
    if "text/html" in wanted and not request.url.path.startswith("/graphql"):
        unknown = "Check the address, or begin at your studies."
        message = unknown if fault.status_code == 404 else fault.detail
        return faulty(request, fault.status_code, message)
    content = {"status_code": fault.status_code, "detail": fault.detail}
    return Response(content, status_code=fault.status_code, headers=fault.headers)


def first(size: int) -> Window:
    """The first so many rows of a list."""
    return Window(first=size)
