"""The tier of machines without namespaces: what a program can and cannot do there, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cetd.data.app import Suite
from cetd.evaluation.sandbox_load import descendants
from cetd.sandbox import landlock
from cetd.sandbox.landlock import Landlock
from cetd.sandbox.outcome import Outcome, Scored, Unscored
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import is_alive, limits, own_temporary_folder, python_for_all

TESTS = "from app import f\ndef test_it():\n    assert f() == {!r}\n"
TESTS_OF_NONE = {"test_app.py": TESTS.format(None)}


@pytest.fixture(scope="module")
def landlocked() -> Iterator[Sandbox]:
    """A sandbox that finds no bubblewrap."""
    with pytest.MonkeyPatch.context() as patch, own_temporary_folder() as folder:
        patch.setenv("PATH", "/nowhere")
        with Sandbox(limits(isolation="landlock"), python=python_for_all()) as sandbox:
            yield sandbox
        assert not list(folder.iterdir())


def assert_that_none_but_judges_have_rooms() -> None:
    """The last one and the one for the next tests, which is made when a run is over."""
    deadline = time.monotonic() + 60
    while len(found := list(Path(tempfile.gettempdir()).glob("*/rooms/*"))) != 2:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def passed(outcome: Outcome) -> bool:
    return isinstance(outcome, Scored) and outcome.passed == outcome.total == 1


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return os.listdir('.'), os.getcwd() == os.environ['HOME'] == tempfile.gettempdir()", ([], True)),
        ("return refused(os.listdir, '/'), refused(open, '/etc/hostname'), refused(open, os.__file__, 'a')", (13,) * 3),
        ("return refused(os.listdir, '/proc/self'), refused(open, '/proc/self/environ')", (13, 13)),
        ("return refused(os.listdir, '..'), refused(os.rmdir, os.getcwd()), refused(open, '../x', 'w')", (13,) * 3),
        ("return refused(os.fork), refused(os.kill, os.getppid(), 0), refused(signal.raise_signal, 10)", (1, 1, 1)),
        ("return refused(socket.socket), refused(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM)", (1, 1)),
        ("a, b = socket.socketpair(); a.send(b'x'); return b.recv(1)", b"x"),
        ("return refused(os.chmod, '.', 7), refused(os.utime, '.'), refused(os.setxattr, '.', 'a', b'')", (1,) * 3),
        ("return refused(fcntl.fcntl, 1, fcntl.F_SETOWN, 1), refused(fcntl.ioctl, 1, 0x8901, bytes(4))", (1, 1)),
        ("return refused(resource.prlimit, os.getppid(), resource.RLIMIT_NOFILE, (9, 9)), os.isatty(1)", (1, False)),
        ("os.mkdir('a'); open('a/b', 'w'); os.rename('a/b', 'c'); os.symlink('c', 'd'); return len(os.listdir())", 3),
        ("t = threading.Thread(target=print); t.start(); t.join(); return t.is_alive()", False),
        ("return open('data.txt').read()", "of the app"),
        ("return time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) > 0", True),
    ],
)  # fmt: skip
def test_a_program_has_its_room_and_nothing_else(landlocked: Sandbox, body: str, expected: object) -> None:
    program = f"""
import fcntl, os, resource, signal, socket, tempfile, threading, time
def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
def f():
    {body}
"""
    suite = Suite({"test_app.py": TESTS.format(expected)}, files={"data.txt": b"of the app"})
    if "data.txt" not in body:
        suite = Suite(suite.tests)
    outcome = landlocked.run({"app.py": program}, suite)
    assert passed(outcome), outcome
    assert_that_none_but_judges_have_rooms()


@pytest.mark.sandbox
def test_tests_can_start_no_process_either_and_pytest_suites_run(landlocked: Sandbox) -> None:
    tests = """
import os, pytest
from app import f
def test_it(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("y")
    with pytest.raises(PermissionError):
        os.fork()
    with pytest.raises(PermissionError):
        os.listdir("/")
    assert f() == 1
"""
    for _ in range(2):
        outcome = landlocked.run({"app.py": "def f(): return 1"}, Suite({"test_app.py": tests}, runner="pytest"))
        assert passed(outcome), outcome


@pytest.mark.sandbox
def test_a_room_full_of_folders_does_not_hold_up_the_next_run(landlocked: Sandbox) -> None:
    program = "import os\ndef f():\n    for number in range(3000): os.mkdir(str(number))\n"
    assert passed(landlocked.run({"app.py": program}, TESTS_OF_NONE))
    for _ in range(3):
        assert passed(landlocked.run({"app.py": "def f(): return None"}, TESTS_OF_NONE))
    assert_that_none_but_judges_have_rooms()


@pytest.mark.sandbox
def test_without_room_on_the_disk_a_run_is_unscored_and_the_server_stays(landlocked: Sandbox) -> None:
    server = landlocked.server_pid
    [place] = Path(tempfile.gettempdir()).glob("*/rooms")
    place.rename(place.with_name("elsewhere"))  # where no room can be made
    lost = landlocked.run({"app.py": "def f(): return None"}, TESTS_OF_NONE)
    place.with_name("elsewhere").rename(place)
    assert isinstance(lost, Unscored)
    assert "No such file or directory" in lost.reason
    assert passed(landlocked.run({"app.py": "def f(): return None"}, TESTS_OF_NONE))
    assert landlocked.server_pid == server


@pytest.mark.sandbox
def test_a_killed_server_takes_its_runs_along_and_leaves_no_room(landlocked: Sandbox) -> None:
    server = landlocked.server_pid
    assert server is not None
    outcomes: list[Outcome] = []
    program = {"app.py": "import time\ndef f(): time.sleep(60)\n"}
    run = threading.Thread(target=lambda: outcomes.append(landlocked.run(program, TESTS_OF_NONE, timeout_s=90)))
    run.start()
    while len(descendants(server)) < 5:  # a slot, two judges, the tests of one and the program
        time.sleep(0.005)
    family = descendants(server)
    os.kill(server, signal.SIGKILL)
    run.join()
    assert isinstance(outcomes[0], Unscored)
    assert passed(landlocked.run({"app.py": "def f(): return None"}, TESTS_OF_NONE))
    assert landlocked.server_pid != server
    assert not [pid for pid in family if is_alive(pid)]
    assert len(list(Path(tempfile.gettempdir()).iterdir())) == 1


def test_an_old_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, said in ((2, "there is 2"), (0, "there is none")):
        monkeypatch.setattr(landlock, "version", lambda found=found: found)
        with pytest.raises(OSError, match=rf"Landlock of version 3 \(Linux 6.2\) is needed, and {said}"):
            Landlock([], [], [])


def test_what_the_user_that_programs_run_as_may_not_read_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "os.py").write_text("")
    closed.chmod(0)
    code = (
        "import sys; from cetd.sandbox.confinement import Landlocked, Limits\n"
        "Landlocked(Limits(1, 1, 1, 1), '/nowhere', [sys.argv[1]], [], [])"
    )
    command = [sys.executable, "-c", code, str(closed / "os.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    closed.chmod(0o700)
    assert "closed/os.py cannot be read by the unprivileged user that programs run as" in result.stderr
