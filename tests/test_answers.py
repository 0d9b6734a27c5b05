"""Answers that visits share: asked for once, and never older than they may be."""

import asyncio
from typing import Any

import pytest

from service.pages import answers as room
from service.pages.answers import Answers
from tests.recording import in_a_loop


class Register:
    """Counts how often it is asked; each answer is another one."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.times, self.seconds = 0, seconds

    async def ask(self) -> int:
        self.times += 1
        answer = self.times
        await asyncio.sleep(self.seconds)
        return answer


@in_a_loop
async def test_fifty_who_ask_at_once_have_one_answer() -> None:
    answers, register = Answers(), Register(0.02)
    got = await asyncio.gather(*(answers.of(("q",), 7, register.ask) for _ in range(50)))
    assert (set(got), register.times) == ({1}, 1)
    assert await answers.of(("other",), 7, register.ask) == 2


@in_a_loop
async def test_an_answer_is_asked_for_anew_when_its_register_went_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "REUSED", 0)
    answers, register = Answers(), Register()
    assert [await answers.of(("q",), n, register.ask) for n in (7, 7, 8, 8)] == [1, 1, 2, 2]
    monkeypatch.setattr(room, "MINUTE", 0)
    assert await answers.of(("q",), 8, register.ask) == 3


@in_a_loop
async def test_a_costly_answer_stays_a_little_but_not_for_who_asks_for_a_position() -> None:
    answers, register = Answers(), Register(0.05)
    assert await answers.of(("q",), 7, register.ask) == 1
    assert await answers.of(("q",), 8, register.ask) == 1
    assert await answers.of(("q",), 8, register.ask, exact=True) == 2


@in_a_loop
async def test_a_fault_is_told_to_all_who_wait_and_not_kept() -> None:
    answers, register = Answers(), Register()

    async def fails() -> Any:
        await asyncio.sleep(0)
        raise OSError("away")

    got = await asyncio.gather(
        *(answers.of(("q",), 7, fails) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in got] == [OSError] * 3
    assert await answers.of(("q",), 7, register.ask) == 1


@in_a_loop
async def test_who_goes_away_takes_nothing_from_the_others() -> None:
    answers, register = Answers(), Register(0.05)
    leaves, stays = (asyncio.create_task(answers.of(("q",), 7, register.ask)) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays == 1
