"""Calls of a program, each within bounds, and what they come to.

The program's text has been found pure before; nothing here isolates it. Promises: a call gets copies of its arguments,
and ends after a number of steps; one that hangs in C code ends with the processor seconds of the process.
"""

from __future__ import annotations

import ast
import builtins
import copy
import signal
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cetd.data.recorded.branches import Branch, OutOfStepsError, instrument
from cetd.data.recorded.parameters import Call
from cetd.data.recorded.values import close, is_plain, text_of

# Of processor time, not of the clock: a busy machine changes nothing.
CALL_S = 1.0
# What a call of the wrong types, or a program without bounds, raises; no behaviour worth a test.
_MISUSE = (TypeError, AttributeError, NameError, RecursionError, MemoryError, AssertionError, NotImplementedError)
MODULE = "solution"


@dataclass(frozen=True)
class Returned:
    """A call's plain result."""

    value: Any

    @property
    def text(self) -> str:
        return text_of(self.value)


@dataclass(frozen=True)
class Raised:
    """The nearest builtin class of a call's exception."""

    kind: str

    @property
    def text(self) -> str:
        return f"raises {self.kind}"


@dataclass(frozen=True)
class Unusable:
    """A call that shows no behaviour: of wrong types, without end, or with a result that is no plain data."""

    reason: str

    @property
    def text(self) -> str:
        return f"unusable: {self.reason}"


Came = Returned | Raised | Unusable

MISUSED, ENDLESS, MUTATING, IMMEASURABLE = "misused", "has no end", "changes its arguments", "is no finite number"


class BrokenProgramError(ValueError):
    """A program that cannot be loaded."""


class Program:
    """A program under probes, and one function of it.

    Raises:
        BrokenProgramError: its own statements raise, or do not define the function.
    """

    def __init__(self, text: str, function: str, steps: int) -> None:
        tree, names, self.probes = instrument(ast.parse(text), steps)
        namespace: dict[str, Any] = {"__name__": MODULE, **names}
        # The text was found pure, and this process has limits.
        code = compile(tree, f"{MODULE}.py", "exec", dont_inherit=True)
        came = _guarded(lambda: exec(code, namespace))
        if not isinstance(came, Returned) or function not in namespace:
            raise BrokenProgramError(came.text)
        self._function: Callable[..., Any] = namespace[function]

    def call(self, call: Call) -> tuple[Came, set[Branch]]:
        """What the call comes to, and the branches that it takes."""
        positional, named = copy.deepcopy((call.positional, call.named))
        self.probes.begin()
        came = _guarded(lambda: self._function(*positional, **named))
        seen = self.probes.seen
        if isinstance(came, Returned):
            if Call(positional, named).text != call.text:
                return Unusable(MUTATING), seen
            if not is_plain(came.value):
                number = isinstance(came.value, float)
                return Unusable(IMMEASURABLE if number else f"returns {type(came.value).__name__}"), seen
            # A copy: the function may have given out something that its next call changes.
            came = Returned(copy.deepcopy(came.value))
        return came, seen


def tells(expected: Came, came: Came) -> bool:
    """Whether a test that expects the one fails on the other."""
    match expected, came:
        case Returned(value), Returned(got):
            return not close(got, value)
        case Raised(), Raised(kind):
            return not issubclass(getattr(builtins, kind), getattr(builtins, expected.kind))
        case _:
            return True


def _guarded(run: Callable[[], Any]) -> Came:
    try:
        with _alarm():
            return Returned(run())
    except OutOfStepsError:
        return Unusable(ENDLESS)
    except _MISUSE:
        return Unusable(MISUSED)
    except Exception as error:  # noqa: BLE001 - whatever a call raises is what it comes to
        kind = next(kind for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)
        # "Some exception" would be met by every broken program.
        return Unusable(f"raises {type(error).__name__}") if kind is Exception else Raised(kind.__name__)
    except (SystemExit, GeneratorExit, KeyboardInterrupt):
        return Unusable(MISUSED)


@contextmanager
def _alarm():
    def end(number: int, frame: object) -> None:
        raise OutOfStepsError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, CALL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
