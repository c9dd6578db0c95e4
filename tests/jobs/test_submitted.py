"""The job on a cluster, submitted as the README says; and a disk that is full."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from cetd.feedback import store
from tests.jobs.running import PATIENCE_S, ROOT, TINY, job
from tests.jobs.test_feedback import rows

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.sandbox]

RAY = str(Path(sys.executable).parent / "ray")
# As the README says: the virtual environment first on the path, and a token (here not from a file in the home folder).
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
        head.terminate()
        head.wait(timeout=60)
        for left in psutil.wait_procs(started, timeout=10)[1]:
            left.kill()
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


# Mounts a small disk at $0, runs the rest of the arguments, and keeps a copy of what they have left there.
SMALL_DISK = """
mount -t tmpfs -o size=400k tmpfs "$0" || exit 99
"$@"; status=$?
cp -r "$0" "$0.after"
exit $status
"""


def test_a_full_disk_ends_the_run_with_one_line_and_leaves_no_half_file(undisturbed: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    models = undisturbed.parent / "models"
    folders = {path.name.rpartition("-")[0]: path for path in models.iterdir() if path.name[0] != "."}
    engines = json.loads((undisturbed / "summary.json").read_text())["engines"]
    paths = [f"llms.{index}.path={folders[name]}" for index, name in enumerate(engines)]
    policy = next(path for name, path in folders.items() if name not in engines)
    # A mount namespace of its own, so that nothing stays mounted whatever happens.
    namespace = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
    within = (*namespace, "sh", "-c", SMALL_DISK, str(small))
    with job(small, "full", f"policy.path={policy}", *paths, within=within) as running:
        assert running.process.wait(PATIENCE_S) == 2, running.log.read_text()[-2000:]
    text = running.log.read_text()
    assert "Traceback" not in text
    last = text.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "No space left on device" in last
    assert "run the same command again" in last or "resume the run" in last
    left = tmp_path / "small.after" / "full"
    assert left.is_dir()
    for path in (left / "rollouts").glob("*.parquet"):
        store.read(path)
    assert not list((left / "checkpoints").glob(".writing*"))
