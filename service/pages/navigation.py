"""The pages of a study that the navigation leads to, in its order."""

from typing import NamedTuple

from domain.membership import Duty


class Leads(NamedTuple):
    """A link to a page of the study; shown to those whose role has the duty."""

    path: str  # below /s/STUDY
    words: str
    duty: Duty


NAVIGATION = (
    Leads("", "Progress", Duty.READ),
    Leads("/log", "Log an action", Duty.READ),
    Leads("/consent", "Consent", Duty.AUDIT),
    Leads("/audit", "Audit", Duty.AUDIT),
)
