"""python -m jobs.train --config configs/train/tiny.yaml [section.field=value …]

Supervised training of CET-D or a decoder-only language model under Ray Train: data-parallel replicas of tensor-parallel
models. Runs on local Ray, or on the cluster it is submitted to with
`ray job submit --working-dir . -- python -m jobs.train --config …`. The same run.name resumes where it stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cetd.config.train import TrainJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs import ROOT
from jobs.command_line import add_run_arguments, begin, log_to_terminal, one_line_errors, parse

log = logging.getLogger("train")

# Seconds between lines of progress.
LINE_EVERY_S = 10.0


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(TrainJobConfig, __doc__ or "", argv, add_run_arguments)
    log_to_terminal()
    with one_line_errors(), RunFolder(runs_root(config.run.root), config.run.name) as folder:
        unchanged = folder.holds(config)
        begin(folder, config, arguments)
        summary = finished(folder) if unchanged else None
        if summary is None:
            # After the configuration is known to be good: this imports torch.
            from cetd.training.preparation import check, prepared

            config = prepared(config, folder.path)
            check(config)
            if config.lr_finder:
                find_rate(config, folder)
                return
            summary = run(config, folder)
        else:
            log.info(
                "%s has ended before; --restart begins anew, and a larger max_steps or epochs goes on", folder.path
            )
        if summary["status"] == "diverged":
            raise ValueError(summary["message"])
        print(f"{summary['status']} at step {summary['step']}, loss {summary['loss']:.4f}{_best(summary)}")
        print(f"model: {folder.path / 'model'}\nreport: {folder.path / 'report.html'}")


def finished(folder: RunFolder) -> dict[str, Any] | None:
    """The summary of a run that has come to its end; None where there is something left to do."""
    summary = folder.read_json(folder.summary) if folder.summary.exists() else {}
    return summary if summary.get("status") in ("finished", "stopped early") else None


def run(config: TrainJobConfig, folder: RunFolder) -> dict[str, Any]:
    """Train to the end, write the model in Hugging Face layout and the summary, which is returned."""
    from actors.tracking import tracking
    from actors.training import placement, train
    from cetd.evaluation.provenance import provenance
    from cetd.evaluation.report import write_training_report
    from cetd.training.checkpoint import PREFIX, latest
    from cetd.training.preparation import export

    begun = time.monotonic()
    told = Progress(folder.path)
    with tracking(config, folder.path) as tracked, _connected(config):
        outcome = train(config, folder.path, lambda line: (told(line), tracked(line)))
    summary = {
        **asdict(outcome),
        "phase": config.phase,
        "tokens_per_s": told.tokens_per_s,
        "wall_s": time.monotonic() - begun,
        "seed": config.run.seed,
        "placement": [asdict(place) for place in placement(folder.path)],
        **provenance(),
    }
    newest = latest(folder.path / "checkpoints")
    if outcome.status != "diverged" and newest:
        best = newest.with_name(f"{PREFIX}{outcome.best_step:06d}")
        export(config, best if config.early_stop and best.exists() else newest, folder.path / "model")
    folder.write_json(folder.summary, summary)
    write_training_report(folder.path, summary)
    return summary


def find_rate(config: TrainJobConfig, folder: RunFolder) -> None:
    """Sweep the learning rate, and print and plot what it suggests."""
    from actors import training
    from cetd.evaluation.report import write_rate_report
    from cetd.training.lr_finder import suggestion

    with _connected(config):
        points = training.find_rate(config, folder.path)
    suggested = suggestion(points)
    print(f"suggested learning rate: {suggested:.2g}")
    print(f"curve: {write_rate_report(folder.path, points, suggested)}")


def _connected(config: TrainJobConfig) -> AbstractContextManager[None]:
    from actors.cluster import connected

    parallel = config.parallel
    zero = f", ZeRO {config.deepspeed.stage}{' offloaded' * config.deepspeed.offload}"
    engine = config.engine + zero * (config.engine == "deepspeed")
    log.info("starting %d workers, %d to a replica, engine %s", parallel.workers, parallel.tensor, engine)
    return connected(parallel.cpus * parallel.workers, parallel.gpus * parallel.workers, ROOT)


class Progress:
    """Prints a line now and then, and each evaluation."""

    def __init__(self, folder: Path) -> None:
        self.tokens_per_s = 0.0
        self._folder, self._next_line, self._placed = folder, 0.0, False

    def __call__(self, line: Mapping[str, Any]) -> None:
        self._say_where()
        self.tokens_per_s = line["tokens_per_s"]
        if "warning" in line:
            log.warning("%s", line["warning"])
        if "validation_loss" in line:
            best = ", the best so far" if line["improved"] else ""
            log.info("step %d: validation loss %.4f%s", line["iteration"], line["validation_loss"], best)
        if time.monotonic() >= self._next_line or line["iteration"] == line["steps"]:
            self._next_line = time.monotonic() + LINE_EVERY_S
            log.info(
                "step %d of %d: loss %s, gradient norm %s, learning rate %.3g, %.0f tokens/s",
                *(line["iteration"], line["steps"], _figure(line["loss"]), _figure(line["grad_norm"])),
                *(line["learning_rate"], line["tokens_per_s"]),
            )

    def _say_where(self) -> None:
        from actors.training import placement

        places = [] if self._placed else placement(self._folder)
        for place in places:
            self._placed = True
            log.info(
                "rank %d: replica %d, share %d, %s in %s, node %s",
                *(place.rank, place.replica, place.share, place.device, place.precision, place.node[:8]),
            )


def _figure(value: float | None) -> str:
    """Metrics that are no numbers stand as None in their file."""
    return "not finite" if value is None else f"{value:.4g}"


def _best(summary: Mapping[str, Any]) -> str:
    loss = summary["best_loss"]
    return "" if loss is None else f"; best validation loss {loss:.4f} at step {summary['best_step']}"


if __name__ == "__main__":
    main()
