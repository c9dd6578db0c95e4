"""The final word on a recorded app, from the sandbox: the original passes its tests, and how many mutants fail them."""

from __future__ import annotations

from dataclasses import dataclass

from cetd.data.app import App
from cetd.data.recorded.mutants import Mutant
from cetd.data.recorded.running import MODULE
from cetd.errors import InfrastructureError
from cetd.sandbox.admission import admit
from cetd.sandbox.outcome import Scored, Unscored
from cetd.sandbox.sandbox import Sandbox

_RUNS = 2  # of the original
_TRIES = 3  # of a mutant that our side lost


@dataclass(frozen=True)
class Judged:
    """Mutants that failed the tests, of all."""

    killed: int
    mutants: int

    @property
    def score(self) -> float:
        return self.killed / self.mutants if self.mutants else 0.0


def judge(app: App, mutants: tuple[Mutant, ...], sandbox: Sandbox) -> Judged | str:
    """The mutation score of an app's tests, or why its own source does not pass them.

    Raises:
        InfrastructureError: the sandbox does not answer.
    """
    for quarantined in admit([app], sandbox, _RUNS, floor_s=app.timeout_s).quarantined:
        return f"its source does not pass its tests: {quarantined.reason}"
    killed = sum(_fails(app, mutant, sandbox) for mutant in mutants)
    return Judged(killed, len(mutants))


def _fails(app: App, mutant: Mutant, sandbox: Sandbox) -> bool:
    """A mutant that runs out of time or memory, or crashes, is told from the original as well."""
    outcome = None
    for _ in range(_TRIES):
        outcome = sandbox.run({f"{MODULE}.py": mutant.program}, app.suite, app.timeout_s)
        if not isinstance(outcome, Unscored):
            return not (isinstance(outcome, Scored) and outcome.passed == outcome.total)
    raise InfrastructureError(f"{app.app_id}: a mutant could not be run: {outcome}; run the command again to go on")
