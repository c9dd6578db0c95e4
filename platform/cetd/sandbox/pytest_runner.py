"""Runs pytest suites: fixtures, parameters, classes and unittest cases, with a result for each test.

Test files lie in the judge's own file system, where what pytest compiles of them is kept for the next candidate. Each
run is a process of its own, forked with pytest loaded. Skipped tests and expected failures have no result.
Runs inside the sandbox, in the judge: the standard library and pytest.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from typing import Any

from cetd.sandbox.program_modules import RemoteFinder
from cetd.sandbox.remote import Remote
from cetd.sandbox.results import BrokenTestsError, Result

# Of no use where results go to a verdict, and some of what a start costs.
_WITHOUT = ("cacheprovider", "terminal", "doctest", "junitxml", "pastebin", "stepwise", "setuponly", "setupplan")


class PytestRunner:
    """An app's pytest suite, in its judge's ``room``; pytest is found in ``judging``."""

    def __init__(self, job: Mapping[str, Any], room: str, judging: str) -> None:
        sys.path.append(judging)
        import pytest  # known here only: other judges do without

        root = os.path.join(room, "app")
        os.makedirs(root)
        os.chdir(root)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        sys.dont_write_bytecode = False
        options = [word for name in _WITHOUT for word in ("-p", f"no:{name}")]
        self._arguments = [*options, "--capture=sys", "--continue-on-collection-errors", f"--rootdir={root}"]
        pytest.main(self._arguments)  # of an empty folder: loads all that a session loads, once for all forks
        self._arguments += job["arguments"]
        for path, content in {**job["files"], **job["tests"]}.items():
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        self._programs = RemoteFinder(job["program_paths"], job["tests"])
        sys.meta_path.insert(0, self._programs)  # pyright: ignore[reportArgumentType]
        self._programs.forget()
        gc.collect()
        gc.freeze()  # keeps collections in the forks from copying what pytest has loaded

    def run(self, remote: Remote) -> list[Result]:
        """Every test against one candidate; for a process that ends afterwards.

        Raises:
            Abort: the candidate ended.
            BrokenTestsError: pytest found nothing to run.
        """
        import pytest

        self._programs.remote = remote
        recorder = _Recorder(remote)
        status = pytest.main(self._arguments, plugins=[recorder])
        if remote.abort:
            raise remote.abort
        if not recorder.results:
            raise BrokenTestsError(f"pytest ran no test: {pytest.ExitCode(status).name.lower().replace('_', ' ')}")
        return recorder.results


class _Recorder:
    """A pytest plugin that keeps one result for each test, and stops when the candidate has ended."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._waiting: dict[str, Result] = {}
        self._results: dict[str, Result] = {}

    @property
    def results(self) -> list[Result]:
        """One of each test; of those that did not run too: who ends the session early makes them no fewer."""
        return [*self._results.values(), *self._waiting.values()]

    def pytest_collection_finish(self, session: Any) -> None:
        self._waiting = {item.nodeid: (item.nodeid, "error", 0.0, "did not run") for item in session.items}

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._put(report.nodeid or "collection", "error", 0.0, _message(report))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.skipped or hasattr(report, "wasxfail"):
            self._waiting.pop(report.nodeid, None)
            return
        if report.when == "call" or report.failed:
            outcome = "passed" if report.passed else "failed" if report.when == "call" else "error"
            self._put(report.nodeid, outcome, report.duration, _message(report) if report.failed else "")

    def pytest_runtest_teardown(self, item: Any) -> None:
        if self._remote.abort:
            item.session.shouldstop = "the candidate ended"

    def _put(self, test_id: str, outcome: str, seconds: float, message: str) -> None:
        self._waiting.pop(test_id, None)
        before = self._results.get(test_id)
        self._results[test_id] = test_id, outcome, seconds + (before[2] if before else 0.0), message


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash else str(report.longrepr)
