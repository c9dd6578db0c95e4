"""The end of a sweep: the best cells' models, exported and scored by the suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cetd.data.packed import TOKENIZER, Packed
from cetd.data.tokenizer import Tokenizer
from cetd.evaluation import code_suite
from cetd.models import huggingface
from cetd.models.decoder import Decoder
from cetd.sweeps.cells import Plan, Segment
from cetd.sweeps.ranking import Standing
from cetd.training.checkpoint import latest
from cetd.training.preparation import export, prepared


def scored(plan: Plan, trials: Path, standings: Sequence[Standing]) -> dict[str, dict[str, float]]:
    """The suite's scores by trial, of every seed of ``standings``; leaves each one's ``model/`` in Hugging Face layout.

    Raises:
        DataError: there are no validation rows.
        CheckpointError: a trial's checkpoint is damaged.
    """
    if not standings:
        return {}
    held_out = Packed(plan.packed, "validation", plan.config.data.row_length)
    tokenizer = Tokenizer.load(plan.packed / TOKENIZER)
    suite = code_suite.build(held_out, tokenizer, plan.config.suite.items, plan.config.run.seed)
    return {
        row.trial: code_suite.score(_model(plan, trials / row.trial, Segment(row.cell, row.seed, row.rung)), suite)
        for standing in standings
        for row in standing.rows
        if row.rung is not None
    }


def _model(plan: Plan, trial: Path, segment: Segment) -> Decoder:
    newest = latest(trial / "checkpoints")
    assert newest, "a segment ends with a checkpoint"
    export(prepared(plan.job(segment), trial), newest, trial / "model")
    model = huggingface.load(trial / "model")
    assert isinstance(model, Decoder)
    return model
