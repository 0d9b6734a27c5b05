"""Recordings and transcripts need a permission of their own; participants check their words."""

import pytest
from msgspec import structs

from domain.fieldwork import InterviewHeld, PlaceKind
from domain.permissions import Permission
from domain.recordings import (
    CaptureMedia,
    CheckResult,
    MakeTranscript,
    MediaCaptured,
    MediaKind,
    MemberCheckReturned,
    MemberCheckSent,
    ReturnMemberCheck,
    SendMemberCheck,
    Transcriber,
    TranscriptMade,
)
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from tests.story import given
from tests.study_in_the_field import ready

interview = InterviewHeld(
    session="i-1", cycle="c-1", participants=("p-1",), minutes=55, place=PlaceKind.HOME
)
recording = MediaCaptured(
    media="m-1", cycle="c-1", kind=MediaKind.AUDIO, sha256="0" * 64, participants=("p-1",),
    session="i-1",
)  # fmt: skip
asked = TranscriptMade(
    transcript="t-1", media="m-1", kind=MediaKind.AUDIO, participants=("p-1",),
    made_by=Transcriber.MACHINE, sha256="1" * 64,
)  # fmt: skip
transcript = structs.replace(asked, cycle="c-1")
recorded = [*ready, interview, recording]
transcribed = [*recorded, transcript]
sent = MemberCheckSent(transcript="t-1", participant="p-1", cycle="c-1")
returned = MemberCheckReturned(
    transcript="t-1", participant="p-1", result=CheckResult.CONFIRMED, cycle="c-1"
)


@pytest.mark.parametrize("kind", MediaKind)
def test_each_kind_of_recording_needs_its_own_permission(kind: MediaKind) -> None:
    taken = structs.replace(recording, kind=kind)
    given(*ready, interview).when(CaptureMedia, taken).then(taken)
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission(kind.value),))
    story = given(*ready, interview, withdrawn)
    story.when(CaptureMedia, taken).then_refused("consent_withdrawn")


def test_consent_withdrawn_while_a_recording_is_logged_is_noticed() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.AUDIO,))
    story = given(*ready, interview).meanwhile(withdrawn)
    story.when(CaptureMedia, recording).then_refused("consent_withdrawn")


def test_only_a_photo_may_show_nobody() -> None:
    street = structs.replace(recording, kind=MediaKind.PHOTO, participants=(), session=None)
    given(*ready).when(CaptureMedia, street).then(street)
    silence = structs.replace(recording, participants=())
    given(*ready, interview).when(CaptureMedia, silence).then_refused("participants_missing")


def test_where_it_was_recorded_is_on_record_and_one_place() -> None:
    given(*ready).when(CaptureMedia, recording).then_refused("session_unknown")
    both = structs.replace(recording, workshop="w-1")
    given(*ready, interview).when(CaptureMedia, both).then_refused("two_places", "workshop_unknown")


def test_a_recording_is_recorded_once_in_an_open_cycle() -> None:
    given(*recorded).when(CaptureMedia, recording).then_refused("media_exists")
    elsewhere = structs.replace(recording, cycle="c-9")
    given(*ready, interview).when(CaptureMedia, elsewhere).then_refused("cycle_not_open")


def test_a_transcript_belongs_to_the_cycle_of_its_recording() -> None:
    given(*recorded).when(MakeTranscript, asked).then(transcript)


def test_a_machine_transcribes_only_what_everyone_allowed_it_to() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.MACHINE_TRANSCRIPTION,))
    given(*recorded, withdrawn).when(MakeTranscript, asked).then_refused("consent_withdrawn")
    by_hand = structs.replace(asked, made_by=Transcriber.PERSON)
    given(*recorded, withdrawn).when(MakeTranscript, by_hand).then(
        structs.replace(by_hand, cycle="c-1")
    )


def test_nobody_transcribes_a_recording_that_may_not_be_used_any_more() -> None:
    withdrawn = ConsentWithdrawn(participant="p-1", permissions=(Permission.AUDIO,))
    by_hand = structs.replace(asked, made_by=Transcriber.PERSON)
    given(*recorded, withdrawn).when(MakeTranscript, by_hand).then_refused("consent_withdrawn")


def test_a_transcript_names_the_recording_as_it_is() -> None:
    given(*ready).when(MakeTranscript, asked).then_refused("media_unknown")
    film = structs.replace(asked, kind=MediaKind.VIDEO)
    given(*recorded).when(MakeTranscript, film).then_refused("media_differs")
    others = structs.replace(asked, participants=("p-2",))
    given(*recorded).when(MakeTranscript, others).then_refused("participants_differ")
    photo = structs.replace(asked, kind=MediaKind.PHOTO)
    given(*recorded).when(MakeTranscript, photo).then_refused(
        "media_differs", "nothing_to_transcribe"
    )
    given(*transcribed).when(MakeTranscript, asked).then_refused("transcript_exists")


def test_a_participant_is_sent_their_transcript() -> None:
    unsent = structs.replace(sent, cycle=None)
    given(*transcribed).when(SendMemberCheck, unsent).then(sent)
    given(*recorded).when(SendMemberCheck, unsent).then_refused("transcript_unknown")
    others = structs.replace(unsent, participant="p-2")
    given(*transcribed).when(SendMemberCheck, others).then_refused("transcript_unknown")


def test_who_wants_to_be_left_alone_is_sent_nothing() -> None:
    alone = ConsentWithdrawn(
        participant="p-1",
        permissions=(Permission.RECONTACT,),
        scope=WithdrawalScope.NO_FURTHER_CONTACT,
    )
    given(*transcribed, alone).when(SendMemberCheck, sent).then_refused("contact_withdrawn")
    photo = ConsentWithdrawn(participant="p-1", permissions=(Permission.PHOTO,))
    given(*transcribed, photo).when(SendMemberCheck, sent).then(sent)


def test_a_participant_says_what_they_think_of_it_themselves() -> None:
    said = structs.replace(returned, cycle=None, comments="Leave my brother out.")
    given(*transcribed, sent).when(ReturnMemberCheck, said, by="pat").then(
        structs.replace(said, cycle="c-1")
    )


def test_a_check_is_returned_once_for_each_time_it_was_sent() -> None:
    given(*transcribed).when(ReturnMemberCheck, returned).then_refused("check_not_sent")
    given(*transcribed, sent, returned).when(ReturnMemberCheck, returned).then_refused(
        "check_not_sent"
    )
    given(*transcribed, sent, returned, sent).when(ReturnMemberCheck, returned).then(returned)


def test_nobody_answers_for_another_participant() -> None:
    both = structs.replace(transcript, participants=("p-1", "p-2"))
    theirs = structs.replace(sent, participant="p-2")
    answer = structs.replace(returned, participant="p-2")
    story = given(*recorded, both, theirs)
    story.when(ReturnMemberCheck, answer, by="pat").then_refused("not_your_own")
