"""A study for the committee's desk: something clear, something late, a clock that ran out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from service.migrate_schema import OWNER_ROLE, SERVICE_ROLE
from tests.conftest import Database, create_database, drop_database, url_of
from tests.serving import Person, Service, prepare, serving


@contextmanager
def desk(server: str, template: str) -> Iterator[Service]:
    """The service on a database of its own, which a whole module of tests may share."""
    name = f"test_{uuid4().hex}"
    asyncio.run(create_database(server, name, template))
    try:
        with serving(
            Database(url_of(server, name, OWNER_ROLE), url_of(server, name, SERVICE_ROLE))
        ) as service:
            ana = service.as_("ana")
            last = told(ana)
            assert ana.http.get("/s/maize", params={"at_least": last}).status_code == 200
            yield service
    finally:
        asyncio.run(drop_database(server, name))


def told(ana: Person) -> int:
    """A small study in which p-2 withdrew, and harm was not reported in time."""
    prepare(ana)
    for member, role in (("rev", "ETHICS_REVIEWER"), ("vic", "VIEWER")):
        ana.record("joinMember", "2026-01-09T09:00Z", member=member, role=role)
    ana.record("joinMember", "2026-01-09T09:00Z", member="pat", role="PARTICIPANT",
               participant="p-1")  # fmt: skip
    ana.record("holdWorkshop", "2026-01-12T10:00+02:00", workshop="w-1", cycle="c-1",
               phase="PLAN", participants=["p-1", "p-2"], groups=["A"],
               notes="They spoke of the dry months.")  # fmt: skip
    ana.record("reportAdverseEvent", "2026-01-13T10:00Z", adverseEvent="ae-1", serious=True,
               related=True, unexpected=True, awareAt="2026-01-13T10:00Z",
               participants=["p-2"], what="A fall by the well.")  # fmt: skip
    return ana.record("withdrawConsent", "2026-01-20T10:00Z", participant="p-2",
                      words="I have had enough.")  # fmt: skip
