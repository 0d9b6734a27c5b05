"""What was last read of the record, item by item: commands are decided on it without another look.

An append is conditional, so a command may be decided on what is remembered, and on nothing where
nothing is: if more stands on record the append conflicts, and the command is decided anew on a
look. Nobody is refused without a look. Personal texts are not even read for a decision.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record
from eventsourcing.dcb.domain import Selector
from msgspec import Struct

from domain.older_events import read_recorded
from domain.vocabulary import Heard
from service.appends import Draft, asks_for
from service.recorder import Recorder
from service.writer import NO_CONNECTION

AROUND = 1_000  # bytes that an item takes, and so does each event besides its payload
OF_ONE = 200_000  # bytes remembered of one item; where more stands, it is looked at each time
OF_ALL = 20_000_000  # bytes remembered of all

Item = tuple[tuple[str, ...], tuple[str, ...]]  # types and tags, as the recorder takes them


class Stood(Struct, frozen=True):
    """What stood on record of an item, as of a position."""

    heard: dict[int, Heard]  # by position
    after: int
    size: int
    connection: object  # of the recorder: what comes back after another may be an older backup


NOTHING = Stood({}, 0, 0, None)  # as it is taken to be of what is not remembered
TOO_LARGE = Stood({}, 0, AROUND, None)


class Boundary(Struct, frozen=True):
    """What commands are decided on, and appended after."""

    study: str
    items: Sequence[Item]
    heard: Sequence[Heard]  # everything once, in order
    afters: Sequence[int]  # of each item
    stood: Sequence[Stood] = ()  # of each item, where it is remembered
    connection: object = None  # of the recorder, as of which it was read

    @property
    def head(self) -> int:
        """The record's, as far as it is known."""
        return max(self.afters, default=0)


class RememberedBoundaries:
    """What this process has read of the record; whatever was not asked for lately is forgotten."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._kept: OrderedDict[tuple[str, Item], Stood] = OrderedDict()
        self._size = 0

    def recall(self, study: str, items: Sequence[Item]) -> Boundary | None:
        """What is remembered of these; None if that is nothing, or less than was there."""
        connection = self._recorder.connection(study)
        stood = [self._kept.get((study, item), NOTHING) for item in items]
        known = [each for each in stood if each is not NOTHING]
        if not any(each.heard for each in known):
            return None
        if any(each.connection is not connection for each in known):  # or it was too large
            return None
        for item, each in zip(items, stood, strict=True):
            if each is not NOTHING:
                self._kept.move_to_end((study, item))
        heard = {position: each for one in stood for position, each in one.heard.items()}
        in_order = [heard[position] for position in sorted(heard)]
        afters = [each.after for each in stood]
        return Boundary(study, items, in_order, afters, stood, connection)

    async def look(self, study: str, items: Sequence[Item], *, remember: bool) -> Boundary:
        """What stands on record now."""
        connection = self._recorder.connection(study)
        rows, head = await self._recorder.read(study, items)
        heard = [heard_of(row) for row in rows]
        stood = []
        for item in items if remember else ():
            mine = [n for n, row in enumerate(rows) if asks_for(item, row["type"], row["tags"])]
            size = AROUND + sum(AROUND + len(rows[n]["payload"]) for n in mine)
            stood.append(Stood({heard[n].position: heard[n] for n in mine}, head, size, connection))
        if connection is not NO_CONNECTION and connection is self._recorder.connection(study):
            for item, each in zip(items, stood, strict=False):
                self._keep(study, item, each)
        return Boundary(study, items, heard, [head] * len(items), stood, connection)

    def add(self, boundary: Boundary, drafts: Sequence[Draft], last: int) -> None:
        """These were appended after the boundary, the last of them at that position.

        So nothing else of it stands up to there, and what is appended after that is spared a
        condition: see recent_appends.py.
        """
        for item, stood in zip(boundary.items, boundary.stood, strict=False):
            if stood is not self._kept.get((boundary.study, item)):
                continue  # nothing is remembered of it, or something later
            heard, size = stood.heard, stood.size
            for position, draft in enumerate(drafts, last - len(drafts) + 1):
                if asks_for(item, draft.type, draft.tags):
                    recorded = draft.type, draft.schema, draft.payload
                    mine = _heard(position, draft.occurred_at, draft.actor, *recorded)
                    heard = {**heard, position: mine}
                    size += AROUND + len(draft.payload)
            self._keep(boundary.study, item, Stood(heard, last, size, stood.connection))

    def _keep(self, study: str, item: Item, stood: Stood) -> None:
        key = (study, item)
        if known := self._kept.pop(key, None):
            self._size -= known.size
        if not stood.heard and item[1]:
            return  # which goes without saying; of types alone there are few, and many ask for them
        self._kept[key] = stood if stood.size <= OF_ONE else TOO_LARGE
        self._size += self._kept[key].size
        while self._size > OF_ALL:
            self._size -= self._kept.popitem(last=False)[1].size


def heard_of(row: Record) -> Heard:
    """An event on record as a decision hears it."""
    recorded = row["type"], row["schema"], row["payload"]
    return _heard(row["position"], row["occurred_at"], row["actor"], *recorded)


def item_of(selector: Selector) -> Item:
    return tuple(type_.__name__ for type_ in selector.types), tuple(selector.tags)


def _heard(
    position: int, at: datetime, actor: str, type_: str, schema: int, payload: bytes
) -> Heard:
    event = read_recorded(type_, schema, payload, {})
    return Heard(position=position, occurred_at=at, actor=actor, event=event)
