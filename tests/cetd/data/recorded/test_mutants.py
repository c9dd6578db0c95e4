import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cetd.data.recorded.mutants import mutants


def changed(body: str, limit: int = 100) -> set[str]:
    """The statements of ``f(x, y)`` that differ from ``body`` in its mutants."""
    text = f"def f(x, y):\n    {body}\n"
    return {mutant.program.split("\n", 1)[1].strip() for mutant in mutants(text, {1}, limit, 0)}


@pytest.mark.parametrize(
    ("body", "some"),
    [
        ("return x < y", {"return x <= y", "return None"}),
        ("return x + y", {"return x - y"}),
        ("return x and y", {"return x or y"}),
        ("return not x", {"return x"}),
        ("return x is None", {"return x is not None"}),
        ("return x[1:y]", {"return x[0:y]", "return x[2:y]", "return x[:y]", "return x[1:]"}),
        ("return 'a' + x", {"return '' + x"}),
        ("return ''", {"return 'x'"}),
        ("return True", {"return False"}),
        ("return x if y else 0", {"return 0 if y else x"}),
    ],
)
def test_each_operator_makes_its_slip(body: str, some: set[str]):
    assert some <= changed(body)


def test_statements_are_dropped():
    assert "pass\n    return y" in changed("y += 1\n    return y")
    assert changed("raise ValueError('message', 1)") == {"pass"}


def test_docstrings_annotations_and_templates_are_left_alone():
    text = 'def f(x: "int" = 1) -> "str":\n    "doc"\n    return "%d" % x\n'
    programs = [mutant.program for mutant in mutants(text, {1}, 100, 0)]
    assert len(programs) == 4  # the default one up and down, no template, None
    assert all("'doc'" in program or '"""doc"""' in program for program in programs)


def test_code_that_is_switched_off_is_left_alone():
    assert changed("if 0 and x:\n        y += 1\n    return y") == {"if 0 and x:\n        y += 1\n    return None"}


def test_only_the_functions_that_are_named_are_changed():
    text = "def g(x):\n    return x + 1\n\ndef f(x):\n    return g(x) - 1\n"
    assert {mutant.line for mutant in mutants(text, {4}, 100, 0)} == {5}


SOURCE = """
def f(x, y=3):
    while x > y and y:
        x -= 2
        if x == 7:
            break
    return [x, -y, x % 5]
"""


@given(st.integers(1, 40), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_mutants_are_distinct_programs_that_compile_and_as_many_as_asked_for(limit: int, seed: int):
    found = mutants(SOURCE, {2}, limit, seed)
    programs = {mutant.program for mutant in found}
    assert len(programs) == len(found) <= limit
    assert ast.unparse(ast.parse(SOURCE)) + "\n" not in programs
    for program in programs:
        compile(program, "mutant", "exec")
    assert found == mutants(SOURCE, {2}, limit, seed)
