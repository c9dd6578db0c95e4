"""``app.yaml``: what an app folder says of itself, and what its test command comes to::

name: clamp
interface:
  module: solution
  signatures: ["def clamp(value: int, low: int, high: int) -> int"]
source: ["solution.py"]         # globs, relative to the folder; what the policy reads
tests: ["test_*.py"]            # globs; what it may not read
files: ["data/*"]               # globs; there for program and tests, read-only
reference: solved               # folder of a program that passes the tests; none: the source
requirements: ["numpy>=2"]      # installed distributions that program and tests import
test_command: pytest -q         # pytest, or python FILE; none: chosen by what the tests are
timeout_s: 2.0
"""

from __future__ import annotations

import ast
import shlex
import shutil
from collections.abc import Mapping, Sequence

from pydantic import Field

from cetd.config import Name, PositiveFloat, Section
from cetd.data.app import Runner

FILE = "app.yaml"

# Options of pytest that choose tests, with the value that follows; and those that only change what is printed.
_CHOOSING = ("-k", "-m")
_SILENT = ("-q", "-v", "-vv", "-s", "-x", "--quiet", "--verbose", "--tb=short", "--tb=long", "--tb=no", "--no-header")


class InterfaceManifest(Section):
    """The module that is rewritten, and what tests import from it."""

    module: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="the file <module>.py")
    signatures: tuple[str, ...] = Field(min_length=1, description="such as def f(x: int) -> int")


class AppManifest(Section):
    """The contents of ``app.yaml``."""

    name: Name = Field(description="the app's id; unique")
    interface: InterfaceManifest
    source: tuple[str, ...] = Field(("*.py",), min_length=1, description="globs of what the policy reads")
    tests: tuple[str, ...] = Field(("test_*.py", "tests/**/*.py"), min_length=1, description="globs of the tests")
    files: tuple[str, ...] = Field((), description="globs of files that program and tests read")
    reference: Name | None = Field(None, description="folder of a program that passes the tests; none: the source")
    requirements: tuple[str, ...] = Field((), description="installed distributions that program and tests import")
    test_command: str | None = Field(None, description="pytest [-k EXPRESSION] [PATH …], or python FILE …")
    timeout_s: PositiveFloat = Field(2.0, description="wall clock of the tests")


def runner_of(command: str | None, tests: Mapping[str, str]) -> tuple[Runner, tuple[str, ...]]:
    """What runs the tests, and its arguments: by the command, or else by what the tests are.

    Raises:
        ValueError: the command is none that can be run here; the line says which can.
    """
    if command is None:
        return ("pytest" if any(map(_needs_pytest, tests.items())) else "script"), ()
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"test_command={command!r}: {error}") from None
    match words:
        case ["pytest" | "py.test", *rest]:
            return "pytest", _pytest_arguments(command, rest, tests)
        case ["python" | "python3", "-m", "pytest" | "unittest", *rest]:
            return "pytest", _pytest_arguments(command, rest, tests)
        case ["python" | "python3", *files] if files and not files[0].startswith("-"):
            return "script", tuple(_known(command, file, tests) for file in files)
        case [program, *_] if program not in ("python", "python3") and shutil.which(program) is None:
            raise ValueError(f"test_command={command!r}: there is no command {program}; give pytest, or python FILE")
    raise ValueError(f"test_command={command!r} cannot be run in the sandbox; give pytest [PATH …], or python FILE …")


def _pytest_arguments(command: str, words: Sequence[str], tests: Mapping[str, str]) -> tuple[str, ...]:
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in _CHOOSING and rest:
            kept += [word, rest.pop(0)]
        elif not word.startswith("-"):
            kept.append(_known(command, word, tests))
        elif word not in _SILENT:
            raise ValueError(f"test_command={command!r}: option {word} is not supported; leave it out, or use -k or -m")
    return tuple(kept)


def _known(command: str, path: str, tests: Mapping[str, str]) -> str:
    """``path`` where it is a test file, a folder of some, or a test in one."""
    wanted = path.partition("::")[0].removeprefix("./").rstrip("/")
    if wanted not in tests and not any(name.startswith(f"{wanted}/") for name in tests) and wanted != ".":
        raise ValueError(f"test_command={command!r}: {path} is no file of the tests; correct it, or the globs of tests")
    return path


def _needs_pytest(test: tuple[str, str]) -> bool:
    path, text = test
    if path.rpartition("/")[2] == "conftest.py":
        return True
    if not path.endswith(".py"):
        return False
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names) if {"pytest", "unittest"} & {name.name.partition(".")[0] for name in names}:
                return True
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in ("pytest", "unittest"):
                return True
            case ast.ClassDef(name=name) if name.startswith("Test"):
                return True
            case ast.FunctionDef(name=name, args=ast.arguments(args=[_, *_])) if name.startswith("test_"):
                return True
    return False
