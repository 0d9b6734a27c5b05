"""Reflections: what people made of a cycle, the stories they chose, and what is carried on."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import singledispatch
from typing import Annotated, ClassVar

from asyncpg import Connection

from domain.outcomes import StoryCollected
from domain.reflections import (
    AssumptionTested,
    Carrying,
    LearningCarried,
    ReflectionRecorded,
    StorySelected,
    Verdict,
    Voice,
)
from domain.vocabulary import Entry, Personal, ResearchEvent
from projections.paging import Page, Window, during, page
from projections.writing import Writes

TABLES = """
create table reflection_line (
    study text not null, position bigint not null, reflection text not null, cycle text not null,
    occurred_at timestamptz not null, voice text not null, title text, what text not null,
    so_what text, now_what text, participants text[] not null, workshop text,
    turning_point bool not null, actions_changed text[] not null,
    priorities_changed text[] not null,
    primary key (study, position)
);
create unique index on reflection_line (study, reflection);
create index on reflection_line (study, cycle, position);
create table story_line (
    study text not null, position bigint not null, story text not null, cycle text not null,
    occurred_at timestamptz not null, title text not null, participants text[] not null,
    text text not null, domain_of_change text, actions text[] not null,
    selections int not null default 0,
    primary key (study, position)
);
create unique index on story_line (study, story);
create index on story_line (study, cycle, position);
create table story_selection (
    study text not null, position bigint not null, story text not null, cycle text not null,
    occurred_at timestamptz not null, why text not null, selected_by text, domain_of_change text,
    primary key (study, position)
);
create index on story_selection (study, story, position);
create table assumption_line (
    study text not null, position bigint not null, cycle text not null, action text,
    occurred_at timestamptz not null, assumption text not null, verdict text not null,
    evidence text,
    primary key (study, position)
);
create index on assumption_line (study, cycle, position);
create table learning_line (
    study text not null, position bigint not null, cycle text not null, to_cycle text,
    occurred_at timestamptz not null, learning text not null, carrying text not null, why text,
    primary key (study, position)
);
create index on learning_line (study, cycle, position);
"""

REFLECTED = """
insert into reflection_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    $15)
"""
TOLD = "insert into story_line values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
SELECTED = "insert into story_selection values ($1, $2, $3, $4, $5, $6, $7, $8)"
SELECTION_COUNTED = """
update story_line set selections = selections + 1 where study = $1 and story = $2
"""
TESTED = "insert into assumption_line values ($1, $2, $3, $4, $5, $6, $7, $8)"
CARRIED = "insert into learning_line values ($1, $2, $3, $4, $5, $6, $7, $8)"


@dataclass(frozen=True)
class Reflection:
    """What somebody made of what had happened: what, so what, now what."""

    NODE: ClassVar[tuple[str, str]] = ("reflection_line", "reflection")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    reflection: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it reflects on."]
    occurred_at: Annotated[datetime, "When."]
    voice: Annotated[Voice, "Whose voice it is."]
    title: Annotated[str | None, "What it is called."]
    what: Annotated[str, Personal("participants"), "What happened."]
    so_what: Annotated[str | None, Personal("participants"), "What it means."]
    now_what: Annotated[str | None, Personal("participants"), "What follows from it."]
    participants: Annotated[list[str], "Whose words they are, by pseudonym."]
    workshop: Annotated[str | None, "The workshop in which they were said."]
    turning_point: Annotated[bool, "Whether the study took another direction."]
    actions_changed: Annotated[list[str], "The actions that it changed."]
    priorities_changed: Annotated[list[str], "The priorities that it changed."]


@dataclass(frozen=True)
class Story:
    """A story of change that participants told."""

    NODE: ClassVar[tuple[str, str]] = ("story_line", "story")

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    story: Annotated[str, "Its identifier."]
    cycle: Annotated[str, "The cycle it was told in."]
    occurred_at: Annotated[datetime, "When it was told."]
    title: Annotated[str, "The change it tells of."]
    participants: Annotated[list[str], "Who told it, by pseudonym."]
    text: Annotated[str, Personal("participants"), "The story."]
    domain_of_change: Annotated[str | None, "In what the change lies."]
    actions: Annotated[list[str], "The actions it tells of."]
    selections: Annotated[int, "How often it was chosen as the most significant change."]


@dataclass(frozen=True)
class StorySelection:
    """The choice of a story as showing the most significant change."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    story: Annotated[str, "The story that was chosen."]
    cycle: Annotated[str, "The cycle in which it was chosen."]
    occurred_at: Annotated[datetime, "When."]
    why: Annotated[str, Personal("actor"), "Why it was chosen."]
    selected_by: Annotated[str | None, "The panel that chose it."]
    domain_of_change: Annotated[str | None, "In what the change lies."]


@dataclass(frozen=True)
class AssumptionTest:
    """An assumption of the plans, held against what happened."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    cycle: Annotated[str, "The cycle in which it was tested."]
    action: Annotated[str | None, "The action that rested on it."]
    occurred_at: Annotated[datetime, "When it was tested."]
    assumption: Annotated[str, "What had been assumed."]
    verdict: Annotated[Verdict, "What became of it."]
    evidence: Annotated[str | None, Personal("actor"), "By what that is seen."]


@dataclass(frozen=True)
class Learning:
    """Something that a cycle taught, and what the next turn does with it."""

    study: str
    position: Annotated[int, "Where it stands in the study's record."]
    cycle: Annotated[str, "The cycle in which it was learned."]
    to_cycle: Annotated[str | None, "The cycle in which it is taken up."]
    occurred_at: Annotated[datetime, "When it was carried on."]
    learning: Annotated[str, "What was learned."]
    carrying: Annotated[Carrying, "Whether it is kept, changed or dropped."]
    why: Annotated[str | None, Personal("actor"), "Why."]


@singledispatch
def project(event: ResearchEvent, entry: Entry, write: Writes) -> None:
    """Events this register does not read change nothing."""


@project.register
def reflection_recorded(event: ReflectionRecorded, entry: Entry, write: Writes) -> None:
    write(
        REFLECTED, entry.study, entry.position, event.reflection, event.cycle, entry.occurred_at,
        event.voice, event.title, event.what, event.so_what, event.now_what, event.participants,
        event.workshop, event.turning_point, event.actions_changed, event.priorities_changed,
    )  # fmt: skip


@project.register
def story_collected(event: StoryCollected, entry: Entry, write: Writes) -> None:
    write(
        TOLD, entry.study, entry.position, event.story, event.cycle, entry.occurred_at,
        event.title, event.participants, event.text, event.domain_of_change, event.actions,
    )  # fmt: skip


@project.register
def story_selected(event: StorySelected, entry: Entry, write: Writes) -> None:
    write(
        SELECTED, entry.study, entry.position, event.story, event.cycle, entry.occurred_at,
        event.why, event.selected_by, event.domain_of_change,
    )  # fmt: skip
    write(SELECTION_COUNTED, entry.study, event.story)


@project.register
def assumption_tested(event: AssumptionTested, entry: Entry, write: Writes) -> None:
    write(
        TESTED, entry.study, entry.position, event.cycle, event.action, entry.occurred_at,
        event.assumption, event.verdict, event.evidence,
    )  # fmt: skip


@project.register
def learning_carried(event: LearningCarried, entry: Entry, write: Writes) -> None:
    write(
        CARRIED, entry.study, entry.position, event.cycle, event.to_cycle, entry.occurred_at,
        event.learning, event.carrying, event.why,
    )  # fmt: skip


async def reflections(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "On this cycle."] = None,
    voice: Annotated[Voice | None, "In this voice."] = None,
    turning_point: Annotated[bool | None, "Turning points of the study, or not."] = None,
    participant: Annotated[str | None, "In this participant's words."] = None,
    workshop: Annotated[str | None, "Said in this workshop."] = None,
    since: Annotated[date | None, "On this day (UTC) or later."] = None,
    until: Annotated[date | None, "On this day (UTC) or earlier."] = None,
) -> Page[Reflection]:
    """What people made of what had happened, in the order it was recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "voice =": voice, "turning_point =": turning_point,
        "participants @>": participant and [participant], "workshop =": workshop,
        **during(since, until),
    }  # fmt: skip
    return await page(db, Reflection, "reflection_line", filters, window)


async def stories(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Told in this cycle."] = None,
    participant: Annotated[str | None, "Told by this participant."] = None,
    action: Annotated[str | None, "Telling of this action."] = None,
    selected: Annotated[bool | None, "Chosen as a most significant change, or not."] = None,
    since: Annotated[date | None, "Told on this day (UTC) or later."] = None,
    until: Annotated[date | None, "Told on this day (UTC) or earlier."] = None,
) -> Page[Story]:
    """The stories of change collected, in the order they were recorded."""
    filters = {
        "study =": study, "cycle =": cycle, "participants @>": participant and [participant],
        "actions @>": action and [action], "(selections > 0) =": selected,
        **during(since, until),
    }  # fmt: skip
    return await page(db, Story, "story_line", filters, window)


async def story_selections(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "In this cycle."] = None,
    story: Annotated[str | None, "Of this story."] = None,
) -> Page[StorySelection]:
    """Which stories were chosen as the most significant change, in the order of the record."""
    filters = {"study =": study, "cycle =": cycle, "story =": story}
    return await page(db, StorySelection, "story_selection", filters, window)


async def assumptions(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Tested in this cycle."] = None,
    action: Annotated[str | None, "That this action rested on."] = None,
    verdict: Annotated[Verdict | None, "Of which this became."] = None,
) -> Page[AssumptionTest]:
    """The assumptions tested, in the order they were recorded."""
    filters = {"study =": study, "cycle =": cycle, "action =": action, "verdict =": verdict}
    return await page(db, AssumptionTest, "assumption_line", filters, window)


async def learning(
    db: Connection,
    study: str,
    window: Window,
    *,
    cycle: Annotated[str | None, "Learned in this cycle."] = None,
    to_cycle: Annotated[str | None, "Taken up in this cycle."] = None,
    carrying: Annotated[Carrying | None, "Kept, changed or dropped."] = None,
) -> Page[Learning]:
    """What was learned and carried on, in the order it was recorded."""
    filters = {"study =": study, "cycle =": cycle, "to_cycle =": to_cycle, "carrying =": carrying}
    return await page(db, Learning, "learning_line", filters, window)
