"""python -m jobs.bench tp [--degrees 2 3] [--steps 3] [--rounds 2]

Tensor parallelism against DeepSpeed's AutoTP: weights, communication, tokens per second, deviation. Needs no Ray.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.bench.report import write

HELP = "tensor parallelism against DeepSpeed's AutoTP"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--degrees", type=int, nargs="+", default=[2, 3], help="processes that hold a model")
    parser.add_argument("--steps", type=int, default=3, help="timed steps per round and side")
    parser.add_argument("--rounds", type=int, default=2, help="turns that each side has")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train both sides at each degree and print the table; returns what is written as JSON."""
    from cetd.evaluation.bench_parallel import SHAPE, SIDES, compare
    from cetd.evaluation.provenance import provenance

    steps, rounds = arguments.steps, arguments.rounds
    results = {str(degree): compare(SHAPE, degree, steps, rounds) for degree in arguments.degrees}
    report = {"benchmark": "tp", "steps": steps, "rounds": rounds, "results": results, **provenance()}
    write(report)
    table = Table(title="Tensor parallelism", title_justify="left")
    table.add_column("")
    shown: list[list[str]] = []
    for degree, result in results.items():
        for side in SIDES:
            table.add_column(f"{side}, {degree}", justify="right")
            shown.append(_figures(result[side], result["whole"], result["least"]))
    labels = "weights, MB", "of the whole", "sent, MB", "of the least", "tokens/s", "deviation", "with dropout"
    for label, *figures in zip(labels, *shown, strict=True):
        table.add_row(label, *figures)
    Console().print(table)
    return report


def _figures(one: dict[str, Any], whole: int, least: int) -> list[str]:
    return [
        " ".join(f"{weights / 1e6:.0f}" for weights in one["weights"]),
        f"{max(one['weights']) / whole:.0%}",
        f"{one['sent'] / 1e6:.1f}",
        f"{one['sent'] / least:.2f} x",
        f"{one['tokens_per_s']:,.0f}",
        *(f"{one[name]:.1e}" for name in ("deviation", "deviation_with_dropout")),
    ]
