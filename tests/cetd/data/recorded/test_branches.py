import ast
from typing import Any

import pytest

from cetd.data.recorded.branches import OutOfStepsError, Probes, instrument


def load(text: str, limit: int = 1000) -> tuple[Any, Probes]:
    tree, names, probes = instrument(ast.parse(text), limit)
    namespace: dict[str, Any] = dict(names)
    exec(compile(tree, "text", "exec"), namespace)
    return namespace["f"], probes


def taken(text: str, *arguments: object) -> tuple[int, int]:
    """Branches that a call takes, of those of the functions that it reaches."""
    f, probes = load(text)
    f(*arguments)
    return len(probes.seen), len(probes.within(probes.reached(probes.seen)))


@pytest.mark.parametrize(
    ("text", "argument", "expected"),
    [
        ("def f(x):\n    return x", 1, (1, 1)),
        ("def f(x):\n    if x:\n        return 1\n    return 2", 1, (2, 3)),
        ("def f(x):\n    return 1 if x else 2", 0, (2, 3)),
        ("def f(x):\n    return x and x > 1", 2, (2, 3)),
        ("def f(x):\n    for i in x:\n        pass", [], (1, 2)),
        ("def f(x):\n    for i in x:\n        pass", [1], (2, 2)),
        ("def f(x):\n    return [i for i in x if i]", [0, 1], (3, 3)),
        ("def f(x):\n    try:\n        return 1 / x\n    except ZeroDivisionError:\n        return 0", 0, (2, 2)),
        ("def f(x):\n    while True:\n        return x", 1, (1, 1)),
        ("def f(x):\n    if 0 and x:\n        x = x or 2\n    return x", 1, (1, 1)),
        ("def g(x):\n    if x: pass\ndef f(x):\n    return x", 1, (1, 1)),
    ],
)
def test_branches_taken_of_those_in_reach(text: str, argument: object, expected: tuple[int, int]):
    assert taken(text, argument) == expected


def test_probes_change_no_result():
    text = "def f(x):\n    'doc'\n    return [a or b for a, b in x if a is not b and b]"
    f, _ = load(text)
    assert f([(0, "b"), (1, 2), (3, 0)]) == ["b", 1]
    assert f.__doc__ == "doc"


def test_a_loop_without_end_runs_out_of_steps_even_where_it_catches_everything():
    f, probes = load(
        "def f(x):\n    while True:\n        try:\n            x += 1\n        except Exception:\n            pass"
    )
    probes.begin()
    with pytest.raises(OutOfStepsError):
        f(1)
