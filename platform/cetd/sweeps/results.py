"""What a sweep has come to: a row per trial, from the ledger and the trials' metrics; ``results.parquet``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet

from cetd import durable
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.sweeps.cells import Cell, Plan
from cetd.sweeps.ledger import Event

RESULTS_FILE = "results.parquet"

Status = Literal["finished", "stopped", "failed", "no shape", "not tried", "unfinished"]


@dataclass(frozen=True)
class Row:
    """A trial. ``stopped``: halving left it at a rung; ``not tried``: the search proposed other cells.

    Ratios are those asked, ``achieved_…`` those of the shape. ``validation_loss`` is the sweep's metric at the highest
    rung, from 0, that the trial has come to; ``tokens`` and ``seconds`` are what was trained.
    """

    trial: str
    embedding_ratio: float
    glu_expansion: float
    tied_lm_head: bool
    learning_rate: float
    seed: int
    status: Status
    validation_loss: float | None = None
    rung: int | None = None
    tokens: int = 0
    seconds: float = 0.0
    tokens_per_s: float | None = None
    total_params: int | None = None
    achieved_embedding_ratio: float | None = None
    achieved_glu_expansion: float | None = None
    d_model: int | None = None
    d_ff: int | None = None
    n_layers: int | None = None
    error: str = ""
    cell: str = ""
    losses: tuple[float, ...] = ()  # at each rung
    suite: Mapping[str, float] = field(default_factory=dict)


def rows(plan: Plan, events: Sequence[Event], suite: Mapping[str, Mapping[str, float]] | None = None) -> list[Row]:
    """A row per trial in the grid's order; ``suite`` has scores by trial."""
    of_trial: dict[str, list[Event]] = {}
    for event in events:
        of_trial.setdefault(event.segment.trial, []).append(event)
    over = {event.segment for event in events if event.kind == "ended"} >= {event.segment for event in events}
    return [
        _row(plan, cell, seed, of_trial.get(f"{cell.name}-s{seed}", []), over, suite or {})
        for cell in plan.cells.values()
        for seed in range(plan.config.seeds)
    ]


def write_results(folder: Path, written: Iterable[Row], tasks: Sequence[str] = ()) -> Path:
    """Write ``results.parquet``, the suite's scores in columns ``suite_…``; returns its path.

    Raises:
        OSError: the disk is full.
    """
    columns = _COLUMNS | {f"suite_{task}": pa.float64() for task in tasks}
    records = []
    for row in written:
        values = asdict(row)
        records.append({**values, **{f"suite_{task}": row.suite.get(task) for task in tasks}})
    table = pa.Table.from_pylist(records, schema=pa.schema(list(columns.items())))
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    durable.write_bytes(folder / RESULTS_FILE, sink.getvalue().to_pybytes())
    return folder / RESULTS_FILE


def curves(trial: Path, tokens_per_step: float) -> dict[str, list[tuple[float, float | None]]]:
    """(tokens, value) of ``loss`` and ``validation_loss`` as the trial logged them; empty where it logged nothing."""
    path = trial / METRICS_FILE
    lines = read_metrics(path) if path.exists() else []
    return {
        name: [(line["iteration"] * tokens_per_step, line[name]) for line in lines if name in line]
        for name in ("loss", "validation_loss")
    }


def _row(
    plan: Plan, cell: Cell, seed: int, events: list[Event], over: bool, suite: Mapping[str, Mapping[str, float]]
) -> Row:
    shape, name = plan.shapes[cell.name], f"{cell.name}-s{seed}"
    ended = [event for event in events if event.kind == "ended"]
    losses = tuple(event.loss for event in ended if math.isfinite(event.loss))
    rung = len(losses) - 1 if losses else None
    error = next((event.error for event in ended if event.error), "")
    steps, seconds = sum(event.steps for event in ended), sum(event.seconds for event in ended)
    tokens = steps * plan.tokens_per_step
    achieved: dict[str, Any] = {}
    if shape:
        achieved = {
            "total_params": shape.total,
            "achieved_embedding_ratio": shape.embedding_ratio,
            "achieved_glu_expansion": shape.glu_expansion,
            "d_model": shape.d_model,
            "d_ff": shape.d_ff,
            "n_layers": shape.n_layers,
        }
    return Row(
        trial=name,
        **asdict(cell),
        seed=seed,
        status=_status(shape is not None, bool(events), bool(error), rung, len(plan.steps) - 1, over),
        validation_loss=losses[-1] if losses else None,
        rung=rung,
        tokens=tokens,
        seconds=seconds,
        tokens_per_s=tokens / seconds if seconds else None,
        **achieved,
        error=error,
        cell=cell.name,
        losses=losses,
        suite=suite.get(name, {}),
    )


def _status(shape: bool, tried: bool, failed: bool, rung: int | None, last: int, over: bool) -> Status:
    if not shape:
        return "no shape"
    if failed:
        return "failed"
    if rung == last:
        return "finished"
    if not over:
        return "unfinished"
    return "stopped" if tried else "not tried"


_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "Status": pa.string()}
_COLUMNS = {
    one.name: _TYPES[str(one.type).removesuffix(" | None")]
    for one in fields(Row)
    if one.name not in ("losses", "suite")
} | {"losses": pa.list_(pa.float64())}
