"""Erasing: what is about somebody is gone from wherever it could be read; all else stays."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.commands import Refused
from domain.erased_subjects import ErasureGround, SubjectErased
from domain.erasure import EraseSubject
from domain.membership import MemberJoined, MemberLeft, Role
from domain.permissions import Permission
from domain.studies import JoinMember, LeaveMember
from domain.vocabulary import ERASED as GONE
from domain.withdrawal import ConsentWithdrawn, WithdrawConsent
from projections.entries import entries
from projections.following import borrowed
from service.erasing import CannotErase
from service.exporting import export_study
from service.research_record import Answer, Recorded, ResearchRecord
from service.sealing.keys_in_a_file import KeysInAFile
from service.sealing.subject_keys import KeyState
from tests.conftest import Database
from tests.erased_study import (
    ASH,
    ERASED,
    WREN,
    assert_nothing_is_left,
    correction,
    erasure,
    hold,
    place,
    record_all,
    rows,
    states,
    told,
)
from tests.recording import STUDY, in_a_loop, proposal
from tests.serving import serving

HEAD = len(told())  # each command records one event


def codes(answer: Answer) -> list[str]:
    assert isinstance(answer, Refused), answer
    return [reason.code for reason in answer.reasons]


@in_a_loop
async def test_keys_ciphertexts_and_blind_index_go_and_all_else_stays(database: Database) -> None:
    async with ResearchRecord(database.store) as parcycle:
        await record_all(parcycle, told())
        before = await rows(database)
        keys = await states(database)
        assert await parcycle.texts.named(STUDY, WREN) != []
        (done,) = await record_all(parcycle, [erasure()])
        after = await rows(database)

        new = {table: [r for r in kept if r["position"] > HEAD] for table, kept in after.items()}
        assert [(e["type"], e["position"]) for e in new["event"]] == [("SubjectErased", HEAD + 1)]
        assert b"\nerase member:pat\nerase participant:p-1\n" in new["event"][0]["leaf"]
        assert [part["path"] for part in new["sealed_part"]] == ["reason"]
        old = {table: [r for r in kept if r["position"] <= HEAD] for table, kept in after.items()}
        for table in ("event", "event_tag"):
            assert old[table] == before[table]
        theirs = {
            (part["position"], part["path"])
            for part in before["sealed_part"]
            if {*part["subjects"]} & {*ERASED}
        }
        assert len(theirs) == 5  # name, contact, the account's name, and two texts with others
        for table in ("sealed_part", "sealed_word"):
            assert old[table] == [
                row for row in before[table] if (row["position"], row["path"]) not in theirs
            ]
        assert len(old["sealed_word"]) < len(before["sealed_word"])

        assert await states(database) == keys | dict.fromkeys(ERASED, KeyState.ERASED)
        await assert_nothing_is_left(database)
        assert await parcycle.texts.named(STUDY, WREN) == []
        assert await parcycle.texts.named(STUDY, "wren") == []
        assert await parcycle.texts.named(STUDY, ASH) != []
        assert done.position == HEAD + 1


async def texts_of(parcycle: ResearchRecord) -> list[Any]:
    async with borrowed(parcycle.pool) as db:
        return await parcycle.texts.in_place(await entries(db, STUDY, 0, HEAD + 9))


@in_a_loop
async def test_a_text_about_two_people_is_gone_for_both_and_others_stay(
    database: Database,
) -> None:
    async with ResearchRecord(database.store) as parcycle, ResearchRecord(database.store) as other:
        await record_all(parcycle, told())
        await record_all(parcycle, [correction(HEAD - 2, notes="Wren and Ash made peace.")])
        before = await texts_of(parcycle)
        assert await texts_of(other) == before  # its keys are in memory there as well
        await record_all(parcycle, [erasure()])
        for each in (parcycle, other):
            now = await texts_of(each)
            notes = {e.event.workshop: e.event.notes for e in now if e.type == "WorkshopHeld"}
            assert notes == {"w-1": GONE, "w-2": "Ash and Elm agreed.", "w-3": None}
            (corrected,) = [e.event for e in now if e.type == "Corrected"]
            assert corrected.personal_standing == {"notes": GONE}
            assert corrected.why == "A slip."  # the writer's own
            names = {
                e.event.participant: (e.event.name, e.event.contact)
                for e in now
                if e.type == "ParticipantEnrolled"
            }
            assert names["p-1"] == (GONE, GONE)
            assert names["p-2"] == (ASH, "p-2 at the mill")
            assert [e.reason for e in now[:-1]] == [e.reason for e in before]
        lines: list[str] = []
        async with borrowed(parcycle.pool) as db:
            await export_study(db, parcycle.texts, STUDY, lines.append)
    exported = "\n".join(lines)
    assert "Wren" not in exported
    assert exported.count(GONE) == 6
    assert ASH in exported


LIVE = 'subscription { events(study: "maize", after: 0) { position type payload } }'


def test_who_could_read_it_reads_that_it_is_erased(database: Database) -> None:
    async def tell() -> None:
        async with ResearchRecord(database.store) as parcycle:
            await record_all(parcycle, told())

    asyncio.run(tell())
    workshops = """query($at: Int) { study(id: "maize", atLeast: $at) {
        workshops { nodes { workshop notes adjustments } }
        participants { nodes { participant name contact } } } }"""
    with serving(database) as service:
        ana, sol, eva = map(service.as_, ("ana", "sol", "eva"))
        shown = ana.ask(workshops, at=HEAD)["study"]
        unread = eva.ask(workshops, at=HEAD)["study"]
        assert WREN in str(shown)
        assert "Wren" not in str(unread)
        live = ana.follow(LIVE)
        for _ in range(HEAD):
            next(live)
        at = sol.record("eraseSubject", "2026-11-20T12:00Z", participant="p-1", reason="Asked.",
                        ground="CONSENT_WITHDRAWN")  # fmt: skip
        said = (each["events"] for each in live)  # among others, that ana has read it all
        assert next(each for each in said if each["type"] == "SubjectErased")["position"] == at
        live.close()

        now = ana.ask(workshops, at=at)["study"]
        assert now["participants"]["nodes"][0]["participant"] == "p-1"
        assert str(now).count(GONE) == 4
        for old, new in zip(
            [*shown["workshops"]["nodes"], *shown["participants"]["nodes"]],
            [*now["workshops"]["nodes"], *now["participants"]["nodes"]],
            strict=True,
        ):
            assert {k: v for k, v in new.items() if v != GONE}.items() <= old.items()
        assert eva.ask(workshops, at=at)["study"] == unread
        followed = ana.follow(LIVE)
        again = str([next(followed) for _ in range(HEAD)])
        followed.close()
        assert "Wren" not in again
        assert again.count(GONE) == 5
        assert ASH in again


@in_a_loop
async def test_sent_again_it_is_answered_as_the_first_time(database: Database) -> None:
    async with ResearchRecord(database.store) as parcycle, ResearchRecord(database.store) as other:
        await record_all(parcycle, told())
        asked = erasure()
        both = await asyncio.gather(parcycle.submit(asked), other.submit(asked))
        kept = await rows(database)
        assert both[0] == both[1] == await parcycle.submit(asked)
        assert codes((await other.submit_all([erasure()]))[0]) == ["subject_erased"]
        assert await rows(database) == kept
        await assert_nothing_is_left(database)
        altered = erasure("p-2", command_id=asked.occasion.command_id)
        assert codes((await parcycle.submit_all([altered]))[0]) == ["command_altered"]
        assert (await states(database))["participant:p-2"] is KeyState.LIVE


@in_a_loop
async def test_among_other_commands_it_has_its_place(database: Database) -> None:
    async with ResearchRecord(database.store) as parcycle:
        await record_all(parcycle, told())
        before, done, after, other = await parcycle.submit_all(
            [hold("w-7", "p-1"), erasure(), hold("w-8", "p-1"), hold("w-9", "p-2")]
        )
        assert [a.position for a in (before, done, other) if isinstance(a, Recorded)] == [
            HEAD + 1, HEAD + 2, HEAD + 3
        ]  # fmt: skip
        assert codes(after) == ["subject_erased"]
        await assert_nothing_is_left(database)


@in_a_loop
async def test_two_people_are_erased_at_once_by_two_processes(database: Database) -> None:
    async with ResearchRecord(database.store) as parcycle, ResearchRecord(database.store) as other:
        await record_all(parcycle, told())
        await asyncio.gather(parcycle.submit(erasure()), other.submit(erasure("p-2")))
        await assert_nothing_is_left(database, [*ERASED, "participant:p-2"])
        assert {"participant:p-3", "member:sol"} == {
            subject
            for part in (await rows(database))["sealed_part"]
            for subject in part["subjects"]
        } - {"member:ana"}


@in_a_loop
async def test_an_erasure_that_is_refused_touches_no_key(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[tuple[str, str]] = []
    begin = KeysInAFile.begin_erasure

    async def note(self: KeysInAFile, study: str, subject: str) -> None:
        touched.append((study, subject))
        await begin(self, study, subject)

    monkeypatch.setattr(KeysInAFile, "begin_erasure", note)
    two = SubjectErased(ground=ErasureGround.OBJECTION, participant="p-1", member="pat")
    async with ResearchRecord(database.store) as parcycle:
        await record_all(parcycle, told())
        refused = [
            erasure(by="ana"), erasure(by="nobody"), erasure("p-9"),
            proposal(EraseSubject, two, by="sol"),
        ]  # fmt: skip
        answers = await parcycle.submit_all(refused)
        assert [codes(answer) for answer in answers] == [
            ["role_insufficient"], ["study_unknown"], ["participant_unknown"],
            ["subject_unclear", "member_not_left"],
        ]  # fmt: skip
        assert touched == []
        await record_all(parcycle, [erasure()])
        assert {subject for _, subject in touched} == {*ERASED}


@pytest.mark.parametrize("url", [None, "postgresql://parcycle_eraser@127.0.0.1:1/parcycle"])
def test_without_the_erasing_role_nothing_is_begun(database: Database, url: str | None) -> None:
    store = replace(database.store, eraser_url=url)

    async def refuse() -> None:
        async with ResearchRecord(store) as parcycle:
            await record_all(parcycle, told())
            before, keys = await rows(database), await states(database)
            with pytest.raises(CannotErase, match="PARCYCLE_ERASER_DATABASE_URL"):
                await parcycle.submit(erasure())
            assert await rows(database) == before
            assert await states(database) == keys
            assert codes((await parcycle.submit_all([erasure("p-9")]))[0]) == [
                "participant_unknown"
            ]

    asyncio.run(refuse())


class Held(ResearchRecord):
    """A record that stops before an erasure is recorded, until it is let go on."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.store)
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def __aexit__(self, *why: object) -> None:
        self.go_on.set()
        await super().__aexit__(*why)

    async def _submit(self, proposals: Any) -> list[Answer]:
        if proposals[0].command is EraseSubject:
            self.reached.set()
            await self.go_on.wait()
        return await super()._submit(proposals)


@in_a_loop
async def test_what_is_sent_about_somebody_while_they_are_erased_waits(
    database: Database,
) -> None:
    said = ConsentWithdrawn(
        participant="p-1", permissions=(Permission.INTERVIEW,), words="No more of this."
    )
    async with (
        ResearchRecord(database.store) as swift,
        Held(database) as parcycle,
        ResearchRecord(database.store) as other,
    ):
        await record_all(swift, told())
        erasing = asyncio.create_task(parcycle.submit(erasure()))
        await parcycle.reached.wait()
        assert [(await states(database))[each] for each in ERASED] == [KeyState.ERASING] * 2
        waiting = [
            asyncio.create_task(of.submit(sent))
            for of in (parcycle, other)
            for sent in (
                hold("w-8", "p-1", "p-3"),
                proposal(WithdrawConsent, said, by="pat", reason="Late."),
            )
        ]
        await record_all(other, [hold("w-7", "p-2", "p-3")])  # nobody else waits
        await record_all(swift, [hold("w-9", "p-1")])  # it has the key in memory: it comes before
        done, _ = await asyncio.wait(waiting, timeout=1)
        assert not done
        parcycle.go_on.set()
        position = (await erasing).position
        assert position == HEAD + 3
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        for workshop, withdrawn in (answers[:2], answers[2:]):
            assert isinstance(workshop, Refused)
            assert codes(workshop) == ["subject_erased"]
            assert isinstance(withdrawn, Recorded)
            assert withdrawn.position > position
        kept = await rows(database)
        assert [e["sealed"] for e in kept["event"][position:]] == [None, None]
        await assert_nothing_is_left(database)


@in_a_loop
async def test_an_erasure_goes_to_its_end_though_nobody_waits_for_it(database: Database) -> None:
    async with Held(database) as parcycle:
        await record_all(parcycle, told())
        erasing = asyncio.create_task(parcycle.submit(erasure()))
        await parcycle.reached.wait()
        erasing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await erasing
        parcycle.go_on.set()
    await assert_nothing_is_left(database)
    assert (await rows(database))["event"][-1]["type"] == "SubjectErased"


@in_a_loop
async def test_keys_that_were_set_aside_and_left_are_given_back_when_they_are_asked_for(
    database: Database,
) -> None:
    async with ResearchRecord(database.store) as parcycle:
        await record_all(parcycle, told())
    async with ResearchRecord(database.store) as parcycle:
        async with place(database).keys() as keys:
            for subject in ERASED:  # a process that is killed now leaves them so
                await keys.begin_erasure(STUDY, subject)
        assert WREN not in str(await texts_of(parcycle))
        await record_all(parcycle, [hold("w-8", "p-1", "p-3"), hold("w-9", "p-2")])
        assert set((await states(database)).values()) == {KeyState.LIVE}
        assert WREN in str(await texts_of(parcycle))


@in_a_loop
async def test_a_member_is_erased_with_the_reasons_they_gave(
    database: Database,
) -> None:
    bo = MemberJoined(member="bo", role=Role.RESEARCHER, name="Bo Birch")
    async with ResearchRecord(database.store) as parcycle:
        await record_all(parcycle, told())
        await record_all(parcycle, [
            proposal(JoinMember, bo), hold("w-8", "p-2", by="bo", reason="Bo forgot it."),
            proposal(LeaveMember, MemberLeft(member="bo")),
        ])  # fmt: skip
        assert "Bo forgot it." in str(await texts_of(parcycle))
        asked = SubjectErased(ground=ErasureGround.OBJECTION, member="bo")
        await record_all(parcycle, [proposal(EraseSubject, asked, by="sol")])
        now = str(await texts_of(parcycle))
        assert "Bo" not in now.replace("bo", "")
        assert "Of p-2." in now
        await assert_nothing_is_left(database, ["member:bo"])
        assert (await states(database))["participant:p-1"] is KeyState.LIVE
