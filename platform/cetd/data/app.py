"""An app: one unit of work, with sources that the policy may read and tests that it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Interface:
    """The names and signatures that the tests import.

    Reconstruction LLMs are given it; ``module`` names the one file (``<module>.py``) that they write.
    """

    module: str
    signatures: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.signatures)


Runner = Literal["script", "pytest"]


@dataclass(frozen=True)
class Suite:
    """Tests and how they are run; texts and bytes by relative path.

    ``runner`` is ``script`` (top-level ``test_*`` functions, or assert statements, each a test) or ``pytest``, with
    its ``arguments``; of a script suite those name the files that are run. ``files`` are there for program and tests,
    read-only. Where ``expected`` names tests, just those count: one that did not run is an error. ``modules`` are the
    paths of what tests import from a program (none: all that it has), so that no other file of a program stands in for
    a module of the tests or of the standard library. At the places named in ``plain`` (see cetd.sandbox.kinds) a
    program has to have plain data.
    """

    tests: Mapping[str, str]
    runner: Runner = "script"
    arguments: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()


@dataclass(frozen=True)
class App:
    """Sources, tests and interface of an app; texts by relative path.

    ``reference`` is a program that passes the tests, by default the source itself; ``test_ids`` are those it passed
    when the app was admitted, ``plain`` the places where it had plain data (none before that). ``requirements`` name
    distributions that program and tests import.
    """

    app_id: str
    source: Mapping[str, str]
    tests: Mapping[str, str]
    interface: Interface
    timeout_s: float
    reference: Mapping[str, str] = field(default_factory=dict)
    runner: Runner = "script"
    arguments: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.reference:
            object.__setattr__(self, "reference", dict(self.source))

    @property
    def suite(self) -> Suite:
        """The tests as the sandbox runs them."""
        modules = tuple(sorted(self.reference))
        return Suite(self.tests, self.runner, self.arguments, self.files, self.test_ids, modules, self.plain)

    @property
    def source_text(self) -> str:
        """What the policy reads: the files one after another, each named where there are several."""
        if len(self.source) == 1:
            return next(iter(self.source.values()))
        return "\n".join(f"# {path}\n{text}" for path, text in sorted(self.source.items()))
