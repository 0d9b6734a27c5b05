"""What a cycle works on is proposed by people, and adopted by their vote or in spite of it."""

from msgspec import structs

from domain.ballots import (
    BallotMethod,
    BallotOpened,
    BallotOption,
    Electorate,
    OptionTally,
    ResultDeclared,
)
from domain.cycles import CycleClosed, CycleOpened
from domain.membership import MemberJoined, Role
from domain.people import ParticipantEnrolled
from domain.priorities import (
    AdoptPriority,
    DissentRecorded,
    MergePriorities,
    PrioritiesMerged,
    PriorityAdopted,
    PriorityProposed,
    ProposePriority,
    RecordDissent,
)
from domain.reconnaissance import ConcernStated
from domain.vocabulary import ResearchEvent
from tests.story import given

ready: list[ResearchEvent] = [
    ParticipantEnrolled(participant="p-1"),
    ParticipantEnrolled(participant="p-2"),
    MemberJoined(member="joy", role=Role.PARTICIPANT, participant="p-1"),
    ConcernStated(concern="k-1", title="Evenings alone"),
    CycleOpened(cycle="c-1", title="First turn", question="What matters here?"),
]
cafe = PriorityProposed(
    priority="cafe", cycle="c-1", title="A café", proposed_by=("p-1",), concerns=("k-1",)
)
kitchen = PriorityProposed(priority="kitchen", cycle="c-1", title="A shared kitchen")
garden = PriorityProposed(priority="garden", cycle="c-1", title="A garden")
merged = PrioritiesMerged(priority="cafe", cycle="c-1", merged=("kitchen",))
ballot = BallotOpened(
    ballot="b-1",
    cycle="c-1",
    title="What first?",
    method=BallotMethod.APPROVAL,
    options=(
        BallotOption(option="1", title="A café", priority="cafe"),
        BallotOption(option="2", title="A garden", priority="garden"),
    ),
    electorate=Electorate.PUBLIC,
)
result = ResultDeclared(
    ballot="b-1",
    cycle="c-1",
    papers=3,
    tally=(
        OptionTally(option="1", priority="cafe", votes=2, score=2),
        OptionTally(option="2", priority="garden", votes=1, score=1),
    ),
    winners=("1",),
)
proposed = [*ready, cafe, kitchen, garden]
voted = [*proposed, ballot, result]
dissent = DissentRecorded(
    cycle="c-1",
    words="Nobody asked those who work nights.",
    participants=("p-1",),
    priority="cafe",
    ballot="b-1",
)


def test_a_priority_is_proposed() -> None:
    given(*ready).when(ProposePriority, cafe, by="joy").then(cafe)


def test_a_priority_is_proposed_once() -> None:
    given(*ready, cafe).when(ProposePriority, cafe).then_refused("priority_exists")


def test_a_proposal_names_what_is_on_record() -> None:
    given().when(ProposePriority, cafe).then_refused(
        "cycle_not_open", "participant_unknown", "concern_unknown"
    )


def test_a_participant_proposes_in_their_own_name() -> None:
    bens = structs.replace(cafe, proposed_by=("p-2",))
    given(*ready).when(ProposePriority, bens, by="joy").then_refused("not_your_own")


def test_proposals_are_merged_into_one() -> None:
    given(*proposed).when(MergePriorities, merged).then(merged)


def test_what_is_merged_stands_no_more() -> None:
    again = PrioritiesMerged(priority="garden", cycle="c-1", merged=("kitchen",))
    story = given(*proposed, merged).when(MergePriorities, again)
    story.then_refused("priority_merged")
    assert "merged into cafe" in str(story.refused)


def test_a_priority_is_not_merged_with_itself_or_twice() -> None:
    itself = structs.replace(merged, merged=("cafe",))
    given(*proposed).when(MergePriorities, itself).then_refused("priority_twice")
    twice = structs.replace(merged, merged=("kitchen", "kitchen"))
    given(*proposed).when(MergePriorities, twice).then_refused("priority_twice")


def test_only_proposals_of_an_open_cycle_are_merged() -> None:
    story = given(*ready, cafe, CycleClosed(cycle="c-1"))
    story.when(MergePriorities, merged).then_refused("cycle_not_open", "priority_unknown")


def test_a_merger_that_comes_in_between_is_noticed() -> None:
    adopted = PriorityAdopted(priority="kitchen", cycle="c-1", override_reason="Agreed by all.")
    story = given(*proposed).meanwhile(merged).when(AdoptPriority, adopted)
    story.then_refused("priority_merged")


def test_what_the_vote_chose_is_adopted() -> None:
    adopted = PriorityAdopted(priority="cafe", cycle="c-1", ballot="b-1")
    expected = structs.replace(adopted, chosen_by_vote=True)
    given(*voted).when(AdoptPriority, adopted).then(expected)


def test_what_the_vote_did_not_choose_is_adopted_with_a_reason() -> None:
    adopted = PriorityAdopted(priority="garden", cycle="c-1", ballot="b-1")
    given(*voted).when(AdoptPriority, adopted).then_refused("override_reason_missing")
    reasoned = structs.replace(adopted, override_reason="The café's premises fell through.")
    given(*voted).when(AdoptPriority, reasoned).then(reasoned)


def test_without_a_vote_a_reason_is_given() -> None:
    adopted = PriorityAdopted(priority="garden", cycle="c-1")
    given(*proposed).when(AdoptPriority, adopted).then_refused("override_reason_missing")
    reasoned = structs.replace(adopted, override_reason="Everyone agreed without a vote.")
    given(*proposed).when(AdoptPriority, reasoned).then(reasoned)


def test_a_ballot_chooses_nothing_before_its_result() -> None:
    adopted = PriorityAdopted(priority="cafe", cycle="c-1", ballot="b-1")
    given(*proposed, ballot).when(AdoptPriority, adopted).then_refused("result_not_declared")


def test_a_priority_is_adopted_once_in_a_cycle() -> None:
    adopted = PriorityAdopted(priority="cafe", cycle="c-1", ballot="b-1")
    given(*voted, adopted).when(AdoptPriority, adopted).then_refused("priority_adopted")
    later = PriorityAdopted(priority="cafe", cycle="c-2", override_reason="It is not done yet.")
    next_cycle = CycleOpened(cycle="c-2", title="Second turn", question="And now?")
    given(*voted, adopted, next_cycle).when(AdoptPriority, later).then(later)


def test_what_is_not_proposed_is_not_adopted() -> None:
    adopted = PriorityAdopted(priority="cafe", cycle="c-1", override_reason="It is needed.")
    given().when(AdoptPriority, adopted).then_refused("cycle_not_open", "priority_unknown")


def test_a_participant_does_not_adopt() -> None:
    adopted = PriorityAdopted(priority="cafe", cycle="c-1", ballot="b-1")
    given(*voted).when(AdoptPriority, adopted, by="joy").then_refused("role_insufficient")


def test_dissent_is_recorded_also_after_the_cycle() -> None:
    given(*voted).when(RecordDissent, dissent, by="joy").then(dissent)
    given(*voted, CycleClosed(cycle="c-1")).when(RecordDissent, dissent).then(dissent)


def test_dissent_is_from_something_on_record() -> None:
    given().when(RecordDissent, dissent).then_refused(
        "cycle_unknown", "participant_unknown", "priority_unknown", "ballot_unknown"
    )


def test_a_participant_dissents_in_their_own_words() -> None:
    bens = structs.replace(dissent, participants=("p-2",))
    given(*voted).when(RecordDissent, bens, by="joy").then_refused("not_your_own")
