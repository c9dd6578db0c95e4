"""A sandbox of one slot, so that consecutive runs share all that could be shared, and a look at what it holds."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cetd.config import SandboxConfig, validate
from cetd.evaluation.sandbox_load import descendants
from cetd.sandbox.outcome import Outcome, Scored
from cetd.sandbox.root import base_python
from cetd.sandbox.sandbox import Sandbox

WITNESS = """
import os, sys, threading
def what_is_here():
    return os.listdir("/tmp"), os.listdir("/proc"), threading.active_count(), os.getpid()
"""
WITNESS_TESTS = """
from witness import what_is_here
def test_alone_and_clean():
    assert what_is_here() == ([], [], 1, 1)
"""


def limits(**changes: int | float | str) -> SandboxConfig:
    """Limits small enough to be hit at once."""
    few = {"slots": 1, "timeout_s": 5.0, "cpu_s": 2, "memory_mb": 128, "processes": 16, "file_mb": 4, "output_kb": 64}
    return validate(SandboxConfig, few | changes)


def python_for_all() -> str:
    """A Python that ordinary users may execute: this one's base, or the system's where that lies in root's home."""
    for python in (base_python(), "/usr/bin/python3"):
        resolved = Path(python).resolve()
        if all(parent.stat().st_mode & 0o001 for parent in resolved.parents):
            return str(resolved)
    pytest.fail("no Python here can be executed by an ordinary user: install the system's python3")


@contextmanager
def own_temporary_folder() -> Iterator[Path]:
    """Where sandboxes without a root of their own make their folders meanwhile; their programs may enter it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@contextmanager
def with_gvisor() -> Iterator[Path]:
    """Where runsc is found: installed, or in this environment, which has it where nothing else finds it. Yields the
    temporary folder meanwhile."""
    own = Path(sys.prefix, "gvisor", "bin")
    if not shutil.which("runsc") and not (own / "runsc").exists():
        pytest.fail("no runsc: run requirements/setup.sh, or install the package that has it")
    with pytest.MonkeyPatch.context() as patch, own_temporary_folder() as folder:
        patch.setenv("PATH", f"{os.environ['PATH']}:{own}")
        yield folder


def is_alive(pid: int) -> bool:
    """Whether ``pid`` runs; one that only waits to be reaped, by whoever inherited it, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def idle_processes(server: int) -> list[int]:
    """Of an idle sandbox with one slot, oldest first: the fork server, the slot, its judge, and the one for the next
    tests, which is made when a run is over and is waited for here."""
    deadline = time.monotonic() + 10
    while len(found := sorted(descendants(server))) != 4 or any(map(_privileges, found)):
        assert time.monotonic() < deadline, found
        time.sleep(0.001)
    return found


def _privileges(pid: int) -> int:
    """The capabilities in effect, which a judge that is being made has."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("CapEff:")[2].split()[0], 16)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def mounts(pid: int) -> int:
    return len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines())


@dataclass
class Bench:
    """Runs programs named ``app`` in one sandbox, and knows what that held before the first."""

    sandbox: Sandbox

    def __post_init__(self) -> None:
        assert self.sandbox.server_pid is not None
        self.server_pid = self.sandbox.server_pid
        self._witness()
        self.processes = set(idle_processes(self.server_pid))
        self.held = self._settled()

    def run(self, program: str, tests: str, timeout_s: float | None = None) -> Outcome:
        return self.sandbox.run({"app.py": program}, {"test_app.py": tests}, timeout_s)

    def assert_nothing_is_left(self) -> None:
        """The next run finds itself alone, and then there is as much as after the same run before: a fork server,
        a slot, a judge of the witness and one for the next tests, with as many descriptors and mounts."""
        assert self.sandbox.server_pid == self.server_pid
        self._witness()
        deadline = time.monotonic() + 10
        while self._held() != self.held:  # as long as the slot makes the judge for the next tests
            assert time.monotonic() < deadline, (self._held(), self.held)
            time.sleep(0.001)
        assert len(self.processes.intersection(idle_processes(self.server_pid))) >= 2

    def _settled(self) -> list[tuple[int, int]]:
        """What is held once it no longer changes."""
        before: list[tuple[int, int]] = []
        while before != (held := self._held()):
            before = held
            time.sleep(0.02)
        return held

    def _held(self) -> list[tuple[int, int]]:
        return sorted((open_files(pid), mounts(pid)) for pid in idle_processes(self.server_pid))

    def _witness(self) -> None:
        outcome = self.sandbox.run({"witness.py": WITNESS}, {"test_witness.py": WITNESS_TESTS})
        assert isinstance(outcome, Scored), outcome
        assert (outcome.passed, outcome.total) == (1, 1), outcome


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limits()) as sandbox:
        yield sandbox


@pytest.fixture
def bench(sandbox: Sandbox) -> Iterator[Bench]:
    bench = Bench(sandbox)
    yield bench
    bench.assert_nothing_is_left()
