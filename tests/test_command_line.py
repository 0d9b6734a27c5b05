"""Every command as a process of its own: what it says, what it does, how it ends."""

import asyncio
import json
import socket
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import KeySet

from domain.vocabulary import event_types
from projections.following import registers
from service.database import connect
from service.identity import DemoIssuer
from service.migrate_schema import pending
from service.terminal import new_file
from tests.conftest import Database
from tests.files import line, written
from tests.own_server import own_home
from tests.processes import parcycle, service_process, started
from tests.recording import events_of, in_a_loop
from tests.serving import prepare, serving, whole_cycle
from tests.test_pabulib import SMALL

WORKSHOPS = "workshop,date,participants,technique\n1,2026-02-10,p-1+p-2,problem tree\n"


@pytest.fixture
def told(database: Database) -> Database:
    """A database with a study that has been through a whole cycle."""
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        whole_cycle(ana)
    return database


def keys_of(folder: Path) -> Path:
    """A file of somebody's keys, by whom access tokens are signed."""
    trusted = DemoIssuer("parcycle").identity.keys_from
    assert isinstance(trusted, KeySet)
    return written(folder / "keys.json", json.dumps(trusted.as_dict(private=False)))


def bring(database: Database, file: Path, *options: object) -> tuple[int, str, str]:
    done = parcycle(
        "import", file, "--study", "maize", "--member", "ana", *options,
        DATABASE_URL=database.service_url,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def opening(tmp_path: Path, *more: str) -> Path:
    """A file of commands that open a study with a cycle and people who consent, and more."""
    given = [
        line("openStudy", "2026-01-05T09:00:00Z", title="Maize", question="Why?", setting="Here"),
        line("giveOpinion", "2026-01-06T09:00:00Z", opinion="rec-1", committee="REC",
             outcome="favourable", validFrom="2026-01-01", validTo="2026-12-31",
             activities=["recruitment", "workshop"]),
        line("openCycle", "2026-01-07T09:00:00Z", cycle="c-1", title="First", question="What?"),
    ]  # fmt: skip
    for who in ("p-1", "p-2"):
        given.append(line("enrolParticipant", "2026-01-08T09:00:00Z", participant=who, name="Zoë"))
        given.append(line("grantConsent", "2026-01-08T10:00:00Z", participant=who,
                          permissions=["workshop"], formVersion="2"))  # fmt: skip
    return written(tmp_path / "study.jsonl", "\n".join([*given, *more]) + "\n")


def test_the_catalogue_tells_every_action() -> None:
    done = parcycle("events")
    assert (done.returncode, done.stderr) == (0, "")
    assert [t.TOPIC for t in event_types() if t.TOPIC not in done.stdout] == []
    assert "holdWorkshop" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_schema_is_printed_as_it_is_on_file() -> None:
    done = parcycle("schema")
    assert done.stdout == (Path(__file__).parent / "schema.graphql").read_text()


def test_migrating_an_embedded_database_and_one_of_ones_own(empty_database: str) -> None:
    with own_home() as home:
        home.chmod(0o755)  # as root, the server runs as another account
        done = parcycle("migrate", PARCYCLE_HOME=str(home))
        assert (done.returncode, done.stderr) == (0, "")
        assert "embedded database" in done.stdout
    urls = {"DATABASE_URL": empty_database}
    refused = parcycle("migrate", **urls)
    assert refused.returncode == 1
    assert "Set PARCYCLE_OWNER_DATABASE_URL" in refused.stderr
    early = parcycle("tail", "maize", **urls)
    assert early.returncode == 1
    assert "run `parcycle migrate` first" in early.stderr
    for said in ("_the_record", "nothing to do"):
        done = parcycle("migrate", **urls, PARCYCLE_OWNER_DATABASE_URL=empty_database)
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout


def test_it_does_not_serve_without_keys_to_trust(database: Database) -> None:
    done = parcycle("serve", DATABASE_URL=database.service_url)
    assert done.returncode == 1
    assert "Set PARCYCLE_TOKEN_KEYS" in done.stderr
    missing = {"DATABASE_URL": database.service_url, "PARCYCLE_TOKEN_KEYS": "/no/such/keys.json"}
    assert "there is no file /no/such/keys.json" in parcycle("serve", **missing).stderr


@pytest.mark.parametrize("text", ["no JSON", "7", "[]", "{}", '{"keys": []}', '{"keys": [{}]}'])
def test_it_does_not_serve_by_a_file_that_holds_no_keys(tmp_path: Path, text: str) -> None:
    keys = written(tmp_path / "keys.json", text)
    done = parcycle("serve", PARCYCLE_TOKEN_KEYS=str(keys))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"parcycle: {keys} holds no JWK Set (RFC 7517).\n"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PARCYCLE_PORT", "secret", "PARCYCLE_PORT: Input should be a valid integer"),
        ("PARCYCLE_LOG_LEVEL", "secret", "PARCYCLE_LOG_LEVEL: Input should be 'debug', 'info'"),
        ("PARCYCLE_CONTROLLER", "secret", "PARCYCLE_CONTROLLER: It is not JSON."),
        ("PARCYCLE_CONTROLLER", '{"jurisdiction": "secret"}', "PARCYCLE_CONTROLLER, jurisdiction"),
        (
            "PARCYCLE_CONTROLLER", '{"adress": "secret", "name": "secret"}',
            "PARCYCLE_CONTROLLER, adress: There is no such name; those that there are: name, "
            "address, contact, jurisdiction, storage_location, retention.",
        ),
        (
            "PARCYCLE_WITNESSES", '[{"kee": "secret"}]',
            "PARCYCLE_WITNESSES, 0, kee: There is no such name; those that there are: key, url.",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_in_one_line(setting: str, value: str, said: str) -> None:
    done = parcycle("events", **{setting: value})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert said in done.stderr
    assert "secret" not in done.stderr


def test_a_reader_who_has_had_enough_is_no_fault() -> None:
    """As in `parcycle schema | head -1`."""
    with started("schema") as running:
        assert running.process.stdout is not None
        running.process.stdout.readline()
        running.process.stdout.close()
        assert running.process.wait(60) == 1
        assert running.errors.read_text() == ""


def test_the_version_is_that_of_the_package() -> None:
    assert parcycle("--version").stdout.strip() == version("parcycle") != "0.0.0"


def test_a_port_that_is_none_is_told(tmp_path: Path) -> None:
    done = parcycle("serve", "--port", 70_000, PARCYCLE_TOKEN_KEYS=str(keys_of(tmp_path)))
    assert done.returncode == 1
    assert "127.0.0.1:70000 (a port is 0 to 65535); choose another with --port" in done.stderr


def test_a_port_that_is_taken_is_told(database: Database, tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = parcycle("serve", "--port", port, DATABASE_URL=database.service_url,
                        PARCYCLE_TOKEN_KEYS=str(keys))  # fmt: skip
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("command", [("tail", "maize"), ("rebuild",), ("serve", "--port", "0")])
def test_a_database_that_cannot_be_reached_is_told_in_one_line(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    keys = keys_of(tmp_path)
    url = "postgresql://parcycle_service:secret@127.0.0.1:1/parcycle"
    done = parcycle(*command, DATABASE_URL=url, PARCYCLE_TOKEN_KEYS=str(keys))
    assert done.returncode == 1
    assert "Cannot use the database parcycle at 127.0.0.1:1 as parcycle_service" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


@pytest.mark.parametrize("url", ["secret", "mysql://ana:secret@localhost/parcycle"])
def test_a_url_that_is_none_is_told_without_quoting_it(url: str) -> None:
    done = parcycle("tail", "maize", DATABASE_URL=url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "The database's URL cannot be read" in done.stderr
    assert "secret" not in done.stderr


def test_a_role_that_may_change_events_is_not_served_by(database: Database) -> None:
    done = parcycle("tail", "maize", DATABASE_URL=database.owner_url)
    assert done.returncode == 1
    assert "The role parcycle_owner may change or delete what is on record" in done.stderr


@pytest.mark.parametrize(
    "change",
    ["delete from schema_migrations", "revoke select on schema_migrations from public"],
    ids=["behind", "before versions were told"],
)
@in_a_loop
async def test_a_schema_of_an_earlier_version_is_told(database: Database, change: str) -> None:
    assert await pending(database.service_url) == []
    owner = await connect(database.owner_url)
    await owner.execute(change)
    await owner.close()
    done = await asyncio.to_thread(parcycle, "tail", "maize", DATABASE_URL=database.service_url)
    assert done.returncode == 1
    assert "is of an earlier version, without " in done.stderr
    assert "run `parcycle migrate` first" in done.stderr


def test_projecting_apart_from_serving(database: Database, tmp_path: Path) -> None:
    """`serve` follows nothing, and answers from what `project` has taken in."""
    apart = {"PARCYCLE_PROJECT": "false"}
    query = 'query($at: Int) { study(id: "maize", atLeast: $at) { cycles { totalCount } } }'
    with service_process(database, tmp_path, settings=apart) as (service, _):
        ana = service.as_("ana")
        prepare(ana)
        assert httpx.get(f"http://{service.address}/health/ready").status_code == 200
        assert ana.ask(query, at=0) == {"study": None}
        with started("project", DATABASE_URL=database.service_url):
            assert ana.ask(query, at=7) == {"study": {"cycles": {"totalCount": 1}}}


def test_registers_are_rebuilt_one_or_all(told: Database) -> None:
    url = {"DATABASE_URL": told.service_url}
    unknown = parcycle("rebuild", "workshops", **url)
    assert unknown.returncode == 1
    assert "No register workshops; there are: " in unknown.stderr
    one = parcycle("rebuild", "workshop_register", **url)
    assert one.returncode == 0, one.stderr
    assert one.stdout.startswith("workshop_register: rebuilt from ")
    every = parcycle("rebuild", **url)
    assert every.returncode == 0, every.stderr
    assert [said.partition(":")[0] for said in every.stdout.splitlines()] == list(registers())


def test_a_study_is_followed_live(told: Database) -> None:
    with (
        serving(told) as service,
        started("tail", "maize", "--after", 0, DATABASE_URL=told.service_url) as tail,
    ):
        assert "StudyOpened" in tail.said(r"^ +1  2026-01-05 09:00  ana .*")[0]
        ana = service.as_("ana")
        ana.record("enrolParticipant", "2026-03-01T10:00+02:00", participant="p-3", name="Rosa")
        said = tail.said("participant:p-3")
        assert "2026-03-01 10:00" in said.string
        assert "Rosa" not in said.string
    unknown = parcycle("tail", "maze", DATABASE_URL=told.service_url)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "No study maze is on record here" in unknown.stderr


def test_commands_are_imported_once_and_bad_lines_told_by_number(
    database: Database, tmp_path: Path
) -> None:
    bad = [
        "{",
        line("holdWorkshp", "2026-02-01T09:00:00Z"),
        line("openCycle", "2026-02-01T09:00:00Z"),
    ]
    status, said, errors = bring(database, opening(tmp_path, *bad))
    assert (status, said) == (1, "")
    assert [each.split(",")[0].split(":")[0] for each in errors.splitlines()[:3]] == [
        "line 8",
        "line 9",
        "line 10",
    ]
    assert "study.jsonl: 3 bad lines of 10; nothing was recorded." in errors
    assert asyncio.run(events_of(database.service_url, "maize")) == []

    file = opening(tmp_path)
    assert bring(database, file)[:2] == (0, "study.jsonl: 7 recorded, 0 refused.\n")
    again = "study.jsonl: 0 recorded, 7 on record already, 0 refused.\n"
    assert bring(database, file)[:2] == (0, again)


def test_workshops_and_ballots_are_imported(database: Database, tmp_path: Path) -> None:
    bring(database, opening(tmp_path))
    log = written(tmp_path / "log.csv", WORKSHOPS)
    status, _, errors = bring(database, log, "--cycle", "c-1", "--at", "18:30")
    assert status == 1
    assert "with its offset from UTC, such as 18:30+01:00" in errors
    status, said, _ = bring(database, log, "--cycle", "c-1", "--at", "18:30+01:00")
    assert (status, said) == (0, "log.csv: 1 recorded, 0 refused.\n")
    held = asyncio.run(events_of(database.service_url, "maize"))[-1]
    assert held["occurred_at"].isoformat() == "2026-02-10T17:30:00+00:00"

    votes = written(tmp_path / "vote.pb", SMALL.replace("2019", "2026"))
    status, said, errors = bring(database, votes, "--cycle", "c-1")
    assert status == 1  # some papers break the ballot's rules
    assert said == "vote.pb: 5 recorded, 5 refused.\n"
    assert "line 23, the paper of voter v5: Not on this ballot: road" in errors


def test_what_is_exported_is_imported_to_the_same(told: Database, tmp_path: Path) -> None:
    url, file = {"DATABASE_URL": told.service_url}, tmp_path / "maize.jsonl"
    count = len(asyncio.run(events_of(told.service_url, "maize")))
    done = parcycle("export", "maize", file, "--member", "ana", **url)
    assert done.returncode == 0, done.stderr
    on_record = asyncio.run(events_of(told.service_url, "maize"))
    assert [row["type"] for row in on_record[count:]] == ["IdentifiableDataRead"]  # the copy itself
    assert f"{count} events." in " ".join(done.stdout.split())
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text().splitlines()) == count

    done = parcycle("import", file, "--study", "again", "--member", "ana", **url)
    assert done.stdout == f"maize.jsonl: {count} recorded, 0 refused.\n", done.stderr
    parcycle("export", "again", tmp_path / "again.jsonl", "--member", "ana", **url)
    first, second = (
        [json.loads(each) for each in path.read_text().splitlines()]
        for path in (file, tmp_path / "again.jsonl")
    )
    for each in (*first, *second):
        each["input"].pop("study", None)
    assert first == second
    nowhere = parcycle("import", tmp_path / "no.pb", "--study", "b", "--member", "ana", **url)
    assert nowhere.stderr == f"parcycle: {tmp_path / 'no.pb'}: No such file or directory.\n"
    nothing = parcycle("export", "maze", tmp_path / "maze.jsonl", "--member", "ana", **url)
    assert nothing.returncode == 1
    assert "No such study, or you have no role in it" in nothing.stderr
    assert not list(tmp_path.glob("maze.jsonl*"))


def test_who_has_no_role_in_a_study_is_refused_before_a_copy_is_written(
    told: Database, tmp_path: Path
) -> None:
    url, folder = {"DATABASE_URL": told.service_url}, tmp_path / "copies"
    for file in (folder / "maize.jsonl", written(tmp_path / "maize.jsonl", "another")):
        done = parcycle("export", "maize", file, "--member", "eve", **url)
        said = "No such study, or you have no role in it; check the study's identifier."
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"parcycle: {said}\n")
    assert [each.name for each in tmp_path.iterdir()] == ["maize.jsonl"]
    assert file.read_text() == "another"


def test_who_may_not_read_personal_data_takes_out_no_copy_of_them(
    database: Database, tmp_path: Path
) -> None:
    joins = line("joinMember", "2026-01-09T09:00:00Z", member="vic", role="viewer")
    assert bring(database, opening(tmp_path, joins))[0] == 0
    before = len(asyncio.run(events_of(database.service_url, "maize")))
    file, url = tmp_path / "copy.jsonl", {"DATABASE_URL": database.service_url}
    done = parcycle("export", "maize", file, "--member", "vic", **url)
    assert done.returncode == 1
    assert "A viewer may not read personal data; ask one of:" in " ".join(done.stderr.split())
    assert not file.exists()
    assert len(asyncio.run(events_of(database.service_url, "maize"))) == before


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "maize.jsonl"
    with pytest.raises(ZeroDivisionError), new_file(file) as out:
        print("half of it", 1 / 0, file=out)
    assert list(tmp_path.iterdir()) == []
    with new_file(file) as first:
        first.write("all of it, ")
        with new_file(file) as second:  # as when somebody else exports to the same place
            second.write("another")
        assert file.read_text() == "another"
        first.write("and the rest")
    assert file.read_text() == "all of it, and the rest"
    assert [(each.name, each.stat().st_mode & 0o777) for each in tmp_path.iterdir()] == [
        ("maize.jsonl", 0o600)
    ]
