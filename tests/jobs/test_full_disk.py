"""A run on a disk that is too small: one line that says so, and nothing half-written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cetd.feedback import store
from tests.jobs.running import PATIENCE_S, job

pytestmark = [pytest.mark.ray, pytest.mark.vllm, pytest.mark.sandbox]

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
