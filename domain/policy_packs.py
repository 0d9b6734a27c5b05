"""Policy packs: the clocks, terms and required reports of those who oversee research, as data."""

from typing import ClassVar

from domain.vocabulary import PackId, Phase, ResearchEvent


class PolicyAdopted(ResearchEvent):
    """The study goes by this policy pack from now on."""

    PHASE: ClassVar = Phase.ETHICS
    DECISIVE: ClassVar = True

    pack: PackId  # such as uk-hra-2026; its version is part of its name
