"""How the server is started, and what is said where that is not possible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cetd.sandbox.root import SandboxUnavailable
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import limits, python_for_all


def test_a_bubblewrap_that_may_not_is_refused_with_what_to_enable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SandboxUnavailable, match=r"Operation not permitted; allow user namespaces \(sysctl"):
        Sandbox(limits())


@pytest.mark.sandbox
def test_a_server_whose_candidates_get_no_namespaces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # CLONE_NEWPID with CLONE_VM and CLONE_THREAD is refused by every kernel
    broken = "CANDIDATE_NAMESPACES = 0x20000000 | 0x00010100\n"
    whole = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **k: whole(path, **k) + (broken if path.name == "namespaces.py" else "")
    )
    with pytest.raises(SandboxUnavailable, match=r"first run did not work.*clone: Invalid argument.*allow user"):
        Sandbox(limits())


def test_a_python_that_does_not_run_is_named() -> None:
    with pytest.raises(SandboxUnavailable, match="python=/nowhere/python: does not run"):
        Sandbox(limits(), python="/nowhere/python")


@pytest.mark.sandbox
def test_an_ordinary_user_has_the_same_isolation() -> None:
    """As root: the same sandbox again, in a process that has become an ordinary user."""
    code = """
import os, sys
from cetd.config import SandboxConfig
from cetd.sandbox.packages import JUDGES, entries
from cetd.sandbox.sandbox import Sandbox
python = sys.argv[1]
entries(JUDGES)  # while this Python's own library can still be read
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
program = '''
import os, socket
def look():
    try: socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    except PermissionError: network = "denied"
    children = 0
    while True:
        try:
            if os.fork() == 0: os.kill(0, 19)
        except BlockingIOError: break
        children += 1
    return os.getpid(), os.listdir("/tmp"), os.listdir("/proc"), network, children
'''
tests = "from app import look\\ndef test_x():\\n    assert look() == (1, [], [], 'denied', 3)\\n"
with Sandbox(SandboxConfig(slots=1, processes=4, timeout_s=5), python=python) as sandbox:
    print(sandbox.run({"app.py": program}, {"test_app.py": tests}))
    print(sandbox.run({"app.py": "import os\\nos.kill(0, 9)\\ndef f(): return 1\\n"},
                      {"test_app.py": "from app import f\\ndef test_x():\\n    assert f() == 1\\n"}))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, python_for_all()], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stdout.count("Scored(passed=1, total=1") == 2, result
