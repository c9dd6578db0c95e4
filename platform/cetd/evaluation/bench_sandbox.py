"""Runs per second of the sandbox, against two ways to run programs that isolate nothing, with as many workers each.

The others are a fresh ``python`` (``python -m pytest``) per run, and for scripts what public harnesses do: a forked
process per run, which executes program and tests and is killed past its time. All are given the same runs, in the order
of a feedback run: the programs of one app, then those of the next. They take turns, so that a machine that is busy for
a while is busy for all. What a run costs beyond executing it is its wall clock less that of the same run executed in
this process. The sandbox alone runs every test; the others stop at the first that fails.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal

from cetd.config import MicroAppsConfig, SandboxConfig
from cetd.data.app import Suite
from cetd.data.microapps import MODULE, generate
from cetd.sandbox.outcome import Scored
from cetd.sandbox.sandbox import Sandbox

Kind = Literal["script", "pytest"]
Side = Literal["bare", "subprocess", "multiprocessing", "sandbox", "sandbox, fresh suites"]
SIDES: dict[Kind, tuple[Side, ...]] = {
    "script": ("bare", "subprocess", "multiprocessing", "sandbox", "sandbox, fresh suites"),
    "pytest": ("bare", "subprocess", "sandbox", "sandbox, fresh suites"),
}
# Of one app: eight requirements texts, each reconstructed by three LLMs.
GROUP = 24
_TIMEOUT_S = 10.0
_PERCENTILES = (50, 95, 99)
_PYTEST = ("-q", "-p", "no:cacheprovider")
# Plugins that happen to be installed are no part of what is compared.
_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PYTEST_SUITE = """
import pytest
from solution import Stack, normalise

@pytest.fixture
def stack():
    made = Stack()
    made.push(1)
    made.push(2)
    return made

def test_last_in_first_out(stack):
    assert [stack.pop(), stack.pop()] == [2, 1]

def test_length(stack):
    assert len(stack) == 2

def test_an_empty_one_has_nothing_to_pop():
    with pytest.raises(IndexError):
        Stack().pop()

@pytest.mark.parametrize(("text", "expected"), [("  A b ", "a b"), ("", ""), ("X", "x")])
def test_normalise(text, expected):
    assert normalise(text) == expected
"""
PYTEST_PROGRAM = """
class Stack:
    def __init__(self):
        self.items = []
    def push(self, item):
        self.items.append(item)
    def pop(self):
        return self.items.pop({end})
    def __len__(self):
        return len(self.items)

def normalise(text):
    return text.strip().lower()
"""


@dataclass(frozen=True)
class Work:
    """A program, and the suite that it is run against."""

    program: str
    suite: Suite

    @property
    def script(self) -> str:
        """Program and tests as one text that raises where a test fails."""
        lines = ["import sys, types", f"made = sys.modules[{MODULE!r}] = types.ModuleType({MODULE!r})"]
        lines += [f"exec({self.program!r}, made.__dict__)"]
        for text in self.suite.tests.values():
            lines += [text, *(f"{name}()" for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE))]
        return "\n".join(lines)


# Whether the program passes all tests.
Run = Callable[[Work], bool]


@dataclass(frozen=True)
class Turn:
    """One side's runs of one round: seconds of all, of each, and what each came to."""

    seconds: float
    walls: list[float]
    passed: list[bool]


# ------------------------------------------------------------------------------------------------ the work


def script_work(runs: int) -> list[Work]:
    """Micro-apps, each with its own reference and the references of others, most of them wrong, as programs."""
    count = -(-runs // GROUP)
    apps = generate(MicroAppsConfig(train=count + GROUP, heldout=1)).train
    texts = [app.source_text for app in apps]
    return [Work(texts[at + of], apps[at].suite) for at in range(count) for of in range(GROUP)][:runs]


def pytest_work(runs: int) -> list[Work]:
    """One suite with fixtures and parameters; every fourth program is wrong."""
    suite = Suite({"test_all.py": PYTEST_SUITE}, "pytest", modules=(f"{MODULE}.py",))
    ends = (0 if number % 4 == 3 else -1 for number in range(runs))
    return [Work(PYTEST_PROGRAM.format(end=end) + f"# {number}\n", suite) for number, end in enumerate(ends)]


def fresh(work: Sequence[Work]) -> list[Work]:
    """The same runs, each against a suite that no other has."""
    return [replace(one, suite=_marked(one.suite, number)) for number, one in enumerate(work)]


def _marked(suite: Suite, number: int) -> Suite:
    return replace(suite, tests={path: f"{text}\n# {number}\n" for path, text in suite.tests.items()})


# ----------------------------------------------------------------------------------------------- the sides


@contextlib.contextmanager
def side(name: Side, workers: int) -> Iterator[Run]:
    """What runs a piece of work in the manner of a side, up to ``workers`` at once."""
    if name.startswith("sandbox"):
        with Sandbox(SandboxConfig(slots=workers)) as sandbox:
            yield lambda work: _in_sandbox(sandbox, work)
    else:
        yield {"bare": _bare, "subprocess": _in_subprocess, "multiprocessing": _in_forked_process}[name]


def _in_sandbox(sandbox: Sandbox, work: Work) -> bool:
    outcome = sandbox.run({f"{MODULE}.py": work.program}, work.suite, _TIMEOUT_S)
    return isinstance(outcome, Scored) and outcome.passed == outcome.total


def _bare(work: Work) -> bool:
    if work.suite.runner == "script":
        return _executes(work.script)
    with _files(work) as folder, contextlib.redirect_stdout(io.StringIO()):
        import pytest

        os.environ |= _ENVIRONMENT
        before = list(sys.path)
        try:
            return pytest.main([*_PYTEST, "--capture=no", f"--rootdir={folder}", str(folder)]) == 0
        finally:
            sys.path[:] = before
            for name in (MODULE, *(path.removesuffix(".py") for path in work.suite.tests)):
                sys.modules.pop(name, None)


def _in_subprocess(work: Work) -> bool:
    with _files(work) as folder:
        command = ["run.py"] if work.suite.runner == "script" else ["-m", "pytest", *_PYTEST]
        options: dict[str, Any] = {"cwd": folder, "env": os.environ | _ENVIRONMENT, "timeout": _TIMEOUT_S}
        try:
            done = subprocess.run([sys.executable, *command], check=False, capture_output=True, **options)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def _in_forked_process(work: Work) -> bool:
    forking = multiprocessing.get_context("fork")
    with forking.Manager() as manager:
        result = manager.list()
        process = forking.Process(target=_execute_in_child, args=(work.script, result))
        process.start()
        process.join(_TIMEOUT_S + 1)
        if process.is_alive():
            process.kill()
        return list(result) == [True]


def _execute_in_child(text: str, result: Any) -> None:
    def too_late(*_: object) -> None:
        raise TimeoutError

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        signal.signal(signal.SIGALRM, too_late)
        signal.setitimer(signal.ITIMER_REAL, _TIMEOUT_S)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result.append(_executes(text))
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.chdir("/")


def _executes(text: str) -> bool:
    try:
        exec(text, {"__name__": "__main__"})  # our own apps, never an LLM's text
    except Exception:  # noqa: BLE001 - whatever a test raises, it has failed
        return False
    return True


@contextlib.contextmanager
def _files(work: Work) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"run.py": work.script}
        if work.suite.runner == "pytest":
            files = {f"{MODULE}.py": work.program, **work.suite.tests}
        for path, text in files.items():
            (folder / path).write_text(text, encoding="utf-8")
        yield folder


# ------------------------------------------------------------------------------------------- the comparison


def compare(kind: Kind, workers: int, runs: int, rounds: int) -> dict[str, Any]:
    """Have each side do ``runs`` runs ``rounds`` times, with ``workers`` at once (in this process: one).

    Returns:
        For each side its ``runs_per_s`` (the median round's), ``overhead_ms`` (percentiles of what a run costs beyond
        executing it) and ``wrong`` (runs that did not come to what they came to in this process); as ``ratios`` the
        sandbox's runs per second over the others'; and the machine's ``load`` before and after.
    """
    work = script_work(runs) if kind == "script" else pytest_work(runs)
    load = [os.getloadavg()[0]]
    turns: dict[Side, list[Turn]] = {name: [] for name in SIDES[kind]}
    for _ in range(rounds):
        for name, taken in turns.items():
            taken.append(_turn(name, fresh(work) if name == "sandbox, fresh suites" else work, workers))
    load.append(os.getloadavg()[0])
    bare = [median(turn.walls[at] for turn in turns["bare"]) for at in range(runs)]
    sides = {name: _figures(taken, bare, turns["bare"][0].passed) for name, taken in turns.items()}
    speed = sides["sandbox"]["runs_per_s"]
    others = [name for name in sides if not name.startswith(("bare", "sandbox"))]
    return {
        "workers": workers,
        "runs": runs,
        "rounds": rounds,
        "load": load,
        "sides": sides,
        "ratios": {name: speed / sides[name]["runs_per_s"] for name in others},
    }


def _turn(name: Side, work: Sequence[Work], workers: int) -> Turn:
    with side(name, workers) as run, ThreadPoolExecutor(1 if name == "bare" else workers) as pool:

        def timed(one: Work) -> tuple[float, bool]:
            begun = time.perf_counter()
            passed = run(one)
            return time.perf_counter() - begun, passed

        timed(work[0])  # what is loaded once
        begun = time.perf_counter()
        found = list(pool.map(timed, work))
        return Turn(time.perf_counter() - begun, [wall for wall, _ in found], [passed for _, passed in found])


def _figures(turns: Sequence[Turn], bare: Sequence[float], expected: Sequence[bool]) -> dict[str, Any]:
    overheads = [1000 * (wall - least) for turn in turns for wall, least in zip(turn.walls, bare, strict=True)]
    cuts = quantiles(overheads, n=100, method="inclusive")
    return {
        "runs_per_s": len(bare) / median(turn.seconds for turn in turns),
        "overhead_ms": {f"p{percent}": cuts[percent - 1] for percent in _PERCENTILES},
        "wrong": sum(one != right for turn in turns for one, right in zip(turn.passed, expected, strict=True)),
    }
