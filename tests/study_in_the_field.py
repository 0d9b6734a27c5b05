"""A study in which everything needed for fieldwork stands: the beginning of many stories."""

from datetime import date

from domain.consent import ConsentGiven
from domain.cycles import CycleOpened
from domain.ethics import Activity, OpinionGiven, Outcome
from domain.membership import MemberJoined, Role
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.planning import ActionOwner, ActionPlanned
from domain.vocabulary import ResearchEvent

opinion = OpinionGiven(  # position 2
    opinion="rec-1",
    committee="University research ethics committee",
    outcome=Outcome.FAVOURABLE,
    activities=tuple(Activity),
    valid_from=date(2026, 1, 1),
    valid_to=date(2026, 12, 31),
)
cycle = CycleOpened(cycle="c-1", title="First turn", question="What matters here?")
pat = MemberJoined(member="pat", role=Role.PARTICIPANT, participant="p-1")  # position 4
vic = MemberJoined(member="vic", role=Role.VIEWER)
planned = ActionPlanned(
    action="a-1", cycle="c-1", title="Open the hall", owner=ActionOwner(member="ana")
)


def agreed(participant: str, *permissions: Permission) -> list[ResearchEvent]:
    """Somebody takes part and agreed to these permissions, or to all."""
    allowed = permissions or tuple(Permission)
    return [
        ParticipantEnrolled(participant=participant),
        ConsentGiven(participant=participant, permissions=allowed, form_version="1"),
    ]


# 1 opened, 2 opinion, 3 cycle, 4 pat, 5 vic, 6 action planned, 7 and 8 p-1, 9 and 10 p-2
ready: list[ResearchEvent] = [opinion, cycle, pat, vic, planned, *agreed("p-1"), *agreed("p-2")]
