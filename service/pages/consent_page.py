"""Consent: who allows what today, who took something back, and what becomes of what is held."""

from typing import Any

from litestar import Response
from litestar.response import Redirect

from domain.consent_states import ConsentState
from domain.permissions import Permission
from projections.consent_standing import consent_standings, consent_summary
from projections.paging import Window
from projections.participation import participant, participants
from projections.withdrawals import DispositionState, dispositions, withdrawals
from service.pages.moments import Address
from service.pages.visits import Visit, first, study_page

PAGE, SHOWN = 50, 30
NOT_SETTLED = (DispositionState.OPEN, DispositionState.PLANNED)


@study_page("/consent")
async def consent(visit: Visit) -> Response[Any]:
    """Everyone's permissions as they stand today."""
    address = Address.of(visit)
    sought = address.text("participant")
    if sought and await visit.ask(participant, participant=sought):
        return Redirect(f"/s/{visit.study.study}/p/{sought}", status_code=303)
    window = Window(first=PAGE, after=address.number("after"))
    people = await visit.ask(participants, window=window, group=address.text("group"))
    names = tuple(each.participant for each in people.rows)
    stand: dict[str, dict[Permission, Any]] = {name: {} for name in names}
    for each in await visit.ask(consent_standings, participants=names):
        stand[each.participant][each.permission] = each
    counted = await visit.ask(consent_summary)
    asked = {each.permission for each in counted}
    held = [
        each
        for state in NOT_SETTLED
        for each in (await visit.ask(dispositions, window=first(SHOWN), state=state)).rows
    ]
    return visit.shows(
        "consent.html", title="Consent", people=people.rows, stand=stand,
        permissions=[each for each in Permission if each in asked],
        given={each.permission: each.participants for each in counted
               if each.state is ConsentState.GIVEN},
        address=address, unknown=sought,
        older=people.rows[-1].position if people.rows and people.has_next else None,
        withdrawals=(await visit.ask(withdrawals, window=Window(last=SHOWN))).rows[::-1],
        held=held,
    )  # fmt: skip
