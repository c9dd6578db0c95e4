"""python -m jobs.bench overload [--minutes 5] [--model FOLDER] [--config configs/serve/bench.yaml]

CET-D on Ray Serve at twice the rate that it can answer: what becomes of the requests that it takes, which it refuses,
and how its memory fares.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from cetd.config.loading import read
from cetd.run_folder import runs_root
from jobs import ROOT
from jobs.bench import serve
from jobs.bench.report import write

HELP = "CET-D on Ray Serve at twice the rate that it can answer"
# Requests that wait in the gateway, and all that the server has in hand with them: each of two replicas has 32 that
# decode and 16 that are about to.
QUEUED, CLIENTS = 32, 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=5, help="overload")
    parser.add_argument("--model", type=Path, help="Hugging Face folder (newest checkpoint of runs/demo, else drawn)")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "serve" / "bench.yaml")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Overload the server and print what became of it; returns what is written as JSON.

    Raises:
        ValueError: the model or the configuration cannot be used.
        InfrastructureError: the server does not start, or answers nothing.
    """
    from cetd.evaluation.bench_overload import overload
    from cetd.evaluation.bench_serving import sources
    from cetd.evaluation.provenance import provenance

    document = read(arguments.config)
    serve.end_on_termination()
    folder = runs_root(None) / "bench" / "overload"
    model = serve.model(arguments.model, folder)
    side = serve.side(document, model, folder, "serve", changed={"limits": {"max_queued": QUEUED}})
    found = overload(side.server, sources(), CLIENTS, 60 * arguments.minutes)
    report = {"benchmark": "overload", "model": str(model), "minutes": arguments.minutes, **found, **provenance()}
    write(report)
    _print(report)
    return report


def _print(report: dict[str, Any]) -> None:
    console = Console()
    full, over = report["full"], report["over"]
    lines = [
        f"full, {report['clients']} clients: {full['requests_per_s']:.0f} requests/s, p95 {_p95(full)}, "
        f"refused or failed: {full['errors'] or 'none'}",
        f"sent {report['sent']:.0f}/s of {report['offered']:.0f} for {report['minutes']:g} min: "
        f"{over['requests_per_s']:.0f} answered/s, p95 {_p95(over)}, refused or failed: {over['errors'] or 'none'}",
        "p95 by fifth of the time, in ms: " + " ".join(serve.shown(one["p95_ms"]) for one in report["by_interval"]),
        "memory by fifth of the time, in MiB: " + " ".join(f"{one / 2**20:,.0f}" for one in report["memory"]),
        *serve.verdicts(report["targets"]),
    ]
    console.print("\n".join(lines), markup=False, highlight=False)


def _p95(summary: dict[str, Any]) -> str:
    return f"{summary['latency_ms']['p95']:.0f} ms"
