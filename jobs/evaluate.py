"""python -m jobs.evaluate RUN [--split validation] [--limit N]

What a training run of phase 1 or 2 has learned, on data that it has not seen: phase 1 against BM25 alone on the same
rows, phase 2 against copying. Prints a table, and writes evaluation.json and evaluation.html into the run's folder.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from cetd import durable
from cetd.config.loading import read, validate
from cetd.config.models import EncoderDecoderConfig
from cetd.config.train import TrainJobConfig
from cetd.run_folder import RunFolder, RunFolderError
from jobs.command_line import log_to_terminal, one_line_errors

log = logging.getLogger("evaluate")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of jobs.train, such as runs/phase1-small")
    parser.add_argument(
        "--split",
        choices=("validation", "train"),
        default="validation",
        help="rows to evaluate on (default: validation)",
    )
    parser.add_argument(
        "--limit", type=int, default=1000, metavar="N", help="rows at most, drawn at random (default: 1000)"
    )
    arguments = parser.parse_args(argv)
    log_to_terminal()
    with one_line_errors():
        evaluate(arguments.run, arguments.split, arguments.limit)


def evaluate(run: Path, split: str, limit: int) -> None:
    """Evaluate a run, print the table, and write the files.

    Raises:
        ValueError: no such run, not one of phase 1 or 2, no model yet, or rows that cannot be evaluated on.
    """
    if limit < 1:
        raise ValueError(f"--limit={limit}: evaluate on at least 1 row")
    folder, config = trained(run)
    # After the run is known to be fit: this imports torch.
    from rich.console import Console
    from rich.table import Table

    from cetd.evaluation.phase_evaluation import evaluate_phase
    from cetd.evaluation.report.evaluation import write_evaluation_report

    evaluation = evaluate_phase(folder.path / "model", config, split, limit, log.info)
    durable.write_text(folder.path / "evaluation.json", json.dumps(evaluation.record(), indent=1))
    page = write_evaluation_report(folder.path, evaluation)
    console = Console()
    for table in evaluation.tables:
        shown = Table(*table.head, title=f"{table.title} ({evaluation.rows} {split} rows)", caption=table.note)
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    print(f"figures: {folder.path / 'evaluation.json'}\nreport: {page}")


def trained(run: Path) -> tuple[RunFolder, TrainJobConfig]:
    """A run of phase 1 or 2 that has ended with a model of the encoder-decoder family, and its configuration.

    Raises:
        ValueError: naming what the folder lacks, and the command that would help.
    """
    path = run.absolute()
    folder = RunFolder(path.parent, path.name)
    if not folder.exists:
        raise RunFolderError(f"run={run}: no run there; name a run folder of jobs.train, such as runs/phase1-small")
    tree = read(folder.config)
    if "phase" not in tree or "data" not in tree:
        raise RunFolderError(f"run={run}: not a run of jobs.train; name one, such as runs/phase1-small")
    config = validate(TrainJobConfig, tree)
    if config.phase > 2:
        raise RunFolderError(
            f"run={run}: it is of phase {config.phase}, which is measured by pass rates: python -m jobs.gate {run}"
        )
    if not isinstance(config.model, EncoderDecoderConfig):
        raise RunFolderError(
            f"run={run}: its model is a {config.model.family}; phases 1 and 2 train an encoder-decoder"
        )
    if not (folder.path / "model").is_dir():
        raise RunFolderError(
            f"run={run}: no model there yet; go on with python -m jobs.train --config {folder.config} "
            f"run.root={path.parent}"
        )
    return folder, config


if __name__ == "__main__":
    main()
