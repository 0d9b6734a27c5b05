"""The identifiers that a form offers: what the registers know of each kind, and what is usual.

Whichever register has nodes of a kind is asked for them, under the same roles as by GraphQL; who
may not ask it is offered nothing and writes the identifier by hand.
"""

import inspect
import secrets
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple, get_args, get_type_hints

from domain.membership import Role
from domain.policy_packs import policy_packs
from domain.vocabulary import Personal, marked
from projections.paging import Window
from projections.study_register import members
from service.graphql_queries import Question, questions
from service.pages.log_fields import FormField
from service.pages.visits import Visit

MOST = 500  # identifiers of a kind, the newest: as many as a workshop can have participants
OURS = {"participant", "member"}  # people's pseudonyms follow the study's own custom
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another
BESIDES = {"group": "participant", "site": "opinion"}  # kinds that stand in another kind's rows
COLUMNS = {"group": ("in_group",), "site": ("sites",)}
TOLD = ("title", "in_group", "role", "state")  # columns that say what an identifier stands for


class Offer(NamedTuple):
    """An identifier, and what it stands for."""

    value: str
    words: str


Offers = dict[str, list[Offer]]


@cache
def lists() -> dict[str, Question]:
    """The question that lists what there is of a kind, for each kind that a register lists."""
    found = {}
    for question in questions():
        if "window" in inspect.signature(question.ask).parameters:
            (row,) = get_args(get_type_hints(question.ask)["return"])
            if node := getattr(row, "NODE", None):
                found[node[1]] = question
    return found


async def offers_for(visit: Visit, fields: Iterable[FormField]) -> Offers:
    """What is offered for the kinds of identifier that these fields ask for."""
    kinds = set(_kinds(fields))
    rows: dict[str, list[Any]] = {}
    for kind in {BESIDES.get(kind, kind) for kind in kinds}:
        question = lists().get(kind)
        if question is not None and visit.may(question.duty):
            rows[kind] = (await visit.ask(question.ask, window=Window(last=MOST))).rows
    offers = {kind: _offers(kind, rows.get(BESIDES.get(kind, kind), [])) for kind in kinds}
    if "pack" in kinds:
        offers["pack"] = [Offer(name, pack.title) for name, pack in policy_packs().items()]
    return offers


async def themselves(visit: Visit) -> str:
    """The pseudonym of a visitor who takes part in the study; "" for all others."""
    if visit.role is not Role.PARTICIPANT:
        return ""
    those = await visit.ask(members, window=Window(last=MOST), role=Role.PARTICIPANT)
    theirs = [each.participant for each in those.rows if each.member == visit.asker.member]
    return theirs[0] or "" if theirs else ""


def usual(fields: Iterable[FormField], offers: Offers, who: str) -> dict[str, str]:
    """What stands in a fresh form: the open cycle that began last, new identifiers, oneself."""
    found = {}
    for each in fields:
        if each.kind != "identifier":
            continue
        if each.new:
            if each.of not in OURS:
                made = "".join(secrets.choice(LETTERS) for _ in range(4))
                found[each.name] = f"{each.of.replace('_', '-')}-{made}"
        elif each.of == "cycle" and each.required:
            still_open = [offer for offer in offers["cycle"] if "closed" not in offer.words]
            found[each.name] = still_open[-1].value if still_open else ""
        elif each.required and (each.of == "participant" or each.name == "voter"):
            found[each.name] = who
    return found


def _kinds(fields: Iterable[FormField]) -> Iterable[str]:
    for each in fields:
        if each.of and not each.new:
            yield each.of
        yield from _kinds(each.parts)


def _offers(kind: str, rows: Iterable[Any]) -> list[Offer]:
    if kind in COLUMNS:
        values = [value for row in rows for name in COLUMNS[kind] for value in _each(row, name)]
        return [Offer(value, "") for value in sorted(set(values))]
    here = [row for row in rows if getattr(row, "left_at", None) is None]
    found = [Offer(getattr(row, kind), _words(row)) for row in here]
    return sorted(found) if kind in OURS else found


def _each(row: Any, name: str) -> list[str]:
    value = getattr(row, name)
    return list(value) if isinstance(value, (list, tuple)) else [value] if value else []


def _words(row: Any) -> str:
    """What a row says in public of what it is; never a personal text."""
    hints = get_type_hints(type(row), include_extras=True)
    said = [
        str(getattr(row, name)).replace("_", " ")
        for name in TOLD
        if name in hints and not marked(hints[name], Personal) and getattr(row, name)
    ]
    if getattr(row, "closed_at", None) is not None and "closed" not in said:
        said.append("closed")
    return ", ".join(said)
