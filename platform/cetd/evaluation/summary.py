"""A run in one page: ``summary.json`` for programs, and a before/after table for people.

The keys of :func:`summarise` are a contract with whoever compares runs; extras stand beside them and never replace
one. Everything here is computed from the held-out rollouts before and after, and from counts the job kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cetd import durable
from cetd.evaluation.scores import mean_leakage, mean_reward, mean_tokens, pass_rates
from cetd.feedback.rollout import Rollout

SUMMARY_FILE = "summary.json"


def summarise(
    *,
    before: Sequence[Rollout],
    after: Sequence[Rollout],
    engines: Mapping[str, str],
    rollouts: int,
    unscored: int,
    dropped: int,
    efficiency: float,
    stage_seconds: Mapping[str, float],
    wall_s: float,
    seed: int,
    extras: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The summary of a run.

    Args:
        before: greedy held-out rollouts of the starting policy.
        after: the same of the last policy.
        engines: engine kind of each LLM, by name.
        rollouts: training rollouts made, dropped ones included.
        unscored: reconstructions without a score.
        dropped: rollouts that left the batch, below the quorum or too stale.
        efficiency: busy time of the busiest stage / wall time, in the steady state.
        stage_seconds: busy seconds of each stage.
        wall_s: seconds from start to end, those before a resume included.
        seed: the run's seed.
        extras: further keys, such as :func:`cetd.evaluation.provenance.provenance`.

    Raises:
        ValueError: an extra has the name of another key.
    """
    rates_before, rates_after = pass_rates(before), pass_rates(after)
    summary: dict[str, Any] = {
        "heldout_reward": {"before": mean_reward(before), "after": mean_reward(after)},
        "pass_rate": {llm: {"before": rates_before.get(llm), "after": rates_after.get(llm)} for llm in engines},
        "engines": dict(engines),
        "rollouts": rollouts,
        "unscored": unscored,
        "dropped": dropped,
        "efficiency": efficiency,
        "stage_seconds": dict(stage_seconds),
        "wall_s": wall_s,
        "seed": seed,
        "heldout_apps": len(after),
        "heldout_leakage": {"before": mean_leakage(before), "after": mean_leakage(after)},
        "heldout_tokens": {"before": mean_tokens(before), "after": mean_tokens(after)},
    }
    if taken := sorted(set(summary) & set(extras or {})):
        raise ValueError(f"extras: {', '.join(taken)} stand in the summary already: choose other names")
    return summary | dict(extras or {})


def write_summary(run_folder: Path, summary: Mapping[str, Any]) -> Path:
    """Write ``summary.json`` in one step; returns its path."""
    path = run_folder / SUMMARY_FILE
    durable.write_text(path, json.dumps(summary, indent=2) + "\n")
    return path


def print_table(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Print before, after and gain of the held-out reward and each LLM's pass rate, and a line of figures."""
    shuffled = "; control run: rewards shuffled" if summary.get("shuffle_rewards") else ""
    table = Table()
    table.add_column("")
    for column in ("before", "after", "gain"):
        table.add_column(column, justify="right")
    table.add_row(*_row("reward", summary["heldout_reward"]), style="bold")
    for llm, rates in summary["pass_rate"].items():
        table.add_row(*_row(f"pass rate of {llm} ({summary['engines'].get(llm, 'unknown')})", rates))
    console = console or Console()
    console.print(Text(f"Held-out apps, greedy (seed {summary['seed']}{shuffled})"))
    console.print(table)
    console.print(
        Text(
            f"{summary['rollouts']} rollouts, {summary['unscored']} unscored, {summary['dropped']} dropped; "
            f"efficiency {summary['efficiency']:.2f}; {summary['wall_s']:.0f} s"
        )
    )


def _row(name: str, pair: Mapping[str, float | None]) -> tuple[Text, str, str, str]:
    before, after = pair["before"], pair["after"]
    gain = "-" if before is None or after is None else f"{after - before:+.3f}"
    return Text(name), _figure(before), _figure(after), gain


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
