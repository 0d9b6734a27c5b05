"""How the ethics audit keeps its findings: what a batch of events touches is asked again.

A finding is a rectangle: from when until when it counts in the field's time, and since when until
when it was known. The record only grows, so what was known at an earlier moment never changes: a
finding that no longer stands is closed at the moment that says so, and another one is opened.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from asyncpg import Connection, Record

from domain.approval import APPROVING
from domain.consent import ConsentGiven, ConsentRequested
from domain.consent_states import touches
from domain.corrections import Corrected
from domain.ethics import ConditionDischarged, OpinionGiven
from domain.held_items import held_of, item_of
from domain.modifications import ModificationDecided
from domain.older_events import read_recorded
from domain.oversight import FindingAnswered, FindingRaised, ReportFiled, Severity, StudyEndDeclared
from domain.policy_packs import PolicyAdopted
from domain.vocabulary import Entry, Heard
from domain.withdrawal import ConsentWithdrawn, DispositionCompleted, DispositionPlanned
from projections.audit_acts import EVERY, TURNING, acts, asked_of, examined_by, people_in
from projections.audit_clocks import (
    of_audit_finding,
    of_conditions,
    of_item,
    of_progress,
    of_safety,
    of_the_end,
    of_withdrawal,
)
from projections.audit_consents import changed_answer, of_person
from projections.audit_facts import (
    ALWAYS,
    CAPTURES,
    CLOCKED,
    FOREVER,
    MEMBERSHIP,
    STUDY,
    Facts,
    Found,
    bears_on,
    by_subject,
    words_of,
)
from projections.entries import entries_at
from projections.writing import Writes

WRITTEN = frozenset({"audit_finding", "audit_examined", "audit_read"})

LOAD = """
select subject, position, occurred_at, actor, type, schema, payload from audit_fact
where study = $1 and subject = any ($2) order by subject, position
"""
OPEN = """
select ctid, unit, question, severity, code, message, subject, positions, at_from, at_to, due,
    known_from
from audit_finding where study = $1 and unit = any ($2) and known_to = 'infinity'
"""
# What further consent, or an opinion, adds to: acts that it does not precede.
UNCONSENTED = """
select unit, subject from audit_finding
where study = $1 and question = 1 and subject = any ($2) and known_to = 'infinity'
"""
UNAPPROVED = """
select unit from audit_finding where study = $1 and question = 2 and known_to = 'infinity'
"""
# Acts that happened after a turn, but stand before it on record.
OVERTAKEN = """
select a.position, t.position as turn
from unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
    as t (who, since, until, position)
join audit_act a on a.study = $1 and a.who = t.who
    and a.occurred_at >= t.since and a.occurred_at < t.until and a.position < t.position
"""
HELD = "select who, position from audit_act where study = $1 and who = any ($2)"
FIRST_CAPTURES = """
select o.opinion, a.position from unnest($2::text[], $3::timestamptz[]) as o (opinion, since)
cross join lateral (
    select position from audit_act
    where study = $1 and who = 'capture' and occurred_at >= o.since and position < $4
    order by occurred_at, position limit 1
) a
"""
CONSENTING = """
select distinct subject from audit_fact where study = $1 and subject like 'participant:%'
"""
STARTED = """
select distinct subject from audit_fact
where study = $1 and occurred_at >= $2 and subject <> 'study'
"""
FRONT = """
select question, min(at_from) as at_from from audit_examined where study = $1 group by question
"""
LAST_READ = "select position, recorded_at from audit_read where study = $1"
READ = """
insert into audit_read values ($1, $2, $3) on conflict (study) do update
set position = excluded.position, recorded_at = excluded.recorded_at
"""
EXAMINED = "insert into audit_examined values ($1, $2, $3, $4)"
FOUND = """
insert into audit_finding values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
CLOSED = "update audit_finding set known_to = $2 where ctid = $1"
NEVER_STOOD = "delete from audit_finding where ctid = $1"

Stood = dict[Found, tuple[datetime, object]]  # since when it is known, and its row if it has one


async def settle(db: Connection, entries: Sequence[Entry]) -> None:
    """Ask again about everything that a batch touches, and write down what changed."""
    await Settling(db, entries).settle()


@dataclass
class Settling:
    """A batch of events, and the units it touches: findings that are worked out together.

    Events recorded at one moment become known together, at the last of them.
    """

    db: Connection
    entries: Sequence[Entry]
    moments: dict[int, int] = field(default_factory=dict)  # by position
    known_since: dict[int, datetime] = field(default_factory=dict)  # by position
    touched: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))  # at positions
    acts: dict[int, Heard] = field(default_factory=dict)  # by position
    subjects: set[str] = field(default_factory=lambda: {STUDY})
    facts: Facts = field(default_factory=lambda: Facts({}))
    held: dict[str, dict[str, list[Heard]]] = field(default_factory=dict)  # by person and item
    captures: dict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))
    write: Writes = field(default_factory=lambda: Writes(WRITTEN))

    @property
    def study(self) -> str:
        return self.entries[0].study

    def touch(self, unit: str, position: int) -> None:
        self.touched[unit].add(self.moments[position])

    async def settle(self) -> None:
        await self._read_on()
        for entry in self.entries:
            self._take_note(entry)
        self.facts = await self._load({STUDY})
        await self._what_came_to_light()
        await self._what_concerns_all()
        self.facts = await self._load(self.subjects)
        await self._of_those_who_withdrew()
        await self._of_opinions()
        for entry in self.entries:
            self._in_itself(entry)
        await self._examined()
        await self._ask_again()
        await self.write.flush(self.db)

    async def _read_on(self) -> None:
        """Question 20: positions follow one another, and the clock does not go back."""
        last = await self.db.fetchrow(LAST_READ, self.study)
        position, known = (last["position"], last["recorded_at"]) if last else (0, ALWAYS)
        at_once: list[int] = []
        for entry in self.entries:
            amiss = []
            if entry.position != position + 1:
                missing = f"Events {position + 1} to {entry.position - 1} are missing."
                amiss.append(("positions_missing", missing))
            if entry.recorded_at < known:
                backwards = f"Event {entry.position} was recorded before the one it follows."
                amiss.append(("recorded_out_of_order", backwards))
            if entry.recorded_at > known:
                self._known_together(at_once)
                at_once = []
            proof = tuple(each for each in (position, entry.position) if each)
            position, known = entry.position, max(known, entry.recorded_at)
            at_once.append(position)
            self.known_since[position] = known
            for code, message in amiss:
                subject = f"event:{position}"
                found = Found(20, Severity.BREACH, code, message, subject, proof, ALWAYS)
                self._found(f"record:{position}", found, known)
        self._known_together(at_once)
        self.write(READ, self.study, position, known)

    def _known_together(self, positions: list[int]) -> None:
        self.moments.update(dict.fromkeys(positions, positions[-1] if positions else 0))

    def _take_note(self, entry: Entry) -> None:
        """What the event touches by itself, and on what it, or what it touches, rests."""
        event, position, bearing = entry.event, entry.position, bears_on(entry.event)
        concerned = acts(event)
        self.subjects.update(bearing, (who for who in concerned if ":" in who))
        if concerned:
            self.acts[position] = entry
            self.touch(f"act:{position}", position)
        if type(event) in TURNING:
            self.touch(f"person:{bearing[0]}", position)
        match event:
            case ConsentWithdrawn():
                self.acts[position] = entry
                self.touch(f"withdrawal:{position}", position)
            case (
                DispositionPlanned(participant=name, item=item)
                | DispositionCompleted(participant=name, item=item)
            ):
                self.touch(f"item:{name}/{item}", position)
            case ReportFiled():
                for subject in bearing:
                    self.touch(f"clock:{subject}", position)
            case StudyEndDeclared() | OpinionGiven() | PolicyAdopted():
                self.touch(f"clock:{STUDY}", position)
            case FindingRaised() | FindingAnswered():
                self.touch(f"raised:{bearing[0]}", position)
            case _ if type(event) in CLOCKED:
                self.touch(f"clock:{bearing[0]}", position)

    async def _what_came_to_light(self) -> None:
        """Earlier acts to which a late entry matters, and those that later consent adds to."""
        late: list[tuple[str, datetime, datetime, int]] = []
        consents: dict[str, list[int]] = defaultdict(list)
        opinions: list[int] = []
        for entry in self.entries:
            event, since, position = entry.event, entry.occurred_at, entry.position
            if type(event) in TURNING or isinstance(event, MEMBERSHIP):
                late.append((bears_on(event)[0], since, FOREVER, position))
            if isinstance(event, ConsentGiven):
                consents[f"participant:{event.participant}"].append(position)
            if isinstance(event, APPROVING):
                late.append((EVERY, since, self._until_replaced(entry), position))
                if isinstance(event, OpinionGiven):
                    opinions.append(position)
        if not late:
            return
        rows = await self.db.fetch(OVERTAKEN, self.study, *map(list, zip(*late, strict=True)))
        again = [(row["position"], row["turn"]) for row in rows]
        again += self._in_the_batch(consents, opinions)
        if consents:
            for row in await self.db.fetch(UNCONSENTED, self.study, list(consents)):
                again += [(number(row["unit"]), turn) for turn in consents[row["subject"]]]
        if opinions:
            for row in await self.db.fetch(UNAPPROVED, self.study):
                again += [(number(row["unit"]), turn) for turn in opinions]
        await self._look_up({act for act, _ in again})
        for act, turn in again:
            self.touch(f"act:{act}", turn)

    def _until_replaced(self, entry: Entry) -> datetime:
        """Until when it makes a difference: a later opinion replaces whatever stood before."""
        if touches(entry.event):
            return FOREVER
        later = (
            heard.occurred_at
            for heard in self.facts.rulings(entry.position)
            if isinstance(heard.event, OpinionGiven) and heard.occurred_at > entry.occurred_at
        )
        return next(later, FOREVER)

    def _in_the_batch(
        self, consents: dict[str, list[int]], opinions: list[int]
    ) -> Iterable[tuple[int, int]]:
        for entry in self.entries:
            turns: list[int] = []
            if type(entry.event) in CAPTURES:
                turns = [turn for who in people_in(entry.event) for turn in consents.get(who, ())]
            elif isinstance(entry.event, ConsentGiven | ConsentRequested):
                turns = opinions
            yield from ((entry.position, turn) for turn in turns if turn > entry.position)

    async def _look_up(self, positions: Iterable[int]) -> None:
        """Acts that stand further back on record, and whom they concern."""
        if missing := sorted(set(positions) - self.acts.keys()):
            for entry in await entries_at(self.db, self.study, missing):
                self.acts[entry.position] = entry
                concerned = (*acts(entry.event), *bears_on(entry.event))
                self.subjects.update(who for who in concerned if ":" in who)

    async def _what_concerns_all(self) -> None:
        """A modification that asks for everybody's consent anew, and another policy pack."""
        for entry in self.entries:
            position = entry.position
            if isinstance(entry.event, ModificationDecided) and touches(entry.event):
                for row in await self.db.fetch(CONSENTING, self.study):
                    self.subjects.add(row["subject"])
                    self.touch(f"person:{row['subject']}", position)
            elif isinstance(entry.event, PolicyAdopted):
                for row in await self.db.fetch(STARTED, self.study, entry.occurred_at):
                    subject = row["subject"]
                    self.subjects.add(subject)
                    kind = "person" if subject.startswith("participant:") else "clock"
                    self.touch(f"{kind}:{subject}", position)

    async def _of_those_who_withdrew(self) -> None:
        """What is held of people, where a withdrawal, or something held of who withdrew, is new."""
        left: dict[str, list[int]] = defaultdict(list)  # who, and what may change all items
        for entry in self.entries:
            event, position = entry.event, entry.position
            match event:
                case ConsentWithdrawn():
                    left[f"participant:{event.participant}"].append(position)
                case ConsentGiven():  # it tells what came after it from what came before
                    if self._withdrawals(bears_on(event), position):
                        left[f"participant:{event.participant}"].append(position)
                case ReportFiled():
                    for withdrawal in self._withdrawals(bears_on(event), position):
                        self.acts[withdrawal.position] = withdrawal
                        self.touch(f"withdrawal:{withdrawal.position}", position)
                case PolicyAdopted():
                    for withdrawal in self._withdrawals(self.subjects, position):
                        left[bears_on(withdrawal.event)[0]].append(position)
            if item := item_of(event, position):
                for name in held_of(event):
                    if self._withdrawals([f"participant:{name}"], position):
                        self.touch(f"item:{name}/{item}", position)
        units = [unit for unit in self.touched if unit.startswith("item:")]
        people = {f"participant:{unit[5:].partition('/')[0]}" for unit in units} | left.keys()
        if not people:
            return
        rows = await self.db.fetch(HELD, self.study, list(people))
        await self._look_up(row["position"] for row in rows)
        for who in people:
            self.held[who.partition(":")[2]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: int(row["position"])):
            heard, name = self.acts[row["position"]], row["who"].partition(":")[2]
            if item := item_of(heard.event, heard.position):
                self.held[name][item].append(heard)
        for who, positions in left.items():
            name = who.partition(":")[2]
            for item in {*self.held[name], *self._disposed_of(who)}:
                for position in positions:
                    self.touch(f"item:{name}/{item}", position)

    def _disposed_of(self, who: str) -> Iterable[str]:
        """The items that dispositions name, whatever they are."""
        for heard in self.facts.told(who, self.entries[-1].position):
            if isinstance(heard.event, DispositionPlanned | DispositionCompleted):
                yield heard.event.item

    def _withdrawals(self, subjects: Iterable[str], known: int) -> list[Heard]:
        people = [each.partition(":")[2] for each in subjects if each.startswith("participant:")]
        return [
            heard
            for name in people
            for heard in self.facts.turns(name, known)
            if isinstance(heard.event, ConsentWithdrawn)
        ]

    async def _of_opinions(self) -> None:
        """The conditions of opinions, where they, or the first capture under them, are new."""
        given: dict[str, datetime] = {}  # the opinions concerned, and when each was given
        for entry in self.entries:
            event, position = entry.event, entry.position
            if isinstance(event, OpinionGiven | ConditionDischarged | PolicyAdopted):
                for opinion, at in self._opinions_concerned_by(entry):
                    given[opinion] = at
                    self.touch(f"conditions:{opinion}", position)
            elif type(event) in CAPTURES:
                approval = self.facts.approval(entry.occurred_at, position)
                if approval is not None and approval.conditions:
                    given.setdefault(approval.opinion, self._given_at(approval.position))
        if not given:
            return
        first = self.entries[0].position
        asked = (list(given), list(given.values()), first)
        rows = await self.db.fetch(FIRST_CAPTURES, self.study, *asked)
        await self._look_up(row["position"] for row in rows)
        for row in rows:
            self.captures[row["opinion"]].append(self.acts[row["position"]])
        for entry in self.entries:
            for opinion, since in given.items() if type(entry.event) in CAPTURES else ():
                earliest = self.captures[opinion][-1:]
                if entry.occurred_at >= since and all(
                    entry.occurred_at < each.occurred_at for each in earliest
                ):
                    self.captures[opinion].append(entry)
                    self.touch(f"conditions:{opinion}", entry.position)

    def _opinions_concerned_by(self, entry: Entry) -> Iterable[tuple[str, datetime]]:
        """Itself and the one it replaces; the one whose condition it is; or all of them."""
        event, position = entry.event, entry.position
        ruled = self.facts.rulings(position)
        opinions = [each for each in ruled if isinstance(each.event, OpinionGiven)]
        for heard, later in zip(opinions, [*opinions[1:], None], strict=False):
            name = getattr(heard.event, "opinion", "")
            if (
                isinstance(event, PolicyAdopted)
                or (isinstance(event, ConditionDischarged) and event.opinion == name)
                or position in (heard.position, later and later.position)
            ):
                yield name, heard.occurred_at

    def _given_at(self, position: int) -> datetime:
        ruled = self.facts.rulings(self.entries[-1].position)
        return next(heard.occurred_at for heard in ruled if heard.position == position)

    def _in_itself(self, entry: Entry) -> None:
        """Questions 12 and 17: late entries and corrections; nothing later changes that."""
        known, position = self.known_since[entry.position], entry.position
        pack = self.facts.pack(entry.recorded_at, position)
        late = entry.recorded_at - entry.occurred_at > timedelta(days=pack.late_after_days)
        if late and type(entry.event) in TURNING:
            for found in changed_answer(entry, self.facts):
                self._found(f"turn:{position}", found, known)
        proof: tuple[int, ...] = (position,)
        if isinstance(entry.event, Corrected):
            corrected = entry.event.corrects
            code, proof = "entry_corrected", (corrected, position)
            message = f"{entry.actor} corrected event {corrected} ({entry.event.event_type})."
        elif late:
            code = "entered_late"
            message = (
                f"{entry.type} of {words_of(entry.occurred_at)} was recorded by {entry.actor} on "
                f"{words_of(entry.recorded_at)}, {(entry.recorded_at - entry.occurred_at).days} "
                "days later."
            )
        else:
            return
        found = Found(
            17, Severity.ATTENTION, code, message, f"event:{position}", proof, entry.occurred_at
        )
        self._found(f"entry:{position}", found, known)

    async def _examined(self) -> None:
        """Since when there is something to examine; known later, it may have been earlier."""
        front = {row["question"]: row["at_from"] for row in await self.db.fetch(FRONT, self.study)}
        for entry in self.entries:
            for question in (*examined_by(entry.event), 17):
                if entry.occurred_at < front.get(question, FOREVER):
                    front[question] = entry.occurred_at
                    known = self.known_since[entry.position]
                    self.write(EXAMINED, self.study, question, entry.occurred_at, known)

    async def _ask_again(self) -> None:
        begun = self.entries[0].position
        older = [unit for unit in self.touched if unit[:4] != "act:" or number(unit) < begun]
        stood: dict[str, Stood] = defaultdict(dict)
        for row in await self.db.fetch(OPEN, self.study, older) if older else ():
            stood[row["unit"]][found_in(row)] = (row["known_from"], row["ctid"])
        for unit, positions in self.touched.items():
            ask = self._question(unit)
            stands = stood.get(unit, {})
            for position in sorted(positions):
                known, now = self.known_since[position], dict.fromkeys(ask(position))
                for found in [each for each in stands if each not in now]:
                    self._close(unit, found, *stands.pop(found), known)
                for found in now:
                    stands.setdefault(found, (known, None))
            for found, (since, row_id) in stands.items():
                if row_id is None:
                    self._found(unit, found, since)

    def _question(self, unit: str) -> Callable[[int], Iterable[Found]]:
        """What works out the findings of a unit, as known at a position."""
        kind, _, what = unit.partition(":")
        match kind:
            case "act":
                return partial(asked_of, self.acts[number(unit)], self.facts)
            case "person":
                return partial(of_person, what.partition(":")[2], self.facts)
            case "withdrawal":
                return partial(of_withdrawal, self.acts[number(unit)], self.facts)
            case "item":
                name, _, item = what.partition("/")
                return partial(of_item, name, item, self.held[name].get(item, []), self.facts)
            case "conditions":
                return partial(of_conditions, what, self.captures[what], self.facts)
            case "raised":
                return partial(of_audit_finding, what, self.facts)
        return partial(of_the_study if what == STUDY else of_safety, what, self.facts)

    def _close(
        self, unit: str, found: Found, since: datetime, row_id: object, known: datetime
    ) -> None:
        """What no longer stands was known until now; what was never known before now, never."""
        if row_id is None:
            if since < known:
                self._found(unit, found, since, known)
        elif since < known:
            self.write(CLOSED, row_id, known)
        else:
            self.write(NEVER_STOOD, row_id)

    def _found(self, unit: str, found: Found, since: datetime, until: datetime = FOREVER) -> None:
        *said, at_from, at_to, due = found
        self.write(FOUND, self.study, unit, *said, at_from, at_to, since, until, due)

    async def _load(self, subjects: Iterable[str]) -> Facts:
        rows = await self.db.fetch(LOAD, self.study, list(subjects))
        return Facts(by_subject((row["subject"], heard_in(row)) for row in rows))


def of_the_study(subject: str, facts: Facts, known: int) -> Iterable[Found]:
    """Question 15: what is owed to the committee for the study as a whole."""
    yield from of_the_end(facts, known)
    yield from of_progress(facts, known)


def number(unit: str) -> int:
    """The position in a unit's name."""
    return int(unit.partition(":")[2])


def heard_in(row: Record) -> Heard:
    """A fact's row as the event it was."""
    return Heard(
        position=row["position"],
        occurred_at=row["occurred_at"],
        actor=row["actor"],
        event=read_recorded(row["type"], row["schema"], row["payload"], {}),
    )


def found_in(row: Record) -> Found:
    """A finding's row as it was found."""
    return Found(
        row["question"], Severity(row["severity"]), row["code"], row["message"], row["subject"],
        tuple(row["positions"]), moment(row["at_from"]), moment(row["at_to"]), row["due"],
    )  # fmt: skip


def moment(at: datetime) -> datetime:
    """With its offset: the database's infinities come without one."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)
