"""Admission: an app is used only after its own reference has passed all its tests, several times, in the sandbox.

So a test that fails by itself, or only sometimes, never turns into a reward. Timeouts, and the tests that count, come
from what was measured. How often the same test of the same program ended differently is the noise floor of rewards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from cetd.data.app import App
from cetd.sandbox.outcome import NAMES, Crashed, Outcome, Scored, Unscored
from cetd.sandbox.sandbox import Sandbox

_TRIES = 2  # of a run that our side lost


@dataclass(frozen=True)
class Quarantined:
    """An app that is not used, and why."""

    app_id: str
    reason: str


@dataclass(frozen=True)
class Admission:
    """Apps to use with what was measured, apps not to use, and the noise: of ``test_runs``, so many ``flips``.

    A flip is a test's result that differs from what the same test of the same program came to most often. ``outcomes``
    has for each app that was tried, in their order, a failed run of its reference, or else its first.
    """

    apps: tuple[App, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    test_runs: int = 0
    flips: int = 0

    @property
    def noise_floor(self) -> float:
        """Upper 95 % bound of the share of results that are chance: (flips + 3) / runs, at least the rule of three."""
        return min(1.0, (self.flips + 3) / self.test_runs) if self.test_runs else 1.0

    @property
    def record(self) -> dict[str, Any]:
        """What a run keeps of it, as plain data; see :func:`measured`."""
        return {
            "measured": {
                app.app_id: {"timeout_s": app.timeout_s, "test_ids": app.test_ids, "plain": app.plain}
                for app in self.apps
            },
            "quarantined": {one.app_id: one.reason for one in self.quarantined},
            "test_runs": self.test_runs,
            "flips": self.flips,
            "noise_floor": self.noise_floor,
        }

    @staticmethod
    def of(parts: Iterable[Admission]) -> Admission:
        """Several admissions as one, in their order."""
        parts = list(parts)
        return Admission(
            tuple(app for part in parts for app in part.apps),
            tuple(one for part in parts for one in part.quarantined),
            tuple(outcome for part in parts for outcome in part.outcomes),
            sum(part.test_runs for part in parts),
            sum(part.flips for part in parts),
        )


def measured(apps: Iterable[App], record: Mapping[str, Any]) -> list[App]:
    """Of ``apps`` those that were admitted, by a record, with what was measured."""
    found = ((app, record["measured"].get(app.app_id)) for app in apps)
    return [
        replace(app, timeout_s=of["timeout_s"], test_ids=tuple(of["test_ids"]), plain=tuple(of["plain"]))
        for app, of in found
        if of
    ]


def admit(apps: Sequence[App], sandbox: Sandbox, runs: int, *, floor_s: float = 1.0, factor: float = 10.0) -> Admission:
    """Run each app's reference ``runs`` times; apps stay in the order given.

    A reference has ``max(floor_s, app.timeout_s)`` seconds. Admitted apps have ``timeout_s = max(floor_s, factor *
    slowest run)``, as ``test_ids`` the tests that count from then on, and as ``plain`` where a program has to have
    plain data because the reference has.

    Raises:
        ValueError: ``runs`` is not positive.
    """
    if runs < 1:
        raise ValueError(f"runs={runs}: an app is admitted by at least one run of its reference")

    def judge(app: App) -> Admission:
        outcomes = [_run(app, sandbox, max(floor_s, app.timeout_s)) for _ in range(runs)]
        telling = next((outcome for outcome in outcomes if not _is_right(outcome)), outcomes[0])
        if complaint := _complaint(outcomes):
            return Admission((), (Quarantined(app.app_id, complaint),), (telling,), *_noise(outcomes))
        passed = [outcome for outcome in outcomes if isinstance(outcome, Scored)]
        timeout_s = max(floor_s, factor * max(outcome.seconds for outcome in passed))
        test_ids = tuple(test.test_id for test in passed[0].tests)
        plain = tuple(sorted(set.intersection(*(set(outcome.plain) for outcome in passed))))
        admitted = replace(app, timeout_s=timeout_s, test_ids=test_ids, plain=plain)
        return Admission((admitted,), (), (telling,), *_noise(outcomes))

    with ThreadPoolExecutor(sandbox.slots) as pool:
        return Admission.of(pool.map(judge, apps))


def _run(app: App, sandbox: Sandbox, timeout_s: float) -> Outcome:
    outcome = sandbox.run(app.reference, app.suite, timeout_s)
    for _ in range(_TRIES - 1):
        if isinstance(outcome, Unscored):
            outcome = sandbox.run(app.reference, app.suite, timeout_s)
    return outcome


def _results(outcome: Outcome) -> dict[str, str]:
    """How each test ended; of a run that did not get to its tests, how that did."""
    if isinstance(outcome, Scored):
        return {test.test_id: test.outcome for test in outcome.tests}
    return {"": NAMES[type(outcome)]}


def _noise(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """(results, those that differ from the same test's most frequent one); runs that we lost say nothing."""
    scored = [_results(outcome) for outcome in outcomes if not isinstance(outcome, Unscored)]
    total = flips = 0
    for test_id in sorted({test_id for results in scored for test_id in results}):
        ends = Counter(results.get(test_id, "absent") for results in scored)
        total += len(scored)
        flips += len(scored) - max(ends.values())
    return total, flips


def _complaint(outcomes: Sequence[Outcome]) -> str | None:
    """Why an app whose reference came to these outcomes is not used; None for one that is."""
    failed = [number for number, outcome in enumerate(outcomes) if not _is_right(outcome)]
    if failed:
        said = f"run {failed[0] + 1} of {len(outcomes)}: {_said(outcomes[failed[0]])}"
        return said if len(failed) == len(outcomes) else f"unstable, {len(failed)} of {len(outcomes)} failed; {said}"
    if any(_results(outcome) != _results(outcomes[0]) for outcome in outcomes):
        return "unstable: not all runs had the same tests"
    return None


def _is_right(outcome: Outcome) -> bool:
    return isinstance(outcome, Scored) and outcome.passed == outcome.total


def _said(outcome: Outcome) -> str:
    match outcome:
        case Scored(passed, total, tests=tests):
            first = next(test for test in tests if test.outcome != "passed")
            return f"passed {passed} of {total} tests; {first.test_id} {first.outcome}: {first.message}"
        case Crashed(reason) | Unscored(reason):
            return f"{NAMES[type(outcome)]}: {reason}"
        case _:
            return NAMES[type(outcome)]
