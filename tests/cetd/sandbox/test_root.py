"""What a Python needs of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from cetd.sandbox.root import base_python, python_files


def test_python_names_its_own_files() -> None:
    files = python_files(base_python())
    assert os.access(files.executable, os.X_OK)
    assert any(Path(folder, "os.py").exists() for folder in files.folders)
    assert any("libc" in library or "musl" in library for library in files.libraries)
