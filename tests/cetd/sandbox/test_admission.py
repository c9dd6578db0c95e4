"""Only apps whose own reference passes, every time, are admitted; the others are quarantined with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cetd.data.app import App, Interface
from cetd.sandbox.admission import Quarantined, admit
from cetd.sandbox.outcome import Outcome, Scored, TestResult, TimedOut, Unscored
from cetd.sandbox.sandbox import Sandbox

TEST = "from app import f\ndef test_one():\n    assert f() == 1\ndef test_two():\n    assert f() + 1 == 2\n"


def _app(app_id: str, source: str, tests: str = TEST) -> App:
    return App(app_id, {"app.py": source}, {"test_app.py": tests}, Interface("app", ("def f()",)), timeout_s=0.5)


class _Scripted(Sandbox):
    """Outcomes in a given order instead of runs."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.timeouts: list[float | None] = []

    @property
    def slots(self) -> int:
        return 1

    def run(self, program: Mapping[str, str], tests: Mapping[str, str], timeout_s: float | None = None) -> Outcome:
        self.timeouts.append(timeout_s)
        return self._outcomes.pop(0)


def _passed(seconds: float) -> Scored:
    return Scored(1, 1, seconds, (TestResult("t::a", "passed", seconds),))


@pytest.mark.sandbox
def test_references_that_pass_are_admitted_and_others_quarantined_in_order(sandbox: Sandbox) -> None:
    apps = [
        _app("good", "def f():\n    return 1\n"),
        _app("wrong", "def f():\n    return 2\n"),
        _app("syntax", "def f(:\n"),
        _app("fine", "def f():\n    return 1.0\n"),
        _app("slow", "def f():\n    while True: pass\n"),
        _app("testless", "def f():\n    return 1\n", tests="x = 1\n"),
    ]
    admitted, quarantined = admit(apps, sandbox, runs=2)
    assert [app.app_id for app in admitted] == ["good", "fine"]
    assert [app.app_id for app in quarantined] == ["wrong", "syntax", "slow", "testless"]
    reasons = [app.reason for app in quarantined]
    assert reasons[0] == "run 1 of 2: passed 0 of 2 tests; test_app.py::test_one failed: assert f() == 1"
    assert reasons[1].startswith("run 1 of 2: crashed: SyntaxError")
    assert reasons[2] == "run 1 of 2: timed_out"
    assert reasons[3] == "run 1 of 2: unscored: tests: no test_* function in test_app.py"


@pytest.mark.parametrize(("seconds", "timeout"), [((0.01, 0.02), 1.0), ((0.3, 0.2), 3.0)])
def test_the_timeout_is_measured_from_the_slowest_run(seconds: tuple[float, float], timeout: float) -> None:
    app = _app("a", "x")
    sandbox = _Scripted(*map(_passed, seconds))
    assert admit([app], sandbox, 2, floor_s=1.0, factor=10.0)[0][0].timeout_s == pytest.approx(timeout)
    assert sandbox.timeouts == [app.timeout_s] * 2


def test_an_app_that_fails_once_is_quarantined() -> None:
    admitted, quarantined = admit([_app("a", "x")], _Scripted(_passed(0.1), TimedOut(0.5)), 2)
    assert (admitted, quarantined) == ([], [Quarantined("a", "run 2 of 2: timed_out")])


def test_a_run_lost_by_the_sandbox_is_tried_again() -> None:
    assert admit([_app("a", "x")], _Scripted(Unscored("lost"), _passed(0.1)), 1)[1] == []
    lost = _Scripted(Unscored("lost"), Unscored("lost again"))
    assert admit([_app("a", "x")], lost, 1)[1] == [Quarantined("a", "run 1 of 1: unscored: lost again")]


def test_admission_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match="runs=0"):
        admit([_app("a", "x")], _Scripted(), 0)
