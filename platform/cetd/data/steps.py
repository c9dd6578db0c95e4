"""What micro-apps are made of: parameterised steps and reducers over lists, ints and strings, as data.

A kind is written once, as Python expressions; running and rendering both use them, so they cannot disagree.
In them ``{v}`` is the value so far, ``{e}`` one of its items and ``{k}`` the parameter. Equivalent expressions
stand beside each other, the canonical one first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Family = Literal["list", "int", "string"]
Shape = Literal["map", "filter", "whole"]


@dataclass(frozen=True)
class Kind:
    """One kind of step or reducer: ``map`` and ``filter`` expressions speak of an item, ``whole`` ones of the value."""

    name: str
    shape: Shape
    code: tuple[str, ...]
    params: tuple[int, ...] = ()
    returns: Literal["int", "str"] = "int"


@dataclass(frozen=True)
class Step:
    """A kind with its parameter (None for a kind that has none)."""

    kind: str
    param: int | None = None


@dataclass(frozen=True)
class Spec:
    """What a micro-app computes: steps one after another, then a reducer."""

    family: Family
    steps: tuple[Step, ...]
    reducer: str

    @property
    def composition(self) -> tuple[str, ...]:
        """What held-out apps differ in: the kinds of the steps in any order, and the reducer."""
        return (self.family, *sorted(step.kind for step in self.steps), self.reducer)


_DIGITS = tuple(range(2, 10))
_FEW = (1, 2, 3, 4)

_LIST_STEPS = (
    Kind("add", "map", ("{e} + {k}", "{k} + {e}"), _DIGITS),
    Kind("subtract", "map", ("{e} - {k}",), _DIGITS),
    Kind("multiply", "map", ("{e} * {k}", "{k} * {e}"), _DIGITS),
    Kind("modulo", "map", ("{e} % {k}",), _DIGITS),
    Kind("divide", "map", ("{e} // {k}",), _DIGITS),
    Kind("square", "map", ("{e} * {e}", "{e} ** 2")),
    Kind("absolute", "map", ("abs({e})",)),
    Kind("keep_greater", "filter", ("{e} > {k}", "{k} < {e}"), _DIGITS),
    Kind("keep_less", "filter", ("{e} < {k}", "{k} > {e}"), _DIGITS),
    Kind("keep_multiples", "filter", ("{e} % {k} == 0",), _DIGITS),
    Kind("drop_multiples", "filter", ("{e} % {k} != 0",), _DIGITS),
    Kind("take", "whole", ("{v}[:{k}]",), _FEW),
    Kind("skip", "whole", ("{v}[{k}:]",), _FEW),
    Kind("every", "whole", ("{v}[::{k}]",), (2, 3, 4)),
    Kind("sort", "whole", ("sorted({v})",)),
    Kind("reverse", "whole", ("{v}[::-1]", "list(reversed({v}))")),
)

_LIST_REDUCERS = (
    Kind("sum", "whole", ("sum({v})",)),
    Kind("max", "whole", ("max({v}, default=0)",)),
    Kind("min", "whole", ("min({v}, default=0)",)),
    Kind("count", "whole", ("len({v})",)),
    Kind("first", "whole", ("({v} or [0])[0]", "next(iter({v}), 0)")),
    Kind("last", "whole", ("({v} or [0])[-1]", "next(reversed({v}), 0)")),
)

_INT_STEPS = (
    Kind("add", "whole", ("{v} + {k}", "{k} + {v}"), _DIGITS),
    Kind("subtract", "whole", ("{v} - {k}",), _DIGITS),
    Kind("multiply", "whole", ("{v} * {k}", "{k} * {v}"), _DIGITS),
    Kind("modulo", "whole", ("{v} % {k}",), _DIGITS),
    Kind("divide", "whole", ("{v} // {k}",), _DIGITS),
    Kind("square", "whole", ("{v} ** 2", "pow({v}, 2)")),
    Kind("absolute", "whole", ("abs({v})",)),
    Kind("at_least", "whole", ("max({v}, {k})", "max({k}, {v})"), _DIGITS),
    Kind("at_most", "whole", ("min({v}, {k})", "min({k}, {v})"), _DIGITS),
    Kind("flip_digits", "whole", ("int(str(abs({v}))[::-1])",)),
    Kind("digit_sum", "whole", ("sum(map(int, str(abs({v}))))",)),
)

_INT_REDUCERS = (
    Kind("same", "whole", ("{v}",)),
    Kind("tens", "whole", ("abs({v}) // 10 % 10",)),
    Kind("digits", "whole", ("len(str(abs({v})))",)),
    Kind("last_digit", "whole", ("abs({v}) % 10",)),
    Kind("largest_digit", "whole", ("int(max(str(abs({v}))))",)),
)

_STRING_STEPS = (
    Kind("upper", "whole", ("{v}.upper()",), returns="str"),
    Kind("swap_case", "whole", ("{v}.swapcase()",), returns="str"),
    Kind("reverse", "whole", ("{v}[::-1]", '"".join(reversed({v}))'), returns="str"),
    Kind("sort", "whole", ('"".join(sorted({v}))',), returns="str"),
    Kind("unique", "whole", ('"".join(dict.fromkeys({v}))',), returns="str"),
    Kind("take", "whole", ("{v}[:{k}]",), _FEW, "str"),
    Kind("skip", "whole", ("{v}[{k}:]",), _FEW, "str"),
    Kind("every", "whole", ("{v}[::{k}]",), (2, 3, 4), "str"),
    Kind("repeat", "map", ("{e} * {k}", "{k} * {e}"), (2, 3, 4), "str"),
    Kind("drop_vowels", "filter", ('{e} not in "aeiouAEIOU"',), returns="str"),
    Kind("keep_letters", "filter", ("{e}.isalpha()",), returns="str"),
    Kind("keep_upper", "filter", ("{e}.isupper()",), returns="str"),
)

_STRING_REDUCERS = (
    Kind("same", "whole", ("{v}",), returns="str"),
    Kind("length", "whole", ("len({v})",)),
    Kind("distinct", "whole", ("len(set({v}))",)),
    Kind("vowels", "whole", ('sum(c in "aeiouAEIOU" for c in {v})',)),
    Kind("first", "whole", ("{v}[:1]",), returns="str"),
    Kind("last", "whole", ("{v}[-1:]",), returns="str"),
)


def _by_name(kinds: tuple[Kind, ...]) -> dict[str, Kind]:
    return {kind.name: kind for kind in kinds}


STEPS: dict[Family, dict[str, Kind]] = {
    "list": _by_name(_LIST_STEPS),
    "int": _by_name(_INT_STEPS),
    "string": _by_name(_STRING_STEPS),
}
REDUCERS: dict[Family, dict[str, Kind]] = {
    "list": _by_name(_LIST_REDUCERS),
    "int": _by_name(_INT_REDUCERS),
    "string": _by_name(_STRING_REDUCERS),
}
# The one parameter of the generated function.
ARGUMENT: dict[Family, str] = {"list": "xs", "int": "n", "string": "s"}
ARGUMENT_TYPE: dict[Family, str] = {"list": "list[int]", "int": "int", "string": "str"}


def signature(spec: Spec) -> str:
    """The interface of a spec, such as ``def f(xs: list[int]) -> int``."""
    family = spec.family
    return f"def f({ARGUMENT[family]}: {ARGUMENT_TYPE[family]}) -> {REDUCERS[family][spec.reducer].returns}"


def expression(family: Family, kind: Kind, value: str, param: int | None, *, element: str, alternative: int = 0) -> str:
    """Python for one step or reducer on the expression ``value``, with ``element`` naming an item of it."""
    body = item_expression(kind, element, param, alternative)
    match kind.shape:
        case "map":
            comprehension = f"{body} for {element} in {value}"
        case "filter":
            comprehension = f"{element} for {element} in {value} if {body}"
        case "whole":
            return kind.code[alternative % len(kind.code)].format(v=value, k=param)
    return f"[{comprehension}]" if family == "list" else f'"".join({comprehension})'


def item_expression(kind: Kind, element: str, param: int | None, alternative: int = 0) -> str:
    """Python of a ``map`` or ``filter`` kind on one item; empty for a ``whole`` kind."""
    return "" if kind.shape == "whole" else kind.code[alternative % len(kind.code)].format(e=element, k=param)


def evaluate(spec: Spec, value: Any) -> Any:
    """What the spec computes for one input."""
    for step in spec.steps:
        value = _function(spec.family, step.kind, step.param, False)(value)
    return _function(spec.family, spec.reducer, None, True)(value)


@cache
def _function(family: Family, name: str, param: int | None, reducer: bool) -> Callable[[Any], Any]:
    kind = (REDUCERS if reducer else STEPS)[family][name]
    # Only expressions of the tables above are evaluated.
    return eval(f"lambda value: {expression(family, kind, 'value', param, element='item')}")
