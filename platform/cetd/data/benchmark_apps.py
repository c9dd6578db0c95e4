"""Apps from the JSON Lines of public benchmarks: HumanEval and MBPP, plain or gzipped.

HumanEval (Chen et al. 2021): task_id, prompt, canonical_solution, test, entry_point. MBPP (Austin et al. 2021):
task_id, text, code, test_list, test_setup_code. Each assertion is a test of its own where the benchmark's checks can
be written as a script. What is wrong is said in one line with the file and its line (:class:`AppError`). Runs nothing.
"""

from __future__ import annotations

import ast
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cetd.data.app import App, Interface
from cetd.data.app_files import AppError
from cetd.data.signatures import signatures

MODULE = "solution"
TIMEOUT_S = 5.0
_MOST_BYTES = 256 << 20


def load_lines(path: Path) -> list[App]:
    """
    Raises:
        AppError: one line that names the file, its line and the field.
    """
    apps: dict[str, App] = {}
    for number, record in _records(path):
        where = f"{path}: line {number}"
        if "entry_point" in record or "canonical_solution" in record:
            app = _humaneval(record, where)
        elif "test_list" in record or "code" in record:
            app = _mbpp(record, where)
        else:
            raise AppError(f"{where}: neither HumanEval (entry_point) nor MBPP (test_list): it has {', '.join(record)}")
        if app.app_id in apps:
            raise AppError(f"{where}: task_id={app.app_id!r} occurs twice; give each task its own")
        apps[app.app_id] = app
    if not apps:
        raise AppError(f"{path}: no tasks in it; give HumanEval or MBPP as JSON Lines")
    return list(apps.values())


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise AppError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _MOST_BYTES:
        raise AppError(f"{path}: more than {_MOST_BYTES >> 20} MiB of JSON Lines; split it")
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise AppError(f"{path}: line {number}: not JSON in UTF-8: {error}") from None
        if not isinstance(record, dict):
            raise AppError(f"{path}: line {number}: expected an object, got {type(record).__name__}")
        yield number, record


def _humaneval(record: dict[str, Any], where: str) -> App:
    task_id, prompt, solution, test, entry = (
        _text(record, field, where) for field in ("task_id", "prompt", "canonical_solution", "test", "entry_point")
    )
    source, given = prompt + solution, _parse(prompt + "\n    pass\n", f"{where}: prompt")
    written = _parse(source, f"{where}: prompt + canonical_solution")
    offered = [node.name for node in given.body if isinstance(node, ast.FunctionDef)]
    if entry not in offered:
        raise AppError(f"{where}: entry_point={entry!r} is no function of the prompt, which defines {offered}")
    tested = _parse(test, f"{where}: test")
    # What else the prompt gives is the test's own copy: a program that spoils its helpers spoils no check.
    others = [ast.unparse(node) for node in given.body if getattr(node, "name", None) != entry]
    head = [*others, f"from {MODULE} import {entry}"]
    return _app(task_id, source, signatures(written, [entry]), "\n".join([*head, _checks(tested, test, entry), ""]))


def _checks(tested: ast.Module, text: str, entry: str) -> str:
    """The test's ``check(candidate)`` as a script of assertions, or called as one test where it cannot be."""
    check = next((node for node in tested.body if isinstance(node, ast.FunctionDef) and node.name == "check"), None)
    if check is None or len(check.args.args) != 1:
        return f"{text}\ndef test_check():\n    check({entry})\n"
    flat = any(isinstance(node, ast.Assert) for node in check.body)
    if not flat or any(isinstance(node, (ast.Return, ast.Yield, ast.Nonlocal)) for node in ast.walk(check)):
        return f"{text}\ndef test_check():\n    check({entry})\n"
    before = [node for node in tested.body if node is not check]
    candidate = f"{check.args.args[0].arg} = {entry}"
    return "\n".join([*map(ast.unparse, before), candidate, *map(ast.unparse, check.body)])


def _mbpp(record: dict[str, Any], where: str) -> App:
    code, setup = _text(record, "code", where), str(record.get("test_setup_code") or "")
    asserted = record.get("test_list")
    if not (isinstance(asserted, list) and asserted and all(isinstance(line, str) for line in asserted)):
        raise AppError(f"{where}: test_list={asserted!r}: expected a list of assertions")
    if "task_id" not in record:
        raise AppError(f"{where}: task_id: required")
    source = code.replace("\r\n", "\n")
    written = _parse(source, f"{where}: code")
    script = _parse("\n".join([setup, *asserted]), f"{where}: test_list")
    defined = [node.name for node in written.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    names = [name for name in dict.fromkeys(defined) if name in _names(script)]
    if not names:
        raise AppError(f"{where}: test_list uses none of what code defines: {', '.join(defined) or 'nothing'}")
    tests = "\n".join([setup, f"from {MODULE} import {', '.join(names)}", *asserted, ""]).lstrip()
    return _app(f"mbpp-{record['task_id']}", source, signatures(written, names), tests)


def _app(task_id: str, source: str, interface: tuple[str, ...], tests: str) -> App:
    return App(
        app_id=task_id.replace("/", "-"),
        source={f"{MODULE}.py": source},
        tests={f"test_{MODULE}.py": tests},
        interface=Interface(MODULE, interface),
        timeout_s=TIMEOUT_S,
    )


def _text(record: dict[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise AppError(f"{where}: {field}={value!r}: expected a text; this file is not HumanEval or MBPP as published")
    return value


def _parse(text: str, where: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise AppError(f"{where}: not Python source: {error}") from None


def _names(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
