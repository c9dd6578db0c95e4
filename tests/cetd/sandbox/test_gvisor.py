"""The tier of machines with gVisor: what a program can and cannot do there, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cetd.data.app import Suite
from cetd.evaluation.sandbox_load import descendants
from cetd.sandbox.gvisor import binds, configuration
from cetd.sandbox.outcome import Crashed, Outcome, OutOfMemory, Scored, TimedOut, Unscored
from cetd.sandbox.root import PythonFiles, SandboxUnavailable
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import is_alive, limits, python_for_all, with_gvisor
from tests.cetd.sandbox.test_cgroups import MANY, groups

TESTS = "from app import f\ndef test_it():\n    assert f() == {!r}\n"
TESTS_OF_NONE = {"test_app.py": TESTS.format(None)}
NOTHING = {"app.py": "def f(): return None"}
SLEEPS = {"app.py": "import time\ndef f(): time.sleep(60)\n"}
FILES = PythonFiles(
    "/opt/py/bin/python3", ("/opt/py/lib/python3.11", "/opt/py/lib/python3.11/lib-dynload"), ("/lib/c",)
)


@pytest.fixture(scope="module")
def guests() -> Iterator[Sandbox]:
    """A sandbox of two slots that asks for no more than namespaces, and finds gVisor."""
    with with_gvisor() as folder:
        before = groups()
        with Sandbox(limits(slots=2)) as sandbox:
            yield sandbox
        assert not list(folder.iterdir())
        assert groups() == before


def passed(outcome: Outcome) -> bool:
    return isinstance(outcome, Scored) and outcome.passed == outcome.total == 1


def test_every_root_has_the_same_read_only_binds_and_no_installed_packages(tmp_path: Path) -> None:
    files = PythonFiles(str(tmp_path / "python"), (str(tmp_path / "lib"),), ())
    (tmp_path / "lib" / "site-packages").mkdir(parents=True)
    mounts = binds(files, {"/packages/x": "/opt/site/x"}, slots=2)
    shown = [mount["destination"] for mount in mounts if mount["type"] == "bind"]
    places = [*files.folders, files.executable, "/packages/x"]
    assert shown == [root + place for root in ("", "/roots/0", "/roots/1") for place in places]
    assert all("ro" in mount["options"] for mount in mounts if mount["type"] == "bind")
    hidden = [mount for mount in mounts if mount["destination"].endswith("/site-packages")]
    assert [mount["type"] for mount in hidden] == ["tmpfs"] * 3
    assert all("ro" in mount["options"] for mount in hidden)


def test_a_bundle_asks_for_no_network_no_terminal_and_few_capabilities() -> None:
    told = configuration(FILES, binds(FILES, {}, slots=1))
    assert told == json.loads(json.dumps(told)) | {"process": told["process"], "mounts": told["mounts"]}
    assert told["root"]["readonly"] is True
    assert {"type": "network"} in told["linux"]["namespaces"]
    assert "CAP_SYS_PTRACE" not in told["process"]["capabilities"]["bounding"]
    assert "CAP_NET_ADMIN" not in told["process"]["capabilities"]["bounding"]
    destinations = [mount["destination"] for mount in told["mounts"]]
    assert "/opt/py/lib/python3.11" in destinations
    assert "/opt/py/lib/python3.11/lib-dynload" not in destinations  # it is there with the folder that it is in


@pytest.mark.sandbox
def test_the_strongest_is_taken_and_said(guests: Sandbox) -> None:
    assert "gVisor (a kernel of their own" in guests.isolation
    with with_gvisor(), Sandbox(limits(isolation="gvisor")) as sandbox:
        assert "gVisor" in sandbox.isolation


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return os.getpid(), os.listdir('/tmp'), os.listdir('/proc'), os.getcwd()", (1, [], [], "/tmp")),
        ("return sorted(os.listdir('/dev'))", ["null", "random", "urandom", "zero"]),
        ("return open('/dev/zero', 'rb').read(1), open('/dev/null', 'wb').write(b'x')", (b"\0", 1)),
        ("return {'roots', 'rooms', 'groups', 'etc', 'sys'} & set(os.listdir('/')), os.getuid()", (set(), 65534)),
        ("return refused(open, os.__file__, 'a') in (13, 30), refused(os.mkdir, '/x') in (13, 30)", (True, True)),
        ("return os.getppid(), refused(os.kill, 2, 0), os.uname().nodename", (0, 3, "sandbox")),
        ("return refused(socket.socket), refused(os.chroot, '.'), refused(os.setuid, 0) in (1, 22)", (1, 1, True)),
        ("return [refused(os.mknod, 'x', kind | 0o666, os.makedev(1, 1)) for kind in (0o20000, 0o60000)]", [1, 1]),
        ("return refused(fork_all)", 11),
        ("return refused(fill), os.path.getsize('big') <= 4 << 20", (27, True)),
        ("return open('data.txt').read(), resource.getrlimit(resource.RLIMIT_NOFILE)", ("of the app", (64, 64))),
        ("t = threading.Thread(target=print); t.start(); t.join(); return t.is_alive()", False),
    ],
)  # fmt: skip
def test_a_program_has_its_root_and_nothing_else(guests: Sandbox, body: str, expected: object) -> None:
    program = f"""
import os, resource, signal, socket, threading
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
def fork_all():
    for _ in range(17):
        if os.fork() == 0: signal.pause()
def fill():
    with open("big", "wb", buffering=0) as file:
        while file.write(bytes(1 << 20)): pass
def f():
    {body}
"""
    suite = Suite({"test_app.py": TESTS.format(expected)}, files={"data.txt": b"of the app"})
    if "data.txt" not in body:
        suite = Suite(suite.tests)
    outcome = guests.run({"app.py": program}, suite)
    assert passed(outcome), outcome


@pytest.mark.sandbox
def test_pytest_suites_run_and_have_a_folder_of_their_own(guests: Sandbox) -> None:
    tests = """
import os, time
from app import f
def test_it(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("y")
    if os.fork() == 0:
        time.sleep(60)
    assert f() == 1
"""
    for _ in range(2):
        outcome = guests.run({"app.py": "def f(): return 1"}, Suite({"test_app.py": tests}, runner="pytest"), 10.0)
        assert passed(outcome), outcome


@pytest.mark.sandbox
def test_how_a_program_ends_is_its_own_doing(guests: Sandbox) -> None:
    """The first process of a PID namespace is not safe from its own SIGKILL there, and no other reaches it."""
    ends = {
        "os.kill(os.getpid(), 9)": Crashed,
        "os._exit(0)": Crashed,
        "time.sleep(60)": TimedOut,
        "[None for _ in iter(int, 1)]": OutOfMemory,
        "bytearray(1 << 30)": OutOfMemory,
    }
    for body, expected in ends.items():
        outcome = guests.run({"app.py": f"import os, time\ndef f(): {body}"}, TESTS_OF_NONE, 3.0)
        assert isinstance(outcome, expected), (body, outcome)
        assert passed(guests.run(NOTHING, TESTS_OF_NONE))


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(lambda server: server, id="runsc"),
        pytest.param(lambda server: _named(server, "sandbox"), id="gVisor"),
    ],
)
def test_a_killed_server_takes_its_runs_along_and_leaves_nothing(guests: Sandbox, victim: Callable[[int], int]) -> None:
    server = guests.server_pid
    assert server is not None
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(guests.run(SLEEPS, TESTS_OF_NONE, timeout_s=90)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    _until(lambda: _in_flight() == 2)
    family = {server, *descendants(server)}
    os.kill(victim(server), signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [Unscored, Unscored], outcomes
    assert passed(guests.run(NOTHING, TESTS_OF_NONE))
    assert guests.server_pid != server
    _until(lambda: not any(map(is_alive, family)))
    assert len(list(Path(tempfile.gettempdir()).iterdir())) == 1


@pytest.mark.sandbox
def test_a_killed_user_of_the_sandbox_takes_everything_along_and_the_next_one_clears_up() -> None:
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from cetd.config import SandboxConfig; from cetd.sandbox.sandbox import Sandbox\n"
        "sandbox = Sandbox(SandboxConfig(timeout_s=60, slots=1, isolation='gvisor'))\n"
        f"print(sandbox.server_pid, flush=True); sandbox.run({SLEEPS!r}, {TESTS_OF_NONE!r})"
    )
    with with_gvisor() as folder:
        command = [sys.executable, "-c", code, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as user:
            assert user.stdout is not None
            server = int(user.stdout.readline())
            family = {server, *descendants(server)}
            user.kill()
        _until(lambda: not any(map(is_alive, family)))
        [left] = folder.iterdir()
        with Sandbox(limits(isolation="gvisor")):
            assert not left.exists()
        assert not list(folder.iterdir())


@pytest.mark.sandbox
def test_runs_that_take_too_much_together_are_unscored_where_that_is_bounded() -> None:
    tests = "from app import f\ndef test_it():\n    assert f({}, {})\n"
    with with_gvisor(), Sandbox(limits(timeout_s=20.0, isolation="gvisor")) as sandbox:
        many = sandbox.run({"app.py": MANY}, {"test_app.py": tests.format(10, 90)})
        if "memory" in sandbox.isolation:
            assert isinstance(many, Unscored), many
        else:
            assert "no control groups" in sandbox.isolation
        assert passed(sandbox.run({"app.py": MANY}, {"test_app.py": tests.format(2, 10)}))


@pytest.mark.sandbox
def test_an_ordinary_user_has_it_too() -> None:
    """As root: the same in a process that has become an ordinary user."""
    code = """
import os, sys, tempfile
from cetd.config import SandboxConfig
from cetd.sandbox.packages import JUDGES, entries
from cetd.sandbox.sandbox import Sandbox
python, tempfile.tempdir = sys.argv[1:]
entries(JUDGES)  # while this Python's own library can still be read
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
program = {"app.py": "import os\\ndef f(): return os.getpid(), os.getuid(), os.listdir('/proc')\\n"}
tests = {"test_app.py": "from app import f\\ndef test_x():\\n    assert f() == (1, 65534, [])\\n"}
with Sandbox(SandboxConfig(slots=1, timeout_s=5, isolation="gvisor"), python=python) as sandbox:
    print(sandbox.run(program, tests), os.listdir(tempfile.tempdir))
print(os.listdir(tempfile.tempdir))
"""
    with with_gvisor() as folder:
        folder.chmod(0o777)
        runsc = shutil.which("runsc")
        assert runsc is not None
        with tempfile.TemporaryDirectory() as place:  # where an ordinary user may execute it
            os.chmod(place, 0o755)
            shutil.copy(runsc, place)
            environment = os.environ | {"PATH": f"{place}:{os.environ['PATH']}"}
            command = [sys.executable, "-c", code, python_for_all(), str(folder)]
            result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    first, last = result.stdout.splitlines() or ("", result.stderr)
    assert first.startswith("Scored(passed=1, total=1"), result
    assert "cetd-sandbox" not in last


def test_a_runsc_that_may_not_is_refused_with_what_it_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "runsc"
    fake.write_text("#!/bin/sh\necho 'creating container: operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with with_gvisor() as folder:
        with pytest.raises(SandboxUnavailable, match="gvisor: creating container: operation not permitted; runsc has"):
            Sandbox(limits(isolation="gvisor"))
        assert not list(folder.iterdir())


def _in_flight() -> int:
    """Runs of this process, each of which holds a file for its verdict."""
    return sum("memfd:verdict" in os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())


def _named(server: int, word: str) -> int:
    """The process below ``server`` whose command line begins with runsc's name for that part of it."""
    for pid in sorted(descendants(server)):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(f"runsc-{word}".encode()):
            return pid
    raise AssertionError(f"no {word} below {server}")


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
