"""What this process appended of late: a condition that it shows to hold is not sent.

It holds as long as nobody else has appended to the study since: `record.append` is told the head up
to which everything is known here, and writes nothing where the head is another. Then all conditions
are sent. Where several processes append to a study in turn, none is left out.
"""

from collections.abc import Iterable, Sequence
from typing import Self

from msgspec import Struct

from service.appends import Request, type_tag

ALONE = 256  # events with nobody else's between them, before conditions are left out
AT_MOST = 50_000  # tags of which the last position is kept, half of them older ones


class Recent(Struct):
    """Everything that stands on a study's record after `since` and up to `head`."""

    alone_since: int  # nobody else has appended to it after this position
    since: int
    middle: int  # what stands up to here is in `older`, what stands after it in `last`
    head: int
    older: dict[str, int]  # the position of the last event with a mark, or one beyond it
    last: dict[str, int]

    @classmethod
    def at(cls, head: int) -> Self:
        """Nothing yet."""
        return cls(head, head, head, head, {}, {})

    def last_of(self, mark: str) -> int:
        return self.last.get(mark) or self.older.get(mark, 0)

    def age(self) -> None:
        """Let go of the older half."""
        self.since, self.middle = self.middle, self.head
        self.older, self.last = self.last, {}

    def shows_none(self, types: Sequence[str], tags: Sequence[str], after: int) -> bool:
        """Whether they show that no event of these types, with all these tags, stands after it.

        It is never said of what stands there; and of what does not, not always.
        """
        if after < self.since or self.head - self.alone_since < ALONE:
            return False
        for tag in tags:
            if self.last_of(tag) <= after:
                return True
        if types:
            return all(self.last_of(type_tag(type_)) <= after for type_ in types)
        return not tags and self.head <= after


class RecentAppends:
    """Of every study to which this process appends.

    What is on its way is entered while PostgreSQL writes it (`foresee`), and counts when it is
    known where it stands (`confirm`). Of what is refused the positions stay entered: they are
    beyond the last event with that mark, so a condition more is sent than need be, and none less.
    """

    def __init__(self) -> None:
        self._of: dict[str, Recent] = {}
        self._tags = 0  # without the older ones

    def of(self, study: str) -> Recent | None:
        return self._of.get(study)

    def foresee(self, batch: Iterable[Request]) -> None:
        """These will stand next, one after another, unless they are refused."""
        if self._tags > AT_MOST // 2:
            for each in self._of.values():
                each.age()
            self._tags = 0
        ends: dict[str, int] = {}
        for request in batch:
            if (recent := self._of.get(request.study)) is None:
                continue
            last, known = recent.last, len(recent.last)
            end = ends.get(request.study, recent.head)
            for draft in request.events:
                end += 1
                for mark in draft.marks:
                    last[mark] = end
            ends[request.study] = end
            self._tags += len(last) - known

    def confirm(self, study: str, before: int, head: int) -> None:
        """What was foreseen last stands after the position `before`, up to `head`."""
        if (recent := self._of.get(study)) is not None and recent.head == before:
            recent.head = head
        else:  # others may have appended before it
            self.forget(study)
            self._of[study] = Recent.at(head)

    def forget(self, *studies: str) -> None:
        """Others may have appended to these."""
        for study in studies:
            if gone := self._of.pop(study, None):
                self._tags -= len(gone.last)

    def forget_all(self) -> None:
        """Another server may answer than before."""
        self._of.clear()
        self._tags = 0
