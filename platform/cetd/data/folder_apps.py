"""Apps from and to folders that hold an ``app.yaml`` each (see manifest).

What is wrong with a folder is said in one line that names the path and the remedy (:class:`AppError`). Runs nothing.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from cetd.config import ConfigError, validate
from cetd.data import manifest
from cetd.data.app import App, Interface
from cetd.data.app_files import AppError, check_folder, read_bytes, read_texts
from cetd.data.imported import unnamed_imports
from cetd.data.manifest import AppManifest
from cetd.sandbox.packages import entries

_REFERENCE = "reference"


def load_folder(path: Path) -> list[App]:
    """The apps in the folders below ``path``, by name of folder.

    Raises:
        AppError: one line that names the path and the remedy.
    """
    if not path.is_dir():
        raise AppError(f"{path}: no such folder; give a folder of app folders")
    if (path / manifest.FILE).exists():
        raise AppError(f"{path}: is itself an app folder; give the folder above it")
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        raise AppError(f"{path}: holds no app folders; make one with an {manifest.FILE} in it")
    apps: dict[str, App] = {}
    for folder in folders:
        app = load_app(folder)
        if app.app_id in apps:
            raise AppError(
                f"{folder / manifest.FILE}: name={app.app_id!r} is taken by another app; choose another name"
            )
        apps[app.app_id] = app
    return list(apps.values())


def load_app(folder: Path) -> App:
    """The app in one folder; see :func:`load_folder` for the error."""
    given, where = _manifest(folder), folder / manifest.FILE
    tests = read_texts(folder, given.tests)
    source = {name: text for name, text in read_texts(folder, given.source).items() if name not in tests}
    module = f"{given.interface.module}.py"
    if not source:
        raise AppError(f"{where}: no file matches source={list(given.source)}; correct the globs or add the sources")
    if module not in source:
        raise AppError(f"{where}: interface.module={module[:-3]!r}, but {module} is no source; they must agree")
    if not tests:
        raise AppError(f"{where}: no file matches tests={list(given.tests)}; correct the globs or add tests")
    if not any(map(_tests_something, tests.values())):
        raise AppError(f"{where}: no function test_* and no assertion in {sorted(tests)}; add one")
    taken = {*source, *tests}
    try:
        runner, arguments = manifest.runner_of(given.test_command, tests)
        app = App(
            app_id=given.name,
            source=source,
            tests=tests,
            interface=Interface(given.interface.module, given.interface.signatures),
            timeout_s=given.timeout_s,
            reference=read_texts(folder / given.reference, ["**/*"]) if given.reference else {},
            runner=runner,
            arguments=arguments,
            files={name: data for name, data in read_bytes(folder, given.files).items() if name not in taken},
            requirements=given.requirements,
        )
        check_imports(app, f"{folder}")
    except AppError:
        raise
    except ValueError as error:
        raise AppError(f"{where}: {error}") from None
    return app


def check_imports(app: App, where: str) -> None:
    """
    Raises:
        AppError: tests import what the interface does not name, or what is not installed.
    """
    installed = [name.removesuffix(".py") for name in entries(app.requirements)]
    for path, line, wrong in unnamed_imports(app.tests, app.interface, [*app.source, *app.reference], installed):
        raise AppError(f"{where}/{path}: line {line}: {wrong}; correct the tests, or app.yaml")


def write_app(app: App, folder: Path, beside: Mapping[str, str] | None = None) -> None:
    """Write an app as a folder that :func:`load_app` reads as the same app; whole or not at all.

    ``beside`` are further texts by path, which are none of the app.

    Raises:
        AppError: the folder is there already.
    """
    if folder.exists():
        raise AppError(f"{folder}: is there already; give another folder, or delete it")
    aside = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(aside, ignore_errors=True)
    contents = {**app.source, **app.tests, **app.files}
    if app.reference != app.source:
        contents |= {f"{_REFERENCE}/{name}": text for name, text in app.reference.items()}
    for name, content in {**contents, **(beside or {})}.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (aside / manifest.FILE).write_text(yaml.safe_dump(_tree(app), sort_keys=False, allow_unicode=True, width=110))
    aside.rename(folder)


def _tree(app: App) -> dict[str, object]:
    command = {"script": ["python"] if app.arguments else [], "pytest": ["pytest"]}[app.runner]
    tree = {
        "name": app.app_id,
        "interface": {"module": app.interface.module, "signatures": list(app.interface.signatures)},
        "source": sorted(app.source),
        "tests": sorted(app.tests),
        "files": sorted(app.files),
        "reference": None if app.reference == app.source else _REFERENCE,
        "requirements": list(app.requirements),
        "test_command": " ".join([*command, *(f"'{word}'" if " " in word else word for word in app.arguments)]),
        "timeout_s": app.timeout_s,
    }
    return {key: value for key, value in tree.items() if value}


def _manifest(folder: Path) -> AppManifest:
    where = folder / manifest.FILE
    if not any(folder.iterdir()):
        raise AppError(f"{folder}: the app folder is empty; add {manifest.FILE}, sources and tests, or delete it")
    if not where.is_file():
        raise AppError(
            f"{folder}: no {manifest.FILE}; add one with name, interface, source and tests, or delete the folder"
        )
    check_folder(folder)
    try:
        tree = yaml.safe_load(where.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AppError(f"{where}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise AppError(f"{where}: expected name, interface, source and tests, got {type(tree).__name__}")
    try:
        return validate(AppManifest, tree)
    except ConfigError as error:
        raise AppError(f"{where}: {error}") from None


def _tests_something(text: str) -> bool:
    nodes = ast.walk(ast.parse(text))
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
        for node in nodes
    )
