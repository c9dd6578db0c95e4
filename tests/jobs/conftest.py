"""Runs that several tests look at: made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs.running import job


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all runs of the session; the tiny models are made in it once."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def undisturbed(runs: Path) -> Path:
    """Run folder of the tiny preset, run to its end."""
    with job(runs, "undisturbed") as started:
        started.finish()
    return started.folder
