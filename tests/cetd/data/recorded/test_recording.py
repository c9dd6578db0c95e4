from dataclasses import replace

import pytest

from cetd.config import RecipeConfig
from cetd.data.recorded.functions import Candidate, Refused
from cetd.data.recorded.recording import Recorded, record

CONFIG = RecipeConfig(
    package="written", inputs=100, max_tests=6, max_mutants=10, min_mutants=1, cpu_s=10, memory_mb=512
)
GOOD = Candidate("written", "f", "def f(x)", "def f(x):\n    return x.upper() if x != 'a' else None\n")


def test_a_function_is_recorded_the_same_each_time():
    recorded = record(GOOD, CONFIG)
    assert isinstance(recorded, Recorded)
    assert (recorded.covered, recorded.branches) == (3, 3)
    assert recorded.expected_score == 1
    assert recorded == record(GOOD, CONFIG)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(x):\n    return list({*'some letters', x})\n", "is not deterministic"),
        ("import itertools\nN = itertools.count()\ndef f(x):\n    return next(N)\n", "is not deterministic"),
        ("def f(x):\n    return [0] * 10**10\n", "accepts no plain data that was tried"),
    ],
)
def test_what_depends_on_more_than_its_arguments_is_refused(source: str, reason: str):
    assert record(replace(GOOD, source=source), CONFIG) == Refused("written", "f", reason)


def test_a_call_that_does_not_return_ends_its_own_process_only():
    source = "def f(x):\n    return 10 ** 10 ** 10\n"
    refused = record(replace(GOOD, source=source), CONFIG.model_copy(update={"cpu_s": 2}))
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("ended its process")


def test_a_function_without_enough_to_mutate_is_refused_before_it_is_run():
    source = "def f(x):\n    return x\n"
    config = CONFIG.model_copy(update={"min_mutants": 2})
    assert record(replace(GOOD, source=source), config) == Refused("written", "f", "too small: too few mutants")
