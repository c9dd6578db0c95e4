"""Admission: an app is used only after its own reference has passed all its tests, several times, in the sandbox.

So a test that fails by itself, or only sometimes, never turns into a reward. Timeouts come from what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from cetd.data.app import App
from cetd.sandbox.outcome import NAMES, Crashed, Outcome, Scored, Unscored
from cetd.sandbox.sandbox import Sandbox

_TRIES = 2  # of a run that our side lost


@dataclass(frozen=True)
class Quarantined:
    """An app that is not used, and why."""

    app_id: str
    reason: str


def admit(
    apps: Sequence[App], sandbox: Sandbox, runs: int, *, floor_s: float = 1.0, factor: float = 10.0
) -> tuple[list[App], list[Quarantined]]:
    """Run each app's reference ``runs`` times; (admitted, quarantined), both in the order given.

    Admitted apps have ``timeout_s = max(floor_s, factor * slowest run)``, in seconds.

    Raises:
        ValueError: ``runs`` is not positive.
    """
    if runs < 1:
        raise ValueError(f"runs={runs}: an app is admitted by at least one run of its reference")

    def judge(app: App) -> App | Quarantined:
        slowest = 0.0
        for number in range(1, runs + 1):
            outcome = _run(app, sandbox)
            if not (isinstance(outcome, Scored) and outcome.passed == outcome.total):
                return Quarantined(app.app_id, f"run {number} of {runs}: {_complaint(outcome)}")
            slowest = max(slowest, outcome.seconds)
        return replace(app, timeout_s=max(floor_s, factor * slowest))

    with ThreadPoolExecutor(sandbox.slots) as pool:
        judged = list(pool.map(judge, apps))
    return [app for app in judged if isinstance(app, App)], [app for app in judged if isinstance(app, Quarantined)]


def _run(app: App, sandbox: Sandbox) -> Outcome:
    outcome = sandbox.run(app.reference, app.tests, app.timeout_s)
    for _ in range(_TRIES - 1):
        if isinstance(outcome, Unscored):
            outcome = sandbox.run(app.reference, app.tests, app.timeout_s)
    return outcome


def _complaint(outcome: Outcome) -> str:
    match outcome:
        case Scored(passed, total, tests=tests):
            first = next(test for test in tests if test.outcome != "passed")
            return f"passed {passed} of {total} tests; {first.test_id} {first.outcome}: {first.message}"
        case Crashed(reason) | Unscored(reason):
            return f"{NAMES[type(outcome)]}: {reason}"
        case _:
            return NAMES[type(outcome)]
