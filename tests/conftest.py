"""A test of Ray, vLLM or the sandbox that is skipped fails the session: skipped is not green."""

from __future__ import annotations

import pytest

REAL = {"ray", "vllm", "sandbox"}
_skipped: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _base_of_temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Made before any test, of which some have temporary files go elsewhere for a while."""
    tmp_path_factory.getbasetemp()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    if outcome.get_result().skipped and REAL & {mark.name for mark in item.iter_markers()}:
        _skipped.append(item.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for test in _skipped:
        terminalreporter.write_line(f"FAILED (skipped, but must run): {test}", red=True)
