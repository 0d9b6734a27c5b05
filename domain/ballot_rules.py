"""The rules of the vote: which ballots and papers are sound, and how papers are counted.

Every rule is a function that says in a sentence what is broken, or nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from domain.ballots import (
    BallotCast,
    BallotMethod,
    BallotOpened,
    Choice,
    Electorate,
    OptionTally,
)


def _twice(names: Iterable[str]) -> str:
    return ", ".join(name for name, times in Counter(names).items() if times > 1)


def most_choices(ballot: BallotOpened) -> int:
    """How many options a paper may name."""
    rules = ballot.rules
    if ballot.method is BallotMethod.RANKING:
        return len(rules.points_by_rank)
    return len(ballot.options) if rules.max_choices is None else rules.max_choices


# A sound ballot -----------------------------------------------------------------------------------


def options_share_a_code(ballot: BallotOpened) -> str | None:
    twice = _twice(option.option for option in ballot.options)
    return f"Several options are called {twice}; give each its own code." if twice else None


def voters_listed(ballot: BallotOpened) -> str | None:
    if (ballot.electorate is Electorate.REGISTERED) == bool(ballot.voters):
        return None
    return "List the voters if the electorate is registered, and only then."


def points_by_rank_fit(ballot: BallotOpened) -> str | None:
    points = ballot.rules.points_by_rank
    if (ballot.method is BallotMethod.RANKING) != bool(points):
        return "Say what each rank is worth if the ballot is a ranking, and only then."
    if list(points) != sorted(points, reverse=True):
        return "A lower rank is worth more than a higher one; give the points from high to low."
    return None


def max_points_fit(ballot: BallotOpened) -> str | None:
    rules = ballot.rules
    cumulative = ballot.method is BallotMethod.CUMULATIVE
    if cumulative != (rules.max_points is not None):
        return "Say how many points a voter has if the ballot is cumulative, and only then."
    if rules.max_points_per_option is not None and not cumulative:
        return "Points per option are for cumulative ballots; leave maxPointsPerOption out."
    return None


def choices_fit(ballot: BallotOpened) -> str | None:
    rules, most = ballot.rules, most_choices(ballot)
    if ballot.method is BallotMethod.RANKING and rules.max_choices is not None:
        return "A ranking has as many choices as pointsByRank has ranks; leave maxChoices out."
    if not 1 <= most <= len(ballot.options) or rules.min_choices > most:
        return (
            f"A paper would name {rules.min_choices} to {most} of {len(ballot.options)} options; "
            "let minChoices be at most maxChoices, and that at most the number of options."
        )
    return None


def places_fit(ballot: BallotOpened) -> str | None:
    if ballot.places <= len(ballot.options):
        return None
    return f"{ballot.places} places cannot be filled from {len(ballot.options)} options."


def constituency_named_twice(ballot: BallotOpened) -> str | None:
    twice = _twice(ballot.constituencies)
    return f"Constituencies named twice: {twice}; name each once." if twice else None


BALLOT_RULES: Sequence[tuple[str, str, Callable[[BallotOpened], str | None]]] = (
    ("option_twice", "options", options_share_a_code),
    ("voters_needed", "voters", voters_listed),
    ("rules_inconsistent", "rules.pointsByRank", points_by_rank_fit),
    ("rules_inconsistent", "rules.maxPoints", max_points_fit),
    ("rules_inconsistent", "rules.minChoices", choices_fit),
    ("rules_inconsistent", "places", places_fit),
    ("constituency_twice", "constituencies", constituency_named_twice),
)


# A valid paper ------------------------------------------------------------------------------------


def not_in_electorate(ballot: BallotOpened, paper: BallotCast) -> str | None:
    match ballot.electorate:
        case Electorate.PARTICIPANTS if paper.voter not in ballot.participants:
            return f"{paper.voter} was not a participant when the ballot opened, so has no vote."
        case Electorate.REGISTERED if paper.voter not in ballot.voters:
            return f"{paper.voter} is not on the ballot's list of voters; check the code."
    return None


def option_unknown(ballot: BallotOpened, paper: BallotCast) -> str | None:
    on_ballot = {option.option for option in ballot.options}
    unknown = [choice.option for choice in paper.choices if choice.option not in on_ballot]
    if not unknown:
        return None
    return f"Not on this ballot: {', '.join(unknown)}; choose among its options."


def option_twice(ballot: BallotOpened, paper: BallotCast) -> str | None:
    twice = _twice(choice.option for choice in paper.choices)
    return f"Named twice on one paper: {twice}; name each option once." if twice else None


def ranks_wrong_number(ballot: BallotOpened, paper: BallotCast) -> str | None:
    least, most, named = ballot.rules.min_choices, most_choices(ballot), len(paper.choices)
    if ballot.method is not BallotMethod.RANKING or least <= named <= most:
        return None
    wanted = f"exactly {most}" if least == most else f"{least} to {most}"
    return f"The paper ranks {named} options; rank {wanted}."


def too_few_choices(ballot: BallotOpened, paper: BallotCast) -> str | None:
    least, named = ballot.rules.min_choices, len(paper.choices)
    if ballot.method is BallotMethod.RANKING or named >= least:
        return None
    return f"The paper names {named} options; name at least {least}."


def too_many_choices(ballot: BallotOpened, paper: BallotCast) -> str | None:
    most, named = most_choices(ballot), len(paper.choices)
    if ballot.method is BallotMethod.RANKING or named <= most:
        return None
    return f"The paper names {named} options; name at most {most}."


def points_missing(ballot: BallotOpened, paper: BallotCast) -> str | None:
    without = [choice.option for choice in paper.choices if choice.points is None]
    if ballot.method is not BallotMethod.CUMULATIVE or not without:
        return None
    return f"Say how many points go to {', '.join(without)}."


def points_unexpected(ballot: BallotOpened, paper: BallotCast) -> str | None:
    given = [choice.option for choice in paper.choices if choice.points is not None]
    if ballot.method is BallotMethod.CUMULATIVE or not given:
        return None
    return "This ballot has no points to share out; name the options only."


def too_many_points_on_option(ballot: BallotOpened, paper: BallotCast) -> str | None:
    most = ballot.rules.max_points_per_option
    over = [c.option for c in paper.choices if most is not None and (c.points or 0) > most]
    return f"More than {most} points on {', '.join(over)}; give at most {most}." if over else None


def too_many_points(ballot: BallotOpened, paper: BallotCast) -> str | None:
    most, given = ballot.rules.max_points, sum(choice.points or 0 for choice in paper.choices)
    if most is None or given <= most:
        return None
    return f"The paper shares out {given} points; share out at most {most}."


def constituency_unknown(ballot: BallotOpened, paper: BallotCast) -> str | None:
    kinds = [each.kind for each in paper.constituencies]
    unknown = [kind for kind in kinds if kind not in ballot.constituencies]
    if not unknown:
        return None
    asked = ", ".join(ballot.constituencies) or "none"
    return f"The ballot does not ask for {', '.join(unknown)}; it asks for {asked}."


def constituency_twice(ballot: BallotOpened, paper: BallotCast) -> str | None:
    twice = _twice(each.kind for each in paper.constituencies)
    return f"Given twice: {twice}; give each constituency once." if twice else None


PAPER_RULES: Sequence[tuple[str, str, Callable[[BallotOpened, BallotCast], str | None]]] = (
    ("not_in_electorate", "voter", not_in_electorate),
    ("option_unknown", "choices", option_unknown),
    ("option_twice", "choices", option_twice),
    ("ranks_wrong_number", "choices", ranks_wrong_number),
    ("too_few_choices", "choices", too_few_choices),
    ("too_many_choices", "choices", too_many_choices),
    ("points_missing", "choices", points_missing),
    ("points_unexpected", "choices", points_unexpected),
    ("too_many_points_on_option", "choices", too_many_points_on_option),
    ("too_many_points", "choices", too_many_points),
    ("constituency_unknown", "constituencies", constituency_unknown),
    ("constituency_twice", "constituencies", constituency_twice),
)


# The count ----------------------------------------------------------------------------------------


def points(ballot: BallotOpened, choices: Sequence[Choice]) -> list[tuple[str, int]]:
    """What a valid paper gives to each option that it names."""
    match ballot.method:
        case BallotMethod.APPROVAL:
            return [(choice.option, 1) for choice in choices]
        case BallotMethod.CUMULATIVE:
            return [(choice.option, choice.points or 0) for choice in choices]
        case BallotMethod.RANKING:
            ranked = zip(choices, ballot.rules.points_by_rank, strict=False)  # fewer may be ranked
            return [(choice.option, worth) for choice, worth in ranked]


def count(ballot: BallotOpened, papers: Iterable[BallotCast]) -> tuple[OptionTally, ...]:
    """Every option's votes and score, the highest score first, else in the ballot's order."""
    votes, score = Counter[str](), Counter[str]()
    for paper in papers:
        for option, given in points(ballot, paper.choices):
            votes[option] += 1
            score[option] += given
    tally = [
        OptionTally(
            option=each.option,
            votes=votes[each.option],
            score=score[each.option],
            priority=each.priority,
        )
        for each in ballot.options
    ]
    return tuple(sorted(tally, key=lambda row: -row.score))


def ties(tally: Sequence[OptionTally]) -> tuple[tuple[str, ...], ...]:
    """Options that got the same score, if they got anything; `tally` as from `count`."""
    level = [tuple(row.option for row in rows) for score, rows in groupby(tally, _score) if score]
    return tuple(options for options in level if len(options) > 1)


def winners(tally: Sequence[OptionTally], places: int) -> tuple[str, ...]:
    """The options that fill the places; none of those that tie for more places than are left."""
    chosen: list[str] = []
    for score, rows in groupby(tally, _score):
        options = [row.option for row in rows]
        if not score or len(chosen) + len(options) > places:
            break
        chosen += options
    return tuple(chosen)


def _score(row: OptionTally) -> int:
    return row.score
