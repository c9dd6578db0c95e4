"""A lost fork server is our fault: the run is Unscored, and the next one finds a new server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from cetd.evaluation.sandbox_load import descendants
from cetd.sandbox.outcome import Outcome, Scored, Unscored
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import idle_processes, is_alive, limits

pytestmark = pytest.mark.sandbox

PROGRAM = {"app.py": "import time\nnap = time.sleep\n"}
LONG = {"test_app.py": "import app\ndef test_x():\n    app.nap(20)\n"}
SHORT = {"test_app.py": "import app\ndef test_x():\n    app.nap(0)\n"}


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(lambda server: server, id="bubblewrap"),
        pytest.param(lambda server: min(descendants(server)), id="fork server"),
        pytest.param(lambda server: sorted(descendants(server))[1], id="slot"),
    ],
)
def test_a_killed_server_leaves_runs_unscored_and_comes_back(victim: Callable[[int], int]) -> None:
    with Sandbox(limits(slots=2, timeout_s=30)) as sandbox:
        server = sandbox.server_pid
        assert server is not None
        outcomes: list[Outcome] = []
        threads = [threading.Thread(target=lambda: outcomes.append(sandbox.run(PROGRAM, LONG))) for _ in range(2)]
        for thread in threads:
            thread.start()
        _until(lambda: len(descendants(server)) >= 3 + 2 * 3)  # server and slots, two judges, tests and programs
        inside = descendants(server)
        os.kill(victim(server), signal.SIGKILL)
        for thread in threads:
            thread.join(10)
        assert [type(outcome) for outcome in outcomes] == [Unscored, Unscored], outcomes
        after = sandbox.run(PROGRAM, SHORT)
        assert isinstance(after, Scored), after
        assert after.passed == 1
        assert sandbox.server_pid != server
        _until(lambda: not any(map(is_alive, inside)))


@pytest.mark.parametrize("which", [3, 5])  # the judge, and the process of its tests; between them the program
def test_a_killed_judge_leaves_the_run_unscored(which: int) -> None:
    with Sandbox(limits(timeout_s=30)) as sandbox:
        server = sandbox.server_pid
        assert server is not None
        idle = idle_processes(server)
        outcomes: list[Outcome] = []
        thread = threading.Thread(target=lambda: outcomes.append(sandbox.run(PROGRAM, LONG)))
        thread.start()
        _until(lambda: len(descendants(server) - set(idle)) == 2)
        os.kill(sorted({*idle, *descendants(server)})[which], signal.SIGKILL)
        thread.join(10)
        assert isinstance(outcomes[0], Unscored), outcomes
        assert "verdict" in outcomes[0].reason
        assert isinstance(sandbox.run(PROGRAM, SHORT), Scored)


@pytest.mark.parametrize("which", [2, 3], ids=["the last judge", "the one for the next tests"])
def test_a_judge_that_was_killed_while_idle_is_replaced(which: int) -> None:
    with Sandbox(limits()) as sandbox:
        server = sandbox.server_pid
        assert server is not None
        assert isinstance(sandbox.run(PROGRAM, SHORT), Scored)
        *_, killed = idle_processes(server)[: which + 1]
        os.kill(killed, signal.SIGKILL)
        _until(lambda: not is_alive(killed))
        assert isinstance(sandbox.run(PROGRAM, SHORT), Scored)
        assert isinstance(
            sandbox.run(PROGRAM, {"test_other.py": "import app\ndef test_x():\n    app.nap(0)\n"}), Scored
        )
        assert killed not in idle_processes(server)
        assert sandbox.server_pid == server


def test_tests_that_come_for_the_first_time_find_a_judge_that_has_had_no_others() -> None:
    with Sandbox(limits()) as sandbox:
        server = sandbox.server_pid
        assert server is not None
        *_, had, spare = idle_processes(server)
        assert isinstance(sandbox.run(PROGRAM, SHORT), Scored)
        *_, has, next_one = idle_processes(server)
        assert (has, next_one in (had, spare), is_alive(had)) == (spare, False, False)


def test_closing_ends_runs_in_flight_as_unscored() -> None:
    sandbox = Sandbox(limits(timeout_s=30))
    server = sandbox.server_pid
    assert server is not None
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(sandbox.run(PROGRAM, LONG)))
    thread.start()
    _until(lambda: len(descendants(server)) >= 5)
    sandbox.close()
    thread.join(10)
    assert isinstance(outcomes[0], Unscored), outcomes
    assert not is_alive(server)


def test_a_killed_user_of_the_sandbox_takes_everything_along() -> None:
    code = (
        "from cetd.config import SandboxConfig; from cetd.sandbox.sandbox import Sandbox\n"
        "sandbox = Sandbox(SandboxConfig(timeout_s=60, slots=1)); print(sandbox.server_pid, flush=True)\n"
        f"sandbox.run({PROGRAM!r}, {LONG!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        server = int(user.stdout.readline())
        _until(lambda: len(descendants(server)) >= 5)
        inside = descendants(server)
        user.kill()
    _until(lambda: not any(map(is_alive, {server, *inside})))


def test_the_thread_that_starts_a_server_may_end() -> None:
    made: list[Sandbox] = []
    thread = threading.Thread(target=lambda: made.append(Sandbox(limits())))
    thread.start()
    thread.join()
    with made[0] as sandbox:
        server = sandbox.server_pid
        assert isinstance(sandbox.run(PROGRAM, SHORT), Scored)
        assert sandbox.server_pid == server


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
