"""Only apps whose own reference passes, every time, are admitted; the others are quarantined with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from cetd.data.app import App, Interface, Suite
from cetd.sandbox.admission import Admission, Quarantined, admit, measured
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

    def run(
        self, program: Mapping[str, str], suite: Suite | Mapping[str, str], timeout_s: float | None = None
    ) -> Outcome:
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
    admission = admit(apps, sandbox, runs=2)
    assert [app.app_id for app in admission.apps] == ["good", "fine"]
    assert admission.apps[0].test_ids == ("test_app.py::test_one", "test_app.py::test_two")
    assert [one.app_id for one in admission.quarantined] == ["wrong", "syntax", "slow", "testless"]
    assert (admission.test_runs, admission.flips) == (16, 0)
    reasons = [one.reason for one in admission.quarantined]
    assert reasons[0] == "run 1 of 2: passed 0 of 2 tests; test_app.py::test_one failed: assert f() == 1"
    assert reasons[1].startswith("run 1 of 2: crashed: SyntaxError")
    assert reasons[2] == "run 1 of 2: timed_out"
    assert reasons[3] == "run 1 of 2: unscored: tests: no test_* function and no assertion in test_app.py"


@pytest.mark.parametrize(("seconds", "timeout"), [((0.01, 0.02), 1.0), ((0.3, 0.2), 3.0)])
def test_the_timeout_is_measured_from_the_slowest_run(seconds: tuple[float, float], timeout: float) -> None:
    app = _app("a", "x")
    sandbox = _Scripted(*map(_passed, seconds))
    assert admit([app], sandbox, 2, floor_s=1.0, factor=10.0).apps[0].timeout_s == pytest.approx(timeout)
    assert sandbox.timeouts == [1.0] * 2


def test_a_reference_has_the_time_that_its_program_will_have() -> None:
    sandbox = _Scripted(_passed(0.1), _passed(0.1))
    assert admit([_app("a", "x")], sandbox, 1, floor_s=0.2).apps[0].timeout_s == pytest.approx(1.0)
    assert admit([_app("a", "x")], sandbox, 1, floor_s=20.0).apps[0].timeout_s == 20.0
    assert sandbox.timeouts == [0.5, 20.0]


def test_an_app_that_fails_once_is_quarantined() -> None:
    admission = admit([_app("a", "x")], _Scripted(_passed(0.1), TimedOut(0.5)), 2)
    assert admission.apps == ()
    assert admission.quarantined == (Quarantined("a", "unstable, 1 of 2 failed; run 2 of 2: timed_out"),)


def test_flips_are_counted_into_the_noise_floor() -> None:
    def ran(*ends: str) -> Scored:
        tests = tuple(TestResult(f"t::{number}", end, 0.1) for number, end in enumerate(ends))  # pyright: ignore[reportArgumentType]
        return Scored(ends.count("passed"), len(ends), 0.1, tests)

    runs = [
        ran("passed", "passed"),
        ran("passed", "failed"),
        ran("passed", "passed"),
        Unscored("lost"),
        Unscored("lost"),
    ]
    noisy = admit([_app("a", "x")], _Scripted(*runs), 4)
    assert (noisy.test_runs, noisy.flips, noisy.apps) == (6, 1, ())
    assert noisy.noise_floor == pytest.approx(4 / 6)
    quiet = admit([_app("b", "x")], _Scripted(*[ran("passed")] * 100), 100)
    both = Admission.of([noisy, quiet])
    assert (both.test_runs, both.flips, [app.app_id for app in both.apps]) == (106, 1, ["b"])
    assert both.noise_floor == pytest.approx(4 / 106)
    assert Admission().noise_floor == 1.0


def test_what_was_measured_is_read_back_from_the_record() -> None:
    apps = [_app("a", "x"), _app("b", "x")]
    admission = admit(apps, _Scripted(_passed(0.3), TimedOut(1.0)), 1)
    assert measured(apps, json.loads(json.dumps(admission.record))) == list(admission.apps)


def test_a_run_lost_by_the_sandbox_is_tried_again() -> None:
    assert admit([_app("a", "x")], _Scripted(Unscored("lost"), _passed(0.1)), 1).quarantined == ()
    lost = _Scripted(Unscored("lost"), Unscored("lost again"))
    assert admit([_app("a", "x")], lost, 1).quarantined == (Quarantined("a", "run 1 of 1: unscored: lost again"),)


def test_admission_without_runs_is_refused() -> None:
    with pytest.raises(ValueError, match="runs=0"):
        admit([_app("a", "x")], _Scripted(), 0)
