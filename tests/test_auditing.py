"""The committee's questions at the terminal: audit, digest, policy packs, and receipts."""

import asyncio
import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import pytest

from domain.ethics import OpinionGiven, Outcome
from domain.oversight import ReportFiled, ReportKind
from domain.policy_packs import policy_packs
from domain.readings import IdentifiableDataRead, Reading
from domain.safety import AdverseEventReported
from domain.vocabulary import Channel, Entry, Envelope, ResearchEvent
from projections.audit_answers import QUESTIONS, AuditVerdict
from service.auditing import COLUMNS, audited, caught_up
from service.demo_study import load_demo
from service.policy_diff import BY_A_PACK, PolicyDiff, compare, policy_diff
from service.research_record import ResearchRecord
from tests.conftest import Database
from tests.processes import parcycle
from tests.recording import events_of, in_a_loop
from tests.serving import prepare, serving, whole_cycle

UK, UNIVERSITY = (policy_packs()[name] for name in ("uk-hra-2026", "university-2026"))
NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def told(database: Database) -> Database:
    """A database with a study that has been through a whole cycle; p-2 withdrew since."""
    with serving(database) as service:
        ana = service.as_("ana")
        prepare(ana)
        whole_cycle(ana)
        ana.record("withdrawConsent", "2026-05-01T09:00Z", participant="p-2")
    return database


def tell(*happened: tuple[str, ResearchEvent]) -> list[Entry]:
    """These events on record, each as it happened on its day."""
    entries = []
    for position, (day, event) in enumerate(happened, 1):
        at = datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)
        envelope = Envelope(role="lead_researcher", phase=event.PHASE, channel=Channel.API)
        entries.append(
            Entry(position=position, occurred_at=at, actor="ana", event=event, study="maize",
                  event_id=uuid4(), recorded_at=at + timedelta(minutes=1), envelope=envelope)
        )  # fmt: skip
    return entries


opinion = OpinionGiven(
    opinion="rec-1", committee="REC", outcome=Outcome.FAVOURABLE, activities=(),
    valid_from=date(2026, 1, 1), valid_to=date(2027, 1, 1),
)  # fmt: skip
harm = AdverseEventReported(
    adverse_event="ae-1", aware_at=datetime(2026, 3, 1, 9, tzinfo=UTC), serious=True, related=True,
    unexpected=True, what="A fall.",
)  # fmt: skip
report = ReportFiled(report="r-1", kind=ReportKind.ADVERSE_EVENT, about=("adverse_event:ae-1",))


def under_the_universitys(*happened: tuple[str, ResearchEvent]) -> PolicyDiff:
    return compare("maize", tell(*happened), UNIVERSITY, NOW)


def test_a_report_after_ten_days_is_in_time_by_one_pack_and_late_by_another() -> None:
    diff = under_the_universitys(
        ("2026-01-02", opinion), ("2026-03-01", harm), ("2026-03-11", report)
    )
    (found,) = [each for each in diff.differences if each.what == "adverse_event_report"]
    assert (found.question, found.subject, found.position) == (15, "adverse_event:ae-1", 2)
    assert (found.now.due, found.now.stands) == (date(2026, 3, 16), "met")
    assert (found.then.due, found.then.stands) == (date(2026, 3, 6), "late")
    differing = [(number, was, would) for number, _, was, would in diff.verdicts if was != would]
    assert differing == [(15, AuditVerdict.CLEAR, AuditVerdict.BREACH)]
    assert ("serious_adverse_event", 15, 5) in diff.terms
    assert ("the word for change", "modification", "amendment") in diff.terms


def test_a_clock_that_only_one_pack_has_is_not_asked_by_the_other() -> None:
    diff = under_the_universitys(("2026-03-01", opinion))
    (found,) = diff.differences
    assert (found.what, found.now.stands) == ("progress_report", "not asked")
    assert (found.then.due, found.then.stands) == (date(2027, 3, 1), "running")


def test_under_its_own_pack_nothing_differs() -> None:
    told = tell(("2026-01-02", opinion), ("2026-03-01", harm))
    diff = compare("maize", told, UK, NOW)
    assert (diff.now, diff.terms, diff.differences) == (UK, [], [])
    assert all(was is would for _, _, was, would in diff.verdicts)


@in_a_loop
async def test_a_replay_under_its_own_pack_agrees_with_the_register(database: Database) -> None:
    """What it says of the packs that the study adopted is what the audit says."""
    async with ResearchRecord(database.store) as record:
        await load_demo(record, lambda done, total: None)
    now = datetime.now(UTC)
    audit = await audited(database.service_url, "liverpool", now, now)
    async with caught_up(database.service_url, "liverpool") as db:
        diff = await policy_diff(db, "liverpool", UNIVERSITY, now)
    verdicts = {each.question: each.verdict for each in audit.answers}
    assert [number for number, *_ in diff.verdicts] == list(BY_A_PACK)
    for number, _, was, _ in diff.verdicts:
        judged = verdicts[number]
        assert was is (AuditVerdict.CLEAR if judged is AuditVerdict.NOT_APPLICABLE else judged)


def test_the_audit_prints_twenty_answers_and_does_not_fail_by_itself(told: Database) -> None:
    url = {"DATABASE_URL": told.service_url}
    done = parcycle("audit", "maize", **url)
    assert (done.returncode, done.stderr) == (0, "")
    for number, words in enumerate(QUESTIONS.values(), 1):
        assert any(
            each.lstrip().startswith(f"{number}. ") and each.endswith(words)
            for each in done.stdout.splitlines()
        ), words
    found = "breach: p-1's consent of 08 January 2026 is not dated, names no information sheet."
    assert f"{found} (event 5)" in done.stdout
    assert "\x1b" not in done.stdout

    strict = parcycle("audit", "maize", "--fail-on", "breach", **url)
    assert strict.returncode == 1
    assert "--fail-on breach: question 4" in strict.stderr
    early = parcycle("audit", "maize", "--known", "2020-01-01", "--fail-on", "attention", **url)
    assert early.returncode == 0, early.stdout


def test_the_audit_is_written_as_csv(told: Database, tmp_path: Path) -> None:
    url = {"DATABASE_URL": told.service_url}
    done = parcycle("audit", "maize", "--csv", "-", **url)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = csv.reader(io.StringIO(done.stdout))
    assert tuple(head) == COLUMNS
    assert {int(row[0]) for row in rows} == set(range(1, 21))
    on_record = {
        str(row["position"]): str(row["event_id"])
        for row in asyncio.run(events_of(told.service_url, "maize"))
    }
    proven = [(row[9].split(), row[10].split()) for row in rows if row[9]]
    assert proven
    assert all([on_record[each] for each in at] == ids for at, ids in proven)
    file = tmp_path / "audit.csv"
    parcycle("audit", "maize", "--csv", file, **url)
    with file.open(newline="") as written:
        assert list(csv.reader(written)) == [head, *rows]


def test_the_digest_says_what_to_do_and_what_is_new(told: Database) -> None:
    url = {"DATABASE_URL": told.service_url}
    done = parcycle("digest", "maize", **url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "p-2 withdrew on 01 May 2026; what becomes of session:i-1" in done.stdout
    assert " ! 31 May 2026" in done.stdout
    assert "      1  ConsentWithdrawn [" in done.stdout
    told_as_json = json.loads(parcycle("digest", "maize", "--json", **url).stdout)
    assert told_as_json["study"] == "maize"
    assert "disposition_open" in {each["kind"] for each in told_as_json["attention"]}
    total = len(asyncio.run(events_of(told.service_url, "maize")))
    assert sum(each["count"] for each in told_as_json["new"]) == total


def test_policy_packs_are_listed_and_compared(told: Database) -> None:
    url = {"DATABASE_URL": told.service_url}
    listed = parcycle("policy", "list")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in policy_packs())
    done = parcycle("policy", "diff", "maize", "--pack", "university-2026", **url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "maize under university-2026 instead of uk-hra-2026" in done.stdout
    assert "progress report" in done.stdout
    unknown = parcycle("policy", "diff", "maize", "--pack", "mars-2040", **url)
    assert unknown.returncode == 1
    assert "There is no policy pack mars-2040; there are: uk-hra-2026" in unknown.stderr


@pytest.mark.parametrize("command", [("audit",), ("digest",)])
def test_a_study_that_is_not_there_is_told(database: Database, command: tuple[str, ...]) -> None:
    done = parcycle(*command, "maze", DATABASE_URL=database.service_url)
    assert done.returncode == 1
    assert "No study maze is on record here" in done.stderr


def test_the_code_on_a_receipt_withdraws(told: Database, tmp_path: Path) -> None:
    url, file = {"DATABASE_URL": told.service_url}, tmp_path / "receipt.json"
    done = parcycle("receipt", "maize", "p-1", "--member", "ana", "--json", file, **url)
    assert (done.returncode, done.stderr) == (0, "")
    code = next(each.strip() for each in done.stdout.splitlines() if each.startswith("  maize."))
    issued = asyncio.run(events_of(told.service_url, "maize"))[-1]
    assert issued["type"] == "ReceiptIssued"
    assert code.partition(".")[2].encode() not in issued["payload"]
    assert json.loads(file.read_text())["@type"] == "dpv:ConsentReceipt"
    assert file.stat().st_mode & 0o777 == 0o600
    with serving(told) as service:
        answer = httpx.post(f"http://{service.address}/withdraw", json={"code": code}, timeout=30)
    assert answer.json()["withdrawn"] is True

    nobody = parcycle("receipt", "maize", "p-9", "--member", "ana", **url)
    assert nobody.returncode == 1
    assert "p-9 gave no consent in maize" in nobody.stderr
    stranger = parcycle("receipt", "maize", "p-1", "--member", "eve", **url)
    assert stranger.returncode == 1
    assert "No such study, or you have no role in it" in stranger.stderr


def test_an_export_is_on_record_before_the_file_is_there(told: Database, tmp_path: Path) -> None:
    url, file = {"DATABASE_URL": told.service_url}, tmp_path / "maize.jsonl"
    refused = parcycle("export", "maize", file, "--member", "eve", **url)
    assert refused.returncode == 1
    assert list(tmp_path.iterdir()) == []
    done = parcycle("export", "maize", file, "--member", "ana", **url)
    assert done.returncode == 0, done.stderr
    last = asyncio.run(events_of(told.service_url, "maize"))[-1]
    read = msgspec.json.decode(last["payload"], type=IdentifiableDataRead)
    assert (read.reader, read.reading, read.participants) == ("ana", Reading.EXPORT, ())
    assert len(file.read_text().splitlines()) == last["position"] - 1
