"""Runs plain test files: each top-level ``test_*`` function is a test, or, in files without any, each assertion.

Files that have neither are modules for the others to import, unless they are named to be run: then each is one test.
Runs inside the sandbox, in the judge: standard library only.
"""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from cetd.sandbox.program_modules import RemoteFinder
from cetd.sandbox.remote import Remote
from cetd.sandbox.results import BrokenTestsError, Result
from cetd.sandbox.sources import SourceFinder


@dataclass(frozen=True)
class _Step:
    """A top-level statement, or all of a file; a test where it has an id."""

    test_id: str | None
    code: CodeType


@dataclass(frozen=True)
class _File:
    path: str
    lines: list[str]
    steps: list[_Step]
    functions: list[str]

    @property
    def test_ids(self) -> list[str]:
        return [step.test_id for step in self.steps if step.test_id] + [f"{self.path}::{f}" for f in self.functions]


class ScriptRunner:
    """An app's plain tests, compiled, with the imports that they make."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        texts: dict[str, str] = job["tests"]
        named: tuple[str, ...] = job["arguments"]
        self._files = _compile(texts, named)
        self._programs = RemoteFinder(job["program_paths"], job["tests"])
        finders = (SourceFinder(texts), self._programs)
        sys.meta_path[:0] = reversed(finders)  # pyright: ignore[reportArgumentType]
        for finder in finders:
            finder.forget()

    def run(self, remote: Remote) -> list[Result]:
        """Every test against one candidate; for a process that ends afterwards.

        Raises:
            Abort: the candidate ended.
        """
        import random  # loaded by the server, which keeps forks from seeding it anew

        self._programs.remote = remote
        random.seed(0)
        results: list[Result] = []
        for file in self._files:
            results += _run_file(file, remote)
        return results


def _compile(texts: Mapping[str, str], named: tuple[str, ...]) -> list[_File]:
    if missing := sorted(set(named) - set(texts)):
        raise BrokenTestsError(f"no test file {missing[0]}")
    files = []
    for path, text in sorted(texts.items()):
        if path.endswith(".py") and (not named or path in named):
            try:
                file = _parse(path, text, whole=bool(named))
            except (SyntaxError, ValueError) as error:
                raise BrokenTestsError(f"{path}: {error}") from None
            if file.test_ids:
                files.append(file)
    if not files:
        raise BrokenTestsError(f"no test_* function and no assertion in {', '.join(sorted(texts)) or 'no files'}")
    return files


def _parse(path: str, text: str, *, whole: bool) -> _File:
    tree = ast.parse(text, path)
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    functions = list(dict.fromkeys(name for name in defined if name.startswith("test_")))
    lines = text.splitlines()
    asserted = [] if functions else [node for node in tree.body if _asserts(node)]
    if functions or not asserted:
        once = f"{path}" if whole and not functions else None
        return _File(path, lines, [_Step(once, compile(text, path, "exec", dont_inherit=True))], functions)
    steps = []
    for node in tree.body:
        module = ast.Module([node], [])
        test_id = f"{path}::line_{node.lineno}" if node in asserted else None
        steps.append(_Step(test_id, compile(module, path, "exec", dont_inherit=True)))
    return _File(path, lines, steps, [])


def _asserts(node: ast.stmt) -> bool:
    """Whether a statement asserts when it is executed, rather than in a function that it defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return isinstance(node, ast.Assert) or any(
        _asserts(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)
    )


def _run_file(file: _File, remote: Remote) -> list[Result]:
    name = file.path.removesuffix(".py").replace("/", ".") if file.functions else "__main__"
    namespace: dict[str, Any] = {"__name__": name, "__file__": file.path}
    results: list[Result] = []
    for step in file.steps:
        result = _timed(step.test_id or file.path, lambda step=step: exec(step.code, namespace), file, remote)
        if step.test_id:
            results.append(result)
        elif result[1] != "passed":  # what every later test of the file needs is missing
            done = {test_id for test_id, *_ in results}
            return results + [(test_id, "error", *result[2:]) for test_id in file.test_ids if test_id not in done]
    for function in file.functions:
        results.append(_timed(f"{file.path}::{function}", lambda f=function: namespace[f](), file, remote))
    return results


def _timed(test_id: str, run: Callable[[], Any], file: _File, remote: Remote) -> Result:
    started = time.perf_counter()
    outcome, message = "passed", ""
    try:
        run()
    except AssertionError as error:
        outcome, message = "failed", _explain(error, file)
    except BaseException as error:  # noqa: BLE001 - whatever a test raises is its result, SystemExit too
        outcome, message = "error", f"{type(error).__name__}: {_explain(error, file)}"
    if remote.abort:
        raise remote.abort
    return test_id, outcome, time.perf_counter() - started, message


def _explain(error: BaseException, file: _File) -> str:
    """The exception's message, or the line of the test file that it left from."""
    number, step = 0, error.__traceback__
    while step:
        if step.tb_frame.f_code.co_filename == file.path:
            number = step.tb_lineno
        step = step.tb_next
    line = file.lines[number - 1].strip() if 0 < number <= len(file.lines) else ""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - arguments of the program's, such as a number too long to print
        message = ""
    return " | ".join(part for part in (message, line) if part)
