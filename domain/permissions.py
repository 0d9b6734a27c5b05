"""Permissions: what a participant may allow, each by itself."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta


class Permission(StrEnum):
    """What a participant may allow; each is granted and withdrawn by itself."""

    INTERVIEW = "interview"
    FOCUS_GROUP = "focus_group"
    WORKSHOP = "workshop"
    OBSERVATION = "observation"
    AUDIO = "audio"
    VIDEO = "video"
    PHOTO = "photo"
    MACHINE_TRANSCRIPTION = "machine_transcription"
    QUOTE_ANONYMOUS = "quote_anonymous"
    QUOTE_NAMED = "quote_named"
    PHOTO_PUBLISHED = "photo_published"
    CREDIT_BY_NAME = "credit_by_name"
    SHARE_WITH_PARTNER = "share_with_partner"
    ARCHIVE = "archive"
    REUSE = "reuse"
    RECONTACT = "recontact"
    RECEIVE_FINDINGS = "receive_findings"


Permissions = Annotated[tuple[Permission, ...], Meta(min_length=1, max_length=len(Permission))]
