"""A run's folder: ``runs/<name>/``, owned by one process at a time, and the same run each time it is opened.

Knows where the parts of a run stand and what belongs to its identity (the resolved configuration); what the parts
hold is their own business.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from cetd import config as configuration
from cetd import durable
from cetd.config import Section

LOCK = ".lock"


class RunFolderError(ValueError):
    """The run folder cannot be used; the message is one line for the user."""


class RunFolder:
    """Paths of a run, and the lock that keeps a second job out. A context manager."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = (root / name).absolute()
        self.checkpoints = self.path / "checkpoints"
        self.config = self.path / "config.yaml"
        self.apps = self.path / "apps.json"
        self.admission = self.path / "admission.json"
        self.summary = self.path / "summary.json"
        self._lock: int | None = None

    def __enter__(self) -> RunFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunFolderError(f"run.name={self.path.name}: {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise RunFolderError(
                f"run.name={self.path.name}: another job is using {self.path}; wait for it or choose another run.name"
            ) from None
        return self

    def __exit__(self, *exc: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.config.exists()

    def holds(self, config: Section) -> bool:
        """Whether the run was begun, or last gone on with, by exactly ``config``."""
        return self.exists and self.config.read_text(encoding="utf-8") == configuration.dump(config)

    def adopt(self, config: Section) -> None:
        """Begin the run with ``config``, or check that it is the run that was begun here.

        Raises:
            RunFolderError: the folder holds a run of another configuration; the line names the first field.
        """
        if self.exists:
            before = yaml.safe_load(self.config.read_text(encoding="utf-8"))
            difference = _difference(before, config.model_dump(mode="json"), config.MAY_CHANGE)
            if difference:
                field, was, now = difference
                raise RunFolderError(
                    f"{field}={now!r}: {self.path} was begun with {was!r}; resume with that value, or choose another "
                    "run.name"
                )
        durable.write_text(self.config, configuration.dump(config))

    def clear(self) -> None:
        """Drop everything that the run has left."""
        for entry in self.path.iterdir():
            if entry.name == LOCK:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def read_json(self, path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8"))

    def write_json(self, path: Path, value: Any) -> None:
        durable.write_text(path, json.dumps(value, indent=1))


def runs_root(configured: Path | None) -> Path:
    """Folder of all runs: as configured, else ``CETD_RUNS``, else ``runs/`` here.

    A submitted job's working directory is removed after it, so there the default is ``~/cetd-runs``.
    """
    if configured or "CETD_RUNS" in os.environ:
        return Path(configured or os.environ["CETD_RUNS"]).absolute()
    submitted = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ
    return Path.home() / "cetd-runs" if submitted else Path("runs").absolute()


def _difference(
    was: dict[str, Any], now: dict[str, Any], may_change: tuple[str, ...], prefix: str = ""
) -> tuple[str, Any, Any] | None:
    for key, after in now.items():
        field, before = f"{prefix}{key}", was.get(key)
        if field in may_change or before == after:
            continue
        if not isinstance(before, dict) or not isinstance(after, dict):
            return field, before, after
        if found := _difference(before, after, may_change, f"{field}."):
            return found
    return None
