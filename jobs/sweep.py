"""python -m jobs.sweep --config configs/sweep/allocation.yaml [section.field=value …]

Which share of a fixed parameter budget belongs in the embedding, and how wide the feed-forward block is best: trains a
decoder-only model per cell and seed under Ray Tune on an equal token budget, by successive halving (scheduler=asha),
with cells that Optuna proposes (search=optuna), or the full grid (scheduler=none). Leaves runs/<name>/report.html and
results.parquet. A sweep that was killed goes on with the same command.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config.data import DataJobConfig
from cetd.config.sweep import SweepJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs import ROOT
from jobs.command_line import add_run_arguments, begin, log_to_terminal, one_line_errors, parse

if TYPE_CHECKING:
    from cetd.sweeps.cells import Plan
    from cetd.sweeps.ranking import Standing
    from cetd.sweeps.results import Row

log = logging.getLogger("sweep")

SHOWN = 8


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(SweepJobConfig, __doc__ or "", argv, add_run_arguments)
    log_to_terminal()
    with one_line_errors(), RunFolder(runs_root(config.run.root), config.run.name) as folder:
        packed = packed_folder(config)  # a run of other data would be another run
        begin(folder, config, arguments)
        run(config, packed, folder)
        print(f"results: {folder.path / 'results.parquet'}\nreport: {folder.path / 'report.html'}")


def packed_folder(config: SweepJobConfig) -> Path:
    """The packed data that trials learn from; made from their recipe where they are missing.

    Raises:
        ValueError: they are missing and there is no recipe, or it cannot be used.
    """
    packed = config.data.packed.absolute()
    if (packed / "packed.json").exists():
        return packed
    if config.data.recipe is None:
        raise ValueError(
            f"data.packed={config.data.packed}: no packed.json there; make it with `python -m jobs.data --config "
            "configs/data/stdlib.yaml`, or name a data.recipe"
        )
    if packed.name != "packed":
        raise ValueError(f"data.packed={config.data.packed}: a recipe makes runs/NAME/packed; name such a folder")
    from jobs.data import make

    recipe = configuration.load(DataJobConfig, config.data.recipe, [f"run.name={packed.parent.name}"])
    log.info("making %s from %s", packed.parent, config.data.recipe)
    with RunFolder(packed.parent.parent, packed.parent.name) as folder:
        make(recipe, folder, lambda: folder.adopt(recipe))
    return packed


def run(config: SweepJobConfig, packed: Path, folder: RunFolder) -> list[Row]:
    """Train what is left to do, and write results and report; returns a row per trial.

    Raises:
        ValueError: the data or the configuration cannot be used, or no trial has come to a loss.
        InfrastructureError: it was interrupted.
    """
    # After the configuration is known to be good: these import torch.
    from cetd.data.packed import Packed
    from cetd.sweeps.cells import plan
    from cetd.sweeps.ledger import Ledger
    from cetd.sweeps.proposals import scheduled
    from cetd.sweeps.results import rows, write_results

    data = Packed(packed, "train", config.data.row_length)
    planned = plan(config, packed, data.vocab_size, data.length)
    ledger = Ledger(folder.path)
    _say(planned, len(ledger.read()))
    if scheduled(planned, ledger.read()).finished:
        log.info("%s has ended before; --restart begins anew", folder.path)
    else:
        from actors import sweep
        from actors.cluster import connected

        with connected(*sweep.wanted(planned), ROOT):
            sweep.run(planned, folder.path, lambda: write_results(folder.path, rows(planned, ledger.read())))
    return conclude(planned, folder)


def conclude(planned: Plan, folder: RunFolder) -> list[Row]:
    """Score the best cells, write results, hyperparameters, summary and report, and print the ranking.

    Raises:
        ValueError: no trial has come to a loss.
    """
    from cetd.evaluation.provenance import provenance
    from cetd.evaluation.report.sweep import Sweep, told_confidence, write_sweep_report
    from cetd.sweeps.cells import Segment
    from cetd.sweeps.conclusion import scored
    from cetd.sweeps.hyperparameters import write_hyperparameters
    from cetd.sweeps.ledger import Ledger
    from cetd.sweeps.ranking import ranked
    from cetd.sweeps.results import rows, write_results
    from cetd.sweeps.winner import command

    config, events = planned.config, Ledger(folder.path).read()
    found = rows(planned, events)
    write_results(folder.path, found)
    standings = ranked(found)
    if not standings:
        failed = next(row for row in found if row.error)
        raise ValueError(
            f"metric={config.metric}: no trial reported it: all failed, {failed.trial} with: {failed.error}"
        )
    log.info("scoring the best %d of %d cells", min(config.suite.cells, len(standings)), len(standings))
    scores = scored(planned, folder.path / "trials", standings[: config.suite.cells])
    found = rows(planned, events, scores)
    standings = ranked(found)
    tasks = list(dict.fromkeys(task for one in scores.values() for task in one))
    write_results(folder.path, found, tasks)
    write_hyperparameters(folder.path, found)
    winner = planned.job(Segment(standings[0].cell, 0, len(planned.steps) - 1))
    shown = Sweep(planned, found, standings, tasks, command(winner, f"{folder.path.name}-winner"), provenance())
    write_sweep_report(folder.path, shown)
    folder.write_json(
        folder.summary,
        {
            "winner": standings[0].cell,
            "validation_loss": standings[0].mean,
            "confidence": told_confidence(standings),
            "tokens": sum(row.tokens for row in found),
            "seconds": sum(row.seconds for row in found),
            "statuses": Counter(row.status for row in found),
            "command": shown.command,
            **shown.made,
        },
    )
    _print(standings, planned, told_confidence(standings))
    print(f"train the winner: {shown.command}")
    return found


def _say(planned: Plan, lines: int) -> None:
    config = planned.config
    without = [name for name, shape in planned.shapes.items() if shape is None]
    log.info(
        "%d cells of %s parameters, %d seeds, rungs at %s tokens; %s",
        *(len(planned.cells), f"{config.budget.total_params:,}", config.seeds),
        ", ".join(f"{planned.tokens(rung):,}" for rung in range(len(planned.steps))),
        "goes on from its ledger" if lines else "begins",
    )
    for name in without:
        log.info("%s: no shape", name)


def _print(standings: list[Standing], planned: Plan, confidence: str) -> None:
    table = Table(title="Ranking", title_justify="left")
    for column in ("", "cell", "tokens", "validation loss", "spread", "seeds"):
        table.add_column(column, justify="left" if column == "cell" else "right")
    for place, one in enumerate(standings[:SHOWN], start=1):
        spread = "" if one.spread is None else f"{one.spread:.4f}"
        tokens, seeds = f"{planned.tokens(one.rung):,}", str(len(one.losses[-1]))
        table.add_row(str(place), one.cell, tokens, f"{one.mean:.4f}", spread, seeds)
    Console().print(table)
    print(f"confidence that the first has a lower loss than the second: {confidence}")


if __name__ == "__main__":
    main()
