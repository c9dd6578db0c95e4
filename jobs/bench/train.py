"""python -m jobs.bench train [--shapes cetd-512 …] [--steps 3] [--rounds 2] [--compile]

Tokens per second of this trainer against Hugging Face's T5 and Llama with a plain loop. Needs no Ray.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from jobs.bench.report import write

HELP = "this trainer against Hugging Face's models with a plain loop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shapes", nargs="+", help="cetd-512 lm-512 (on a CPU) cetd-1b lm-1b (on a GPU)")
    parser.add_argument("--steps", type=int, default=3, help="timed steps per round and side")
    parser.add_argument("--rounds", type=int, default=2, help="turns that each side has")
    parser.add_argument("--compile", action="store_true", help="try torch.compile for both sides as well")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time both sides on each shape, by default the device's, and print the table; returns what is written as JSON.

    Raises:
        ValueError: a shape is not known.
    """
    import torch

    from cetd.evaluation.bench_training import ON_CPU, ON_GPU, SHAPES, compare
    from cetd.evaluation.provenance import provenance

    steps, rounds = arguments.steps, arguments.rounds
    names = arguments.shapes or (ON_GPU if torch.cuda.is_available() else ON_CPU)
    if unknown := set(names) - set(SHAPES):
        raise ValueError(f"shapes: {min(unknown)!r} is not known; known: {', '.join(SHAPES)}")
    results = {name: compare(SHAPES[name], steps, rounds, arguments.compile) for name in names}
    report = {"benchmark": "train", "steps": steps, "rounds": rounds, "results": results, **provenance()}
    write(report)
    table = Table(title="Training", title_justify="left")
    for column in ("shape", "side", "way", "tokens/s", "step", "peak memory", "MFU", "ratio"):
        table.add_column(column, justify="right")
    for name, result in results.items():
        for side in ("ours", "hugging_face"):
            one = result[side]
            ratio = f"{result['ratio']:.2f}" if side == "ours" else ""
            figures = f"{one['tokens_per_s']:,.0f}", f"{one['step_s']:.2f} s", f"{one['peak_bytes'] / 2**30:.2f} GiB"
            figures += ("" if one["mfu"] is None else f"{one['mfu']:.0%}",)
            table.add_row(name, side.replace("_", " "), one["way"], *figures, ratio)
    Console().print(table)
    return report
