"""Apps from folders that hold an ``app.yaml`` each::

    name: clamp
    interface:
      module: solution
      signatures: ["def clamp(value: int, low: int, high: int) -> int"]
    source: ["solution.py"]         # globs, relative to the folder; what the policy reads
    tests: ["test_*.py"]            # globs; top-level functions test_*
    timeout_s: 2.0

What is wrong with a folder is said in one line that names the path and the remedy (:class:`AppError`). Runs nothing.
"""

from __future__ import annotations

import ast
from pathlib import Path, PurePosixPath

import yaml
from pydantic import Field

from cetd.config import ConfigError, Name, PositiveFloat, Section, validate
from cetd.data.app import App, Interface

MANIFEST = "app.yaml"


class AppError(ValueError):
    """An app folder that cannot be used; the message is one line for the user."""


class InterfaceManifest(Section):
    """The module that is rewritten, and what tests import from it."""

    module: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="the file <module>.py")
    signatures: tuple[str, ...] = Field(min_length=1, description="such as def f(x: int) -> int")


class AppManifest(Section):
    """The contents of ``app.yaml``."""

    name: Name = Field(description="the app's id; unique")
    interface: InterfaceManifest
    source: tuple[str, ...] = Field(("*.py",), min_length=1, description="globs of what the policy reads")
    tests: tuple[str, ...] = Field(("test_*.py", "tests/test_*.py"), min_length=1, description="globs of the tests")
    timeout_s: PositiveFloat = Field(2.0, description="wall clock of the tests")


def load_folder(path: Path) -> list[App]:
    """The apps in the folders below ``path``, by name of folder.

    Raises:
        AppError: one line that names the path and the remedy.
    """
    if not path.is_dir():
        raise AppError(f"{path}: no such folder; give a folder of app folders")
    if (path / MANIFEST).exists():
        raise AppError(f"{path}: is itself an app folder; give the folder above it")
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        raise AppError(f"{path}: holds no app folders; make one with an {MANIFEST} in it")
    apps: dict[str, App] = {}
    for folder in folders:
        app = load_app(folder)
        if app.app_id in apps:
            raise AppError(f"{folder / MANIFEST}: name={app.app_id!r} is taken by another app; choose another name")
        apps[app.app_id] = app
    return list(apps.values())


def load_app(folder: Path) -> App:
    """The app in one folder; see :func:`load_folder` for the error."""
    manifest = _manifest(folder)
    tests = _read(folder, manifest.tests)
    source = {name: text for name, text in _read(folder, manifest.source).items() if name not in tests}
    where = folder / MANIFEST
    module = f"{manifest.interface.module}.py"
    if not source:
        raise AppError(f"{where}: no file matches source={list(manifest.source)}; correct the globs or add the sources")
    if module not in source:
        raise AppError(f"{where}: interface.module={module[:-3]!r}, but {module} is no source; they must agree")
    if not tests:
        raise AppError(f"{where}: no file matches tests={list(manifest.tests)}; correct the globs or add tests")
    for name, text in {**source, **tests}.items():
        _check_syntax(folder / name, text)
    if not any(_test_names(text) for text in tests.values()):
        raise AppError(f"{where}: no top-level function test_* in {sorted(tests)}; add one")
    return App(
        app_id=manifest.name,
        source=source,
        tests=tests,
        interface=Interface(manifest.interface.module, manifest.interface.signatures),
        timeout_s=manifest.timeout_s,
    )


def _manifest(folder: Path) -> AppManifest:
    where = folder / MANIFEST
    if not any(folder.iterdir()):
        raise AppError(f"{folder}: the app folder is empty; add {MANIFEST}, sources and tests, or delete it")
    if not where.is_file():
        raise AppError(f"{folder}: no {MANIFEST}; add one with name, interface, source and tests, or delete the folder")
    try:
        tree = yaml.safe_load(_text(where))
    except yaml.YAMLError as error:
        raise AppError(f"{where}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise AppError(f"{where}: expected name, interface, source and tests, got {type(tree).__name__}")
    try:
        return validate(AppManifest, tree)
    except ConfigError as error:
        raise AppError(f"{where}: {error}") from None


def _read(folder: Path, globs: tuple[str, ...]) -> dict[str, str]:
    """Texts by path relative to the folder."""
    files: dict[str, str] = {}
    for pattern in globs:
        parts = PurePosixPath(pattern).parts
        if not parts or ".." in parts or pattern.startswith("/"):
            raise AppError(
                f"{folder / MANIFEST}: glob {pattern!r} leaves the app folder; write it relative to the folder"
            )
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                files[path.relative_to(folder).as_posix()] = _text(path)
    return files


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise AppError(f"{path}: not UTF-8 text; convert it, or leave it out of the globs") from None
    except OSError as error:
        raise AppError(f"{path}: cannot be read: {error.strerror}") from None


def _check_syntax(path: Path, text: str) -> None:
    if path.suffix != ".py":
        return
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise AppError(f"{path}: line {error.lineno}: syntax error: {error.msg}; correct the file") from None
    except ValueError as error:  # null bytes
        raise AppError(f"{path}: not Python source: {error}; correct the file") from None


def _test_names(text: str) -> list[str]:
    return [
        node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"
    ]
