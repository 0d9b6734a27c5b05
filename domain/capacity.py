"""Capacity: whether somebody can decide for themselves, and who is asked where they cannot."""

from enum import StrEnum


class Capacity(StrEnum):
    """Whether somebody could decide for themselves (Mental Capacity Act 2005 ss. 2-3)."""

    HAS_CAPACITY = "has_capacity"
    LACKS_CAPACITY = "lacks_capacity"
    CHILD = "child"  # too young to consent alone


class ConsultedAs(StrEnum):
    """In which role somebody else was asked: a consultee (MCA 2005 s. 32) or for a child."""

    PERSONAL_CONSULTEE = "personal_consultee"
    NOMINATED_CONSULTEE = "nominated_consultee"
    PARENT = "parent"
    GUARDIAN = "guardian"


# Who can be asked in the place of somebody who cannot consent alone.
MAY_BE_CONSULTED = {
    Capacity.LACKS_CAPACITY: (ConsultedAs.PERSONAL_CONSULTEE, ConsultedAs.NOMINATED_CONSULTEE),
    Capacity.CHILD: (ConsultedAs.PARENT, ConsultedAs.GUARDIAN),
}
