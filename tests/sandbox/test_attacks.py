"""Every hostile program of the corpus comes to what its header says, and leaves nothing for the next run to find."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cetd.evaluation.attack_corpus import SHORT_S, SUITE, Attack, class_of, read_corpus
from cetd.evaluation.sandbox_load import descendants
from cetd.sandbox.outcome import Scored, pass_rate
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import Bench, limits, own_temporary_folder, python_for_all, with_gvisor

CORPUS = Path(__file__).parent / "attacks"
ATTACKS = read_corpus(CORPUS)
FORGERIES = [attack for attack in ATTACKS if attack.family == "verdict_forgery"]

# A correct program that prints all that an earlier one could have left in its slot; the tests being the same, the
# judge is the same as well, where that still lives.
NEXT = """
import builtins, fcntl, gc, hashlib, math, os, random, resource, signal, sys, threading, time
def stdlib():
    folder = os.path.dirname(os.__file__)
    with open(os.__file__, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest(), sorted(os.listdir(folder))
def fcntls(fd):
    return [fcntl.fcntl(fd, command) for command in (fcntl.F_GETFD, fcntl.F_GETFL, fcntl.F_GETOWN, 11)]
print(os.listdir("/"), os.listdir("/tmp"), os.listdir("/proc"), os.listdir("/dev"), os.getcwd())
print(os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0), os.getresuid(), os.getresgid(), os.getgroups())
print(threading.active_count(), threading.stack_size(), gc.isenabled(), sys.getrecursionlimit())
print(sys.getswitchinterval(), sys.get_int_max_str_digits(), sys.path, sys.meta_path[1:], sys.path_hooks)
print(sorted(sys.modules), sorted(vars(builtins)), sorted(os.environ.items()), os.uname().nodename, time.tzname)
print([signal.getsignal(n) for n in range(1, 65)], signal.pthread_sigmask(0, []), signal.sigpending())
print(signal.getitimer(signal.ITIMER_REAL), os.getpriority(os.PRIO_PROCESS, 0))
print([resource.getrlimit(n) for n in range(16)], os.sched_getscheduler(0), sys.gettrace(), sys.getprofile())
print([fcntls(fd) for fd in range(4)], fcntl.fcntl(1, fcntl.F_GETPIPE_SZ))
print(os.stat("/tmp").st_mode, stdlib(), random.random(), math.sqrt(4), math.pi, sorted([2, 1]), 0 == 41)
def f(x):
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
"""

_OF_ITS_OWN = ('print(os.listdir("/")', "print(os.getpid()", "print(os.stat(")
# The same for a sandbox that shares with the rest of the machine what those lines look at.
NEXT_IN_COMPANY = "\n".join(line for line in NEXT.splitlines() if not line.startswith(_OF_ITS_OWN))


# gVisor does not say how much a pipe of the machine holds.
NEXT_IN_GVISOR = NEXT.replace(", fcntl.fcntl(1, fcntl.F_GETPIPE_SZ)", "")
# Of each family what is quickest there, and of what shows most where that is something else.
_SAMPLE = {
    "encodings": (
        "surrogate_answer",
        "utf7_cookie",
    ),
    "escape": (
        "become_root",
        "kernel_surface",
        "mounts",
        "namespaces",
        "other_processes",
        "up_from_the_root",
    ),
    "file_system": (
        "devices",
        "proc_and_sys",
        "secrets",
        "write_everywhere",
    ),
    "network": (
        "descriptors_to_the_judge",
        "internet_sockets",
    ),
    "outliving": (
        "daemon_after_its_parent",
        "daemon_writes_the_verdict",
    ),
    "output_floods": (
        "from_threads",
        "streams_reused",
    ),
    "pickles_and_ctypes": (
        "exception_thrown_at_the_server",
        "library_from_a_file",
    ),
    "process_and_signal": (
        "child_answers_too",
        "kill_everyone",
        "raises_at_import",
    ),
    "resource_exhaustion": (
        "files_to_the_brim",
        "fork_bomb_that_gives_up",
        "memory_without_limits",
        "one_huge_string",
    ),
    "slow_death": (
        "signals_ignored",
        "sleep_in_c",
    ),
    "tampering_with_later_runs": (
        "files_left",
        "sandbox_in_memory",
    ),
    "test_reading": (
        "descriptors",
        "usual_places",
    ),
    "verdict_forgery": (
        "patched_judge",
        "verdict_in_every_descriptor",
        "verdict_on_the_channel",
    ),
}
SAMPLE = [attack for attack in ATTACKS if attack.name in _SAMPLE[attack.family]]


@pytest.fixture(scope="package")
def untouched(sandbox: Sandbox) -> str:
    """What the program above prints before any attack."""
    return _next(sandbox)


@pytest.mark.sandbox
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.family}/{attack.name}")
def test_an_attack_comes_to_what_it_has_to_and_leaves_nothing(attack: Attack, untouched: str, bench: Bench) -> None:
    before = _ours()
    outcome = bench.sandbox.run(attack.program, SUITE, SHORT_S if attack.is_slow else None)
    assert class_of(outcome) in attack.expects, f"{attack.why}: {outcome}"
    assert _ours() == before
    assert _next(bench.sandbox) == untouched


@pytest.mark.sandbox
@pytest.mark.parametrize("attack", FORGERIES, ids=lambda attack: attack.name)
def test_a_forgery_is_worth_as_little_in_pytest(attack: Attack, sandbox: Sandbox) -> None:
    suite = replace(SUITE, runner="pytest", expected=("test_app.py::test_number", "test_app.py::test_text"))
    outcome = sandbox.run(attack.program, suite, 2 * SHORT_S if "timed_out" in attack.expects else 2.0)
    # pytest asks more than the tests do: what counts requests may come to another end there, but not to a better one.
    assert pass_rate(outcome) == ("scored 2/2" in attack.expects), f"{attack.why}: {outcome}"


@pytest.mark.sandbox
def test_no_attack_gains_anything_where_there_are_no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Much of what attacks try fails at once there, so that they end worse than they would elsewhere."""
    monkeypatch.setenv("PATH", "/nowhere")  # where there is no bubblewrap
    with (
        own_temporary_folder() as rooms,
        Sandbox(limits(isolation="landlock", timeout_s=20), python=python_for_all()) as sandbox,
    ):
        server = sandbox.server_pid
        assert server is not None
        untouched = _next(sandbox, NEXT_IN_COMPANY)
        before = _ours()
        for attack in ATTACKS:
            outcome = sandbox.run(attack.program, SUITE, SHORT_S if attack.is_slow else None)
            assert class_of(outcome) in (*attack.expects, "crashed", "scored 0/2"), (
                f"{attack.family}/{attack.name}: {attack.why}: {outcome}"
            )
            assert _next(sandbox, NEXT_IN_COMPANY) == untouched, f"{attack.family}/{attack.name}"
        assert _ours() == before
        assert sandbox.server_pid == server
        _until(lambda: len(descendants(server)) == 3)  # the slot, its judge, and the one for the next tests
        assert len(list(rooms.glob("*/rooms/*"))) == 2  # of the judges


@pytest.mark.sandbox
def test_no_attack_of_a_sample_gains_anything_inside_gvisor() -> None:
    with with_gvisor() as rooms, Sandbox(limits(isolation="gvisor")) as sandbox:
        server, untouched, before = sandbox.server_pid, _next(sandbox, NEXT_IN_GVISOR), _ours()
        for attack in SAMPLE:
            outcome = sandbox.run(attack.program, SUITE, SHORT_S if attack.is_slow else None)
            assert class_of(outcome) in attack.expects, f"{attack.family}/{attack.name}: {attack.why}: {outcome}"
            assert _next(sandbox, NEXT_IN_GVISOR) == untouched, f"{attack.family}/{attack.name}"
        assert _ours() == before
        assert sandbox.server_pid == server
        assert len(list(rooms.iterdir())) == 1


def test_the_corpus_is_broad() -> None:
    families = Counter(attack.family for attack in ATTACKS)
    assert families.keys() == _SAMPLE.keys()
    assert len(SAMPLE) == sum(map(len, _SAMPLE.values()))
    assert len(families) >= 13
    assert min(families.values()) >= 3, families
    assert len(ATTACKS) >= 60


@pytest.mark.parametrize(
    "text",
    [
        "",
        "def f(x): ...\n",
        "# expects: timed_out\n",
        "# expects: timed_out\nwhile True: pass\n",
        "# expects: timed_out\n# why:  \n",
        "# expects: passed\n# why: there is no such outcome\n",
        "# expects: timed_out, crashed\n# why: alternatives stand between bars\n",
        "# why: the order\n# expects: timed_out\n",
    ],
)
def test_a_file_without_its_header_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "family").mkdir()
    (tmp_path / "family" / "nameless.py").write_text(text)
    with pytest.raises(ValueError, match=r"family/nameless\.py: its (first|second) line has to be"):
        read_corpus(tmp_path)


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no FAMILY/NAME"):
        read_corpus(tmp_path)


def test_a_program_is_read_as_it_stands(tmp_path: Path) -> None:
    header = "# expects: crashed | scored 0/2\n# why: bytes\n"
    (tmp_path / "family").mkdir()
    (tmp_path / "family" / "name.py").write_bytes(header.encode() + b"\r\n\xff\x00")
    attack = Attack("family", "name", {"app.py": header + "\r\n\udcff\x00"}, ("crashed", "scored 0/2"), "bytes")
    assert read_corpus(tmp_path) == [attack]


def test_modules_beside_the_families_go_along_with_programs_that_import_them(tmp_path: Path) -> None:
    header = "# expects: crashed\n# why: a reason\n"
    (tmp_path / "family").mkdir()
    (tmp_path / "shared.py").write_text("x = 1\n")
    (tmp_path / "family" / "alone.py").write_text(header + "y = 2\n")
    (tmp_path / "family" / "with.py").write_text(header + "from shared import x\n")
    alone, along = read_corpus(tmp_path)
    assert set(alone.program) == {"app.py"}
    assert along.program == {"app.py": header + "from shared import x\n", "shared.py": "x = 1\n"}


def _next(sandbox: Sandbox, program: str = NEXT) -> str:
    outcome = sandbox.run({"app.py": program}, SUITE)
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == outcome.total == 2, outcome
    return re.sub(r"/rooms/[0-9-]+", "/rooms", outcome.output)


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def _ours() -> tuple[int, list[Path]]:
    """Descriptors of this process, and files outside of the sandbox that attacks name theirs like."""
    places = {Path(tempfile.gettempdir()), Path("/dev/shm"), Path("/dev"), Path(os.__file__).parent, Path.cwd()}
    return len(os.listdir("/proc/self/fd")), [path for place in places for path in place.glob("attack?mark*")]
