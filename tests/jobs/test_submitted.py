"""The job on a cluster, submitted as the README says."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from cetd.evaluation.server_process import free_port
from tests.jobs.running import PATIENCE_S, ROOT, TINY
from tests.jobs.test_feedback import rows

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.sandbox]

RAY = str(Path(sys.executable).parent / "ray")
# As the README says: the virtual environment first on the path, and a token (here not from a file in the home folder).
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one node; its dashboard's address."""
    # Sockets live below it, and their paths may not be long.
    home = Path("/tmp") / tmp_path_factory.mktemp("r").name
    port = free_port()
    command = [RAY, "start", "--head", f"--temp-dir={home}", f"--dashboard-port={port}"]
    # The agent too, without which no job can be submitted, has a fixed port that another Ray may hold.
    command += [f"--port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"]
    # Blocking, so that its processes are ours to end: `ray stop` would end every Ray on the machine.
    head = subprocess.Popen(
        [*command, "--num-cpus=4", "--block"],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/api/version", head)
        yield f"http://127.0.0.1:{port}"
    finally:
        started = psutil.Process(head.pid).children(recursive=True)
        head.kill()  # a polite end takes half a minute, and nothing in this cluster is worth it
        head.wait()
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(started)
        shutil.rmtree(home, ignore_errors=True)


def wait_for(url: str, head: subprocess.Popen) -> None:
    """Until the dashboard answers, with or without a token."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert head.poll() is None, "the cluster did not start"
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the dashboard does not answer")


def submitted(command: list[str]) -> subprocess.CompletedProcess[str]:
    """The submitted job, ended; asks again while the cluster's agent is still starting."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        finished = subprocess.run(
            command,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if "No available agent" not in finished.stderr or time.monotonic() > deadline:
            return finished


def test_a_submitted_job_does_what_a_local_one_does(cluster: str, undisturbed: Path, runs: Path) -> None:
    submit = [RAY, "job", "submit", "--address", cluster, "--working-dir", str(ROOT), "--"]
    command = [*submit, "python", "-m", "jobs.feedback", "--config", str(TINY.relative_to(ROOT))]
    finished = submitted([*command, f"run.root={runs}", "run.name=submitted"])
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]
    assert re.search(r"report: .*submitted/report\.html", finished.stdout)
    assert rows(runs / "submitted") == rows(undisturbed)
