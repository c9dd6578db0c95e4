"""The ways to isolate a server: what each shows, which one is taken, and what is said where none can be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cetd.sandbox.root import PythonFiles, SandboxUnavailable, base_python
from cetd.sandbox.sandbox import Sandbox
from cetd.sandbox.tiers import arguments, tiers
from tests.cetd.sandbox.conftest import limits, python_for_all

FILES = PythonFiles("/opt/py/bin/python3", ("/opt/py/lib/python3.11",), ("/lib/x/libc.so.6",))


@pytest.mark.parametrize("root", [True, False])
def test_every_namespace_is_unshared_and_only_read_only_binds_are_made(root: bool) -> None:
    command = arguments("bwrap", FILES, {"/packages/pytest": "/opt/site/pytest"}, root=root)
    for kind in ("pid", "net", "ipc", "uts"):
        assert f"--unshare-{kind}" in command
    # as root the server makes its own user namespace, after it has left root
    assert ("--unshare-user" in command) != root
    for flag in ("--die-with-parent", "--new-session", "--clearenv"):
        assert flag in command
    assert command[command.index("--cap-drop") + 1] == "ALL"
    assert "--bind" not in command
    sources = [command[at + 1] for at, word in enumerate(command) if word == "--ro-bind"]
    assert sorted(sources) == sorted(
        map(os.path.realpath, (FILES.executable, *FILES.folders, *FILES.libraries, "/opt/site/pytest"))
    )


def test_a_missing_bubblewrap_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="bubblewrap is not installed: install"):
        Sandbox(limits())


def test_a_missing_gvisor_is_named_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(SandboxUnavailable, match="gvisor: gVisor is not installed: install the package that has runsc"):
        Sandbox(limits(isolation="gvisor"))
    assert [tier.name for tier in tiers("gvisor")] == ["gvisor"]


def test_stronger_tiers_come_first() -> None:
    assert [tier.name for tier in tiers("landlock")] == ["gvisor", "namespaces", "landlock"]
    assert [tier.name for tier in tiers("namespaces")] == [tier.name for tier in tiers("cgroups")]
    assert [tier.name for tier in tiers("namespaces")] == ["gvisor", "namespaces"]


@pytest.mark.sandbox
def test_less_than_namespaces_is_taken_only_where_it_is_accepted_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Sandbox(limits(isolation="landlock")) as sandbox:
        assert "namespaces, a root of their own" in sandbox.isolation
        assert "missing" not in sandbox.isolation
    monkeypatch.setenv("PATH", str(tmp_path))
    with Sandbox(limits(isolation="landlock"), python=python_for_all()) as sandbox:
        assert "Landlock" in sandbox.isolation
        assert "missing are namespaces" in sandbox.isolation


@pytest.mark.sandbox
def test_where_user_namespaces_are_forbidden_programs_still_run_if_less_is_accepted() -> None:
    """As an ordinary user in a user namespace that may have no further ones: what an unprivileged pod is like."""
    code = """
import sys
from cetd.config import SandboxConfig
from cetd.sandbox.root import SandboxUnavailable
from cetd.sandbox.sandbox import Sandbox
try:
    Sandbox(SandboxConfig(slots=1), python=sys.argv[1])
except SandboxUnavailable as error:
    print(error)
tests = {"test_app.py": "from app import f\\ndef test_x():\\n    assert f() == 1\\n"}
with Sandbox(SandboxConfig(slots=1, isolation="landlock"), python=sys.argv[1]) as sandbox:
    print(sandbox.isolation)
    print(sandbox.run({"app.py": "def f(): return 1"}, tests))
"""
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces; "
    shed = 'exec setpriv --ambient-caps -all --inh-caps -all "$@"'
    command = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--keep-caps", "sh", "-c", forbid + shed]
    # Nothing maps to root there, so whose home a Python lies in does not matter.
    command += ["sh", sys.executable, "-c", code, base_python()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    refused, isolation, outcome = result.stdout.splitlines()
    assert "allow user namespaces (sysctl" in refused
    assert "or accept isolation=landlock" in refused
    assert "Landlock" in isolation
    assert outcome.startswith("Scored(passed=1, total=1"), result
