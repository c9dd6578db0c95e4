"""The sandbox actors of a run: each program is judged once, in order, and what the sandbox loses is tried again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.busy import Busy
from actors.sandbox_pool import SandboxPool, split
from cetd.config import SandboxConfig
from cetd.data.app import App, Interface
from cetd.evaluation.sandbox_load import descendants
from cetd.feedback.cache import RewardCache
from cetd.sandbox.outcome import Outcome, Scored

APP = App(
    app_id="double",
    source={"solution.py": "def f(x):\n    return 2 * x\n"},
    tests={"test_solution.py": "from solution import f\ndef test_f():\n    assert f(3) == 6\n"},
    interface=Interface("solution", ("def f(x)",)),
    timeout_s=5.0,
)
RIGHT, WRONG = "def f(x):\n    return x + x\n", "def f(x):\n    return x\n"


def passed(outcomes: list[Outcome]) -> list[int]:
    assert all(isinstance(outcome, Scored) for outcome in outcomes), outcomes
    return [outcome.passed for outcome in outcomes if isinstance(outcome, Scored)]


@pytest.mark.ray
@pytest.mark.sandbox
@pytest.mark.usefixtures("local_ray")
def test_callers_that_ask_at_the_same_time_share_one_run_and_later_ones_the_cache() -> None:
    intervals: list[Busy] = []

    async def ask() -> None:
        pool = SandboxPool(SandboxConfig(), RewardCache(), intervals.append)
        programs = [(RIGHT, APP), (WRONG, APP), (RIGHT, APP)]
        answers = await asyncio.gather(*(pool.outcomes(programs) for _ in range(3)))
        assert [passed(answer) for answer in answers] == [[1, 0, 1]] * 3
        assert len(intervals) == 1, "one batch went to the actor"
        assert passed(await pool.outcomes(programs[:2])) == [1, 0]
        assert len(intervals) == 1
        assert await pool.outcomes([]) == []

    asyncio.run(ask())


@pytest.mark.ray
@pytest.mark.sandbox
@pytest.mark.usefixtures("local_ray")
def test_a_caller_that_is_cancelled_does_not_take_the_others_outcomes_along() -> None:
    async def ask() -> None:
        pool = SandboxPool(SandboxConfig(), RewardCache(), lambda _: None)
        await pool.process_ids()
        first = asyncio.create_task(pool.outcomes([(RIGHT, APP)]))
        second = asyncio.create_task(pool.outcomes([(RIGHT, APP)]))
        await asyncio.sleep(0)  # both have asked
        first.cancel()
        assert passed(await second) == [1]

    asyncio.run(ask())


@pytest.mark.ray
@pytest.mark.sandbox
@pytest.mark.usefixtures("local_ray")
def test_a_killed_actor_is_back_and_its_runs_are_made_again() -> None:
    slow = RIGHT + "import time\ntime.sleep(1)\n"

    async def ask() -> None:
        pool = SandboxPool(SandboxConfig(), RewardCache(), lambda _: None)
        (victim,) = await pool.process_ids()
        running = asyncio.create_task(pool.outcomes([(slow, APP), (WRONG, APP)]))
        await asyncio.sleep(0.2)  # any moment of the run will do
        os.kill(victim, signal.SIGKILL)
        assert passed(await running) == [1, 0]
        assert await pool.process_ids() != [victim]

    asyncio.run(ask())


@pytest.mark.ray
@pytest.mark.sandbox
@pytest.mark.usefixtures("local_ray")
def test_a_run_whose_fork_server_is_killed_is_made_again_by_the_same_actor() -> None:
    slow = RIGHT + "import time\ntime.sleep(1)\n"

    async def ask() -> None:
        pool = SandboxPool(SandboxConfig(), RewardCache(), lambda _: None)
        (actor,) = await pool.process_ids()
        before = {pid: _command(pid) for pid in descendants(actor)}
        servers = [pid for pid, command in before.items() if command.startswith("bwrap")]
        running = asyncio.create_task(pool.outcomes([(slow, APP), (WRONG, APP)]))
        while len(descendants(actor)) <= len(before):  # until the run has processes of its own
            await asyncio.sleep(0.01)
        os.kill(servers[0], signal.SIGKILL)
        assert passed(await running) == [1, 0]
        assert await pool.process_ids() == [actor]

    asyncio.run(ask())


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@given(st.lists(st.integers()), st.integers(1, 9))
def test_shares_hold_everything_in_order_and_are_even(items: list[int], parts: int) -> None:
    shares = split(items, parts)
    assert len(shares) == parts
    assert [item for share in shares for item in share] == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
