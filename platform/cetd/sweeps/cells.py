"""The cells of a sweep, the shapes that spend the budget so, and the training job of each trial."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

from cetd.config import validate
from cetd.config.sweep import SweepJobConfig
from cetd.config.train import TrainJobConfig
from cetd.models.allocation import Allocation, nearest
from cetd.seeds import derive


class SweepError(ValueError):
    """A sweep that cannot be run; the message is one line for the user."""


@dataclass(frozen=True)
class Cell:
    """A combination of the grid's values."""

    embedding_ratio: float
    glu_expansion: float
    tied_lm_head: bool
    learning_rate: float

    @property
    def name(self) -> str:
        head = "tied" if self.tied_lm_head else "untied"
        name = f"e{self.embedding_ratio:g}-g{self.glu_expansion:g}-{head}-lr{self.learning_rate:g}"
        return name.replace("+", "")  # of an exponent; it stands in the names of folders and runs


@dataclass(frozen=True)
class Segment:
    """A piece of work: the trial of ``cell`` (its name) with a ``seed``, trained up to ``rung``."""

    cell: str
    seed: int
    rung: int

    @property
    def trial(self) -> str:
        """Name of the trial that this is a part of."""
        return f"{self.cell}-s{self.seed}"


@dataclass(frozen=True)
class Plan:
    """What follows from a sweep's configuration and its data before anything is trained.

    ``steps`` are the optimizer steps of each rung, ``tokens_per_step`` the positions of packed rows in one.
    """

    config: SweepJobConfig
    packed: Path
    cells: dict[str, Cell]
    shapes: dict[str, Allocation | None]
    steps: tuple[int, ...]
    tokens_per_step: int

    @property
    def possible(self) -> list[Cell]:
        """The cells that have a shape."""
        return [cell for name, cell in self.cells.items() if self.shapes[name]]

    def tokens(self, rung: int) -> int:
        return self.steps[rung] * self.tokens_per_step

    def job(self, segment: Segment) -> TrainJobConfig:
        """The training job of a trial, paused at the segment's rung. All trials of a seed see the same rows."""
        config, cell, shape = self.config, self.cells[segment.cell], self.shapes[segment.cell]
        assert shape, "cells without a shape are not handed out"
        trial, total = config.trial, self.steps[-1]
        tree = {
            "run": {"name": segment.trial, "seed": derive("sweep", config.run.seed, segment.seed)},
            "model": shape.model().model_dump(),
            "data": {
                "packed": self.packed,
                "row_length": config.data.row_length,
                "validation_rows": config.data.validation_rows,
            },
            "optimizer": trial.optimizer.model_dump() | {"learning_rate": cell.learning_rate},
            "epochs": 1_000_000,  # the token budget ends training
            "max_steps": total,
            "pause_at": self.steps[segment.rung],
            "batch_size": trial.batch_size,
            "accumulation": trial.accumulation,
            "evaluate_every": math.ceil(total / trial.evaluations),
            "precision": trial.precision,
            "parallel": {"workers": trial.workers, "tensor": trial.tensor, "cpus": trial.cpus, "gpus": trial.gpus},
            "checkpoint": {"every": math.ceil(total / trial.checkpoints), "keep": 1},
        }
        return validate(TrainJobConfig, tree)


def plan(config: SweepJobConfig, packed: Path, vocab_size: int, length: int) -> Plan:
    """Shapes of all cells, and the rungs in steps.

    Args:
        vocab_size, length: of the packed data.

    Raises:
        SweepError: no cell has a shape, or the token budget is too small for the rungs.
    """
    cells = {cell.name: cell for cell in cells_of(config)}
    shapes = {
        name: nearest(config.budget_of(cell.embedding_ratio, cell.glu_expansion, cell.tied_lm_head, vocab_size, length))
        for name, cell in cells.items()
    }
    if not any(shapes.values()):
        raise SweepError(
            f"space: none of the {len(cells)} cells has a shape of budget.total_params={config.budget.total_params} "
            f"with the {vocab_size} tokens of the data; raise budget.total_params or budget.max_deviation"
        )
    tokens_per_step = config.trial.batch_size * config.trial.accumulation * length
    return Plan(config, packed, cells, shapes, _rungs(config, tokens_per_step), tokens_per_step)


def cells_of(config: SweepJobConfig) -> list[Cell]:
    """The grid, in the order of its values."""
    space = config.space
    rates = space.learning_rate or (config.trial.optimizer.learning_rate,)
    values = itertools.product(space.embedding_ratio, space.glu_expansion, space.tied_lm_head, rates)
    return [Cell(*combination) for combination in values]


def _rungs(config: SweepJobConfig, tokens_per_step: int) -> tuple[int, ...]:
    total = math.ceil(config.trial.tokens / tokens_per_step)
    if config.scheduler == "none":
        return (total,)
    steps = [round(total / config.asha.reduction**below) for below in reversed(range(config.asha.rungs))]
    if steps[0] < 1 or len(set(steps)) < len(steps):
        needed = tokens_per_step * config.asha.reduction ** (config.asha.rungs - 1)
        raise SweepError(
            f"trial.tokens={config.trial.tokens}: {total} steps of {tokens_per_step} tokens are too few for "
            f"asha.rungs={config.asha.rungs} at asha.reduction={config.asha.reduction}; give {needed} or more"
        )
    return tuple(steps)
