"""The source text of installed modules, found without running any of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

SKIPPED = {"__main__", "test", "tests", "idle_test"}


class SourceError(ValueError):
    """A module whose source cannot be had; the message is one line for the user."""


@dataclass(frozen=True)
class Module:
    """A module's dotted name and text."""

    name: str
    text: str


def read_module(name: str) -> Module:
    """The module of that dotted name.

    Raises:
        SourceError: it is not installed, or has no Python source in UTF-8.
    """
    path = _path(name)
    try:
        return Module(name, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SourceError(f"module={name}: {path} is not UTF-8 text; choose another module") from None


def names_in(package: str) -> list[str]:
    """The name of a module, or of a package and all modules below it but its tests; none of them is read.

    Raises:
        SourceError: it is not installed, or has no Python source.
    """
    path = _path(package)
    names = {package}
    for file in path.parent.rglob("*.py") if path.name == "__init__.py" else ():
        parts = file.relative_to(path.parent).with_suffix("").parts
        below = parts[:-1] if parts[-1] == "__init__" else parts
        if not SKIPPED & set(below) and all(part.isidentifier() for part in below):
            names.add(".".join((package, *below)))
    return sorted(names)


def _path(name: str) -> Path:
    """Where the source lies. A parent package is searched, and not imported as importlib.util would."""
    places: list[str] | None = None
    spec = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), places)
        if spec is None:
            raise SourceError(f"module={name}: not installed for {sys.executable}; install it there or correct it")
        places = list(spec.submodule_search_locations or ())
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise SourceError(f"module={name}: has no Python source (built in or compiled); choose another module")
    return Path(spec.origin)
