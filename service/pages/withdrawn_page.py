"""What whoever records a withdrawal is told, if their role may not see who allows what.

Anyone in a study may put a withdrawal on record; so they are told here that it is, or what keeps it
from being so. The page says what they sent, and nothing else that is known of anybody.
"""

from typing import Any

from litestar import Response

from domain.membership import Role
from domain.withdrawal import WithdrawalScope
from service.pages.recording import Filled
from service.pages.visits import Visit
from service.research_record import Recorded
from service.withdrawal_in_words import PERMISSIONS, SCOPES

# What is said to the participant, said of them.
THEIRS = {
    each: words.replace("your", "their").replace("of you", "of them").replace("you", "they")
    for each, words in PERMISSIONS.items()
}
REACHES = {
    each: words.replace(" me", " them").replace("you already have", "is held already")
    for each, words in SCOPES.items()
}


def withdrawn(
    visit: Visit, participant: str, form: Filled, recorded: Recorded | None
) -> Response[Any]:
    """That it is on record, with what was taken back; or the form once more, with its faults."""
    own = visit.role is Role.PARTICIPANT
    return visit.shows(
        "withdrawn.html", title="Withdrawn" if recorded else "Not withdrawn yet",
        status=200 if recorded else 422, participant=participant, own=own, form=form,
        recorded=recorded, permissions=PERMISSIONS if own else THEIRS,
        scopes=SCOPES if own else REACHES, usual_scope=WithdrawalScope.NO_FURTHER_ACCESS,
    )  # fmt: skip
