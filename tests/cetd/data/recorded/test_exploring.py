import pytest

from cetd.data.recorded.exploring import Budget, Explored, explore
from cetd.data.recorded.observing import UnsuitableError
from cetd.data.recorded.parameters import Call
from cetd.data.recorded.running import Program, Raised, Returned, Unusable

BUDGET = Budget(seed=1, inputs=200, max_tests=10, max_mutants=20, steps=2000)


def explored(text: str) -> Explored:
    return explore(text, "f", BUDGET)


def test_branches_behind_constants_of_the_text_are_reached():
    found = explored("def f(x):\n    if x == 'open sesame':\n        return 1\n    return 41 if x[:1] == 'q' else 0\n")
    assert (found.covered, found.branches) == (5, 5)
    assert found.killed >= len(found.mutants) - 1


def test_calls_of_several_parameters_reach_what_needs_both():
    found = explored(
        "def f(n, text):\n    if n > 3 and text.isdigit():\n        return int(text) // n\n    return -1\n"
    )
    assert found.covered == found.branches
    assert any(isinstance(each.came, Returned) and each.came.value > 0 for each in found.tests)


def test_the_author_s_examples_are_tests():
    text = "def f(x):\n    '''\n    >>> f([3, 1])\n    [1, 3]\n    '''\n    return sorted(x) if x else None\n"
    assert explored(text).tests[0].call == Call(([3, 1],), {})


def test_the_same_seed_chooses_the_same_tests():
    text = "def f(a, b=2):\n    return [a, b] if a != b else a\n"
    assert [each.call.text for each in explored(text).tests] == [each.call.text for each in explored(text).tests]


def test_tests_are_as_many_as_allowed_and_few_expect_an_exception():
    found = explored("def f(x):\n    if x.startswith('a'):\n        return x * 2\n    raise ValueError(x)\n")
    assert len(found.tests) == BUDGET.max_tests
    assert 1 <= sum(isinstance(each.came, Raised) for each in found.tests) <= BUDGET.max_tests // 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(x):\n    x.append(1)\n    return x\n", "changes its arguments"),
        ("def f(x):\n    return object()\n", "returns object"),
        ("def f(x):\n    return (lambda: x)\n", "returns function"),
        ("def f(x):\n    return x.impossible\n", "accepts no plain data that was tried"),
        ("def f(x):\n    while x or True:\n        pass\n", "has no end on many inputs"),
        ("1 / 0\ndef f(x):\n    return x\n", "does not run on its own: raises ZeroDivisionError"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(UnsuitableError, match=reason):
        explored(text)


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("return x", Returned([1])),
        ("raise UnicodeError()", Raised("UnicodeError")),
        ("return {}[0]", Raised("KeyError")),
        ("class Own(LookupError): pass\n    raise Own()", Raised("LookupError")),
        ("class Own(Exception): pass\n    raise Own()", Unusable("raises Own")),
        ("return x + 'a'", Unusable("misused")),
        ("return float('nan')", Unusable("is no finite number")),
        ("x[0] = 2\n    return 1", Unusable("changes its arguments")),
        ("raise SystemExit", Unusable("misused")),
        ("while True: pass", Unusable("has no end")),
    ],
)
def test_what_a_call_comes_to(body: str, came: object):
    program = Program(f"def f(x):\n    {body}\n", "f", 100)
    assert program.call(Call(([1],), {}))[0] == came
