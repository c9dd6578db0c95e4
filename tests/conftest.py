"""A test of Ray, vLLM or the sandbox that is skipped fails the session: skipped is not green.

Tests run in two lanes where pytest-xdist is asked for them: jobs that start Ray in one, one after the other, and all
others beside them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent.parent

# The machine is shared: how long an example takes says nothing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REAL = {"ray", "vllm", "sandbox"}
_skipped: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _base_of_temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Made before any test, of which some have temporary files go elsewhere for a while."""
    tmp_path_factory.getbasetemp()


class Lanes(LoadScopeScheduling):
    """Hands out whole files, and to one process what shares a Ray: the jobs that start it, and all of serving."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        if file.startswith("tests/serve/"):
            return "serving"
        return "jobs on Ray" if _is_job_on_ray(file) else file


@cache
def _is_job_on_ray(file: str) -> bool:
    return file.startswith("tests/jobs/") and "mark.ray" in (ROOT / file).read_text(encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The long lane begins first.
    items.sort(key=lambda item: not _is_job_on_ray(item.nodeid.split("::", 1)[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    return Lanes(config, log)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # Markers are keywords of a report; unlike items, reports come here from every lane.
    if report.skipped and REAL & set(report.keywords):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for test in _skipped:
        terminalreporter.write_line(f"FAILED (skipped, but must run): {test}", red=True)
