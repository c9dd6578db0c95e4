"""The program's modules as tests import them. Runs inside the sandbox, in the judge: standard library only."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from cetd.sandbox.remote import Remote
from cetd.sandbox.sources import is_package, module_names


class _ProgramModule(ModuleType):
    """A module of the program: what tests set in it is set over there too."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__" and "_cetd_public" in vars(self):  # found where it is asked for, by from ... import *
            return vars(self)["_cetd_public"]()
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        remote = vars(self).get("_cetd_remote")
        if remote is not None and not name.startswith("__") and not isinstance(value, ModuleType):
            remote.ask("set in module", self.__name__, name, value)


class RemoteFinder:
    """Answers the tests' imports of the program's modules with proxies; comes before every other finder.

    ``from app import *`` brings nothing that ``tests`` (texts by path) import from elsewhere, and no built-in: a
    program would stand in for ``abs`` or ``pytest``.
    """

    def __init__(self, program_paths: Iterable[str], tests: Mapping[str, str | bytes]) -> None:
        self._paths = module_names(program_paths)
        self._tests = tests
        self.remote: Remote | None = None

    @cached_property
    def _elsewhere(self) -> set[str]:
        """Names that are not the program's; to search the tests for them takes as long as to compile those."""
        return {*vars(builtins), *_imported(self._tests, self._paths)}

    def forget(self) -> None:
        """Unload the proxies of an earlier candidate, and preloaded modules that the program shadows."""
        for name in self._paths:
            sys.modules.pop(name, None)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._paths:
            return None
        spec = ModuleSpec(name, self, is_package=is_package(self._paths[name]))  # pyright: ignore[reportArgumentType]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _ProgramModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert self.remote is not None
        found = self.remote.load(module.__name__)
        module.__dict__.update(found)
        module.__dict__["_cetd_public"] = lambda: [n for n in found if n[:1] != "_" and n not in self._elsewhere]
        module.__dict__["_cetd_remote"] = self.remote


def _imported(tests: Mapping[str, str | bytes], program: Collection[str]) -> set[str]:
    """Names that tests import from anything but the program."""
    names: set[str] = set()
    for path, text in tests.items():
        try:
            nodes = list(ast.walk(ast.parse(text))) if path.endswith(".py") else []
        except (SyntaxError, ValueError):  # said where the tests are compiled
            continue
        for node in nodes:
            if isinstance(node, ast.Import):
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module not in program:
                names.update(alias.asname or alias.name for alias in node.names)
    return names
