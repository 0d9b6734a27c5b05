"""What this process appended of late: a condition that it shows to hold is not sent.

It holds as long as nobody else has appended to the study since: `record.append` is told the head up
to which everything is known here, and writes nothing where the head is another. Then all conditions
are sent. Where several processes append to a study in turn, none is left out.
"""

from collections.abc import Sequence

from msgspec import Struct

from service.appends import Draft, type_tag

ALONE = 256  # appends with nobody else's between them, before conditions are left out
AT_MOST = 50_000  # tags of which the last position is kept


class Recent(Struct):
    """Everything that stands on a study's record after `since` and up to `head`."""

    since: int
    head: int
    last: dict[str, int]  # the position of the last event with a mark
    appends: int = 0

    def shows_none(self, types: Sequence[str], tags: Sequence[str], after: int) -> bool:
        """Whether they show that no event of these types, with all these tags, stands after it.

        It is never said of what stands there; and of what does not, not always.
        """
        if after < self.since or self.appends < ALONE:
            return False
        for tag in tags:
            if self.last.get(tag, 0) <= after:
                return True
        if types:
            return all(self.last.get(type_tag(type_), 0) <= after for type_ in types)
        return not tags and self.head <= after


class RecentAppends:
    """Of every study to which this process appends."""

    def __init__(self) -> None:
        self._of: dict[str, Recent] = {}
        self._tags = 0

    def of(self, study: str) -> Recent | None:
        return self._of.get(study)

    def add(self, study: str, drafts: Sequence[Draft], head: int) -> None:
        """These were appended, the last of them at `head`."""
        if self._tags > AT_MOST:
            self.forget_all()
        recent, before = self._of.get(study), head - len(drafts)
        if recent is None or recent.head != before:  # others may have appended before it
            self.forget(study)
            self._of[study] = Recent(head, head, {})
            return
        last, known = recent.last, len(recent.last)
        for position, draft in enumerate(drafts, before + 1):
            for mark in draft.marks:
                last[mark] = position
        recent.head = head
        recent.appends += 1
        self._tags += len(last) - known

    def forget(self, *studies: str) -> None:
        """Others may have appended to these."""
        for study in studies:
            if gone := self._of.pop(study, None):
                self._tags -= len(gone.last)

    def forget_all(self) -> None:
        """Another server may answer than before."""
        self._of.clear()
        self._tags = 0
