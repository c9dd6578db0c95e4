"""python -m jobs.bench feedback [--config configs/feedback/demo.yaml] [--iterations 30] [section.field=value …]
python -m jobs.bench train [--shapes cetd-512 …] [--steps 3] [--rounds 2] [--compile]
python -m jobs.bench tp [--degrees 2 3] [--steps 3] [--rounds 2]
python -m jobs.bench forward [PRESET …] [--source 128] [--target 32]
python -m jobs.bench sandbox [--workers 2] [--runs 96] [--rounds 5]
python -m jobs.bench load --attacks tests/sandbox/attacks [--runs 10000] [--seed 0]
python -m jobs.bench data [--sizes 1 4 16] [--megabytes 1.5]
python -m jobs.bench sweep [--config configs/sweep/bench.yaml] [section.field=value …]

Benchmarks: ratios against a named alternative in the same run, and the figures of the specification's validation;
printed, and written to runs/bench/NAME.json.

feedback: rollouts per second of the streaming loop against the synchronous loop, on the same models, apps and machine.
train: tokens per second of this trainer against Hugging Face's T5 and Llama with a plain loop. Needs no Ray.
tp: tensor parallelism against DeepSpeed's AutoTP: weights, communication, tokens per second, deviation. Needs no Ray.
forward: seconds and memory of a forward pass of each CET-D size that fits. Needs no Ray.
sandbox: runs per second and overhead of the sandbox against running programs without isolation. Needs no Ray.
load: ten thousand runs of the sandbox, a fifth of them hostile: outcomes, leaks, speed at the end against that at the
start; the exit status is 1 when one is not as it has to be. Needs no Ray.
data: memory and speed of jobs.data as its corpus grows.
sweep: tokens of successive halving against the full grid, and whether it finds the grid's best cell; the exit status is
1 when it does not, or not for a third of the tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cetd import config as configuration
from cetd import durable
from cetd.config import FeedbackJobConfig
from cetd.config.sweep import SweepJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs import ROOT
from jobs.command_line import log_to_terminal, one_line_errors

CETD = ("codet5-base", "cetd-3b-dims", "cetd-5b-dims", "cetd-1b", "cetd-3b", "cetd-5b")
FIGURES = ("rollouts_per_s", "efficiency", "busy")


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    log_to_terminal()
    with one_line_errors():
        match arguments.name:
            case "feedback":
                feedback(arguments.config, arguments.iterations, arguments.overrides)
            case "train":
                train(arguments.shapes, arguments.steps, arguments.rounds, arguments.compile)
            case "tp":
                tensor_parallel(arguments.degrees, arguments.steps, arguments.rounds)
            case "forward":
                forward(arguments.presets, arguments.source, arguments.target, arguments.passes)
            case "sandbox":
                sandbox(arguments.workers, arguments.runs, arguments.rounds)
            case "load":
                if load(arguments.attacks, arguments.runs, arguments.seed)["complaints"]:
                    raise SystemExit(1)
            case "data":
                data(arguments.sizes, arguments.megabytes)
            case "sweep":
                report = sweep(arguments.config, arguments.overrides)
                if not (report["found"] and report["cheap"]):
                    raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = parser.add_subparsers(dest="name", required=True)
    loop = names.add_parser("feedback", help="the streaming loop against the synchronous loop")
    loop.add_argument("--config", type=Path, default=Path("configs/feedback/demo.yaml"))
    loop.add_argument("--iterations", type=int, default=30, help="policy updates per mode")
    loop.add_argument("overrides", nargs="*", metavar="section.field=value")
    training = names.add_parser("train", help="this trainer against Hugging Face's models with a plain loop")
    training.add_argument("--shapes", nargs="+", help="cetd-512 lm-512 (on a CPU) cetd-1b lm-1b (on a GPU)")
    training.add_argument("--steps", type=int, default=3, help="timed steps per round and side")
    training.add_argument("--rounds", type=int, default=2, help="turns that each side has")
    training.add_argument("--compile", action="store_true", help="try torch.compile for both sides as well")
    parallel = names.add_parser("tp", help="tensor parallelism against DeepSpeed's AutoTP")
    parallel.add_argument("--degrees", type=int, nargs="+", default=[2, 3], help="processes that hold a model")
    parallel.add_argument("--steps", type=int, default=3, help="timed steps per round and side")
    parallel.add_argument("--rounds", type=int, default=2, help="turns that each side has")
    passing = names.add_parser("forward", help="a forward pass of each CET-D size that fits in memory")
    passing.add_argument("presets", nargs="*", default=CETD, metavar="PRESET", help="encoder-decoders (all of CET-D)")
    passing.add_argument("--source", type=int, default=128, help="input tokens")
    passing.add_argument("--target", type=int, default=32, help="output tokens")
    passing.add_argument("--passes", type=int, default=3, help="timed passes")
    isolated = names.add_parser("sandbox", help="the sandbox against running programs without isolation")
    isolated.add_argument("--workers", type=int, default=2, help="runs at once, on each side")
    isolated.add_argument("--runs", type=int, default=96, help="runs per round and side; of pytest suites, a fourth")
    isolated.add_argument("--rounds", type=int, default=5, help="turns that each side has")
    loaded = names.add_parser("load", help="the sandbox under a load that is hostile in parts")
    loaded.add_argument("--attacks", type=Path, required=True, help="folder of FAMILY/NAME.py, hostile programs")
    loaded.add_argument("--runs", type=int, default=10_000, help="runs in all; a multiple of 100")
    loaded.add_argument("--seed", type=int, default=0, help="which attacks and programs, and in which order")
    growing = names.add_parser("data", help="memory and speed of jobs.data as its corpus grows")
    growing.add_argument(
        "--sizes", type=int, nargs="+", default=[1, 4, 16], help="corpora, as multiples of the smallest"
    )
    growing.add_argument("--megabytes", type=float, default=1.5, help="size of the smallest")
    swept = names.add_parser("sweep", help="successive halving against the full grid")
    swept.add_argument("--config", type=Path, default=Path("configs/sweep/bench.yaml"))
    swept.add_argument("overrides", nargs="*", metavar="section.field=value")
    return parser


def train(shapes: Sequence[str] | None, steps: int, rounds: int, compiled: bool) -> dict[str, Any]:
    """Time both sides on each shape, by default the device's, and print the table; returns what is written as JSON.

    Raises:
        ValueError: a shape is not known.
    """
    import torch

    from cetd.evaluation.bench_training import ON_CPU, ON_GPU, SHAPES, compare
    from cetd.evaluation.provenance import provenance

    names = shapes or (ON_GPU if torch.cuda.is_available() else ON_CPU)
    if unknown := set(names) - set(SHAPES):
        raise ValueError(f"shapes: {min(unknown)!r} is not known; known: {', '.join(SHAPES)}")
    results = {name: compare(SHAPES[name], steps, rounds, compiled) for name in names}
    report = {"benchmark": "train", "steps": steps, "rounds": rounds, "results": results, **provenance()}
    durable.write_text(runs_root(None) / "bench" / "train.json", json.dumps(report, indent=2))
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


def tensor_parallel(degrees: list[int], steps: int, rounds: int) -> dict[str, Any]:
    """Train both sides at each degree and print the table; returns what is written as JSON."""
    from cetd.evaluation.bench_parallel import SHAPE, SIDES, compare
    from cetd.evaluation.provenance import provenance

    results = {str(degree): compare(SHAPE, degree, steps, rounds) for degree in degrees}
    report = {"benchmark": "tp", "steps": steps, "rounds": rounds, "results": results, **provenance()}
    durable.write_text(runs_root(None) / "bench" / "tp.json", json.dumps(report, indent=2))
    table = Table(title="Tensor parallelism", title_justify="left")
    table.add_column("")
    shown: list[list[str]] = []
    for degree, result in results.items():
        for side in SIDES:
            table.add_column(f"{side}, {degree}", justify="right")
            shown.append(_tensor_figures(result[side], result["whole"], result["least"]))
    labels = "weights, MB", "of the whole", "sent, MB", "of the least", "tokens/s", "deviation", "with dropout"
    for label, *figures in zip(labels, *shown, strict=True):
        table.add_row(label, *figures)
    Console().print(table)
    return report


def _tensor_figures(one: dict[str, Any], whole: int, least: int) -> list[str]:
    return [
        " ".join(f"{weights / 1e6:.0f}" for weights in one["weights"]),
        f"{max(one['weights']) / whole:.0%}",
        f"{one['sent'] / 1e6:.1f}",
        f"{one['sent'] / least:.2f} x",
        f"{one['tokens_per_s']:,.0f}",
        *(f"{one[name]:.1e}" for name in ("deviation", "deviation_with_dropout")),
    ]


def forward(presets: Sequence[str], source: int, target: int, passes: int) -> dict[str, Any]:
    """Time a forward pass of each preset and print the table; returns what is written as JSON.

    Raises:
        ConfigError: there is no such preset.
        ValueError: it is no encoder-decoder.
    """
    models = {name: configuration.preset(name) for name in presets}
    from cetd.config import EncoderDecoderConfig
    from cetd.evaluation.bench_forward import forward_pass
    from cetd.evaluation.provenance import provenance

    table = Table(title=f"Forward pass, {source} tokens in, {target} out", title_justify="left")
    for column in ("preset", "seconds", "peak memory"):
        table.add_column(column, justify="right")
    results: dict[str, Any] = {}
    for name, model in models.items():
        if not isinstance(model, EncoderDecoderConfig):
            raise ValueError(f"preset={name}: a decoder-only model; name encoder-decoders, such as {CETD[0]}")
        found = forward_pass(model, source, target, passes)
        results[name] = asdict(found) if found else None
        shown = (f"{found.seconds:.2f}", f"{found.peak / 2**30:.1f} GiB") if found else ("does not fit", "")
        table.add_row(name, *shown)
    report = {"benchmark": "forward", "source": source, "target": target, "results": results, **provenance()}
    durable.write_text(runs_root(None) / "bench" / "forward.json", json.dumps(report, indent=2))
    Console().print(table)
    return report


def sandbox(workers: int, runs: int, rounds: int) -> dict[str, Any]:
    """Time every side on scripts and on pytest suites and print the tables; returns what is written as JSON."""
    from cetd.evaluation.bench_sandbox import compare
    from cetd.evaluation.provenance import provenance

    results = {
        "script": compare("script", workers, runs, rounds),
        "pytest": compare("pytest", workers, runs // 4, rounds),
    }
    report = {"benchmark": "sandbox", "results": results, **provenance()}
    durable.write_text(runs_root(None) / "bench" / "sandbox.json", json.dumps(report, indent=2))
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


def load(attacks: Path, runs: int, seed: int) -> dict[str, Any]:
    """Put the sandbox under load and print what came of it; returns what is written as JSON.

    Raises:
        ValueError: the corpus or the number of runs is not as it has to be.
    """
    from cetd.evaluation import sandbox_load
    from cetd.evaluation.provenance import provenance

    with Progress(
        *Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("{task.completed} runs")
    ) as progress:
        task = progress.add_task("sandbox", total=runs)
        found = sandbox_load.load(attacks, runs, seed, lambda: progress.advance(task))
    report = {"benchmark": "load", "seed": seed, **found, **provenance()}
    durable.write_text(runs_root(None) / "bench" / "load.json", json.dumps(report, indent=2))
    busy = " to ".join(f"{one:.1f}" for one in found["load"])
    table = Table(title=f"{runs} runs in {found['seconds']:.0f} s; load average {busy}", title_justify="left")
    for column in ("held by", "when", *next(iter(found["held"].values()))["before"]):
        table.add_column(column.replace("_", ", "), justify="right")
    for who, held in found["held"].items():
        for when, figures in held.items():
            table.add_row(who, when, *(f"{figure:,}" for figure in figures.values()))
    console = Console()
    console.print(table)
    console.print("runs/s by tenth:", " ".join(f"{speed:.1f}" for speed in found["runs_per_s"]))
    for one in found["unexpected"]:
        console.print(f"{one['name']}: {one['came_to']} instead of {' or '.join(one['expects'])}", markup=False)
    console.print("\n".join(found["complaints"]) or "every outcome as expected, nothing left, no slower", markup=False)
    return report


def data(sizes: Sequence[int], megabytes: float) -> dict[str, Any]:
    """Make a corpus of each size and print the table; returns what is written as JSON."""
    from cetd.evaluation.bench_corpus import grow
    from cetd.evaluation.provenance import provenance

    results = grow(sizes, megabytes, [sys.executable, "-m", "jobs.data"])
    report = {"benchmark": "data", "megabytes": megabytes, "results": results, **provenance()}
    durable.write_text(runs_root(None) / "bench" / "data.json", json.dumps(report, indent=2))
    table = Table(title="The most memory that a process had, in MiB", title_justify="left")
    for column in ("corpus", "documents", "MB", "seconds", "MB/s", *results[0]["peak_mib"]):
        table.add_column(column, justify="right")
    for one in results:
        figures = f"{one['size']} x", f"{one['documents']:,}", f"{one['megabytes']:.1f}", f"{one['seconds']:.0f}"
        peaks = (f"{peak:.0f}" for peak in one["peak_mib"].values())
        table.add_row(*figures, f"{one['megabytes'] / one['seconds']:.2f}", *peaks)
    Console().print(table)
    return report


def sweep(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Run the full grid and successive halving anew and print both; returns what is written as JSON.

    Raises:
        ValueError: the data or the configuration cannot be used, or trials failed.
    """
    from cetd.evaluation.bench_sweep import ALLOWED, compare
    from cetd.evaluation.provenance import provenance
    from jobs.sweep import packed_folder, run

    begun, ran = time.monotonic(), {}
    for name, scheduler in (("grid", "none"), ("asha", "asha")):
        given = [*overrides, f"scheduler={scheduler}", f"run.name=bench-sweep-{name}"]
        config = configuration.load(SweepJobConfig, path, given)
        with RunFolder(runs_root(config.run.root), config.run.name) as folder:
            folder.clear()
            folder.adopt(config)
            ran[name] = run(config, packed_folder(config), folder)
    root = runs_root(config.run.root)
    report = {"benchmark": "sweep", **compare(ran["grid"], ran["asha"]), "wall_s": time.monotonic() - begun}
    durable.write_text(root / "bench" / "sweep.json", json.dumps({**report, **provenance()}, indent=2))
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
    return report


def feedback(path: Path, iterations: int, overrides: list[str]) -> dict[str, Any]:
    """Time both modes of the loop and print the table; returns what is written as JSON."""
    # The policy stands still, so that both modes have the same rollouts to make: a better one makes faster work.
    shared = ["learner.optimizer.learning_rate=1e-12", *overrides]
    shared += [f"loop.iterations={iterations}", f"loop.checkpoint_every={iterations}"]
    streaming = configuration.load(FeedbackJobConfig, path, [*shared, "run.name=bench-streaming"])
    synchronous = configuration.load(
        FeedbackJobConfig, path, [*shared, "run.name=bench-synchronous", "loop.max_staleness=0"]
    )
    root = runs_root(streaming.run.root)
    results = {"synchronous": _timed(synchronous, root), "streaming": _timed(streaming, root)}
    ratio = results["streaming"]["rollouts_per_s"] / results["synchronous"]["rollouts_per_s"]
    report = {"benchmark": "feedback", "iterations": iterations, "results": results, "ratio": ratio}
    durable.write_text(root / "bench" / "feedback.json", json.dumps(report, indent=2))
    _print(results, ratio)
    return report


def _timed(config: FeedbackJobConfig, root: Path) -> dict[str, Any]:
    from actors.cluster import connected, wanted
    from actors.feedback_run import check, run

    with RunFolder(root, config.run.name) as folder:
        folder.clear()
        folder.adopt(config)
        apps = check(config)
        with connected(*wanted(config), ROOT):
            summary = asyncio.run(run(config, apps, folder, root))
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


if __name__ == "__main__":
    main()
