"""python -m jobs.bench data [--sizes 1 4 16] [--megabytes 1.5]

Memory and speed of jobs.data as its corpus grows.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.bench.report import write

HELP = "memory and speed of jobs.data as its corpus grows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 4, 16], help="corpora, as multiples of the smallest"
    )
    parser.add_argument("--megabytes", type=float, default=1.5, help="size of the smallest")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make a corpus of each size and print the table; returns what is written as JSON."""
    from cetd.evaluation.bench_corpus import grow
    from cetd.evaluation.provenance import provenance

    results = grow(arguments.sizes, arguments.megabytes, [sys.executable, "-m", "jobs.data"])
    report = {"benchmark": "data", "megabytes": arguments.megabytes, "results": results, **provenance()}
    write(report)
    table = Table(title="The most memory that a process had, in MiB", title_justify="left")
    for column in ("corpus", "documents", "MB", "seconds", "MB/s", *results[0]["peak_mib"]):
        table.add_column(column, justify="right")
    for one in results:
        figures = f"{one['size']} x", f"{one['documents']:,}", f"{one['megabytes']:.1f}", f"{one['seconds']:.0f}"
        peaks = (f"{peak:.0f}" for peak in one["peak_mib"].values())
        table.add_row(*figures, f"{one['megabytes'] / one['seconds']:.2f}", *peaks)
    Console().print(table)
    return report
