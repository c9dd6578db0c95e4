"""Imports from texts: modules whose source is in a mapping (path -> text) and in no file system.

Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def module_names(paths: Iterable[str]) -> dict[str, str | None]:
    """Importable module -> the path of its text; None for a folder that is a package without ``__init__.py``."""
    names: dict[str, str | None] = {}
    for path in sorted(paths):
        if not path.endswith(".py"):
            continue
        parts = path.removesuffix(".py").split("/")
        if parts[-1] == "__init__":
            parts.pop()
        for length in range(1, len(parts)):
            names.setdefault(".".join(parts[:length]), None)
        if parts:
            names[".".join(parts)] = path
    return names


def is_package(path: str | None) -> bool:
    return path is None or path == "__init__.py" or path.endswith("/__init__.py")


class SourceFinder:
    """Meta path finder and loader over texts; its modules come before those of the standard library."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._paths = module_names(texts)

    def forget(self) -> None:
        """Unload the modules of these names: those loaded before, and preloaded ones that the texts shadow."""
        for name in self._paths:
            sys.modules.pop(name, None)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._paths:
            return None
        path = self._paths[name]
        return ModuleSpec(name, self, origin=path, is_package=is_package(path))  # pyright: ignore[reportArgumentType]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        path = self._paths[module.__name__]
        if path is not None:
            module.__file__ = path
            exec(compile(self._texts[path], path, "exec", dont_inherit=True), module.__dict__)
