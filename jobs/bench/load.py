"""python -m jobs.bench load --attacks tests/sandbox/attacks [--runs 10000] [--seed 0]

Ten thousand runs of the sandbox, a fifth of them hostile: outcomes, leaks, speed at the end against that at the start;
the exit status is 1 when one is not as it has to be. Needs no Ray.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from jobs.bench.report import write

HELP = "the sandbox under a load that is hostile in parts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--attacks", type=Path, required=True, help="folder of FAMILY/NAME.py, hostile programs")
    parser.add_argument("--runs", type=int, default=10_000, help="runs in all; a multiple of 100")
    parser.add_argument("--seed", type=int, default=0, help="which attacks and programs, and in which order")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Put the sandbox under load and print what came of it; returns what is written as JSON.

    Raises:
        ValueError: the corpus or the number of runs is not as it has to be.
        SystemExit: what came of it is not as it has to be.
    """
    from cetd.evaluation import sandbox_load
    from cetd.evaluation.provenance import provenance

    runs = arguments.runs
    with Progress(
        *Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("{task.completed} runs")
    ) as progress:
        task = progress.add_task("sandbox", total=runs)
        found = sandbox_load.load(arguments.attacks, runs, arguments.seed, lambda: progress.advance(task))
    report = {"benchmark": "load", "seed": arguments.seed, **found, **provenance()}
    write(report)
    busy = " to ".join(f"{one:.1f}" for one in found["load"])
    table = Table(title=f"{runs} runs in {found['seconds']:.0f} s; load average {busy}", title_justify="left")
    for column in ("held by", "when", *next(iter(found["held"].values()))["before"]):
        table.add_column(column.replace("_", ", "), justify="right")
    for who, held in found["held"].items():
        for when, figures in held.items():
            table.add_row(who, when, *(f"{figure:,}" for figure in figures.values()))
    console = Console()
    console.print(table)
    console.print("runs/s by tenth:", " ".join(f"{speed:.1f}" for speed in found["runs_per_s"]))
    for one in found["unexpected"]:
        console.print(f"{one['name']}: {one['came_to']} instead of {' or '.join(one['expects'])}", markup=False)
    console.print("\n".join(found["complaints"]) or "every outcome as expected, nothing left, no slower", markup=False)
    if found["complaints"]:
        raise SystemExit(1)
    return report
