"""python -m jobs.bench engines [PRESET] [--rows 1 8 16 32] [--sources 64] [--read 40] [--written 32]

Tokens per second of what could serve CET-D on a CPU: the continuous batch, CTranslate2 in fp32 and int8, and Hugging
Face's generate. Needs no Ray.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config import EncoderDecoderConfig
from jobs.bench.report import write

HELP = "what could serve CET-D on a CPU"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", nargs="?", help="an encoder-decoder (default: the shape of the demo's policy)")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 16, 32], help="texts that decode together")
    parser.add_argument("--sources", type=int, default=64, help="texts in all; a multiple of the rows is fairest")
    parser.add_argument("--read", type=int, default=40, help="input tokens on average")
    parser.add_argument("--written", type=int, default=32, help="output tokens")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time every engine at each number of rows and print the table; returns what is written as JSON.

    Raises:
        ConfigError: there is no such preset.
        ValueError: it is no encoder-decoder.
    """
    from cetd.evaluation.bench_engines import DEMO, compare
    from cetd.evaluation.provenance import provenance

    preset, read, written = arguments.preset, arguments.read, arguments.written
    model = configuration.preset(preset) if preset else DEMO
    if not isinstance(model, EncoderDecoderConfig):
        raise ValueError(f"preset={preset}: a decoder-only model; name an encoder-decoder, such as codet5-base")
    results = compare(model, arguments.rows, arguments.sources, read, written)
    report = {"benchmark": "engines", "preset": preset, "read": read, "written": written, "results": results}
    report |= provenance()
    write(report)
    title = f"Tokens per second of processor time, {read} tokens in, {written} out, one thread"
    table = Table("engine", *(f"{count} rows" for count in arguments.rows), title=title, title_justify="left")
    for name, speeds in results.items():
        table.add_row(name, *(f"{speed:,.0f}" for speed in speeds.values()))
    Console().print(table)
    return report
