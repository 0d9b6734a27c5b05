"""Documents: forms, sheets and protocols that people sign and committees approve, by version."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Version = Annotated[str, Meta(min_length=1, max_length=60)]
Sha256 = Annotated[
    str, Meta(pattern=r"\A[0-9a-f]{64}\Z", description="A SHA-256, as 64 hexadecimal digits.")
]
Language = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z",
        description="A language tag (BCP 47): en, cy, zh-Hant.",
    ),
]


class DocumentKind(StrEnum):
    """What a document is for."""

    PROTOCOL = "protocol"
    CONSENT_FORM = "consent_form"
    INFORMATION_SHEET = "information_sheet"
    ASSENT_FORM = "assent_form"
    CONSULTEE_DECLARATION = "consultee_declaration"
    RECRUITMENT_MATERIAL = "recruitment_material"
    INTERVIEW_SCHEDULE = "interview_schedule"
    QUESTIONNAIRE = "questionnaire"
    DATA_MANAGEMENT_PLAN = "data_management_plan"
    OTHER = "other"


class DocumentFormat(StrEnum):
    """The form in which somebody was given a document."""

    PRINT = "print"
    LARGE_PRINT = "large_print"
    EASY_READ = "easy_read"
    BRAILLE = "braille"
    AUDIO = "audio"
    VIDEO = "video"
    SIGN_LANGUAGE = "sign_language"
    ONLINE = "online"


class Document(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A version of a document, bound by its hash."""

    kind: DocumentKind
    version: Version
    sha256: Sha256 | None = None
    language: Language | None = None
