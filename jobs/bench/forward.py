"""python -m jobs.bench forward [PRESET …] [--source 128] [--target 32] [--passes 3]

Seconds and memory of a forward pass of each CET-D size that fits. Needs no Ray.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config import EncoderDecoderConfig
from jobs.bench.report import write

HELP = "a forward pass of each CET-D size that fits in memory"
CETD = ("codet5-base", "cetd-3b-dims", "cetd-5b-dims", "cetd-1b", "cetd-3b", "cetd-5b")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("presets", nargs="*", default=CETD, metavar="PRESET", help="encoder-decoders (all of CET-D)")
    parser.add_argument("--source", type=int, default=128, help="input tokens")
    parser.add_argument("--target", type=int, default=32, help="output tokens")
    parser.add_argument("--passes", type=int, default=3, help="timed passes")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time a forward pass of each preset and print the table; returns what is written as JSON.

    Raises:
        ConfigError: there is no such preset.
        ValueError: it is no encoder-decoder.
    """
    source, target = arguments.source, arguments.target
    models = {name: configuration.preset(name) for name in arguments.presets}
    from cetd.evaluation.bench_forward import forward_pass
    from cetd.evaluation.provenance import provenance

    table = Table(title=f"Forward pass, {source} tokens in, {target} out", title_justify="left")
    for column in ("preset", "seconds", "peak memory"):
        table.add_column(column, justify="right")
    results: dict[str, Any] = {}
    for name, model in models.items():
        if not isinstance(model, EncoderDecoderConfig):
            raise ValueError(f"preset={name}: a decoder-only model; name encoder-decoders, such as {CETD[0]}")
        found = forward_pass(model, source, target, arguments.passes)
        results[name] = asdict(found) if found else None
        shown = (f"{found.seconds:.2f}", f"{found.peak / 2**30:.1f} GiB") if found else ("does not fit", "")
        table.add_row(name, *shown)
    report = {"benchmark": "forward", "source": source, "target": target, "results": results, **provenance()}
    write(report)
    Console().print(table)
    return report
