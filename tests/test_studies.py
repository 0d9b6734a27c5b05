"""Whoever opens a study leads it; members join, change roles and leave."""

from domain.membership import MemberJoined, MemberLeft, Role, StudyOpened
from domain.people import ParticipantEnrolled
from domain.studies import JoinMember, LeaveMember, OpenStudy
from tests.story import Story, given, opened

asked = StudyOpened(title="Beans", question="Why not beans?", setting="One village")
ben = MemberJoined(member="ben", role=Role.CO_RESEARCHER, name="Ben")
vic = MemberJoined(member="vic", role=Role.VIEWER)
patient = ParticipantEnrolled(participant="p-1")


def test_whoever_opens_a_study_leads_it() -> None:
    led = StudyOpened(
        title="Beans", question="Why not beans?", setting="One village", study="maize", member="ben"
    )
    Story().when(OpenStudy, asked, by="ben").then(led)
    Story().when(OpenStudy, asked, by="ben").when(JoinMember, vic, by="ben").then(led, vic)


def test_a_study_is_opened_once() -> None:
    given().when(OpenStudy, asked).then_refused("study_exists")


def test_two_who_open_it_at_once_do_not_both_lead_it() -> None:
    story = Story().meanwhile(opened)
    story.when(OpenStudy, asked, by="ben").then_refused("study_exists")


def test_somebody_joins() -> None:
    given().when(JoinMember, ben).then(ben)


def test_a_member_may_change_to_another_role() -> None:
    viewer = MemberJoined(member="ben", role=Role.VIEWER)
    given(ben).when(JoinMember, viewer).then(viewer)
    given(ben, viewer).when(JoinMember, vic, by="ben").then_refused("role_insufficient")


def test_only_the_lead_takes_members_in() -> None:
    given(ben).when(JoinMember, vic, by="ben").then_refused("role_insufficient")


def test_a_participants_role_names_the_participant_and_no_other_does() -> None:
    unnamed = MemberJoined(member="pat", role=Role.PARTICIPANT)
    named = MemberJoined(member="pat", role=Role.PARTICIPANT, participant="p-1")
    viewer = MemberJoined(member="pat", role=Role.VIEWER, participant="p-1")
    given(patient).when(JoinMember, named).then(named)
    given(patient).when(JoinMember, unnamed).then_refused("participant_needed")
    given(patient).when(JoinMember, viewer).then_refused("participant_needed")
    given().when(JoinMember, named).then_refused("participant_unknown")


def test_the_lead_cannot_step_down_alone() -> None:
    stepping_down = MemberJoined(member="ana", role=Role.VIEWER)
    given().when(JoinMember, stepping_down).then_refused("lead_needed")
    given().when(LeaveMember, MemberLeft(member="ana")).then_refused("lead_needed")


def test_a_member_leaves_and_their_role_ends() -> None:
    left = MemberLeft(member="ben")
    given(ben).when(LeaveMember, left).then(left)
    given(ben, left).when(JoinMember, vic, by="ben").then_refused("study_unknown")


def test_who_is_not_in_the_study_cannot_leave_it() -> None:
    left = MemberLeft(member="ben")
    given().when(LeaveMember, left).then_refused("member_unknown")
    given(ben, left).when(LeaveMember, left).then_refused("member_unknown")


def test_only_the_lead_ends_a_role() -> None:
    given(ben, vic).when(LeaveMember, MemberLeft(member="vic"), by="ben").then_refused(
        "role_insufficient"
    )
