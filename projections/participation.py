"""Participation: whose voice the study heard: who took part, by group and phase."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.actions import ActionImplemented
from domain.ballots import BallotCast
from domain.fieldwork import FocusGroupHeld, InterviewHeld, ObservationMade
from domain.findings import FindingContested, FindingValidated
from domain.membership import Duty
from domain.outcomes import StoryCollected
from domain.payments import Payment
from domain.people import ParticipantEnrolled
from domain.planning import PlanRatified
from domain.priorities import DissentRecorded, PriorityProposed
from domain.reconnaissance import ConcernStated
from domain.recordings import MediaCaptured
from domain.reflections import ReflectionRecorded
from domain.vocabulary import Entry, Personal, Phase, ResearchEvent
from domain.workshops import WorkshopHeld
from projections.paging import Page, Window, during, one, page, rows_of
from projections.writing import Writes

READ_BY = Duty.AUDIT

TABLES = """
create table enrolment (
    study text not null, position bigint not null, participant text not null, in_group text,
    constituency text, enrolled_at timestamptz not null, name text, contact text,
    primary key (study, position)
);
create unique index on enrolment (study, participant);
create index on enrolment (study, in_group, position);
create table taking_part (  -- cycle '': outside every cycle
    study text not null, participant text not null, cycle text not null, phase text not null,
    part text not null, times int not null, first_at timestamptz not null,
    last_at timestamptz not null,
    primary key (study, participant, cycle, phase, part)
) with (fillfactor = 50);
create table participant_paid (
    study text not null, participant text not null, cycle text not null, phase text not null,
    currency text not null, payments int not null, amount bigint not null,
    primary key (study, participant, cycle, phase, currency)
) with (fillfactor = 50);
"""

ENROLLED = "insert into enrolment values ($1, $2, $3, $4, $5, $6, $7, $8)"
TOOK_PART = """
insert into taking_part as t
select distinct $1::text, p, $3::text, $4::text, $5::text, 1, $6::timestamptz, $6::timestamptz
from unnest($2::text[]) p
on conflict (study, participant, cycle, phase, part) do update set times = t.times + 1,
    first_at = least(t.first_at, excluded.first_at), last_at = greatest(t.last_at, excluded.last_at)
"""
PAID = """
insert into participant_paid as t
select $1, p, $3, $4, c, count(*), sum(a)
from unnest($2::text[], $5::text[], $6::bigint[]) p (p, c, a) group by p, c
on conflict (study, participant, cycle, phase, currency) do update set
    payments = t.payments + excluded.payments, amount = t.amount + excluded.amount
"""

PARTS = (
    "workshops", "interviews", "focus_groups", "observations", "recordings", "stories", "ballots",
    "reflections", "deliberations", "actions",
)  # fmt: skip
TIMES = ", ".join(
    f"coalesce(sum(times) filter (where part = '{part}'), 0)::int {part}" for part in PARTS
)
PARTICIPANTS = f"""(
select e.*, t.*, array(
    select row(p.currency, sum(p.payments)::int, sum(p.amount)::bigint) from participant_paid p
    where p.study = e.study and p.participant = e.participant
    group by p.currency order by p.currency
) paid
from enrolment e
left join lateral (
    select {TIMES}, coalesce(array_agg(distinct cycle) filter (where cycle <> ''), '{{}}') cycles,
        min(first_at) first_at, max(last_at) last_at
    from taking_part t where t.study = e.study and t.participant = e.participant
) t on true
) participant_shown"""
# A group of which nobody took part is shown too: its voice is the one that is missing. Whoever took
# part is added up first: there are many more ways of taking part than people in a phase.
PARTICIPATION = f"""
with paid as (
    select e.in_group, p.phase, p.currency, sum(p.payments)::int payments,
        sum(p.amount)::bigint amount
    from participant_paid p join enrolment e on e.study = $1 and e.participant = p.participant
    where p.study = $1 and ($2::text is null or p.cycle = $2)
    group by e.in_group, p.phase, p.currency
)
select g.in_group as "group", g.enrolled, t.phase, coalesce(t.people, 0) people,
    {", ".join(f"coalesce(t.{part}, 0) {part}" for part in PARTS)},
    array(
        select row(p.currency, p.payments, p.amount) from paid p
        where p.in_group is not distinct from g.in_group and p.phase = t.phase order by p.currency
    ) paid
from (
    select in_group, count(*)::int enrolled from enrolment
    where study = $1 and ($4::text is null or in_group = $4) group by in_group
) g
left join (
    select e.in_group, p.phase, count(*)::int people,
        {", ".join(f"sum(p.{part})::int {part}" for part in PARTS)}
    from (
        select participant, phase, {TIMES} from taking_part
        where study = $1 and ($2::text is null or cycle = $2)
            and ($3::text is null or phase = $3)
        group by participant, phase
    ) p
    join enrolment e on e.study = $1 and e.participant = p.participant
    group by e.in_group, p.phase
) t on t.in_group is not distinct from g.in_group
order by g.in_group nulls last, t.phase
"""


@dataclass(frozen=True)
class Paid:
    """What was paid for taking part, in one currency."""

    currency: Annotated[str, "An ISO 4217 code."]
    payments: Annotated[int, "How many payments."]
    amount: Annotated[int, "Their sum in the currency's smallest unit: pence, cents."]


@dataclass(frozen=True)
class Participant:
    """Somebody who takes part in the study, under a pseudonym, and how they have."""

    NODE: ClassVar[tuple[str, str]] = (PARTICIPANTS, "participant")

    study: str
    position: Annotated[int, "Where their enrolment stands in the study's record."]
    participant: Annotated[str, "Their pseudonym."]
    in_group: Annotated[str | None, "The group they belong to."]
    constituency: Annotated[str | None, "The constituency they belong to."]
    enrolled_at: Annotated[datetime, "When they were enrolled."]
    name: Annotated[str | None, Personal("participant"), "Their name."]
    contact: Annotated[str | None, Personal("participant"), "How to reach them."]
    workshops: Annotated[int, "Workshops they came to."]
    interviews: Annotated[int, "Interviews they gave."]
    focus_groups: Annotated[int, "Focus groups they were in."]
    observations: Annotated[int, "Observations they were in."]
    recordings: Annotated[int, "Recordings they can be heard or recognised in."]
    stories: Annotated[int, "Stories they told."]
    ballots: Annotated[int, "Ballot papers they cast; never for what."]
    reflections: Annotated[int, "Reflections in their voice."]
    deliberations: Annotated[
        int, "Concerns, proposals, agreements, dissents and judgements of findings they voiced."
    ]
    actions: Annotated[int, "Actions they carried out."]
    cycles: Annotated[list[str], "The cycles they took part in."]
    first_at: Annotated[datetime | None, "When they first took part."]
    last_at: Annotated[datetime | None, "When they last took part."]
    paid: Annotated[list[Paid], "What they were paid for it."]

    def __post_init__(self) -> None:
        row = vars(self)  # nested rows come as plain tuples
        row["paid"] = [Paid(*each) for each in row["paid"]]


@dataclass(frozen=True)
class Participation:
    """How much a group took part in one phase: whose voice was heard, and whose was not."""

    group: Annotated[str | None, "The group; null for participants of none."]
    enrolled: Annotated[int, "How many participants belong to it."]
    phase: Annotated[Phase | None, "The phase; null if nobody of the group took part in any."]
    people: Annotated[int, "How many of them took part in that phase."]
    workshops: Annotated[int, "Attendances at workshops."]
    interviews: Annotated[int, "Interviews given."]
    focus_groups: Annotated[int, "Attendances at focus groups."]
    observations: Annotated[int, "Times they were in an observation."]
    recordings: Annotated[int, "Times they were in a recording."]
    stories: Annotated[int, "Voices in stories told."]
    ballots: Annotated[int, "Ballot papers cast."]
    reflections: Annotated[int, "Voices in reflections."]
    deliberations: Annotated[
        int, "Voices in concerns, proposals, agreements, dissents and judgements of findings."
    ]
    actions: Annotated[int, "Hands in actions carried out."]
    paid: Annotated[list[Paid], "What was paid to them for it."]

    def __post_init__(self) -> None:
        row = vars(self)
        row["paid"] = [Paid(*each) for each in row["paid"]]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def participant_enrolled(event: ParticipantEnrolled, entry: Entry, write: Writes) -> None:
    write(
        ENROLLED, entry.study, entry.position, event.participant, event.group, event.constituency,
        entry.occurred_at, event.name, event.contact,
    )  # fmt: skip


@project.register
def workshop_held(event: WorkshopHeld, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "workshops", entry, write)
    paid(event.payments, entry, write)


@project.register
def interview_held(event: InterviewHeld, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "interviews", entry, write)
    paid(event.payments, entry, write)


@project.register
def focus_group_held(event: FocusGroupHeld, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "focus_groups", entry, write)
    paid(event.payments, entry, write)


@project.register
def observation_made(event: ObservationMade, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "observations", entry, write)


@project.register
def media_captured(event: MediaCaptured, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "recordings", entry, write)


@project.register
def story_collected(event: StoryCollected, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "stories", entry, write)


@project.register
def ballot_cast(event: BallotCast, entry: Entry, write: Writes) -> None:
    if event.participant is not None:
        took_part((event.participant,), "ballots", entry, write)


@project.register
def reflection_recorded(event: ReflectionRecorded, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "reflections", entry, write)


@project.register
def deliberated(
    event: ConcernStated | PlanRatified | DissentRecorded | FindingValidated | FindingContested,
    entry: Entry,
    write: Writes,
) -> None:
    took_part(event.participants, "deliberations", entry, write)


@project.register
def priority_proposed(event: PriorityProposed, entry: Entry, write: Writes) -> None:
    took_part(event.proposed_by, "deliberations", entry, write)


@project.register
def action_implemented(event: ActionImplemented, entry: Entry, write: Writes) -> None:
    took_part(event.participants, "actions", entry, write)


def took_part(participants: tuple[str, ...], part: str, entry: Entry, write: Writes) -> None:
    """Each of them took part once more, in this way."""
    if participants:
        write(
            TOOK_PART, entry.study, participants, entry.cycle or "", entry.envelope.phase, part,
            entry.occurred_at,
        )  # fmt: skip


def paid(payments: tuple[Payment, ...], entry: Entry, write: Writes) -> None:
    """Payments for taking part; somebody may get several at once."""
    if payments:
        write(
            PAID, entry.study, [each.participant for each in payments], entry.cycle or "",
            entry.envelope.phase, [each.currency for each in payments],
            [each.amount for each in payments],
        )  # fmt: skip


async def participants(
    db: Connection,
    study: str,
    window: Window,
    *,
    group: Annotated[str | None, "Of this group."] = None,
    constituency: Annotated[str | None, "Of this constituency."] = None,
    cycle: Annotated[str | None, "Who took part in this cycle."] = None,
    since: Annotated[date | None, "Enrolled on this day or later (UTC)."] = None,
    until: Annotated[date | None, "Enrolled on this day or earlier (UTC)."] = None,
) -> Page[Participant]:
    """The participants and how each has taken part, in the order of their enrolment."""
    filters = {
        "study =": study, "in_group =": group, "constituency =": constituency,
        "cycles @>": cycle and [cycle],
        **during(since, until, "enrolled_at"),
    }  # fmt: skip
    return await page(db, Participant, PARTICIPANTS, filters, window)


async def participant(
    db: Connection, study: str, participant: Annotated[str, "The participant's pseudonym."]
) -> Participant | None:
    """One participant and how they have taken part; null if there is none of that pseudonym."""
    filters = {"study =": study, "participant =": participant}
    return await one(db, Participant, PARTICIPANTS, filters)


async def participation(
    db: Connection,
    study: str,
    *,
    cycle: Annotated[str | None, "In this cycle only."] = None,
    phase: Annotated[Phase | None, "In this phase only."] = None,
    group: Annotated[str | None, "Of this group only."] = None,
) -> list[Participation]:
    """Whose voice was heard: how each group took part in each phase."""
    rows = await db.fetch(PARTICIPATION, study, cycle, phase, group)
    return rows_of(Participation, rows)
