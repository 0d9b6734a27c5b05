"""A vote is opened to an electorate, and each voter has one paper, marked by the rules."""

from typing import Any

import pytest
from msgspec import structs

from domain.ballots import (
    BallotCast,
    BallotClosed,
    BallotMethod,
    BallotOpened,
    BallotRules,
    Belonging,
    Electorate,
    ResultDeclared,
    Secrecy,
)
from domain.consent import ConsentGiven
from domain.cycles import CycleClosed
from domain.people import ParticipantEnrolled
from domain.permissions import Permission
from domain.priorities import PrioritiesMerged, PriorityProposed
from domain.vocabulary import ResearchEvent
from domain.voting import CastBallot, OpenBallot
from domain.withdrawal import ConsentWithdrawn
from tests.story import Happened, given, on
from tests.votes import approval, choices, cumulative, opened, paper, ranking, ready, recorded

# Opening ------------------------------------------------------------------------------------------


def test_a_ballot_is_opened_to_everyone_who_takes_part() -> None:
    given(*ready).when(OpenBallot, approval).then(opened)


def test_who_withdrew_altogether_has_no_vote_any_more() -> None:
    permissions = (Permission.WORKSHOP, Permission.AUDIO)
    consented = ConsentGiven(participant="p-2", permissions=permissions, form_version="1")
    part = ConsentWithdrawn(participant="p-2", permissions=(Permission.AUDIO,))
    whole = ConsentWithdrawn(participant="p-2", permissions=permissions)
    given(*ready, consented, part).when(OpenBallot, approval).then(opened)
    story = given(*ready, consented, whole).when(OpenBallot, approval)
    story.then(structs.replace(opened, participants=("p-1",)))


def test_the_electorate_is_that_of_the_moment_the_ballot_opened() -> None:
    later = on("2026-06-01", ParticipantEnrolled(participant="p-3"))
    gone = on("2026-06-01", ConsentWithdrawn(participant="p-2", permissions=(Permission.AUDIO,)))
    given(*ready, later, gone).when(OpenBallot, approval, at="2026-05-01").then(opened)


def test_somebody_who_enrols_while_it_opens_is_in() -> None:
    story = given(*ready).meanwhile(ParticipantEnrolled(participant="p-3"))
    story.when(OpenBallot, approval).then(
        structs.replace(opened, participants=("p-1", "p-2", "p-3"))
    )


def test_a_ballot_without_voters_is_refused() -> None:
    given(*ready[4:]).when(OpenBallot, approval).then_refused("electorate_empty")


def test_a_ballot_may_be_opened_to_a_list_of_voters_or_to_the_public() -> None:
    registered = structs.replace(approval, electorate=Electorate.REGISTERED, voters=("v-1",))
    given(*ready).when(OpenBallot, registered).then(registered)
    public = structs.replace(approval, electorate=Electorate.PUBLIC)
    given(*ready).when(OpenBallot, public).then(public)


def test_a_list_of_voters_belongs_to_a_registered_electorate() -> None:
    unlisted = structs.replace(approval, electorate=Electorate.REGISTERED)
    given(*ready).when(OpenBallot, unlisted).then_refused("voters_needed")
    listed = structs.replace(approval, voters=("v-1",))
    given(*ready).when(OpenBallot, listed).then_refused("voters_needed")


def test_a_ballot_is_opened_once_and_in_an_open_cycle() -> None:
    given(*ready, opened).when(OpenBallot, approval).then_refused("ballot_exists")
    story = given(*ready, CycleClosed(cycle="c-1"))
    story.when(OpenBallot, approval).then_refused("cycle_not_open")


def test_options_stand_for_priorities_that_stand() -> None:
    given(*ready[:5]).when(OpenBallot, approval).then_refused("priority_unknown")
    kitchen = PriorityProposed(priority="kitchen", cycle="c-1", title="A shared kitchen")
    merged = PrioritiesMerged(priority="kitchen", cycle="c-1", merged=("cafe",))
    given(*ready, kitchen, merged).when(OpenBallot, approval).then_refused("priority_merged")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"options": approval.options + approval.options[:1]}, "option_twice"),
        ({"constituencies": ("sex", "sex")}, "constituency_twice"),
        ({"places": 4}, "rules_inconsistent"),
        ({"rules": BallotRules(max_choices=4)}, "rules_inconsistent"),
        ({"rules": BallotRules(min_choices=3, max_choices=2)}, "rules_inconsistent"),
        ({"rules": BallotRules(max_points=7)}, "rules_inconsistent"),
        ({"rules": BallotRules(max_points_per_option=3)}, "rules_inconsistent"),
        ({"rules": BallotRules(points_by_rank=(3, 2, 1))}, "rules_inconsistent"),
        ({"method": BallotMethod.CUMULATIVE}, "rules_inconsistent"),
        (
            {"method": BallotMethod.RANKING, "rules": BallotRules(points_by_rank=(1, 2))},
            "rules_inconsistent",
        ),
        (
            {
                "method": BallotMethod.RANKING,
                "rules": BallotRules(points_by_rank=(2, 1), max_choices=2),
            },
            "rules_inconsistent",
        ),
    ],
)
def test_a_ballot_makes_sense(changes: dict[str, Any], code: str) -> None:
    story = given(*ready).when(OpenBallot, structs.replace(approval, **changes))
    story.then_refused(code)


# Casting ------------------------------------------------------------------------------------------


def test_a_participant_votes() -> None:
    story = given(*ready, opened).when(CastBallot, paper("p-1", "cafe", "bus"), by="joy")
    story.then(recorded("p-1", "cafe", "bus"))


def test_a_facilitator_types_in_a_paper_marked_by_hand() -> None:
    marked = structs.replace(
        paper("p-2", "cafe"),
        on_paper=True,
        constituencies=(Belonging(kind="sex", value="F"),),
    )
    expected = structs.replace(marked, paper="b-1/p-2", participant="p-2", cycle="c-1")
    given(*ready, opened).when(CastBallot, marked, by="fay").then(expected)


def test_a_participant_votes_for_nobody_else() -> None:
    story = given(*ready, opened).when(CastBallot, paper("p-2", "cafe"), by="joy")
    story.then_refused("not_your_own")


def test_a_paper_tells_whether_the_vote_is_secret() -> None:
    public = structs.replace(opened, secrecy=Secrecy.OPEN)
    story = given(*ready, public).when(CastBallot, paper("p-1", "cafe"))
    story.then(structs.replace(recorded("p-1", "cafe"), secrecy=Secrecy.OPEN))


def test_nobody_votes_twice() -> None:
    story = given(*ready, opened, recorded("p-1", "cafe"))
    story.when(CastBallot, paper("p-1", "bus")).then_refused("already_voted")


def test_two_clients_casting_one_voters_ballot_collide() -> None:
    story = given(*ready, opened).meanwhile(recorded("p-1", "bus"))
    story.when(CastBallot, paper("p-1", "cafe")).then_refused("already_voted")


def test_two_voters_do_not_stand_in_each_others_way() -> None:
    story = given(*ready, opened, recorded("p-2", "bus"))
    story.when(CastBallot, paper("p-1", "cafe")).then(recorded("p-1", "cafe"))
    assert story.command is not None
    others = set(recorded("p-2", "bus").tags)
    for selector in story.command.consistency_boundary():
        assert BallotCast not in selector.types or not others.issuperset(selector.tags)


def test_a_voters_identifier_is_not_mistaken_for_anothers() -> None:
    first = structs.replace(opened, ballot="b", electorate=Electorate.PUBLIC)
    second = structs.replace(opened, ballot="b.1", electorate=Electorate.PUBLIC)
    cast = BallotCast(ballot="b", voter="1.x", choices=choices("cafe"), paper="b/1.x")
    same_letters = BallotCast(ballot="b.1", voter="x", choices=choices("cafe"))
    story = given(*ready, first, second, cast).when(CastBallot, same_letters)
    story.then(structs.replace(same_letters, paper="b.1/x", cycle="c-1"))


def test_only_the_electorate_votes() -> None:
    story = given(*ready, opened).when(CastBallot, paper("p-9", "cafe"))
    story.then_refused("not_in_electorate")
    registered = structs.replace(approval, electorate=Electorate.REGISTERED, voters=("v-1",))
    story = given(*ready, registered).when(CastBallot, paper("v-2", "cafe"))
    story.then_refused("not_in_electorate")


def test_registered_and_public_voters_come_with_a_code() -> None:
    expected = structs.replace(recorded("v-1", "cafe"), participant=None)
    registered = structs.replace(approval, electorate=Electorate.REGISTERED, voters=("v-1",))
    given(*ready, registered).when(CastBallot, paper("v-1", "cafe")).then(expected)
    public = structs.replace(approval, electorate=Electorate.PUBLIC)
    given(*ready, public).when(CastBallot, paper("v-1", "cafe")).then(expected)


def test_votes_are_cast_while_the_ballot_is_open() -> None:
    given(*ready).when(CastBallot, paper("p-1", "cafe")).then_refused("ballot_not_open")
    closed = BallotClosed(ballot="b-1", cycle="c-1")
    story = given(*ready, on("2026-05-01", opened), on("2026-06-01", closed))
    story.when(CastBallot, paper("p-1", "cafe"), at="2026-04-01").then_refused("ballot_not_open")


def test_a_paper_found_in_the_box_is_typed_in_after_the_close_but_not_after_the_result() -> None:
    closed = on("2026-06-01", BallotClosed(ballot="b-1", cycle="c-1"))
    history: list[ResearchEvent | Happened] = [*ready, on("2026-05-01", opened), closed]
    found = paper("p-1", "cafe")
    given(*history).when(CastBallot, found, at="2026-05-20").then(recorded("p-1", "cafe"))
    given(*history).when(CastBallot, found, at="2026-06-02").then_refused("ballot_not_open")
    declared = on("2026-06-03", ResultDeclared(ballot="b-1", cycle="c-1"))
    story = given(*history, declared).when(CastBallot, found, at="2026-05-20")
    story.then_refused("result_declared")


def test_a_vote_that_meets_the_close_is_refused() -> None:
    closed = BallotClosed(ballot="b-1", cycle="c-1")
    story = given(*ready, opened).meanwhile(closed).when(CastBallot, paper("p-1", "cafe"))
    story.then_refused("ballot_not_open")


@pytest.mark.parametrize(
    ("ballot", "cast", "codes"),
    [
        (opened, paper("p-1", "pub"), ["option_unknown"]),
        (opened, paper("p-1", "cafe", "cafe"), ["option_twice"]),
        (opened, paper("p-1"), ["too_few_choices"]),
        (opened, paper("p-1", "cafe", "bus", "garden"), ["too_many_choices"]),
        (opened, paper("p-1", cafe=2), ["points_unexpected"]),
        (cumulative, paper("p-1", "cafe"), ["points_missing"]),
        (cumulative, paper("p-1", cafe=4), ["too_many_points_on_option"]),
        (cumulative, paper("p-1", cafe=3, bus=3, garden=2), ["too_many_points"]),
        (
            cumulative,
            paper("p-1", "pub", cafe=9),
            ["option_unknown", "points_missing", "too_many_points_on_option", "too_many_points"],
        ),
        (ranking, paper("p-1", "cafe"), ["ranks_wrong_number"]),
        (ranking, paper("p-1", "cafe", "bus", "garden"), ["ranks_wrong_number"]),
        (ranking, paper("p-1", "cafe", bus=1), ["points_unexpected"]),
        (
            opened,
            structs.replace(
                paper("p-1", "cafe"),
                constituencies=(Belonging(kind="income", value="high"),),
            ),
            ["constituency_unknown"],
        ),
        (
            opened,
            structs.replace(
                paper("p-1", "cafe"), constituencies=(Belonging(kind="sex", value="F"),) * 2
            ),
            ["constituency_twice"],
        ),
    ],
)
def test_every_broken_rule_is_named(
    ballot: BallotOpened, cast: BallotCast, codes: list[str]
) -> None:
    given(*ready, ballot).when(CastBallot, cast).then_refused(*codes)


def test_a_blank_paper_is_valid_where_the_rules_allow_it() -> None:
    blanks = structs.replace(opened, rules=BallotRules(min_choices=0))
    given(*ready, blanks).when(CastBallot, paper("p-1")).then(recorded("p-1"))
