"""Records a function in processes of its own: first what its calls come to, then whether they do so again.

The second process has other hashes and makes the calls in the opposite order. A function whose calls come to something
else there depends on more than its arguments, and is refused.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cetd
from cetd.config import RecipeConfig
from cetd.data.recorded.functions import Candidate, Refused
from cetd.data.recorded.mutants import Mutant, mutants
from cetd.errors import InfrastructureError
from cetd.seeds import derive

TOO_SMALL = "too small: too few mutants"
_CHILD = "cetd.data.recorded.child"
_SOURCE_ROOT = str(Path(cetd.__file__).parents[1])
_WALL_FACTOR = 10  # of the processor seconds: a busy machine is no reason to refuse


@dataclass(frozen=True)
class Test:
    """A call, and the expression of its result or the builtin exception that it raises."""

    __test__ = False  # the name makes pytest take it for tests

    call: str
    result: str
    raises: str | None
    floats: bool


@dataclass(frozen=True)
class Recorded:
    """What a function does, its mutants, and the figures that it is chosen by."""

    candidate: Candidate
    tests: tuple[Test, ...]
    mutants: tuple[Mutant, ...]
    covered: int
    branches: int
    killed: int

    @property
    def expected_score(self) -> float:
        """Share of the mutants that the tests told from the original while they were chosen."""
        return self.killed / len(self.mutants) if self.mutants else 0.0


def record(candidate: Candidate, config: RecipeConfig) -> Recorded | Refused:
    """Choose and record calls of a function; the same for the same configuration.

    Raises:
        InfrastructureError: no process can be started.
    """
    if len(mutants(candidate.source, None, config.min_mutants, 0)) < config.min_mutants:  # no need to run it
        return Refused(candidate.module, candidate.function, TOO_SMALL)
    job = _job(candidate, config)
    found = _ask({"kind": "explore", **job}, hash_seed=0, config=config)
    refused = found.get("refused")
    if refused is None:
        calls = [test["call"] for test in reversed(found["tests"])]
        again = _ask({"kind": "repeat", "calls": calls, **job}, hash_seed=1, config=config)
        refused = again.get("refused")
        if refused is None and again["came"][::-1] != [test["came"] for test in found["tests"]]:
            refused = "is not deterministic"
    if refused is not None:
        return Refused(candidate.module, candidate.function, refused)
    made = tuple(Mutant(**mutant) for mutant in found["mutants"])
    tests = tuple(Test(test["call"], test["came"], test["raises"], test["floats"]) for test in found["tests"])
    return Recorded(candidate, tests, made, found["covered"], found["branches"], found["killed"])


def _job(candidate: Candidate, config: RecipeConfig) -> dict[str, Any]:
    budget = {
        "seed": derive("recorded app", config.seed, candidate.app_id),
        "inputs": config.inputs,
        "max_tests": config.max_tests,
        "max_mutants": config.max_mutants,
        "steps": config.steps,
    }
    limits = {"cpu_s": config.cpu_s, "memory_mb": config.memory_mb}
    return {"source": candidate.source, "function": candidate.function, "budget": budget, **limits}


def _ask(job: dict[str, Any], *, hash_seed: int, config: RecipeConfig) -> dict[str, Any]:
    """The answer of a child, or why the function took it down."""
    environment = {"PYTHONPATH": _SOURCE_ROOT, "PYTHONHASHSEED": str(hash_seed), "LANG": "C.UTF-8"}
    environment["PATH"] = os.environ.get("PATH", "")
    # A folder of its own, as hypothesis leaves files where it runs.
    with tempfile.TemporaryDirectory(prefix="recorded-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-s", "-m", _CHILD],
                input=json.dumps(job),
                capture_output=True,
                text=True,
                encoding="utf-8",
                cwd=folder,
                env=environment,
                timeout=config.cpu_s * _WALL_FACTOR,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"refused": "takes too long"}
        except OSError as error:
            raise InfrastructureError(f"{sys.executable}: cannot be started: {error.strerror}") from None
    if done.returncode < 0:
        return {"refused": f"ended its process (signal {-done.returncode})"}
    if done.returncode:
        raise RuntimeError(f"{job['function']}: the recording broke\n{done.stderr}")
    return json.loads(done.stdout)
