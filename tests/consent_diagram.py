"""Draws deploy/consent.md from the code: `python -m tests.consent_diagram` writes it anew.

The words of the page are written by hand; what stands between the marks comes from the code.
"""

import re
from datetime import UTC, date, datetime
from pathlib import Path

from domain.consent_states import (
    FORM,
    ConsentState,
    Standing,
    Turn,
    state_after,
    turns,
)

PAGE = Path(__file__).parents[1] / "deploy" / "consent.md"
MOMENT, DAY, LATER = datetime(2026, 3, 1, tzinfo=UTC), date(2026, 3, 1), date(2026, 3, 2)
# Open from nearly every state: told in a note, as arrows from everywhere would hide the others.
WAYS_OUT = ("ConsentWithdrawn", "ConsentDeclined")


def led_to(state: ConsentState, act: str, signed_on: date | None = DAY) -> ConsentState | None:
    """The other state to which an event leads from this one, if it does."""
    found = state_after(state, Turn(MOMENT, 1, act, signed_on), DAY)
    return None if found is state else found


def expires_by_itself(state: ConsentState) -> bool:
    form = Turn(MOMENT, 1, FORM, DAY, DAY)
    return Standing(state, form, form).on(LATER).state is not state


def arrows() -> list[str]:
    labels: dict[tuple[ConsentState, ConsentState], list[str]] = {}
    for state in ConsentState:
        for act in sorted(turns().keys() - set(WAYS_OUT)):
            if target := led_to(state, act):
                fresh = act == FORM and led_to(state, act, None) is None
                label = f"{act} by a fresh form" if fresh else act
                labels.setdefault((state, target), []).append(label)
        if expires_by_itself(state):
            by_itself = "its last day is over"
            labels.setdefault((state, ConsentState.EXPIRED), []).append(by_itself)
    return [f"{a.value} --> {b.value}: {' / '.join(acts)}" for (a, b), acts in labels.items()]


def notes() -> list[str]:
    told = []
    for act in WAYS_OUT:
        (target,) = {led_to(state, act) for state in ConsentState} - {None}
        others = [s.value for s in ConsentState if s is not target and led_to(s, act) is None]
        but = f" but {', '.join(others)}" if others else ""
        told.append(f"note right of {target}: {act} leads here from every state{but}")
    return told


def diagram() -> str:
    lines = [f"[*] --> {ConsentState.NOT_ASKED.value}", *arrows(), *notes()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"])


def table() -> str:
    """What becomes of each state by each event; an empty cell: it stays."""
    acts = sorted(turns())
    rows = [["state", *acts], ["---"] * (len(acts) + 1)]
    for state in ConsentState:
        rows.append([state.value, *(_cell(state, act) for act in acts)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(state: ConsentState, act: str) -> str:
    target = led_to(state, act)
    if target is None:
        return ""
    fresh = act == FORM and led_to(state, act, None) is None
    return f"{target.value} (fresh form)" if fresh else target.value


def drawn(page: str) -> str:
    """The page with what comes from the code in its places."""
    for name, text in (("diagram", diagram()), ("table", table())):
        begin, end = f"<!-- {name}: from the code -->", f"<!-- end of {name} -->"
        between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        page, found = between.subn(f"{begin}\n{text}\n{end}", page)
        assert found == 1, f"{PAGE.name} has no place for the {name}, or two"
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")
