"""Progress: the study as a picture, and where it stands."""

from typing import Any

from litestar import Response

from projections.activity_feed import activity_feed
from service.pages.visits import Visit, first, study_page


@study_page("")
async def progress(visit: Visit) -> Response[Any]:
    """The progress of a study."""
    latest = await visit.ask(activity_feed, window=first(6))
    return visit.shows("progress.html", title=visit.study.title, latest=latest.rows)
