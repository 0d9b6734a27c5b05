"""What a participant is told of a withdrawal, in plain words."""

from domain.permissions import Permission
from domain.withdrawal import WithdrawalScope
from service.withdrawal_by_code import Withdrawn

PERMISSIONS = {
    Permission.INTERVIEW: "being interviewed",
    Permission.FOCUS_GROUP: "taking part in focus groups",
    Permission.WORKSHOP: "taking part in workshops",
    Permission.OBSERVATION: "being observed",
    Permission.AUDIO: "sound recordings of you",
    Permission.VIDEO: "video recordings of you",
    Permission.PHOTO: "photographs of you",
    Permission.MACHINE_TRANSCRIPTION: "recordings written down by a machine",
    Permission.QUOTE_ANONYMOUS: "being quoted without your name",
    Permission.QUOTE_NAMED: "being quoted by name",
    Permission.PHOTO_PUBLISHED: "publishing photographs of you",
    Permission.CREDIT_BY_NAME: "being thanked or credited by name",
    Permission.SHARE_WITH_PARTNER: "sharing what you gave with partners of the study",
    Permission.ARCHIVE: "keeping what you gave in an archive",
    Permission.REUSE: "other research using what you gave",
    Permission.RECONTACT: "being contacted again",
    Permission.RECEIVE_FINDINGS: "being sent the findings",
}
SCOPES = {
    WithdrawalScope.NO_FURTHER_CONTACT: "Do not contact me again.",
    WithdrawalScope.NO_FURTHER_ACCESS: "Do not contact me again, and collect nothing more "
    "about me.",
    WithdrawalScope.NO_FURTHER_USE: "Do not contact me again, collect nothing more about me, and "
    "do not use any more what you already have.",
}
REACH = {
    WithdrawalScope.NO_FURTHER_CONTACT: "The study must not contact you about this any more.",
    WithdrawalScope.NO_FURTHER_ACCESS: "The study must not contact you about this any more, or "
    "collect anything more about you.",
    WithdrawalScope.NO_FURTHER_USE: "The study must not contact you about this any more, collect "
    "anything more about you, or go on using what it has. What has been published, or can no "
    "longer be told apart from others', cannot be taken out; you can ask what that is.",
}


def in_plain_words(withdrawn: Withdrawn) -> list[str]:
    """What a participant is told of their withdrawal, a paragraph each."""
    what = ", ".join(PERMISSIONS[each] for each in withdrawn.permissions)
    return [
        f"Your withdrawal from the study {withdrawn.study} is on record since "
        f"{withdrawn.at:%d %B %Y, %H:%M} UTC. You need do nothing else, and nobody has to agree.",
        "You took back everything you had agreed to."
        if withdrawn.everything
        else f"You took back: {what}.",
        REACH[withdrawn.scope],
        "The study team now has to decide what becomes of what they hold of you, and to show that "
        "it was done. You may ask them about it at any time.",
        f"If you ask, name this number: {withdrawn.position}.",
    ]
