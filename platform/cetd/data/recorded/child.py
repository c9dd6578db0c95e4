"""python -m cetd.data.recorded.child: explores or repeats the calls of one function, within limits; JSON in and out.

A process of its own, so that what a call uses up ends this one and not the one that asks. See recording for the jobs.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any


def main() -> None:
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (job["cpu_s"], job["cpu_s"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_mb"] << 20,) * 2)
    try:
        answer = _explore(job) if job["kind"] == "explore" else _repeat(job)
    except MemoryError:
        answer = {"refused": "needs too much memory"}
    json.dump(answer, sys.stdout)


def _explore(job: dict[str, Any]) -> dict[str, Any]:
    # Here, as the repetition does without hypothesis.
    from cetd.data.recorded.exploring import Budget, explore
    from cetd.data.recorded.observing import UnsuitableError
    from cetd.data.recorded.running import Returned
    from cetd.data.recorded.values import has_float

    try:
        found = explore(job["source"], job["function"], Budget(**job["budget"]))
    except UnsuitableError as error:
        return {"refused": str(error)}
    tests = [
        {
            "call": each.call.text,
            "came": each.came.text,
            "raises": None if isinstance(each.came, Returned) else each.came.kind,
            "floats": isinstance(each.came, Returned) and has_float(each.came.value),
        }
        for each in found.tests
    ]
    mutants = [{"line": each.line, "change": each.change, "program": each.program} for each in found.mutants]
    figures = {"covered": found.covered, "branches": found.branches, "killed": found.killed}
    return {"tests": tests, "mutants": mutants, **figures}


def _repeat(job: dict[str, Any]) -> dict[str, Any]:
    from cetd.data.recorded.parameters import parse_call
    from cetd.data.recorded.running import Program

    program = Program(job["source"], job["function"], job["budget"]["steps"])
    return {"came": [program.call(parse_call(text))[0].text for text in job["calls"]]}


if __name__ == "__main__":
    main()
