"""The pages of a training job: the curves of a run, and the learning-rate range test."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cetd import durable
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.evaluation.report.charts import Series, line_chart
from cetd.evaluation.report.layout import cards, section, tile
from cetd.evaluation.report.markup import Html, element
from cetd.evaluation.report.page import document

STEPS = "optimizer steps"


def write_training_report(run_folder: Path, summary: Mapping[str, Any]) -> Path:
    """Write ``report.html`` into a training run's folder; returns its path.

    Raises:
        ValueError: the metrics cannot be read.
        OSError: the page cannot be written.
    """
    lines = read_metrics(run_folder / METRICS_FILE)
    name = run_folder.name
    header = element(
        "header", element("h1", name), element("p", f"Training, phase {summary['phase']}"), _glance(summary)
    )
    made = json.dumps({key: summary[key] for key in ("revision", "versions", "hardware", "placement")}, indent=2)
    footer = element("footer", element("details", element("summary", "Code, versions, hardware"), element("pre", made)))
    return _written(
        run_folder / "report.html", document(f"{name}: training", header, element("main", curves(lines)), footer)
    )


def write_rate_report(run_folder: Path, points: Sequence[tuple[float, float]], suggested: float) -> Path:
    """Write ``lr-finder.html``: the loss over the learning rate, and the rate that is suggested; returns its path.

    Raises:
        OSError: the page cannot be written.
    """
    curve = [(math.log10(rate), loss) for rate, loss in points]
    chart = line_chart(
        "Loss while the rate rises", [Series("loss", "--s1", curve)], across="log10 of the learning rate"
    )
    tiles = element(
        "div", tile("Suggested learning rate", f"{suggested:.2g}", "where the loss falls fastest"), class_="tiles"
    )
    header = element("header", element("h1", run_folder.name), element("p", "Learning-rate range test"), tiles)
    page = document(
        f"{run_folder.name}: learning rate",
        header,
        element("main", section("The range test", cards(chart, small=True))),
    )
    return _written(run_folder / "lr-finder.html", page)


def _glance(summary: Mapping[str, Any]) -> Html:
    best = summary["best_loss"]
    return element(
        "div",
        tile("Loss", f"{summary['loss']:.4f}", f"{summary['status']} at step {summary['step']}"),
        tile("Best validation loss", "–" if best is None else f"{best:.4f}", f"at step {summary['best_step']}"),
        tile("Tokens per second", f"{summary['tokens_per_s']:,.0f}", _workers(len(summary["placement"]))),
        class_="tiles",
    )


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def curves(lines: Sequence[Mapping[str, Any]]) -> Html:
    """The section of a training run's curves, from the lines of its metrics."""

    def series(name: str, figure: str, colour: str = "--s1", marks: bool = False, smooth: bool = False) -> Series:
        points = [(line["iteration"], line[figure]) for line in lines if figure in line]
        return Series(name, colour, points, marks=marks, smooth=smooth)

    losses = [series("training", "loss", smooth=True), series("validation", "validation_loss", "--s2", marks=True)]
    return section(
        "Curves",
        cards(
            line_chart("Loss", losses, "Mean over the learned tokens.", across=STEPS),
            line_chart("Learning rate", [series("learning rate", "learning_rate")], across=STEPS),
            line_chart(
                "Gradient norm", [series("gradient norm", "grad_norm", smooth=True)], "Before clipping.", across=STEPS
            ),
            line_chart("Tokens per second", [series("tokens/s", "tokens_per_s")], across=STEPS),
            small=True,
        ),
    )


def _written(path: Path, page: Html) -> Path:
    durable.write_text(path, f"<!doctype html>\n{page}\n")
    return path
