"""Where a permission stands: nine states, and what each event about consent does to them.

Each event class says which states it turns into which (`TURNS`); a state that it does not name
stays as it is. What happened counts in the field's time, and in the record's order at one moment.
"""

from enum import StrEnum


class ConsentState(StrEnum):
    """Where a participant's permission stands.

    `reconsent_required` blocks new captures, not what is held; `suspended` is for the time in which
    somebody cannot decide for themselves. Withdrawn comes back only by a fresh form.
    """

    NOT_ASKED = "not_asked"
    REQUESTED = "requested"
    GIVEN = "given"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    RECONSENT_REQUIRED = "reconsent_required"
    SUSPENDED = "suspended"
