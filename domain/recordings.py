"""Recordings: sound, video and photos, their transcripts, and participants checking them."""

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta, structs

from domain.captures import Capture
from domain.commands import Command
from domain.conditions import Condition, Sensible, Stands, known, new
from domain.consent import ConsentGiven
from domain.consent_gates import LOG_IT, PermissionHeard
from domain.consent_states import ConsentState, Standing
from domain.cycles import cycle_is_open, cycle_of
from domain.ethics import Activity
from domain.fieldwork import session_is_known
from domain.membership import Duty
from domain.permissions import Permission
from domain.vocabulary import (
    Count,
    CycleId,
    Derived,
    Heard,
    HeldKind,
    MediaId,
    ParticipantId,
    Personal,
    Phase,
    ResearchEvent,
    SessionId,
    Text,
    Title,
    TranscriptId,
    WorkshopId,
)
from domain.withdrawal import ConsentWithdrawn, WithdrawalScope
from domain.workshops import WorkshopHeld

Digest = Annotated[
    str,
    Meta(pattern=r"\A[0-9a-f]{64}\Z", description="SHA-256 of the file: 64 hexadecimal digits."),
]
Recorded = Annotated[tuple[ParticipantId, ...], Meta(max_length=500)]


class MediaKind(StrEnum):
    """What was recorded; participants allow each kind by itself."""

    AUDIO = "audio"
    VIDEO = "video"
    PHOTO = "photo"


TO_RECORD = {
    MediaKind.AUDIO: Permission.AUDIO,
    MediaKind.VIDEO: Permission.VIDEO,
    MediaKind.PHOTO: Permission.PHOTO,
}


class Transcriber(StrEnum):
    """Who turned speech into text."""

    PERSON = "person"
    MACHINE = "machine"


class CheckResult(StrEnum):
    """What a participant said of their transcript."""

    CONFIRMED = "confirmed"
    CHANGES_ASKED = "changes_asked"
    PARTS_TAKEN_BACK = "parts_taken_back"


class MediaCaptured(ResearchEvent):
    """Sound, video or a photo was recorded of people who allowed it; the file is kept elsewhere."""

    PHASE: ClassVar = Phase.OBSERVE
    DECISIVE: ClassVar = True  # what it is and who is in it decide which consent a use needs
    HELD: ClassVar = HeldKind.MEDIA

    media: MediaId
    cycle: CycleId
    kind: MediaKind
    sha256: Digest
    participants: Recorded = ()  # who can be heard or recognised; a photo may show nobody
    session: SessionId | None = None  # where it was recorded, if it was in one of the two
    workshop: WorkshopId | None = None
    seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None  # its length
    file_name: Annotated[Title | None, Personal("participants")] = None
    description: Annotated[Text | None, Personal("participants")] = None

    @property
    def permissions_needed(self) -> tuple[Permission, ...]:
        return (TO_RECORD[self.kind],)


class TranscriptMade(ResearchEvent):
    """A recording was turned into text; the text is kept elsewhere."""

    PHASE: ClassVar = Phase.OBSERVE
    DECISIVE: ClassVar = True  # whose words it holds decides which consent a use needs
    HELD: ClassVar = HeldKind.TRANSCRIPT

    transcript: TranscriptId
    media: MediaId
    kind: MediaKind  # of the recording
    participants: Annotated[Recorded, Meta(min_length=1)]  # everyone in the recording
    made_by: Transcriber
    sha256: Digest
    language: Annotated[str, Meta(min_length=2, max_length=35)] | None = None  # BCP 47: "en-GB"
    words: Count | None = None
    pseudonymised: bool = False  # names and places are replaced in the text
    file_name: Annotated[Title | None, Personal("participants")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the recording

    @property
    def permissions_needed(self) -> tuple[Permission, ...]:
        machine = self.made_by is Transcriber.MACHINE
        return (TO_RECORD[self.kind], *((Permission.MACHINE_TRANSCRIPTION,) if machine else ()))


class MemberCheckSent(ResearchEvent):
    """A participant was sent their transcript, to say whether it is what they meant."""

    PHASE: ClassVar = Phase.OBSERVE

    transcript: TranscriptId
    participant: ParticipantId
    answer_by: date | None = None
    note: Annotated[Text | None, Personal("participant")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the transcript


class MemberCheckReturned(ResearchEvent):
    """A participant said whether the transcript is what they meant."""

    PHASE: ClassVar = Phase.OBSERVE
    HELD: ClassVar = HeldKind.CONTRIBUTION

    transcript: TranscriptId
    participant: ParticipantId
    result: CheckResult
    comments: Annotated[Text | None, Personal("participant")] = None
    cycle: Annotated[CycleId | None, Derived()] = None  # of the transcript


class SamePeople(Stands):
    """The recording is on record, of that kind, with exactly those people in it."""

    def __init__(self, media: MediaId, kind: MediaKind, participants: tuple[str, ...]) -> None:
        super().__init__(
            "media",
            media,
            {MediaCaptured: True},
            code="media_unknown",
            message=f"No recording {media} is on record in this study; record it first, "
            "or check the identifier.",
        )
        self.kind_said, self.participants = kind, set(participants)

    def holds(self) -> bool:
        match self.decided_by:
            case Heard(event=MediaCaptured(kind=kind)) if kind is not self.kind_said:
                self.code, self.path = "media_differs", "kind"
                self.message = f"Recording {self.subject} is {kind.value}; say so."
                return False
            case Heard(event=MediaCaptured(participants=recorded)) if (
                set(recorded) != self.participants
            ):
                self.code, self.path = "participants_differ", "participants"
                self.message = (
                    f"In recording {self.subject} are {', '.join(recorded) or 'no participants'}; "
                    "name the same people, all of them."
                )
                return False
        return super().holds()


class TranscriptOf(Stands):
    """The transcript is on record, and the participant is in it."""

    def __init__(self, transcript: TranscriptId, participant: ParticipantId) -> None:
        super().__init__(
            "transcript",
            transcript,
            {TranscriptMade: True},
            code="transcript_unknown",
            message=f"No transcript {transcript} with {participant} in it is on record in this "
            "study; record it first, or check both identifiers.",
            only=lambda event: participant in getattr(event, "participants", ()),
        )


class MayBeContacted(PermissionHeard):
    """The participant did not withdraw `recontact`, nor ask to be left alone.

    Whoever agreed to something since they asked to be left alone can be contacted again.
    """

    def __init__(self, participant: ParticipantId, at: datetime) -> None:
        super().__init__(participant, Permission.RECONTACT, at, "participant")
        self.left_alone = Stands(
            "participant",
            participant,
            {ConsentGiven: True, ConsentWithdrawn: False},
            at=at,
            otherwise=True,
            only=lambda event: (
                getattr(event, "scope", WithdrawalScope.NO_FURTHER_CONTACT)
                is WithdrawalScope.NO_FURTHER_CONTACT
            ),
            code="",
            message="",
        )

    def hear(self, heard: Heard) -> None:
        super().hear(heard)
        self.left_alone.hear(heard)

    def allowed_by(self, standing: Standing) -> bool:
        self.code = "contact_withdrawn"
        self.message = (
            f"{self.participant} asked not to be contacted any more by {self.at:%d %B %Y}; leave "
            f"them alone; {LOG_IT}."
        )
        if standing.state is ConsentState.WITHDRAWN:
            return False
        self.decided_by = self.left_alone.decided_by
        return self.left_alone.holds()


class CaptureMedia(Capture[MediaCaptured]):
    """Record that sound, video or a photo was taken, naming everyone who can be recognised."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.RECORDING

    def requires(self) -> Iterable[Condition]:
        event = self.event
        yield new("media", event.media, MediaCaptured)
        yield cycle_is_open(event.cycle, self.occasion.occurred_at)
        yield Sensible(
            event.session is None or event.workshop is None,
            "two_places",
            "It was recorded in a session or in a workshop; name one of the two.",
            "workshop",
        )
        if event.session is not None:
            yield session_is_known(event.session)
        if event.workshop is not None:
            yield known("workshop", event.workshop, WorkshopHeld)
        yield Sensible(
            event.kind is MediaKind.PHOTO or bool(event.participants),
            "participants_missing",
            "Name everyone who can be heard or seen; only a photo may show nobody.",
            "participants",
        )
        yield from self.covered(event.participants)


class MakeTranscript(Capture[TranscriptMade]):
    """Record that a recording was transcribed; by a machine only if everyone in it allowed that."""

    DUTY = Duty.FIELDWORK
    ACTIVITY = Activity.RECORDING

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.recording = SamePeople(event.media, event.kind, event.participants)
        yield new("transcript", event.transcript, TranscriptMade)
        yield self.recording
        yield Sensible(
            event.kind is not MediaKind.PHOTO,
            "nothing_to_transcribe",
            "A photo has no words to transcribe; name a sound or video recording.",
            "kind",
        )
        yield from self.covered(event.participants)

    def decide(self) -> TranscriptMade:
        return structs.replace(self.event, cycle=cycle_of(self.recording))


class SendMemberCheck(Command[MemberCheckSent]):
    """Record that a participant was sent their transcript to check."""

    DUTY = Duty.FIELDWORK

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.transcript = TranscriptOf(event.transcript, event.participant)
        yield self.transcript
        yield MayBeContacted(event.participant, self.occasion.occurred_at)

    def decide(self) -> MemberCheckSent:
        return structs.replace(self.event, cycle=cycle_of(self.transcript))


class ReturnMemberCheck(Command[MemberCheckReturned]):
    """Record what a participant said of their transcript; they may do so themselves."""

    DUTY = Duty.DELIBERATE

    def requires(self) -> Iterable[Condition]:
        event = self.event
        self.transcript = TranscriptOf(event.transcript, event.participant)
        yield self.transcript
        yield Stands(
            "transcript",
            event.transcript,
            {MemberCheckSent: True, MemberCheckReturned: False},
            only=lambda each: getattr(each, "participant", None) == event.participant,
            code="check_not_sent",
            message=f"No check of {event.transcript} by {event.participant} is outstanding; "
            "record first that it was sent.",
        )
        yield self.own_only(event.participant, "participant")

    def decide(self) -> MemberCheckReturned:
        return structs.replace(self.event, cycle=cycle_of(self.transcript))
