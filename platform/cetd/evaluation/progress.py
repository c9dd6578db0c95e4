"""The live view of a run: a table that redraws itself in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from cetd.feedback.health import EngineHealth, EngineState

log = logging.getLogger("feedback")

# Seconds between lines where there is no terminal to redraw.
LINE_EVERY_S = 10.0


class Progress:
    """Shows the newest metrics; a context manager."""

    def __init__(self, iterations: int, console: Console | None = None) -> None:
        self._iterations = iterations
        self._console = console or Console()
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._next_line = 0.0

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(
        self, metrics: Mapping[str, Any], totals: Mapping[str, int], in_flight: int, engines: Mapping[str, EngineHealth]
    ) -> None:
        """Show the last update's metrics, the run's counts and the engines' health."""
        if self._live:
            self._live.update(self._table(metrics, totals, in_flight, engines))
        elif metrics and (time.monotonic() >= self._next_line or metrics["iteration"] + 1 == self._iterations):
            self._next_line = time.monotonic() + LINE_EVERY_S
            log.info(self._line(metrics, totals, engines))

    def _line(self, metrics: Mapping[str, Any], totals: Mapping[str, int], engines: Mapping[str, EngineHealth]) -> str:
        rates = " ".join(f"{llm} {_figure(rate)}" for llm, rate in metrics["pass_rate"].items())
        shares = " ".join(f"{stage} {share:.0%}" for stage, share in metrics["busy"].items())
        sick = "".join(f"; {name} {h.state}" for name, h in engines.items() if h.state is not EngineState.READY)
        return (
            f"iteration {metrics['iteration'] + 1}/{self._iterations}: reward {_figure(metrics['reward'])}, "
            f"pass rate {rates}, {metrics['rollouts_per_s']:.0f} rollouts/s, busy {shares}, "
            f"unscored {totals['unscored']}, dropped {totals['dropped']}{sick}"
        )

    def _table(
        self, metrics: Mapping[str, Any], totals: Mapping[str, int], in_flight: int, engines: Mapping[str, EngineHealth]
    ) -> Table:
        done = metrics["iteration"] + 1 if metrics else 0
        table = Table(title=f"iteration {done} / {self._iterations}", show_header=False, title_justify="left")
        rows: list[tuple[str, str]] = [("engines", "  ".join(f"{name} {h.state}" for name, h in engines.items()))]
        if metrics:
            rows += [
                ("reward", _figure(metrics["reward"])),
                ("pass rate", "  ".join(f"{llm} {_figure(rate)}" for llm, rate in metrics["pass_rate"].items())),
                ("rollouts/s", f"{metrics['rollouts_per_s']:.1f}"),
                ("busy", "  ".join(f"{stage} {share:.0%}" for stage, share in metrics["busy"].items())),
            ]
        rows.append(("rollouts", f"{totals['rollouts']}, {totals['unscored']} unscored, {totals['dropped']} dropped"))
        rows.append(("in flight", f"{in_flight} iterations"))
        for row in rows:
            table.add_row(*row)
        return table


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
