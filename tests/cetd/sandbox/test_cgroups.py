"""What a whole run may take, where control groups can be had; and what is said where they cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cetd.sandbox import cgroups, launch
from cetd.sandbox.cgroups import Bounds, Group, make_groups
from cetd.sandbox.outcome import OutOfMemory, Scored
from cetd.sandbox.root import SandboxUnavailable
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import limits

MANY = """
import os, signal
def f(processes, mb):
    readers = []
    for _ in range(processes):
        reader, writer = os.pipe()
        if os.fork() == 0:
            taken = bytearray(os.urandom(1)) * (mb << 20)
            os.write(writer, b"x" if taken else b"")
            signal.pause()
        os.close(writer)
        readers.append(reader)
    return all(os.read(reader, 1) for reader in readers)
"""


def groups() -> set[Path]:
    """Groups that this process has, those of other sandboxes included."""
    return {path for path in Path("/sys/fs/cgroup").glob(f"**/cetd-sandbox-{os.getpid()}-*") if path.is_dir()}


@pytest.mark.sandbox
def test_processes_that_are_small_each_are_bounded_together() -> None:
    tests = "from app import f\ndef test_it():\n    assert f({}, {})\n"
    before = groups()
    with Sandbox(limits(timeout_s=20.0)) as sandbox:
        few = sandbox.run({"app.py": MANY}, {"test_app.py": tests.format(2, 10)})
        assert isinstance(few, Scored), few
        assert few.passed == 1
        many = sandbox.run({"app.py": MANY}, {"test_app.py": tests.format(10, 90)})
        if "memory" in sandbox.isolation:
            assert isinstance(many, OutOfMemory), many
        else:
            assert "no control groups" in sandbox.isolation
        assert isinstance(sandbox.run({"app.py": MANY}, {"test_app.py": tests.format(2, 10)}), Scored)
    assert groups() == before


@pytest.mark.sandbox
def test_less_isolation_than_is_asked_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "make_groups", lambda count, bounds: [Group({}) for _ in range(count)])
    with pytest.raises(SandboxUnavailable, match="isolation=cgroups: no control group with memory, pids, cpu can be"):
        Sandbox(limits(isolation="cgroups"))
    with Sandbox(limits()) as sandbox:
        assert "no control groups" in sandbox.isolation


def test_groups_of_processes_that_were_killed_are_removed() -> None:
    before = groups()
    code = "from cetd.sandbox.cgroups import *; print(os.getpid(), make_groups(1, Bounds(64, 4))[0].controllers)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (group,) = make_groups(1, Bounds(64, 4))
    left, controllers = shown.stdout.strip().split(" ", 1)
    assert controllers == str(group.controllers)
    assert not list(Path("/sys/fs/cgroup").glob(f"**/cetd-sandbox-{left}-*"))
    group.remove()
    assert groups() == before


def test_both_versions_have_the_same_bounds() -> None:
    bounds = Bounds(memory_mb=64, processes=16, cpus=0.5)
    first, second = bounds.files(1), bounds.files(2)
    memory = str((2 * 64 + 32) << 20)
    assert first["memory"]["memory.limit_in_bytes"] == second["memory"]["memory.max"] == memory
    assert first["pids"] == second["pids"] == {"pids.max": "24"}
    assert second["cpu"]["cpu.max"].split() == [first["cpu"][f"cpu.cfs_{name}_us"] for name in ("quota", "period")]


def test_a_machine_without_control_groups_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_places", dict)
    (group,) = make_groups(1, Bounds(64, 4))
    assert group.controllers == ()
    assert group.open_doors() == []
    assert group.killed() == 0
