"""``evaluation.html``: the figures of phase 1 or 2 against their baselines, the training's curves, and rows in full."""

from __future__ import annotations

import json
from pathlib import Path

from cetd import durable
from cetd.evaluation.metrics import METRICS_FILE, read_metrics
from cetd.evaluation.phase_evaluation import Evaluation, Shown, Table
from cetd.evaluation.provenance import provenance
from cetd.evaluation.report.layout import section
from cetd.evaluation.report.markup import Html, cut, element
from cetd.evaluation.report.page import document
from cetd.evaluation.report.training import curves

_TITLES = {1: "Phase 1, subject expertise", 2: "Phase 2, context transformation"}


def write_evaluation_report(run_folder: Path, evaluation: Evaluation) -> Path:
    """Write ``evaluation.html`` into a training run's folder; returns its path. Without metrics there are no curves.

    Raises:
        ValueError: the metrics cannot be read.
        OSError: the page cannot be written.
    """
    metrics = run_folder / METRICS_FILE
    subtitle = f"{_TITLES[evaluation.phase]}: {evaluation.rows} {evaluation.split} rows"
    header = element("header", element("h1", run_folder.name), element("p", subtitle))
    shown = [_example(one, number == 0) for number, one in enumerate(evaluation.examples)]
    parts = [
        *(_table(table) for table in evaluation.tables),
        *([curves(read_metrics(metrics))] if metrics.exists() else []),
        section("Rows in full", *shown),
    ]
    made = element("pre", json.dumps(provenance(), indent=2))
    footer = element("footer", element("details", element("summary", "Code, versions, hardware"), made))
    page = document(f"{run_folder.name}: evaluation", header, element("main", *parts), footer)
    path = run_folder / "evaluation.html"
    durable.write_text(path, f"<!doctype html>\n{page}\n")
    return path


def _table(table: Table) -> Html:
    head = element("tr", *(element("th", name) for name in table.head))
    rows = [element("tr", *(element("td", text) for text in row)) for row in table.rows]
    return section(table.title, element("p", table.note, class_="note"), element("table", head, *rows))


def _example(one: Shown, is_first: bool) -> Html:
    summary = element("summary", element("b", one.name), element("span", one.verdict, class_="value"))
    blocks = [
        element("div", element("h4", title), element("pre", cut(text), class_="code"))
        for title, text in one.texts.items()
    ]
    return element("details", summary, element("div", *blocks, class_="two"), class_="app card", open=is_first)
