from random import Random

import pytest

from cetd.data.rendering import LAYOUTS, program, source
from cetd.data.steps import STEPS, Family, Spec, Step, evaluate

INPUTS = {"list": [[3, -4, 18, 7, 7], [], [12]], "int": [0, -37, 184], "string": ["Ab-c1eE", "", "zZz"]}


def specs(family: Family) -> list[Spec]:
    """Every step of a family on its own and with every other one after it."""
    steps = [Step(kind.name, kind.params[-1] if kind.params else None) for kind in STEPS[family].values()]
    last = {"list": "last", "int": "last_digit", "string": "vowels"}[family]
    return [Spec(family, (one,), last) for one in steps] + [
        Spec(family, (one, two), last) for one in steps for two in steps
    ]


def call(text: str, value):
    namespace: dict = {}
    exec(text, namespace)
    return namespace["f"](value)


@pytest.mark.parametrize("family", ["list", "int", "string"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_computes_the_spec(family, layout):
    for number, spec in enumerate(specs(family)):
        text = source(spec, Random(number), layout)
        for value in INPUTS[family]:
            assert call(text, value) == evaluate(spec, value), text


@pytest.mark.parametrize("family", ["list", "int", "string"])
def test_the_canonical_program_computes_the_spec(family):
    for spec in specs(family):
        for value in INPUTS[family]:
            assert call(program(spec), value) == evaluate(spec, value), program(spec)


def test_one_spec_is_rendered_in_many_ways():
    spec = Spec("list", (Step("add", 3), Step("keep_greater", 5)), "sum")
    assert len({source(spec, Random(seed)) for seed in range(200)}) > 30


def test_programs_are_shorter_than_sources_and_not_annotated():
    spec = Spec("list", (Step("take", 2),), "sum")
    assert program(spec) == "def f(xs):\n    xs = xs[:2]\n    return sum(xs)\n"
