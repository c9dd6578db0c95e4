"""python -m jobs.bench sweep [--config configs/sweep/bench.yaml] [section.field=value …]

Tokens of successive halving against the full grid, and whether it finds the grid's best cell; the exit status is 1 when
it does not, or not for a third of the tokens.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config.sweep import SweepJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs.bench.report import write

HELP = "successive halving against the full grid"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("configs/sweep/bench.yaml"))
    parser.add_argument("overrides", nargs="*", metavar="section.field=value")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the full grid and successive halving anew and print both; returns what is written as JSON.

    Raises:
        ValueError: the data or the configuration cannot be used, or trials failed.
        SystemExit: halving has not found the best cell, or not for a third of the tokens.
    """
    from cetd.evaluation.bench_sweep import ALLOWED, compare
    from cetd.evaluation.provenance import provenance
    from jobs import sweep

    begun, ran = time.monotonic(), {}
    for name, scheduler in (("grid", "none"), ("asha", "asha")):
        given = [*arguments.overrides, f"scheduler={scheduler}", f"run.name=bench-sweep-{name}"]
        config = configuration.load(SweepJobConfig, arguments.config, given)
        with RunFolder(runs_root(config.run.root), config.run.name) as folder:
            folder.clear()
            folder.adopt(config)
            ran[name] = sweep.run(config, sweep.packed_folder(config), folder)
    report = {"benchmark": "sweep", **compare(ran["grid"], ran["asha"]), "wall_s": time.monotonic() - begun}
    write({**report, **provenance()}, config.run.root)
    table = Table(title=f"Sweep of {len(report['means'])} cells, {config.seeds} seeds", title_justify="left")
    for column in ("", "tokens", "seconds", "best cell", "its grid loss"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in ("grid", "asha"):
        best = report[f"{name}_best"]
        figures = f"{report['tokens'][name]:,}", f"{report['seconds'][name]:,.0f}"
        table.add_row(name, *figures, best["cell"], f"{report['means'][best['cell']]:.4f}")
    console = Console()
    console.print(table)
    console.print(
        f"asha / grid: {report['ratio']:.1%} of the tokens (at most {ALLOWED:.0%}); its cell is number "
        f"{report['rank']} of the grid, {report['gap']:.4f} above the best, whose spread is {report['spread']:.4f}"
    )
    if not (report["found"] and report["cheap"]):
        raise SystemExit(1)
    return report
