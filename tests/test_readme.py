"""What the README says works as it stands there."""

import asyncio
import re
import tomllib
from pathlib import Path

from service.command_line import app
from service.demo_study import load_demo
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.serving import serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_mutation_is_recorded_in_the_demo_study(database: Database) -> None:
    async def load() -> None:
        async with ResearchRecord(database.store) as record:
            await load_demo(record, lambda done, total: None)

    asyncio.run(load())
    (example,) = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
    with serving(database) as service:
        answer = service.as_("ada").ask(example)["holdWorkshop"]
    assert answer["position"] == 509


def test_every_command_is_named_and_every_named_command_is_there() -> None:
    named = set(re.findall(r"^\| `parcycle (\w+)", README, re.MULTILINE))
    assert named == {name for name in app if not name.startswith("-")}


def test_every_link_to_a_file_leads_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_python_it_needs_is_the_one_the_package_needs() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"Python {needed.removeprefix('>=')} or newer" in README
