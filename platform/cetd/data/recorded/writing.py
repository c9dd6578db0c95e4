"""The folder of a recorded app: what :func:`cetd.data.folder_apps.load_app` reads, and where it comes from.

A folder that is there is whole.
"""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import hypothesis

from cetd.data.app import App, Interface
from cetd.data.folder_apps import write_app
from cetd.data.manifest import FILE
from cetd.data.recorded.recording import Recorded, Test
from cetd.data.recorded.running import MODULE
from cetd.data.recorded.values import CLOSE_SOURCE

PROVENANCE = "made.json"
_SOURCE, _TESTS = f"{MODULE}.py", f"test_{MODULE}.py"


@dataclass(frozen=True)
class Provenance:
    """``made.json``: where an app comes from, by what it was made, and how well its tests hold it."""

    module: str
    function: str
    python: str
    hypothesis: str
    seed: int
    recipe: str
    tests: int
    covered: int
    branches: int
    killed: int
    mutants: int
    score: float


def provenance(recorded: Recorded, seed: int, recipe: str, killed: int, mutants: int) -> Provenance:
    """``recipe`` is a digest of the configuration; ``killed`` of ``mutants`` as the sandbox has found."""
    return Provenance(
        module=recorded.candidate.module,
        function=recorded.candidate.function,
        python=platform.python_version(),
        hypothesis=hypothesis.__version__,
        seed=seed,
        recipe=recipe,
        tests=len(recorded.tests),
        covered=recorded.covered,
        branches=recorded.branches,
        killed=killed,
        mutants=mutants,
        score=round(killed / mutants, 4),
    )


def app_of(recorded: Recorded, timeout_s: float) -> App:
    """The app that a folder of :func:`write` holds."""
    candidate = recorded.candidate
    return App(
        app_id=candidate.app_id,
        source={_SOURCE: candidate.source},
        tests={_TESTS: text_of_tests(candidate.function, recorded.tests)},
        interface=Interface(MODULE, (candidate.signature,)),
        timeout_s=timeout_s,
    )


def text_of_tests(function: str, tests: tuple[Test, ...]) -> str:
    """A file of one top-level test for each call."""
    head = [f"from {MODULE} import {function}"]
    if any(test.floats for test in tests):
        head.insert(0, CLOSE_SOURCE.split("\n\n\n")[0] + "\n")
        head.append("\n\n" + CLOSE_SOURCE.split("\n\n\n")[1].rstrip())
    stem = f"test_{function.strip('_')}"
    bodies = [f"def {stem}_{number}():\n{_body(function, test)}" for number, test in enumerate(tests, 1)]
    return "\n\n\n".join(["\n".join(head), *bodies]) + "\n"


def _body(function: str, test: Test) -> str:
    call = f"{function}({test.call})"
    if test.raises:
        lines = ["try:", f"    {call}", f"except {test.raises}:", "    return"]
        return "\n".join(f"    {line}" for line in (*lines, f'raise AssertionError("expected {test.raises}")'))
    if test.floats:
        return f"    assert close({call}, {test.result})"
    operator = "is" if test.result in ("None", "True", "False") else "=="
    return f"    assert {call} {operator} {test.result}"


def write(folder: Path, app: App, made: Provenance) -> None:
    """Make ``folder``, in place of what an interrupted run has left of it.

    Raises:
        OSError: the folder cannot be written.
    """
    if folder.exists():
        shutil.rmtree(folder)
    write_app(app, folder, {PROVENANCE: json.dumps(asdict(made), indent=2) + "\n"})


def read(folder: Path) -> Provenance | None:
    """Where the app in ``folder`` comes from; None where the folder is no whole recorded app."""
    names = (FILE, _SOURCE, _TESTS, PROVENANCE)
    if not all((folder / name).is_file() for name in names):
        return None
    try:
        return Provenance(**json.loads((folder / PROVENANCE).read_text(encoding="utf-8")))
    except (ValueError, TypeError):  # cut short, or of another shape
        return None


def is_foreign(folder: Path) -> bool:
    """Whether there is an app in ``folder`` that :func:`write` has not made."""
    return (folder / FILE).exists() and not (folder / PROVENANCE).exists()
