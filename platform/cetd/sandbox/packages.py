"""Installed distributions that programs and tests may import: which of their files a sandbox shows.

A distribution brings those that it depends on. Only what is installed beside this library is ever shown; nothing is
downloaded or built.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cetd.sandbox.namespaces import JUDGING, PACKAGES

# What judges of pytest suites load.
JUDGES = ("pytest",)


@functools.cache
def entries(requirements: tuple[str, ...]) -> dict[str, str]:
    """Files and folders to show, by the name to show them under.

    Raises:
        ValueError: a requirement is malformed or not met; the line names it and the remedy.
    """
    found: dict[str, str] = {}
    done: set[str] = set()
    waiting = [_parse(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        if (name := canonicalize_name(requirement.name)) in done:
            continue
        done.add(name)
        installed = _installed(requirement)
        found |= _top_level(installed)
        waiting += _dependencies(installed)
    return found


def shown_packages(requirements: tuple[str, ...]) -> dict[str, str]:
    """What a root of its own shows of them, and of what judges load: the path here, by the place inside.

    Raises:
        ValueError: a requirement is malformed or not met.
    """
    shown = {PACKAGES: entries(requirements), JUDGING: entries(JUDGES)}
    return {f"{place}/{name}": path for place, found in shown.items() for name, path in found.items()}


def _parse(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"requirements: {text!r} is no requirement: {' '.join(str(error).split())}") from None


def _installed(requirement: Requirement) -> Distribution:
    try:
        found = distribution(requirement.name)
    except PackageNotFoundError:
        raise ValueError(f"requirements: {requirement.name} is not installed; install it beside this project") from None
    if not requirement.specifier.contains(found.version, prereleases=True):
        raise ValueError(
            f"requirements: {requirement} is asked for and {found.version} is installed; change the one or the other"
        )
    return found


def _dependencies(installed: Distribution) -> Iterable[Requirement]:
    for text in installed.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _top_level(installed: Distribution) -> dict[str, str]:
    names = {path.parts[0] for path in installed.files or () if path.parts[0] not in ("..", "__pycache__")}
    return {name: str(Path(str(installed.locate_file(name))).resolve()) for name in names}
