"""The page of a sweep: heat maps, the ranking, what was asked and achieved, curves, cost, and the winner's command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from cetd import durable
from cetd.evaluation.report.charts import Series, line_chart
from cetd.evaluation.report.heat_map import Square, heat_map
from cetd.evaluation.report.layout import cards, section, tile
from cetd.evaluation.report.markup import Html, element
from cetd.evaluation.report.page import document
from cetd.sweeps.cells import Plan
from cetd.sweeps.ranking import Standing, confidence
from cetd.sweeps.results import Row, curves

COLOURS = ("--s1", "--s2", "--s3", "--s4", "--s5", "--s6")
LEFT_BEHIND = "--line"
MOST_CURVES = 24


@dataclass(frozen=True)
class Sweep:
    """What the page shows. ``command`` trains the winner; ``made`` is its provenance."""

    plan: Plan
    rows: Sequence[Row]
    standings: Sequence[Standing]
    tasks: Sequence[str]
    command: str
    made: Mapping[str, Any]


def write_sweep_report(folder: Path, sweep: Sweep) -> Path:
    """Write ``report.html`` into the sweep's folder; returns its path.

    Raises:
        OSError: the page cannot be written.
    """
    config = sweep.plan.config
    header = element(
        "header",
        element("h1", folder.name),
        element(
            "p", f"Sweep of {config.budget.total_params:,} parameters · {how(sweep.plan)} · seed {config.run.seed}"
        ),
        _glance(sweep),
    )
    parts = [
        _maps(sweep),
        _ranking(sweep),
        _shapes(sweep),
        _curves(sweep, folder / "trials"),
        _cost(sweep),
        _failures(sweep),
        section("Train the winner", element("pre", sweep.command, class_="code prose")),
    ]
    told = element(
        "details",
        element("summary", "Code, versions, hardware"),
        element("pre", json.dumps(dict(sweep.made), indent=2)),
    )
    page = document(f"{folder.name}: sweep", header, element("main", *parts), element("footer", told))
    durable.write_text(folder / "report.html", f"<!doctype html>\n{page}\n")
    return folder / "report.html"


def how(plan: Plan) -> str:
    """Search and scheduler in words."""
    config = plan.config
    search = "cells proposed by TPE" if config.search == "optuna" else "the full grid"
    rungs = ", ".join(f"{plan.tokens(rung):,}" for rung in range(len(plan.steps)))
    halving = f"ASHA, 1 of {config.asha.reduction} goes on at each rung" if config.scheduler == "asha" else "no halving"
    return f"{search} · {halving} · rungs at {rungs} tokens · {config.seeds} seed{'s' * (config.seeds > 1)}"


def told_confidence(standings: Sequence[Standing]) -> str:
    """The confidence that the first differs from the second, in words, or why there is none."""
    if len(standings) < 2:
        return "no second cell"
    found = confidence(*standings[:2])
    if found is None:
        fewest = min(len(one.losses[min(one.rung, standings[1].rung)]) for one in standings[:2])
        return "none can be given with one seed" if fewest < 2 else "none can be given: the seeds agree exactly"
    return f"{found:.1%}"


def _glance(sweep: Sweep) -> Html:
    first = sweep.standings[0]
    row = first.rows[0]
    tokens, seconds = sum(row.tokens for row in sweep.rows), sum(row.seconds for row in sweep.rows)
    name = f"embedding {row.embedding_ratio:g}, GLU {row.glu_expansion:g}"
    return element(
        "div",
        tile("Best cell", name, first.cell),
        tile("Validation loss", f"{first.mean:.4f}", _spread(first.spread)),
        tile("First before second", told_confidence(sweep.standings), "Welch's t-test over seeds"),
        tile("Tokens trained", f"{tokens:,}", f"{tokens / _grid_tokens(sweep):.0%} of the full grid's"),
        tile("Seconds trained", f"{seconds:,.0f}", "added over trials"),
        class_="tiles",
    )


def _grid_tokens(sweep: Sweep) -> int:
    return len(sweep.plan.possible) * sweep.plan.config.seeds * sweep.plan.tokens(len(sweep.plan.steps) - 1)


def _spread(spread: float | None) -> str:
    return "one seed" if spread is None else f"± {spread:.4f} over seeds"


def _maps(sweep: Sweep) -> Html:
    """One for each rung, the last first, and each combination of head and learning rate."""
    drawn = []
    for rung in reversed(range(len(sweep.plan.steps))):
        for (tied, rate), members in groupby(_by_head(sweep.rows), _head):
            apart = f", {'tied' if tied else 'untied'} head, rate {rate:g}" if len(_heads(sweep.rows)) > 1 else ""
            drawn.append(_map(f"After {sweep.plan.tokens(rung):,} tokens{apart}", rung, list(members)))
    return section("Validation loss", cards(*drawn))


def _head(row: Row) -> tuple[bool, float]:
    return row.tied_lm_head, row.learning_rate


def _by_head(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=_head)


def _heads(rows: Sequence[Row]) -> set[tuple[bool, float]]:
    return {_head(row) for row in rows}


def _map(title: str, rung: int, rows: Sequence[Row]) -> Html:
    squares: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        squares.setdefault((f"{row.embedding_ratio:g}", f"{row.glu_expansion:g}"), []).append(row)
    return heat_map(
        title,
        list(dict.fromkeys(down for down, _ in squares)),
        list(dict.fromkeys(across for _, across in squares)),
        {place: _square(members, rung) for place, members in squares.items()},
        down="embedding ratio",
        across="GLU expansion",
        note="Mean over seeds ± standard deviation; the stronger the colour, the lower the loss.",
    )


def _square(members: Sequence[Row], rung: int) -> Square:
    losses = [row.losses[rung] for row in members if len(row.losses) > rung]
    if not losses:
        told = members[0].status if members[0].status in ("no shape", "not tried", "failed") else "not promoted"
        return Square(None, (told,), members[0].error)
    spread = f"± {stdev(losses):.3f}" if len(losses) > 1 else "1 seed"
    told = ", ".join(f"seed {row.seed}: {row.losses[rung]:.4f}" for row in members if len(row.losses) > rung)
    return Square(fmean(losses), (f"{fmean(losses):.3f}", spread), told)


def _ranking(sweep: Sweep) -> Html:
    head = ["", "cell", "tokens", "validation loss", "spread", "seeds", *sweep.tasks]
    table = [_line("th", head)]
    for number, one in enumerate(sweep.standings, start=1):
        spread = "–" if one.spread is None else f"{one.spread:.4f}"
        tokens = f"{sweep.plan.tokens(one.rung):,}"
        cells = [str(number), one.cell, tokens, f"{one.mean:.4f}", spread, str(len(one.losses[-1]))]
        scores = [_mean_score(one, task) for task in sweep.tasks]
        table.append(_line("td", [*cells, *scores]))
    said = told_confidence(sweep.standings)
    note = (
        f"Cells that came further stand first. Confidence that the first has a lower loss than the second: {said} "
        "(1 - p of Welch's one-sided t-test over seeds, at the highest rung of both)."
    )
    suite = (
        "Perplexity: lower is better. The others are shares of items: the next token where it is a name, the bracket "
        "that closes (chance 33 %), the second of two equal random sequences, the true continuation of four (25 %)."
    )
    notes = [element("p", note, class_="note"), element("p", suite, class_="note") if sweep.tasks else None]
    return section("Ranking", element("div", element("table", *table), *notes, class_="card scroll"))


def _line(tag: str, values: Sequence[str]) -> Html:
    return element("tr", *(element(tag, value, class_=None if at == 1 else "n") for at, value in enumerate(values)))


def _mean_score(one: Standing, task: str) -> str:
    found = [row.suite[task] for row in one.rows if task in row.suite]
    if not found:
        return "–"
    return f"{fmean(found):.2f}" if task == "perplexity" else f"{fmean(found):.1%}"


def _shapes(sweep: Sweep) -> Html:
    head = [
        "",
        "cell",
        "embedding asked",
        "achieved",
        "GLU asked",
        "achieved",
        "parameters",
        "d_model",
        "d_ff",
        "layers",
    ]
    table = [_line("th", head)]
    for name, cell in sweep.plan.cells.items():
        shape = sweep.plan.shapes[name]
        asked = f"{cell.embedding_ratio:.3f}", f"{cell.glu_expansion:.2f}"
        if shape is None:
            table.append(_line("td", ["", name, asked[0], "no shape", asked[1], "no shape", "–", "–", "–", "–"]))
            continue
        achieved = f"{shape.embedding_ratio:.3f}", f"{shape.glu_expansion:.2f}"
        counts = [f"{shape.total:,}", *(str(count) for count in (shape.d_model, shape.d_ff, shape.n_layers))]
        table.append(_line("td", ["", name, asked[0], achieved[0], asked[1], achieved[1], *counts]))
    note = element("p", alike, class_="note") if (alike := _alike(sweep.plan)) else None
    return section("Asked and achieved", element("div", element("table", *table), note, class_="card scroll"))


def _alike(plan: Plan) -> str:
    """Which cells came to be the same model: a small budget has few shapes."""
    groups: dict[tuple, list[str]] = {}
    for name, shape in plan.shapes.items():
        if shape:
            built = shape.d_model, shape.d_ff, shape.n_layers
            groups.setdefault((*built, plan.cells[name].tied_lm_head, plan.cells[name].learning_rate), []).append(name)
    same = [" = ".join(names) for names in groups.values() if len(names) > 1]
    return f"Cells of one and the same shape: {'; '.join(same)}." if same else ""


def _curves(sweep: Sweep, trials: Path) -> Html:
    validation, training = [], []
    last = sweep.plan.tokens(len(sweep.plan.steps) - 1)
    unit, across = (1e6, "million tokens") if last >= 5e6 else (1e3, "thousand tokens")
    for place, one in reversed(list(enumerate(sweep.standings[:MOST_CURVES]))):
        colour = COLOURS[place] if place < len(COLOURS) else LEFT_BEHIND
        name = one.cell if place < len(COLOURS) else "other cells"
        for row in one.rows:
            logged = curves(trials / row.trial, sweep.plan.tokens_per_step / unit)
            validation.append(Series(name, colour, logged["validation_loss"], smooth=False))
            training.append(Series(name, colour, logged["loss"]))
    note = "A line per trial; the best six cells are coloured."
    return section(
        "Loss against tokens",
        cards(
            line_chart("Validation loss", validation[::-1], note, across=across, bounds=_bounds(validation)),
            line_chart("Training loss", training[::-1], note, across=across, bounds=_bounds(training)),
        ),
    )


def _bounds(series: Sequence[Series]) -> tuple[float, float] | None:
    values = [value for one in series for _, value in one.points if value is not None]
    return (min(values), max(values)) if values else None


def _cost(sweep: Sweep) -> Html:
    table = [_line("th", ["", "rung", "cells", "trials", "tokens of each"])]
    for rung in range(len(sweep.plan.steps)):
        there = [row for row in sweep.rows if len(row.losses) > rung]
        cells = len({row.cell for row in there})
        table.append(_line("td", ["", str(rung + 1), str(cells), str(len(there)), f"{sweep.plan.tokens(rung):,}"]))
    tokens, seconds = sum(row.tokens for row in sweep.rows), sum(row.seconds for row in sweep.rows)
    said = (
        f"{tokens:,} tokens in {seconds:,.0f} s of trials; the full grid takes {_grid_tokens(sweep):,}. "
        f"{tokens / seconds if seconds else 0:,.0f} tokens/s in a trial."
    )
    return section(
        "Cost", element("div", element("table", *table), element("p", said, class_="note"), class_="card scroll")
    )


def _failures(sweep: Sweep) -> Html | None:
    failed = [row for row in sweep.rows if row.error]
    if not failed:
        return None
    lines = [element("p", f"{row.trial}: {row.error}", class_="failing") for row in failed]
    return section("Failed trials", element("div", *lines, class_="card"))
