"""Python source of a micro-app's spec, in several code styles.

``source`` is what the policy reads: the same spec looks different from app to app (loops, comprehensions,
chained temporaries, nested calls, lambdas, other names, equivalent expressions). ``program`` is the one short form
that reconstruction LLMs made here are taught to write. Every rendering computes ``steps.evaluate``.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, get_args

from cetd.data.steps import ARGUMENT, REDUCERS, STEPS, Family, Shape, Spec, expression, item_expression, signature

Layout = Literal["assign", "loop", "temporaries", "nested", "lambda"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_ELEMENTS: dict[Family, tuple[str, ...]] = {"list": ("x", "v"), "int": ("d",), "string": ("c", "ch")}
_TEMPORARIES = (("a", "b", "c", "d"), ("first", "second", "third", "fourth"))


def program(spec: Spec) -> str:
    """The canonical module: one assignment per step, no annotations, short."""
    argument = ARGUMENT[spec.family]
    element = _ELEMENTS[spec.family][0]
    lines = [f"def f({argument}):"]
    for step in spec.steps:
        kind = STEPS[spec.family][step.kind]
        lines.append(f"    {argument} = {expression(spec.family, kind, argument, step.param, element=element)}")
    result = expression(spec.family, REDUCERS[spec.family][spec.reducer], argument, None, element=element)
    return "\n".join([*lines, f"    return {result}", ""])


def source(spec: Spec, rng: Random, layout: Layout | None = None) -> str:
    """A module as an engineer might have written it; ``rng`` draws the style (and the layout, unless given)."""
    layout = layout or rng.choice(LAYOUTS)
    element = rng.choice(_ELEMENTS[spec.family])
    picks = [rng.randrange(2) for _ in range(len(spec.steps) + 1)]
    names = rng.choice(_TEMPORARIES)
    if layout == "nested":
        lines, value = [], _nested(spec, element, picks)
    else:
        lines, value = _statements(spec, layout, element, picks, names)
    reducer = REDUCERS[spec.family][spec.reducer]
    atom = _atom(value, spec.family)
    lines.append(f"    return {expression(spec.family, reducer, atom, None, element=element, alternative=picks[-1])}")
    return "\n".join([f"{signature(spec)}:", *lines, ""])


def _nested(spec: Spec, element: str, picks: list[int]) -> str:
    value = ARGUMENT[spec.family]
    for step, pick in zip(spec.steps, picks, strict=False):
        kind = STEPS[spec.family][step.kind]
        atom = _atom(value, spec.family)
        value = expression(spec.family, kind, atom, step.param, element=element, alternative=pick)
    return value


def _statements(
    spec: Spec, layout: Layout, element: str, picks: list[int], names: tuple[str, ...]
) -> tuple[list[str], str]:
    """Lines that compute the steps, and the name that holds their result."""
    lines: list[str] = []
    value = ARGUMENT[spec.family]
    for index, (step, pick) in enumerate(zip(spec.steps, picks, strict=False)):
        kind = STEPS[spec.family][step.kind]
        target = names[index] if layout == "temporaries" else value
        if kind.shape == "whole" or layout not in _ITEM_LAYOUTS:
            code = expression(spec.family, kind, value, step.param, element=element, alternative=pick)
            lines.append(f"    {target} = {code}")
        else:
            body = item_expression(kind, element, step.param, pick)
            lines += _ITEM_LAYOUTS[layout](spec.family, kind.shape, body, value, element)
        value = target
    return lines, value


def _loop(family: Family, shape: Shape, body: str, value: str, element: str) -> list[str]:
    empty = "[]" if family == "list" else '""'
    lines = [f"    out = {empty}", f"    for {element} in {value}:"]
    indent, item = " " * 8, body
    if shape == "filter":
        lines.append(f"        if {body}:")
        indent, item = " " * 12, element
    lines.append(f"{indent}out.append({item})" if family == "list" else f"{indent}out += {item}")
    return [*lines, f"    {value} = out"]


def _lambda(family: Family, shape: Shape, body: str, value: str, element: str) -> list[str]:
    call = f"{shape}(lambda {element}: {body}, {value})"
    return [f"    {value} = list({call})" if family == "list" else f'    {value} = "".join({call})']


_ITEM_LAYOUTS: dict[Layout, Callable[[Family, Shape, str, str, str], list[str]]] = {
    "loop": _loop,
    "lambda": _lambda,
}


def _atom(value: str, family: Family) -> str:
    """``value`` so that an operator or a subscript may follow it."""
    closed = family != "int" and value[-1] in ")]"
    return value if value.isidentifier() or closed else f"({value})"
