"""python -m jobs.bench serve [--model FOLDER] [--seconds 20] [--minutes 10] [--config configs/serve/bench.yaml]

CET-D on Ray Serve behind HAProxy against Hugging Face's generate behind a plain FastAPI app with naive batching, on the
same weights: throughput, latency, time to first token, memory, overhead, and minutes of sustained load. Beside them,
for less long: the same behind Serve's own proxy, and in int8. The weights are those of runs/demo where there are any,
else drawn. Serve starts a Ray of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd import durable
from cetd.config import FeedbackJobConfig
from cetd.config.loading import read
from cetd.run_folder import runs_root
from jobs import ROOT
from jobs.bench.report import write

if TYPE_CHECKING:
    from cetd.evaluation.bench_serving import Side

log = logging.getLogger("bench")

HELP = "CET-D on Ray Serve against generate behind a plain FastAPI app"
DEMO = ROOT / "configs" / "feedback" / "demo.yaml"
OURS, PLAIN = "serve", "plain"
OWN_PROXY, INT8 = "own-proxy", "int8"
# Processes that are named.
_SHOWN = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="Hugging Face folder (newest checkpoint of runs/demo, else drawn)")
    parser.add_argument("--seconds", type=float, default=20, help="load at each number of clients")
    parser.add_argument("--minutes", type=float, default=10, help="sustained load on Serve; 0: none")
    parser.add_argument(
        "--beside",
        nargs="*",
        choices=(OWN_PROXY, INT8),
        default=(OWN_PROXY, INT8),
        help="variants to measure as well (default: both)",
    )
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "serve" / "bench.yaml")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Put both under load and print the tables; returns what is written as JSON.

    Raises:
        ValueError: the model or the configuration cannot be used.
        InfrastructureError: a server does not start, or does not answer any more.
    """
    document = read(arguments.config)
    end_on_termination()
    from cetd.evaluation.bench_serving import compare
    from cetd.evaluation.provenance import provenance

    folder = runs_root(None) / "bench" / "serve"
    weights = model(arguments.model, folder)
    variants = {
        OWN_PROXY: partial(side, document, weights, folder, OWN_PROXY, haproxy=False),
        INT8: partial(side, document, weights, folder, INT8, changed={"model": {"precision": "int8"}}),
    }
    found = compare(
        partial(side, document, weights, folder, OURS),
        partial(_plain, weights, folder),
        arguments.seconds,
        arguments.minutes,
        [variants[name] for name in arguments.beside],
    )
    report = {"benchmark": "serve", "model": str(weights), **found, **provenance()}
    write(report)
    _print(report)
    return report


def end_on_termination() -> None:
    """Have a SIGTERM unwind the stack: servers are ended on the way out."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def model(given: Path | None, folder: Path) -> Path:
    """The model to serve: ``given``, the demo's newest, else one that is drawn and written below ``folder``.

    Raises:
        ValueError: there is no folder ``given``.
    """
    from cetd.evaluation.bench_serving import random_model
    from cetd.training.checkpoint import latest

    if given and not given.is_dir():
        raise ValueError(f"model={given}: no such folder; name one in Hugging Face layout")
    found = given or latest(runs_root(None) / "demo" / "checkpoints")
    if found:
        return found.absolute()
    log.info("no run of the demo: weights of its policy are drawn")
    return random_model(configuration.load(FeedbackJobConfig, DEMO, []), folder / "model")


def environment(haproxy: bool) -> dict[str, str]:
    """How Serve is started: see README, Serving. Ports that HAProxy opens are free ones."""
    from cetd.evaluation.server_process import free_port

    return {
        "PYTHONPATH": os.pathsep.join((str(ROOT / "platform"), str(ROOT))),
        "RAY_worker_niceness": "0",
        "RAY_SERVE_ENABLE_HA_PROXY": str(int(haproxy)),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": str(int(haproxy)),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
    }


def side(
    document: dict[str, Any],
    model: Path,
    folder: Path,
    name: str,
    *,
    haproxy: bool = True,
    changed: Mapping[str, dict[str, Any]] | None = None,
) -> Side:
    """Serve with the applications of ``document`` and this model, ``changed`` by section of its arguments, on a port
    that is free.

    Raises:
        ValueError: the document is no configuration of one application.
    """
    from cetd.evaluation.bench_serving import Side
    from cetd.evaluation.server_process import Server, free_port

    port = free_port()
    resolved = folder / f"{name}.yaml"
    changed = changed or {}
    sections = {**changed, "model": {"path": str(model), **changed.get("model", {})}}
    durable.write_text(resolved, yaml.safe_dump(_resolved(document, sections, folder, port), sort_keys=False))
    server = Server(
        name=name,
        # A Ray of its own, whatever else runs on this machine.
        command=(sys.executable, "-m", "ray.serve.scripts", "run", "--address", "local", str(resolved)),
        url=f"http://127.0.0.1:{port}",
        ready="/ready",
        log=folder / f"{name}.log",
        folder=ROOT,
        environment=environment(haproxy),
    )
    return Side(server, streams=True)


def _resolved(document: dict[str, Any], changed: Mapping[str, dict[str, Any]], runs: Path, port: int) -> dict[str, Any]:
    """The document with what only this run knows, and sections of its application's arguments ``changed``.

    Raises:
        ValueError: it is no configuration of one application.
    """
    match document:
        case {"applications": [{"args": dict(args)} as application]}:
            sections = {name: {**args.get(name, {}), **section} for name, section in changed.items()}
            args = {**args, **sections, "runs": str(runs)}
            http = {**document.get("http_options", {}), "port": port}
            return {**document, "http_options": http, "applications": [{**application, "args": args}]}
        case _:
            raise ValueError("config: expected `applications` with one application and its `args`")


def _plain(model: Path, folder: Path) -> Side:
    from cetd.evaluation.bench_serving import Side
    from cetd.evaluation.server_process import Server, free_port

    port = free_port()
    server = Server(
        name=PLAIN,
        command=(
            *(sys.executable, "-m", "cetd.evaluation.plain_server"),
            *("--model", str(model), "--port", str(port)),
        ),
        url=f"http://127.0.0.1:{port}",
        ready="/health",
        log=folder / "plain.log",
        folder=ROOT,
        environment={"PYTHONPATH": str(ROOT / "platform")},
    )
    return Side(server, streams=False)


# ------------------------------------------------------------------------------------------------ what is printed


def _print(report: dict[str, Any]) -> None:
    console = Console()
    busy = " to ".join(f"{one:.1f}" for one in report["load"])
    # A side that does not stream has its first token with the whole answer.
    title = f"POST /infer: latencies, and p50 of the first token, in ms; load average {busy}"
    table = Table(title=title, title_justify="left")
    for column in ("side", "clients", "req/s", "tokens/s", "p50", "p95", "p99", "first"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, side in report["sides"].items():
        for clients, level in side["levels"].items():
            first = (level.get("streamed") or {}).get("first_token_ms") or level["latency_ms"]
            table.add_row(
                *(name, clients, f"{level['requests_per_s']:.1f}", f"{level['tokens_per_s']:,.0f}"),
                *_milliseconds(level["latency_ms"]),
                f"{first['p50']:.1f}" if first else "",
            )
    console.print(table)
    for name, side in report["sides"].items():
        console.print("\n".join(_said(name, side)), markup=False, highlight=False)
    console.print("\n".join(verdicts(report["targets"])), markup=False, highlight=False)


def verdicts(targets: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """A line for each target: what was found, and whether that meets it."""
    for name, one in targets.items():
        yield f"{name}: {one['found']:.2f} (target {one['target']:g}): {'met' if one['met'] else 'not met'}"


def _said(name: str, side: dict[str, Any]) -> Iterator[str]:
    memory, overhead, sustained = side["memory"], side["overhead"], side["sustained"]
    for clients, level in side["levels"].items():
        failed = Counter(level["errors"]) + Counter(level.get("streamed", {}).get("errors", {}))
        for status, count in failed.items():
            yield f"{name}, {clients} clients: {count} requests with status {status}"
    for clients in (min(side["levels"], key=int), max(side["levels"], key=int)):
        yield f"{name}, {_limited(clients, side['levels'][clients])}"
    yield f"{name}: {memory['ready'] / 2**20:,.0f} MiB when ready, at most {memory['peak'] / 2**20:,.0f} MiB"
    for what, key in (("GET /health", "health_ms"), ("beyond what the answer says", "beyond_the_model_ms")):
        yield f"{name}: {what}, p50, p95, p99 in ms: {', '.join(_milliseconds(overhead[key]))}"
    if sustained:
        speeds = " ".join(f"{minute['requests_per_s']:.0f}" for minute in sustained["by_minute"])
        slowest = " ".join(shown(minute["p95_ms"]) for minute in sustained["by_minute"])
        weights = " to ".join(f"{sustained['memory'][when] / 2**20:,.0f}" for when in ("start", "end"))
        yield f"{name}: sustained, requests/s by minute: {speeds}; p95 in ms: {slowest}; memory {weights} MiB"


def _limited(clients: str, level: dict[str, Any]) -> str:
    """What a request costs, and how far from the end of all processors that is."""
    from cetd.evaluation.bench_serving import limit

    processors = len(os.sched_getaffinity(0))
    costs = ", ".join(f"{name} {ms:.1f}" for name, ms in list(level["processor_ms"].items())[:_SHOWN])
    return (
        f"{clients} clients: a request takes {sum(level['processor_ms'].values()):.1f} ms of processor time ({costs}) "
        f"and {level['client_ms']:.1f} of the clients': {processors} processors answer at most "
        f"{limit(level, processors):.0f} requests/s, and answered {level['requests_per_s']:.0f}"
    )


def shown(milliseconds: float | None) -> str:
    """A figure of an interval; a dash where nothing was answered in it."""
    return "-" if milliseconds is None else f"{milliseconds:.0f}"


def _milliseconds(found: dict[str, float] | None) -> list[str]:
    return [f"{one:.1f}" for one in found.values()] if found else ["", "", ""]
