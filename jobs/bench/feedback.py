"""python -m jobs.bench feedback [--config configs/feedback/demo.yaml] [--iterations 30] [section.field=value …]

Rollouts per second of the streaming loop against the synchronous loop, on the same models, apps and machine.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config import FeedbackJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs import ROOT
from jobs.bench.report import write

HELP = "the streaming loop against the synchronous loop"
FIGURES = ("rollouts_per_s", "efficiency", "busy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=Path("configs/feedback/demo.yaml"))
    parser.add_argument("--iterations", type=int, default=30, help="policy updates per mode")
    parser.add_argument("overrides", nargs="*", metavar="section.field=value")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time both modes of the loop and print the table; returns what is written as JSON."""
    iterations = arguments.iterations
    # The policy stands still, so that both modes have the same rollouts to make: a better one makes faster work.
    shared = ["learner.optimizer.learning_rate=1e-12", *arguments.overrides]
    shared += [f"loop.iterations={iterations}", f"loop.checkpoint_every={iterations}"]
    streaming = configuration.load(FeedbackJobConfig, arguments.config, [*shared, "run.name=bench-streaming"])
    synchronous = configuration.load(
        FeedbackJobConfig, arguments.config, [*shared, "run.name=bench-synchronous", "loop.max_staleness=0"]
    )
    root = runs_root(streaming.run.root)
    results = {"synchronous": _timed(synchronous, root), "streaming": _timed(streaming, root)}
    ratio = results["streaming"]["rollouts_per_s"] / results["synchronous"]["rollouts_per_s"]
    report = {"benchmark": "feedback", "iterations": iterations, "results": results, "ratio": ratio}
    write(report, root)
    _print(results, ratio)
    return report


def _timed(config: FeedbackJobConfig, root: Path) -> dict[str, Any]:
    from actors import feedback_run
    from actors.cluster import connected, wanted

    with RunFolder(root, config.run.name) as folder:
        folder.clear()
        folder.adopt(config)
        apps = feedback_run.check(config)
        with connected(*wanted(config), ROOT):
            summary = asyncio.run(feedback_run.run(config, apps, folder, root))
    return {figure: summary[figure] for figure in (*FIGURES, "revision", "hardware")}


def _print(results: dict[str, dict[str, Any]], ratio: float) -> None:
    table = Table(title="The loop's steady state", title_justify="left")
    for column in ("mode", "rollouts/s", "efficiency", *next(iter(results.values()))["busy"]):
        table.add_column(column, justify="right")
    for mode, figures in results.items():
        busy = [f"{share:.0%}" for share in figures["busy"].values()]
        table.add_row(mode, f"{figures['rollouts_per_s']:.1f}", f"{figures['efficiency']:.2f}", *busy)
    console = Console()
    console.print(table)
    console.print(f"streaming / synchronous: {ratio:.2f} x the rollouts per second")
