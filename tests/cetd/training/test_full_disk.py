"""A disk that is full when a checkpoint is due: training goes on with the last good one, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from cetd.data.example import Example
from cetd.errors import InfrastructureError
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.parallel.mesh import Mesh
from cetd.training.run import Outcome, TrainingRun
from cetd.training.trainer import Trainer
from tests.cetd.training.training import Mapped, job

ROOT = Path(__file__).parents[3]
# Enough for metrics, too little for a checkpoint.
LEFT = 60_000
STEPS = 12


class Disk(Mapped):
    """Data that give room back when the examples of step ``freed_at`` are asked for."""

    def __init__(self, folder: Path, freed_at: int) -> None:
        super().__init__(50)
        self.filler, self.asked, self.freed_at = folder / "filler", 0, freed_at

    def fill(self, written: Path) -> None:
        """When the first checkpoint has become visible."""
        if written.name == "step-000004":
            self.filler.write_bytes(b"\0" * (shutil.disk_usage(self.filler.parent).free - LEFT))

    def examples(self, indices: Sequence[int]) -> list[Example]:
        self.asked += 1
        if self.asked == self.freed_at:
            self.filler.unlink()
        return super().examples(indices)


def train(folder: Path, freed_at: int) -> Outcome:
    config = job(checkpoint={"every": 4, "keep": 9}, max_steps=STEPS)
    disk = Disk(folder, freed_at)
    torch.manual_seed(0)
    model = EncoderDecoder(config.model)  # type: ignore[arg-type]
    run = TrainingRun(Trainer(model, disk, config, Mesh(), "fp32", torch.device("cpu")), None, folder, disk.fill)
    try:
        return run.train()
    finally:
        run.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def goes_on(folder: Path) -> None:
    outcome = train(folder, freed_at=10)
    assert (outcome.status, outcome.step) == ("finished", STEPS)
    assert names(folder) == ["step-000004", "step-000012"]
    warnings = [line["warning"] for line in read_metrics(folder / METRICS_FILE) if "warning" in line]
    assert warnings == ["step-000008 not written: No space left on device; going on with step-000004"]


def ends_and_resumes(folder: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"step-000012 not written: No space left .* it resumes"):
        train(folder, freed_at=99)
    assert names(folder) == ["step-000004"]
    (folder / "filler").unlink()
    outcome = train(folder, freed_at=99)
    assert (outcome.status, outcome.step) == ("finished", STEPS)


@pytest.mark.parametrize("case", [goes_on, ends_and_resumes])
def test_a_full_disk(case, tmp_path: Path) -> None:
    # A mount namespace of its own, so that nothing stays mounted whatever happens.
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    script = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$0" -m tests.cetd.training.test_full_disk "$1" "$2"'
    command = [*namespace, "sh", "-c", script, sys.executable, str(tmp_path), case.__name__]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr


if __name__ == "__main__":
    {"goes_on": goes_on, "ends_and_resumes": ends_and_resumes}[sys.argv[2]](Path(sys.argv[1]))
