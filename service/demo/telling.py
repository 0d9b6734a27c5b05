"""How the demo study is told: what happened, when, and which member put it on record."""

from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import NamedTuple

from domain.membership import Role
from domain.payments import Payment
from domain.vocabulary import Channel, Phase, ResearchEvent

STUDY = "liverpool"

# Who may sign in: the lead first. `gus`, a facilitator, has left the study and is not among them.
MEMBERS: tuple[tuple[str, Role, str], ...] = (
    ("ada", Role.LEAD_RESEARCHER, "the doctoral researcher who leads the study"),
    ("ben", Role.RESEARCHER, "research associate: interviews, transcripts, analysis"),
    ("cora", Role.CO_RESEARCHER, "community co-researcher from the kitchen in Toxteth"),
    ("dev", Role.CO_RESEARCHER, "community co-researcher from the repair shed in Birkenhead"),
    ("fay", Role.FACILITATOR, "facilitator: runs workshops in Bootle and Knowsley"),
    ("erin", Role.ETHICS_REVIEWER, "member of the university's research ethics committee"),
    ("sol", Role.DATA_STEWARD, "data steward: keeps what is held right and safe"),
    ("vera", Role.VIEWER, "from the trust that funds the study: reads, and records nothing"),
    ("pia", Role.PARTICIPANT, "participant P-07: votes, proposes and withdraws for herself"),
)


class Told(NamedTuple):
    """One thing that happened, in London's time: "2024-11-12 18:30"."""

    when: str
    by: str
    event: ResearchEvent
    phase: Phase | None = None
    entered: str | None = None  # when it was put on record, if that was much later
    reason: str | None = None
    on_behalf_of: str | None = None
    channel: Channel = Channel.API
    # what an audit's finding, or a disposition of what has no name of its own, points to: an event
    # by its type and what it is about, "ObservationMade session:o-03"
    rests_on: str | None = None


def london(when: str) -> datetime:
    """The moment with London's offset on that day.

    Summer time runs from the last Sunday of March to the last Sunday of October (Summer Time Act
    1972 as amended); worked out here, as not every machine has a time zone database.
    """
    local = datetime.fromisoformat(when)
    begins, ends = (_last_sunday(local.year, month) for month in (3, 10))
    hours = 1 if begins <= local < ends else 0
    return local.replace(tzinfo=timezone(timedelta(hours=hours)))


def recorded(told: Told) -> datetime:
    """When it was put on record in the story; the record's own clock says when it was loaded."""
    return london(told.entered or told.when)


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1)  # both months have 31 days
    return last - timedelta(days=(last.weekday() + 1) % 7)


def digest_of(media: str) -> str:
    """Stands for the SHA-256 of a file that does not exist: the demo has no recordings."""
    return sha256(f"made up: {media}".encode()).hexdigest()


def people(*numbers: int) -> tuple[str, ...]:
    """Participants by number: 7 is P-07."""
    return tuple(f"P-{number:02}" for number in numbers)


def vouchers(pounds: int, *numbers: int) -> tuple[Payment, ...]:
    """The same thank-you in vouchers for each of these participants."""
    return tuple(
        Payment(participant=participant, amount=pounds * 100, currency="GBP")
        for participant in people(*numbers)
    )
