"""What stands on record, found by what a command asks for.

Many commands are decided on one read. Each is to hear what it asked for and nothing else, or a
thousand of them would hear a thousand things each.
"""

from collections import defaultdict
from collections.abc import Iterable

from eventsourcing.dcb.domain import Selector

from domain.vocabulary import Heard


class Hearing:
    """Events by their types and tags."""

    def __init__(self, heard: Iterable[Heard]) -> None:
        self._by: dict[tuple[object, object], list[Heard]] = defaultdict(list)  # or of any, None
        for each in heard:
            self.add(each)

    def add(self, heard: Heard) -> None:
        for tag in (None, *heard.event.tags):
            self._by[type(heard.event), tag].append(heard)
            self._by[None, tag].append(heard)

    def of(self, selectors: Iterable[Selector]) -> list[Heard]:
        """What matches any of these, in order."""
        found: dict[int, Heard] = {}
        for selector in selectors:
            first, others = next(iter(selector.tags), None), {*selector.tags[1:]}
            for type_ in selector.types or (None,):
                for each in self._by.get((type_, first), ()):
                    if not others or others <= {*each.event.tags}:
                        found[each.position] = each
        return [found[position] for position in sorted(found)]
