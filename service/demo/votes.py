"""The three votes, one in each cycle: put, marked on paper by most, closed and declared."""

from domain.ballots import (
    BallotCast,
    BallotClosed,
    BallotMethod,
    BallotOpened,
    BallotOption,
    BallotRules,
    Belonging,
    Choice,
    ResultDeclared,
    Secrecy,
)
from domain.vocabulary import Channel
from service.demo.participants import PEOPLE
from service.demo.telling import Told

EVENINGS_PUT = Told("2024-12-10 18:40", "ada", BallotOpened(
    ballot="b-evenings", cycle="evenings", title="What shall we work on first?",
    method=BallotMethod.APPROVAL, places=2, rules=BallotRules(max_choices=2),
    constituencies=("ages",),
    options=(
        BallotOption(option="warm", title="Warm evenings", priority="warm-evenings"),
        BallotOption(option="listen", title="Neighbours who listen", priority="listeners"),
        BallotOption(option="repair", title="Repair night", priority="repair-night"),
        BallotOption(option="bus", title="The last bus", priority="last-bus"),
    )))  # fmt: skip
EVENINGS_PAPERS = {
    1: "warm listen", 2: "warm listen", 5: "warm repair", 9: "repair warm", 10: "repair warm",
    11: "repair bus", 16: "listen warm", 17: "listen", 19: "listen warm", 24: "bus listen",
    25: "bus warm", 32: "listen warm",
}  # fmt: skip

WAITING_PUT = Told("2025-07-15 18:30", "ada", BallotOpened(
    ballot="b-waiting", cycle="waiting", title="Ten dots: what would make the wait bearable?",
    method=BallotMethod.CUMULATIVE, places=2,
    rules=BallotRules(max_points=10, max_points_per_option=6), constituencies=("ages",),
    options=(
        BallotOption(option="forms", title="Help with the forms", priority="form-table"),
        BallotOption(option="card", title="A card that says what happens next",
                     priority="waiting-card"),
        BallotOption(option="quiet", title="A quiet room for under-25s", priority="quiet-room"),
        BallotOption(option="grow", title="A plot while you wait", priority="plot-while-waiting"),
    )))  # fmt: skip
WAITING_PAPERS = {
    1: "forms:5 card:3 grow:2", 2: "card:6 forms:4", 3: "forms:6 card:2 grow:2",
    6: "forms:4 card:4 quiet:2", 9: "forms:6 grow:4", 16: "forms:6 card:4", 21: "card:6 forms:4",
    24: "quiet:6 card:4", 25: "quiet:6 forms:2 grow:2", 26: "quiet:6 card:4",
    27: "quiet:6 grow:4", 28: "quiet:6 card:2 forms:2",
}  # fmt: skip

CO_OP_PUT = Told("2026-04-21 18:30", "cora", BallotOpened(
    ballot="b-co-op", cycle="co-op", title="What should the co-operative be for, first of all?",
    method=BallotMethod.RANKING, places=2, secrecy=Secrecy.OPEN,
    rules=BallotRules(min_choices=1, points_by_rank=(3, 2, 1)), constituencies=("ages",),
    options=(
        BallotOption(option="wages", title="Pay people who have worked for nothing",
                     priority="fair-wages"),
        BallotOption(option="doors", title="Keep the doors open every evening",
                     priority="open-doors"),
        BallotOption(option="contract", title="Be paid by the health service for the waiting list",
                     priority="nhs-contract"),
        BallotOption(option="bus", title="Our own minibus home", priority="minibus"),
    )))  # fmt: skip
CO_OP_PAPERS = {
    2: "doors wages contract", 4: "doors wages", 8: "doors bus wages", 10: "doors contract wages",
    14: "wages contract doors", 16: "wages doors contract", 21: "contract wages doors",
    24: "bus wages doors", 27: "bus doors wages", 29: "bus doors wages",
    32: "doors wages contract", 36: "wages doors bus",
}  # fmt: skip

AGES = {person.participant: person.ages for person in PEOPLE}


def _paper(ballot: str, voter: str, marked: str, *, on_paper: bool) -> BallotCast:
    """A paper from what was marked on it: "warm listen", or with dots, "forms:5 card:3"."""
    choices = []
    for mark in marked.split():
        option, _, dots = mark.partition(":")
        choices.append(Choice(option=option, points=int(dots) if dots else None))
    return BallotCast(
        ballot=ballot, voter=voter, choices=tuple(choices), on_paper=on_paper,
        constituencies=(Belonging(kind="ages", value=AGES[voter]),),
    )  # fmt: skip


def _typed_in(ballot: str, evening: str, by: str, papers: dict[int, str]) -> list[Told]:
    """The evening's papers, typed in one a minute by whoever kept the box."""
    return [
        Told(
            f"{evening}:{minute:02}", by,
            _paper(ballot, f"P-{number:02}", marked, on_paper=True), channel=Channel.FIELD_FORM,
        )
        for minute, (number, marked) in enumerate(papers.items(), start=2)
    ]  # fmt: skip


VOTES = (
    EVENINGS_PUT,
    *_typed_in("b-evenings", "2024-12-10 19", "fay", EVENINGS_PAPERS),
    Told("2024-12-10 20:45", "pia", _paper("b-evenings", "P-07", "warm listen", on_paper=False)),
    Told("2024-12-13 12:00", "ada", BallotClosed(ballot="b-evenings")),
    Told("2024-12-13 12:05", "ada", ResultDeclared(ballot="b-evenings")),
    WAITING_PUT,
    *_typed_in("b-waiting", "2025-07-15 19", "gus", WAITING_PAPERS),
    Told("2025-07-16 21:15", "pia",
         _paper("b-waiting", "P-07", "card:4 forms:4 quiet:2", on_paper=False)),
    Told("2025-07-18 12:00", "ben", BallotClosed(ballot="b-waiting")),
    Told("2025-07-18 12:10", "ben", ResultDeclared(ballot="b-waiting")),
    CO_OP_PUT,
    *_typed_in("b-co-op", "2026-04-21 19", "dev", CO_OP_PAPERS),
    Told("2026-04-22 20:50", "pia", _paper("b-co-op", "P-07", "doors wages bus", on_paper=False)),
    Told("2026-04-24 12:00", "cora", BallotClosed(ballot="b-co-op")),
    Told("2026-04-24 12:05", "cora", ResultDeclared(ballot="b-co-op")),
)  # fmt: skip
