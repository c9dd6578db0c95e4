"""A run keeps to one processor, another slot's to another, and one that takes long to none."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cetd.evaluation.sandbox_load import descendants
from cetd.sandbox.outcome import Scored
from cetd.sandbox.processors import Processors
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import limits

PROGRAM = {
    "app.py": "import os, time\ndef f(seconds):\n    time.sleep(seconds)\n    print(sorted(os.sched_getaffinity(0)))\n"
}


def naps(seconds: float) -> dict[str, str]:
    return {"test_app.py": f"import app\ndef test_it():\n    app.f({seconds})\n"}


@pytest.mark.sandbox
def test_short_runs_keep_to_one_processor_and_long_ones_do_not() -> None:
    everywhere = sorted(os.sched_getaffinity(0))
    alone = {f"[{processor}]\n" for processor in everywhere}

    def shown(sandbox: Sandbox, seconds: float) -> str:
        outcome = sandbox.run(PROGRAM, naps(seconds))
        assert isinstance(outcome, Scored), outcome
        return outcome.output

    with Sandbox(limits(slots=2)) as sandbox, ThreadPoolExecutor(2) as pool:
        pairs = ([run.result() for run in [pool.submit(shown, sandbox, 0.02) for _ in range(2)]] for _ in range(50))
        # On a machine that is busy with other things a short run may take long, or one may end before the other begins.
        assert any(set(pair) <= alone and len(set(pair)) == min(2, len(everywhere)) for pair in pairs)
        assert shown(sandbox, 0.3) == f"{everywhere}\n"
        assert sandbox.server_pid is not None
        server = min(descendants(sandbox.server_pid))
        slots = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        idle = [os.sched_getaffinity(pid) for pid in (server, *map(int, slots))]
        assert [sorted(found) for found in idle] == [everywhere] * 3


def test_two_runs_are_on_two_processors() -> None:
    everywhere = os.sched_getaffinity(0)
    if len(everywhere) < 2:
        pytest.fail("two processors are needed: run the tests on a machine that has them")
    processors = Processors(2)
    child = os.fork()
    if child == 0:
        signal.pause()
    taken = set()
    for slot in (0, 1):
        processors.serve(slot)
        processors.enter(child)
        taken |= os.sched_getaffinity(child)
        os.sched_setaffinity(0, everywhere)
    processors.leave(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(taken) == 2


def test_what_a_slot_forks_has_no_table() -> None:
    processors = Processors(2)
    processors.serve(1)
    before = os.sched_getaffinity(0)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        processors.leave()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    child = os.fork()
    if child == 0:
        signal.pause()
    processors.enter(child)
    there = os.sched_getaffinity(child)
    assert len(there) == 1
    assert os.sched_getaffinity(0) == there
    processors.leave(child)
    assert os.sched_getaffinity(child) == os.sched_getaffinity(0) == before
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
