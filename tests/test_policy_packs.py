"""Policy packs are data: read strictly, chosen by name, the figures as their sources have them."""

from importlib import resources

import pytest

from domain.membership import MemberJoined, Role
from domain.modifications import ModificationKind
from domain.policy_packs import (
    DEFAULT_PACK,
    AdoptPolicy,
    PolicyAdopted,
    PolicyFault,
    policy_pack,
    policy_packs,
    read_policy_pack,
)
from tests.story import given

FILE = f"{DEFAULT_PACK}.toml"
TEXT = (resources.files("domain") / "policies" / FILE).read_text(encoding="utf-8")
committee = MemberJoined(member="eva", role=Role.ETHICS_REVIEWER)


def test_two_packs_are_shipped() -> None:
    assert list(policy_packs()) == ["uk-hra-2026", "university-2026"]


def test_the_figures_of_the_health_research_authority() -> None:
    pack = policy_pack()
    assert pack.name == "uk-hra-2026"
    assert (pack.serious_adverse_event, pack.urgent_safety_measure, pack.serious_deviation) == (
        15,
        3,
        7,
    )
    assert (pack.end_of_study, pack.end_of_study_early, pack.final_report_months) == (90, 15, 12)
    assert pack.progress_report_months is None
    assert pack.modification.of(ModificationKind.SUBSTANTIAL) == "substantial modification"


def test_a_university_committee_has_amendments_and_yearly_reports() -> None:
    pack = policy_pack("university-2026")
    assert pack.progress_report_months == 12
    assert pack.modification.change == "amendment"


def test_a_study_adopts_a_pack_and_later_another() -> None:
    university = PolicyAdopted(pack="university-2026")
    given(committee).when(AdoptPolicy, university, by="eva").then(university)
    hra = PolicyAdopted(pack="uk-hra-2026")
    given(university).when(AdoptPolicy, hra).then(hra)


def test_a_pack_that_is_not_there_is_refused_with_those_there_are() -> None:
    story = given().when(AdoptPolicy, PolicyAdopted(pack="mars-2030")).then_refused("pack_unknown")
    assert story.refused is not None
    assert "uk-hra-2026, university-2026" in story.refused.reasons[0].message
    with pytest.raises(KeyError, match="choose one of: uk-hra-2026, university-2026"):
        policy_pack("mars-2030")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("end_of_study = 90\n", ""), "missing required field `end_of_study`"),
        (TEXT.replace("minor = ", "tiny = "), r"unknown field `tiny` - at `\$.modification`"),
        ("colour = 'red'\n" + TEXT, "unknown field `colour`"),
        (TEXT.replace("end_of_study = 90", "end_of_study = 'soon'"), r"`\$.end_of_study`"),
        (TEXT.replace("end_of_study = 90", "end_of_study = 0"), r"`\$.end_of_study`"),
        ("name =", "Invalid value"),
        (TEXT.replace('name = "uk-hra-2026"', 'name = "other"'), "call the file other.toml"),
    ],
    ids=["missing", "nested", "unknown", "type", "range", "TOML", "name"],
)
def test_a_faulty_file_is_named_with_its_key(text: str, said: str) -> None:
    assert text != TEXT
    with pytest.raises(PolicyFault, match=f"^{FILE}: .*{said}"):
        read_policy_pack(FILE, text)
