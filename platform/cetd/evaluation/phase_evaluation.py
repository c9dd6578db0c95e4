"""Evaluating a trained model of phase 1 or 2 against its baselines, on rows that it has not learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from cetd.config.train import TrainJobConfig
from cetd.data.pairs import DataError, read_table
from cetd.data.phases.phase1 import phase1_schema
from cetd.data.phases.phase2 import phase2_schema
from cetd.data.tokenizer import Tokenizer
from cetd.evaluation.provenance import provenance
from cetd.models import huggingface
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.seeds import derive

SHOWN = 8
Row = dict[str, Any]
Told = Callable[[str], None]


@dataclass(frozen=True)
class Table:
    """Figures to look at: a title, a note that explains them, the head, and rows of texts."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Shown:
    """A row in full: its name, a verdict, and its texts under their headings."""

    name: str
    verdict: str
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Evaluation:
    """What came of it; ``figures`` are plain values, by ranker or writer."""

    phase: int
    split: str
    rows: int
    figures: Mapping[str, Any]
    tables: tuple[Table, ...]
    examples: tuple[Shown, ...]

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "phase": self.phase,
            "split": self.split,
            "rows": self.rows,
            "figures": self.figures,
            "examples": [vars(one) for one in self.examples],
            **provenance(),
        }


def evaluate_phase(model_folder: Path, config: TrainJobConfig, split: str, limit: int, told: Told) -> Evaluation:
    """Evaluate the model of a training run on at most ``limit`` rows of its training or validation data.

    Raises:
        ValueError: there is no such data, or it lacks what evaluation needs; the model cannot be read.
    """
    from cetd.evaluation import phase1_evaluation, phase2_evaluation

    schema = phase1_schema if config.phase == 1 else phase2_schema
    rows = _rows(config.data.validation if split == "validation" else config.data.train, split, schema.names, limit)
    assert config.data.train, "runs of generated pairs have no rows of a phase"
    baseline_columns = ["input", "answers", "label", "bm25_scores"] if config.phase == 1 else ["input", "target"]
    training = read_table(config.data.train, baseline_columns).to_pylist()
    model = huggingface.load(model_folder)
    assert isinstance(model, EncoderDecoder), "the configuration says so"
    tokenizer = Tokenizer.load(model_folder)
    evaluate = phase1_evaluation.evaluate if config.phase == 1 else phase2_evaluation.evaluate
    return evaluate(model.eval(), tokenizer, rows, training, config, split, told)


def chosen(count: int, limit: int) -> list[int]:
    """At most ``limit`` of ``count`` indices in their order: always the same, and no pattern of the rows' order."""
    return sorted(Random(derive("evaluation", count)).sample(range(count), min(count, limit)))


def percent(value: float | None) -> str:
    """A share as it stands in a table; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def _rows(path: Path | None, split: str, columns: Sequence[str], limit: int) -> list[Row]:
    if path is None:
        raise DataError(f"data.{split}: the run has none, so there is nothing to evaluate on; make it with jobs.data")
    table = read_table(path, list(columns))
    if not table.num_rows:
        raise DataError(f"{path}: no rows; there is nothing to evaluate on")
    return table.take(chosen(table.num_rows, limit)).to_pylist()
