"""python -m jobs.bench sandbox [--workers 2] [--runs 96] [--rounds 5]

Runs per second and overhead of the sandbox against running programs without isolation. Needs no Ray.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.bench.report import write

HELP = "the sandbox against running programs without isolation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=2, help="runs at once, on each side")
    parser.add_argument("--runs", type=int, default=96, help="runs per round and side; of pytest suites, a fourth")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each side has")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time every side on scripts and on pytest suites and print the tables; returns what is written as JSON."""
    from cetd.evaluation.bench_sandbox import compare
    from cetd.evaluation.provenance import provenance

    workers, runs, rounds = arguments.workers, arguments.runs, arguments.rounds
    results = {
        "script": compare("script", workers, runs, rounds),
        "pytest": compare("pytest", workers, runs // 4, rounds),
    }
    report = {"benchmark": "sandbox", "results": results, **provenance()}
    write(report)
    for kind, result in results.items():
        load = " to ".join(f"{one:.1f}" for one in result["load"])
        title = f"{kind} suites, {workers} runs at once, and their overhead in ms; load average {load}"
        table = Table(title=title, title_justify="left")
        for column in ("side", "runs/s", "p50", "p95", "p99", "sandbox is"):
            table.add_column(column, justify="right", no_wrap=True)
        for side, figures in result["sides"].items():
            overheads = [f"{milliseconds:.1f}" for milliseconds in figures["overhead_ms"].values()]
            ratio = f"{result['ratios'][side]:.1f} x" if side in result["ratios"] else ""
            table.add_row(side, f"{figures['runs_per_s']:.1f}", *overheads, ratio)
        Console().print(table)
    return report
