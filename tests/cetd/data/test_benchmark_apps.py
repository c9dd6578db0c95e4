"""HumanEval and MBPP as apps."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cetd.data.app_files import AppError
from cetd.data.apps import read_apps
from cetd.sandbox.outcome import Scored
from cetd.sandbox.sandbox import Sandbox
from tests.cetd.sandbox.conftest import limits

DOUBLE = {
    "task_id": "HumanEval/0",
    "prompt": "import math\n\ndef half(x):\n    return x / 2\n\ndef double(x: float) -> float:\n    '''Twice x.'''\n",
    "canonical_solution": "    return 2 * x\n",
    "entry_point": "double",
    "test": "M = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n    y = candidate(3)\n    assert y == 6\n"
    "    assert math.isclose(half(candidate(5)), 5)\n",
}
PAIR = {
    "task_id": 601,
    "text": "Write a function.",
    "code": "class Pair:\r\n    def __init__(self, a, b=1):\r\n        self.a, self.b = a, b\r\ndef total(pairs):\r\n"
    "    return sum(pair.a * pair.b for pair in pairs)\r\n",
    "test_setup_code": "import math",
    "test_list": ["assert total([Pair(1), Pair(2, 3)]) == 7", "assert total([]) == math.floor(0.5)"],
}


def lines(folder: Path, *records: Any, name: str = "tasks.jsonl") -> Path:
    text = "\n".join(json.dumps(record) for record in records) + "\n\n"
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.jsonl.gz"])
def test_humaneval_becomes_a_script_of_assertions(tmp_path: Path, name: str) -> None:
    (app,) = read_apps(lines(tmp_path, DOUBLE, name=name))
    assert app.app_id == "HumanEval-0"
    assert app.source == {"solution.py": DOUBLE["prompt"] + DOUBLE["canonical_solution"]}
    assert app.interface.signatures == ("def double(x: float) -> float",)
    (test,) = app.tests.values()
    assert "from solution import double\n" in test
    assert "def half" in test, "what the prompt gives beside the entry point is the test's own"
    assert "def check" not in test


@pytest.mark.sandbox
def test_each_benchmark_counts_its_assertions_one_by_one(tmp_path: Path) -> None:
    humaneval, mbpp = read_apps(lines(tmp_path, DOUBLE, PAIR))
    wrong = {"solution.py": "def double(x):\n    return 4 if x == 2 else 0\ndef half(x):\n    return 5\n"}
    with Sandbox(limits()) as sandbox:
        outcomes = [sandbox.run(app.reference, app.suite) for app in (humaneval, mbpp)]
        outcomes.append(sandbox.run(wrong, humaneval.suite))
    assert all(isinstance(outcome, Scored) for outcome in outcomes), outcomes
    assert [(o.passed, o.total) for o in outcomes if isinstance(o, Scored)] == [(3, 3), (2, 2), (1, 3)]


def test_a_check_that_is_no_plain_script_is_one_test(tmp_path: Path) -> None:
    looped = DOUBLE | {"test": "def check(candidate):\n    for x in range(3):\n        assert candidate(x) == x + x\n"}
    (app,) = read_apps(lines(tmp_path, looped))
    assert "def test_check():\n    check(double)" in app.tests["test_solution.py"]


def test_mbpp_names_the_functions_and_classes_that_its_tests_use(tmp_path: Path) -> None:
    (app,) = read_apps(lines(tmp_path, PAIR))
    assert app.app_id == "mbpp-601"
    assert app.interface.signatures == ("class Pair(a, b=1)", "def total(pairs)")
    assert "\r" not in app.source["solution.py"]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "no tasks in it"),
        ([5], "line 1: expected an object, got int"),
        ([{"a": 1}], "line 1: neither HumanEval"),
        ([DOUBLE, DOUBLE], "line 2: task_id='HumanEval-0' occurs twice"),
        ([{**DOUBLE, "test": None}], "line 1: test=None: expected a text"),
        ([{**DOUBLE, "entry_point": "gone"}], "entry_point='gone' is no function of the prompt"),
        ([{**DOUBLE, "canonical_solution": "    return ("}], "canonical_solution: not Python source"),
        ([{**PAIR, "test_list": []}], "test_list=[]: expected a list of assertions"),
        ([{**PAIR, "test_list": ["assert other() == 1"]}], "test_list uses none of what code defines: Pair, total"),
        ([{**PAIR, "code": "def f(:"}], "code: not Python source"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, records: list[Any], said: str) -> None:
    path = lines(tmp_path, *records)
    with pytest.raises(AppError) as caught:
        read_apps(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("data", "said"), [(b"{", "line 1: not JSON"), (b'{"a": "\xff"}', "not JSON in UTF-8")])
def test_lines_that_are_no_json_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(AppError, match=said):
        read_apps(path)


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"{}\n" * 99)[:-9]], ids=["no gzip", "cut short"])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(AppError, match="cannot be read"):
        read_apps(path)
