"""Calls of one function as they are made: those that show something are kept, of the others the reasons are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cetd.data.recorded.branches import Branch
from cetd.data.recorded.parameters import Call, Parameter, call
from cetd.data.recorded.running import (
    ENDLESS,
    IMMEASURABLE,
    MISUSED,
    BrokenProgramError,
    Came,
    Program,
    Raised,
    Returned,
    Unusable,
)

_LONGEST_CALL = 90  # characters, so that a test is one line
_LONGEST_RESULT = 400
_MOST_ENDLESS = 0.5  # of the usable calls
_USABLE = "usable"
# What some calls may come to without making the function unsuitable.
_TOLERATED = (_USABLE, MISUSED, IMMEASURABLE, ENDLESS)


class UnsuitableError(ValueError):
    """A function that no app is made of; the message is the reason."""


@dataclass(frozen=True)
class Observed:
    """A call, what it came to, and the branches that it took."""

    call: Call
    came: Returned | Raised
    branches: frozenset[Branch]
    example: bool = False

    @property
    def order(self) -> tuple[bool, int, str]:
        """Examples of the author first, then the short ones."""
        return not self.example, len(self.call.text) + len(self.came.text), self.call.text


class Observer:
    """Makes calls of a function, each once; ``pool`` has all that showed something.

    Raises:
        UnsuitableError: the source does not run on its own.
    """

    def __init__(self, source: str, function: str, parameters: Sequence[Parameter], steps: int) -> None:
        try:
            self._program = Program(source, function, steps)
        except BrokenProgramError as error:
            raise UnsuitableError(f"does not run on its own: {error}") from None
        self._parameters = parameters
        self._known: set[str] = set()
        self._counts: Counter[str] = Counter()
        self.pool: list[Observed] = []
        self.probes = self._program.probes

    def attempt(self, values: Sequence[Any]) -> Came | None:
        """What a call with these arguments comes to; None where it is too long to be a test."""
        made = call(self._parameters, values)
        return self._call(made)[0] if len(made.text) <= _LONGEST_CALL else None

    def observe(self, drawn: Sequence[Sequence[Any]], *, example: bool = False) -> list[Observed]:
        """Make the calls that are new; those that show something, in their order."""
        new = []
        for made in (call(self._parameters, values) for values in drawn):
            if made.text in self._known or len(made.text) > _LONGEST_CALL:
                continue
            self._known.add(made.text)
            came, branches = self._call(made)
            if not isinstance(came, Unusable) and len(came.text) <= _LONGEST_RESULT:
                new.append(Observed(made, came, frozenset(branches), example))
        new.sort(key=lambda each: each.order)
        self.pool += new
        return new

    def refuse_unusable(self) -> None:
        """
        Raises:
            UnsuitableError: what calls come to cannot be written down, or they leave their mark on the arguments.
        """
        for reason in sorted(self._counts):
            if reason not in _TOLERATED and not reason.startswith("raises "):
                raise UnsuitableError(reason)
        if self._counts[ENDLESS] > _MOST_ENDLESS * self._counts[_USABLE]:
            raise UnsuitableError(f"{ENDLESS} on many inputs")

    def _call(self, made: Call) -> tuple[Came, set[Branch]]:
        came, branches = self._program.call(made)
        self._counts[came.reason if isinstance(came, Unusable) else _USABLE] += 1
        return came, branches
