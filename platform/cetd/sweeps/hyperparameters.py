"""TensorBoard's HParams of a sweep: a run per trial with its hyperparameters and what it came to."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cetd.sweeps.results import Row

FOLDER = "tensorboard"


def write_hyperparameters(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``tensorboard/<trial>`` for every trial that has a loss; those of before are replaced."""
    from torch.utils.tensorboard.writer import SummaryWriter

    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for row in rows:
        if row.validation_loss is None:
            continue
        given = {
            name: getattr(row, name)
            for name in ("embedding_ratio", "glu_expansion", "tied_lm_head", "learning_rate", "seed", "d_model", "d_ff")
        }
        reached = {"validation_loss": row.validation_loss, "tokens": row.tokens, "rung": row.rung, **row.suite}
        with SummaryWriter(folder / FOLDER / row.trial) as writer:
            writer.add_hparams(given, {f"sweep/{name}": value for name, value in reached.items()}, run_name=".")
