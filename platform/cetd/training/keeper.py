"""Keeps the checkpoints of a training run: begins them, makes them visible when every process's part is on disk.

A checkpoint that a full disk refuses is dropped, and there is a warning to tell; training goes on with the last good
one. All processes call the same methods at the same steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cetd.errors import InfrastructureError
from cetd.training import sharded_checkpoint
from cetd.training.checkpoint import PREFIX, latest
from cetd.training.sharded_checkpoint import Writer, prune, reason, tensors_of
from cetd.training.trainer import Trainer, all_agree

# Called by every process when a checkpoint has become visible.
OnCheckpoint = Callable[[Path], None]


class Keeper:
    """Of one process; the one with data rank 0 and tensor rank 0 leads."""

    def __init__(self, trainer: Trainer, checkpoints: Path, keep: int, on_checkpoint: OnCheckpoint) -> None:
        self._trainer, self._checkpoints, self._keep = trainer, checkpoints, keep
        self._on_checkpoint = on_checkpoint
        self._writer: Writer | None = None
        self._state: dict[str, Any] = {}
        mesh = trainer.mesh
        self._writes = mesh.data_rank == 0
        self._leads = self._writes and mesh.tensor_rank == 0
        self.failure = ""  # of the last checkpoint
        self._warning = ""

    @property
    def newest(self) -> Path | None:
        return latest(self._checkpoints)

    def restore(self) -> dict[str, Any]:
        """Fill the trainer from the newest checkpoint; returns the state that it was saved with, empty without one.

        Raises:
            CheckpointError: it is damaged or of another model.
        """
        if self.newest is None:
            return {}
        state = sharded_checkpoint.read_state(self.newest)
        trainer = self._trainer
        sharded_checkpoint.load(self.newest, trainer.model, trainer.cut, trainer.engine.restore)
        trainer.step = state["step"]
        trainer.engine.scaler.load_state_dict(state["scaler"])
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Begin a checkpoint of this step; an earlier one is brought to its end first."""
        self.finish()
        trainer = self._trainer
        self._state = {**state, "step": trainer.step, "scaler": trainer.engine.scaler.state_dict()}
        self._writer = Writer(self._checkpoints, trainer.step, trainer.mesh.tensor_rank, trainer.mesh.tensor)
        tensors = tensors_of(trainer.model, trainer.engine.moments)
        if self._writes:
            self._writer.begin(tensors, trainer.cut)
        else:
            deque(tensors, maxlen=0)  # where replicas share the moments, all of them take part in gathering each

    def poll(self) -> None:
        """Make the checkpoint visible if all of it is on disk."""
        if self._writer and all_agree(not self._writer.writing, self._trainer.device):
            self._end(self._writer)

    def finish(self) -> None:
        """Wait for the checkpoint that is being written."""
        if self._writer:
            self._writer.wait()
            self._end(self._writer)

    def close(self) -> None:
        """As :meth:`finish`, at the end of a run.

        Raises:
            InfrastructureError: the last checkpoint could not be written, so the run has no result.
        """
        self.finish()
        if self.failure:
            raise InfrastructureError(f"{self.failure}; make room and run the same command again: it resumes")

    def _end(self, writer: Writer) -> None:
        """Make it visible for all or for none: all parts must be on disk, and then the leader's rename must succeed."""
        self._writer = None
        device = self._trainer.device
        self.failure = writer.failure
        whole = all_agree(not writer.failure, device)
        if whole and self._leads:
            try:
                writer.commit(self._state, self._trainer.mesh.tensor)
                best = self._state.get("best", {}).get("step", 0)
                prune(self._checkpoints, self._keep, self._checkpoints / f"{PREFIX}{best:06d}")
            except OSError as error:
                self.failure = reason(error)
        if all_agree(whole and not self.failure, device):
            self._on_checkpoint(writer.folder)
            return
        self.failure = f"{writer.folder.name} not written: {self.failure or 'another process failed'}"
        if self._leads:
            writer.abandon()
            self._warning = f"{self.failure}; going on with {self.newest.name if self.newest else 'no checkpoint yet'}"

    def take_warning(self) -> str:
        """What was not written since this was last asked; empty where all was."""
        warning, self._warning = self._warning, ""
        return warning
