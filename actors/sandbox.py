"""Sandbox actors: run programs against tests in isolation.

A run depends on its arguments alone, so a killed actor is restarted by Ray and the call repeated. A run that the
sandbox itself could not carry out comes back ``Unscored``, to be tried again by the caller.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import ray

from actors.busy import Busy, busy
from cetd.config import SandboxConfig
from cetd.data.app import App, Suite
from cetd.sandbox.admission import Admission, admit
from cetd.sandbox.outcome import Outcome
from cetd.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class TestRun:
    """A program (texts by relative path), the suite it is judged by, and the wall-clock limit in seconds."""

    program: Mapping[str, str]
    suite: Suite
    timeout_s: float


# Batches that are in the actor at once, so that a slot which the last runs of one leave idle takes the next one's.
CONCURRENT_BATCHES = 8


@ray.remote(max_restarts=10, max_task_retries=10)
class SandboxActor:
    """Holds one sandbox with its warm fork server."""

    def __init__(self, config: SandboxConfig, requirements: Sequence[str]) -> None:
        self._config = config
        self._sandbox = Sandbox(config, requirements)
        self._slots = ThreadPoolExecutor(config.slots)

    def process_id(self) -> int:
        return os.getpid()

    def run(self, runs: Sequence[TestRun]) -> tuple[list[Outcome], Busy]:
        """One outcome per run, in order."""
        with busy("test", f"sandbox-{os.getpid()}") as interval:
            outcomes = list(
                self._slots.map(lambda r: self._sandbox.run(r.program, r.suite, timeout_s=r.timeout_s), runs)
            )
        return outcomes, interval

    def admit(self, apps: Sequence[App]) -> Admission:
        """Apps whose reference passes its tests every time, and the others with the reason."""
        return admit(apps, self._sandbox, self._config.admission_runs, floor_s=self._config.timeout_s)
