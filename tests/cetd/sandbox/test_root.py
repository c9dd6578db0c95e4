"""What the sandbox's root shows: what a Python needs, read-only, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cetd.sandbox.root import PythonFiles, arguments, base_python, python_files

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


def test_python_names_its_own_files() -> None:
    files = python_files(base_python())
    assert os.access(files.executable, os.X_OK)
    assert any(Path(folder, "os.py").exists() for folder in files.folders)
    assert any("libc" in library or "musl" in library for library in files.libraries)
