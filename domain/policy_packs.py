"""Policy packs: the clocks, terms and required reports of those who oversee research, as data.

Each is a file in `domain/policies`, with the sources of its figures; to add one, add a file.
"""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct

from domain.commands import Command
from domain.conditions import Condition, Sensible
from domain.membership import Duty
from domain.modifications import ModificationKind
from domain.vocabulary import PackId, Phase, ResearchEvent, Title

DEFAULT_PACK = "uk-hra-2026"  # until a study adopts another

Days = Annotated[int, Meta(ge=1, le=3660)]
Months = Annotated[int, Meta(ge=1, le=120)]


class ModificationWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What those who oversee the study call a change to what was approved."""

    change: Title  # in general: modification, amendment
    substantial: Title
    important_detail: Title
    minor: Title

    def of(self, kind: ModificationKind) -> str:
        return str(getattr(self, kind.value))


class PolicyPack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clocks and terms by which a study is held to account; days are calendar days (UTC)."""

    name: PackId
    title: Title
    source: Title  # the documents on which the figures rest
    serious_adverse_event: Days  # related and unexpected: from awareness to the report
    urgent_safety_measure: Days  # from the measure to the notice in writing
    serious_deviation: Days  # from awareness to the report
    end_of_study: Days  # from the end as planned to its declaration
    end_of_study_early: Days  # from an early end to its declaration
    final_report_months: Months  # from the end
    disposition: Days  # from a withdrawal to a plan for each thing held
    late_after_days: Days  # from the field to the record: later than that is a late entry
    consent_expiry_notice: Days  # before a consent runs out, attention is asked for
    clock_notice: Days  # before a clock runs out, attention is asked for
    conditions_before_start: bool  # whether an opinion's conditions must be met before any capture
    modification: ModificationWords
    progress_report_months: Months | None = None  # from the opinion, then from each; None: no such


class PolicyFault(ValueError):
    """A policy pack's file is not as it should be; says the file and the key."""


class PolicyAdopted(ResearchEvent):
    """The study goes by this policy pack from now on."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    pack: PackId  # such as uk-hra-2026; its version is part of its name


def read_policy_pack(file: str, text: str) -> PolicyPack:
    """The pack that a file holds; `file` is its name, for errors. Raises `PolicyFault`."""
    try:
        pack = msgspec.convert(tomllib.loads(text), PolicyPack)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as fault:
        raise PolicyFault(f"{file}: {fault}; correct the file.") from fault
    if file != f"{pack.name}.toml":
        raise PolicyFault(f"{file}: name is {pack.name!r}; call the file {pack.name}.toml.")
    return pack


@cache
def policy_packs() -> dict[str, PolicyPack]:
    """Every pack there is, by its name, in alphabetical order. Raises `PolicyFault`."""
    folder = resources.files("domain") / "policies"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=_name)
    packs = [read_policy_pack(each.name, each.read_text(encoding="utf-8")) for each in files]
    return {pack.name: pack for pack in packs}


def policy_pack(name: str = DEFAULT_PACK) -> PolicyPack:
    """The pack of that name. Raises `KeyError`, naming those there are."""
    try:
        return policy_packs()[name]
    except KeyError:
        raise KeyError(_unknown(name)) from None


class AdoptPolicy(Command[PolicyAdopted]):
    """Say by which policy pack the study goes: the committee's clocks, terms and reports."""

    DUTY = Duty.DECIDE_ETHICS

    def requires(self) -> Iterable[Condition]:
        pack = self.event.pack
        yield Sensible(pack in policy_packs(), "pack_unknown", _unknown(pack), "pack")


def _name(file: Traversable) -> str:
    return file.name


def _unknown(name: str) -> str:
    return f"There is no policy pack {name}; choose one of: {', '.join(policy_packs())}."
