"""The pages: what people look at in a browser, rendered here and read without scripts.

To add a page, write three things and list it once:

1. a module here with its handlers: `@study_page("/consent")` above an async function that takes a
   `Visit`, asks registers by `visit.ask(question, ...)` (the roles and the readings on record are
   GraphQL's own) and answers with `visit.shows("consent.html", title=..., ...)`; a form's handler
   has `@study_form("/consent")`;
2. a template in `templates/` that extends `layout.html`; no inline script or style passes the
   Content-Security-Policy. Scripts are ES modules in `static/`, named by `asset("name.js")`;
3. its line in `navigation.py`, if it belongs in the navigation;

then its handlers in `page_routes` below. Colours, cards, tables and forms are in `static/page.css`;
tests of a page in a browser begin with `tests/browsing.py`.
"""

from collections.abc import Sequence

from litestar.handlers import HTTPRouteHandler

from service.identity import DemoIssuer
from service.pages.cycle import cycle_page
from service.pages.desk import DESK
from service.pages.doors import door_routes
from service.pages.live import live
from service.pages.log import log, log_form, log_sent
from service.pages.offline import manifest, worker
from service.pages.papers import paper_sent, papers
from service.pages.progress import progress
from service.pages.static_files import static_file

__all__ = ["page_routes"]


def page_routes(demo: DemoIssuer | None) -> Sequence[HTTPRouteHandler]:
    """Serves every page, and what they are made of."""
    reading = [progress, cycle_page, *DESK]
    logging = [log, log_form, log_sent, papers, paper_sent, manifest, worker]
    return [*door_routes(demo), static_file, live, *reading, *logging]
