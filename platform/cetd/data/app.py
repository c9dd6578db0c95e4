"""An app: one unit of work, with sources that the policy may read and tests that it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True)
class App:
    """Sources, tests and interface of an app; texts by relative path.

    ``reference`` is a program that passes the tests, by default the source itself.
    """

    app_id: str
    source: Mapping[str, str]
    tests: Mapping[str, str]
    interface: Interface
    timeout_s: float
    reference: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.reference:
            object.__setattr__(self, "reference", dict(self.source))

    @property
    def source_text(self) -> str:
        """What the policy reads: the files one after another, each named where there are several."""
        if len(self.source) == 1:
            return next(iter(self.source.values()))
        return "\n".join(f"# {path}\n{text}" for path, text in sorted(self.source.items()))
