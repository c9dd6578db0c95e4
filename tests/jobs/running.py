"""Runs a job as a process of its own, watches it, and kills what the test names."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from cetd.evaluation.metrics import METRICS_FILE

ROOT = Path(__file__).parent.parent.parent
TINY = ROOT / "configs" / "feedback" / "tiny.yaml"
# Far beyond what is needed on two busy cores: a guard against waiting for ever.
PATIENCE_S = 420


@dataclass
class Job:
    """A running ``python -m jobs.NAME``."""

    process: subprocess.Popen[str]
    folder: Path
    log: Path
    begins_at: int = 0

    def said(self) -> str:
        """What it has printed; an earlier run of the same name may stand in the log before that."""
        return self.log.read_text()[self.begins_at :]

    def descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def find(self, title: str) -> psutil.Process | None:
        """A descendant by its process title: Ray names workers after their actor."""
        for process in self.descendants():
            try:
                if any(part.startswith(title) for part in process.cmdline()[:1]):
                    return process
            except psutil.Error:  # ended meanwhile
                continue
        return None

    def kill_one(self, title: str) -> int:
        """SIGKILL the process with the title, once it is there; returns its id."""
        found = until(lambda: self.find(title), self)
        os.kill(found.pid, signal.SIGKILL)
        return found.pid

    def updates(self) -> int:
        """Updates on record."""
        path = self.folder / METRICS_FILE
        return path.read_text().count("\n") if path.exists() else 0

    def finish(self) -> dict:
        """Wait for the end; the summary."""
        self.process.wait(PATIENCE_S)
        assert self.process.returncode == 0, self.log.read_text()[-4000:]
        return json.loads((self.folder / "summary.json").read_text())

    def kill(self) -> None:
        """SIGKILL the job; Ray follows within seconds, but for two agents that it leaves behind."""
        started = self.descendants()
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(started, timeout=10)
        for left in started:
            if left.is_running():
                left.kill()


@contextmanager
def job(
    root: Path,
    name: str,
    *overrides: str,
    module: str = "jobs.feedback",
    config: Path = TINY,
    flags: tuple[str, ...] = (),
    within: tuple[str, ...] = (),
) -> Iterator[Job]:
    """Start a job, the tiny feedback run by default, with its run under ``root``; what is left is killed at the end.

    ``within`` is a command that runs the one behind it.
    """
    log = root / f"{name}.log"
    begins_at = len(log.read_text()) if log.exists() else 0
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    with log.open("a") as output:
        command = [*within, sys.executable, "-m", module, "--config", str(config), *flags]
        process = subprocess.Popen(
            [*command, f"run.root={root}", f"run.name={name}", *overrides],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
    started = Job(process, root / name, log, begins_at)
    try:
        yield started
    finally:
        started.kill()


def until(condition: Callable, watched: Job):
    """What ``condition`` returns once it is true; fails when the job has ended before."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert watched.process.poll() is None, watched.log.read_text()[-4000:]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return value
