"""Checkpoints of the learner: ``checkpoints/step-000012/``, complete or absent.

A folder holds the model in Hugging Face layout with its tokenizer, ``optimizer.safetensors`` and ``state.json``
(sequence number of the learner's message log, optimizer step, cursor of the loop). It is written aside, flushed, and
renamed; nothing in it has to be unpickled. Random draws need no state here: their seeds derive from the run's seed and
the step.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from cetd import durable
from cetd.data.tokenizer_files import tokenizer_files
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder

PREFIX = "step-"
ASIDE = ".writing-"


@dataclass(frozen=True)
class LearnerState:
    """What a checkpoint keeps beside tensors.

    ``sequence`` is the position in the learner's message log to go on from, ``version`` the number of iterations
    trained on, ``optimizer_steps`` the number of optimizer steps (the schedule's argument), ``cursor`` the loop's own.
    """

    sequence: int
    version: int
    optimizer_steps: int
    cursor: dict[str, Any]


def latest(checkpoints: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    complete = sorted(checkpoints.glob(f"{PREFIX}*")) if checkpoints.is_dir() else []
    return complete[-1] if complete else None


def save(
    checkpoints: Path,
    model: EncoderDecoder,
    optimizer: torch.optim.Optimizer,
    state: LearnerState,
    keep: int,
    tokenizer: Path | None = None,
) -> Path:
    """Write ``step-<version>`` and drop all but the newest ``keep``.

    The tokenizer's files come from the folder ``tokenizer``, so that a checkpoint can be served, registered and grown.
    One that stands already is left as it is: a restarted worker comes past it with the same messages behind it, and
    to replace it would leave a moment without it.

    Raises:
        OSError: the disk is full or not writable; older checkpoints are untouched.
    """
    checkpoints.mkdir(parents=True, exist_ok=True)
    folder = checkpoints / f"{PREFIX}{state.version:06d}"
    if folder.exists():
        return folder
    aside = checkpoints / f"{ASIDE}{folder.name}"
    shutil.rmtree(aside, ignore_errors=True)
    try:
        huggingface.save(model, aside)
        for file in tokenizer_files(tokenizer) if tokenizer else ():
            durable.write_bytes(aside / file.name, file.read_bytes())
        durable.write_bytes(aside / "optimizer.safetensors", serialise(_optimizer_tensors(model, optimizer)))
        durable.write_text(aside / "state.json", json.dumps(asdict(state)))
        os.replace(aside, folder)
        durable.sync_folder(checkpoints)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    for old in sorted(checkpoints.glob(f"{PREFIX}*"))[:-keep]:
        # Renamed first: a kill while deleting must not leave half a checkpoint under a checkpoint's name.
        doomed = checkpoints / f"{ASIDE}{old.name}"
        os.replace(old, doomed)
        shutil.rmtree(doomed)
    return folder


def read_state(folder: Path) -> LearnerState:
    """The numbers of a checkpoint, without its tensors."""
    return LearnerState(**json.loads((folder / "state.json").read_text(encoding="utf-8")))


def load_optimizer(folder: Path, model: EncoderDecoder, optimizer: torch.optim.Optimizer) -> None:
    """Fill the optimizer's state for ``model``'s parameters from a checkpoint."""
    tensors = load_file(folder / "optimizer.safetensors")
    for name, parameter in model.named_parameters():
        moments = {
            key: tensors[f"{name}/{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}/{key}" in tensors
        }
        if moments:
            optimizer.state[parameter] = moments


def _optimizer_tensors(model: EncoderDecoder, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{name}/{key}": value.detach().contiguous().clone()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
